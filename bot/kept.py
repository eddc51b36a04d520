"""Bytes by name, in a file that all processes share. Whatever is wrong with the file, nothing fails: it is asked in vain.

SQLite in a cache folder: bounded, made anew when it is damaged, one file for each version of what its bytes mean.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

# Seconds to wait for another process that writes; without an answer what is kept is simply made again.
STORE_WAIT = 1.0
# A file of another version is of no use, but its process may still run.
STALE_AFTER = 24 * 3600.0
# SQLite's limit on variables was 999 for long.
_BATCH = 900


class Kept:
    """One such file.

    Args:
        folder: where it is; None for nowhere: nothing is kept.
        kind: what is kept, as the file's name says it.
        version: what tells files apart whose bytes mean something else.
        most: bytes beyond which the older half is dropped.
    """

    def __init__(self, folder: Path | None, kind: str, version: str, most: int) -> None:
        self._kind = kind
        self._most = most
        self.path = folder / f"{kind}-{version}.sqlite" if folder is not None else None

    def load(self, names: Iterable[str]) -> dict[str, bytes]:
        """What is kept under some names."""
        wanted, found = [*names], dict[str, bytes]()
        with self._open() as store:
            if store is None:
                return found
            for start in range(0, len(wanted), _BATCH):
                batch = wanted[start : start + _BATCH]
                marks = ",".join("?" * len(batch))
                found.update(store.execute(f"SELECT name, data FROM kept WHERE name IN ({marks})", batch))  # noqa: S608 - question marks only
        return found

    def save(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Keep something under each name."""
        new = [*rows]
        if not new:
            return
        with self._open() as store:
            if store:
                store.executemany("INSERT OR REPLACE INTO kept (name, data) VALUES (?, ?)", new)
                self._bound(store)
                store.commit()

    def drop(self, prefix: str) -> None:
        """Forget what is kept under names that begin so."""
        if self.path is None or not self.path.exists():
            return
        with self._open() as store:
            if store:
                store.execute("DELETE FROM kept WHERE substr(name, 1, ?) = ?", (len(prefix), prefix))
                store.commit()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """The file, made where there is none; None where that fails. What goes wrong inside is swallowed."""
        store = self._connect()
        if store is None:
            yield None
            return
        try:
            with closing(store):
                yield store
        except sqlite3.Error as error:
            self._give_up(error)

    def _connect(self) -> sqlite3.Connection | None:
        if self.path is None:
            return None
        try:
            if not self.path.exists():
                self._make_room(self.path)
            store = sqlite3.connect(self.path, timeout=STORE_WAIT)
        except (OSError, sqlite3.Error):
            return None
        try:
            store.execute("PRAGMA journal_mode=WAL")
            store.execute("PRAGMA synchronous=OFF")  # what a crash loses is made again
            store.execute("CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB)")
        except sqlite3.Error as error:
            store.close()
            self._give_up(error)
            return None
        return store

    def _give_up(self, error: sqlite3.Error) -> None:
        """Busy, read-only and a full disk pass; a file that is damaged is removed."""
        if self.path is not None and not isinstance(error, sqlite3.OperationalError):
            for name in (self.path, *self.path.parent.glob(f"{self.path.name}-*")):
                with suppress(OSError):
                    name.unlink()

    def _make_room(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in path.parent.glob(f"{self._kind}-*.sqlite*"):
            with suppress(OSError):
                if time.time() - old.stat().st_mtime > STALE_AFTER:
                    old.unlink()

    def _bound(self, store: sqlite3.Connection) -> None:
        """Drop the older half when there is too much."""
        [[pages]], [[free]], [[size]] = (
            store.execute(f"PRAGMA {what}").fetchall() for what in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > self._most:
            store.execute(
                "DELETE FROM kept WHERE id <= (SELECT id FROM kept ORDER BY id LIMIT 1 OFFSET (SELECT COUNT(*) / 2 FROM kept))"
            )
