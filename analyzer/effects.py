"""What statements do: the work that outlives them, the refusals among them, and what is neither."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from tree_sitter import Node

from analyzer import syntax
from analyzer.syntax import text

_LOGS = re.compile(
    r"^(?:logrus|log|klog|glog|slog|logger|bklog|print|println)\b|(?:^|\.)(?:Fp|P)rint(?:f|ln)?(?:$|[A-Z])"
    r"|\.(?:Debug|Info|Warn|Warning)[A-Za-z]*$|\.G\(|\.L\."
)
_BUILDS_ERROR = re.compile(
    r"(?:^|\.|_)(?:err|new)?(?:Err|Wrap)|[eE]rr(?:or)?f?$|unsupported|not_?(?:supported|implemented)"
    r"|invalid|forbidden",
    re.IGNORECASE,
)
_NAMES_ERROR = re.compile(r"^(?:err|Err|E[A-Z]{3,})|(?:Err|Error)$|[Uu]nsupported|[Nn]ot(?:Supported|Implemented)")
_COMMENT = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|`[^`]*`|'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LEAVES = {"return_statement", "continue_statement", "break_statement", "goto_statement"}

LONG_TEXT = re.compile(r'"(?:[^"\\\n]|\\.){14,}"')
"""A text that says something of its own."""

ZERO = frozenset({"nil", "false", "0", '""', "``", "-1"})
"""The texts of values that are nothing."""

CASES = {"expression_case", "type_case", "default_case", "communication_case"}
"""The arms of a switch or a select."""


def gives(node: Node) -> bool:
    """Whether a return gives something that is neither zero nor an error."""
    return any(text(v) not in ZERO for v in returned(node)) and not _is_refusal(node)


def decides(node: Node) -> bool:
    """Whether a statement is a choice."""
    return node.type.endswith(("if_statement", "switch_statement"))


def leaves(statements: Sequence[Node]) -> bool:
    """Whether control does not come out at the end."""
    if not statements:
        return False
    last = statements[-1]
    if last.type in _LEAVES:
        return True
    if last.type != "expression_statement":
        return False
    called = text(last.named_children[0].child_by_field_name("function")) if last.named_children else ""
    return called in {"panic", "os.Exit"} or bool(re.search(r"\.(?:Fatal|Panic)(?:f|ln)?$", called))


def work(statements: Iterable[Node]) -> list[str]:
    """The statements that do something which outlives them, in one spelling each."""
    found: list[str] = []
    for node in statements:
        match node.type:
            case "expression_statement":
                if not only_logs(node) and not leaves([node]):
                    found.append(one_line(text(node)))
            case "assignment_statement":
                if _outlives(node):
                    found.append(one_line(text(node)))
            case "short_var_declaration":
                left = node.child_by_field_name("left")
                if left is not None and calls(node) and (len(left.named_children) > 1 or text(left) == "err"):
                    found.append(one_line(text(node)))
            case "go_statement" | "defer_statement" | "send_statement":
                found.append(one_line(text(node)))
            case "return_statement":
                if not _is_refusal(node) and any(calls(value) for value in returned(node)):
                    found.append(one_line(text(node)))
            case "if_statement":
                found += work(n for n in (node.child_by_field_name("initializer"),) if n is not None)
                found += work(syntax.statements(node.child_by_field_name("consequence")))
                other = node.child_by_field_name("alternative")
                found += work(
                    [other] if other is not None and other.type == "if_statement" else syntax.statements(other)
                )
            case "for_statement":
                found += work(syntax.statements(node.child_by_field_name("body")))
            case "labeled_statement":
                found += work(node.named_children)
            case "block":
                found += work(syntax.statements(node))
            case kind if kind.endswith(("switch_statement", "select_statement")):
                for arm in node.named_children:
                    if arm.type in CASES:
                        found += work(syntax.statements(arm))
    return found


def appended(statements: Iterable[Node]) -> list[str]:
    """The statements that add what some call gives to a local list, in one spelling each."""
    found = list[str]()
    for node in statements:
        values = node.child_by_field_name("right") if node.type == "assignment_statement" else None
        call = values.named_children[0] if values is not None and len(values.named_children) == 1 else None
        if call is None or call.type != "call_expression" or text(call.child_by_field_name("function")) != "append":
            continue
        arguments = call.child_by_field_name("arguments")
        if arguments is not None and any(calls(argument) for argument in arguments.named_children[1:]):
            found.append(one_line(text(node)))
    return found


def _outlives(node: Node) -> bool:
    """Whether an assignment changes more than a local variable's value, and to more than a fixed value."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    targets = left.named_children if left else []
    if right is not None and all(_is_fixed(value) for value in right.named_children):
        return False
    if any(target.type != "identifier" for target in targets):
        return True
    if len(targets) > 1 and right is not None and re.search(rf"[(,\s]{re.escape(text(targets[0]))}\b", text(right)):
        return False  # x, err = f(x): a step on a local value
    several = len(targets) > 1 or any(text(target) == "err" for target in targets)
    return several and calls(node)


def _is_fixed(value: Node) -> bool:
    """Whether an expression is a literal, or a list with literals added."""
    if value.type.endswith("string_literal") or value.type in {"int_literal", "float_literal", "true", "false", "nil"}:
        return True
    if value.type == "binary_expression" and not calls(value):
        return any(side.type.endswith("string_literal") for side in value.named_children)
    if value.type == "composite_literal":
        body = value.child_by_field_name("body")
        elements = [e for e in body.named_children if e.type != "comment"] if body is not None else []
        return all(_is_fixed(e.named_children[-1]) or e.type == "comment" for e in elements if e.named_children)
    if value.type == "literal_element":
        return all(_is_fixed(inner) for inner in value.named_children)
    if value.type == "call_expression" and text(value.child_by_field_name("function")) == "append":
        arguments = value.child_by_field_name("arguments")
        return arguments is not None and all(_is_fixed(a) for a in arguments.named_children[1:])
    return False


def calls(node: Node) -> bool:
    """Whether an expression calls anything, outside closures."""
    if node.type == "call_expression":
        return True
    return node.type != "func_literal" and any(calls(child) for child in node.named_children)


def only_logs(node: Node) -> bool:
    """Whether a statement is nothing but a log line."""
    if node.type != "expression_statement" or not node.named_children:
        return False
    call = node.named_children[0]
    if call.type != "call_expression":
        return False
    called = text(call.child_by_field_name("function"))
    return bool(_LOGS.search(called)) and not leaves([node])


def returned(node: Node) -> list[Node]:
    """The expressions of a return statement."""
    values = next((c for c in node.named_children if c.type == "expression_list"), None)
    return [v for v in values.named_children if v.type != "comment"] if values is not None else []


def _is_refusal(node: Node) -> bool:
    """Whether a return, or a panic, hands back an error that it makes or names."""
    if node.type == "expression_statement":
        return leaves([node])
    values = returned(node) if node.type == "return_statement" else []
    if not values:
        return False
    last = values[-1]
    if last.type == "call_expression":
        if text(last).startswith("append("):
            return False
        name = text(last.child_by_field_name("function"))
        return bool(_BUILDS_ERROR.search(name.rpartition(".")[2])) or name.startswith(
            ("errors.", "errdefs.", "fmt.Errorf")
        )
    if last.type in {"identifier", "selector_expression"}:
        return bool(_NAMES_ERROR.search(text(last).rpartition(".")[2]))
    if last.type not in {"composite_literal", "unary_expression"}:
        return False
    # An error type of one's own: a literal of it, the last of several results, holds an error or is named for one.
    return bool(_NAMES_ERROR.search(text(last)) or re.search(r"\berrors\.|\bfmt\.Errorf|\b[Ii]nvalid", text(last)))


def refusals(statements: Iterable[Node]) -> list[Node]:
    """Every return of an error, and every panic, in the statements and their branches."""
    found: list[Node] = []
    for node in statements:
        if node.type in {"return_statement", "expression_statement"}:
            if _is_refusal(node) and not passes_on(node):
                found.append(node)
        elif node.type in {"if_statement", "block", "for_statement", "statement_list", "labeled_statement"} or (
            node.type in CASES or node.type.endswith(("switch_statement", "select_statement"))
        ):
            found += refusals(node.named_children)
    return found


def passes_on(node: Node) -> bool:
    """Whether a return only hands on an error that something else made: a local variable."""
    values = returned(node)
    if not values or values[-1].type != "identifier":
        return False
    name = re.escape(text(values[-1]))
    top = node
    while top.parent is not None and top.parent.type != "source_file":
        top = top.parent
    # Declared or set in the function, or one of its parameters or results.
    return bool(
        re.search(rf"\b{name}\b[\w\s,]*:=|\bvar\s+{name}\b|[(,]\s*{name}\s+\*?\w|\b{name}\b[\w\s,]*=[^=]", text(top))
    )


def says_unsupported(node: Node) -> bool:
    """Whether a refusal says that the platform is the reason."""
    words = text(node).lower()
    return any(
        w in words for w in ("support", "windows", "not implemented", "notimplemented", "unavailable", "not available")
    )


def refuses_all(statements: Sequence[Node]) -> bool:
    """Whether the statements begin with a refusal: then the platforms do not differ in it."""
    return bool(statements) and _is_refusal(statements[0]) and not passes_on(statements[0])


def only_fails(source: bytes) -> bool:
    """Whether a function does nothing but hand back an error that it makes, whatever that says."""
    statements = syntax.body_statements(source)
    values = returned(statements[0]) if len(statements) == 1 and refuses_all(statements) else []
    inner = [values[-1].child_by_field_name("arguments") or values[-1]] if values else []
    try:
        return bool(values) and not any(calls(node) for node in (*values[:-1], *inner))
    except RecursionError:  # nobody writes an error this deep
        return False


def one_line(source: str) -> str:
    """A text without comments, and with every run of white space as one space."""
    return " ".join(_COMMENT.sub(_no_comment, source).split())


@lru_cache(maxsize=4096)
def code_lines(source: bytes) -> tuple[str, ...]:
    """The lines of a text without comments and without what is blank. Tests are compared each with each."""
    bare = _COMMENT.sub(_no_comment, source.decode(errors="replace"))
    return tuple(line.rstrip() for line in bare.split("\n") if line.strip())


def _no_comment(match: re.Match[str]) -> str:
    """What a token becomes: nothing when it is a comment, itself when it is a text that may look like one."""
    return " " if match[0].startswith("/") else match[0]
