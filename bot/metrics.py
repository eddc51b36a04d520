"""What Prometheus is told: counts and times of this process, and of the store that all share. No names of anybody."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from bot.inbox import Waiting
from bot.queue import Jobs

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format (prometheus.io, "Exposition formats")."""

DELIVERIES = Counter("winparity_deliveries", "Webhook deliveries, by what they were answered.", ["event", "status"])
LAST_DELIVERY = Gauge("winparity_last_delivery_timestamp_seconds", "When the last delivery came that was GitHub's.")
JOBS = Counter("winparity_jobs", "Jobs that came to an end, by what they did.", ["kind", "outcome"])
SECONDS = Histogram(
    "winparity_stage_seconds",
    "Time of each stage of a job.",
    ["stage"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
REQUESTS = Counter("winparity_github_requests", "Requests to GitHub, by method and status.", ["method", "status"])
BUDGET = Gauge("winparity_github_remaining", "What the last answer left of the hourly budget of its installation.")
FINDINGS = Counter("winparity_findings", "Findings of checked heads.", ["rule", "level"])
SWEPT = Gauge("winparity_sweep_timestamp_seconds", "When GitHub's list of deliveries was last compared with ours.")
REDELIVERED = Counter("winparity_redelivered", "Deliveries that GitHub was asked to send again.")
QUEUED = Gauge("winparity_queue_jobs", "Events in the store, by state.", ["state"])
OLDEST = Gauge("winparity_queue_oldest_seconds", "Age of the event that has waited longest.")

# GitHub's events that we know; a forged name must not become a label.
_OTHER = "other"


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Note how long a stage takes, however it ends."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        SECONDS.labels(stage).observe(time.perf_counter() - begun)


def delivered(event: str, status: int, known: frozenset[str]) -> None:
    """Count a delivery.

    Args:
        event: its name, which may be anything.
        status: how it was answered.
        known: the names that may be shown.
    """
    DELIVERIES.labels(event if event in known else _OTHER, status).inc()
    if status in {200, 202}:
        LAST_DELIVERY.set_to_current_time()


async def exposition(jobs: Jobs) -> bytes:
    """The text that Prometheus reads.

    Raises:
        redis.RedisError, OSError: the store is away.
    """
    show(await jobs.waiting())
    return generate_latest(REGISTRY)


def show(waiting: Waiting) -> None:
    """Set what is known of the queue."""
    for state, count in (("queued", waiting.queued), ("active", waiting.active), ("buried", waiting.buried)):
        QUEUED.labels(state).set(count)
    QUEUED.labels("pending").set(waiting.pending)
    OLDEST.set(waiting.oldest)
