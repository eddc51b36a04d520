"""What the lists of a repository show: findings that are open, features; and the rules."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from analyzer.model import Place, Status, SymbolParity
from analyzer.rules.pages import page_of
from bot.dashboard.parts import About, Links, Sheet, Source, sheet
from bot.dashboard.records import AcceptedRecord, Point, SurveyReport, Table
from bot.dashboard.views import reason
from bot.docs import PAGES
from bot.feature_words import message

STATES = ("refused", "silent", "partial", "unknown", "works")
"""What a feature can be worth, worst first."""

_PATIENCE = 160
_STAND = {state: rank for rank, state in enumerate(STATES)}


class OpenFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A gap on the default branch.

    Attributes:
        package, name: of the symbol.
        page: its address here.
        status: what it is on the target; ``reason`` says it in words.
        source: where it is: on the target, else on the reference.
        owners: whom CODEOWNERS names.
        since: when it was first seen so, in seconds since the epoch; 0 when that is not known.
        since_name: the release or commit that it was first seen in.
        oldest: that is the oldest revision that is known, so it may be older.
    """

    package: str
    name: str
    page: str
    status: Status
    reason: str
    source: Source | None
    owners: tuple[str, ...] = ()
    since: int = 0
    since_name: str = ""
    oldest: bool = False


class AcceptedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What the project accepts. ``wrong`` says what is wrong with it; "" for nothing."""

    package: str
    name: str
    rules: tuple[str, ...]
    reason: str
    source: Source
    issue: str
    expires: str
    wrong: str


class Findings(msgspec.Struct, frozen=True):
    """What is open on the default branch, and what is accepted there."""

    repository: About
    findings: tuple[OpenFinding, ...]
    sheet: Sheet
    accepted: tuple[AcceptedFinding, ...]


class Way(msgspec.Struct, frozen=True):
    """Why a feature is what it is: in words, where, and the functions on the way there."""

    words: str
    source: Source
    sure: bool
    steps: tuple[Source, ...]
    functions: tuple[str, ...]


class FeatureRow(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody can ask for, by each of its names, and what it is worth on the target."""

    kind: str
    name: str
    state: str
    cli: tuple[str, ...]
    client: tuple[str, ...]
    dotnet: tuple[str, ...]
    powershell: tuple[str, ...]
    isolation: dict[str, str] | None
    handler: Source | None
    ways: tuple[Way, ...]
    more: int


class Features(msgspec.Struct, frozen=True):
    """The feature table. ``states`` counts them all."""

    repository: About
    features: tuple[FeatureRow, ...]
    sheet: Sheet
    states: dict[str, int]


class RuleRow(msgspec.Struct, frozen=True):
    """A rule: its id, its page here, what it says in a sentence."""

    rule: str
    page: str
    summary: str


class Rules(msgspec.Struct, frozen=True):
    """All rules."""

    rules: tuple[RuleRow, ...]


class Section(msgspec.Struct, frozen=True):
    """A part of a rule's page; code stands in backticks."""

    title: str
    text: str


class Rule(msgspec.Struct, frozen=True):
    """A rule's page."""

    rule: str
    summary: str
    sections: tuple[Section, ...]


Since = Mapping[tuple[str, str], tuple[Point, bool]]
"""Of gaps, by package and name: the first revision that has them, and whether that is the oldest that is known."""


def findings(
    about: About,
    tables: Mapping[str, Table],
    report: SurveyReport | None,
    since: Since,
    *,
    links: Links,
    asked: Mapping[str, str],
) -> Findings:
    """What is open: gaps that nobody accepts, the oldest first."""
    accepted = report.accepted if report else ()
    settled = {(one.package, one.name) for one in accepted if not one.wrong}
    rows = [
        _open(about, directory, symbol, report, since=since, links=links)
        for directory, table in sorted(tables.items())
        for symbol in table.symbols
        if symbol.gap and (directory, symbol.name) not in settled
    ]
    keys = {
        "age": lambda r: (r.since or 2**40, r.package, r.name),
        "symbol": lambda r: (r.package, r.name),
        "state": lambda r: (r.status.value, r.package, r.name),
        "owner": lambda r: (r.owners, r.package, r.name),
    }
    shown, where = sheet(
        rows,
        asked,
        text=lambda r: f"{r.package} {r.name} {r.reason} {' '.join(r.owners)}",
        state=lambda r: r.status.value,
        keys=keys,
        sort="age",
    )
    return Findings(about, shown, where, tuple(_accepted(one, about, links) for one in accepted))


def _open(
    about: About, directory: str, symbol: SymbolParity, report: SurveyReport | None, *, since: Since, links: Links
) -> OpenFinding:
    place = symbol.windows or symbol.linux
    point, oldest = since.get((directory, symbol.name), (None, False))
    return OpenFinding(
        package=directory,
        name=symbol.name,
        page=links.symbol(directory, symbol.name),
        status=symbol.status,
        reason=reason(symbol, about),
        source=links.source(about.rev, place) if place else None,
        owners=report.owners.get(place.path, ()) if report and place else (),
        since=point.time if point else 0,
        since_name=(point.name or point.rev[:10]) if point else "",
        oldest=oldest,
    )


def _accepted(record: AcceptedRecord, about: About, links: Links) -> AcceptedFinding:
    return AcceptedFinding(
        package=record.package,
        name=record.name,
        rules=record.rules,
        reason=record.reason,
        source=links.source(about.rev, record.place),
        issue=record.issue if record.issue.startswith(("https://", "http://")) else "",
        expires=record.expires,
        wrong=record.wrong,
    )


MAX_WAYS = 3
"""Reasons that are given for one feature; more are counted."""


def features(about: About, known: Sequence[Mapping[str, Any]], links: Links, asked: Mapping[str, str]) -> Features:
    """The feature table, those first that people know by a name; found by any name, also in the reasons."""
    rows = [_feature(one, about, links) for one in known]
    rows.sort(key=lambda row: (not row.cli, row.kind, row.name.partition(" ")[2], row.name))
    keys = {
        "name": lambda r: (r.name.partition(" ")[2] or r.name, r.name),
        "state": lambda r: (_STAND.get(r.state, 9), r.name),
    }
    shown, where = sheet(rows, asked, text=_words, state=lambda r: r.state, keys=keys, size=60)
    counts = Counter(row.state for row in rows)
    return Features(about, shown, where, {state: counts[state] for state in STATES if counts[state]})


def _words(row: FeatureRow) -> str:
    return " ".join(
        (row.name, row.kind, *row.cli, *row.client, *row.dotnet, *row.powershell, *(w.words for w in row.ways))
    )


def _feature(known: Mapping[str, Any], about: About, links: Links) -> FeatureRow:
    handler = known.get("handler")
    reasons = known.get("reasons", ())
    return FeatureRow(
        kind=str(known["kind"]),
        name=str(known["name"]),
        state=str(known["state"]),
        cli=_names(known, "cli"),
        client=_names(known, "client"),
        dotnet=_names(known, "dotnet"),
        powershell=_names(known, "powershell"),
        isolation=known.get("isolation") or None,
        handler=_source(handler, about, links) if handler else None,
        ways=tuple(_way(one, about, links) for one in reasons[:MAX_WAYS]),
        more=max(0, len(reasons) - MAX_WAYS),
    )


def _names(known: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    return tuple(map(str, known.get(kind, ())))


def _way(known: Mapping[str, Any], about: About, links: Links) -> Way:
    """A reason, in the words of the command line (`bot.feature_words.why`)."""
    asked = " and ".join(map(str, known.get("conditions", ())))
    when = f" if {_cut(asked)}" if asked else ""
    mode = f", with {known['isolation']} isolation" if known.get("isolation") else ""
    function = str(known["function"]).rpartition(":")[2]
    match known["what"]:
        case "refuses":
            said = message(str(known.get("says", "")))
            words = f"{function} refuses{when}{mode}" + (f": {_cut(said)}" if said else "")
        case "does nothing":
            words = f"{function} does nothing, and says so to nobody{when}{mode}"
        case _:
            words = f"{function} leaves something out where {_cut(str(known.get('says', '')))}{mode}"
    chain = known.get("chain", ())
    return Way(
        words,
        links.source(about.rev, Place(str(known["path"]), int(known["line"])), int(known.get("end_line") or 0)),
        bool(known.get("sure", True)),
        tuple(_source(link.get("call") or link, about, links) for link in chain),
        tuple(str(link["function"]).rpartition(":")[2] for link in chain),
    )


def _source(known: Mapping[str, Any], about: About, links: Links) -> Source:
    return links.source(about.rev, Place(str(known["path"]), int(known["line"])))


def _cut(words: str) -> str:
    return words if len(words) <= _PATIENCE else f"{words[: _PATIENCE - 1]}…"


def rules() -> Rules:
    """All rules."""
    return Rules(tuple(RuleRow(rule, f"/rules/{rule}", page_of(text).summary) for rule, text in PAGES.items()))


def rule(name: str) -> Rule | None:
    """A rule's page; None when there is no such rule."""
    if name not in PAGES:
        return None
    page = page_of(PAGES[name])
    return Rule(name, page.summary, tuple(Section(title, text) for title, text in page.sections.items()))
