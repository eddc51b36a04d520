"""The shelf of mirrors: which are in use, what they take on disk, and which go when there is no room for more.

Whoever uses a mirror shares a lock on a file in it, so the processes of one machine know of each other. What a mirror
took at its last fetch stands in that file, and when it was used last is the file's time. Each machine has its own shelf.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bot.ids import Repo
from bot.lock import POLL, take

USE, FETCH = "winparity.use", "winparity.lock"
# No owner's name begins with a dot, so these are no owner's: mirrors that are begun, and those that are going.
_NEW, _GONE = ".new", ".gone"
# Seconds between two looks at all mirrors, and after which one that was begun has been given up.
LOOK_EVERY = 60.0
GIVEN_UP = 3600.0
# Packs of a mirror, as many as git itself bears (gc.autoPackLimit). Each fetch brings one, with all trees of a commit, and
# each costs whoever opens the mirror a file and two mappings.
MAX_PACKS = 50


def enter(path: Path, make: Callable[[], None]) -> int:
    """Begin to use a mirror. It is not removed until the descriptor that is returned is closed.

    Args:
        path: of the mirror.
        make: makes an empty one.
    """
    while True:
        if not path.exists():
            make()
        with suppress(FileNotFoundError):
            file = os.open(path / USE, os.O_RDWR | os.O_CREAT, 0o600)
            if not _shared(file, path):
                os.close(file)
                continue
            with suppress(OSError):
                os.utime(path / USE)
            return file


def _shared(file: int, path: Path) -> bool:
    """Wait for the lock; False when the mirror was removed meanwhile."""
    while not take(file, shared=True):
        time.sleep(POLL)
    return _is(file, path / USE)


def _is(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def begin(folder: Path) -> "tempfile.TemporaryDirectory[str]":
    """A folder beside the mirrors to make one in."""
    (folder / _NEW).mkdir(exist_ok=True, mode=0o700)
    return tempfile.TemporaryDirectory(dir=folder / _NEW)


def put(fresh: Path, path: Path) -> None:
    """Put a new mirror in its place, at once and whole; another worker may have been faster."""
    while not path.exists():
        path.parent.mkdir(exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):  # the owner's folder went with another mirror of his
            try:
                fresh.rename(path)
            except FileNotFoundError:
                raise
            except OSError:
                if not path.exists():
                    raise


def measure(path: Path) -> None:
    """Note what a mirror takes; whoever fetched into it does this."""
    taken = 0
    for where, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                found = (Path(where) / name).stat()
                taken += getattr(found, "st_blocks", -(-found.st_size // 512)) * 512
    (path / USE).write_text(str(taken), encoding="ascii")


def remove(folder: Path, repo: Repo) -> bool:
    """Remove a repository's mirror, when nobody uses it any more. Returns whether there was one.

    Args:
        folder: where mirrors live.
        repo: the repository.
    """
    _clear(folder)
    path = folder / f"{repo}.git"
    found = _take_away(folder, path, wait=True)
    with suppress(OSError):
        (folder / _GONE).rmdir()
    return found


def renew(folder: Path, repo: Repo) -> bool:
    """Remove a mirror of more than `MAX_PACKS`. Returns whether it is gone.

    The next job makes it anew, which costs the blobs once more: trees come with each fetch. One in use stays, and is
    looked at after its next fetch.

    Args:
        folder: where mirrors live.
        repo: the repository.
    """
    path = folder / f"{repo}.git"
    return sum(1 for _ in path.glob("objects/pack/*.pack")) > MAX_PACKS and _take_away(folder, path, wait=False)


def make_room(folder: Path, budget: int, every: float = LOOK_EVERY) -> int:
    """Remove those mirrors that were not used for longest, until all take no more than they may. Returns how many.

    One in use stays, whatever it takes. Of several processes one looks, and not all the time.

    Args:
        folder: where mirrors live.
        budget: bytes.
        every: seconds since somebody looked last; sooner nothing is done.
    """
    mark = folder.parent / f"{folder.name}.looked"
    with mark.open("a") as looking:
        if not take(looking.fileno()):
            return 0
        now, before = time.time(), mark.stat()
        if before.st_size and now - before.st_mtime < every:
            return 0
        mark.write_text(f"{now}\n", encoding="ascii")
        _clear(folder)
        return _evict(folder, budget)


def _evict(folder: Path, budget: int) -> int:
    known = sorted((_used(path), _taken(path), path) for path in folder.glob("[!.]*/*.git"))
    total, removed = sum(taken for _, taken, _ in known), 0
    for _, taken, path in known:
        if total <= budget:
            break
        if _take_away(folder, path, wait=False):
            total, removed = total - taken, removed + 1
    return removed


def halve(folder: Path) -> int:
    """Make room on a full disk: half of what the mirrors take. Returns how many were removed."""
    taken = sum(_taken(path) for path in folder.glob("[!.]*/*.git"))
    return make_room(folder, taken // 2, 0)


def _used(path: Path) -> float:
    try:
        return (path / USE).stat().st_mtime
    except OSError:
        return 0.0


def _taken(path: Path) -> int:
    """What a mirror took when somebody fetched into it last; one that was killed meanwhile did not say."""
    try:
        return int((path / USE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        with suppress(OSError):
            before = _used(path)
            measure(path)
            os.utime(path / USE, (before, before))
            return int((path / USE).read_text(encoding="ascii"))
        return 0


def _take_away(folder: Path, path: Path, *, wait: bool) -> bool:
    """Move a mirror out of everybody's sight, and remove it. Whoever waited for it finds that it is gone."""
    try:
        with (path / USE).open("a") as use, (path / FETCH).open("a") as fetch:
            for file in (use, fetch):  # a git that outlived its worker holds the second
                while not take(file.fileno()):
                    if not wait:
                        return False
                    time.sleep(POLL)
            if not _is(use.fileno(), path / USE):
                return False
            (folder / _GONE).mkdir(exist_ok=True, mode=0o700)
            gone = Path(tempfile.mkdtemp(dir=folder / _GONE))
            path.rename(gone / "mirror")
    except FileNotFoundError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    with suppress(OSError):
        path.parent.rmdir()  # the owner's, when it was the last
    return True


def _clear(folder: Path) -> None:
    """Remove what those left who were killed while they made or removed a mirror."""
    for path in folder.glob(f"{_GONE}/*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f"{_NEW}/*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > GIVEN_UP:
                shutil.rmtree(path, ignore_errors=True)
