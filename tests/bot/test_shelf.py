"""The shelf of mirrors: what is in use stays, what was not used for longest goes, whatever process uses it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from bot import shelf
from bot.ids import Repo
from bot.lock import locked
from bot.mirrors import Mirror

MIB = 1024 * 1024
SERVER = "http://127.0.0.1:1"
# A process that uses a mirror until its input ends.
USER = """
import sys
from pathlib import Path
from bot.ids import Repo
from bot.mirrors import Mirror
with Mirror(Path(sys.argv[1]), Repo(sys.argv[2]), "http://127.0.0.1:1"):
    print("uses it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mirrors"


@pytest.fixture
def keep(folder: Path) -> Callable[[str, int], Path]:
    """Puts a mirror of one MiB on the shelf, with the time when it was used last."""

    def keep(name: str, used: int) -> Path:
        with Mirror(folder, Repo(name), SERVER) as mirror:
            (mirror.path / "pack").write_bytes(os.urandom(MIB))
            shelf.measure(mirror.path)
        os.utime(mirror.path / shelf.USE, (used, used))
        return mirror.path

    return keep


@contextmanager
def _used(folder: Path, name: str) -> Iterator[None]:
    """Another process uses a mirror."""
    command = [sys.executable, "-c", USER, str(folder), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"uses it\n"
        yield
        process.stdin.close()


def _descriptors() -> list[int]:
    """Of all our open files of a mirror, the oldest first."""
    found = (int(link.name) for link in Path("/proc/self/fd").iterdir())
    return sorted(fd for fd in found if os.path.realpath(f"/proc/self/fd/{fd}").endswith(shelf.USE))


def _kept(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.glob("[!.]*/*"))


def test_those_that_were_not_used_for_longest_go(folder: Path, keep: Callable[[str, int], Path]) -> None:
    for name, used in (("a/newest", 40), ("a/oldest", 10), ("b/old", 20), ("b/newer", 30)):
        keep(name, used)
    assert shelf.make_room(folder, 100 * MIB, 0) == 0
    assert shelf.make_room(folder, int(2.5 * MIB), 0) == 2
    assert _kept(folder) == ["a/newest.git", "b/newer.git"]
    assert shelf.make_room(folder, 0, 0) == 2
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == [], "nor the owners' folders"


def test_one_that_another_process_uses_stays(folder: Path, keep: Callable[[str, int], Path]) -> None:
    keep("a/busy", 10)
    keep("a/idle", 20)
    with _used(folder, "a/busy"):
        assert shelf.make_room(folder, 0, 0) == 1
        assert _kept(folder) == ["a/busy.git"]
    assert shelf.make_room(folder, 0, 0) == 1
    assert _kept(folder) == []


def test_one_that_somebody_fetches_into_stays(folder: Path, keep: Callable[[str, int], Path]) -> None:
    with locked(keep("a/busy", 10) / shelf.FETCH):  # by a git that outlived its worker
        assert shelf.make_room(folder, 0, 0) == 0
    assert shelf.make_room(folder, 0, 0) == 1


def test_using_one_makes_it_the_newest(folder: Path, keep: Callable[[str, int], Path]) -> None:
    keep("a/one", 10)
    keep("a/two", 20)
    Mirror(folder, Repo("a/one"), SERVER).close()
    assert shelf.make_room(folder, int(1.5 * MIB), 0) == 1
    assert _kept(folder) == ["a/one.git"]


def test_somebody_looks_once_a_minute(folder: Path, keep: Callable[[str, int], Path]) -> None:
    keep("a/one", 10)
    assert shelf.make_room(folder, 100 * MIB) == 0
    assert shelf.make_room(folder, 0) == 0, "somebody has just looked"
    assert shelf.make_room(folder, 0, 0) == 1


def test_of_two_that_look_one_does_nothing(folder: Path, keep: Callable[[str, int], Path]) -> None:
    keep("a/one", 10)
    with locked(folder.parent / "mirrors.looked"):
        assert shelf.make_room(folder, 0, 0) == 0
    assert shelf.make_room(folder, 0, 0) == 1


def test_one_whose_size_nobody_noted_is_measured(folder: Path, keep: Callable[[str, int], Path]) -> None:
    path = keep("a/killed", 10)
    (path / shelf.USE).write_text("")
    os.utime(path / shelf.USE, (10, 10))
    keep("a/other", 20)
    assert shelf.make_room(folder, int(1.5 * MIB), 0) == 1
    assert _kept(folder) == ["a/other.git"]


def test_on_a_full_disk_half_of_it_goes(folder: Path, keep: Callable[[str, int], Path]) -> None:
    for number in range(4):
        keep(f"a/m{number}", number)
    assert shelf.halve(folder) == 2
    assert _kept(folder) == ["a/m2.git", "a/m3.git"]


@pytest.mark.parametrize(("packs", "used", "goes"), [(51, False, True), (51, True, False), (50, False, False)])
def test_one_with_many_packs_goes_when_nobody_uses_it(folder: Path, packs: int, *, used: bool, goes: bool) -> None:
    with Mirror(folder, Repo("a/many"), SERVER) as mirror:
        for number in range(packs):
            (mirror.path / "objects" / "pack" / f"pack-{number}.pack").touch()
    with _used(folder, "a/many") if used else nullcontext():
        assert shelf.renew(folder, Repo("a/many")) is goes
    assert _kept(folder) == ([] if goes else ["a/many.git"])


def test_removing_one_waits_for_those_who_use_it(folder: Path, keep: Callable[[str, int], Path]) -> None:
    keep("a/one", 10)
    removing = threading.Thread(target=shelf.remove, args=(folder, Repo("a/one")))
    with _used(folder, "a/one"):
        removing.start()
        removing.join(0.2)
        assert _kept(folder) == ["a/one.git"]
    removing.join(10)
    assert _kept(folder) == []
    assert not shelf.remove(folder, Repo("a/one"))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="who waits is seen by /proc")
def test_whoever_comes_while_one_is_removed_gets_a_new_one(folder: Path, keep: Callable[[str, int], Path]) -> None:
    path = keep("a/one", 10)
    made: list[Mirror] = []
    with locked(path / shelf.USE):
        entering = threading.Thread(target=lambda: made.append(Mirror(folder, Repo("a/one"), SERVER)))
        entering.start()
        until = time.monotonic() + 10
        while not any(os.path.samestat(os.fstat(fd), (path / shelf.USE).stat()) for fd in _descriptors()[1:]):
            assert time.monotonic() < until
            time.sleep(0.01)
        path.rename(folder / "elsewhere")
        Mirror(folder, Repo("a/one"), SERVER).close()  # somebody else was faster
    entering.join(10)
    assert [mirror.path for mirror in made] == [path]
    assert not (path / "pack").exists()
    assert shelf.make_room(folder, 0, 0) == 0, "the new one is in use"


def test_what_was_left_by_those_who_were_killed_goes(folder: Path, keep: Callable[[str, int], Path]) -> None:
    keep("a/one", 10)
    for name in (".gone/x/mirror", ".new/old/mirror", ".new/young/mirror"):
        (folder / name).mkdir(parents=True)
    os.utime(folder / ".new/old", (10, 10))
    shelf.make_room(folder, 100 * MIB, 0)
    left = [str(path.relative_to(folder)) for path in folder.glob(".*/*")]
    assert left == [".new/young"], "somebody may be making that one"
    assert _kept(folder) == ["a/one.git"]


def test_no_repository_is_called_like_what_is_being_removed(folder: Path, keep: Callable[[str, int], Path]) -> None:
    for name in ("a/.gone-one", "a/.gone", "a/.new", "a/..git", "a/one"):
        keep(name, 10)
    shelf.remove(folder, Repo("a/one"))
    assert len(_kept(folder)) == 4


def test_others_on_the_machine_cannot_read_it(folder: Path) -> None:
    before = os.umask(0)
    try:
        Mirror(folder, Repo("a/one"), SERVER).close()
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o077 == 0
