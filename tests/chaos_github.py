"""GitHub for `tests.chaos`, in a process of its own: the stand-in in a bad mood, its repositories, and its webhooks.

It reads a `Task` from stdin, as a line of JSON, and prints its address; at "go" the world happens, and a line says now and
then how far it is; at "report" it prints all that it shows. What fails to be delivered is delivered again only when the app asks for it.
"""

import asyncio
import functools
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

import bot.demo.github
from bot.demo.github import Json, PullState, RepositoryState, StandIn
from bot.demo.sample import commit, git
from bot.events import about
from tests.bot.line import BASE, HARMLESS, LOST, LOST_MORE, REAL, STUB, STUBBED, Tree

# How calls fail, and which part of them in that way: before anything has happened or, as often, after it has.
FAULTS = {"502": 35, "reset": 25, "secondary limit": 20, "half an answer": 18, "timeout": 2}
RETRY_AFTER = "1"
HOST, CHUNK = "127.0.0.1", 64 * 1024
# Seconds: longer than the bot waits for an answer.
HANGS = 35.0
# Seconds by which deliveries may overtake each other.
JITTER = 2.0
ORGS = 50
HEADS = 6
# Events of one pull request: opened, a push for each other head, and those that bring nothing new.
OTHERS = ("edited", "ready_for_review", "reopened", "rerequested")
# Functions that one pull request loses, so that its check run takes more than one batch of annotations.
MANY = 60


class Task(msgspec.Struct):
    """What is to happen.

    Attributes:
        folder: for repositories.
        public_key: the app's; ``secret`` the webhook's.
        webs: the ports of the web processes.
        seed: of all that is left to chance.
        seconds: in which all is sent.
        fails: the part of calls that fails.
    """

    folder: str
    app_id: int
    public_key: str
    secret: str
    webs: list[int]
    seed: int
    deliveries: int
    repositories: int
    seconds: float
    fails: float


def _many(text: str) -> str:
    head, _, body = text.replace("package vol", "package many").partition("// Free")
    return head + "\n".join(f"// Free{n}{body}".replace("func Free(", f"func Free{n}(") for n in range(MANY))


FORK_POINT: Tree = {**BASE, **STUBBED, "many/x_linux.go": _many(REAL), "many/x_windows.go": _many(REAL)}
# What a head changes, and what its check run has to say.
CHANGES: tuple[tuple[Tree, str], ...] = (
    (HARMLESS, "success"),
    (LOST, "failure"),
    (LOST_MORE, "failure"),
    ({"many/x_windows.go": _many(STUB)}, "failure"),
    ({"run/run_windows.go": REAL.replace("vol", "run")}, "success"),
)


_git = bot.demo.github._git


@functools.cache
def _main(git_dir: Path) -> str:
    return _git(git_dir, "rev-parse", "refs/heads/main")


def _remembering(git_dir: Path, *words: str) -> str:
    """Main stays where it is; to ask git for it with each answer would keep all others waiting."""
    return _main(git_dir) if words == ("rev-parse", "refs/heads/main") else _git(git_dir, *words)


class Moody(StandIn):
    """A GitHub of which each call may fail, before or after it did what was asked."""

    def __init__(self, task: Task) -> None:
        super().__init__(task.app_id, task.public_key, task.secret)
        self._fails = task.fails
        self._chance = random.Random(task.seed)  # noqa: S311 - a mood, the same each time
        self.failed: Counter[str] = Counter()
        self.shown_at: list[float] = []
        self.acknowledged_at: list[float] = []

    async def deliver(
        self, url: str, event: str, payload: Json, delivery: str = "", headers: dict[str, str] | None = None
    ) -> int:
        """As GitHub does; when it went well is noted."""
        status = await super().deliver(url, event, payload, delivery, headers)
        if 200 <= status < 300:
            self.acknowledged_at.append(time.time())
        return status

    def add_check_run(self, name: str, run: Json, app: int) -> Json:
        """As GitHub does; when a job came to its result is noted."""
        self.shown_at.append(time.time())
        return super().add_check_run(name, run, app)

    @web.middleware
    async def _record(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if self._chance.random() >= self._fails:
            return await super()._record(request, handler)
        fault = self._chance.choices([*FAULTS], [*FAULTS.values()])[0]
        after = self._chance.random() < 0.5 or fault == "half an answer"
        self.failed[fault] += 1
        response = await super()._record(request, handler) if after else None
        match fault:
            case "502":
                return web.json_response({"message": "Server Error"}, status=502)
            case "secondary limit":
                words = {"message": "You have exceeded a secondary rate limit. Please wait."}
                return web.json_response(words, status=403, headers={"Retry-After": RETRY_AFTER})
            case "timeout":
                await asyncio.sleep(HANGS)
            case "half an answer" if isinstance(response, web.Response) and isinstance(response.body, bytes):
                half = web.StreamResponse(status=response.status, headers={"Content-Length": str(len(response.body))})
                await half.prepare(request)
                await half.write(response.body[: len(response.body) // 2])
        if request.transport is not None:
            request.transport.abort()
        return response or web.Response(status=502)


async def balanced(webs: list[int], chance: random.Random) -> str:
    """What stands before the web processes: whoever comes is led to one that is there. Returns its address."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in chance.sample(webs, len(webs)):
            with suppress(OSError):
                back, forth = await asyncio.open_connection(HOST, port)
                await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer))
                break
        writer.close()

    server = await asyncio.start_server(connect, HOST, 0)
    return f"http://{HOST}:{server.sockets[0].getsockname()[1]}/webhook"


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


class World:
    """What happens on GitHub."""

    def __init__(self, github: Moody, task: Task, url: str) -> None:
        self._github = github
        self._url = url
        self._task = task
        self._chance = random.Random(task.seed + 1)  # noqa: S311 - likewise
        self.history: dict[tuple[str, int], list[str]] = {}
        self.says: dict[str, str] = {}
        self.sent: set[str] = set()
        self.over = False

    def make(self) -> None:
        """The repositories, all alike, and the pull requests, each with a first head of its own."""
        task = self._task
        pulls = task.deliveries // (task.repositories * (HEADS + len(OTHERS))) or 1
        template = Path(task.folder) / "template.git"
        template.mkdir(parents=True)
        git(template, "init", "--quiet", "--bare", ".")
        base = commit(template, FORK_POINT, "base")
        git(template, "update-ref", "refs/heads/main", base)
        heads: list[list[str]] = []
        for pull in range(pulls):
            heads.append([])
            for number in range(HEADS):
                changed, says = self._chance.choice(CHANGES)
                tree = {**FORK_POINT, **changed, "x.go": f"package x // {pull} {number}\n"}
                heads[-1].append(commit(template, tree, "a change", base))
                self.says[heads[-1][-1]] = says
        for number in range(task.repositories):
            name, folder = f"org{number % ORGS}/repo{number}", Path(task.folder) / f"{number}.git"
            shutil.copytree(template, folder)
            self._github.add_repository(name, folder, number % ORGS + 1, public=True)
            for chain in heads:
                pull_state = self._github.open_pull(name, "main", chain[0])
                self.history[name, pull_state.number] = chain

    async def happen(self) -> None:
        """Everything, at times left to chance, and its deliveries."""
        coming: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        for (name, number), chain in self.history.items():
            kinds = ["opened", *["synchronize"] * (len(chain) - 1)]
            for other in OTHERS:
                kinds.insert(self._chance.randint(1, len(kinds)), other)
            times = sorted(self._chance.uniform(0, self._task.seconds) for _ in kinds)
            heads = iter(chain)
            for at, kind in zip(times, kinds, strict=True):
                head = next(heads) if kind in {"opened", "synchronize"} else ""
                coming.append((at, lambda n=name, p=number, k=kind, h=head: self._event(n, p, k, h)))
        coming.sort(key=lambda known: known[0])
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for at, what in coming[: self._task.deliveries]:
                await asyncio.sleep(max(0.0, start + at - time.monotonic()))
                group.create_task(what())
        self.over = True

    async def _event(self, name: str, number: int, kind: str, head: str) -> None:
        if head:
            await asyncio.to_thread(self._github.push, name, number, head)
        repo = self._github.repositories[name]
        delivery = f"{self._task.seed}-{len(self.sent)}"
        self.sent.add(delivery)
        if kind == "rerequested":
            run = {"head_sha": repo.pulls[number].head, "external_id": f"{about(number)}:x"}
            event, payload = "check_run", self._github.event(name, action="rerequested", check_run=run)
        else:
            event, payload = "pull_request", self._github.payload(kind, name, number)
        await asyncio.sleep(self._chance.uniform(0, JITTER))
        await self._github.deliver(self._url, event, payload, delivery)

    def progress(self) -> Json:
        """How far it is."""
        attempts = self._github.app.deliveries
        acknowledged = {known["guid"] for known in attempts if 200 <= known["status_code"] < 300}
        return {
            "sent": len(self.sent),
            "acknowledged": len(acknowledged),
            "unacknowledged": sorted(self.sent - acknowledged),
            "again": sum(known["redelivery"] for known in attempts),
            "over": self.over,
            "calls": len(self._github.calls) + len(self._github.git_calls),
            "runs": sum(len(repo.check_runs) for repo in self._github.repositories.values()),
        }

    def report(self) -> Json:
        """All that GitHub shows."""
        repos = self._github.repositories.values()
        return {
            **self.progress(),
            "faults": dict(self._github.failed),
            "acknowledged_at": self._github.acknowledged_at,
            "shown_at": self._github.shown_at,
            "problems": self._github.problems,
            "says": self.says,
            "pulls": [self._shown(repo, pull) for repo in repos for pull in repo.pulls.values()],
        }

    def _shown(self, repo: RepositoryState, pull: PullState) -> Json:
        chain = self.history[repo.name, pull.number]
        created = f"/repos/{repo.name}/issues/{pull.number}/comments"
        return {
            "name": f"{repo.name}#{pull.number}",
            "heads": chain,
            "head": pull.head,
            "comments": [c["body"] for c in repo.comments if c["number"] == pull.number],
            "created": sum((call.method, call.path) == ("POST", created) for call in self._github.calls),
            "runs": [
                {key: run[key] for key in ("id", "name", "head_sha", "status", "conclusion")}
                for run in repo.check_runs
                if run["head_sha"] in chain
            ],
        }


async def main() -> None:
    """Until stdin ends."""
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    task = msgspec.json.decode(await reader.readline(), type=Task)
    bot.demo.github._git = _remembering
    github = Moody(task)
    url = await balanced(task.webs, random.Random(task.seed))  # noqa: S311 - likewise
    world = World(github, task, url)
    await asyncio.to_thread(world.make)
    happening: asyncio.Task[None] | None = None
    async with github.running():
        _say({"url": github.url})
        while line := await reader.readline():
            if line == b"go\n":
                happening = asyncio.create_task(world.happen())
            _say(world.report() if line == b"report\n" else world.progress())
        if happening is not None:
            await happening


def _say(words: Json) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
