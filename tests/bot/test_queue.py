"""Jobs in a real Valkey: none is lost, none runs twice at once, and the newest head wins."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import chain
from typing import Any

import pytest
from msgspec.structs import replace
from redis.exceptions import RedisError
from saq import Job
from saq.utils import now
from structlog.testing import capture_logs

from bot import inbox, queue
from bot.engine import BEATS
from bot.events import AnyEvent, GroupEvent, PullEvent, PushEvent, decode, encode
from bot.hold import Hold, SupersededError, TakenError
from bot.ids import Repo, Sha
from bot.inbox import PENDING
from bot.queue import QUEUE, Jobs, later
from tests.bot.conftest import until

EVENT = PullEvent(delivery="d-1", installation=7, repo=Repo("example/berth"), number=1, action="opened")
SECOND = replace(EVENT, delivery="d-2", action="synchronize")
LOCK = "wp:on:example/berth#1:lock"


@pytest.fixture
async def elsewhere(valkey: str, jobs: Jobs) -> AsyncIterator[Jobs]:
    """The queue as another process sees it."""
    assert jobs is not None
    other = Jobs(valkey)
    yield other
    await other.close()


async def _submit(jobs: Jobs, event: AnyEvent) -> bool:
    """Take an event in, and let a worker line it up."""
    accepted = await jobs.submit(event)
    await jobs.dispatch()
    return accepted


async def _begun(jobs: Jobs) -> Job:
    """The next job, as a worker begins it."""
    await jobs.dispatch()
    job = await jobs.queue.dequeue(timeout=1)
    assert job is not None
    job.attempts += 1
    job.started = now()
    await job.update(status="active")
    return job


async def _ended(jobs: Jobs, event: PullEvent) -> None:
    """One job from start to end."""
    job = await _begun(jobs)
    assert job.key == event.delivery
    await jobs.finished(event)
    await job.finish("complete")


async def _queued(jobs: Jobs) -> list[str]:
    await jobs.dispatch()
    return [jobs.queue.job_key_from_id(name.decode()) for name in await jobs.redis.lrange(f"saq:{QUEUE}:queued", 0, -1)]


async def _pending(jobs: Jobs) -> set[str]:
    return {name.decode() for name in await jobs.redis.hkeys(PENDING)}


async def _asked(jobs: Jobs) -> int:
    return int(await jobs.redis.get("wp:on:example/berth#1:asked") or 0)


# Accepting.


async def test_an_accepted_event_is_a_job_and_is_kept(jobs: Jobs, elsewhere: Jobs) -> None:
    assert await _submit(jobs, EVENT)
    assert await _queued(elsewhere) == ["d-1"]
    assert await _pending(elsewhere) == {"d-1"}
    job = await elsewhere.queue.job("d-1")
    assert job is not None
    assert job.kwargs is not None
    assert (decode(job.kwargs["event"]), job.kwargs["asked"]) == (EVENT, 1)


async def test_a_job_survives_a_killed_worker(jobs: Jobs) -> None:
    # With the engine's defaults a job whose worker was killed is not run again.
    await _submit(jobs, EVENT)
    await _submit(jobs, SECOND)
    job, other = await _begun(jobs), await _begun(jobs)
    assert await _swept(jobs) == [], "it was taken off the queue this instant, and has not said anything yet"
    await jobs.redis.zadd(BEATS, {job.id: 1})
    await jobs.queue.beat(other)
    assert await _swept(jobs) == [job.id]
    assert await _queued(jobs) == ["d-1"]
    assert await _swept(jobs) == []


async def _swept(jobs: Jobs) -> list[str]:
    await jobs.redis.delete(f"saq:{QUEUE}:sweep")
    return await jobs.queue.sweep()


async def test_of_many_workers_one_sweeps_at_a_time(jobs: Jobs, elsewhere: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    await jobs.redis.zadd(BEATS, {job.id: 1})
    swept = await asyncio.gather(*((jobs, elsewhere)[i % 2].queue.sweep() for i in range(10)))
    assert [*chain(*swept)] == [job.id]


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
async def test_a_machine_whose_clock_is_wrong_takes_no_job_away_and_no_turn(
    jobs: Jobs, elsewhere: Jobs, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    monkeypatch.setattr(inbox, "MAX_IN_FLIGHT", 1)
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    await jobs.queue.beat(job)
    await _submit(jobs, SECOND)
    there = time.time() + skew
    monkeypatch.setattr(time, "time", lambda: there)
    await _submit(elsewhere, replace(EVENT, delivery="d-3"))
    assert await _swept(elsewhere) == []
    later(job, there + 60)
    await job.retry("GitHub is busy")
    assert await elsewhere.queue.schedule() == [], "an hour early"
    monkeypatch.undo()
    due = await jobs.redis.zscore(f"saq:{QUEUE}:incomplete", job.id)
    assert due == pytest.approx(time.time() + 60, abs=5)
    assert await jobs.redis.zrange(inbox.lane("7"), 0, -1) == [b"d-2", b"d-3"]


async def test_what_a_process_that_slept_says_of_its_job_does_not_count(jobs: Jobs, elsewhere: Jobs) -> None:
    await _submit(jobs, EVENT)
    slept = await _begun(jobs)
    await jobs.redis.zadd(BEATS, {slept.id: 1})
    assert await _swept(elsewhere) == [slept.id]
    runs = await _begun(elsewhere)
    await elsewhere.queue.beat(runs)
    await slept.finish("complete")
    await slept.retry("it failed")
    assert await jobs.redis.lrange(f"saq:{QUEUE}:active", 0, -1) == [runs.id.encode()]
    assert await _queued(jobs) == []
    await runs.finish("complete")
    assert await jobs.redis.keys(BEATS) == []


async def test_a_queue_that_drains_gives_back_what_it_is_given(jobs: Jobs, elsewhere: Jobs) -> None:
    waiting = asyncio.create_task(jobs.queue.dequeue(timeout=5))
    while not (await elsewhere.redis.info("clients"))["blocked_clients"]:  # noqa: ASYNC110 - another connection waits
        await asyncio.sleep(0.005)
    jobs.queue.draining.set()
    await elsewhere.submit(EVENT)
    await elsewhere.dispatch()
    assert await waiting is None
    assert await jobs.queue.dequeue(timeout=5) is None
    assert await _queued(elsewhere) == ["d-1"]
    assert await elsewhere.redis.llen(f"saq:{QUEUE}:active") == 0


async def test_a_delivery_that_waits_or_runs_is_known(jobs: Jobs, elsewhere: Jobs) -> None:
    await _submit(jobs, EVENT)
    assert not await _submit(elsewhere, EVENT)
    await _begun(jobs)
    assert not await _submit(elsewhere, EVENT)
    assert await _queued(jobs) == []
    assert await _asked(jobs) == 1, "a delivery that came twice asks for a second run"


async def test_of_a_hundred_at_once_one_is_accepted(jobs: Jobs, elsewhere: Jobs) -> None:
    accepted = await asyncio.gather(*((jobs, elsewhere)[i % 2].submit(EVENT) for i in range(100)))
    assert sum(accepted) == 1
    assert await _queued(jobs) == ["d-1"]


async def test_a_delivery_that_went_well_never_runs_again(jobs: Jobs, elsewhere: Jobs) -> None:
    await _submit(jobs, EVENT)
    await _ended(jobs, EVENT)
    assert await elsewhere.is_finished("d-1")
    assert not await _submit(elsewhere, EVENT)
    assert await _queued(jobs) == []
    assert await _pending(jobs) == set()


async def test_a_finished_delivery_is_remembered_as_long_as_github_can_send_it_again(jobs: Jobs) -> None:
    await jobs.finished(EVENT)
    assert 3 * 24 * 3600 - 60 < await jobs.redis.ttl("wp:delivery:d-1") <= 3 * 24 * 3600


async def test_a_delivery_that_was_given_up_may_come_again(jobs: Jobs, elsewhere: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    assert [await jobs.begin(EVENT), await elsewhere.begin(EVENT)] == [1, 2]
    await jobs.bury(EVENT, "it cannot be done")
    await job.finish("complete")
    assert await _pending(jobs) == set()
    [(name, grave)] = await elsewhere.buried()
    assert (name, grave.why, decode(grave.event)) == ("d-1", "it cannot be done", EVENT)
    assert await jobs.rescue() == 0, "what is buried is not put back by itself"
    assert await _submit(jobs, EVENT)
    assert await _queued(jobs) == ["d-1"]
    assert await jobs.begin(EVENT) == 1


@pytest.mark.parametrize("retry", [True, False])
async def test_a_grave_is_opened_once(jobs: Jobs, retry: bool) -> None:  # noqa: FBT001 - a table's column
    await jobs.bury(EVENT, "x" * 1000)
    assert await jobs.unbury("d-1", retry=retry)
    assert not await jobs.unbury("d-1", retry=retry)
    assert await _queued(jobs) == ["d-1"] * retry
    assert await jobs.buried() == []


async def test_of_many_graves_the_newest_are_kept(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_BURIED", 3)
    for number in range(5):
        await jobs.bury(replace(EVENT, delivery=f"d-{number}"), "")
    assert [name for name, _ in await jobs.buried()] == ["d-2", "d-3", "d-4"]


async def test_an_event_of_the_largest_numbers_is_kept_as_it_is(jobs: Jobs) -> None:
    event = PullEvent(
        delivery="x" * 100,
        installation=2**63 - 1,
        repo=Repo(f"{'o' * 39}/{'n' * 100}"),
        number=2**63 - 1,
        action="an action\n\u2028",
    )
    await _submit(jobs, event)
    job = await _begun(jobs)
    assert job.kwargs is not None
    assert decode(job.kwargs["event"]) == event


# Holding.


async def test_a_hold_excludes_other_jobs_of_its_pull_request_only(jobs: Jobs, elsewhere: Jobs) -> None:
    await _submit(jobs, EVENT)
    await _submit(jobs, SECOND)
    third = replace(EVENT, delivery="d-3", number=2)
    await _submit(jobs, third)
    first, second, other = [await _begun(jobs) for _ in range(3)]
    async with jobs.hold(EVENT, first) as hold, elsewhere.hold(SECOND, second) as refused:
        assert isinstance(hold, Hold)
        assert refused is None
        await hold.check()
        async with elsewhere.hold(third, other) as free:
            assert free is not None
    async with elsewhere.hold(SECOND, second) as later_on:
        assert later_on is not None


async def test_of_twenty_jobs_at_once_one_holds(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_IN_FLIGHT", 20)
    events = [replace(EVENT, delivery=f"d-{i}") for i in range(20)]
    for event in events:
        await _submit(jobs, event)
    begun = [await _begun(jobs) for _ in events]
    held: list[str] = []
    over = asyncio.Event()

    async def work(event: PullEvent, job: Job) -> None:
        async with jobs.hold(event, job) as hold:
            if hold is not None:
                held.append(event.delivery)
                await over.wait()
            elif len(held) == 1:
                refused.append(event.delivery)
                if len(refused) == len(events) - 1:
                    over.set()

    refused: list[str] = []
    async with asyncio.timeout(5):
        await asyncio.gather(*(work(event, job) for event, job in zip(events, begun, strict=True)))
    assert (len(held), len(refused)) == (1, 19)


@pytest.fixture
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is renewed by itself."""
    monkeypatch.setattr(queue, "BEAT_EVERY", 60)


async def _dies(jobs: Jobs) -> None:
    """The lock's time is over, as when its holder is killed or sleeps."""
    await jobs.redis.hset(LOCK, "until", "1")


@pytest.mark.usefixtures("_still")
async def test_a_job_takes_what_it_held_when_it_was_killed_and_not_before(jobs: Jobs, elsewhere: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    async with jobs.hold(EVENT, job) as before:
        assert before is not None
        with pytest.raises(TakenError):
            async with elsewhere.hold(EVENT, job):
                pass
        await before.check()
        await _dies(jobs)
        async with elsewhere.hold(EVENT, job) as after:
            assert after is not None
            await after.check()
            with pytest.raises(TakenError):
                await before.check()
            with pytest.raises(TakenError):
                await after_a_while(before).sure()
            assert not await before.drop()
            await after.check()


def after_a_while(hold: Hold) -> Hold:
    """What the store said last is old."""
    hold._sure_until = 0.0
    return hold


@pytest.mark.usefixtures("_still")
async def test_who_slept_writes_nothing_over_what_is_stored_of_a_branch(jobs: Jobs, elsewhere: Jobs) -> None:
    tip = Sha("1" * 40)
    common = {"installation": 7, "repo": Repo("example/berth"), "branch": "main", "default": True}
    first, second = [PushEvent(delivery=f"d-{i}", before=None, after=tip, **common) for i in (1, 2)]  # type: ignore[arg-type]
    for event in (first, second):
        await _submit(jobs, event)
    begun = [await _begun(jobs), await _begun(jobs)]
    async with jobs.hold(first, begun[0]) as slept:
        assert slept is not None
        await jobs.save_branch(first, slept, b"first")
        await jobs.redis.hset(slept.key, "until", "1")
        async with elsewhere.hold(second, begun[1]) as hold:
            assert hold is not None
            await elsewhere.save_branch(second, hold, b"second")
        with pytest.raises(TakenError):
            await jobs.save_branch(first, slept, b"first again")
    assert (await jobs.branch(first))[0] == b"second"


@pytest.mark.usefixtures("_still")
async def test_who_slept_while_nobody_came_goes_on(jobs: Jobs, elsewhere: Jobs) -> None:
    await _submit(jobs, EVENT)
    await _submit(jobs, SECOND)
    first, second = await _begun(jobs), await _begun(jobs)
    async with jobs.hold(EVENT, first) as hold:
        assert hold is not None
        await _dies(jobs)
        await after_a_while(hold).sure()
        async with elsewhere.hold(SECOND, second) as refused:
            assert refused is None
    assert await jobs.redis.keys(LOCK) == []


@pytest.mark.usefixtures("_still")
@pytest.mark.parametrize("written", [False, True])
async def test_who_may_have_written_too_late_asks_for_another_look(jobs: Jobs, elsewhere: Jobs, written: bool) -> None:  # noqa: FBT001 - a table's column
    await _submit(jobs, EVENT)
    await _submit(jobs, SECOND)
    first, second = await _begun(jobs), await _begun(jobs)
    async with jobs.hold(EVENT, first) as slept:
        assert slept is not None
        if written:
            await slept.check()
        await _dies(jobs)
        async with elsewhere.hold(SECOND, second) as hold:
            assert hold is not None
            await jobs.note_answered(SECOND, hold)
    more = await _queued(jobs)
    assert len(more) == written
    for name in more:
        job = await _begun(jobs)
        assert (job.key, job.key.partition("+")[0]) == (name, "d-1")
        assert job.kwargs is not None
        assert not await jobs.answered(decode(job.kwargs["event"]), job.kwargs["asked"])


@pytest.mark.parametrize("other", ["d-1:", "d-1:x", "d", "d-", "d-12", "d-1+0123abcd"])
async def test_no_job_takes_the_hold_of_one_with_a_name_like_its_own(jobs: Jobs, other: str) -> None:
    for holder, taker in ((EVENT.delivery, other), (other, EVENT.delivery)):
        held, late = replace(EVENT, delivery=holder), replace(EVENT, delivery=taker)
        await jobs.redis.flushall()
        await _submit(jobs, held)
        await _submit(jobs, late)
        first, second = await _begun(jobs), await _begun(jobs)
        async with jobs.hold(held, first) as hold, jobs.hold(late, second) as refused:
            assert hold is not None
            assert refused is None


async def test_a_hold_ends_by_itself_and_then_nothing_more_is_written(
    jobs: Jobs, elsewhere: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.hold.LOCK_TTL_MS", 30)
    monkeypatch.setattr(queue, "BEAT_EVERY", 60)  # the holder hangs
    await _submit(jobs, EVENT)
    await _submit(jobs, SECOND)
    first, second = await _begun(jobs), await _begun(jobs)
    async with jobs.hold(EVENT, first) as lost:
        assert lost is not None
        await asyncio.sleep(0.05)
        monkeypatch.setattr("bot.hold.LOCK_TTL_MS", 20_000)
        async with elsewhere.hold(SECOND, second) as taken:
            assert taken is not None
            with pytest.raises(SupersededError):
                await lost.check()
            await lost.drop()
            await taken.check()


async def _is_renewed(jobs: Jobs, job: Job) -> bool:
    """Whether the lock and the job's beat are in the future again."""
    until, beat = await jobs.redis.hget(LOCK, "until"), await jobs.redis.zscore(BEATS, job.id)
    return int(until or 0) > 1 and (beat or 0) > 1


async def test_a_hold_and_its_job_are_kept_alive(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "BEAT_EVERY", 0.01)
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    async with jobs.hold(EVENT, job) as hold:
        assert hold is not None
        for _ in range(3):
            await _dies(jobs)
            await jobs.redis.zadd(BEATS, {job.id: 1})
            await until(lambda: _is_renewed(jobs, job))
    await jobs.redis.zadd(BEATS, {job.id: 1})
    async with jobs.alive(job):
        await until(lambda: _beats(jobs, job))


async def _beats(jobs: Jobs, job: Job) -> bool:
    return (await jobs.redis.zscore(BEATS, job.id) or 0) > 1


async def test_a_store_that_fails_for_a_moment_does_not_end_the_beat(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "BEAT_EVERY", 0.01)
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    async with jobs.hold(EVENT, job) as hold:
        assert hold is not None
        await jobs.redis.config_resetstat()
        await jobs.redis.config_set("maxmemory", 1)  # every write is refused

        async def was_refused() -> bool:
            return bool((await jobs.redis.info("stats"))["total_error_replies"])

        await until(was_refused)
        await jobs.redis.config_set("maxmemory", 0)
        await _dies(jobs)
        await until(lambda: _is_renewed(jobs, job))


async def test_a_hold_is_let_go_when_its_job_fails(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    with suppress(ZeroDivisionError):
        async with jobs.hold(EVENT, job):
            _ = 1 / 0
    assert not await jobs.redis.exists(LOCK)


# The newest head wins.


async def test_what_is_published_answers_every_event_up_to_the_beginning_of_its_job(jobs: Jobs) -> None:
    for event in (EVENT, SECOND):
        await _submit(jobs, event)
    first, second = await _begun(jobs), await _begun(jobs)
    assert not await jobs.answered(EVENT, 1)
    async with jobs.hold(EVENT, first) as hold:
        assert hold is not None
        await jobs.note_answered(EVENT, hold)
    assert await jobs.answered(EVENT, 1)
    assert second.kwargs is not None
    assert await jobs.answered(SECOND, second.kwargs["asked"])
    assert not await jobs.answered(replace(EVENT, number=2), 1)
    assert await _queued(jobs) == [], "a second run for what is answered"


async def test_an_event_that_came_meanwhile_is_answered_by_one_more_job(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    first = await _begun(jobs)
    async with jobs.hold(EVENT, first) as hold:
        assert hold is not None
        for late in (SECOND, replace(SECOND, delivery="d-3")):
            await _submit(jobs, late)
            job = await _begun(jobs)
            async with jobs.hold(late, job) as refused:
                assert refused is None
            await jobs.finished(late)
            await job.finish("complete")
        await jobs.note_answered(EVENT, hold)
        await jobs.finished(EVENT)
    [name] = await _queued(jobs)
    assert name.startswith("d-1+")
    one_more = await _begun(jobs)
    assert one_more.kwargs is not None
    again = decode(one_more.kwargs["event"])
    assert again == replace(EVENT, delivery=name)
    assert not await jobs.answered(again, one_more.kwargs["asked"])
    async with jobs.hold(again, one_more) as hold:
        assert hold is not None
        await jobs.note_answered(again, hold)
    assert await jobs.answered(again, 4)


async def test_one_more_job_does_not_ask_for_a_new_run_once_more(jobs: Jobs) -> None:
    sha = Sha("1" * 40)
    group = GroupEvent(delivery="d-1", installation=7, repo=Repo("example/berth"), head=sha, base=sha, again=True)
    await _submit(jobs, group)
    async with jobs.hold(group, await _begun(jobs)) as hold:
        assert hold is not None
        assert hold.again == 1
        await _submit(jobs, replace(group, delivery="d-2", again=False))
        await jobs.note_answered(group, hold)
        await jobs.finished(group)
    for _ in range(2):
        job = await _begun(jobs)
    assert job.kwargs is not None
    more = decode(job.kwargs["event"])
    assert isinstance(more, GroupEvent)
    async with jobs.hold(more, job) as hold:
        assert hold is not None
        assert hold.again == 0


async def test_one_more_job_is_not_lost_either(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    async with jobs.hold(EVENT, job):
        await _submit(jobs, SECOND)
        await _ended(jobs, SECOND)
        await jobs.finished(EVENT)
    await job.finish("complete")
    [name] = await _queued(jobs)
    assert await _pending(jobs) == {name}
    await jobs.redis.delete(f"saq:{QUEUE}:queued", f"saq:{QUEUE}:incomplete")
    assert await jobs.rescue() == 1
    assert await _queued(jobs) == [name]


async def test_a_job_that_was_killed_before_it_asked_for_one_more_does_the_work_itself(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    hold = Hold(jobs.redis, EVENT.subject, "killed", 1)
    await _submit(jobs, SECOND)
    await _ended(jobs, SECOND)
    await jobs.note_answered(EVENT, hold)
    assert job.kwargs is not None
    assert not await jobs.answered(EVENT, job.kwargs["asked"])


async def test_what_a_pull_request_leaves_behind_goes_the_count_last(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    async with jobs.hold(EVENT, await _begun(jobs)) as hold:
        assert hold is not None
        await jobs.note_answered(EVENT, hold)
    asked, done = [await jobs.redis.ttl(f"wp:on:example/berth#1:{what}") for what in ("asked", "done")]
    assert 0 < done < asked - 24 * 3600, "a new count would look answered by the old one"


# Coming in.


async def test_events_that_come_together_are_stored_together(jobs: Jobs) -> None:
    await jobs.redis.config_resetstat()
    with capture_logs() as logs:
        accepted = await asyncio.gather(*(jobs.submit(replace(EVENT, delivery=f"d-{i % 40}")) for i in range(50)))
    assert sum(accepted) == 40
    told = " ".join(line["delivery"] for line in logs if line["event"] == "accepted").split()
    assert sorted(told) == sorted(f"d-{i}" for i in range(40)), "each is told once"
    stats: Any = await jobs.redis.info("commandstats")
    assert sum(stats[name]["calls"] for name in ("cmdstat_eval", "cmdstat_evalsha") if name in stats) <= 4
    assert await jobs.dispatch() == 40


async def test_what_is_too_much_is_not_taken_and_what_is_known_still_is(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_PENDING", 2)
    assert await jobs.submit(EVENT)
    assert await jobs.submit(SECOND)
    with pytest.raises(inbox.FullError):
        await jobs.submit(replace(EVENT, delivery="d-3"))
    assert not await jobs.submit(EVENT)
    await jobs.finished(EVENT)
    assert await jobs.submit(replace(EVENT, delivery="d-3"))


async def test_a_busy_installation_does_not_keep_others_waiting(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_IN_FLIGHT", 2)
    busy = [replace(EVENT, delivery=f"busy-{i}", number=i + 1) for i in range(10)]
    for event in busy:
        await jobs.submit(event)
    await jobs.submit(replace(EVENT, delivery="other", installation=8))
    assert await _queued(jobs) == ["busy-0", "busy-1", "other"]
    await _ended(jobs, busy[0])
    assert await _queued(jobs) == ["busy-1", "other", "busy-2"]
    assert await _pending(jobs) == {*(event.delivery for event in busy[1:]), "other"}


async def test_every_event_of_a_long_lane_has_its_turn(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_IN_FLIGHT", 2)
    events = [replace(EVENT, delivery=f"d-{i:02}", number=i + 1) for i in range(9)]
    for event in events:
        await jobs.submit(event)
    for event in events:
        await _ended(jobs, event)
    assert await jobs.waiting() == inbox.Waiting(0, 0, 0, 0, 0.0)
    assert await jobs.redis.keys("wp:flight:*") == await jobs.redis.keys("wp:lane:*") == []


@pytest.mark.parametrize("lost", ["inbox", "lane", "flight"])
async def test_an_event_is_put_back_wherever_it_was_lost(jobs: Jobs, lost: str) -> None:
    await jobs.submit(EVENT)
    await jobs.redis.delete(inbox.INBOX)
    if lost == "lane":
        await jobs.redis.zadd(inbox.lane(7), {"d-1": 1})
    if lost == "flight":
        await jobs.redis.sadd(inbox.flight(7), "d-1")
    assert await jobs.rescue() == 1
    assert await _queued(jobs) == ["d-1"]
    await _ended(jobs, EVENT)
    assert await jobs.redis.keys("wp:flight:*") == []


async def test_what_is_lined_up_twice_leaves_nothing_behind(jobs: Jobs) -> None:
    await jobs.submit(EVENT)
    await jobs.rescue()
    await _ended(jobs, EVENT)
    await jobs.dispatch()
    assert await _queued(jobs) == []
    assert await jobs.redis.keys("wp:flight:*") == []


async def test_a_store_that_is_away_is_an_error_for_all_who_wait_for_it(jobs: Jobs) -> None:
    await jobs.redis.config_set("maxmemory", 1)
    try:
        answers = await asyncio.gather(
            *(jobs.submit(replace(EVENT, delivery=f"d-{i}")) for i in range(5)), return_exceptions=True
        )
    finally:
        await jobs.redis.config_set("maxmemory", 0)
    assert all(isinstance(answer, RedisError) for answer in answers)
    assert await jobs.submit(EVENT), "and then it works again"


# What the engine loses.


async def test_what_is_in_no_queue_is_put_back_exactly_once(jobs: Jobs, elsewhere: Jobs) -> None:
    for event in (EVENT, SECOND):
        await _submit(jobs, event)
    assert await jobs.rescue() == 0
    job = await _begun(jobs)
    await jobs.queue.abort(job, "a sweeper that is killed in the middle")
    await jobs.redis.delete(job.abort_id)
    counts = await asyncio.gather(*((jobs, elsewhere)[i % 2].rescue() for i in range(10)))
    assert sum(counts) == 1
    assert sorted(await _queued(jobs)) == ["d-1", "d-2"]
    again = await jobs.queue.job("d-1")
    assert again is not None
    assert again.kwargs is not None
    assert decode(again.kwargs["event"]) == EVENT


async def test_an_event_that_was_stored_and_never_queued_is_put_back(jobs: Jobs) -> None:
    await jobs.redis.hset(PENDING, "d-9", encode(replace(EVENT, delivery="d-9")))
    assert await jobs.rescue() == 1
    assert await _queued(jobs) == ["d-9"]


async def test_what_is_under_way_or_waits_for_its_time_is_not_put_back(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    await _submit(jobs, SECOND)
    await _begun(jobs)
    waiting = await _begun(jobs)
    later(waiting, time.time() + 60)
    await waiting.retry("GitHub is busy")
    assert await jobs.rescue() == 0
    assert await _queued(jobs) == []


# Coming back later.


async def test_coming_back_later_is_no_failure(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    for _ in range(3 * queue.MAX_TRIES):
        job = await _begun(jobs)
        assert await jobs.begin(EVENT) == 1
        until = time.time() + 60
        await jobs.forgive(EVENT)
        later(job, until)
        assert job.retryable
        await job.retry("GitHub is busy")
        due = await jobs.redis.zscore(f"saq:{QUEUE}:incomplete", job.id)
        assert due == pytest.approx(until, abs=2)
        await jobs.redis.zadd(f"saq:{QUEUE}:incomplete", {job.id: 1})
        assert await jobs.queue.schedule() == [job.id]
        await jobs.redis.delete(f"saq:{QUEUE}:schedule")


async def test_a_time_that_has_passed_means_soon(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    later(job, time.time() - 1000)
    assert 0 < job.next_retry_delay() <= 1


async def test_a_failure_after_a_pause_is_tried_again_as_soon_as_any(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    later(job, time.time() + 3000)
    async with jobs.hold(EVENT, job):
        pass
    assert job.next_retry_delay() < 60


async def test_after_many_pauses_a_failure_is_still_tried_again_soon(jobs: Jobs) -> None:
    await _submit(jobs, EVENT)
    job = await _begun(jobs)
    job.attempts = 500
    assert job.retryable
    assert job.next_retry_delay() <= queue.MAX_RETRY_DELAY
