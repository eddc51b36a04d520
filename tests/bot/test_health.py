"""Health and readiness tell the truth: of a store that refuses, of a process that stops, of one that hangs."""

import asyncio
import dataclasses
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

import bot.health
import bot.worker
from bot.config import Settings
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.run import _free_port
from bot.health import PROCESSES
from bot.inbox import PENDING
from bot.queue import Jobs
from bot.valkey import _binary
from bot.web import listening
from bot.worker import working
from tests.bot.conftest import WEBHOOK_SECRET, Keys, until
from tests.bot.processes import Processes, answer, eventually, processes

Breaking = Callable[[Redis, Path], Awaitable[Any]]


# A store that answers, and takes no writes.


@pytest.fixture
async def fragile(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """A Valkey of its own, and the folder of its snapshots."""
    folder, path = tmp_path / "snapshots", tmp_path / "fragile.sock"
    folder.mkdir()
    options = ("--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", "3600 1")
    process = await asyncio.create_subprocess_exec(_binary(), *options, stdout=asyncio.subprocess.DEVNULL)

    async def is_up() -> bool:
        return path.exists()

    await until(is_up)
    yield f"unix://{path}", folder
    process.kill()
    await process.wait()


async def _is_replica(store: Redis, _folder: Path) -> None:
    await store.execute_command("REPLICAOF", "127.0.0.1", "1")


async def _is_full(store: Redis, _folder: Path) -> None:
    await store.config_set("maxmemory", 1)


async def _lacks_replicas(store: Redis, _folder: Path) -> None:
    await store.config_set("min-replicas-to-write", 1)


async def _has_no_disk(store: Redis, folder: Path) -> None:
    await store.set("something", 1)
    shutil.rmtree(folder)
    await store.bgsave()

    async def is_noticed() -> bool:
        return (await store.info("persistence"))["rdb_last_bgsave_status"] == "err"

    await until(is_noticed)


async def _mend(store: Redis, folder: Path) -> None:
    await store.execute_command("REPLICAOF", "NO", "ONE")
    await store.config_set("maxmemory", 0)
    await store.config_set("min-replicas-to-write", 0)
    await store.config_set("stop-writes-on-bgsave-error", "no")
    await asyncio.to_thread(folder.mkdir, exist_ok=True)


@pytest.mark.parametrize("broken", [_is_replica, _is_full, _lacks_replicas, _has_no_disk])
async def test_a_store_that_takes_no_writes_is_not_ready(  # noqa: PLR0917 - fixtures and a table's column
    standin: StandIn,
    repository: RepositoryState,
    pull: PullState,
    settings: Settings,
    fragile: tuple[str, Path],
    broken: Breaking,
) -> None:
    redis_url, folder = fragile
    store = Redis.from_url(redis_url)
    payload = standin.payload("opened", repository.name, pull.number)
    async with listening(dataclasses.replace(settings, host="127.0.0.1", port=0), redis_url) as url:
        await broken(store, folder)
        assert await answer(f"{url}/readyz") == (503, "the store takes no writes\n")
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 503
        assert (await answer(f"{url}/healthz"))[0] == 200
        await _mend(store, folder)
        assert await answer(f"{url}/readyz") == (200, "ready\n")
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
    await store.aclose()


@pytest.fixture
async def url(settings: Settings, valkey: str, jobs: Jobs) -> AsyncIterator[str]:
    assert jobs is not None
    async with listening(dataclasses.replace(settings, host="127.0.0.1", port=0), valkey) as address:
        yield address


async def test_where_no_more_may_wait_nothing_is_ready(url: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.health, "MAX_PENDING", 1)
    await jobs.redis.hset(PENDING, "d-1", "an event")
    assert await answer(f"{url}/readyz") == (503, "too much waits already\n")
    await jobs.redis.hdel(PENDING, "d-1")
    assert (await answer(f"{url}/readyz"))[0] == 200


async def test_strangers_who_ask_often_cost_one_write(url: str, jobs: Jobs) -> None:
    await until(lambda: _is_known(jobs, "web"))
    await jobs.redis.config_resetstat()
    answers = await asyncio.gather(*(answer(f"{url}/readyz") for _ in range(30)))
    assert {status for status, _ in answers} == {200}
    stats: dict[str, Any] = await jobs.redis.info("commandstats")
    assert stats["cmdstat_zadd"]["calls"] <= 3  # a second may have passed


async def _is_known(jobs: Jobs, role: str) -> bool:
    return any(process.role == role for process in await bot.health.processes(jobs.redis))


# Signs of life.


async def test_a_worker_gives_signs_of_life_until_it_stops(settings: Settings, valkey: str, jobs: Jobs) -> None:
    async with working(settings, valkey):
        await until(lambda: _is_known(jobs, "worker"))
        [process] = await bot.health.processes(jobs.redis)
        assert process[:3] == ("worker", socket.gethostname(), os.getpid())
    assert await bot.health.processes(jobs.redis) == []


async def test_a_worker_with_a_part_that_ended_gives_none(
    settings: Settings, valkey: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bot.worker, "_dispatch", fail)
    monkeypatch.setattr(bot.health, "BEAT_EVERY", 0.01)
    async with working(settings, valkey):
        await asyncio.sleep(0.2)
        assert await bot.health.processes(jobs.redis) == []


async def test_what_was_killed_long_ago_is_forgotten(jobs: Jobs) -> None:
    await jobs.redis.zadd(PROCESSES, {"worker elsewhere 1": time.time() - bot.health.FORGOTTEN - 1})
    await bot.health.beat(jobs.redis, "web")
    assert [process.host for process in await bot.health.processes(jobs.redis)] == [socket.gethostname()]


# `winparity health`, and processes as they are.


@pytest.fixture
async def made(standin: StandIn, keys: Keys, jobs: Jobs, valkey: str, tmp_path: Path) -> AsyncIterator[Processes]:
    assert jobs is not None
    async with processes(standin, keys, valkey, tmp_path, _free_port()) as these:
        yield these


async def _health(made: Processes, **changed: str) -> tuple[int, str]:
    asked = await asyncio.create_subprocess_exec(
        *(shutil.which("winparity", path=str(Path(sys.executable).parent)) or "", "health"),
        env=made.environment | changed,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asked.communicate()
    return asked.returncode or 0, said.decode()


@pytest.mark.slow
async def test_the_command_tells_web_and_worker_alike(made: Processes, jobs: Jobs) -> None:
    assert await _health(made) == (1, "no process of winparity on this host gave a sign of life\n")
    await made.start("serve", "--no-worker", log="web")
    worker = await made.start("worker")
    for role in ("web", "worker"):
        await eventually(lambda role=role: _is_known(jobs, role))  # type: ignore[misc] # bound at once
    status, said = await _health(made)
    assert (status, said.count("a sign of life")) == (0, 2)
    worker.send_signal(signal.SIGSTOP)
    name = f"worker {socket.gethostname()} {worker.pid}"
    await jobs.redis.zadd(PROCESSES, {name: time.time() - 100})
    status, said = await _health(made)
    assert (status, f"worker {worker.pid}: a sign of life 10" in said) == (1, True)
    worker.kill()
    await worker.wait()
    status, said = await _health(made)
    assert (status, "worker" in said) == (0, False)
    assert (await made.stop())[0] == 0
    assert (await _health(made))[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"REDIS_URL": "unix:///nowhere/away.sock"}, "the store is away (ConnectionError)\n"),
        ({"REDIS_URL": ""}, "the store is away\n"),
        ({"WINPARITY_APP_ID": ""}, "settings are missing or wrong; `winparity doctor` names them\n"),
    ],
)
async def test_without_a_store_or_settings_nothing_is_well(
    made: Processes, changed: dict[str, str], words: str
) -> None:
    assert await _health(made, **changed) == (1, words)
    assert not (made.folder / "data" / "valkey").exists()


# Stopping.


async def _deliver_slowly(url: str, payload: dict[str, Any], begun: asyncio.Event, go_on: asyncio.Event) -> int:
    """A delivery whose body comes in two parts: the first one, and what is left when it may go on."""
    body = json.dumps(payload).encode()
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()

    async def parts() -> AsyncIterator[bytes]:
        yield body[:100]
        # It is on its way when the next part is asked for; the server has it when it has answered somebody else.
        assert (await answer(f"{url}/healthz"))[0] == 200
        begun.set()
        await go_on.wait()
        yield body[100:]

    headers = {
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": "d-slow",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/webhook", data=parts(), headers=headers) as response,
    ):
        return response.status


@pytest.mark.slow
@pytest.mark.parametrize("drain", ["0", "3"])
async def test_what_is_under_way_is_answered_while_the_process_stops(  # noqa: PLR0917 - fixtures, and a column
    made: Processes, standin: StandIn, repository: RepositoryState, pull: PullState, jobs: Jobs, drain: str
) -> None:
    made.environment["WINPARITY_DRAIN"] = drain
    url = f"http://127.0.0.1:{made.environment['PORT']}"
    web = await made.start("serve", "--no-worker", log="web")

    async def is_ready() -> bool:
        return (await answer(f"{url}/readyz"))[0] == 200

    await eventually(is_ready)
    payload = standin.payload("opened", repository.name, pull.number)
    go_on = asyncio.Event()
    begun = asyncio.Event()
    slow = asyncio.create_task(_deliver_slowly(url, payload, begun, go_on))
    await begun.wait()
    web.terminate()
    await eventually(lambda: '"stopping"' in made.said("web"))
    if drain != "0":
        assert await answer(f"{url}/readyz") == (503, "stopping\n")
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-late") == 202
    go_on.set()
    assert await slow == 202
    assert await web.wait() == 0
    assert {"d-slow"} <= {name.decode() for name in await jobs.redis.hkeys(PENDING)}
