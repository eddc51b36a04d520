"""The job engine where many machines share it: SAQ's queue, with the store's clock alone to say who is alive.

- Whoever runs a job beats: ``beats`` holds for each the time up to which it is believed to be alive. The store sets and
  compares that time, so that machines whose clocks differ do not take each other's jobs away.
- A job without a beat is put back at the head of the queue. What its former process says of it later does not count.
- A queue that drains takes nothing more, and hands back what the store had given it already.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from saq import Job, Status
from saq.queue.redis import RedisQueue

BEATS = "wp:beats"
# Seconds. A killed worker is noticed after HEARTBEAT, and its job runs again at the next SWEEP.
HEARTBEAT = 8.0
BEAT_EVERY = 2.0
SWEEP = 2
# Seconds before a store that is away is asked for a job again.
AWAY_PAUSE = 0.5

NOW = "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000)"
"""The store's own clock in a script, in milliseconds."""

# KEYS: lock, active, beats, incomplete, queued. One that was taken off the queue this instant gets its first beat here.
_SWEEP = f"""
{NOW}
local swept = {{}}
if not redis.call('SET', KEYS[1], 1, 'NX', 'PX', ARGV[1]) then return swept end
for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  local alive = redis.call('ZSCORE', KEYS[3], id)
  if not alive then
    redis.call('ZADD', KEYS[3], now + ARGV[2], id)
  elseif tonumber(alive) < now then
    redis.call('LREM', KEYS[2], 0, id)
    redis.call('ZREM', KEYS[3], id)
    if redis.call('ZSCORE', KEYS[4], id) and redis.call('EXISTS', id) == 1 then
      redis.call('ZADD', KEYS[4], 0, id)
      redis.call('LPUSH', KEYS[5], id)
    else
      redis.call('ZREM', KEYS[4], id)
    end
    swept[#swept + 1] = id
  end
end
return swept
"""
# KEYS: lock, incomplete, queued.
_SCHEDULE = f"""
{NOW}
if not redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1]) then return {{}} end
local due = redis.call('ZRANGEBYSCORE', KEYS[2], 1, now / 1000)
for _, id in ipairs(due) do
  redis.call('ZADD', KEYS[2], 0, id)
  redis.call('RPUSH', KEYS[3], id)
end
return due
"""
# KEYS: active, beats, incomplete, queued, job. ARGV: the job's id, the pause in seconds, the job.
_RETRY = f"""
{NOW}
redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SET', KEYS[5], ARGV[3])
if tonumber(ARGV[2]) > 0 then
  redis.call('ZADD', KEYS[3], now / 1000 + ARGV[2], ARGV[1])
else
  redis.call('ZADD', KEYS[3], 0, ARGV[1])
  redis.call('LPUSH', KEYS[4], ARGV[1])
end
"""
# KEYS: active, beats, queued. Only for what is still ours to give.
_HAND_BACK = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('LPUSH', KEYS[3], ARGV[1])
end
"""
_BEAT = f"{NOW} redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])"


async def pause(over: asyncio.Event, seconds: float) -> bool:
    """Wait for so many seconds, or until it is over. Returns whether it is."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()
    return over.is_set()


class Engine(RedisQueue):
    """SAQ's queue.

    Args:
        redis: the store.
        name: of the queue.

    Attributes:
        draining: nothing more is taken.
    """

    def __init__(self, redis: Redis, name: str) -> None:
        super().__init__(redis, name=name)
        self.draining = asyncio.Event()
        self._scripts = {
            script: redis.register_script(script) for script in (_SWEEP, _SCHEDULE, _RETRY, _HAND_BACK, _BEAT)
        }

    async def _run(self, script: str, keys: list[str], *args: object) -> Any:
        return await self._scripts[script](keys=keys, args=[*args])  # type: ignore[list-item] # numbers are sent as text

    async def beat(self, job: Job) -> None:
        """Whoever runs the job is alive."""
        await self._run(_BEAT, [BEATS], job.id, int(HEARTBEAT * 1000))

    async def dequeue(self, timeout: float = 0.0, poll_interval: float = 0.0) -> Job | None:  # noqa: ASYNC109 - the engine's signature
        """The next job; None when there is none in that time, when none is wanted, or when the store is away."""
        if self.draining.is_set():
            return None
        try:
            job = await super().dequeue(timeout, poll_interval)
            if job is not None and self.draining.is_set():
                await self._run(_HAND_BACK, [self._active, BEATS, self._queued], job.id)
                return None
        except (RedisError, OSError):
            await asyncio.sleep(AWAY_PAUSE)
            return None
        return job

    async def sweep(self, lock: int = SWEEP, abort: float = 0.0) -> list[str]:  # noqa: ARG002 - the engine's signature
        """Put back the jobs of processes that are gone. Of many workers one looks at a time."""
        keys = [self._sweep, self._active, BEATS, self._incomplete, self._queued]
        # A little less than the engine's interval, or every other look would find the lock of the one before.
        swept = await self._run(_SWEEP, keys, lock * 900, int(HEARTBEAT * 1000))
        return [name.decode() for name in swept]

    async def schedule(self, lock: int = 1) -> list[str]:
        """Queue the jobs whose time has come."""
        due = await self._run(_SCHEDULE, [self._schedule, self._incomplete, self._queued], lock)
        return [name.decode() for name in due]

    async def _retry(self, job: Job, error: str | None) -> None:  # noqa: ARG002 - the engine's signature
        if await self._is_ours(job):
            keys = [self._active, BEATS, self._incomplete, self._queued, job.id]
            await self._run(_RETRY, keys, job.id, job.next_retry_delay(), self.serialize(job))

    async def _finish(self, job: Job, status: Status, *, result: Any = None, error: str | None = None) -> None:
        if await self._is_ours(job):
            await super()._finish(job, status, result=result, error=error)
            await self.forget(job)

    async def forget(self, job: Job) -> None:
        """Nobody runs the job any more."""
        await self.redis.zrem(BEATS, job.id)

    async def _is_ours(self, job: Job) -> bool:
        """Whether no other process began the job after us: it slept for longer than we are believed to be alive."""
        stored: Any = await self.redis.get(job.id)
        if not stored:
            return True
        known = json.loads(stored)
        return (known.get("worker_id"), known.get("attempts", 0)) == (job.worker_id, job.attempts)
