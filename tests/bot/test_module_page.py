"""`winparity explain` of a module: who uses it on Windows, and which features rest on it."""

import io

import pytest
from rich.console import Console

from analyzer.entries import Entry
from analyzer.impact import Chain, Impact
from analyzer.model import Options
from analyzer.resting import rests
from bot.module_page import reached_by, show_rests, some_of
from tests.analyzer.cases import of_repository, snapshot
from tests.analyzer.test_resting import MODULE, harbor

PAUSE, STATS, PING = (
    Entry("route", name) for name in ("POST /containers/{name}/pause", "GET /containers/{id}/stats", "GET /tide")
)


def _chain(entry: Entry, *, sure: bool = True) -> Chain:
    return Chain(entry, (), sure)


@pytest.mark.parametrize(
    ("chains", "said"),
    [
        ([], "reached by nothing that the source names"),
        ([_chain(Entry("start", "harbor"))], "only at the start of harbor"),
        ([_chain(PING), _chain(PAUSE)], "for GET /tide, docker pause (POST /containers/{name}/pause)"),
        ([_chain(PING), _chain(STATS, sure=False)], "for GET /tide"),
        ([_chain(STATS, sure=False)], "perhaps for docker stats (GET /containers/{id}/stats)"),
        ([_chain(Entry("rpc", f"Tide.M{n}")) for n in range(5)], "for Tide.M0, Tide.M1, Tide.M2, and 2 more"),
    ],
)
def test_who_comes_to_a_function_is_said_in_a_line(chains: list[Chain], said: str) -> None:
    assert reached_by(chains) == said


def test_functions_are_counted_where_they_are_many() -> None:
    assert some_of("abcdefg") == "a, b, c, d, e, f, and 1 more"


def test_a_module_is_explained_by_who_uses_it_and_what_rests_on_it() -> None:
    out = io.StringIO()
    found = rests(Impact(snapshot(of_repository(harbor()))), MODULE)
    show_rests(MODULE, found, Console(file=out, width=100), Options())
    assert out.getvalue().startswith(
        "example.org/hcs  7 names used on Windows, in 1 files\n"
        "\n"
        "hcs.Berth\n"
        "    engine/engine_windows.go:8\n"
        "    Engine.first  engine/engine_windows.go:35\n"
        "        for docker stats (GET /containers/{name}/stats)\n"
    )
    assert out.getvalue().endswith(
        "what rests on it\n"
        "    POST /containers/{name}/pause  docker pause · IContainerOperations.PauseContainerAsync\n"
        "        hcs.Berth.Pause, hcs.IsPending\n"
        "    GET /containers/{name}/stats  docker stats · IContainerOperations.GetContainerStatsAsync\n"
        "        hcs.Berth.Statistics\n"
        "    only at the start of a program: hcs.Version\n"
        "    by nothing that surely comes to it: hcs.Create\n"
    )
