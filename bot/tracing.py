"""Spans for OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says where to send them; otherwise nothing is imported.

A delivery's trace follows from its id, so that web and worker agree on it without telling each other, and so that whoever
has the id finds the trace: its id is the beginning of the delivery id's SHA-256.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, Tracer

_tracer: "Tracer | None" = None
_root: ContextVar["SpanContext | None"] = ContextVar("_root", default=None)


@contextmanager
def exporting(endpoint: str) -> Iterator[None]:
    """Send spans while this is held. What was not sent at its end is sent then, which may take seconds.

    Args:
        endpoint: the base address of a collector, for OTLP over HTTP; empty for none. The SDK reads its other variables.

    Raises:
        ImportError: the extra ``otel`` is not installed.
    """
    global _tracer  # noqa: PLW0603 - a process has one
    if not endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - likewise
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - likewise
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - likewise
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415 - likewise

    class Ids(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            known = _root.get()
            return known.trace_id if known else super().generate_trace_id()

        def generate_span_id(self) -> int:
            known = _root.get()
            return known.span_id if known else super().generate_span_id()

    resource = Resource.create({"service.name": "winparity"})
    provider = TracerProvider(resource=resource, id_generator=Ids(), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    os.environ.pop("OTEL_EXPORTER_OTLP_HEADERS", None)  # a secret, which the exporter has now, and no child is to have
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("winparity")
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()


def _context(delivery: str) -> "SpanContext":
    """Of the span that is a delivery. What follows from one, and is named after it, belongs to its trace."""
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 - an extra

    digest = hashlib.sha256(delivery.partition("+")[0].encode()).digest()
    trace, span = (int.from_bytes(part, "big") for part in (digest[:16], digest[16:24]))
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def delivered(delivery: str) -> AbstractContextManager[Any]:
    """The span of a delivery, which is the first of its trace."""
    if _tracer is None:
        return nullcontext()
    from opentelemetry.trace import use_span  # noqa: PLC0415 - an extra

    token = _root.set(_context(delivery))
    try:
        span = _tracer.start_span("delivery", attributes={"winparity.delivery": delivery})
    finally:
        _root.reset(token)
    return use_span(span, end_on_exit=True)


def worked(delivery: str, kind: str) -> AbstractContextManager[Any]:
    """The span of a job, under its delivery's."""
    if _tracer is None:
        return nullcontext()
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context  # noqa: PLC0415 - an extra

    above = set_span_in_context(NonRecordingSpan(_context(delivery)))
    attributes = {"winparity.delivery": delivery, "winparity.kind": kind}
    return _tracer.start_as_current_span("job", context=above, attributes=attributes)


def span(name: str) -> AbstractContextManager[Any]:
    """The span of a part of a job."""
    return nullcontext() if _tracer is None else _tracer.start_as_current_span(name)


def past(name: str, begun: float, seconds: float) -> None:
    """The span of a part that is over.

    Args:
        name: of the part.
        begun: in seconds since the epoch.
        seconds: how long it took.
    """
    if _tracer is not None:
        start = int(begun * 1e9)
        _tracer.start_span(name, start_time=start).end(start + int(seconds * 1e9))
