"""The processes that read a repository's past, killed in the middle: it goes on where it was, and leaves nothing behind."""

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from bot.dashboard import recording
from bot.dashboard.records import Past, Point, Records
from bot.dashboard.surveyor import STEP
from bot.demo.sample import commit, git
from bot.events import SurveyEvent
from bot.ids import Repo
from bot.inbox import PENDING
from bot.queue import BURIED
from tests.bot import test_kill
from tests.bot.conftest import INSTALLATION, NAME
from tests.bot.test_kill import Stage

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")]

REPO = Repo(NAME)
RELEASES, FUNCTIONS = 28, 250
# How far behind others the child of surveys is (`bot.dashboard.surveyor`): by that it is known from others.
BEHIND = "10"
# Hundredths of a second of work after which it is in the middle.
BUSY = 10
stage = test_kill.stage


def _file(release: int, goos: str) -> str:
    """Functions with bodies that cost something to judge; each release has others, so none is known from before."""
    body = 'errors.New("not supported")' if goos == "windows" else "os.Remove(name)"
    functions = "".join(
        f"// F{number} is of release {release}.\nfunc F{number}(name string) error {{\n\treturn {body}\n}}\n\n"
        for number in range(FUNCTIONS)
    )
    imported = "errors" if goos == "windows" else "os"
    return f'package vol\n\nimport "{imported}"\n\n{functions}'


def _grow(git_dir: Path) -> None:
    """So many releases on main, and nothing else."""
    tip = ""
    for number in range(RELEASES):
        tree = {f"vol/f_{goos}.go": _file(number, goos) for goos in ("linux", "windows")}
        tip = commit(git_dir, {"go.mod": "module example.com/harbor\n", **tree}, f"release {number}", tip)
        git(git_dir, "update-ref", f"refs/tags/v1.{number}.0", tip)
    git(git_dir, "update-ref", "refs/heads/main", tip)


def _surveying(worker: int) -> list[int]:
    """The processes of a worker in which surveys run."""
    known: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            known[int(entry.name)] = int(words[1]), words[16]

    def is_below(pid: int) -> bool:
        return pid == worker or (pid in known and is_below(known[pid][0]))

    # Of git, which it starts, it is the parent.
    behind = {pid: parent for pid, (parent, nice) in known.items() if nice == BEHIND and is_below(pid)}
    return [pid for pid, parent in behind.items() if parent not in behind]


async def _past(stage: Stage) -> Past | None:
    return await Records(stage.jobs.redis).past(REPO)


async def _works_on_after(stage: Stage, worker: int, done: int) -> int:
    """Wait until so many revisions are recorded, and others are being read. Returns the process that does it."""

    async def is_there() -> bool:
        past = await _past(stage)
        return past is not None and past.done >= done

    await stage.until(is_there)
    [child] = _surveying(worker)
    before = _processor(child)
    await stage.until(lambda: _processor(child) > before + BUSY)
    past = await _past(stage)
    assert past is not None
    assert past.done == done, "it went by"
    return child


def _processor(pid: int) -> int:
    """Hundredths of a second that a process has worked for."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def _logged(stage: Stage) -> list[int]:
    """How far it was after each step, in the order in which they ended."""
    lines = (stage.folder / "worker.log").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    return [line["done"] for line in told if line["event"] == "read on in the past"]


async def _over(stage: Stage) -> list[Point]:
    """Wait for the end of all work. Returns what is recorded."""

    async def is_over() -> bool:
        past = await _past(stage)
        return past is not None and past.over and not await stage.jobs.redis.hlen(PENDING)

    await stage.until(is_over)
    past = await _past(stage)
    assert past is not None
    assert past.left_out == ()
    assert len(past.revisions) == RELEASES  # the last one is the month's, too
    assert await stage.jobs.redis.hlen(BURIED) == 0
    return await Records(stage.jobs.redis).points(REPO)


async def _start(stage: Stage) -> asyncio.subprocess.Process:
    await asyncio.to_thread(_grow, stage.repository.git_dir)
    stage.environment |= {"WINPARITY_DASHBOARD": "on", "WINPARITY_LOG": "json"}
    worker = await stage.start("worker")
    await stage.jobs.submit(SurveyEvent(delivery="the-survey", installation=INSTALLATION, repo=REPO))
    return worker


async def _nothing_lost_and_nothing_left(stage: Stage) -> None:
    points = await _over(stage)
    releases = {point.name: point.rev for point in points if point.kind == "release"}
    assert releases == {
        f"v1.{number}.0": git(stage.repository.git_dir, "rev-parse", f"v1.{number}.0") for number in range(RELEASES)
    }
    assert len(points) == len({point.rev for point in points})
    assert {point.score.stub for point in points} == {FUNCTIONS}
    await stage.until(lambda: not [*(stage.folder / "data" / "past").glob("*/*.git")])
    trees = await Records(stage.jobs.redis).trees(REPO)
    assert trees.keys() == {point.rev for point in points}
    # Undisturbed it comes to the same.
    assert await recording.backfill(stage.store, REPO)
    await stage.until(lambda: _finished_again(stage))
    assert await _over(stage) == points
    assert await Records(stage.jobs.redis).trees(REPO) == trees


async def _finished_again(stage: Stage) -> bool:
    past = await _past(stage)
    return past is not None and past.cause.startswith("backfill-") and past.over


async def test_a_child_that_is_killed_in_the_middle_of_the_past(stage: Stage) -> None:
    worker = await _start(stage)
    for done in (STEP, 2 * STEP):
        os.kill(await _works_on_after(stage, worker.pid, done), signal.SIGKILL)
    await _over(stage)
    assert worker.returncode is None
    steps = _logged(stage)
    assert steps == [STEP, 2 * STEP, RELEASES], "what was read is not read again"
    assert "the process of the survey ended with -9" in (stage.folder / "worker.log").read_text(encoding="utf-8")
    await _nothing_lost_and_nothing_left(stage)


async def test_a_worker_that_is_killed_in_the_middle_of_the_past(stage: Stage) -> None:
    worker = await _start(stage)
    for done in (STEP, 2 * STEP):
        await _works_on_after(stage, worker.pid, done)
        worker.kill()
        assert await worker.wait() == -signal.SIGKILL
        worker = await stage.start("worker")
    await _over(stage)
    steps = _logged(stage)
    # The child of a worker that was killed may come to the end of its step, which nobody hears of.
    assert [*dict.fromkeys(steps)] == [STEP, 2 * STEP, RELEASES]
    assert max(map(steps.count, steps)) <= 2
    await _nothing_lost_and_nothing_left(stage)
