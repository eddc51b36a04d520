"""From a function to its entries: what the cases in tests/impact say, and that they are Go that builds.

A want stands at the end of a function's first line: what reaches it on Windows, nearest first; ``maybe`` for what only may.

    func stats() uint64 { return 0 } // want: GET /stats, maybe GET /info

``start`` stands before the name of a program, ``nothing`` for no entry, and ``dead`` for what no code for Windows names.
"""

import re
from functools import cache
from pathlib import Path

import pytest

from analyzer.impact import Entry, Impact
from analyzer.model import Place
from tests.analyzer.cases import archive, of_repository, snapshot
from tests.analyzer.gotool import vet

FOLDER = Path(__file__).parents[1] / "impact"
CASES = sorted(path.stem for path in FOLDER.glob("*.txtar"))

_WANT = re.compile(r"^func (?:\(\w* ?\*?(\w+)\) )?(\w+)\(.*// want: (.+)$")


@cache
def _files(case: str) -> dict[str, str]:
    return archive("impact", case)


@cache
def _impact(case: str) -> Impact:
    return Impact(snapshot(of_repository(_files(case))))


def _wants(case: str) -> list[tuple[str, str, str]]:
    found = []
    for path, code in _files(case).items():
        for receiver, name, want in (m.groups() for m in map(_WANT.match, code.splitlines()) if m):
            found.append((path.rpartition("/")[0] or ".", f"{receiver}.{name}" if receiver else name, want))
    return found


@pytest.mark.parametrize(
    ("case", "where", "name", "want"),
    [pytest.param(case, *want, id=f"{case}:{want[0]}:{want[1]}") for case in CASES for want in _wants(case)],
)
def test_a_function_is_reached_by_what_the_case_wants(case: str, where: str, name: str, want: str) -> None:
    impact = _impact(case)
    chains = impact.entries(where, name)
    said = [f"{'' if c.sure else 'maybe '}{'start ' if c.entry.kind == 'start' else ''}{c.entry.name}" for c in chains]
    assert said == ([] if want in {"nothing", "dead"} else want.split(", "))
    assert impact.is_dead(where, name) is (want == "dead")
    for chain in chains:
        assert chain.links[-1].function == f"{where}:{name}"
        assert chain.links[-1].call is None
        assert all(link.call is not None for link in chain.links[:-1])


def test_a_chain_says_where_each_function_calls_the_next() -> None:
    (chain,) = _impact("routes").entries("engine", "tide")
    assert chain.entry == Entry("route", "GET /berths/{name}/tide")
    assert [(link.function, link.place, link.call) for link in chain.links] == [
        (
            "router/berths:berths.getTide",
            Place("router/berths/berths.go", 35),
            Place("router/berths/berths.go", 36),
        ),
        ("engine:keeper.BerthTide", Place("engine/engine_windows.go", 6), Place("engine/engine_windows.go", 6)),
        ("engine:tide", Place("engine/engine_windows.go", 8), None),
    ]


def test_callers_are_those_that_the_target_builds() -> None:
    impact = _impact("routes")
    assert [link.function for link in impact.callers("engine", "setLimits")] == ["engine:New"]
    assert impact.callers("engine", "unused") == ()


@pytest.mark.parametrize("case", CASES)
def test_forward_and_backward_agree(case: str) -> None:
    impact = _impact(case)
    for entry in impact.all_entries():
        for where, name, chain in impact.reached(entry):
            back = {c.entry: c.sure for c in impact.entries(where, name)}
            if chain.sure:
                assert back[entry]
            if entry in back and entry.kind != "start":
                assert back[entry] == chain.sure


def test_a_function_that_is_not_there_is_reached_by_nothing() -> None:
    assert _impact("routes").entries("engine", "nowhere") == ()
    assert _impact("routes").callers("nowhere", "nobody") == ()


@pytest.mark.slow
@pytest.mark.parametrize("goos", ["linux", "windows"])
@pytest.mark.parametrize("case", CASES)
def test_the_cases_build(case: str, goos: str, tmp_path: Path) -> None:
    vet(_files(case), tmp_path, goos)
