"""What users of a project's entries lose or gain by findings, in the names that they know: nothing is read for none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from analyzer.affected import affected as followed
from analyzer.affected import asks
from analyzer.impact import Chain, Entry, Impact
from analyzer.model import Analysis, Finding, Options
from bot.features import feature_of
from bot.git import TooLargeError
from bot.ids import Sha
from bot.source import LocalRepository

MOST_NAMED = 4
"""Names of what a finding affects that are told in one line."""


def affected(source: LocalRepository, analysis: Analysis, options: Options) -> Analysis:
    """An analysis whose findings name the features that they touch.

    All Go files of a revision are read, where a finding may be in the way of somebody; of a repository that is too large
    for that the findings stay as they are.

    Args:
        source: where the analysis comes from.
        analysis: what was found.
        options: the platforms, and what reads files.

    Raises:
        SourceError: git cannot give what is asked for.
    """
    if not asks(analysis):
        return analysis
    try:
        head = Impact(source.snapshot(Sha(analysis.head)), options)
        found = followed(analysis, head, lambda: Impact(source.snapshot(Sha(analysis.base)), options))
    except TooLargeError:
        return analysis
    return replace(found, findings=tuple(replace(f, impact=tuple(names(f.chains))) for f in found.findings))


@dataclass(frozen=True, slots=True)
class Reach:
    """What a finding affects, in words.

    Attributes:
        words: what comes before the names.
        names: what is affected, by the names that people know; text of unknown origin.
        rest: how many more there are, or "".
    """

    words: str
    names: tuple[str, ...]
    rest: str


def reach_of(finding: Finding) -> Reach | None:
    """What a finding affects; None when that is not known, or nothing."""
    if not finding.chains:
        return None
    first = finding.chains[0]
    alike = [
        c for c in finding.chains if (c.entry.kind == "start", c.sure) == (first.entry.kind == "start", first.sure)
    ]
    told = tuple(names(alike)[:MOST_NAMED])
    more = finding.entries - sum(not set(names([chain])).isdisjoint(told) for chain in alike)
    rest = f", and {more} more" if more > 0 else ""
    if first.entry.kind == "start":
        return Reach("Affects the program" if first.sure else "May affect the program", told, rest)
    return Reach("Affects" if first.sure else "May affect", told, rest)


def names(chains: Iterable[Chain]) -> list[str]:
    """What people call that which they ask for, nearest first: commands, routes, methods, cmdlets."""
    return [*dict.fromkeys(name for chain in chains for name in _names(chain.entry))]


def _names(entry: Entry) -> Iterator[str]:
    feature = feature_of(entry)
    if feature is not None:
        yield from feature.cli
    yield entry.name
    if feature is not None:
        yield from feature.dotnet
        yield from feature.powershell
