"""What every job needs, made once for a worker."""

from dataclasses import dataclass

from bot.analysis import Analyst
from bot.config import Settings
from bot.github import GitHub
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
