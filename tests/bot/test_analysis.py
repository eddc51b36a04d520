"""Comparisons in processes of their own: what one costs is one job, whatever it holds."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ObjectType

import bot.analysis
from bot.analysis import Analyst, Task
from bot.children import DiedError, LimitError, Places
from bot.config import Settings
from bot.demo.github import RepositoryState, StandIn
from bot.demo.sample import commit, git
from bot.git import MovedError, TooLargeError
from bot.github import Installation
from bot.ids import Repo, Sha
from tests.bot.conftest import NAME, Template, gits, until

REPO = Repo(NAME)
# tree-sitter looks for the end of each of these again and again: some seconds a megabyte.
SLOW = b"package a\n" + b"var x = `\n" * 150_000


@pytest.fixture
async def analyst(settings: Settings) -> AsyncIterator[Analyst]:
    made = Analyst(replace(settings, concurrency=1))
    yield made
    await asyncio.to_thread(made.close)


def _slow(repository: RepositoryState, template: Template) -> Task:
    tree = {f"x{number}.go": SLOW.decode() for number in range(5)}
    return Task(REPO, template.main, commit(repository.git_dir, tree, "slow", template.main))


async def _child() -> int:
    """The process that compares at this moment."""
    found: list[int] = []

    async def is_there() -> bool:
        found.extend(await asyncio.to_thread(_grandchildren, "R"))
        return bool(found)

    await until(is_there)
    return found[0]


def _grandchildren(doing: str = "RSD") -> list[int]:
    """The processes that compare, which come from the fork server, a child of ours; by what they do at this moment."""
    state: dict[int, tuple[str, int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            state[int(folder.name)] = words[0], int(words[1])
    ours = {pid for pid, (_, parent) in state.items() if parent == os.getpid()}
    return [pid for pid, (does, parent) in state.items() if parent in ours and does in doing]


async def test_a_comparison_gives_what_the_worker_needs(
    analyst: Analyst, installation: Installation, template: Template
) -> None:
    found = await analyst.compare(Task(REPO, template.fork_point, template.change), await installation.token())
    assert (found.analysis.base, found.analysis.head, found.go) == (template.fork_point, template.change, True)
    assert found.analysis.head_score.counted == 1
    assert found.analysis.options.reader is None


async def test_what_git_says_comes_through(analyst: Analyst, installation: Installation, template: Template) -> None:
    with pytest.raises(MovedError, match="no longer on the server"):
        await analyst.compare(Task(REPO, template.fork_point, Sha("1" * 40)), await installation.token())


@pytest.mark.slow
async def test_one_that_does_not_end_is_ended_and_the_next_is_as_ever(
    analyst: Analyst,
    installation: Installation,
    repository: RepositoryState,
    template: Template,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token, slow = await installation.token(), _slow(repository, template)
    with monkeypatch.context() as patch:
        patch.setattr(bot.analysis, "TIME_LIMIT", 0.5)
        with pytest.raises(LimitError, match="longer"):
            await analyst.compare(slow, token)
    assert (await analyst.compare(Task(REPO, template.fork_point, template.main), token)).go


@pytest.mark.slow
async def test_the_loop_goes_on_meanwhile(
    analyst: Analyst, installation: Installation, repository: RepositoryState, template: Template
) -> None:
    beats, loop = 0, asyncio.get_running_loop()
    comparing = asyncio.create_task(analyst.compare(_slow(repository, template), await installation.token()))
    begun, longest = loop.time(), 0.0
    while not comparing.done():
        before = loop.time()
        await asyncio.sleep(0.01)
        beats, longest = beats + 1, max(longest, loop.time() - before)
    assert await comparing
    assert longest < max(1.0, (loop.time() - begun) / 2), "the loop stood still"
    assert beats > 5


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the limit and its proof are Linux's")
async def test_one_that_wants_too_much_memory_is_ended(
    settings: Settings, installation: Installation, repository: RepositoryState, template: Template
) -> None:
    tree = {"x.go": "package x\n\nfunc f() {\n" + "\t_ = [][]int{{1, 2}, {3}}\n" * 60_000 + "}\n"}
    head = commit(repository.git_dir, tree, "huge", template.main)
    small = Analyst(replace(settings, concurrency=1, job_memory=80))
    try:
        token = await installation.token()
        with pytest.raises(LimitError, match="80 MiB"):
            await small.compare(Task(REPO, template.main, head), token)
        assert (await small.compare(Task(REPO, template.fork_point, template.main), token)).go
    finally:
        await asyncio.to_thread(small.close)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the limit and its proof are Linux's")
async def test_a_git_that_wants_too_much_memory_is_ended(
    settings: Settings, installation: Installation, repository: RepositoryState, template: Template
) -> None:
    objects = pygit2.Repository(str(repository.git_dir)).odb
    content = pygit2.Repository(str(repository.git_dir))[template.main].read_raw()
    head = Sha(str(objects.write(ObjectType.COMMIT, content + b"m" * 300_000_000)))
    git(repository.git_dir, "update-ref", "refs/heads/huge", head)
    small = Analyst(replace(settings, concurrency=1, job_memory=100))
    try:
        token = await installation.token()
        with pytest.raises(TooLargeError, match="more memory or time"):
            await small.compare(Task(REPO, template.main, head), token)
        assert (await small.compare(Task(REPO, template.fork_point, template.main), token)).go
    finally:
        await asyncio.to_thread(small.close)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="git is found by /proc")
async def test_one_whose_git_hangs_leaves_no_git_behind(
    analyst: Analyst, installation: Installation, standin: StandIn, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, task = await installation.token(), Task(REPO, template.fork_point, template.change)
    assert (await analyst.compare(Task(REPO, template.fork_point, template.main), token)).go, "the child is there"
    seen: list[int] = []
    standin.on_call, standin.latency = lambda *_: seen.extend(gits(standin.url)), 60
    with monkeypatch.context() as patch:
        patch.setattr(bot.analysis, "TIME_LIMIT", 5)
        with pytest.raises(LimitError, match="longer"):
            await analyst.compare(task, token)
    assert seen

    async def ended() -> bool:
        return not await asyncio.to_thread(gits, standin.url)

    await until(ended)
    standin.latency = 0
    assert (await analyst.compare(task, token)).go


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a child is found by /proc")
async def test_one_that_is_killed_is_a_failure_that_may_be_tried_again(
    analyst: Analyst, installation: Installation, repository: RepositoryState, template: Template
) -> None:
    token = await installation.token()
    comparing = asyncio.create_task(analyst.compare(_slow(repository, template), token))
    os.kill(await _child(), signal.SIGKILL)
    with pytest.raises(DiedError):
        await comparing
    assert (await analyst.compare(Task(REPO, template.fork_point, template.main), token)).go


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a child is found by /proc")
async def test_one_that_is_killed_while_it_waits_costs_nothing(
    analyst: Analyst, installation: Installation, template: Template
) -> None:
    task, token = Task(REPO, template.fork_point, template.main), await installation.token()
    assert (await analyst.compare(task, token)).go
    for pid in await asyncio.to_thread(_grandchildren):
        os.kill(pid, signal.SIGKILL)

    async def works_again() -> bool:
        with suppress(DiedError):
            return (await analyst.compare(task, token)).go
        return False

    await until(works_again)


def test_a_child_is_told_no_secret(settings: Settings) -> None:
    places = repr(Places.of(settings))
    assert settings.private_key.reveal() not in places
    assert "Secret" not in places
