"""Commands when something goes wrong between, hostile ones, and what they cost."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

import bot.commands
from bot.docs import HOME
from tests.bot.conftest import NAME
from tests.bot.line import LOST, LOST_MORE, PATIENCE, Line
from tests.bot.openapi import Judge
from tests.bot.rendered import OURS, references, rendered
from tests.bot.talking import HELP, SUBJECT, looked_at
from tests.bot.test_line import HOSTILE

# What goes wrong between.


@pytest.mark.parametrize("said", ["rerun", "accept Free because", "hepl"])
async def test_a_comment_that_is_told_again_changes_nothing(line: Line, said: str) -> None:
    pull = await looked_at(line)
    comment = await line.say(pull, f"/winparity {said}", "maintainer", "the-delivery")
    shown = (line.ours(pull), len(line.runs()), await line.jobs.talk(SUBJECT))
    line.github.calls.clear()
    await line.tell_said(pull, comment, "the-delivery")
    assert line.github.calls == []
    await line.tell_said(pull, comment, "another-delivery")
    assert (line.ours(pull), len(line.runs()), await line.jobs.talk(SUBJECT)) == shown
    assert len(line.reactions(comment)) == 1


@pytest.mark.parametrize("part", ["reactions", "collaborators", "compare"])
async def test_github_breaking_in_between_changes_nothing(line: Line, part: str) -> None:
    pull = await looked_at(line)
    line.github.refuse_next(part, 502)
    comment = await line.say(pull, "/winparity accept Free because", "maintainer")
    assert line.reactions(comment) == ["+1"]
    assert [run["conclusion"] for run in line.runs()] == ["failure", "success"]
    assert len((await line.jobs.talk(SUBJECT)).accepted) == 1


@pytest.mark.parametrize("part", ["_react", "_afterwards"])
async def test_a_job_that_dies_in_between_is_done_by_the_next(
    line: Line, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = await looked_at(line)
    real, tried = getattr(bot.commands, part), list[object]()

    def die_once(*words: Any, **more: Any) -> Any:
        tried.append(words)
        if len(tried) == 1:
            raise ZeroDivisionError
        return real(*words, **more)

    monkeypatch.setattr(bot.commands, part, die_once)
    comment = await line.say(pull, "/winparity rerun\n/winparity accept Free because", "maintainer")
    assert len(tried) == 2
    assert line.reactions(comment) == ["+1"]
    assert [run["conclusion"] for run in line.runs()] == ["failure", "success"]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_comment_that_was_deleted_or_locked_meanwhile_needs_no_reaction(line: Line, status: int) -> None:
    pull = await looked_at(line)
    line.github.refuse_next("reactions", status)
    await line.say(pull, "/winparity accept Free because", "maintainer")
    assert line.runs()[-1]["conclusion"] == "success"


async def test_a_push_in_between_is_looked_at_anew(line: Line) -> None:
    pull = await looked_at(line)
    newer = await line.commit({**LOST_MORE, "x.go": "package x\n"})

    _once(line, "/compare/", lambda: line.github.push(NAME, pull.number, newer))
    comment = await line.say(pull, "/winparity accept vol:Free because", "maintainer")
    assert line.reactions(comment) == ["+1"]
    assert "by maintainer: because" in line.runs(newer)[-1]["output"]["text"]


async def test_what_is_said_during_a_job_is_shown_by_one_more(line: Line) -> None:
    line.repository.permissions["maintainer"] = "write"
    pull = await line.open(LOST)
    comment = line.github.add_comment(NAME, pull.number, "/winparity accept Free because", user="maintainer")
    told: list[asyncio.Task[int]] = []
    _once(line, "POST /repos/example/berth/check-runs", lambda: told.append(asyncio.create_task(_tell(line, comment))))
    assert await line.send("opened", pull) == 202
    async with asyncio.timeout(PATIENCE):
        while not told:  # noqa: ASYNC110 - the request comes from a worker
            await asyncio.sleep(0.005)
    assert await told[0] == 202
    await line.quiet()
    assert line.runs()[-1]["conclusion"] == "success"
    [body] = line.ours(pull)
    assert "by maintainer: because" in body


def _once(line: Line, part: str, act: Callable[[], object]) -> None:
    def hook(method: str, path: str) -> None:
        if part in f"{method} {path}":
            line.github.on_call = None
            act()

    line.github.on_call = hook


async def _tell(line: Line, comment: dict[str, Any]) -> int:
    return await line.tell_said(line.repository.pulls[1], comment)


async def test_commands_at_the_same_time_all_count(line: Line) -> None:
    pull = await looked_at(line, LOST_MORE)
    words = ["accept vol:Free one", "accept pad:Free two", "help", "explain"]
    await asyncio.gather(*(line.say(pull, f"/winparity {said}", "maintainer") for said in words))
    [body] = line.ours(pull)
    for part in ("by maintainer: one", "by maintainer: two", HELP):
        assert part in body
    assert line.runs(pull.head)[-1]["conclusion"] == "success"


async def test_a_store_that_lost_it_all_shows_the_findings_again(line: Line) -> None:
    pull = await looked_at(line)
    await line.say(pull, "/winparity accept Free because", "maintainer")
    await line.jobs.redis.flushall()
    await line.hear("reopened", pull)
    assert line.runs()[-1]["conclusion"] == "failure"
    await line.say(pull, "/winparity accept Free because", "maintainer")
    assert line.runs()[-1]["conclusion"] == "success"


async def test_a_command_before_the_first_look_is_answered(line: Line) -> None:
    line.repository.permissions["maintainer"] = "write"
    pull = await line.open(LOST)
    await line.say(pull, "/winparity accept Free because", "maintainer")
    assert [run["conclusion"] for run in line.runs()] == ["success"]


# Hostile words.


@pytest.mark.parametrize("said", ["accept Free {}", "ignore {}", "{}", "explain {}", "accept {} because", "accept {}"])
async def test_hostile_words_stay_words(line: Line, said: str) -> None:
    pull = await looked_at(line)
    with capture_logs() as logs:
        await line.say(
            pull, "/winparity " + said.format(HOSTILE.replace("/", "%") + "\x1b[31m\u202e\u2028x"), "maintainer"
        )
    assert "evil" not in str(logs)
    run = line.runs()[-1]
    [body] = line.ours(pull)
    for markdown in (body, run["output"]["summary"], run["output"].get("text") or ""):
        shown = rendered(markdown)
        allowed = (f"{line.settings.git_url}/{NAME.lower()}/", f"{line.settings.git_url}/runs/", HOME)
        assert [link for link in shown.links if not link.startswith(allowed)] == []
        assert (set(shown.tags) - OURS, shown.attributes, shown.unbalanced) == (set(), [], [])
        assert references(shown.text.replace(line.fork_point[:7], "").replace(pull.head[:7], "")) == []
    assert len(line.ours(pull)) == 1


@pytest.mark.parametrize("login", ["a/../b", "a b", "x" * 200, "", "a\nb", "é"])
async def test_a_hostile_name_is_refused_at_the_door(line: Line, login: str) -> None:
    pull = await looked_at(line)
    comment = line.github.add_comment(NAME, pull.number, "/winparity ignore", user=login)
    assert await line.tell_said(pull, comment) == 400
    assert line.github.calls == []


# What it costs, and what GitHub says of it.


@pytest.mark.parametrize(
    ("said", "costs"),
    [
        ("rerun", ["pull", "permission", "+reaction", "compare", "runs", "pull", "+run", "comments", "+edit"]),
        ("explain", ["pull", "permission", "+reaction", "compare", "runs", "pull", "+run", "comments", "+edit"]),
        ("help", ["pull", "permission", "+reaction", "compare", "runs", "comments", "pull", "+edit"]),
        ("hepl", ["pull", "permission", "+reaction", "compare", "runs", "comments", "pull", "+edit"]),
        ("ignore", ["pull", "permission", "+reaction", "runs", "pull", "+run", "comments", "+edit"]),
        (
            "accept Free because",
            ["pull", "permission", "compare", "+reaction", "compare", "runs", "pull", "+run", "comments", "+edit"],
        ),
    ],
)
async def test_a_command_costs_just_these_requests(line: Line, said: str, costs: list[str]) -> None:
    pull = await looked_at(line)
    await line.say(pull, f"/winparity {said}", "maintainer")
    names = {"pulls": "pull", "check-runs": "runs", "collaborators": "permission"}
    asked = []
    for call in line.github.calls:
        words = call.path.split("/")
        name = next((short for part, short in names.items() if part in words), "compare")
        if "issues" in words:
            name = {"reactions": "reaction", "comments": "comments"}.get(words[-1], "edit")
        asked.append("+run" if (call.method, name) == ("POST", "runs") else "+" * (call.method != "GET") + name)
    assert asked == costs


async def test_the_events_have_githubs_shape(line: Line, judge: Judge | None) -> None:
    if judge is None:
        pytest.skip("GitHub's description cannot be had")
    pull = await looked_at(line)
    comment = line.github.add_comment(NAME, pull.number, "/winparity help", user="maintainer")
    issue = {"number": 1, "state": "open", "pull_request": {"url": line.github.url}}
    shown = {name: value for name, value in comment.items() if name not in {"number", "performed_via_github_app"}}
    said = line.github.event(NAME, action="created", issue=issue, comment=shown)
    assert judge.webhook("issue-comment-created", said) == []
    run = {name: line.runs()[0][name] for name in ("id", "head_sha", "external_id", "status")}
    asked = {"action": "requested_action", "requested_action": {"identifier": "accept"}}
    assert judge.webhook("check-run-requested-action", line.github.event(NAME, check_run=run, **asked)) == []
