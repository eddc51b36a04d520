"""The one issue about a branch: found again, created once, edited when it differs, closed when nothing is left."""

import http
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import msgspec

from bot.github import PER_PAGE, Installation, Permissions, RefusedError
from bot.pull import Number
from bot.regressions import is_marked

_GONE = {http.HTTPStatus.MOVED_PERMANENTLY, http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE}


class _App(msgspec.Struct):
    id: int


class Issue(msgspec.Struct, frozen=True):
    """An issue; a pull request is one too, and then has ``pull_request``."""

    number: Number
    state: Literal["open", "closed"]
    body: str | None = None
    pull_request: Any = None
    performed_via_github_app: _App | None = None


class Issues(Installation):
    """One repository's issues, with a token that may do nothing else."""

    permissions: ClassVar[Permissions] = {"issues": "write"}

    async def ours(self, branch: str) -> list[Issue]:
        """Our open issues about a branch, oldest first: they have its marker, and GitHub says that our app wrote them."""
        creator = quote(await self._github.login(), safe="")
        query = f"state=open&creator={creator}&per_page={PER_PAGE}"
        found = await self._all(f"/repos/{self.repo}/issues?{query}", Issue)
        ours = (issue for issue in found if self._wrote(issue) and is_marked(branch, issue.body or ""))
        return sorted(ours, key=lambda issue: issue.number)

    def _wrote(self, issue: Issue) -> bool:
        app = issue.performed_via_github_app
        return issue.pull_request is None and app is not None and app.id == self.app_id

    async def get(self, number: int) -> Issue | None:
        """An issue as it is now; None when it was deleted, moved to another repository, or is not ours."""
        try:
            answer = await self._get(f"/repos/{self.repo}/issues/{number}")
        except RefusedError as error:
            if error.status in _GONE:
                return None
            raise
        found = msgspec.convert(answer, Issue)
        return found if found.number == number and self._wrote(found) else None

    async def create(self, branch: str, title: str, body: str, may_write: Callable[[], Awaitable[None]]) -> Issue:
        """Open an issue about a branch, and make sure that it is the only one: the oldest stays."""
        await may_write()
        answer = await self._write("POST", f"/repos/{self.repo}/issues", {"title": title, "body": body})
        created = msgspec.convert(answer, Issue)
        # Somebody may have been faster, or an earlier attempt whose answer was lost. A list may lag behind its writes.
        known = {issue.number: issue for issue in [created, *await self.ours(branch)]}
        oldest, *newer = [known[number] for number in sorted(known)]
        for issue in newer:
            await may_write()
            await self.edit(issue.number, issue.body or "", close="not_planned")
        return oldest

    async def edit(self, number: int, body: str, close: Literal["completed", "not_planned"] | None = None) -> None:
        """Replace an issue's body, and close it if a reason is given. Nobody gets a mail for the body."""
        change = {"body": body} | ({"state": "closed", "state_reason": close} if close else {})
        await self._write("PATCH", f"/repos/{self.repo}/issues/{number}", change)
