"""What a branch's tip lacks that was there before: which commits to compare it with, and what that means."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from analyzer.model import Analysis, Finding, Level
from bot.analysis import Found
from bot.branches import Way
from bot.ids import Sha
from bot.regressions import Entry, Regression, Resolved, State, encode

_replace = msgspec.structs.replace


def bases_of(state: State, pushes: Mapping[str, str], tip: Sha) -> tuple[list[Sha], Sha]:
    """What the tip is to be compared with, the last tip first; and the commit from which on the branch is known.

    Pushes come in any order. The first that is worked on need not be the first that happened: from those that are
    known the beginning is found, and found anew when an earlier one is late.
    """
    if not state.tip:
        first = _beginning(pushes, tip)
        return [first] * (first != tip), first
    first = _beginning(pushes, Sha(state.first))
    bases = [Sha(state.tip)] if state.tip != tip else []
    if first not in {state.first, tip, *bases}:
        bases.append(first)
    return bases, first


def _beginning(pushes: Mapping[str, str], sha: Sha) -> Sha:
    """Where a chain of pushes that leads to a commit begins. One that goes round leads nowhere."""
    seen = {sha}
    now = sha
    while now in pushes:
        now = Sha(pushes[now])
        if now in seen:
            return sha
        seen.add(now)
    return now


@dataclass(frozen=True, slots=True)
class Compared:
    """The tip compared with several commits.

    Attributes:
        found: what differs, by the commit; one that could not be compared is not there.
        taken: the commits that were compared, which are others where the server had lost one.
    """

    found: dict[Sha, Found]
    taken: dict[Sha, Sha]


def entry_of(compared: Compared, bases: Iterable[Sha]) -> bytes | None:
    """The push for the branch's history."""
    found = next((compared.found[base] for base in bases if base in compared.found), None)
    return encode(Entry.of(found.analysis, int(time.time()))) if found else None


def came(regression: Regression, way: Way, before: Sha) -> Regression:
    """A regression with how the branch came to it. From another commit than the last tip it did not come by pushes."""
    rewritten = way.rewritten or before != regression.before
    return _replace(regression, before=before, pulls=way.pulls, commits=way.commits, rewritten=rewritten)


def news(
    bases: list[Sha], compared: Compared, muted: Iterable[str], still: Iterable[Regression], tip: Sha
) -> list[Regression]:
    """The regressions that are neither listed nor muted, each once. The same loss under another rule is listed."""
    listed = {regression.fingerprint for regression in still} | set(muted)
    lost = {(regression.package, regression.symbol) for regression in still if regression.symbol}
    found: dict[str, Regression] = {}
    for base in bases:
        for finding in compared.found[base].analysis.findings:
            if finding.level is Level.REGRESSION and (finding.package, finding.symbol) not in lost:
                found.setdefault(finding.fingerprint, Regression.of(finding, base, tip))
    return [regression for fingerprint, regression in found.items() if fingerprint not in listed]


def sorted_out(known: Iterable[Regression], compared: Compared, tip: Sha) -> tuple[list[Regression], list[Resolved]]:
    """Which regressions are still there, and which are not any more."""
    still: list[Regression] = []
    gone: list[Resolved] = []
    for regression in known:
        found = compared.found.get(regression.before)
        analysis = found.analysis if found else None
        if regression.before == tip:
            gone.append(Resolved(regression, tip))
        elif analysis is None or _is_unread(analysis, regression) or _is_there(analysis, regression):
            still.append(regression)
        else:
            accepted = any(f.accepted and f.fingerprint == regression.fingerprint for f in analysis.findings)
            gone.append(Resolved(regression, tip, accepted))
    return still, gone


def _is_unread(analysis: Analysis, regression: Regression) -> bool:
    """Whether a file of the package could not be read, so that nothing found means nothing."""
    return any((entry.path.rpartition("/")[0] or ".") == regression.package for entry in analysis.unreadable)


def _is_there(analysis: Analysis, regression: Regression) -> bool:
    """Whether a regression is found, be it by another rule, or a rule that tells several as one with another in the lead."""
    return any(finding.level is Level.REGRESSION and _alike(finding, regression) for finding in analysis.findings)


def _alike(finding: Finding, regression: Regression) -> bool:
    if finding.package != regression.package:
        return False
    return finding.fingerprint == regression.fingerprint or (finding.symbol or "") == regression.symbol != ""


def still_muted(muted: tuple[str, ...], analyses: Iterable[Analysis]) -> tuple[str, ...]:
    """What stays muted: a symbol that came back may be lost anew, and that is news."""
    back = [
        f":{finding.package}:{finding.symbol}"
        for analysis in analyses
        for finding in analysis.findings
        if finding.level is Level.IMPROVEMENT and finding.symbol
    ]
    return tuple(fingerprint for fingerprint in muted if not fingerprint.endswith(tuple(back)))
