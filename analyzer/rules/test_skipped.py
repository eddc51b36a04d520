"""A test no longer runs on Windows.

What it finds
    A test that ran on Windows at base and is skipped there at head (`t.Skip` behind a condition on the platform,
    `skip.If`, a list of requirements, an early return), a subtest likewise, a whole test file that Windows no longer
    builds, and a new test that skips Windows from its first day. More than three tests of a file, more than five files of
    tests of a package, or more than ten of its tests are one finding.

Why it matters on Windows
    What no test guards breaks unnoticed. Nobody sees that a suite got smaller on one platform.

Example
    `skip.If(t, runtime.GOOS == "windows", "flaky")`

What to do
    Mend the test, or link the issue that has to be solved before it can run again.

Not reported
    A new test in a file that only Linux builds; a test that did not run on Windows before, whatever its file is called
    now, be it for a requirement that only Linux meets; a test that was renamed or moved; a new one of a suite that never ran
    there; one that is named for a function of which Windows had nothing but a stub. Where that function becomes a stub, which
    is told by itself, it stays in the check run.
    It stays in the check run where the package's tests, or a package that they import, be it vendored, used what Windows
    lacks, so that they never built there, and where all that the package has for Windows refuses.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.model import Finding, Level
from analyzer.runs import TestChange

ID = "test-skipped"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    for test in diff.tests.skipped.get(change.dir, ()):
        yield Finding(
            ID,
            Level.WARNING,
            test.file.path,
            test.line,
            test.line,
            "head",
            test.state.symbol.name if test.state is not None else None,
            _words(test),
            change.dir,
            gap=not (test.new or test.of_a_stub or change.base.only_refuses),
        )


def _words(test: TestChange) -> str:
    if test.state is None:
        return f"This test file no longer builds on Windows: {test.count} test{'s' * (test.count != 1)} less there."
    name = test.state.symbol.name
    if test.subtest:
        return f"{name} no longer runs its subtest {test.subtest} on Windows."
    if test.new:
        return f"{name} is new, and does not run on Windows."
    some = "" if test.state.runs is test.state.runs.NEVER else " in some cases"
    versions = "newer versions of " if test.state.on_older_versions else ""
    return f"{name} no longer runs on {versions}Windows{some}."
