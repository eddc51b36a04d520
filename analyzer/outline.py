"""How much of a file has to be parsed: its imports, its declarations without what their braces hold, or all of it."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


class Depth(IntEnum):
    """What is asked of a file. Each depth answers all that the ones before it answer."""

    HEADER = 0
    """Package clause, constraint and imports."""
    OUTLINE = 1
    """Also what it declares."""
    WHOLE = 2
    """Also whether all of it is Go."""


# As gofmt writes it: from a line that opens a brace at the left edge to the next line there, which closes it. The lines
# between are indented, so each of them is looked at once. A back quote may begin a text of several lines. The fields of a
# struct within a signature belong to it.
_BRACES = re.compile(
    rb"^(?:func\b[^\n`]*(?<!struct )(?<!struct)(?<!interface )(?<!interface)|(?:type|var|const)\b[^\n`]*)"
    rb"\{\n((?:\t[^\n`]*+\n|\n)++)\}",
    re.MULTILINE,
)
_COMMENT_ENDS = re.compile(rb"/\*|\*/")
_FIRST_DECLARATION = re.compile(rb"^(?:func|type|var|const)\b", re.MULTILINE)


class Outline(NamedTuple):
    """A file without the content of its braces.

    Attributes:
        text: what is left. Every line keeps its number, and what stays of it its column.
        places: offsets in the text behind which bytes were left out, ascending.
        shifts: for each place, how many bytes were left out up to there.
    """

    text: bytes
    places: Sequence[int] = ()
    shifts: Sequence[int] = ()

    def offset(self, at: int) -> int:
        """The offset in the source of an offset in the text."""
        after = bisect_right(self.places, at)
        return at + self.shifts[after - 1] if after else at


def outline(source: bytes) -> Outline:
    """Leave out what the braces of declarations hold, where gofmt's layout tells it without parsing.

    Of Go in another layout the wrong lines may be left out. Then a brace is left over, and what remains is no Go: whoever
    parses it sees an error, and has to parse the whole.
    """
    pieces: list[bytes] = []
    places: list[int] = []
    shifts: list[int] = []
    done = length = missing = 0
    for match in _BRACES.finditer(source):
        start, end = match.span(1)
        body = match[1]
        if body.count(b"{") != body.count(b"}") or _COMMENT_ENDS.search(body):
            continue
        ends = b"\n" * body.count(b"\n")
        pieces += (source[done:start], ends)
        length += start - done + len(ends)
        missing += end - start - len(ends)
        places.append(length)
        shifts.append(missing)
        done = end
    return Outline(b"".join([*pieces, source[done:]]) if pieces else source, places, shifts)


def header(source: bytes) -> bytes:
    """What stands before the first declaration. A comment may hide one; then an error is at the end of what is left."""
    match = _FIRST_DECLARATION.search(source)
    return source[: match.start()] if match else source
