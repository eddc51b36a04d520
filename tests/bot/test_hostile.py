"""Repositories that nobody makes in good faith, through the whole line: each costs one job, and is answered honestly."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ObjectType

import tests.bot.line
from bot.ids import Sha
from tests.analyzer.hostile import SOURCES
from tests.bot.line import LOST, NAME, Line

FILE, LINK, FOLDER = b"100644", b"120000", b"40000"
Entry = tuple[bytes, bytes, str]
UNCHANGED = "Windows: unchanged"
RAN = Path(tempfile.gettempdir()) / f"winparity-{os.getpid()}-ran"


class Store:
    """Objects as they are given, valid or not."""

    def __init__(self, folder: Path, base: Sha) -> None:
        self._repo = pygit2.Repository(str(folder))
        self.base = base
        self.ordinary = [
            (b"%o" % int(entry.filemode), entry.raw_name or b"", str(entry.id))
            for entry in self._repo[base].peel(pygit2.Tree)
        ]

    def blob(self, content: bytes) -> str:
        return str(self._repo.odb.write(ObjectType.BLOB, content))

    def tree(self, *entries: Entry) -> str:
        lines = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
        return str(self._repo.odb.write(ObjectType.TREE, lines))

    def head(self, *entries: Entry, message: bytes = b"x") -> Sha:
        """A commit on the base that has these beside what the base has."""
        names = {name for _, name, _ in entries}
        both = [*(entry for entry in self.ordinary if entry[1] not in names), *entries]
        tree = self.tree(*sorted(both, key=lambda entry: entry[1] + (b"/" if entry[0] == FOLDER else b"")))
        who = b"x <x@example.com> 1700000000 +0000"
        text = b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\n" % (tree.encode(), self.base.encode(), who, who)
        return Sha(str(self._repo.odb.write(ObjectType.COMMIT, text + message)))


def _nested(store: Store, depth: int, width: int) -> Sha:
    """Folders in folders; of some objects there are as many paths as width to the power of depth."""
    tree = store.tree((FILE, b"x.go", store.blob(b"package x\n")))
    for _ in range(depth):
        tree = store.tree(*((FOLDER, b"d%02d" % number, tree) for number in range(width)))
    return store.head((FOLDER, b"bomb", tree))


def _many(store: Store, count: int) -> Sha:
    blob = store.blob(b"package x\n")
    return store.head((FOLDER, b"many", store.tree(*((FILE, b"x%07d.go" % n, blob) for n in range(count)))))


def _file(store: Store, name: bytes, content: bytes) -> Sha:
    return store.head((FOLDER, b"x", store.tree((FILE, name, store.blob(content)))))


def _loops(store: Store) -> Sha:
    names = {b"a.go": b"b.go", b"b.go": b"a.go", b"dir": b".", b"up.go": b"../../../../etc/passwd"}
    links = [(LINK, name, store.blob(target)) for name, target in sorted(names.items())]
    return store.head((FOLDER, b"x", store.tree(*links)))


def _names(store: Store, *names: bytes) -> Sha:
    inner = store.tree((FILE, b"x.go", store.blob(b"package x\n")))
    return store.head((FOLDER, b"x", store.tree(*((FOLDER, name, inner) for name in names))))


def _settings(store: Store, content: bytes) -> Sha:
    return store.head((FOLDER, b".github", store.tree((FILE, b"winparity.yml", store.blob(content)))))


def _runs_something(store: Store) -> Sha:
    """What makes git run something in a work tree that trusts it."""
    ran = b"touch " + os.fsencode(RAN)
    files = {
        b".gitattributes": b"* filter=x diff=x merge=x textconv=x\n",
        b".gitconfig": b'[filter "x"]\n\tsmudge = %s\n\tprocess = %s\n[core]\n\tfsmonitor = %s\n' % (ran, ran, ran),
        b".gitmodules": b'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c %s\n\tupdate = !%s\n' % (ran, ran),
        b"config": b"[core]\n\tsshCommand = %s\n\thooksPath = hooks\n" % ran,
        b"HEAD": b"ref: refs/heads/main\n",
    }
    hook = store.tree((b"100755", b"post-checkout", store.blob(b"#!/bin/sh\n" + ran)))
    entries = [(FILE, name, store.blob(content)) for name, content in sorted(files.items())]
    return store.head(*entries, (FOLDER, b"hooks", hook), (FOLDER, b"objects", hook), (FOLDER, b"refs", hook))


YAML_BOMB = b"a: &a [x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (n, n, b", ".join([b"*%c" % (n - 1)] * 9)) for n in range(98, 110)
)

HOSTILE: dict[str, tuple[Callable[[Store], Sha], str]] = {
    "folders that hold each other": (lambda store: _nested(store, 12, 10), "more than 1,000,000 files and folders"),
    "folders without an end": (lambda store: _nested(store, 2_000, 1), "nested deeper than 100"),
    "a folder of very many files": (lambda store: _many(store, 90_000), "more than 80,000 Go files"),
    "a folder of many files": (lambda store: _many(store, 41_000), "beyond the first 40,000 Go files"),
    "a file of zeros": (lambda store: _file(store, b"zeros.go", bytes(100 * 1024**2)), "zeros.go`: larger than 2 MiB"),
    "a name without an end": (lambda store: _file(store, b"n" * 5_000_000 + b".go", b"package x\n"), "cannot be read"),
    "links in a circle": (_loops, "a symbolic link"),
    "names that lead out": (lambda store: _names(store, b".", b"..", b".git"), "git takes it for malformed"),
    "names as Windows has them": (
        lambda store: _names(store, b".git\\x", b"git~1", b".GIT"),
        "git takes it for malformed",
    ),
    "one name twice": (lambda store: _names(store, b"a", b"a"), "git takes it for malformed"),
    "settings of zeros": (lambda store: _settings(store, bytes(100 * 1024**2)), "larger than 256 KiB"),
    "settings that multiply": (lambda store: _settings(store, YAML_BOMB), "more than 20,000 values"),
    "a message without an end": (lambda store: store.head(message=b"m" * 50_000_000), UNCHANGED),
    "what git might run": (_runs_something, UNCHANGED),
    "source that does not end": (
        lambda store: _file(store, b"x.go", SOURCES["open back quotes"](100_000)),
        "not Go from line",
    ),
}
"""By name: what makes a head, and what the check run says of it."""


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_repository_costs_one_job(line: Line, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests.bot.line, "PATIENCE", 240.0)  # of a busy machine
    make, words = HOSTILE[name]
    head = await asyncio.to_thread(lambda: make(Store(line.repository.git_dir, line.fork_point)))
    pull = line.github.open_pull(NAME, "main", head)
    ordinary = await line.open(LOST)
    assert await line.send("opened", pull) == 202
    await line.hear("opened", ordinary)
    [run] = line.runs(head)
    assert words in str(run["output"])
    assert run["conclusion"] == ("success" if words == UNCHANGED else "neutral")
    assert line.ours(pull) == []
    assert len(line.ours(ordinary)) == 1, "the next one is as ever"
    assert not RAN.exists()
