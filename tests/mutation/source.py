"""Edits of the text of one Go file: imports, comments, constraints."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from tree_sitter import Node

from analyzer.symbols import GoFile
from analyzer.syntax import Facts, parse, text

_CONSTRAINT = re.compile(rb"^//go:build (.*?)\r?$", re.MULTILINE)
_OLD_CONSTRAINT = re.compile(rb"^// \+build .*\n", re.MULTILINE)


def walk(node: Node) -> Iterator[Node]:
    """A node and all named nodes below it."""
    yield node
    for child in node.named_children:
        yield from walk(child)


def splice(content: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Replace stretches, which must not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        content = content[:start] + new + content[end:]
    return content


def insert(content: bytes, at: int, new: str) -> bytes:
    """Put lines into a block. What follows on the same line goes to the next one."""
    rest = content[at : at + 1]
    return splice(content, [(at, at, new.rstrip("\n").encode() + (b"" if rest == b"\n" else b"\n"))])


def import_names(facts: Facts) -> Iterator[tuple[str, str]]:
    """The name under which each import goes, as far as its path tells, and the path."""
    for one in facts.imports:
        last = re.sub(r"/v\d+$", "", one.path).rpartition("/")[2]
        yield one.name or re.sub(r"^go-|\.v\d+$|-go$|\.go$", "", last), one.path


def can_import(file: GoFile, *paths: str) -> bool:
    """Whether the standard packages can go by their own names in a file."""
    content = file.source.content
    known = {i.path: i.name for i in file.facts.imports}
    for path in paths:
        name = path.rpartition("/")[2]
        if path in known:
            if known[path]:
                return False
        elif re.search(rb"\b%s\b" % name.encode(), without_comments(content)):
            return False
    return True


def with_imports(content: bytes, *paths: str) -> bytes:
    """Import standard packages, where they are not yet."""
    for path in paths:
        quoted = b'"%s"' % path.encode()
        root = parse(content).root_node
        imports = [n for n in root.named_children if n.type == "import_declaration"]
        if any(text(s.child_by_field_name("path")).encode() == quoted for n in imports for s in walk(n)):
            continue
        grouped = next((c for n in imports for c in n.named_children if c.type == "import_spec_list"), None)
        if grouped is not None:
            content = splice(content, [(grouped.start_byte + 1, grouped.start_byte + 1, b"\n\t" + quoted)])
            continue
        clause = next(n for n in root.named_children if n.type == "package_clause")
        end = content.find(b"\n", clause.end_byte)
        end = len(content) if end < 0 else end
        content = splice(content, [(end, end, b"\n\nimport " + quoted)])
    return content


def without_idle_imports(content: bytes) -> bytes:
    """Drop what is imported from the standard library and not used any more, as whoever edits must."""
    root = parse(content).root_node
    edits = []
    rest = without_comments(content)
    for declaration in root.named_children:
        if declaration.type != "import_declaration":
            continue
        for spec in (n for n in walk(declaration) if n.type == "import_spec"):
            path = text(spec.child_by_field_name("path")).strip('"`')
            name = text(spec.child_by_field_name("name")) or path.rpartition("/")[2]
            if "." in path.partition("/")[0] or name in {"_", "."}:
                continue
            if not re.search(rb"\b%s\." % name.encode(), rest):
                whole = declaration if spec.parent == declaration else spec
                start = content.rfind(b"\n", 0, whole.start_byte) + 1
                end = content.find(b"\n", whole.end_byte) + 1
                if start < end and not content[whole.end_byte : end].strip():
                    edits.append((start, end, b""))
    return splice(content, edits)


@lru_cache(maxsize=4096)
def without_comments(content: bytes) -> bytes:
    found = [n for n in walk(parse(content).root_node) if n.type == "comment"]
    return splice(content, [(n.start_byte, n.end_byte, b" ") for n in found])


def chunks(content: bytes) -> list[tuple[int, int, Node]]:
    """The functions of a file, each with the comment that is attached to it."""
    found = []
    start, line, last = None, -2, -1
    for node in parse(content).root_node.named_children:
        if node.type == "comment":
            if node.start_point.row == last:
                continue  # it ends the line of what stands before
            if start is None or node.start_point.row > line + 1:
                start = node.start_byte
            line = node.end_point.row
            continue
        attached = start is not None and node.start_point.row <= line + 1
        if node.type in {"function_declaration", "method_declaration"}:
            found.append((start if attached and start is not None else node.start_byte, node.end_byte, node))
        start, line, last = None, -2, node.end_point.row
    return found


def constraint(content: bytes) -> str:
    """What stands in ``//go:build`` above the package clause; "" when nothing does."""
    found = _CONSTRAINT.search(content[: _clause(content)])
    return found[1].decode() if found else ""


def _clause(content: bytes) -> int:
    return next((n.start_byte for n in parse(content).root_node.children if n.type == "package_clause"), 0)


def with_constraint(content: bytes, expression: str, *, plus: bool = False) -> bytes:
    """Give a file another constraint, or none when it is "". ``plus``: in the old form too."""
    clause = _clause(content)
    header, rest = content[:clause], content[clause:]
    header = _OLD_CONSTRAINT.sub(b"", header)
    line = f"//go:build {expression}".encode() if expression else b""
    if plus:
        line += b"\n// +build " + _old_form(expression).encode()
    if _CONSTRAINT.search(header):
        header = _CONSTRAINT.sub(line.replace(b"\\", b"\\\\"), header, count=1)
        return header.lstrip(b"\n") + rest
    return (line + b"\n\n" if line else b"") + header + rest


def old_constraint_only(content: bytes) -> bytes:
    """``//go:build`` as the old ``// +build``."""
    expression = constraint(content)
    clause = _clause(content)
    new = _CONSTRAINT.sub(b"// +build " + _old_form(expression).encode(), content[:clause], count=1)
    return new + content[clause:]


def _old_form(expression: str) -> str:
    return expression.replace(" || ", " ").replace(" && ", ",")


def stem(path: str) -> tuple[str, str]:
    """A path without and from its test suffix: ``daemon/stats``, ``_test.go``."""
    tail = "_test.go" if path.endswith("_test.go") else ".go"
    return path.removesuffix(tail), tail


def header(file: GoFile) -> bytes:
    """The package clause and the imports of a file, without its constraint."""
    content = with_constraint(file.source.content, "")
    nodes = parse(content).root_node.named_children
    start = next(n.start_byte for n in nodes if n.type == "package_clause")
    ends = [n.end_byte for n in nodes if n.type in {"package_clause", "import_declaration"}]
    return content[start : max(ends)] + b"\n\n"
