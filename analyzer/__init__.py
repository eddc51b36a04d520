"""The Windows support of Go source: values in, values out. No I/O, no clock, no environment (ruff.toml enforces it)."""

from analyzer.diff import compare
from analyzer.model import Analysis, Finding, Level, Options, Parity, Score, Snapshot, Unreadable, Verdict
from analyzer.parity import View
from analyzer.rules import RULES
from analyzer.symbols import packages

__all__ = ["analyze", "scan"]

_ORDER = {level: rank for rank, level in enumerate(Level)}


def analyze(base: Snapshot, head: Snapshot, options: Options | None = None) -> Analysis:
    """What changes on the target from base to head.

    Args:
        base: the merge base, with every directory in which a Go file differs.
        head: the pull request's head, likewise.
        options: the platforms; Windows judged by Linux when None.

    Returns:
        The findings, worst first; the score of the directories held; and what could not be read.
    """
    diff = compare(base, head, options or Options())
    found = {
        (f.rule, f.path, f.line, f.symbol): f
        for rule in RULES
        for change in diff.packages
        for f in rule.check(change, diff)
    }
    findings = tuple(sorted(found.values(), key=lambda f: (_ORDER[f.level], not f.gap, f.path, f.line, f.rule)))
    return Analysis(
        base.rev,
        head.rev,
        _verdict(findings),
        findings,
        sum((change.base.parity().score for change in diff.packages), Score()),
        sum((change.head.parity().score for change in diff.packages), Score()),
        _unreadable(base, head),
    )


def scan(snapshot: Snapshot, options: Options | None = None) -> Parity:
    """The Windows support of one revision, package by package."""
    options = options or Options()
    tables = [View(package, options).parity() for package in packages(snapshot, options).values()]
    tables = [table for table in tables if table.symbols]
    total = sum((table.score for table in tables), Score())
    return Parity(snapshot.rev, total, tuple(tables), _unreadable(snapshot))


def _verdict(findings: tuple[Finding, ...]) -> Verdict:
    levels = {f.level for f in findings}
    worse, better = levels & {Level.REGRESSION, Level.WARNING}, Level.IMPROVEMENT in levels
    if worse and better:
        return "mixed"
    if worse:
        return "regressed"
    return "improved" if better else "unchanged"


def _unreadable(*snapshots: Snapshot) -> tuple[Unreadable, ...]:
    """What a snapshot lacks, and the files that are Go only in part."""
    found = {entry for snapshot in snapshots for entry in snapshot.unreadable}
    for snapshot in snapshots:
        for package in packages(snapshot, Options()).values():
            for file in package.files.values():
                if file.facts.broken_line:
                    reason = f"not Go from line {file.facts.broken_line} on; analysed as far as it parses"
                    found.add(Unreadable(file.path, reason))
    return tuple(sorted(found))
