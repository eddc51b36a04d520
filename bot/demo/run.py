"""`winparity demo`: the true line on this machine, from a signed webhook to a comment, with nothing left behind."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule

from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.sample import git, make_repository
from bot.ids import Sha
from bot.manifest import CALLBACK
from bot.markdown import visible
from bot.queue import Jobs
from bot.source import LocalRepository
from bot.valkey import embedded

APP_ID = 4242
NAME, PRIVATE = "example/berth", "example/private"
# Who signs in: whoever sits before the browser is this account of the stand-in.
LOGIN = "octocat"
# Seconds: what a process may take to start, a job to finish, and a process to stop.
START_TIMEOUT = 30.0
JOB_TIMEOUT = 300.0
STOP_TIMEOUT = 15.0
POLL = 0.02
# A check run's annotations that are shown; the rest is counted.
MAX_SHOWN = 12
LOG_TAIL = 30


class DemoError(Exception):
    """The demo did not come to its end; the message says where it stopped."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The repository that the demo is about."""

    git_dir: Path
    base: Sha
    head: Sha
    name: str


@dataclass
class Stage:
    """All that runs for the demo."""

    console: Console
    github: StandIn
    repository: RepositoryState
    jobs: Jobs
    url: str
    logs: list[Path]


async def demo(subject: Callable[[Path], Subject], *, keep: bool, console: Console) -> None:
    """Run the demo.

    Args:
        subject: makes the repository in a folder that it is given.
        keep: leave everything up until Ctrl-C.
        console: where to show it.

    Raises:
        DemoError: something did not start or finish; the tail of the processes' logs has been shown.
    """
    _cancel_on_sigterm()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wp-", ignore_cleanup_errors=True)))
        stage = await _set_up(stack, folder, await asyncio.to_thread(subject, folder / "repository"), console)
        try:
            await _show(stage, keep=keep)
        except (DemoError, TimeoutError) as error:
            _show_logs(stage)
            raise DemoError(str(error) or "it took too long") from None


def _cancel_on_sigterm() -> None:
    """Whoever ends the demo with a plain kill must not be left with its processes."""
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in asyncio
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def sample_subject(folder: Path) -> Subject:
    """The sample repository."""
    base, head = make_repository(folder)
    return Subject(folder, base, head, NAME)


def subject_from(repo: Path, base: str, head: str) -> Callable[[Path], Subject]:
    """Two revisions of a repository on this machine, which is read and never written to.

    Raises:
        bot.git.SourceError: there is no such repository or revision.
    """
    source = LocalRepository(repo)
    old, new = source.resolve(base), source.resolve(head)
    objects = git(repo.absolute(), "rev-parse", "--git-path", "objects")

    def make(folder: Path) -> Subject:
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", ".")
        (folder / "objects" / "info" / "alternates").write_text(f"{(repo.absolute() / objects).resolve()}\n")
        git(folder, "update-ref", "refs/heads/main", old)
        stem = "".join(c for c in repo.resolve().name.removesuffix(".git") if c.isalnum() or c in "-_") or "repository"
        return Subject(folder, old, new, f"example/{stem}")

    return make


async def _set_up(stack: AsyncExitStack, folder: Path, subject: Subject, console: Console) -> Stage:
    step = _Steps(console)
    private, public = key_pair()
    secret = secrets.token_hex(16)
    step.done(f"a repository with a pull request: {subject.name}, {subject.base[:7]}…{subject.head[:7]}")
    redis_url = await stack.enter_async_context(embedded(folder / "data"))
    step.done("an embedded Valkey")
    github = await stack.enter_async_context(StandIn(APP_ID, public, secret).running())
    repository = github.add_repository(subject.name, subject.git_dir, public=True)
    github.open_pull(subject.name, "main", subject.head)
    step.done(f"a stand-in for GitHub at {github.url}")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    github.app.callback_urls = [f"{url}{CALLBACK}"]
    github.people.browsing = LOGIN
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "WINPARITY_ENV_FILE": str(folder / ".env"),
        "WINPARITY_APP_ID": str(APP_ID),
        "WINPARITY_PRIVATE_KEY": private,
        "WINPARITY_WEBHOOK_SECRET": secret,
        "WINPARITY_DATA_DIR": str(folder / "data"),
        "WINPARITY_GITHUB_API_URL": github.url,
        "WINPARITY_GITHUB_URL": github.git_url,
        "WINPARITY_WRITE_SPACING": "0",
        "WINPARITY_PUBLIC_URL": url,
        "WINPARITY_CLIENT_ID": github.app.client_id,
        "WINPARITY_CLIENT_SECRET": github.app.client_secret,
        "WINPARITY_ADMINS": LOGIN,
        "REDIS_URL": redis_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    logs = [folder / "web.log", folder / "worker.log"]
    web = await stack.enter_async_context(_process(["serve", "--no-worker"], environment, logs[0]))
    worker = await stack.enter_async_context(_process(["worker"], environment, logs[1]))
    jobs = Jobs(redis_url)
    stack.push_async_callback(jobs.close)
    stage = Stage(console, github, repository, jobs, url, logs)
    try:
        await _until(lambda: _ready(port, web), START_TIMEOUT, "the web server did not start")
        await _until(lambda: _says(logs[1], "worker ready", worker), START_TIMEOUT, "the worker did not start")
    except DemoError:
        _show_logs(stage)
        raise
    step.done("a web server and a worker, each a process of its own")
    return stage


class _Steps:
    """A line for each step, with its time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()

    def done(self, what: str) -> None:
        now = time.monotonic()
        self._console.print(f"[green]✓[/] {escape(what)} [dim]{now - self._start:.1f} s[/]", highlight=False)
        self._start = now


async def _show(stage: Stage, *, keep: bool) -> None:
    step = _Steps(stage.console)
    pull = stage.repository.pulls[1]
    cold = await _deliver(stage, pull)
    step.done("a signed webhook, a job, and its answer")
    requests = len([call for call in stage.github.calls if not call.path.startswith("/app/hook/")])
    fetches = len(stage.github.git_calls)
    run = next((r for r in stage.repository.check_runs if r["head_sha"] == pull.head), None)
    if run is None:
        raise DemoError("the job left no check run")
    _show_result(stage, pull, run)
    again = stage.github.open_pull(stage.repository.name, "main", pull.head)
    warm = await _deliver(stage, again)
    stage.console.print(
        f"From webhook to comment: [bold]{cold:.2f} s[/] cold, [bold]{warm:.2f} s[/] warm. "
        f"GitHub was asked {requests} times through its API and {fetches} times through git.",
        highlight=False,
    )
    if keep:
        await _add_private(stage)
        stage.console.print(
            f"\nStill up: the dashboard at {stage.url}/ and a stand-in for GitHub at {stage.github.url}.\n"
            f"*Sign in* there and *Authorize*: you are {LOGIN}, who may read {PRIVATE} as well, and is the administrator "
            f"({stage.url}/operations).\nPress Ctrl-C to stop.",
            highlight=False,
        )
        await _until_stopped()


async def _add_private(stage: Stage) -> None:
    """A repository that is there for nobody but who signs in, and a push to it."""
    folder = stage.logs[0].parent / "private"
    base, _ = await asyncio.to_thread(make_repository, folder)
    stage.github.add_repository(PRIVATE, folder).permissions[LOGIN] = "read"
    push = {"ref": "refs/heads/main", "before": "0" * 40, "after": base}
    await _told(stage, "push", stage.github.event(PRIVATE, **push))


async def _deliver(stage: Stage, pull: PullState) -> float:
    """Deliver a pull_request webhook and wait for the end of its job. Returns seconds."""
    return await _told(stage, "pull_request", stage.github.payload("opened", stage.repository.name, pull.number))


async def _told(stage: Stage, event: str, payload: dict[str, Any]) -> float:
    """Deliver a webhook and wait for the end of its job. Returns seconds."""
    delivery = str(uuid.uuid4())
    start = time.monotonic()
    status = await stage.github.deliver(f"{stage.url}/webhook", event, payload, delivery)
    if status != 202:
        raise DemoError(f"the web server answered {status} to a webhook")
    await _until(lambda: stage.jobs.is_finished(delivery), JOB_TIMEOUT, "the job did not finish")
    return time.monotonic() - start


def _show_result(stage: Stage, pull: PullState, run: dict[str, object]) -> None:
    console = stage.console
    comments = [c for c in stage.repository.comments if c["number"] == pull.number]
    console.print()
    console.print(Rule("The comment on the pull request", align="left"))
    for comment in comments:
        console.print(Panel(terminal_markdown(comment["body"]), title="winparity (bot)", title_align="left"))
    if not comments:
        console.print("[dim]No comment: nothing here is news for a person.[/]")
    console.print(Rule("The check run", align="left"))
    output = run["output"]
    assert isinstance(output, dict)  # noqa: S101 - the stand-in stores what was sent
    colour = {"success": "green", "failure": "red"}.get(str(run["conclusion"]), "yellow")
    console.print(f"[{colour}]{run['conclusion']}[/]  [bold]{escape(output['title'])}[/]", highlight=False)
    annotations = run["annotations"]
    assert isinstance(annotations, list)  # noqa: S101 - likewise
    for annotation in annotations[:MAX_SHOWN]:
        where = escape(visible(f"{annotation['path']}:{annotation['start_line']}"))
        console.print(f"  {annotation['annotation_level']:8} {where}", highlight=False)
        remark = "\n".join(escape(visible(line)) for line in annotation["message"].split("\n"))
        console.print(Padding(remark, (0, 0, 0, 11)), highlight=False, style="dim")
    if len(annotations) > MAX_SHOWN:
        console.print(f"  and {len(annotations) - MAX_SHOWN} more annotations")
    console.print()


def terminal_markdown(body: str) -> Markdown:
    """A comment's body as a terminal can show it: GitHub's few HTML tags become Markdown."""
    text = "\n".join(line for line in body.splitlines() if not line.startswith("<!--")).replace("</details>", "")
    return Markdown(text.replace("<details><summary>", "**▾ ").replace("</summary>", "**"))


@asynccontextmanager
async def _process(
    arguments: list[str], environment: dict[str, str], log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of our own processes while this is held, its output in a file."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.cli", *arguments, env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(port: int, process: asyncio.subprocess.Process) -> bool:
    if process.returncode is not None:
        raise DemoError("the web server stopped")
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _says(log: Path, words: str, process: asyncio.subprocess.Process) -> bool:
    if process.returncode is not None:
        raise DemoError("the worker stopped")
    return words in await asyncio.to_thread(log.read_text, errors="replace")


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise DemoError(f"{otherwise} within {seconds:.0f} s")
        await asyncio.sleep(POLL)


async def _until_stopped() -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    await stop.wait()


def _show_logs(stage: Stage) -> None:
    for log in stage.logs:
        lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL:] if log.exists() else []
        stage.console.print(Rule(log.name, align="left"))
        stage.console.print("\n".join(escape(visible(line)) for line in lines), highlight=False)


def key_pair() -> tuple[str, str]:
    """A new app's private and public key, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
