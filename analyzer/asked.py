"""What leads to a place in a function: the conditions around it and before it, on the target and on the reference."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tree_sitter import Node

from analyzer import syntax
from analyzer.conditions import Scope, Truth
from analyzer.effects import CASES, leaves, one_line, refusals, returned
from analyzer.syntax import text

Isolation = Literal["process", "hyper-v", ""]
"""How a Windows container is kept apart: as a process of the host, in a virtual machine, or whichever."""

# What a condition names that asks whether something failed.
_ERROR = re.compile(r"\b(?:err\w*|\w+Err|ok|found|exists)\b")
# ... and that nothing did.
_WENT_WELL = re.compile(r"\w+ == nil|ok|found|exists")
_FAILED = re.compile(r"\w+ != nil|!(?:ok|found|exists)")
# Whether there is anything at all.
_GIVEN = re.compile(r"[\w.]+ == nil")
_COMPARES = {"==": "!=", "!=": "==", "<": ">=", ">": "<=", ">=": "<", "<=": ">"}
_ASIDE = {"defer_statement", "go_statement"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked before control comes to a place.

    Attributes:
        target: whether the target comes there.
        reference: whether the reference does.
        conditions: what both may or may not fulfil, in the source's words.
        isolation: the mode that the target has to be in.
        aside: it is only for what failed, or for later.
    """

    target: Truth = Truth.YES
    reference: Truth = Truth.YES
    conditions: tuple[str, ...] = ()
    isolation: Isolation = ""
    aside: bool = False

    @property
    def sure(self) -> bool:
        """Whether the target always comes there."""
        return not (self.aside or self.conditions or self.isolation) and self.target is Truth.YES


ALWAYS = Asked()


class Asking:
    """Tells what leads to the nodes of one function.

    Args:
        target: what conditions are worth on the target.
        reference: likewise on the reference.
    """

    def __init__(self, target: Scope, reference: Scope) -> None:
        self._scopes = target, reference
        self._known: dict[int, tuple[Node, Asked]] = {}

    def of(self, node: Node) -> Asked:
        """What leads to a node, from the beginning of the function on."""
        if node.id not in self._known:
            parent = node.parent
            is_top = parent is None or node.type in {"function_declaration", "method_declaration"}
            found = ALWAYS if is_top or parent is None else self._within(node, parent, self.of(parent))
            # An id is good as long as the node is held.
            self._known[node.id] = node, found
        return self._known[node.id][1]

    def _within(self, node: Node, parent: Node, outer: Asked) -> Asked:
        if parent.type == "if_statement":
            condition = parent.child_by_field_name("condition")
            if condition is not None and node == parent.child_by_field_name("consequence"):
                return self._ask(outer, condition, yes=True)
            if condition is not None and node == parent.child_by_field_name("alternative"):
                return self._ask(outer, condition, yes=False)
        elif node.type in CASES:
            return self._case(outer, node, parent)
        elif parent.type in _ASIDE:
            return replace(outer, aside=True)
        elif parent.type in {"block", "statement_list"} or parent.type in CASES:
            before = node.prev_named_sibling
            if before is not None and before != parent.child_by_field_name("value"):
                return self._after(self.of(before), before)
        return outer

    def _case(self, outer: Asked, arm: Node, switch: Node) -> Asked:
        if switch.type != "expression_switch_statement":
            if arm.type != "type_case":
                return outer
            kinds = ", ".join(text(kind) for kind in arm.children_by_field_name("type"))
            return _with(outer, (Truth.MAYBE, Truth.MAYBE), f"case {one_line(kinds)}")
        value = switch.child_by_field_name("value")
        asked = one_line(text(value)) if value is not None else ""
        if arm.type == "default_case":
            others = [c.child_by_field_name("value") for c in switch.named_children if c.type == "expression_case"]
            listed = [o for o in others if o is not None]
            one, two = (
                ~max((s.matches(value, o.named_children) for o in listed), default=Truth.NO) for s in self._scopes
            )
            return _with(outer, (one, two), f"{asked} is none of its cases" if asked else "")
        cases = arm.child_by_field_name("value")
        given = cases.named_children if cases is not None else []
        one, two = (scope.matches(value, given) for scope in self._scopes)
        said = one_line(text(cases))
        return _with(outer, (one, two), f"{asked} == {said}" if asked else said)

    def _after(self, outer: Asked, before: Node) -> Asked:
        """What comes before may have left already."""
        condition, yes = before.child_by_field_name("condition"), before.child_by_field_name("consequence")
        if before.type != "if_statement" or condition is None:
            return outer
        inner = list(syntax.statements(yes))
        if not leaves(inner):
            return outer
        one, two = (~scope.truth(condition) for scope in self._scopes)
        last = inner[-1]
        fails = bool(refusals(inner)) or _hands_on(last) or last.type != "return_statement"
        if Truth.NO in {one, two} or one is not two:
            return _with(outer, (one, two), "" if fails else negated(condition))
        said = one_line(text(condition))
        if fails or _ERROR.search(said) or _GIVEN.fullmatch(said):
            return outer
        return self._ask(outer, condition, yes=False)

    def _ask(self, outer: Asked, condition: Node, *, yes: bool) -> Asked:
        said = one_line(text(condition))
        if _ERROR.search(said):
            return outer if (_WENT_WELL if yes else _FAILED).fullmatch(said) else replace(outer, aside=True)
        mode = isolation(condition, yes=yes)
        found = replace(outer, isolation=outer.isolation or mode)
        for part in _parts(condition) if yes else (condition,):
            one, two = (scope.truth(part) if yes else ~scope.truth(part) for scope in self._scopes)
            if mode and isolation(part, yes=yes) == mode and _only_gate(part):
                found = _with(found, (max(one, Truth.YES) if one else one, two), "")
            else:
                found = _with(found, (one, two), one_line(text(part)) if yes else negated(part))
        return found


def _with(outer: Asked, worths: tuple[Truth, Truth], said: str) -> Asked:
    """And something more is asked."""
    more = (said,) if said and worths[0] is Truth.MAYBE and said not in outer.conditions else ()
    return replace(
        outer,
        target=min(outer.target, worths[0]),
        reference=min(outer.reference, worths[1]),
        conditions=(*outer.conditions, *more),
    )


def _parts(condition: Node) -> Iterator[Node]:
    """What has to hold at the same time."""
    if condition.type == "parenthesized_expression" and condition.named_children:
        yield from _parts(condition.named_children[0])
    elif condition.type == "binary_expression" and text(condition.child_by_field_name("operator")) == "&&":
        for side in (condition.child_by_field_name("left"), condition.child_by_field_name("right")):
            if side is not None:
                yield from _parts(side)
    else:
        yield condition


def negated(condition: Node) -> str:
    """The opposite of a condition, in its own words."""
    said = one_line(text(condition))
    if condition.type == "unary_expression" and text(condition.child_by_field_name("operator")) == "!":
        return one_line(text(condition.child_by_field_name("operand")))
    operator = condition.child_by_field_name("operator") if condition.type == "binary_expression" else None
    if operator is not None and text(operator) in _COMPARES:
        left, right = condition.child_by_field_name("left"), condition.child_by_field_name("right")
        return f"{one_line(text(left))} {_COMPARES[text(operator)]} {one_line(text(right))}"
    return f"!({said})" if condition.type == "binary_expression" else f"!{said}"


def isolation(condition: Node | None, *, yes: bool) -> Isolation:
    """The isolation mode that is left when a condition holds, or when it does not."""
    if condition is None:
        return ""
    match condition.type:
        case "parenthesized_expression":
            return isolation(condition.named_children[0] if condition.named_children else None, yes=yes)
        case "unary_expression" if text(condition.child_by_field_name("operator")) == "!":
            return isolation(condition.child_by_field_name("operand"), yes=not yes)
        case "binary_expression":
            return _compared(condition, yes=yes)
        case "call_expression":
            return _said(text(condition.child_by_field_name("function")), yes=yes)
        case "identifier" | "selector_expression":
            return _said(text(condition), yes=yes)
        case _:
            return ""


def _compared(condition: Node, *, yes: bool) -> Isolation:
    left, right = condition.child_by_field_name("left"), condition.child_by_field_name("right")
    operator = text(condition.child_by_field_name("operator"))
    if operator in {"&&", "||"}:
        one, other = isolation(left, yes=yes), isolation(right, yes=yes)
        either = (operator == "&&") is yes
        return (one or other) if either else one if one == other else ""
    if operator not in {"==", "!="}:
        return ""
    equal = (operator == "==") is yes
    if text(right) == "nil":
        return _said(text(left), yes=not equal)
    return _said(text(right), yes=equal)


def _said(name: str, *, yes: bool) -> Isolation:
    last = name.rpartition(".")[2].lower()
    if "hyperv" in last:
        return "hyper-v" if yes else "process"
    if last in {"isprocess", "isolationprocess"}:
        return "process" if yes else "hyper-v"
    return ""


def _only_gate(part: Node) -> bool:
    """Whether a condition asks for nothing but the isolation mode: the default's mode is the mode."""
    if part.type == "binary_expression" and text(part.child_by_field_name("operator")) in {"&&", "||"}:
        sides = (part.child_by_field_name("left"), part.child_by_field_name("right"))
        return all(side is not None and (_only_gate(side) or text(side).endswith("IsDefault()")) for side in sides)
    if part.type == "parenthesized_expression" and part.named_children:
        return _only_gate(part.named_children[0])
    return bool(isolation(part, yes=True))


def _hands_on(last: Node) -> bool:
    """Whether a return hands an error on."""
    values = returned(last)
    return bool(values) and bool(re.search(r"[eE]rr", text(values[-1])))
