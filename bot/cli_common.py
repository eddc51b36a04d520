"""What the commands that read a repository share: their options, the repository's own settings, and what reads files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.said import complain, fail

if TYPE_CHECKING:
    from datetime import date

    from analyzer.model import Share
    from bot.facts import FactsStore
    from bot.ids import Sha
    from bot.repo_config import RepoConfig
    from bot.source import LocalRepository

RepoOption = Annotated[
    Path, typer.Option("--repo", metavar="PATH", help="A git repository, bare or not.", show_default="this folder")
]


def settings(source: "LocalRepository", rev: "Sha") -> "RepoConfig":
    """The repository's settings at a revision. What is wrong with them is said, and the defaults hold."""
    from bot import repo_config

    config = repo_config.read(source.file(rev, repo_config.PATH, repo_config.MAX_BYTES))
    tell_problems(config, rev)
    return config


def tell_problems(config: "RepoConfig", rev: "Sha") -> None:
    """Say what is wrong with settings that were read at a revision."""
    from bot.markdown import visible
    from bot.repo_config import PATH

    where = f"{config.file} at {rev[:12]}" if config.file == PATH else config.file
    for problem in config.problems:
        complain(visible(f"{where}, {problem}"))
    if config.problems:
        complain("so the defaults hold")


def reader(share: "Share | None" = None) -> "FactsStore":
    """Reads files, and knows those that it has read before."""
    from bot.facts import FactsStore

    return FactsStore(cache_folder(), share) if share else FactsStore(cache_folder())


def cache_folder() -> Path | None:
    """Where is kept what is known of files; None for nowhere."""
    from bot import config

    try:
        return config.cache_folder()
    except config.ConfigError as error:
        fail(str(error))


def today() -> "date":
    """The day by which acceptances run out, in UTC."""
    from datetime import UTC, datetime

    return datetime.now(UTC).date()
