"""Comparisons in child processes: the event loop never waits for one, and what a hostile file costs is one job.

A child reads the mirror, fetches what is missing, and analyses. It is given a token and gives back plain values.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import structlog

from analyzer import analyze
from analyzer.model import Analysis
from analyzer.reading import Reader
from bot import codeowners, metrics, repo_config, shelf
from bot.affected import affected
from bot.around import around
from bot.children import Children, Places
from bot.config import Settings
from bot.facts import FactsStore
from bot.git import FullError, MissingError
from bot.ids import Repo, Sha
from bot.metrics import Stage
from bot.mirrors import Mirror
from bot.repo_config import Problem, RepoConfig
from bot.source import LocalRepository

_R = TypeVar("_R")

# Seconds that one comparison may take, its fetching included. Moby's largest merge of all takes 4.
TIME_LIMIT = 600


class NoSettingsError(Exception):
    """The base has no settings, and the task does not say what holds then."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison gives.

    Attributes:
        analysis: the findings.
        config: the settings that count.
        edited: what is wrong with the settings that the change brings.
        go: a Go file differs.
        owners: of the files with a regression, by the base's CODEOWNERS, where the repository wants them told.
        stages: how long its parts took.
    """

    analysis: Analysis
    config: RepoConfig
    edited: tuple[Problem, ...]
    go: bool
    owners: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be compared.

    Attributes:
        repo: the repository.
        base: a commit.
        head: the commit that is compared with it.
        number: the pull request that the head may be fetched by; 0 when it is none's.
        otherwise: the settings where there are none; None when they are not known yet.
        settings: the commit whose settings count, which is never one that a stranger can make; None for the base.
        private: what is learnt of its files is for it alone.
    """

    repo: Repo
    base: Sha
    head: Sha
    number: int = 0
    otherwise: RepoConfig | None = field(default_factory=RepoConfig)
    settings: Sha | None = None
    private: bool = False


class Analyst:
    """Compares in as many processes at a time as the settings allow jobs. They start when they are needed.

    Args:
        settings: where mirrors and facts are, and how much memory one process may have.
    """

    def __init__(self, settings: Settings) -> None:
        self._places = Places.of(settings)
        self._children = Children(settings, settings.concurrency, "the comparison")

    async def compare(self, task: Task, token: str) -> Found:
        """What differs.

        Args:
            task: what is to be compared.
            token: for git.

        Raises:
            LimitError: it took too much time or memory.
            bot.git.SourceError: git cannot give the source.
            NoSettingsError: what holds is not known; the source is here now.
            DiedError: the child was killed; another try may succeed.
        """
        given = (self._places, task, token, structlog.contextvars.get_contextvars())
        try:
            found = await self._children.run(_in_child, given, TIME_LIMIT)
        except NoSettingsError:
            raise
        except Exception as error:
            metrics.failed("compare", error)
            raise
        metrics.compared(found.analysis, found.stages)
        return found

    def close(self) -> None:
        """End all processes. What they work on is lost, so close when no job runs."""
        self._children.close()


def _in_child(places: Places, task: Task, token: str, context: dict[str, Any]) -> Found:
    """In the child: one comparison. What is logged has the context of the job that asked for it."""
    with structlog.contextvars.bound_contextvars(**context):
        found = _compare(places, task, token)
        seconds = {f"{stage.name}_seconds": round(stage.seconds, 3) for stage in found.stages}
        structlog.get_logger().info("compared", **seconds)
        return found


def _compare(places: Places, task: Task, token: str) -> Found:
    """In the child: one comparison."""
    return in_mirror(places, task.repo, token, lambda mirror: _found(places, task, mirror))


def in_mirror(places: Places, repo: Repo, token: str, work: Callable[[Mirror], _R]) -> _R:
    """In a child: do what needs a repository's clone.

    A clone that is damaged is made anew, and on a full disk room is made, once.
    """
    try:
        return _in_mirror(places, repo, token, work)
    except (MissingError, FullError) as error:
        damaged = isinstance(error, MissingError)
    if damaged:
        # libgit2 knows packs by their names as long as anything refers to them, and the new ones have the same names.
        gc.collect()
        shelf.remove(places.mirrors, repo)
    else:
        shelf.halve(places.mirrors)
    return _in_mirror(places, repo, token, work)


def _in_mirror(places: Places, repo: Repo, token: str, work: Callable[[Mirror], _R]) -> _R:
    with Mirror(places.mirrors, repo, places.git_url, token) as mirror:
        found = work(mirror)
    if mirror.grew:
        shelf.renew(places.mirrors, repo)
        shelf.make_room(places.mirrors, places.mirrors_gib * 1024**3)
    return found


def _found(places: Places, task: Task, mirror: Mirror) -> Found:
    begun, started = time.time(), time.perf_counter()
    mirror.fetch(task.base, task.head, task.number, task.settings)
    fetched = time.perf_counter() - started
    counting = task.settings if task.settings is not None and mirror.has(task.settings) else task.base
    before, after, own = (
        mirror.file(rev, repo_config.PATH, repo_config.MAX_BYTES) for rev in (task.base, task.head, counting)
    )
    config = settings_of(own, task.otherwise)
    edited = repo_config.read(after).problems if after != before else ()
    options = config.options(datetime.now(UTC).date(), reader(places, task.repo, private=task.private))
    snapshots = mirror.snapshots(task.base, task.head)
    analysis = analyze(*snapshots, options, around(mirror, *snapshots, options))
    analysis = affected(mirror, analysis, options)
    # What read the files belongs to this process.
    plain = replace(analysis, options=replace(options, reader=None))
    regressed = codeowners.regressed(analysis) if config.owners else []
    told = codeowners.owners(code_owners(mirror, task.base), regressed) if regressed else ()
    go = any(side.files or side.unreadable for side in snapshots)
    analysed = time.perf_counter() - started - fetched
    stages = (Stage("fetch", begun, fetched), Stage("analyse", begun + fetched, analysed))
    return Found(plain, config, edited, go, told, stages)


def code_owners(source: LocalRepository, rev: Sha) -> bytes:
    """The one CODEOWNERS of a revision that counts; empty for none."""
    places = (source.file(rev, place, codeowners.MAX_BYTES) for place in codeowners.PLACES)
    return next((content for content in places if content is not None), b"")


def settings_of(own: bytes | None, otherwise: RepoConfig | None) -> RepoConfig:
    """The settings that count.

    Args:
        own: the repository's; None where there are none.
        otherwise: what holds then; None when that is not known.

    Raises:
        NoSettingsError: it is not, and there are none.
    """
    if own is not None:
        return repo_config.read(own)
    if otherwise is None:
        raise NoSettingsError
    return otherwise


def reader(places: Places, repo: Repo, *, private: bool) -> Reader:
    """In a child: what reads files; what is learnt of a private repository's is for it alone."""
    facts = _facts_in(places)
    return facts.of(repo) if private else facts


@cache
def _facts_in(places: Places) -> FactsStore:
    """What reads files, kept as long as the child lives."""
    return FactsStore(Path(places.data_dir) / "facts" if places.cache else None)
