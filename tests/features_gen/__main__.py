"""Makes bot/features.json anew: `make features REPOS="moby/moby=PATH docker/cli=PATH …"`, each PATH a git directory."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.features_gen import engine
from tests.features_gen.commands import CommandLine
from tests.features_gen.csharp import CSharp, cmdlets
from tests.features_gen.go import Code
from tests.features_gen.source import go_file, open_repository, read, releases
from tests.features_gen.table import SCHEMA, Facts, table

ENGINE, CLI, DOTNET, POWERSHELL = "moby/moby", "docker/cli", "dotnet/Docker.DotNet", "microsoft/Docker-PowerShell"
OUTPUT = Path(__file__).parents[2] / "bot" / "features.json"
FIRST_RELEASE = (1, 13)
CLIENT = "client/"
USAGE = f'usage: make features REPOS="{ENGINE}=PATH {CLI}=PATH {DOTNET}=PATH {POWERSHELL}=PATH"   (PATH or PATH@REV)'


def build(repos: dict[str, tuple[Path, str]]) -> dict[str, Any]:
    """The whole table from four repositories, each a git directory and a revision."""
    opened = {name: open_repository(path) for name, (path, _) in repos.items()}
    wanted = {ENGINE: _engine_file, CLI: go_file, DOTNET: _csharp_file, POWERSHELL: _csharp_file}
    sources = {name: read(opened[name], repos[name][1], wanted[name]) for name in repos}
    client = engine.Client(_code({p: c for p, c in sources[ENGINE].files.items() if p.startswith(CLIENT)}, ENGINE))
    calls = {name: client.requests(name) for name in client.methods}
    dotnet = CSharp(sources[DOTNET].files)
    # The cmdlets are built on a revision of Docker.DotNet that is a submodule of theirs.
    pinned = next(iter(rev for path, rev in sources[POWERSHELL].links.items() if path.endswith("Docker.DotNet")))
    beneath = read(opened[DOTNET], pinned, _csharp_file)
    built_on = CSharp(beneath.files)
    facts = Facts(
        routes=_routes(sources[ENGINE].files),
        releases={
            version: _routes(read(opened[ENGINE], tag, engine.router).files)
            for version, tag in releases(opened[ENGINE], FIRST_RELEASE)
        },
        client=calls,
        commands=CommandLine(_code(sources[CLI].files, CLI), client.methods).commands(),
        dotnet=dotnet.methods(),
        cmdlets=cmdlets(CSharp(sources[POWERSHELL].files), built_on),
        cmdlet_methods=built_on.methods(),
        silent=frozenset(name for name, method in client.methods.items() if method.key in client.overhead),
    )
    revisions = {name: {"revision": source.revision, "date": source.day} for name, source in sources.items()}
    revisions[POWERSHELL] |= {"built_on": beneath.revision}
    return {"schema": SCHEMA, "sources": dict(sorted(revisions.items())), **table(facts)}


def _engine_file(path: str) -> bool:
    return go_file(path) and (engine.router(path) or (path.startswith(CLIENT) and path.count("/") == 1))


def _csharp_file(path: str) -> bool:
    return path.endswith(".cs") and not path.startswith("test") and "/Models/" not in path


def _code(files: dict[str, bytes], name: str) -> Code:
    return Code(files, f"github.com/{name}")


def _routes(files: dict[str, bytes]) -> list[engine.Route]:
    return engine.routes(_code({path: content for path, content in files.items() if engine.router(path)}, ENGINE))


def dumps(built: dict[str, Any]) -> str:
    """The table as it is kept: a line for each field of a feature, for each command's options, and for each other name."""
    features = [
        ",\n".join(f"   {_line(key)}: {_line(value)}" for key, value in feature.items())
        for feature in built["features"]
    ]
    rest = {key: value for key, value in built.items() if key not in {"features", "options"}}
    head = json.dumps(rest, indent=1, ensure_ascii=False).removesuffix("\n}")
    options = ",\n".join(f"  {_line(command)}: {_line(each)}" for command, each in built["options"].items())
    rows = ",\n".join(f"  {{\n{feature}\n  }}" for feature in features)
    return f'{head},\n "options": {{\n{options}\n }},\n "features": [\n{rows}\n ]\n}}\n'


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def main(arguments: list[str]) -> int:
    """Write the table, and say what has no counterpart."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    if given.keys() != {ENGINE, CLI, DOTNET, POWERSHELL}:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    repos = {}
    for name, place in given.items():
        path, _, rev = place.partition("@")
        repos[name] = (Path(path), rev or "HEAD")
    built = build(repos)
    OUTPUT.write_text(dumps(built), encoding="utf-8")
    sys.stdout.write("\n".join(_counts(built)) + "\n")
    return 0


def _counts(built: dict[str, Any]) -> Iterator[str]:
    """How much of each side has its counterpart on the other."""
    rows = built["features"]
    yield f"{len(rows)} routes, {sum('until' in row for row in rows)} of them gone"
    for kind in ("cli", "client", "dotnet", "powershell"):
        also = f"{kind}_also"
        named = {name for row in rows for name in (*row.get(kind, ()), *row.get(also, ()))}
        lone = len(built["without_route"][kind])
        own, others = sum(kind in row for row in rows), sum(also in row and kind not in row for row in rows)
        yield f"{kind}: {len(named)} with a route, {lone} without; {own} routes have one of these, {others} only share one"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
