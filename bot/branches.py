"""What GitHub says of branches: their tips, and by which pull requests commits came to them."""

import http
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from bot.github import Installation, RefusedError
from bot.ids import Sha
from bot.pull import Number

MAX_COMMITS = 10
"""Commits of a push whose pull requests are asked for, one by one; of a longer push, only its tip's."""


class _Commit(msgspec.Struct):
    sha: str


class _Branch(msgspec.Struct):
    name: str
    commit: _Commit


class _Comparison(msgspec.Struct):
    status: str
    total_commits: int
    commits: list[_Commit]


class _Base(msgspec.Struct):
    ref: str


class _Merged(msgspec.Struct):
    number: Number
    base: _Base
    merged_at: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How a branch came from one tip to another.

    Attributes:
        pulls: the pull requests that were merged into it on the way, as far as they are known; in order.
        commits: how many commits that were; 0 when that is not known.
        rewritten: it was forced: the new tip does not follow from the old one.
    """

    pulls: tuple[int, ...] = ()
    commits: int = 0
    rewritten: bool = False


class Branches(Installation):
    """One repository's branches."""

    async def tip(self, branch: str) -> Sha | None:
        """The commit that a branch is at now; None when there is no such branch any more."""
        try:
            answer = await self._get(f"/repos/{self.repo}/branches/{quote(branch, safe='')}")
        except RefusedError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise
        found = msgspec.convert(answer, _Branch)
        # GitHub leads from the old name of a renamed branch to the new one.
        return Sha(found.commit.sha) if found.name == branch else None

    async def way(self, branch: str, before: Sha, after: Sha) -> Way:
        """How a branch came from one commit to another."""
        try:
            answer = await self._get(f"/repos/{self.repo}/compare/{before}...{after}?per_page={MAX_COMMITS}")
        except RefusedError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise
            return Way(await self._pulls(branch, [after]), rewritten=True)
        found = msgspec.convert(answer, _Comparison)
        listed = [Sha(commit.sha) for commit in found.commits]
        asked = listed if found.total_commits == len(listed) else []
        pulls = await self._pulls(branch, asked or [after])
        return Way(pulls, found.total_commits, rewritten=found.status in {"diverged", "behind"})

    async def _pulls(self, branch: str, commits: list[Sha]) -> tuple[int, ...]:
        """The pull requests that brought commits to a branch, each once."""
        found: dict[int, None] = {}
        for commit in commits[:MAX_COMMITS]:
            answer = await self._get(f"/repos/{self.repo}/commits/{commit}/pulls?per_page={MAX_COMMITS}")
            for pull in msgspec.convert(answer, list[_Merged]):
                if pull.merged_at is not None and pull.base.ref == branch:
                    found[pull.number] = None
        return tuple(found)
