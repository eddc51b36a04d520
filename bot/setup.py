"""`winparity setup` and `GET /setup`: a page on which a GitHub App is registered in a few clicks.

The page leads through GitHub's manifest flow (docs.github.com, "Registering a GitHub App from a manifest"): it sends the
manifest, GitHub sends the browser back with a code, and the code is exchanged for credentials, which go into a private
.env and nowhere else. Whoever opens the page first, with the token that was printed, is the only one who sees it.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp_jinja2
import jinja2
import structlog
from aiohttp import web
from yarl import URL

from bot import envfile
from bot.config import SETTINGS, ConfigError, Secret, Unregistered
from bot.github import TIMEOUT, BusyError, RefusedError
from bot.headers import protect
from bot.manifest import is_loopback, manifest, new_app_url, organisation, public_url, registration, webhook_url
from bot.registration import Registration, register

PATH = "/setup"
BACK = f"{PATH}/registered"
COOKIE = "winparity-setup"
# GitHub's code counts for an hour, so a state needs no longer.
STATE_SECONDS = 3600.0
# A form with two short fields.
MAX_FORM = 16 * 1024
# Seconds in which the last page reaches the browser.
LAST_PAGE = 5.0
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

log = structlog.get_logger()


@dataclass
class Desk:
    """What is known while an app is being registered.

    Attributes:
        settings: where GitHub is, and where the credentials go.
        session: the HTTP client.
        serving: a server is started by itself afterwards.
        webhook: where GitHub is to send deliveries; empty until it is known.
        org: who is to own the app; empty for one's own account.
        replaces: the file has credentials of another app, which will be lost.
        done: what came of it.
    """

    settings: Unregistered
    session: aiohttp.ClientSession
    serving: bool
    webhook: str = ""
    org: str = ""
    replaces: bool = False
    done: "asyncio.Future[Registration]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    url: str = ""
    _token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _visitor: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _state: str = ""
    _state_ends: float = 0.0

    @property
    def address(self) -> str:
        """The page's address with its token, which opens it once."""
        return f"{self.url}{PATH}?token={self._token}"

    def enter(self, token: str) -> str | None:
        """The cookie of whoever brings the token for the first time; None for all others."""
        if not self._token or not _same(token, self._token):
            return None
        self._token = ""
        return self._visitor

    def knows(self, cookie: str) -> bool:
        """Whether it is the browser that brought the token."""
        return not self._token and _same(cookie, self._visitor)

    def state(self) -> str:
        """What GitHub is to bring back with the code. It stays the same until it is used or too old."""
        if not self._state or time.monotonic() > self._state_ends:
            self._state, self._state_ends = secrets.token_urlsafe(32), time.monotonic() + STATE_SECONDS
        return self._state

    def take_state(self, state: str) -> bool:
        """Whether it is ours and fresh; then it is not taken again."""
        if not self._state or not _same(state, self._state) or time.monotonic() > self._state_ends:
            return False
        self._state = ""
        return True

    def give_back(self, state: str) -> None:
        """Take the state once more: GitHub could not be asked, so the code is still good."""
        self._state = state


_NO_MISTAKES = {"url": "", "org": ""}
_DESK: web.AppKey[Desk] = web.AppKey("desk", Desk)


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), known.encode())


@asynccontextmanager
async def opened(
    settings: Unregistered, *, webhook: str = "", org: str = "", serving: bool = False, replaces: bool = False
) -> AsyncIterator[Desk]:
    """The page, while this is held.

    Args:
        settings: the address to listen on, where GitHub is, and where the credentials go.
        webhook: where GitHub is to send deliveries, if that is known.
        org: who is to own the app, if that is known.
        serving: a server is started by itself afterwards.
        replaces: the file's present credentials are to be replaced.

    Raises:
        ConfigError: the credentials could not be written, so nothing is begun.
    """
    envfile.check_writable(settings.env_file)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        desk = Desk(settings, session, serving, webhook, org, replaces)
        runner = web.AppRunner(_make_app(desk), access_log=None, shutdown_timeout=LAST_PAGE)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.host, settings.port)
            await site.start()
            host, port = runner.addresses[0][:2]
            shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host  # noqa: S104 - see SETTINGS
            desk.url = f"http://{shown}:{port}"
            yield desk
        finally:
            await runner.cleanup()


def _make_app(desk: Desk) -> web.Application:
    app = web.Application(client_max_size=MAX_FORM, middlewares=[_guarded])
    app.on_response_prepare.append(protect)
    app[_DESK] = desk
    templates = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
    environment = aiohttp_jinja2.setup(app, loader=templates, undefined=jinja2.StrictUndefined)
    style = environment.get_template("setup.css").render().encode()
    app[_POLICY] = _policy(desk.settings.git_url, base64.b64encode(hashlib.sha256(style).digest()).decode())
    app.add_routes(
        [
            web.get(PATH, _page, allow_head=False),
            web.post(PATH, _choose),
            web.get(BACK, _back, allow_head=False),
            web.get("/healthz", _healthz),
            web.get("/readyz", _readyz),
        ]
    )
    return app


# What every answer carries.

_POLICY: web.AppKey[str] = web.AppKey("policy", str)


def _policy(github: str, style: str) -> str:
    """No script, nothing from elsewhere, one style sheet; forms go to us and to GitHub."""
    forms = f"form-action 'self' {URL(github).origin()}"
    return f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; {forms}; base-uri 'none'; frame-ancestors 'none'"


@web.middleware
async def _guarded(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        response = error
    response.headers["Content-Security-Policy"] = request.app[_POLICY]
    if isinstance(response, web.HTTPException):
        raise response
    return response


async def _healthz(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(text="ok\n")


async def _readyz(_request: web.Request) -> web.Response:
    """No delivery can be taken before there is an app."""
    return web.Response(status=503, text="not set up\n")


# The page.


async def _page(request: web.Request) -> web.StreamResponse:
    """The page as far as it has come. The token is taken out of the address at once."""
    desk = request.app[_DESK]
    if "token" in request.query:
        visitor = desk.enter(request.query["token"])
        if visitor is None and not desk.knows(request.cookies.get(COOKIE, "")):
            return _refusal(request, 403, "This link was opened before, or is not the one that was printed.")
        response = web.HTTPSeeOther(PATH)
        if visitor is not None:
            secure = _origin(request).scheme == "https"
            # Lax: the browser comes back from GitHub.
            response.set_cookie(COOKIE, visitor, path=PATH, httponly=True, samesite="Lax", secure=secure)
        raise response
    if not desk.knows(request.cookies.get(COOKIE, "")):
        return _refusal(request, 403, "This page opens with the link that winparity printed where it was started.")
    if not desk.webhook or "change" in request.query:
        return _step(request, 1, url=desk.webhook or _suggestion(request), org=desk.org)
    return _step(request, 2)


async def _choose(request: web.Request) -> web.StreamResponse:
    """The first step's form: where GitHub reaches us, and who owns the app."""
    desk = request.app[_DESK]
    if not desk.knows(request.cookies.get(COOKIE, "")):
        return _refusal(request, 403, "This page opens with the link that winparity printed where it was started.")
    form = await request.post()
    url, org = str(form.get("url", "")), str(form.get("org", ""))
    mistakes = dict(_NO_MISTAKES)
    for name, text, check in (("url", url, webhook_url), ("org", org, organisation)):
        try:
            check(text)
        except ValueError as error:
            mistakes[name] = str(error)
    if mistakes != _NO_MISTAKES:
        return _step(request, 1, 422, url=url, org=org, mistakes=mistakes)
    desk.webhook, desk.org = webhook_url(url), organisation(org)
    raise web.HTTPSeeOther(PATH)


async def _back(request: web.Request) -> web.StreamResponse:
    """The browser comes back from GitHub with a code."""
    desk = request.app[_DESK]
    state = request.query.get("state", "")
    if not desk.take_state(state):
        return _refusal(request, 403, "This answer is not to what this page asked, or came too late.", again=True)
    try:
        made = await register(desk.session, desk.settings.api_url, request.query.get("code", ""))
    except BusyError as error:
        desk.give_back(state)
        log.warning("GitHub cannot be asked", reason=str(error))
        return _refusal(request, 503, "GitHub could not be asked just now. Reload this page in a minute.")
    except RefusedError as error:
        log.warning("the app is not registered", reason=str(error))
        return _refusal(request, 400, "GitHub did not take the code that it sent. Please start again.", again=True)
    try:
        envfile.write(desk.settings.env_file, _values(desk, made), drop=_STALE)
    except ConfigError as error:
        log.error("the app is registered, and its credentials are lost", app=made.html_url, reason=str(error))  # noqa: TRY400 - not a bug
        return _refusal(
            request, 500, f"The app is registered, but {error}. Delete it on GitHub: {made.html_url}", again=True
        )
    log.info("registered", app=made.app_id, file=str(desk.settings.env_file))
    response = _step(request, 3, made=made)
    desk.done.set_result(made)
    return response


# Of the app that was there before; a key's file would win over the key.
_STALE = (
    "WINPARITY_PRIVATE_KEY_FILE",
    "WINPARITY_WEBHOOK_SECRET_OLD",
    "WINPARITY_CLIENT_ID",
    "WINPARITY_CLIENT_SECRET",
)


def _values(desk: Desk, made: Registration) -> dict[str, Secret]:
    """What goes into the file: the credentials, and where we and GitHub are unless that is where it is by default."""
    defaults = {setting.name: setting.default for setting in SETTINGS}
    both = made.client_id and made.client_secret.reveal()
    where = {
        "WINPARITY_PUBLIC_URL": public_url(desk.webhook),
        "WINPARITY_GITHUB_API_URL": desk.settings.api_url,
        "WINPARITY_GITHUB_URL": desk.settings.git_url,
    }
    return {
        "WINPARITY_APP_ID": Secret(str(made.app_id)),
        "WINPARITY_PRIVATE_KEY": made.private_key,
        "WINPARITY_WEBHOOK_SECRET": made.webhook_secret,
        **(
            {"WINPARITY_CLIENT_ID": Secret(made.client_id), "WINPARITY_CLIENT_SECRET": made.client_secret}
            if both
            else {}
        ),
        **{name: Secret(url) for name, url in where.items() if url != defaults[name]},
    }


def _step(request: web.Request, step: int, status: int = 200, **more: Any) -> web.Response:
    """The page at a step."""
    desk = request.app[_DESK]
    known = registration()
    context = {
        "desk": desk,
        "file": str(desk.settings.env_file),
        "step": step,
        "permissions": known["default_permissions"],
        "refusal": None,
        "mistakes": _NO_MISTAKES,
    }
    if step == 2:
        made = manifest(desk.webhook, str(_origin(request).with_path(BACK)), desk.org)
        target = URL(new_app_url(desk.settings.git_url, desk.org)).update_query(state=desk.state())
        context |= {"manifest": json.dumps(made), "target": str(target), "name": made["name"]}
    return aiohttp_jinja2.render_template("setup.html", request, {**context, **more}, status=status)


def _refusal(request: web.Request, status: int, why: str, *, again: bool = False) -> web.Response:
    """A page that only says why not."""
    desk = request.app[_DESK]
    again = again and desk.knows(request.cookies.get(COOKIE, ""))
    context = {"desk": desk, "refusal": why, "again": again, "step": 0}
    return aiohttp_jinja2.render_template("setup.html", request, context, status=status)


def _origin(request: web.Request) -> URL:
    """What the browser calls us. A proxy in front of us says whether that is https."""
    if not _HOST.fullmatch(request.host):
        raise web.HTTPBadRequest(text="no usable Host header\n")
    forwarded = request.headers.get("X-Forwarded-Proto", "")
    scheme = forwarded if forwarded in {"http", "https"} else request.scheme
    return URL(f"{scheme}://{request.host}")


def _suggestion(request: web.Request) -> str:
    """Our address, if the browser's may be one that GitHub can reach too."""
    origin = _origin(request)
    return str(origin) if origin.scheme == "https" and not is_loopback(origin.host or "") else ""


async def before_serving(settings: Unregistered, stop: asyncio.Event) -> bool:
    """`winparity serve` without an app: serve nothing but the page until there is one.

    Args:
        settings: with the address that the server is to have.
        stop: set when the process is to end.

    Returns:
        Whether there is an app now.

    Raises:
        ConfigError: the credentials could not be written, so there can be none.
    """
    try:
        envfile.check_writable(settings.env_file)
    except ConfigError as error:
        raise ConfigError(f"there is no app yet, and none can be registered here: {error}") from None
    async with opened(settings, serving=True) as desk:
        log.warning("not set up yet: open this address, at your public name if it has one", url=desk.address)
        stopped = asyncio.create_task(stop.wait())
        either: set[asyncio.Future[Any]] = {stopped, desk.done}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        return desk.done.done()
