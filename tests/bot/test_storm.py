"""Many deliveries of one pull request at once, in any order and more than once, by several processes, one of them killed."""

import asyncio
import contextlib
import copy
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.check import CHECK_NAME
from bot.comment import MARKER
from bot.demo.sample import commit, git
from bot.events import about
from bot.queue import PENDING, QUEUE
from tests.bot import test_kill
from tests.bot.conftest import NAME
from tests.bot.line import BASE, LOST, LOST_MORE
from tests.bot.test_kill import COMMENTS, Stage, _kill

pytestmark = pytest.mark.slow
stage = test_kill.stage

WORKERS = 4
DELIVERIES = 50
HEADS = 5
CHUNK = 64 * 1024

Event = tuple[str, dict[str, Any], str]


@asynccontextmanager
async def _wire(url: str, number: int, creators: list[int]) -> AsyncIterator[str]:
    """One worker's own way to GitHub, so that it is known who created a comment. Yields its URL."""
    there = urlsplit(url)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(there.hostname, there.port)
        await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer), return_exceptions=True)

    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if data.startswith(COMMENTS.encode()):
                    creators.append(number)
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _events(stage: Stage, head: str) -> list[tuple[str, dict[str, Any]]]:
    """What can happen to a pull request while it has a head."""
    stage.github.push(NAME, 1, head)
    actions = ("opened", "synchronize", "edited", "ready_for_review")
    told = [("pull_request", copy.deepcopy(stage.github.payload(action, NAME, 1))) for action in actions]
    run = {"head_sha": head, "external_id": f"{about(1)}:x"}
    return [*told, ("check_run", stage.github.event(NAME, action="rerequested", check_run=run))]


async def _send(stage: Stage, events: list[Event]) -> None:
    url = f"http://127.0.0.1:{stage.port}/webhook"
    assert set(await asyncio.gather(*(stage.github.deliver(url, *event) for event in events))) == {202}


async def _quiet(stage: Stage) -> bool:
    redis = stage.jobs.redis
    return not await redis.hlen(PENDING) and not await redis.zcard(f"saq:{QUEUE}:incomplete")


async def test_a_storm_leaves_one_comment_on_the_newest_head(stage: Stage) -> None:
    git_dir, order = stage.repository.git_dir, random.Random(4)  # noqa: S311 - an order, the same each time
    base = await asyncio.to_thread(commit, git_dir, BASE, "base")
    git(git_dir, "update-ref", "refs/heads/main", base)
    trees = [{**LOST, "x.go": f"package x // {number}\n"} for number in range(HEADS - 1)] + [LOST_MORE]
    *older, newest = [await asyncio.to_thread(commit, git_dir, tree, "a change", base) for tree in trees]
    stage.github.open_pull(NAME, "main", older[0])
    every = [event for head in [*older, newest] for event in _events(stage, head)]
    events: list[Event] = [(*event, f"delivery-{number}") for number, event in enumerate(every)]
    before, after = events[: len(events) * 3 // 5], events[len(events) * 3 // 5 :]
    before, after = (part + order.choices(events, k=DELIVERIES // 2 - len(part)) for part in (before, after))
    stage.github.push(NAME, 1, older[2])
    order.shuffle(before)
    order.shuffle(after)

    creators: list[int] = []
    async with AsyncExitStack() as stack:
        workers = []
        for number in range(WORKERS):
            url = await stack.enter_async_context(_wire(stage.github.url, number, creators))
            stage.environment["WINPARITY_GITHUB_API_URL"] = url
            workers.append(await stage.start("worker"))
        await stage.web()
        # Whoever creates the comment gets no answer to its next request, and is killed before it has saved anything.
        gate = stage.hold("/issues/1/comments", lambda: stage.repository.comments)
        await _send(stage, before)
        await stage.until(lambda: gate.reached)
        assert len(creators) == 1
        await _kill(workers[creators[0]])
        stage.github.push(NAME, 1, newest)
        gate.open()
        await _send(stage, after)
        await stage.until(lambda: _quiet(stage))
        assert [worker.returncode for worker in workers].count(None) == WORKERS - 1

    [comment] = stage.repository.comments
    assert comment["body"].startswith(MARKER)
    for said in ("vol/free_windows.go", newest):
        assert said in comment["body"]
    assert not [head for head in older if head in comment["body"]]
    run = stage.repository.check_runs[-1]
    assert (run["name"], run["head_sha"]) == (CHECK_NAME, newest)
    assert (run["status"], run["conclusion"]) == ("completed", "failure")
    assert run["external_id"].count(":") == 2, "it answers those who asked for another"
    assert {run["head_sha"] for run in stage.repository.check_runs} == {older[2], newest}
    assert len(creators) == 1
    assert await stage.jobs.redis.keys("wp:on:*:lock") == []
    assert [event[2] for event in events if not await stage.jobs.is_finished(event[2])] == []
