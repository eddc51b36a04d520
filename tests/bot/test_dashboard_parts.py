"""What the pages are made of, without a server: lists, versions, words, comparisons, what is read once."""

import asyncio
import re
from xml.etree import ElementTree as ET

import pytest

from analyzer.model import Score, Stub
from bot.dashboard.changes import KINDS, Compare, compare, markdown, revision
from bot.dashboard.charts import history
from bot.dashboard.memory import Reading
from bot.dashboard.parts import Links, Sheet, about, releases, sheet, version
from bot.dashboard.records import Known, Point, Records, Table
from bot.dashboard.shared import Shared
from bot.dashboard.words import breaks, delta, query, spans, state
from bot.ids import Repo
from bot.queue import Jobs
from tests.bot.dashboard_sample import NAME, rev, symbol, table

LINKS = Links("https://git.example.com/", NAME)
ABOUT = about(Known(name=NAME, private=False, head=rev(2)), LINKS)


def _point(number: int, name: str = "", score: Score | None = None, time: int = 0) -> Point:
    kind = "release" if name else "month"
    return Point(rev=rev(number), name=name, kind=kind, time=time or number, score=score or Score(1))  # type: ignore[arg-type]


# Lists.


def test_a_list_is_one_page_of_what_is_found() -> None:
    rows = [f"row {n}" for n in range(25)]
    shown, where = sheet(rows, {"page": "3", "q": "ROW"}, text=str, size=10)
    assert (shown, where) == (tuple(rows[20:]), Sheet("ROW", "", "", 3, 3, 25))
    assert sheet(rows, {"page": "9"}, text=str, size=10)[1].page == 3
    assert sheet(rows, {"page": "-1"}, text=str, size=10)[1].page == 1
    assert sheet(rows, {"q": "2 row"}, text=str)[1].total == 7


def test_an_address_keeps_what_was_asked_for_and_begins_at_the_first_page() -> None:
    assert query(Sheet("a&b", "-gaps", "stub", 3, 4, 99), sort="dir") == "?q=a%26b&state=stub&sort=dir"
    assert query(Sheet(), page=2) == "?page=2"


def test_releases_are_in_the_order_of_versions() -> None:
    names = ["v2.0.0", "v1.10.0", "v2.0.0-rc.2", "v1.9.9", "v2.0.0-rc.10", "docker-v29.0.0", "v17.05.0-ce"]
    ordered = ["v1.9.9", "v1.10.0", "v2.0.0-rc.2", "v2.0.0-rc.10", "v2.0.0", "v17.05.0-ce", "docker-v29.0.0"]
    assert [p.name for p in releases(_point(n, name) for n, name in enumerate(names))] == ordered
    assert version("v1.2-develop") == ((1, 2), True, ())


# Words.


def test_what_the_target_alone_has_is_called_by_its_name() -> None:
    assert ">+</span>windows-only<" in state("windows-only")
    assert ">+</span>darwin-only<" in state("windows-only", "darwin")


def test_text_of_others_stays_text() -> None:
    assert spans("`<b>` & <i>") == "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"
    assert breaks("a/b_c.go:<1>") == "a/<wbr>b_<wbr>c.<wbr>go:&lt;1&gt;"
    assert [delta(change) for change in (0.0, 1.25, -3.1)] == ["±0", "+1.2", "−3.1"]


@pytest.mark.parametrize("directory", [".", "a b", "a/..%2f", "<x>"])
def test_links_quote_what_is_not_ours(directory: str) -> None:
    for link in (LINKS.package(directory), LINKS.symbol(directory, "T.<M>/x"), LINKS.compare("a/b", "c d")):
        assert re.fullmatch(r"/Example/Berth/[\w/.~:%-]+", link)


# Comparisons.


def _compared(base: dict[str, Table], head: dict[str, Table]) -> Compare:
    return compare(ABOUT, (_point(1, "v1"), _point(2, "v2")), (base, head), LINKS, ("v1", "v2"), shared=Shared())


def _names(found: Compare) -> dict[str, list[str]]:
    return {kind: [f"{c.package}:{c.name}" for c in found.kind(kind)] for kind in KINDS if found.kind(kind)}


def test_what_moves_with_the_same_state_is_not_lost() -> None:
    real, hollow = symbol("Mount", "implemented"), symbol("Mount", "stub", stub=Stub.NOOP)
    assert _names(_compared({"a": table([real])}, {"b": table([real])})) == {"moved": ["b:Mount"]}
    assert _names(_compared({"a": table([real])}, {"b": table([hollow])})) == {"new_stubs": ["b:Mount"]}
    assert _names(_compared({"a": table([hollow])}, {"b": table([real])})) == {"gone_stubs": ["a:Mount"]}


def test_one_place_goes_to_one_place() -> None:
    real = symbol("Mount", "implemented")
    found = _compared({"a": table([real]), "b": table([real])}, {"c": table([real]), "d": table([real])})
    assert [(c.was, c.package) for c in found.moved] == [("a", "c"), ("b", "d")]
    assert _names(_compared({"a": table([real])}, {"c": table([real]), "d": table([real])})) == {"moved": ["c:Mount"]}


def test_what_counts_for_nothing_is_no_change() -> None:
    head = [symbol("unixOnly", "missing"), symbol("hcs", "windows-only")]
    found = _compared({}, {"a": table(head)})
    assert _names(found) == {}
    assert "Nothing that users of either platform could notice." in markdown(found)


def test_release_notes_hold_no_markup_of_others() -> None:
    notes = markdown(_compared({}, {"a`b": table([symbol("Mount", "stub")])}), "https://wp.example.com/x")
    assert "### ``a`b``" in notes
    assert "[details](https://wp.example.com/x)" in notes


def test_a_revision_is_found_by_its_name_or_the_beginning_of_its_commit() -> None:
    points = [_point(0xAAAAAAA0 << 128, "v1"), _point(0xAAAAAAAB << 128)]
    assert revision(points, "v1") == points[0]
    assert revision(points, points[1].rev) == points[1]
    assert revision(points, points[0].rev[:8]) is points[0]
    assert revision(points, points[0].rev[:7]) is None
    assert revision(points, points[0].rev[:3]) is None
    assert revision(points, "v") is None


# The chart.


def test_a_name_does_not_stand_on_a_line_that_comes_down_to_it() -> None:
    year = 31_557_600
    high, low = Score(90, 0, 10, 0), Score(60, 0, 40, 0)
    points = [_point(1, "v1.0.0", high, 10 * year), _point(2, "a-long-name-v2.0.0", low, 11 * year)]
    root = ET.fromstring(history(points))  # noqa: S314 - it is ours
    [name] = [n for n in root.iter() if n.get("class", "").startswith("release") and n.text == points[1].name]
    dots = [n for n in root.iter() if n.tag.endswith("circle")]
    assert float(name.get("y", "0")) > float(dots[1].get("cy", "0"))


# What is read once.


async def test_who_asks_for_what_is_being_read_waits_for_it(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    repo, asked = Repo(NAME), 0
    await Records(jobs.redis).know(repo, Known(name=NAME, private=False))
    truly = Records.known

    async def counted(self: Records, one: Repo) -> Known | None:
        nonlocal asked
        asked += 1
        return await truly(self, one)

    monkeypatch.setattr(Records, "known", counted)
    reading = Reading(jobs.redis)
    found = await asyncio.gather(*(reading.known(repo) for _ in range(20)))
    assert (len(found), asked) == (20, 1)
    await Records(jobs.redis).know(repo, Known(name=NAME, private=True))
    known = await reading.known(repo)
    assert known is not None
    assert known.private


async def test_what_cannot_be_read_is_asked_for_again(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_args: object) -> Known | None:
        raise ConnectionError

    reading = Reading(jobs.redis)
    with monkeypatch.context() as patched:
        patched.setattr(Records, "known", away)
        with pytest.raises(ConnectionError):
            await reading.known(Repo(NAME))
    assert await reading.known(Repo(NAME)) is None
