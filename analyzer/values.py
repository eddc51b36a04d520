"""Of which type an expression is, and which function it means, across packages and as far as syntax tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node

from analyzer import spelling, syntax
from analyzer.kinds import Kinds, Method
from analyzer.spelling import Foreign, Function, Kind, Many, Named, Table
from analyzer.symbols import GoFile, Package
from analyzer.syntax import text

# Expressions that lead to others this deep are not followed.
MAX_DEPTH = 24

# What may stand around a function's name.
WRAPPERS = frozenset({"parenthesized_expression", "index_expression", "type_instantiation_expression"})

How = Literal["value", "range", "type"]


class Local:
    """What a local name was declared by. It is looked at when somebody asks, in the names that held there.

    Args:
        how: by the value that it begins with, by what is ranged over, or by a type.
        node: that value or type; None for a name of which nothing is known.
        at: which of several results it is.
        names: the names that held there.
    """

    __slots__ = ("at", "how", "kind", "names", "node")

    def __init__(self, how: How, node: Node | None, at: int, names: "Names") -> None:
        self.how, self.node, self.at, self.names = how, node, at, names
        self.kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """Local names, the latest first."""

    name: str = ""
    local: Local | None = None
    outer: "Names | None" = None

    def find(self, name: str) -> Local | None:
        """What a name means here; None when it is none of these."""
        names: Names | None = self
        while names is not None:
            if names.name == name:
                return names.local
            names = names.outer
        return None

    def bound(self, name: str, local: Local) -> "Names":
        """These, and one more."""
        return Names(name, local, self) if name not in {"", "_"} else self


NOTHING = Names()

Meant = tuple[str, str] | Method
"""A function that is called: package and name; or a method of an interface, so that nobody knows yet which one runs."""


class Values:
    """Reads expressions.

    Args:
        kinds: the types.
    """

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self._globals: dict[tuple[str, str], Kind | None] = {}

    def package(self, operand: Node | None, names: Names, file: GoFile) -> Package | None:
        """The held package that stands before a dot."""
        if operand is None or operand.type not in {"identifier", "package_identifier"}:
            return None
        name = text(operand)
        return self.kinds.world.imported(file, name) if names.find(name) is None else None

    def meant(self, function: Node | None, names: Names, file: GoFile, depth: int = 0) -> Meant | None:
        """Which function an expression names; None when syntax does not tell, or it is not held."""
        if function is None or depth > MAX_DEPTH:
            return None
        match function.type:
            case "identifier":
                name = text(function)
                package = self.kinds.packages[self.kinds.directory(file)]
                symbol = package.target.get(name)
                is_own = symbol is not None and symbol.declaration.is_function and names.find(name) is None
                return (package.dir, name) if is_own else None
            case "selector_expression":
                operand, name = function.child_by_field_name("operand"), text(function.child_by_field_name("field"))
                held = self.package(operand, names, file)
                if held is not None:
                    symbol = held.target.get(name)
                    return (held.dir, name) if symbol is not None and symbol.declaration.is_function else None
                method = self.kinds.method(self.of(operand, names, file, depth + 1), name)
                return method if method is None or method.interface else (method.where, method.name)
            case kind if kind in WRAPPERS:
                return self.meant(inner(function), names, file, depth + 1)
            case _:
                return None

    def of(self, node: Node | None, names: Names, file: GoFile, depth: int = 0) -> Kind | None:
        """The type of an expression; None when syntax does not tell."""
        if node is None or depth > MAX_DEPTH:
            return None
        depth += 1
        match node.type:
            case "identifier":
                name = text(node)
                local = names.find(name)
                return (
                    self._local(local, file, depth)
                    if local is not None
                    else self.variable(self.kinds.directory(file), name)
                )
            case "selector_expression":
                operand, name = node.child_by_field_name("operand"), text(node.child_by_field_name("field"))
                held = self.package(operand, names, file)
                if held is not None:
                    return self.variable(held.dir, name)
                return self.kinds.member(self.of(operand, names, file, depth), name)
            case "call_expression":
                results = self.results(node, names, file, depth)
                return results[0] if results else None
            case "composite_literal" | "type_assertion_expression" | "type_conversion_expression":
                return self.kinds.read(text(node.child_by_field_name("type")), file)
            case "unary_expression":
                kind = self.of(node.child_by_field_name("operand"), names, file, depth)
                received = text(node.child_by_field_name("operator")) == "<-"
                return kind if not received else kind.kind if isinstance(kind, Many) else None
            case "index_expression":
                kind = self.of(node.child_by_field_name("operand"), names, file, depth)
                kind = self._made_of(kind)
                return kind.kind if isinstance(kind, Many) else kind.value if isinstance(kind, Table) else None
            case "slice_expression":
                return self.of(node.child_by_field_name("operand"), names, file, depth)
            case "parenthesized_expression":
                return self.of(inner(node), names, file, depth)
            case _:
                return None

    def results(self, call: Node, names: Names, file: GoFile, depth: int = 0) -> Sequence[Kind | None]:
        """The types of what a call gives."""
        function = call.child_by_field_name("function")
        while function is not None and function.type in {"parenthesized_expression", "index_expression"}:
            function = inner(function)
        if function is None:
            return ()
        if function.type == "unary_expression":  # (*T)(x)
            return (self.kinds.read(text(function), file),)
        if function.type == "func_literal":
            return self._given(syntax.signature(function), file)
        meant = self.meant(function, names, file, depth)
        if isinstance(meant, Method):
            return self._given(meant.signature, meant.file)
        if meant is not None:
            symbol = self.kinds.packages[meant[0]].target[meant[1]]
            return self._given(symbol.declaration.signature, symbol.file)
        if function.type == "identifier" and names.find(text(function)) is None:
            return self._built_in(text(function), call, names, file, depth)
        if self.package(function.child_by_field_name("operand"), names, file) is not None:
            return (self.kinds.read(text(function), file),)
        kind = self.of(function, names, file, depth)
        kind = self._made_of(kind)
        return kind.results if isinstance(kind, Function) else ()

    def _built_in(self, name: str, call: Node, names: Names, file: GoFile, depth: int) -> Sequence[Kind | None]:
        """What ``new`` and the like give, or a conversion."""
        arguments = call.child_by_field_name("arguments")
        given = [n for n in arguments.named_children if n.type != "comment"] if arguments is not None else []
        if name in {"new", "make"}:
            return (self.kinds.read(text(given[0]), file),) if given else ()
        if name == "append":
            return (self.of(given[0], names, file, depth),) if given else ()
        if name == "string":
            return (Foreign("", "string"),)
        kind = self.kinds.read(name, file)
        if kind is None and isinstance(found := self.variable(self.kinds.directory(file), name), Function):
            return found.results
        return (kind,)

    def _given(self, signature: str, file: GoFile) -> Sequence[Kind | None]:
        return [self.kinds.read(spelt, file) for spelt in spelling.split(signature)[1]]

    def variable(self, where: str, name: str) -> Kind | None:
        """The type of a variable at package level."""
        key = where, name
        if key not in self._globals:
            self._globals[key] = None
            symbol = self.kinds.packages[where].target.get(name)
            if symbol is not None and symbol.declaration.kind == "var":
                root = syntax.parse(b"package p\nvar " + symbol.source).root_node
                spec = next(
                    (s for d in root.named_children if d.type == "var_declaration" for s in d.named_children), None
                )
                spelt = spec.child_by_field_name("type") if spec is not None else None
                if spelt is not None:
                    self._globals[key] = self.kinds.read(text(spelt), symbol.file)
                else:
                    value = syntax.initial_value(symbol.source, name)
                    self._globals[key] = self.of(value, NOTHING, symbol.file)
        return self._globals[key]

    def _local(self, local: Local, file: GoFile, depth: int) -> Kind | None:
        node, local.node = local.node, None
        if node is None:
            return local.kind
        if local.how == "type":
            dots = node.parent is not None and node.parent.type == "variadic_parameter_declaration"
            local.kind = self.kinds.read(("..." if dots else "") + text(node), file)
        elif local.how == "range":
            local.kind = self._ranged(self.of(node, local.names, file, depth), local.at)
        elif local.at and node.type == "call_expression":
            results = self.results(node, local.names, file, depth)
            local.kind = results[local.at] if local.at < len(results) else None
        elif not local.at:
            local.kind = self.of(node, local.names, file, depth)
        return local.kind

    def _ranged(self, kind: Kind | None, at: int) -> Kind | None:
        kind = self._made_of(kind)
        if isinstance(kind, Table):
            return kind.value if at else kind.key
        # Of a slice the second is the element; of a channel there is no second, and nobody asks for a number's type.
        return kind.kind if isinstance(kind, Many) else None

    def _made_of(self, kind: Kind | None) -> Kind | None:
        """What a named slice, map or function is made of."""
        shape = self.kinds.shape(kind) if isinstance(kind, Named) else None
        return self.kinds.read(shape.under, shape.file) if shape is not None and shape.under else kind


def inner(node: Node) -> Node | None:
    """What an expression is made of first: what stands in brackets, or before them."""
    return next((child for child in node.named_children if child.type != "comment"), None)
