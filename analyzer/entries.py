"""Where users come in: what an entry is, and which functions are run for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node

from analyzer.calls import Calls, Step
from analyzer.model import Place
from analyzer.symbols import Symbol

# A handler that is wrapped in this many calls is not looked for.
MAX_WRAPS = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """What a user asks for.

    Attributes:
        kind: an HTTP route, a command, a gRPC method, a function of a library, or the start of a program.
        name: ``POST /containers/{id}/pause``, ``docker pause``, ``Tasks.Pause``, a function as ``dir:Name``, or the
            program.
    """

    kind: Literal["route", "command", "rpc", "api", "start"]
    name: str


@dataclass(frozen=True, slots=True)
class Link:
    """A function of a chain.

    Attributes:
        function: as ``dir:Recv.Name``.
        place: its declaration.
        call: where it calls the next one; None for the last.
    """

    function: str
    place: Place
    call: Place | None


@dataclass(frozen=True, slots=True)
class Root:
    """A function that an entry begins with.

    Attributes:
        entry: the entry.
        where: the package of the function.
        name: the function.
        lead: what stands before it: the function that says inline what is done.
        sure: whether it surely is run.
    """

    entry: Entry
    where: str
    name: str
    lead: tuple[Link, ...] = ()
    sure: bool = True


def shown(where: str, name: str) -> str:
    """A function as a chain names it."""
    return f"{where}:{'init' if name.startswith('init ') else name}"


def handlers(entry: Entry, value: Node, step: Step, symbol: Symbol, calls: Calls, *, depth: int = 0) -> Iterator[Root]:
    """The functions that are run for an entry: a name, what wrappers are given, or what is written in place.

    Args:
        entry: the entry.
        value: the expression that says so.
        step: where it stands.
        symbol: the function that it stands in.
        calls: the calls of the revision.
        depth: how many wrappers were opened.
    """
    if value.type in {"identifier", "selector_expression", "parenthesized_expression"}:
        yield from (Root(entry, *target) for *target, _ in calls.targets(value, step.names, symbol))  # type: ignore[arg-type]
    elif value.type == "func_literal":
        yield from _inline(entry, value, symbol, calls)
    elif value.type in {"call_expression", "type_conversion_expression"} and depth < MAX_WRAPS:
        given = value.child_by_field_name("arguments")
        for inner in given.named_children if given is not None else ():
            yield from handlers(entry, inner, step, symbol, calls, depth=depth + 1)


def _inline(entry: Entry, literal: Node, symbol: Symbol, calls: Calls) -> Iterator[Root]:
    where = calls.kinds.directory(symbol.file)
    for step in calls.steps(symbol, literal):
        if step.node.type != "call_expression":
            continue
        row = symbol.declaration.line + step.node.start_point.row - 1
        lead = Link(shown(where, symbol.name), symbol.place, Place(symbol.file.path, row))
        for target, name, sure in calls.targets(step.node.child_by_field_name("function"), step.names, symbol):
            yield Root(entry, target, name, (lead,), sure and step.sure)
