"""What people told us as a value, and in the store."""

import asyncio
from dataclasses import replace

import pytest

from analyzer.model import Analysis, Finding, Level
from bot import queue
from bot.finding_ids import finding_id
from bot.ids import Login
from bot.queue import HOUR, MAX_TOLD, MAX_TOLD_BY_ONE, TALK_TTL, Jobs
from bot.talk import MAX_ACCEPTED, MAX_EXPLAINED, MAX_HEARD, MAX_TROUBLES, Talk, Word, decode_talk, encode_talk
from tests.bot.shapes import ACCEPTED, GAIN, LOSS, NOTE, STALE, WARNING, analysis

WORD = Word("octocat", 1, "it is meant", 9)
SUBJECT = "example/berth#1"


def _levels(known: Analysis) -> list[Level]:
    return [finding.level for finding in known.findings]


def test_what_is_accepted_is_a_note_with_who_and_why_and_the_verdict_follows() -> None:
    before = analysis(LOSS, GAIN, verdict="mixed")
    after = Talk().accepting([LOSS], WORD).settled(before)
    assert after.verdict == "improved"
    assert _levels(after) == [Level.IMPROVEMENT, Level.NOTE]
    accepted = after.findings[1].accepted
    assert accepted is not None
    assert (accepted.who, accepted.reason, accepted.place, accepted.new) == ("octocat", "it is meant", None, True)
    assert after.findings[1].message == f"{LOSS.message} Accepted by octocat: it is meant"


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"line": 99, "path": "volume/other_windows.go", "message": "Else."}, True),
        ({"level": Level.WARNING}, True),
        ({"rule": "stub-added"}, False),
        ({"symbol": "Store.Used"}, False),
        ({"package": "vol"}, False),
    ],
)
def test_an_acceptance_lasts_as_long_as_the_finding_is_the_same(change: dict[str, object], counts: bool) -> None:  # noqa: FBT001 - a table's column
    later = analysis(replace(LOSS, **change))
    assert (_levels(Talk().accepting([LOSS], WORD).settled(later)) == [Level.NOTE]) is counts


def test_a_finding_that_gets_worse_is_not_what_was_accepted() -> None:
    worse = replace(WARNING, level=Level.REGRESSION)
    talk = Talk().accepting([WARNING], WORD)
    assert _levels(talk.settled(analysis(worse))) == [Level.REGRESSION]
    assert _levels(talk.settled(analysis(worse, WARNING))) == [Level.REGRESSION, Level.WARNING]
    assert _levels(Talk().accepting([WARNING, worse], WORD).settled(analysis(worse, WARNING))) == [Level.NOTE] * 2


@pytest.mark.parametrize("finding", [GAIN, NOTE, ACCEPTED, STALE])
def test_only_losses_are_accepted(finding: Finding) -> None:
    known = analysis(finding)
    assert Talk().accepting([finding], WORD).settled(known) == known


def test_what_is_kept_is_bounded() -> None:
    talk = Talk().accepting((replace(LOSS, symbol=f"F{n}") for n in range(MAX_ACCEPTED + 5)), WORD)
    assert len(talk.accepted) == MAX_ACCEPTED
    for number in range(MAX_HEARD + 5):
        talk = talk.answered(str(number), "done").troubled(WORD).explaining([str(number)])
    assert (len(talk.heard), len(talk.troubles), len(talk.explain)) == (MAX_HEARD, MAX_TROUBLES, MAX_EXPLAINED)
    assert list(talk.heard)[-1] == str(MAX_HEARD + 4), "the newest are kept"


def test_a_talk_comes_back_as_it_was_stored() -> None:
    talk = Talk().accepting([LOSS], WORD).troubled(WORD).answered("1", "done").explaining(["*"])
    assert decode_talk(encode_talk(talk)) == talk


@pytest.mark.parametrize("kept", [None, b"", b"x", b"[]", b'{"accepted":[]}', b"\xff"])
def test_what_is_no_talk_is_an_empty_one(kept: bytes | None) -> None:
    assert decode_talk(kept) == Talk()


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert decode_talk(b'{"help":true,"colour":"red"}') == Talk(help=True)


# In the store.


async def test_changes_at_the_same_time_are_all_there(jobs: Jobs) -> None:
    def explain(name: str) -> None:
        return jobs.change_talk(SUBJECT, lambda talk: talk.explaining([name]))  # type: ignore[return-value]

    await asyncio.gather(*(explain(str(number)) for number in range(20)))
    assert sorted((await jobs.talk(SUBJECT)).explain, key=int) == [str(number) for number in range(20)]


async def test_a_talk_lives_for_a_year_from_its_last_use(jobs: Jobs) -> None:
    await jobs.change_talk(SUBJECT, lambda talk: talk.accepting([LOSS], WORD))
    key = f"wp:on:{SUBJECT}:talk"
    assert await jobs.redis.ttl(key) == TALK_TTL
    await jobs.redis.expire(key, 5)
    assert set((await jobs.talk(SUBJECT)).accepted) == {finding_id(LOSS)}
    assert await jobs.redis.ttl(key) == TALK_TTL


async def test_so_many_of_one_person_and_so_many_of_all_are_taken(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue.time, "time", lambda: 1_000.0 * HOUR)
    taken = [
        (user, await jobs.admit(SUBJECT, Login(user), f"{user}{number}"))
        for user in ("a", "A", "b", "c", "d")
        for number in range(MAX_TOLD_BY_ONE + 2)
    ]
    counts = {user: sum(fine for who, fine in taken if who == user) for user, _ in taken}
    assert counts == {"a": MAX_TOLD_BY_ONE, "A": 0, "b": MAX_TOLD_BY_ONE, "c": MAX_TOLD_BY_ONE, "d": 0}
    assert sum(counts.values()) == MAX_TOLD
    assert await jobs.admit(SUBJECT, Login("a"), "a0"), "one that runs again is no other one"
    assert await jobs.admit("example/berth#2", Login("a"), "a99"), "another pull request"
    monkeypatch.setattr(queue.time, "time", lambda: 1_001.0 * HOUR)
    assert await jobs.admit(SUBJECT, Login("a"), "a99"), "another hour"
