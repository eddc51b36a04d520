"""Shadow mode: everything is looked at, what would be shown is recorded, and GitHub sees no write."""

import pytest

import bot.shadow
from bot.ids import Repo
from bot.shadow import Record, records
from tests.bot.line import HARMLESS, LOST, LOST_MORE, MIXED, NAME, Line

SHADOW = "shadow: true\n"


async def _records(line: Line) -> list[Record]:
    return await records(line.jobs.redis, Repo(NAME))


async def test_what_would_be_shown_is_recorded_and_nothing_written(line: Line) -> None:
    await line.set_up(SHADOW + "labels: true\nowners: true\n", CODEOWNERS="* @octo-org/all\n")
    pull = await line.open(MIXED)
    await line.hear("opened", pull)
    assert line.writes == []
    [record] = await _records(line)
    assert (record.number, record.base, record.head) == (1, line.fork_point, pull.head)
    assert (record.verdict, record.conclusion, record.complete) == ("mixed", "failure", True)
    assert [(said.rule, said.path, said.symbol) for said in record.findings] == [
        ("implementation-lost", "vol/free_windows.go", "Free"),
        ("stub-resolved", "run/run_windows.go", "Free"),
    ]
    assert (record.labels, record.owners) == (["windows: regression", "windows: improvement"], ["@octo-org/all"])
    assert record.comment is not None
    assert "`Free`" in record.comment


async def test_each_look_is_recorded_once_and_the_newest_stands_first(line: Line) -> None:
    await line.set_up(SHADOW)
    pull = await line.open(LOST)
    first = pull.head
    for action in ("opened", "reopened"):
        await line.hear(action, pull)
    await line.push(pull, HARMLESS)
    await line.hear("synchronize", pull)
    found = await _records(line)
    assert [(known.head, known.comment is None) for known in found] == [(pull.head, True), (first, False)]
    assert line.writes == []


async def test_a_record_is_bounded(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.shadow, "MAX_RECORDS", 2)
    monkeypatch.setattr(bot.shadow, "MAX_FINDINGS", 1)
    await line.set_up(SHADOW)
    pulls = [await line.open(LOST_MORE) for _ in range(3)]
    for pull in pulls:
        await line.hear("opened", pull)
    found = await _records(line)
    assert [(known.number, len(known.findings), known.left_out) for known in found] == [(3, 1, 1), (2, 1, 1)]


@pytest.mark.parametrize("pattern", ["example/berth", "example/*"])
async def test_the_operator_can_want_it_for_a_repository_and_for_all_of_an_owner(line: Line, pattern: str) -> None:
    object.__setattr__(line.settings, "shadow", (pattern,))  # they are frozen, and the worker has them already
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert line.writes == []
    assert len(await _records(line)) == 1


@pytest.mark.parametrize("broken", ["shadow: maybe\n", SHADOW + "coment: never\n"])
async def test_settings_that_are_mistaken_do_not_end_it(line: Line, broken: str) -> None:
    await line.set_up(SHADOW)
    await line.hear("opened", await line.open(LOST))
    await line.set_up(broken)
    await line.hear("opened", await line.open(LOST))
    assert line.writes == []
    assert len(await _records(line)) == 2


async def test_when_it_ends_the_comment_comes(line: Line) -> None:
    await line.set_up(SHADOW)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    await line.set_up("")
    await line.push(pull, LOST)
    await line.hear("synchronize", pull)
    assert (len(line.bodies(pull)), len(line.runs())) == (1, 1)


async def test_merge_groups_are_left_alone(line: Line) -> None:
    await line.set_up(SHADOW)
    group = {"head_sha": await line.commit(LOST), "head_ref": "x", "base_sha": line.fork_point, "base_ref": "x"}
    await line.tell("merge_group", action="checks_requested", merge_group=group)
    assert line.writes == []


@pytest.mark.slow
async def test_a_failure_of_ours_is_not_confessed(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    await line.set_up(SHADOW)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    monkeypatch.setattr("bot.analysis.Analyst.compare", None)
    monkeypatch.setattr("bot.queue.MAX_TRIES", 1)
    await line.push(pull, LOST_MORE)
    await line.hear("synchronize", pull)
    assert line.writes == []
