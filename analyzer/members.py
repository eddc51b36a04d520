"""The fields and methods of a package's own types, and of which type an expression is, as far as syntax tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from tree_sitter import Node

from analyzer import syntax
from analyzer.symbols import Symbol
from analyzer.syntax import text
from analyzer.uses import Uses, top_level

# A chain of fields this long is not followed any further: ``d.state.store.lock``.
MAX_CHAIN = 10
_BASIC = frozenset(
    "bool string int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 uintptr byte rune float32 float64 "
    "complex64 complex128".split()
)
_PLAIN = frozenset({"map_type", "slice_type", "array_type", "channel_type", "function_type"})


@dataclass(frozen=True, slots=True)
class Shape:
    """What a type's declaration says of its members.

    Attributes:
        closed: whether fields, own methods and what it embeds are all that a value has; an unknown type may bring more.
        fields: its fields, and of which of the package's own types each is; None for all other types.
        embeds: the package's own types that it embeds.
    """

    closed: bool
    fields: Mapping[str, str | None] = field(default_factory=dict)
    embeds: tuple[str, ...] = ()


_OPEN = Shape(closed=False)


class Types:
    """The types of a package on one platform.

    Args:
        names: what the platform declares.
    """

    def __init__(self, names: Mapping[str, Symbol]) -> None:
        self._names = names

    def shape(self, name: str) -> Shape:
        """What a named type consists of; open for what is no type here."""
        symbol = self._names.get(name)
        if symbol is None or symbol.declaration.kind != "type":
            return _OPEN
        return _shape(symbol.source)

    def lacks(self, kind: str, member: str) -> bool:
        """Whether it is sure that a value of the type has no such field and no such method."""
        seen: set[str] = set()
        work = [kind]
        while work:
            name = work.pop()
            shape = self.shape(name)
            if not shape.closed or member in shape.fields or f"{name}.{member}" in self._names:
                return False
            seen.add(name)
            work += [embedded for embedded in shape.embeds if embedded not in seen]
        return True

    def of(self, operand: Node, uses: Uses, depth: int = 0) -> str | None:
        """The package's own type that an expression is of, or is; None when syntax does not tell."""
        while operand.type == "parenthesized_expression" and operand.named_child_count == 1:
            operand = operand.named_children[0]
        if operand.type == "unary_expression":  # (*T).Method
            inner = operand.child_by_field_name("operand")
            return self._as_type(inner, uses) if text(operand).startswith("*") and inner is not None else None
        if operand.type == "selector_expression":
            inner, name = operand.child_by_field_name("operand"), text(operand.child_by_field_name("field"))
            outer = self.of(inner, uses, depth + 1) if inner is not None and depth < MAX_CHAIN else None
            return self.shape(outer).fields.get(name) if outer is not None else None
        if operand.type in {"call_expression", "composite_literal"}:
            kind = self._value(operand, 0, uses)
            return kind if kind is not None and not uses.declared(kind, top_level(operand)) else None
        if operand.type != "identifier":
            return None
        top = top_level(operand)
        declared = uses.declared(text(operand), top)
        if not declared:
            return self._as_type(operand, uses)
        kind = self._declared_type(declared[0], uses) if len(declared) == 1 else None
        return kind if kind is not None and not uses.declared(kind, top) else None

    def _as_type(self, node: Node, uses: Uses) -> str | None:
        """A type that is named in place of a value: the operand of a method expression."""
        name = text(node)
        symbol = self._names.get(name) if node.type in {"identifier", "type_identifier"} else None
        is_type = symbol is not None and symbol.declaration.kind == "type"
        return name if is_type and not uses.declared(name, top_level(node)) else None

    def _declared_type(self, name: Node, uses: Uses) -> str | None:
        parent = name.parent
        if parent is None:
            return None
        if parent.type == "parameter_declaration":
            return type_name(parent.child_by_field_name("type"))
        if parent.type == "var_spec":
            kind = parent.child_by_field_name("type")
            return type_name(kind) if kind is not None else self._initial(parent, name, "value", uses)
        statement = parent.parent
        if parent.type == "expression_list" and statement is not None and statement.type == "short_var_declaration":
            return self._initial(statement, name, "right", uses)
        return None

    def _initial(self, statement: Node, name: Node, field: str, uses: Uses) -> str | None:
        """The type of what a variable is set to where it is declared."""
        names = [n for n in (name.parent.named_children if name.parent else ()) if n.type == "identifier"]
        if statement.type == "var_spec":
            names = statement.children_by_field_name("name")
        values = statement.child_by_field_name(field)
        given = [v for v in values.named_children if v.type != "comment"] if values is not None else []
        at = names.index(name) if name in names else -1
        if at < 0 or not given:
            return None
        if len(given) == len(names):
            return self._value(given[at], 0, uses)
        return self._value(given[0], at, uses) if len(given) == 1 else None

    def _value(self, value: Node, at: int, uses: Uses) -> str | None:
        if value.type == "unary_expression" and text(value).startswith("&"):
            inner = value.child_by_field_name("operand")
            return self._value(inner, at, uses) if inner is not None and inner.type == "composite_literal" else None
        if value.type == "composite_literal":
            return type_name(value.child_by_field_name("type"))
        if value.type != "call_expression":
            return None
        function = value.child_by_field_name("function")
        if function is None or function.type != "identifier" or uses.declared(text(function), top_level(function)):
            return None
        if text(function) == "new" and "new" not in self._names:
            arguments = value.child_by_field_name("arguments")
            given = arguments.named_children if arguments is not None else []
            return text(given[0]) if len(given) == 1 and given[0].type == "type_identifier" else None
        symbol = self._names.get(text(function))
        if symbol is None or symbol.declaration.kind != "func":
            return None
        results = _results(symbol.source)
        return results[at] if at < len(results) else None


def of_imported(operand: Node, uses: Uses, qualifier: str, names: Mapping[str, Symbol]) -> str | None:
    """The type of an imported package that a variable is of; None when syntax does not tell.

    Args:
        operand: the variable.
        uses: those of its file.
        qualifier: the package's name there.
        names: what the package declares.
    """
    declared = uses.declared(text(operand), top_level(operand)) if operand.type == "identifier" else []
    parent = declared[0].parent if len(declared) == 1 else None
    if parent is None:
        return None
    if parent.type in {"parameter_declaration", "var_spec"}:
        return _behind(qualifier, parent.child_by_field_name("type"))
    statement = parent.parent
    values = statement.child_by_field_name("right") if statement is not None else None
    given = [v for v in values.named_children if v.type != "comment"] if values is not None else []
    if statement is None or statement.type != "short_var_declaration" or len(given) != 1:
        return None
    called = text(given[0].child_by_field_name("function")).split(".") if given[0].type == "call_expression" else []
    symbol = names.get(called[1]) if len(called) == 2 and called[0] == qualifier else None
    results = _results(symbol.source) if symbol is not None and symbol.declaration.kind == "func" else ()
    at = parent.named_children.index(declared[0])
    return results[at] if at < len(results) else None


def _behind(qualifier: str, node: Node | None) -> str | None:
    """The name in ``qualifier.T`` or ``*qualifier.T``."""
    if node is not None and node.type == "pointer_type":
        node = next((child for child in node.named_children if child.type != "comment"), None)
    if node is None or node.type != "qualified_type" or text(node.child_by_field_name("package")) != qualifier:
        return None
    return text(node.child_by_field_name("name"))


def type_name(node: Node | None) -> str | None:
    """The name of a type of this package, or of a pointer to it; None for everything else."""
    if node is not None and node.type == "pointer_type":
        node = next((child for child in node.named_children if child.type != "comment"), None)
    return text(node) if node is not None and node.type == "type_identifier" else None


@lru_cache(maxsize=1024)
def _shape(source: bytes) -> Shape:
    root = syntax.parse(b"package p\ntype " + source + b"\n").root_node
    declaration = next((n for n in root.named_children if n.type == "type_declaration"), None)
    spec = declaration.named_children[0] if declaration is not None and declaration.named_children else None
    if root.has_error or spec is None or spec.type != "type_spec" or spec.child_by_field_name("type_parameters"):
        return _OPEN
    kind = spec.child_by_field_name("type")
    if kind is None:
        return _OPEN
    if kind.type != "struct_type":
        return Shape(kind.type in _PLAIN or (kind.type == "type_identifier" and text(kind) in _BASIC))
    fields = [f for body in kind.named_children for f in body.named_children if f.type == "field_declaration"]
    names = [[text(n) for n in f.children_by_field_name("name")] for f in fields]
    types = [type_name(f.child_by_field_name("type")) for f in fields]
    pairs = list(zip(names, types, strict=True))
    embeds = [kind for group, kind in pairs if not group]
    members = {name: kind for group, kind in pairs for name in group or [kind or ""]}
    return Shape(None not in embeds, members, tuple(kind for kind in embeds if kind is not None))


@lru_cache(maxsize=1024)
def _results(source: bytes) -> tuple[str | None, ...]:
    """The types of a function's results; None for those that are not of the package's own."""
    root = syntax.parse(b"package p\n" + source + b"\n").root_node
    function = next((n for n in root.named_children if n.type == "function_declaration"), None)
    if root.has_error or function is None or function.child_by_field_name("type_parameters") is not None:
        return ()
    result = function.child_by_field_name("result")
    if result is None or result.type != "parameter_list":
        return (type_name(result),)
    found: list[str | None] = []
    for parameter in result.named_children:
        if parameter.type == "parameter_declaration":
            names = len(parameter.children_by_field_name("name"))
            found += [type_name(parameter.child_by_field_name("type"))] * max(1, names)
    return tuple(found)
