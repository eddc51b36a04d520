"""What one function does on the target where all goes well: whom it calls, and what it leaves undone there."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tree_sitter import Node

from analyzer import syntax
from analyzer.asked import ALWAYS, Asked, Asking
from analyzer.calls import Call, Calls, Step
from analyzer.conditions import Truth
from analyzer.effects import leaves, one_line, refusals
from analyzer.guards import Effect, guards
from analyzer.insertion import is_standard
from analyzer.model import Options, Place, Stub
from analyzer.parity import (
    NOTHING_MISSING,
    Revision,
    View,
    comments,
    does_linux_work,
    linux_concept,
    names_linux_concept,
)
from analyzer.refusals import NAMES_UNSUPPORTED, SAYS_UNSUPPORTED
from analyzer.spelling import Foreign
from analyzer.symbols import Symbol
from analyzer.syntax import text

What = Literal["refuses", "does nothing", "skips"]
"""How a function leaves something undone."""

# What a refusal of the target's own code says, unless it is for one isolation mode.
_SAYS = re.compile(r"\bwindows\b", re.IGNORECASE)
_SAYS_SO = re.compile(_SAYS.pattern.encode(), re.IGNORECASE)
# The name of a function that only looks whether what it is given is right.
_CHECKS = re.compile(r"(?:[vV]alidate|[vV]erify|[cC]heck)")
_ERROR = re.compile(r"\b(?:err\w*|\w+Err)\b")


@dataclass(frozen=True, slots=True)
class Loss:
    """What a function leaves undone.

    Attributes:
        what: how.
        place: where it does so.
        end_line: the last line of it.
        says: the statement, in one spelling.
        asked: what leads to it.
        whole: whether it is all that the function does.
        by_name: whether code of all platforms refuses it there, and says the target's name: that is meant for users.
    """

    what: What
    place: Place
    end_line: int
    says: str
    asked: Asked
    whole: bool = False
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A call that a function makes.

    Attributes:
        call: the call.
        asked: what leads to it.
        among: how many functions may be the one that is called.
        heeded: whether its error ends the function.
    """

    call: Call
    asked: Asked
    among: int
    heeded: bool


@dataclass(frozen=True, slots=True)
class Course:
    """What a function does.

    Attributes:
        turns: its calls, in the order of the text.
        unknown: how many methods it calls of which nobody knows what they are.
    """

    turns: tuple[Turn, ...]
    unknown: int


NOWHERE = Course((), 0)


class Courses:
    """The courses of one revision's functions, each read once.

    Args:
        calls: the calls of the revision.
        options: the platforms.
    """

    def __init__(self, calls: Calls, options: Options) -> None:
        self._calls = calls
        self._revision = Revision(calls.packages, options)
        self._views: dict[str, View] = {}
        self._known: dict[tuple[str, str], Course] = {}
        self._lost: dict[tuple[str, str], tuple[Loss, ...]] = {}

    def of(self, where: str, name: str, *, losses: bool = True) -> Course:
        """The course of a function.

        Args:
            where: its package.
            name: the function.
            losses: whether what it leaves undone is going to be asked for, too.
        """
        key = where, name
        if key not in self._known:
            self._known[key] = NOWHERE
            symbol = self._calls.functions.get(key)
            if symbol is not None:
                asking = self._asking(where, symbol)
                with suppress(RecursionError):  # nobody writes conditions this deep
                    self._known[key] = self._read(symbol, asking)
                # Most are asked for this, too, and the tree is not kept for long.
                if losses:
                    self._lose(key, symbol, asking)
        return self._known[key]

    def losses(self, where: str, name: str) -> tuple[Loss, ...]:
        """What a function leaves undone."""
        key = where, name
        if key not in self._lost:
            symbol = self._calls.functions.get(key)
            self._lost[key] = ()
            if symbol is not None:
                self._lose(key, symbol, self._asking(where, symbol))
        return self._lost[key]

    def refused_by_name(self, where: str, name: str) -> list[Loss]:
        """What a function of all platforms refuses on the target by its name."""
        symbol = self._calls.functions.get((where, name))
        said = symbol is not None and _SAYS_SO.search(symbol.source)
        return [loss for loss in self.losses(where, name) if loss.by_name] if said else []

    def _lose(self, key: tuple[str, str], symbol: Symbol, asking: Asking) -> None:
        self._lost[key] = ()
        with suppress(RecursionError):
            self._lost[key] = tuple(self._losses(key[0], symbol, asking))

    def view(self, where: str) -> View:
        """A package."""
        if where not in self._views:
            self._views[where] = View(self._calls.packages[where], self._revision)
        return self._views[where]

    def _read(self, symbol: Symbol, asking: Asking) -> Course:
        turns: list[Turn] = []
        unknown = 0
        for step in self._calls.steps(symbol):
            if step.node.type != "call_expression" or step.is_value or not step.sure:
                continue
            found = [*self._calls.targets(step.node.child_by_field_name("function"), step.names, symbol)]
            unknown += not found and _is_method(step) and not self._is_of_go(step, symbol)
            sure = [target for target in found if target[2]]
            if not sure:
                continue
            before = asking.of(step.node)
            heeded = _is_heeded(step.node)
            line = symbol.declaration.line + step.node.start_point.row - 1
            turns += [Turn(Call(t, n, line, sure=True), before, len(found), heeded) for t, n, _ in sure]
        return Course(tuple(turns), unknown)

    def _is_of_go(self, step: Step, symbol: Symbol) -> bool:
        """Whether a method is that of a type of Go's own, or of what a function of Go's own gives: it does what it says."""
        operand = step.node.child_by_field_name("function")
        while operand is not None and operand.type in {"selector_expression", "call_expression"}:
            of = "operand" if operand.type == "selector_expression" else "function"
            operand = operand.child_by_field_name(of)
        name = text(operand)
        if step.names.find(name) is None:
            return is_standard(self._calls.kinds.foreign(symbol.file, name) or ".")
        kind = self._calls.values.of(operand, step.names, symbol.file)
        return isinstance(kind, Foreign) and bool(kind.path) and is_standard(kind.path)

    def _asking(self, where: str, symbol: Symbol) -> Asking:
        package = self._calls.packages[where]
        sides = self._revision.target, self._revision.reference
        target, reference = (side.of(package).scope(symbol.file) for side in sides)
        return Asking(target, reference)

    def _losses(self, where: str, symbol: Symbol, asking: Asking) -> Iterator[Loss]:
        view, name = self.view(where), symbol.name
        if name.startswith("init ") or symbol.file.helps_tests or linux_concept(symbol):
            return
        if name in view.package.target and view.shared(name):
            yield from _shared(symbol, view, asking)
            return
        body = view.body(name)
        twin = view.package.reference.get(name)
        if body is not None and body.stub is not None and not body.refuses_some:
            refuses = body.stub in {Stub.ERROR, Stub.PANIC}
            if refuses and not self._refuses_too(view, name):
                found = [*_refusals(symbol)]
                said = one_line(text(found[0])) if found else ""
                place = _place(symbol, found[0] if found else None)
                yield Loss("refuses", place, symbol.declaration.end_line, said, ALWAYS, whole=True)
            elif not refuses and self._is_missed(where, symbol, nil_error=body.nil_error):
                yield Loss("does nothing", symbol.place, symbol.declaration.end_line, "", ALWAYS, whole=True)
            return
        for node in _refusals(symbol):
            before = asking.of(node)
            said = one_line(text(node))
            if before.aside or before.target is Truth.NO or _is_otherwise(node):
                continue
            of_a_mode = before.isolation and not before.conditions
            speaks = bool(
                of_a_mode or SAYS_UNSUPPORTED.search(said) or NAMES_UNSUPPORTED.search(said) or _SAYS.search(said)
            )
            too = twin is not None and said in one_line(twin.source.decode(errors="replace"))
            if speaks and not too and not names_linux_concept(said):
                yield Loss("refuses", _place(symbol, node), _end(symbol, node), said, before)

    def _refuses_too(self, view: View, name: str) -> bool:
        """Whether the reference refuses as well."""
        if name not in view.package.reference:
            return False
        return self._revision.reference.of(view.package).roughly(name).stub in {Stub.ERROR, Stub.PANIC}

    def _is_missed(self, where: str, symbol: Symbol, *, nil_error: bool) -> bool:
        """Whether somebody misses what a function leaves undone without a word."""
        view, name = self.view(where), symbol.name
        bare = name.rpartition(".")[2]
        if _CHECKS.match(bare) or not (nil_error or not symbol.declaration.signature.partition(") (")[1]):
            return False
        if name in view.package.reference:
            return view.gap(name)
        if not nil_error or bare == name or NOTHING_MISSING.search(comments(symbol)):
            return False
        return any(
            self.view(other).twin_works(twin.name) and not does_linux_work(twin)
            for other, twin in self._methods.get((bare, symbol.declaration.signature), ())
            if twin.declaration.exported or other != where
        )

    @cached_property
    def _methods(self) -> Mapping[tuple[str, str], list[tuple[str, Symbol]]]:
        """By bare name and signature, the methods that only the reference has."""
        found: dict[tuple[str, str], list[tuple[str, Symbol]]] = defaultdict(list)
        for where, package in self._calls.packages.items():
            for symbol in package.reference.values():
                declaration = symbol.declaration
                if declaration.kind == "method" and not symbol.file.helps_tests:
                    found[symbol.name.rpartition(".")[2], declaration.signature].append((where, symbol))
        return found


def _shared(symbol: Symbol, view: View, asking: Asking) -> Iterator[Loss]:
    for node in _refusals(symbol):
        before = asking.of(node)
        said = one_line(text(node))
        only_here = before.reference is Truth.NO and before.target is not Truth.NO
        if only_here and not before.aside and not names_linux_concept(said):
            by_name = bool(_SAYS.search(said))
            yield Loss("refuses", _place(symbol, node), _end(symbol, node), said, before, by_name=by_name)
    for guard in guards(symbol, *view.scopes):
        if guard.effect is Effect.OFF and guard.sure and not names_linux_concept(" ".join(guard.lost)):
            yield Loss("skips", Place(symbol.file.path, guard.line), guard.end_line, guard.condition, ALWAYS)


def _refusals(symbol: Symbol) -> Iterator[Node]:
    yield from refusals(syntax.body_statements(symbol.source))


def _place(symbol: Symbol, node: Node | None) -> Place:
    row = node.start_point.row - 1 if node is not None else 0
    return Place(symbol.file.path, symbol.declaration.line + row)


def _end(symbol: Symbol, node: Node) -> int:
    return symbol.declaration.line + node.end_point.row - 1


def _is_otherwise(node: Node) -> bool:
    """Whether it meets the values that no case of a switch names."""
    parent = node.parent
    if parent is not None and parent.type == "statement_list":
        parent = parent.parent
    return parent is not None and parent.type == "default_case"


def _is_method(step: Step) -> bool:
    function = step.node.child_by_field_name("function")
    return function is not None and function.type == "selector_expression"


def _is_heeded(call: Node) -> bool:
    """Whether the error of a call ends the function, as far as syntax tells."""
    node = call
    while node.parent is not None and node.parent.type in {
        "expression_list",
        "argument_list",
        "call_expression",
        "parenthesized_expression",
        "selector_expression",
    }:
        node = node.parent
    statement = node.parent if node.parent is not None else node
    if node.type == "expression_statement" or statement.type in {
        "expression_statement",
        "defer_statement",
        "go_statement",
    }:
        return False
    if statement.type not in {"short_var_declaration", "assignment_statement"}:
        return True
    left = statement.child_by_field_name("left")
    names = [text(n) for n in left.named_children] if left is not None else []
    if not names or names[-1] == "_":
        return False
    choice = statement.parent
    if choice is None or choice.type != "if_statement":
        choice = statement.next_named_sibling
    if choice is None or choice.type != "if_statement":
        return True
    condition = one_line(text(choice.child_by_field_name("condition")))
    if not re.search(rf"\b{re.escape(names[-1])}\b", condition) or not _ERROR.search(names[-1]):
        return True
    inner = list(syntax.statements(choice.child_by_field_name("consequence")))
    return (
        leaves(inner)
        or any(
            n.type in {"return_statement", "if_statement", "assignment_statement", "expression_switch_statement"}
            for n in inner
        )
        or " == nil" in condition
    )
