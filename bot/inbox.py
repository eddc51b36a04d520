"""Events on their way in: stored in one round trip for all that come at the same time, and lined up by installation.

- ``pending`` holds every event from its acceptance to its end, ``inbox`` the names of those that nobody has lined up yet.
- Each installation has a lane, whose name is among ``lanes``, where its events wait in the order of their coming, and a number of them in flight, which
  are jobs in the queue. So however many events one installation brings, those of others wait for a few of them at most.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis

from bot.events import SURVEYS, AnyEvent, Event, encode, legible

PENDING = "wp:pending"
INBOX = "wp:inbox"
# The names of lanes, by when something was lined up there last: for whoever looks, as nobody looks through all keys.
LANES = "wp:lanes"
MAX_LANES = 1_000
# Seconds: nothing waits in a lane for as long.
LANES_TTL = 7 * 24 * 3600

# Events that are kept at most, and how many of one installation are jobs at a time. 100,000 events are about 60 MB.
MAX_PENDING = 100_000
MAX_IN_FLIGHT = 8
# The same of surveys: what is more takes the turns of others only to find that it has to wait.
MAX_SURVEYS_IN_FLIGHT = 2
# Events that are stored, or lined up, in one go.
BATCH = 100
# Seconds for the store to answer; GitHub gives a delivery ten.
STORE_TIMEOUT = 5.0

_PACK = msgspec.msgpack.Encoder()

log = structlog.get_logger()

# ARGV: the bound, and a list of deliveries and events in turn, as msgpack: one argument costs the client less than many.
# Answers for each, in one text: + new, - known, ! full.
_ACCEPT = """
local room = tonumber(ARGV[1]) - redis.call('HLEN', KEYS[1])
local given, answers, new = cmsgpack.unpack(ARGV[2]), {}, {}
for i = 1, #given, 2 do
  local delivery, answer = given[i], '-'
  if redis.call('EXISTS', 'wp:delivery:' .. delivery) == 0 then
    if room > 0 then
      if redis.call('HSETNX', KEYS[1], delivery, given[i + 1]) == 1 then
        answer, new[#new + 1], room = '+', delivery, room - 1
      end
    elseif redis.call('HEXISTS', KEYS[1], delivery) == 0 then
      answer = '!'
    end
  end
  answers[#answers + 1] = answer
end
if #new > 0 then redis.call('RPUSH', KEYS[2], unpack(new)) end
return table.concat(answers)
"""
_NEW, _FULL = "+", "!"
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


class _Offer(NamedTuple):
    event: Event
    answer: "asyncio.Future[str]"


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
            TimeoutError: it does not answer.
        """
        offer = _Offer(event, asyncio.get_running_loop().create_future())
        self._offers.append(offer)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())
        answer = await offer.answer
        if answer == _FULL:
            raise FullError(f"{MAX_PENDING:,} events wait already")
        return answer == _NEW

    async def _store(self) -> None:
        # What comes in now is to be of the first batch; of the next is what comes in meanwhile.
        await asyncio.sleep(0)
        while self._offers:
            offers, self._offers = self._offers[:BATCH], self._offers[BATCH:]
            given = [part for offer in offers for part in (offer.event.delivery, encode(offer.event).decode())]
            self._patience(offers)
            try:
                answered: Any = await self._accept(keys=[PENDING, INBOX], args=[MAX_PENDING, _PACK.encode(given)])
            except BaseException as error:
                for offer in offers:
                    _settle(offer.answer, error)
                if isinstance(error, asyncio.CancelledError):
                    raise
                continue
            finally:
                self._late.cancel()
            answers = bytes(answered).decode()
            _tell([offer.event for offer, answer in zip(offers, answers, strict=True) if answer == _NEW])
            for offer, answer in zip(offers, answers, strict=True):
                _settle(offer.answer, answer)

    def _patience(self, offers: list[_Offer]) -> None:
        """Give the store its time, for what it was given and for what comes while it does not answer."""
        self._late = asyncio.get_running_loop().call_later(STORE_TIMEOUT, self._give_up, offers)

    def _give_up(self, offers: list[_Offer]) -> None:
        offers, self._offers = offers + self._offers, []
        for offer in offers:
            _settle(offer.answer, TimeoutError())
        self._patience([])

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
        """Pending events by their names; what has been finished meanwhile is left out, and what a newer version stored."""
        names = list(deliveries)
        found = await self._redis.hmget(PENDING, names) if names else []
        return [event for stored in found if stored is not None and (event := legible(stored)) is not None]

    async def line_up(self, events: Iterable[AnyEvent]) -> list[AnyEvent]:
        """Put events into their lanes. Returns those, of the same lanes, whose turn it is to become jobs."""
        lanes: dict[str, dict[str, float]] = {}
        coming = [*events]
        # The store's clock: of machines that go late, all events would be before those of others.
        seconds, micros = await self._redis.time() if coming else (0, 0)
        for order, event in enumerate(coming):
            lanes.setdefault(event.lane, {})[event.delivery] = seconds + (micros + order) / 1e6
        ready: list[AnyEvent] = []
        for name, waiting in lanes.items():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(lane(name), waiting, nx=True)
                pipe.zadd(LANES, {name: seconds})
                pipe.zremrangebyrank(LANES, 0, -MAX_LANES - 1)
                pipe.expire(LANES, LANES_TTL)
                await pipe.execute()
            ready += await self.take_off(name)
        return ready

    async def take_off(self, name: str) -> list[AnyEvent]:
        """The events of a lane whose turn it is. Those of a newer version wait for a process that knows them."""
        keys = [lane(name), flight(name), PENDING]
        events: list[AnyEvent] = []
        while True:
            most = MAX_SURVEYS_IN_FLIGHT if name.startswith(SURVEYS) else MAX_IN_FLIGHT
            taken: list[bytes] = await self._take_off(keys=keys, args=[most])
            more = await self.stored(taken)
            events += more
            if len(more) == len(taken):
                return events
            ours = {event.delivery for event in more}
            await self._redis.srem(flight(name), *(one for one in taken if one.decode() not in ours))

    async def waits(self, event: Event) -> bool:
        """Whether an event is in its lane."""
        return await self._redis.zscore(lane(event.lane), event.delivery) is not None


def _settle(answer: "asyncio.Future[str]", outcome: str | BaseException) -> None:
    """Whoever asked may have gone."""
    if answer.done():
        return
    if isinstance(outcome, asyncio.CancelledError):
        answer.cancel()
    elif isinstance(outcome, BaseException):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


def _tell(events: list[Event]) -> None:
    """One line for all that were stored together: to write a line costs more than to store an event."""
    if events:
        names, subjects = (" ".join(words) for words in ([e.delivery for e in events], [e.subject for e in events]))
        log.info("accepted", delivery=names, subject=subjects)


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
