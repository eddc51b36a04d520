"""What the table of a package depends on: its own files, and those of all that it imports, as a name made of them.

Two packages with the same name have the same table, in whatever revisions they are: judging follows calls through imports
and nothing else. What only tests import says nothing in a table.
"""

import hashlib
from collections.abc import Iterator, Mapping

from analyzer.model import Options, Platform
from analyzer.parity import Revision
from analyzer.symbols import Package
from analyzer.syntax import UNREAD
from analyzer.world import World

BYTES = 16
"""Of a name, which has twice as many digits."""


def fingerprints(revision: Revision) -> dict[str, str]:
    """A name for each package of a revision, by directory.

    Args:
        revision: the packages, read as `analyzer.reading.of_a_table` has it.
    """
    world = revision.target.world
    imports = {where: world.imports(package) for where, package in world.packages.items()}
    seed = _seed(revision.options, world)
    names: dict[str, str] = {}
    # What packages of a circle depend on is the whole circle. Go has none, but what tags divide may look like one.
    for circle in _circles(imports):
        inside = {*circle}
        below = sorted({names[other] for where in circle for other in imports[where] if other not in inside})
        own = (_own(world.packages[where]) for where in sorted(circle))
        content = b"\0".join([seed, *own, *(name.encode() for name in below)])
        for where in circle:
            names[where] = _digest(content + b"\0\0" + _bytes(where))
    return names


def own_fingerprints(revision: Revision) -> dict[str, str]:
    """A name for each package of a revision, by directory, made of its own files alone: its tests are among them.

    What is kept of its tests and of its guards (`analyzer.common`) depends on nothing else.

    Args:
        revision: the packages.
    """
    seed = _seed(revision.options, revision.target.world)
    return {
        where: _digest(seed + b"\0own\0" + _own(package, tests=True)) for where, package in revision.packages.items()
    }


def _seed(options: Options, world: World) -> bytes:
    """What all packages depend on: the platforms, and what imports mean."""
    return _bytes(f"{_platform(options.target)} {_platform(options.reference)} {world.modules.path}")


def _platform(platform: Platform) -> tuple[object, ...]:
    return platform.goos, platform.goarch, platform.cgo, *sorted(platform.tags)


def _own(package: Package, *, tests: bool = False) -> bytes:
    """A package's files. Of a test only the package clause counts, unless tests are what is asked for."""
    parts = [package.dir]
    for path, file in sorted(package.files.items()):
        parts += [
            path,
            file.facts.package if file.is_test and not tests else f"{file.source.blob} {file.facts is UNREAD}",
        ]
    return _digest(_bytes("\0".join(parts))).encode()


def _circles(imports: Mapping[str, frozenset[str]]) -> Iterator[list[str]]:
    """The packages, those that import each other together, each after what it imports (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    done: set[str] = set()
    for root in imports:
        work = [] if root in number else [(root, iter(sorted(imports[root])))]
        while work:
            where, left = work[-1]
            if where not in number:
                number[where] = low[where] = len(number)
                stack.append(where)
            following = next(left, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[where])
                if low[where] == number[where]:
                    at = stack.index(where)
                    circle, stack[at:] = stack[at:], []
                    done.update(circle)
                    yield circle
            elif following not in number:
                work.append((following, iter(sorted(imports[following]))))
            elif following not in done:
                low[where] = min(low[where], number[following])


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=BYTES).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
