"""Labels over real HTTP: only two, only where they are wanted, only the difference, and never against a person."""

import json

import pytest

from bot.demo.github import PullState
from tests.bot.line import BASE, GAINED, HARMLESS, LOST, LOST_MORE, MALFORMED, MIXED, REAL, Line, Tree

PAD = {f"pad/pad_{goos}.go": REAL.replace("vol", "pad") for goos in ("linux", "windows")}
LABELS = "labels: true\n"
WORSE, BETTER = "windows: regression", "windows: improvement"


def _written(line: Line) -> list[str]:
    return [write.partition("/issues/")[2] for write in line.writes if "/labels" in write]


async def _opened(line: Line, tree: Tree, *labels: str, settings: str = LABELS) -> PullState:
    await line.set_up(settings)
    pull = await line.open(tree)
    pull.labels = [*labels]
    await line.hear("opened", pull)
    return pull


async def _pushed(line: Line, pull: PullState, tree: Tree) -> None:
    await line.push(pull, tree)
    await line.hear("synchronize", pull)


@pytest.mark.parametrize(
    ("tree", "labels"), [(LOST, [WORSE]), (GAINED, [BETTER]), (MIXED, [WORSE, BETTER]), (HARMLESS, [])]
)
async def test_a_pull_request_has_the_labels_of_its_findings(line: Line, tree: Tree, labels: list[str]) -> None:
    pull = await _opened(line, tree, "kind/bug", settings=LABELS)
    assert pull.labels == ["kind/bug", *labels]
    before = len(line.writes)
    await line.hear("reopened", pull)
    assert len(line.writes) == before


async def test_they_are_called_after_the_platform(line: Line) -> None:
    renamed = {path.replace("windows", "freebsd"): text for path, text in LOST.items()}
    line.base = {path.replace("windows", "freebsd"): text for path, text in BASE.items()}
    pull = await _opened(line, renamed, settings="labels: true\ntarget: freebsd\n")
    assert pull.labels == ["freebsd: regression"]


async def test_off_by_default(line: Line) -> None:
    assert (await _opened(line, LOST, settings="")).labels == []


async def test_only_the_difference_is_written(line: Line) -> None:
    pull = await _opened(line, LOST)
    await _pushed(line, pull, MIXED)
    assert pull.labels == [WORSE, BETTER]
    await _pushed(line, pull, GAINED)
    assert pull.labels == [BETTER]
    await _pushed(line, pull, HARMLESS)
    assert pull.labels == []
    assert _written(line) == [
        "1/labels",
        "1/labels",
        "1/labels/windows:%20regression",
        "1/labels/windows:%20improvement",
    ]


async def test_one_that_a_person_took_off_comes_back_for_other_findings_only(line: Line) -> None:
    line.base = {**BASE, **PAD}
    pull = await _opened(line, {**LOST, **PAD})
    pull.labels = []
    await _pushed(line, pull, {**LOST, **PAD, "x.go": "package x\n"})
    assert pull.labels == []
    await _pushed(line, pull, LOST_MORE)
    assert pull.labels == [WORSE]


async def test_one_that_a_person_put_on_stays(line: Line) -> None:
    pull = await _opened(line, HARMLESS, WORSE, BETTER.title())
    assert pull.labels == [WORSE, BETTER.title()]
    assert _written(line) == []


async def test_where_not_all_could_be_read_none_is_taken_off(line: Line) -> None:
    pull = await _opened(line, LOST)
    await _pushed(line, pull, MALFORMED)
    assert pull.labels == [WORSE]


@pytest.mark.parametrize("what", ["draft", "locked"])
async def test_drafts_and_locked_conversations_are_left_alone(line: Line, what: str) -> None:
    await line.set_up(LABELS)
    pull = await line.open(LOST)
    setattr(pull, what, True)
    await line.hear("opened", pull)
    assert pull.labels == []
    setattr(pull, what, False)
    await line.hear("ready_for_review", pull)
    assert pull.labels == [WORSE]


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_refusal_is_no_failure_and_is_tried_again(line: Line, status: int) -> None:
    line.github.refuse_next("POST /repos/example/berth/issues/1/labels", status, body=json.dumps({"message": "No"}))
    pull = await _opened(line, LOST)
    assert (pull.labels, len(line.bodies(pull)), len(line.runs())) == ([], 1, 1)
    await line.hear("reopened", pull)
    assert pull.labels == [WORSE]


async def test_one_that_is_gone_when_it_is_to_be_taken_off_is_no_failure(line: Line) -> None:
    pull = await _opened(line, LOST)
    line.github.on_call = lambda method, _: pull.labels.clear() if method == "DELETE" else None
    await _pushed(line, pull, HARMLESS)
    assert line.runs(pull.head)[0]["conclusion"] == "success"
    assert _written(line)[-1] == "1/labels/windows:%20regression"


async def test_a_first_time_asks_eight_times_at_most(line: Line) -> None:
    await _opened(line, MIXED)
    assert len(line.github.calls) <= 8
