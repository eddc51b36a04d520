"""Adds imports and declarations to Go source as gofmt would have them, and says the difference as a patch."""

import re
from collections.abc import Iterable, Sequence
from difflib import unified_diff

from tree_sitter import Node

from analyzer import grammar
from analyzer.syntax import Import, specs

# Git and Go know one line end.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def new_file(clause: str, constraint: str, imports: Iterable[Import], declarations: Sequence[str]) -> str:
    """The text of a file.

    Args:
        clause: the name in its package clause.
        constraint: what stands behind ``//go:build``; "" for none.
        imports: what it imports.
        declarations: the texts of its declarations.
    """
    parts = [f"//go:build {constraint}"] * bool(constraint) + [f"package {clause}"]
    if wanted := sorted(set(imports), key=_order):
        parts.append(_declaration(wanted))
    return "\n\n".join([*parts, *declarations]) + "\n"


def added(source: str, imports: Iterable[Import], declarations: Sequence[str]) -> str:
    """The text of a file with more imports, and more declarations at its end.

    Args:
        source: the file, which has to be Go.
        imports: what it is to import, whether it does so already or not.
        declarations: the texts.
    """
    root = grammar.parse(source.encode()).root_node
    there = [node for node in root.named_children if node.type == "import_declaration"]
    known = {spec for node in there for spec in specs(node)}
    wanted = sorted(set(imports) - known, key=_order)
    body = _with_imports(source, root, there, wanted) if wanted else source
    return "\n\n".join([body.rstrip("\n"), *declarations]) + "\n"


def patch(path: str, before: str | None, after: str) -> str:
    """A unified diff, as ``git apply`` takes it.

    Args:
        path: of the file, in the repository.
        before: its text; None for a file that is new.
        after: its text then.
    """
    old = _LINE.findall(before) if before is not None else []
    name = f"a/{path}" if before is not None else "/dev/null"
    lines = unified_diff(old, _LINE.findall(after), name, f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def is_standard(path: str) -> bool:
    """Whether an import path is one of Go's own."""
    return "." not in path.partition("/")[0]


def _order(wanted: Import) -> tuple[bool, str]:
    return not is_standard(wanted.path), wanted.path


def _spelt(wanted: Import) -> str:
    return f'{wanted.name} "{wanted.path}"' if wanted.name else f'"{wanted.path}"'


def _declaration(imports: Sequence[Import]) -> str:
    """An import declaration: Go's own packages first, the others apart."""
    if len(imports) == 1:
        return f"import {_spelt(imports[0])}"
    own, others = ([i for i in imports if is_standard(i.path) is kind] for kind in (True, False))
    blocks = ["\n".join(f"\t{_spelt(i)}" for i in group) for group in (own, others) if group]
    return "import (\n" + "\n\n".join(blocks) + "\n)"


def _with_imports(source: str, root: Node, there: Sequence[Node], wanted: Sequence[Import]) -> str:
    """The source with imports that it lacks."""
    encoded = source.encode()
    group = next((n for n in there if n.named_children and n.named_children[0].type == "import_spec_list"), None)
    if group is not None and group.start_point.row != group.end_point.row:
        lines = encoded[group.start_byte : group.end_byte].decode().split("\n")
        for one in wanted:
            lines = _into_group(lines, one)
        return _replaced(encoded, group, "\n".join(lines))
    single = next((n for n in there if n.named_children[0].type == "import_spec" and specs(n)[0].path != "C"), None)
    if single is not None:
        return _replaced(encoded, single, _declaration(sorted({*specs(single), *wanted}, key=_order)))
    after = there[-1] if there else next(n for n in root.named_children if n.type == "package_clause")
    end = encoded.find(b"\n", after.end_byte)
    end = len(encoded) if end < 0 else end
    return f"{encoded[:end].decode()}\n\n{_declaration(wanted)}\n\n{encoded[end:].decode().lstrip(chr(10))}"


def _replaced(encoded: bytes, node: Node, new: str) -> str:
    return encoded[: node.start_byte].decode() + new + encoded[node.end_byte :].decode()


def _into_group(lines: list[str], wanted: Import) -> list[str]:
    """The lines of an import declaration with one more: in the block of its kind, where the order of paths puts it."""
    blocks: list[list[int]] = [[]]
    for number, line in enumerate(lines[1:-1], 1):
        if not line.strip():
            blocks.append([])
        elif '"' in line:
            blocks[-1].append(number)
    kind = is_standard(wanted.path)
    fitting = [b for b in blocks if any(is_standard(_path(lines[n])) is kind for n in b)]
    mine = f"\t{_spelt(wanted)}"
    if not fitting:
        return [lines[0], mine, "", *lines[1:]] if kind else [*lines[:-1], "", mine, lines[-1]]
    block = max(fitting, key=lambda b: max(_common(_path(lines[n]), wanted.path) for n in b))
    at = next((n for n in block if _path(lines[n]) > wanted.path), block[-1] + 1)
    return [*lines[:at], mine, *lines[at:]]


def _path(line: str) -> str:
    return line.split('"')[1]


def _common(one: str, other: str) -> int:
    """How many parts of two paths are the same, from the beginning."""
    pairs = list(zip(one.split("/"), other.split("/"), strict=False))
    return next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))
