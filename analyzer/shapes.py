"""What statements, calls and signatures look like: what is seen without knowing what any name is worth."""

import re
from collections.abc import Iterable

from tree_sitter import Node

from analyzer.effects import calls
from analyzer.syntax import text

# The name of a function that looks whether its arguments are right.
_CHECKS = re.compile(r"^(?:[vV]alidat|[vV]erif|[cC]heck)")
# The name of a function that makes an error out of a text.
MAKES_ERROR = re.compile(
    r"err|wrap|fault|fail|status|unsupport|unimpl|notimpl|invalid|forbid|denied|unavailable|refus", re.IGNORECASE
)


def parts(statement: Node) -> bool:
    """Whether a statement has others in it, which are looked at one by one; what a choice is made by counts with them."""
    asked = [statement.child_by_field_name(field) for field in ("initializer", "condition", "value")]
    return statement.type in {"if_statement", "block"} and not any(node is not None and calls(node) for node in asked)


def makes_error(statement: Node) -> bool:
    """Whether a statement hands back an error that is made right there."""
    values = statement.named_children[0].named_children if statement.named_children else []
    made = statement.type == "return_statement" and len(values) == 1 and values[0].type == "call_expression"
    return made and bool(MAKES_ERROR.search(text(values[0].child_by_field_name("function"))))


def makes_empty(value: Node) -> bool:
    """Whether a value is made right there and holds nothing: a channel, a map, a list, or what a pointer leads to."""
    match value.type:
        case "call_expression":
            return text(value.child_by_field_name("function")) in {"make", "new"}
        case "unary_expression":
            made = value.child_by_field_name("operand")
            return text(value).startswith("&") and made is not None and made.type == "composite_literal"
        case "composite_literal":
            made = value.child_by_field_name("type")
            return made is not None and made.type in {"map_type", "slice_type"}
        case _:
            return False


def only_argument(call: Node) -> Node | None:
    """The argument of a call that has one."""
    arguments = call.child_by_field_name("arguments")
    given = arguments.named_children if arguments is not None else []
    return given[0] if len(given) == 1 else None


def only_checks(start: Node) -> bool:
    """Whether ``if err := Validate(x); …`` only asks whether the arguments are right, as its name says."""
    right = start.child_by_field_name("right")
    calls = right.named_children if right is not None else []
    return bool(calls) and all(
        call.type == "call_expression" and _CHECKS.search(text(call.child_by_field_name("function")).rpartition(".")[2])
        for call in calls
    )


def adds_words(right: Node | None) -> bool:
    """Whether an assignment only appends a sentence to a list: a warning is said, not done."""
    values = right.named_children if right is not None else []
    if len(values) != 1 or values[0].type != "call_expression":
        return False
    arguments = values[0].child_by_field_name("arguments")
    added = arguments.named_children[1:] if arguments is not None else []
    called = text(values[0].child_by_field_name("function"))
    return (
        called == "append" and bool(added) and all(a.type.endswith("string_literal") and " " in text(a) for a in added)
    )


def element(element: Node) -> Node | None:
    """The value of an element of a literal, with or without a key."""
    last = element.named_children[-1]
    if element.type == "literal_element":
        return last
    return last.named_children[0] if last.named_children else None


def descend(node: Node, wanted: set[str], through: set[str]) -> Iterable[Node]:
    """The children of some types, also inside children of others."""
    for child in node.named_children:
        if child.type in wanted:
            yield child
        elif child.type in through:
            yield from descend(child, wanted, through)


def literals(node: Node) -> Iterable[Node]:
    """The texts in an expression, closures aside."""
    if node.type in {"interpreted_string_literal", "raw_string_literal"}:
        yield node
    for child in node.named_children:
        if child.type != "func_literal":
            yield from literals(child)


def identifiers(node: Node) -> Iterable[str]:
    """The names in an expression, likewise."""
    if node.type == "identifier":
        yield text(node)
    for child in node.named_children:
        if child.type != "func_literal":
            yield from identifiers(child)


def names_of(parameters: Node | None) -> list[str]:
    """The names of a parameter list."""
    return [
        text(n) for p in (parameters.named_children if parameters else ()) for n in p.children_by_field_name("name")
    ]


def declared(node: Node, field: str) -> dict[str, Node]:
    """The names of a parameter list, or of the receiver, with what declares them."""
    parameters = node.child_by_field_name(field)
    return {
        text(name): parameter
        for parameter in (parameters.named_children if parameters is not None else ())
        for name in parameter.children_by_field_name("name")
    }


def typed_names(node: Node, field: str) -> dict[str, str]:
    """The same with their types as they are written."""
    return {name: text(parameter.child_by_field_name("type")) for name, parameter in declared(node, field).items()}


def named_results(node: Node) -> list[str]:
    """The names of a function's results, where they have some."""
    result = node.child_by_field_name("result")
    return names_of(result) if result is not None and result.type == "parameter_list" else []


def result_types(node: Node) -> list[str]:
    """The types of a function's results as they are written, one for each result."""
    result = node.child_by_field_name("result")
    if result is None:
        return []
    if result.type != "parameter_list":
        return [text(result)]
    return [
        text(p.child_by_field_name("type"))
        for p in result.named_children
        for _ in (p.children_by_field_name("name") or [p])
    ]
