"""aiohttp: webhooks in, health and metrics out. A delivery is answered before any work is done; the processes' life."""

import asyncio
import contextlib
import hmac
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from bot import garbage, health, metrics, tracing
from bot.bodies import Bodies
from bot.config import MAX_BODY_BYTES, Settings, Unregistered
from bot.dashboard.pages import Dashboard
from bot.headers import Ready, protect
from bot.inbox import STORE_TIMEOUT, FullError
from bot.queue import Jobs
from bot.valkey import embedded
from bot.webhook import MAX_DELIVERY_LENGTH, EventError, SignatureError, StrangerError, parse, verify

# Seconds for which GitHub waits for an answer (docs: "Best practices for using webhooks").
DELIVERY_TIMEOUT = 10.0
# Seconds for which a good answer of /readyz holds: anybody may ask, and each look is a write.
READY_FOR = 1.0

# Seconds for which a connection may be open without any request.
IDLE_TIMEOUT = 75.0

_ACCEPTED = Ready(202, "accepted\n")

log = structlog.get_logger()


class _Readiness:
    """Whether this process takes deliveries, as it was found out last, and how many it has not answered yet."""

    def __init__(self, stop: asyncio.Event) -> None:
        self.stop = stop
        self.looking = asyncio.Lock()
        self.good_until = 0.0
        self.under_way = 0


_SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
_BODIES: web.AppKey[Bodies] = web.AppKey("bodies", Bodies)
_JOBS: web.AppKey[Jobs] = web.AppKey("jobs", Jobs)
_READINESS: web.AppKey[_Readiness] = web.AppKey("readiness", _Readiness)


def make_app(
    settings: Settings, jobs: Jobs, max_body: int = MAX_BODY_BYTES, stop: asyncio.Event | None = None
) -> web.Application:
    """The web application.

    Args:
        settings: the webhook secrets are read from it.
        jobs: where accepted events go.
        max_body: bytes of a delivery's body; more is answered 413.
        stop: set when the process is to stop; deliveries that come all the same are taken.
    """
    app = web.Application(client_max_size=max_body)
    app[_READINESS] = _Readiness(stop or asyncio.Event())
    app[_SETTINGS] = settings
    app[_JOBS] = jobs
    app[_BODIES] = Bodies(max_body)
    app.on_response_prepare.append(protect)
    app.add_routes(
        [
            web.post("/webhook", webhook, expect_handler=_expect),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
        ]
    )
    app.add_routes([web.get("/setup", set_up)])
    if settings.metrics_token is not None:
        app.add_routes([web.get("/metrics", show_metrics)])
    if settings.dashboard == "on":
        Dashboard(settings, jobs).add_to(app)  # behind all others: what is unknown is its to answer
    return app


def _make_inner_app(settings: Settings, jobs: Jobs) -> web.Application:
    """What is for the operator's own network."""
    app = web.Application()
    app[_SETTINGS] = settings
    app[_JOBS] = jobs
    app.on_response_prepare.append(protect)
    app.add_routes([web.get("/metrics", show_metrics), web.get("/healthz", healthz)])
    return app


async def webhook(request: web.Request) -> web.StreamResponse:
    """Take a delivery from GitHub, as `_take` answers it.

    Whatever becomes of it is counted, and all that is logged meanwhile has its id. A bug of ours is answered 500.
    """
    delivery = request.headers.get("X-GitHub-Delivery", "")[:MAX_DELIVERY_LENGTH]
    status, readiness = 500, request.app[_READINESS]
    readiness.under_way += 1
    before = structlog.contextvars.bind_contextvars(delivery=delivery)
    try:
        with tracing.delivered(delivery):
            response = await _take(request)
            status = response.status
    except web.HTTPException as error:
        status = error.status
        raise
    except Exception as error:
        metrics.failed("web", error)
        log.exception("a delivery failed")
        return web.Response(status=500, text="internal error\n")
    finally:
        structlog.contextvars.reset_contextvars(**before)
        readiness.under_way -= 1
        metrics.delivered(request.headers.get("X-GitHub-Event", ""), status)
    return response


async def _take(request: web.Request) -> web.StreamResponse:
    """Take a delivery.

    202 when it is stored and will be worked on; 200 when there is nothing to do; 400, 401, 408, 413 when it is not to be
    trusted or understood; 503 when it cannot be stored, so that GitHub lists it as failed and it can be sent again.
    """
    try:
        body = await request.app[_BODIES].read(request)
    except (ConnectionError, web.RequestPayloadError):
        return web.Response(status=400, text="the body broke off\n", headers={"Connection": "close"})
    delivery = request.headers.get("X-GitHub-Delivery", "")
    name = request.headers.get("X-GitHub-Event", "")
    try:
        verify(body, request.headers.get("X-Hub-Signature-256"), request.app[_SETTINGS].webhook_secrets)
        event = parse(name, delivery, body)
    except SignatureError as error:
        log.warning("refused a delivery", reason=str(error))
        return web.Response(status=401, text=f"{error}\n")
    except StrangerError as error:
        log.warning("not the app's webhook", event_name=name, reason=str(error))
        return web.Response(text="nothing to do without an installation\n")
    except EventError as error:
        log.warning("malformed delivery", event_name=name, reason=str(error))
        return web.Response(status=400, text="malformed payload\n")
    if event is None:
        return web.Response(text="nothing to do\n")
    try:
        accepted = await request.app[_JOBS].submit(event)
    except FullError as error:
        log.error("refused a delivery", reason=str(error))  # noqa: TRY400 - not a bug
        return web.Response(status=503, text="too much waits already\n", headers={"Retry-After": "60"})
    except (redis.RedisError, OSError, TimeoutError) as error:
        metrics.failed("store", error)
        log.error("the store is away", reason=type(error).__name__)  # noqa: TRY400 - not a bug
        return web.Response(status=503, text="cannot store the delivery now\n")
    if accepted:
        return _ACCEPTED if Ready.suits(request) else web.Response(status=202, text="accepted\n")
    log.info("known already", event_name=name, subject=event.subject)
    return web.Response(status=202, text="known already\n")


async def _expect(request: web.Request) -> web.Response | None:
    """What a sender expects before it sends the body; aiohttp's own handler breaks on what is no text."""
    if request.headers["Expect"].lower() != "100-continue":
        return web.Response(status=417)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun
    return None


async def healthz(_request: web.Request) -> web.Response:
    """The process runs, and its event loop turns."""
    return web.Response(text="ok\n")


async def set_up(_request: web.Request) -> web.Response:
    """There is an app; which one is nobody's business."""
    return web.Response(text="winparity is set up\n")


async def readyz(request: web.Request) -> web.Response:
    """Deliveries can be taken: the store takes writes and has room, and the process is not about to stop."""
    known = request.app[_READINESS]
    async with known.looking:
        if known.stop.is_set():
            return web.Response(status=503, text="stopping\n")
        if time.monotonic() > known.good_until:
            try:
                async with asyncio.timeout(STORE_TIMEOUT):
                    await health.check_ready(request.app[_JOBS].redis)
            except (health.NotReadyError, TimeoutError) as error:
                return web.Response(status=503, text=f"{error or 'the store is away'}\n")
            known.good_until = time.monotonic() + READY_FOR
    return web.Response(text="ready\n")


async def show_metrics(request: web.Request) -> web.Response:
    """What Prometheus reads; with a token in the settings, for those who have it. A store that is away is told, too."""
    token = request.app[_SETTINGS].metrics_token
    if token is not None:
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, f"Bearer {token.reveal()}".encode()):
            return web.Response(status=401, text="not for you\n", headers={"WWW-Authenticate": "Bearer"})
    shared = None
    with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
        async with asyncio.timeout(STORE_TIMEOUT):
            shared = await health.shared(request.app[_JOBS])
    return web.Response(body=metrics.exposition(shared), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


@asynccontextmanager
async def store(settings: Settings) -> AsyncIterator[str]:
    """The URL of the store: REDIS_URL, or the embedded Valkey while this is held."""
    if settings.redis_url is not None:
        yield settings.redis_url.reveal()
        return
    async with embedded(settings.data_dir) as url:
        yield url


@asynccontextmanager
async def listening(settings: Settings, redis_url: str, stop: asyncio.Event | None = None) -> AsyncIterator[str]:
    """The web server while this is held. Yields its URL; port 0 in the settings takes a free one.

    Args:
        settings: the address to listen on, and what `make_app` needs.
        redis_url: of the store.
        stop: set when the process is to stop.
    """
    jobs, over = Jobs(redis_url), asyncio.Event()
    life = asyncio.create_task(health.beating(jobs.redis, "web", over))
    try:
        async with _at(settings.host, settings.port, make_app(settings, jobs, stop=stop)) as url:
            pages = {"dashboard": f"{settings.public_url or url}/"} if settings.dashboard == "on" else {}
            log.info("listening", url=url, **pages)
            yield url
    finally:
        over.set()
        await life
        await jobs.close()


@asynccontextmanager
async def measured(settings: Settings, redis_url: str) -> AsyncIterator[str]:
    """The metrics of this process, at an address of their own, while this is held. Yields its URL."""
    jobs = Jobs(redis_url)
    try:
        async with _at(settings.metrics_host, settings.metrics_port or 0, _make_inner_app(settings, jobs)) as url:
            log.info("metrics", url=f"{url}/metrics")
            yield url
    finally:
        await jobs.close()


@asynccontextmanager
async def _at(host: str, port: int, app: web.Application) -> AsyncIterator[str]:
    # GitHub signs the bytes as they are sent, so nobody's compressed body is unpacked before it is proven to be GitHub's.
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=IDLE_TIMEOUT,
        logger=_http_log(),
        shutdown_timeout=STORE_TIMEOUT,
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
        await site.stop()
        with contextlib.suppress(TimeoutError):
            # What cleans up lets no more of a body in, so whoever is sending one is waited for before.
            async with asyncio.timeout(DELIVERY_TIMEOUT):
                while _READINESS in app and app[_READINESS].under_way:  # noqa: ASYNC110 - rare, and soon over
                    await asyncio.sleep(0.01)
    finally:
        await runner.cleanup()


def _http_log() -> logging.Logger:
    """Where aiohttp tells of trouble. Bytes that are no HTTP are their sender's: one line says so, and repeats nothing."""
    logger = logging.getLogger("aiohttp.server")
    logger.filters = [_not_ours]
    return logger


def _not_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError | ConnectionError):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args, record.exc_info = f"a request that cannot be read: {type(error).__name__}", (), None
    return True


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
        stack.enter_context(tracing.exporting(settings.otlp_endpoint))
        redis_url = await stack.enter_async_context(store(settings))
        if worker:
            await stack.enter_async_context(working(settings, redis_url))
            log.info("worker ready", concurrency=settings.concurrency)
        if web_server:
            await stack.enter_async_context(listening(settings, redis_url, stop))
        if settings.metrics_port is not None:
            await stack.enter_async_context(measured(settings, redis_url))
        garbage.settle()
        await stop.wait()
        log.info("stopping")
        if web_server:
            await asyncio.sleep(settings.drain)
