"""The files of one revision of a repository, and its releases."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pygit2

_RELEASE = re.compile(r"(?:docker-)?v(\d+)\.(\d+)\.0(?:-ce)?")
_NOT_THE_PRODUCT = frozenset({"vendor", "testdata", "examples", "e2e", "test"})


class Source(NamedTuple):
    """A revision: its id, the day it was committed, and its files by path."""

    revision: str
    day: str
    files: dict[str, bytes]
    links: dict[str, str]
    """The revisions of its submodules by path."""


def read(repository: pygit2.Repository, rev: str, wanted: Callable[[str], bool]) -> Source:
    """A revision with the files whose paths are wanted."""
    commit = repository.revparse_single(rev).peel(pygit2.Commit)
    files, links = {}, {}
    for path, entry in _walk(commit.tree, ""):
        if entry.filemode == pygit2.enums.FileMode.COMMIT:
            links[path] = str(entry.id)
        elif wanted(path):
            files[path] = repository[entry.id].data
    day = dt.datetime.fromtimestamp(commit.commit_time, dt.UTC).date().isoformat()
    return Source(str(commit.id), day, files, links)


def _walk(tree: pygit2.Tree, prefix: str) -> Iterator[tuple[str, pygit2.Object]]:
    for entry in tree:
        path = f"{prefix}{entry.name}"
        if entry.filemode == pygit2.enums.FileMode.TREE:
            yield from _walk(entry, f"{path}/")
        else:
            yield path, entry


def open_repository(path: Path) -> pygit2.Repository:
    """A git directory, whoever owns it: it is only read."""
    pygit2.option(pygit2.enums.Option.SET_OWNER_VALIDATION, 0)
    return pygit2.Repository(str(path))


def releases(repository: pygit2.Repository, first: tuple[int, int]) -> list[tuple[str, str]]:
    """The x.y.0 releases from the first on, oldest first: the version as "v1.13.0", and the name of the tag."""
    found = {}
    for name in repository.listall_references():
        tag = name.removeprefix("refs/tags/")
        match = _RELEASE.fullmatch(tag) if tag != name else None
        if match and (version := (int(match[1]), int(match[2]))) >= first:
            found[version] = (tag.removeprefix("docker-"), name)
    return [found[version] for version in sorted(found)]


def go_file(path: str) -> bool:
    """Whether a path is of Go source that is neither a test nor somebody else's."""
    folders = path.split("/")[:-1]
    return path.endswith(".go") and not path.endswith("_test.go") and _NOT_THE_PRODUCT.isdisjoint(folders)
