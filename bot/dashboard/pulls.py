"""What the pages of pull requests show: the reports as the worker recorded them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from analyzer.model import Level, Place
from bot.dashboard.parts import About, Links, Sheet, Source, Tally, sheet
from bot.dashboard.records import PullRecord

_ORDER = {level.value: rank for rank, level in enumerate(Level)}


class PullRow(msgspec.Struct, frozen=True):
    """A line of the list of pull requests.

    Attributes:
        number: its number.
        page: its address here.
        at: when the report was made, in seconds since the epoch.
        conclusion: the check run's.
        title: the check run's.
        verdict: improved, regressed, mixed or unchanged; "" when it could not be compared.
        counts: how many findings there are of each level.
        before, after: parity of the changed packages in percent; None when nothing is counted.
    """

    number: int
    page: str
    at: int
    conclusion: str
    title: str
    verdict: str
    counts: dict[str, int]
    before: float | None = None
    after: float | None = None


class Pulls(msgspec.Struct, frozen=True):
    """The list of pull requests, the newest report first."""

    repository: About
    pulls: tuple[PullRow, ...]
    sheet: Sheet


class FindingView(msgspec.Struct, frozen=True, kw_only=True):
    """A finding. ``source`` is at the base for what is gone, else at the head."""

    rule: str
    level: str
    message: str
    symbol: str | None
    source: Source
    side: str
    counterpart: Source | None
    stub: str | None
    gap: bool
    silent: bool
    impact: tuple[str, ...]
    fingerprint: str


class Unread(msgspec.Struct, frozen=True):
    """A file that could not be read, and why."""

    path: str
    reason: str


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request's whole report; ``between`` is the comparison on the git host."""

    repository: About
    row: PullRow
    url: str
    base: str
    head: str
    between: str
    complete: bool
    unreadable: tuple[Unread, ...]
    score_before: Tally | None
    score_after: Tally | None
    findings: tuple[FindingView, ...]


def pull_row(record: PullRecord, links: Links) -> PullRow:
    """A line of the list."""
    known = record.analysis or {}
    counts = Counter(str(finding.get("level", "")) for finding in known.get("findings", ()))
    before, after = (_tally(known.get("score", {}).get(side)) for side in ("base", "head"))
    counted = bool((before and before.counted) or (after and after.counted))
    return PullRow(
        record.number,
        f"{links.page}/pulls/{record.number}",
        record.at,
        record.conclusion,
        record.title,
        str(known.get("verdict", "")),
        dict(sorted(counts.items(), key=lambda one: _ORDER.get(one[0], 9))),
        before.percent if before and counted else None,
        after.percent if after and counted else None,
    )


def pulls(about: About, rows: Sequence[PullRow], asked: Mapping[str, str]) -> Pulls:
    """The list. Its states are the verdicts."""
    keys = {"number": lambda r: r.number, "at": lambda r: r.at}
    shown, where = sheet(
        rows, asked, text=lambda r: f"#{r.number} {r.title}", state=lambda r: r.verdict, keys=keys, sort="-at"
    )
    return Pulls(about, shown, where)


def pull(about: About, record: PullRecord, links: Links) -> Pull:
    """A whole report, worst first."""
    known = record.analysis or {}
    base, head = str(known.get("base", "")), str(known.get("head", ""))
    score = known.get("score", {})
    return Pull(
        repository=about,
        row=pull_row(record, links),
        url=links.pull(record.number),
        base=base,
        head=head,
        between=links.between(base, head) if base and head else "",
        complete=bool(known.get("complete", False)),
        unreadable=tuple(Unread(str(e["path"]), str(e["reason"])) for e in known.get("unreadable", ())),
        score_before=_tally(score.get("base")),
        score_after=_tally(score.get("head")),
        findings=tuple(_finding(f, base, head, links) for f in known.get("findings", ())),
    )


def _finding(known: Mapping[str, Any], base: str, head: str, links: Links) -> FindingView:
    other = known.get("counterpart")
    place = Place(str(known["path"]), int(known["line"]))
    return FindingView(
        rule=str(known["rule"]),
        level=str(known["level"]),
        message=str(known["message"]),
        symbol=known.get("symbol"),
        source=links.source(base if known.get("side") == "base" else head, place, int(known.get("end_line") or 0)),
        side=str(known.get("side", "head")),
        counterpart=links.source(head, Place(str(other["path"]), int(other["line"]))) if other else None,
        stub=known.get("stub"),
        gap=bool(known.get("gap")),
        silent=bool(known.get("silent")),
        impact=tuple(map(str, known.get("impact", ()))),
        fingerprint=str(known.get("fingerprint", "")),
    )


def _tally(score: Mapping[str, Any] | None) -> Tally | None:
    if not score:
        return None
    implemented, partial, stub, missing = (
        int(score.get(name, 0)) for name in ("implemented", "partial", "stub", "missing")
    )
    return Tally(implemented, partial, stub, missing, float(score.get("percent", 100)))
