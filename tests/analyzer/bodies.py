"""Reads the table of bodies (tests/bodies/<group>.txtar): Windows' functions, each with what its body is.

    func Freeze() error { // body error
        return errNotSupported
    }

The word is a kind of stub, ``implemented``, ``partial``, or ``real`` for either of these two. `` // todo`` behind it says
that the analyzer still gets it wrong: the body must then fail. Each marked function gets a twin on Linux that works, so
that the files hold only what matters, and so that all of it is Go that builds on both platforms.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.demo.sample import parse_txtar

FOLDER = Path(__file__).parents[1] / "bodies"
STUBS = ("noop", "zero", "error", "panic")
WORDS = (*STUBS, "implemented", "partial", "real")

_MARKER = re.compile(r"[ \t]*// body (\w+)( // todo)?$", re.MULTILINE)
_HEAD = re.compile(r"^(?:func (?:\(\w+ [^)]+\) )?|var |\t)(\w+)")
_IMPORT = re.compile(r'^\t?(?:import )?((\w+ )?"(?:\S+/)?(\w+)")$', re.MULTILINE)
# An endless loop may end a function with any results; what it calls is unknown, so it works.
_WORKS = " {\n\tfor {\n\t\tworks()\n\t}\n}\n"


@dataclass(frozen=True, slots=True)
class Body:
    """One marked function: where it stands, and what it is."""

    group: str
    path: str
    line: int
    name: str
    word: str
    todo: bool


def _text(group: str) -> str:
    return (FOLDER / f"{group}.txtar").read_text(encoding="utf-8")


def bodies() -> Iterator[Body]:
    """Every marked function of every group."""
    for file in sorted(FOLDER.glob("*.txtar")):
        for path, text in parse_txtar(_text(file.stem)).items():
            for number, line in enumerate(text.splitlines(), 1):
                marker, head = _MARKER.search(line), _HEAD.match(line)
                if marker and head:
                    yield Body(file.stem, path, number, head[1], marker[1], bool(marker[2]))


def count(group: str) -> int:
    """How often the word "body" stands behind a comment's start: no marker may be overlooked."""
    return _text(group).count("// body")


@cache
def files(group: str) -> Mapping[str, str]:
    """The Go of a group, without markers and with Linux' twins."""
    given = parse_txtar(_text(group))
    twins = {_twin_path(path): _twin(text) for path, text in given.items() if path.endswith("_windows.go")}
    return {path: _MARKER.sub("", text) for path, text in given.items()} | twins


def _twin_path(path: str) -> str:
    return path.removesuffix("_windows.go") + "_linux.go"


def _twin(text: str) -> str:
    """A file that declares what the file declares, and does work in each function."""
    package = next(line for line in text.splitlines() if line.startswith("package "))
    lines = [line for line in text.splitlines() if line.startswith(("func ", "var ")) or _MARKER.search(line)]
    heads = [_twin_head(line) for line in lines if _MARKER.search(line) or line.startswith("func ")]
    used = "".join(heads)
    imports = [whole for whole, alias, name in _IMPORT.findall(text) if f"{alias.strip() or name}." in used]
    named = "".join(f"import {line}\n" for line in ['"os"', *(i for i in imports if i != '"os"')])
    return f"{package}\n\n{named}\nfunc works() {{\n\tos.Getpid()\n}}\n\n" + "\n".join(head + _WORKS for head in heads)


def _twin_head(line: str) -> str:
    """The head of a function; a variable that names no type of its own becomes a function."""
    if line.startswith("func "):
        return line.partition(" {")[0]
    name = line.removeprefix("var ").split()[0]
    return f"func {name}()"
