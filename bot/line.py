"""What every job needs, made once for a worker."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from bot.analysis import Analyst, Found, NoSettingsError, Task
from bot.config import Settings
from bot.dashboard.surveyor import Surveyor
from bot.github import GitHub, Installation
from bot.org_config import OrgConfigs
from bot.queue import Jobs
from bot.repo_config import RepoConfig

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Line:
    """The settings, the queue, the door to GitHub, what compares, what owners say, and what surveys."""

    settings: Settings
    jobs: Jobs
    github: GitHub
    analyst: Analyst
    orgs: OrgConfigs
    surveyor: Surveyor

    async def compare(self, github: Installation, task: Task, *, private: bool) -> Found:
        """What differs, by the repository's own settings; where there are none, by its owner's.

        Args:
            github: the repository.
            task: what is to be compared; what holds ``otherwise`` is found out here.
            private: the repository is not for everybody to see.

        Raises:
            BusyError, RefusedError: GitHub cannot be asked now, or will not do it.
            bot.analysis.LimitError: it took too much time or memory.
            bot.git.SourceError: git cannot give the source.
        """

        async def compare(otherwise: RepoConfig | None) -> Found:
            asked = replace(task, private=private, otherwise=otherwise)
            return await self.analyst.compare(asked, await github.token())

        return await self.settled(github, compare, private=private)

    async def settled(
        self, github: Installation, look: Callable[[RepoConfig | None], Awaitable[_R]], *, private: bool
    ) -> _R:
        """What a child finds by the repository's own settings; where there are none, by its owner's.

        Args:
            github: the repository.
            look: asks a child, and tells it what holds where the repository has no settings; None when nobody knows yet.
            private: the repository is not for everybody to see.
        """
        with contextlib.suppress(NoSettingsError):
            return await look(None)
        return await look(await self.orgs.of(github, private=private))
