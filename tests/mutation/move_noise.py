"""Edits that move, split and rename what stays what it is: files, functions, constraints, packages."""

import random
import re
from collections.abc import Iterator

from tree_sitter import Node

from analyzer.files import suffix_tags
from analyzer.symbols import GoFile
from analyzer.syntax import parse, text
from tests.mutation.code import Changes, Folder, locals_of
from tests.mutation.edit import Edit, quiet
from tests.mutation.shared_losses import SKIPS
from tests.mutation.source import (
    can_import,
    chunks,
    constraint,
    header,
    old_constraint_only,
    splice,
    walk,
    with_constraint,
    with_imports,
    without_idle_imports,
)

_SIMPLE = re.compile(r"!?\w+(?: \|\| !?\w+)*|!?\w+(?: && !?\w+)*")
_WORDS = ("arrange", "prepare", "settle", "tidy", "gather", "handle")


def _name_parts(path: str) -> tuple[str, str, str]:
    """The folder with its slash, the stem, and the rest that decides where it builds."""
    folder, slash, name = path.rpartition("/")
    base = name.removesuffix(".go")
    tail = "_test" if base.endswith("_test") else ""
    base = base.removesuffix("_test")
    for tag in reversed(suffix_tags(name)):
        base, tail = base.removesuffix("_" + tag), "_" + tag + tail
    return folder + slash, base, tail + ".go"


def file_renamed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for file in folder.own_files:
        where, base, tail = _name_parts(file.path)
        new = where + chance.choice([f"{base}_impl", f"the{base}", "thing"]) + tail
        plain = "." not in base and bool(base) and base != "doc"
        if plain and folder.free(new) and suffix_tags(new) == suffix_tags(file.path.rpartition("/")[2]):
            yield quiet(new, {file.path: None, new: file.source.content})


def file_split(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Half of a file's functions go to a new file with the same constraint."""
    for file in folder.own_files:
        content = file.source.content
        parts = [(start, end) for start, end, node in chunks(content) if _moves(node)]
        where, base, tail = _name_parts(file.path)
        new = f"{where}{base}_more{tail}"
        if len(parts) < 2 or not folder.free(new) or "." in base:
            continue
        some = sorted(chance.sample(parts, len(parts) // 2))
        rest = splice(content, [(start, end, b"") for start, end in some])
        moved = _with_head(file) + b"\n\n".join(content[start:end] for start, end in some) + b"\n"
        yield quiet(new, {file.path: without_idle_imports(rest), new: without_idle_imports(moved)})


def _moves(node: Node) -> bool:
    return text(node.child_by_field_name("name")) != "init"


def _with_head(file: GoFile) -> bytes:
    """The constraint, the package clause and the imports of a file."""
    rule = constraint(file.source.content)
    return (f"//go:build {rule}\n\n".encode() if rule else b"") + header(file)


def function_moved(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """One function goes to another file that builds on the same platforms."""
    files = [f for f in folder.own_files if not re.search(rb"(?m)^// \+build", f.source.content)]
    for file in files:
        content = file.source.content
        parts = [(start, end) for start, end, node in chunks(content) if _moves(node)]
        others = [f for f in files if f is not file and _same_place(f, file)]
        if not parts or not others:
            continue
        start, end = chance.choice(parts)
        other = chance.choice(others)
        taken = other.source.content.rstrip() + b"\n\n" + content[start:end] + b"\n"
        rest = without_idle_imports(splice(content, [(start, end, b"")]))
        yield quiet(other.path, {file.path: rest, other.path: _with_specs(taken, file)})


def _same_place(one: GoFile, other: GoFile) -> bool:
    names = [f.path.rpartition("/")[2] for f in (one, other)]
    return (
        one.is_test == other.is_test
        and one.facts.package == other.facts.package
        and suffix_tags(names[0]) == suffix_tags(names[1])
        and constraint(one.source.content) == constraint(other.source.content)
    )


def _with_specs(content: bytes, source: GoFile) -> bytes:
    """Import what another file imports too, each once."""
    known = {text(n) for n in walk(parse(content).root_node) if n.type == "import_spec"}
    specs = [text(n) for n in walk(parse(source.source.content).root_node) if n.type == "import_spec"]
    new = "".join(f"\nimport {spec}" for spec in specs if spec not in known)
    clause = next(n for n in parse(content).root_node.named_children if n.type == "package_clause")
    return without_idle_imports(splice(content, [(clause.end_byte, clause.end_byte, new.encode())]))


def helper_renamed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """An unexported function has another name, on all platforms."""
    fields = {text(n) for f in folder.own_files for n in _identifiers(f) if n.type == "field_identifier"}
    declared = {d.name for f in folder.package.files.values() for d in f.facts.declarations}
    locals_ = {name for f in folder.functions for name in locals_of(f)}
    safe = len(folder.own_files) == len(folder.package.files)
    for name in sorted({f.name for f in folder.code if not f.receiver and not f.exported}) if safe else ():
        if name in locals_ or name in fields or name in {"main", "init"}:
            continue
        new = chance.choice([f"{chance.choice(_WORDS)}{name[0].upper()}{name[1:]}", f"{name}Inner", name[:4] + "It"])
        if new in declared or folder.has(new):
            continue
        changes: Changes = {}
        for file in folder.package.files.values():
            nodes = [n for n in _identifiers(file) if n.type == "identifier" and text(n) == name]
            if nodes:
                edits = [(n.start_byte, n.end_byte, new.encode()) for n in nodes]
                changes[file.path] = splice(file.source.content, edits)
        yield quiet(next(iter(changes)), changes)


def method_renamed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """An unexported method has another name, on all platforms."""
    methods: dict[str, set[str]] = {}
    for function in folder.code:
        if function.receiver and function.bare[:1].islower():
            methods.setdefault(function.bare, set()).add(function.receiver)
    safe = len(folder.own_files) == len(folder.package.files)
    for name, receivers in sorted(methods.items()) if safe else ():
        new = chance.choice([f"{chance.choice(_WORDS)}{name[0].upper()}{name[1:]}", f"{name}Now"])
        if len(receivers) > 1 or folder.has(new):
            continue
        changes: Changes = {}
        for file in folder.package.files.values():
            nodes = [n for n in _identifiers(file) if n.type == "field_identifier" and text(n) == name]
            if nodes:
                edits = [(n.start_byte, n.end_byte, new.encode()) for n in nodes]
                changes[file.path] = splice(file.source.content, edits)
        yield quiet(next(iter(changes)), changes)


def _identifiers(file: GoFile) -> Iterator[Node]:
    return (n for n in walk(parse(file.source.content).root_node) if n.type in {"identifier", "field_identifier"})


def function_added(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for file in folder.own_files:
        if file.on_target and file.on_reference and not folder.has("sumOfSquares") and not folder.has("SumOfSquares"):
            name = chance.choice(["sumOfSquares", "SumOfSquares"])
            new = f"\n// {name} adds squares.\nfunc {name}(a, b int) int {{\n\treturn a*a + b*b\n}}\n"
            yield quiet(file.path, {file.path: file.source.content + new.encode()})


def linux_helper_added(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """An unexported helper for Linux, which a Linux-only function calls."""
    del chance
    for function in folder.code:
        file = function.file
        if file.on_reference and not file.on_target and can_import(file, "os") and not folder.has("noteStart"):
            content = splice(
                function.content + b'\nfunc noteStart() {\n\t_ = os.Remove("/run/stale")\n}\n',
                [(function.body.start_byte + 1, function.body.start_byte + 1, b"\n\tnoteStart()\n\t")],
            )
            yield quiet(file.path, {file.path: with_imports(content, "os")})


def constraint_respelled(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Read backward: ``// +build`` becomes ``//go:build``."""
    del chance
    for file in folder.own_files:
        if _SIMPLE.fullmatch(constraint(file.source.content)) and b"// +build" not in file.source.content:
            yield quiet(file.path, {file.path: old_constraint_only(file.source.content)})


def constraint_reworded(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """The same set of platforms in other words."""
    for file in folder.own_files:
        rule = constraint(file.source.content)
        if rule:
            new = chance.choice(
                [f"({rule})", f"!(!({rule}))", f"{rule} || ({rule} && cgo)" if "|" not in rule else f"({rule})"]
            )
            yield quiet(file.path, {file.path: with_constraint(file.source.content, new)})


def constraint_repeats_name(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A constraint says what the file's name says already."""
    del chance
    for file in folder.own_files:
        tags = suffix_tags(file.path.rpartition("/")[2])
        if tags and not constraint(file.source.content) and b"// +build" not in file.source.content:
            yield quiet(file.path, {file.path: with_constraint(file.source.content, " && ".join(tags))})


def fallback_narrowed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Windows gets a file of its own, which is just what it had in the fallback file."""
    del chance
    for file in folder.own_files:
        rule = constraint(file.source.content)
        where, base, tail = _name_parts(file.path)
        base = re.sub(r"_(?:unsupported|other|others|nolinux|stub|fallback|notlinux|default)$", "", base)
        new = f"{where}{base}_windows{tail}"
        if not file.on_target or file.on_reference or not rule or "windows" in rule or "." in base:
            continue
        if suffix_tags(file.path.rpartition("/")[2]) or not folder.free(new) or not re.match(r"!\w+$", rule):
            continue
        mine = with_constraint(file.source.content, "")
        rest = with_constraint(file.source.content, f"{rule} && !windows")
        yield quiet(new, {file.path: rest, new: mine})


def package_moved(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    if folder.where == ".":
        return
    parent, slash, name = folder.where.rpartition("/")
    new = chance.choice([f"internal/{folder.where}", f"{parent}{slash}{name}kit", f"pkg/{name}x"])
    clause = chance.random() < 0.5 and new.endswith("kit")
    changes: Changes = dict.fromkeys(folder.files)
    for path, file in folder.files.items():
        content = file.content
        if clause:
            content = re.sub(rb"(?m)^package (\w+?)(_test)?$", rb"package \1kit\2", content, count=1)
        changes[f"{new}/{path.rpartition('/')[2]}"] = content
    yield quiet(new, changes)


def _files_gone(folder: Folder, *, windows: bool, linux: bool) -> Iterator[Edit]:
    for file in folder.own_files:
        rest = [f for f in folder.package.files.values() if f is not file and f.on_target and not f.is_test]
        # A new test that skips Windows, or new code that refuses there, is news.
        if (file.on_target, file.on_reference) != (windows, linux) or SKIPS.search(file.source.content):
            continue
        if rest and not folder.needed((d.name for d in file.facts.declarations), file.path):
            yield quiet(file.path, {file.path: None})


def linux_file_gone(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """What only Linux had goes, or what both have for themselves: Windows keeps all that it had."""
    del chance
    yield from _files_gone(folder, windows=False, linux=True)


def shared_file_gone(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Both platforms lose, or win, the same."""
    del chance
    yield from _files_gone(folder, windows=True, linux=True)


def suffix_as_constraint(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """stats_windows.go becomes stats_win.go with a constraint, stats_linux.go becomes stats_unix.go."""
    del chance
    for file in folder.own_files:
        where, base, tail = _name_parts(file.path)
        tags = suffix_tags(file.path.rpartition("/")[2])
        if len(tags) != 1 or tags[0] not in {"windows", "linux"} or "." in base or constraint(file.source.content):
            continue
        new = f"{where}{base}_{'win' if tags[0] == 'windows' else 'unix'}{tail.replace('_' + tags[0], '')}"
        rule = "windows" if tags[0] == "windows" else "linux"
        if folder.free(new) and b"// +build" not in file.source.content:
            yield quiet(new, {file.path: None, new: with_constraint(file.source.content, rule)})


def linux_widened(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A file of Linux alone now builds on other Unix systems too."""
    for file in folder.own_files:
        if constraint(file.source.content) == "linux" and not suffix_tags(file.path.rpartition("/")[2]):
            new = chance.choice(["!windows", "unix", "linux || freebsd"])
            yield quiet(file.path, {file.path: with_constraint(file.source.content, new)})


def type_renamed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A type has another name, on all platforms."""
    safe = len(folder.own_files) == len(folder.package.files)
    kinds = {d.name for f in folder.own_files for d in f.facts.declarations if d.kind == "type"}
    for name in sorted(kinds) if safe else ():
        new = chance.choice([f"{name}Impl", f"the{name[0].upper()}{name[1:]}" if name[0].islower() else f"A{name}"])
        fields = any(text(n) == name for f in folder.own_files for n in _identifiers(f))
        if folder.has(new) or fields:
            continue
        changes: Changes = {}
        for file in folder.own_files:
            nodes = [n for n in walk(parse(file.source.content).root_node) if n.type == "type_identifier"]
            edits = [
                (n.start_byte, n.end_byte, new.encode())
                for n in nodes
                if text(n) == name and (n.parent is None or n.parent.type != "qualified_type")
            ]
            if edits:
                changes[file.path] = splice(file.source.content, edits)
        yield quiet(next(iter(changes)), changes)


def exported_renamed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """An exported function that each platform has for itself gets another name on both."""
    for mine, twin in folder.twins:
        if mine.receiver or not mine.exported or f"New{mine.bare}" in folder.package.target:
            continue
        new = chance.choice([f"{mine.bare}Of", f"Do{mine.bare}"])
        nodes = {f.path: [n for n in _identifiers(f) if text(n) == mine.bare] for f in folder.own_files}
        plain = all(n.type == "identifier" for some in nodes.values() for n in some)
        if folder.has(new) or not plain or len(folder.own_files) < len(folder.files) or mine.path == twin.path:
            continue
        changes: Changes = {
            path: splice(folder.files[path].content, [(n.start_byte, n.end_byte, new.encode()) for n in some])
            for path, some in nodes.items()
            if some
        }
        yield quiet(mine.path, changes)


NOISE = (
    file_renamed,
    file_split,
    function_moved,
    helper_renamed,
    method_renamed,
    function_added,
    linux_helper_added,
    constraint_respelled,
    constraint_reworded,
    constraint_repeats_name,
    fallback_narrowed,
    package_moved,
    linux_file_gone,
    shared_file_gone,
    suffix_as_constraint,
    linux_widened,
    type_renamed,
    exported_renamed,
)
