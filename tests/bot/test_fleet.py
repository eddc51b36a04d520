"""Real processes of one fleet: one that sleeps longer than its lock, one that is told to stop, many that start at once."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from bot.demo.github import PullState
from bot.demo.run import _free_port
from bot.demo.sample import commit, git
from bot.hold import _KEEP
from bot.inbox import PENDING
from bot.queue import QUEUE, Jobs
from tests.bot import test_kill
from tests.bot.conftest import NAME
from tests.bot.line import BASE, LOST, LOST_MORE
from tests.bot.test_kill import COMMENTS, STOPS_WITHIN, Stage

pytestmark = pytest.mark.slow
stage = test_kill.stage

CHUNK = 64 * 1024
LOCK = "wp:on:example/berth#1:lock"
# Part of the question whether a lock is still ours, and of no other.
QUESTION = _KEEP.strip().encode()[:60]


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


class Sleeper:
    """Puts a process to sleep when something is on its way to it, or from it.

    Attributes:
        pid: the process; 0 while nothing is to happen.
        asleep: it sleeps.
        arrive: what was on its way to GitHub may arrive.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.asleep, self.arrive = asyncio.Event(), asyncio.Event()
        self._asked = False

    def sleep(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        self.asleep.set()

    async def questions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        """To the store."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if self.pid and not self.asleep.is_set() and QUESTION in data:
                    asked.set()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        """From the store. The answer to the question arrives at a process that sleeps."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if asked.is_set() and not self.asleep.is_set():
                    self.sleep()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def writes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """To GitHub. A new comment is on its way for as long as we like."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if self.pid and not self.asleep.is_set() and data.startswith(COMMENTS.encode()):
                    self.sleep()
                    await self.arrive.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def _to_store(stage: Stage, sleeper: Sleeper) -> AsyncIterator[str]:
    path = stage.store.removeprefix("unix://")

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_unix_connection(path)
        asked = asyncio.Event()
        await asyncio.gather(sleeper.questions(reader, forth, asked), sleeper.answers(back, writer, asked))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}?socket_timeout=60"


@asynccontextmanager
async def _to_github(stage: Stage, sleeper: Sleeper) -> AsyncIterator[str]:
    there = urlsplit(stage.github.url)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(there.hostname, there.port)
        await asyncio.gather(sleeper.writes(reader, forth), _pass_on(back, writer))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _quiet(stage: Stage) -> bool:
    redis = stage.jobs.redis
    return not await redis.hlen(PENDING) and not await redis.zcard(f"saq:{QUEUE}:incomplete")


async def _overtaken(stage: Stage, sleeper: Sleeper) -> tuple[asyncio.subprocess.Process, str]:
    """A worker sleeps in the middle of its first report, and another makes a newer one. Returns the sleeper, and the head."""
    git_dir = stage.repository.git_dir
    base = await asyncio.to_thread(commit, git_dir, BASE, "base")
    git(git_dir, "update-ref", "refs/heads/main", base)
    older, newer = [await asyncio.to_thread(commit, git_dir, tree, "a change", base) for tree in (LOST, LOST_MORE)]
    pull = stage.github.open_pull(NAME, "main", older)
    first = await stage.start("worker")

    def see(method: str, path: str) -> None:
        if (method, path) == ("POST", "/repos/example/berth/check-runs"):
            sleeper.pid = first.pid

    stage.github.on_call = see
    await stage.web()
    await stage.send(pull)
    async with asyncio.timeout(60):
        await sleeper.asleep.wait()
    stage.environment.update(REDIS_URL=stage.store, WINPARITY_GITHUB_API_URL=stage.github.url)
    await stage.start("worker")
    stage.github.push(NAME, 1, newer)
    await stage.deliver("pull_request", stage.github.payload("synchronize", NAME, 1), "the-newer-delivery")
    await stage.until(lambda: stage.jobs.is_finished("the-newer-delivery"))
    await stage.until(lambda: _quiet(stage))
    assert [newer in comment["body"] for comment in stage.repository.comments] == [True]
    return first, newer


def _writes(stage: Stage) -> list[str]:
    return [f"{call.method} {call.path}" for call in stage.github.calls if call.method != "GET"]


async def _notices(stage: Stage) -> bool:
    return "another worker has taken over" in (stage.folder / "worker.log").read_text()


async def test_who_wakes_up_believing_that_the_lock_is_its_own_writes_nothing(stage: Stage) -> None:
    """The store's answer, that the lock is still its own, was on its way when it fell asleep."""
    sleeper = Sleeper()
    async with _to_store(stage, sleeper) as url:
        stage.environment["REDIS_URL"] = url
        first, newer = await _overtaken(stage, sleeper)
        before = _writes(stage)
        first.send_signal(signal.SIGCONT)
        await stage.until(lambda: _notices(stage))
        await stage.until(lambda: _quiet(stage))
        assert _writes(stage) == before
        assert newer in stage.repository.comments[0]["body"]
        first.terminate()
        assert await first.wait() == 0


async def test_a_write_that_was_under_way_for_too_long_is_mended(stage: Stage) -> None:
    """The comment leaves in time, and reaches GitHub when there is a newer one."""
    sleeper = Sleeper()
    async with _to_github(stage, sleeper) as url:
        stage.environment["WINPARITY_GITHUB_API_URL"] = url
        first, newer = await _overtaken(stage, sleeper)
        sleeper.arrive.set()
        await stage.until(lambda: len(stage.repository.comments) == 2)
        first.send_signal(signal.SIGCONT)
        await stage.until(lambda: len(stage.repository.comments) == 1)
        await stage.until(lambda: _quiet(stage))
        assert newer in stage.repository.comments[0]["body"]
        assert stage.repository.check_runs[-1]["head_sha"] == newer
        first.terminate()
        assert await first.wait() == 0


async def test_what_a_worker_cannot_finish_in_its_grace_is_another_ones_at_once(stage: Stage, pull: PullState) -> None:
    await stage.web()
    worker = await stage.start("worker")
    gate = stage.hold("/compare/")
    await stage.send(pull)
    await stage.until(lambda: gate.reached)
    worker.terminate()
    await stage.until(lambda: "stopping" in (stage.folder / "worker.log").read_text())
    gate.open()
    another = stage.github.open_pull(NAME, "main", pull.head)
    await stage.deliver("pull_request", stage.github.payload("opened", NAME, another.number), "another-delivery")
    async with asyncio.timeout(STOPS_WITHIN + 10):
        assert await worker.wait() == 0
    queue = stage.jobs.queue
    assert await stage.jobs.redis.lindex(f"saq:{QUEUE}:queued", 0) == queue.job_id("the-delivery").encode()
    assert await queue.count("active") == 0, "it waits for a sweep"
    assert await stage.jobs.redis.keys(LOCK) == []
    assert stage.repository.comments == [], "it took something new"
    await stage.start("worker")
    await stage.until(lambda: _quiet(stage))
    assert sorted(comment["number"] for comment in stage.repository.comments) == [pull.number, another.number]
    for line in (stage.folder / "worker.log").read_text().splitlines():
        assert "Traceback" not in line
        assert "did not finish" not in line


async def test_many_that_start_at_once_on_an_empty_store_share_it(stage: Stage, pull: PullState) -> None:
    del stage.environment["REDIS_URL"]
    ports = [stage.port, _free_port()]
    for port in ports:
        stage.environment["PORT"] = str(port)
        await stage.start("serve", "--no-worker")
        await stage.start("worker")
    await stage.until(stage._answers)
    jobs = Jobs(f"unix://{stage.environment['WINPARITY_DATA_DIR']}/valkey/valkey.sock")
    try:
        for port in ports:
            stage.port = port
            await stage.until(stage._answers)
            await stage.send(pull)
        await stage.until(lambda: jobs.is_finished("the-delivery"))
    finally:
        await jobs.close()
    assert len(stage.repository.comments) == len(stage.repository.check_runs) == 1
    log = (stage.folder / "serve.log").read_text() + (stage.folder / "worker.log").read_text()
    assert log.count("embedded valkey started") == 1
    for process in stage.running:
        process.terminate()
        assert await process.wait() == 0
