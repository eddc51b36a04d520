"""What users ask for that comes to what a finding is about, and what that says of how much the finding matters."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from analyzer.findings import judged
from analyzer.impact import Chain, Entry, Impact
from analyzer.model import Analysis, Finding, Level, Side
from analyzer.names import platform_name

MAX_CHAINS = 10
"""Entries of which a finding keeps the chain; the others are counted."""

# Where the function is that users come to. What does not compile is told by itself, and tests are nobody's feature.
_AT_HEAD = {"stub-added", "stub-resolved", "guard-added", "guard-removed", "option-refused", "implementation-added"}
_AT_BASE = {"tag-added"}
_EITHER = {"implementation-lost", "signature-drift", "tag-removed"}
_RULES = _AT_HEAD | _AT_BASE | _EITHER


def asks(analysis: Analysis) -> bool:
    """Whether there is a finding of which it is worth knowing who comes to it: that takes all of a revision."""
    return any(_counts(finding) for finding in analysis.findings)


def affected(analysis: Analysis, head: Impact, base: Callable[[], Impact]) -> Analysis:
    """An analysis whose findings tell what users ask for comes to them.

    A stub that nothing on the target calls is no gap, and says that it could go: every one that was labelled by people who
    did not see our answer was one that they wanted to be told of. What users come to is told first; it is no gap for that: of
    the labelled stubs of the engine that are none in our eyes, one that a route reaches was one, and ten were not.

    Args:
        analysis: what was found.
        head: who reaches what at head.
        base: gives the same of base, for what is gone at head.
    """
    once = cache(base)
    return judged(analysis, (_followed(f, analysis, head, once) if _counts(f) else f for f in analysis.findings))


def _counts(finding: Finding) -> bool:
    return finding.rule in _RULES and finding.level is not Level.NOTE


def _followed(finding: Finding, analysis: Analysis, head: Impact, base: Callable[[], Impact]) -> Finding:
    impact = head
    side: Side = "head"
    parts = finding.parts or (finding,)
    found = [ref for part in parts for ref in head.declared(part.path, part.symbol) if finding.rule not in _AT_BASE]
    if not found and finding.rule not in _AT_HEAD:
        impact, side = base(), "base"
        where = [(part.before.path if part.before else part.path, part.symbol) for part in parts]
        found = [ref for path, symbol in where for ref in impact.declared(path, symbol)]
    elif finding.stub is not None and found and all(head.is_dead(*ref) for ref in found):
        words = f" Nothing that {platform_name(analysis.options.target)} builds calls it, so it could go."
        return replace(finding, level=Level.WARNING, gap=False, message=finding.message + words)
    nearest: dict[Entry, Chain] = {}
    for chain in sorted((chain for ref in found for chain in impact.entries(*ref)), key=_nearness):
        # A function of a library that is itself what the finding is about tells nobody anything.
        if chain.entry.kind != "api" or len(chain.links) > 1:
            nearest.setdefault(chain.entry, chain)
    near = tuple(nearest.values())[:MAX_CHAINS]
    return replace(finding, chains=near, chains_at=side, entries=len(nearest))


def _nearness(chain: Chain) -> tuple[bool, bool, int]:
    return not chain.sure, chain.entry.kind == "start", len(chain.links)
