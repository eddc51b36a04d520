"""What a repository uses of other modules on the target, and which of them a change of go.mod moves."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from analyzer.model import Moved, Place
from analyzer.refusing import import_of
from analyzer.symbols import GoFile
from analyzer.uses import parsed, selected

_REQUIRED = re.compile(r"^(?:\s*|require\s+)(?=[\w~/-]+\.)([\w.~/-]++)\s+(v[\w.+-]+)\s*(?://(?!\s*indirect).*)?$")
_PATH = re.compile(r"^[\w-]+(?:\.[\w-]+)+/[\w./~-]+$")
_REPLACED = re.compile(r"^(?:\s*|replace\s+)([\w.~/-]+)(?:\s+v\S+)?\s+=>\s+(\S+(?:\s+v\S+)?)")


def moved(base: str, head: str) -> tuple[Moved, ...]:
    """The modules of which another version is asked for. What only another module asks for is left out.

    Args:
        base: the text of a go.mod; "" where there is none.
        head: likewise.
    """
    before, after = _required(base), _required(head)
    return tuple(
        Moved(path, before[path][0], version, line)
        for path, (version, line) in sorted(after.items())
        if path in before and before[path][0] != version
    )


def _required(go_mod: str) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(go_mod.split("\n"), 1):
        if match := _REQUIRED.match(line):
            found.setdefault(match[1], (match[2], number))
    for number, line in enumerate(go_mod.split("\n"), 1):
        if (match := _REPLACED.match(line)) and match[1] in found:
            found[match[1]] = " ".join(match[2].split()), number
    return found


@dataclass(frozen=True, slots=True)
class DependencyUse:
    """A name of another module that a declaration uses.

    Attributes:
        name: as the file says it, such as ``hcsshim.CreateLayer``.
        by: the declaration that uses it: ``Func`` or ``Recv.Method``; "" outside of all.
        place: where.
        called: whether it is called there.
    """

    name: str
    by: str
    place: Place
    called: bool = field(default=False, compare=False)


def uses(files: Iterable[GoFile], module: str) -> Iterator[DependencyUse]:
    """What files use of a module, in the order of the files.

    Args:
        files: those that are asked about.
        module: an import path; what lies below it belongs to it.
    """
    for file in files:
        for path, alias in file.facts.imports:
            if not within(path, module) or alias in {"_", "."}:
                continue
            name = alias or called(file, path)
            names = selected(file.source.content, name) if name else frozenset[str]()
            if not names or not (found := parsed(file)).clear:
                continue
            for said in sorted(names):
                for node in found.qualified(name, said):
                    line = node.start_point.row + 1
                    yield DependencyUse(f"{name}.{said}", _around(file, line), Place(file.path, line), is_called(node))


def is_import_path(words: str) -> bool:
    """Whether words can only be the path of a module of somebody else's: a host and more."""
    return bool(_PATH.match(words))


def within(path: str, module: str) -> bool:
    """Whether an import path is of a module."""
    return path == module or path.startswith(f"{module}/")


def called(file: GoFile, path: str) -> str:
    """How a file calls an import that it gives no name; "" when the path does not tell."""
    parts = [re.sub(r"\.v\d+$", "", part) for part in path.split("/")[-2:]]
    names = [name for part in reversed(parts) for name in (part, part.removeprefix("go-"), part.replace("-", ""))]
    for name in names:
        found = import_of(file, name)
        if found is not None and found.path == path and selected(file.source.content, name):
            return name
    return ""


def is_called(name: Node) -> bool:
    """Whether what stands before a name, and the name, are called."""
    selector = name.parent
    call = selector.parent if selector is not None else None
    return call is not None and call.type == "call_expression" and call.child_by_field_name("function") == selector


def _around(file: GoFile, line: int) -> str:
    """The declaration that a line is in."""
    inside = (d.name for d in file.facts.declarations if d.is_function and d.line <= line <= d.end_line)
    return next(inside, "")
