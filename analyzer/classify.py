"""What a function's body is: real work, or a stub and which kind (the rules of findings, "What a body is")."""

import re
from collections.abc import Mapping
from functools import cached_property

from analyzer import syntax
from analyzer.body import REAL, Body, Outcome
from analyzer.conditions import Scope
from analyzer.model import Platform, Stub
from analyzer.refusals import BUILDS_ERROR, SAYS_UNSUPPORTED
from analyzer.shapes import result_types
from analyzer.symbols import GoFile, Package, Symbol
from analyzer.syntax import text
from analyzer.ways import Ways
from analyzer.world import World

# ``*alias.Type[Arguments]``: what a method can be looked up by.
_NAMED_TYPE = re.compile(r"^\**(?:(\w+)\.)?(\w+)(?:\[.*\])?$", re.DOTALL)


class Universe:
    """The bodies of all packages of a revision on one platform.

    Args:
        world: the packages.
        side: which of their symbols: ``target`` or ``reference``.
        platform: the platform.
    """

    def __init__(self, world: World, side: str, platform: Platform) -> None:
        self.world = world
        self.platform = platform
        self._side = side
        self._known: dict[str, Bodies] = {}

    def of(self, package: Package) -> "Bodies":
        """The bodies of one package."""
        if package.dir not in self._known:
            names: Mapping[str, Symbol] = getattr(package, self._side)
            self._known[package.dir] = Bodies(names, self)
        return self._known[package.dir]


class Bodies:
    """The bodies of one package on one platform; each is judged once, and calls are followed, to other packages too.

    Args:
        names: the package's symbols on the platform.
        universe: the other packages.
    """

    def __init__(self, names: Mapping[str, Symbol], universe: Universe) -> None:
        self._names = names
        self._universe = universe
        self._scopes = {own: Scope(universe.platform, names, own=own) for own in (True, False)}
        self._known: dict[str, Body] = {}
        self._roughly: dict[str, Body] = {}

    def scope(self, file: GoFile) -> Scope:
        """What conditions in a file are worth."""
        return self._scopes[file.on_target is not file.on_reference]

    def of(self, name: str) -> Body:
        """What the named function, or variable that holds one, is. Whatever else there is counts as real."""
        if name not in self._known:
            self._known[name] = REAL  # a function that calls itself does something
            self._known[name] = self._judged(name)
        return self._known[name]

    def roughly(self, name: str) -> Body:
        """The same, but of real work nothing more is told: it need not be read to its end."""
        if name in self._known:
            return self._known[name]
        if name not in self._roughly:
            self._roughly[name] = REAL
            self._roughly[name] = self._judged(name, briefly=True)
        return self._roughly[name]

    def _judged(self, name: str, *, briefly: bool = False) -> Body:
        symbol = self._names.get(name)
        if symbol is not None and symbol.declaration.is_function and symbol.declaration.has_body:
            return self.judge(symbol, briefly=briefly)
        return self._held(symbol) if symbol is not None and symbol.declaration.kind == "var" else REAL

    def judge(self, symbol: Symbol, *, briefly: bool = False) -> Body:
        """What a function is, whether or not it is the one that its name stands for."""
        node = syntax.function_node(symbol.source)
        if node is None or syntax.is_broken(node):
            return REAL
        try:
            body = Ways(self, symbol.file, node).body(briefly=briefly)
        except RecursionError:  # nothing that is nested this deep does nothing
            return REAL
        bare = symbol.name.rpartition(".")[2]
        if body.stub is Stub.ERROR and result_types(node) == ["error"] and BUILDS_ERROR.search(bare):
            return Body(body.outcome)
        return body

    def _held(self, symbol: Symbol) -> Body:
        """What a variable is that holds a function: a literal, another function, or one that runs once."""
        value = syntax.initial_value(symbol.source, symbol.name)
        if value is not None and value.type == "call_expression" and text(value).startswith("sync.Once"):
            arguments = value.child_by_field_name("arguments")
            value = arguments.named_children[0] if arguments is not None and arguments.named_children else None
        if value is None:
            return REAL
        if value.type == "func_literal":
            try:
                return Ways(self, symbol.file, value).body()
            except RecursionError:
                return REAL
        name = text(value)
        if value.type == "identifier" and name in self._names and self._names[name].declaration.is_function:
            return self.of(name)
        if value.type == "selector_expression":
            owner = self.elsewhere(symbol.file, text(value.child_by_field_name("operand")))
            return owner.roughly(text(value.child_by_field_name("field"))) if owner is not None else REAL
        return REAL

    def value(self, name: str) -> Outcome:
        """What a package-level name is worth when it is returned: a constant, a variable, or a function."""
        symbol = self._names.get(name)
        if symbol is None or symbol.declaration.kind in {"type", "method"}:
            return Outcome.REAL
        if symbol.declaration.kind == "func":
            outcome = self.roughly(name).outcome
            return Outcome.ZERO if outcome is Outcome.NOOP else outcome
        key = f"= {name}"
        if key not in self._known:
            self._known[key] = REAL
            self._known[key] = Body(self._initial_worth(symbol))
        return self._known[key].outcome

    def _initial_worth(self, symbol: Symbol) -> Outcome:
        value = syntax.initial_value(symbol.source, symbol.name)
        if value is None:
            return Outcome.REAL
        constant = symbol.declaration.kind == "const"
        if constant and text(value) == "iota":
            return Outcome.ZERO if _is_first(symbol) else Outcome.REAL
        try:
            worth = Ways(self, symbol.file, value).value(value)
        except RecursionError:
            return Outcome.REAL
        # A variable that starts as zero may be set later; a constant may not.
        return worth if constant or worth is Outcome.ERROR else Outcome.REAL

    def says(self, name: str) -> str:
        """The text of a package-level constant or variable, as far as it is one."""
        symbol = self._names.get(name)
        value = (
            syntax.initial_value(symbol.source, symbol.name)
            if symbol is not None and symbol.declaration.kind in {"const", "var"}
            else None
        )
        return text(value) if value is not None and value.type.endswith("string_literal") else ""

    def is_variable(self, name: str) -> bool:
        """Whether the name is a variable of the package."""
        symbol = self._names.get(name)
        return symbol is not None and symbol.declaration.kind == "var"

    def refuses(self, type_name: str) -> bool:
        """Whether an error of the named type says "not supported"."""
        symbol = self._names.get(f"{type_name}.Error")
        return symbol is not None and bool(SAYS_UNSUPPORTED.search(symbol.source.decode(errors="replace")))

    def is_error(self, type_name: str) -> bool:
        """Whether the named type is an error."""
        return f"{type_name}.Error" in self._names

    def is_type(self, name: str) -> bool:
        """Whether the name is a type of the package."""
        symbol = self._names.get(name)
        return symbol is not None and symbol.declaration.kind == "type"

    def elsewhere(self, file: GoFile, name: str) -> "Bodies | None":
        """The package that a file means by a name, if it is of this repository."""
        package = self._universe.world.imported(file, name)
        return self._universe.of(package) if package is not None else None

    def typed(self, file: GoFile, written: str) -> "tuple[Bodies, str] | None":
        """The package and the name of a type as a file writes it; None for what has no methods that we see."""
        match = _NAMED_TYPE.match(written)
        if match is None:
            return None
        owner = self.elsewhere(file, match[1]) if match[1] else self
        return (owner, match[2]) if owner is not None and owner.is_type(match[2]) else None

    def method(self, type_name: str, method: str, depth: int = 0) -> Body:
        """What a method of a type is roughly, be it promoted from what the type embeds."""
        if f"{type_name}.{method}" in self._names:
            return self.roughly(f"{type_name}.{method}")
        if depth < MAX_EMBEDDED and type_name in self._names:
            file = self._names[type_name].file
            for written in self._fields(type_name).get("", []):
                owner = self.typed(file, written)
                if owner is not None:
                    return owner[0].method(owner[1], method, depth + 1)
        return REAL

    def does_nothing(self, type_name: str) -> bool:
        """Whether a type has methods, and all of them are stubs."""
        methods = [name for name in self._names if name.startswith(f"{type_name}.")]
        return bool(methods) and all(self.roughly(name).stub is not None for name in methods)

    def field(self, type_name: str, field: str) -> "tuple[Bodies, str] | None":
        """The type of a field of a struct."""
        symbol = self._names.get(type_name)
        written = self._fields(type_name).get(field, []) if symbol is not None else []
        return self.typed(symbol.file, written[0]) if symbol is not None and written else None

    def _fields(self, type_name: str) -> Mapping[str, list[str]]:
        """The types of a struct's fields by name; what it embeds under "". Empty for what is no struct."""
        if type_name not in self._structs:
            symbol = self._names.get(type_name)
            self._structs[type_name] = _fields(symbol) if symbol is not None and self.is_type(type_name) else {}
        return self._structs[type_name]

    @cached_property
    def _structs(self) -> dict[str, Mapping[str, list[str]]]:
        return {}


MAX_EMBEDDED = 4
"""How deep a method is looked for in what a type embeds."""


def _is_first(symbol: Symbol) -> bool:
    """Whether a constant is the first of its group, so that its iota is 0."""
    before = symbol.file.source.content[: symbol.declaration.start].decode(errors="replace")
    return re.search(r"\bconst\s*\(?\s*(?://[^\n]*\s*)*$", before) is not None


def _fields(symbol: Symbol) -> Mapping[str, list[str]]:
    root = syntax.parse(b"package p\ntype " + symbol.source).root_node
    spec = next((s for d in root.named_children if d.type == "type_declaration" for s in d.named_children), None)
    kind = spec.child_by_field_name("type") if spec is not None else None
    found: dict[str, list[str]] = {}
    if kind is None or kind.type != "struct_type":
        return found
    for fields in kind.named_children:
        for field in fields.named_children if fields.type == "field_declaration_list" else ():
            written = text(field.child_by_field_name("type"))
            for name in [text(n) for n in field.children_by_field_name("name")] or [""]:
                found.setdefault(name, []).append(written)
    return found
