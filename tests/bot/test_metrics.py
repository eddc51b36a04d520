"""What Prometheus is told, over real HTTP: it counts what happened, names nobody, costs little, and is not for everybody."""

import dataclasses
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import metrics
from bot.config import Secret, Settings
from bot.events import PullEvent
from bot.github import GitHub
from bot.health import LAST
from bot.ids import Repo
from bot.queue import Jobs
from bot.web import listening, measured
from tests.bot.conftest import INSTALLATION, NAME, until
from tests.bot.line import LOST, Line
from tests.bot.processes import answer

Key = tuple[str, tuple[tuple[str, str], ...]]
TOKEN = "a token for metrics"
# What a scrape may ask the store: nothing here looks through a key whose size grows with what waits.
CHEAP = {"zrange", "hlen", "llen", "lindex", "zcard", "get", "ping"}
# What a client says when it connects, and how a test asks for these numbers.
CONNECTING = {"hello", "client|setinfo", "client|maint_notifications", "info", "config|resetstat", "select"}


def _samples(text: str) -> dict[Key, float]:
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def _key(name: str, **labels: str) -> Key:
    return name, tuple(sorted(labels.items()))


@pytest.fixture
async def scraped(line: Line) -> AsyncIterator[str]:
    """The address of the metrics of the process in which the line runs."""
    async with measured(dataclasses.replace(line.settings, metrics_port=0), line.redis_url) as url:
        yield f"{url}/metrics"


async def _read(url: str, **headers: str) -> dict[Key, float]:
    status, text = await answer(url, **headers)
    assert status == 200
    return _samples(text)


async def _grown(line: Line, scraped: str, pull: Any, delivery: str = "d-1") -> dict[Key, float]:
    """What one delivery adds to the counts."""
    before = await _read(scraped)
    await line.hear("opened", pull, delivery)
    return {key: value - before.get(key, 0.0) for key, value in (await _read(scraped)).items()}


# What is counted.


async def test_a_delivery_and_all_that_comes_of_it_are_counted(line: Line, scraped: str) -> None:
    grown = await _grown(line, scraped, await line.open(LOST))
    for key in (
        _key("winparity_deliveries_total", event="pull_request", status="202"),
        _key("winparity_jobs_total", kind="PullEvent", outcome="done"),
        _key("winparity_job_seconds_count", kind="PullEvent"),
        *(_key("winparity_stage_seconds_count", stage=stage) for stage in ("fetch", "analyse", "publish")),
        _key("winparity_findings_total", rule="implementation-lost", level="regression"),
    ):
        assert grown[key] == 1, key
    assert grown["winparity_github_requests_total", (("status", "201"),)] >= 3  # a token, a check run, a comment
    stages = [grown["winparity_stage_seconds_sum", (("stage", stage),)] for stage in ("fetch", "analyse", "publish")]
    assert min(stages) > 0
    assert sum(stages) < grown[_key("winparity_job_seconds_sum", kind="PullEvent")]


async def test_how_things_stand_in_the_store_is_told(line: Line, scraped: str) -> None:
    await line.hear("opened", await line.open(LOST))
    await line.jobs.bury(_event("given-up"), "a reason")
    event = _event("waits")
    assert await line.jobs.submit(event)
    found = await _read(scraped)
    assert found[_key("winparity_store_up")] == 1
    assert found[_key("winparity_events", state="buried")] == 1
    assert {dict(labels)["state"] for name, labels in found if name == "winparity_events"} == {
        "pending", "queued", "active", "buried",
    }  # fmt: skip
    for name in ("delivery", "job"):
        assert time.time() - 60 < found[_key(f"winparity_last_{name}_timestamp_seconds")] <= time.time()
    assert found[_key("winparity_oldest_job_seconds")] >= 0
    for role in ("web", "worker"):
        assert found[_key("winparity_processes", role=role)] == 1
    assert found[_key("process_resident_memory_bytes")] > 0
    assert found[_key("process_open_fds")] > 0


def _event(delivery: str) -> PullEvent:
    return PullEvent(delivery=delivery, installation=1, repo=Repo("a/gone"), number=1, action="opened")


async def test_a_job_that_is_refused_or_comes_back_is_counted_as_that(line: Line, scraped: str) -> None:
    pull = await line.open(LOST)
    line.github.refuse_next("POST /repos/example/berth/check-runs", 500)
    grown = await _grown(line, scraped, pull)
    assert grown[_key("winparity_jobs_total", kind="PullEvent", outcome="later")] == 1
    assert grown[_key("winparity_jobs_total", kind="PullEvent", outcome="done")] == 1
    assert grown[_key("winparity_errors_total", where="job", kind="BusyError")] == 1
    assert grown[_key("winparity_github_requests_total", status="500")] == 1
    line.github.refuse_next("GET /repos/example/berth/pulls", 404)
    await line.push(pull, {**LOST, "another.go": "package a\n"})
    grown = await _grown(line, scraped, pull, "d-2")
    assert grown[_key("winparity_jobs_total", kind="PullEvent", outcome="refused")] == 1
    assert grown[_key("winparity_errors_total", where="job", kind="RefusedError")] == 1


async def test_a_bug_is_counted_and_where_it_was(line: Line, scraped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bot.checking.compared", fail)
    monkeypatch.setattr("bot.queue.MAX_TRIES", 2)
    grown = await _grown(line, scraped, await line.open(LOST))
    assert grown[_key("winparity_errors_total", where="job", kind="ZeroDivisionError")] == 2
    assert grown[_key("winparity_jobs_total", kind="PullEvent", outcome="failed")] == 1
    assert grown[_key("winparity_jobs_total", kind="PullEvent", outcome="buried")] == 1


async def test_a_delivery_that_cannot_be_handled_is_answered_500_and_counted(
    line: Line, scraped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    before = await _read(scraped)
    monkeypatch.setattr(line.jobs.__class__, "submit", fail)
    pull = await line.open(LOST)
    assert await line.send("opened", pull) == 500
    found = await _read(scraped)
    for key in (
        _key("winparity_deliveries_total", event="pull_request", status="500"),
        _key("winparity_errors_total", where="web", kind="ZeroDivisionError"),
    ):
        assert found[key] - before.get(key, 0) == 1


# Whom it names.


async def test_nobody_is_named_and_strangers_add_no_series(line: Line, scraped: str) -> None:
    await line.hear("opened", await line.open(LOST), "the-delivery")
    before = await _read(scraped)
    for number in range(20):
        payload = line.github.event(NAME)
        unsigned = {"X-Hub-Signature-256": "sha256=0"}
        assert await line.github.deliver(f"{line.web}/webhook", f"event-{number}", payload, headers=unsigned) == 401
    status, text = await answer(scraped)
    assert status == 200
    assert not re.search("example|berth|octocat|the-delivery|event-1", text, re.IGNORECASE)
    new = _samples(text).keys() - before.keys()
    names = {"winparity_deliveries_total", "winparity_deliveries_created"}
    assert {name for name, _ in new} <= names
    assert {dict(labels)["event"] for _, labels in new} <= {"other"}


async def test_the_budget_is_told_by_installation_until_its_hour_is_over(
    github: GitHub, line: Line, scraped: str
) -> None:
    await line.hear("opened", await line.open(LOST))
    left = (await _read(scraped))[_key("winparity_github_remaining", installation=str(INSTALLATION))]
    line.github.refuse_next("GET /repos/example/berth/pulls", 404, {"x-ratelimit-remaining": "17"})
    with pytest.raises(Exception, match="404"):
        await github.installation(INSTALLATION, Repo(NAME)).pull(1)
    found = await _read(scraped)
    assert 17 == found[_key("winparity_github_remaining", installation=str(INSTALLATION))] < left
    past = {"x-ratelimit-remaining": "1", "x-ratelimit-reset": str(int(time.time()) - 1)}
    metrics.answered(INSTALLATION, 200, past)
    assert _key("winparity_github_remaining", installation=str(INSTALLATION)) not in await _read(scraped)
    soon = {"x-ratelimit-remaining": "1", "x-ratelimit-reset": str(int(time.time()) + 60)}
    for number in range(1000, 1000 + 2 * metrics.MAX_INSTALLATIONS):
        metrics.answered(number, 200, soon)
    series = [labels for name, labels in await _read(scraped) if name == "winparity_github_remaining"]
    assert len(series) == metrics.MAX_INSTALLATIONS


# What it costs, and what outlives a process.


async def test_a_scrape_looks_through_nothing(settings: Settings, valkey: str, jobs: Jobs) -> None:
    for number in range(3):
        await jobs.submit(_event(f"d-{number}"))
    await jobs.dispatch()
    async with measured(dataclasses.replace(settings, metrics_port=0), valkey) as url:
        await jobs.redis.config_resetstat()
        assert (await _read(f"{url}/metrics"))[_key("winparity_events", state="pending")] == 3
        stats: dict[str, Any] = await jobs.redis.info("commandstats")
    asked = {name.removeprefix("cmdstat_") for name in stats} - CONNECTING
    assert {"hlen", "llen", "zrange"} <= asked <= CHEAP


async def test_when_something_was_last_seen_outlives_the_process(
    settings: Settings, valkey: str, jobs: Jobs, line: Line
) -> None:
    await line.hear("opened", await line.open(LOST))
    seen = {**metrics.SEEN}

    async def is_stored() -> bool:
        return await jobs.redis.zcard(LAST) >= len(seen)

    async with listening(dataclasses.replace(settings, host="127.0.0.1", port=0), valkey) as url:
        assert (await answer(f"{url}/readyz"))[0] == 200  # a sign of life, with all that was seen
    await until(is_stored)
    metrics.SEEN.clear()  # as in another process, or after a restart
    async with measured(dataclasses.replace(settings, metrics_port=0), valkey) as url:
        found = await _read(f"{url}/metrics")
        for name, when in seen.items():
            assert found[_key(f"winparity_last_{name}_timestamp_seconds")] == pytest.approx(when)
        metrics.SEEN["job"] = seen["job"] - 1000  # what is older changes nothing
        assert (await _read(f"{url}/metrics"))[_key("winparity_last_job_timestamp_seconds")] == pytest.approx(
            seen["job"]
        )


async def test_a_store_that_is_away_is_told_and_the_rest_too(settings: Settings) -> None:
    async with measured(dataclasses.replace(settings, metrics_port=0), f"unix://{settings.data_dir}/away") as url:
        found = await _read(f"{url}/metrics")
    assert found[_key("winparity_store_up")] == 0
    assert not any(name == "winparity_events" for name, _ in found)
    assert found[_key("process_open_fds")] > 0


# Who may read it.


@pytest.mark.parametrize("given", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"])
async def test_only_the_token_opens_it_where_one_is_set(settings: Settings, valkey: str, given: str) -> None:
    told = dataclasses.replace(settings, host="127.0.0.1", port=0, metrics_port=0, metrics_token=Secret(TOKEN))
    headers = {"Authorization": given} if given else {}
    async with listening(told, valkey) as public, measured(told, valkey) as inner:
        for url in (public, inner):
            status, text = await answer(f"{url}/metrics", **headers)
            assert (status, "winparity_" in text) == (401, False)
            assert (await answer(f"{url}/metrics", Authorization=f"Bearer {TOKEN}"))[0] == 200


async def test_without_a_token_it_is_not_at_the_public_port(settings: Settings, valkey: str) -> None:
    here = dataclasses.replace(settings, host="127.0.0.1", port=0, metrics_port=0)
    async with listening(here, valkey) as public, measured(here, valkey) as inner:
        assert (await answer(f"{public}/metrics"))[0] == 404
        assert (await answer(f"{inner}/metrics"))[0] == 200
        assert (await answer(f"{inner}/healthz"))[0] == 200
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{inner}/webhook", data=json.dumps({})) as response,
        ):
            assert response.status == 404
