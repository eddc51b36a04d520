"""Comments in Go source that accept findings: ``//winparity:ignore rule reason``, and what each of them stands at."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from analyzer import syntax
from analyzer.symbols import GoFile, Package
from analyzer.syntax import Declaration, text

MARKER = "//winparity:ignore"
"""How a directive begins. Go's own directives have no space after the slashes either, so gofmt leaves it alone."""

_DIRECTIVE = re.compile(
    r"^//winparity:ignore(?:[ \t]+(?P<rules>[a-z0-9-]+(?:[ \t]*,[ \t]*[a-z0-9-]+)*))?(?:[ \t]+(?P<reason>\S.*))?[ \t]*$"
)


@dataclass(frozen=True, slots=True)
class Directive:
    """One comment.

    Attributes:
        path: the file.
        line: its line.
        subject: the name of the declaration that it stands at; "" for the whole file; None for neither.
        rules: the rules that it names.
        reason: "" when it gives none.
    """

    path: str
    line: int
    subject: str | None
    rules: tuple[str, ...]
    reason: str

    @property
    def key(self) -> tuple[str, str | None, tuple[str, ...], str]:
        """What makes it the same comment after its line moved."""
        return self.path.rpartition("/")[2], self.subject, self.rules, self.reason


def directives(package: Package) -> tuple[Directive, ...]:
    """All directives in a package's files, tests included."""
    return tuple(
        found for file in package.files.values() if MARKER.encode() in file.source.content for found in _in_file(file)
    )


def _in_file(file: GoFile) -> Iterator[Directive]:
    root = syntax.parse(file.source.content).root_node
    clause = next((n.start_point.row for n in root.named_children if n.type == "package_clause"), None)
    comments = {node.start_point.row + 1: node for node in _comments(root)}
    subjects = _subjects(file, comments)
    for line, node in sorted(comments.items()):
        match = _DIRECTIVE.match(text(node).rstrip("\r"))
        if match is None:
            continue
        rules = tuple(re.split(r"[ \t]*,[ \t]*", match["rules"])) if match["rules"] else ()
        in_header = clause is not None and line <= clause
        yield Directive(
            file.path, line, "" if in_header else subjects.get(line), rules, (match["reason"] or "").strip()
        )


def _comments(root: Node) -> Iterator[Node]:
    """The comments of a file that may be directives. Depth costs no stack."""
    work = [root]
    while work:
        node = work.pop()
        if node.type == "comment":
            if text(node).startswith(MARKER):
                yield node
        else:
            work += reversed(node.children)


def _subjects(file: GoFile, comments: Mapping[int, Node]) -> dict[int, str]:
    """By line: the declaration that a comment there belongs to, on its first line or in the comment right above it."""
    lines = file.source.content.split(b"\n")
    found: dict[int, str] = {}
    for declaration in (*file.facts.declarations, *file.facts.inits):
        for line in _lines_of(declaration, lines):
            if line in comments:
                found.setdefault(line, declaration.name)
    return found


def _lines_of(declaration: Declaration, lines: list[bytes]) -> Iterator[int]:
    yield declaration.line
    line = declaration.line - 1
    while line >= 1 and lines[line - 1].lstrip().startswith(b"//"):
        yield line
        line -= 1
