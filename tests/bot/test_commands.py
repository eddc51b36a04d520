"""Conversations by commands and buttons: what somebody says goes in, a reaction and what the pull request shows come out."""

from typing import Any

import pytest

from bot.queue import MAX_TOLD_BY_ONE
from bot.talk import Talk
from bot.words import COMMANDS
from tests.bot.conftest import NAME
from tests.bot.line import DOCUMENTS, HARMLESS, LOST, LOST_MORE, MALFORMED, Line, Tree
from tests.bot.rendered import rendered
from tests.bot.talking import FREE, HELP, MEANING, QUIET_FROM, SUBJECT, TROUBLE, id_of, looked_at
from tests.bot.test_asked import SETTINGS, _settings

MAY_WRITE = ["admin", "write", "maintain"]
ALL_COMMANDS = [
    "rerun",
    "explain",
    "explain Free",
    "accept Free because",
    "ignore",
    "ignore we know",
    "help",
    "hepl",
    "",
]


# Each command.


async def test_rerun_makes_a_new_check_run_to_which_the_comment_leads(line: Line) -> None:
    pull = await looked_at(line)
    [before] = line.ours(pull)
    comment = await line.say(pull, "/winparity rerun", "maintainer")
    assert line.reactions(comment) == ["+1"]
    assert [run["conclusion"] for run in line.runs(pull.head)] == ["failure"] * 2
    first, second = (f"/runs/{run['id']}" for run in line.runs(pull.head))
    assert line.ours(pull) == [before.replace(first, second)]


@pytest.mark.parametrize("what", ["", " Free", f" {id_of(FREE)[:7]}", f" `{id_of(FREE)[:6]}`", " implementation-lost"])
async def test_explain_adds_the_rules_words_and_both_places(line: Line, what: str) -> None:
    pull = await looked_at(line)
    comment = await line.say(pull, f"/winparity explain{what}", "maintainer")
    assert line.reactions(comment) == ["+1"]
    [body] = line.ours(pull)
    for text in (body, line.runs()[-1]["output"]["text"]):
        assert text.count(MEANING) == 1
        for heading in ("**implementation-lost**", "What it finds", "Why it matters on Windows", "What to do"):
            assert heading in text
        for platform in ("windows", "linux"):
            assert f"/blob/{pull.head}/vol/free_{platform}.go#L6" in text.split(MEANING)[1]


async def test_explain_of_one_finding_says_nothing_of_others(line: Line) -> None:
    pull = await looked_at(line, LOST_MORE)
    await line.say(pull, "/winparity explain stub-added:Free", "maintainer")
    [body] = line.ours(pull)
    assert "**stub-added**" in body.split(MEANING)[1]
    assert "**implementation-lost**" not in body.split(MEANING)[1]
    await line.say(pull, "/winparity explain vendor-drift", "maintainer")
    [body] = line.ours(pull)
    assert "**vendor-drift**" in body.split(MEANING)[1], "a rule without a finding has its words"


@pytest.mark.parametrize("what", ["Free", "vol:Free", "implementation-lost:Free", id_of(FREE)[:6], id_of(FREE)])
async def test_an_accepted_finding_is_a_note_by_whom_and_why(line: Line, what: str) -> None:
    pull = await looked_at(line)
    comment = await line.say(
        pull, f"I think so, too.\n\n/winparity accept {what} there is no statfs there", "maintainer"
    )
    assert line.reactions(comment) == ["+1"]
    assert [run["conclusion"] for run in line.runs(pull.head)] == ["failure", "success"]
    [body] = line.ours(pull)
    for text in (body, line.runs()[-1]["output"]["text"]):
        assert "by maintainer: there is no statfs there" in text
    assert line.runs()[-1]["annotations"] == []


async def test_what_is_accepted_survives_pushes_and_covers_nothing_else(line: Line) -> None:
    pull = await looked_at(line)
    await line.say(pull, "/winparity accept Free it is meant", "maintainer")
    await line.push(pull, {**LOST, "x.go": "package x\n"})
    await line.hear("synchronize", pull)
    assert line.runs(pull.head)[-1]["conclusion"] == "success"
    await line.push(pull, LOST_MORE)
    await line.hear("synchronize", pull)
    run = line.runs(pull.head)[-1]
    assert run["conclusion"] == "neutral", "the new stub is not what was accepted"
    assert [annotation["path"] for annotation in run["annotations"]] == ["pad/pad_windows.go"]
    await line.push(pull, {name: text for name, text in LOST.items() if name != "vol/free_windows.go"})
    await line.hear("synchronize", pull)
    assert "Accepted by maintainer: it is meant" in line.runs(pull.head)[-1]["output"]["text"].replace("\\", "")


async def test_ignore_leaves_one_line_and_a_grey_check_until_rerun(line: Line) -> None:
    pull = await looked_at(line)
    [before] = line.ours(pull)
    comment = await line.say(pull, "/winparity ignore a port comes next week", "maintainer")
    assert line.reactions(comment) == ["+1"]
    [body] = line.ours(pull)
    assert len(body.splitlines()) == 2, "the marker and a line"
    assert "a port comes next week" in body
    run = line.runs(pull.head)[-1]
    assert (run["conclusion"], run["annotations"]) == ("neutral", [])
    assert "maintainer" in run["output"]["summary"]
    calls = len(line.github.git_calls)
    await line.push(pull, LOST_MORE)
    await line.hear("synchronize", pull)
    assert len(line.github.git_calls) == calls, "nothing is read"
    assert line.ours(pull) == [body]
    assert line.runs(pull.head)[-1]["conclusion"] == "neutral"
    await line.push(pull, LOST)
    await line.say(pull, "/winparity rerun", "maintainer")
    assert line.runs(pull.head)[-1]["conclusion"] == "failure"
    assert [text.splitlines()[1] for text in line.ours(pull)] == [before.splitlines()[1]]


async def test_ignore_without_a_comment_of_ours_creates_none(line: Line) -> None:
    pull = await looked_at(line, HARMLESS)
    await line.say(pull, "/winparity ignore", "maintainer")
    assert (line.ours(pull), line.runs(pull.head)[-1]["conclusion"]) == ([], "neutral")


async def test_while_it_is_quiet_it_says_how_to_end_that(line: Line) -> None:
    pull = await looked_at(line)
    await line.say(pull, "/winparity ignore", "maintainer")
    comment = await line.say(pull, "/winparity explain", "maintainer")
    assert line.reactions(comment) == ["confused"]
    assert "winparity rerun ends that" in line.ours(pull)[0]
    assert "winparity rerun ends that" in line.runs()[-1]["output"]["text"]


@pytest.mark.parametrize("tree", [LOST, HARMLESS, DOCUMENTS, MALFORMED])
async def test_help_is_in_our_one_comment(line: Line, tree: Tree) -> None:
    pull = await looked_at(line, tree)
    comment = await line.say(pull, "/winparity help", "maintainer")
    assert line.reactions(comment) == ["+1"]
    [body] = line.ours(pull)
    assert body.count(HELP) == 1
    for command in COMMANDS:
        assert f"`/winparity {command}`" in body
    await line.push(pull, {**tree, "x.txt": "x"})
    await line.hear("synchronize", pull)
    assert len(line.ours(pull)) == 1


@pytest.mark.parametrize("said", ["help", "explain"])
async def test_where_no_comment_is_wanted_the_check_run_answers(line: Line, said: str) -> None:
    await _settings(line, "comment: never\n")
    pull = await looked_at(line, {**LOST, SETTINGS: "comment: never\n"})
    await line.say(pull, f"/winparity {said}", "maintainer")
    assert line.ours(pull) == []
    assert {"help": HELP, "explain": MEANING}[said] in line.runs()[-1]["output"]["text"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("hepl", "there is no command hepl"),
        ("accept Free", "and then a reason"),
        ("accept Nothing because", "there is no finding Nothing"),
        ("accept 0000000 because", "there is no finding 0000000"),
        ("explain Nothing", "there is no finding Nothing"),
        ("explain Free please", "explain takes one"),
        ("accept all because", "there is no finding all"),
    ],
)
async def test_what_is_not_understood_is_told_in_our_comment(line: Line, said: str, why: str) -> None:
    pull = await looked_at(line)
    comment = await line.say(pull, f"/winparity {said}", "maintainer")
    assert line.reactions(comment) == ["confused"]
    [body] = line.ours(pull)
    assert why in rendered(body).text.replace("\u200b", "")
    assert line.runs()[-1]["conclusion"] == "failure"
    await line.say(pull, "/winparity rerun", "maintainer")
    assert TROUBLE not in line.ours(pull)[0], "who is understood then needs no more telling"


async def test_without_a_comment_the_check_run_says_what_was_not_understood(line: Line) -> None:
    pull = await looked_at(line, HARMLESS)
    await line.say(pull, "/winparity hepl", "maintainer")
    assert line.ours(pull) == []
    assert "hepl" in line.runs()[-1]["output"]["text"]


async def test_a_name_of_two_findings_is_answered_by_their_ids(line: Line) -> None:
    pull = await looked_at(line, LOST_MORE)
    comment = await line.say(pull, "/winparity accept Free because", "maintainer")
    assert line.reactions(comment) == ["confused"]
    assert (await line.jobs.talk(SUBJECT)).accepted == {}
    said = rendered(line.ours(pull)[0]).text.replace("\u200b", "")
    assert id_of(FREE)[:12] in said


async def test_several_lines_are_several_commands_and_one_reaction(line: Line) -> None:
    pull = await looked_at(line, LOST_MORE)
    words = "/winparity accept vol:Free because\n/winparity accept pad:Free\n/winparity help"
    comment = await line.say(pull, words, "maintainer")
    assert line.reactions(comment) == ["confused"]
    [body] = line.ours(pull)
    assert HELP in body
    assert TROUBLE in body
    assert list((await line.jobs.talk(SUBJECT)).accepted) == [id_of(FREE)]


# Who may.


@pytest.mark.parametrize("permission", MAY_WRITE)
async def test_who_may_write_may_accept(line: Line, permission: str) -> None:
    pull = await looked_at(line)
    line.repository.permissions["somebody"] = permission
    await line.say(pull, "/winparity accept Free because", "Somebody")
    assert line.runs()[-1]["conclusion"] == "success"


@pytest.mark.parametrize(
    ("user", "said"),
    [*(("stranger", said) for said in ALL_COMMANDS), *((user, "ignore") for user in QUIET_FROM if user != "stranger")],
)
async def test_a_stranger_gets_a_reaction_and_nothing_else(line: Line, user: str, said: str) -> None:
    pull = await looked_at(line)
    before = line.ours(pull)
    comment = await line.say(pull, f"/winparity {said}", user)
    assert line.reactions(comment) == ["-1"]
    assert (line.ours(pull), len(line.runs())) == (before, 1)
    assert await line.jobs.talk(SUBJECT) == Talk()
    repo = "/repos/example/berth"
    assert [f"{call.method} {call.path}" for call in line.github.calls] == [
        f"GET {repo}/pulls/1",
        f"GET {repo}/collaborators/{user}/permission",
        f"POST {repo}/issues/comments/{comment['id']}/reactions",
    ]


@pytest.mark.parametrize("said", ALL_COMMANDS)
async def test_the_author_may_ask_and_not_decide(line: Line, said: str) -> None:
    pull = await looked_at(line)
    pull.author = "Stranger"
    comment = await line.say(pull, f"/winparity {said}", "stranger")
    [reaction] = line.reactions(comment)
    assert reaction == {"accept": "-1", "ignore": "-1", "hepl": "confused"}.get(said.partition(" ")[0], "+1")
    asked = [call for call in line.github.calls if "collaborators" in call.path]
    assert bool(asked) == (reaction == "-1")


async def test_one_line_that_is_not_permitted_stops_them_all(line: Line) -> None:
    pull = await looked_at(line)
    pull.author = "stranger"
    comment = await line.say(pull, "/winparity help\n/winparity accept Free because", "stranger")
    assert line.reactions(comment) == ["-1"]
    assert await line.jobs.talk(SUBJECT) == Talk()


async def test_who_says_too_much_is_not_answered_for_a_while(line: Line) -> None:
    pull = await looked_at(line)
    for _ in range(MAX_TOLD_BY_ONE):
        await line.say(pull, "/winparity ignore", "stranger")
    line.github.calls.clear()
    comment = await line.say(pull, "/winparity ignore", "stranger")
    assert (line.github.calls, line.reactions(comment)) == ([], [])
    comment = await line.say(pull, "/winparity rerun", "maintainer")
    assert line.reactions(comment) == ["+1"], "others are heard"


# What is no command.


@pytest.mark.parametrize(
    "words",
    [
        "> /winparity ignore",
        "```\n/winparity ignore\n```",
        "~~~sh\n/winparity ignore",
        "Try `/winparity ignore`",
        "/winparityignore",
        "    /winparity ignore",
        "nothing",
        "",
    ],
)
async def test_what_is_quoted_or_shown_is_no_command(line: Line, words: str) -> None:
    pull = await looked_at(line)
    comment = line.github.add_comment(NAME, pull.number, words, user="maintainer")
    assert await line.tell_said(pull, comment) == 200
    assert line.github.calls == []


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "edited"},
        {"action": "deleted"},
        {"issue": {"number": 1, "state": "open"}},
        {"issue": {"number": 1, "state": "closed", "pull_request": {}}},
        {"comment": {"id": 5, "body": "/winparity ignore", "user": {"login": "dependabot[bot]", "type": "Bot"}}},
        {"comment": {"id": 5, "body": "/winparity ignore", "user": None}},
    ],
    ids=["edited", "deleted", "on an issue", "closed", "by an app", "by a deleted account"],
)
async def test_who_is_not_heard(line: Line, changes: dict[str, Any]) -> None:
    pull = await looked_at(line)
    comment = line.github.add_comment(NAME, pull.number, "/winparity ignore", user="maintainer")
    assert await line.tell_said(pull, comment, **changes) == 200
    assert line.github.calls == []


async def test_one_that_was_closed_meanwhile_is_left_alone(line: Line) -> None:
    pull = await looked_at(line)
    comment = line.github.add_comment(NAME, pull.number, "/winparity ignore", user="maintainer")
    line.github.close(NAME, pull.number)
    issue = {"number": 1, "state": "open", "pull_request": {}}
    assert await line.tell_said(pull, comment, issue=issue) == 202
    assert [call.method for call in line.github.calls] == ["GET"]


async def test_where_the_conversation_is_locked_the_check_run_answers(line: Line) -> None:
    pull = await looked_at(line)
    before = line.ours(pull)
    pull.locked = True
    await line.say(pull, "/winparity explain", "maintainer")
    await line.say(pull, "/winparity ignore", "maintainer")
    assert line.ours(pull) == before
    assert [MEANING in (run["output"].get("text") or "") for run in line.runs()] == [False, True, False]
