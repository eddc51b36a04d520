"""Which files of an analysis are read, and how deeply: what cannot matter is not parsed, and nothing is parsed twice."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from analyzer import syntax
from analyzer.files import suffix_tags
from analyzer.model import Share, Snapshot, SourceFile, Unreadable, in_turn
from analyzer.outline import Depth
from analyzer.syntax import UNREAD, Facts

# tree-sitter takes up to 8 s for a MB of what is no Go (Go: 0.13 s), so at a time only so much of it is read.
MAX_BROKEN_BYTES = 1024 * 1024
# Facts of this many blobs are kept: two revisions of a large repository (moby has 2,200 Go files outside vendor).
CACHED_FILES = 16_384
# What a file that builds somewhere only is likely to say.
_CONSTRAINTS = (b"//go:build", b"+build")


class Wanted(NamedTuple):
    """A blob to read: its content, and how deeply."""

    content: bytes
    depth: Depth


Reader = Callable[[Mapping[str, Wanted]], Mapping[str, Facts]]
"""Reads blobs, by their ids. One that knows blobs from earlier runs is passed in (`model.Options.reader`)."""

DepthOf = Callable[[SourceFile], Depth]


def facts(files: Iterable[SourceFile], depth_of: DepthOf, reader: Reader | None = None) -> dict[str, Facts]:
    """The facts of files, by path.

    Args:
        files: the files.
        depth_of: how deeply each is read.
        reader: reads them; one that remembers what this process has read when None.
    """
    files = list(files)
    wanted: dict[str, Wanted] = {}
    for file in files:
        depth = depth_of(file)
        if file.blob not in wanted or wanted[file.blob].depth < depth:
            wanted[file.blob] = Wanted(file.content, depth)
    found = (reader or _remembering)(wanted)
    return {file.path: found[file.blob] for file in files}


def unreadable(snapshot: Snapshot, read: Mapping[str, Facts]) -> set[Unreadable]:
    """What a snapshot lacks, and which of its files are Go only in part.

    Args:
        snapshot: the files.
        read: what they say, by path.
    """
    found = {*snapshot.unreadable}
    for path, said in read.items():
        if said is UNREAD:
            found.add(Unreadable(path, "not analysed: too much of what stands before it is no Go"))
        elif said.broken_line:
            reason = f"not Go from line {said.broken_line} on; analysed as far as it parses"
            found.add(Unreadable(path, reason))
    return found


def whole(_: SourceFile) -> Depth:
    """Everything, so that whatever is no Go is known."""
    return Depth.WHOLE


def headed(_: SourceFile) -> Depth:
    """What a file imports, and where it builds."""
    return Depth.HEADER


def outlined(file: SourceFile) -> Depth:
    """What a file declares; all of it where it may be one platform's own, because what its functions do then counts."""
    own = suffix_tags(file.path.rpartition("/")[2]) or any(word in file.content for word in _CONSTRAINTS)
    return Depth.WHOLE if own else Depth.OUTLINE


def of_a_table(file: SourceFile) -> Depth:
    """For the table of one revision: tests say nothing in it."""
    return Depth.HEADER if file.path.endswith("_test.go") else outlined(file)


def of_a_record(file: SourceFile) -> Depth:
    """For what is kept of one revision beside its table: of tests, what they declare."""
    return Depth.OUTLINE if file.path.endswith("_test.go") else outlined(file)


def of_a_change(base: Snapshot, head: Snapshot) -> DepthOf:
    """For a comparison: what differs is read as a whole."""
    before, after = ({file.blob for file in snapshot.files.values()} for snapshot in (base, head))
    changed = before ^ after
    return lambda file: Depth.WHOLE if file.blob in changed else outlined(file)


def read_all(wanted: Mapping[str, Wanted], share: Share = in_turn) -> dict[str, Facts]:
    """Read blobs. What is left when too much of it was no Go is not read, and says so."""
    return _within_budget(wanted, lambda _, want: syntax.read(want.content, want.depth), share)


def _remembering(wanted: Mapping[str, Wanted]) -> dict[str, Facts]:
    return _within_budget(wanted, lambda blob, want: _read(_Blob(blob, want.content), want.depth))


def _within_budget(
    wanted: Mapping[str, Wanted], read: Callable[[str, Wanted], Facts], share: Share = in_turn
) -> dict[str, Facts]:
    broken = 0

    def cautiously(blob: str) -> Facts:
        nonlocal broken
        facts = read(blob, wanted[blob]) if broken <= MAX_BROKEN_BYTES else UNREAD
        if facts.broken_line is not None:
            broken += len(wanted[blob].content)
        return facts

    found = dict(zip(wanted, share(cautiously, [*wanted], Facts), strict=True))
    # Whoever had a share of it knew the budget of that share alone.
    broken = 0
    for blob, facts in found.items():
        if broken > MAX_BROKEN_BYTES:
            found[blob] = UNREAD
        elif facts.broken_line is not None:
            found[blob] = read(blob, wanted[blob]) if facts == UNREAD else facts
            broken += len(wanted[blob].content)
    return found


class _Blob:
    """A cache key: git's object id stands for the content."""

    __slots__ = ("content", "id")

    def __init__(self, blob: str, content: bytes) -> None:
        self.id = blob
        self.content = content

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Blob) and self.id == other.id


@lru_cache(maxsize=CACHED_FILES)
def _read(blob: _Blob, depth: Depth) -> Facts:
    return syntax.read(blob.content, depth)
