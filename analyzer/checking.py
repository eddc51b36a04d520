"""Statements that do nothing but look at something and refuse it."""

import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from analyzer import syntax
from analyzer.effects import CASES, gives, leaves, only_logs, refusals
from analyzer.syntax import text

_ERROR = re.compile(r"^err|Err(?:or)?$")
# The name of a function that looks at something, and of one that looks whether it is right.
_TELLS = re.compile(
    r"^(?:[lLfF]?[sS]tat|[gG]et|[iI]s|[hH]as|[eE]xists?|[lL]ook|[fF]ind|[pP]arse|[vV]alid|[vV]erif|[cC]heck|[rR]ead)(?![a-z])"
    r"|^(?:[vV]alidat|[vV]erif|[eE]xist|Lookup)|^(?:Mode|Perm|Name|Version|Sys)$"
)
_VALIDATES = re.compile(r"^(?:[vV]alidat|[vV]erif|[cC]heck)")


def merely_checks(statements: Sequence[Node]) -> bool:
    """Whether all that statements do is to look at something and to refuse it: who does not run them is refused less."""
    refuses = any(refusals([node]) or any(map(_validates, _within(node))) for node in statements)
    return refuses and all(map(_is_check, statements))


def _is_check(node: Node) -> bool:
    match node.type:
        case "short_var_declaration" | "assignment_statement" | "var_declaration" | "const_declaration":
            return not _outlives_block(node) and all(map(_asks, _called(node)))
        case "expression_statement":
            return only_logs(node) or leaves([node])
        case "return_statement":
            return _validates(node) or not gives(node)
        case "if_statement":
            asked = [node.child_by_field_name(field) for field in ("initializer", "alternative")]
            parts = [part for part in asked if part is not None]
            condition = node.child_by_field_name("condition")
            if condition is not None and "nil" in text(condition) and not all(map(_asks, _called(condition))):
                return False  # it asks what became of something that it does
            return all(map(_is_check, [*parts, *syntax.statements(node.child_by_field_name("consequence"))]))
        case "block" | "for_statement":
            body = node if node.type == "block" else node.child_by_field_name("body")
            return all(map(_is_check, syntax.statements(body)))
        case kind if kind.endswith("switch_statement"):
            arms = [arm for arm in node.named_children if arm.type in CASES]
            return all(_is_check(inner) for arm in arms for inner in syntax.statements(arm))
        case "break_statement" | "continue_statement" | "empty_statement":
            return True
        case _:
            return False


def _within(node: Node) -> Iterator[Node]:
    yield node
    for child in node.named_children:
        yield from _within(child)


def _outlives_block(node: Node) -> bool:
    """Whether an assignment changes anything but an error."""
    left = node.child_by_field_name("left")
    if node.type != "assignment_statement" or left is None:
        return False
    return any(not _ERROR.search(text(target)) and text(target) != "_" for target in left.named_children)


def _called(node: Node) -> list[str]:
    """The names of all that is called in an expression, closures aside."""
    if node.type == "func_literal":
        return []
    found = [name for child in node.named_children for name in _called(child)]
    return [*found, text(node.child_by_field_name("function"))] if node.type == "call_expression" else found


def _asks(called: str) -> bool:
    """Whether a function only tells something, as its name says."""
    return called.startswith(("strings.", "filepath.", "path.", "len", "errors.")) or bool(
        _TELLS.search(called.rpartition(".")[2])
    )


def _validates(node: Node) -> bool:
    """Whether a statement asks a function that only looks whether something is right, as its name says."""
    asked = node.child_by_field_name("initializer") if node.type == "if_statement" else node
    if asked is None or asked.type not in {"short_var_declaration", "assignment_statement", "return_statement"}:
        return False
    names = _called(asked)
    return bool(names) and all(_VALIDATES.search(name.rpartition(".")[2]) for name in names)
