"""The lock of a subject, as one run of one job holds it, across machines and sleep.

A lock lives as long as its job's beat (`bot.engine`), and what is left of it tells who had it last: whoever finds that
nobody came between takes it up again. Whoever lost it after it may have written asks for one more job (`bot.queue`), which
mends what an old write may have spoilt: GitHub has no writes that depend on what is there (docs/scale.md).
"""

import secrets
import time
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from saq import Job

from bot.engine import BEATS, HEARTBEAT, NOW

# A lock outlives its holder by this much at most, in milliseconds; a holder renews it with each beat.
LOCK_TTL_MS = int(HEARTBEAT * 1000)
# What is left of a lock is kept for so many milliseconds, for a holder that slept.
LAST_HELD_MS = 3_600_000
# The share of that time in which a write may be sent: it takes its own to GitHub.
SURE_SHARE = 0.6

# A holder is its delivery and then its run, which has a fixed length.
RUN_BYTES = 8
# KEYS: lock, beats. ARGV: holder, milliseconds, the job's id. Answers who has it, if anybody does.
_TAKE = f"""
{NOW}
local held = redis.call('HMGET', KEYS[1], 'by', 'until')
if held[1] and tonumber(held[2]) > now then return held[1] end
redis.call('HSET', KEYS[1], 'by', ARGV[1], 'until', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], {LAST_HELD_MS})
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[3])
return false
"""
_KEEP = f"""
if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then return 0 end
{NOW}
redis.call('HSET', KEYS[1], 'until', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], {LAST_HELD_MS})
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[3])
return 1
"""
_DROP = "if redis.call('HGET', KEYS[1], 'by') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class SupersededError(Exception):
    """A newer push, or another worker, has taken over; nothing more may be written."""


class TakenError(SupersededError):
    """The lock is another's, who may be another run of the same job: it is to be looked at again what is left to do."""


async def take(redis: Redis, key: str, job: Job) -> str | None:
    """Take a lock for a new run of a job.

    Returns:
        What the holder is called; None when another job has it.

    Raises:
        TakenError: another run of this job has it, which may be alive or not.
    """
    owner, run = f"{job.key}:", secrets.token_hex(RUN_BYTES)
    held: Any = await redis.eval(_TAKE, 2, key, BEATS, owner + run, LOCK_TTL_MS, job.id)
    if held is None:
        return owner + run
    if held.decode()[: -2 * RUN_BYTES] == owner:
        raise TakenError("another run of this job has begun")
    return None


class NotYetError(Exception):
    """Nothing is wrong: the rest is to be done at a later time, by the same job.

    Attributes:
        until: when, in seconds since the epoch.
    """

    def __init__(self, why: str, until: float) -> None:
        super().__init__(why)
        self.until = until


class Hold:
    """One subject's lock, held by one run of one job.

    Attributes:
        key: of the lock.
        asked: the number of the last event that this run answers.
        again: the number of the last event that asks for a new check run and is not answered yet; 0 when none does.
        alone: the job's event is the only one that is not answered yet. If it is not, what it told may be older than what
            another told that this run answers too.
        last: the job is not tried again.
    """

    def __init__(  # noqa: PLR0917 - values, in the order of what they say
        self, redis: Redis, key: str, value: str, asked: int, again: int = 0, job: str = "", *, alone: bool = True
    ) -> None:
        self._redis = redis
        self.key = key
        self._value = value
        self._job = job
        self._sure_until = 0.0
        self._checked = False
        self.asked = asked
        self.again = again
        self.alone = alone
        self.last = False

    async def check(self) -> None:
        """Make sure that the lock is still ours.

        Raises:
            TakenError: it is not.
        """
        if not await self.renew():
            raise TakenError("another worker has taken over")
        self._checked = True

    async def sure(self) -> None:
        """Right before something is sent: make sure that nobody can have the lock while it is on its way.

        What the store said is as old as the question. A process that slept since then asks again.

        Raises:
            TakenError: somebody has it.
        """
        while time.monotonic() > self._sure_until:
            await self.check()

    async def still(self, watching: Pipeline) -> None:
        """Within a transaction that watches the key: make sure that the lock is ours when it is executed.

        Raises:
            TakenError: it is not.
        """
        holder: Any = await watching.hget(self.key, "by")
        if holder is None or holder.decode() != self._value:
            raise TakenError("another worker has taken over")

    async def renew(self) -> bool:
        """Keep the lock; False when it is lost."""
        asked = time.monotonic()
        kept = bool(await self._redis.eval(_KEEP, 2, self.key, BEATS, self._value, LOCK_TTL_MS, self._job))
        if kept:
            self._sure_until = asked + SURE_SHARE * LOCK_TTL_MS / 1000
        return kept

    async def drop(self) -> bool:
        """Let go, if it is still ours. Whether all that was written was written while it was."""
        return bool(await self._redis.eval(_DROP, 1, self.key, self._value)) or not self._checked
