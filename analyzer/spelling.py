"""Types as Go spells them, to what they hold: `*volumes.Volume` is a Volume, `map[string][]T` a table of many T."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

# Types nested deeper than this are not read: nobody writes them.
MAX_DEPTH = 12
_TOKEN = re.compile(r"\.\.\.|<-|[\w.]+|\S")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True, slots=True)
class Named:
    """A type that a held package declares. A pointer to it is the same to us: it has the same members."""

    where: str
    name: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A type of a package that is not held; of Go itself when there is no path."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Many:
    """A slice, an array or a channel."""

    kind: "Kind | None"


@dataclass(frozen=True, slots=True)
class Table:
    """A map."""

    key: "Kind | None"
    value: "Kind | None"


@dataclass(frozen=True, slots=True)
class Function:
    """A function: what it gives."""

    results: tuple["Kind | None", ...]


@dataclass(frozen=True, slots=True)
class Inline:
    """A struct or an interface without a name: its text, and the file that has it."""

    source: str
    path: str = field(compare=False)


Kind = Named | Foreign | Many | Table | Function | Inline
Resolve = Callable[[str], "Kind | None"]


def read(source: str, resolve: Resolve, path: str) -> Kind | None:
    """The type that a text spells; None when it says nothing that we know.

    Args:
        source: as in Go.
        resolve: what a name, with or without a package before it, means.
        path: the file that says so.
    """
    try:
        return _Spelling(source, resolve, path).kind(0)
    except (StopIteration, IndexError):
        return None


@lru_cache(maxsize=8192)
def split(signature: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parameter types and the result types of a signature as `syntax.Declaration` has it."""
    groups = [*_groups(signature), (), ()]
    return groups[0], groups[1]


def _groups(signature: str) -> Iterator[tuple[str, ...]]:
    depth, start = 0, 0
    parts: list[str] = []
    for at, sign in enumerate(signature):
        if sign in _OPEN:
            depth += 1
            start = at + 1 if depth == 1 else start
        elif depth == 1 and sign in ",)":
            parts.append(signature[start:at].strip())
            start = at + 1
        if sign in _CLOSE:
            depth -= 1
            if depth == 0:
                yield tuple(part for part in parts if part)
                parts = []


class _Spelling:
    def __init__(self, source: str, resolve: Resolve, path: str) -> None:
        self._source, self._resolve, self._path = source, resolve, path
        self._tokens = [*_TOKEN.finditer(source)]
        self._at = 0

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][0]

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def kind(self, depth: int) -> Kind | None:
        if depth > MAX_DEPTH:
            raise IndexError
        match self._next():
            case "*":
                return self.kind(depth + 1)
            case "...":
                return Many(self.kind(depth + 1))
            case "[":
                self._skip()
                return Many(self.kind(depth + 1))
            case "<-":
                return self.kind(depth + 1)
            case "chan":
                return Many(self.kind(depth + 1))
            case "map":
                self._next()
                key = self.kind(depth + 1)
                self._next()
                return Table(key, self.kind(depth + 1))
            case "func":
                self._next()
                self._skip()
                return Function(self._results(depth + 1))
            case "struct" | "interface":
                return self._inline()
            case "(":
                inner = self.kind(depth + 1)
                self._next()
                return inner
            case name:
                if self._peek() == "[":
                    self._next()
                    self._skip()
                return self._resolve(name)

    def _skip(self) -> None:
        """Go behind the bracket that closes the one that was just read."""
        depth = 1
        while depth:
            token = self._next()
            depth += (token in _OPEN) - (token in _CLOSE)

    def _inline(self) -> Kind:
        start = self._tokens[self._at - 1].start()
        self._next()
        self._skip()
        return Inline(self._source[start : self._tokens[self._at - 1].end()], self._path)

    def _results(self, depth: int) -> tuple[Kind | None, ...]:
        if self._peek() in {"", ",", ")", "]", "}"}:
            return ()
        if self._peek() != "(":
            return (self.kind(depth),)
        self._next()
        found: list[Kind | None] = []
        while self._peek() != ")":
            kind = self.kind(depth)
            if self._peek() not in {",", ")"}:  # that was the name of a result
                kind = self.kind(depth)
            found.append(kind)
            if self._peek() == ",":
                self._next()
        self._next()
        return tuple(found)
