"""Conversations by the buttons of the check run; and what was said in a pull request in the merge queue."""

import asyncio

import pytest

from bot.commands import BY_BUTTON
from bot.demo.sample import commit
from bot.talk import Talk
from bot.words import BUTTONS
from tests.bot.line import HARMLESS, LOST, LOST_MORE, Line, Tree
from tests.bot.talking import MEANING, SUBJECT, looked_at
from tests.bot.test_asked import SETTINGS, _group, _settings


async def _buttons(line: Line, tree: Tree) -> list[str]:
    pull = await line.open(tree)
    await line.hear("opened", pull)
    return [action["identifier"] for action in line.runs(pull.head)[-1]["actions"]]


async def test_a_check_run_has_the_buttons_that_can_do_something(line: Line) -> None:
    assert await _buttons(line, LOST) == ["recompute", "accept", "explain"]
    assert await _buttons(line, HARMLESS) == ["recompute"]


def test_every_button_is_known() -> None:
    assert set(BUTTONS) == {"recompute", "accept", "explain"}


async def test_recompute_makes_a_new_check_run(line: Line) -> None:
    pull = await looked_at(line)
    await line.press("recompute", line.runs()[0], "maintainer")
    assert [run["conclusion"] for run in line.runs(pull.head)] == ["failure"] * 2


async def test_accept_accepts_all_that_is_shown(line: Line) -> None:
    pull = await looked_at(line, LOST_MORE)
    await line.press("accept", line.runs()[0], "maintainer")
    run = line.runs(pull.head)[-1]
    assert run["conclusion"] == "success"
    assert run["output"]["text"].count(f"by maintainer: {BY_BUTTON}") == 2
    assert [action["identifier"] for action in run["actions"]] == ["recompute"]
    assert line.repository.reactions == []


async def test_explain_explains_in_the_check_run_and_creates_no_comment(line: Line) -> None:
    await _settings(line, "comment: never\n")
    pull = await looked_at(line, {**LOST, SETTINGS: "comment: never\n"})
    await line.press("explain", line.runs()[0], "maintainer")
    assert MEANING in line.runs()[-1]["output"]["text"]
    assert line.ours(pull) == []


@pytest.mark.parametrize("button", [*BUTTONS, "unknown", "rerun", "accept Free because"])
async def test_a_button_does_nothing_for_who_may_not_and_an_unknown_one_for_nobody(line: Line, button: str) -> None:
    await looked_at(line)
    await line.press(button, line.runs()[0], "stranger")
    if button not in BUTTONS:
        await line.press(button, line.runs()[0], "maintainer")
    assert line.writes == []
    assert await line.jobs.talk(SUBJECT) == Talk()


@pytest.mark.parametrize("when", ["an older head", "an older run of the head"])
async def test_accept_of_an_old_check_run_accepts_nothing(line: Line, when: str) -> None:
    pull = await looked_at(line)
    [old] = line.runs()
    if when == "an older head":
        await line.push(pull, LOST_MORE)
        await line.hear("synchronize", pull)
    else:
        await line.say(pull, "/winparity rerun", "maintainer")
    await line.press("accept", old, "maintainer")
    assert (await line.jobs.talk(SUBJECT)).accepted == {}
    assert line.runs(pull.head)[-1]["conclusion"] == "failure"
    assert "the button is of a check run that is not the newest" in line.ours(pull)[0]


async def test_accept_of_a_head_that_is_replaced_just_now_accepts_nothing(line: Line) -> None:
    pull = await looked_at(line)
    [old] = line.runs()
    await line.push(pull, LOST_MORE)
    await line.press("accept", old, "maintainer")
    assert (await line.jobs.talk(SUBJECT)).accepted == {}


# The merge queue.


@pytest.mark.parametrize(("said", "conclusion"), [("accept Free because", "success"), ("ignore", "neutral")])
async def test_what_was_said_in_the_pull_request_counts_in_the_queue(line: Line, said: str, conclusion: str) -> None:
    pull = await looked_at(line)
    await line.say(pull, f"/winparity {said}", "maintainer")
    head = await asyncio.to_thread(_merged, line)
    for number in (1, 2, 0):
        await line.tell("merge_group", action="checks_requested", merge_group=_group(line, head, number))
    assert [run["conclusion"] for run in line.runs(head)] == [conclusion, "failure", "failure"]


def _merged(line: Line) -> str:
    return commit(line.repository.git_dir, LOST, "merged", line.fork_point)
