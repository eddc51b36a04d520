"""Branches on the platform inside shared code, and what each of them keeps from the target."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tree_sitter import Node

from analyzer import syntax
from analyzer.checking import merely_checks
from analyzer.conditions import Scope, Truth, note
from analyzer.effects import (
    CASES,
    ZERO,
    appended,
    calls,
    decides,
    gives,
    leaves,
    one_line,
    only_logs,
    passes_on,
    refusals,
    refuses_all,
    returned,
    says_unsupported,
    work,
)
from analyzer.refusals import NAMES_UNSUPPORTED, SAYS_UNSUPPORTED
from analyzer.symbols import Symbol
from analyzer.syntax import text

# What a local error is called.
_ERROR = re.compile(r"^err|Err(?:or)?$")
_EMPTY = frozenset({'""', "``", "0"})
# A switch that is set so that something is off.
_TURNS_OFF = re.compile(
    r"\b([dD]isable\w*|\w*Disabled?) = true\b|\b([eE]nabled?|[eE]nable[A-Z]\w*|\w*Enabled) = false\b"
    # An option of a command that is not shown.
    r"|\.MarkHidden\(\"([\w-]+)\"\)"
)
# What a guard is made of.
_ASKS = (b"if ", b"switch", b"&&")
# What a refusal must have somewhere; most functions have not.
_SAYS = re.compile(rb"support|implement|available|windows|linux|only", re.IGNORECASE)


class Effect(StrEnum):
    """How a guard keeps something from the target."""

    REFUSED = "refused"
    OFF = "off"
    SKIPPED = "skipped"
    FIXED = "fixed"
    SWITCHED = "switched"


@dataclass(frozen=True, slots=True)
class Guard:
    """One branch that refuses, skips or switches something off on the target.

    Attributes:
        effect: how.
        line: of the branch in its file, counted from 1.
        end_line: likewise.
        condition: the condition's text in one spelling.
        source: the whole branch's text in one spelling.
        lost: the statements that the reference runs and the target does not, in one spelling each.
        refused: the errors that only the target hands back, in one spelling each.
        asked: for refusals deeper inside, the conditions right before them.
        sure: the target always takes its way, not only in some cases.
    """

    effect: Effect
    line: int
    end_line: int
    condition: str
    source: str
    lost: frozenset[str]
    refused: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    sure: bool = True

    @property
    def switches(self) -> frozenset[str]:
        """The names of what it sets so that something is off."""
        return frozenset(name for names in _TURNS_OFF.findall(self.source) for name in names if name)


def guards(symbol: Symbol, target: Scope, reference: Scope, *, lists: bool = False) -> list[Guard]:
    """The guards of one function that both platforms build.

    Args:
        symbol: the function.
        target: the names of its package on the target.
        reference: likewise on the reference.
        lists: whether a branch counts that does nothing but add to a local list: what for, only what uses it tells.
    """
    if not any(word in symbol.source for word in _ASKS):
        return []
    function = syntax.function_node(symbol.source)
    body = function.child_by_field_name("body") if function is not None else None
    if body is None:
        return []
    try:
        return list(_Walk(target, reference, symbol.declaration.line - 2, lists).block(body, {}))
    except RecursionError:  # nobody writes a guard this deep; generated code is not judged
        return []


def work_of(symbol: Symbol) -> list[str]:
    """The statements of a function that do something which outlives them, in one spelling each."""
    statements = syntax.body_statements(symbol.source)
    try:
        return work(statements)
    except RecursionError:
        return []


def divided(symbol: Symbol, target: Scope, reference: Scope) -> frozenset[str]:
    """The conditions of a function's branches in which each platform does something of its own."""
    function = syntax.function_node(symbol.source)
    walk = _Walk(target, reference, 0)
    try:
        for _ in walk.block(function.child_by_field_name("body") if function is not None else None, {}):
            pass
    except RecursionError:
        return frozenset()
    return frozenset(walk.divided)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A return, or a panic, that says that something is not supported.

    Attributes:
        line: in the file, counted from 1.
        text: in one spelling.
        asked: the conditions that lead to it.
        otherwise: it meets values that no case of a switch names, and does not name the platform.
    """

    line: int
    text: str
    asked: str = ""
    otherwise: bool = False


def unsupported(symbol: Symbol, scope: Scope) -> list[Refusal]:
    """The refusals of a function that say that something is not supported, and that a platform may come to."""
    if not _SAYS.search(symbol.source):
        return []
    return [r for r in refused(symbol, scope) if SAYS_UNSUPPORTED.search(r.text) or NAMES_UNSUPPORTED.search(r.text)]


def refused(symbol: Symbol, scope: Scope) -> list[Refusal]:
    """All refusals of a function that a platform may come to: errors that it makes or names, and panics."""
    statements = syntax.body_statements(symbol.source)
    try:
        found = [node for node in refusals(statements) if not _elsewhere(node, scope)]
    except RecursionError:
        return []
    offset = symbol.declaration.line - 1
    return [
        Refusal(
            node.start_point.row + offset, said := one_line(text(node)), _condition(node), _meets_the_rest(node, said)
        )
        for node in found
    ]


def _meets_the_rest(node: Node, said: str) -> bool:
    parent = node.parent
    if parent is not None and parent.type == "statement_list":
        parent = parent.parent
    return parent is not None and parent.type == "default_case" and "windows" not in said.lower()


def _condition(node: Node) -> str:
    found: list[str] = []
    parent = node.parent
    while parent is not None:
        if parent.type == "if_statement":
            found.append(one_line(text(parent.child_by_field_name("condition"))))
        parent = parent.parent
    return " && ".join(reversed(found))


def _elsewhere(node: Node, scope: Scope) -> bool:
    """Whether a statement stands in a branch that the platform never takes."""
    while (parent := node.parent) is not None:
        if parent.type == "if_statement":
            truth = scope.truth(parent.child_by_field_name("condition"))
            never = {"consequence": Truth.NO, "alternative": Truth.YES}
            if any(truth is worth and parent.child_by_field_name(arm) == node for arm, worth in never.items()):
                return True
        node = parent
    return False


@dataclass(frozen=True, slots=True)
class _Walk:
    target: Scope
    reference: Scope
    offset: int
    lists: bool = False
    divided: list[str] = field(default_factory=list)

    def block(self, block: Node | None, local: dict[str, Node]) -> Iterator[Guard]:
        statements = list(syntax.statements(block))
        for number, statement in enumerate(statements):
            # Only a choice asks for what comes after it; of a long block the rest is long.
            rest = statements[number + 1 :] if decides(statement) else ()
            yield from self._statement(statement, rest, local)
            note(statement, local)

    def _statement(self, node: Node, rest: Sequence[Node], local: dict[str, Node]) -> Iterator[Guard]:
        match node.type:
            case "if_statement":
                yield from self._if(node, rest, dict(local))
            case "expression_switch_statement":
                yield from self._switch(node, rest, dict(local))
            case "return_statement":
                yield from self._inside(node, local)
                yield from self._result(node, local)
            case _:
                yield from self._inside(node, local)

    def _inside(self, node: Node, local: dict[str, Node]) -> Iterator[Guard]:
        """The blocks within any other statement: loops, closures, cases."""
        for child in node.named_children:
            if child.type == "block" or child.type in CASES:
                yield from self.block(child, dict(local))
            else:
                yield from self._inside(child, local)

    def _if(self, node: Node, rest: Sequence[Node], local: dict[str, Node]) -> Iterator[Guard]:
        start = node.child_by_field_name("initializer")
        if start is not None:
            note(start, local)
        condition = node.child_by_field_name("condition")
        mine, theirs = self.target.truth(condition, local), self.reference.truth(condition, local)
        yes, other = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        if mine == theirs:
            yield from self.block(yes, dict(local))
            if other is not None and other.type == "if_statement":
                yield from self._if(other, rest, dict(local))
            elif other is not None:
                yield from self.block(other, dict(local))
            return
        first = list(syntax.statements(yes))
        second = [other] if other is not None and other.type == "if_statement" else list(syntax.statements(other))
        follows = not second and leaves(first)
        if follows:
            second = list(rest)
        here, there = (first, second) if mine > theirs else (second, first)
        explicit = not follows or here is first
        found = self._judge(node, text(condition), here, there, sure=Truth.YES in {mine, ~mine}, explicit=explicit)
        if found is not None:
            yield found

    def _switch(self, node: Node, rest: Sequence[Node], local: dict[str, Node]) -> Iterator[Guard]:
        start = node.child_by_field_name("initializer")
        if start is not None:
            note(start, local)
        value = node.child_by_field_name("value")
        arms = [child for child in node.named_children if child.type in CASES]
        mine, theirs = (scope.chosen(value, arms, local) for scope in (self.target, self.reference))
        if mine is None or theirs is None or mine == theirs:
            for arm in arms:
                yield from self.block(arm, dict(local))
            return
        here = list(syntax.statements(arms[mine])) if mine >= 0 else []
        there = list(syntax.statements(arms[theirs])) if theirs >= 0 else []
        explicit = bool(here)
        if leaves(here) and not leaves(there):
            there += rest
        elif leaves(there) and not leaves(here):
            here += rest
        place = arms[mine] if mine >= 0 else node
        found = self._judge(place, f"switch {text(value)}", here, there, sure=True, explicit=explicit)
        if found is not None:
            yield found

    def _result(self, node: Node, local: dict[str, Node]) -> Iterator[Guard]:
        """``return x && runtime.GOOS != "windows"``: what it answers for is off, whatever x is."""
        for value in returned(node):
            if value.type != "binary_expression" or text(value.child_by_field_name("operator")) != "&&":
                continue
            if self.target.truth(value, local) is Truth.NO and self.reference.truth(value, local) is Truth.MAYBE:
                line, source = node.start_point.row + 1 + self.offset, one_line(text(node))
                yield Guard(
                    Effect.OFF, line, node.end_point.row + 1 + self.offset, one_line(text(value)), source, frozenset()
                )

    def _asks(self, node: Node) -> bool:
        """Whether a statement is a choice of the reference's by something else than the platform."""
        if node.type == "if_statement":
            return self.reference.truth(node.child_by_field_name("condition")) is Truth.MAYBE
        if node.type == "expression_switch_statement":
            arms = [child for child in node.named_children if child.type in CASES]
            return self.reference.chosen(node.child_by_field_name("value"), arms, {}) is None
        return decides(node)

    def _judge(
        self, node: Node, condition: str, here: Sequence[Node], there: Sequence[Node], *, sure: bool, explicit: bool
    ) -> Guard | None:
        """What the branch keeps from the target, given what each platform runs."""
        if explicit and here and there:
            self.divided.append(one_line(condition))
        effect = _effect(here, there, sure=sure, explicit=explicit, looks=any(self._asks(node) for node in there))
        added = frozenset(appended(there)) if self.lists and effect is None and not here else frozenset[str]()
        if added:
            effect = Effect.SKIPPED
        if effect is None:
            return None
        return Guard(
            effect,
            node.start_point.row + 1 + self.offset,
            node.end_point.row + 1 + self.offset,
            one_line(condition),
            one_line(text(node)),
            added.union(work(there)),
            frozenset(one_line(text(refusal)) for refusal in refusals(here)) if explicit else frozenset(),
            _asked(here, node) if explicit else frozenset(),
            sure,
        )


def _asked(here: Sequence[Node], branch: Node) -> frozenset[str]:
    """The conditions right before the refusals in an arm; nothing when one of them has none but the branch's own."""
    found = set[str]()
    for refusal in refusals(here):
        parent = refusal.parent
        while parent is not None and parent.type != "if_statement":
            parent = parent.parent
        if parent is None or parent == branch:
            return frozenset()
        found.add(one_line(text(parent.child_by_field_name("condition"))))
    return frozenset(found)


def _effect(here: Sequence[Node], there: Sequence[Node], *, sure: bool, explicit: bool, looks: bool) -> Effect | None:
    """How the target loses.

    Args:
        here: what the target runs.
        there: what the reference runs.
        sure: the target always takes its way, not only in some cases.
        explicit: ``here`` is an arm of its own, not just what comes after the branch.
        looks: what the reference does depends on more than the platform.
    """
    here = [n for n in here if not only_logs(n)]
    if refuses_all(there):
        return None
    mine = refusals(here)
    if mine and not work(here):
        return Effect.REFUSED
    if explicit and any(says_unsupported(refusal) for refusal in mine):
        return Effect.REFUSED
    if sure and explicit and not there and len(here) == 1 and _TURNS_OFF.search(one_line(text(here[0]))):
        return Effect.SWITCHED
    works = bool(work(there)) and not merely_checks(there)
    if not here:
        return Effect.SKIPPED if works else None
    if work(here) or not leaves(here) or mine:
        return None
    last = here[-1]
    if (
        last.type == "return_statement"
        and not _hands_on_error(last)
        and any(text(v) not in ZERO for v in returned(last))
    ):
        # A value that never changes, where the reference looks at its input.
        fixed = len(here) == 1 and not any(calls(v) for v in returned(last)) and looks
        return Effect.FIXED if fixed and sure else None
    if len(there) == 1 and _gives_a_fixed_text(last, there[0]):
        return None
    answers = any(n.type == "return_statement" and gives(n) for n in there)
    return Effect.OFF if (works or answers) and (sure or works) else None


def _gives_a_fixed_text(mine: Node, theirs: Node) -> bool:
    """Whether one return gives an empty text or a zero number, the other a fixed one: each is a value of its platform."""
    values = returned(mine)
    empty = bool(values) and all(text(v) in _EMPTY for v in values)
    return empty and theirs.type == "return_statement" and not calls(theirs)


def _hands_on_error(node: Node) -> bool:
    """Whether a return gives nothing but an error that something else made."""
    values = [text(value) for value in returned(node)]
    return passes_on(node) and bool(_ERROR.search(values[-1])) and all(value in ZERO for value in values[:-1])
