"""What every job needs, made once for a worker."""

from dataclasses import dataclass

from analyzer.reading import Reader
from bot.config import Settings
from bot.github import GitHub
from bot.queue import Jobs


@dataclass(frozen=True, slots=True)
class Line:
    """The settings, the queue, the door to GitHub, and what reads files."""

    settings: Settings
    jobs: Jobs
    github: GitHub
    reader: Reader
