"""What the pages of a repository's state show, and the JSON API gives: records in, frozen values out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from analyzer.model import Place, Status, Stub, SymbolParity
from analyzer.rules.wording import STUB_WORDS
from bot.dashboard.parts import EARLY, About, Links, Sheet, Source, Tally, releases, sheet
from bot.dashboard.pulls import PullRow
from bot.dashboard.records import Detail, Known, Point, ReachRecord, SightRecord, Table, ThereRecord

MOST_GAPS = 8
"""Packages that the overview names for having the most gaps."""

STUBS = {**STUB_WORDS, Stub.ERROR: "always returns an error"}
"""What a stub is, in words; of an error it is not said what it says, for the table does not know."""

_ORDER = {status: rank for rank, status in enumerate(("stub", "missing", "partial", "implemented", "windows-only"))}


class RepositoryRow(msgspec.Struct, frozen=True):
    """A repository on the front page."""

    name: str
    page: str
    private: bool
    target_name: str
    surveyed: int
    score: Tally | None = None
    gaps: int = 0
    release: str = ""
    change: float = 0.0


class Repositories(msgspec.Struct, frozen=True):
    """The front page. ``change`` of a row is that of its parity since ``release``."""

    repositories: tuple[RepositoryRow, ...]
    sheet: Sheet


class HistoryPoint(msgspec.Struct, frozen=True):
    """A recorded revision: ``kind`` is release, month or push; ``name`` that of a release."""

    rev: str
    name: str
    kind: str
    time: int
    score: Tally
    gaps: int


class PackageRow(msgspec.Struct, frozen=True):
    """A line of the package table. ``shared`` counts the symbols that the platforms share."""

    dir: str
    page: str
    score: Tally
    gaps: int
    symbols: int
    shared: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """A repository.

    Attributes:
        repository: which.
        score: now; None before the first survey.
        gaps: stubs that a user can miss.
        packages: how many declare anything separately.
        since: the newest release; None when there is none.
        history: all recorded revisions, the oldest first.
        biggest: the packages with the most gaps.
        pulls: the latest pull requests.
        features: how many features there are in each state.
        badge: the address of the badge.
    """

    repository: About
    score: Tally | None
    gaps: int
    packages: int
    since: HistoryPoint | None
    history: tuple[HistoryPoint, ...]
    biggest: tuple[PackageRow, ...]
    pulls: tuple[PullRow, ...]
    features: dict[str, int]
    badge: str


class Packages(msgspec.Struct, frozen=True):
    """The package table."""

    repository: About
    packages: tuple[PackageRow, ...]
    sheet: Sheet


class SymbolRow(msgspec.Struct, frozen=True):
    """A symbol on both platforms: ``reason`` says in words what it is on the target, ``missed`` why that is a gap."""

    name: str
    page: str
    kind: str
    status: Status
    reason: str
    gap: bool
    target: Source | None
    reference: Source | None
    stub: Stub | None = None
    missed: str = ""


class Package(msgspec.Struct, frozen=True):
    """A package: what its platforms declare separately. ``shared`` counts what they do not."""

    repository: About
    dir: str
    score: Tally
    shared: int
    symbols: tuple[SymbolRow, ...]
    sheet: Sheet
    states: dict[str, int]


class Line(msgspec.Struct, frozen=True):
    """A line of a body, and what it says about the verdict."""

    number: int
    text: str
    note: str = ""


class Sight(msgspec.Struct, frozen=True):
    """A symbol on one platform. Without ``source`` it is not there."""

    platform_name: str
    verdict: str
    source: Source | None
    body: tuple[Line, ...] = ()
    cut: bool = False


class Era(msgspec.Struct, frozen=True):
    """Releases in a row in which a symbol is the same; ``status`` is None where it is not declared separately."""

    first: str
    last: str
    count: int
    status: Status | None
    reason: str


class Step(msgspec.Struct, frozen=True):
    """A function on the way to a symbol."""

    function: str
    source: Source


class Reach(msgspec.Struct, frozen=True):
    """Who comes to a symbol: what is asked for, by which other names it is known, and the way."""

    entry: str
    names: tuple[str, ...]
    sure: bool
    steps: tuple[Step, ...]


class There(msgspec.Struct, frozen=True):
    """Who comes on the reference to what the target lacks: what is asked for, how much of that there is, and who calls it."""

    reach: tuple[Reach, ...]
    entries: int
    callers: tuple[Step, ...]


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol.

    Attributes:
        repository: of which it is.
        package: its directory.
        package_page: the address of its package's page.
        row: the symbol as its package lists it.
        gap: what a user can miss, in words; "" for nothing.
        silent: the target returns a nil error and has done nothing.
        target, reference: both sides; None where the newest survey kept no body.
        elsewhere: other platforms that declare it.
        history: what it was in the releases, in their order.
        reach: who comes to it, nearest first, at most some.
        entries: how many come to it.
        there: who comes to it on the reference, when the target lacks it; None when nobody looked.
    """

    repository: About
    package: str
    package_page: str
    row: SymbolRow
    gap: str
    silent: bool
    target: Sight | None
    reference: Sight | None
    elsewhere: tuple[tuple[str, Source], ...]
    history: tuple[Era, ...]
    reach: tuple[Reach, ...]
    entries: int
    there: There | None


def repository_row(known: Known, points: Sequence[Point], about: About) -> RepositoryRow:
    """A line of the front page."""
    now = head_point(known, points)
    last = newest_release(points)
    return RepositoryRow(
        known.name,
        about.page,
        known.private,
        about.target_name,
        known.surveyed,
        Tally.of(now.score) if now else None,
        now.gaps if now else 0,
        last.name if last else "",
        round(now.score.percent - last.score.percent, 1) if now and last else 0.0,
    )


def repositories(rows: Sequence[RepositoryRow], asked: Mapping[str, str]) -> Repositories:
    """The front page.

    Args:
        rows: what somebody may see.
        asked: the query of the address.
    """
    keys = {
        "name": lambda r: r.name.lower(),
        "parity": lambda r: r.score.percent if r.score else -1.0,
        "gaps": lambda r: r.gaps,
    }
    return Repositories(*sheet(rows, asked, text=lambda r: r.name, keys=keys, sort="name"))


def head_point(known: Known, points: Iterable[Point]) -> Point | None:
    """The point of the newest survey, or the newest of all where that is not recorded."""
    every = [*points]
    return next((p for p in every if p.rev == known.head), every[-1] if every else None)


def newest_release(points: Iterable[Point]) -> Point | None:
    """The release with the highest version; of pre-releases none."""
    found = [p for p in releases(points) if not EARLY.search(p.name)]
    return found[-1] if found else None


def history_point(point: Point) -> HistoryPoint:
    """A recorded revision as it is shown."""
    return HistoryPoint(point.rev, point.name, point.kind, point.time, Tally.of(point.score), point.gaps)


def package_rows(tables: Mapping[str, Table], links: Links) -> list[PackageRow]:
    """All packages, by name."""
    return [
        PackageRow(
            directory,
            links.package(directory),
            Tally.of(table.score),
            sum(symbol.gap for symbol in table.symbols),
            len(table.symbols),
            table.shared,
        )
        for directory, table in sorted(tables.items())
    ]


def overview(
    about: About,
    known: Known,
    points: Sequence[Point],
    rows: Sequence[PackageRow],
    *,
    pulls: Sequence[PullRow],
    features: Iterable[Mapping[str, str]],
) -> Overview:
    """A repository.

    Args:
        about: which.
        known: what is known of it.
        points: all recorded revisions, the oldest first.
        rows: its packages.
        pulls: the latest pull requests.
        features: of the newest survey.
    """
    now = head_point(known, points)
    last = newest_release(points)
    worst = sorted((row for row in rows if row.gaps), key=lambda row: (-row.gaps, row.dir))
    return Overview(
        repository=about,
        score=Tally.of(now.score) if now else None,
        gaps=now.gaps if now else 0,
        packages=len(rows),
        since=history_point(last) if last else None,
        history=tuple(map(history_point, points)),
        biggest=tuple(worst[:MOST_GAPS]),
        pulls=tuple(pulls),
        features=dict(sorted(Counter(str(feature.get("state", "")) for feature in features).items())),
        badge=f"{about.page}/badge.svg",
    )


def packages(about: About, rows: Sequence[PackageRow], asked: Mapping[str, str]) -> Packages:
    """The package table. Its states are ``gaps``, ``complete`` and ``behind``."""
    keys = {
        "dir": lambda r: r.dir,
        "parity": lambda r: (r.score.percent, r.dir),
        "implemented": lambda r: r.score.implemented,
        "partial": lambda r: r.score.partial,
        "stub": lambda r: r.score.stub,
        "missing": lambda r: r.score.missing,
        "gaps": lambda r: r.gaps,
    }
    return Packages(about, *sheet(rows, asked, text=lambda r: r.dir, state=_standing, keys=keys, sort="dir"))


def _standing(row: PackageRow) -> str:
    return "gaps" if row.gaps else "complete" if row.score.percent == 100 else "behind"


def reason(symbol: SymbolParity, about: About) -> str:
    """What a symbol is on the target, in words."""
    match symbol.status:
        case Status.STUB:
            return STUBS[symbol.stub] if symbol.stub else "is a stub"
        case Status.MISSING:
            return f"is not there on {about.target_name}"
        case Status.PARTIAL:
            return "does a part of what it is for"
        case Status.WINDOWS_ONLY:
            return f"is there on {about.target_name} alone"
        case _:
            return "does real work"


def symbol_row(
    directory: str, symbol: SymbolParity, about: About, links: Links, detail: Detail | None = None
) -> SymbolRow:
    """A symbol as its package lists it."""
    return SymbolRow(
        symbol.name,
        links.symbol(directory, symbol.name),
        symbol.kind,
        symbol.status,
        reason(symbol, about),
        symbol.gap,
        links.source(about.rev, symbol.windows) if symbol.windows else None,
        links.source(about.rev, symbol.linux) if symbol.linux else None,
        symbol.stub,
        detail.gap if detail else "",
    )


def package(
    about: About,
    directory: str,
    table: Table,
    links: Links,
    *,
    asked: Mapping[str, str],
    details: Mapping[str, Detail] | None = None,
) -> Package:
    """A package, what matters most first.

    Args:
        about: the repository.
        directory: the package's.
        table: at the newest survey.
        links: where things are.
        asked: the query of the address.
        details: of its symbols by name, as far as they are known.
    """
    ordered = sorted(table.symbols, key=lambda s: (not s.gap, _ORDER.get(s.status, 9), s.name))
    rows = [symbol_row(directory, symbol, about, links, (details or {}).get(symbol.name)) for symbol in ordered]
    keys = {"name": lambda r: r.name, "state": lambda r: (_ORDER.get(r.status, 9), r.name), "kind": lambda r: r.kind}
    shown, where = sheet(
        rows, asked, text=lambda r: f"{r.name} {r.kind} {r.reason}", state=lambda r: r.status.value, keys=keys
    )
    states = Counter(row.status.value for row in rows)
    ordered_states = {state: states[state] for state in _ORDER if states[state]}
    return Package(about, directory, Tally.of(table.score), table.shared, shown, where, ordered_states)


def sight(record: SightRecord, name: str, rev: str, links: Links) -> Sight:
    """A symbol on one platform, with its body line by line."""
    if record.place is None:
        return Sight(name, record.verdict, None)
    notes: dict[int, list[str]] = {}
    for number, words in record.reasons:
        notes.setdefault(number, []).append(words)
    texts = record.body.splitlines()
    first = record.place.line
    body = tuple(Line(n, text, "; ".join(notes.get(n, ()))) for n, text in enumerate(texts, first))
    cut = bool(texts) and record.end_line >= first + len(texts)
    return Sight(name, record.verdict, links.source(rev, record.place, record.end_line), body, cut)


def eras(about: About, name: str, past: Sequence[tuple[Point, Table | None]]) -> tuple[Era, ...]:
    """What a symbol was in the releases.

    Args:
        about: the repository.
        name: the symbol's.
        past: each release with its package's table, in the order of versions.
    """
    found: list[Era] = []
    for point, table in past:
        symbol = next((s for s in table.symbols if s.name == name), None) if table else None
        status, words = (symbol.status, reason(symbol, about)) if symbol else (None, "is not declared separately")
        last = found[-1] if found else None
        if last and (last.status, last.reason) == (status, words):
            found[-1] = Era(last.first, point.name, last.count + 1, status, words)
        else:
            found.append(Era(point.name, point.name, 1, status, words))
    return tuple(found)


def symbol(
    about: About,
    directory: str,
    parity: SymbolParity,
    detail: Detail | None,
    *,
    past: Sequence[tuple[Point, Table | None]],
    links: Links,
) -> Symbol:
    """A symbol.

    Args:
        about: the repository.
        directory: its package's.
        parity: the line of its package's table.
        detail: both bodies, why, and who comes to it; None when the newest survey kept none.
        past: each release with its package's table, in the order of versions.
        links: where things are.
    """
    return Symbol(
        repository=about,
        package=directory,
        package_page=links.package(directory),
        row=symbol_row(directory, parity, about, links, detail),
        gap=detail.gap if detail else "",
        silent=detail.silent if detail else False,
        target=sight(detail.target, about.target_name, about.rev, links) if detail else None,
        reference=sight(detail.reference, about.reference_name, about.rev, links) if detail else None,
        elsewhere=tuple((goos, links.source(about.rev, place)) for goos, place in detail.elsewhere) if detail else (),
        history=eras(about, parity.name, past),
        reach=tuple(_reach(one, about, links) for one in detail.reach) if detail else (),
        entries=detail.entries if detail else 0,
        there=_there(detail.there, about, links) if detail and detail.there else None,
    )


def _reach(record: ReachRecord, about: About, links: Links) -> Reach:
    return Reach(record.entry, record.names, record.sure, _steps(record.links, about, links))


def _there(record: ThereRecord, about: About, links: Links) -> There:
    reach = tuple(_reach(one, about, links) for one in record.reach)
    return There(reach, record.entries, _steps(record.callers, about, links))


def _steps(functions: Iterable[tuple[str, Place]], about: About, links: Links) -> tuple[Step, ...]:
    return tuple(Step(function, links.source(about.rev, place)) for function, place in functions)
