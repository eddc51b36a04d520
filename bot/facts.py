"""What is known of blobs from before: facts by git's object id, in memory and in a file that all processes share."""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
from cachetools import LRUCache

from analyzer import constraint, grammar, outline, syntax
from analyzer.model import Share, in_turn
from analyzer.reading import Wanted, read_all
from analyzer.syntax import UNREAD, Facts

# Two revisions of a large repository (moby has 2,200 Go files outside vendor); about 1 KB each.
KEPT_IN_MEMORY = 16_384
# About 1 KB a file again: what some tens of large repositories have. Half is dropped when there is more.
MAX_STORE_BYTES = 64 * 1024 * 1024
# Seconds to wait for another process that writes; without an answer the blobs are simply read again.
STORE_WAIT = 1.0
# A store of another version is of no use, but its process may still run.
STALE_AFTER = 24 * 3600.0
# SQLite's limit on variables was 999 for long.
_BATCH = 900

_decoder = msgspec.msgpack.Decoder(Facts)
_encoder = msgspec.msgpack.Encoder()


class FactsStore:
    """A reader for the analyzer that asks itself first. It may be shared by threads, and its file by processes.

    Whatever is wrong with the file, the answer is right: then blobs are read again.

    Args:
        folder: where the file is kept; None for memory alone.
        share: what reads blobs that are not known.
    """

    def __init__(self, folder: Path | None, share: Share = in_turn) -> None:
        self._path = folder / f"facts-{_version()}.sqlite" if folder is not None else None
        self._share = share
        self._memory: LRUCache[str, Facts] = LRUCache(KEPT_IN_MEMORY)
        self._lock = threading.Lock()

    def __call__(self, wanted: Mapping[str, Wanted]) -> Mapping[str, Facts]:
        """The facts of blobs (`analyzer.reading.Reader`)."""
        with self._lock:
            known = {blob: self._memory[blob] for blob in wanted if blob in self._memory}
        found = {blob: facts for blob, facts in known.items() if facts.depth >= wanted[blob].depth}
        unknown = [blob for blob in wanted if blob not in found]
        if unknown:
            stored = self._load(unknown)
            found |= {blob: facts for blob, facts in stored.items() if facts.depth >= wanted[blob].depth}
            new = read_all({blob: want for blob, want in wanted.items() if blob not in found}, self._share)
            found |= new
            self._save({blob: facts for blob, facts in new.items() if facts is not UNREAD})
        with self._lock:
            self._memory.update({blob: facts for blob, facts in found.items() if facts is not UNREAD})
        return found

    def _load(self, blobs: list[str]) -> dict[str, Facts]:
        found: dict[str, Facts] = {}
        with self._open() as store:
            if store is None:
                return found
            for start in range(0, len(blobs), _BATCH):
                batch = blobs[start : start + _BATCH]
                marks = ",".join("?" * len(batch))
                for blob, data in store.execute(f"SELECT blob, facts FROM facts WHERE blob IN ({marks})", batch):  # noqa: S608 - question marks only
                    with suppress(msgspec.DecodeError, RecursionError):
                        found[blob] = _decoder.decode(data)
        return found

    def _save(self, new: Mapping[str, Facts]) -> None:
        rows: list[tuple[str, bytes]] = []
        for blob, facts in new.items():
            with suppress(RecursionError, UnicodeEncodeError):  # a constraint may hold bytes that are no text
                rows.append((blob, _encoder.encode(facts)))
        with self._open() as store:
            if store and rows:
                store.executemany("INSERT OR REPLACE INTO facts (blob, facts) VALUES (?, ?)", rows)
                _bound(store)
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
        if self._path is None:
            return None
        try:
            if not self._path.exists():
                self._make_room(self._path)
            store = sqlite3.connect(self._path, timeout=STORE_WAIT)
        except (OSError, sqlite3.Error):
            return None
        try:
            store.execute("PRAGMA journal_mode=WAL")
            store.execute("PRAGMA synchronous=OFF")  # what a crash loses is read again
            store.execute("CREATE TABLE IF NOT EXISTS facts (id INTEGER PRIMARY KEY, blob TEXT UNIQUE, facts BLOB)")
        except sqlite3.Error as error:
            store.close()
            self._give_up(error)
            return None
        return store

    def _give_up(self, error: sqlite3.Error) -> None:
        """Busy, read-only and a full disk pass; a file that is damaged is removed."""
        if self._path is not None and not isinstance(error, sqlite3.OperationalError):
            for name in (self._path, *self._path.parent.glob(f"{self._path.name}-*")):
                with suppress(OSError):
                    name.unlink()

    @staticmethod
    def _make_room(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob("facts-*.sqlite*"):
            with suppress(OSError):
                if time.time() - old.stat().st_mtime > STALE_AFTER:
                    old.unlink()


def _bound(store: sqlite3.Connection) -> None:
    """Drop the older half when there is too much."""
    [[pages]], [[free]], [[size]] = (
        store.execute(f"PRAGMA {what}").fetchall() for what in ("page_count", "freelist_count", "page_size")
    )
    if (pages - free) * size > MAX_STORE_BYTES:
        store.execute(
            "DELETE FROM facts WHERE id <= (SELECT id FROM facts ORDER BY id LIMIT 1 OFFSET (SELECT COUNT(*) / 2 FROM facts))"
        )


def _version() -> str:
    """Tells stores apart whose facts mean something else: by the code that reads them, and by the grammar."""
    sources = b"\0".join(Path(module.__file__ or "").read_bytes() for module in (constraint, grammar, outline, syntax))
    return hashlib.sha256(sources + repr(grammar.GO.semantic_version).encode()).hexdigest()[:16]
