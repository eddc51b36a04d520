"""What an organisation says for those of its repositories that say nothing: .github/winparity.yml in its `.github`.

GitHub takes an owner's community files from there too (docs: "Creating a default community health file"), for public
repositories from a public one only. Here a private repository may also have a private one's.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from cachetools import TTLCache

from bot.github import GitHub, Installation, RefusedError
from bot.ids import Repo
from bot.repo_config import MAX_BYTES, PATH, Problem, RepoConfig, read

NAME = ".github"
"""The repository."""

KEPT = 600.0
"""Seconds for which an answer holds, also that there is no such file."""

MAX_OWNERS = 1_000
"""Owners that are remembered."""


class OrgConfigs:
    """Settings of owners, asked for once in a while however many jobs want them.

    Args:
        github: the door to GitHub.
        timer: a clock, in seconds.
    """

    def __init__(self, github: GitHub, timer: Callable[[], float] = time.monotonic) -> None:
        self._github = github
        self._known: TTLCache[tuple[int, str, bool], asyncio.Task[RepoConfig]] = TTLCache(MAX_OWNERS, KEPT, timer)

    async def of(self, door: Installation, *, private: bool) -> RepoConfig:
        """The settings for a repository that has none of its own; the defaults, when its owner has none either.

        Args:
            door: to the base repository: what a fork's owner says does not count.
            private: whether the repository is, so that a private file may be asked for.

        Raises:
            BusyError: GitHub cannot be asked now.
            RefusedError: the app is not installed there (any more).
        """
        key = (door.number, door.repo.owner, private)
        task = self._known.get(key)
        if task is None or _has_failed(task):
            task = self._known[key] = asyncio.create_task(self._asked(door, private=private))
        return await asyncio.shield(task)

    async def _asked(self, door: Installation, *, private: bool) -> RepoConfig:
        repo = door.repo
        if private:
            theirs = self._github.installation(door.number, _repository(repo))
            with contextlib.suppress(RefusedError):  # the app is not installed on it, or there is none
                await theirs.token()
                door = theirs
        return await org_config(door, repo)


async def org_config(door: Installation, repo: Repo) -> RepoConfig:
    """As `OrgConfigs.of`, asked for right now.

    Args:
        door: whose token is used.
        repo: the base repository.
    """
    if repo == _repository(repo):
        return RepoConfig()
    config = read(await door.file(_repository(repo), PATH, MAX_BYTES))
    file = f"{PATH} in {_repository(repo)}"
    if config.accept:
        why = "accept names symbols, so it belongs into the repository that has them"
        config = RepoConfig(problems=(Problem(config.accept[0].line, why),))
    return replace(config, file=file)


def _repository(repo: Repo) -> Repo:
    return Repo(f"{repo.owner}/{NAME}")


def _has_failed(task: asyncio.Task[RepoConfig]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
