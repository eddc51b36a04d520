"""Signing in with GitHub and out again: /login, /login/callback and /logout, and what every form of ours is checked by."""

import asyncio
import hmac
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from aiohttp import web
from redis.asyncio import Redis
from yarl import URL

from bot.config import Settings
from bot.dashboard.oauth import Door, Grant, Person, session
from bot.dashboard.permissions import Permissions
from bot.dashboard.sessions import Attempt, Sessions
from bot.dashboard.visitors import SignIn, Visitors, keep_personal
from bot.github import BROKEN_WAIT, BusyError, RefusedError
from bot.manifest import CALLBACK

LOGIN, LOGOUT = "/login", "/logout"

MAX_FORM = 16 * 1024
"""Bytes of a form: all of ours are small."""

FORM_SECONDS = 10.0
"""In which it has to arrive."""

MAX_EXCHANGES = 8
"""At a time. Anybody can have us ask GitHub about a code; more than so many would keep it from what visitors need."""

MAX_REVOKING = 32
"""Tokens that GitHub is asked to end at a time; of more it is not asked, and they end by themselves after hours."""

MAX_TARGET = 2000
"""Characters of the path that somebody wants to be at afterwards."""

# A path of ours: no scheme, no server, and nothing that a browser takes for the beginning of one, such as // or /\, or
# leaves out while it reads, such as a tab.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Say = Callable[[web.Request, int, str], Awaitable[web.StreamResponse]]
"""Makes the page that says why something did not go well, of a status and one sentence."""

log = structlog.get_logger()


def set_up(
    app: web.Application,
    visitors: Visitors,
    settings: Settings,
    store: Redis,
    *,
    say: Say,
    guarded: Callable[[_Handler], _Handler],
) -> None:
    """Let people sign in, where the settings allow it. Without it the routes are not there.

    Args:
        app: the web application.
        visitors: who will know them.
        settings: the app's credentials.
        store: for the sessions.
        say: how to say what did not go well.
        guarded: makes a handler whose failures are answered in the look of other pages.
    """
    if not settings.signs_in:
        return

    pages = _Pages(visitors, say)

    async def open_for_all(_app: web.Application) -> AsyncIterator[None]:
        async with session() as client:
            door = Door(client, settings)
            sessions = Sessions(store, settings.private_key, secure=settings.public_url.startswith("https://"))
            permissions = Permissions(door, sessions)
            visitors.sign_in = SignIn(door, sessions, permissions, settings.public_url, settings.admins)
            yield
            await pages.settle()
            visitors.sign_in = None

    app.cleanup_ctx.append(open_for_all)
    app.on_response_prepare.append(keep_personal)
    app.add_routes(
        [
            web.get(LOGIN, guarded(pages.login), allow_head=False),
            web.get(CALLBACK, guarded(pages.callback), allow_head=False),
            web.post(LOGOUT, guarded(checked(visitors, pages.logout))),
        ]
    )


def local(target: str) -> str:
    """Where somebody goes afterwards: a path of ours, or the front page for anything else."""
    path = target.partition("?")[0]
    if len(target) > MAX_TARGET or not _LOCAL.fullmatch(target) or path in {LOGIN, CALLBACK, LOGOUT}:
        return "/"
    return target


class _Pages:
    """The three routes."""

    def __init__(self, visitors: Visitors, say: Say) -> None:
        self._visitors = visitors
        self._say = say
        self._exchanges = 0
        self._revoking: set[asyncio.Task[None]] = set()

    @property
    def _sign_in(self) -> SignIn:
        if self._visitors.sign_in is None:
            raise web.HTTPNotFound
        return self._visitors.sign_in

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Lead to GitHub. Nothing is stored: anybody may come here, as often as they like."""
        target = local(request.query.get("next") or self._came_from(request))
        if await self._visitors.session(request) is not None:
            return _lead(target)
        attempt = Attempt.new(target)
        response = _lead(self._sign_in.door.address(attempt.state, attempt.verifier))
        await self._sign_in.sessions.attempt(request, response, attempt)
        return response

    def _came_from(self, request: web.Request) -> str:
        """The page of ours that led here. It is not in the link itself: a page is the same for all who get it."""
        ours, before = f"{self._sign_in.origin}/", request.headers.get("Referer", "")
        return before[len(ours) - 1 :] if before.startswith(ours) else "/"

    async def callback(self, request: web.Request) -> web.StreamResponse:
        """The browser comes back from GitHub, with a code or with a no."""
        response = await self._signed_in(request)
        self._sign_in.sessions.drop_attempt(response)
        return response

    async def _signed_in(self, request: web.Request) -> web.StreamResponse:
        attempt = await self._sign_in.sessions.attempted(request, request.query.get("state", ""))
        if attempt is None:
            why = "This is no answer to what this browser asked, or it came too late. Sign in again."
            return await self._say(request, 400, why)
        if "error" in request.query:
            return await self._say(request, 403, "GitHub did not let you sign in, or you did not want to.")
        try:
            person, grant = await self._exchanged(request.query.get("code", ""), attempt.verifier)
        except BusyError as error:
            log.warning("nobody can sign in", reason=str(error))
            return await self._say(request, 503, "GitHub could not be asked just now. Sign in again in a minute.")
        except RefusedError as error:
            log.warning("nobody is signed in", reason=str(error))
            return await self._say(request, 400, "GitHub did not take the code that it sent. Sign in again.")
        response = _lead(attempt.target)
        self._revoke(await self._sign_in.sessions.begin(request, response, person, grant))
        return response

    async def _exchanged(self, code: str, verifier: str) -> tuple[Person, Grant]:
        """Who it is, and what lets us ask for them."""
        if self._exchanges >= MAX_EXCHANGES:
            raise BusyError("too many sign in at a time", time.time() + BROKEN_WAIT)
        self._exchanges += 1
        try:
            grant = await self._sign_in.door.exchange(code, verifier)
            return await self._sign_in.door.who(grant.token), grant
        finally:
            self._exchanges -= 1

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """End the session, here and wherever its cookie was copied to."""
        session = await self._visitors.session(request)
        if session is not None:
            self._revoke(await self._sign_in.sessions.end(session))
        response = _lead("/")
        self._sign_in.sessions.drop(response)
        return response

    def _revoke(self, grant: Grant | None) -> None:
        """Have GitHub end a token that nobody needs any more. It is asked once, and nobody waits for it."""
        if grant is None or len(self._revoking) >= MAX_REVOKING:
            return
        task = asyncio.create_task(self._revoked(self._sign_in.door, grant))
        self._revoking.add(task)
        task.add_done_callback(self._revoking.discard)

    @staticmethod
    async def _revoked(door: Door, grant: Grant) -> None:
        try:
            await door.revoke(grant.token)
        except (BusyError, RefusedError) as error:
            log.warning("a token is not revoked", reason=str(error))

    async def settle(self) -> None:
        """Let what GitHub is being asked come to its end; none of it takes longer than `oauth.PATIENCE`."""
        await asyncio.gather(*self._revoking, return_exceptions=True)


def checked(visitors: Visitors, handler: _Handler) -> _Handler:
    """A handler of a form, which is asked only when the form is ours, and sent by whoever is signed in.

    Two things are looked at: where the browser says that the form comes from, and the token in it, which belongs to the
    session. Nobody else's page has it.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        sign_in, session = visitors.sign_in, await visitors.session(request)
        if sign_in is None or not _comes_from(request, sign_in.origin):
            raise web.HTTPForbidden
        if session is not None:
            given = await _field(request, "token")
            known = sign_in.sessions.form_token(session)
            if not hmac.compare_digest(given.encode(errors="replace"), known.encode()):
                raise web.HTTPForbidden
        elif request.path != LOGOUT:
            raise web.HTTPForbidden
        return await handler(request)

    return handle


def _comes_from(request: web.Request, origin: str) -> bool:
    """Whether a browser says that a page of ours sent it (OWASP, "Cross-Site Request Forgery Prevention")."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") == origin


async def _field(request: web.Request, name: str) -> str:
    """A field of a small form; empty when there is none."""
    if request.content_type != "application/x-www-form-urlencoded":
        return ""
    try:
        async with asyncio.timeout(FORM_SECONDS):
            form = await request.clone(client_max_size=MAX_FORM).post()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return str(form.get(name, ""))


def _lead(target: str) -> web.Response:
    """On to another page. What is in the address that we come from is told to nobody."""
    location = str(URL(target, encoded=True))
    return web.Response(status=303, headers={"Location": location, "Referrer-Policy": "no-referrer"})
