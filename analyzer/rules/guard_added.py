"""Shared code newly refuses, skips or switches something off on Windows.

What it finds
    A branch on the platform (`runtime.GOOS`, a switch on it, a constant, variable, function or predicate method derived from
    it, the system of a container or a daemon, an isolation mode) that is new, and behind which Windows gets an error, returns
    early, does not run what Linux runs, or has something set that switches it off (`disabled = true`).

Why it matters on Windows
    The function still builds and its name is still there; only part of what it does is gone.

Example
    `if runtime.GOOS == "windows" { return errors.New("changes of a running container are not supported") }`

What to do
    Implement the part on Windows, or say in its error and in the documentation that it is not there.

Not reported
    A branch that picks another value (be it an empty text beside a fixed one), takes a faster way or does extra work on
    Windows; one that only logs, or that is stricter on Linux; a branch that was moved, or that got more to do on Linux than
    to write something; work that Windows never came to; one that takes the place of a stub, or of a file that Windows did
    not build; one that says what a file of Windows said before, in whichever package; two files that became one function;
    a condition that stood where the function is called; conditions that are joined, nested or written in another way,
    where Windows gets to run what it got before; a block that does nothing but look at something and refuse it.
    It stays in the check run where it keeps away nothing but calls of Windows' own stubs, and where it is about a mechanism
    of Linux or about what a configuration has for Linux alone.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.guards import Guard
from analyzer.model import Finding, Level
from analyzer.pairs import CALLED
from analyzer.parity import is_about_linux
from analyzer.rules.wording import GUARD_WORDS
from analyzer.symbols import Symbol

ID = "guard-added"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    for found in diff.guards.added.get(change.dir, ()):
        symbol, guard = found.symbol, found.guard
        yield _finding(symbol, guard, change)


def _finding(symbol: Symbol, guard: Guard, change: PackageChange) -> Finding:
    helper = symbol.file.helps_tests
    does = GUARD_WORDS[guard.effect].format(target="Windows", reference="Linux")
    return Finding(
        ID,
        Level.NOTE if helper else Level.WARNING,
        symbol.file.path,
        guard.line,
        guard.end_line,
        "head",
        symbol.name,
        f"{symbol.name} newly {does} ({guard.condition[:120]}).",
        change.dir,
        gap=not (helper or _is_linux_own(symbol, guard) or _keeps_nothing(guard, change)),
    )


def _is_linux_own(symbol: Symbol, guard: Guard) -> bool:
    """Whether the branch is about a mechanism of Linux, or about data that only Linux has."""
    return is_about_linux(symbol.name, " ".join((guard.source, *guard.lost)))


def _keeps_nothing(guard: Guard, change: PackageChange) -> bool:
    """Whether all that the target would do without the branch is call stubs of its own, and hand on what they say."""
    called = [CALLED.findall(lost) for lost in guard.lost if not lost.startswith("return")]
    return any(called) and all(any(_is_stub(name, change) for name in names) for names in called if names)


def _is_stub(name: str, change: PackageChange) -> bool:
    body = None if change.head.shared(name) else change.head.body(name)
    return body is not None and body.stub is not None
