"""The engine that runs jobs: what each event asks for, and what each failure means."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import redis
import structlog
from saq import Job, Worker
from saq.types import PartialTimersDict

from bot import alerts, checking, commands, gone, outgoing
from bot.analysis import Analyst
from bot.config import Settings
from bot.events import (
    AlertEvent,
    AnyEvent,
    CommandEvent,
    GoneEvent,
    GroupEvent,
    PullEvent,
    PushEvent,
    SuiteEvent,
    decode,
)
from bot.github import TIMEOUT, BusyError, GitHub, RefusedError
from bot.line import Line
from bot.org_config import OrgConfigs
from bot.outgoing import ReceiverError
from bot.queue import SWEEP, Hold, Jobs, SupersededError, later, most_tries

# Seconds between looks for accepted events that are in no queue.
RESCUE_EVERY = 30.0
# Seconds that running jobs get to finish when the process is asked to stop; what does not finish runs again.
GRACE = 20
STOP_POLL = 0.01
# Seconds that a worker waits for a job before it looks whether it is to stop.
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
        line = Line(settings, jobs, github, analyst, OrgConfigs(github))

        async def start(context: dict[str, Any]) -> None:
            context["line"] = line

        worker: Worker[Any] = Worker(
            jobs.queue,
            [("work", work)],
            concurrency=settings.concurrency,
            startup=start,
            timers=PartialTimersDict(sweep=SWEEP, schedule=1, abort=1, worker_info=10),
            dequeue_timeout=DEQUEUE_TIMEOUT,
        )
        worker.SIGNALS = []  # the process's own entry handles them (bot/web.py)
        over = asyncio.Event()
        tasks = [asyncio.create_task(task) for task in (worker.start(), _dispatch(jobs, over), _rescue(jobs, over))]
        try:
            yield worker
        finally:
            over.set()
            await _finish_running(worker)
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await worker.stop()
            await asyncio.to_thread(analyst.close)
            await jobs.close()


async def _finish_running(worker: Worker[Any]) -> None:
    """Let running jobs end, and take no more.

    The engine cancels them as soon as its own event is set, and its grace would wait for its idle tasks too: so it gets
    another event, which only those see that would take a job.
    """
    worker.event = asyncio.Event()
    worker.event.set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            while worker.job_task_contexts:  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(STOP_POLL)


async def _dispatch(jobs: Jobs, over: asyncio.Event) -> None:
    """Make jobs of what comes in, until it is over."""
    while not over.is_set():
        try:
            await jobs.dispatch(DISPATCH_WAIT)
        except (redis.RedisError, OSError):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DEQUEUE_TIMEOUT):
                    await over.wait()


async def _rescue(jobs: Jobs, over: asyncio.Event) -> None:
    """Put back what was lost, until it is over. It is not cancelled: redis-py may swallow a cancellation."""
    while not over.is_set():
        with contextlib.suppress(redis.RedisError, OSError):
            if count := await jobs.rescue():
                log.warning("put back jobs that were in no queue", count=count)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RESCUE_EVERY):
                await over.wait()


async def work(context: dict[str, Any], *, event: str, asked: int) -> str:
    """Do what an event asks for. Returns what was done, in a word.

    Raises:
        BusyError: GitHub cannot be asked now; the queue runs the job again when it can.
        Exception: a bug; the queue runs the job again, a few times, and then it is buried.
    """
    line: Line = context["line"]
    job: Job = context["job"]
    happened = decode(event)
    kind = type(happened).__name__
    with structlog.contextvars.bound_contextvars(delivery=happened.delivery, kind=kind, subject=happened.subject):
        if not happened.subject:
            return await _attempt(line, happened, None, job)
        if await line.jobs.answered(happened, asked):
            await line.jobs.finished(happened)
            return "answered already"
        async with line.jobs.hold(happened, job) as hold:
            if hold is None:
                await line.jobs.finished(happened)
                return "another job is on it"
            return await _attempt(line, happened, hold, job)


async def _attempt(line: Line, event: AnyEvent, hold: Hold | None, job: Job) -> str:
    """Run the job, and decide what its failure means."""
    tried, most = await line.jobs.begin(event), most_tries(event)
    try:
        if tried > most:
            # Nobody was left to say so when the last try ended.
            return await _give_up(line, event, hold, f"its process died {most} times")
        done = await _do(line, event, hold)
    except SupersededError as reason:
        # Whoever took over answers this event too.
        done = f"superseded: {reason}"
    except BusyError as busy:
        await line.jobs.forgive(event)
        later(job, busy.until)
        log.warning("come back later", reason=str(busy))
        raise
    except ReceiverError as error:
        if tried < most:
            log.warning("an alert is tried again", reason=str(error), attempt=tried)
            raise
        done = f"given up: {error}"
        log.error("an alert is given up", reason=str(error))  # noqa: TRY400 - not a bug
    except RefusedError as refusal:
        # No permission, or the repository is gone: trying again changes nothing.
        done = f"refused: {refusal}"
    except asyncio.CancelledError:
        # The process is to stop. The job runs again in another.
        await line.jobs.forgive(event)
        raise
    except Exception as error:
        log.exception("job failed", attempt=tried, last=tried >= most)
        if tried < most:
            raise
        return await _give_up(line, event, hold, f"{type(error).__name__} in the last of {most} tries")
    else:
        if hold is not None:
            await line.jobs.note_answered(event, hold)
    await line.jobs.finished(event)
    log.info("done", outcome=done)
    return done


async def _give_up(line: Line, event: AnyEvent, hold: Hold | None, why: str) -> str:
    """Say on the head that we failed, and bury the event."""
    log.error("given up", reason=why)
    if hold is not None and isinstance(event, PullEvent | GroupEvent):
        try:
            await checking.confess(line, event, hold)
        except Exception:
            log.exception("cannot say so on GitHub")
    await line.jobs.bury(event, why)
    return f"buried: {why}"


async def _do(line: Line, event: AnyEvent, hold: Hold | None) -> str:
    """What each kind of event asks for."""
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
        case AlertEvent(), _:
            return await outgoing.send(line, event)
        case GoneEvent(), _:
            return await gone.forget(line, event)
        case _:
            return "nothing to do"
