"""SAQ's own page, for an operator who looks at it from this machine: it shows private names, so it is for nobody else.

Its buttons are not there: they would retry or end a job behind the back of our own books (`bot.queue`).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from saq.web.aiohttp import create_app

from bot.queue import Jobs

_COOKIE = "winparity-queue"
# The page's one script that is part of it.
_SCRIPT = base64.b64encode(hashlib.sha256(b'const root_path = "";').digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'self'; script-src 'self' 'sha256-{_SCRIPT}'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@asynccontextmanager
async def queue_page(redis_url: str) -> AsyncIterator[str]:
    """The page at a free port of 127.0.0.1 while this is held. Yields its address, which holds a token."""
    jobs, token = Jobs(redis_url), secrets.token_urlsafe(32)
    app = create_app([jobs.queue])
    app.middlewares.insert(0, _for_one(token))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/?token={token}"
    finally:
        await runner.cleanup()
        await jobs.close()


def _for_one(token: str) -> Middleware:
    """Whoever has the token may look. A name that somebody makes lead to this machine is not ours."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host.partition(":")[0] not in {"127.0.0.1", "localhost"}:
            raise web.HTTPMisdirectedRequest
        if request.method not in {"GET", "HEAD"}:
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"])
        if _same(request.query.get("token", ""), token):
            welcome = web.HTTPFound("/")
            welcome.set_cookie(_COOKIE, token, httponly=True, samesite="Strict")
            raise welcome
        if not _same(request.cookies.get(_COOKIE, ""), token):
            raise web.HTTPForbidden(text="open the address that `winparity queue --page` printed\n")
        response = await handler(request)
        response.headers.update(_HEADERS)
        return response

    return guard


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())
