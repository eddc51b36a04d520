"""A fleet for measurements: a Valkey, web and worker processes, and a stand-in for GitHub that sends them deliveries.

Each pull request has a head of its own at every delivery, so that each costs what a push costs: fetching, comparing, a
check run and an edited comment. Nothing is shared with the tests' fixtures, which judge each request.
"""

import asyncio
import contextlib
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot.demo.github import RepositoryState, StandIn
from bot.demo.run import _free_port, key_pair
from bot.demo.sample import git
from bot.inbox import PENDING
from bot.queue import Jobs
from bot.valkey import embedded

APP_ID = 4242
SECRET = "a webhook secret"
# Pull requests of each repository.
PULLS = 8
PATIENCE = 600.0
# Calls, runs and deliveries that the stand-in keeps: it is not what is measured.
KEPT = 500
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What processes have used so far, or hold now.

    Attributes:
        cpu: seconds, with those of children that have ended.
        memory: bytes that are resident.
        descriptors: open ones.
        processes: how many.
    """

    cpu: float = 0.0
    memory: int = 0
    descriptors: int = 0
    processes: int = 0


def usage(*pids: int, children: bool = True, git: bool = True) -> Usage:
    """Of processes, and of those that they started and so on; without git, what stays while git's come and go."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    known = {*pids}
    while children and (more := {pid for pid, parent in parents.items() if parent in known} - known):
        known |= more
    total = Usage()
    for pid in known:
        with contextlib.suppress(OSError):
            folder = Path(f"/proc/{pid}")
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            if name.startswith("git") and not git:
                continue
            fields = rest.split()
            total = Usage(
                total.cpu + sum(map(int, fields[11:15])) / _TICKS,
                total.memory + int((folder / "statm").read_text().split()[1]) * _PAGE,
                total.descriptors + len(os.listdir(folder / "fd")),  # noqa: PTH208 - names are all that is counted
                total.processes + 1,
            )
    return total


@dataclass
class Fleet:
    """All that runs.

    Attributes:
        served: requests that GitHub answered so far: the API's, git's, and those of the API's that write.
        sent: deliveries.
    """

    github: StandIn
    jobs: Jobs
    environment: dict[str, str]
    folder: Path
    port: int
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    served: dict[str, int] = field(default_factory=lambda: {"api": 0, "git": 0, "writes": 0})
    sent: int = 0

    async def start(self, name: str, *words: str) -> int:
        """Start a process. Returns its id."""
        with (self.folder / f"{name}.log").open("ab") as log:
            command = (sys.executable, "-m", "bot.cli", *words)
            started = await asyncio.create_subprocess_exec(*command, env=self.environment, stdout=log, stderr=log)
        self.processes[name] = started
        return started.pid

    async def stop(self, name: str) -> None:
        """Tell a process to stop, and wait until it has."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()

    async def ready(self) -> None:
        """Wait until the web server answers."""
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def push(self, repository: RepositoryState, number: int, tree: str) -> int:
        """Give a pull request a new head, and tell of it. Returns the answer's status."""
        await self.change(repository, number, tree)
        return await self.tell(repository, number)

    async def change(self, repository: RepositoryState, number: int, tree: str) -> None:
        """Give a pull request a new head; one that is not there is opened."""
        self.sent += 1
        await asyncio.to_thread(self._commit, repository, number, tree, f"change {self.sent}")

    async def tell(self, repository: RepositoryState, number: int) -> int:
        """Deliver that a pull request has a new head. Returns the answer's status."""
        payload = self.github.payload("synchronize", repository.name, number)
        return await self.github.deliver(f"http://127.0.0.1:{self.port}/webhook", "pull_request", payload)

    def _commit(self, repository: RepositoryState, number: int, tree: str, message: str) -> None:
        head = git(repository.git_dir, "commit-tree", tree, "-p", "refs/heads/main", "-m", message)
        if number in repository.pulls:
            self.github.push(repository.name, number, head)
        else:
            self.github.open_pull(repository.name, "main", head)

    async def pending(self) -> int:
        """Events that are not finished."""
        return int(await self.jobs.redis.hlen(PENDING))

    async def until(self, condition: Callable[[int], bool]) -> None:
        """Wait until so many events are pending."""
        async with asyncio.timeout(PATIENCE):
            while not condition(await self.pending()):  # noqa: ASYNC110 - other processes work
                await asyncio.sleep(0.02)

    def forget(self) -> None:
        """Let the stand-in forget what is long over."""
        github = self.github
        for call in github.calls:
            self.served["api"] += 1
            self.served["writes"] += call.method != "GET" and not call.path.startswith("/app/")
        self.served["git"] += len(github.git_calls)
        github.calls.clear()
        github.git_calls.clear()
        github._remaining = 5000
        del github.app.deliveries[KEPT:]
        for repository in github.repositories.values():
            del repository.check_runs[:-KEPT]

    async def store(self) -> dict[str, Any]:
        """What the store says of itself."""
        return dict(await self.jobs.redis.info("everything"))


@asynccontextmanager
async def fleet(folder: Path, *, concurrency: int = 4, spacing: float = 0.0) -> AsyncIterator[Fleet]:
    """A store and a GitHub. Web servers and workers are to be started; they are stopped at the end."""
    private, public = key_pair()
    port = _free_port()
    async with embedded(folder / "store") as url, StandIn(APP_ID, public, SECRET).running() as github:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "WINPARITY_APP_ID": str(APP_ID),
            "WINPARITY_PRIVATE_KEY": private,
            "WINPARITY_WEBHOOK_SECRET": SECRET,
            "WINPARITY_ENV_FILE": str(folder / ".env"),
            "WINPARITY_DATA_DIR": str(folder / "data"),
            "WINPARITY_GITHUB_API_URL": github.url,
            "WINPARITY_GITHUB_URL": github.url,
            "WINPARITY_WRITE_SPACING": str(spacing),
            "WINPARITY_CONCURRENCY": str(concurrency),
            "WINPARITY_DASHBOARD": "off",  # what a pull request costs, without surveys of a whole repository beside it
            "REDIS_URL": url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
        jobs = Jobs(url)
        running = Fleet(github, jobs, environment, folder, port)
        try:
            yield running
        finally:
            for name in [*running.processes]:
                await running.stop(name)
            await jobs.close()


def own_cpu() -> float:
    """Seconds of this process and of what it started, which are GitHub's share."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
