"""What one Go file declares, read from its syntax tree. Facts depend on the bytes alone, so they are cached by blob."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct
from tree_sitter import Node, Tree

from analyzer import grammar
from analyzer.constraint import HeaderConstraint, header_constraint
from analyzer.grammar import SPECS
from analyzer.model import SymbolKind
from analyzer.outline import Depth, Outline, header, outline

# Trees of this many declarations are kept: each platform, each rule and each side of a comparison looks at the same ones.
KEPT_TREES = 1024
MAX_KEPT_BYTES = 16 * 1024

_TEST_LIBRARIES = {
    "testing",
    "gotest.tools/v3/assert",
    "gotest.tools/v3/skip",
    "gotest.tools/assert",
    "gotest.tools/skip",
}
_NO_STATEMENTS = {"comment", "empty_statement"}


class Declaration(Struct, frozen=True, gc=False):
    """A declaration at package level.

    Attributes:
        name: ``Func``, ``Recv.Method``, or the name of a type, constant or variable.
        kind: Go's word for it.
        line: the first line, counted from 1.
        end_line: the last line.
        start: the offset of its first byte.
        end: the offset behind its last byte.
        signature: parameter and result types in one spelling; "" for what is no function.
        has_body: False for a function that is implemented elsewhere (assembly, linkname).
    """

    name: str
    kind: SymbolKind
    line: int
    end_line: int
    start: int
    end: int
    signature: str = ""
    has_body: bool = True

    @property
    def is_function(self) -> bool:
        """Whether it is a function or a method."""
        return self.kind in {"func", "method"}

    @property
    def exported(self) -> bool:
        """Whether other packages can name it; a method needs an exported receiver too."""
        return all(part[:1].isupper() for part in self.name.split("."))


class Import(NamedTuple):
    """One import: its path, and the name that the file gives it ("" for the package's own, "_" and "." as they are)."""

    path: str
    name: str


class Facts(Struct, frozen=True):
    """What a file says of itself.

    Attributes:
        package: the name in the package clause; "" when there is none.
        constraint: the build constraint that counts, if any.
        imports: in the order of the file.
        declarations: in the order of the file; ``init`` and ``_`` are left out, Go does not declare them.
        inits: the ``init`` functions, which run merely because the file is built.
        broken_line: the first line that is not Go; None when all that was read of it parses.
        depth: how much of it was read.
    """

    package: str
    constraint: HeaderConstraint | None
    imports: tuple[Import, ...]
    declarations: tuple[Declaration, ...]
    inits: tuple[Declaration, ...]
    broken_line: int | None
    depth: Depth = Depth.WHOLE

    @property
    def helps_tests(self) -> bool:
        """Whether it is code for tests, by what it imports."""
        return not _TEST_LIBRARIES.isdisjoint(i.path for i in self.imports)

    @property
    def registers(self) -> bool:
        """Whether merely being built does something: an ``init``, or an import for its effects alone."""
        return bool(self.inits) or any(i.name == "_" for i in self.imports)


UNREAD = Facts("", None, (), (), (), 1)
"""Of a file that was not read at all."""


def text(node: Node | None) -> str:
    """The source text of a node; "" for None."""
    return (node.text or b"").decode(errors="replace") if node else ""


def parse(source: bytes) -> Tree:
    """The tree of a declaration with a package clause before it."""
    return _kept(source) if len(source) <= MAX_KEPT_BYTES else grammar.parse(source)


_kept = lru_cache(maxsize=KEPT_TREES)(grammar.parse)


def function_node(source: bytes) -> Node | None:
    """The tree of one declaration's text alone: its node, which begins in row 1; None when there is none."""
    root = parse(b"package p\n" + source).root_node
    return next((n for n in root.named_children if n.type.endswith("_declaration")), None)


def is_broken(node: Node) -> bool:
    """Whether something of what `function_node` was given is not Go."""
    return node.has_error or (node.parent is not None and node.parent.has_error)


def initial_value(source: bytes, name: str) -> Node | None:
    """The expression that a constant or a variable begins with.

    Args:
        source: the text of its specification, which may declare several names.
        name: the one that is asked for.
    """
    root = parse(b"package p\nvar " + source).root_node
    spec = next((s for d in root.named_children if d.type == "var_declaration" for s in d.named_children), None)
    values = spec.child_by_field_name("value") if spec is not None else None
    if spec is None or root.has_error or values is None:
        return None
    names = [text(n) for n in spec.children_by_field_name("name")]
    if len(names) != len(values.named_children) or name not in names:
        return None
    return values.named_children[names.index(name)]


def statements(block: Node | None) -> Iterator[Node]:
    """The statements of a block or of a case, whichever way the grammar nests them."""
    for child in block.named_children if block else ():
        if child.type == "statement_list":
            yield from (c for c in child.named_children if c.type not in _NO_STATEMENTS)
        elif child.type.endswith("_statement") or child.type in {"block", "short_var_declaration"}:
            yield child


def body_statements(source: bytes) -> list[Node]:
    """The statements of a function, of whose declaration this is the text; none where it has no body."""
    function = function_node(source)
    return list(statements(function.child_by_field_name("body"))) if function is not None else []


def read(source: bytes, depth: Depth = Depth.WHOLE) -> Facts:
    """The facts of one file.

    Args:
        source: the file as it stands in git, with or without a byte order mark.
        depth: how much of it is asked for.

    Returns:
        Everything that could be read; ``broken_line`` says whether that is all.
    """
    if depth is Depth.HEADER:
        found = _facts(source, Outline(header(source)), depth)
        return found if found.broken_line is None else read(source, Depth.OUTLINE)
    if depth is Depth.OUTLINE:
        found = _facts(source, outline(source), depth)
        return found if found.broken_line is None else read(source)
    return _facts(source, Outline(source), depth)


def _facts(source: bytes, part: Outline, depth: Depth) -> Facts:
    """What a part of a source says. Where only the part is no Go, the whole has to be read."""
    root = grammar.parse(part.text).root_node
    package, imports = "", list[Import]()
    declarations = list[Declaration]()
    for node in root.named_children:
        if node.type == "package_clause":
            package = package or text(next(iter(node.named_children), None))
        elif node.type == "import_declaration":
            imports += specs(node)
        else:
            declarations += _declared(node, part)
    inits = tuple(d for d in declarations if d.name == "init" and d.kind == "func")
    kept = tuple(d for d in declarations if d.name not in {"init", "_", ""} and not d.name.endswith(("._", ".")))
    return Facts(package, header_constraint(source), tuple(imports), kept, inits, grammar.broken_line(root), depth)


def specs(declaration: Node) -> list[Import]:
    """What an import declaration brings, one or a group."""
    found = [c for c in declaration.named_children if c.type == "import_spec"]
    found += [s for c in declaration.named_children if c.type == "import_spec_list" for s in c.named_children]
    return [
        Import(text(spec.child_by_field_name("path")).strip('"`'), text(spec.child_by_field_name("name")))
        for spec in found
        if spec.type == "import_spec"
    ]


def _declared(node: Node, part: Outline) -> list[Declaration]:
    """The declarations of one top-level node: none for a comment, several for a group."""
    match node.type:
        case "function_declaration":
            return [_function(node, text(node.child_by_field_name("name")), "func", part)]
        case "method_declaration":
            receiver = receiver_type(node)
            name = f"{receiver}.{text(node.child_by_field_name('name'))}"
            return [_function(node, name, "method", part)] if receiver else []
        case "type_declaration":
            return [_plain(spec, text(spec.child_by_field_name("name")), "type", part) for spec in _specs(node)]
        case "const_declaration":
            return _named_values(node, "const", part)
        case "var_declaration":
            return _named_values(node, "var", part)
        case _:
            return []


def _specs(node: Node) -> list[Node]:
    """The specs of a declaration or a group; the grammar wraps the last one of a group on one line in an error."""
    found = []
    work = [node]
    while work:
        inner = work.pop()
        if inner.type in SPECS:
            found.append(inner)
        elif inner is node or inner.type == "var_spec_list" or inner.is_error:
            work += reversed(inner.named_children)
    return found


def _named_values(node: Node, kind: SymbolKind, part: Outline) -> list[Declaration]:
    return [
        _plain(spec, text(name), kind, part)
        for spec in _specs(node)
        for name in spec.children_by_field_name("name")
        if name.type == "identifier" and text(name) != "_"
    ]


def _plain(node: Node, name: str, kind: SymbolKind, part: Outline) -> Declaration:
    start, end = part.offset(node.start_byte), part.offset(node.end_byte)
    return Declaration(name, kind, node.start_point.row + 1, node.end_point.row + 1, start, end)


def _function(node: Node, name: str, kind: SymbolKind, part: Outline) -> Declaration:
    return Declaration(
        name,
        kind,
        node.start_point.row + 1,
        node.end_point.row + 1,
        part.offset(node.start_byte),
        part.offset(node.end_byte),
        signature(node),
        node.child_by_field_name("body") is not None,
    )


def signature(node: Node) -> str:
    """Parameter and result types of a function, or of a method in an interface, in one spelling."""
    parameters = _types(node.child_by_field_name("parameters"))
    result = node.child_by_field_name("result")
    results = _types(result) if result is not None and result.type == "parameter_list" else _one_line(text(result))
    return f"({parameters}) ({results})" if results else f"({parameters})"


def receiver_type(method: Node) -> str:
    """The name of a method's receiver type, without pointer stars and type parameters (contract: ``Recv.Method``).

    Empty for a receiver that Go's type checker refuses: none, or a type of another package.
    """
    receiver = method.child_by_field_name("receiver")
    parameters = [p for p in receiver.named_children if p.type == "parameter_declaration"] if receiver else []
    kind = parameters[0].child_by_field_name("type") if parameters else None
    while kind is not None:
        if kind.type == "type_identifier":
            return text(kind)
        if kind.type == "generic_type":
            kind = kind.child_by_field_name("type")
        elif kind.type in {"pointer_type", "parenthesized_type"}:
            kind = next((child for child in kind.named_children if child.type != "comment"), None)
        else:
            return ""
    return ""


def _types(parameters: Node | None) -> str:
    """The types of a parameter list, one for each name: names may differ between platforms, types may not."""
    types: list[str] = []
    for parameter in parameters.named_children if parameters else ():
        if parameter.type not in {"parameter_declaration", "variadic_parameter_declaration"}:
            continue
        kind = _one_line(text(parameter.child_by_field_name("type")))
        if parameter.type == "variadic_parameter_declaration":
            kind = "..." + kind
        types += [kind] * max(1, len(parameter.children_by_field_name("name")))
    return ", ".join(types)


def _one_line(source: str) -> str:
    return " ".join(source.split())
