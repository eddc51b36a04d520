"""The sweep: deliveries that never arrived, or that were lost with the store, are asked for again.

GitHub delivers once (docs: "Handling failed webhook deliveries"), and keeps for three days how that went. So its list is
compared with what is stored: a delivery that is pending, finished or buried here is accounted for, whatever GitHub saw of
it. Of the others those are missed that found nobody, or that we acknowledged before the store lost them.

All processes sweep, one at a time: `SWEEP_TURN` is held during a sweep, and runs out when the next one is due. `SWEPT` says
how far the list was read, `MISSED` what is missed, each with how often it was asked for. Where GitHub reaches us there is
a pause after each time, which doubles; where the newest delivery failed too, one alone is asked for at a time, as a probe.
`LISTED` has the last attempts, for whoever looks.
"""

import asyncio
import datetime as dt
import secrets
import time
from dataclasses import dataclass, field

import msgspec
import redis
import structlog

from bot import metrics
from bot.github import BusyError, RefusedError
from bot.queue import DELIVERY_TTL, LISTED, MISSED, SWEEP_TURN, SWEPT, Jobs
from bot.registration import Delivery, Registered
from bot.webhook import MAX_DELIVERY_LENGTH, may_matter

# Seconds between two sweeps of all processes together, between two looks of one whether it is its turn, and for which a
# turn is held without a sign of life.
EVERY = 60.0
LOOK_EVERY = 5.0
TURN = 120.0
# Seconds until the next sweep where GitHub will not let us.
REFUSED_WAIT = 600.0
# How far to look back where nothing is stored, in seconds: a store that was lost in the evening is back in the morning.
FIRST_LOOK = 12 * 3600.0
# By how much sweeps overlap, in seconds: a delivery is listed when it has failed, and a store may lose its last moments.
OVERLAP = 15 * 60.0
# Seconds for which GitHub delivers again (docs: "Redelivering webhooks").
KEPT = DELIVERY_TTL
# How often one delivery is asked for, and the pauses between, in seconds. With these it is three days until the last.
MAX_ASKED = 24
FIRST_PAUSE, MAX_PAUSE = 120.0, 4 * 3600.0
# Deliveries that one sweep asks for: at one a second it is over, and the list read again, before ten minutes have passed.
MAX_A_SWEEP = 300
# Requests in a row that fail until a sweep ends: where each tenth fails, one that ended with the first would ask for ten.
MAX_FAILING = 3
# Seconds that GitHub may want to be left alone until a sweep ends for that.
MAX_PAUSE_WITHIN = 10.0
# Attempts that are kept for whoever looks.
MAX_LISTED = 30
# Our own answers that no repetition changes: malformed, and too large.
_FINAL = {400, 413}

_KEEP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"

log = structlog.get_logger()


class Missed(msgspec.Struct, frozen=True):
    """A delivery that is to come again.

    Attributes:
        id: GitHub's number of its last attempt.
        at: when that was, in seconds since the epoch.
        asked: how often it was asked for.
        due: when to ask for it next.
        cut_off: GitHub did not reach us when it was asked for last.
    """

    id: int
    at: float
    asked: int = 0
    due: float = 0.0
    cut_off: bool = False


@dataclass(slots=True)
class _List:
    """What GitHub's list says.

    Attributes:
        newest: the newest attempt of each delivery that matters.
        over: deliveries that need nothing more.
        arriving: the newest attempt of all reached us.
        until: when that was; None of an empty list.
        length: how many attempts were read.
        latest: the first of them, for whoever looks.
    """

    newest: dict[str, Delivery] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    arriving: bool = True
    until: dt.datetime | None = None
    length: int = 0
    latest: list[Delivery] = field(default_factory=list)

    def add(self, attempt: Delivery) -> None:
        """Take one attempt in; the newest comes first."""
        if self.until is None:
            self.until, self.arriving = attempt.delivered_at, _reached_us(attempt)
        self.length += 1
        if len(self.latest) < MAX_LISTED:
            self.latest.append(attempt)
        if not may_matter(attempt.event, attempt.action) or len(attempt.guid) > MAX_DELIVERY_LENGTH:
            return
        if attempt.guid not in self.newest:
            self.newest[attempt.guid] = attempt
            if attempt.status_code in _FINAL:
                self.over.add(attempt.guid)
        if attempt.status_code == 200:  # there was nothing to do
            self.over.add(attempt.guid)


def _reached_us(attempt: Delivery) -> bool:
    return 200 <= attempt.status_code < 300 or attempt.status_code in _FINAL


class Sweep:
    """Who sweeps for one process.

    Args:
        registered: the door to the app itself.
        jobs: what is stored.
        spacing: seconds between two requests for a delivery.
    """

    def __init__(self, registered: Registered, jobs: Jobs, spacing: float) -> None:
        self._registered = registered
        self._jobs = jobs
        self._redis = jobs.redis
        self._spacing = spacing
        self._name = secrets.token_hex(8)

    async def run(self, over: asyncio.Event) -> None:
        """Sweep whenever it is time and nobody else does, until it is over: then a GitHub that is slow is not waited for."""
        ending = asyncio.create_task(over.wait())
        while not over.is_set():
            looking = asyncio.create_task(self._look())
            await asyncio.wait({looking, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not looking.done():
                looking.cancel()
                await asyncio.wait({looking})
            await asyncio.wait({ending}, timeout=LOOK_EVERY)

    async def _look(self) -> None:
        try:
            await self.once()
        except (redis.RedisError, OSError):
            log.warning("no sweep: the store is away")
        except Exception:
            log.exception("the sweep failed")

    async def once(self) -> bool:
        """Sweep, if it is time. Returns whether it was."""
        if not await self._redis.set(SWEEP_TURN, self._name, nx=True, px=_milliseconds(TURN)):
            return False
        rest = EVERY
        try:
            await self._sweep()
        except BusyError as busy:
            rest = max(EVERY, busy.until - time.time())
            log.warning("the sweep comes back later", reason=str(busy))
        except RefusedError as refusal:
            rest = REFUSED_WAIT
            log.error("GitHub does not list our deliveries", reason=str(refusal))  # noqa: TRY400 - not a bug
        finally:
            await self._keep(rest)
        return True

    async def _keep(self, seconds: float) -> bool:
        """Hold the turn for so long from now, if it is still ours."""
        return bool(await self._redis.eval(_KEEP, 1, SWEEP_TURN, self._name, _milliseconds(seconds)))

    async def _sweep(self) -> None:
        listed = await self._listed()
        await self._show(listed.latest)
        missed = await self._settled(listed)
        asked = await self._ask(missed, arriving=listed.arriving)
        if listed.until is not None:
            await self._redis.set(SWEPT, listed.until.timestamp())
        metrics.swept(asked)
        if missed:
            log.info("swept", listed=listed.length, missed=len(missed), asked=asked, arriving=listed.arriving)

    async def _listed(self) -> _List:
        """What GitHub lists since the last sweep."""
        swept = await self._redis.get(SWEPT)
        since = time.time() - FIRST_LOOK if swept is None else float(swept) - OVERLAP
        listed = _List()
        async for attempt in self._registered.deliveries_since(dt.datetime.fromtimestamp(since, dt.UTC)):
            listed.add(attempt)
            if listed.length % 100 == 0:
                await self._keep(TURN)
        return listed

    async def _show(self, latest: list[Delivery]) -> None:
        """Keep the last attempts for whoever looks: no process has seen them all, and GitHub has."""
        if latest:
            attempts = {msgspec.json.encode(attempt): attempt.delivered_at.timestamp() for attempt in latest}
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(LISTED, attempts)
                pipe.zremrangebyrank(LISTED, 0, -MAX_LISTED - 1)
                pipe.expire(LISTED, KEPT)
                await pipe.execute()

    async def _settled(self, listed: _List) -> dict[str, Missed]:
        """What is missed, now that the list and the store are compared; it is stored, too."""
        stored: dict[bytes, bytes] = await self._redis.hgetall(MISSED)  # type: ignore[assignment] # no text is decoded
        before = {name.decode(): msgspec.json.decode(known, type=Missed) for name, known in stored.items()}
        suspects = [*dict.fromkeys([*before, *listed.newest])]
        accounted = await self._jobs.known(suspects) | listed.over
        oldest = time.time() - KEPT
        missed = {}
        for name in suspects:
            known = _updated(before.get(name), listed.newest.get(name))
            if name not in accounted and known.at > oldest:
                missed[name] = known
        async with self._redis.pipeline(transaction=True) as pipe:
            if gone := before.keys() - missed.keys():
                pipe.hdel(MISSED, *gone)
            if new := {name: msgspec.json.encode(known) for name, known in missed.items() if before.get(name) != known}:
                pipe.hset(MISSED, mapping=new)  # type: ignore[arg-type] # a dict of bytes is one
            await pipe.execute()
        return missed

    async def _ask(self, missed: dict[str, Missed], *, arriving: bool) -> int:
        """Ask for what is due. Returns how many that were."""
        now, count, failing = time.time(), 0, 0
        ready = [name for name, known in missed.items() if _is_due(known, now, arriving=arriving)]
        ready.sort(key=lambda name: (missed[name].due, missed[name].id))
        for name in ready[: MAX_A_SWEEP if arriving else 1]:
            if not await self._keep(TURN + self._spacing):
                break
            try:
                await self._ask_for(name, missed[name], arriving=arriving)
                count, failing = count + 1, 0
            except BusyError as busy:
                failing, wait = failing + 1, busy.until - time.time() if busy.limited else 0.0
                if failing == MAX_FAILING or wait > MAX_PAUSE_WITHIN:
                    raise
                log.warning("GitHub may not have heard", delivery=name, reason=str(busy))
                await asyncio.sleep(wait)
            await asyncio.sleep(self._spacing)
        return count

    async def _ask_for(self, name: str, known: Missed, *, arriving: bool) -> None:
        """It is noted first: whoever comes after a process that was killed here does not ask at once again."""
        pause = min(FIRST_PAUSE * 2**known.asked, MAX_PAUSE)
        asked = msgspec.structs.replace(known, asked=known.asked + 1, due=time.time() + pause, cut_off=not arriving)
        await self._redis.hset(MISSED, name, msgspec.json.encode(asked))
        try:
            await self._registered.redeliver(known.id)
        except BusyError as busy:
            if busy.limited:
                await self._redis.hset(MISSED, name, msgspec.json.encode(known))
            raise
        except RefusedError as refusal:
            log.warning("GitHub does not deliver again", delivery=name, reason=str(refusal), times=asked.asked)
            return
        log.info("asked GitHub to deliver again", delivery=name, times=asked.asked)
        if asked.asked == MAX_ASKED:
            log.error("a delivery is given up unless it comes this time", delivery=name, times=asked.asked)


def _updated(known: Missed | None, newest: Delivery | None) -> Missed:
    """What is known of a missed delivery, with its newest attempt."""
    if newest is None:
        assert known is not None  # noqa: S101 - one of the two named it
        return known
    at = newest.delivered_at.timestamp()
    return Missed(newest.id, at) if known is None else msgspec.structs.replace(known, id=newest.id, at=at)


def _is_due(known: Missed, now: float, *, arriving: bool) -> bool:
    return known.asked < MAX_ASKED and (known.due <= now or (known.cut_off and arriving))


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
