"""The article's own examples on the revision that it speaks of: `make article REPO=PATH`, where PATH has moby's v1.13.0.

Each Windows stub of the files that the article names, and what is refused of a feature that it names, with the route, the
docker command, the method of Docker.DotNet and the cmdlet that come to it. Exit code 1 when something is not found.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analyzer.entries import Entry
from analyzer.impact import Impact
from analyzer.model import Options, Snapshot, Status
from analyzer.parity import Revision, View
from analyzer.reading import of_a_table
from analyzer.standing import Standings, State
from analyzer.symbols import packages
from bot.feature_words import nearest, why
from bot.features import route_of
from bot.source import LocalRepository

REVISION = "v1.13.0"
FILES = ("container/container_windows.go", "daemon/daemon_windows.go", "daemon/stats_collector_windows.go")
# Each has to be found with a route that a person has a command and a method for.
STUBS = ("statsCollector.getSystemCPUUsage", "Daemon.registerLinks")
FEATURE = "GET /containers/{name}/changes"


@dataclass(frozen=True, slots=True)
class Line:
    """An example: what it is, and who comes to it: ``route`` is "" where no route does, ``other`` is who does then."""

    what: str
    place: str
    state: str
    route: str = ""
    other: str = ""
    more: int = 0
    command: str = ""
    method: str = ""
    cmdlet: str = ""


def examples(snapshot: Snapshot, files: Sequence[str], feature: str) -> Iterator[Line]:
    """The lines of the table.

    Args:
        snapshot: the revision.
        files: of which every stub is told.
        feature: the route of which is told what is refused.
    """
    options = Options()
    held = packages(snapshot, options, of_a_table)
    revision = Revision(held, options)
    impact = Impact(snapshot, options)
    for path in files:
        where = path.rpartition("/")[0]
        view = View(held[where], revision)
        for name, symbol in held[where].target.items():
            parity = view.status(name)
            if symbol.file.path == path and parity.status is Status.STUB and parity.stub is not None:
                yield _line(
                    f"{where}:{name}",
                    f"{path}:{symbol.declaration.line}",
                    parity.stub.value,
                    [chain.entry for chain in impact.entries(where, name)],
                )
    standings = Standings(impact, options)
    for entry in standings.entries:
        if entry.name == feature:
            standing = standings.of(entry)
            for reason in standing.reasons if standing.state is State.PARTIAL else ():
                yield _line(why(reason), f"{reason.place.path}:{reason.place.line}", standing.state.value, [entry])


def _line(what: str, place: str, state: str, entries: Sequence[Entry]) -> Line:
    routes = [entry.name for entry in entries if entry.kind == "route"]
    known = [(route, feature) for route in routes if (feature := route_of(route)) is not None]
    if not known:
        others = [f"{entry.kind} of {entry.name}" for entry in entries] or ["nothing on Windows"]
        return Line(what, place, state, next(iter(routes), ""), others[0])
    route, feature = next(((r, f) for r, f in known if f.cli and f.dotnet), known[0])
    kinds = (feature.cli, feature.dotnet, feature.powershell)
    first = (next(iter(nearest(names, feature)), "") for names in kinds)
    return Line(what, place, state, route, "", len(routes) - 1, *first)


def missing(lines: Sequence[Line], files: Sequence[str], stubs: Sequence[str]) -> list[str]:
    """What the article tells of and the table does not.

    Args:
        lines: the table.
        files: each has to have a stub that a route comes to.
        stubs: each has to have a route, a command and a method of its own.
    """
    said = [
        f"no stub of {path} that a route comes to"
        for path in files
        if not any(line.place.startswith(f"{path}:") and line.route for line in lines)
    ]
    said += [
        f"{name} with its command and its method"
        for name in stubs
        if not any(line.what.endswith(f":{name}") and line.command and line.method for line in lines)
    ]
    if not any(line.state == State.PARTIAL.value and line.command and line.method for line in lines):
        said.append("what is refused of the feature")
    return said


def show(lines: Sequence[Line], console: Console) -> None:
    """The table."""
    table = Table("example", "is", "reached by", "command", "method", "cmdlet", box=None, header_style="bold")
    for line in lines:
        more = f" (+{line.more})" if line.more else ""
        cells = (
            f"{line.what}\n{line.place}",
            line.state,
            f"{line.route or line.other}{more}",
            line.command,
            line.method,
            line.cmdlet,
        )
        table.add_row(*(escape(cell) or "—" for cell in cells))
    console.print(table, highlight=False)


def main() -> int:
    """Look, print, and tell by the exit code whether all is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repo", type=Path)
    source = LocalRepository(parser.parse_args().repo)
    lines = list(examples(source.snapshot(source.resolve(REVISION)), FILES, FEATURE))
    console = Console(width=240, emoji=False)
    show(lines, console)
    lacking = missing(lines, FILES, STUBS)
    routed = sum(bool(line.route) for line in lines)
    console.print(f"\n{len(lines)} examples, {routed} of them with a route", highlight=False)
    for what in lacking:
        console.print(f"not found: {what}", highlight=False)
    return int(bool(lacking))


if __name__ == "__main__":
    sys.exit(main())
