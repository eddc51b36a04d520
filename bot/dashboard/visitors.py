"""Who may see what. Public repositories are for everybody; a private one is not there for whoever may not read it.

Whoever asks for a repository by its name asks here, and nobody else reads `Records` by a name that a visitor gave. The
answer for what a visitor may not see is that for what does not exist, to the byte, and takes as long: of somebody who is
signed in, every name that is not a public repository's is asked of GitHub, whether or not there is such a repository.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from bot.dashboard.oauth import Door
from bot.dashboard.permissions import EndedError, Permissions
from bot.dashboard.records import Known, Records
from bot.dashboard.sessions import Session, Sessions
from bot.github import BusyError, RefusedError
from bot.ids import Repo

AWAY = "GitHub cannot be asked just now what you may see. Try again in a minute."
"""What somebody who is signed in is told while GitHub is away."""

_SESSION: web.RequestKey[Session | None] = web.RequestKey("session", object)  # type: ignore[arg-type] # or None
_PERSONAL = web.RequestKey("personal", bool)
_INCOMPLETE = web.RequestKey("incomplete", bool)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SignIn:
    """What is needed where people can sign in.

    Attributes:
        door: to GitHub.
        sessions: who is signed in.
        permissions: what they may read.
        origin: how people reach us, such as ``https://winparity.example.com``.
        admins: logins of those who may see how the app itself does, in lower case.
    """

    door: Door
    sessions: Sessions
    permissions: Permissions
    origin: str
    admins: frozenset[str]


@dataclass(frozen=True, slots=True)
class Account:
    """What a page shows of whoever asks.

    Attributes:
        offered: one can sign in here.
        login: who is signed in; None for nobody.
        form_token: what each of their forms must bring as ``token``.
        incomplete: GitHub could not be asked for what is theirs, so that it is not shown.
        administers: they are led to the page of operations, which asks GitHub whether it is still they.
    """

    offered: bool = False
    login: str | None = None
    form_token: str = ""
    incomplete: bool = False
    administers: bool = False


class Visitors:
    """Decides for each request.

    Args:
        records: what is known of repositories.
        sign_in: where people can; without it there is nothing but what is public.
    """

    def __init__(self, records: Records, sign_in: SignIn | None = None) -> None:
        self._records = records
        self.sign_in = sign_in

    async def login(self, request: web.Request) -> str | None:
        """Who asks, by GitHub's word; None for somebody who is not signed in."""
        session = await self.session(request)
        return None if session is None else session.person.login

    async def account(self, request: web.Request) -> Account:
        """What a page shows of whoever asks. To be asked after what the page is about."""
        session = await self.session(request)
        if self.sign_in is None or session is None:
            return Account(self.sign_in is not None)
        token = self.sign_in.sessions.form_token(session)
        login = session.person.login
        return Account(
            offered=True,
            login=login,
            form_token=token,
            incomplete=_INCOMPLETE in request,
            administers=login.lower() in self.sign_in.admins,
        )

    async def visible(self, request: web.Request) -> dict[Repo, Known]:
        """The repositories that somebody may see, by name."""
        known = await self._records.repositories()
        theirs: frozenset[Repo] = frozenset()
        if any(one.private for one in known.values()):
            session = await self.session(request)
            if self.sign_in is not None and session is not None:
                try:
                    theirs = await self._asked(request, self.sign_in.permissions.readable(session)) or theirs
                except BusyError:
                    request[_INCOMPLETE] = True
        return {repo: one for repo, one in known.items() if not one.private or repo in theirs}

    async def see(self, request: web.Request, name: str) -> tuple[Repo, Known]:
        """A repository that was asked for by name.

        Raises:
            aiohttp.web.HTTPNotFound: there is none, or it is not for whoever asks.
            aiohttp.web.HTTPServiceUnavailable: GitHub cannot be asked; whether there is one is not said.
        """
        try:
            repo = Repo(name)
        except ValueError:
            raise web.HTTPNotFound from None
        known = await self._records.known(repo)
        if known is not None and not known.private:
            return repo, known
        if not await self._reads(request, repo) or known is None:
            raise web.HTTPNotFound
        return repo, known

    async def administers(self, request: web.Request) -> bool:
        """Whether somebody may see how the app itself does: the queue, deliveries, the budget.

        Raises:
            aiohttp.web.HTTPServiceUnavailable: GitHub cannot be asked whether it is still they.
        """
        session = await self.session(request)
        if self.sign_in is None or session is None or session.person.login.lower() not in self.sign_in.admins:
            return False
        try:
            person = await self._asked(request, self.sign_in.permissions.person(session))
        except BusyError:
            raise _away() from None
        return person is not None and person.id == session.person.id and person.login.lower() in self.sign_in.admins

    async def session(self, request: web.Request) -> Session | None:
        """The session of whoever asks; None for somebody who is not signed in."""
        if self.sign_in is None:
            return None
        if _SESSION not in request:
            request[_SESSION] = await self.sign_in.sessions.of(request)
            if request[_SESSION] is not None:
                request[_PERSONAL] = True
        return request[_SESSION]

    async def _reads(self, request: web.Request, repo: Repo) -> bool:
        session = await self.session(request)
        if self.sign_in is None or session is None:
            return False
        try:
            return bool(await self._asked(request, self.sign_in.permissions.may_read(session, repo)))
        except BusyError:
            raise _away() from None

    @staticmethod
    async def _asked(request: web.Request, answer: Awaitable[_T]) -> _T | None:
        """What GitHub says; None where it refuses. Whose token it does not take is not signed in any more."""
        try:
            return await answer
        except RefusedError:
            return None
        except EndedError:
            request[_SESSION] = None
            return None


async def keep_personal(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Let nothing keep what is shown to somebody who is signed in, or show it to somebody else. For `on_response_prepare`.

    That is all of it: even a public page tells who looks at it.
    """
    if _SESSION in request:
        known = {part.strip() for part in response.headers.get("Vary", "").split(",") if part.strip()}
        response.headers["Vary"] = ", ".join(sorted({*known, "Cookie"}))
        # Where a referrer is never told, a browser hides where a form comes from, too; and who signs in comes back.
        response.headers["Referrer-Policy"] = "same-origin"
    if _PERSONAL in request:
        response.headers["Cache-Control"] = "private, no-store"
        for name in ("ETag", "Last-Modified"):
            response.headers.pop(name, None)


def _away() -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(text=f"{AWAY}\n", headers={"Retry-After": "30"})
