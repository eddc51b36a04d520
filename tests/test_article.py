"""`make article` on a small engine of our own: the same kinds of stubs, and a feature that is refused in one state."""

from bot.demo.sample import parse_txtar
from tests.analyzer.cases import snapshot
from tests.analyzer.test_standing import FOLDER
from tests.article import examples, missing

FILE = "engine/engine_windows.go"
DIFF = "GET /containers/{name}/changes"
HELD = snapshot(parse_txtar((FOLDER / "engine.txtar").read_text(encoding="utf-8")))


def test_stubs_and_what_is_refused_have_their_names() -> None:
    lines = {line.what: line for line in examples(HELD, [FILE], DIFF)}
    usage = lines["engine:systemUsage"]
    assert (usage.state, usage.route, usage.command) == ("zero", "GET /containers/{name}/stats", "docker stats")
    assert usage.method == "IContainerOperations.GetContainerStatsAsync"
    size = lines["engine:sizeOf"]
    assert (size.state, size.command, size.cmdlet) == ("zero", "docker ps", "Get-Container")
    (diff,) = (line for line in lines.values() if line.state == "partial")
    assert (diff.route, diff.command) == (DIFF, "docker diff")
    assert diff.what.startswith("Engine.Changes refuses if berth.Runs()")
    assert missing([*lines.values()], [FILE], ["systemUsage"]) == []


def test_what_is_not_found_is_named() -> None:
    lines = list(examples(HELD, [FILE], "GET /nowhere"))
    said = missing(lines, [FILE, "engine/engine_darwin.go"], ["setCgroup"])
    assert len(said) == 3
