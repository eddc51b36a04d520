"""Processes that do what reads a repository: the event loop never waits for one, and what a hostile file costs is one job.

A child is given a token and gives back plain values; the private key and the webhook secrets it never sees.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

from bot import garbage, git, log, private
from bot.config import Settings

_R = TypeVar("_R")

# Pieces of work after which a child is replaced: whatever it has piled up goes with it.
MAX_TASKS = 500
# What most children need, imported once for all of them.
_PRELOADED = ["bot.analysis"]
# How a process ends that gets no more memory: by itself, or by a C library.
_FULL = 71
_GIVES_UP = {_FULL, -signal.SIGABRT, -signal.SIGSEGV, -getattr(signal, "SIGBUS", 7)}


class LimitError(Exception):
    """Something took more time or memory than it may."""


class DiedError(Exception):
    """A child was killed, which says nothing of what it did."""


@dataclass(frozen=True, slots=True)
class Places:
    """The settings that a child needs; the private key and the webhook secrets are none of them."""

    data_dir: str
    git_url: str
    cache: bool
    mirrors_gib: int

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """Those of the server."""
        return cls(os.fspath(settings.data_dir), settings.git_url, settings.cache == "on", settings.mirrors_gib)

    @property
    def mirrors(self) -> Path:
        """Where mirrors live."""
        return Path(self.data_dir) / "mirrors"

    @property
    def past(self) -> Path:
        """Where those live that the past of repositories is read from, as long as it is."""
        return Path(self.data_dir) / "past"


class Children:
    """Does one kind of work in processes. They start when they are needed.

    Args:
        settings: how much memory one may have.
        count: how many at a time.
        what: what one does, for those who read that it took too much.
        behind: how far behind others it is when they compete for a core, as nice(1) counts.
    """

    def __init__(self, settings: Settings, count: int, what: str, behind: int = 0) -> None:
        self._memory = settings.job_memory
        self._count = count
        self._what = what
        self._behind = behind
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPool:
        # A fork of a process with threads may hang, so children come from a small process of their own.
        method = "forkserver" if sys.platform != "win32" else "spawn"
        context = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(_PRELOADED)
        return ProcessPool(
            max_workers=self._count,
            max_tasks=MAX_TASKS,
            initializer=begin,
            initargs=[self._memory, *log.chosen(), self._behind],
            context=context,
        )

    async def run(self, work: Callable[..., _R], given: tuple[object, ...], most: float) -> _R:
        """Do a piece of work.

        Args:
            work: a function of a module.
            given: what it is given.
            most: seconds that it may take.

        Raises:
            LimitError: it took too much time or memory.
            DiedError: the child was killed; another try may succeed.
            Exception: what the work raises.
        """
        try:
            if not self._pool.active:  # it does not outlive a child that was killed while it had nothing to do
                self._pool = self._new_pool()
            done: _R = await asyncio.wrap_future(self._pool.schedule(_done, args=(work, *given), timeout=most))
        except TimeoutError:
            raise LimitError(f"{self._what} took longer than {most // 60:.0f} minutes") from None
        except ProcessExpired as expired:
            if expired.exitcode in _GIVES_UP:
                raise self._too_much() from None
            raise DiedError(f"the process of {self._what} ended with {expired.exitcode}") from None
        except BrokenExecutor:
            raise DiedError(f"the processes of {self._what} were killed") from None
        return done

    def _too_much(self) -> LimitError:
        return LimitError(f"{self._what} needs more than {self._memory} MiB of memory")

    def close(self) -> None:
        """End all processes. What they work on is lost, so close when no job runs."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _done(work: Callable[..., _R], *given: object) -> _R:
    """In the child: a piece of work. Who has no memory left does not go on to the next with what fills it."""
    try:
        return work(*given)
    except MemoryError:
        os._exit(_FULL)


def begin(memory: int, form: log.Form, quiet: bool, behind: int = 0) -> None:  # noqa: FBT001 - the pool passes by position
    """In the child: accept the limit, log as the parent does, and leave Ctrl-C to it."""
    log.set_up(form, quiet=quiet)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = memory * 1024 * 1024
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
        _end_git_too()
        with suppress(OSError):
            os.nice(behind)
    private.close()
    garbage.settle()


def _end_git_too() -> None:
    """In the child: whoever is ended for taking too long leaves no git behind."""
    former = signal.getsignal(signal.SIGTERM)

    def end(number: int, _: FrameType | None) -> None:
        git.stop()
        signal.signal(number, former)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)
