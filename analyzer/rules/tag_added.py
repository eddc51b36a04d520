"""A build constraint newly excludes Windows.

What it finds
    A file that built on Windows at base and does not at head: `//go:build !windows` or `linux` came in, or the file
    was renamed to _linux.go. More than five files of a package are one finding.

Why it matters on Windows
    Everything that the file declares, or tests, is gone there without a word from the compiler.

Example
    stats_test.go gets `//go:build !windows`.

What to do
    Exclude only what cannot work on Windows: split the file, or give Windows a counterpart.

Not reported
    A file whose functions are reported as lost (implementation-lost says it once), or whose tests are (test-skipped); what
    helps tests, where none of the package's ran on Windows.
    When Windows has a counterpart for all that the file declares, or what it lacks dealt with nothing but what only a Linux
    container has, it is a note. A constraint that repeats what the file's name says changes nothing. Types and values alone
    that only Linux's own code names stay in the check run.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.model import Finding, Level
from analyzer.rules.implementation_lost import is_linux_own_data, lost_whole
from analyzer.rules.wording import renamed_from
from analyzer.skips import Runs
from analyzer.symbols import GoFile

ID = "tag-added"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    said = {test.file.path for test in diff.tests.skipped.get(change.dir, ()) if test.state is None}
    for file in change.files:
        if file.head is None or file.head.path in said:
            continue
        if file.left_alone and file.base and not lost_whole(file, change, diff):
            finding = _finding(file.base, file.head, change, diff)
            # A fallback that makes room for Windows' own file, and tests that were skipped there, are no event.
            if finding.gap or (file.base.on_reference and not file.base.is_test):
                yield finding


def _finding(base: GoFile, head: GoFile, change: PackageChange, diff: Diff) -> Finding:
    gone = missing(base, change, diff)
    line = head.constraint_line
    was = renamed_from(base, head)
    cause = f"renamed from {was}" if was else "by its build constraint"
    what = "test file" if head.is_test else "file"
    rest = "" if gone else "; Windows has a counterpart for all that it declares"
    if not gone and not base.is_test and _lacked(base, change, diff):
        rest = "; what Windows lacks of it is for Linux containers alone"
    if gone and head.path in diff.portable:
        rest = "; nothing in it is Linux's own"
    return Finding(
        ID,
        Level.WARNING if gone else Level.NOTE,
        head.path,
        line,
        line,
        "head",
        None,
        f"This {what} no longer builds on Windows ({cause}){rest}.",
        change.dir,
        gap=gone and not _only_linux_asks(base, change, diff),
    )


def _only_linux_asks(base: GoFile, change: PackageChange, diff: Diff) -> bool:
    """Whether a file has nothing but types and values, and the code that names them is the reference's own."""
    declared = base.facts.declarations
    if base.is_test or base.facts.registers or not declared or any(d.is_function for d in declared):
        return False
    named = [diff.reach_at_base.named(change.base, d.name, base.path) for d in declared if d.exported]
    return any(theirs for _, theirs in named) and not any(mine for mine, _ in named)


def missing(base: GoFile, change: PackageChange, diff: Diff) -> bool:
    """Whether something that the file gave Windows, and that head still has somewhere, is not there any more."""
    if base.is_test:
        # In whichever package it stood: test-skipped says which of its tests ran, and where none did nothing is missing.
        home = base.path.rpartition("/")[0] or "."
        tests = [s for other in diff.packages if other.base.package.dir == home for s in other.base.tests.values()]
        if any(s.symbol.file.path == base.path for s in tests) or (tests and all(s.runs is Runs.NEVER for s in tests)):
            return False
        kept = {
            d.name
            for f in change.head.package.files.values()
            if f.on_target and f.is_test
            for d in f.facts.declarations
        }
        return any(d.name not in kept for d in base.facts.declarations if d.is_function)
    if base.facts.registers and not base.facts.declarations:
        return True
    lacked = [change.base.package.target.get(name) for name in _lacked(base, change, diff)]
    return any(symbol is None or not is_linux_own_data(symbol, change) for symbol in lacked)


def _lacked(base: GoFile, change: PackageChange, diff: Diff) -> list[str]:
    """What the file gave Windows, no stubs, that is not there any more and that head still has somewhere."""
    target, reference = change.head.package.target, change.head.package.reference
    return [
        d.name
        for d in base.facts.declarations
        if d.name not in target and d.name in reference and not diff.moved_away(d.name)
        if (_did_something(d.name, change) if d.is_function else d.exported)
    ]


def _did_something(name: str, change: PackageChange) -> bool:
    """Whether a function was no stub on Windows."""
    body = change.base.body(name)
    return body is None or body.stub is None
