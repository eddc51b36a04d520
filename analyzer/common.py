"""What a package does on the target in code that the platforms share: which tests run, what is refused. To be kept.

A table of parity says nothing of it, as one declaration serves both. What follows from the source is judged where the rules
judge it (`analyzer.skips`, `analyzer.guards`); `analyzer.between` compares what was kept of two revisions.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from analyzer.conditions import is_own_predicate
from analyzer.guards import Effect, Guard, guards
from analyzer.parity import View
from analyzer.skips import Runs

if TYPE_CHECKING:
    from analyzer.symbols import GoFile

MAX_DECLARATIONS = 10_000
"""Declarations in a package's tests beyond which they are not looked at: moby's largest package has 2,000."""

MAX_NAME = 200
"""Characters of a test's name; what is longer is left out."""

MAX_GUARDS = 200
"""Guards of a package that are kept: all of moby has 22 guards."""

MAX_STATEMENTS, MAX_TEXT = 20, 300
"""Statements that are kept of what a guard keeps away, and characters of each text."""


class KeptTest(Struct, frozen=True, array_like=True, gc=False):
    """A test of which the target does not run all; `analyzer.skips.TestState` says what that means."""

    name: str
    runs: Runs
    at_all: Runs


class KeptFile(Struct, frozen=True, array_like=True):
    """The tests of a file. Lines are left out: most changes move them.

    Attributes:
        name: of the file, without its directory.
        target, reference: whether it builds there.
        tests: those that run wherever it builds.
        kept: those that the target does not run as a whole, though the file builds there.
    """

    name: str
    target: bool
    reference: bool
    tests: tuple[str, ...] = ()
    kept: tuple[KeptTest, ...] = ()


class KeptGuard(Struct, frozen=True, array_like=True):
    """A guard (`analyzer.guards.Guard`) and the function, built on both platforms, that has it."""

    function: str
    file: str
    line: int
    effect: Effect
    condition: str
    source: str
    lost: tuple[str, ...]
    refused: tuple[str, ...]
    sure: bool

    @property
    def guard(self) -> Guard:
        """The guard, as far as it is kept."""
        lost, refused = frozenset(self.lost), frozenset(self.refused)
        return Guard(self.effect, self.line, 0, self.condition, self.source, lost, refused, sure=self.sure)


class Common(Struct, frozen=True, array_like=True):
    """What is kept of a package.

    Attributes:
        tests: by file.
        guards: in the order of functions.
        too_many: declarations in its tests, when they are so many that none was looked at.
    """

    tests: tuple[KeptFile, ...] = ()
    guards: tuple[KeptGuard, ...] = ()
    too_many: int = 0

    @property
    def is_anything(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.tests or self.guards or self.too_many)


def common(view: View) -> Common:
    """What is kept of a package.

    Args:
        view: the package, its tests read as `analyzer.reading.of_a_record` has it.
    """
    count = len(view.package.tests)
    many = count > MAX_DECLARATIONS
    return Common(
        () if many else tuple(_tests(view)),
        tuple(islice(_guards(view), MAX_GUARDS)),
        count if many else 0,
    )


def _tests(view: View) -> Iterator[KeptFile]:
    files: dict[str, GoFile] = {}
    whole, kept = defaultdict[str, list[str]](list), defaultdict[str, list[KeptTest]](list)
    for name, state in view.tests.items():
        if len(name) > MAX_NAME:
            continue
        path = state.symbol.file.path
        files[path] = state.symbol.file
        if state.built and state.at_all is not Runs.FULLY:
            kept[path].append(KeptTest(name, state.runs, state.at_all))
        else:
            whole[path].append(name)
    for path, file in sorted(files.items()):
        yield KeptFile(
            path.rpartition("/")[2],
            file.on_target,
            file.on_reference,
            tuple(sorted(whole[path])),
            tuple(sorted(kept[path], key=lambda test: test.name)),
        )


def _guards(view: View) -> Iterator[KeptGuard]:
    telling = _telling(view)
    for _, symbol in sorted(view.package.target.items()):
        declaration = symbol.declaration
        is_function = declaration.is_function and declaration.has_body
        if not is_function or symbol.file.helps_tests or not view.shared(symbol.name):
            continue
        if not any(word in symbol.source for word in telling):
            continue
        for guard in guards(symbol, *view.scopes):
            yield KeptGuard(
                symbol.name,
                symbol.file.path.rpartition("/")[2],
                guard.line,
                guard.effect,
                guard.condition[:MAX_TEXT],
                guard.source[:MAX_TEXT],
                _texts(guard.lost),
                _texts(guard.refused),
                guard.sure,
            )


def _texts(found: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({text[:MAX_TEXT] for text in found})[:MAX_STATEMENTS])


def _telling(view: View) -> frozenset[bytes]:
    """What a function must have in it that tells the platforms apart: most need not be parsed.

    Words that name a platform in code; and names of the package's own whose worth may differ: each platform has its own, or
    it is made of such words or names.
    """
    package = view.package
    words = {word.encode() for word in _words(view)}
    names = {
        name: symbol
        for name, symbol in package.target.items()
        if name in package.reference
        and (symbol.declaration.kind in {"func", "const", "var"} or is_own_predicate(symbol))
    }
    found = words | {_bare(name) for name in names if not view.shared(name)}
    left = {_bare(name): symbol.source for name, symbol in names.items() if view.shared(name)}
    while new := {name for name, source in left.items() if any(word in source for word in found)}:
        found |= new
        left = {name: source for name, source in left.items() if name not in new}
    return frozenset(found)


def _bare(name: str) -> bytes:
    return name.rpartition(".")[2].encode()


def _words(view: View) -> Iterator[str]:
    """How code may name the platforms that are compared (`analyzer.conditions`), in whichever case."""
    for platform in view.platforms:
        yield from (platform.goos, platform.goos.title(), platform.goos.upper())
    yield from ("GOOS", "goos", "GOARCH", "unix", "Unix", "UNIX")
    yield from ("hyperv", "hyperV", "HyperV", "Hyperv", "isprocess", "isProcess", "IsProcess")
