"""A test newly runs on Windows.

What it finds
    A test, a subtest, or a whole test file that was skipped or not built on Windows at base, and runs there at head. More than
    three tests of a file, more than five files of tests of a package, or more than ten of its tests are one finding. A test that
    keeps its name is followed into another package.

Why it matters on Windows
    What works there stays so.

Example
    `skip.If(t, runtime.GOOS == "windows", "FIXME")` is gone.

What to do
    Nothing.

Not reported
    A new test; a test that is gone; one of a suite that only other systems run, or of a package whose `TestMain` ends before.
    A test that needs what cannot be built on Windows is a note.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.model import Finding, Level
from analyzer.runs import TestChange
from analyzer.skips import Runs

ID = "test-enabled"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    for test in diff.tests.enabled.get(change.dir, ()):
        yield Finding(
            ID,
            Level.IMPROVEMENT,
            test.file.path,
            test.line,
            test.line,
            "head",
            test.state.symbol.name if test.state is not None else None,
            _words(test),
            change.dir,
        )


def _words(test: TestChange) -> str:
    if test.state is None:
        return f"This test file now builds on Windows: {test.count} test{'s' * (test.count != 1)} more there."
    name = test.state.symbol.name
    if test.subtest:
        return f"{name} now runs its subtest {test.subtest} on Windows."
    cases = " in more cases" if test.more else " in some cases" if test.state.runs is Runs.SOMETIMES else ""
    return f"{name} now runs on Windows{cases}."
