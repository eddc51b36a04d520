"""Signs of life in the store: which processes run and what each has seen, whether it takes writes, what last went well."""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, NamedTuple

import msgspec
import redis
from redis.asyncio import Redis

from bot import metrics
from bot.engine import pause
from bot.inbox import MAX_PENDING, PENDING, STORE_TIMEOUT
from bot.queue import Jobs
from bot.store import connect

# Sorted sets: processes by their last sign of life, and what `bot.metrics.LAST` names by when it was last seen.
PROCESSES = "wp:processes"
LAST = "wp:last"
# Before a process's name: what it has seen of GitHub, as a `Vitals`.
VITALS = "wp:vitals:"
# Installations that one process tells of: those with the least left, and those that are paused.
MAX_TOLD = 100
# Seconds between two signs of life, without one for how long a process counts as dead, and as never been.
BEAT_EVERY = 10.0
STALE = 45.0
FORGOTTEN = 3600.0

Role = Literal["web", "worker"]
_STARTED = time.time()


class NotReadyError(Exception):
    """Nothing can be taken now; the message says why, in words that anybody may read."""


class Process(NamedTuple):
    """A process as the store knows it."""

    role: str
    host: str
    pid: int
    age: float


class Vitals(msgspec.Struct, frozen=True, array_like=True):
    """What a process tells of itself: what it alone knows, so that others can show it.

    Attributes:
        version: of winparity; "" when that is not known.
        started: when the process began, in seconds since the epoch; 0 when that is not known.
        deliveries: how many it answered, by HTTP status.
        budgets: of installations: the number, what is left of the hour, when the next one begins.
        pauses: whose requests it holds back: the number, until when, and why.
    """

    version: str = ""
    started: float = 0.0
    deliveries: dict[str, int] = {}
    budgets: tuple[tuple[int, int, int], ...] = ()
    pauses: tuple[tuple[int, int, str], ...] = ()


@cache
def _version() -> str:
    try:
        return version("winparity")
    except PackageNotFoundError:
        return ""


def own_vitals() -> Vitals:
    """What this process tells."""
    least = sorted(metrics.budgets(), key=lambda known: known[1])[:MAX_TOLD]
    return Vitals(_version(), _STARTED, metrics.deliveries(), tuple(least), tuple(metrics.pauses()[:MAX_TOLD]))


async def beat(store: Redis, role: Role) -> None:
    """Give a sign of life, and tell what this process has seen.

    Raises:
        redis.RedisError, OSError: the store is away, or takes no writes.
    """
    now = time.time()
    async with store.pipeline(transaction=True) as pipe:
        pipe.zadd(PROCESSES, {_name(role): now})
        pipe.zremrangebyscore(PROCESSES, "-inf", now - FORGOTTEN)
        pipe.set(f"{VITALS}{_name(role)}", msgspec.msgpack.encode(own_vitals()), ex=int(FORGOTTEN))
        if metrics.SEEN:
            pipe.zadd(LAST, {**metrics.SEEN}, gt=True)
        await pipe.execute()


async def beating(store: Redis, role: Role, over: asyncio.Event, well: Callable[[], bool] = lambda: True) -> None:
    """Give signs of life until it is over. A process that is not well gives none.

    It is not cancelled: redis-py may swallow a cancellation.
    """
    while not over.is_set():
        with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
            if well():
                async with asyncio.timeout(STORE_TIMEOUT):
                    await beat(store, role)
        await pause(over, BEAT_EVERY)
    with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
        async with asyncio.timeout(STORE_TIMEOUT):
            await beat(store, role)
            await store.zrem(PROCESSES, _name(role))
            await store.delete(f"{VITALS}{_name(role)}")


def _name(role: Role) -> str:
    return f"{role} {socket.gethostname()} {os.getpid()}"


async def check_ready(store: Redis) -> None:
    """Make sure that a delivery can be stored: the store takes this web process's sign of life, and has room.

    Raises:
        NotReadyError: it cannot.
    """
    try:
        await beat(store, "web")
        waiting = await store.hlen(PENDING)
    except redis.ResponseError:
        # READONLY of a replica, MISCONF of a full disk, OOM, NOREPLICAS, LOADING: it answers, and refuses.
        raise NotReadyError("the store takes no writes") from None
    except (redis.RedisError, OSError):
        raise NotReadyError("the store is away") from None
    if waiting >= MAX_PENDING:
        raise NotReadyError("too much waits already")


async def processes(store: Redis) -> list[Process]:
    """All that gave a sign of life within the last hour."""
    now = time.time()
    found: list[Any] = await store.zrange(PROCESSES, 0, -1, withscores=True)
    named = [(name.decode().split(" "), max(0.0, now - when)) for name, when in found]
    return [Process(words[0], words[1], int(words[2]), age) for words, age in named]


async def vitals(store: Redis, known: list[Process]) -> list[Vitals]:
    """What processes told last, in their order; of one that told nothing, or is of a newer version, nothing."""
    keys = [f"{VITALS}{process.role} {process.host} {process.pid}" for process in known]
    found: list[Any] = await store.mget(keys) if keys else []
    return [_read(stored) for stored in found]


def _read(stored: bytes | None) -> Vitals:
    try:
        return msgspec.msgpack.decode(stored, type=Vitals) if stored else Vitals()
    except msgspec.DecodeError:
        return Vitals()


async def last(store: Redis) -> dict[str, float]:
    """When something was last seen, by the words of `bot.metrics.LAST`."""
    found: list[Any] = await store.zrange(LAST, 0, -1, withscores=True)
    return {name.decode(): when for name, when in found}


async def shared(jobs: Jobs) -> metrics.Shared:
    """How things stand in the store.

    Raises:
        redis.RedisError, OSError: the store is away.
    """
    counted = Counter(process.role for process in await processes(jobs.redis) if process.age < STALE)
    living = {role: counted[role] for role in ("web", "worker")}
    return metrics.Shared(await jobs.waiting(), await last(jobs.redis), living)


async def look(redis_url: str) -> tuple[bool, list[str]]:
    """Whether winparity is well on this host: something runs here, and all that runs gave a sign of life lately.

    Returns:
        The judgement, and a line for each process.

    Raises:
        redis.RedisError, OSError: the store is away.
    """
    store = connect(redis_url)
    try:
        here = [process for process in await processes(store) if process.host == socket.gethostname()]
    finally:
        await store.aclose()
    # What was killed is nobody's illness; whoever is to start it again knows.
    running = [process for process in here if process.age < STALE or _runs(process.pid)]
    lines = [f"{process.role} {process.pid}: a sign of life {process.age:.0f} s ago" for process in running]
    well = bool(running) and all(process.age < STALE for process in running)
    return well, lines or ["no process of winparity on this host gave a sign of life"]


def _runs(pid: int) -> bool:
    if sys.platform == "win32":  # signal 0 is Ctrl-C there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
