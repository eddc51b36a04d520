"""Writes a stub: a declaration of the reference as the target can have it, with nothing in it but a refusal."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tree_sitter import Node

from analyzer import syntax
from analyzer.imports import UNIX_CALLS, UNIX_ONLY
from analyzer.insertion import is_standard
from analyzer.refusing import Refusal, import_of
from analyzer.spaces import UNIVERSE, obscure
from analyzer.symbols import GoFile, Package, Symbol
from analyzer.syntax import Import, text
from analyzer.uses import selected

MAX_SYMBOLS = 12
"""Declarations of one patch: whoever lacks more lacks a design."""

_NUMBERS = frozenset(
    "int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 uintptr byte rune float32 float64 complex64 "
    "complex128".split()
)
_NIL = frozenset({"pointer_type", "slice_type", "map_type", "channel_type", "function_type", "interface_type"})
# Of Go's own packages, what people return most.
_KNOWN = {
    "time.Duration": "0",
    "time.Time": "time.Time{}",
    "os.FileMode": "0",
    "fs.FileMode": "0",
    "os.FileInfo": "nil",
    "fs.FileInfo": "nil",
    "fs.FS": "nil",
    "io.Reader": "nil",
    "io.Writer": "nil",
    "io.ReadCloser": "nil",
    "io.WriteCloser": "nil",
    "io.ReadWriteCloser": "nil",
    "net.Conn": "nil",
    "net.Listener": "nil",
    "net.Addr": "nil",
    "net.IP": "nil",
    "os.Signal": "nil",
    "context.Context": "nil",
    "http.Handler": "nil",
}
# What Go's syscall has everywhere.
_CALLS_EVERYWHERE = frozenset({"Errno", "Signal", "SysProcAttr", "WaitStatus", "Timespec", "Timeval"})
_PARAMETERS = frozenset({"parameter_declaration", "variadic_parameter_declaration"})


class CannotError(Exception):
    """A declaration that the target cannot have; the text says why, in words for a person."""


@dataclass
class Plan:
    """What a patch declares, and what that needs.

    Attributes:
        package: that gets the declarations.
        held: other packages, by import path.
        users: files that the target builds, which show what can be had there.
        platform: the target, as people call it.
        refusal: the error that functions return.
        named: whether parameters keep their names; else they are all ``_``.
        imports: what the declarations need.
        texts: by name, in the order in which they are to stand.
    """

    package: Package
    held: Mapping[str, Package]
    users: tuple[GoFile, ...]
    platform: str
    refusal: Refusal
    named: bool = False
    imports: set[Import] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, symbol: Symbol) -> None:
        """Plan a declaration, and those that it needs.

        Raises:
            CannotError: it cannot be had on the target.
        """
        if symbol.name in self.texts:
            return
        if len(self.texts) >= MAX_SYMBOLS:
            raise CannotError(f"it needs more than {MAX_SYMBOLS} declarations")
        self.texts[symbol.name] = ""  # it may need itself
        owner = symbol.name.rpartition(".")[0]
        if owner:
            self._need_name(owner, symbol.file, frozenset())
        made = self._function(symbol) if symbol.declaration.is_function else self._value(symbol)
        del self.texts[symbol.name]
        self.texts[symbol.name] = made

    def _function(self, symbol: Symbol) -> str:
        node = syntax.function_node(symbol.source)
        if node is None or syntax.is_broken(node):
            raise CannotError(f"{symbol.name} could not be read")
        generic = node.child_by_field_name("type_parameters")
        free = frozenset(_type_parameters(node))
        parameters, result = node.child_by_field_name("parameters"), node.child_by_field_name("result")
        for part in (generic, parameters, result):
            self._need(part, symbol.file, free)
        results = _types(result)
        values, before, refuses = self._values(results, symbol, free)
        if refuses:
            self.imports |= {*self.refusal.imports}
        taken = {i.name or i.path.rpartition("/")[2] for i in self.refusal.imports} | {"nil"}
        receiver = f"{text(node.child_by_field_name('receiver'))} " if node.child_by_field_name("receiver") else ""
        shown = f"({', '.join(_shown(p, keep=self.named, taken=taken) for p in _parameters(parameters))})"
        gives = ", ".join(text(kind) for kind in results)
        gives = f" ({gives})" if len(results) > 1 else f" {gives}" if results else ""
        name = symbol.name.rpartition(".")[2]
        what = "does nothing" if not results else "is not supported"
        body = "".join(f"\t{line}\n" for line in [*before, *([f"return {', '.join(values)}"] if values else [])])
        opened = f"{{\n{body}}}" if body else "{}"
        head = f"func {receiver}{name}{text(generic)}{shown}{gives}"
        return f"// {name} {what} on {self.platform}.\n{head} {opened}"

    def _values(self, results: list[Node], symbol: Symbol, free: frozenset[str]) -> tuple[list[str], list[str], bool]:
        """What is returned, what has to be declared for it, and whether that is an error."""
        values, before = list[str](), list[str]()
        errors = [n for n, kind in enumerate(results) if text(kind) == "error"]
        for number, kind in enumerate(results):
            if errors and number == errors[-1]:
                values.append(self.refusal.expression)
                continue
            zero = self._zero(kind, symbol.file, free)
            if zero is None:
                zero = "zero" if not before else f"zero{len(before) + 1}"
                before.append(f"var {zero} {text(kind)}")
            values.append(zero)
        return values, before, bool(errors)

    def _zero(self, kind: Node, file: GoFile, free: frozenset[str], named: str = "") -> str | None:
        """The zero value of a type; None when only a variable shows it."""
        spelt = named or text(kind)
        if kind.type in _NIL:
            return "nil"
        if kind.type in {"array_type", "struct_type"}:
            return f"{spelt}{{}}"
        if kind.type == "generic_type":
            inner = kind.child_by_field_name("type")
            return self._zero(inner, file, free, spelt) if inner is not None else None
        if kind.type == "qualified_type":
            return _KNOWN.get(text(kind)) or self._zero_of_another(kind, file, spelt)
        if kind.type != "type_identifier" or text(kind) in free:
            return None
        return self._zero_of_name(text(kind), file, spelt)

    def _zero_of_name(self, name: str, file: GoFile, spelt: str) -> str | None:
        symbol = self.package.target.get(name) or _declared(self.package, name)
        if symbol is None:
            basic = {"string": '""', "bool": "false", "error": "nil", "any": "nil"}
            return "0" if name in _NUMBERS else basic.get(name)
        kind = _underlying(symbol)
        return self._zero(kind, file, frozenset(), spelt) if kind is not None and text(kind) != name else None

    def _zero_of_another(self, kind: Node, file: GoFile, spelt: str) -> str | None:
        found = import_of(file, text(kind.child_by_field_name("package")), dict(self.held))
        package = self.held.get(found.path) if found is not None else None
        symbol = package.target.get(text(kind.child_by_field_name("name"))) if package is not None else None
        under = _underlying(symbol) if symbol is not None else None
        if under is None or under.type == "qualified_type":
            return None
        if under.type == "type_identifier":
            name = text(under)
            return "0" if name in _NUMBERS else {"string": '""', "bool": "false"}.get(name)
        return self._zero(under, file, frozenset(), spelt)

    def _value(self, symbol: Symbol) -> str:
        """A type as the reference has it, or a constant or variable that stands for itself."""
        keyword = symbol.declaration.kind
        source = symbol.source.decode(errors="replace")
        indented = symbol.file.source.content[: symbol.declaration.start].rpartition(b"\n")[2].startswith(b"\t")
        if indented:
            first, newline, rest = source.partition("\n")
            source = first + newline + _dedented(rest)
        root = syntax.parse(f"package p\n{keyword} {source}\n".encode()).root_node
        if root.has_error:
            raise CannotError(f"{symbol.name} could not be read")
        spec = root.named_children[-1].named_children[0]
        if keyword != "type":
            self._need_plain_value(symbol, spec)
        free = frozenset(_type_parameters(spec))
        for child in spec.named_children:
            if child != spec.child_by_field_name("name"):
                self._need(child, symbol.file, free)
        return f"{_doc(symbol)}{keyword} {source}"

    def _need_plain_value(self, symbol: Symbol, spec: Node) -> None:
        """A value is taken over only where it is written out: what is counted or computed may be another one there."""
        values = spec.child_by_field_name("value")
        if values is None and symbol.declaration.kind == "var":
            return
        # A path from the root is one of Unix.
        plain = {"interpreted_string_literal", "raw_string_literal", "int_literal", "float_literal", "true", "false"}
        if values is None or any(v.type not in plain or text(v)[1:2] == "/" for v in values.named_children):
            raise CannotError(f"the value of {symbol.name} on {self.platform} is yours to choose")

    def _need(self, node: Node | None, file: GoFile, free: frozenset[str]) -> None:
        """See that every name in a type can be had on the target.

        Raises:
            CannotError: one of them cannot.
        """
        if node is None:
            return
        if node.type == "qualified_type":
            self._need_of_another(
                text(node.child_by_field_name("package")), text(node.child_by_field_name("name")), file
            )
        elif node.type == "selector_expression":
            self._need_of_another(
                text(node.child_by_field_name("operand")), text(node.child_by_field_name("field")), file
            )
        elif node.type in {"type_identifier", "identifier"}:
            self._need_name(text(node), file, free)
        elif node.type in _PARAMETERS or node.type in {"field_declaration", "type_parameter_declaration"}:
            self._need(node.child_by_field_name("type"), file, free)
        elif node.type not in {"comment", "package_identifier"}:
            for child in node.named_children:
                self._need(child, file, free)

    def _need_name(self, name: str, file: GoFile, free: frozenset[str]) -> None:
        if name in free or name in self.package.target or name in UNIVERSE or name in self.texts:
            return
        symbol = _declared(self.package, name)
        if symbol is None or any(i.name == "." for i in file.facts.imports):
            raise CannotError(f"where {name} comes from is not clear")
        self.add(symbol)

    def _need_of_another(self, qualifier: str, name: str, file: GoFile) -> None:
        found = import_of(file, qualifier, dict(self.held))
        if found is None or found.path == "C":
            raise CannotError(f"which package {qualifier} is could not be told")
        lacking = CannotError(f"{qualifier}.{name} does not exist on {self.platform}")
        if found.path in UNIX_ONLY or (found.path == "syscall" and _is_unix_call(name)):
            raise lacking
        package = self.held.get(found.path)
        if package is not None and not obscure(package):
            if name not in package.target:
                raise lacking
        elif not is_standard(found.path) and not any(_says(user, found.path, qualifier, name) for user in self.users):
            raise CannotError(f"whether {qualifier}.{name} exists on {self.platform} is not known here")
        self.imports.add(found)


def _is_unix_call(name: str) -> bool:
    return name not in _CALLS_EVERYWHERE or bool(UNIX_CALLS.fullmatch(f"syscall.{name}".encode()))


def _says(file: GoFile, path: str, qualifier: str, name: str) -> bool:
    """Whether a file says ``qualifier.name`` of an import."""
    return any(
        i.path == path and name in selected(file.source.content, i.name or qualifier) for i in file.facts.imports
    )


def _declared(package: Package, name: str) -> Symbol | None:
    """A symbol that only others than the target have."""
    if name in package.reference:
        return package.reference[name]
    files = (f for f in package.files.values() if not f.is_test and not f.on_target)
    return next((Symbol(d, f) for f in files for d in f.facts.declarations if d.name == name), None)


def _underlying(symbol: Symbol) -> Node | None:
    """What a type is declared as."""
    if symbol.declaration.kind != "type":
        return None
    root = syntax.parse(b"package p\ntype " + symbol.source + b"\n").root_node
    if root.has_error:
        return None
    return root.named_children[-1].named_children[0].child_by_field_name("type")


def _type_parameters(node: Node) -> Iterator[str]:
    listed = node.child_by_field_name("type_parameters")
    for parameter in listed.named_children if listed is not None else ():
        yield from (text(name) for name in parameter.children_by_field_name("name"))
    receiver = node.child_by_field_name("receiver")
    yield from re.findall(r"\w+", text(receiver).partition("[")[2]) if receiver is not None else ()


def _parameters(listed: Node | None) -> list[Node]:
    return [p for p in (listed.named_children if listed is not None else ()) if p.type in _PARAMETERS]


def _types(result: Node | None) -> list[Node]:
    """The types of results, one for each."""
    if result is None:
        return []
    if result.type != "parameter_list":
        return [result]
    return [
        kind
        for parameter in _parameters(result)
        if (kind := parameter.child_by_field_name("type")) is not None
        for _ in range(max(1, len(parameter.children_by_field_name("name"))))
    ]


def _shown(parameter: Node, *, keep: bool, taken: set[str]) -> str:
    """A parameter with the names that it is to have."""
    names = [text(name) for name in parameter.children_by_field_name("name")]
    dots = "..." if parameter.type == "variadic_parameter_declaration" else ""
    kind = f"{dots}{text(parameter.child_by_field_name('type'))}"
    if not names:
        return kind
    shown = ", ".join(name if keep and name not in taken else "_" for name in names)
    return f"{shown} {kind}"


def _doc(symbol: Symbol) -> str:
    """The comment above a declaration, without directives."""
    found: list[str] = []
    for line in reversed(
        symbol.file.source.content[: symbol.declaration.start].decode(errors="replace").split("\n")[:-1]
    ):
        if not line.strip().startswith("// "):
            break
        found.append(line.strip())
    return "".join(f"{line}\n" for line in reversed(found))


def _dedented(rest: str) -> str:
    """Lines of a declaration in a group, as they stand outside of it."""
    return "\n".join(line.removeprefix("\t") for line in rest.split("\n"))
