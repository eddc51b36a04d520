"""How the installation does, over all of its processes: for administrators. It names no repository and nobody.

Each process tells the store what it alone knows (`bot.health.Vitals`); all else is there anyway. GitHub's own list of
deliveries comes from the sweep, so nothing of this is on the way of a delivery.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bot import health
from bot.dashboard.records import Known
from bot.events import SURVEYS, SurveyEvent, legible
from bot.health import Process, Vitals
from bot.ids import Repo
from bot.inbox import LANES, flight, lane
from bot.queue import LISTED, Grave, Jobs
from bot.registration import Delivery

MAX_ROWS = 50
"""Lines of a list: the longest lanes, the smallest budgets, what was given up last. More are counted."""

MAX_JOBS = 2_000
"""Jobs that are looked at for their age: few of each lane are jobs at a time."""

_REPOSITORIES, _ALERTS = "repositories:", "alerts:"


class Lane(msgspec.Struct, frozen=True):
    """What waits in turn with each other: how much, how much of it runs, and for how many seconds the oldest is there."""

    name: str
    waiting: int
    running: int
    oldest: float


class Surveys(msgspec.Struct, frozen=True):
    """Surveys: those that wait, run, and were given up; repositories whose past is being read, or that cannot be read."""

    waiting: int
    running: int
    given_up: int
    reading: int
    troubled: int


class DeliveryRow(msgspec.Struct, frozen=True):
    """A delivery as GitHub lists it: when it was made, how we answered, and what became of it here."""

    delivery: str
    event: str
    at: float
    status: int
    outcome: str


class GivenUp(msgspec.Struct, frozen=True):
    """A job that was given up; `winparity queue` has all of it."""

    delivery: str
    kind: str
    installation: int
    at: float
    why: str


class Budget(msgspec.Struct, frozen=True):
    """An installation's hourly budget, and whether it is asked at all; installation 0 is the app itself.

    Attributes:
        installation: its number.
        remaining: what is left by GitHub's last answer to any process; None when there was none within the hour.
        reset: when the next hour begins, in seconds since the epoch.
        paused: until when a process asks nothing for it; 0 where all ask.
        why: that is.
    """

    installation: int
    remaining: int | None = None
    reset: int = 0
    paused: int = 0
    why: str = ""


class ProcessRow(msgspec.Struct, frozen=True):
    """A process: how many seconds ago it gave a sign of life, its version, and when it began."""

    role: str
    host: str
    pid: int
    age: float
    version: str
    started: float


class Operations(msgspec.Struct, frozen=True, kw_only=True):
    """How the installation does.

    Attributes:
        pending: events that are not finished; of them `queued` wait for a worker, and `active` run.
        oldest: for how many seconds the next one has waited.
        lanes: in which they wait, the longest first; `more_lanes` are not listed.
        surveys: for the dashboard.
        buried: how many jobs were given up; `given_up` are the last of them.
        latest: the last deliveries that GitHub lists, newest first.
        deliveries: how many the processes answered that run, by HTTP status.
        budgets: of installations, paused ones and those with the least left first.
        processes: that gave a sign of life within the hour.
        last: when what was last seen, in seconds since the epoch.
    """

    pending: int
    queued: int
    active: int
    oldest: float
    lanes: tuple[Lane, ...]
    more_lanes: int
    surveys: Surveys
    buried: int
    given_up: tuple[GivenUp, ...]
    latest: tuple[DeliveryRow, ...]
    deliveries: dict[str, int]
    budgets: tuple[Budget, ...]
    processes: tuple[ProcessRow, ...]
    last: dict[str, float]


async def look(jobs: Jobs, repositories: Mapping[Repo, Known]) -> Operations:
    """How things stand now.

    Args:
        jobs: the queue.
        repositories: all that are known.

    Raises:
        redis.RedisError, OSError: the store is away.
    """
    waiting, buried = await jobs.waiting(), await jobs.buried()
    processes = await health.processes(jobs.redis)
    vitals = await health.vitals(jobs.redis, processes)
    lanes = await _lanes(jobs)
    surveys = [one for one in lanes if one.name == _words(SURVEYS)]
    return Operations(
        pending=waiting.pending,
        queued=waiting.queued,
        active=waiting.active,
        oldest=round(waiting.oldest, 1),
        lanes=tuple(lanes[:MAX_ROWS]),
        more_lanes=max(0, len(lanes) - MAX_ROWS),
        surveys=Surveys(
            sum(one.waiting for one in surveys),
            sum(one.running for one in surveys),
            sum(isinstance(legible(grave.event), SurveyEvent) for _, grave in buried),
            sum(known.done < known.planned for known in repositories.values()),
            sum(bool(known.trouble) for known in repositories.values()),
        ),
        buried=waiting.buried,
        given_up=tuple(_given_up(name, grave) for name, grave in reversed(buried[-MAX_ROWS:])),
        latest=await _latest(jobs),
        deliveries=_answered(processes, vitals),
        budgets=tuple(_budgets(vitals)[:MAX_ROWS]),
        processes=tuple(
            ProcessRow(known.role, known.host, known.pid, round(known.age, 1), told.version, told.started)
            for known, told in zip(processes, vitals, strict=True)
        ),
        last=await health.last(jobs.redis),
    )


# What waits.


async def _lanes(jobs: Jobs) -> list[Lane]:
    """Lanes in which something is, the longest first; those of surveys are told as one."""
    stored: list[Any] = await jobs.redis.zrevrange(LANES, 0, -1)
    names = [name.decode() for name in stored]
    async with jobs.redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.zcard(lane(name))
            pipe.zrange(lane(name), 0, 0, withscores=True)
            pipe.smembers(flight(name))
        told: list[Any] = await pipe.execute()
    each = {name: told[3 * at : 3 * at + 3] for at, name in enumerate(names)}
    work = await _in_flight(jobs, [delivery for _, _, flying in each.values() for delivery in flying][:MAX_JOBS])
    active = await _active(jobs)
    now, found = time.time(), dict[str, Lane]()
    for name, (lined_up, first, flying) in each.items():
        if not lined_up and not flying:
            continue
        here = [work[delivery] for delivery in flying if delivery in work]
        running = len(active.intersection(flying))
        began = [when for _, when in first] + [job["queued"] / 1000 for job in here if job.get("queued")]
        called = _words(name)
        before = found.get(called, Lane(called, 0, 0, 0.0))
        found[called] = Lane(
            called,
            before.waiting + lined_up + len(flying) - running,
            before.running + running,
            round(max(before.oldest, *(now - when for when in began), 0.0), 1),
        )
    return sorted(found.values(), key=lambda one: (-one.waiting - one.running, one.name))


async def _active(jobs: Jobs) -> set[bytes]:
    """The deliveries of all jobs that run."""
    running: list[Any] = await jobs.redis.lrange(jobs.queue.namespace("active"), 0, -1)
    return {jobs.queue.job_key_from_id(job.decode()).encode() for job in running}


async def _in_flight(jobs: Jobs, deliveries: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
    """The jobs of deliveries, as the engine keeps them."""
    keys = [jobs.queue.job_id(name.decode()) for name in deliveries]
    stored: list[Any] = await jobs.redis.mget(keys) if keys else []
    return {name: json.loads(job) for name, job in zip(deliveries, stored, strict=True) if job}


def _words(name: str) -> str:
    """What a lane is called."""
    if name.startswith(SURVEYS):
        return "surveys"
    if name.startswith(_REPOSITORIES):
        return f"what became of repositories, installation {name.removeprefix(_REPOSITORIES)}"
    return f"receiver {name.removeprefix(_ALERTS)[:8]}" if name.startswith(_ALERTS) else f"installation {name}"


def _given_up(delivery: str, grave: Grave) -> GivenUp:
    event = legible(grave.event)
    kind = "" if event is None else type(event).__name__.removesuffix("Event").lower()
    # What names a repository has a slash in it.
    why = ": ".join(part for part in grave.why.split(": ") if "/" not in part)
    return GivenUp(delivery, kind, event.installation if event else 0, grave.at, why or "see `winparity queue`")


# What came.


async def _latest(jobs: Jobs) -> tuple[DeliveryRow, ...]:
    """The last deliveries by GitHub's word, and what became of them by ours."""
    stored: list[Any] = await jobs.redis.zrevrange(LISTED, 0, -1)
    listed = [msgspec.json.decode(one, type=Delivery) for one in stored]
    fates = await jobs.fates({one.guid for one in listed})
    return tuple(
        DeliveryRow(
            one.guid,
            f"{one.event} {one.action}" if one.action else one.event,
            one.delivered_at.timestamp(),
            one.status_code,
            fates.get(one.guid) or _fate(one.status_code),
        )
        for one in listed
    )


def _fate(status: int) -> str:
    """What became of a delivery of which nothing is stored."""
    if status == 200:
        return "nothing to do"
    return "not stored any more" if 200 < status < 300 else "did not arrive"


def _answered(processes: Sequence[Process], vitals: Sequence[Vitals]) -> dict[str, int]:
    """Deliveries by status. A process that is both web server and worker tells the same twice."""
    found: dict[str, int] = {}
    once = {(known.host, known.pid): told.deliveries for known, told in zip(processes, vitals, strict=True)}
    for told in once.values():
        for status, count in told.items():
            found[status] = found.get(status, 0) + count
    return dict(sorted(found.items()))


# What GitHub allows.


def _budgets(vitals: Iterable[Vitals]) -> list[Budget]:
    """Of each installation the newest answer of GitHub to any process: of one hour, the one with the least left."""
    now = time.time()
    found: dict[int, Budget] = {}
    for told in vitals:
        for number, left, reset in told.budgets:
            before = found.get(number)
            if reset > now and (before is None or (before.reset, -(before.remaining or 0)) < (reset, -left)):
                found[number] = Budget(number, left, reset)
    for told in vitals:
        for number, until, why in told.pauses:
            known = found.get(number, Budget(number))
            if until > max(now, known.paused):
                found[number] = msgspec.structs.replace(known, paused=until, why=why)
    return sorted(found.values(), key=lambda one: (not one.paused, one.remaining or 0, one.installation))
