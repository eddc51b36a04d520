"""Parity over time as a picture, and the badge."""

import re
from xml.etree import ElementTree as ET

import msgspec
import pytest

from analyzer.model import Score
from bot.dashboard.charts import badge, history, marked
from bot.dashboard.records import Kind, Point

YEAR = 31_557_600
BEGIN = 1_420_070_400


def _point(name: str, at: float, implemented: int = 60, kind: Kind = "release") -> Point:
    time = BEGIN + int(at * YEAR)
    return Point(rev=f"{time:040x}", name=name, kind=kind, time=time, score=Score(implemented, 0, 20, 20))


POINTS = [
    *(_point("", month / 12, 60 + month, "month") for month in range(36)),
    _point("v1.0.0-rc1", 0.4, 63),
    _point("v1.0.0", 0.5, 66),
    _point("v1.0.1", 0.6, 66),
    _point("v1.1.0", 1.5, 78),
    _point("v2.0.0", 2.5, 90),
]


def _read(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - it is ours


def _texts(picture: str, name: str) -> list[str]:
    return [node.text or "" for node in _read(picture).iter() if node.get("class", "").split(" ")[0] == name]


def test_releases_stand_for_those_beside_them() -> None:
    assert [point.name for point in marked(POINTS)] == ["v1.0.0", "v1.0.1", "v1.1.0", "v2.0.0"]
    assert [point.name for point in marked(POINTS, 3)] == ["v1.0.0", "v1.1.0", "v2.0.0"]
    assert [point.name for point in marked(POINTS, 2)] == ["v1.0.0", "v2.0.0"]
    assert [point.name for point in marked(POINTS[36:37])] == ["v1.0.0-rc1"]


def test_the_line_is_the_branch_and_the_releases_are_marked() -> None:
    picture = history(POINTS, name="example/berth")
    assert _texts(picture, "label") == ["v1.0.0", "v1.0.1", "v1.1.0", "v2.0.0"]
    assert "v2.0.0" in _texts(picture, "release")
    assert len(re.findall(r"\d+\.\d \d+\.\d", next(iter(_lines(picture))))) == 36


def _lines(picture: str) -> list[str]:
    return [node.get("d", "") for node in _read(picture).iter() if "reactive nofill" in node.get("class", "")]


def test_without_a_branch_the_line_goes_through_the_releases() -> None:
    assert len(_lines(history(POINTS[-2:]))) == 1


@pytest.mark.parametrize("points", [[], POINTS[:1]])
def test_what_is_no_line_yet_is_no_picture(points: list[Point]) -> None:
    assert history(points) == ""


def test_a_single_release_is_a_dot() -> None:
    assert _texts(history(POINTS[-1:]), "label") == ["v2.0.0"]


def test_where_nothing_is_declared_separately_there_is_nothing_to_draw() -> None:
    before = [msgspec.structs.replace(point, score=Score(), time=point.time - 5 * YEAR) for point in POINTS]
    assert history(before) == ""
    assert history([*before, *POINTS]) == history(POINTS)


def test_it_is_told_to_who_does_not_see_it() -> None:
    root = _read(history(POINTS, name="example/berth", target="darwin"))
    said = {node.get("id"): node.text for node in root}
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "chart-title chart-desc"
    assert said["chart-title"] == "macOS parity over time: example/berth"
    assert said["chart-desc"] == (
        "From 60.0% on 1 Jan 2015 to 70.4% on 1 Dec 2017; lowest 60.0% on 1 Jan 2015, highest 70.4% on 1 Dec 2017."
    )


def test_nothing_in_it_is_what_a_strict_policy_forbids() -> None:
    picture = history(POINTS)
    assert [word for word in ("<style", "style=", "<script", "kozea", "Kozea") if word in picture] == []
    alone = history(POINTS, standalone=True)
    assert "prefers-color-scheme: dark" in alone
    assert "<script" not in alone
    assert 'width="760"' in alone


def test_hostile_names_stay_text() -> None:
    point = _point("v9.<script>&", 1)
    assert "<script>" not in history([*POINTS, point])
    assert _texts(history([*POINTS, point]), "label")[2] == "v9.<script>&"


@pytest.mark.parametrize(
    ("score", "said", "colour"),
    [
        (Score(9, 0, 1, 0), "90%", "#2a7d46"),
        (Score(583, 0, 417, 0), "58.3%", "#8a6500"),
        (Score(1, 0, 9, 0), "10%", "#b0392b"),
        (None, "unknown", "#5f6772"),
    ],
)
def test_the_badge_says_it(score: Score | None, said: str, colour: str) -> None:
    picture = badge(score, "windows")
    root = _read(picture)
    assert root.get("aria-label") == f"Windows parity: {said}"
    assert colour in picture
