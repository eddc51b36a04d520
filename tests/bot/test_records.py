"""What the store keeps for the dashboard, in a real one."""

import json

import pytest

from analyzer.common import Common, KeptFile
from analyzer.model import PackageParity, Place, Score, Status, Stub, SymbolParity
from bot.dashboard import records
from bot.dashboard.records import (
    Detail,
    Known,
    Point,
    PullRecord,
    Records,
    SightRecord,
    Survey,
    SurveyReport,
    Table,
)
from bot.ids import Repo
from bot.queue import Jobs

REPO, OTHER = Repo("example/berth"), Repo("example/other")
STUBBED = SymbolParity("Pause", "func", Status.STUB, Stub.NOOP, gap=True, windows=Place("vol/vol_windows.go", 3))
WORKS = SymbolParity("Pause", "func", Status.IMPLEMENTED, windows=Place("vol/vol_windows.go", 3))
SHARED = SymbolParity("Both", "func", Status.SHARED)


@pytest.fixture
def known(jobs: Jobs) -> Records:
    return Records(jobs.redis)


def _rev(number: int) -> str:
    return f"{number:040x}"


def _survey(number: int, symbol: SymbolParity = STUBBED, **fields: object) -> Survey:
    table = Table.of(PackageParity("vol", Score(stub=1), (SHARED, symbol)))
    point = Point(rev=_rev(number), name=f"v{number}", kind="release", time=number, score=table.score)
    return Survey(point=point, tables={"vol": table}, **fields)  # type: ignore[arg-type]


def test_a_table_leaves_out_what_is_shared_and_counts_it() -> None:
    table = Table.of(PackageParity("vol", Score(stub=1), (SHARED, STUBBED)))
    assert (table.symbols, table.shared) == ((STUBBED,), 1)


async def test_what_is_recorded_is_read_again(known: Records) -> None:
    detail = Detail(
        package="vol", name="Pause", target=SightRecord("windows", "stub"), reference=SightRecord("linux", "real")
    )
    report = SurveyReport(rev=_rev(2), features=[{"name": "POST /x"}])
    survey = _survey(2, report=report, details=(detail,))
    await known.add(REPO, survey)
    await known.add(REPO, _survey(1))
    assert [point.name for point in await known.points(REPO)] == ["v1", "v2"]
    [digest] = (await known.tree(REPO, _rev(2))).values()
    assert await known.tables(REPO, [digest, "gone"]) == {digest: survey.tables["vol"]}
    assert await known.report(REPO) == report
    assert await known.detail(REPO, "vol", "Pause") == detail
    assert await known.detail(REPO, "vol", "Other") is None
    assert await known.tree(REPO, _rev(3)) == {}


async def test_what_does_not_change_is_kept_once(known: Records) -> None:
    for number in (1, 2, 3):
        await known.add(REPO, _survey(number, WORKS if number == 3 else STUBBED))
    trees = await known.trees(REPO)
    assert trees[_rev(1)] == trees[_rev(2)] != trees[_rev(3)]
    assert await known.redis.hlen(f"wp:repo:{REPO}:tables") == 2


async def test_what_the_platforms_share_is_kept_once_and_goes_with_its_points(
    known: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_POINTS", {"release": 2})
    one, other = (Common((KeptFile("vol_test.go", target=True, reference=True, tests=(name,)),)) for name in "AB")
    for number in (1, 2, 3):
        await known.add(REPO, _survey(number, common={"vol": one if number == 1 else other}))
    [digest] = (await known.commons(REPO, _rev(3))).values()
    assert (await known.common(REPO, [digest, "gone"]), len(digest)) == ({digest: other}, 16)
    assert await known.commons(REPO, _rev(1)) == {}
    assert await known.redis.hlen(f"wp:repo:{REPO}:common") == 1


async def test_what_an_earlier_version_recorded_is_read(known: Records) -> None:
    await known.add(REPO, _survey(1))
    key = f"wp:repo:{REPO}:"
    old = json.loads(await known.redis.hget(f"{key}points", _rev(1)))  # type: ignore[misc,arg-type] # redis-py
    del old["form"]
    await known.redis.hset(f"{key}points", _rev(1), json.dumps(old))  # type: ignore[misc] # redis-py
    await known.redis.delete(f"{key}commons", f"{key}common")
    [point] = await known.points(REPO)
    assert (point.form, await known.commons(REPO, _rev(1)), await known.common(REPO, [])) == (0, {}, {})
    await known.rename(REPO, OTHER)
    assert len(await known.points(OTHER)) == 1


async def test_the_oldest_points_go_with_the_tables_that_nobody_else_has(
    known: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_POINTS", {"release": 2})
    for number in (2, 3, 1, 4):
        await known.add(REPO, _survey(number, WORKS if number == 2 else STUBBED))
    assert [point.name for point in await known.points(REPO)] == ["v3", "v4"]
    assert set(await known.trees(REPO)) == {_rev(3), _rev(4)}
    assert await known.redis.hlen(f"wp:repo:{REPO}:tables") == 1


async def test_the_reports_recorded_longest_ago_go(known: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_PULLS", 2)
    for number, at in ((1, 10), (2, 20), (1, 30), (3, 40)):
        await known.add_pull(REPO, PullRecord(number=number, at=at, conclusion="success", title="fine"))
    assert [pull.number for pull in await known.pulls(REPO)] == [3, 1]
    assert await known.pull(REPO, 2) is None
    assert (await known.pull(REPO, 1)) == PullRecord(number=1, at=30, conclusion="success", title="fine")


async def test_a_repository_that_is_forgotten_leaves_nothing(known: Records) -> None:
    for repo in (REPO, OTHER):
        await known.know(repo, Known(name=repo, private=True))
        await known.add(repo, _survey(1, report=SurveyReport(rev=_rev(1))))
        await known.add_pull(repo, PullRecord(number=1, at=1, conclusion="success", title="fine"))
    assert set(await known.repositories()) == {REPO, OTHER}
    assert await known.forget([REPO]) == 8
    assert [key async for key in known.redis.scan_iter(match=f"*{REPO}*")] == []
    assert set(await known.repositories()) == {OTHER}
    assert await known.known(REPO) is None
    assert len(await known.points(OTHER)) == 1
