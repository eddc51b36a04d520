"""What entries are worth on Windows: what the cases in tests/standing say, and that they are Go that builds.

A want stands behind the line that declares a route: its state, then the condition of the first reason, or the state in each
isolation mode. Elsewhere it names the entry.

    router.NewGetRoute("/berths/{name}/tide", b.tide), // want: partial if args != ""
"""

import re
from functools import cache
from pathlib import Path

import pytest

from analyzer.entries import Entry
from analyzer.impact import Impact
from analyzer.standing import Standing, Standings
from tests.analyzer.cases import archive, of_repository, snapshot
from tests.analyzer.gotool import vet

FOLDER = Path(__file__).parents[1] / "standing"
CASES = sorted(path.stem for path in FOLDER.glob("*.txtar"))

_ROUTE = re.compile(r"New(\w+)Route\(\"([^\"]+)\".*// want: (.+)$")
_ENTRY = re.compile(r"// want: (.+) is (\w+)$")


@cache
def _files(case: str) -> dict[str, str]:
    return archive("standing", case)


@cache
def _standings(case: str) -> dict[str, Standing]:
    held = snapshot(of_repository(_files(case)))
    return {standing.entry.name: standing for standing in Standings(Impact(held)).all()}


def _wants(case: str) -> dict[str, str]:
    lines = [line for path, code in _files(case).items() for line in code.splitlines() if "// want" in line]
    routes = [m.groups() for m in map(_ROUTE.search, lines) if m]
    found = {f"{verb.upper()} {path.replace(':.*', '')}": want for verb, path, want in routes}
    return found | {m[1]: m[2] for m in map(_ENTRY.search, lines) if m}


@pytest.mark.parametrize(
    ("case", "name", "want"), [pytest.param(c, *want, id=f"{c}:{want[0]}") for c in CASES for want in _wants(c).items()]
)
def test_an_entry_is_worth_what_the_case_wants(case: str, name: str, want: str) -> None:
    standing = _standings(case)[name]
    said = standing.state.value
    if standing.modes:
        said += "".join(f" {mode}={state.value}" for mode, state in standing.modes.items())
    elif standing.reasons and standing.reasons[0].conditions:
        said += f" if {' and '.join(standing.reasons[0].conditions)}"
    assert said == want


@pytest.mark.parametrize("case", CASES)
def test_nothing_else_is_an_entry(case: str) -> None:
    assert {*_standings(case)} == {*_wants(case)}


def test_a_reason_says_what_is_done_and_how_control_comes_there() -> None:
    (reason,) = _standings("engine")["GET /containers/{name}/archive"].reasons
    assert (reason.what, reason.function, reason.isolation) == ("refuses", "engine:Engine.mayCopy", "hyper-v")
    assert reason.says == 'return errors.New("copies of a running Hyper-V berth are not supported")'
    assert reason.conditions == ("berth.Runs()",)
    assert [link.function for link in reason.links] == [
        "router/berths:berths.copy",
        "engine:Engine.Copy",
        "engine:Engine.mayCopy",
    ]
    assert [link.call is None for link in reason.links] == [False, False, True]
    line = _files("engine")[reason.place.path].splitlines()[reason.place.line - 1]
    assert line.strip() == reason.says


def test_what_is_not_there_is_not_known() -> None:
    held = snapshot(_files("engine"))
    assert Standings(Impact(held)).of(Entry("route", "GET /nowhere")).state.value == "unknown"


@pytest.mark.slow
@pytest.mark.parametrize("goos", ["linux", "windows"])
@pytest.mark.parametrize("case", CASES)
def test_the_cases_build(case: str, goos: str, tmp_path: Path) -> None:
    vet(_files(case), tmp_path, goos)
