"""What every job needs, made once for a worker."""

import contextlib
from dataclasses import dataclass, replace

from bot.analysis import Analyst, Found, NoSettingsError, Task
from bot.config import Settings
from bot.github import GitHub, Installation
from bot.org_config import OrgConfigs
from bot.queue import Jobs


@dataclass(frozen=True, slots=True)
class Line:
    """The settings, the queue, the door to GitHub, what compares, and what owners say."""

    settings: Settings
    jobs: Jobs
    github: GitHub
    analyst: Analyst
    orgs: OrgConfigs

    async def compare(self, github: Installation, task: Task, *, private: bool) -> Found:
        """What differs, by the repository's own settings; where there are none, by its owner's.

        Args:
            github: the repository.
            task: what is to be compared; what holds ``otherwise`` is found out here.
            private: the repository is not for everybody to see.

        Raises:
            BusyError, RefusedError: GitHub cannot be asked now, or will not do it.
            bot.analysis.LimitError: it took too much time or memory.
            bot.source.SourceError: git cannot give the source.
        """
        with contextlib.suppress(NoSettingsError):
            return await self.analyst.compare(replace(task, otherwise=None), await github.token())
        task = replace(task, otherwise=await self.orgs.of(github, private=private))
        return await self.analyst.compare(task, await github.token())
