"""`winparity features`: every entry of a repository, by which names people know it, and what it is worth on Windows."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from analyzer.entries import Link
from analyzer.model import Place
from analyzer.standing import Reason, State
from bot.feature_words import Row, why
from bot.output import SCHEMA
from bot.terminal import text

STYLES = {
    State.REFUSED: "bold red",
    State.SILENT: "bold red",
    State.PARTIAL: "yellow",
    State.UNKNOWN: "dim",
    State.WORKS: "green",
}
"""How a state is shown."""

MAX_REASONS = 3
"""Reasons that are shown of one entry; more are counted."""


def show_features(found: Sequence[Row], console: Console) -> None:
    """A line for each entry, under it its names and why it does not work, and a line that sums up."""
    width = max((len(row.standing.state.value) for row in found), default=0)
    for row in found:
        standing = row.standing
        state = f"[{STYLES[standing.state]}]{standing.state.value:{width}}[/]"
        modes = ", ".join(f"{mode}: {worth.value}" for mode, worth in standing.modes.items())
        names = f"  [dim]{text(' · '.join(row.names))}[/]" if row.names else ""
        extra = f"  ({modes})" if modes else ""
        line = f"{state}  {text(standing.entry.name)}{extra}{names}"
        console.print(line, highlight=False, soft_wrap=True)
        for reason in standing.reasons[:MAX_REASONS]:
            where = f"{reason.place.path}:{reason.place.line}"
            line = f"{'':{width}}    {text(why(reason))}  [dim]{text(where)}[/]"
            console.print(line, highlight=False, soft_wrap=True)
        more = len(standing.reasons) - MAX_REASONS
        if more > 0:
            console.print(f"{'':{width}}    [dim]… {more} more[/]", highlight=False)
    counts = Counter(row.standing.state for row in found)
    said = ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state]) or "there are none"
    console.print(f"[bold]{len(found)} entries[/]: {said}", highlight=False)


def features_json(found: Sequence[Row], rev: str) -> dict[str, Any]:
    """The same for programs.

    Args:
        found: the entries.
        rev: the commit.
    """
    return {"schema": SCHEMA, "rev": rev, "features": [row_json(row) for row in found]}


def row_json(row: Row) -> dict[str, Any]:
    """One entry."""
    standing, feature = row.standing, row.feature
    return {
        "kind": standing.entry.kind,
        "name": standing.entry.name,
        "cli": [*feature.cli] if feature else [],
        "client": [*feature.client] if feature else [],
        "dotnet": [*feature.dotnet] if feature else [],
        "powershell": [*feature.powershell] if feature else [],
        "state": standing.state.value,
        "isolation": {mode: state.value for mode, state in standing.modes.items()} or None,
        "handler": _link(standing.handler) if standing.handler else None,
        "reasons": [_reason(reason) for reason in standing.reasons],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "what": reason.what,
        "function": reason.function,
        "path": reason.place.path,
        "line": reason.place.line,
        "end_line": reason.end_line,
        "says": reason.says,
        "conditions": [*reason.conditions],
        "isolation": reason.isolation or None,
        "sure": reason.sure,
        "chain": [_link(link) for link in reason.links],
    }


def _link(link: Link) -> dict[str, Any]:
    return {"function": link.function, **_place(link.place), "call": _place(link.call) if link.call else None}


def _place(place: Place) -> dict[str, Any]:
    return {"path": place.path, "line": place.line}
