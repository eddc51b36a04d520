"""GitHub in a bad mood: for each kind of request and each way to fail it, what becomes of the job.

Nothing is shown twice and nothing is lost, whether or not a write that was not answered happened.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

import bot.github
import bot.queue
import bot.worker
from bot.demo.github import Mood, PullState, RepositoryState, StandIn
from bot.demo.sample import git
from bot.github import BROKEN_WAIT, MAX_BROKEN_WAIT, MAX_FAILURES, BusyError, Installation, RefusedError
from tests.bot.conftest import INSTALLATION, NAME, Template
from tests.bot.line import LOST, LOST_MORE, PATIENCE, REAL, STUB, Line, Tree

API = "/repos/example/berth"
SECONDARY = '{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}'
PERMISSION = '{"message": "Resource not accessible by integration"}'
PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"
FUNCTIONS = 60


def _functions(text: str) -> str:
    """A file with so many functions of one body that their remarks take two requests."""
    package, _, function = text.partition("// Free")
    return package + "\n".join(f"// Free{function}".replace("Free", f"Free{number}") for number in range(FUNCTIONS))


LARGE: Tree = {"vol/many_linux.go": _functions(REAL), "vol/many_windows.go": _functions(REAL)}
LARGE_LOST: Tree = {**LARGE, "vol/many_windows.go": _functions(STUB)}


@dataclass(frozen=True)
class How:
    """A way to fail a request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = "{}"
    mood: Mood = "answer"
    done: bool = False


HTML = {"Content-Type": "text/html"}
# What passes: the job comes back, by itself or by the queue, and all is as if nothing had been.
PASSING = {
    "500": How(500),
    "502 with a page": How(502, HTML, PAGE),
    "503": How(503, {"Retry-After": "1"}),
    "504": How(504, {}, ""),
    "401, the token ended early": How(401, {}, '{"message": "Bad credentials"}'),
    "409": How(409, {}, '{"message": "Conflict"}'),
    "429": How(429, {"Retry-After": "1"}),
    "403, secondary limit": How(403, {"Retry-After": "1"}, SECONDARY),
    "403, primary limit": How(
        403, {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
    ),
    "slow": How(mood="slow"),
    "reset": How(mood="reset"),
    "half-closed": How(mood="half"),
    "cut off": How(mood="cut"),
    "no JSON": How(200, {}, "{"),
    "a page": How(200, HTML, PAGE),
    "empty": How(200, {}, ""),
    "another shape": How(200, {}, '{"unheard": "of"}'),
    "an empty object": How(200, {}, "{}"),
    "null": How(200, {}, "null"),
}
# The same, but it happened: only whoever asks again can know.
UNHEARD = {
    "502, done": How(502, HTML, PAGE, done=True),
    "slow, done": How(mood="slow", done=True),
    "reset, done": How(mood="reset", done=True),
    "cut off, done": How(mood="cut", done=True),
    "empty, done": How(200, {}, "", done=True),
    "no JSON, done": How(200, {}, "{", done=True),
    "another shape, done": How(200, {}, "[]", done=True),
}
# What does not pass: the job is over, and says so. The next event finds all as it was.
FINAL = {
    "403, no permission": How(403, {}, PERMISSION),
    "404": How(404, {}, '{"message": "Not Found"}'),
    "410": How(410, {}, '{"message": "Gone"}'),
    "422": How(422, {}, '{"message": "Validation Failed", "errors": ["No"]}'),
    "301 to another server": How(301, {"Location": "http://127.0.0.1:9/there"}),
}
READS = ("pull", "compare", "comments", "runs")
WRITES = ("create comment", "edit comment", "create run", "annotate run")
KINDS = ("token", *READS, *WRITES)


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long, and failures of several kinds are not one after the other."""
    monkeypatch.setattr(bot.worker, "TIMEOUT", aiohttp.ClientTimeout(total=2))
    monkeypatch.setattr(bot.github, "MAX_FAILURES", 1000)
    monkeypatch.setattr(bot.github, "MAX_WAIT", 1.0)


async def _prepared(line: Line) -> dict[str, PullState]:
    """For each kind of request a pull request that makes it."""
    line.base = {**line.base, **LARGE}
    await line.set_up("comment: findings\n")
    pulls = {kind: await line.open({**LARGE, **LOST, "kind.txt": kind}) for kind in KINDS}
    git_dir = line.repository.git_dir
    for kind in ("edit comment", "runs"):
        await line.hear("opened", pulls[kind])
    await line.push(pulls["edit comment"], {**LARGE, **LOST_MORE, "kind.txt": "edited"})
    await line.push(pulls["annotate run"], {**LOST, **LARGE_LOST, "kind.txt": "many"})
    assert git(git_dir, "rev-parse", "refs/heads/main") == line.fork_point
    line.github.revoke_tokens()
    return pulls


def _part(kind: str, line: Line, pull: PullState) -> str:
    """How the kind's request begins, for this pull request alone where its path says so."""
    comment = next((known["id"] for known in line.repository.comments if known["number"] == pull.number), 0)
    return {
        "token": "POST /app/installations",
        "pull": f"GET {API}/pulls/{pull.number}",
        "compare": f"GET {API}/compare/{line.fork_point}...{pull.head}",
        "comments": f"GET {API}/issues/{pull.number}/comments",
        "runs": f"GET {API}/commits/{pull.head}/check-runs",
        "create comment": f"POST {API}/issues/{pull.number}/comments",
        "edit comment": f"PATCH {API}/issues/comments/{comment}",
        "create run": f"POST {API}/check-runs",
        "annotate run": f"PATCH {API}/check-runs",
    }[kind]


def _shows(line: Line, pull: PullState) -> tuple[int, list[tuple[Any, ...]]]:
    """How many comments of ours a pull request has, and what its runs are."""
    runs = [
        (run["status"], run["conclusion"], len(run["annotations"]), len({str(a) for a in run["annotations"]}))
        for run in line.runs(pull.head)
    ]
    return len(line.ours(pull)), runs


@pytest.mark.slow
@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("how", [*PASSING, *UNHEARD])
async def test_what_passes_leaves_no_trace(line: Line, how: str) -> None:
    """Each kind of request is failed once, all at the same time; one that has no path of its own, whosever it is."""
    pulls = await _prepared(line)
    fails = {**PASSING, **UNHEARD}[how]
    # A token that is not given out for our key is a refusal (test_github.py).
    for kind in WRITES if fails.done else KINDS[fails.status == 401 :]:
        part = _part(kind, line, pulls[kind])
        line.github.refuse_next(part, fails.status, fails.headers, fails.body, mood=fails.mood, done=fails.done)
    assert {await line.send("synchronize", pull, f"d-{pull.number}") for pull in pulls.values()} == {202}
    await line.quiet()
    assert line.github.unmet == []
    assert await line.jobs.buried() == []
    assert [pull.number for pull in pulls.values() if not await line.jobs.is_finished(f"d-{pull.number}")] == []
    many = FUNCTIONS + 1
    expected = {kind: (1, [("completed", "failure", 1, 1)]) for kind in KINDS} | {
        "annotate run": (1, [("completed", "failure", many, many)]),
        "edit comment": (1, [("completed", "failure", 2, 2)]),
    }
    assert {kind: _shows(line, pull) for kind, pull in pulls.items()} == expected
    assert "pad/pad_windows.go" in line.ours(pulls["edit comment"])[0], "it was edited"


@pytest.mark.parametrize("how", FINAL)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_does_not_pass_ends_the_job_and_the_next_event_mends_it(line: Line, kind: str, how: str) -> None:
    pull, fails = await line.open(LOST), FINAL[how]
    if kind in {"edit comment", "runs"}:
        await line.hear("opened", pull)
    if kind == "edit comment":
        await line.push(pull, LOST_MORE)
    if kind == "annotate run":
        line.base = {**line.base, **LARGE}
        await line.set_up("comment: findings\n")
        line.github.push(NAME, pull.number, await line.commit({**LOST, **LARGE_LOST}))
    if kind == "token":
        line.github.revoke_tokens()
    line.github.refuse_next(_part(kind, line, pull), fails.status, fails.headers, fails.body)
    await line.hear("synchronize", pull, "the-delivery")
    assert line.github.unmet == []
    assert await line.jobs.is_finished("the-delivery")
    assert await line.jobs.buried() == []
    assert len([call for call in line.github.calls if call.refused]) == 1, "it is not asked again"
    await line.hear("reopened", pull)
    comments, [run] = _shows(line, pull)
    assert (comments, run[:2]) == (1, ("completed", "failure"))
    assert run[2] == run[3]


# What does not end by itself.


@pytest.mark.slow
@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("how", [*(name for name in PASSING if name != "401, the token ended early"), "401"])
async def test_what_lasts_is_given_up_seen_and_tried_again(
    line: Line, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What is no fault of the job's own has three days, which are over at once here; the rest has its tries."""
    monkeypatch.setattr(bot.queue, "MAX_TRIES", 2)
    monkeypatch.setattr(bot.worker, "PATIENCE", 0.0)
    pull, fails = await line.open(LOST), PASSING.get(how, How(401, {}, '{"message": "Bad credentials"}'))
    line.github.refuse_next(f"GET {API}/compare", fails.status, fails.headers, fails.body, times=1000, mood=fails.mood)
    await line.hear("opened", pull, "the-delivery")
    line.github._refusals.clear()
    if how == "401":
        assert await line.jobs.is_finished("the-delivery"), "two tokens that are not taken are a refusal"
        return
    [(name, _)] = await line.jobs.buried()
    assert name == "the-delivery"
    asked = len([call for call in line.github.calls if call.refused])
    assert asked <= 4, "two tries, and what the HTTP client repeats"
    assert await line.jobs.unbury("the-delivery", retry=True)
    await line.quiet()
    assert [run["conclusion"] for run in line.runs(pull.head)][-1] == "failure"
    assert len(line.ours(pull)) == 1


async def test_a_job_that_comes_back_later_is_patient(line: Line) -> None:
    pull = await line.open(LOST)
    line.github.refuse_next(f"GET {API}/compare", 502, times=2)
    await line.hear("opened", pull)
    assert await line.jobs.buried() == []
    assert await line.jobs.redis.exists(bot.queue.WAITING) == 0, "nothing is left of it"
    assert len(line.ours(pull)) == 1


# Others are not held up.


@dataclass
class Clock:
    """The door's clock."""

    now: float = field(default_factory=time.time)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bot.github, "READ_RETRIES", ())
    monkeypatch.setattr(bot.github, "time", clock)
    return clock


async def _failed(installation: Installation, pull: PullState) -> BusyError:
    with pytest.raises(BusyError) as busy:
        await installation.pull(pull.number)
    return busy.value


async def test_after_some_failures_one_asks_in_growing_pauses_until_github_works(
    standin: StandIn,
    installation: Installation,
    pull: PullState,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await installation.token()
    standin.refuse_next("GET /repos", 502, times=MAX_FAILURES + 7)
    for _ in range(MAX_FAILURES):
        assert (await _failed(installation, pull)).until == pytest.approx(clock.now + BROKEN_WAIT)
    pauses = [BROKEN_WAIT]
    for _ in range(7):
        before = len(standin.calls)
        held = await _failed(installation, pull)
        assert (len(standin.calls), held.limited) == (before, True), "nobody asks"
        assert held.until == pytest.approx(clock.now + pauses[-1])
        clock.now += pauses[-1]
        pauses.append((await _failed(installation, pull)).until - clock.now)
        assert len(standin.calls) == before + 1
    assert pauses == pytest.approx([min(BROKEN_WAIT * 2**n, MAX_BROKEN_WAIT) for n in range(8)])
    clock.now += pauses[-1]
    for _ in range(2):
        assert (await installation.pull(pull.number)).open
    said = capsys.readouterr().out
    assert said.count("GitHub fails each time") == 8
    assert said.count("GitHub answers again") == 1


async def test_the_one_that_asks_is_one(
    standin: StandIn, installation: Installation, pull: PullState, clock: Clock
) -> None:
    await installation.token()
    standin.refuse_next("GET /repos", 502, times=MAX_FAILURES)
    for _ in range(MAX_FAILURES):
        await _failed(installation, pull)
    clock.now += BROKEN_WAIT
    before, standin.latency = len(standin.calls), 0.05
    some = await asyncio.gather(*(installation.pull(pull.number) for _ in range(5)), return_exceptions=True)
    assert len(standin.calls) == before + 1
    assert sum(isinstance(one, BusyError) and one.limited for one in some) == 4


async def test_failures_at_the_same_time_are_one_pause(
    standin: StandIn, installation: Installation, pull: PullState, clock: Clock
) -> None:
    await installation.token()
    standin.latency = 0.02
    standin.refuse_next("GET /repos", 502, times=3 * MAX_FAILURES)
    await asyncio.gather(*(installation.pull(pull.number) for _ in range(3 * MAX_FAILURES)), return_exceptions=True)
    assert (await _failed(installation, pull)).until == pytest.approx(clock.now + BROKEN_WAIT)


@pytest.mark.parametrize("status", [404, 403, 200])
async def test_an_answer_between_is_no_failure(
    standin: StandIn, installation: Installation, pull: PullState, clock: Clock, status: int
) -> None:
    await installation.token()
    for _ in range(3):
        standin.refuse_next("GET /repos", 502, times=MAX_FAILURES - 1)
        for _ in range(MAX_FAILURES - 1):
            await _failed(installation, pull)
        if status == 200:
            await installation.pull(pull.number)
            continue
        standin.refuse_next("GET /repos", status, body=PERMISSION)
        with pytest.raises(RefusedError):
            await installation.pull(pull.number)
    assert clock.now


@pytest.mark.parametrize(
    ("how", "times"), [(How(502), 1000), (How(429, {"Retry-After": "3000"}), 1000), (How(mood="reset"), 1000)]
)
async def test_another_installation_is_not_held_up(
    line: Line, template: Template, monkeypatch: pytest.MonkeyPatch, how: How, times: int
) -> None:
    monkeypatch.setattr(bot.github, "BROKEN_WAIT", BROKEN_WAIT)
    other = line.github.add_repository("Somebody/Else", template.folder, INSTALLATION + 1)
    theirs = line.github.open_pull(other.name, "main", template.change)
    pulls = [await line.open({**LOST, "n.txt": str(number)}) for number in range(30)]
    line.github.refuse_next(API, how.status, how.headers, how.body, times=times, mood=how.mood)
    assert {await line.send("opened", pull) for pull in pulls} == {202}
    async with asyncio.timeout(PATIENCE):
        most = 1 if how.status == 429 else MAX_FAILURES
        while len([call for call in line.github.calls if call.refused]) < most:  # noqa: ASYNC110 - others work
            await asyncio.sleep(0.01)
    payload = line.github.payload("opened", other.name, theirs.number)
    assert await line.github.deliver(f"{line.web}/webhook", "pull_request", payload, "theirs") == 202
    async with asyncio.timeout(PATIENCE):
        while not await line.jobs.is_finished("theirs"):  # noqa: ASYNC110 - others work
            await asyncio.sleep(0.01)
    assert [run["head_sha"] for run in other.check_runs] == [theirs.head]
    asked = len([call for call in line.github.calls if call.refused])
    # The HTTP client itself repeats a read, once, on a connection that it had kept.
    assert asked <= 2 * (MAX_FAILURES + line.settings.concurrency), "the others wait"
    line.github._refusals.clear()
    assert await line.jobs.buried() == []


@pytest.mark.usefixtures("calm", "clock")
async def test_what_is_no_list_is_not_taken_for_an_empty_one(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    """It would be taken for a pull request without a comment of ours, and there would be a second."""
    for body in ("{}", '{"message": "?"}', '"text"', "null", ""):
        standin.refuse_next(f"{API}/issues/{pull.number}/comments", 200, body=body)
        standin.refuse_next("/check-runs", 200, body=body)
        with pytest.raises(BusyError):
            await installation.comments(pull.number)
        with pytest.raises(BusyError):
            await installation.check_runs(bot.github.Sha(pull.head), "winparity")
    assert repository.comments == []
