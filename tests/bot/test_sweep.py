"""The sweep: what did not arrive, and what was lost with the store, comes again; once, and not for ever."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import bot.sweep
import bot.web
from bot.config import Settings
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.events import PullEvent
from bot.github import GitHub
from bot.ids import Repo
from bot.queue import MISSED, SWEEP_TURN, SWEPT, Jobs
from bot.registration import Registered
from bot.sweep import EVERY, FIRST_LOOK, FIRST_PAUSE, KEPT, MAX_ASKED, MAX_PAUSE, OVERLAP, REFUSED_WAIT, Missed, Sweep
from bot.valkey import embedded
from bot.web import listening
from bot.webhook import EventError, may_matter, parse
from bot.worker import working
from tests.bot import test_kill
from tests.bot.conftest import NAME, until
from tests.bot.test_kill import Stage, _kill

stage = test_kill.stage
DELIVERIES = "/app/hook/deliveries"


@dataclass
class Receiver:
    """Where GitHub delivers to: it answers in turn with some statuses, the last of them for ever, and takes nothing in."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [503])
    heard: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.heard.append(request.headers["X-GitHub-Delivery"])
        return web.Response(status=self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/webhook", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        receiver.url = str(server.make_url("/webhook"))
        yield receiver


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets the sweep's time pass."""
    real, ahead = bot.sweep.time.time, [0.0]

    class _Time:
        @staticmethod
        def time() -> float:
            return real() + ahead[0]

    monkeypatch.setattr(bot.sweep, "time", _Time)

    def go(seconds: float) -> None:
        ahead[0] += seconds

    return go


@dataclass
class Sweeper:
    """Sweeps, one after the other, and what they ask for."""

    standin: StandIn
    jobs: Jobs
    github: GitHub

    def new(self) -> Sweep:
        """The sweep of another process."""
        return Sweep(Registered(self.github), self.jobs, 0.0)

    async def sweep(self) -> list[str]:
        """One whole sweep, and what GitHub then does. Returns the deliveries that were asked for."""
        await self.jobs.redis.delete(SWEEP_TURN)
        before = len(self.standin.calls)
        assert await self.new().once()
        await asyncio.gather(*self.standin.app.redelivering)
        return self.asked(before)

    def asked(self, since: int = 0) -> list[str]:
        guids = {str(known["id"]): known["guid"] for known in self.standin.app.deliveries}
        paths = [call.path for call in self.standin.calls[since:] if call.method == "POST"]
        return [guids[path.split("/")[4]] for path in paths]

    def listed(self) -> int:
        return len([call for call in self.standin.calls if call.method == "GET"])


@pytest.fixture
async def sweeper(standin: StandIn, jobs: Jobs, github: GitHub) -> Sweeper:
    return Sweeper(standin, jobs, github)


PAYLOAD = {"action": "opened", "installation": {"id": 7}}


async def _deliver(standin: StandIn, receiver: Receiver, *names: str) -> None:
    for name in names:
        await standin.deliver(receiver.url, "pull_request", PAYLOAD, name)


# What is missed.


async def _nothing(_jobs: Jobs, _event: PullEvent) -> None:
    pass


async def _pending(jobs: Jobs, event: PullEvent) -> None:
    await jobs.submit(event)


async def _finished(jobs: Jobs, event: PullEvent) -> None:
    await jobs.finished(event)


async def _buried(jobs: Jobs, event: PullEvent) -> None:
    await jobs.bury(event, "x")


async def _dropped(jobs: Jobs, event: PullEvent) -> None:
    await jobs.bury(event, "x")
    assert await jobs.unbury(event.delivery, retry=False)


ATTEMPTS: list[tuple[str, str | None, list[int], Callable[[Jobs, PullEvent], Awaitable[None]], bool]] = [
    ("pull_request", "opened", [503], _nothing, True),
    ("pull_request", "opened", [0], _nothing, True),
    ("pull_request", "opened", [401], _nothing, True),
    ("pull_request", "opened", [404], _nothing, True),
    ("pull_request", "opened", [302], _nothing, True),
    ("push", None, [502], _nothing, True),
    ("check_run", "rerequested", [503], _nothing, True),
    ("merge_group", "checks_requested", [503], _nothing, True),
    ("pull_request", "opened", [202], _nothing, True),
    ("pull_request", "opened", [202, 503], _nothing, True),
    ("pull_request", "opened", [202], _pending, False),
    ("pull_request", "opened", [202], _finished, False),
    ("pull_request", "opened", [202], _buried, False),
    ("pull_request", "opened", [202], _dropped, False),
    ("pull_request", "opened", [0], _pending, False),
    ("pull_request", "opened", [503, 202], _finished, False),
    ("pull_request", "opened", [202, 503], _finished, False),
    ("pull_request", "opened", [200], _nothing, False),
    ("pull_request", "opened", [503, 200], _nothing, False),
    ("pull_request", "opened", [400], _nothing, False),
    ("pull_request", "opened", [503, 400], _nothing, False),
    ("pull_request", "opened", [413], _nothing, False),
    ("pull_request", "labeled", [503], _nothing, False),
    ("check_run", "created", [503], _nothing, False),
    ("star", "created", [503], _nothing, False),
    ("ping", None, [503], _nothing, False),
]


@pytest.mark.parametrize(("event", "action", "codes", "stored", "missed"), ATTEMPTS)
async def test_what_is_missed_is_asked_for(
    sweeper: Sweeper,
    event: str,
    action: str | None,
    codes: list[int],
    stored: Callable[[Jobs, PullEvent], Awaitable[None]],
    *,
    missed: bool,
) -> None:
    await stored(sweeper.jobs, PullEvent(delivery="d-1", installation=7, repo=Repo(NAME), number=1, action="opened"))
    for code in codes:
        sweeper.standin.app.note_delivery(code, guid="d-1", event=event, action=action)
    assert await sweeper.sweep() == ["d-1"] * missed


def test_no_event_that_matters_is_left_out(examples: list[tuple[str, dict[str, Any]]]) -> None:
    seen = set()
    for name, payload in examples:
        try:
            made = parse(name, "d-1", bot.sweep.msgspec.json.encode({**payload, "installation": {"id": 1}}))
        except EventError:
            continue
        if made is not None:
            assert may_matter(name, payload.get("action")), (name, payload.get("action"))
            seen.add(name)
    assert len(seen) > 3
    assert not may_matter("pull_request", "labeled")
    assert not may_matter("star", "created")


async def test_what_is_asked_for_really_comes(standin: StandIn, sweeper: Sweeper, receiver: Receiver) -> None:
    receiver.answers = [503, 202]
    await _deliver(standin, receiver, "d-1")
    assert await sweeper.sweep() == ["d-1"]
    assert receiver.heard == ["d-1", "d-1"]
    newest = standin.app.deliveries[0]
    assert (newest["guid"], newest["redelivery"], newest["status_code"]) == ("d-1", True, 202)
    await sweeper.jobs.finished(PullEvent(delivery="d-1", installation=7, repo=Repo(NAME), number=1, action="opened"))
    assert await sweeper.sweep() == []
    assert await sweeper.jobs.redis.exists(MISSED) == 0


# How often.


@pytest.mark.parametrize("others_arrive", [False, True])
async def test_one_that_fails_for_ever_is_asked_for_less_and_less_and_then_no_more(
    sweeper: Sweeper, receiver: Receiver, clock: Callable[[float], None], *, others_arrive: bool
) -> None:
    await _deliver(sweeper.standin, receiver, "d-1")
    dues = [bot.sweep.time.time()]
    while True:
        if others_arrive:
            sweeper.standin.app.note_delivery(200, event="ping")
        if not await sweeper.sweep():
            break
        [stored] = await sweeper.jobs.redis.hvals(MISSED)
        dues.append(bot.sweep.msgspec.json.decode(stored, type=Missed).due)
        assert len(dues) > 4 or await sweeper.sweep() == [], "it waits for its time"
        clock(dues[-1] - bot.sweep.time.time())
    pauses = [after - before for before, after in itertools.pairwise(dues)]
    assert pauses[:4] == pytest.approx([FIRST_PAUSE * 2**asked for asked in range(4)], abs=20)
    assert max(pauses) <= MAX_PAUSE + 20
    assert len(pauses) <= MAX_ASKED
    assert len(receiver.heard) == len(pauses) + 1


def test_the_last_time_is_as_late_as_github_keeps_it() -> None:
    pauses = [min(FIRST_PAUSE * 2**asked, MAX_PAUSE) for asked in range(MAX_ASKED - 1)]
    assert KEPT * 0.8 < sum(pauses) < KEPT


async def test_while_nothing_arrives_one_at_a_time_is_a_probe_and_then_all_come(
    standin: StandIn, sweeper: Sweeper, receiver: Receiver
) -> None:
    names = [f"d-{number}" for number in range(6)]
    await _deliver(standin, receiver, *names)
    asked = [await sweeper.sweep() for _ in range(3)]
    assert [len(some) for some in asked] == [1, 1, 1]
    assert len({name for some in asked for name in some}) == 3, "each time another"
    standin.app.note_delivery(200, event="ping")
    receiver.answers = [202]
    assert sorted(await sweeper.sweep()) == names, "those that were asked for in vain, too"


async def test_no_sweep_asks_for_more_than_fits_between_two_looks(
    sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.sweep, "MAX_A_SWEEP", 2)
    for number in range(5):
        sweeper.standin.app.note_delivery(202, guid=f"d-{number}")
    assert [await sweeper.sweep() for _ in range(4)] == [["d-0", "d-1"], ["d-2", "d-3"], ["d-4"], []]


# How far back.


async def test_a_first_look_is_bounded_and_the_next_begin_where_it_ended(sweeper: Sweeper) -> None:
    app = sweeper.standin.app
    for age in (FIRST_LOOK + 60, FIRST_LOOK - 60):
        app.note_delivery(503, guid=f"{age:.0f}", age=age)
    for number in range(220):
        app.note_delivery(200, guid=f"d-{number}", age=OVERLAP + 600)
    app.note_delivery(200)
    assert await sweeper.sweep() == [f"{FIRST_LOOK - 60:.0f}"]
    assert sweeper.listed() == 3
    await sweeper.sweep()
    assert sweeper.listed() == 4


async def test_one_that_was_listed_late_is_seen(sweeper: Sweeper) -> None:
    sweeper.standin.app.note_delivery(200)
    await sweeper.sweep()
    sweeper.standin.app.note_delivery(502, guid="d-1", age=OVERLAP - 60)
    assert await sweeper.sweep() == ["d-1"]


# Who.


async def test_of_many_sweepers_one_sweeps(sweeper: Sweeper) -> None:
    sweeper.standin.app.note_delivery(503, guid="d-1")
    swept = await asyncio.gather(*(sweeper.new().once() for _ in range(5)))
    assert sum(swept) == 1
    assert sweeper.asked() == ["d-1"]
    assert not await sweeper.new().once(), "it is not time yet"
    assert 0 < await sweeper.jobs.redis.pttl(SWEEP_TURN) <= EVERY * 1000


async def test_one_that_was_thought_dead_asks_for_nothing_more(sweeper: Sweeper) -> None:
    for number in range(3):
        sweeper.standin.app.note_delivery(202, guid=f"d-{number}")
    taking: list[asyncio.Task[Any]] = []

    def overtaken(method: str, _path: str) -> None:
        if method == "POST":
            taking.append(asyncio.create_task(sweeper.jobs.redis.set(SWEEP_TURN, "another")))

    sweeper.standin.on_call = overtaken
    sweeper.standin.latency = 0.05
    assert await sweeper.sweep() == ["d-0"]
    assert await sweeper.jobs.redis.get(SWEEP_TURN) == b"another"


async def _heard(sweeper: Sweeper) -> bool:
    return bool(sweeper.asked())


async def test_another_process_goes_on_where_the_last_was_killed(sweeper: Sweeper) -> None:
    """It had noted what it was about to ask for, so that is not asked for twice at once; the rest is."""
    for number in range(3):
        sweeper.standin.app.note_delivery(202, guid=f"d-{number}")
    begun = asyncio.Event()
    sweeper.standin.on_call = lambda method, _: begun.set() if method == "POST" else None
    sweeper.standin.latency = 0.1
    dying = asyncio.create_task(sweeper.new().once())
    await begun.wait()
    dying.cancel()
    await asyncio.wait({dying})
    sweeper.standin.latency = 0.0
    await until(lambda: _heard(sweeper))
    assert await sweeper.jobs.redis.get(SWEPT) is None, "it has not come to the end"
    assert await sweeper.sweep() == ["d-1", "d-2"]
    assert await sweeper.sweep() == []


# A GitHub that cannot be asked.


@pytest.mark.parametrize(
    ("part", "status", "headers", "body", "rest"),
    [
        (f"GET {DELIVERIES}", 403, {"Retry-After": "300"}, "{}", 300),
        (f"GET {DELIVERIES}", 429, {"Retry-After": "1"}, "{}", EVERY),
        (f"GET {DELIVERIES}", 401, {}, "{}", REFUSED_WAIT),
        (f"GET {DELIVERIES}", 200, {}, '[{"id": "x"}]', EVERY),
        (f"POST {DELIVERIES}", 403, {"Retry-After": "300"}, "{}", 300),
    ],
)
async def test_it_comes_back_later(
    sweeper: Sweeper, *, part: str, status: int, headers: dict[str, str], body: str, rest: float
) -> None:
    sweeper.standin.app.note_delivery(503, guid="d-1")
    sweeper.standin.refuse_next(part, status, headers, body)
    try:
        await sweeper.new().once()
    except bot.sweep.msgspec.ValidationError:
        assert body != "{}"
    assert await sweeper.jobs.redis.pttl(SWEEP_TURN) == pytest.approx(rest * 1000, abs=3000)
    assert await sweeper.jobs.redis.get(SWEPT) is None
    assert await sweeper.sweep() == ["d-1"], "what was not done does not count"


@pytest.mark.slow
async def test_a_short_pause_that_github_asks_for_is_made_within_the_sweep(sweeper: Sweeper) -> None:
    for name in ("d-1", "d-2"):
        sweeper.standin.app.note_delivery(202, guid=name)
    sweeper.standin.refuse_next(f"POST {DELIVERIES}", 403, {"Retry-After": "1"})
    start = time.monotonic()
    assert await sweeper.sweep() == ["d-1", "d-2"], "the first is refused, and the second asked for all the same"
    assert time.monotonic() - start > 0.9
    assert await sweeper.sweep() == ["d-1"]


@pytest.mark.parametrize(("times", "rest"), [(2, 3), (3, 0)])
async def test_one_that_fails_keeps_no_other_waiting_but_three_in_a_row_do(
    sweeper: Sweeper, *, times: int, rest: int
) -> None:
    names = [f"d-{number}" for number in range(5)]
    for name in names:
        sweeper.standin.app.note_delivery(202, guid=name)
    sweeper.standin.refuse_next(f"POST {DELIVERIES}", 502, times=times)
    await sweeper.new().once()
    assert sum(call.method == "POST" and not call.refused for call in sweeper.standin.calls) == rest
    assert (await sweeper.jobs.redis.get(SWEPT) is None) == (rest == 0)


@pytest.mark.parametrize("body", ["{}", "", "<html>", "null"])
async def test_a_list_that_is_none_is_read_again(sweeper: Sweeper, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.registration.READ_RETRIES", (0.0, 0.0))
    sweeper.standin.app.note_delivery(503, guid="d-1")
    sweeper.standin.refuse_next(f"GET {DELIVERIES}", 200, body=body)
    assert await sweeper.sweep() == ["d-1"]


async def test_one_that_github_does_not_deliver_again_keeps_no_other_waiting(sweeper: Sweeper) -> None:
    for name in ("d-1", "d-2"):
        sweeper.standin.app.note_delivery(202, guid=name)
    sweeper.standin.refuse_next(f"POST {DELIVERIES}", 422, body='{"message": "Too old"}')
    assert await sweeper.sweep() == ["d-1", "d-2"]
    assert await sweeper.sweep() == []


async def test_a_store_that_is_away_ends_nothing(sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.sweep, "LOOK_EVERY", 0.01)
    over, looks = asyncio.Event(), 0

    async def away(self: Sweep) -> bool:
        nonlocal looks
        looks += 1
        if looks == 3:
            over.set()
        raise OSError(self)

    monkeypatch.setattr(Sweep, "once", away)
    await sweeper.new().run(over)
    assert looks == 3


async def test_whoever_stops_does_not_wait_for_a_slow_github(sweeper: Sweeper) -> None:
    sweeper.standin.latency = 3600.0
    over, begun = asyncio.Event(), asyncio.Event()
    sweeper.standin.on_call = lambda *_: begun.set()
    running = asyncio.create_task(sweeper.new().run(over))
    await begun.wait()
    over.set()
    async with asyncio.timeout(5):
        await running


# From one end to the other.


async def test_what_came_while_the_store_was_away_is_worked_on_when_it_is_back(
    standin: StandIn, settings: Settings, pull: PullState, repository: RepositoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.sweep, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(bot.sweep, "EVERY", 0.1)
    here = replace(settings, host="127.0.0.1", port=0)
    async with embedded(here.data_dir) as redis_url, listening(here, redis_url) as url, working(here, redis_url):
        jobs = Jobs(redis_url)
        pid = (await jobs.redis.info("server"))["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(bot.web, "STORE_TIMEOUT", 0.2)
                payload = standin.payload("opened", NAME, pull.number)
                assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 503
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: jobs.is_finished("d-1"))
        await jobs.close()
    assert [run["head_sha"] for run in repository.check_runs] == [pull.head]


async def test_what_was_lost_with_the_store_comes_again(
    standin: StandIn, settings: Settings, jobs: Jobs, valkey: str, pull: PullState
) -> None:
    here = replace(settings, host="127.0.0.1", port=0)
    async with listening(here, valkey) as url:
        payload = standin.payload("opened", NAME, pull.number)
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
        await jobs.redis.flushall()
        async with working(here, valkey):
            await until(lambda: jobs.is_finished("d-1"))
    assert [run["head_sha"] for run in standin.repositories[NAME.lower()].check_runs] == [pull.head]


@pytest.mark.slow
async def test_what_came_while_the_web_process_was_dead_is_worked_on(stage: Stage, pull: PullState) -> None:
    web_process = await stage.web()
    await _kill(web_process)
    payload = stage.github.payload("opened", NAME, pull.number)
    url = f"http://127.0.0.1:{stage.port}/webhook"
    assert await stage.github.deliver(url, "pull_request", payload, "the-delivery") == 0
    await stage.web()
    for _ in range(2):
        await stage.start("worker")
    await stage.until(stage.finished)
    assert [run["head_sha"] for run in stage.repository.check_runs] == [pull.head]
    attempts = [call for call in stage.github.calls if call.path.endswith("/attempts")]
    assert len(attempts) == 1


async def test_the_list_goes_on_by_links(standin: StandIn, github: GitHub) -> None:
    for _ in range(5):
        standin.app.note_delivery(202)
    headers = {"Authorization": f"Bearer {github.app_jwt()}", "X-GitHub-Api-Version": "2022-11-28"}
    async with aiohttp.ClientSession(headers=headers) as session:
        following, found = f"{standin.url}{DELIVERIES}?per_page=2", []
        while following:
            async with session.get(following) as answer:
                found += [known["id"] for known in await answer.json()]
                following = str(answer.links["next"]["url"]) if "next" in answer.links else ""
        async with session.get(f"{standin.url}{DELIVERIES}?cursor=v1_1") as answer:
            assert answer.status == 422
    assert found == [known["id"] for known in standin.app.deliveries]
    assert len(found) == 5
