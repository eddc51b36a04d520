"""Whether two declarations of a function take and give the same types, whatever they call them."""

import re
from collections.abc import Mapping, Sequence

from tree_sitter import Node

from analyzer import syntax
from analyzer.symbols import Symbol
from analyzer.syntax import text

# Types in types this deep, and aliases longer than this, are taken as they are written: nobody means them.
MAX_DEPTH = 20
MAX_ALIASES = 3
MAX_ALIAS_BYTES = 200
_NUMBER = re.compile(r"(?:u?int\d*|uintptr|float\d+|complex\d+)$")
_COMPOSED = re.compile(r"[*\[]|map\[|func\(|chan\b|<-|error$")
_TOKEN = re.compile(r"\.?\w+|[^\w\s]")
_SAME_TYPE = {"byte": "uint8", "rune": "int32", "interface{}": "any"}


def differ(one: Symbol, other: Symbol, names: Mapping[str, Symbol], other_names: Mapping[str, Symbol]) -> bool:
    """Whether the two surely differ in a parameter or a result.

    Types that have the same name are the same, also when each platform declares its own; and a type of another package
    is known by its bare name, because an alias in a third package may make two of them one.

    Args:
        one: a function or method.
        other: its twin.
        names: what the first one's platform declares, for aliases.
        other_names: what the other one's platform declares.
    """
    mine, theirs = _function(one), _function(other)
    if mine is None or theirs is None:
        return False
    plain = _types(mine, {}), _types(theirs, {})
    known = _types(mine, names), _types(theirs, other_names)
    return any(
        len(plain[0][part]) != len(plain[1][part])
        or any(
            not _alike(a, b) and not _alike(c, d)
            for a, b, c, d in zip(plain[0][part], plain[1][part], known[0][part], known[1][part], strict=True)
        )
        for part in (0, 1)
    )


def same_counts(one: Symbol, other: Symbol) -> bool:
    """Whether the two take as many parameters, and give as many results, as each other: then one call may fit both."""
    mine, theirs = _function(one), _function(other)
    if mine is None or theirs is None:
        return True
    return [len(part) for part in _types(mine, {})] == [len(part) for part in _types(theirs, {})]


def still_fits(arguments: Sequence[Node], old: Symbol, new: Symbol) -> bool:
    """Whether a call that was written for one function surely fits another one, whose types differ.

    It does where only a list of further arguments is new, or what differs is written out in the call: such a number, text or
    nil takes many types.

    Args:
        arguments: of the call.
        old: what it was written for.
        new: what it calls now.
    """
    before, after = _function(old), _function(new)
    if before is None or after is None:
        return False
    (took, gave), (takes, gives) = _types(before, {}), _types(after, {})
    fixed = [kind for kind in takes if not kind.startswith("...")]
    spread = any(a.type == "variadic_argument" for a in arguments)
    if gave != gives or spread or len(arguments) < len(fixed) or (len(arguments) > len(fixed) and fixed == takes):
        return False
    wanted = fixed + [takes[-1].removeprefix("...")] * (len(arguments) - len(fixed))
    had = [kind.removeprefix("...") for kind in took] + [took[-1].removeprefix("...") if took else ""] * len(arguments)
    return all(
        kind == known or _takes_as_written(kind, argument)
        for kind, known, argument in zip(wanted, had, arguments, strict=False)
    )


def _takes_as_written(kind: str, argument: Node) -> bool:
    """Whether a type takes what is written out; of a type with a name of its own nobody knows better."""
    match argument.type:
        case "int_literal":
            return kind not in {"string", "bool"} and not _COMPOSED.match(kind)
        case "interpreted_string_literal" | "raw_string_literal":
            return kind != "bool" and not (_NUMBER.match(kind) or _COMPOSED.match(kind))
        case "nil":
            return kind not in {"string", "bool"} and not _NUMBER.match(kind)
        case _:
            return False


def _alike(one: str, other: str) -> bool:
    """Whether two types are the same. Who writes ``any`` stands in for a type that one platform lacks."""
    if one == other or "any" in {one, other}:
        return True
    mine, theirs = _TOKEN.findall(one), _TOKEN.findall(other)
    return len(mine) == len(theirs) and all(a == b or "any" in {a, b} for a, b in zip(mine, theirs, strict=True))


def _function(symbol: Symbol) -> Node | None:
    root = syntax.parse(b"package p\n" + symbol.source + b"\n").root_node
    node = next((n for n in root.named_children if n.type.endswith("_declaration")), None)
    # The names of type parameters are free to differ, so what has any is not compared.
    return node if node is not None and not root.has_error and not _is_generic(node) else None


def _is_generic(node: Node) -> bool:
    receiver = node.child_by_field_name("receiver")
    return node.child_by_field_name("type_parameters") is not None or "[" in text(receiver)


def _types(function: Node, names: Mapping[str, Symbol]) -> tuple[list[str], list[str]]:
    """The types of the parameters and of the results, one for each name."""
    result = function.child_by_field_name("result")
    if result is not None and result.type != "parameter_list":
        results = [_spell(result, names, 0)]
    else:
        results = _listed(result, names, 0)
    return _listed(function.child_by_field_name("parameters"), names, 0), results


def _listed(parameters: Node | None, names: Mapping[str, Symbol], depth: int) -> list[str]:
    found: list[str] = []
    for parameter in parameters.named_children if parameters is not None else ():
        kind = parameter.child_by_field_name("type")
        if kind is not None:
            dots = "..." if parameter.type == "variadic_parameter_declaration" else ""
            count = max(1, len(parameter.children_by_field_name("name")))
            found += [dots + _spell(kind, names, depth)] * count
    return found


def _spell(node: Node, names: Mapping[str, Symbol], depth: int) -> str:
    """A type in one spelling."""
    if depth > MAX_DEPTH:
        return text(node)
    depth += 1
    match node.type:
        case "type_identifier":
            return _named(text(node), names, depth)
        case "qualified_type":
            return "." + text(node.child_by_field_name("name"))
        case "function_type":
            result = node.child_by_field_name("result")
            listed = result is None or result.type == "parameter_list"
            results = _listed(result, names, depth) if listed or result is None else [_spell(result, names, depth)]
            return f"func({_joined(_listed(node.child_by_field_name('parameters'), names, depth))})({_joined(results)})"
        case "parenthesized_type":
            inner = [child for child in node.named_children if child.type != "comment"]
            return _spell(inner[0], names, depth) if len(inner) == 1 else text(node)
        case "interface_type" | "struct_type":
            plain = "".join(text(node).split())
            return _SAME_TYPE.get(plain, plain)
        case _ if not node.named_children:
            return text(node)
        case _:
            # Everything else is the types in it and the signs between them: *T, []T, [n]T, map[K]V, <-chan T, T[A].
            return "".join(
                _spell(child, names, depth) if child.is_named else text(child)
                for child in node.children
                if child.type != "comment"
            )


def _named(name: str, names: Mapping[str, Symbol], depth: int) -> str:
    symbol = names.get(name)
    if symbol is None:
        return _SAME_TYPE.get(name, name)
    if symbol.declaration.kind == "type" and len(symbol.source) <= MAX_ALIAS_BYTES:
        root = syntax.parse(b"package p\ntype " + symbol.source + b"\n").root_node
        aliases = [s for d in root.named_children for s in d.named_children if s.type == "type_alias"]
        kind = aliases[0].child_by_field_name("type") if len(aliases) == 1 and not root.has_error else None
        if kind is not None:
            return _spell(kind, names, depth + MAX_DEPTH // MAX_ALIASES)
    return name


def _joined(types: Sequence[str]) -> str:
    return ", ".join(types)
