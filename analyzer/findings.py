"""What changes on the target between two revisions: every rule over every package that differs, as the project wants it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from analyzer import reading, suppress
from analyzer.advice import advise
from analyzer.diff import Diff, PackageChange, compare
from analyzer.files import custom_tags
from analyzer.folding import folded
from analyzer.model import (
    Accepted,
    Analysis,
    Around,
    Finding,
    Level,
    Options,
    Place,
    Platform,
    Score,
    Snapshot,
    Unreadable,
    Verdict,
)
from analyzer.names import in_words_of
from analyzer.rules import RULES, Rule
from analyzer.rules.wording import CANNOT_BUILD, NEVER_BUILT
from analyzer.symbols import directory

MAX_ADVISED = 50
"""Findings of one comparison that come with a patch."""

_ORDER = {level: rank for rank, level in enumerate(Level)}


def analyze(base: Snapshot, head: Snapshot, options: Options | None = None, around: Around | None = None) -> Analysis:
    """What changes on the target from base to head.

    Args:
        base: the merge base, with every directory in which a Go file differs.
        head: the pull request's head, likewise.
        options: the platforms; Windows judged by Linux when None.
        around: what `wanted` asks for; without it only what the directories held say of each other is known.

    Returns:
        The findings, worst first; the score of the directories held; and what could not be read.
    """
    options = options or Options()
    diff = compare(base, head, options, around)
    found = {_key(f): f for f in _findings(diff)}
    tagged = [c for c in diff.packages if c.base.package.custom_tags or c.head.package.custom_tags]
    if tagged:
        held = {directory for c in tagged for directory in (c.base.package.dir, c.head.package.dir)}
        tags = {tag for c in tagged for side in (c.base, c.head) for tag in side.package.custom_tags}
        on = replace(options, target=_tagged(options.target, tags), reference=_tagged(options.reference, tags))
        found = _with_tags(found, compare(_only(base, held), _only(head, held), on, around), tags, _declared(diff))
    spoken = [
        replace(f, message=in_words_of(options, f.message, f.symbol), before=_before(f, diff)) for f in found.values()
    ]
    settled = folded(suppress.settle(spoken, diff, options.policy), options)
    findings = _advised(_sorted(settled), diff)
    return Analysis(
        base.rev,
        head.rev,
        _verdict(findings),
        findings,
        sum((change.base.total for change in diff.packages), Score()),
        sum((change.head.total for change in diff.packages), Score()),
        tuple(sorted({*_unreadable(base, head, options), *(around.unreadable if around else ())})),
        options,
    )


def accepting(analysis: Analysis, accepted: Mapping[str, Accepted]) -> Analysis:
    """An analysis some of whose findings people accept.

    Args:
        analysis: what was found.
        accepted: by fingerprint. What is no loss, or is accepted already, stays as it is.

    Returns:
        The same with these findings as notes, and the verdict of what is left.
    """
    found = (
        suppress.accepted(f, accepted[f.fingerprint]) if suppress.acceptable(f) and f.fingerprint in accepted else f
        for f in analysis.findings
    )
    return judged(analysis, found)


def judged(analysis: Analysis, findings: Iterable[Finding]) -> Analysis:
    """An analysis with other findings, worst first, and their verdict."""
    ordered = _sorted(findings)
    return replace(analysis, findings=ordered, verdict=_verdict(ordered))


def _advised(findings: tuple[Finding, ...], diff: Diff) -> tuple[Finding, ...]:
    """The findings, the worst of them with what to add."""
    advice = advise([f for f in findings if f.level in {Level.REGRESSION, Level.WARNING}][:MAX_ADVISED], diff)
    return tuple(replace(f, advice=advice[f]) if f in advice else f for f in findings)


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Worst first, and of these first what users surely come to."""
    return tuple(sorted(findings, key=lambda f: (_ORDER[f.level], not f.gap, not _is_near(f), f.path, f.line, f.rule)))


def _is_near(finding: Finding) -> bool:
    return any(chain.sure and chain.entry.kind != "start" for chain in finding.chains[:1])


def _unreadable(base: Snapshot, head: Snapshot, options: Options) -> set[Unreadable]:
    depth_of = reading.of_a_change(base, head)
    sides = ((side, reading.facts(side.files.values(), depth_of, options.reader)) for side in (base, head))
    return set().union(*(reading.unreadable(side, read) for side, read in sides))


def _only(snapshot: Snapshot, held: Collection[str]) -> Snapshot:
    """A snapshot of some directories."""
    return replace(snapshot, files={path: file for path, file in snapshot.files.items() if directory(path) in held})


_Key = tuple[str, str, int, str | None]


def _key(finding: Finding) -> _Key:
    return finding.rule, finding.path, finding.line, finding.symbol


def _findings(diff: Diff) -> Iterator[Finding]:
    for rule in RULES:
        yield from _of_rule(rule, diff)
        if rule.overall is not None:
            yield from rule.overall(diff)


def _of_rule(rule: Rule, diff: Diff) -> Iterator[Finding]:
    for change in diff.vendored if rule.vendored else diff.packages:
        for finding in rule.check(change, diff):
            if not (_breaks_build(finding, diff) or _never_was(finding, diff)):
                quiet = _could_not_build(finding, diff) or _cannot_build(finding, diff)
                yield _quiet(finding) if quiet else finding


def of_what_is_built(diff: Diff) -> Iterator[tuple[Finding, bool]]:
    """What would be no loss where base could not be compiled, or no gain where head cannot, as far as it is told aloud.

    With each comes whether it is a gain.
    """
    for rule in RULES:
        if rule.id in _FROM_NOTHING:
            yield from ((finding, False) for finding in _of_rule(rule, diff) if finding.gap)
        elif rule.id in _GAINS:
            yield from ((finding, True) for finding in _of_rule(rule, diff) if finding.level is Level.IMPROVEMENT)


def _before(finding: Finding, diff: Diff) -> Place | None:
    """Where the target had at base what a finding at head is about: the symbol of that name, or the file."""
    if finding.side == "base":
        return None
    for change in (*diff.packages, *diff.vendored):
        if change.dir != finding.package:
            continue
        if finding.symbol is None:
            was = (f.base for f in change.files if f.base and f.head and f.head.path == finding.path)
            return next((Place(file.path, 1) for file in was), None)
        package = change.base.package
        symbol = package.target.get(finding.symbol) or next(
            (t for t in package.tests if t.name == finding.symbol), None
        )
        return symbol.place if symbol else None
    return None


# What says that something is gone.
_LOSSES = {"implementation-lost", "tag-added", "missing-on-windows"}
_GONE = {"implementation-lost", "tag-added", "test-skipped"}
# What is no loss in a package that could not be compiled.
_FROM_NOTHING = {
    *_GONE,
    "stub-added",
    "guard-added",
    "option-refused",
    "missing-on-windows",
    "signature-drift",
    "undefined-on-windows",
}
# Rules that speak of what the target newly has: no gain where it cannot be compiled, or is built with a tag given up.
_GAINS = {"stub-resolved", "implementation-added", "tag-removed", "guard-removed", "test-enabled"}


def _never_was(finding: Finding, diff: Diff) -> bool:
    """Whether a finding says that something is gone from what could not even be compiled."""
    return finding.rule in _GONE and not diff.never_built.isdisjoint({finding.package, finding.path})


def _could_not_build(finding: Finding, diff: Diff) -> bool:
    """Whether what a finding is about could not be compiled at base: Windows never had it, whatever comes of it."""
    if finding.rule not in _FROM_NOTHING:
        return False
    return diff.unbuilt.tests(finding.package) if is_of_tests(finding) else diff.unbuilt.code(finding.package)


def is_of_tests(finding: Finding) -> bool:
    """Whether a finding is about tests, not about what they test."""
    return finding.rule in {"test-skipped", "test-enabled"} or finding.path.endswith("_test.go")


def _cannot_build(finding: Finding, diff: Diff) -> bool:
    """Whether what nothing keeps from Windows any more cannot be compiled there."""
    if finding.rule not in _GAINS or finding.level is not Level.IMPROVEMENT:
        return False
    built = diff.unbuilt_at_head
    return built.tests(finding.package) if is_of_tests(finding) else built.code(finding.package)


def _quiet(finding: Finding) -> Finding:
    """The finding, for the check run alone: nobody can miss anything, or have it."""
    if finding.level is Level.IMPROVEMENT:
        return replace(finding, level=Level.NOTE, message=finding.message + CANNOT_BUILD)
    lost_stub = finding.rule == "implementation-lost" and finding.side == "base" and finding.stub is not None
    level = Level.NOTE if lost_stub else Level.WARNING if finding.level is Level.REGRESSION else finding.level
    return replace(finding, level=level, gap=False, message=finding.message + NEVER_BUILT)


def _breaks_build(finding: Finding, diff: Diff) -> bool:
    """Whether a finding says that something is gone which is told already, where it is needed and the build fails."""
    if finding.rule not in _LOSSES:
        return False
    if finding.symbol is not None:
        return diff.undefined.tells(finding.package, finding.symbol)
    files = (f for change in diff.packages if change.dir == finding.package for f in change.files)
    was = (f.base.path for f in files if f.base and f.head and f.head.path == finding.path)
    return any(diff.undefined.tells_file(finding.package, path) for path in was)


def _declared(diff: Diff) -> set[tuple[str, str | None]]:
    """What the target has at head, by package and name."""
    return {(change.dir, name) for change in diff.packages for name in change.head.package.target}


def _with_tags(
    found: dict[_Key, Finding], diff: Diff, tags: set[str], plain: set[tuple[str, str | None]]
) -> dict[_Key, Finding]:
    """Look again as a build with the project's own tags sees it.

    What a plain build lacks and such a build has is not missing; and what only such a build loses or gains is reported
    with a word on the tags. Both builds agree on most, which is said once. Where a plain build has what such a build would
    not find, the tags are meant for others. Where a tag is given up, whoever built with it gets what a plain build has, and
    that is no gain.
    """
    there = _declared(diff)
    built = {path for change in diff.packages for path, file in change.head.package.files.items() if file.on_target}
    found = {key: f for key, f in found.items() if not _breaks_build(f, diff)}
    kept = {
        key: f
        for key, f in found.items()
        if not (f.rule in _SAYS_ABSENT and (f.path in built if f.symbol is None else (f.package, f.symbol) in there))
    }
    said = {(f.package, f.symbol, f.path if f.symbol is None else "") for f in found.values()}
    folded = {(f.rule, f.package) for f in found.values() if f.rule in _FOLDS}
    words = f" (in a build with -tags {','.join(sorted(tags))})"
    asking = {
        file.path
        for change in diff.packages
        for side in (change.base, change.head)
        for file in side.package.files.values()
        if custom_tags(file.facts.constraint)
    }
    clashing = {change.dir for change in diff.packages if _clashes(change)}
    asked = {tag for change in diff.packages for tag in change.head.package.custom_tags}
    given_up = {change.dir for change in diff.packages if change.base.package.custom_tags - asked}
    for finding in _findings(diff):
        if (finding.rule, finding.package) in folded or finding.package in clashing:
            continue
        if finding.rule in _GAINS and finding.package in given_up:
            continue
        if finding.rule == "undefined-on-windows" and (finding.package, finding.symbol) in plain:
            continue
        if finding.path not in asking and (finding.symbol is None or finding.rule in _OF_BRANCHES):
            continue  # a file that asks for no tag comes and goes only because others are off, and has the same branches
        if (finding.package, finding.symbol, finding.path if finding.symbol is None else "") not in said:
            kept[_key(finding)] = replace(finding, message=finding.message + words)
    return kept


def _clashes(change: PackageChange) -> bool:
    """Whether two files declare the same for the target: their tags exclude each other, and nobody builds with both."""
    for view in (change.base, change.head):
        files = [f for f in view.package.files.values() if f.on_target and not f.is_test]
        names = [d.name for f in files for d in f.facts.declarations if d.name not in {"_", "init"}]
        if len(set(names)) < len(names):
            return True
    return False


# Rules that tell many symbols of a package as one: which of them leads depends on the files that are held.
_FOLDS = {"undefined-on-windows", "vendor-drift"}
# Rules that read the branches of a function.
_OF_BRANCHES = {"guard-added", "guard-removed", "option-refused", "test-skipped", "test-enabled"}
# Rules that speak of what a plain build lacks; of functions only the last, for a lost one may be there as a stub.
_SAYS_ABSENT = {"tag-added", "test-skipped", "missing-on-windows"}


def _tagged(platform: Platform, tags: set[str]) -> Platform:
    return replace(platform, tags=platform.tags | tags)


def _verdict(findings: tuple[Finding, ...]) -> Verdict:
    levels = {f.level for f in findings if f.rule not in suppress.PAGES}  # those say nothing of Windows
    worse, better = levels & {Level.REGRESSION, Level.WARNING}, Level.IMPROVEMENT in levels
    if worse and better:
        return "mixed"
    if worse:
        return "regressed"
    return "improved" if better else "unchanged"
