"""Mirrors that are damaged, whose git was killed, or whose disk is full: they heal, once, and say what is the matter."""

import asyncio
import errno
import gc
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import bot.analysis
import bot.git
from bot import shelf
from bot.analysis import Task
from bot.children import Places
from bot.config import Settings
from bot.demo.github import StandIn
from bot.demo.sample import git
from bot.git import FullError, MissingError, SourceError, TooLargeError, UnreachableError
from bot.github import Installation
from bot.ids import Repo, Sha
from bot.mirrors import Mirror
from bot.source import LocalRepository
from tests.bot.conftest import Made, Template, analysed, gits

AWAY = Sha("0123456789abcdef0123456789abcdef01234567")


# What heals.


def _become(file: Path, content: bytes) -> None:
    """Another file of the same name: what others have mapped stays as it is."""
    file.unlink()
    file.write_bytes(content)


def _cut(file: Path, rest: int = 2) -> None:
    content = file.read_bytes()
    _become(file, content[: len(content) // rest])


def _spoil(file: Path) -> None:
    content = file.read_bytes()
    _become(file, content[:12] + bytes(255 - byte for byte in content[12:-20]) + content[-20:])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "packs cut short": lambda mirror: [*map(_cut, mirror.glob("objects/pack/*.pack"))],
    "packs of nothing": lambda mirror: [_become(pack, b"") for pack in mirror.glob("objects/pack/*.pack")],
    "packs of garbage": lambda mirror: [*map(_spoil, mirror.glob("objects/pack/*.pack"))],
    "indexes of garbage": lambda mirror: [*map(_spoil, mirror.glob("objects/pack/*.idx"))],
    "no packs": lambda mirror: [pack.unlink() for pack in mirror.glob("objects/pack/*.pack")],
    "no indexes": lambda mirror: [index.unlink() for index in mirror.glob("objects/pack/*.idx")],
    "no objects": lambda mirror: shutil.rmtree(mirror / "objects"),
    "an empty HEAD": lambda mirror: (mirror / "HEAD").write_text(""),
    "no configuration": lambda mirror: (mirror / "config").write_text("half [[["),
    "a list of garbage": lambda mirror: (mirror / "shallow").write_text("half\n"),
    "an empty folder": lambda mirror: [shutil.rmtree(mirror), mirror.mkdir()],
}


@pytest.mark.usefixtures("pull")
@pytest.mark.parametrize("newer", ["", "a newer head"])
@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_damaged_mirror_is_made_anew(
    settings: Settings, installation: Installation, template: Template, damage: str, newer: str
) -> None:
    places, token = Places.of(settings), await installation.token()
    task = Task(installation.repo, template.fork_point, template.change)
    whole = await asyncio.to_thread(bot.analysis._compare, places, task, token)
    gc.collect()  # libgit2 knows a pack by its name as long as anything refers to it
    DAMAGE[damage](places.mirrors / "example" / "berth.git")
    if newer:
        task = Task(installation.repo, template.fork_point, template.other)
    found = await asyncio.to_thread(bot.analysis._compare, places, task, token)
    assert (found.analysis == whole.analysis) != bool(newer)
    assert found.go


@pytest.mark.usefixtures("pull")
async def test_what_stays_damaged_is_made_anew_once(
    settings: Settings, installation: Installation, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Repo] = []

    def remove(_: Path, repo: Repo) -> bool:
        removed.append(repo)
        return True

    def lost(*_: object) -> None:
        raise MissingError("it is damaged")

    monkeypatch.setattr(shelf, "remove", remove)
    monkeypatch.setattr(Mirror, "snapshots", lost)
    places, task = Places.of(settings), Task(installation.repo, template.fork_point, template.change)
    with pytest.raises(MissingError):
        await asyncio.to_thread(bot.analysis._compare, places, task, await installation.token())
    assert removed == [installation.repo]


def test_a_folder_in_another_repository_is_not_taken_for_one(tmp_path: Path, template: Template) -> None:
    git(tmp_path, "clone", "--quiet", str(template.folder), "outer")
    (tmp_path / "outer/mirrors/a/b.git").mkdir(parents=True)
    with pytest.raises(MissingError):
        Mirror(tmp_path / "outer/mirrors", Repo("a/b"), "http://127.0.0.1:1")
    mirror = Mirror(tmp_path / "outer/mirrors", Repo("a/c"), "http://127.0.0.1:1")
    (mirror.path / "HEAD").unlink()
    assert b"not a git repository" in mirror._remote("rev-parse", "--git-dir").stderr


@pytest.mark.slow
@pytest.mark.usefixtures("pull")
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="git is found by /proc")
@pytest.mark.parametrize("part", ["GET /example/berth.git/info/refs", "POST /example/berth.git/git-upload-pack"])
async def test_a_fetch_whose_git_is_killed_in_the_middle_fails_and_the_next_is_as_ever(
    mirror_of: Made, standin: StandIn, template: Template, part: str
) -> None:
    killed: list[int] = []

    def kill(method: str, path: str) -> None:
        if f"{method} {path}" == part and not killed:
            killed.extend(gits(standin.url))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    standin.on_call, standin.latency = kill, 0.05
    mirror = await mirror_of()
    with pytest.raises(UnreachableError):
        await asyncio.to_thread(mirror.fetch, template.fork_point, template.change, 1)
    assert killed
    found = await asyncio.to_thread(analysed, await mirror_of(), template.fork_point, template.change)
    assert found == LocalRepository(template.folder).snapshots(template.fork_point, template.change)


# What git says, and what it means.

SAID: list[tuple[str, type[SourceError], str]] = [
    ("fatal: write error: No space left on device", FullError, "the disk is full"),
    ("error: index-pack died of signal 25\nfatal: index-pack failed", TooLargeError, "MiB"),
    ("fatal: Out of memory, malloc failed (tried to allocate 1 bytes)", TooLargeError, "memory"),
    ("error: cannot create async thread: Resource temporarily unavailable", TooLargeError, "memory"),
    ("error: index-pack died of signal 24", TooLargeError, "time"),
    ("error: object 1: hasDot: contains '.'\nfatal: fsck error in packed object", SourceError, "malformed"),
    ("fatal: unable to access 'x': The requested URL returned error: 302", SourceError, "somewhere else"),
    ("fatal: not a git repository: '.'", MissingError, "damaged"),
    ("remote: fatal: Out of memory, malloc failed", UnreachableError, "remote: "),
    ("fatal: remote error: packet: No space left on device", UnreachableError, "remote error"),
    ("fatal: unable to access 'x': Could not resolve host: x", UnreachableError, "resolve"),
    ("error: RPC failed; HTTP 502 curl 22\nfatal: early EOF\nfatal: index-pack failed", UnreachableError, "502"),
]


@pytest.mark.parametrize(("said", "kind", "words"), SAID)
def test_what_git_says_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[SourceError], words: str
) -> None:
    mirror = Mirror(tmp_path, Repo("a/b"), "http://127.0.0.1:1")
    (tmp_path / "git").write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(kind, match=words) as error:
        mirror.fetch(AWAY, AWAY)
    assert type(error.value) is kind


@pytest.mark.usefixtures("pull")
async def test_on_a_full_disk_room_is_made_and_it_is_tried_once_more(
    settings: Settings, installation: Installation, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, full = shutil.which("git"), tmp_path / "full"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    refusal = "fatal: write error: No space left on device"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *fetch*) if [ -e "{full}" ]; then echo "{refusal}" >&2; exit 128; fi;; esac\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    places, task = Places.of(settings), Task(installation.repo, template.fork_point, template.change)
    Mirror(places.mirrors, Repo("old/one"), settings.git_url).close()
    full.write_text("")

    def halve(folder: Path) -> int:
        full.unlink()
        return halved(folder)

    halved = shelf.halve
    monkeypatch.setattr(shelf, "halve", halve)
    assert (await asyncio.to_thread(bot.analysis._compare, places, task, await installation.token())).go
    assert [path.name for path in places.mirrors.glob("[!.]*/*")] == ["berth.git"], "the one that nobody uses went"
    full.write_text("")
    monkeypatch.setattr(shelf, "halve", halved)
    task = Task(installation.repo, template.fork_point, template.other)
    with pytest.raises(FullError, match="the disk is full"):
        await asyncio.to_thread(bot.analysis._compare, places, task, await installation.token())


def test_a_disk_that_has_no_room_for_a_clone_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "mkdir", full)
    with pytest.raises(FullError, match="the disk is full"):
        Mirror(tmp_path / "x", Repo("a/b"), "http://127.0.0.1:1")
