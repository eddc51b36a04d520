"""What Prometheus is told: counts and times of this process, and how things stand in the store that all share.

No label holds anybody's name: repositories may be private, and their names are without number. Nothing is computed by
looking through what is stored: each question to the store costs the same however much waits.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cachetools import LRUCache, TLRUCache
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.registry import Collector

from bot import tracing
from bot.inbox import Waiting
from bot.webhook import HANDLED

if TYPE_CHECKING:
    from analyzer.model import Analysis  # the web process needs no analyzer

# Installations whose budget is shown at most: those that were asked for last.
MAX_INSTALLATIONS = 1_000
# GitHub's limits last an hour; a reset that is later is not believed.
_HOUR = 3600.0
# Seconds. A comparison takes 0.1 to 4, a cold clone of a huge repository minutes.
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1200)

DELIVERIES = Counter("winparity_deliveries", "Webhook deliveries, by event and HTTP answer.", ["event", "status"])
JOBS = Counter("winparity_jobs", "Runs of jobs that came to an end, by how.", ["kind", "outcome"])
JOB_SECONDS = Histogram("winparity_job_seconds", "Time of one run of a job.", ["kind"], buckets=_BUCKETS)
STAGE_SECONDS = Histogram("winparity_stage_seconds", "Time of a job's stages.", ["stage"], buckets=_BUCKETS)
REQUESTS = Counter("winparity_github_requests", "Requests to GitHub that were answered, by HTTP status.", ["status"])
FINDINGS = Counter("winparity_findings", "Findings of comparisons, by rule and level.", ["rule", "level"])
ERRORS = Counter("winparity_errors", "What went wrong, by where and by the exception's name.", ["where", "kind"])
REDELIVERIES = Counter("winparity_redeliveries", "Deliveries that GitHub was asked to send again.")
UP = Gauge("winparity_store_up", "Whether the store answered when this was asked.")

SEEN: dict[str, float] = {}
"""When this process last saw each of `LAST`. `bot.health` tells the store, so that it outlives the process."""
LAST = {
    "delivery": "When GitHub's last delivery was taken, by any process.",
    "job": "When the last job ended well, in any process.",
    "sweep": "When GitHub's list of deliveries was last compared with ours.",
}
# Events that have a label of their own; the name is a stranger's until the signature is checked.
_KNOWN = frozenset({*HANDLED, "ping"})
# How jobs end that did not do what was asked, by the first word of what they say.
_ENDINGS = frozenset({"superseded", "refused", "buried"})


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a job that a child process did.

    Attributes:
        name: of the stage.
        begun: in seconds since the epoch.
        seconds: how long it took.
    """

    name: str
    begun: float
    seconds: float


class _Budgets(Collector):
    """What GitHub's last answers left of the hourly budget of each installation, until the hour is over."""

    def __init__(self) -> None:
        self.known: TLRUCache[int, tuple[float, float]] = TLRUCache(
            MAX_INSTALLATIONS, ttu=lambda _key, value, now: min(value[1], now + _HOUR), timer=time.time
        )

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """As the library asks for it."""
        words = "What is left of the hourly budget of an installation; 0 is the app's own."
        family = GaugeMetricFamily("winparity_github_remaining", words, labels=["installation"])
        for installation, (remaining, _) in [*self.known.items()]:
            family.add_metric([str(installation)], remaining)
        yield family


_BUDGETS = _Budgets()
REGISTRY.register(_BUDGETS)
_PAUSES: LRUCache[int, tuple[float, str]] = LRUCache(MAX_INSTALLATIONS)


@cache
def _deliveries(event: str, status: int) -> Counter:
    return DELIVERIES.labels(event, status)


def delivered(event: str, status: int) -> None:
    """Count a delivery.

    Args:
        event: its name, which may be anything.
        status: how it was answered.
    """
    _deliveries(event if event in _KNOWN else "other", status).inc()
    if status in {200, 202}:
        SEEN["delivery"] = time.time()


def answered(installation: int | None, status: int, headers: Mapping[str, str]) -> None:
    """Count an answer of GitHub, and note what it says of the budget.

    Args:
        installation: who asked; 0 for the app itself, None for a person, whose budget is nobody else's business.
        status: HTTP's.
        headers: those of the answer.
    """
    REQUESTS.labels(status).inc()
    if installation is None:
        return
    left, reset = headers.get("x-ratelimit-remaining", ""), headers.get("x-ratelimit-reset", "")
    if left.isdecimal() and reset.isdecimal() and headers.get("x-ratelimit-resource", "core") == "core":
        _BUDGETS.known[installation] = (float(left), float(reset))


def deliveries() -> dict[str, int]:
    """How many deliveries this process answered, by HTTP status."""
    found: dict[str, int] = {}
    for sample in (sample for family in DELIVERIES.collect() for sample in family.samples):
        if sample.name.endswith("_total"):
            status = sample.labels["status"]
            found[status] = found.get(status, 0) + int(sample.value)
    return dict(sorted(found.items()))


def budgets() -> list[tuple[int, int, int]]:
    """What this process knows of hourly budgets: the installation, what is left, when it begins anew; 0 is the app's own."""
    return sorted((number, int(left), int(reset)) for number, (left, reset) in [*_BUDGETS.known.items()])


def paused(installation: int, until: float, why: str) -> None:
    """Note that an installation's requests are held back until a time, and why, in a few words of ours."""
    _PAUSES[installation] = until, why


def resumed(installation: int) -> None:
    """Note that they are not any more."""
    _PAUSES.pop(installation, None)


def pauses() -> list[tuple[int, int, str]]:
    """Whose requests this process holds back: the installation, until when, and why."""
    now = time.time()
    return sorted((number, int(until), why) for number, (until, why) in [*_PAUSES.items()] if until > now)


def swept(asked: int) -> None:
    """Count what GitHub was asked to deliver again, when its list has been compared with ours."""
    REDELIVERIES.inc(asked)
    SEEN["sweep"] = time.time()


def failed(where: str, error: BaseException) -> None:
    """Count something that went wrong. ``where`` is one of few words."""
    ERRORS.labels(where, type(error).__name__).inc()


@contextmanager
def job(kind: str) -> Iterator[None]:
    """Note how long a job of a kind runs, however it ends."""
    with JOB_SECONDS.labels(kind).time():
        yield


def ended(kind: str, outcome: str) -> None:
    """Count the end of a job's run.

    Args:
        kind: of the event.
        outcome: what was done; what stands before a colon counts when it is one of few words.
    """
    word = outcome.partition(":")[0]
    JOBS.labels(kind, word if word in _ENDINGS else "done").inc()
    if word not in _ENDINGS:
        SEEN["job"] = time.time()


def interrupted(kind: str, outcome: str, error: Exception | None = None) -> None:
    """Count a run of a job that is to run again: ``failed``, ``later`` or ``stopped``; and why, if that is an error."""
    JOBS.labels(kind, outcome).inc()
    if error is not None:
        failed("job", error)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Note how long a stage of a job takes in this process, however it ends."""
    with tracing.span(name), STAGE_SECONDS.labels(name).time():
        yield


def compared(analysis: "Analysis", stages: Iterable[Stage]) -> None:
    """Count what a comparison found, and note how long its stages took in the child."""
    for finding in analysis.findings:
        FINDINGS.labels(finding.rule, finding.level).inc()
    for part in stages:
        STAGE_SECONDS.labels(part.name).observe(part.seconds)
        tracing.past(part.name, part.begun, part.seconds)


class Shared(Collector):
    """How things stand in the store. Every process tells the same.

    Args:
        waiting: how much is in the store.
        last: when something was last seen, by the words of `LAST`.
        processes: how many live, by what they do.
    """

    def __init__(self, waiting: Waiting, last: Mapping[str, float], processes: Mapping[str, int]) -> None:
        self._waiting = waiting
        self._last = last
        self._processes = processes

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """As the library asks for it."""
        states = {name: getattr(self._waiting, name) for name in ("pending", "queued", "active", "buried")}
        yield _family("winparity_events", "Events in the store. All that are not done are pending.", "state", states)
        oldest = "Age of the job that has waited longest for a worker; 0 when none waits."
        yield GaugeMetricFamily("winparity_oldest_job_seconds", oldest, value=self._waiting.oldest)
        for name, words in LAST.items():
            if when := max(self._last.get(name, 0.0), SEEN.get(name, 0.0)):
                yield GaugeMetricFamily(f"winparity_last_{name}_timestamp_seconds", words, value=when)
        yield _family("winparity_processes", "Processes that gave a sign of life.", "role", self._processes)


def _family(name: str, words: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def exposition(shared: Shared | None) -> bytes:
    """The text that Prometheus reads. Without ``shared`` the store is away, and only this process is told of."""
    UP.set(shared is not None)
    if shared is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    registry.register(shared)
    return generate_latest(REGISTRY) + generate_latest(registry)
