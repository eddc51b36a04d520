"""What people complain about in other bots, a test for each complaint, from a signed webhook to what GitHub shows."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from bot.check import CHECK_NAME
from bot.comment import MARKER
from bot.demo.sample import git
from bot.doctor_app import check_deliveries
from bot.passages import BUDGET
from bot.registration import Delivery
from bot.web import listening
from bot.worker import working
from tests.bot.conftest import APP_ID, NAME
from tests.bot.line import BASE, HARMLESS, LOST, LOST_MORE, MALFORMED, REAL, STUB, STUBBED, Line
from tests.bot.rendered import references, rendered

FACTS = Path(__file__).parents[3] / "shared" / "github-facts.md"
CREATES = "POST /repos/example/berth/issues/1/comments"
MANY = 60
# Branches on the platform that cost Windows nothing: an early return, a negation, a switch, and variables for it.
BRANCHES = """package vol

import "runtime"

const onWindows = runtime.GOOS == "windows"

func Separator() string {
	if runtime.GOOS == "windows" {
		return `\\\\`
	}
	return "/"
}

func Root() string {
	posix := !onWindows
	if posix {
		return "/"
	}
	return `C:\\\\`
}

func Shell() string {
	switch runtime.GOOS {
	case "windows":
		return "cmd"
	default:
		return "sh"
	}
}
"""


async def mail(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    for tree in (LOST_MORE, HARMLESS, LOST):
        await line.push(pull, tree)
        await line.hear("synchronize", pull)
    before = len(line.writes)
    await line.hear("reopened", pull)
    assert line.writes.count(CREATES) == 1
    assert len(line.writes) == before, "an identical body is no call"


async def all_fine(line: Line) -> None:
    await line.set_up("")
    pull = await line.open(HARMLESS)
    await line.hear("opened", pull)
    assert (line.bodies(pull), line.runs()[0]["conclusion"]) == ([], "success")
    await line.set_up("comment: never\n")
    quiet = await line.open(LOST)
    await line.hear("opened", quiet)
    assert (line.bodies(quiet), line.runs(quiet.head)[0]["conclusion"]) == ([], "failure")


async def duplicates(line: Line) -> None:
    pull = await line.open(LOST)
    for number in range(150):
        line.github.add_comment(
            NAME, pull.number, f"{MARKER}\nnot by winparity, {number}", APP_ID + 1 if number % 2 else None
        )
    await line.hear("opened", pull)
    first = next(c for c in line.repository.comments if _by(c) == APP_ID)
    for _ in range(150):
        line.github.add_comment(NAME, pull.number, "what people say")
    line.github.add_comment(NAME, pull.number, f"{MARKER}\none too many", APP_ID)
    await line.push(pull, LOST_MORE)
    async with working(line.settings, line.redis_url):
        await asyncio.gather(*(line.send("synchronize", pull) for _ in range(6)))
        await line.quiet()
    assert [c["id"] for c in line.repository.comments if _by(c) == APP_ID] == [first["id"]], "the oldest wins"


def _by(comment: dict[str, dict[str, int] | None]) -> int | None:
    app = comment["performed_via_github_app"]
    return app["id"] if app else None


async def stale(line: Line) -> None:
    pull = await line.open(LOST)
    old = line.github.payload("opened", NAME, pull.number)
    await line.push(pull, LOST_MORE)
    assert await line.github.deliver(f"{line.web}/webhook", "pull_request", old) == 202
    await line.quiet()
    assert [run["head_sha"] for run in line.runs()] == [pull.head]
    await line.push(pull, HARMLESS)
    await line.hear("synchronize", pull)
    assert "resolved" in line.bodies(pull)[0]


async def forks(line: Line) -> None:
    pull = await line.open(LOST, "stranger/berth")
    await line.hear("opened", pull)
    assert (len(line.bodies(pull)), line.runs()[0]["head_sha"]) == (1, pull.head)


async def merge_queue(line: Line) -> None:
    head = await line.commit(HARMLESS)
    group = {"head_sha": head, "head_ref": "x", "base_sha": line.fork_point, "base_ref": "refs/heads/main"}
    await line.tell("merge_group", action="checks_requested", merge_group=group)
    assert [(run["name"], run["conclusion"]) for run in line.runs(head)] == [(CHECK_NAME, "success")]


async def baseline(line: Line) -> None:
    """Main goes on and loses something itself; the pull request, which began before that, did not."""
    lost = await line.commit(LOST)
    git(line.repository.git_dir, "update-ref", "refs/heads/main", lost)
    innocent, guilty = await line.open(HARMLESS), await line.open(LOST_MORE)
    for pull in (innocent, guilty):
        await line.hear("opened", pull)
    assert line.bodies(innocent) == []
    [body] = line.bodies(guilty)
    assert line.fork_point in body
    assert guilty.head in body
    assert lost not in body


async def false_positives(line: Line) -> None:
    pull = await line.open({**BASE, "vol/names.go": BRANCHES})
    await line.hear("opened", pull)
    [run] = line.runs()
    assert (line.bodies(pull), run["conclusion"], run["annotations"]) == ([], "success", [])


async def accepting(line: Line) -> None:
    ignored = STUB.replace("func Free", "//winparity:ignore implementation-lost nobody asks for it\nfunc Free")
    by_source = await line.open({**LOST, "vol/free_windows.go": ignored})
    await line.hear("opened", by_source)
    assert line.runs(by_source.head)[0]["conclusion"] == "success"
    entry = (
        "accept:\n- {symbol: vol:Free, reason: nobody asks, issue: 'https://example.com/1', expires: 2999-12-31}\n"
        "- {symbol: vol:Gone, reason: was needed once}\n"
    )
    await line.set_up(entry)
    by_entry = await line.open(LOST)
    await line.hear("opened", by_entry)
    assert (line.bodies(by_entry), line.runs(by_entry.head)[0]["conclusion"]) == ([], "success")
    assert "nobody asks" in line.runs(by_entry.head)[0]["output"]["text"]


async def first_day(line: Line) -> None:
    await line.set_up("comment: findings\n")
    assert line.extra.keys() > STUBBED.keys(), "main has a stub that nobody has touched"
    pull = await line.open({**HARMLESS, "run/doc.go": "// Package run runs.\npackage run\n"})
    await line.hear("opened", pull)
    [run] = line.runs()
    assert (line.bodies(pull), run["conclusion"], run["annotations"]) == ([], "success", [])


async def too_much(line: Line) -> None:
    packages = {f"p{n}/f_linux.go": REAL.replace("package vol", f"package p{n}") for n in range(MANY)}
    real = {path.replace("linux", "windows"): text for path, text in packages.items()}
    stubs = {f"p{n}/f_windows.go": STUB.replace("package vol", f"package p{n}") for n in range(MANY)}
    line.base = {**BASE, **packages, **real}
    await line.set_up("")
    pull = await line.open({**line.base, **stubs})
    await line.hear("opened", pull)
    [run], [body] = line.runs(), line.bodies(pull)
    assert (len(run["annotations"]), run["status"]) == (MANY, "completed")
    assert len(body.encode()) <= BUDGET
    assert re.search(r"^\d+ more: see \[full report\]", body, re.MULTILINE)
    await line.hear("reopened", pull)
    assert [len(run["annotations"]) for run in line.runs()] == [MANY], "they are not appended again"


async def truncated(line: Line) -> None:
    pull = await line.open(MALFORMED)
    await line.hear("opened", pull)
    [run] = line.runs()
    assert run["conclusion"] == "neutral"
    assert "vol/new_windows.go" in run["output"]["summary"]


async def not_understood(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    [body] = line.bodies(pull)
    shown = rendered(body)
    assert "Windows users lose" in shown.text
    assert f"/blob/{pull.head}/vol/free_windows.go#L" in body, "the evidence"
    assert "Fix:" in shown.text
    assert any("winparity:ignore implementation-lost" in code for code in shown.code), "how to accept it"


async def pings(line: Line) -> None:
    await line.set_up("owners: true\n", CODEOWNERS="* @octo-org/all\n")
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    line.repository.comments.clear()
    for tree in (LOST_MORE, HARMLESS, LOST):
        await line.push(pull, tree)
        await line.hear("synchronize", pull)
    bodies = [call.body["body"] for call in line.github.calls if call.body and "body" in call.body]
    assert [("@octo-org" in rendered(body).text) for body in bodies] == [True, *[False] * (len(bodies) - 1)]
    assert [found for body in bodies[1:] for found in references(_without(body, line, pull.head))] == []
    asked = [call.body["permissions"] for call in line.github.calls if call.path.endswith("/access_tokens")]
    assert [permissions["contents"] for permissions in asked] == ["read"], "nobody's branch can be pushed to"
    assert {call.path.rpartition("/")[2] for call in line.github.git_calls} <= {"refs", "git-upload-pack"}


def _without(body: str, line: Line, head: str) -> str:
    """What is shown of a comment, without our own words of which commits were compared."""
    shown = rendered(body).text
    heads = {head, line.fork_point, *(run["head_sha"] for run in line.runs())}
    for sha in heads:
        shown = shown.replace(sha[:12], "").replace(sha[:7], "")
    return shown


async def died(line: Line) -> None:
    """What we did not take is seen in GitHub's own list, a store that is away is a health state, and nothing is lost."""
    unheard = [Delivery(str(n), datetime.now(UTC), "failed", 502, "pull_request") for n in range(3)]
    assert check_deliveries(unheard, "https://github.com/settings/apps").level == "failure"
    async with aiohttp.ClientSession() as session:
        for path in ("healthz", "readyz"):
            assert (await session.get(f"{line.web}/{path}")).status == 200
        pull = await line.open(LOST)
        async with listening(line.settings, "unix:///nowhere.sock") as web:
            payload = line.github.payload("opened", NAME, pull.number)
            assert await line.github.deliver(f"{web}/webhook", "pull_request", payload) == 503
            assert (await session.get(f"{web}/readyz")).status == 503


ROWS: dict[str, Callable[[Line], Awaitable[None]]] = {
    "a mail on every push": mail,
    '"all fine" comments (moby/buildkit switched one bot\'s comments off)': all_fine,
    "duplicate comments by race, paging or not knowing its own name": duplicates,
    "stale result, never cleared": stale,
    "forks get a 403 or silence": forks,
    "merge queue blocked": merge_queue,
    "wrong baseline": baseline,
    "false positives by shallow flow analysis": false_positives,
    "cannot accept one finding": accepting,
    "flood on the first day": first_day,
    "too many annotations, body too long": too_much,
    "truncated input, false green": truncated,
    "verdict not understood": not_understood,
    "repeated pings, pushes to contributors' branches, cross-reference spam": pings,
    "the bot died and nobody noticed": died,
}


@pytest.mark.parametrize("words", ROWS)
async def test_the_complaint_has_an_answer(line: Line, words: str) -> None:
    await ROWS[words](line)


def test_each_complaint_has_a_test() -> None:
    if not FACTS.exists():
        pytest.skip("the list of complaints is not beside this repository")
    table = FACTS.read_text(encoding="utf-8").partition("| complaint | answer |\n")[2]
    rows = [
        line.split(" | ")[0].removeprefix("| ")
        for line in table.splitlines()
        if line.startswith("| ") and "---" not in line
    ]
    assert rows
    assert [row for row in rows if row not in ROWS] == []
