"""The types of all packages on one platform: their fields and methods, and which of them implement an interface."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tree_sitter import Node, Query, QueryCursor

from analyzer import spelling, syntax
from analyzer.grammar import GO
from analyzer.spaces import UNIVERSE
from analyzer.spelling import Foreign, Function, Inline, Kind, Many, Named, Table
from analyzer.symbols import GoFile, Package, Symbol
from analyzer.syntax import text
from analyzer.world import World

# An interface with more implementers than this says too little of who is called.
MAX_IMPLEMENTERS = 5
# Types that embed each other, and aliases, are not followed any further.
MAX_DEPTH = 6
_STRUCTS = Query(GO, "(struct_type) @struct")
# A struct that embeds something: a line of it is a type alone.
_BUNDLE = re.compile(rb"\bstruct \{(?:[^{}]*\n)?[ \t]*\*?(?:\w+\.)?[A-Za-z]\w*\n")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a type's declaration says.

    Attributes:
        file: the file that has it.
        fields: the fields of a struct, and how their types are spelt.
        embeds: the types that a struct or an interface embeds, as they are spelt.
        methods: the methods of an interface, and their signatures; None for what is none.
        under: for every other type, the type that it is made of.
        alias: whether it is another name of that one.
    """

    file: GoFile
    fields: Mapping[str, str] = field(default_factory=dict)
    embeds: tuple[str, ...] = ()
    methods: Mapping[str, str] | None = None
    under: str = ""
    alias: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """A method as a call finds it.

    Attributes:
        where: the package that declares it.
        name: ``Recv.Name``; the receiver is the interface for a method of one.
        signature: in one spelling.
        file: the file that has it.
        interface: whether an interface declares it: then nobody knows yet what runs.
    """

    where: str
    name: str
    signature: str
    file: GoFile
    interface: bool


class Kinds:
    """What the target's types are.

    Args:
        packages: all that are held.
        world: how they import each other.
    """

    def __init__(self, packages: Mapping[str, Package], world: World) -> None:
        self.packages = packages
        self.world = world
        self._read: dict[tuple[str, str], Kind | None] = {}
        self._shapes: dict[Named, Shape | None] = {}
        self._methods: dict[tuple[Named, str], Method | None] = {}
        self._implementers: dict[tuple[Named, str], tuple[tuple[str, str], ...]] = {}
        self._foreign: dict[str, dict[str, str]] = {}

    def directory(self, file: GoFile) -> str:
        """The package of a file."""
        return file.path.rpartition("/")[0] or "."

    def read(self, source: str, file: GoFile) -> Kind | None:
        """The type that a file spells so."""
        key = file.path, source
        if key not in self._read:
            self._read[key] = None  # an alias of itself
            self._read[key] = spelling.read(source, lambda name: self._resolve(name, file), file.path)
        return self._read[key]

    def _resolve(self, name: str, file: GoFile) -> Kind | None:
        qualifier, dot, bare = name.rpartition(".")
        if not dot:
            package = self.packages[self.directory(file)]
        else:
            held = self.world.imported(file, qualifier)
            if held is None:
                path = self.foreign(file, qualifier)
                return Foreign(path, bare) if path else None
            package = held
        symbol = package.target.get(bare)
        if symbol is None or symbol.declaration.kind != "type":
            return Foreign("", bare) if not dot and symbol is None and bare in UNIVERSE else None
        named = Named(package.dir, bare)
        shape = self.shape(named)
        return self.read(shape.under, shape.file) if shape is not None and shape.alias else named

    def foreign(self, file: GoFile, qualifier: str) -> str:
        """The path of an import that is not held, by the name that the file knows it by; "" when there is none."""
        if file.path not in self._foreign:
            self._foreign[file.path] = {
                alias or package_name(path): path for path, alias in file.facts.imports if alias not in {"_", "."}
            }
        return self._foreign[file.path].get(qualifier, "")

    def shape(self, named: Named) -> Shape | None:
        """What a type's declaration says; None when there is none, or it is no Go."""
        if named not in self._shapes:
            package = self.packages.get(named.where)
            symbol = package.target.get(named.name) if package is not None else None
            is_type = symbol is not None and symbol.declaration.kind == "type"
            self._shapes[named] = _shape(symbol) if symbol is not None and is_type else None
        return self._shapes[named]

    def member(self, kind: Kind | None, name: str, depth: int = 0) -> Kind | None:
        """The type of a field."""
        if isinstance(kind, Inline):
            shape = self._inline(kind)
        else:
            shape = self.shape(kind) if isinstance(kind, Named) else None
        if shape is None or depth > MAX_DEPTH:
            return None
        if name in shape.fields:
            return self.read(shape.fields[name], shape.file)
        embedded = (self.member(self.read(e, shape.file), name, depth + 1) for e in shape.embeds)
        if shape.under:
            return self.member(self.read(shape.under, shape.file), name, depth + 1)
        return next((found for found in embedded if found is not None), None)

    def method(self, kind: Kind | None, name: str, depth: int = 0) -> Method | None:
        """The method that a selector on a value of the type means."""
        if isinstance(kind, Inline):
            shape = self._inline(kind)
            return self._declared(Named("", ""), shape, name, depth) if shape is not None else None
        if not isinstance(kind, Named) or depth > MAX_DEPTH:
            return None
        key = kind, name
        if key not in self._methods:
            self._methods[key] = None
            self._methods[key] = self._look(kind, name, depth)
        return self._methods[key]

    def method_names(self, kind: Kind | None) -> list[str]:
        """The exported methods that a type itself declares."""
        if not isinstance(kind, Named):
            return []
        prefix = f"{kind.name}."
        names = (name.removeprefix(prefix) for name in self.packages[kind.where].target if name.startswith(prefix))
        return [name for name in names if name[:1].isupper()]

    def _look(self, kind: Named, name: str, depth: int) -> Method | None:
        full = f"{kind.name}.{name}"
        symbol = self.packages[kind.where].target.get(full)
        if symbol is not None:
            return Method(kind.where, full, symbol.declaration.signature, symbol.file, interface=False)
        shape = self.shape(kind)
        return self._declared(kind, shape, name, depth) if shape is not None else None

    def _declared(self, kind: Named, shape: Shape, name: str, depth: int) -> Method | None:
        if shape.methods is not None and name in shape.methods:
            return Method(kind.where, f"{kind.name}.{name}", shape.methods[name], shape.file, interface=True)
        if shape.under:
            under = self.method(self.read(shape.under, shape.file), name, depth + 1)
            return under if under is not None and under.interface else None
        embedded = (self.method(self.read(e, shape.file), name, depth + 1) for e in shape.embeds)
        return next((found for found in embedded if found is not None), None)

    def _inline(self, kind: Inline) -> Shape | None:
        package = self.packages.get(kind.path.rpartition("/")[0] or ".")
        file = package.files.get(kind.path) if package is not None else None
        return shape_of(f"_ {kind.source}".encode(), file) if file is not None else None

    def asked(self, interface: Named) -> dict[str, Method]:
        """All methods of an interface, as far as they are held."""
        found: dict[str, Method] = {}
        work, seen = [interface], {interface}
        while work:
            named = work.pop()
            shape = self.shape(named)
            if shape is None:
                continue
            for name in shape.methods or ():
                found.setdefault(
                    name,
                    Method(
                        named.where, f"{named.name}.{name}", (shape.methods or {})[name], shape.file, interface=True
                    ),
                )
            for spelt in (*shape.embeds, *([shape.under] if shape.under else [])):
                inner = self.read(spelt, shape.file)
                if isinstance(inner, Named) and inner not in seen:
                    seen.add(inner)
                    work.append(inner)
        return found

    def asks_for(self, name: str) -> bool:
        """Whether some interface that is held has a method of that name."""
        return name in self._interfaces

    def askers(self, name: str, signature: str) -> frozenset[str]:
        """The packages of the interfaces that have a method of that name with as many parameters and results."""
        counts = _counts(signature)
        return frozenset(where for where, asked in self._interfaces.get(name, ()) if _counts(asked) == counts)

    @cached_property
    def _interfaces(self) -> Mapping[str, list[tuple[str, str]]]:
        """By name of a method, the packages of the interfaces that have one, and its signature there."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for where, package in self.packages.items():
            for name, symbol in package.target.items():
                if symbol.declaration.kind == "type" and b"interface" in symbol.source:
                    shape = self.shape(Named(where, name))
                    for method, signature in (shape.methods or {}).items() if shape is not None else ():
                        found[method].append((where, signature))
        return found

    def implementers(self, interface: Named, name: str) -> tuple[tuple[str, str], ...]:
        """What a call of an interface's method may run: packages and methods. Nothing when there are too many.

        A type implements it that has all its methods, as many parameters and results, and none that cannot be the same.
        """
        key = interface, name
        if key not in self._implementers:
            found = tuple(sorted({*self._candidates(interface, name)}))
            self._implementers[key] = found if len(found) <= MAX_IMPLEMENTERS else ()
        return self._implementers[key]

    def _candidates(self, interface: Named, name: str, depth: int = 0) -> Iterator[tuple[str, str]]:
        asked = self.asked(interface)
        if name not in asked:
            return
        possible: dict[Kind, None] = {named: None for method in asked for named in self._declarers.get(method, ())}
        for kind in (*possible, *self._bundles):
            method = self.method(kind, name)
            if method is None or method.where == interface.where == "" or not self._fits(kind, asked):
                continue
            inner = Named(method.where, method.name.partition(".")[0])
            if not method.interface:
                yield method.where, method.name
            elif inner != interface and depth < MAX_DEPTH:
                # What it embeds is itself an interface's.
                yield from self._candidates(inner, name, depth + 1)

    def _fits(self, kind: Kind, asked: Mapping[str, Method]) -> bool:
        given = {}
        # Most that lack something lack a name, and what few have first.
        for name in sorted(asked, key=lambda name: len(self._declarers.get(name, ()))):
            found = self.method(kind, name)
            if found is None:
                return False
            given[name] = found
        return all(self._alike(given[name], wanted) for name, wanted in asked.items())

    def _alike(self, given: Method, wanted: Method) -> bool:
        if given is wanted or (given.file is wanted.file and given.signature == wanted.signature):
            return True
        mine, theirs = spelling.split(given.signature), spelling.split(wanted.signature)
        return all(
            len(a) == len(b) and all(self._may_be(x, given.file, y, wanted.file) for x, y in zip(a, b, strict=True))
            for a, b in zip(mine, theirs, strict=True)
        )

    def _may_be(self, one: str, file: GoFile, other: str, other_file: GoFile) -> bool:
        """Whether two spellings may be one type; what is not known may be anything."""
        a, b = self.read(one, file), self.read(other, other_file)
        if a is None or b is None or _may_be_one(a, b) is False:
            return a is None or b is None
        # A pointer is no pointer's target, but for all that a package which is not held may hide behind a name.
        plain = one.startswith("*") is other.startswith("*")
        return plain or any(isinstance(kind, Foreign) and kind.path for kind in (a, b))

    @cached_property
    def _bundles(self) -> tuple[Inline, ...]:
        """The structs without a name that have methods, because they embed something."""
        found: dict[Inline, None] = {}
        for package in self.packages.values():
            for symbol in package.target.values():
                if not symbol.declaration.is_function or not _BUNDLE.search(symbol.source) or symbol.file.helps_tests:
                    continue
                root = syntax.parse(b"package p\n" + symbol.source).root_node
                for node in QueryCursor(_STRUCTS).captures(root).get("struct", ()):
                    if _struct(node, symbol.file).embeds:
                        found[Inline(text(node), symbol.file.path)] = None
        return tuple(found)

    @cached_property
    def _declarers(self) -> Mapping[str, list[Named]]:
        """By the bare name of a method, the types that declare one."""
        found: dict[str, list[Named]] = defaultdict(list)
        for where, package in self.packages.items():
            for name, symbol in package.target.items():
                receiver, dot, bare = name.partition(".")
                if dot and not symbol.file.helps_tests:
                    found[bare].append(Named(where, receiver))
        return found


def _counts(signature: str) -> tuple[int, int]:
    parameters, results = spelling.split(signature)
    return len(parameters), len(results)


def _may_be_one(one: Kind | None, other: Kind | None) -> bool:
    match one, other:
        case (None, _) | (_, None) | (Inline(), _) | (_, Inline()):
            return True
        case Many(), Many():
            return _may_be_one(one.kind, other.kind)
        case Table(), Table():
            return _may_be_one(one.key, other.key) and _may_be_one(one.value, other.value)
        case Function(), Function():
            return len(one.results) == len(other.results)
        case Foreign(), Foreign():
            # A path may be vendored under another one, and what is one's own ``any`` is the other's.
            return one.name == other.name and bool(one.path) is bool(other.path)
        case (Foreign(), _) | (_, Foreign()):
            return any(isinstance(kind, Foreign) and bool(kind.path) for kind in (one, other))
        case _:
            return one == other


def _shape(symbol: Symbol) -> Shape | None:
    return shape_of(symbol.source, symbol.file)


def shape_of(source: bytes, file: GoFile) -> Shape | None:
    """What a specification of a type says.

    Args:
        source: its text.
        file: the file that has it.
    """
    root = syntax.parse(b"package p\ntype " + source + b"\n").root_node
    declaration = next((n for n in root.named_children if n.type == "type_declaration"), None)
    spec = declaration.named_children[0] if declaration is not None and declaration.named_children else None
    kind = spec.child_by_field_name("type") if spec is not None and not root.has_error else None
    if spec is None or kind is None:
        return None
    if kind.type == "struct_type":
        return _struct(kind, file)
    if kind.type == "interface_type":
        methods = [n for n in kind.named_children if n.type in {"method_elem", "method_spec"}]
        embeds = tuple(text(n) for n in kind.named_children if n.type == "type_elem")
        named = {text(n.child_by_field_name("name")): syntax.signature(n) for n in methods}
        return Shape(file, embeds=embeds, methods=named)
    return Shape(file, under=text(kind), alias=spec.type == "type_alias")


def _struct(kind: Node, file: GoFile) -> Shape:
    fields: dict[str, str] = {}
    embeds: list[str] = []
    for declared in (f for body in kind.named_children for f in body.named_children if f.type == "field_declaration"):
        spelt = text(declared.child_by_field_name("type"))
        names = [text(n) for n in declared.children_by_field_name("name")]
        if not names:
            embeds.append(spelt)
            names = [spelt.partition("[")[0].rpartition(".")[2].lstrip("*")]
        fields |= dict.fromkeys(names, spelt)
    return Shape(file, fields, tuple(embeds))


def package_name(path: str) -> str:
    """The name that a package most likely has, by its path."""
    parts = path.split("/")
    last = parts.pop()
    if last[:1] == "v" and last[1:].isdigit() and parts:
        last = parts.pop()
    return last.partition(".")[0].removeprefix("go-") if "." in last or last.startswith("go-") else last
