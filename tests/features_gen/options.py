"""Options of commands, and the fields of the engine's API that each fills: what a flag is bound to, and what that is put into."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tree_sitter import Node

from tests.features_gen.go import Code, Function, arguments, called, calls, literal, text, walk

# StringVar, BoolVarP, Var: the P takes a letter, too.
_BINDS = re.compile(r"\w*Var(P?)")
# Whose structs count.
ENGINE = "//github.com/moby/moby/"
# A value that is made of local names is followed so far.
MAX_STEPS = 3


def options(code: Code, makes: Iterable[Function], runs: Iterable[Function]) -> dict[str, list[str]]:
    """By option (``--memory``, ``-m``), the fields that it fills, as ``Struct.Field`` of the engine's types.

    Args:
        code: the repository.
        makes: the functions that declare the flags.
        runs: those that use what the flags are bound to.
    """
    filled: dict[str, set[str]] = defaultdict(set)
    for function in runs:
        for field, value in _fields(code, function):
            for bound in _mentions(value, function.locals()):
                filled[bound].add(field)
    found: dict[str, list[str]] = {}
    for function in makes:
        for option, bound in _flags(function):
            if bound in filled:
                found[option] = sorted(filled[bound])
    return dict(sorted(found.items()))


def _flags(function: Function) -> Iterator[tuple[str, str]]:
    """Options and what they are bound to: the name of a field."""
    for call in calls(function.body):
        binds = _BINDS.fullmatch(called(call)[1])
        given = arguments(call)
        name = literal(given[1]) if binds and len(given) > 1 else None
        if binds is None or not name:
            continue
        target = given[0].child_by_field_name("operand") if given[0].type == "unary_expression" else given[0]
        if target is None or target.type != "selector_expression":
            continue
        bound = text(target.child_by_field_name("field"))
        yield f"--{name}", bound
        if binds[1] and len(given) > 2 and (letter := literal(given[2])):
            yield f"-{letter}", bound


def _fields(code: Code, function: Function) -> Iterator[tuple[str, Node]]:
    """The fields that a function fills of the engine's structs, and the values."""
    imports = code.imports[function.file]
    made: dict[str, str] = {}
    for node in walk(function.body):
        if node.type == "composite_literal":
            qualifier, dot, name = text(node.child_by_field_name("type")).rpartition(".")
            if not dot or not imports.get(qualifier, "").startswith(ENGINE):
                continue
            variable = _variable(node)
            if variable:
                made[variable] = name
            body = node.child_by_field_name("body")
            for element in body.named_children if body is not None else ():
                if element.type == "keyed_element" and len(element.named_children) == 2:
                    yield f"{name}.{text(element.named_children[0])}", element.named_children[1]
        elif node.type == "assignment_statement":
            left, right = (node.child_by_field_name(side) for side in ("left", "right"))
            owner, dot, field = text(left.named_children[0] if left is not None else None).rpartition(".")
            if right is not None and dot and owner in made:
                yield f"{made[owner]}.{field}", right


def _variable(literal_node: Node) -> str:
    """The variable that a literal is the value of."""
    node = literal_node.parent
    while node is not None and node.type in {"unary_expression", "expression_list"}:
        node = node.parent
    left = node.child_by_field_name("left") if node is not None and node.type == "short_var_declaration" else None
    return text(left)


def _mentions(value: Node, known: dict[str, list[Node]], step: int = 0) -> Iterator[str]:
    """The fields that a value is made of, also by way of local names. What is within a literal fills its own fields."""
    if value.type in {"composite_literal", "func_literal"} or step > MAX_STEPS:
        return
    if value.type == "selector_expression" and value.child_by_field_name("operand") is not None:
        operand = value.child_by_field_name("operand")
        if operand is not None and operand.type == "identifier":
            yield text(value.child_by_field_name("field"))
            return
    if value.type == "identifier":
        for other in known.get(text(value), ()):
            yield from _mentions(other, known, step + 1)
        return
    for child in value.named_children:
        yield from _mentions(child, known, step)
