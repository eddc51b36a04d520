"""A push that takes something from Windows users opens one issue, which follows what becomes of it."""

import asyncio
import base64
import json
import zlib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from bot import alert_text
from bot.alert_text import About, Ending
from bot.demo.sample import commit, git
from bot.ids import Repo, Sha
from bot.queue import HISTORY_KEPT
from bot.regressions import MAX_OPEN, Regression, Resolved, State, is_marked, mark, recovered
from bot.webhook import is_release
from tests.bot.conftest import INSTALLATION, NAME
from tests.bot.injection import INJECTIONS
from tests.bot.line import BASE, HARMLESS, LOST, LOST_MORE, REAL, STUB, Line, Tree
from tests.bot.pushes import NOWHERE, grown, hear, move, push, tip, told
from tests.bot.rendered import OURS, references, rendered

SETTINGS = ".github/winparity.yml"
PAD: Tree = {"pad/pad_linux.go": REAL.replace("vol", "pad"), "pad/pad_windows.go": REAL.replace("vol", "pad")}
PAD_LOST: Tree = {**PAD, "pad/pad_windows.go": STUB.replace("vol", "pad")}
BOTH: Tree = {**BASE, **PAD}
BROKEN = (b"no zlib", zlib.compress(b"no json"), zlib.compress(b'{"open": [{"rule": 1}]}'), zlib.compress(b"[" * 10**7))


def _issues(line: Line) -> list[dict[str, Any]]:
    return line.repository.issues


def _states(line: Line) -> list[tuple[str, str | None]]:
    return [(issue["state"], issue["state_reason"]) for issue in _issues(line)]


def _calls(line: Line, since: int) -> list[str]:
    return [f"{call.method} {call.path}" for call in line.github.calls[since:]]


async def _history(line: Line, branch: str = "main") -> list[dict[str, Any]]:
    return [json.loads(entry) for entry in await line.jobs.history(Repo(NAME), branch)]


# Opened.


async def test_a_regression_opens_an_issue_that_says_all(line: Line) -> None:
    before = tip(line)
    pull = await line.open(LOST)
    line.github.merge(NAME, pull.number, await line.commit(LOST))
    after = tip(line)
    await hear(line, told("main", before, after))
    [issue] = _issues(line)
    assert issue["title"] == "Windows support regressed on main"
    for words in (
        "`Free`",
        f"{line.github.url}/{Repo(NAME)}/blob/{after}/vol/free_windows.go#L6",
        f"/compare/{before}...{after}",
        f"by #{pull.number}",
        "implementation-lost",
        "What to do",
        "`//winparity:ignore implementation-lost the reason`",
    ):
        assert words in issue["body"], words
    assert line.repository.comments == []
    assert line.writes == [f"POST /repos/{Repo(NAME)}/issues"]


async def test_a_push_without_a_regression_is_recorded_and_not_told(line: Line) -> None:
    await push(line, HARMLESS)
    await push(line, {**HARMLESS, **PAD_LOST})
    assert _issues(line) == []
    newest, oldest = await _history(line)
    assert (newest["sha"], newest["before"]) == (tip(line), oldest["sha"])
    assert (oldest["counts"], oldest["findings"], oldest["complete"]) == ({}, [], True)
    assert newest["counts"] == {"warning": 1}
    assert newest["findings"][0]["rule"] == "stub-added"


async def test_a_second_regression_is_an_edit(line: Line) -> None:
    await push(line, {**BOTH, **LOST, **PAD})
    await push(line, {**LOST, **PAD_LOST})
    [issue] = _issues(line)
    assert issue["body"].count("implementation-lost (") + issue["body"].count("· implementation-lost ·") == 2
    assert line.writes[1:] == [f"PATCH /repos/{Repo(NAME)}/issues/{issue['number']}"]


async def test_a_push_that_changes_nothing_for_the_issue_writes_nothing(line: Line) -> None:
    await push(line, LOST)
    before = len(line.writes)
    await push(line, {**LOST, "README.md": "# Another\n"})
    await push(line, {**LOST, "vol/doc.go": "// Package vol has volumes.\npackage vol\n"})
    assert len(line.writes) == before
    assert _states(line) == [("open", None)]


async def test_the_same_delivery_and_the_same_push_twice_do_nothing(line: Line) -> None:
    told_of = await grown(line, LOST)
    await hear(line, told_of, "a-delivery")
    known, writes = len(line.github.calls), line.writes
    await hear(line, told_of, "a-delivery")
    await hear(line, told_of, "another-delivery")
    assert line.writes == writes
    assert _calls(line, known) == [f"GET /repos/{Repo(NAME)}/branches/main"]


async def test_pushes_in_any_order_and_many_times_are_one_issue(line: Line) -> None:
    await push(line, BOTH)
    pushes = [await grown(line, tree) for tree in ({**LOST, **PAD}, {**LOST, **PAD_LOST}, {**LOST_MORE, **PAD_LOST})]
    url = f"{line.web}/webhook"
    payloads = [line.github.event(NAME, **push) for push in [*reversed(pushes), *pushes]]
    await asyncio.gather(*(line.github.deliver(url, "push", payload) for payload in payloads))
    await line.quiet()
    [issue] = _issues(line)
    assert {r.package for r in recovered(issue["body"]).open} == {"vol", "pad"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_first_push_may_come_late(line: Line, order: tuple[int, int]) -> None:
    pushes = [await grown(line, tree) for tree in (LOST, {**LOST, "README.md": "x"})]
    for number in order:
        await hear(line, pushes[number])
    [issue] = _issues(line)
    assert "`Free`" in issue["body"]


async def test_two_branches_have_an_issue_each(line: Line) -> None:
    move(line, "release/1.2", tip(line))
    await push(line, LOST, "release/1.2")
    await push(line, LOST)
    assert [issue["title"].rpartition(" ")[2] for issue in _issues(line)] == ["release/1.2", "main"]
    await push(line, BASE, "release/1.2")
    assert _states(line) == [("closed", "completed"), ("open", None)]


# Which branches.


async def test_a_feature_branch_costs_nothing(line: Line) -> None:
    move(line, "feature", tip(line))
    for branch in ("feature", "renovate/golang-1.x", "gh-readonly-queue/main/pr-1-abc"):
        move(line, branch, line.fork_point)
        await hear(line, await grown(line, LOST, branch), status=200)
    await hear(line, {"ref": "refs/tags/v1.0", "before": NOWHERE, "after": tip(line)}, status=200)
    assert (line.github.calls, line.github.git_calls, await line.queued()) == ([], [], set())


@pytest.mark.parametrize(
    ("branch", "is_one"),
    [
        *((name, True) for name in "release/1.2 release-1.2 releases/v3 release-branch.go1.22 rel-3 28.x".split()),
        *((name, True) for name in "docker-29.x v2 v1.15 1.2 20.10 stable stable-1.2 lts/1.2 1.2-stable V2.X".split()),
        *(
            (name, False)
            for name in "fix 123 fix-123 patch-1 release-notes bump-1.2.3 feature/v2 v v2-refactor".split()
        ),
        *((name, False) for name in ("renovate/golang-1.x", "dependabot/go/x-1.2.3", "stablecoin", "1.2\n", "")),
    ],
)
def test_release_branches_are_known_by_their_names(branch: str, is_one: bool) -> None:  # noqa: FBT001 - a column
    assert is_release(branch) is is_one


async def test_a_new_branch_is_looked_at_from_its_first_tip_on(line: Line) -> None:
    start = await line.commit(LOST)
    move(line, "v2", start)
    await hear(line, told("v2", NOWHERE, start))
    assert _issues(line) == []
    assert line.github.git_calls == []
    await push(line, LOST_MORE, "v2")
    assert _issues(line) == []


async def test_a_branch_that_is_gone_takes_its_issue_along(line: Line) -> None:
    move(line, "v2", tip(line))
    last = await push(line, LOST, "v2")
    git(line.repository.git_dir, "update-ref", "-d", "refs/heads/v2")
    await hear(line, told("v2", last, NOWHERE))
    assert _states(line) == [("closed", "not_planned")]
    assert "is gone" in _issues(line)[0]["body"]
    assert not {name for name in await line.queued() if name.endswith(b"@v2:state")}
    move(line, "v2", line.fork_point)
    await hear(line, told("v2", NOWHERE, line.fork_point))
    assert len(_issues(line)) == 1


async def test_a_forced_push_is_compared_with_the_last_tip(line: Line) -> None:
    last = await push(line, HARMLESS)
    forced = await line.commit(LOST)
    move(line, "main", forced)
    await hear(line, told("main", last, forced))
    [issue] = _issues(line)
    assert f"{last}...{forced}" in issue["body"]
    assert "the branch was rewritten" in issue["body"]


async def test_where_the_last_tip_is_lost_the_push_says_what_was_before(line: Line) -> None:
    last = await push(line, HARMLESS)
    other = await line.commit({**BASE, "README.md": "x"})
    move(line, "main", other)
    git(line.repository.git_dir, "prune", "--expire=now")
    mirror = line.settings.data_dir / "mirrors" / f"{Repo(NAME)}.git"
    await asyncio.to_thread(_remove, mirror)
    forced = await asyncio.to_thread(commit, line.repository.git_dir, LOST, "x", other)
    move(line, "main", forced)
    await hear(line, told("main", other, forced))
    [issue] = _issues(line)
    assert f"{other}...{forced}" in issue["body"]
    assert last not in issue["body"]
    assert "the branch was rewritten" in issue["body"]


def _remove(folder: Any) -> None:
    import shutil  # noqa: PLC0415 - only here

    shutil.rmtree(folder)


# Followed.


async def test_what_is_mended_closes_it(line: Line) -> None:
    await push(line, LOST)
    pull = await line.open(BASE)
    before = tip(line)
    line.github.merge(NAME, pull.number, await asyncio.to_thread(commit, line.repository.git_dir, BASE, "mend", before))
    await hear(line, told("main", before, tip(line)))
    assert _states(line) == [("closed", "completed")]
    body = _issues(line)[0]["body"]
    assert f"/commit/{tip(line)}" in body
    assert f"by #{pull.number}" in body
    assert "No longer found" in body
    assert line.repository.comments == []


async def test_a_branch_that_is_set_back_has_all_that_it_had(line: Line) -> None:
    first = tip(line)
    lost = await push(line, LOST)
    move(line, "main", first)
    await hear(line, told("main", lost, first))
    assert _states(line) == [("closed", "completed")]


async def test_one_of_two_that_is_mended_is_struck(line: Line) -> None:
    await push(line, {**LOST, **PAD})
    await push(line, {**LOST, **PAD_LOST})
    await push(line, BOTH | PAD_LOST)
    body = _issues(line)[0]["body"]
    listed, _, gone = body.partition("**No longer found**")
    assert ("vol/free_windows.go" in listed, "pad/pad_windows.go" in listed) == (False, True)
    assert "vol/free_windows.go" in gone
    assert _states(line) == [("open", None)]


@pytest.mark.parametrize("where", ["the source", "the settings"])
async def test_what_is_accepted_later_closes_it(line: Line, where: str) -> None:
    await push(line, LOST)
    remark = STUB.replace("func Free", "//winparity:ignore implementation-lost no such thing\nfunc Free")
    entry = "accept:\n- {symbol: vol:Free, reason: no such thing}\n"
    await push(line, {**LOST, **({"vol/free_windows.go": remark} if where == "the source" else {SETTINGS: entry})})
    assert _states(line) == [("closed", "completed")]
    assert "accepted since" in _issues(line)[0]["body"]


@pytest.mark.parametrize("where", ["the source", "the settings", "its pull request"])
async def test_what_is_accepted_at_once_opens_none(line: Line, where: str) -> None:
    remark = STUB.replace("func Free", "//winparity:ignore implementation-lost no such thing\nfunc Free")
    entry = "accept:\n- {symbol: vol:Free, reason: no such thing}\n"
    change = {"the source": {"vol/free_windows.go": remark}, "the settings": {SETTINGS: entry}}.get(where, {})
    before, pull = tip(line), await line.open({**LOST, **change})
    if where == "its pull request":
        line.repository.permissions["maintainer"] = "write"
        await line.hear("opened", pull)
        await line.say(pull, "/winparity accept vol:Free no such thing", "maintainer")
    line.github.merge(NAME, pull.number, await line.commit({**LOST, **change}))

    await hear(line, told("main", before, tip(line)))
    await push(line, {**LOST, **change, "README.md": "x"})
    assert _issues(line) == []


async def test_what_a_person_closes_stays_closed_and_is_not_brought_up_again(line: Line) -> None:
    await push(line, {**LOST, **PAD})
    _issues(line)[0]["state"] = "closed"
    closed = dict(_issues(line)[0])
    await push(line, {**LOST, **PAD, "README.md": "still lost"})
    assert _issues(line) == [closed]
    await push(line, {**LOST, **PAD_LOST})
    [_, new] = _issues(line)
    assert ("pad/pad_windows.go" in new["body"], "vol/free_windows.go" in new["body"]) == (True, False)
    assert _issues(line)[0] == closed


async def test_a_push_that_comes_late_does_not_bring_up_what_a_person_closed(line: Line) -> None:
    first = tip(line)
    await push(line, {**LOST, **PAD})
    _issues(line)[0]["state"] = "closed"
    await push(line, {**LOST, **PAD_LOST})
    known = [dict(issue) for issue in _issues(line)]
    older = await line.commit({**BOTH, "README.md": "# Older\n"})
    await hear(line, told("main", older, first))
    assert _issues(line) == known


async def test_a_closed_issue_is_left_alone_when_all_is_mended(line: Line) -> None:
    await push(line, LOST)
    _issues(line)[0]["state"] = "closed"
    closed = dict(_issues(line)[0])
    await push(line, BASE)
    await push(line, LOST)
    assert _issues(line)[0] == closed
    assert len(_issues(line)) == 2, "it came back, and was lost anew"


async def test_an_issue_that_was_deleted_counts_as_closed(line: Line) -> None:
    await push(line, {**LOST, **PAD})
    [gone] = _issues(line)
    line.repository.issues.remove(gone)
    line.github.refuse_next(f"GET /repos/{Repo(NAME)}/issues/{gone['number']}", 410)
    await push(line, {**LOST, **PAD_LOST})
    [new] = _issues(line)
    assert [regression.package for regression in recovered(new["body"]).open] == ["pad"]


async def test_what_cannot_be_read_is_not_mended(line: Line) -> None:
    await push(line, LOST)
    await push(line, {**LOST, "vol/free_windows.go": "package vol\n\nfunc Free(( {\n"})
    assert _states(line) == [("open", None)]


async def test_a_function_that_changes_its_rule_stays_listed_once(line: Line) -> None:
    await push(line, LOST)
    without = {path: text for path, text in BASE.items() if path != "vol/free_windows.go"}
    await push(line, {**without, "vol/use.go": "package vol\n\nvar Used = Free\n"})
    [issue] = _issues(line)
    assert issue["state"] == "open"
    assert len(recovered(issue["body"]).open) == 1


# Lost and found.


async def test_without_the_store_the_issue_is_found_again(line: Line) -> None:
    await push(line, {**LOST, **PAD})
    line.github.open_issue(NAME, "A copy", _issues(line)[0]["body"])
    await line.jobs.redis.flushall()
    await push(line, {**LOST, **PAD_LOST})
    assert {r.package for r in recovered(_issues(line)[0]["body"]).open} == {"vol", "pad"}
    await push(line, BOTH)
    assert [issue["state"] for issue in _issues(line)] == ["closed", "open"], "a person's copy is left alone"


async def test_of_two_issues_the_oldest_stays(line: Line) -> None:
    """Another worker was faster: its issue is not listed yet when we look, and is when we have opened ours."""
    before = tip(line)
    mine = mark("main", recovered(""))

    def faster(method: str, path: str) -> None:
        if (method, path) == ("POST", f"/repos/{Repo(NAME)}/issues"):
            line.github.on_call = None
            line.github.open_issue(NAME, "Windows support regressed on main", mine, by_app=True)

    line.github.on_call = faster
    after = await push(line, LOST)
    assert _states(line) == [("open", None), ("closed", "not_planned")]
    assert f"{before}...{after}" in _issues(line)[0]["body"]


@pytest.mark.parametrize("why", ["no permission", "issues are off"])
async def test_where_no_issue_can_be_written_all_else_goes_on(line: Line, why: str) -> None:
    if why == "no permission":
        del line.github.granted["issues"]
    line.repository.has_issues = why != "issues are off"
    for tree in (LOST, {**LOST, "README.md": "x"}, {**LOST, **PAD}):
        await push(line, tree)
    assert _issues(line) == []
    assert [entry["verdict"] for entry in await _history(line)] == ["unchanged", "unchanged", "regressed"]
    line.github.granted["issues"], line.repository.has_issues = "write", True
    await push(line, {**LOST, **PAD, "README.md": "y"})
    assert len(_issues(line)) == 1


async def test_tokens_are_no_wider_than_before(line: Line) -> None:
    await push(line, LOST)
    asked = [call.body["permissions"] for call in line.github.calls if call.path.endswith("/access_tokens")]
    assert asked == [{"checks": "write", "contents": "read", "pull_requests": "write"}, {"issues": "write"}]


async def test_a_github_that_is_away_is_asked_again(line: Line) -> None:
    line.github.refuse_next("POST /repos/example/berth/issues", 502)
    line.github.refuse_next("GET /repos/example/berth/branches", 503)
    await push(line, LOST)
    assert len(_issues(line)) == 1
    assert len(await _history(line)) == 1


# Settings.


@pytest.mark.parametrize(
    ("wanted", "told_of"),
    [
        ("alerts: issue\n", True),
        ("alerts: webhooks\n", False),
        ("alerts: never\n", False),
        ("alert_branches: [release/*]\n", False),
        ("alert_branches: [release/*, 'ma*']\n", True),
        ("alerts: sometimes\n", False),
    ],
)
async def test_a_branch_says_by_its_own_settings_who_is_told(
    line: Line,
    wanted: str,
    told_of: bool,  # noqa: FBT001 - a table's column
) -> None:
    await push(line, {**LOST, SETTINGS: wanted})
    assert bool(_issues(line)) is told_of
    assert len(await _history(line)) == 1


async def test_what_the_owner_says_holds_for_a_branch_that_says_nothing(line: Line, tmp_path: Path) -> None:
    folder = tmp_path / "owner.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    told_by_owner = await asyncio.to_thread(commit, folder, {SETTINGS: "alerts: never\n"}, "settings")
    git(folder, "update-ref", "refs/heads/main", told_by_owner)
    line.github.add_repository("Example/.github", folder, INSTALLATION, public=True)
    await push(line, LOST)
    assert _issues(line) == []


@pytest.mark.parametrize("by", ["the branch", "an issue that is open already"])
async def test_in_shadow_mode_a_push_is_recorded_and_nothing_is_written(line: Line, by: str) -> None:
    if by != "the branch":
        await push(line, LOST)
    known = list(line.writes)
    await push(line, {**LOST, SETTINGS: "shadow: true\n"})
    await push(line, {**BASE, SETTINGS: "shadow: true\n"})
    assert line.writes == known
    assert len(await _history(line)) == 2 + len(known)


async def test_alerts_that_are_switched_off_close_the_issue(line: Line) -> None:
    await push(line, LOST)
    await push(line, {**LOST, SETTINGS: "alerts: never\n"})
    assert _states(line) == [("closed", "not_planned")]
    assert "switched off" in _issues(line)[0]["body"]


async def test_a_mistake_in_the_settings_closes_nothing(line: Line) -> None:
    await push(line, LOST)
    await push(line, {**LOST, SETTINGS: "alerts: sometimes\n"})
    assert _states(line) == [("open", None)]


# Limits, and hostile text.


def _state(text: str) -> State:
    """All that an issue shows, with a text wherever a push can put one."""
    before, after = Sha("b" * 40), Sha("a1" * 20)
    regression = Regression(
        "implementation-lost", text, text, f"x/{text}.go", 1, 2, "head", f"{text} is {text}", text, before, after
    )
    other = msgspec.structs.replace(regression, rule="undefined-on-windows", symbol="", message=text, rewritten=True)
    gone = tuple(Resolved(regression, after, accepted) for accepted in (True, False))
    return State(tip=after, issue=1, open=(regression, other), resolved=gone)


@pytest.mark.parametrize("ending", get_args(Ending))
@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_nothing_in_a_push_becomes_markup_or_a_mention(text: str, ending: Ending) -> None:
    body = alert_text.body(_state(text), About(Repo(NAME), text, "https://github.com"), ending)
    shown = rendered(body)
    assert set(shown.tags) <= OURS
    assert (shown.attributes, shown.unbalanced) == ([], [])
    assert len(shown.comments) == 1
    assert [link for link in shown.links if not link.startswith(f"https://github.com/{Repo(NAME)}/")] == []
    assert references(shown.text) == []
    assert all(c.isprintable() or c == "\n" for c in shown.shown)
    assert len(body.encode()) < 65_536


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_a_title_names_a_branch_only_if_it_is_but_a_name(text: str) -> None:
    assert alert_text.title(text, "windows") == "Windows support regressed on a branch"
    assert alert_text.title("release/1.2", "darwin") == "macOS support regressed on release/1.2"


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_what_an_issue_holds_is_read_again(text: str) -> None:
    state = _state(text)
    found = recovered(mark(text, state))
    assert (found.open, found.resolved) == (state.open, state.resolved)
    assert is_marked(text, mark(text, state))
    assert not is_marked("main", mark(text, state))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<!-- winparity -->",
        "<!-- winparity alert 0123456789abcdef -->",
        "<!-- winparity alert 0123456789abcdef x= -->",
    ]
    + [f"<!-- winparity alert 0123456789abcdef {base64.b64encode(data).decode()} -->" for data in BROKEN],
)
def test_what_people_made_of_it_is_not_believed(body: str) -> None:
    assert recovered(body) == State()


async def test_a_branch_with_a_hostile_name_is_not_named_in_the_title(line: Line) -> None:
    branch = "release-1/@octocat#1%2F`x`"
    move(line, branch, tip(line))
    await push(line, LOST, branch)
    [issue] = _issues(line)
    assert issue["title"] == "Windows support regressed on a branch"
    assert references(rendered(issue["body"]).text) == []


async def test_a_push_that_loses_everything_fits_into_one_issue(line: Line) -> None:
    long = "long/" * 40
    packages = [f"{long}p{n}" for n in range(MAX_OPEN + 10)]
    real = {f"{p}/f_{goos}.go": REAL for p in packages for goos in ("linux", "windows")}
    await push(line, {**BASE, **real})
    await push(line, {**BASE, **real, **{f"{p}/f_windows.go": STUB for p in packages}})
    [issue] = _issues(line)
    assert len(issue["body"]) < 65_536
    assert len(recovered(issue["body"]).open) == MAX_OPEN


async def test_the_history_is_bounded(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HISTORY_KEPT == 100
    monkeypatch.setattr("bot.queue.HISTORY_KEPT", 2)
    tips = [await push(line, {**BASE, "README.md": str(n)}) for n in range(4)]
    assert [entry["sha"] for entry in await _history(line)] == tips[:1:-1]
