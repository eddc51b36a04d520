"""A build constraint that excluded Windows is gone.

What it finds
    A file that did not build on Windows at base and does at head: `!windows` was dropped, or foo_linux.go became
    foo.go.

Why it matters on Windows
    What the file declares, or tests, is there now.

Example
    gelf.go loses `//go:build linux`.

What to do
    Nothing; look whether a Windows stub for it can go.

Not reported
    A file whose functions all were on Windows before (what became real is a stub-resolved each), and a fallback file
    that brings nothing but stubs.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, FileChange, PackageChange
from analyzer.model import Finding, Level
from analyzer.symbols import GoFile

ID = "tag-removed"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    said = {test.file.path for test in diff.tests.enabled.get(change.dir, ()) if test.state is None}
    for file in change.files:
        if file.head is not None and file.head.path not in said and brings(file, change) and file.base:
            yield _finding(file.base, file.head, change)


def brings(file: FileChange, change: PackageChange) -> bool:
    """Whether a file that now builds on the target gives it something real that it did not have."""
    if not file.entered_alone or file.head is None:
        return False
    if file.head.is_test:
        ran = [s for s in change.head.tests.values() if s.symbol.file.path == file.head.path]
        had = {s.name for s in change.base.package.tests if s.file.on_target}
        helps = any(d.name not in had for d in file.head.facts.declarations)
        return any(state.runs < state.runs.NEVER for state in ran) if ran else helps
    new = [d for d in file.head.facts.declarations if d.name not in change.base.package.target]
    functions = [d for d in new if d.is_function]
    if not functions:
        return bool(new) or (file.head.facts.registers and not file.head.facts.declarations)
    return any((body := change.head.body(d.name)) is not None and body.stub is None for d in functions)


def _finding(base: GoFile, head: GoFile, change: PackageChange) -> Finding:
    constraint = head.facts.constraint
    line = constraint.line if constraint else 1
    cause = f"renamed from {base.path.rpartition('/')[2]}" if base.path != head.path else "its constraint is gone"
    what = "test file" if head.is_test else "file"
    return Finding(
        ID,
        Level.IMPROVEMENT,
        head.path,
        line,
        line,
        "head",
        None,
        f"This {what} now builds on Windows ({cause}).",
        change.dir,
    )
