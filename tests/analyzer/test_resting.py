"""What rests on a module of somebody else's, from both ends: tests/resting/harbor.txtar, which is Go that builds."""

from functools import cache
from pathlib import Path

import pytest

from analyzer.impact import Impact
from analyzer.model import Place
from analyzer.resting import entries_of, imported_on_target, rests, rests_on
from tests.analyzer.cases import archive, of_repository, snapshot
from tests.analyzer.gotool import vet

MODULE = "example.org/hcs"


@cache
def harbor() -> dict[str, str]:
    """The engine, without the modules of others."""
    return {path: code for path, code in files().items() if not path.startswith(("hcs/", "log/"))}


@cache
def files() -> dict[str, str]:
    return archive("resting", "harbor")


@cache
def _impact() -> Impact:
    return Impact(snapshot(of_repository(harbor())))


def test_each_use_says_where_it_is_and_who_comes_there() -> None:
    found = [(r.use.name, r.use.by, r.use.called, [c.entry.name for c in r.chains]) for r in rests(_impact(), MODULE)]
    assert sorted(found) == [
        ("hcs.Berth", "", False, []),
        ("hcs.Berth", "Engine.first", False, ["GET /containers/{name}/stats"]),
        ("hcs.Berth.Pause", "Engine.Pause", True, ["POST /containers/{name}/pause"]),
        ("hcs.Berth.Statistics", "Engine.Stats", True, ["GET /containers/{name}/stats"]),
        ("hcs.Config", "Engine.raise", False, []),
        ("hcs.Create", "Engine.raise", True, []),
        ("hcs.IsPending", "Engine.Pause", True, ["POST /containers/{name}/pause"]),
        ("hcs.Version", "New", True, ["harbor"]),
    ]


def test_a_method_of_the_module_is_found_on_its_line() -> None:
    use = next(r.use for r in rests(_impact(), MODULE) if r.use.name == "hcs.Berth.Statistics")
    line = files()["engine/engine_windows.go"].splitlines()[use.place.line - 1]
    assert use.place == Place("engine/engine_windows.go", use.place.line)
    assert line == "\tused, _ := e.first().Statistics()"


def test_an_entry_rests_on_the_functions_that_are_called_for_it() -> None:
    found = {entry.name: names for entry, names in entries_of(rests(_impact(), MODULE)).items()}
    assert found == {
        "GET /containers/{name}/stats": ["hcs.Berth.Statistics"],
        "POST /containers/{name}/pause": ["hcs.Berth.Pause", "hcs.IsPending"],
        "harbor": ["hcs.Version"],
    }


def test_only_what_windows_alone_imports_counts_for_an_entry() -> None:
    assert imported_on_target(_impact()) == [MODULE]
    found = {entry.name: rests_on(_impact(), entry) for entry in _impact().all_entries()}
    assert found == {
        "GET /containers/json": [],
        "GET /containers/{name}/stats": ["hcs.Berth.Statistics"],
        "POST /containers/{name}/pause": ["hcs.IsPending", "hcs.Berth.Pause"],
        "harbor": ["hcs.Version"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("goos", ["linux", "windows"])
def test_the_case_builds(goos: str, tmp_path: Path) -> None:
    vet(files(), tmp_path, goos)
