"""`winparity features`, and `explain` of a feature: a repository of our own whose routes are those of the engine's API."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analyzer.model import Place
from bot.demo.sample import commit, git, parse_txtar
from bot.feature_words import message
from bot.ids import Sha
from bot.since import since
from bot.source import LocalRepository
from tests.analyzer.test_standing import FOLDER

ROOT = Path(__file__).parents[2]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-c", "from bot.cli import main; main()", *words]
    known = {"PATH": "/usr/bin:/bin", "COLUMNS": "120", "WINPARITY_CACHE": "off", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=known, cwd=ROOT, check=False)


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features") / "harbor"
    folder.mkdir()
    git(folder, "init", "--quiet", ".")
    tree = parse_txtar((FOLDER / "engine.txtar").read_text(encoding="utf-8"))
    first = commit(folder, {**tree, "engine/engine_windows.go": "package engine\n"}, "nothing yet")
    git(folder, "update-ref", "refs/heads/main", commit(folder, tree, "berths on Windows", first))
    return folder


@pytest.fixture(scope="module")
def told(harbor: Path) -> dict[str, Any]:
    done = run("features", "--repo", str(harbor), "main", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["schema"] == 1
    assert found["rev"] == git(harbor, "rev-parse", "main").strip()
    return {feature["name"]: feature for feature in found["features"]}


def test_the_json_has_names_state_and_reasons(told: dict[str, Any]) -> None:
    pause = told["POST /containers/{name}/pause"]
    assert pause["cli"] == ["docker pause"]
    assert pause["dotnet"] == ["IContainerOperations.PauseContainerAsync"]
    assert (pause["state"], pause["isolation"]) == ("partial", {"process": "refused", "hyper-v": "works"})
    assert pause["handler"]["function"] == "router/berths:berths.pause"
    (reason,) = pause["reasons"]
    assert (reason["what"], reason["function"], reason["isolation"]) == ("refuses", "engine:driver.Pause", "process")
    assert (reason["path"], reason["conditions"], reason["sure"]) == ("engine/engine_windows.go", [], True)
    assert [link["call"] is None for link in reason["chain"]] == [False, False, True]


def test_a_state_can_be_asked_for(harbor: Path) -> None:
    done = run("features", "--repo", str(harbor), "main", "--state", "silent", "--state", "unknown")
    assert "POST /containers/{name}/update" in done.stdout
    assert "driver.UpdateLimits does nothing, and says so to nobody  engine/engine_windows.go:" in done.stdout
    assert "POST /containers/{name}/pause" not in done.stdout
    assert done.stdout.splitlines()[-1] == "2 entries: 1 silent, 1 unknown"


def test_a_table_says_why_and_where(harbor: Path) -> None:
    done = run("features", "--repo", str(harbor), "main")
    lines = done.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if "GET /containers/{name}/changes" in line)
    assert lines[at].startswith("partial")
    assert "docker diff · IContainerOperations.InspectChangesAsync" in lines[at]
    assert (
        lines[at + 1].strip().startswith("Engine.Changes refuses if berth.Runs(): Windows does not support changes of")
    )


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (
            "docker diff",
            "GET /containers/{name}/changes works in part on Windows: Engine.Changes refuses if berth.Runs():",
        ),
        ("docker container diff abc", "GET /containers/{name}/changes works in part on Windows:"),
        ("IContainerOperations.InspectChangesAsync", "GET /containers/{name}/changes works in part on Windows:"),
        ("GET /v1.24/containers/{id}/changes", "GET /containers/{name}/changes works in part on Windows:"),
        ("docker update", "POST /containers/{name}/update says that all is well, and does nothing on Windows:"),
        ("docker logs", "GET /containers/{name}/logs works on Windows."),
        (
            "start-container",
            "POST /containers/{name}/start works in part on Windows: driver.Raise refuses if isWindowsClient()",
        ),
        (
            "POST /containers/{id}/pause",
            "POST /containers/{name}/pause depends on the isolation mode on Windows: with process isolation it is refused;",
        ),
    ],
)
def test_a_feature_is_explained_by_any_of_its_names(harbor: Path, wanted: str, answer: str) -> None:
    done = run("explain", wanted, "main", "--repo", str(harbor))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(answer)


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (
            "docker run --privileged",
            "docker run --privileged is refused on Windows, by POST /containers/create: checkConfig refuses if hc.Privileged:",
        ),
        (
            "docker create --memory 1g",
            (
                "Nothing that the source refuses on Windows surely speaks of docker create --memory (Resources.Memory); "
                "what may hold with it:\n\nPOST /containers/create works on Windows."
            ),
        ),
        (
            "docker diff --sail",
            (
                "Nothing that the source refuses on Windows surely speaks of docker diff --sail; what may hold with it:\n\n"
                "GET /containers/{name}/changes works in part on Windows: Engine.Changes refuses if berth.Runs():"
            ),
        ),
    ],
)
def test_an_option_is_told_apart_where_the_source_names_it(harbor: Path, wanted: str, answer: str) -> None:
    done = run("explain", wanted, "main", "--repo", str(harbor))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(answer)


def test_an_explanation_has_the_source_the_way_and_the_commit(harbor: Path) -> None:
    said = run("explain", "docker checkpoint create", "main", "--repo", str(harbor)).stdout
    assert '│     return errors.New("Windows: berths do not support checkpoints")' in said
    assert "→ router/berths:berths.checkpoint  router/berths/berths.go:" in said
    assert "✗ engine:driver.SaveCheckpoint  engine/engine_windows.go:" in said
    assert f"{git(harbor, 'rev-parse', 'main')[:12]} (berths on Windows)" in said


def test_a_function_says_who_reaches_it(harbor: Path) -> None:
    said = run("explain", "engine:checkLimits", "main", "--repo", str(harbor)).stdout
    assert "reached engine:checkLimits: by one entry" in said
    assert "POST /containers/prune  docker container prune" in said


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("docker kill", "docker kill is POST /containers/{name}/kill, and nothing serves that at"),
        ("docker sail", "there is no feature docker sail at"),
        ("Nowhere", "no symbol Nowhere at"),
        ("stub-aded", "there is no rule stub-aded; did you mean stub-added"),
    ],
)
def test_what_is_not_there_is_said(harbor: Path, wanted: str, said: str) -> None:
    done = run("explain", wanted, "main", "--repo", str(harbor))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


def test_a_line_without_its_history_is_of_nobody_knows_when(harbor: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", "--depth", "1", "--branch", "main", harbor.as_uri(), "shallow")
    place = Place("engine/engine_windows.go", 8)
    rev = Sha(git(harbor, "rev-parse", "main").strip())
    assert since(LocalRepository(tmp_path / "shallow"), rev, place) is None
    known = since(LocalRepository(harbor), rev, place)
    assert known is not None
    assert (known.commit, known.subject) == (rev, "berths on Windows")
    assert since(LocalRepository(harbor), rev, Place("nowhere.go", 1)) is None


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ('return errors.Errorf("%+v cannot commit %s", x, y)', "… cannot commit …"),
        ("return nil, errNotSupported", "errNotSupported"),
        ('errors.New("100% refused")', "100% refused"),
    ],
)
def test_a_refusal_is_quoted_without_verbs_of_a_format(says: str, shown: str) -> None:
    assert message(says) == shown
