"""Shared code no longer refuses, skips or switches something off on Windows.

What it finds
    A branch on the platform that kept something from Windows and is gone, or narrower, while the work behind it stays,
    or is an argument of another call now.

Why it matters on Windows
    What only Linux did is done on Windows too.

Example
    `if runtime.GOOS != "windows" { createHostPath(p) }` becomes `createHostPath(p)`.

What to do
    Nothing; look whether a test can now run on Windows too.

Not reported
    A branch that went away together with what it guarded, was moved, became a function that does nothing on Windows, in
    whichever package, or is written in another way, so that Windows gets to run what it got before; one that refused,
    where a refusal that asks for the platform takes its place; one about a value that goes with it. Helpers of tests,
    functions that are named after Linux, and what cannot be built on Windows all the same are a note.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.model import Finding, Level
from analyzer.parity import names_linux

ID = "guard-removed"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    for found in diff.guards.removed.get(change.dir, ()):
        symbol, guard = found.symbol, found.guard
        helper = symbol.file.helps_tests or names_linux(symbol.name)
        yield Finding(
            ID,
            Level.NOTE if helper else Level.IMPROVEMENT,
            symbol.file.path,
            symbol.declaration.line,
            symbol.declaration.end_line,
            "head",
            symbol.name,
            f"{symbol.name} no longer keeps from Windows what it kept behind {guard.condition[:120]}.",
            change.dir,
        )
