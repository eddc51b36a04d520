"""Old and new processes side by side: what each version stored is read by every later one, and left alone by earlier ones.

`stored/N.jsonl` has what version N of the formats stores, and is never edited. Whoever adds a field or a kind of event
adds a file, which the last test asks for.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from bot import regressions
from bot.dashboard.records import Known, Past, Point
from bot.demo.github import PullState
from bot.events import AnyEvent, decode, encode
from bot.inbox import INBOX, PENDING
from bot.queue import Grave, Jobs
from bot.regressions import Entry, State
from bot.shadow import Record
from bot.sweep import Missed
from bot.talk import Talk, decode_talk
from bot.worker import work
from tests.bot.conftest import until
from tests.bot.line import LOST, Line
from tests.bot.test_queue import EVENT, _begun, _queued

VERSIONS = sorted((Path(__file__).parent / "stored").glob("*.jsonl"), key=lambda file: int(file.stem))
EVENTS = {kind.__name__: kind for kind in get_args(AnyEvent)}
OTHERS: dict[str, type[msgspec.Struct]] = {
    kind.__name__: kind for kind in (Talk, State, Entry, Record, Grave, Missed, Known, Point, Past)
}
READERS: dict[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(EVENTS, decode),
    "Talk": decode_talk,
    "State": regressions.decode,
    **{
        name: msgspec.json.Decoder(OTHERS[name], dec_hook=lambda kind, text: kind(text)).decode
        for name in ("Entry", "Grave", "Record", "Missed", "Known", "Point", "Past")
    },
}


def _samples(version: Path) -> list[tuple[str, dict[str, Any]]]:
    lines = [json.loads(line) for line in version.read_text().splitlines()]
    return [(line["of"], line["stored"]) for line in lines]


EVERY = [pytest.param(of, stored, id=f"{v.stem}-{of}") for v in VERSIONS for of, stored in _samples(v) if of in READERS]


@pytest.mark.parametrize(("of", "stored"), EVERY)
def test_what_was_stored_once_is_read_for_ever(of: str, stored: dict[str, Any]) -> None:
    found = READERS[of](json.dumps(stored).encode())
    assert type(found).__name__ == of
    again = json.loads(msgspec.json.encode(found, enc_hook=str))
    assert {name: again[name] for name in stored} == stored, "a part of it is lost"


@pytest.mark.parametrize(("of", "stored"), EVERY)
def test_what_a_newer_version_adds_is_ignored(of: str, stored: dict[str, Any]) -> None:
    newer = {**stored, "urgency": {"level": 3}}
    assert READERS[of](json.dumps(newer).encode()) == READERS[of](json.dumps(stored).encode())


@pytest.mark.parametrize("version", VERSIONS, ids=lambda file: file.stem)
def test_every_kind_of_event_is_among_the_samples(version: Path) -> None:
    assert {of for of, _ in _samples(version)} <= {*EVENTS, *OTHERS, "job"}, "a kind is read no more"


def test_the_newest_samples_have_every_field_of_today() -> None:
    known: dict[str, set[str]] = {}
    for version in VERSIONS:
        for of, stored in _samples(version):
            known.setdefault(of, set()).update(stored)
    for name, kind in {**EVENTS, **OTHERS}.items():
        assert {*kind.__struct_encode_fields__} <= known.get(name, set()), "add stored/N.jsonl with what is new"


# A newer process, and an older one, which is us.


def _newer(delivery: str) -> str:
    """An event of a kind that we do not know."""
    return json.dumps({"kind": "discussion", "delivery": delivery, "installation": 7, "topic": "x"})


async def test_an_event_of_a_newer_version_stays_and_keeps_no_other_waiting(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.inbox.MAX_IN_FLIGHT", 1)
    await jobs.redis.hset(PENDING, "newer", _newer("newer"))
    await jobs.redis.rpush(INBOX, "newer")
    await jobs.redis.zadd("wp:lane:7", {"newer": 1})
    await jobs.submit(EVENT)
    assert await _queued(jobs) == ["d-1"]
    assert await jobs.rescue() == 0
    assert await jobs.redis.hkeys(PENDING) == [b"newer", b"d-1"]
    job = await _begun(jobs)
    await jobs.finished(EVENT)
    await job.finish("complete")
    assert await jobs.redis.keys("wp:flight:*") == []


async def test_a_newer_process_finds_what_an_older_one_left(jobs: Jobs) -> None:
    """What the older one took off its lane is in none any more."""
    await jobs.redis.hset(PENDING, "d-1", encode(EVENT))
    assert await jobs.rescue() == 1
    assert await _queued(jobs) == ["d-1"]


async def test_a_job_of_a_newer_version_is_left_and_others_go_on(line: Line) -> None:
    redis, queue = line.jobs.redis, line.jobs.queue
    await redis.hset(PENDING, "newer", _newer("newer"))
    await redis.sadd("wp:flight:7", "newer")
    await queue.enqueue("work", key="newer", event=_newer("newer"), asked=1, urgency=3)

    async def is_left() -> bool:
        return not await redis.sismember("wp:flight:7", "newer") and not await queue.count("incomplete")

    await until(is_left)
    pull = await line.open(LOST)
    assert await line.send("opened", pull) == 202
    await until(lambda: _is_shown(line, pull))
    assert await redis.hkeys(PENDING) == [b"newer"]
    await redis.hdel(PENDING, "newer")


async def _is_shown(line: Line, pull: PullState) -> bool:
    return bool(line.ours(pull)) and await line.jobs.redis.hlen(PENDING) == 1


@pytest.mark.parametrize("stored", [s for v in VERSIONS for of, s in _samples(v) if of == "job"])
async def test_an_older_job_is_run(line: Line, stored: dict[str, Any]) -> None:
    event = decode(stored["event"])
    context = {"line": line, "job": type("Job", (), {"key": event.delivery})}
    await line.jobs.finished(event)
    assert await work(context, **stored) == "finished already"
    del stored["asked"]
    assert await work(context, **stored, urgency=3) == "finished already"
