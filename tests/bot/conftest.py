"""Fixtures of the bot's tests: a strict stand-in for GitHub, a repository on it, and our own door to it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aiohttp
import pytest

import bot.checking
import bot.github
import bot.queue
import bot.worker
from analyzer.model import Snapshot
from bot.config import Secret, Settings
from bot.dashboard import permissions
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.run import key_pair
from bot.demo.sample import commit, git
from bot.github import TIMEOUT, GitHub, Installation
from bot.ids import Repo, Sha
from bot.mirrors import Mirror
from bot.queue import SWEEP_TURN, Jobs
from bot.valkey import _children, _ensure
from bot.web import listening
from bot.worker import working
from tests.bot.line import BASE, NAME, Line
from tests.bot.manifest_flow import Visitor
from tests.bot.openapi import Judge, UnavailableError, description, must_not_skip, webhook_examples
from tests.bot.signing_in import Place, standing

APP_ID = 4242
INSTALLATION = 7
WEBHOOK_SECRET = "a webhook secret"


Made = Callable[[], Awaitable[Mirror]]


class Keys(NamedTuple):
    private: str
    public: str


class Template(NamedTuple):
    """A bare repository: main has two commits; the change and another change begin at the first."""

    folder: Path
    fork_point: Sha
    main: Sha
    change: Sha
    other: Sha


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys(*key_pair())


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("template") / "repository.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    tree = {"a.go": "package a\n", "b/b_linux.go": "package b\n\nfunc B() int { return 1 }\n"}
    fork_point = commit(folder, tree, "first")
    main = commit(folder, {**tree, "c.go": "package a\n\nvar C int\n"}, "second", fork_point)
    change = commit(folder, {**tree, "b/b_windows.go": "package b\n"}, "a change", fork_point)
    other = commit(folder, {**tree, "d.go": "package a\n"}, "another change", fork_point)
    git(folder, "update-ref", "refs/heads/main", main)
    git(folder, "update-ref", "refs/heads/change", change)
    git(folder, "update-ref", "refs/heads/other", other)
    return Template(folder, fork_point, main, change, other)


@pytest.fixture(scope="session")
def judge() -> Judge | None:
    """GitHub's own description as a judge; None where it cannot be had, which test_standin.py reports."""
    try:
        return Judge(description())
    except UnavailableError:
        if must_not_skip():
            raise
        return None


@pytest.fixture(scope="session")
def examples() -> list[tuple[str, dict[str, Any]]]:
    """GitHub's own examples of webhooks, by event."""
    try:
        return webhook_examples()
    except UnavailableError as error:
        if must_not_skip():
            raise
        pytest.skip(f"GitHub's webhook examples are not tried: {error}")


@pytest.fixture
async def standin(keys: Keys, judge: Judge | None) -> AsyncIterator[StandIn]:
    """GitHub, which fails the test for what GitHub would not have been asked, and for a planned refusal never met."""
    github = StandIn(APP_ID, keys.public, WEBHOOK_SECRET)
    github.judge = judge
    async with github.running():
        yield github
    assert github.problems + github.app.problems == []
    assert github.unmet == []


@pytest.fixture
def repository(standin: StandIn, template: Template, tmp_path: Path) -> RepositoryState:
    """A repository on the stand-in, with its own copy of the template."""
    folder = tmp_path / "repository.git"
    shutil.copytree(template.folder, folder)
    return standin.add_repository(NAME, folder, INSTALLATION)


@pytest.fixture
def pull(standin: StandIn, repository: RepositoryState, template: Template) -> PullState:
    """An open pull request of the change against main."""
    return standin.open_pull(repository.name, "main", template.change)


@pytest.fixture
def settings(standin: StandIn, keys: Keys, tmp_path: Path) -> Settings:
    """Settings that lead to the stand-in."""
    return Settings(
        app_id=APP_ID,
        private_key=Secret(keys.private),
        webhook_secrets=(Secret(WEBHOOK_SECRET),),
        data_dir=tmp_path / "data",
        api_url=standin.url,
        git_url=standin.git_url,
        write_spacing=0.0,
    )


@pytest.fixture
async def github(settings: Settings) -> AsyncIterator[GitHub]:
    """Our door to GitHub, as a worker makes it."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        yield GitHub(session, settings)


@pytest.fixture
def installation(github: GitHub, repository: RepositoryState) -> Installation:
    """The door to the repository."""
    return github.installation(INSTALLATION, Repo(repository.name))


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait for something that another task or process does."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.005)


def gits(address: str) -> list[int]:
    """All processes of git that speak with a server, and what they started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            if command.startswith((b"git\0", b"/usr/lib/git-core/", b"git-")) and address.encode() in command:
                found.append(int(folder.name))
    return found


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Valkey that all tests share."""
    folder = tmp_path_factory.mktemp("store") / "valkey"
    socket = _ensure(folder)
    yield f"unix://{socket}"
    process = _children.pop(socket)
    process.terminate()
    process.wait(10)


@pytest.fixture
async def jobs(valkey: str) -> AsyncIterator[Jobs]:
    """An empty queue."""
    jobs = Jobs(valkey)
    await jobs.redis.flushall()
    yield jobs
    await jobs.close()


@pytest.fixture
def dashboard() -> Literal["on", "off"]:
    """Whether the line records what its pages show: only tests about that pay for it, and see its requests."""
    return "off"


@pytest.fixture
async def line(  # noqa: PLR0917 - pytest gives fixtures by name
    standin: StandIn,
    settings: Settings,
    valkey: str,
    jobs: Jobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dashboard: Literal["on", "off"],
) -> AsyncIterator[Line]:
    """A web server and a worker on one store. Waiting for a GitHub that is away is shortened."""
    monkeypatch.setattr(bot.github, "READ_RETRIES", ())
    for module in (bot.github, bot.checking):
        monkeypatch.setattr(module, "BROKEN_WAIT", 0.0)
    monkeypatch.setattr(bot.queue, "RETRY_DELAY", 0.01)
    monkeypatch.setattr(bot.worker, "DEQUEUE_TIMEOUT", 0.1)
    folder = tmp_path / "repository.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    base = await asyncio.to_thread(commit, folder, BASE, "base")
    git(folder, "update-ref", "refs/heads/main", base)
    git(folder, "update-ref", "refs/heads/other", base)
    repository = standin.add_repository(NAME, folder, INSTALLATION, public=True)
    here = replace(settings, host="127.0.0.1", port=0, dashboard=dashboard)
    await jobs.redis.set(SWEEP_TURN, "nobody")  # what is told twice here is told by the test
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(working(here, valkey))
        url = await stack.enter_async_context(listening(here, valkey))
        yield Line(standin, repository, jobs, url, here, valkey, base)


@pytest.fixture
def mirror_of(standin: StandIn, installation: Installation, tmp_path: Path) -> Made:
    """Makes a mirror, as each job does."""

    async def make() -> Mirror:
        token = await installation.token()
        return await asyncio.to_thread(Mirror, tmp_path / "mirrors", installation.repo, standin.url, token)

    return make


def analysed(mirror: Mirror, base: Sha, head: Sha, pull: int = 1) -> tuple[Snapshot, Snapshot]:
    mirror.fetch(base, head, pull)
    return mirror.snapshots(base, head)


@pytest.fixture
async def place(
    standin: StandIn, settings: Settings, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    """Where people sign in. Nothing that GitHub says is remembered."""
    monkeypatch.setattr(permissions, "REMEMBERED", 0.0)
    async with standing(standin, settings, jobs) as place:
        yield place


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    """Somebody's browser."""
    async with Visitor() as visitor:
        yield visitor
