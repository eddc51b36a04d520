"""Pushes to branches, for tests that look at what an issue says."""

import asyncio
from typing import Any

from bot.demo.sample import commit, git
from bot.ids import Sha
from tests.bot.line import NAME, Line, Tree

NOWHERE = "0" * 40


def tip(line: Line, branch: str = "main") -> Sha:
    return Sha(git(line.repository.git_dir, "rev-parse", f"refs/heads/{branch}"))


def move(line: Line, branch: str, to: str) -> None:
    git(line.repository.git_dir, "update-ref", f"refs/heads/{branch}", to)


async def grown(line: Line, tree: Tree, branch: str = "main") -> dict[str, Any]:
    """Commit to a branch. Returns the push that GitHub would tell of."""
    before = tip(line, branch)
    after = await asyncio.to_thread(commit, line.repository.git_dir, tree, "a commit", before)
    move(line, branch, after)
    return told(branch, before, after)


def told(branch: str, before: str, after: str) -> dict[str, Any]:
    return {"ref": f"refs/heads/{branch}", "before": before, "after": after}


async def hear(line: Line, push: dict[str, Any], delivery: str = "", status: int = 202) -> None:
    """A push, from its delivery to the end of all work."""
    payload = line.github.event(NAME, **push)
    assert await line.github.deliver(f"{line.web}/webhook", "push", payload, delivery) == status
    await line.quiet()


async def push(line: Line, tree: Tree, branch: str = "main") -> Sha:
    """Commit to a branch and hear of it. Returns the new tip."""
    await hear(line, await grown(line, tree, branch))
    return tip(line, branch)
