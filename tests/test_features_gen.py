"""The generator of bot/features.json (`make features`), on a small engine of our own: tests/features/harbor.txtar."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot import features
from bot.demo.sample import commit, git, parse_txtar
from tests.features_gen import __main__ as command
from tests.features_gen.commands import Command
from tests.features_gen.naming import User, chosen
from tests.features_gen.paths import Request
from tests.features_gen.table import _command_user

HARBOR = parse_txtar((Path(__file__).parent / "features" / "harbor.txtar").read_text(encoding="utf-8"))
WANT = json.loads(HARBOR["want.json"])


def part(name: str) -> dict[str, str]:
    return {path.removeprefix(f"{name}/"): text for path, text in HARBOR.items() if path.startswith(f"{name}/")}


def repository(folder: Path, tree: dict[str, str]) -> str:
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    made = commit(folder, tree, "x")
    git(folder, "update-ref", "refs/heads/main", made)
    return str(made)


@pytest.fixture(scope="module")
def repos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The four projects; the last release has no anchors yet, and the cmdlets a submodule."""
    root = tmp_path_factory.mktemp("projects")
    places = {
        command.ENGINE: root / "engine",
        command.CLI: root / "cli",
        command.DOTNET: root / "dotnet",
        command.POWERSHELL: root / "powershell",
    }
    repository(places[command.CLI], part("cli"))
    pinned = repository(places[command.DOTNET], part("dotnet"))

    engine = places[command.ENGINE]
    repository(engine, part("engine"))
    git(engine, "tag", "v1.13.0", commit(engine, part("old"), "old"))
    released = {
        path: "".join(line for line in text.splitlines(keepends=True) if "anchors" not in line)
        for path, text in part("engine").items()
    }
    git(engine, "tag", "v17.03.0-ce", commit(engine, released, "released"))
    git(engine, "tag", "v17.03.0-ce-rc1", commit(engine, {"README": "no routes"}, "no release"))

    cmdlets = places[command.POWERSHELL]
    repository(cmdlets, part("powershell"))
    git(cmdlets, "read-tree", "main")
    git(cmdlets, "update-index", "--add", "--cacheinfo", f"160000,{pinned},src/Docker.DotNet")
    tree = git(cmdlets, "write-tree")
    git(cmdlets, "update-ref", "refs/heads/main", git(cmdlets, "commit-tree", tree, "-m", "x"))
    return places


@pytest.fixture(scope="module")
def built(repos: dict[str, Path]) -> dict[str, Any]:
    return command.build({name: (place, "HEAD") for name, place in repos.items()})


@pytest.mark.parametrize("row", WANT["features"], ids=lambda row: row["route"])
def test_a_route_has_what_its_projects_say(built: dict[str, Any], row: dict[str, Any]) -> None:
    assert next(found for found in built["features"] if found["route"] == row["route"]) == row


def test_no_other_routes_are_found_and_they_are_sorted(built: dict[str, Any]) -> None:
    assert [row["route"] for row in built["features"]] == [row["route"] for row in WANT["features"]]


def test_what_has_no_route_is_listed(built: dict[str, Any]) -> None:
    assert built["without_route"] == WANT["without_route"]


def test_other_names_are_listed(built: dict[str, Any]) -> None:
    assert built["aliases"] == WANT["aliases"]


def test_an_option_has_the_fields_of_the_engine_that_it_fills(built: dict[str, Any]) -> None:
    assert built["options"] == WANT["options"]


def test_the_revisions_are_told(built: dict[str, Any], repos: dict[str, Path]) -> None:
    heads = {name: git(place, "rev-parse", "HEAD") for name, place in repos.items()}
    assert {name: origin["revision"] for name, origin in built["sources"].items()} == heads
    assert {origin["date"] for origin in built["sources"].values()} == {"2024-05-01"}
    assert built["sources"][command.POWERSHELL]["built_on"] == heads[command.DOTNET]


def test_it_is_written_so_that_the_bot_can_read_it(
    repos: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "OUTPUT", tmp_path / "features.json")
    assert command.main([f"{name}={place}@main" for name, place in repos.items()]) == 0
    written = (tmp_path / "features.json").read_bytes()
    assert features.read(written).by_command("docker ship pause")[0].route == "POST /ships/{name}/pause"
    assert str(tmp_path.parent) not in written.decode()
    assert capsys.readouterr().out.startswith("17 routes, ")


def test_without_all_four_projects_it_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"{command.ENGINE}=x"]) == 2
    assert capsys.readouterr().err.startswith("usage: make features")


def user(*names: str) -> User:
    return User(names[0], frozenset(tuple(name.split()) for name in names), next(iter(names[-1].split()[:-1]), ""))


ROUTES = {
    "list": Request("GET", "/ships/json"),
    "look": Request("GET", "/ships/{name}/json"),
    "crew": Request("GET", "/sailors"),
    "make": Request("POST", "/ships/create"),
    "sail": Request("POST", "/ships/{name}/start"),
    "drop": Request("DELETE", "/ships/{name}"),
}
METHODS = {
    "ShipList": {"list"},
    "ShipInspect": {"look"},
    "ShipGetCrewAll": {"crew"},
    "ShipCreate": {"make"},
    "ShipStart": {"sail"},
    "ShipScrap": {"drop"},
    "ShipTrade": {"drop", "make"},
}


@pytest.mark.parametrize(
    ("uses", "route", "named", "others"),
    [
        pytest.param(
            {user("ps", "ship list"): {"list"}, user("port", "ship port"): {"list"}},
            "list", ["ps"], ["port"], id="whose name is the method's",
        ),
        pytest.param(
            {user("inspect"): {"look"}, user("ship inspect"): {"look"}, user("ship port"): {"look"}},
            "look", ["inspect", "ship inspect"], ["ship port"], id="a single word speaks of anything",
        ),
        pytest.param(
            {user("ship crew all"): {"crew"}, user("ship crew"): {"crew"}},
            "crew", ["ship crew all"], ["ship crew"], id="to get is not said",
        ),
        pytest.param(
            {user("ship create"): {"make"}, user("ship run"): {"make", "sail", "look"}, user("ship start"): {"sail"}},
            "make", ["ship create", "ship run"], [], id="who changes the same thing and little else",
        ),
        pytest.param(
            {user("ship create"): {"make"}, user("fleet run"): {"make"}},
            "make", ["ship create"], ["fleet run"], id="not who is about another thing",
        ),
        pytest.param(
            {user("ship run"): {"make", "drop"}, user("ship sink"): {"drop"}, user("ship launch"): {"make"}},
            "drop", ["ship sink"], ["ship run"], id="not who takes back what it made",
        ),
        pytest.param(
            {user("ship trade"): {"drop", "make"}, user("ship scrap"): {"drop"}},
            "drop", ["ship scrap"], ["ship trade"], id="not whose method does more, where one does just this",
        ),
        pytest.param({user("port"): {"crew"}}, "crew", ["port"], [], id="who is alone"),
        pytest.param(
            {user("fleet crew"): {"crew"}, user("sailor crew"): {"crew"}, user("sailor ps"): {"crew"}},
            "crew", ["sailor crew"], ["fleet crew", "sailor ps"], id="who shares a word, and is about it",
        ),
        pytest.param(
            {user("fleet crew"): {"crew"}, user("fleet ps"): {"crew"}},
            "crew", ["fleet crew"], ["fleet ps"], id="who shares a word",
        ),
        pytest.param(
            {user("ship list"): {"list"}, user("fleet ps"): {"list", "crew"}, user("ship make"): {"make", "crew"}},
            "crew", ["fleet ps"], ["ship make"], id="who reads what nobody else says",
        ),
    ],
)  # fmt: skip
def test_who_would_be_named(uses: dict[User, set[str]], route: str, named: list[str], others: list[str]) -> None:
    asked = {who: {ROUTES[each] for each in requests} for who, requests in uses.items()}
    methods = {name: {ROUTES[each] for each in made} for name, made in METHODS.items()}
    assert chosen(asked, methods)[ROUTES[route]] == (named, others)


def test_a_hyphen_parts_words() -> None:
    command = Command(("docker ship cast-off", "docker ship go"), frozenset())
    assert _command_user(command).phrases == {("ship", "cast", "off"), ("ship", "go")}
