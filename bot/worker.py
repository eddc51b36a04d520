"""The engine that runs jobs: what each event asks for, and what each failure means."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import redis
import structlog
from saq import Job, Worker
from saq.types import PartialTimersDict

from bot import alerts, checking, commands, gone, health, metrics, outgoing, tracing
from bot.analysis import Analyst
from bot.config import Settings
from bot.dashboard import recording
from bot.dashboard.surveyor import Surveyor
from bot.engine import SWEEP, pause
from bot.events import (
    AlertEvent,
    AnyEvent,
    CommandEvent,
    GoneEvent,
    GroupEvent,
    PullEvent,
    PushEvent,
    RepositoryEvent,
    SuiteEvent,
    SurveyEvent,
    legible,
)
from bot.git import LostError
from bot.github import TIMEOUT, BusyError, ConflictError, GitHub, RefusedError
from bot.hold import Hold, NotYetError, SupersededError, TakenError
from bot.line import Line
from bot.org_config import OrgConfigs
from bot.outgoing import ReceiverError
from bot.queue import DELIVERY_TTL, LOOK_AGAIN, Jobs, later, most_tries
from bot.registration import Registered
from bot.sweep import Sweep

# Seconds for which a job comes back later because GitHub cannot be asked: as long as GitHub would deliver its event again.
PATIENCE = DELIVERY_TTL
# Seconds between looks for accepted events that are in no queue, by one of all workers, and events that it looks at: a
# look reads them, and must not weigh on a store in which 100,000 wait.
RESCUE_EVERY = 30.0
RESCUE_MOST = 5_000
# Seconds that running jobs get to finish when the process is asked to stop; what does not finish runs again.
GRACE = 20
STOP_POLL = 0.01
# Seconds that a job gets to let go of what it holds when it is cut off: its child processes end, its lock is free.
LET_GO = 5.0
# How often a job whose store went away looks whether it is back, and seconds between two looks.
STORE_LOOKS, STORE_POLL = 20, 0.5
# Seconds that a worker waits for a job before it looks whether it is to stop; whoever stops it waits for that.
DEQUEUE_TIMEOUT = 1.0
# The same for one that looks at the inbox; whoever stops a worker waits for it.
DISPATCH_WAIT = 0.2

log = structlog.get_logger()


@asynccontextmanager
async def working(settings: Settings, redis_url: str) -> AsyncIterator[Worker[Any]]:
    """A worker that runs while it is held. It takes as many jobs at a time as the settings say.

    Args:
        settings: as the environment gives them.
        redis_url: of the store, which may be the embedded one.
    """
    jobs = Jobs(redis_url)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        analyst = Analyst(settings)
        github = GitHub(session, settings)
        surveyor = Surveyor(settings)
        line = Line(settings, jobs, github, analyst, OrgConfigs(github), surveyor)

        async def start(context: dict[str, Any]) -> None:
            context["line"] = line

        worker: Worker[Any] = Worker(
            jobs.queue,
            [("work", work)],
            # A survey may take long, and is nobody's turn: there is always a hand for it beside those for all else.
            concurrency=settings.concurrency + (settings.dashboard == "on"),
            startup=start,
            timers=PartialTimersDict(sweep=SWEEP, schedule=1, abort=1, worker_info=10),
            dequeue_timeout=DEQUEUE_TIMEOUT,
            cancellation_hard_deadline_s=LET_GO,
            before_process=_name_job,
            after_process=_name_none,
        )
        worker.SIGNALS = []  # the process's own entry handles them (bot/web.py)
        over = asyncio.Event()
        sweep = Sweep(Registered(github), jobs, settings.write_spacing)
        running = (worker.start(), _dispatch(jobs, over), _rescue(jobs, over), sweep.run(over))
        tasks = [asyncio.create_task(task) for task in running]
        well = partial(_all_run, [*tasks])
        tasks.append(asyncio.create_task(health.beating(jobs.redis, "worker", over, well)))
        try:
            yield worker
        finally:
            over.set()
            jobs.queue.draining.set()
            await _finish_running(worker)
            await _cut_off(worker)
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await worker.stop()
            await asyncio.to_thread(analyst.close)
            await asyncio.to_thread(surveyor.close)
            await jobs.close()


def _all_run(tasks: list[asyncio.Task[None]]) -> bool:
    return not any(task.done() for task in tasks)


async def _name_job(context: dict[str, Any]) -> None:
    """What the engine logs of a job has its delivery, too."""
    structlog.contextvars.bind_contextvars(delivery=context["job"].key)


async def _name_none(_context: dict[str, Any]) -> None:
    structlog.contextvars.clear_contextvars()


async def _finish_running(worker: Worker[Any]) -> None:
    """Let running jobs end, and take no more.

    The engine cancels them as soon as its own event is set, and its grace would wait for its idle tasks too: so it gets
    another event, which only those see that would take a job.
    """
    worker.event = asyncio.Event()
    worker.event.set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            while _at_work(worker):  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(STOP_POLL)


def _at_work(worker: Worker[Any]) -> bool:
    """Whether a job runs, or an answer of the store is awaited, which may be a job."""
    return bool(worker.job_task_contexts) or any(task.get_name() == "process" for task in worker.tasks)


async def _cut_off(worker: Worker[Any]) -> None:
    """End what still runs, and what the engine does beside it. Its own end would complain that not all has ended."""
    tasks = [*worker.tasks]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=2 * LET_GO)
    worker.tasks.clear()


async def _dispatch(jobs: Jobs, over: asyncio.Event) -> None:
    """Make jobs of what comes in, until it is over."""
    while not over.is_set():
        try:
            await jobs.dispatch(DISPATCH_WAIT)
        except (redis.RedisError, OSError):
            await pause(over, DEQUEUE_TIMEOUT)


async def _rescue(jobs: Jobs, over: asyncio.Event) -> None:
    """Put back what was lost, until it is over. It is not cancelled: redis-py may swallow a cancellation."""
    while not over.is_set():
        with contextlib.suppress(redis.RedisError, OSError):
            if await jobs.turn("rescue", RESCUE_EVERY / 2) and (count := await jobs.rescue(RESCUE_MOST)):
                log.warning("put back jobs that were in no queue", count=count)
        await pause(over, RESCUE_EVERY)


async def work(context: dict[str, Any], *, event: str, asked: int = 0, **_newer: Any) -> str:
    """Do what an event asks for. Returns what was done, in a word. What a newer version adds to a job is not for us.

    Raises:
        BusyError: GitHub cannot be asked now; the queue runs the job again when it can.
        TakenError: it is to be looked at again, later, what another run of this job has done.
        Exception: a bug; the queue runs the job again, a few times, and then it is buried.
    """
    line: Line = context["line"]
    job: Job = context["job"]
    happened = legible(event)
    if happened is None:
        return await _leave(line, job, event)
    kind = type(happened).__name__
    known = {"delivery": happened.delivery, "kind": kind, "subject": happened.subject}
    with (
        structlog.contextvars.bound_contextvars(**known),
        tracing.worked(happened.delivery, kind),
        metrics.job(kind),
    ):
        try:
            return await _run(line, job, happened, asked)
        except TakenError as reason:
            log.warning("come back later", reason=str(reason))
            later(job, time.time() + LOOK_AGAIN)
            raise
        except redis.RedisError as error:
            log.warning("the store is away", reason=type(error).__name__)
            await _forgive_when_back(line, happened)
            raise


async def _run(line: Line, job: Job, event: AnyEvent, asked: int) -> str:
    """Do what an event asks for, unless that is done, or another job does it."""
    if await line.jobs.is_finished(event.delivery):
        return "finished already"
    if not event.subject:
        async with line.jobs.alive(job):
            return await _attempt(line, event, None, job)
    if await line.jobs.answered(event, asked):
        await line.jobs.finished(event, "answered already")
        return "answered already"
    async with line.jobs.hold(event, job) as hold:
        if hold is None:
            await line.jobs.finished(event, "another job is on it")
            return "another job is on it"
        return await _attempt(line, event, hold, job)


async def _forgive_when_back(line: Line, event: AnyEvent) -> None:
    """A store that was away is no fault of the job's: five times, and it would be buried for that."""
    for _ in range(STORE_LOOKS):
        with contextlib.suppress(redis.RedisError, OSError):
            await line.jobs.forgive(event)
            return
        await asyncio.sleep(STORE_POLL)


async def _leave(line: Line, job: Job, stored: str) -> str:
    """An event of a newer version: it stays where it is until a process of that version looks for what is in no queue."""
    await line.jobs.leave(job.key, stored)
    log.warning("left to a newer version", delivery=job.key)
    return "left to a newer version"


async def _attempt(line: Line, event: AnyEvent, hold: Hold | None, job: Job) -> str:
    """Run the job, and decide what its failure means."""
    tried, most, kind = await line.jobs.begin(event), most_tries(event), type(event).__name__
    if hold is not None:
        hold.last = tried >= most
    try:
        if tried > most:
            # Nobody was left to say so when the last try ended.
            return await _give_up(line, event, hold, f"its process died {most} times")
        done = await _do(line, event, hold)
    except TakenError:
        # Perhaps to another run of this job, which may die yet: only a look at what is done tells. It counts as a try, or
        # a job that puts its worker to sleep would be handed around for ever.
        raise
    except SupersededError as reason:
        # Whoever took over answers this event too.
        done = f"superseded: {reason}"
    except BusyError as busy:
        if await line.jobs.waited(event) > PATIENCE:
            return await _give_up(line, event, hold, f"for {PATIENCE // 3600:.0f} hours: {busy}")
        await _come_back(line, event, job, busy.until, busy)
        log.warning("come back later", reason=str(busy))
        raise
    except NotYetError as rest:
        await _come_back(line, event, job, rest.until)
        raise
    except (ReceiverError, ConflictError) as error:
        if tried < most:
            metrics.interrupted(kind, "failed", error)
            log.warning("tried again", reason=str(error), attempt=tried)
            raise
        return await _give_up(line, event, hold, str(error))
    except LostError as error:
        # Git's servers may be behind what the API says. The last try says so on GitHub, and ends well.
        metrics.interrupted(kind, "failed", error)
        log.warning("the base is not there", reason=str(error), attempt=tried)
        raise
    except RefusedError as refusal:
        # No permission, or the repository is gone: trying again changes nothing.
        metrics.failed("job", refusal)
        done = f"refused: {refusal}"
    except asyncio.CancelledError:
        # The process is to stop. The job runs again in another, at once.
        job.retry_delay, job.retry_backoff = 0.0, False
        await line.jobs.forgive(event)
        metrics.interrupted(kind, "stopped")
        raise
    except Exception as error:
        log.exception("job failed", attempt=tried, last=tried >= most)
        if tried < most or isinstance(error, redis.RedisError):
            metrics.interrupted(kind, "failed", error)
            raise
        metrics.failed("job", error)
        return await _give_up(line, event, hold, f"{type(error).__name__} in the last of {most} tries")
    else:
        if hold is not None:
            await line.jobs.note_answered(event, hold)
    await line.jobs.finished(event, done)
    metrics.ended(kind, done)
    log.info("done", outcome=done)
    return done


async def _come_back(line: Line, event: AnyEvent, job: Job, until: float, busy: BusyError | None = None) -> None:
    """Have the job run again at a time, as if it had not begun."""
    await line.jobs.forgive(event)
    metrics.interrupted(type(event).__name__, "later", busy)
    later(job, until)


async def _give_up(line: Line, event: AnyEvent, hold: Hold | None, why: str) -> str:
    """Say on the head that we failed, and bury the event."""
    log.error("given up", reason=why)
    if hold is not None and isinstance(event, PullEvent | GroupEvent):
        try:
            await checking.confess(line, event, hold)
        except Exception:
            log.exception("cannot say so on GitHub")
    await line.jobs.bury(event, why)
    metrics.ended(type(event).__name__, "buried")
    return f"buried: {why}"


async def _do(line: Line, event: AnyEvent, hold: Hold | None) -> str:
    """What each kind of event asks for."""
    await recording.hear(line, event)
    if isinstance(event, PushEvent):
        await recording.pushed(line, event)
    match event, hold:
        case PullEvent(), Hold():
            return await checking.check_pull(line, event, hold)
        case GroupEvent(), Hold():
            return await checking.check_group(line, event, hold)
        case SuiteEvent(), _:
            return await checking.check_suite(line, event)
        case CommandEvent(), _:
            return await commands.obey(line, event)
        case PushEvent(), Hold():
            return await alerts.check_push(line, event, hold)
        case RepositoryEvent(), _:
            return await recording.changed(line, event)
        case SurveyEvent(), Hold():
            return await recording.survey(line, event, hold)
        case AlertEvent(), _:
            return await outgoing.send(line, event)
        case GoneEvent(), _:
            return await gone.forget(line, event)
        case _:
            return "nothing to do"
