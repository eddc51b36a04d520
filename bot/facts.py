"""What is known of blobs from before: facts by git's object id, in memory and in a file that all processes share.

Those of a private repository are kept under its name, too: they serve no other.
"""

import hashlib
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from cachetools import LRUCache

from analyzer import constraint, grammar, outline, syntax
from analyzer.model import Share, in_turn
from analyzer.reading import Reader, Wanted, read_all
from analyzer.syntax import UNREAD, Facts
from bot.ids import Repo
from bot.kept import Kept

# Two revisions of a large repository (moby has 2,200 Go files outside vendor); about 1 KB each.
KEPT_IN_MEMORY = 16_384
# About 1 KB a file again: what some tens of large repositories have. Half is dropped when there is more.
MAX_STORE_BYTES = 64 * 1024 * 1024
# What else a store's entries depend on: how they are named.
_LAYOUT = b"kept, private ones by repository"

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
        self._kept = Kept(folder, "facts", _version(), MAX_STORE_BYTES)
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

    def of(self, repo: Repo) -> Reader:
        """The same for one private repository: whether somebody else has a file it cannot tell, nor be told by."""

        def read(wanted: Mapping[str, Wanted]) -> Mapping[str, Facts]:
            found = self({f"{repo}:{blob}": want for blob, want in wanted.items()})
            return {blob: found[f"{repo}:{blob}"] for blob in wanted}

        return read

    def forget(self, repo: Repo) -> None:
        """Drop what is stored of a private repository. Processes that read it keep their memory while they live."""
        self._kept.drop(f"{repo}:")

    def _load(self, blobs: list[str]) -> dict[str, Facts]:
        found: dict[str, Facts] = {}
        for blob, data in self._kept.load(blobs).items():
            with suppress(msgspec.DecodeError, RecursionError):
                found[blob] = _decoder.decode(data)
        return found

    def _save(self, new: Mapping[str, Facts]) -> None:
        rows: list[tuple[str, bytes]] = []
        for blob, facts in new.items():
            with suppress(RecursionError, UnicodeEncodeError):  # a constraint may hold bytes that are no text
                rows.append((blob, _encoder.encode(facts)))
        self._kept.save(rows)


def _version() -> str:
    """Tells stores apart whose facts mean something else: by the code that reads them, and by the grammar."""
    sources = b"\0".join(Path(module.__file__ or "").read_bytes() for module in (constraint, grammar, outline, syntax))
    return hashlib.sha256(_LAYOUT + sources + repr(grammar.GO.semantic_version).encode()).hexdigest()[:16]
