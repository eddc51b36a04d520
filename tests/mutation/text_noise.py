"""Edits of text alone: names of locals, order, comments, white space."""

import random
import re
from collections.abc import Iterator
from itertools import pairwise

from tree_sitter import Node

from analyzer.syntax import parse, text
from tests.mutation.code import Folder, Function
from tests.mutation.edit import Edit, quiet
from tests.mutation.source import chunks, splice, walk

_DIRECTIVE = re.compile(rb"^//(?:go:|nolint|export|line|lint:| \+build|#|sys)|[Oo]utput:|Code generated")


def _functions(folder: Folder) -> Iterator[Function]:
    yield from (f for f in folder.functions if f.statements)


def _rename(function: Function, old: str, new: str) -> bytes | None:
    """The function's file with one of its local names changed; None where the name means something else too."""
    taken = {text(n) for n in walk(function.node) if n.type.endswith("identifier")}
    keys = {text(i) for n in walk(function.node) if n.type == "keyed_element" for i in walk(n.named_children[0])}
    if new in taken or old in keys:
        return None
    found = [n for n in walk(function.node) if n.type == "identifier" and text(n) == old]
    return splice(function.content, [(n.start_byte, n.end_byte, new.encode()) for n in found])


def local_renamed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    level = {d.name for f in folder.package.files.values() for d in f.facts.declarations}
    for function in _functions(folder):
        left = [n.child_by_field_name("left") for n in walk(function.body) if n.type == "short_var_declaration"]
        names = sorted({text(n) for part in left if part for n in part.named_children} - {"_", "err"} - level)
        names = [n for n in names if n not in function.parameters and n not in function.imports]
        if names:
            old = chance.choice(names)
            content = _rename(function, old, chance.choice([old + "2", "the" + old.capitalize(), old[0] + "x", "it"]))
            if content is not None:
                yield quiet(function.path, {function.path: content})


def parameter_renamed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    level = {d.name for f in folder.package.files.values() for d in f.facts.declarations}
    for function in _functions(folder):
        names = [n for n in sorted(function.parameters) if n != "_" and n not in level and n not in function.imports]
        names = [n for n in names if n not in {"t", "c", "b"} or not function.file.is_test]
        if names:
            old = chance.choice(names)
            content = _rename(function, old, chance.choice([old + "Value", old[0] + "0", "given"]))
            if content is not None:
                yield quiet(function.path, {function.path: content})


def _shuffled(content: bytes, parts: list[tuple[int, int]], order: list[tuple[int, int]]) -> bytes:
    pieces, at = [], 0
    for (start, end), (new_start, new_end) in zip(parts, order, strict=True):
        pieces += [content[at:start], content[new_start:new_end]]
        at = end
    return b"".join([*pieces, content[at:]])


def functions_reordered(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for file in folder.own_files:
        parts = [(start, end) for start, end, _ in chunks(file.source.content)]
        order = parts[:]
        chance.shuffle(order)
        if order != parts:
            yield quiet(file.path, {file.path: _shuffled(file.source.content, parts, order)})


def function_moved_within(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for file in folder.own_files:
        parts = [(start, end) for start, end, _ in chunks(file.source.content)]
        if len(parts) > 1:
            at = chance.randrange(len(parts))
            order = [*parts[:at], *parts[at + 1 :], parts[at]]
            if order != parts:
                yield quiet(file.path, {file.path: _shuffled(file.source.content, parts, order)})


def imports_reordered(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for file in folder.own_files:
        content = file.source.content
        specs = [n for n in walk(parse(content).root_node) if n.type == "import_spec"]
        spans = [(n.start_byte, n.end_byte) for n in specs]
        order = spans[:]
        chance.shuffle(order)
        if order != spans:
            yield quiet(file.path, {file.path: _shuffled(content, spans, order)})


def imports_split(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """One group of imports becomes a line each."""
    del chance
    for file in folder.own_files:
        content = file.source.content
        root = parse(content).root_node
        groups = [n for n in root.named_children if n.type == "import_declaration" and b"(" in (n.text or b"")]
        if len(groups) == 1:
            lines = b"\n".join(b"import " + (n.text or b"") for n in walk(groups[0]) if n.type == "import_spec")
            yield quiet(file.path, {file.path: splice(content, [(groups[0].start_byte, groups[0].end_byte, lines)])})


def _comments(content: bytes) -> list[Node]:
    return [n for n in walk(parse(content).root_node) if n.type == "comment" and not _DIRECTIVE.search(n.text or b"")]


def comments_removed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    del chance
    for file in folder.own_files:
        content = file.source.content
        edits = []
        for node in _comments(content):
            start = content.rfind(b"\n", 0, node.start_byte) + 1
            alone = not content[start : node.start_byte].strip()
            end = content.find(b"\n", node.end_byte) + 1
            edits.append((start, end, b"") if alone and end else (node.start_byte, node.end_byte, b""))
        # Two comments on one line would overlap.
        if edits and all(a[1] <= b[0] for a, b in pairwise(edits)):
            yield quiet(file.path, {file.path: splice(content, edits)})


def comments_edited(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for file in folder.own_files:
        found = [n for n in _comments(file.source.content) if (n.text or b"").startswith(b"//")]
        if found:
            words = chance.choice([b"// TODO(somebody): not supported on Windows yet", b"// See the design.", b"//"])
            some = chance.sample(found, min(3, len(found)))
            content = splice(file.source.content, [(n.start_byte, n.end_byte, words) for n in some])
            yield quiet(file.path, {file.path: content})


def comments_added(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """In bodies, stubs included, and above functions."""
    for file in folder.own_files:
        some = [f for f in folder.functions if f.path == file.path]
        if not some:
            continue
        function = chance.choice(some)
        comment = chance.choice(
            ["// Windows: nothing to do here.", '// if runtime.GOOS == "windows" { return nil }', "/* FIXME */"]
        )
        inside = function.body.start_byte + 1
        at = chance.choice([(function.node.start_byte, f"{comment}\n"), (inside, f"\n\t{comment}\n")])
        yield quiet(file.path, {file.path: splice(file.source.content, [(at[0], at[0], at[1].encode())])})


def spaces(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Spaces for tabs, blank lines, and spaces at line ends, outside of raw strings and comments."""
    for file in folder.own_files:
        content = file.source.content
        kept = [(n.start_byte, n.end_byte) for n in walk(parse(content).root_node) if n.type in _KEPT_AS_IS]
        way = chance.choice([(rb"(?m)^\t+", rb"    "), (rb"\n\n+", rb"\n\n\n"), (rb"(?m)(?<=[,{])$", rb"  ")])
        edits = [
            (m.start(), m.end(), m.expand(way[1]))
            for m in re.finditer(way[0], content)
            if not any(start < m.end() and m.start() < end for start, end in kept)
        ]
        if edits:
            yield quiet(file.path, {file.path: splice(content, edits)})


_KEPT_AS_IS = {"raw_string_literal", "comment"}


def calls_wrapped(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """The arguments of calls on lines of their own."""
    for function in _functions(folder):
        edits: list[tuple[int, int, bytes]] = []
        for node in walk(function.body):
            given = node.named_children
            if node.type != "argument_list" or len(given) < 2 or node.start_point.row != node.end_point.row:
                continue
            if any(e[0] < node.end_byte and node.start_byte < e[1] for e in edits) or chance.random() < 0.3:
                continue
            whole = function.content[node.start_byte + 1 : node.end_byte - 1]
            cuts = [(a.end_byte, b.start_byte) for a, b in pairwise(given)]
            base = node.start_byte + 1
            inner = splice(whole, [(a - base, b - base, b",\n\t\t") for a, b in cuts])
            edits.append((node.start_byte, node.end_byte, b"(\n\t\t" + inner.rstrip(b", ") + b",\n\t)"))
        if edits:
            yield quiet(function.path, {function.path: splice(function.content, edits)})


def parameters_wrapped(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    del chance
    for function in _functions(folder):
        listed = function.node.child_by_field_name("parameters")
        parts = listed.named_children if listed else []
        if listed is None or len(parts) < 2 or listed.start_point.row != listed.end_point.row:
            continue
        inner = b"".join(b"\t" + (n.text or b"") + b",\n" for n in parts)
        content = splice(function.content, [(listed.start_byte, listed.end_byte, b"(\n" + inner + b")")])
        yield quiet(function.path, {function.path: content})


def crlf(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    del chance
    for file in folder.own_files:
        if b"\r" not in file.source.content:
            yield quiet(file.path, {file.path: file.source.content.replace(b"\n", b"\r\n")})


NOISE = (
    local_renamed,
    parameter_renamed,
    functions_reordered,
    function_moved_within,
    imports_reordered,
    imports_split,
    comments_removed,
    comments_edited,
    comments_added,
    spaces,
    calls_wrapped,
    parameters_wrapped,
    crlf,
)
