"""Which revisions of a repository are worth a point: its releases, and a commit for each month. From git alone."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pygit2

from bot import git
from bot.dashboard.records import About, Kind
from bot.git import SourceError
from bot.ids import Sha
from bot.source import LocalRepository

MAX_NAME = 60
"""Characters of a release's name; no release has more."""

# A version, perhaps with a name before it: v28.0.1, 1.12, docker-v29.0.0, v17.03.0-ce. What has a slash before it is the
# version of a module in a folder (Go's "Module version numbering"), and no release of the repository; nor is what comes
# before a release (-rc1), a day (-2016-07-28), or the documents of one.
_VERSION = re.compile(
    r"(?!(?:charts?|docs?|helm|test)[-_])(?:[a-z]+[-_])?v?\d+(?:\.\d+)+"
    r"(?:[-.](?:ce|ee|final|ga|hotfix|lts|p|patch|post|r|rel|release|sp|stable)[-.]?\d{0,3})?(?:[-.]\d{1,3})?(?:\+[\w.-]+)?",
    re.ASCII | re.IGNORECASE,
)
_TAGS = b"refs/tags/"


@dataclass(frozen=True, slots=True)
class Plan:
    """Revisions, the oldest first.

    Attributes:
        revisions: each commit once.
        left_out: tags that look like releases and are none, and why.
    """

    revisions: tuple[About, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def is_release(tag: str) -> bool:
    """Whether a tag is that of a release, by its name; what comes before one, such as v1.0.0-rc1, is none."""
    return len(tag) <= MAX_NAME and _VERSION.fullmatch(tag) is not None


class Revisions(LocalRepository):
    """A repository whose releases and months can be listed. It needs commits alone, without their files."""

    def plan(self, head: Sha, *, releases: bool = True, months: bool = True, since: int = 0) -> Plan:
        """The revisions that are worth a point.

        Args:
            head: the newest commit of the default branch.
            releases: with a point for each release.
            months: with a point for each month that is over: its last commit along first parents.
            since: seconds since the epoch; what is older is left out.

        Raises:
            SourceError: git cannot walk the history.
        """
        found: dict[str, About] = {}
        left_out: list[tuple[str, str]] = []
        if releases:
            for name, commit in sorted(self._releases(left_out), key=lambda one: (len(one[0]), one[0])):
                found.setdefault(str(commit.id), About(str(commit.id), name, "release", commit.commit_time))
        if months:
            for rev, moment in self._months(head):
                found.setdefault(rev, About(rev, "", "month", moment))
        kept = (about for about in found.values() if about.time >= since)
        return Plan(tuple(sorted(kept, key=lambda about: (about.time, about.rev))), tuple(sorted(left_out)))

    def about(self, rev: Sha, name: str = "", kind: Kind = "push") -> About:
        """A commit by its id.

        Raises:
            SourceError: it is not there.
        """
        return About(rev, name, kind, self.time(rev))

    def names(self) -> dict[str, str]:
        """By commit, the name of the release that it is."""
        named = sorted(self._releases([]), key=lambda one: (len(one[0]), one[0]), reverse=True)
        return {str(commit.id): name for name, commit in named}

    def has_commit(self, rev: str) -> bool:
        """Whether a commit is here, be it without its tree."""
        return rev in self._repo.odb

    def _releases(self, left_out: list[tuple[str, str]]) -> Iterator[tuple[str, pygit2.Commit]]:
        for reference in self._repo.raw_listall_references():
            name = reference.removeprefix(_TAGS)
            if name == reference or not name.isascii() or not is_release(name.decode()):
                continue
            try:
                yield name.decode(), self._repo.lookup_reference(reference.decode()).peel(pygit2.Commit)
            except (KeyError, ValueError, pygit2.GitError):
                left_out.append((name.decode(), "it is no commit that is here"))

    def _months(self, head: Sha) -> Iterator[tuple[str, int]]:
        """The last commit of each month that is over. A clock that was wrong makes no commit newer than what follows it."""
        done = git.run(self.path, "log", "--first-parent", "--format=%H %ct", head, "--")
        if done.returncode:
            raise SourceError(f"git log failed in {self.path}: {git.words(done.stderr)[-500:]}")
        latest, last = int(time.time()), _month(int(time.time()))
        for rev, moment in _pairs(done.stdout.decode().splitlines()):
            latest = min(latest, moment)
            if _month(latest) != last:
                last = _month(latest)
                yield rev, latest


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        rev, _, moment = line.partition(" ")
        yield rev, int(moment)


def _month(moment: int) -> tuple[int, int]:
    day = datetime.fromtimestamp(max(0, moment), UTC)
    return day.year, day.month


def moment(path: Path, since: str) -> int:
    """When a day began, such as 2020-01-31 or 2020; or a revision was made.

    Args:
        path: the repository.
        since: the day or the revision.

    Raises:
        SourceError: it is neither.
    """
    day = since + "-01-01"[len(since) - 4 :] if re.fullmatch(r"\d{4}(?:-\d\d)?", since) else since
    try:
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    except ValueError:
        source = Revisions(path)
        return source.time(source.resolve(since))
