"""What `make chaos` calls wrong. The run itself takes minutes."""

import copy
from typing import Any

import pytest

from bot.check import CHECK_NAME
from tests.chaos import recoveries, verdict

OLD, NEW = "a" * 40, "b" * 40
RUN = {"id": 2, "name": CHECK_NAME, "head_sha": NEW, "status": "completed", "conclusion": "failure"}
PULL = {"name": "o/r#1", "heads": [OLD, NEW], "head": NEW, "comments": [f"of {NEW}"], "created": 1, "runs": [RUN]}
FINE = {"pulls": [PULL], "says": {OLD: "success", NEW: "failure"}, "problems": []}
NOTHING = {"pending": 0, "jobs": 0, "buried": 0, "locks": 0, "never heard of": 0}


def _with(**changes: Any) -> dict[str, Any]:
    report: dict[str, Any] = copy.deepcopy(FINE)
    report["pulls"][0] |= changes
    return report


def test_what_is_as_it_should_be_is_not_wrong() -> None:
    old = {**RUN, "id": 1, "head_sha": OLD, "conclusion": "success"}
    assert not any(verdict(_with(runs=[RUN, old]), NOTHING).values())


@pytest.mark.parametrize(
    ("report", "left", "wrong"),
    [
        (_with(runs=[]), NOTHING, "lost"),
        (_with(runs=[{**RUN, "head_sha": OLD, "conclusion": "success"}]), NOTHING, "lost"),
        (_with(runs=[{**RUN, "name": "another app's"}]), NOTHING, "lost"),
        (_with(comments=[]), NOTHING, "lost"),
        (_with(comments=[f"of {NEW}"] * 2), NOTHING, "duplicate comments"),
        (_with(comments=[f"of {OLD}"]), NOTHING, "stale"),
        (_with(comments=[f"of {NEW}, once {OLD}"]), NOTHING, "stale"),
        (_with(runs=[{**RUN, "conclusion": "success"}]), NOTHING, "stale"),
        (_with(runs=[RUN, {**RUN, "id": 1, "head_sha": OLD, "status": "in_progress"}]), NOTHING, "not concluded"),
        ({**FINE, "problems": ["unplanned"]}, NOTHING, "left"),
        *((FINE, {**NOTHING, what: 1}, "left") for what in NOTHING),
    ],
)
def test_what_is_wrong_is_named(report: dict[str, Any], left: dict[str, int], wrong: str) -> None:
    assert [kind for kind, several in verdict(report, left).items() if several] == [wrong]


def test_a_recovery_is_from_a_kill_to_the_next_result() -> None:
    killed = [(10.0, "web"), (20.0, "worker"), (90.0, "worker")]
    assert dict(recoveries(killed, [5.0, 12.0, 23.0])) == {"any": [2.0, 3.0], "web": [2.0], "worker": [3.0]}
