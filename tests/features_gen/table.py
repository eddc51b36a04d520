"""Joins what the projects' sources say into the table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tests.features_gen.commands import Command
from tests.features_gen.csharp import Cmdlet
from tests.features_gen.engine import Route
from tests.features_gen.naming import User, chosen
from tests.features_gen.paths import Request, without_names

SCHEMA = 1
UNRELEASED = "unreleased"


class Facts(NamedTuple):
    """What was read.

    Attributes:
        routes: the routes of the newest revision.
        releases: by version, oldest first, the routes of former releases.
        client: the Go client's methods and what they ask for.
        commands: docker's commands with the methods that they call.
        dotnet: Docker.DotNet's methods and what they ask for.
        cmdlets: the cmdlets with the methods that they call,
        cmdlet_methods: and what these ask for, in the revision that the cmdlets are built on.
        silent: the client's methods that every command calls; they say nothing of a command.
    """

    routes: list[Route]
    releases: Mapping[str, list[Route]]
    client: Mapping[str, frozenset[Request]]
    commands: list[Command]
    dotnet: Mapping[str, frozenset[Request]]
    cmdlets: list[Cmdlet]
    cmdlet_methods: Mapping[str, frozenset[Request]]
    silent: frozenset[str]


def table(facts: Facts) -> dict[str, Any]:
    """The features, and what has none, as bot/features.json has them."""
    spans = _spans(facts)
    known: dict[Request, list[Request]] = defaultdict(list)
    for route in spans:
        known[_plain(route.request)].append(route.request)
    methods = {name: _asked([made], known) for name, made in facts.client.items()}
    client = _by_route(methods)
    dotnet = _by_route({name: _asked([made], known) for name, made in facts.dotnet.items()})
    commands = {
        _command_user(each): _asked([facts.client[name] for name in each.methods - facts.silent], known)
        for each in facts.commands
    }
    cmdlets = {
        User(each.name, frozenset(), ""): _asked(
            [facts.cmdlet_methods.get(name, frozenset()) for name in each.methods], known
        )
        for each in facts.cmdlets
    }
    by_command = chosen(commands, methods)
    by_cmdlet = chosen(cmdlets, methods)
    features = []
    for route, (since, until) in spans.items():
        request = route.request
        cli, cli_also = by_command.get(request, ([], []))
        powershell, powershell_also = by_cmdlet.get(request, ([], []))
        row = {
            "route": f"{request.verb} {request.path}",
            "since": since,
            "until": until,
            "min_api": route.min_api,
            "experimental": route.experimental,
            "cli": cli,
            "cli_also": cli_also,
            "client": sorted(client[request]),
            "dotnet": sorted(dotnet[request]),
            "powershell": powershell,
            "powershell_also": powershell_also,
        }
        features.append({key: value for key, value in row.items() if value})
    return {
        "features": sorted(features, key=lambda row: (row["route"].split(" ")[1], row["route"])),
        "without_route": {
            "cli": sorted(user.name for user, asked in commands.items() if not asked),
            "client": sorted(name for name, made in facts.client.items() if not _asked([made], known)),
            "dotnet": sorted(name for name, made in facts.dotnet.items() if not _asked([made], known)),
            "powershell": sorted(user.name for user, asked in cmdlets.items() if not asked),
        },
        "options": {each.names[0]: each.options for each in facts.commands if each.options},
        "aliases": {
            "cli": {name: each.names[0] for each in facts.commands for name in each.names[1:]},
            "powershell": {name: each.name for each in facts.cmdlets for name in each.aliases},
        },
    }


def _spans(facts: Facts) -> dict[Route, tuple[str | None, str | None]]:
    """Every route with the first release that has it, None for the oldest, and the last, None for the newest revision.

    Where only the slash at the end differs, it is one route in its history.
    """
    versions = list(facts.releases)
    latest: dict[Request, Route] = {}
    seen: dict[Request, list[str]] = defaultdict(list)
    for version, routes in facts.releases.items():
        for route in routes:
            latest[_plain(route.request)] = route
            seen[_plain(route.request)].append(version)
    current = {_plain(route.request) for route in facts.routes}
    for plain in sorted(latest.keys() - current):
        for now in sorted(current & seen.keys()):
            if _moved(plain, now) and _follows(versions, seen[plain], seen[now]):
                seen[now] = seen.pop(plain) + seen[now]
                del latest[plain]
                break
    found: dict[Route, tuple[str | None, str | None]] = {}
    for route in [*facts.routes, *(route for plain, route in latest.items() if plain not in current)]:
        having = seen[_plain(route.request)]
        first = having[0] if having else UNRELEASED
        last = None if _plain(route.request) in current else having[-1]
        found[route] = (None if versions and first == versions[0] else first, last)
    return found


def _moved(gone: Request, now: Request) -> bool:
    """Whether a table says now in full what it left to the one who mounts it: ``/vars`` and ``/debug/vars``."""
    return gone.verb == now.verb and now.path.endswith(gone.path) and "/" not in now.path.removesuffix(gone.path)[1:]


def _follows(versions: list[str], gone: list[str], now: list[str]) -> bool:
    return versions.index(gone[-1]) + 1 == versions.index(now[0])


def _plain(request: Request) -> Request:
    return Request(request.verb, without_names(request.path))


def _asked(made: Iterable[frozenset[Request]], known: Mapping[Request, list[Request]]) -> set[Request]:
    return {route for requests in made for request in requests for route in known.get(_plain(request), ())}


def _by_route(methods: Mapping[str, set[Request]]) -> dict[Request, set[str]]:
    found: dict[Request, set[str]] = defaultdict(set)
    for name, made in methods.items():
        for request in made:
            found[request].add(name)
    return found


def _command_user(command: Command) -> User:
    """A command whose every name is a phrase, such as ("container", "list") for ``docker container list``."""
    phrases = frozenset(tuple(name.replace("-", " ").split()[1:]) for name in command.names)
    groups = [name.split()[1] for name in command.names if len(name.split()) > 2]
    return User(command.names[0], phrases, groups[-1] if groups else "")
