"""What else is answered than a pull request's own events: buttons of a check run, merge queues; and when it speaks."""

import asyncio
from typing import Any

import pytest

from bot.check import CHECK_NAME
from bot.demo.github import PullState
from bot.demo.sample import commit, git
from bot.events import about
from tests.bot.conftest import NAME
from tests.bot.line import BASE, DOCUMENTS, HARMLESS, LOST, LOST_MORE, Line, Tree

SETTINGS = ".github/winparity.yml"
TOLD = {"findings": True, "regressions": True, "always": True, "never": False}


async def _settings(line: Line, text: str) -> None:
    """Let main have settings."""
    git_dir = line.repository.git_dir
    line.fork_point = await asyncio.to_thread(commit, git_dir, {**BASE, SETTINGS: text}, "settings", line.fork_point)
    git(git_dir, "update-ref", "refs/heads/main", line.fork_point)


# Asked for again.


async def test_a_check_run_that_is_asked_for_again_is_made_again(line: Line) -> None:
    pull = await line.open(LOST, "Somebody/Fork")
    await line.hear("opened", pull)
    [first] = line.runs()
    await line.tell("check_run", action="rerequested", check_run=first)
    assert [run["head_sha"] for run in line.runs()] == [pull.head] * 2
    assert len(line.bodies(pull)) == 1
    before = len(line.writes)
    await line.hear("reopened", pull)
    assert len(line.writes) == before, "what was asked for is there"


async def test_a_suite_that_is_asked_for_again_is_every_run_of_ours(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    line.github.add_check_run(NAME, {"name": "lint", "head_sha": pull.head, "external_id": "p9:x"}, 1)
    suite = {"head_sha": pull.head, "pull_requests": []}
    await line.tell("check_suite", action="rerequested", check_suite=suite)
    assert [run["name"] for run in line.runs()] == [CHECK_NAME, "lint", CHECK_NAME]


async def test_a_commit_that_we_never_saw_is_nothing_to_ask_again_for(line: Line) -> None:
    head = await line.commit(LOST)
    await line.tell("check_suite", action="rerequested", check_suite={"head_sha": head})
    assert line.runs() == []


@pytest.mark.parametrize("external_id", [None, "", "x", "p", "p0:x", "p1", "g1:x", f"g{'0' * 39}.1:x", "p1\n:x"])
async def test_a_check_run_of_somebody_else_is_none_of_our_business(line: Line, external_id: str | None) -> None:
    pull = await line.open(LOST)
    run = {"head_sha": pull.head, "external_id": external_id}
    payload = line.github.event(NAME, action="rerequested", check_run=run)
    assert await line.github.deliver(f"{line.web}/webhook", "check_run", payload) == 200


async def test_a_request_that_comes_during_a_job_is_answered_by_a_new_run_all_the_same(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    [run] = line.runs()
    await line.push(pull, LOST_MORE)
    asked = line.github.event(NAME, action="rerequested", check_run=run)
    await asyncio.gather(
        line.send("synchronize", pull),
        *(line.github.deliver(f"{line.web}/webhook", "check_run", asked) for _ in range(3)),
    )
    await line.quiet()
    shown = [run["external_id"].count(":") for run in line.runs(pull.head)]
    assert shown[-1] == 2, "the newest run is one that was asked for"
    assert len(line.bodies(pull)) == 1


# Merge queues.


def _group(line: Line, head: str, number: int = 1) -> dict[str, Any]:
    ref = f"refs/heads/gh-readonly-queue/main/pr-{number}-{line.fork_point}"
    git(line.repository.git_dir, "update-ref", ref, head)
    return {"head_sha": head, "head_ref": ref, "base_sha": line.fork_point, "base_ref": "refs/heads/main"}


@pytest.mark.parametrize(("tree", "conclusion"), [(LOST, "failure"), (HARMLESS, "success"), (DOCUMENTS, "success")])
async def test_a_merge_group_is_answered_under_the_same_name(line: Line, tree: Tree, conclusion: str) -> None:
    head = await line.commit(tree)
    await line.tell("merge_group", action="checks_requested", merge_group=_group(line, head))
    [run] = line.runs(head)
    assert (run["name"], run["status"], run["conclusion"]) == (CHECK_NAME, "completed", conclusion)
    assert run["external_id"].startswith(about(1, line.fork_point))
    assert line.repository.comments == []
    await line.tell("check_run", action="rerequested", check_run=run)
    assert [again["conclusion"] for again in line.runs(head)] == [conclusion] * 2


async def test_a_merge_group_that_is_gone_is_left_alone(line: Line) -> None:
    group = {"head_sha": "1" * 40, "head_ref": "x", "base_sha": line.fork_point, "base_ref": "refs/heads/main"}
    await line.tell("merge_group", action="checks_requested", merge_group=group)
    assert line.runs() == []


@pytest.mark.slow
async def test_a_merge_group_gets_an_answer_though_we_fail(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.analysis.Analyst.compare", None)
    monkeypatch.setattr("bot.queue.MAX_TRIES", 1)
    head = await line.commit(LOST)
    await line.tell("merge_group", action="checks_requested", merge_group=_group(line, head))
    assert [run["conclusion"] for run in line.runs(head)] == ["neutral"]


# When it speaks.


@pytest.mark.parametrize(("setting", "spoken"), TOLD.items())
@pytest.mark.parametrize("key", ["comment", "drafts", "bots"])
async def test_each_setting_says_when_to_comment_on_its_pull_requests(
    line: Line,
    key: str,
    setting: str,
    spoken: bool,  # noqa: FBT001 - a table's column
) -> None:
    await _settings(line, f"{key}: {setting}\n")
    pull = await line.open({**LOST, SETTINGS: f"{key}: {setting}\n"})
    pull.draft, pull.author = key == "drafts", "renovate[bot]" if key == "bots" else "octocat"
    await line.hear("opened", pull)
    assert bool(line.bodies(pull)) is spoken
    assert line.runs()[0]["conclusion"] == "failure"


@pytest.mark.parametrize("what", ["a draft", "an app's"])
async def test_a_draft_and_an_app_are_no_reason_to_be_louder(line: Line, what: str) -> None:
    text = "comment: never\ndrafts: always\nbots: always\n"
    await _settings(line, text)
    pull = await line.open({**LOST, SETTINGS: text})
    pull.draft, pull.author = what == "a draft", "renovate[bot]" if what == "an app's" else "octocat"
    await line.hear("opened", pull)
    assert line.bodies(pull) == []


async def test_a_draft_is_commented_on_when_it_is_ready(line: Line) -> None:
    pull = await line.open(LOST)
    pull.draft = True
    await line.hear("opened", pull)
    assert (line.bodies(pull), len(line.runs())) == ([], 1)
    pull.draft = False
    await line.hear("ready_for_review", pull)
    assert (len(line.bodies(pull)), len(line.runs())) == (1, 1)


async def test_an_app_gets_a_comment_for_a_regression_by_default(line: Line) -> None:
    pull = await line.open(LOST)
    pull.author = "renovate[bot]"
    await line.hear("opened", pull)
    assert len(line.bodies(pull)) == 1


async def test_where_the_conversation_is_locked_nothing_is_said_or_edited(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    said = line.bodies(pull)
    pull.locked = True
    await line.push(pull, LOST_MORE)
    await line.hear("synchronize", pull)
    assert line.bodies(pull) == said
    assert [run["conclusion"] for run in line.runs(pull.head)] == ["failure"]
    assert [call.path for call in line.github.calls if call.status >= 400 and "/contents/" not in call.path] == []


async def test_without_a_go_file_there_is_no_comment_even_if_one_is_always_wanted(line: Line) -> None:
    await _settings(line, "comment: always\n")
    documents, harmless = [await line.open({**tree, SETTINGS: "comment: always\n"}) for tree in (DOCUMENTS, HARMLESS)]
    for pull in (documents, harmless):
        await line.hear("opened", pull)
    assert [len(line.bodies(pull)) for pull in (documents, harmless)] == [0, 1]
    assert {run["conclusion"] for run in line.runs()} == {"success"}


@pytest.mark.parametrize("change", ["draft", "locked"])
async def test_what_was_changed_meanwhile_counts(line: Line, change: str) -> None:
    pull = await line.open(LOST)
    payload = line.github.payload("opened", NAME, pull.number)
    _change(pull, change)
    assert await line.github.deliver(f"{line.web}/webhook", "pull_request", payload) == 202
    await line.quiet()
    assert (line.bodies(pull), len(line.runs())) == ([], 1)


def _change(pull: PullState, what: str) -> None:
    setattr(pull, what, True)
