"""Real processes that are killed at the worst moment: nothing is lost, nothing is done twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.run import _free_port
from bot.demo.sample import commit, git
from bot.inbox import PENDING
from bot.queue import Jobs
from tests.bot.conftest import NAME, Keys
from tests.bot.line import BASE, LOST, REAL, STUB
from tests.bot.processes import Processes, processes

pytestmark = pytest.mark.slow

# Seconds: a killed worker is noticed after its heartbeat, and its lock outlives it.
PATIENCE = 90.0
STOPS_WITHIN = 30.0
COMMENTS = "POST /repos/example/berth/issues/1/comments"


@dataclass(kw_only=True)
class Stage(Processes):
    """Real processes, and what they need."""

    github: StandIn
    repository: RepositoryState
    jobs: Jobs
    port: int
    store: str

    async def web(self) -> asyncio.subprocess.Process:
        process = await self.start("serve", "--no-worker")
        await self.until(self._answers)
        return process

    async def _answers(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.port}/readyz") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def send(self, pull: PullState, delivery: str = "the-delivery") -> None:
        await self.deliver("pull_request", self.github.payload("opened", NAME, pull.number), delivery)

    async def deliver(self, event: str, payload: dict[str, Any], delivery: str = "the-delivery") -> None:
        url = f"http://127.0.0.1:{self.port}/webhook"
        assert await self.github.deliver(url, event, payload, delivery) == 202

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not await _settled(condition()):  # noqa: ASYNC110 - other processes work
                await asyncio.sleep(0.02)

    async def finished(self) -> bool:
        return await self.jobs.is_finished("the-delivery") and not await self.jobs.redis.hlen(PENDING)

    def hold(self, part: str, when: Callable[[], object] = lambda: True) -> "Gate":
        return Gate(self.github, part, when)


async def _settled(value: object) -> bool:
    return bool(await value if asyncio.iscoroutine(value) else value)


class Gate:
    """GitHub does not answer one request until it is let go; what it asks for happens all the same."""

    def __init__(self, github: StandIn, part: str, when: Callable[[], object]) -> None:
        self.reached = False
        self._when = when
        self._github = github
        self._part = part
        github.on_call = self._see

    def _see(self, method: str, path: str) -> None:
        if self._part in f"{method} {path}" and not self.reached and self._when():
            self.reached = True
            self._github.latency = 3600.0

    def open(self) -> None:
        self._github.latency = 0.0


@pytest.fixture
async def stage(  # noqa: PLR0917 - pytest gives fixtures by name
    standin: StandIn, repository: RepositoryState, keys: Keys, jobs: Jobs, valkey: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    port = _free_port()
    async with processes(standin, keys, valkey, tmp_path, port) as made:
        del made.environment["WINPARITY_LOG"]
        made.environment |= {
            "WINPARITY_COMMENT": "always",
            "WINPARITY_DASHBOARD": "off",  # when all is done is asked of the delivery alone
        }
        yield Stage(**vars(made), github=standin, repository=repository, jobs=jobs, port=port, store=valkey)


async def _kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    assert await process.wait() == -signal.SIGKILL


async def _shown_once(stage: Stage, pull: PullState) -> None:
    await stage.until(stage.finished)
    assert len(stage.repository.comments) == 1
    assert [run["head_sha"] for run in stage.repository.check_runs] == [pull.head]


@pytest.mark.parametrize("part", ["/compare/", ".git/git-upload-pack", COMMENTS])
async def test_a_killed_workers_job_is_done_by_the_next(stage: Stage, pull: PullState, part: str) -> None:
    await stage.web()
    worker = await stage.start("worker")
    gate = stage.hold(part)
    await stage.send(pull)
    await stage.until(lambda: gate.reached)
    await _kill(worker)
    gate.open()
    await stage.start("worker")
    await _shown_once(stage, pull)


async def test_a_worker_killed_after_its_comment_leaves_one(stage: Stage, pull: PullState) -> None:
    """Its next request is the look whether another worker was faster: by then the comment is there."""
    await stage.web()
    worker = await stage.start("worker")
    gate = stage.hold("/issues/1/comments", lambda: stage.repository.comments)
    await stage.send(pull)
    await stage.until(lambda: gate.reached)
    await _kill(worker)
    gate.open()
    await stage.start("worker")
    await _shown_once(stage, pull)


@pytest.mark.parametrize("known", [False, True])
async def test_a_worker_killed_after_it_opened_an_issue_leaves_one(stage: Stage, known: bool) -> None:  # noqa: FBT001 - a column
    """Its next request is the look whether another worker was faster: by then the issue is there, its number nowhere."""
    await stage.web()
    git_dir = stage.repository.git_dir
    base = commit(git_dir, BASE, "base")
    git(git_dir, "update-ref", "refs/heads/main", base)
    worker = await stage.start("worker")
    if known:
        push = {"ref": "refs/heads/main", "before": "0" * 40, "after": base}
        await stage.deliver("push", stage.github.event(NAME, **push), "an-earlier-delivery")
        await stage.until(lambda: stage.jobs.is_finished("an-earlier-delivery"))
    lost = commit(git_dir, LOST, "lost", base)
    git(git_dir, "update-ref", "refs/heads/main", lost)
    gate = stage.hold("GET /repos/example/berth/issues", lambda: stage.repository.issues)
    await stage.deliver("push", stage.github.event(NAME, ref="refs/heads/main", before=base, after=lost))
    await stage.until(lambda: gate.reached)
    await _kill(worker)
    gate.open()
    await stage.start("worker")
    await stage.until(stage.finished)
    assert [issue["state"] for issue in stage.repository.issues] == ["open"]
    assert f"{base}...{lost}" in stage.repository.issues[0]["body"]


@pytest.mark.parametrize("made", [50, 100])
async def test_a_worker_killed_between_annotations_leaves_a_run_that_the_next_finishes(stage: Stage, made: int) -> None:
    git_dir, [before, after] = stage.repository.git_dir, [_functions(text) for text in (REAL, STUB)]
    base = await asyncio.to_thread(commit, git_dir, {"vol/f_linux.go": before, "vol/f_windows.go": before}, "base")
    git(git_dir, "update-ref", "refs/heads/main", base)
    tree = {"vol/f_linux.go": before, "vol/f_windows.go": after}
    head = await asyncio.to_thread(commit, git_dir, tree, "a change", base)
    pull = stage.github.open_pull(NAME, "main", head)
    await stage.web()
    worker = await stage.start("worker")
    gate = stage.hold("PATCH /repos/example/berth/check-runs", lambda: len(_annotated(stage)) == made)
    await stage.send(pull)
    await stage.until(lambda: gate.reached)
    await _kill(worker)
    [run] = stage.repository.check_runs
    assert (run["status"], run["conclusion"]) == ("completed", "failure"), "until then it is concluded"
    gate.open()
    await stage.start("worker")
    await _shown_once(stage, pull)
    assert len(_annotated(stage)) == len({*_annotated(stage)}) == 120


def _functions(text: str) -> str:
    """A file with many a function of one body."""
    package, _, function = text.partition("// Free")
    return package + "\n".join(f"// Free{function}".replace("Free", f"Free{number}") for number in range(120))


def _annotated(stage: Stage) -> list[int]:
    return [remark["start_line"] for run in stage.repository.check_runs for remark in run["annotations"]]


async def test_what_was_acknowledged_outlives_the_web_process(stage: Stage, pull: PullState) -> None:
    web = await stage.web()
    await stage.send(pull)
    await _kill(web)
    await stage.start("worker")
    await _shown_once(stage, pull)


async def test_a_worker_that_is_asked_to_stop_finishes_its_job(stage: Stage, pull: PullState) -> None:
    await stage.web()
    worker = await stage.start("worker")
    stage.github.latency = 0.2
    await stage.send(pull)
    await stage.until(lambda: stage.github.calls)
    worker.terminate()
    async with asyncio.timeout(STOPS_WITHIN):
        assert await worker.wait() == 0
    assert await stage.finished()
    assert len(stage.repository.comments) == 1
    job = await stage.jobs.queue.job("the-delivery")
    assert job is not None
    assert job.attempts == 1


@pytest.mark.parametrize("words", [("serve",), ("serve", "--no-worker"), ("worker",)])
async def test_a_process_that_is_asked_to_stop_stops(stage: Stage, words: tuple[str, ...]) -> None:
    process = await stage.start(*words)
    log = stage.folder / f"{words[0]}.log"
    await stage.until(lambda: "ready" in log.read_text() or "listening" in log.read_text())
    process.terminate()
    async with asyncio.timeout(STOPS_WITHIN):
        assert await process.wait() == 0
    assert "Traceback" not in log.read_text()
