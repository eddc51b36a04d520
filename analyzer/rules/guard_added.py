"""Shared code newly refuses, skips or switches something off on Windows.

What it finds
    A branch on the platform (`runtime.GOOS`, a switch on it, a constant, variable or function derived from it, the
    system of a container or a daemon, an isolation mode) that is new, and behind which Windows gets an error, returns
    early, or does not run what Linux runs.

Why it matters on Windows
    The function still builds and its name is still there; only part of what it does is gone.

Example
    `if runtime.GOOS == "windows" { return errors.New("changes of a running container are not supported") }`

What to do
    Implement the part on Windows, or say in its error and in the documentation that it is not there.

Not reported
    A branch that picks another value, takes a faster way or does extra work on Windows; one that only logs, or that is
    stricter on Linux; a branch that was moved; one that takes the place of a stub, or of a file that Windows did not
    build.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.guards import Effect, Guard
from analyzer.model import Finding, Level
from analyzer.parity import names_linux_concept
from analyzer.symbols import Symbol

ID = "guard-added"

_WORDS = {
    Effect.REFUSED: "newly refuses something on Windows",
    Effect.OFF: "newly returns early on Windows, before the work that Linux does",
    Effect.FIXED: "newly gives one fixed answer on Windows, where Linux looks at its input",
    Effect.SKIPPED: "newly skips something on Windows that Linux does",
}


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    for found in diff.guards.added.get(change.dir, ()):
        symbol, guard = found.symbol, found.guard
        yield _finding(symbol, guard, change)


def _finding(symbol: Symbol, guard: Guard, change: PackageChange) -> Finding:
    helper = symbol.file.facts.helps_tests
    return Finding(
        ID,
        Level.NOTE if helper else Level.WARNING,
        symbol.file.path,
        guard.line,
        guard.end_line,
        "head",
        symbol.name,
        f"{symbol.name} {_WORDS[guard.effect]} ({guard.condition[:120]}).",
        change.dir,
        gap=not helper and not names_linux_concept(" ".join((symbol.name, guard.source, *guard.lost))),
    )
