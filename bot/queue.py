"""Jobs in Redis through SAQ, and the name of every Redis key.

What an event is about, its subject, is worked on by one job at a time, and the newest head wins:

- Each accepted event counts up ``asked`` of its subject and becomes a job that carries that number. One that asks for a
  new check run notes the number as ``again``, too, because another's job may answer it.
- A job takes the subject's lock and reads ``asked`` before it reads the head from GitHub, so what it publishes
  answers every event up to that number. It notes the number as ``done``; jobs with lower numbers have nothing to do.
- A job that finds the lock taken ends at once. The holder, after it let go of the lock, looks at ``asked`` again and
  puts one more job in the queue if the number has grown.
- ``pending`` holds every event until it is finished, that one more job's too. What the queue engine lost is put back
  from there.
- ``tries`` counts how often an event's job began and came to no orderly end, be it that it failed or that its process
  died. One that has been tried `MAX_TRIES` times is buried: kept to be looked at, until a person retries or drops it.

Events without a subject each count, and are jobs without a lock.

Of a branch, ``state`` and ``history`` hold what is known, and ``pushes`` leads from each tip that was not looked at yet to
the one before it (`bot.regressions`).
"""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError
from saq import Job

from bot import store
from bot.engine import BEAT_EVERY, Engine, pause
from bot.events import AlertEvent, AnyEvent, GroupEvent, PullEvent, PushEvent, decode, encode, legible
from bot.hold import Hold, take
from bot.ids import Login, Repo
from bot.inbox import PENDING, Inbox, Waiting, flight, lane
from bot.talk import Talk, decode_talk, encode_talk

QUEUE = "winparity"
TRIES = "wp:tries"
WAITING = "wp:waiting"
BURIED = "wp:buried"
# Of the sweep: whose turn it is and when the next is, how far it has come, what it is after, and what it has seen.
SWEEP_TURN = "wp:sweep:turn"
SWEPT = "wp:sweep:until"
MISSED = "wp:sweep:missed"
# The last deliveries that GitHub lists, by when each was made: for whoever looks.
LISTED = "wp:sweep:listed"
# The engine's own list of jobs that wait or run.
_INCOMPLETE = f"saq:{QUEUE}:incomplete"

# Seconds after which a job looks again whether another run of itself has ended.
LOOK_AGAIN = 2.0
# Redis waits without end for 0 seconds, so one look waits this long.
_SHORTEST_WAIT = 0.01
# How often a job is tried before it is buried, and its longest time in seconds: a cold clone of a huge repository over a
# slow line, and its analysis.
MAX_TRIES = 5
# The engine's own count is the smaller limit never: ours also counts what it cannot see, such as a killed process.
_ENGINE_RETRIES = 1_000
JOB_TIMEOUT = 1200
RETRY_DELAY = 2.0
# Seconds that the pause between two tries grows to.
MAX_RETRY_DELAY = 60.0
# A receiver of alerts may be down for longer: the delays double up to this many seconds, which is some two hours in all.
ALERT_TRIES = 15
MAX_ALERT_DELAY = 1800.0
# Where the last look for what is in no queue ended.
RESCUED = f"saq:{QUEUE}:rescued"
# Pushes that are remembered of a branch, and keys that are looked at in one step.
HISTORY_KEPT = 100
SCAN = 500
# The same where all keys are walked through, of which there are ten million for 100,000 repositories.
SCAN_ALL = 5_000
_OF_REPO = re.compile(rb"wp:on:([^#^@*]+)[#^@*]")
# GitHub redelivers for three days (docs: "Redelivering webhooks").
DELIVERY_TTL = 3 * 24 * 3600
# What a quiet pull request leaves behind goes after this many seconds. The count outlives what it is compared with:
# one that began anew below an old ``done`` would look answered.
DONE_TTL = 30 * 24 * 3600
ASKED_TTL = 2 * DONE_TTL
# What people rely on that it is remembered (labels they took off, owners that were told) is kept for a pull request
# that lies for a year.
SAID_TTL = 400 * 24 * 3600

# What is kept of events that were given up: how many, and characters of the reason.
MAX_BURIED, MAX_WHY = 1_000, 300
# Characters that are kept of what came of one.
MAX_OUTCOME = 60

# What people said counts as long as anybody may come back to the pull request.
TALK_TTL = 365 * 24 * 3600
# Comments and buttons of one person, and of all, that are taken in one pull request within an hour of the clock. A
# stranger's costs two reads and a write, and must not take the maintainers' place.
HOUR = 3600
MAX_TOLD_BY_ONE, MAX_TOLD = 10, 30

# A count that a running job compares with must not begin anew under it, and its lock is its own.
_FORGET = """
if KEYS[1] == KEYS[2] then return 0 end
if string.sub(KEYS[1], -6) == ':asked' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
return redis.call('DEL', KEYS[1])
"""
# KEYS: flight, lane, the engine's incomplete jobs. ARGV: names, each with its job's id. Answers 1 for one that has been
# lined up and is no job, 2 for one that has not been lined up, 0 for all others.
_LOST = """
local answers = {}
for i = 1, #ARGV, 2 do
  local answer = 0
  if redis.call('SISMEMBER', KEYS[1], ARGV[i]) == 1 then
    if not redis.call('ZSCORE', KEYS[3], ARGV[i + 1]) then answer = 1 end
  elseif not redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    answer = 2
  end
  answers[#answers + 1] = answer
end
return answers
"""


def most_tries(event: AnyEvent) -> int:
    """How often an event's job is tried."""
    return ALERT_TRIES if isinstance(event, AlertEvent) else MAX_TRIES


def _key(subject: str, what: str) -> str:
    return f"wp:on:{subject}:{what}"


def labels_key(event: AnyEvent) -> str:
    """A hash: for each label that we set, a name for the findings that it was set for."""
    return _key(event.subject, "labels")


def owners_key(event: AnyEvent) -> str:
    """Whom the comment mentioned, with spaces between."""
    return _key(event.subject, "owners")


def shadowed_key(event: AnyEvent) -> str:
    """A name for what was recorded of the subject last, in shadow mode."""
    return _key(event.subject, "shadowed")


def lasting_keys(event: AnyEvent) -> tuple[str, ...]:
    """What is remembered of the subject and decides on writes."""
    return (labels_key(event), owners_key(event), _key(event.subject, "heads"))


SHADOW = "wp:shadow:"
"""Before a repository's name: the list of what would have been shown there, the newest first."""


def in_shadow_key(repo: Repo) -> str:
    """Whether the repository's own settings wanted shadow mode when they were read last."""
    return f"wp:repo:{repo}:shadow"


def _delivery_key(delivery: str) -> str:
    return f"wp:delivery:{delivery}"


def _one_more(event: AnyEvent) -> AnyEvent:
    """The event as a delivery of our own, named after the one that led to it. What it told is old by now."""
    delivery = f"{event.delivery.partition('+')[0]}+{secrets.token_hex(4)}"
    match event:
        case PullEvent():
            return msgspec.structs.replace(event, delivery=delivery, pull=None, again=False)
        case GroupEvent():
            return msgspec.structs.replace(event, delivery=delivery, again=False)
        case _:
            return msgspec.structs.replace(event, delivery=delivery)


class _Sender(msgspec.Struct):
    """What is known of an event that is not."""

    installation: int


class Grave(msgspec.Struct, frozen=True):
    """An event that was given up.

    Attributes:
        at: when, in seconds since the epoch.
        why: in words.
        event: as the queue keeps events.
    """

    at: float
    why: str
    event: str


class Jobs:
    """The queue and what is known of each subject.

    Args:
        url: in a form of `bot.store`.
    """

    def __init__(self, url: str) -> None:
        self.redis = store.connect(url)
        self.queue = Engine(self.redis, QUEUE)
        self._inbox = Inbox(self.redis)
        self._lost = self.redis.register_script(_LOST)

    async def close(self) -> None:
        """Close all connections. A store that is away does not keep us."""
        with suppress(RedisError, OSError):
            await self.queue.disconnect()
        await self.redis.aclose()

    async def submit(self, event: AnyEvent) -> bool:
        """Accept an event. When this returns, it is stored and will be worked on.

        Returns:
            False for a delivery that is finished or under way.

        Raises:
            bot.inbox.FullError: so much waits that nothing more is taken.
            redis.RedisError, OSError: the store is away.
        """
        return await self._inbox.accept(event)

    async def dispatch(self, wait: float = 0.0) -> int:
        """Make jobs of the events that have come and whose turn it is. Returns how many came.

        Args:
            wait: seconds to wait for one; 0 looks once.
        """
        arrived = await self._inbox.arrived(max(wait, _SHORTEST_WAIT))
        for event in await self._inbox.line_up(arrived):
            await self._enqueue(event)
        return len(arrived)

    async def _enqueue(self, event: AnyEvent) -> bool:
        """Make an event a job, unless it is one already: a delivery that comes twice asks for nothing new."""
        if await self.redis.zscore(_INCOMPLETE, self.queue.job_id(event.delivery)) is not None:
            return False
        job = Job(
            "work",
            kwargs={"event": encode(event).decode(), "asked": await self.count(event)},
            key=event.delivery,
            retries=_ENGINE_RETRIES,
            retry_delay=RETRY_DELAY,
            retry_backoff=MAX_ALERT_DELAY if isinstance(event, AlertEvent) else MAX_RETRY_DELAY,
            timeout=JOB_TIMEOUT,
        )
        return await self.queue.enqueue(job) is not None

    async def count(self, event: AnyEvent) -> int:
        """The event's number among those of its subject."""
        if not event.subject:
            return 0
        asked = _key(event.subject, "asked")
        number = int(await self.redis.incr(asked))
        await self.redis.expire(asked, ASKED_TTL)
        if isinstance(event, PushEvent) and event.before not in {None, event.after}:
            pushes = _key(event.subject, "pushes")
            await self.redis.hset(pushes, event.after, str(event.before))
            await self.redis.expire(pushes, ASKED_TTL)
        if isinstance(event, PullEvent | GroupEvent) and event.again:
            await self.redis.set(_key(event.subject, "again"), number, ex=ASKED_TTL)
        return number

    async def begin(self, event: AnyEvent) -> int:
        """Count that an event's job begins. Returns the number of this try, from 1."""
        return int(await self.redis.hincrby(TRIES, event.delivery, 1))

    async def forgive(self, event: AnyEvent) -> None:
        """What ended the job was not its own fault: its tries begin anew."""
        await self.redis.hdel(TRIES, event.delivery)

    async def waited(self, event: AnyEvent) -> float:
        """For how many seconds an event's job has had to come back later."""
        now = time.time()
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hsetnx(WAITING, event.delivery, now)
            pipe.hget(WAITING, event.delivery)
            _, since = await pipe.execute()
        return now - float(since)

    async def finished(self, event: AnyEvent, outcome: str = "done") -> None:
        """Strike an event off. The same delivery never runs again.

        Args:
            event: which.
            outcome: what was done; of that is kept what stands before a colon, which names no repository.
        """
        said = outcome.partition(":")[0][:MAX_OUTCOME]
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(_delivery_key(event.delivery), said, ex=DELIVERY_TTL)
            await self._strike_off(event, pipe)

    async def _strike_off(self, event: AnyEvent, pipe: Pipeline) -> None:
        """Nobody works on an event any more, and what else is to be done goes with that: the next of its lane has a turn."""
        pipe.hdel(PENDING, event.delivery)
        pipe.hdel(TRIES, event.delivery)
        pipe.hdel(WAITING, event.delivery)
        pipe.srem(flight(event.lane), event.delivery)
        await pipe.execute()
        for waiting in await self._inbox.take_off(event.lane):
            await self._enqueue(waiting)

    async def bury(self, event: AnyEvent, why: str) -> None:
        """Strike an event off that cannot be worked on, and keep it to be looked at. Delivered again it is tried again.

        Of more than `MAX_BURIED` the oldest go.
        """
        grave = msgspec.json.encode(Grave(time.time(), why[:MAX_WHY], encode(event).decode()))
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(BURIED, event.delivery, grave)
            await self._strike_off(event, pipe)
        graves = await self.buried()
        if oldest := [delivery for delivery, _ in graves[: max(0, len(graves) - MAX_BURIED)]]:
            for delivery in oldest:
                await self._forget_delivery(delivery)
            await self.redis.hdel(BURIED, *oldest)

    async def buried(self) -> list[tuple[str, Grave]]:
        """What is buried, by delivery, oldest first."""
        stored: dict[bytes, bytes] = await self.redis.hgetall(BURIED)  # type: ignore[assignment] # no text is decoded
        graves = [(name.decode(), msgspec.json.decode(grave, type=Grave)) for name, grave in stored.items()]
        return sorted(graves, key=lambda known: known[1].at)

    async def unbury(self, delivery: str, *, retry: bool) -> bool:
        """Take an event out of its grave, to try it again or to forget it. False when it is not there."""
        stored = await self.redis.hget(BURIED, delivery)
        if stored is None:
            return False
        if retry:
            await self.submit(decode(msgspec.json.decode(stored, type=Grave).event))
        else:
            await self._forget_delivery(delivery)
        return bool(await self.redis.hdel(BURIED, delivery))

    async def _forget_delivery(self, delivery: str) -> None:
        """Nobody wants it any more: the sweep must not take it for one that was lost."""
        await self.redis.set(_delivery_key(delivery), "dropped", ex=DELIVERY_TTL)

    async def leave(self, delivery: str, stored: str) -> None:
        """Leave an event of a newer version to a process of that version. It waits meanwhile, and keeps no other waiting."""
        with suppress(msgspec.DecodeError):
            sender = msgspec.json.decode(stored, type=_Sender)
            await self.redis.srem(flight(str(sender.installation)), delivery)

    async def is_finished(self, delivery: str) -> bool:
        """Whether a delivery went well."""
        return bool(await self.redis.exists(_delivery_key(delivery)))

    async def known(self, deliveries: Iterable[str]) -> set[str]:
        """Those that are stored, whatever became of them: what is not has never come, or was lost with the store."""
        known = set()
        for name in deliveries:
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.exists(_delivery_key(name))
                pipe.hexists(PENDING, name)
                pipe.hexists(BURIED, name)
                if any(await pipe.execute()):
                    known.add(name)
        return known

    async def fates(self, deliveries: Iterable[str]) -> dict[str, str]:
        """What became of deliveries, in a word or two; those of which nothing is stored are left out."""
        names, found = [*deliveries], {}
        async with self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hexists(BURIED, name)
                pipe.hexists(PENDING, name)
                pipe.get(_delivery_key(name))
                pipe.hexists(MISSED, name)
            told = await pipe.execute()
        for at, name in enumerate(names):
            buried, pending, outcome, missed = told[4 * at : 4 * at + 4]
            if buried:
                found[name] = "given up"
            elif pending:
                found[name] = "waits or runs"
            elif outcome is not None:
                said = outcome.decode(errors="replace")
                found[name] = "done" if said == "1" else said  # as versions before kept it
            elif missed:
                found[name] = "asked for again"
        return found

    async def turn(self, what: str, seconds: float) -> bool:
        """Whether it is this process that does, this time, what one of many does in so many seconds."""
        return bool(await self.redis.set(f"saq:{QUEUE}:turn:{what}", 1, nx=True, px=int(seconds * 1000)))

    async def rescue(self, most: int | None = None) -> int:
        """Put back what was accepted and is in no queue: who was to line it up, or its sweeper, was killed halfway.

        Args:
            most: events that are looked at, about; the next call goes on from there. None looks at all of them.

        Returns:
            How many became jobs.
        """
        cursor, seen, count = int(await self.redis.get(RESCUED) or 0) if most else 0, 0, 0
        while True:
            found: Any = await self.redis.hscan(PENDING, cursor, count=SCAN)
            cursor, some = found
            seen += len(some)
            count += await self._rescue([event for stored in some.values() if (event := legible(stored)) is not None])
            if not cursor or (most is not None and seen >= most):
                break
        if most:
            await self.redis.set(RESCUED, cursor)
        return count

    async def _rescue(self, events: Iterable[AnyEvent]) -> int:
        lanes: dict[str, list[AnyEvent]] = {}
        for event in events:
            lanes.setdefault(event.lane, []).append(event)
        count = 0
        for name, lined in lanes.items():
            keys = [flight(name), lane(name), _INCOMPLETE]
            asked = [part for event in lined for part in (event.delivery, self.queue.job_id(event.delivery))]
            answers: list[int] = await self._lost(keys=keys, args=asked)
            jobless = [event for event, answer in zip(lined, answers, strict=True) if answer == 1]
            strays = [event for event, answer in zip(lined, answers, strict=True) if answer == 2]
            # A lane may have room, too: who took the one before off it was killed before it took the next.
            for event in [*jobless, *await self._inbox.line_up(strays), *await self._inbox.take_off(name)]:
                count += await self._enqueue(event)
        return count

    async def waiting(self) -> Waiting:
        """How much is in the store."""
        first: Any = await self.redis.lindex(self.queue.namespace("queued"), 0)
        job = await self.queue.job(self.queue.job_key_from_id(first.decode())) if first else None
        oldest = max(0.0, time.time() - job.queued / 1000) if job is not None and job.queued else 0.0
        return Waiting(
            await self.redis.hlen(PENDING),
            await self.queue.count("queued"),
            await self.queue.count("active"),
            await self.redis.hlen(BURIED),
            oldest,
        )

    async def answered(self, event: AnyEvent, asked: int) -> bool:
        """Whether what is published already answers this event, and all that came meanwhile.

        The job of a later event may have ended because this one held the lock; a killed worker then leaves it to us.
        """
        done, newest = await self._numbers(event, "done", "asked")
        return done > 0 and done >= max(asked, newest)

    async def note_answered(self, event: AnyEvent, hold: Hold) -> None:
        """Note that what is published answers all events up to the number that the hold began with."""
        await self.redis.set(_key(event.subject, "done"), hold.asked, ex=DONE_TTL)

    @asynccontextmanager
    async def alive(self, job: Job) -> AsyncIterator[None]:
        """Let the others know that a job is being worked on, while this lasts."""
        await self.queue.beat(job)
        async with self._beating(lambda: self.queue.beat(job)):
            yield

    @asynccontextmanager
    async def hold(self, event: AnyEvent, job: Job) -> AsyncIterator[Hold | None]:
        """Work on a subject alone.

        Yields:
            The hold, renewed while it lasts together with the job's beat; None when another job has it.

        Raises:
            TakenError: another run of this job has it, which may be alive or not.
        """
        lock = _key(event.subject, "lock")
        holder = await take(self.redis, lock, job)
        if holder is None:
            yield None
            return
        # A pause that was asked for before says nothing of a failure now.
        job.retry_delay, job.retry_backoff = RETRY_DELAY, MAX_RETRY_DELAY
        asked, again, done = await self._numbers(event, "asked", "again", "done")
        alone = done == asked - 1 and (job.kwargs or {}).get("asked") == asked
        hold = Hold(self.redis, lock, holder, asked, again if again > done else 0, job.id, alone=alone)
        async with self._beating(hold.renew):
            try:
                yield hold
            finally:
                kept = await hold.drop()
                if not kept or (await self._numbers(event, "asked"))[0] > hold.asked:
                    await self.submit(_one_more(event))

    async def branch(self, event: PushEvent) -> tuple[bytes | None, dict[str, str]]:
        """What is stored of a branch, and the pushes to it that are not looked at yet: from each tip to the one before."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.get(_key(event.subject, "state"))
            pipe.hgetall(_key(event.subject, "pushes"))
            state, pushes = await pipe.execute()
        return state, {after.decode(): before.decode() for after, before in pushes.items()}

    async def save_branch(
        self, event: PushEvent, hold: Hold, state: bytes, pushes: Iterable[str] = (), entry: bytes | None = None
    ) -> None:
        """Store what is known of a branch, if it is still held. It stays: a release branch may be quiet for years.

        Args:
            event: of the branch.
            hold: of the branch.
            state: what is known of it.
            pushes: those that were looked at.
            entry: one more of its history, of which the last `HISTORY_KEPT` stay.
        """
        history = _key(event.subject, "history")

        async def store_if_held(pipe: Pipeline) -> None:
            await hold.still(pipe)
            pipe.multi()  # type: ignore[no-untyped-call]
            pipe.set(_key(event.subject, "state"), state)
            if seen := [*pushes]:
                pipe.hdel(_key(event.subject, "pushes"), *seen)
            if entry is not None:
                pipe.lpush(history, entry)
                pipe.ltrim(history, 0, HISTORY_KEPT - 1)

        await self.redis.transaction(store_if_held, hold.key)

    async def history(self, repo: Repo, branch: str) -> list[bytes]:
        """What the pushes to a branch brought, newest first, as `bot.regressions.Entry` encodes it."""
        stored: list[Any] = await self.redis.lrange(_key(f"{repo}@{branch}", "history"), 0, -1)
        return stored

    async def forget_branch(self, event: PushEvent) -> None:
        """Drop all of a branch that is gone but its history."""
        await self.redis.delete(_key(event.subject, "state"), _key(event.subject, "pushes"))

    async def forget(self, repos: Collection[Repo]) -> int:
        """Drop all that is known of repositories' pull requests, merge groups and branches. Returns how many keys.

        What a job that runs now still counts with stays, and goes by itself: see `ASKED_TTL`. The store is walked through
        once for each owner, and not for each repository: an organisation may leave with thousands.
        """
        count, wanted = 0, {repo.encode() for repo in repos}
        for owner in {repo.partition("/")[0] for repo in repos}:
            async for name in self.redis.scan_iter(match=f"wp:on:{owner}/*", count=SCAN_ALL):
                key = bytes(name)
                known = _OF_REPO.match(key)
                if known is not None and known[1] in wanted:
                    subject = key.rpartition(b":")[0]
                    count += int(await self.redis.eval(_FORGET, 2, key, subject + b":lock"))
        for repo in repos:
            count += int(await self.redis.delete(f"{SHADOW}{repo}", in_shadow_key(repo)))
        return count

    async def _numbers(self, event: AnyEvent, *what: str) -> list[int]:
        return [int(number or 0) for number in await self.redis.mget([_key(event.subject, name) for name in what])]

    async def first_time(self, event: AnyEvent, head: str) -> bool:
        """Whether no check run of ours can be on a head yet. From now on one can."""
        heads = _key(event.subject, "heads")
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.sadd(heads, head)
            pipe.expire(heads, ASKED_TTL)
            added, _ = await pipe.execute()
        return bool(added)

    async def talk(self, subject: str) -> Talk:
        """What people have told us in a pull request."""
        return decode_talk(await self.redis.getex(_key(subject, "talk"), ex=TALK_TTL))

    async def change_talk(self, subject: str, change: Callable[[Talk], Talk]) -> Talk:
        """Change what people have told us, all at once; the change is made anew if another one comes between."""
        key = _key(subject, "talk")

        async def once(pipe: Pipeline) -> Talk:
            talk = change(decode_talk(await pipe.get(key)))
            pipe.multi()  # type: ignore[no-untyped-call] # redis-py says nothing of it
            pipe.set(key, encode_talk(talk), ex=TALK_TTL)
            return talk

        talk: Talk = await self.redis.transaction(once, key, value_from_callable=True)
        return talk

    async def admit(self, subject: str, user: Login, command: str) -> bool:
        """Whether a comment or button is one of so many of the hour. One that is asked for again counts once."""
        hour = int(time.time()) // HOUR
        for whose, most in ((f"told:{user.lower()}:{hour}", MAX_TOLD_BY_ONE), (f"told:{hour}", MAX_TOLD)):
            told = _key(subject, whose)
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.sadd(told, command)
                pipe.scard(told)
                pipe.expire(told, HOUR)
                added, count, _ = await pipe.execute()
            if count > most:
                if added:
                    await self.redis.srem(told, command)
                return False
        return True

    @asynccontextmanager
    async def _beating(self, beat: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Go on beating while this lasts."""
        over = asyncio.Event()

        async def go_on() -> None:
            while not await pause(over, BEAT_EVERY):
                # A store that is away for a moment ends no job; one that is away for long costs the lock, as it should.
                with suppress(RedisError, OSError):
                    await beat()

        beating = asyncio.create_task(go_on())
        try:
            yield
        finally:
            # Not cancelled: redis-py may swallow a cancellation, and a command that was cut off may arrive late.
            over.set()
            await beating


def later(job: Job, until: float) -> None:
    """Arrange that the job, when it raises next, is tried again at a time.

    Args:
        job: the running job.
        until: seconds since the epoch.
    """
    job.retry_backoff = False
    job.retry_delay = max(1.0, until - time.time())
