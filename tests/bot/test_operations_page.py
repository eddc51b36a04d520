"""The page of operations tells of all processes that share a store, names nobody, and only administrators are led to it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

import bot.health
from bot import metrics
from bot.config import Settings
from bot.dashboard import operations
from bot.dashboard.operations import Operations
from bot.dashboard.records import Known, Records
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.run import _free_port
from bot.events import PullEvent, SurveyEvent
from bot.github import BusyError, GitHub, _Shared, _Spacing
from bot.health import PROCESSES, VITALS, Vitals, beat
from bot.ids import Repo
from bot.inbox import LANES, MAX_LANES
from bot.queue import LISTED, MISSED, Jobs
from bot.registration import Registered
from bot.sweep import KEPT, MAX_LISTED, Sweep
from bot.web import listening
from tests.bot.conftest import INSTALLATION, NAME, Keys
from tests.bot.line import LOST, Line
from tests.bot.manifest_flow import Visitor
from tests.bot.processes import eventually, processes
from tests.bot.signing_in import sign_in, signing_in

LED = 'href="/operations"'


async def _look(jobs: Jobs) -> Operations:
    return await operations.look(jobs, await Records(jobs.redis).repositories())


async def _told(jobs: Jobs, name: str, vitals: Vitals) -> None:
    """Another process has told."""
    await jobs.redis.zadd(PROCESSES, {name: time.time()})
    await jobs.redis.set(f"{VITALS}{name}", msgspec.msgpack.encode(vitals))


def _event(delivery: str, installation: int = 1) -> PullEvent:
    number = int(delivery.rpartition("-")[2])
    return PullEvent(
        delivery=delivery, installation=installation, repo=Repo("hidden/secret"), number=number, action="opened"
    )


# Processes.


async def test_what_each_process_knows_of_github_is_told_for_all(jobs: Jobs) -> None:
    soon, later = int(time.time()) + 600, int(time.time()) + 3000
    await _told(jobs, "web a 1", Vitals("0.1", 5.0, {"202": 3}, ((7, 4000, later), (8, 100, soon))))
    paused = ((7, later, "GitHub asked for a pause"), (9, soon, "GitHub failed 5 times in a row"), (8, 3, "long ago"))
    await _told(jobs, "worker b 2", Vitals("0.2", 6.0, {}, ((7, 3000, later), (8, 5000, later), (6, 1, 3)), paused))
    found = await _look(jobs)
    assert [(one.installation, one.remaining, one.reset, one.paused, one.why) for one in found.budgets] == [
        (9, None, 0, soon, "GitHub failed 5 times in a row"),
        (7, 3000, later, later, "GitHub asked for a pause"),
        (8, 5000, later, 0, ""),
    ]
    assert [(one.role, one.host, one.version, one.started) for one in found.processes] == [
        ("web", "a", "0.1", 5.0),
        ("worker", "b", "0.2", 6.0),
    ]
    assert found.deliveries == {"202": 3}


async def test_deliveries_are_added_up_and_a_process_with_two_parts_counts_once(jobs: Jobs) -> None:
    for name, count in (("web a 1", 3), ("worker a 1", 3), ("web a 2", 4), ("web b 1", 5)):
        await _told(jobs, name, Vitals(deliveries={"202": count}))
    assert (await _look(jobs)).deliveries == {"202": 12}


async def test_a_process_of_another_version_is_shown_all_the_same(jobs: Jobs) -> None:
    await jobs.redis.zadd(PROCESSES, {"web old 1": time.time(), "web new 2": time.time(), "web newer 3": time.time()})
    await jobs.redis.set(f"{VITALS}web new 2", b"\xc1 what nobody understands")
    await jobs.redis.set(f"{VITALS}web newer 3", msgspec.msgpack.encode(["9.9", 1.0, {}, [], [], "more"]))
    rows = {one.host: (one.version, one.started) for one in (await _look(jobs)).processes}
    assert rows == {"old": ("", 0.0), "new": ("", 0.0), "newer": ("9.9", 1.0)}


async def test_what_is_told_is_little_and_goes_by_itself(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [(number, 5000 - number, int(time.time()) + 60) for number in range(1000)]
    monkeypatch.setattr(metrics, "budgets", lambda: many)
    await beat(jobs.redis, "worker")
    [key] = [key async for key in jobs.redis.scan_iter(f"{VITALS}*")]
    assert 0 < await jobs.redis.ttl(key) <= bot.health.FORGOTTEN
    stored = await jobs.redis.get(key)
    assert len(stored) < 3000
    assert bot.health._read(stored).budgets[0] == many[-1], "the least is told of"


async def test_a_pause_is_told_until_it_is_over(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_PAUSES", type(metrics._PAUSES)(10))
    asked, broken = (_Shared(number, _Spacing(0.0)) for number in (501, 502))
    asked.be_quiet(BusyError("x", time.time() + 60, limited=True))
    for _ in range(5):
        broken.note_failure(BusyError("x", time.time()), probe=False)
    await beat(jobs.redis, "worker")
    told = {one.installation: one.why for one in (await _look(jobs)).budgets if one.paused}
    assert told == {501: "GitHub asked for a pause", 502: "GitHub failed 5 times in a row"}
    broken.note_answer()
    await beat(jobs.redis, "worker")
    assert [one.installation for one in (await _look(jobs)).budgets if one.paused] == [501]


# What waits.


async def test_what_waits_is_told_by_lane(jobs: Jobs) -> None:
    for number in range(10):
        await jobs.submit(_event(f"d-{number}"))
    await jobs.submit(_event("e-11", 2))
    for number in range(3):
        repo = Repo(f"hidden/secret{number}")
        await jobs.submit(SurveyEvent(delivery=f"s-{number}", installation=number, repo=repo))
    await jobs.dispatch()
    job = await jobs.queue.dequeue(1)
    assert job is not None
    job.queued -= 60_000
    await job.update()
    found = await _look(jobs)
    assert [(one.name, one.waiting, one.running) for one in found.lanes] == [
        ("installation 1", 9, 1),
        ("surveys", 3, 0),
        ("installation 2", 1, 0),
    ]
    assert found.lanes[0].oldest == pytest.approx(60, abs=5)
    assert found.lanes[2].oldest == pytest.approx(0, abs=5)
    assert (found.surveys.waiting, found.surveys.running) == (3, 0)
    assert (found.pending, found.active) == (14, 1)
    for number in range(10):
        await jobs.finished(_event(f"d-{number}"))
    assert [one.name for one in (await _look(jobs)).lanes] == ["surveys", "installation 2"]


async def test_the_names_of_lanes_are_bounded_and_go(jobs: Jobs) -> None:
    await jobs.redis.zadd(LANES, {f"old{number}": number for number in range(MAX_LANES + 50)})
    await jobs.submit(_event("d-1"))
    await jobs.dispatch()
    assert await jobs.redis.zcard(LANES) == MAX_LANES
    assert await jobs.redis.zscore(LANES, "1") is not None
    assert await jobs.redis.ttl(LANES) > 0


async def test_taking_a_delivery_costs_the_store_what_it_did(jobs: Jobs) -> None:
    await jobs.submit(_event("d-0"))
    await jobs.redis.config_resetstat()
    await jobs.submit(_event("d-1"))
    stats: dict[str, Any] = await jobs.redis.info("commandstats")
    asked = {name.removeprefix("cmdstat_") for name in stats} - {"config|resetstat", "info", "hello", "client|setinfo"}
    assert asked == {"evalsha", "hlen", "exists", "hsetnx", "rpush"}


async def test_what_was_given_up_is_told_without_names(jobs: Jobs) -> None:
    await jobs.bury(_event("d-1"), "for 72 hours: GET /repos/hidden/secret/pulls/1: GitHub is broken (HTTP 502)")
    await jobs.bury(_event("d-2"), "PATCH /repos/hidden/secret/issues/3")
    await jobs.bury(SurveyEvent(delivery="s-1", installation=4, repo=Repo("hidden/secret")), "KeyError")
    known = Known(name="Hidden/Secret", private=True, trouble="hidden/secret is too large", done=1, planned=3)
    await Records(jobs.redis).know(Repo("hidden/secret"), known)
    found = await _look(jobs)
    assert [(one.delivery, one.kind, one.installation, one.why) for one in found.given_up] == [
        ("s-1", "survey", 4, "KeyError"),
        ("d-2", "pull", 1, "see `winparity queue`"),
        ("d-1", "pull", 1, "for 72 hours: GitHub is broken (HTTP 502)"),
    ]
    assert (found.buried, found.surveys.given_up, found.surveys.troubled, found.surveys.reading) == (3, 1, 1, 1)
    assert "secret" not in str(found).lower()


# Deliveries.


async def test_the_last_deliveries_are_told_with_what_came_of_them(
    standin: StandIn, jobs: Jobs, github: GitHub, line: Line
) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull, "d-done")
    push = standin.event(NAME, ref="refs/heads/main", before="0" * 40, after=line.fork_point)
    await standin.deliver(f"{line.web}/webhook", "push", push, "d-push")
    await line.quiet()
    payload = standin.payload("opened", NAME, pull.number)
    await standin.deliver(f"{line.web}/webhook", "ping", {"zen": "x"}, "d-ping")
    await standin.deliver(f"{line.web}/nowhere", "pull_request", payload, "d-5")
    await standin.deliver(f"{line.web}/nowhere", "pull_request", payload, "d-4")
    await jobs.bury(_event("d-4"), "x")
    await jobs.redis.delete("wp:sweep:turn")
    assert await Sweep(Registered(github), jobs, 0.0).once()
    await asyncio.gather(*standin.app.redelivering)
    rows = {one.delivery: (one.event, one.outcome) for one in (await _look(jobs)).latest}
    assert rows == {
        "d-done": ("pull_request opened", "comment created, check run created"),
        "d-push": ("push", "no regression open"),
        "d-ping": ("ping", "nothing to do"),
        "d-4": ("pull_request opened", "given up"),
        "d-5": ("pull_request opened", "asked for again"),
    }
    await jobs.redis.delete(MISSED)
    outcomes = {one.delivery: one.outcome for one in (await _look(jobs)).latest}
    assert outcomes["d-5"] == "did not arrive"
    assert await jobs.unbury("d-4", retry=False)
    outcomes = {one.delivery: one.outcome for one in (await _look(jobs)).latest}
    assert outcomes["d-4"] == "dropped"


async def test_few_deliveries_are_kept_and_they_go(standin: StandIn, jobs: Jobs, github: GitHub) -> None:
    sweep = Sweep(Registered(github), jobs, 0.0)
    for number in range(MAX_LISTED + 5):
        await standin.deliver("http://127.0.0.1:9/webhook", "star", {}, f"x-{number}")
    for _ in range(2):
        await jobs.redis.delete("wp:sweep:turn")
        assert await sweep.once()
    assert await jobs.redis.zcard(LISTED) == MAX_LISTED
    assert 0 < await jobs.redis.ttl(LISTED) <= KEPT


async def test_what_a_refusal_says_is_not_kept_with_the_outcome(jobs: Jobs) -> None:
    await jobs.finished(_event("d-1"), "refused: GET /repos/hidden/secret: Not Found (HTTP 404)")
    await jobs.redis.set("wp:delivery:d-old", 1)
    assert await jobs.fates(["d-1", "d-old", "d-none"]) == {"d-1": "refused", "d-old": "done"}


# In the browser, and in true processes.


async def test_administrators_alone_are_led_there(
    standin: StandIn, settings: Settings, valkey: str, jobs: Jobs, visitor: Visitor
) -> None:
    assert jobs is not None
    here = signing_in(settings, standin, admins=frozenset({"octocat"}))
    async with listening(here, valkey) as url, Visitor() as stranger:
        await visitor.open(url)
        assert LED not in visitor.page
        await sign_in(stranger, standin, url, "stranger")
        await stranger.open(url)
        assert LED not in stranger.page
        await sign_in(visitor, standin, url)
        for path in ("/", "/rules", "/nowhere"):
            await visitor.open(url + path)
            assert LED in visitor.page
        assert await visitor.open(f"{url}/operations") == 200
        assert '<a href="/operations" aria-current="page">' in visitor.page


@pytest.mark.slow
async def test_a_web_server_tells_what_a_worker_knows(  # noqa: PLR0917 - pytest gives fixtures by name
    standin: StandIn,
    repository: RepositoryState,
    pull: PullState,
    settings: Settings,
    keys: Keys,
    jobs: Jobs,
    valkey: str,
    tmp_path: Path,
    visitor: Visitor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "budgets", list)  # this process has asked for nothing
    here = signing_in(settings, standin, admins=frozenset({"octocat"}), dashboard="on")
    async with (
        listening(here, valkey) as url,
        processes(standin, keys, valkey, tmp_path, _free_port()) as made,
    ):
        made.environment["WINPARITY_DASHBOARD"] = "off"
        await made.start("worker")
        payload = standin.payload("opened", repository.name, pull.number)
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
        await eventually(lambda: jobs.is_finished("d-1"))
        await sign_in(visitor, standin, url)

        async def shown() -> Any:
            assert await visitor.open(f"{url}/api/v1/operations") == 200
            found = msgspec.json.decode(visitor.page)
            numbers = {one["installation"]: one["remaining"] for one in found["budgets"]}
            return found if numbers.get(INSTALLATION) else None

        await eventually(shown)
        found = await shown()
        assert {one["role"]: bool(one["version"]) for one in found["processes"]} == {"web": True, "worker": True}
        await visitor.open(f"{url}/operations")
        assert f'<th scope="row">installation {INSTALLATION}</th>' in visitor.page
        assert repository.name.lower() not in visitor.page.lower()
