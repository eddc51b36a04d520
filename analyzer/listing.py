"""Which files and symbols of each directory a GOOS gets: what `go list` would answer, for any number of systems."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analyzer import reading
from analyzer.files import builds
from analyzer.model import Platform, Snapshot
from analyzer.reading import Reader
from analyzer.symbols import directory
from analyzer.syntax import Facts


@dataclass(frozen=True, slots=True)
class DirectoryListing:
    """One directory: base names of files, and ``kind name`` of symbols, each by GOOS and sorted."""

    dir: str
    files: dict[str, list[str]]
    symbols: dict[str, list[str]]


def list_files(snapshot: Snapshot, systems: Sequence[str], reader: Reader | None = None) -> Iterator[DirectoryListing]:
    """A listing for each directory that has a .go file, sorted by directory.

    Args:
        snapshot: the revision.
        systems: values of GOOS; each is taken on amd64 with cgo on and without custom tags.
        reader: what reads the files.
    """
    by_dir: dict[str, list[str]] = defaultdict(list)
    for path in sorted(snapshot.files):
        by_dir[directory(path)].append(path)
    facts = reading.facts(snapshot.files.values(), reading.of_a_table, reader)
    for where, paths in sorted(by_dir.items()):
        files: dict[str, list[str]] = {}
        symbols: dict[str, list[str]] = {}
        for goos in systems:
            built = [p for p in paths if _builds(p, facts[p], Platform(goos))]
            files[goos] = sorted(p.rpartition("/")[2] for p in built)
            code = [facts[p] for p in built if not p.endswith("_test.go")]
            symbols[goos] = sorted({f"{d.kind} {d.name}" for f in code for d in f.declarations})
        yield DirectoryListing(where, files, symbols)


def _builds(path: str, facts: Facts, platform: Platform) -> bool:
    return builds(path.rpartition("/")[2], facts.constraint, platform, facts.package)
