"""Events on their way in: stored in one round trip for all that come at the same time, and lined up by installation.

- ``pending`` holds every event from its acceptance to its end, ``inbox`` the names of those that nobody has lined up yet.
- Each installation has a lane, where its events wait in the order of their coming, and a number of them in flight, which
  are jobs in the queue. So however many events one installation brings, those of others wait for a few of them at most.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio import Redis

from bot.events import AnyEvent, Event, decode, encode

PENDING = "wp:pending"
INBOX = "wp:inbox"

# Events that are kept at most, and how many of one installation are jobs at a time. 100,000 events are about 60 MB.
MAX_PENDING = 100_000
MAX_IN_FLIGHT = 8
# Events that are stored, or lined up, in one go.
BATCH = 100

# ARGV: the bound, and then delivery and event in turn. Answers for each: 1 new, 0 known, -1 full.
_ACCEPT = """
local room = tonumber(ARGV[1]) - redis.call('HLEN', KEYS[1])
local answers = {}
for i = 2, #ARGV, 2 do
  if redis.call('EXISTS', 'wp:delivery:' .. ARGV[i]) == 1 or redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    answers[#answers + 1] = 0
  elseif room <= 0 then
    answers[#answers + 1] = -1
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    redis.call('RPUSH', KEYS[2], ARGV[i])
    room = room - 1
    answers[#answers + 1] = 1
  end
end
return answers
"""
# KEYS: lane, flight, pending. Moves what there is room for; what has been finished meanwhile needs none.
_TAKE_OFF = """
local moved = {}
while redis.call('SCARD', KEYS[2]) < tonumber(ARGV[1]) do
  local first = redis.call('ZPOPMIN', KEYS[1])
  if #first == 0 then break end
  if redis.call('HEXISTS', KEYS[3], first[1]) == 1 then
    redis.call('SADD', KEYS[2], first[1])
    moved[#moved + 1] = first[1]
  end
end
return moved
"""


class FullError(Exception):
    """So much waits that nothing more is taken."""


def lane(name: str) -> str:
    """The key of a lane's waiting events."""
    return f"wp:lane:{name}"


def flight(name: str) -> str:
    """The key of a lane's events that are jobs."""
    return f"wp:flight:{name}"


@dataclass(frozen=True, slots=True)
class _Offer:
    event: Event
    answer: "asyncio.Future[int]"


class Inbox:
    """The way in.

    Args:
        redis: the store.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._accept = redis.register_script(_ACCEPT)
        self._take_off = redis.register_script(_TAKE_OFF)
        self._offers: list[_Offer] = []
        self._storing: asyncio.Task[None] | None = None

    async def accept(self, event: Event) -> bool:
        """Store an event. All that are offered while another is being stored go together.

        Returns:
            False for a delivery that is finished or under way.

        Raises:
            FullError: so much waits that nothing more is taken.
            redis.RedisError, OSError: the store is away.
        """
        offer = _Offer(event, asyncio.get_running_loop().create_future())
        self._offers.append(offer)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())
        answer = await offer.answer
        if answer < 0:
            raise FullError(f"{MAX_PENDING:,} events wait already")
        return answer > 0

    async def _store(self) -> None:
        while self._offers:
            offers, self._offers = self._offers[:BATCH], self._offers[BATCH:]
            given = [part for offer in offers for part in (offer.event.delivery, encode(offer.event))]
            try:
                answers: list[Any] = await self._accept(keys=[PENDING, INBOX], args=[MAX_PENDING, *given])
            except BaseException as error:
                for offer in offers:
                    _settle(offer.answer, error)
                if isinstance(error, asyncio.CancelledError):
                    raise
                continue
            for offer, answer in zip(offers, answers, strict=True):
                _settle(offer.answer, int(answer))

    async def arrived(self, wait: float) -> list[AnyEvent]:
        """Events that nobody has lined up yet. They are lost here if nobody does; `pending` still has them.

        Args:
            wait: seconds to wait for the first.
        """
        first = await self._redis.blpop([INBOX], timeout=wait)
        if first is None:
            return []
        more: Any = await self._redis.lpop(INBOX, BATCH - 1) or []
        return await self.stored([first[1], *more])

    async def stored(self, deliveries: Iterable[bytes | str]) -> list[AnyEvent]:
        """Pending events by their names; what has been finished meanwhile is left out."""
        names = list(deliveries)
        found = await self._redis.hmget(PENDING, names) if names else []
        return [decode(event) for event in found if event is not None]

    async def line_up(self, events: Iterable[AnyEvent]) -> list[AnyEvent]:
        """Put events into their lanes. Returns those, of the same lanes, whose turn it is to become jobs."""
        lanes: dict[str, dict[str, float]] = {}
        for event in events:
            lanes.setdefault(event.lane, {})[event.delivery] = time.time()
        ready: list[AnyEvent] = []
        for name, waiting in lanes.items():
            await self._redis.zadd(lane(name), waiting, nx=True)
            ready += await self.take_off(name)
        return ready

    async def take_off(self, name: str) -> list[AnyEvent]:
        """The events of a lane whose turn it is."""
        keys = [lane(name), flight(name), PENDING]
        return await self.stored(await self._take_off(keys=keys, args=[MAX_IN_FLIGHT]))

    async def waits(self, event: Event) -> bool:
        """Whether an event is in its lane."""
        return await self._redis.zscore(lane(event.lane), event.delivery) is not None


def _settle(answer: "asyncio.Future[int]", outcome: int | BaseException) -> None:
    """Whoever asked may have gone."""
    if answer.done():
        return
    if isinstance(outcome, asyncio.CancelledError):
        answer.cancel()
    elif isinstance(outcome, BaseException):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


class Waiting(msgspec.Struct, frozen=True):
    """How much is in the store.

    Attributes:
        pending: events that are not finished, wherever they are.
        queued: jobs that wait for a worker.
        active: jobs that run.
        buried: events that were given up.
        oldest: seconds since the oldest queued job was put there; 0 when none waits.
    """

    pending: int
    queued: int
    active: int
    buried: int
    oldest: float
