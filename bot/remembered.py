"""Answers of GitHub that it may say are still right (a 304 costs nothing), within one budget of memory for all installations."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import msgspec
from cachetools import LRUCache

from bot.ids import Repo

# Bytes of JSON that are kept at most, and of one answer. As Python's objects they would take some four times as much.
MAX_BYTES = 16 * 1024 * 1024
MAX_ANSWER = 512 * 1024
# What is asked for once: between two commits nothing changes, and their files may be half a megabyte of patches.
_ONCE = "/compare/"

_Answer = tuple[str | None, str | None, Any, str | None]
_decoder: msgspec.json.Decoder[_Answer] = msgspec.json.Decoder(_Answer)


class Answers:
    """All that is kept. The answers that were not used for the longest time go first.

    Args:
        most: bytes of JSON.
    """

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.kept: LRUCache[tuple[int, str], bytes] = LRUCache(most, getsizeof=len)

    def of(self, installation: int) -> MutableMapping[str, Any]:
        """Those of one installation, by URL, as gidgethub wants them. No installation sees another's."""
        return _Own(self.kept, installation)

    def forget(self, repo: Repo) -> None:
        """Drop what was said of a repository."""
        for key in [key for key in self.kept if f"/repos/{repo}/" in key[1]]:
            self.kept.pop(key, None)


class _Own(MutableMapping[str, _Answer]):
    def __init__(self, kept: LRUCache[tuple[int, str], bytes], installation: int) -> None:
        self._kept = kept
        self._installation = installation

    def __getitem__(self, url: str) -> _Answer:
        return _decoder.decode(self._kept[self._installation, url])

    def __setitem__(self, url: str, answer: _Answer) -> None:
        self._kept.pop((self._installation, url), None)
        if _ONCE in url:
            return
        kept = msgspec.json.encode(answer)
        if len(kept) <= min(MAX_ANSWER, self._kept.maxsize):
            self._kept[self._installation, url] = kept

    def __delitem__(self, url: str) -> None:
        del self._kept[self._installation, url]

    def __iter__(self) -> Iterator[str]:
        return (url for installation, url in self._kept if installation == self._installation)

    def __len__(self) -> int:
        return sum(1 for _ in self)
