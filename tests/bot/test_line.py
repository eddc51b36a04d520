"""Conversations: a signed webhook goes in, and what the pull request shows comes out. All parts are real."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
from aiohttp import web

import bot.analysis
import bot.github
import bot.queue
from bot.check import CHECK_NAME
from bot.comment import MARKER
from bot.config import MAX_BODY_BYTES
from bot.demo.sample import commit, git
from bot.docs import HOME
from bot.events import AnyEvent
from bot.queue import TRIES, Jobs
from bot.worker import working
from tests.bot.conftest import APP_ID, INSTALLATION, NAME
from tests.bot.line import BASE, DOCUMENTS, HARMLESS, LOST, LOST_MORE, MALFORMED, PATIENCE, REAL, STUB, Line, Tree
from tests.bot.rendered import OURS, references, rendered

# From the first event to the last.


SETTINGS = ".github/winparity.yml"
ACCEPTS = "accept:\n- {symbol: vol:Free, reason: nobody asks for it}\n"


@pytest.mark.parametrize(
    ("before", "after", "conclusion", "said"),
    [
        (ACCEPTS, ACCEPTS, "success", "Accepted: nobody asks for it"),
        ("", ACCEPTS, "failure", ""),
        (ACCEPTS, "", "success", "Accepted: nobody asks for it"),
        ("fail_on: never\ncomment: never\n", "comment: oftn\n", "neutral", "line 1"),
        ("comment: oftn\n", "comment: oftn\n", "failure", "line 1"),
    ],
)
async def test_the_settings_of_the_base_hold(line: Line, before: str, after: str, conclusion: str, said: str) -> None:
    git_dir = line.repository.git_dir
    line.fork_point = await asyncio.to_thread(commit, git_dir, {**BASE, SETTINGS: before}, "settings", line.fork_point)
    git(git_dir, "update-ref", "refs/heads/main", line.fork_point)
    pull = await line.open({**LOST, SETTINGS: after})
    await line.hear("opened", pull)
    [run] = line.runs(pull.head)
    assert run["conclusion"] == conclusion
    assert said in run["output"]["summary"] + run["output"]["text"]
    assert bool(line.bodies(pull)) == (conclusion == "failure")


async def _say(line: Line, owner: str, tmp_path: Path, text: str) -> None:
    """Let an owner's `.github` repository hold settings."""
    folder = tmp_path / owner
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    git(folder, "update-ref", "refs/heads/main", await asyncio.to_thread(commit, folder, {SETTINGS: text}, "settings"))
    line.github.add_repository(f"{owner}/.github", folder, 0, public=True)


@pytest.mark.parametrize(
    ("owner", "org", "own", "conclusion"),
    [
        ("example", "fail_on: never\n", None, "neutral"),
        ("example", "fail_on: never\n", "comment: always\n", "failure"),
        ("example", "fail_on: never\n", "", "failure"),
        ("contributor", "fail_on: never\n", None, "failure"),
    ],
)
async def test_an_organisation_speaks_for_those_who_say_nothing(
    line: Line, tmp_path: Path, *, owner: str, org: str, own: str | None, conclusion: str
) -> None:
    await _say(line, owner, tmp_path, org)
    if own is not None:
        git_dir = line.repository.git_dir
        line.fork_point = await asyncio.to_thread(commit, git_dir, {**BASE, SETTINGS: own}, "own", line.fork_point)
        git(git_dir, "update-ref", "refs/heads/main", line.fork_point)
    pull = await line.open(LOST if own is None else {**LOST, SETTINGS: own}, "contributor/berth")
    await line.hear("opened", pull)
    assert [run["conclusion"] for run in line.runs(pull.head)] == [conclusion]
    asked = [call.path for call in line.github.calls if "/contents/" in call.path]
    assert asked == ["/repos/example/.github/contents/.github/winparity.yml"] * (own is None)


async def test_an_organisations_mistake_is_named_with_its_file(line: Line, tmp_path: Path) -> None:
    await _say(line, "example", tmp_path, "comment: oftn\n")
    pull = await line.open(HARMLESS)
    await line.hear("opened", pull)
    [run] = line.runs(pull.head)
    assert run["conclusion"] == "neutral"
    assert "`.github/winparity.yml in example/.github` is not as it should be" in run["output"]["summary"]
    assert "line 1: comment must be" in run["output"]["summary"]


async def test_the_settings_of_the_branch_hold_as_they_are_now(line: Line) -> None:
    pull = await line.open(LOST)
    git_dir, changed = line.repository.git_dir, {**BASE, SETTINGS: ACCEPTS}
    tip = await asyncio.to_thread(commit, git_dir, changed, "settings, after the change began", line.fork_point)
    git(git_dir, "update-ref", "refs/heads/main", tip)
    await line.hear("opened", pull)
    [run] = line.runs(pull.head)
    assert run["conclusion"] == "success"
    assert "nobody asks for it" in run["output"]["text"]


async def test_a_first_event_leaves_one_comment_and_one_check_run(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    [body] = line.bodies(pull)
    assert body.startswith(MARKER)
    assert "`Free`" in body
    assert "vol/free_windows.go" in body
    [run] = line.runs()
    assert (run["name"], run["status"], run["conclusion"]) == (CHECK_NAME, "completed", "failure")
    assert (run["head_sha"], run["app"]["id"]) == (pull.head, APP_ID)
    [annotation] = run["annotations"]
    assert (annotation["path"], annotation["annotation_level"]) == ("vol/free_windows.go", "failure")
    assert (annotation["title"], annotation["start_line"]) == ("implementation-lost", 6)


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize", "ready_for_review", "edited"])
async def test_each_action_that_matters_is_answered(line: Line, action: str) -> None:
    pull = await line.open(LOST)
    await line.hear(action, pull)
    assert len(line.bodies(pull)) == len(line.runs()) == 1


async def test_an_event_costs_just_these_requests(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    repo, calls = "/repos/example/berth", line.github.calls
    assert [
        (call.method, call.path.replace(pull.head, "HEAD").replace(line.fork_point, "BASE"), call.status)
        for call in calls
    ] == [
        ("POST", f"/app/installations/{INSTALLATION}/access_tokens", 201),
        ("GET", f"{repo}/compare/BASE...HEAD", 200),
        ("GET", "/repos/example/.github/contents/.github/winparity.yml", 404),
        ("GET", f"{repo}/pulls/1", 200),
        ("POST", f"{repo}/check-runs", 201),
        ("GET", f"{repo}/issues/1/comments", 200),
        ("POST", f"{repo}/issues/1/comments", 201),
        ("GET", f"{repo}/issues/1/comments", 200),
    ]
    git_calls = [(call.method, call.path.rpartition("/")[2], call.status) for call in line.github.git_calls]
    fetch = [("GET", "refs", 200), ("POST", "git-upload-pack", 200)]
    assert git_calls == fetch * 2, "commits and trees, then blobs"


async def test_an_event_that_changes_nothing_costs_just_these_requests(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    before, git_before = len(line.github.calls), len(line.github.git_calls)
    await line.hear("reopened", pull)
    repo, calls = "/repos/example/berth", line.github.calls[before:]
    assert [
        (call.method, call.path.replace(pull.head, "HEAD").replace(line.fork_point, "BASE"), call.status)
        for call in calls
    ] == [
        ("GET", f"{repo}/compare/BASE...HEAD", 200),
        ("GET", f"{repo}/commits/HEAD/check-runs", 200),
        ("GET", f"{repo}/issues/1/comments", 304),
    ]
    assert len(line.github.git_calls) == git_before


async def test_a_redelivery_of_what_is_done_asks_nothing(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull, "the-delivery")
    before = len(line.github.calls)
    await line.hear("opened", pull, "the-delivery")
    assert len(line.github.calls) == before


async def test_a_push_edits_the_comment_and_makes_a_run_on_the_new_head(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    first, [before] = pull.head, line.bodies(pull)
    await line.push(pull, LOST_MORE)
    await line.hear("synchronize", pull)
    [after] = line.bodies(pull)
    assert after != before
    assert first not in after
    assert [run["head_sha"] for run in line.runs()] == [first, pull.head]


async def test_findings_vanish_and_come_back_in_one_comment(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    [lost] = line.bodies(pull)
    await line.push(pull, HARMLESS)
    await line.hear("synchronize", pull)
    [resolved] = line.bodies(pull)
    assert "resolved" in resolved
    assert "`Free`" not in resolved
    await line.push(pull, LOST)
    await line.hear("synchronize", pull)
    assert line.bodies(pull) == [lost]
    assert [run["conclusion"] for run in line.runs()] == ["failure", "success"], "the first head came back with its run"
    assert len([write for write in line.writes if write.startswith("POST /repos/example/berth/issues")]) == 1


async def test_a_comment_that_a_person_deleted_is_made_again_once(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    line.repository.comments.clear()
    await line.hear("reopened", pull)
    assert len(line.bodies(pull)) == 1


@pytest.mark.parametrize(
    ("tree", "conclusion"), [(DOCUMENTS, "success"), (HARMLESS, "success"), (MALFORMED, "neutral")]
)
async def test_what_is_no_news_is_not_commented_on(line: Line, tree: Tree, conclusion: str) -> None:
    pull = await line.open(tree)
    await line.hear("opened", pull)
    [run] = line.runs()
    assert (run["status"], run["conclusion"]) == ("completed", conclusion)
    assert line.bodies(pull) == []


async def test_a_malformed_file_is_named(line: Line) -> None:
    pull = await line.open({**MALFORMED, "vol/free_windows.go": STUB})
    await line.hear("opened", pull)
    [run] = line.runs()
    assert "vol/new_windows.go" in run["output"]["summary"]
    assert run["conclusion"] != "success"


async def test_a_fork_is_answered_on_the_base_repository(line: Line) -> None:
    """Its head is known to the base repository by refs/pull/N/head only."""
    pull = await line.open(LOST, head_repo="stranger/berth")
    await line.hear("opened", pull)
    assert len(line.bodies(pull)) == 1
    assert line.runs()[0]["head_sha"] == pull.head
    assert {call.path.split("/")[1] for call in line.github.git_calls} == {"example"}


async def test_another_base_is_another_comparison(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    lost = await line.commit(LOST)
    git(line.repository.git_dir, "update-ref", "refs/heads/other", lost)
    pull.base_ref = "other"
    line.github.push(
        NAME,
        pull.number,
        await asyncio.to_thread(commit, line.repository.git_dir, {**LOST, "x.go": "package x\n"}, "x", lost),
    )
    await line.hear("edited", pull)
    [body] = line.bodies(pull)
    assert "resolved" in body
    assert line.runs(pull.head)[0]["conclusion"] == "success"


async def test_another_title_is_no_work(line: Line) -> None:
    pull = await line.open(LOST)
    payload = {**line.github.payload("edited", NAME, pull.number), "changes": {"title": {"from": "x"}}}
    assert await line.github.deliver(f"{line.web}/webhook", "pull_request", payload) == 200
    await line.quiet()
    assert line.github.calls == []


async def test_two_pull_requests_do_not_mix(line: Line) -> None:
    bad, good = await line.open(LOST), await line.open(DOCUMENTS)
    assert {await line.send("opened", bad), await line.send("opened", good)} == {202}
    await line.quiet()
    assert (len(line.bodies(bad)), line.bodies(good)) == (1, [])
    assert {run["head_sha"]: run["conclusion"] for run in line.runs()} == {bad.head: "failure", good.head: "success"}


# What comes between.


async def test_a_closed_pull_request_is_left_alone(line: Line) -> None:
    pull = await line.open(LOST)
    line.github.close(NAME, pull.number)
    await line.hear("synchronize", pull)
    assert line.writes == []


def _once(line: Line, part: str, act: Callable[[], None]) -> None:
    """Let something happen just before GitHub answers a request."""

    def hook(method: str, path: str) -> None:
        if part in f"{method} {path}":
            line.github.on_call = None
            act()

    line.github.on_call = hook


BETWEEN = ["/compare/", ".git/git-upload-pack", "/pulls/1"]


@pytest.mark.parametrize("part", BETWEEN)
async def test_one_that_closes_meanwhile_is_left_alone(line: Line, part: str) -> None:
    pull = await line.open(LOST)
    _once(line, part, lambda: line.github.close(NAME, pull.number))
    await line.hear("opened", pull)
    assert line.github.on_call is None
    assert line.writes == []


@pytest.mark.parametrize("part", BETWEEN)
async def test_the_result_of_a_replaced_head_is_not_shown(line: Line, part: str) -> None:
    pull = await line.open(LOST)
    stale, newer = pull.head, await line.commit(LOST_MORE)
    _once(line, part, lambda: line.github.push(NAME, pull.number, newer))
    await line.hear("opened", pull)
    assert [run["head_sha"] for run in line.runs()] == [newer], "its event may never come"
    await line.hear("synchronize", pull)
    assert [run["head_sha"] for run in line.runs()] == [newer]
    [body] = line.bodies(pull)
    assert stale not in body


async def test_an_event_that_is_old_news_shows_what_is(line: Line) -> None:
    pull = await line.open(LOST)
    old = line.github.payload("opened", NAME, pull.number)
    await line.push(pull, LOST_MORE)
    for _ in range(2):
        assert await line.github.deliver(f"{line.web}/webhook", "pull_request", old) == 202
        await line.quiet()
    assert [run["head_sha"] for run in line.runs()] == [pull.head]
    assert len(line.bodies(pull)) == 1


@pytest.mark.parametrize("older_first", [False, True])
async def test_an_older_event_answers_for_a_newer_one_only_by_what_is(
    line: Line, monkeypatch: pytest.MonkeyPatch, *, older_first: bool
) -> None:
    """Its own head is shown already, so nothing would be written, and nobody would ask what the head is."""
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    old = line.github.payload("edited", NAME, pull.number)
    await line.push(pull, LOST_MORE)
    count, asked = Jobs.count, f"wp:on:{NAME.lower()}#{pull.number}:asked"

    async def counted(jobs: Jobs, event: AnyEvent) -> int:
        """The job of the newer one waits somewhere else."""
        await jobs.redis.incrby(asked, int(not older_first))
        number = await count(jobs, event)
        await jobs.redis.incrby(asked, int(older_first))
        return number

    monkeypatch.setattr(Jobs, "count", counted)
    assert await line.github.deliver(f"{line.web}/webhook", "pull_request", old) == 202
    await line.quiet()
    assert [run["head_sha"] for run in line.runs()][-1] == pull.head
    assert pull.head in line.bodies(pull)[0]


async def test_an_event_during_a_job_is_answered_by_one_more(line: Line) -> None:
    pull = await line.open(LOST)
    newer = await line.commit(HARMLESS)
    sent: list[asyncio.Task[int]] = []

    def push_and_tell() -> None:
        line.github.push(NAME, pull.number, newer)
        sent.append(asyncio.create_task(line.send("synchronize", pull)))

    _once(line, "POST /repos/example/berth/issues", push_and_tell)
    assert await line.send("opened", pull) == 202
    async with asyncio.timeout(PATIENCE):
        while not sent:  # noqa: ASYNC110 - the request comes from a worker
            await asyncio.sleep(0.005)
    assert await sent[0] == 202
    await line.quiet()
    [body] = line.bodies(pull)
    assert "resolved" in body
    assert line.runs(newer)[0]["conclusion"] == "success"


async def test_duplicates_at_the_same_time_are_one(line: Line) -> None:
    pull = await line.open(LOST)
    deliveries = [*["the-same"] * 5, *(f"another-{n}" for n in range(5))]
    statuses = await asyncio.gather(*(line.send("opened", pull, delivery) for delivery in deliveries))
    await line.quiet()
    assert set(statuses) == {202}
    assert len(line.bodies(pull)) == len(line.runs()) == 1
    assert len(line.writes) == 2


async def test_two_workers_write_one_comment(line: Line) -> None:
    pull = await line.open(LOST)
    async with working(line.settings, line.redis_url):
        for _ in range(3):
            await asyncio.gather(*(line.send("synchronize", pull) for _ in range(4)))
            await line.quiet()
    assert len(line.bodies(pull)) == len(line.runs()) == 1
    assert len(line.writes) == 2


# Who is not believed.


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Hub_Signature_256": ""},
        {"X_Hub_Signature_256": "", "X_Hub_Signature": ""},
        {"X_Hub_Signature_256": "sha256=" + "0" * 64},
        {"X_Hub_Signature_256": "0" * 64},
    ],
    ids=["only SHA-1", "unsigned", "wrong", "no algorithm"],
)
async def test_what_is_not_signed_is_refused_and_not_kept(line: Line, headers: dict[str, str]) -> None:
    assert await line.send("opened", await line.open(LOST), **headers) == 401
    assert await line.queued() == set()
    assert line.github.calls == []


async def test_what_is_too_large_is_refused_and_not_kept(line: Line) -> None:
    pull = await line.open(LOST)
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{line.web}/webhook", data=io.BytesIO(bytes(MAX_BODY_BYTES + 1)))
        assert answer.status == 413
    assert await line.queued() == set()
    await line.hear("opened", pull)
    assert len(line.runs()) == 1, "the server still answers"


# What goes wrong.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "status", "headers"),
    [
        ("GET /repos/example/berth/pulls", 500, {}),
        ("GET /repos/example/berth/compare", 502, {}),
        ("POST /repos/example/berth/check-runs", 503, {}),
        ("POST /repos/example/berth/issues", 502, {}),
        ("POST /repos/example/berth/issues", 403, {"Retry-After": "1"}),
        ("POST /app/installations", 500, {}),
    ],
)
async def test_a_github_that_is_busy_is_asked_again(
    line: Line, part: str, status: int, headers: dict[str, str]
) -> None:
    line.github.refuse_next(part, status, headers)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert len(line.bodies(pull)) == len(line.runs()) == 1


@pytest.mark.slow
async def test_a_git_server_that_fails_is_asked_again(line: Line) -> None:
    def fail() -> None:
        raise web.HTTPBadGateway

    _once(line, ".git/git-upload-pack", fail)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert line.github.on_call is None
    assert len(line.bodies(pull)) == len(line.runs()) == 1


@pytest.mark.parametrize(("kind", "comes"), [("pull", True), ("pull", False), ("group", False)])
async def test_a_base_that_git_does_not_have_is_waited_for_and_then_said(
    line: Line, monkeypatch: pytest.MonkeyPatch, kind: str, *, comes: bool
) -> None:
    monkeypatch.setattr(bot.queue, "MAX_TRIES", 2)
    pull, lost = await line.open(LOST), "0123456789" * 4
    if kind == "pull":
        words = json.dumps({"merge_base_commit": {"sha": lost}})
        line.github.refuse_next("/compare/", 200, body=words, times=2 - comes)
        await line.hear("opened", pull, "the-delivery")
    else:
        group = {"head_sha": pull.head, "base_sha": lost, "base_ref": "refs/heads/main"}
        await line.tell("merge_group", action="checks_requested", merge_group=group)
    [run] = line.runs(pull.head)
    assert (run["status"], run["conclusion"]) == ("completed", "failure" if comes else "neutral")
    assert (lost in run["output"]["summary"].replace("\u200b", "")) == (not comes)
    assert await line.jobs.buried() == []


async def test_a_refusal_ends_the_job(line: Line) -> None:
    words = json.dumps({"message": "Resource not accessible by integration"})
    line.github.refuse_next("POST /repos/example/berth/check-runs", 403, body=words)
    pull = await line.open(LOST)
    await line.hear("opened", pull, "the-delivery")
    assert await line.jobs.is_finished("the-delivery")
    assert line.bodies(pull) == []


async def test_a_refusal_is_no_answer_to_the_next_event(line: Line) -> None:
    line.github.refuse_next("GET /repos/example/berth/pulls", 404)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    await line.hear("synchronize", pull)
    assert len(line.bodies(pull)) == len(line.runs()) == 1


@pytest.mark.slow
async def test_a_bug_of_ours_is_confessed_in_grey(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    async def fail(*_: object) -> None:
        tried.append(1)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(bot.analysis.Analyst, "compare", fail)
        patch.setattr(bot.queue, "MAX_TRIES", 2)
        pull = await line.open(LOST)
        await line.hear("opened", pull, "the-delivery")
    assert len(tried) == 2
    [run] = line.runs()
    assert (run["status"], run["conclusion"]) == ("completed", "neutral")
    assert "the-delivery" in run["output"]["summary"]
    assert line.bodies(pull) == []
    await line.hear("opened", pull, "the-delivery")
    assert line.runs()[-1]["conclusion"] == "failure", "sent again, it is worked on again"


async def test_a_store_that_goes_away_under_a_job_costs_it_no_try(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    compare, times = bot.analysis.Analyst.compare, [3]

    async def interrupted(*given: Any) -> Any:
        if not times[0]:
            return await compare(*given)
        times[0] -= 1
        raise redis.ConnectionError("Connection refused.")

    monkeypatch.setattr(bot.analysis.Analyst, "compare", interrupted)
    monkeypatch.setattr(bot.queue, "MAX_TRIES", 2)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert [run["conclusion"] for run in line.runs()] == ["failure"]
    assert await line.jobs.buried() == []


async def test_an_event_that_kills_its_worker_each_time_is_buried(line: Line) -> None:
    pull = await line.open(LOST)
    await line.jobs.redis.hset(TRIES, "the-delivery", bot.queue.MAX_TRIES)  # as dead workers leave it
    await line.hear("opened", pull, "the-delivery")
    [run] = line.runs()
    assert (run["status"], run["conclusion"]) == ("completed", "neutral")
    [(delivery, grave)] = await line.jobs.buried()
    assert (delivery, "died" in grave.why) == ("the-delivery", True)
    assert await line.jobs.unbury("the-delivery", retry=True)
    await line.quiet()
    assert line.runs()[-1]["conclusion"] == "failure", "tried again it is worked on"


@pytest.mark.slow
async def test_a_bug_of_ours_leaves_an_older_comment_as_it_is(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    before = line.bodies(pull)
    monkeypatch.setattr(bot.analysis.Analyst, "compare", None)
    monkeypatch.setattr(bot.queue, "MAX_TRIES", 1)
    await line.push(pull, LOST_MORE)
    await line.hear("synchronize", pull)
    assert line.runs(pull.head)[0]["conclusion"] == "neutral"
    assert line.bodies(pull) == before
    assert [call.path for call in line.github.calls if call.status >= 400 and "/contents/" not in call.path] == []


@pytest.mark.slow
async def test_a_job_that_fails_does_not_stop_the_others(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    real = bot.analysis.Analyst.compare
    bad, good = await line.open(LOST), await line.open(LOST_MORE)

    async def fail_for_one(self: Any, task: Any, token: str) -> Any:
        if task.head == bad.head:
            raise ZeroDivisionError
        return await real(self, task, token)

    monkeypatch.setattr(bot.analysis.Analyst, "compare", fail_for_one)
    monkeypatch.setattr(bot.queue, "MAX_TRIES", 1)
    await asyncio.gather(line.send("opened", bad), line.send("opened", good))
    await line.quiet()
    assert {run["head_sha"]: run["conclusion"] for run in line.runs()} == {bad.head: "neutral", good.head: "failure"}


# Hostile text.

HOSTILE = (
    "@octocat #1 GH-1 www.evil.example <script>alert(1)</script> [x](http://evil.example) ![i](u) `` ` *b* _i_ ~~s~~ "
    "|t| $m$ :tada: &amp; \\ </details> <!-- 0123456789abcdef0123456789abcdef01234567"
)


async def test_hostile_names_stay_text(line: Line) -> None:
    folder = HOSTILE.replace("/", "%")
    name = folder.replace(".", "")  # Go reads a file's name up to its first dot
    real = REAL.replace("vol", "x").replace("Free", "Deadbeef1234")
    before = {**BASE, f"{folder}/{name}_windows.go": real, f"{folder}/x_linux.go": real}
    after = {
        **before,
        f"{folder}/{name}_windows.go": STUB.replace("vol", "x").replace("Free", "Deadbeef1234"),
        f"x{folder}/broken.go": "package x\n\nfunc ((\n",
    }
    line.fork_point = await line.commit(before)
    git(line.repository.git_dir, "update-ref", "refs/heads/main", line.fork_point)
    pull = await line.open(after)
    await line.hear("opened", pull)
    [body] = line.bodies(pull)
    [run] = line.runs()
    for markdown in (body, run["output"]["summary"], run["output"]["text"]):
        assert "evil" in markdown
        shown = rendered(markdown)
        allowed = (f"{line.settings.git_url}/{NAME.lower()}/", f"{line.settings.git_url}/runs/", HOME)
        assert [link for link in shown.links if not link.startswith(allowed)] == []
        assert (set(shown.tags) - OURS, shown.attributes, shown.unbalanced) == (set(), [], [])
        assert references(shown.text.replace(line.fork_point[:7], "").replace(pull.head[:7], "")) == []


async def test_what_a_person_writes_around_a_change_is_nowhere_repeated(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    """Title, text, branches, labels and names are no news of ours: neither GitHub nor a log hears of them from us."""
    branch = "@octocat-#1-GH-1-`x`-<b>www.evil.example"
    git(line.repository.git_dir, "update-ref", f"refs/heads/{branch}", line.fork_point)
    pull = await line.open(LOST)
    pull.base_ref, pull.author, pull.labels = branch, "octocat", [HOSTILE]
    payload = line.github.payload("opened", NAME, pull.number)
    payload["pull_request"] |= {"title": HOSTILE, "body": HOSTILE}
    payload["pull_request"]["head"] |= {"ref": branch, "label": f"octocat:{branch}"}
    payload["sender"] |= {"login": "octocat"}
    assert await line.github.deliver(f"{line.web}/webhook", "pull_request", payload) == 202
    await line.quiet()
    [body], [run] = line.bodies(pull), line.runs()
    told = [body, *run["output"].values(), *capsys.readouterr()]
    assert [words for words in ("octocat", "evil", ":tada:") if words in str(told)] == []
