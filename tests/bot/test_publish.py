"""What a pull request shows is reconciled: one comment ever, nothing touched that is right or somebody else's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.check import CHECK_NAME, Annotation, Check
from bot.comment import MARKER
from bot.demo.github import Call, PullState, RepositoryState, StandIn
from bot.github import BusyError, CheckRun, Installation
from bot.ids import Repo, Sha
from bot.publish import PARTIAL, About, Published, digest, publish
from bot.report import Report, render
from tests.bot.conftest import APP_ID, Template
from tests.bot.shapes import SHAPES

CHECK = Check("failure", "Windows loses something", "a summary", "a text")
REPORT = Report(f"{MARKER}\nWindows loses something", f"{MARKER}\nAll findings are resolved", CHECK)
RESOLVED = replace(REPORT, comment=None)
LIST = "GET /repos/example/berth/issues"
CREATE = "POST /repos/example/berth/issues"


class StopError(Exception):
    """Somebody else has taken over."""


async def _always() -> None:
    pass


def _only(times: int) -> Callable[[], Awaitable[None]]:
    """Permission for so many writes."""
    left = times

    async def may_write() -> None:
        nonlocal left
        if not left:
            raise StopError
        left -= 1

    return may_write


def _writes(standin: StandIn) -> list[Call]:
    return [call for call in standin.calls if call.method != "GET" and not call.path.startswith("/app/")]


def _annotations(count: int) -> tuple[Annotation, ...]:
    return tuple(Annotation(f"f{i}.go", 1, 2, "warning", "a title", f"message {i}") for i in range(count))


async def _publish(installation: Installation, pull: PullState, report: Report = REPORT) -> Published:
    return await publish(installation, pull.number, _about(pull), report, _always)


def _about(pull: PullState) -> About:
    return About(f"p{pull.number}", Sha(pull.head))


def _bodies(repository: RepositoryState) -> list[str]:
    return [comment["body"] for comment in repository.comments]


# The comment.


async def test_a_second_time_writes_nothing(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    assert await _publish(installation, pull) == Published("created", "created")
    assert _bodies(repository) == [REPORT.comment]
    before = len(_writes(standin))
    assert await _publish(installation, pull) == Published("unchanged", "unchanged")
    assert len(_writes(standin)) == before == 2


async def test_nothing_to_say_is_not_said(
    installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    assert (await _publish(installation, pull, RESOLVED)).comment == "none"
    assert repository.comments == []


async def test_a_comment_is_edited_and_then_resolved(
    installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    await _publish(installation, pull)
    changed = replace(REPORT, comment=f"{MARKER}\nsomething else")
    assert (await _publish(installation, pull, changed)).comment == "edited"
    assert _bodies(repository) == [changed.comment]
    assert (await _publish(installation, pull, RESOLVED)).comment == "edited"
    assert _bodies(repository) == [REPORT.resolved]
    assert (await _publish(installation, pull, RESOLVED)).comment == "unchanged"


async def test_line_ends_are_githubs_business(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    body = f"{MARKER}\r\nWindows loses something\r\n"
    standin.add_comment(repository.name, pull.number, body, app=APP_ID)
    assert (await _publish(installation, pull)).comment == "unchanged"
    assert _bodies(repository) == [body]


@pytest.mark.parametrize("app", [None, APP_ID + 1])
async def test_somebody_elses_comment_with_our_marker_is_left_alone(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState, app: int | None
) -> None:
    theirs = standin.add_comment(repository.name, pull.number, f"{MARKER}\nnot winparity's", app=app)
    assert (await _publish(installation, pull)).comment == "created"
    await _publish(installation, pull, RESOLVED)
    assert theirs in repository.comments
    assert _bodies(repository) == [f"{MARKER}\nnot winparity's", REPORT.resolved]


async def test_our_other_comments_are_left_alone(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    standin.add_comment(repository.name, pull.number, f"an answer that quotes\n{MARKER}", app=APP_ID)
    assert (await _publish(installation, pull)).comment == "created"
    assert len(repository.comments) == 2


async def test_our_comment_is_found_on_the_third_page(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    for number in range(210):
        standin.add_comment(repository.name, pull.number, f"talk {number}")
    ours = standin.add_comment(repository.name, pull.number, f"{MARKER}\nold", app=APP_ID)
    assert (await _publish(installation, pull)).comment == "edited"
    assert ours["body"] == REPORT.comment
    assert len(repository.comments) == 211


async def test_racing_publishers_leave_one_comment(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    standin.latency = 0.005
    reports = [replace(REPORT, comment=f"{MARKER}\nreport {number}") for number in range(8)]
    await asyncio.gather(*(_publish(installation, pull, report) for report in reports))
    assert len([call for call in standin.calls if call.path.endswith("/comments") and call.method == "POST"]) == 8
    assert len(repository.comments) == 1
    assert _bodies(repository)[0] in {report.comment for report in reports}


async def test_the_loser_of_a_race_leaves_its_report_in_the_winners_comment(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    def faster(method: str, path: str) -> None:
        if f"{method} {path}".startswith(CREATE):
            standin.add_comment(repository.name, pull.number, f"{MARKER}\nanother report", app=APP_ID)

    standin.on_call = faster
    assert (await _publish(installation, pull)).comment == "edited"
    assert _bodies(repository) == [REPORT.comment]


async def test_a_comment_whose_creation_was_not_heard_of_is_found_again(
    installation: Installation, repository: RepositoryState, pull: PullState, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = installation.create_comment

    async def unheard(number: int, body: str) -> None:
        await create(number, body)
        raise BusyError("the answer was lost", 0)

    monkeypatch.setattr(installation, "create_comment", unheard)
    with pytest.raises(BusyError):
        await _publish(installation, pull)
    assert (await _publish(installation, pull)).comment == "unchanged"
    assert len(repository.comments) == 1


async def test_a_list_that_lags_behind_is_no_reason_to_delete(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    def lag(method: str, path: str) -> None:
        if f"{method} {path}".startswith(CREATE):
            standin.refuse_next(LIST, 200, body="[]")

    standin.on_call = lag
    assert (await _publish(installation, pull)).comment == "created"
    assert _bodies(repository) == [REPORT.comment]


async def test_a_duplicate_that_somebody_else_deletes_is_gone_all_the_same(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    for _ in range(2):
        standin.add_comment(repository.name, pull.number, f"{MARKER}\nold", app=APP_ID)

    def faster(method: str, _: str) -> None:
        if method == "DELETE":
            repository.comments.pop()

    standin.on_call = faster
    assert (await _publish(installation, pull)).comment == "edited"
    assert _bodies(repository) == [REPORT.comment]


async def test_the_full_report_is_the_run_that_was_just_made(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    report = render(SHAPES["mixed"], Repo(repository.name))
    assert await _publish(installation, pull, report) == Published("created", "created")
    [run] = repository.check_runs
    [body] = _bodies(repository)
    assert body.endswith(f"\n[full-report]: {standin.url}/runs/{run['id']}")
    before = len(_writes(standin))
    assert await _publish(installation, pull, report) == Published("unchanged", "unchanged")
    assert len(_writes(standin)) == before == 2
    await _publish(installation, pull, replace(report, comment=None))
    assert _bodies(repository)[0].endswith(f"\n[full-report]: {standin.url}/runs/{run['id']}")


async def test_a_run_whose_address_is_not_told_is_found_at_its_commit(
    installation: Installation,
    repository: RepositoryState,
    pull: PullState,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def untold(*_: object, **__: object) -> CheckRun:
        return CheckRun(1, "completed")

    monkeypatch.setattr(installation, "create_check_run", untold)
    await _publish(installation, pull, render(SHAPES["mixed"], Repo(repository.name)))
    assert _bodies(repository)[0].endswith(f"/commit/{SHAPES['mixed'].head}/checks")


# The check run.


@pytest.mark.parametrize(("count", "batches"), [(0, [0]), (1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
async def test_annotations_go_in_batches_and_the_run_says_which_it_lacks(
    standin: StandIn,
    installation: Installation,
    repository: RepositoryState,
    pull: PullState,
    *,
    count: int,
    batches: list[int],
) -> None:
    report = replace(RESOLVED, check=replace(CHECK, annotations=_annotations(count)))
    await _publish(installation, pull, report)
    writes = _writes(standin)
    assert [call.method for call in writes] == ["POST", *["PATCH"] * (len(batches) - 1)]
    assert [len(call.body["output"]["annotations"]) for call in writes] == batches
    assert {call.body["status"] for call in writes} == {"completed"}
    whole = f"p1:{digest(report.check)}"
    assert [call.body["external_id"] for call in writes] == [whole + PARTIAL] * (len(batches) - 1) + [whole]
    [run] = repository.check_runs
    assert (run["name"], run["conclusion"], run["head_sha"]) == (CHECK_NAME, "failure", pull.head)
    assert [annotation["message"] for annotation in run["annotations"]] == [f"message {i}" for i in range(count)]
    assert (await _publish(installation, pull, report)).check == "unchanged"


@pytest.mark.parametrize("asked", [0, 3])
@pytest.mark.parametrize("writes", [1, 2])
async def test_a_run_that_lost_its_maker_is_finished(
    installation: Installation, repository: RepositoryState, pull: PullState, writes: int, asked: int
) -> None:
    """Of three requests only some were made. Until the next comes it is concluded all the same."""
    report, about = replace(RESOLVED, check=replace(CHECK, annotations=_annotations(120))), _about(pull)
    about = replace(about, again=asked)
    with pytest.raises(StopError):
        await publish(installation, pull.number, about, report, _only(writes))
    [run] = repository.check_runs
    assert (run["status"], run["conclusion"], len(run["annotations"])) == ("completed", "failure", 50 * writes)
    assert (await publish(installation, pull.number, about, report, _only(3 - writes))).check == "finished"
    assert (await publish(installation, pull.number, about, report, _only(0))).check == "unchanged"
    assert (await _publish(installation, pull, report)).check == "unchanged"
    [run] = repository.check_runs
    assert [annotation["message"] for annotation in run["annotations"]] == [f"message {i}" for i in range(120)]


async def test_an_answer_that_was_lost_costs_no_annotation_and_doubles_none(
    installation: Installation, repository: RepositoryState, pull: PullState, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = replace(RESOLVED, check=replace(CHECK, annotations=_annotations(120)))
    add = installation.add_annotations

    async def unheard(*args: Any) -> None:
        await add(*args)
        raise BusyError("the answer was lost", 0)

    with monkeypatch.context() as patch:
        patch.setattr(installation, "add_annotations", unheard)
        for _ in range(2):
            with pytest.raises(BusyError):
                await _publish(installation, pull, report)
    assert (await _publish(installation, pull, report)).check == "unchanged"
    [run] = repository.check_runs
    assert [annotation["message"] for annotation in run["annotations"]] == [f"message {i}" for i in range(120)]


async def test_a_run_that_was_begun_in_the_former_way_is_concluded(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    begun = {"name": CHECK_NAME, "head_sha": pull.head, "external_id": f"p1:{digest(CHECK)}", "status": "in_progress"}
    standin.add_check_run(repository.name, begun, APP_ID)
    assert (await _publish(installation, pull)).check == "finished"
    [run] = repository.check_runs
    assert (run["status"], run["conclusion"]) == ("completed", "failure")


async def test_another_content_or_head_is_another_run(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState, template: Template
) -> None:
    await _publish(installation, pull)
    assert (await _publish(installation, pull, replace(REPORT, check=replace(CHECK, title="new")))).check == "created"
    assert (await _publish(installation, pull)).check == "created", "the newest run is what people see"
    standin.push(repository.name, pull.number, template.other)
    assert (await _publish(installation, pull)).check == "created"
    assert [run["head_sha"] for run in repository.check_runs] == [template.change] * 3 + [template.other]


@pytest.mark.parametrize("other", [{"app": APP_ID + 1}, {"app": APP_ID, "name": "another"}])
async def test_other_runs_do_not_count(
    standin: StandIn,
    installation: Installation,
    repository: RepositoryState,
    pull: PullState,
    other: dict[str, int | str],
) -> None:
    known = {"name": CHECK_NAME, "head_sha": pull.head, "external_id": f"p1:{digest(CHECK)}", "status": "completed"}
    standin.add_check_run(
        repository.name, {**known, **{k: v for k, v in other.items() if k != "app"}}, int(other["app"])
    )
    assert (await _publish(installation, pull)).check == "created"


# Permission to write.


@pytest.mark.parametrize("writes", range(6))
async def test_every_write_asks_first(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState, *, writes: int
) -> None:
    """Three writes for the check run, one deleted duplicate, one edit."""
    for _ in range(2):
        standin.add_comment(repository.name, pull.number, f"{MARKER}\nold", app=APP_ID)
    report = replace(REPORT, check=replace(CHECK, annotations=_annotations(120)))
    outcome = await asyncio.gather(
        publish(installation, pull.number, _about(pull), report, _only(writes)), return_exceptions=True
    )
    assert isinstance(outcome[0], StopError) == (writes < 5)
    assert len(_writes(standin)) == writes


async def test_a_run_that_is_asked_for_again_is_made_once_though_it_says_the_same(
    installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    asked = replace(_about(pull), again=3)
    done = [
        (await publish(installation, pull.number, about, REPORT, _always)).check
        for about in (_about(pull), asked, asked, _about(pull), replace(asked, again=4))
    ]
    assert done == ["created", "created", "unchanged", "unchanged", "created"]
    assert len(repository.check_runs) == 3


async def test_a_head_that_no_run_can_be_on_is_not_looked_at(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    await publish(installation, pull.number, replace(_about(pull), known=False), REPORT, _always)
    assert [call.path for call in standin.calls if call.method == "GET" and "check-runs" in call.path] == []


def test_a_digest_names_all_of_a_check() -> None:
    changed = [
        replace(CHECK, title="x"),
        replace(CHECK, summary="x"),
        replace(CHECK, text="x"),
        replace(CHECK, conclusion="success"),
        replace(CHECK, annotations=_annotations(1)),
    ]
    assert len({digest(check) for check in [CHECK, *changed]}) == 6
    assert digest(CHECK) == digest(replace(CHECK))
