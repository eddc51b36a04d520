"""What a worker records for the dashboard: pushes, pull requests, the past, and what becomes private."""

import asyncio
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

import bot.dashboard.surveyor
from bot.children import LimitError
from bot.dashboard import recording
from bot.dashboard.records import FORM, Known, Point, Records
from bot.dashboard.surveyor import Surveyor
from bot.demo.sample import commit, git
from bot.events import PushEvent, RepositoryEvent, SurveyEvent, decode, encode
from bot.git import SourceError
from bot.ids import Repo, Sha
from bot.queue import Jobs
from bot.webhook import parse
from tests.bot.conftest import INSTALLATION, until
from tests.bot.line import BASE, GAINED, LOST, NAME, STUBBED, Line
from tests.bot.pushes import grown, hear, move, push, tip

REPO = Repo(NAME)


@pytest.fixture
def dashboard() -> Literal["on", "off"]:
    return "on"


@pytest.fixture
def records(jobs: Jobs) -> Records:
    return Records(jobs.redis)


@pytest.fixture
def surveys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The revisions that were surveyed."""
    seen: list[str] = []
    real = Surveyor.newest

    async def count(self: Surveyor, order: Any, token: str) -> Any:
        found = await real(self, order, token)
        seen.append(order.head)
        return found

    monkeypatch.setattr(Surveyor, "newest", count)
    return seen


async def _known(records: Records) -> Known:
    known = await records.known(REPO)
    assert known is not None
    return known


def _tag(line: Line, name: str, rev: str) -> None:
    git(line.repository.git_dir, "update-ref", f"refs/tags/{name}", rev)


def _names(points: list[Point]) -> list[str]:
    return sorted(point.name for point in points if point.kind == "release")


# Pushes and pull requests.


async def test_a_push_to_the_default_branch_is_recorded(line: Line, records: Records) -> None:
    head = await push(line, LOST)
    known = await _known(records)
    assert (known.name, known.private, known.branch, known.head) == (NAME, False, "main", head)
    assert (known.installation, known.target, known.reference, known.trouble) == (INSTALLATION, "windows", "linux", "")
    points = {point.rev: point for point in await records.points(REPO)}
    assert (points[head].kind, points[head].score.stub, points[head].gaps) == ("month", 1, 1)
    [digest] = (await records.tree(REPO, head)).values()
    [table] = (await records.tables(REPO, [digest])).values()
    assert [symbol.name for symbol in table.symbols] == ["Free"]
    detail = await records.detail(REPO, "vol", "Free")
    assert detail is not None
    assert "not supported on Windows" in detail.target.body
    report = await records.report(REPO)
    assert report is not None
    assert report.rev == head


async def test_a_push_to_another_branch_is_not(line: Line, records: Records) -> None:
    git(line.repository.git_dir, "update-ref", "refs/heads/release/1.0", line.fork_point)
    await push(line, LOST, "release/1.0")
    assert await records.repositories() == {}


async def test_ten_pushes_in_a_row_are_one_survey(line: Line, records: Records, surveys: list[str]) -> None:
    told = [await grown(line, {**LOST, "n.txt": str(number)}) for number in range(10)]
    payloads = [line.github.event(NAME, **one) for one in told]
    sent = [line.github.deliver(f"{line.web}/webhook", "push", payload) for payload in payloads]
    assert await asyncio.gather(*sent) == [202] * 10
    await line.quiet()
    assert surveys == [tip(line)]
    assert (await _known(records)).head == tip(line)


async def test_the_settings_of_the_repository_count(line: Line, records: Records) -> None:
    await line.set_up("target: darwin\naccept:\n- symbol: vol:Free\n  reason: meant\n")
    await push(line, {**line.extra, **LOST, "vol/free_darwin.go": LOST["vol/free_windows.go"]})
    assert ((await _known(records)).target, (await _known(records)).reference) == ("darwin", "linux")
    report = await records.report(REPO)
    assert report is not None
    assert [(one.name, one.reason) for one in report.accepted] == [("Free", "meant")]


async def test_a_pull_requests_report_is_recorded_when_it_is_published(line: Line, records: Records) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    record = await records.pull(REPO, pull.number)
    assert record is not None
    [run] = line.runs(pull.head)
    assert (record.conclusion, record.title) == (run["conclusion"], run["output"]["title"])
    assert record.analysis is not None
    assert (record.analysis["head"], record.analysis["left_out"]) == (pull.head, 0)
    assert [finding["rule"] for finding in record.analysis["findings"]] == ["implementation-lost"]
    assert (await _known(records)).head == line.fork_point, "the repository has a page from now on"


async def test_what_is_kept_of_a_report_is_bounded(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_FINDINGS", 0)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    record = await records.pull(REPO, pull.number)
    assert record is not None
    assert record.analysis is not None
    assert (record.analysis["findings"], record.analysis["left_out"]) == ([], 1)


async def test_a_survey_that_fails_is_told_and_keeps_what_was_known(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await push(line, LOST)

    async def fail(*_: object) -> None:
        raise LimitError("the survey needs more than 80 MiB of memory")

    with monkeypatch.context() as patch:
        patch.setattr(Surveyor, "newest", fail)
        await push(line, BASE)
    known = await _known(records)
    assert (known.head, known.trouble) == (first, "the survey needs more than 80 MiB of memory")
    assert await records.report(REPO) is not None
    await push(line, LOST)
    assert (await _known(records)).trouble == ""
    assert await line.jobs.buried() == []


async def test_comments_and_alerts_do_not_wait_for_a_survey(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    real = Surveyor.newest

    async def slow(self: Surveyor, order: Any, token: str) -> Any:
        begun.set()
        await go_on.wait()
        return await real(self, order, token)

    monkeypatch.setattr(Surveyor, "newest", slow)
    payload = line.github.event(NAME, **await grown(line, LOST))
    assert await line.github.deliver(f"{line.web}/webhook", "push", payload) == 202
    await begun.wait()
    pulls = [await line.open({**LOST, "n.txt": str(number)}) for number in range(6)]
    for pull in pulls:
        await line.send("opened", pull)

    async def all_told() -> bool:
        return all(line.ours(pull) and line.runs(pull.head) for pull in pulls)

    await until(all_told, 60)
    assert [issue["title"] for issue in line.repository.issues], "the alert is there, too"
    known = await _known(records)
    assert known.head == ""
    go_on.set()
    await line.quiet()
    assert (await _known(records)).head == tip(line)


class TestOff:
    """`WINPARITY_DASHBOARD=off`."""

    @pytest.fixture
    def dashboard(self) -> Literal["on", "off"]:
        return "off"

    async def test_nothing_is_recorded(self, line: Line, records: Records) -> None:
        pull = await line.open(LOST)
        await line.hear("opened", pull)
        await push(line, LOST)
        asked = SurveyEvent(delivery="d", installation=INSTALLATION, repo=REPO)
        await line.jobs.submit(asked)
        await line.quiet()
        assert await records.repositories() == {}
        assert await line.jobs.redis.keys("wp:repo:*") == []


# Who may see it.


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("repository", {"action": "privatized"}),
        ("push", {"ref": "refs/heads/main", "before": "1" * 40, "after": "2" * 40}),
    ],
)
async def test_what_becomes_private_is_private_at_once(
    line: Line, records: Records, event: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await push(line, LOST)
    assert not (await _known(records)).private
    line.repository.public = False
    monkeypatch.setattr(recording, "survey", None)  # it is known before any survey
    payload = line.github.event(NAME, **fields)
    assert await line.github.deliver(f"{line.web}/webhook", event, payload) == 202

    async def is_private() -> bool:
        return (await _known(records)).private

    await until(is_private)
    monkeypatch.undo()


async def test_what_becomes_public_is_public_when_github_says_so(line: Line, records: Records) -> None:
    await push(line, LOST)
    await records.change(REPO, private=True)
    line.repository.public = False
    late = {**line.github.event(NAME, action="publicized")}
    late["repository"] = {**late["repository"], "private": False}
    assert await line.github.deliver(f"{line.web}/webhook", "repository", late) == 202
    await line.quiet()
    assert (await _known(records)).private, "the event is older than what it tells"
    line.repository.public = True
    await line.tell("repository", action="publicized")
    assert not (await _known(records)).private


async def test_a_pull_request_of_a_private_repository_tells_it_too(line: Line, records: Records) -> None:
    await push(line, LOST)
    line.repository.public = False
    await line.hear("opened", await line.open(LOST))
    assert (await _known(records)).private


async def test_records_follow_a_repository_that_is_renamed(line: Line, records: Records) -> None:
    head = await push(line, LOST)
    points = await records.points(REPO)
    line.github.rename(NAME, "Example/Quay")
    renamed = line.github.event("Example/Quay", action="renamed", changes={"repository": {"name": {"from": "Berth"}}})
    assert await line.github.deliver(f"{line.web}/webhook", "repository", renamed) == 202
    await line.quiet()
    assert [*(await records.repositories())] == ["example/quay"]
    known = await records.known(Repo("example/quay"))
    assert known is not None
    assert (known.name, known.head) == ("Example/Quay", head)
    assert await records.points(Repo("example/quay")) == points
    assert [key async for key in records.redis.scan_iter(match=f"wp:repo:{REPO}:*")] == []


@pytest.mark.parametrize("how", ["installation", "repository"])
async def test_what_is_gone_is_forgotten(line: Line, records: Records, how: str) -> None:
    await push(line, LOST)
    await line.hear("opened", await line.open(GAINED))
    assert [key async for key in records.redis.scan_iter(match=f"wp:repo:{REPO}:*")]
    if how == "installation":
        gone = {"repositories": [{"id": 1, "full_name": NAME, "name": "Berth", "private": False}]}
        await line.tell("installation", action="deleted", **gone)
    else:
        await line.tell("repository", action="deleted")
    assert await records.repositories() == {}
    assert [key async for key in records.redis.scan_iter(match=f"wp:repo:{REPO}:*")] == []


async def test_what_is_forgotten_during_a_survey_stays_forgotten(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Surveyor.newest

    async def forgotten(self: Surveyor, order: Any, token: str) -> Any:
        found = await real(self, order, token)
        await records.forget([REPO])
        return found

    monkeypatch.setattr(Surveyor, "newest", forgotten)
    await push(line, LOST)
    assert [key async for key in records.redis.scan_iter(match=f"wp:repo:{REPO}:*")] == []


# The past.


async def _releases(line: Line, count: int, *, begin: int = 0) -> list[Sha]:
    """Commits on main, each a release."""
    made = []
    for number in range(begin, begin + count):
        tree = {**LOST, **STUBBED} if number % 2 else LOST
        await grown(line, {**tree, "n.txt": str(number)})
        made.append(tip(line))
        _tag(line, f"v1.{number}.0", made[-1])
    return made


async def test_the_past_is_read_when_a_repository_is_first_surveyed(line: Line, records: Records) -> None:
    made = await _releases(line, 3)
    await push(line, BASE)
    points = await records.points(REPO)
    assert _names(points) == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert {point.rev for point in points if point.kind == "release"} == set(made)
    stubs = {point.name: point.score.stub for point in points if point.kind == "release"}
    assert stubs == {"v1.0.0": 1, "v1.1.0": 2, "v1.2.0": 1}
    trees = await records.trees(REPO)
    assert trees[made[0]] == trees[made[2]] != trees[made[1]]
    known = await _known(records)
    assert (known.done, known.planned) == (4, 4), "the month of the first commits has its point, too"
    assert not (line.settings.data_dir / "past" / f"{REPO}.git").exists()


async def test_it_is_read_some_revisions_at_a_time(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.dashboard.surveyor, "STEP", 2)
    monkeypatch.setattr(Surveyor, "past", _here)
    await _releases(line, 5)
    seen: list[tuple[int, int]] = []
    real = Records.change

    async def count(self: Records, repo: Repo, **fields: Any) -> bool:
        if "done" in fields:
            seen.append((fields["done"], fields["planned"]))
        return await real(self, repo, **fields)

    monkeypatch.setattr(Records, "change", count)
    await push(line, BASE)
    assert seen == [(0, 6), (2, 6), (4, 6), (6, 6)]


async def _here(self: Surveyor, order: Any, options: Any, past: Any, token: str) -> Any:
    """The child's work in this process, whose constants the test has changed."""
    work = bot.dashboard.surveyor._past
    return await asyncio.to_thread(work, self._places, order, options, past, token, {})


async def test_git_is_asked_a_few_times_however_many_revisions_there_are(line: Line) -> None:
    await _releases(line, 12)
    before = len(line.github.git_calls)
    await push(line, BASE)
    # A push is compared and surveyed; of the past, the list, the commits, the trees, and the files of each step.
    assert len(line.github.git_calls) - before < 40


async def test_it_goes_on_after_it_was_killed_in_the_middle(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.dashboard.surveyor, "STEP", 2)
    steps: list[int] = []

    async def killed(self: Surveyor, order: Any, options: Any, past: Any, token: str) -> Any:
        steps.append(-1 if isinstance(past, str) else past.done)
        if not isinstance(past, str) and past.done == 2 and steps.count(2) == 1:
            raise asyncio.CancelledError  # as a process that is stopped
        return await _here(self, order, options, past, token)

    monkeypatch.setattr(Surveyor, "past", killed)
    await _releases(line, 5)
    await push(line, BASE)
    assert steps == [-1, 0, 2, 2, 4], "what was read is not read again"
    assert len(_names(await records.points(REPO))) == 5


async def test_who_is_killed_after_the_last_step_leaves_no_clone_to_the_next(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = line.settings.data_dir / "past" / f"{REPO}.git"
    left: list[bool] = []

    def killed(data_dir: Path, repo: Repo) -> bool:
        left.append(clone.exists())
        if len(left) == 1:
            raise asyncio.CancelledError  # as a process that is stopped
        return bot.dashboard.surveyor.remove_past(data_dir, repo)

    monkeypatch.setattr(recording, "remove_past", killed)
    await _releases(line, 2)
    await push(line, BASE)
    assert left == [True, True]
    assert not clone.exists()
    past = await records.past(REPO)
    assert past is not None
    assert past.over


async def test_a_revision_that_takes_too_much_is_left_out_and_the_others_are_read(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[list[str]]()

    async def too_large(self: Surveyor, order: Any, options: Any, past: Any, token: str) -> Any:
        step = await _here(self, order, options, past, token)
        if isinstance(past, str):
            return step
        tried.append([one.point.name for one in step.surveys])
        if "v1.1.0" in tried[-1]:
            raise LimitError("the survey needs more than 2048 MiB of memory")
        return step

    monkeypatch.setattr(Surveyor, "past", too_large)
    await _releases(line, 4)
    await push(line, BASE)
    past = await records.past(REPO)
    assert past is not None
    assert past.over
    assert past.left_out == (("v1.1.0", "the survey needs more than 2048 MiB of memory"),)
    assert _names(await records.points(REPO)) == ["v1.0.0", "v1.2.0", "v1.3.0"]
    assert tried.count(["v1.1.0"]) == 1
    assert not (line.settings.data_dir / "past" / f"{REPO}.git").exists()


async def test_a_past_that_git_does_not_give_is_asked_for_again_another_day(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(self: Surveyor, order: Any, options: Any, past: Any, token: str) -> Any:
        if isinstance(past, str):
            return await _here(self, order, options, past, token)
        raise SourceError("git cannot give it")

    monkeypatch.setattr(Surveyor, "past", refused)
    await _releases(line, 2)
    await push(line, BASE)
    assert (await _known(records)).done == 0
    assert not (line.settings.data_dir / "past" / f"{REPO}.git").exists()
    monkeypatch.setattr(Surveyor, "past", _here)
    await push(line, LOST)
    assert (await _known(records)).done == 0, "it was asked for a moment ago"
    monkeypatch.setattr(recording, "LOOK_BACK", -1)
    await push(line, BASE)
    assert _names(await records.points(REPO)) == ["v1.0.0", "v1.1.0"]


async def test_a_release_that_comes_later_is_found(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _releases(line, 2)
    await push(line, BASE)
    read: list[int] = []

    async def count(self: Surveyor, order: Any, options: Any, past: Any, token: str) -> Any:
        step = await _here(self, order, options, past, token)
        read.append(len(step.surveys))
        return step

    monkeypatch.setattr(Surveyor, "past", count)
    await _releases(line, 1, begin=2)
    await push(line, LOST)
    assert read == [], "it was looked at a moment ago"
    monkeypatch.setattr(recording, "LOOK_BACK", -1)
    await push(line, BASE)
    assert sum(read) <= 2, "the release, and perhaps the month"
    assert _names(await records.points(REPO)) == ["v1.0.0", "v1.1.0", "v1.2.0"]


async def test_what_an_earlier_version_recorded_is_read_again(
    line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await _releases(line, 2)
    await push(line, BASE)
    points = {point.rev: point for point in await records.points(REPO)}
    old = msgspec.structs.replace(points[made[0]], form=0)
    await records.redis.hset(f"wp:repo:{REPO}:points", made[0], msgspec.json.encode(old))  # type: ignore[misc] # redis-py
    monkeypatch.setattr(recording, "LOOK_BACK", -1)
    await push(line, LOST)
    assert {point.rev: point for point in await records.points(REPO)}[made[0]] == points[made[0]]
    assert points[made[0]].form == FORM


async def test_asked_for_again_all_of_it_is_read_anew(line: Line, records: Records) -> None:
    await _releases(line, 2)
    await push(line, BASE)
    before = await records.points(REPO)
    await records.redis.hdel(f"wp:repo:{REPO}:points", before[0].rev)
    assert await recording.backfill(line.redis_url, REPO)
    await line.quiet()
    assert await records.points(REPO) == before
    assert not await recording.backfill(line.redis_url, Repo("example/unknown"))


async def test_a_repository_without_releases_has_its_months(line: Line, records: Records) -> None:
    await push(line, LOST)
    assert [point.kind for point in await records.points(REPO)] == ["month"]
    known = await _known(records)
    assert (known.done, known.planned, known.head) == (1, 1, tip(line))


async def test_what_cannot_be_read_is_left_out_and_loses_nothing(line: Line, records: Records) -> None:
    folder = line.repository.git_dir
    made = await _releases(line, 2)
    blob = git(folder, "hash-object", "-w", "--stdin", stdin="no commit\n")
    _tag(line, "v1.9.0", blob)
    _tag(line, "v1.9.1", git(folder, "rev-parse", f"{made[0]}^{{tree}}"))
    broken = await asyncio.to_thread(
        commit, folder, {**LOST, "vol/new_windows.go": "package vol\n\nfunc New(( {\n"}, "broken", made[1]
    )
    _tag(line, "v2.0.0", broken)
    for name in ("v1.0.0-rc1", "api/v1.4.0", "nightly", "v1.0<script>", "v1.0;rm", "v1." + "0" * 90):
        _tag(line, name, made[0])
    git(folder, "tag", "--annotate", "--message", "signed", "v1.5.0", made[1])
    await push(line, BASE)
    points = {point.name: point for point in await records.points(REPO) if point.kind == "release"}
    assert sorted(points) == ["v1.0.0", "v1.1.0", "v2.0.0"]
    assert points["v2.0.0"].unreadable == 1
    past = await records.past(REPO)
    assert past is not None
    assert [name for name, _ in past.left_out] == ["v1.9.0", "v1.9.1"]
    assert past.over


async def test_bounds_hold(line: Line, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("bot.dashboard.records", "bot.dashboard.past"):
        monkeypatch.setattr(f"{module}.MAX_POINTS", {"release": 2, "month": 1, "push": 1})
    monkeypatch.setattr("bot.dashboard.past.MAX_TAGS", 3)
    monkeypatch.setattr(Surveyor, "past", _here)
    await _releases(line, 5)
    await push(line, BASE)
    await push(line, LOST)
    points = await records.points(REPO)
    assert sorted(point.kind for point in points) == ["month", "push", "release", "release"]
    assert set(_names(points)) < {"v1.2.0", "v1.3.0", "v1.4.0"}, "of more, those of the highest numbers are asked for"
    past = await records.past(REPO)
    assert past is not None
    assert len(past.revisions) == 3


async def test_a_newer_survey_of_a_release_keeps_its_name(line: Line, records: Records) -> None:
    made = await _releases(line, 2)
    await push(line, BASE)
    move(line, "main", made[1])
    await hear(line, {"ref": "refs/heads/main", "before": "1" * 40, "after": made[1]})
    assert (await _known(records)).head == made[1]
    assert _names(await records.points(REPO)) == ["v1.0.0", "v1.1.0"]


async def test_two_surveys_do_not_run_at_once_in_a_process(line: Line, surveys: list[str]) -> None:
    other = "Example/Quay"
    line.github.add_repository(other, line.repository.git_dir, INSTALLATION, public=True)
    for number, name in enumerate((NAME, other, NAME, other)):
        asked = SurveyEvent(delivery=f"d{number}", installation=INSTALLATION, repo=Repo(name))
        await line.jobs.submit(asked)
    surveyor = bot.dashboard.surveyor
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surveyor, "LOOK_AGAIN", 0.0)
        await line.quiet()
    assert len(surveys) == 2


# Events.


def test_events_of_repositories_are_read() -> None:
    body = (
        b'{"action": "%s", "repository": {"full_name": "Acme/New", "default_branch": "trunk", "private": true},'
        b' "changes": {"repository": {"name": {"from": "Old"}}}, "installation": {"id": 7}}'
    )
    renamed = parse("repository", "d", body % b"renamed")
    assert renamed == RepositoryEvent(
        delivery="d",
        installation=7,
        repo=Repo("acme/new"),
        name="Acme/New",
        private=True,
        branch="trunk",
        former=Repo("acme/old"),
    )
    privatized = parse("repository", "d", body % b"privatized")
    assert isinstance(privatized, RepositoryEvent)
    assert privatized.former is None
    assert parse("repository", "d", body % b"archived") is None
    for event in (renamed, SurveyEvent(delivery="d", installation=7, repo=REPO, past=True)):
        assert event is not None
        assert decode(encode(event)) == event


def test_surveys_have_few_lanes_of_their_own() -> None:
    lanes = {SurveyEvent(delivery="d", installation=number, repo=REPO).lane for number in range(1000)}
    assert len(lanes) == 16
    pushed = PushEvent(
        delivery="d", installation=3, repo=REPO, branch="main", before=None, after=Sha("1" * 40), default=True
    )
    assert pushed.lane not in lanes
