"""The table of the engine's features (bot/features.json): that it is whole, and that it is found by every name."""

import json
import re
from itertools import pairwise
from pathlib import Path

import jsonschema
import msgspec
import pytest

from bot import features
from bot.features import Feature, Table, table

WRITTEN = (Path(features.__file__).parent / "features.json").read_text(encoding="utf-8")
LISTS = ("cli", "cli_also", "client", "dotnet", "powershell", "powershell_also")
SMALL = features.read(
    json.dumps(
        {
            "schema": 1,
            "sources": {},
            "features": [
                {"route": "POST /ships/create", "cli": ["docker launch"]},
                {"route": "GET /ships/json", "cli": ["docker fleet"], "cli_also": ["docker launch", "docker sail"]},
                {"route": "GET /ships/", "cli": ["docker fleet"]},
                {"route": "DELETE /ships/{name}", "powershell": ["Remove-Ship"], "dotnet": ["IShips.RemoveAsync"]},
                {"route": "GET /ships/{name}/json", "client": ["ShipInspect"], "powershell_also": ["Remove-Ship"]},
                {"route": "GET /ships/{name}/log/{day}", "dotnet": ["IShips.LogAsync"]},
                {"route": "GET /masts", "dotnet": ["IMasts.LogAsync"]},
                {"route": "OPTIONS /{any}"},
            ],
            "without_route": {"cli": ["docker knot tie"]},
            "aliases": {"cli": {"docker ship ls": "docker fleet"}, "powershell": {"Scuttle-Ship": "Remove-Ship"}},
        }
    ).encode()
)


def routes(found: tuple[Feature, ...]) -> list[str]:
    return [feature.route for feature in found]


@pytest.mark.parametrize(
    ("verb", "path", "route"),
    [
        ("GET", "/ships/json", "GET /ships/json"),
        ("get", "/ships/json", "GET /ships/json"),
        ("GET", "/ships/{name}/json", "GET /ships/{name}/json"),
        ("GET", "/ships/{id}/json", "GET /ships/{name}/json"),
        ("GET", "/ships/{id:.*}/json", "GET /ships/{name}/json"),
        ("GET", "/ships/{id:[a-z]{1,3}}/json", "GET /ships/{name}/json"),
        ("GET", "/ships/{id:[^/]+}/json", "GET /ships/{name}/json"),
        ("GET", "/v1.41/ships/{id:.*}/json", "GET /ships/{name}/json"),
        ("GET", "/v{version:[0-9.]+}/ships/json", "GET /ships/json"),
        ("GET", "/v1.41/ships/anna/json?size=1", "GET /ships/{name}/json"),
        ("GET", "/ships/anna/of/hull/json", "GET /ships/{name}/json"),
        ("GET", "/ships/anna/log/monday", "GET /ships/{name}/log/{day}"),
        ("GET", "/ships/{a}/log/{b}", "GET /ships/{name}/log/{day}"),
        ("DELETE", "/ships/json", "DELETE /ships/{name}"),
        ("GET", "/ships/", "GET /ships/"),
        ("GET", "/masts/", "GET /masts"),
        ("GET", "/v8/masts", "GET /masts"),
    ],
)
def test_a_request_finds_its_route(verb: str, path: str, route: str) -> None:
    found = SMALL.by_route(verb, path)
    assert found is not None
    assert found.route == route
    assert f"{found.verb} {found.path}" == route


@pytest.mark.parametrize(
    ("verb", "path"),
    [("PUT", "/ships/json"), ("GET", "/ships/{id}/keel"), ("GET", "/mast"), ("GET", "/xships/json"), ("GET", "/")],
)
def test_another_request_finds_none(verb: str, path: str) -> None:
    assert SMALL.by_route(verb, path) is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("docker launch", ["POST /ships/create", "GET /ships/json"]),
        ("docker launch --name anna", ["POST /ships/create", "GET /ships/json"]),
        ("docker ship ls", ["GET /ships/json", "GET /ships/"]),
        ("docker  sail anna", ["GET /ships/json"]),
        ("docker knot tie", []),
        ("docker ship", []),
        ("docker", []),
        ("", []),
    ],
)
def test_a_command_finds_its_routes_those_first_that_it_is_named_for(command: str, expected: list[str]) -> None:
    assert routes(SMALL.by_command(command)) == expected


def test_a_command_without_a_route_is_known_all_the_same() -> None:
    assert SMALL.command("docker knot tie x") == "docker knot tie"
    assert SMALL.command("docker ship ls -a") == "docker fleet"
    assert SMALL.command("docker dance") is None


@pytest.mark.parametrize("name", ["Remove-Ship", "remove-ship", "SCUTTLE-SHIP"])
def test_a_cmdlet_finds_its_routes_by_any_of_its_names(name: str) -> None:
    assert routes(SMALL.by_cmdlet(name)) == ["DELETE /ships/{name}", "GET /ships/{name}/json"]
    assert SMALL.by_cmdlet(name[:-1]) == ()


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("IShips.LogAsync", ["GET /ships/{name}/log/{day}"]),
        ("LogAsync", ["GET /ships/{name}/log/{day}", "GET /masts"]),
        ("ShipInspect", ["GET /ships/{name}/json"]),
        ("Async", []),
    ],
)
def test_a_method_finds_its_routes_with_or_without_its_type(method: str, expected: list[str]) -> None:
    assert routes(SMALL.by_method(method)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" GET /ships/{x}/json ", ["GET /ships/{name}/json"]),
        ("/ships/{x}", ["DELETE /ships/{name}"]),
        ("/masts", ["GET /masts"]),
        ("PUT /masts", []),
        ("docker fleet", ["GET /ships/json", "GET /ships/"]),
        ("Scuttle-Ship", ["DELETE /ships/{name}", "GET /ships/{name}/json"]),
        ("IShips.RemoveAsync", ["DELETE /ships/{name}"]),
        ("nothing", []),
    ],
)
def test_any_name_finds_what_it_stands_for(text: str, expected: list[str]) -> None:
    assert routes(SMALL.find(text)) == expected


@pytest.mark.parametrize("content", [b"{}", WRITTEN.replace('"schema": 1', '"schema": 2').encode(), b"[", b"\xff"])
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        features.read(content)


def test_the_table_follows_its_schema_and_has_nothing_beside_it() -> None:
    schema = msgspec.json.schema(Table)
    for definition in schema["$defs"].values():
        if definition.get("properties"):
            definition["additionalProperties"] = False
    jsonschema.validate(json.loads(WRITTEN), schema)


def test_every_route_is_there_once_and_in_order() -> None:
    rows = [(feature.path, feature.route) for feature in table().features]
    assert rows == sorted(set(rows))
    assert all(re.fullmatch(r"(GET|HEAD|POST|PUT|DELETE|OPTIONS) /[\w{}/]*", route) for _, route in rows)


@pytest.mark.parametrize("feature", table().features, ids=lambda feature: feature.route)
def test_a_feature_is_found_by_each_of_its_names(feature: Feature) -> None:
    assert table().by_route(feature.verb, feature.path) == feature
    for field in LISTS:
        names = getattr(feature, field)
        assert all(one < other for one, other in pairwise(names)), field
        assert all(feature in table().find(name) for name in names), field
    assert not set(feature.cli) & set(feature.cli_also)
    assert not set(feature.powershell) & set(feature.powershell_also)


def test_other_names_lead_to_names_that_are_there() -> None:
    for alias, name in table().aliases.cli.items():
        assert table().command(alias) == name
    for alias in table().aliases.powershell:
        assert table().by_cmdlet(alias)


def test_a_name_has_a_route_or_has_none() -> None:
    for kind in ("cli", "client", "dotnet", "powershell"):
        lone = set(getattr(table().without_route, kind))
        used = {name for feature in table().features for name in getattr(feature, kind)}
        assert not lone & used, kind


def test_it_says_what_it_was_made_from() -> None:
    origins = table().sources
    assert list(origins) == ["docker/cli", "dotnet/Docker.DotNet", "microsoft/Docker-PowerShell", "moby/moby"]
    assert all(
        re.fullmatch(r"[0-9a-f]{40} \d{4}-\d\d-\d\d", f"{each.revision} {each.date}") for each in origins.values()
    )
    assert "file:" not in WRITTEN
    assert "http" not in WRITTEN


# What a Windows user asks about; each was read in the projects' sources.
@pytest.mark.parametrize(
    ("route", "cli", "dotnet", "powershell"),
    [
        ("POST /containers/{name}/pause", "docker pause", "IContainerOperations.PauseContainerAsync", ""),
        ("POST /containers/{name}/checkpoints", "docker checkpoint create", "", ""),
        ("GET /containers/{name}/changes", "docker diff", "IContainerOperations.InspectChangesAsync", ""),
        ("GET /containers/{name}/stats", "docker stats", "IContainerOperations.GetContainerStatsAsync", ""),
        ("POST /containers/{name}/update", "docker update", "IContainerOperations.UpdateContainerAsync", ""),
        ("GET /containers/{name}/top", "docker top", "IContainerOperations.ListProcessesAsync", ""),
        ("GET /containers/{name}/export", "docker export", "IContainerOperations.ExportContainerAsync", ""),
        ("POST /networks/{id}/connect", "docker network connect", "INetworkOperations.ConnectNetworkAsync", ""),
        ("POST /commit", "docker commit", "IImageOperations.CommitContainerChangesAsync", "ConvertTo-ContainerImage"),
        (
            "POST /containers/{name}/exec",
            "docker exec",
            "IExecOperations.ExecCreateContainerAsync",
            "Start-ContainerProcess",
        ),
    ],
)
def test_what_windows_users_ask_about(route: str, cli: str, dotnet: str, powershell: str) -> None:
    (feature,) = table().find(route)
    assert feature.cli == (cli,)
    assert feature.dotnet == ((dotnet,) if dotnet else ())
    assert feature.powershell == ((powershell,) if powershell else ())
