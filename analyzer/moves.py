"""Which files and directories of base go on under another name at head, be it that they were vendored before."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from analyzer.model import Around, Snapshot
from analyzer.symbols import Package, directory

# Half of the lines in common makes a rename, as git has it by default (git-diff, -M50%).
RENAME_SIMILARITY = 0.5
# Beyond this many pairs only files that keep their base name or their content are paired.
MAX_COMPARED_PAIRS = 10_000


def origins(base: Snapshot, head: Snapshot, vendored: Mapping[str, Collection[str]]) -> frozenset[str]:
    """The vendored directories of base that new ones of head may have come from: of the same name, with much the same files.

    Args:
        base: the merge base.
        head: the pull request's head.
        vendored: the names of the Go files of each vendored directory of base.
    """
    old = {directory(path) for path in base.files}
    new: dict[str, list[set[str]]] = defaultdict(list)
    for where, names in _names(path for path in head.files if directory(path) not in old).items():
        new[_last(where)].append(names)
    return frozenset(
        where
        for where, names in vendored.items()
        if any(2 * len(theirs.intersection(names)) >= len(theirs) for theirs in new.get(_last(where), ()))
    )


def with_origins(base: Snapshot, around: Around | None) -> Snapshot:
    """Base with the vendored packages that the project may have made its own."""
    if around is None or not around.origins.files:
        return base
    return replace(base, files={**base.files, **around.origins.files})


def _names(paths: Iterable[str]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        found[directory(path)].add(_last(path))
    return found


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def renames_of(base: Snapshot, head: Snapshot) -> dict[str, str]:
    """From each new path to the path that it had at base."""
    gone = [base.files[p] for p in sorted(base.files.keys() - head.files.keys())]
    come = [head.files[p] for p in sorted(head.files.keys() - base.files.keys())]
    pairs: list[tuple[float, str, str]] = []
    lines = {f.path: Counter(f.content.splitlines()) for f in (*gone, *come)} if gone and come else {}
    few = len(gone) * len(come) <= MAX_COMPARED_PAIRS
    for new in come:
        for old in gone:
            same_name = _last(old.path) == _last(new.path)
            if old.path.endswith("_test.go") != new.path.endswith("_test.go"):
                continue
            if old.blob == new.blob or few or same_name:
                likeness = 2.0 if old.blob == new.blob else _likeness(lines[old.path], lines[new.path])
                pairs.append((likeness + same_name / 100, new.path, old.path))
    renames: dict[str, str] = {}
    for likeness, path, was in sorted(pairs, reverse=True):
        if likeness >= RENAME_SIMILARITY and path not in renames and was not in renames.values():
            renames[path] = was
    return renames


def _likeness(old: Counter[bytes], new: Counter[bytes]) -> float:
    """The bytes in lines that both have, as a share of the larger file (git's measure)."""
    size = max(_bytes(old), _bytes(new))
    return _bytes(old & new) / size if size else 0.0


def _bytes(lines: Counter[bytes]) -> int:
    return sum(len(line) * count for line, count in lines.items())


def moved_directories(
    old: Mapping[str, Package], new: Mapping[str, Package], renames: Mapping[str, str]
) -> dict[str, str]:
    """From a directory that is gone to the new one that most of its files went to."""
    votes: dict[str, Counter[str]] = {}
    for path, was in renames.items():
        if directory(was) not in new and directory(path) not in old:
            votes.setdefault(directory(was), Counter())[directory(path)] += 1
    moved: dict[str, str] = {}
    for was, targets in sorted(votes.items()):
        where, _ = targets.most_common(1)[0]
        if where not in moved.values():
            moved[was] = where
    return moved
