"""One job from start to end as a list of calls, and what each failure means."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import redis
import structlog
from saq import Job, Worker
from saq.types import PartialTimersDict

from analyzer import analyze
from analyzer.model import Analysis
from analyzer.reading import Reader
from bot import repo_config, report
from bot.around import around
from bot.config import Settings
from bot.events import PullEvent
from bot.facts import FactsStore
from bot.github import BROKEN_WAIT, TIMEOUT, BusyError, GitHub, Installation, Pull, RefusedError
from bot.ids import Repo, Sha
from bot.publish import Published, publish
from bot.queue import SWEEP, Hold, Jobs, SupersededError, later
from bot.repo_config import Problem, RepoConfig
from bot.source import Mirror, MovedError, SourceError, UnreachableError

# Seconds between looks for accepted events that are in no queue.
RESCUE_EVERY = 30.0
# Seconds that running jobs get to finish when the process is asked to stop; what does not finish runs again.
GRACE = 20
STOP_POLL = 0.01
# Seconds that a worker waits for a job before it looks whether it is to stop.
DEQUEUE_TIMEOUT = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Line:
    """What a job needs: the settings, the queue, the door to GitHub, and what reads files."""

    settings: Settings
    jobs: Jobs
    github: GitHub
    reader: Reader


@asynccontextmanager
async def working(settings: Settings, redis_url: str) -> AsyncIterator[Worker[Any]]:
    """A worker that runs while it is held. It takes as many jobs at a time as the settings say.

    Args:
        settings: as the environment gives them.
        redis_url: of the store, which may be the embedded one.
    """
    jobs = Jobs(redis_url)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        reader = FactsStore(settings.data_dir / "facts" if settings.cache == "on" else None)
        line = Line(settings, jobs, GitHub(session, settings), reader)

        async def start(context: dict[str, Any]) -> None:
            context["line"] = line

        worker: Worker[Any] = Worker(
            jobs.queue,
            [("pull", pull_job)],
            concurrency=settings.concurrency,
            startup=start,
            timers=PartialTimersDict(sweep=SWEEP, schedule=1, abort=1, worker_info=10),
            dequeue_timeout=DEQUEUE_TIMEOUT,
        )
        worker.SIGNALS = []  # the process's own entry handles them (bot/web.py)
        over = asyncio.Event()
        tasks = [asyncio.create_task(worker.start()), asyncio.create_task(_rescue(jobs, over))]
        try:
            yield worker
        finally:
            over.set()
            await _finish_running(worker)
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await worker.stop()
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


async def _rescue(jobs: Jobs, over: asyncio.Event) -> None:
    """Put back what was lost, until it is over. It is not cancelled: redis-py may swallow a cancellation."""
    while not over.is_set():
        with contextlib.suppress(redis.RedisError, OSError):
            if count := await jobs.rescue():
                log.warning("put back jobs that were in no queue", count=count)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RESCUE_EVERY):
                await over.wait()


async def pull_job(
    context: dict[str, Any], *, delivery: str, installation: int, repo: str, number: int, action: str, asked: int
) -> str:
    """Bring one pull request up to date. Returns what was done, in a word.

    Raises:
        BusyError: GitHub cannot be asked now; the queue runs the job again when it can.
        Exception: a bug; the queue runs the job again, a few times.
    """
    line: Line = context["line"]
    job: Job = context["job"]
    event = PullEvent(delivery, installation, Repo(repo), number, action)
    with structlog.contextvars.bound_contextvars(delivery=delivery, pull=f"{repo}#{number}"):
        if await line.jobs.answered(event, asked):
            await line.jobs.finished(event)
            return "answered already"
        async with line.jobs.hold(event, job) as hold:
            if hold is None:
                await line.jobs.finished(event)
                return "another job is on it"
            done = await _attempt(line, event, hold, job)
    return done


async def _attempt(line: Line, event: PullEvent, hold: Hold, job: Job) -> str:
    """Run the job, and decide what its failure means."""
    github = line.github.installation(event.installation, event.repo)
    try:
        done = await _bring_up_to_date(line, github, event, hold)
    except SupersededError as reason:
        # Whoever took over answers this event too.
        done = f"superseded: {reason}"
    except MovedError as reason:
        done = f"superseded: {reason}"
    except BusyError as busy:
        later(job, busy.until)
        log.warning("come back later", reason=str(busy))
        raise
    except RefusedError as refusal:
        # No permission, or the repository is gone: trying again changes nothing.
        done = f"refused: {refusal}"
    except Exception:
        last = job.attempts >= job.retries
        log.exception("job failed", attempt=job.attempts, last=last)
        if last:
            await _confess(line, github, event, hold)
        raise
    else:
        await line.jobs.note_answered(event, hold)
    await line.jobs.finished(event)
    log.info("done", outcome=done)
    return done


async def _bring_up_to_date(line: Line, github: Installation, event: PullEvent, hold: Hold) -> str:
    pull = await github.pull(event.number)
    if not pull.open:
        return "closed"
    base = await github.merge_base(pull.base, pull.head)
    mirror = await asyncio.to_thread(_mirror, line.settings, github.repo, await github.token())
    try:
        analysis, config, edited = await asyncio.to_thread(_analyse, mirror, base, pull.head, event.number, line.reader)
    except MovedError:
        raise
    except UnreachableError as error:
        raise BusyError(str(error), time.time() + BROKEN_WAIT) from None
    except SourceError as error:
        wanted = report.unreadable_source(str(error))
    else:
        comment = config.comment or line.settings.comment
        wanted = report.render(
            analysis, github.repo, comment=comment, web=line.settings.git_url, config=config, edited=edited
        )
    published = await _publish(github, event, pull, wanted, hold)
    return f"comment {published.comment}, check run {published.check}"


def _mirror(settings: Settings, repo: Repo, token: str) -> Mirror:
    return Mirror(settings.data_dir / "mirrors", repo, settings.git_url, token)


def _analyse(
    mirror: Mirror, base: Sha, head: Sha, number: int, reader: Reader
) -> tuple[Analysis, RepoConfig, tuple[Problem, ...]]:
    """The analysis, the settings of the base, and what is wrong with those that the pull request brings."""
    mirror.fetch(base, head, number)
    before, after = (mirror.file(rev, repo_config.PATH, repo_config.MAX_BYTES) for rev in (base, head))
    config = repo_config.read(before)
    edited = repo_config.read(after).problems if after != before else ()
    today = datetime.now(UTC).date()
    options, snapshots = config.options(today, reader), mirror.snapshots(base, head)
    return analyze(*snapshots, options, around(mirror, *snapshots, options)), config, edited


async def _publish(github: Installation, event: PullEvent, pull: Pull, wanted: report.Report, hold: Hold) -> Published:
    """Publish, unless a newer push or another worker has come between.

    The head is read again once before the first write: a stale result is never shown.
    """
    fresh = False

    async def may_write() -> None:
        nonlocal fresh
        await hold.check()
        if not fresh:
            now = await github.pull(event.number)
            if (now.open, now.head, now.base_ref) != (True, pull.head, pull.base_ref):
                raise SupersededError("the pull request has changed meanwhile")
            fresh = True

    return await publish(github, event.number, pull.head, wanted, may_write)


async def _confess(line: Line, github: Installation, event: PullEvent, hold: Hold) -> None:
    """The last attempt failed: say so on the head, in grey, and take the event off the books."""
    with contextlib.suppress(BusyError, RefusedError, SupersededError):
        pull = await github.pull(event.number)
        if pull.open:
            await _publish(github, event, pull, report.internal_error(event.delivery), hold)
    await line.jobs.finished(event, well=False)
