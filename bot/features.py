"""What of the Docker Engine a person knows by which name: API routes, commands, methods and cmdlets (docs/features.md)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from analyzer.entries import Entry


_PARAMETER = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_VERSION = re.compile(r"/(?:v\d+(?:\.\d+)*|v?\{version[^/]*\})(?=/)")
_ROUTE = re.compile(r"(?:(?P<verb>[A-Za-z]+)\s+)?(?P<path>/\S*)")


@dataclass(frozen=True, slots=True)
class Feature:
    """A route of the engine's API, and how people get at it. Each list is sorted.

    Attributes:
        route: its verb and path, such as ``POST /containers/{name}/pause``.
        since: the first release that has it; None when the oldest that was read has it already.
        until: the last release that has it; None when the newest revision has it.
        min_api: the API version that a request has to have at least.
        experimental: whether the daemon has to run in experimental mode.
        cli: docker commands that a person would name for it.
        cli_also: other commands that use it.
        client: methods of the engine's Go client.
        dotnet: methods of Docker.DotNet, ``Interface.Method``.
        powershell: cmdlets of Docker-PowerShell that a person would name for it.
        powershell_also: other cmdlets that use it.
    """

    route: str
    since: str | None = None
    until: str | None = None
    min_api: str | None = None
    experimental: bool = False
    cli: tuple[str, ...] = ()
    cli_also: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    dotnet: tuple[str, ...] = ()
    powershell: tuple[str, ...] = ()
    powershell_also: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        """The HTTP method."""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, with its parameters in braces and without a version."""
        return self.route.partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Names:
    """Names of each kind, sorted."""

    cli: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    dotnet: tuple[str, ...] = ()
    powershell: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aliases:
    """By another name, the name that the features have."""

    cli: dict[str, str]
    powershell: dict[str, str]


@dataclass(frozen=True, slots=True)
class Origin:
    """A repository that the table was made from: a full commit id, and the day of the commit (UTC).

    ``built_on`` is the commit of Docker.DotNet that the cmdlets are built on.
    """

    revision: str
    date: str
    built_on: str | None = None


@dataclass(frozen=True)
class Table:
    """All features, and what has no route: it is done without the engine."""

    schema: Literal[1]
    sources: dict[str, Origin]
    features: tuple[Feature, ...]
    without_route: Names
    aliases: Aliases
    options: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """By command and option, the fields of the engine's API that the option fills, as ``Struct.Field``."""

    def by_route(self, verb: str, path: str) -> Feature | None:
        """The feature that a request reaches.

        Args:
            verb: the HTTP method, in any case.
            path: with or without a version; each parameter in braces, whatever its name or pattern, or filled in.
        """
        plain = _VERSION.sub("", path.partition("?")[0], count=1)
        wanted = f"{verb.upper()} {shape(plain)}"
        known = self._shapes.get(wanted) or self._shapes.get(wanted.rstrip("/"))
        if known or "{" in wanted:
            return known
        # A name may have slashes, as those of images do; one without is the better match.
        for filled in ("[^/]+", ".+"):
            for pattern, feature in self._shapes.items():
                if re.fullmatch(re.escape(pattern).replace(re.escape("{}"), filled), wanted):
                    return feature
        return None

    def by_path(self, path: str) -> tuple[Feature, ...]:
        """The features at a path, by any verb that is spoken of there."""
        verbs = dict.fromkeys(feature.verb for feature in self.features if feature.verb != "OPTIONS")
        found = (self.by_route(verb, path) for verb in verbs)
        return tuple(feature for feature in found if feature)

    def by_command(self, command: str) -> tuple[Feature, ...]:
        """The features that a docker command uses, those first that it is named for.

        The command may have any of its names, and options and arguments behind it.
        """
        name = self.command(command)
        return _first(
            [feature for feature in self.features if name in feature.cli],
            [feature for feature in self.features if name in feature.cli_also],
        )

    def command(self, command: str) -> str | None:
        """The name by which the features know a command; None when docker has none like it."""
        words = command.split()
        for length in range(len(words), 1, -1):
            name = " ".join(words[:length])
            name = self.aliases.cli.get(name, name)
            if name in self._commands:
                return name
        return None

    def by_method(self, method: str) -> tuple[Feature, ...]:
        """The features that a method of Docker.DotNet or of the Go client uses, with or without its type."""
        return tuple(
            feature
            for feature in self.features
            if any(name == method or name.endswith(f".{method}") for name in (*feature.client, *feature.dotnet))
        )

    def by_cmdlet(self, cmdlet: str) -> tuple[Feature, ...]:
        """The features that a cmdlet uses, by its name or an alias in any case, those first that it is named for."""
        aliases = {alias.lower(): name.lower() for alias, name in self.aliases.powershell.items()}
        name = aliases.get(cmdlet.lower(), cmdlet.lower())
        return _first(
            [feature for feature in self.features if name in map(str.lower, feature.powershell)],
            [feature for feature in self.features if name in map(str.lower, feature.powershell_also)],
        )

    def find(self, text: str) -> tuple[Feature, ...]:
        """The features that any name stands for: a route with or without its verb, a command, a method, a cmdlet."""
        text = text.strip()
        if match := _ROUTE.fullmatch(text):
            if match["verb"] is None:
                return self.by_path(match["path"])
            feature = self.by_route(match["verb"], match["path"])
            return (feature,) if feature else ()
        return self.by_command(text) or self.by_cmdlet(text) or self.by_method(text)

    @cached_property
    def _shapes(self) -> dict[str, Feature]:
        return {shape(feature.route): feature for feature in self.features}

    @cached_property
    def _commands(self) -> frozenset[str]:
        return frozenset(self.without_route.cli) | {
            name for feature in self.features for name in (*feature.cli, *feature.cli_also)
        }


def _first(named: Iterable[Feature], others: Iterable[Feature]) -> tuple[Feature, ...]:
    return (*named, *others)


def shape(route: str) -> str:
    """A route or path with ``{}`` for each parameter, whatever its name or pattern."""
    return _PARAMETER.sub("{}", route)


def read(content: bytes) -> Table:
    """A table as bot/features.json has it.

    Raises:
        msgspec.ValidationError: it is not one.
    """
    return msgspec.json.decode(content, type=Table)


def feature_of(entry: "Entry") -> Feature | None:
    """The feature of the Docker Engine that an entry of a repository is; None for what is none."""
    return route_of(entry.name) if entry.kind == "route" else None


def route_of(name: str) -> Feature | None:
    """The feature that a route is, by its verb and path; None for what is none."""
    verb, _, path = name.partition(" ")
    return table().by_route(verb, path) if path else None


@cache
def table() -> Table:
    """The table that comes with winparity."""
    return read(files("bot").joinpath("features.json").read_bytes())
