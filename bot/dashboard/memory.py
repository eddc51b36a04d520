"""What was read of the records last, for as long as nothing new is recorded: pages are asked for more often than it is."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from cachetools import TTLCache
from redis.asyncio import Redis

from analyzer.common import Common
from bot.dashboard.lists import Since
from bot.dashboard.parts import Links, releases
from bot.dashboard.pulls import PullRow, pull_row
from bot.dashboard.records import Known, Point, Records, SurveyReport, Table
from bot.ids import Repo

MAX_KEPT = 200
KEPT_FOR = 60.0
"""Seconds: what is recorded of the past changes what is kept without a new survey."""

_BATCH = 100
"""Tables that are read in one go: others are served between two."""

_Made = TypeVar("_Made")


class Reading(Records):
    """Records for a process that only reads: whoever asks for what is just being read waits for that with the others."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._under_way: dict[tuple[str, ...], asyncio.Task[Any]] = {}

    async def repositories(self) -> dict[Repo, Known]:
        """As they are, or as they were a moment ago."""
        return await self._together(("repositories",), super().repositories)

    async def known(self, repo: Repo) -> Known | None:
        """As it is, or as it was a moment ago."""
        return await self._together(("known", repo), partial(super().known, repo))

    async def pulse(self, repo: Repo) -> tuple[int, int, int]:
        """As it is, or as it was a moment ago."""
        return await self._together(("pulse", repo), partial(super().pulse, repo))

    async def _together(self, key: tuple[str, ...], read: Callable[[], Coroutine[Any, Any, _Made]]) -> _Made:
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(read())
            task.add_done_callback(lambda _task: self._under_way.pop(key, None))
        return cast("_Made", await asyncio.shield(task))


class Memory:
    """Reads records, and the same for several who ask at once only once.

    Args:
        records: the store's.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._kept: TTLCache[tuple[object, ...], asyncio.Future[Any]] = TTLCache(MAX_KEPT, KEPT_FOR)

    async def points(self, repo: Repo, known: Known) -> Sequence[Point]:
        """All recorded revisions, the oldest first."""
        count, *_ = await self._records.pulse(repo)
        return await self._once(("points", repo, known, count), lambda: self._records.points(repo))

    async def head(self, repo: Repo, known: Known) -> Mapping[str, Table]:
        """The packages of the newest survey, by directory."""
        return await self._once(("head", repo, known.head, known.surveyed), lambda: self._tables_at(repo, known.head))

    async def report(self, repo: Repo, known: Known) -> SurveyReport | None:
        """What the newest survey says beside its tables."""
        return await self._once(("report", repo, known.head, known.surveyed), lambda: self._records.report(repo))

    async def pulls(self, repo: Repo, links: Links) -> Sequence[PullRow]:
        """The lines of the list of pull requests, the newest report first."""
        _, *latest = await self._records.pulse(repo)
        return await self._once(("pulls", repo, links.page, *latest), lambda: self._pulls(repo, links))

    async def _pulls(self, repo: Repo, links: Links) -> Sequence[PullRow]:
        return [pull_row(record, links) for record in await self._records.pulls(repo)]

    async def differing(
        self, repo: Repo, base: str, head: str
    ) -> tuple[tuple[dict[str, Table], dict[str, Table]], tuple[dict[str, Common], dict[str, Common]]]:
        """The packages in which two recorded revisions differ: tables, and what the platforms share."""
        trees = await self._records.tree(repo, base), await self._records.tree(repo, head)
        commons = await self._records.commons(repo, base), await self._records.commons(repo, head)
        differ = _differing(*trees) | _differing(*commons)
        tables = [await self._tables(repo, {w: d for w, d in tree.items() if w in differ}) for tree in trees]
        shared = [await self._commons(repo, {w: d for w, d in tree.items() if w in differ}) for tree in commons]
        return (tables[0], tables[1]), (shared[0], shared[1])

    async def past(self, repo: Repo, known: Known, directory: str) -> list[tuple[Point, Table | None]]:
        """Each release with its table of a package, in the order of versions."""
        points, trees = await self.points(repo, known), await self._trees(repo, known)
        digests = [(point, trees.get(point.rev, {}).get(directory)) for point in releases(points)]
        tables = await self._records.tables(repo, {digest for _, digest in digests if digest})
        return [(point, tables.get(digest) if digest else None) for point, digest in digests]

    async def since(self, repo: Repo, known: Known) -> Since:
        """Of each gap of the newest survey: the first revision of the default branch from which on it is there."""
        count = len(await self.points(repo, known))
        return await self._once(("since", repo, known, count), lambda: self._since(repo, known))

    async def _since(self, repo: Repo, known: Known) -> Since:
        points, head, trees = (
            await self.points(repo, known),
            await self.head(repo, known),
            await self._trees(repo, known),
        )
        line = [p for p in points if p.kind != "release"]
        line = line if len(line) > 1 else releases(points)
        line = [p for p in line if p.rev in trees]
        found: dict[tuple[str, str], tuple[Point, bool]] = {}
        for directory, table in head.items():
            open_now = {symbol.name: symbol.status for symbol in table.symbols if symbol.gap}
            if not open_now or not line:
                continue
            digests = [trees[point.rev].get(directory) for point in line]
            tables = await self._records.tables(repo, {digest for digest in digests if digest})
            states = {digest: {s.name: s.status for s in one.symbols} for digest, one in tables.items()}
            for name, status in open_now.items():
                first = None
                for number in range(len(line) - 1, -1, -1):
                    if states.get(digests[number] or "", {}).get(name) is not status:
                        break
                    first = number
                if first is not None:
                    found[directory, name] = (line[first], first == 0)
            await asyncio.sleep(0)
        return found

    async def _trees(self, repo: Repo, known: Known) -> Mapping[str, Mapping[str, str]]:
        count = len(await self.points(repo, known))
        return await self._once(("trees", repo, known, count), lambda: self._read_trees(repo, known))

    async def _read_trees(self, repo: Repo, known: Known) -> Mapping[str, Mapping[str, str]]:
        """The trees of all recorded revisions, one by one: webhooks do not wait for all of them."""
        same: dict[str, str] = {}
        found = {}
        for point in await self.points(repo, known):
            tree = await self._records.tree(repo, point.rev)
            found[point.rev] = {same.setdefault(w, w): same.setdefault(d, d) for w, d in tree.items()}
        return found

    async def _tables_at(self, repo: Repo, rev: str) -> dict[str, Table]:
        return await self._tables(repo, await self._records.tree(repo, rev)) if rev else {}

    async def _tables(self, repo: Repo, tree: Mapping[str, str]) -> dict[str, Table]:
        return await _read(tree, lambda digests: self._records.tables(repo, digests))

    async def _commons(self, repo: Repo, tree: Mapping[str, str]) -> dict[str, Common]:
        return await _read(tree, lambda digests: self._records.common(repo, digests))

    async def _once(self, key: tuple[object, ...], make: Callable[[], Awaitable[_Made]]) -> _Made:
        """What is kept under a key; it is made when it is not there. What failed is not kept."""
        kept = self._kept.get(key)
        if kept is None or kept.get_loop() is not asyncio.get_running_loop():
            kept = self._kept[key] = asyncio.ensure_future(make())
        try:
            return cast("_Made", await asyncio.shield(kept))
        except BaseException:
            if kept.done() and (kept.cancelled() or kept.exception()):
                self._kept.pop(key, None)
            raise


def _differing(base: Mapping[str, str], head: Mapping[str, str]) -> set[str]:
    return {where for where in {*base, *head} if base.get(where) != head.get(where)}


async def _read(tree: Mapping[str, str], read: Callable[[list[str]], Awaitable[dict[str, _Made]]]) -> dict[str, _Made]:
    """What directories have, by their digests, a batch at a time."""
    digests = [*dict.fromkeys(tree.values())]
    found: dict[str, _Made] = {}
    for start in range(0, len(digests), _BATCH):
        found |= await read(digests[start : start + _BATCH])
    return {directory: found[digest] for directory, digest in tree.items() if digest in found}
