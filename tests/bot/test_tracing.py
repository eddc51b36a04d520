"""Spans: one trace for a delivery, from the web server to what was published; and nothing at all where nobody wants them."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot import tracing
from tests.bot.line import LOST, Line


@pytest.fixture
async def collector() -> AsyncIterator[tuple[str, list[Any]]]:
    """A collector of spans: its address, and what came."""
    spans: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        spans.extend(span for part in sent.resource_spans for scope in part.scope_spans for span in scope.spans)
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", spans
    await runner.cleanup()


async def test_a_delivery_is_one_trace(line: Line, collector: tuple[str, list[Any]]) -> None:
    endpoint, spans = collector
    exporting = tracing.exporting(endpoint)
    exporting.__enter__()
    try:
        await line.hear("opened", await line.open(LOST), "the-delivery")
    finally:
        await asyncio.to_thread(exporting.__exit__, None, None, None)
    by_name = {span.name: span for span in spans}
    assert sorted(by_name) == ["analyse", "delivery", "fetch", "job", "publish"]
    digest = hashlib.sha256(b"the-delivery").digest()
    assert {span.trace_id for span in spans} == {digest[:16]}
    delivery, job = by_name["delivery"], by_name["job"]
    assert (delivery.span_id, delivery.parent_span_id) == (digest[16:24], b"")
    assert job.parent_span_id == delivery.span_id
    assert {by_name[name].parent_span_id for name in ("fetch", "analyse", "publish")} == {job.span_id}
    for span in (delivery, job):
        assert "the-delivery" in {value.value.string_value for value in span.attributes}
    for name in ("fetch", "analyse", "publish"):
        span = by_name[name]
        assert job.start_time_unix_nano <= span.start_time_unix_nano < span.end_time_unix_nano <= job.end_time_unix_nano


def test_where_nobody_wants_them_nothing_is_imported() -> None:
    """redis-py looks for the metrics of OpenTelemetry by itself; what makes and sends spans is ours."""
    code = """
import sys
import bot.web, bot.worker
from bot import tracing
with tracing.exporting(""), tracing.delivered("d-1"), tracing.worked("d-1", "PullEvent"), tracing.span("publish"):
    tracing.past("fetch", 0.0, 0.0)
print([name for name in sys.modules if name.startswith(("opentelemetry.exporter", "opentelemetry.sdk.trace"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_the_extra_it_is_said_what_to_install(tmp_path_factory: pytest.TempPathFactory) -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
from bot.cli import main
sys.argv = ["winparity", "worker"]
main()
"""
    folder = tmp_path_factory.mktemp("extra")
    key = "-----BEGIN PRIVATE KEY-----"
    known = {"WINPARITY_APP_ID": "1", "WINPARITY_PRIVATE_KEY": key, "WINPARITY_WEBHOOK_SECRET": "x"}
    environment = known | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "REDIS_URL": "unix:///nowhere",
        "WINPARITY_ENV_FILE": str(folder / ".env"),
        "WINPARITY_DATA_DIR": str(folder),
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (done.returncode, "pip install 'winparity[otel]'" in done.stderr) == (2, True)
