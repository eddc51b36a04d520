"""Surveys in a child process, one at a time and behind all comparisons: nobody who opened a pull request waits for one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog
from cachetools import LRUCache

from analyzer.model import Options
from bot import repo_config, shelf
from bot.analysis import code_owners, in_mirror, reader, settings_of
from bot.children import Children, Places
from bot.config import Settings
from bot.dashboard.measure import Measure
from bot.dashboard.past import PastMirror
from bot.dashboard.records import About, Past, Survey
from bot.dashboard.survey import survey_newest
from bot.git import MissingError, SourceError
from bot.hold import NotYetError
from bot.ids import Repo, Sha
from bot.mirrors import Mirror
from bot.repo_config import RepoConfig

TIME_LIMIT = 900
"""Seconds that a survey may take, its fetching included."""

STEP, STEP_SECONDS = 12, 60.0
"""Revisions of the past that are read at a time at most, and seconds after which no further one is begun."""

LOOK_AGAIN = 5.0
"""Seconds after which one that found no hand free looks again."""

# A step of one repository's past follows another: what was judged last is of use to the next.
_KEPT_MEASURES = 4


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be surveyed.

    Attributes:
        repo: the repository.
        head: the newest commit of its default branch.
        private: what is learnt of its files is for it alone.
        otherwise: the settings where there are none; None when they are not known yet.
    """

    repo: Repo
    head: Sha
    private: bool
    otherwise: RepoConfig | None = None


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A survey of the newest revision, and for which platforms it is."""

    survey: Survey
    target: str
    reference: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one look at the past gives.

    Attributes:
        past: what is to be read, with how far it is now.
        surveys: of the revisions that were read.
    """

    past: Past
    surveys: tuple[Survey, ...] = ()


class Surveyor:
    """Surveys for one process.

    Args:
        settings: where clones and facts are, and how much memory one process may have.
    """

    def __init__(self, settings: Settings) -> None:
        self._places = Places.of(settings)
        self._children = Children(settings, 1, "the survey", behind=10)
        self._busy = False

    @contextmanager
    def hand(self) -> Iterator[None]:
        """The one hand that this process has free for surveys.

        Raises:
            bot.hold.NotYetError: it has not.
        """
        if self._busy:
            raise NotYetError("another survey runs here", time.time() + LOOK_AGAIN)
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    async def newest(self, order: Order, token: str) -> Surveyed:
        """Survey the newest revision.

        Args:
            order: what.
            token: for git.

        Raises:
            NoSettingsError: what holds is not known; the source is here now.
            bot.children.LimitError: it took too much time or memory.
            bot.children.DiedError: the child was killed.
            bot.git.SourceError: git cannot give the source.
        """
        return await self._children.run(_newest, (self._places, order, token, _context()), TIME_LIMIT)

    async def past(self, order: Order, options: Options, past: Past | str, token: str) -> Step:
        """Read on in the past; the first time, plan what is to be read.

        Args:
            order: what.
            options: the platforms.
            past: how far it is; to plan, the name of what it is planned for.
            token: for git.

        Raises:
            As `newest`.
        """
        return await self._children.run(_past, (self._places, order, options, past, token, _context()), TIME_LIMIT)

    def close(self) -> None:
        """End the child. What it works on is lost, so close when no job runs."""
        self._children.close()


def _context() -> dict[str, Any]:
    return structlog.contextvars.get_contextvars()


def _newest(places: Places, order: Order, token: str, context: dict[str, Any]) -> Surveyed:
    """In the child: the newest revision."""
    with structlog.contextvars.bound_contextvars(**context):
        return in_mirror(places, order.repo, token, lambda mirror: _surveyed(places, order, mirror))


def _surveyed(places: Places, order: Order, mirror: Mirror) -> Surveyed:
    began = time.perf_counter()
    mirror.fetch(order.head, order.head)
    own = mirror.file(order.head, repo_config.PATH, repo_config.MAX_BYTES)
    config = settings_of(own, order.otherwise)
    options = config.options(datetime.now(UTC).date(), reader(places, order.repo, private=order.private))
    about = About(str(order.head), "", "push", mirror.time(order.head))
    owners = code_owners(mirror, order.head)
    shared = _measure(order.repo).common
    found = survey_newest(mirror.snapshot(order.head), about, options, owners, shared)
    structlog.get_logger().info("surveyed", seconds=round(time.perf_counter() - began, 3))
    return Surveyed(found, config.target, config.reference)


def _past(  # noqa: PLR0917 - the pool passes by position
    places: Places, order: Order, options: Options, past: Past | str, token: str, context: dict[str, Any]
) -> Step:
    """In the child: some revisions of the past. A clone that is damaged is made anew, once."""
    with structlog.contextvars.bound_contextvars(**context):
        try:
            return _step(places, order, options, past, token)
        except MissingError:
            shelf.remove(places.past, order.repo)
        return _step(places, order, options, past, token)


def _step(places: Places, order: Order, options: Options, past: Past | str, token: str) -> Step:
    with PastMirror(places.past, order.repo, places.git_url, token) as mirror:
        if isinstance(past, str):
            mirror.bring_commits(order.head)
            plan = mirror.planned(order.head)
            planned = Past(at=int(time.time()), cause=past, revisions=plan.revisions, left_out=plan.left_out)
            step = Step(planned)
        else:
            step = _read_on(places, order, options, past, mirror)
    shelf.make_room(places.past, places.mirrors_gib * 1024**3 // 2)
    return step


def _read_on(places: Places, order: Order, options: Options, past: Past, mirror: PastMirror) -> Step:
    began = time.monotonic()
    most = 1 if past.alone == past.done else STEP
    some, others = past.revisions[past.done : past.done + most], past.revisions[past.done + most :]
    if not all(mirror.has_commit(about.rev) for about in some):
        mirror.bring_commits(order.head)  # another machine began
    mirror.bring(some, others)
    read = Options(options.target, options.reference, reader=reader(places, order.repo, private=order.private))
    measure = _measure(order.repo)
    surveys: list[Survey] = []
    left_out = [*past.left_out]
    done = past.done
    for about in some:
        try:
            surveys.append(measure(mirror.snapshot(Sha(about.rev)), about, read))
        except SourceError as error:
            left_out.append((about.name or about.rev, str(error)))
        done += 1
        if time.monotonic() - began > STEP_SECONDS:
            break
    log = structlog.get_logger()
    log.info("read on in the past", done=done, planned=len(past.revisions), seconds=round(time.monotonic() - began, 3))
    moved = msgspec.structs.replace(past, done=done, left_out=tuple(left_out))
    return Step(moved, tuple(surveys))


_measures: LRUCache[Repo, Measure] = LRUCache(_KEPT_MEASURES)


def _measure(repo: Repo) -> Measure:
    """What measures a repository, kept as long as the child lives. Private or not, no other one learns from it."""
    if repo not in _measures:
        _measures[repo] = Measure()
    return _measures[repo]


def remove_past(data_dir: Path, repo: Repo) -> bool:
    """Remove the clone that a repository's past was read from. Returns whether there was one."""
    return shelf.remove(data_dir / "past", repo) if (data_dir / "past").is_dir() else False
