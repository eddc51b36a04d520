"""The bot as a whole with GitHub beside it, for tests that send webhooks and look at what a pull request shows."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from bot.comment import MARKER
from bot.config import Settings
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.sample import commit, git
from bot.health import LAST, PROCESSES, VITALS
from bot.ids import Sha
from bot.inbox import PENDING
from bot.queue import QUEUE, SWEEP_TURN, Jobs

NAME = "Example/Berth"
SETTINGS = ".github/winparity.yml"
Tree = dict[str, str]

# For what hangs. What GitHub refuses nine times in a row is waited for nine times: 17 s on a quiet machine.
PATIENCE = 120.0
REAL = """package vol

import "os"

// Free says how much room is left.
func Free(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
"""
STUB = """package vol

import "errors"

// Free says how much room is left.
func Free(name string) (int64, error) {
	return 0, errors.New("free space is not supported on Windows")
}
"""
BASE: Tree = {"README.md": "# Berth\n", "vol/free_linux.go": REAL, "vol/free_windows.go": REAL}
LOST: Tree = {**BASE, "vol/free_windows.go": STUB}
LOST_MORE: Tree = {
    **LOST,
    "pad/pad_linux.go": REAL.replace("vol", "pad"),
    "pad/pad_windows.go": STUB.replace("vol", "pad"),
}
# A stub that is there before, and what becomes of it.
STUBBED: Tree = {"run/run_linux.go": REAL.replace("vol", "run"), "run/run_windows.go": STUB.replace("vol", "run")}
GAINED: Tree = {**BASE, **STUBBED, "run/run_windows.go": REAL.replace("vol", "run")}
MIXED: Tree = {**LOST, **GAINED, "vol/free_windows.go": STUB}
HARMLESS: Tree = {**BASE, "vol/doc.go": "// Package vol has volumes.\npackage vol\n"}
DOCUMENTS: Tree = {**BASE, "README.md": "# Berth, a container engine\n"}
MALFORMED: Tree = {**BASE, "vol/new_windows.go": "package vol\n\nfunc Free(( {\n"}


@dataclass
class Line:
    """The bot, and GitHub beside it."""

    github: StandIn
    repository: RepositoryState
    jobs: Jobs
    web: str
    settings: Settings
    redis_url: str
    fork_point: Sha
    base: Tree = field(default_factory=lambda: BASE)
    extra: Tree = field(default_factory=dict)

    async def set_up(self, settings: str, **others: str) -> None:
        """Let main have settings, a stub, and other files, which all that is committed later has too."""
        self.extra = {SETTINGS: settings, **STUBBED, **others}
        self.fork_point = await self.commit(self.base)
        git(self.repository.git_dir, "update-ref", "refs/heads/main", self.fork_point)

    async def open(self, tree: Tree, head_repo: str = "") -> PullState:
        return self.github.open_pull(NAME, "main", await self.commit(tree), head_repo)

    async def commit(self, tree: Tree) -> Sha:
        return await asyncio.to_thread(
            commit, self.repository.git_dir, {**self.extra, **tree}, "a change", self.fork_point
        )

    async def push(self, pull: PullState, tree: Tree) -> None:
        self.github.push(NAME, pull.number, await self.commit(tree))

    async def send(self, action: str, pull: PullState, delivery: str = "", **headers: str) -> int:
        payload = self.github.payload(action, NAME, pull.number)
        known = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.github.deliver(f"{self.web}/webhook", "pull_request", payload, delivery, known)

    async def hear(self, action: str, pull: PullState, delivery: str = "") -> None:
        """One event, from its delivery to the end of all work."""
        assert await self.send(action, pull, delivery) == 202
        await self.quiet()

    async def tell(self, event: str, sender: str = "octocat", **fields: Any) -> None:
        """Any other event, from its delivery to the end of all work."""
        payload = self.github.event(NAME, sender=sender, **fields)
        assert await self.github.deliver(f"{self.web}/webhook", event, payload) == 202
        await self.quiet()

    async def say(self, pull: PullState, words: str, user: str = "octocat", delivery: str = "") -> dict[str, Any]:
        """A new comment, from its writing to the end of all work."""
        comment = self.github.add_comment(NAME, pull.number, words, user=user)
        await self.tell_said(pull, comment, delivery)
        return comment

    async def tell_said(self, pull: PullState, said: dict[str, Any], delivery: str = "", **changes: Any) -> int:
        """The event of a comment, to the end of all work. Returns the answer's status."""
        issue = {"number": pull.number, "state": pull.state, "pull_request": {"url": self.github.url}}
        shown = {name: value for name, value in said.items() if name != "number"}
        fields = {"action": "created", "issue": issue, "comment": shown} | changes
        payload = self.github.event(NAME, sender=said["user"]["login"], **fields)
        status = await self.github.deliver(f"{self.web}/webhook", "issue_comment", payload, delivery)
        await self.quiet()
        return status

    async def press(self, button: str, run: dict[str, Any], user: str = "octocat") -> None:
        """A button of a check run, to the end of all work."""
        asked = {"action": "requested_action", "requested_action": {"identifier": button}}
        await self.tell("check_run", sender=user, check_run=run, **asked)

    async def quiet(self) -> None:
        redis = self.jobs.redis
        async with asyncio.timeout(PATIENCE):
            while await redis.hlen(PENDING) or await redis.zcard(f"saq:{QUEUE}:incomplete"):  # noqa: ASYNC110 - others work
                await asyncio.sleep(0.005)

    async def queued(self) -> set[bytes]:
        """The names of all that is known of events."""
        known = {name for name in await self.jobs.redis.keys("*") if name.startswith((b"wp:", b"saq:job:"))}
        known = {name for name in known if not name.startswith(VITALS.encode())}
        return known - {SWEEP_TURN.encode(), PROCESSES.encode(), LAST.encode()}

    @property
    def writes(self) -> list[str]:
        return [
            f"{c.method} {c.path}" for c in self.github.calls if c.method != "GET" and not c.path.startswith("/app/")
        ]

    def bodies(self, pull: PullState) -> list[str]:
        return [comment["body"] for comment in self.repository.comments if comment["number"] == pull.number]

    def ours(self, pull: PullState) -> list[str]:
        """Our comments."""
        return [body for body in self.bodies(pull) if body.startswith(MARKER)]

    def reactions(self, comment: dict[str, Any]) -> list[str]:
        return [known["content"] for known in self.repository.reactions if known["comment"] == comment["id"]]

    def runs(self, head: str | None = None) -> list[dict[str, Any]]:
        return [run for run in self.repository.check_runs if head in {None, run["head_sha"]}]
