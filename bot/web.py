"""aiohttp: webhooks in, health out. A delivery is answered before any work is done; and the processes' life cycle."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
import structlog
from aiohttp import web

from bot.config import MAX_BODY_BYTES, Settings, Unregistered
from bot.queue import Jobs
from bot.valkey import embedded
from bot.webhook import EventError, SignatureError, StrangerError, parse, verify

# Seconds for the store to answer; GitHub gives a delivery ten.
STORE_TIMEOUT = 5.0

log = structlog.get_logger()

_SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
_JOBS: web.AppKey[Jobs] = web.AppKey("jobs", Jobs)


def make_app(settings: Settings, jobs: Jobs, max_body: int = MAX_BODY_BYTES) -> web.Application:
    """The web application.

    Args:
        settings: the webhook secrets are read from it.
        jobs: where accepted events go.
        max_body: bytes of a delivery's body; more is answered 413.
    """
    app = web.Application(client_max_size=max_body)
    app[_SETTINGS] = settings
    app[_JOBS] = jobs
    app.add_routes([web.post("/webhook", webhook), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    app.add_routes([web.get("/setup", set_up)])
    return app


async def webhook(request: web.Request) -> web.Response:
    """Take a delivery from GitHub.

    202 when it is stored and will be worked on; 200 when there is nothing to do; 400, 401, 413 when it is not to be
    trusted or understood; 503 when it cannot be stored, so that GitHub lists it as failed and it can be sent again.
    """
    body = await request.read()
    delivery = request.headers.get("X-GitHub-Delivery", "")
    name = request.headers.get("X-GitHub-Event", "")
    try:
        verify(body, request.headers.get("X-Hub-Signature-256"), request.app[_SETTINGS].webhook_secrets)
        event = parse(name, delivery, body)
    except SignatureError as error:
        log.warning("refused a delivery", delivery=delivery, reason=str(error))
        return web.Response(status=401, text=f"{error}\n")
    except StrangerError as error:
        log.warning("not the app's webhook", delivery=delivery, event_name=name, reason=str(error))
        return web.Response(text="nothing to do without an installation\n")
    except EventError as error:
        log.warning("malformed delivery", delivery=delivery, event_name=name, reason=str(error))
        return web.Response(status=400, text="malformed payload\n")
    if event is None:
        return web.Response(text="nothing to do\n")
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            accepted = await request.app[_JOBS].submit(event)
    except (redis.RedisError, OSError, TimeoutError) as error:
        log.error("the store is away", delivery=delivery, reason=type(error).__name__)  # noqa: TRY400 - not a bug
        return web.Response(status=503, text="cannot store the delivery now\n")
    log.info("accepted" if accepted else "known already", delivery=delivery, event_name=name, subject=event.subject)
    return web.Response(status=202, text="accepted\n" if accepted else "known already\n")


async def healthz(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(text="ok\n")


async def set_up(_request: web.Request) -> web.Response:
    """There is an app; which one is nobody's business."""
    return web.Response(text="winparity is set up\n")


async def readyz(request: web.Request) -> web.Response:
    """The store answers, so deliveries can be taken."""
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            await request.app[_JOBS].redis.ping()
    except (redis.RedisError, OSError, TimeoutError):
        return web.Response(status=503, text="the store is away\n")
    return web.Response(text="ready\n")


@asynccontextmanager
async def store(settings: Settings) -> AsyncIterator[str]:
    """The URL of the store: REDIS_URL, or the embedded Valkey while this is held."""
    if settings.redis_url is not None:
        yield settings.redis_url.reveal()
        return
    async with embedded(settings.data_dir) as url:
        yield url


@asynccontextmanager
async def listening(settings: Settings, redis_url: str) -> AsyncIterator[str]:
    """The web server while this is held. Yields its URL; port 0 in the settings takes a free one."""
    jobs = Jobs(redis_url)
    # GitHub signs the bytes as they are sent, so nobody's compressed body is unpacked before it is proven to be GitHub's.
    runner = web.AppRunner(make_app(settings, jobs), access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        url = f"http://{host}:{port}"
        log.info("listening", url=url)
        yield url
    finally:
        await runner.cleanup()
        await jobs.close()


def stopping() -> asyncio.Event:
    """An event that SIGTERM or Ctrl-C sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in asyncio
            loop.add_signal_handler(signum, stop.set)
    return stop


async def register_first(settings: Unregistered) -> bool:
    """Serve the set-up page until there is an app (True), or until SIGTERM or Ctrl-C."""
    from bot.setup import before_serving  # noqa: PLC0415 - of no use once there is an app

    return await before_serving(settings, stopping())


async def serve(settings: Settings, *, web_server: bool = True, worker: bool = True) -> None:
    """Run until SIGTERM or Ctrl-C: the web server, a worker, or both in one process."""
    from bot.worker import working  # noqa: PLC0415 - the web process alone needs no analyzer

    stop = stopping()
    async with contextlib.AsyncExitStack() as stack:
        redis_url = await stack.enter_async_context(store(settings))
        if worker:
            await stack.enter_async_context(working(settings, redis_url))
            log.info("worker ready", concurrency=settings.concurrency)
        if web_server:
            await stack.enter_async_context(listening(settings, redis_url))
        await stop.wait()
        log.info("stopping")
