"""Comparisons in child processes: the event loop never waits for one, and what a hostile file costs is one job.

A child reads the mirror, fetches what is missing, and analyses. It is given a token and gives back plain values.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from analyzer import analyze
from analyzer.model import Analysis
from bot import codeowners, repo_config
from bot.around import around
from bot.config import Settings
from bot.facts import FactsStore
from bot.ids import Repo, Sha
from bot.repo_config import Problem, RepoConfig
from bot.source import Mirror

# Seconds that one comparison may take, its fetching included. Moby's largest merge of all takes 4.
TIME_LIMIT = 600
# Comparisons after which a child is replaced: whatever it has piled up goes with it.
MAX_TASKS = 500
# How C libraries end a process that gets no more memory.
_GIVES_UP = {-signal.SIGABRT, -signal.SIGSEGV, -getattr(signal, "SIGBUS", 7)}


class LimitError(Exception):
    """A comparison took more time or memory than one may."""


class NoSettingsError(Exception):
    """The base has no settings, and the task does not say what holds then."""


class DiedError(Exception):
    """A child was killed, which says nothing of what it compared."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison gives.

    Attributes:
        analysis: the findings.
        config: the settings that count.
        edited: what is wrong with the settings that the change brings.
        go: a Go file differs.
        owners: of the files with a regression, by the base's CODEOWNERS, where the repository wants them told.
    """

    analysis: Analysis
    config: RepoConfig
    edited: tuple[Problem, ...]
    go: bool
    owners: tuple[str, ...] = ()


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
    """

    repo: Repo
    base: Sha
    head: Sha
    number: int = 0
    otherwise: RepoConfig | None = field(default_factory=RepoConfig)
    settings: Sha | None = None


class Analyst:
    """Compares in as many processes at a time as the settings allow jobs. They start when they are needed.

    Args:
        settings: where mirrors and facts are, and how much memory one process may have.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPool:
        # A fork of a process with threads may hang, so children come from a small process of their own.
        method = "forkserver" if sys.platform != "win32" else "spawn"
        context = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload([__name__])
        return ProcessPool(
            max_workers=self._settings.concurrency,
            max_tasks=MAX_TASKS,
            initializer=_begin,
            initargs=[self._settings.job_memory],
            context=context,
        )

    async def compare(self, task: Task, token: str) -> Found:
        """What differs.

        Args:
            task: what is to be compared.
            token: for git.

        Raises:
            LimitError: it took too much time or memory.
            bot.source.SourceError: git cannot give the source.
            NoSettingsError: what holds is not known; the source is here now.
            DiedError: the child was killed; another try may succeed.
        """
        given = (_Places.of(self._settings), task, token)
        try:
            if not self._pool.active:  # it does not outlive a child that was killed while it had nothing to do
                self._pool = self._new_pool()
            return await asyncio.wrap_future(self._pool.schedule(_compare, args=given, timeout=TIME_LIMIT))
        except TimeoutError:
            raise LimitError(f"the comparison took longer than {TIME_LIMIT // 60} minutes") from None
        except MemoryError:
            raise self._too_much() from None
        except ProcessExpired as expired:
            if expired.exitcode in _GIVES_UP:
                raise self._too_much() from None
            raise DiedError(f"the comparing process ended with {expired.exitcode}") from None
        except BrokenExecutor:
            raise DiedError("the comparing processes were killed") from None

    def _too_much(self) -> LimitError:
        return LimitError(f"the comparison needs more than {self._settings.job_memory} MiB of memory")

    def close(self) -> None:
        """End all processes. What they work on is lost, so close when no job runs."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


@dataclass(frozen=True, slots=True)
class _Places:
    """The settings that a child needs; the private key and the webhook secrets are none of them."""

    data_dir: str
    git_url: str
    cache: bool

    @classmethod
    def of(cls, settings: Settings) -> "_Places":
        return cls(os.fspath(settings.data_dir), settings.git_url, settings.cache == "on")


def _begin(memory: int) -> None:
    """In the child: accept the limit, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = memory * 1024 * 1024
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _compare(places: _Places, task: Task, token: str) -> Found:
    """In the child: one comparison."""
    mirror = Mirror(Path(places.data_dir) / "mirrors", task.repo, places.git_url, token)
    mirror.fetch(task.base, task.head, task.number, task.settings)
    counting = task.settings if task.settings is not None and mirror.has(task.settings) else task.base
    before, after, own = (
        mirror.file(rev, repo_config.PATH, repo_config.MAX_BYTES) for rev in (task.base, task.head, counting)
    )
    if own is None and task.otherwise is None:
        raise NoSettingsError
    config = task.otherwise if own is None and task.otherwise is not None else repo_config.read(own)
    edited = repo_config.read(after).problems if after != before else ()
    options = config.options(datetime.now(UTC).date(), _reader(places))
    snapshots = mirror.snapshots(task.base, task.head)
    analysis = analyze(*snapshots, options, around(mirror, *snapshots, options))
    # What read the files belongs to this process.
    plain = replace(analysis, options=replace(options, reader=None))
    told = _owners(mirror, task.base, codeowners.regressed(analysis)) if config.owners else ()
    return Found(plain, config, edited, go=any(side.files or side.unreadable for side in snapshots), owners=told)


def _owners(mirror: Mirror, base: Sha, paths: list[str]) -> tuple[str, ...]:
    """In the child: who owns files, by the one CODEOWNERS of the base that counts."""
    if not paths:
        return ()
    places = (mirror.file(base, place, codeowners.MAX_BYTES) for place in codeowners.PLACES)
    return codeowners.owners(next((content for content in places if content is not None), b""), paths)


@cache
def _reader(places: _Places) -> FactsStore:
    """What reads files, kept as long as the child lives."""
    return FactsStore(Path(places.data_dir) / "facts" if places.cache else None)
