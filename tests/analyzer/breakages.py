"""Our own small modules, and every simple way to break them on Windows alone (tests/modules)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from analyzer import syntax
from analyzer.model import Around, Outline, Snapshot
from analyzer.symbols import directory
from bot.demo.sample import parse_txtar
from tests.analyzer.cases import snapshot

FOLDER = Path(__file__).parents[1] / "modules"
# What the modules call themselves.
NAME = "example.com/harbor"

Files = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Breakage:
    """One change of a module: what it is, and both sides."""

    what: str
    base: Files
    head: Files


def modules() -> dict[str, Files]:
    """By name."""
    return {path.stem: parse_txtar(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.txtar"))}


def breakages(files: Files) -> Iterator[Breakage]:
    """Every change of one kind in one place: files that go or are narrowed, symbols that go or are renamed."""
    for path, text in files.items():
        yield from _of_file(files, path, text)
        for declaration in syntax.read(text.encode()).declarations:
            start, end = declaration.start, declaration.end
            without = text.encode()[:start] + text.encode()[end:]
            bare = declaration.name.rpartition(".")[2]
            renamed = text.encode()[:start] + _renamed(text.encode()[start:end], bare) + text.encode()[end:]
            if declaration.is_function:
                yield Breakage(f"{path} loses {declaration.name}", files, {**files, path: without.decode()})
            yield Breakage(f"{path} renames {declaration.name}", files, {**files, path: renamed.decode()})
        if path.endswith("_windows.go"):
            for field in re.findall(r"^\t(\w+) +\w+$", text, re.MULTILINE):
                changed = re.sub(rf"^\t{field}( +\w+)$", rf"\t{field}Old\1", text, flags=re.MULTILINE)
                yield Breakage(f"{path} renames the field {field}", files, {**files, path: changed})


def _of_file(files: Files, path: str, text: str) -> Iterator[Breakage]:
    rest = {name: content for name, content in files.items() if name != path}
    stem = path.removesuffix("_test.go").removesuffix(".go")
    end = "_test.go" if path.endswith("_test.go") else ".go"
    if "_windows" in path or "!unix" in text:
        yield Breakage(f"{path} goes", files, rest)
    elif "_linux" not in path:
        yield Breakage(f"{path} becomes Linux'", files, {**rest, f"{stem}_linux{end}": text})
        yield Breakage(f"{path} is narrowed", files, {**rest, path: f"//go:build !windows\n\n{text}"})


def _renamed(source: bytes, name: str) -> bytes:
    return re.sub(rb"\b" + name.encode() + rb"\b", name.encode() + b"Old", source, count=1)


def named(files: Files, name: str) -> dict[str, str]:
    """A module under another name, so that many of them make one."""
    return {path: text.replace(NAME, name) for path, text in files.items()}


def divided(base: Files, head: Files) -> tuple[Snapshot, Snapshot, Around]:
    """Two revisions as git gives them: directories in which something differs, and all the others around."""
    changed = {directory(p) for p in {*base, *head} if base.get(p) != head.get(p)}
    outline: dict[str, tuple[str, ...]] = {}
    for path in head:
        outline[directory(path)] = (*outline.get(directory(path), ()), path.rpartition("/")[2])
    sides = [snapshot({p: text for p, text in files.items() if directory(p) in changed}) for files in (base, head)]
    others = snapshot({p: text for p, text in head.items() if directory(p) not in changed})
    return sides[0], sides[1], Around(Outline(outline), others.files)


def as_asked(base: Snapshot, head: Snapshot, around: Around, asked: frozenset[str]) -> Around:
    """What is around, as far as it was asked for."""
    del base, head
    return Around(around.outline, {p: f for p, f in around.files.items() if directory(p) in asked})
