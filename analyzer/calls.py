"""What a function calls on the target, read from its syntax: sure calls, and those that only may happen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tree_sitter import Node, Query, QueryCursor

from analyzer import syntax
from analyzer.conditions import Scope, Truth
from analyzer.effects import leaves
from analyzer.grammar import GO
from analyzer.kinds import Kinds, Method
from analyzer.model import Options
from analyzer.spelling import Named
from analyzer.symbols import Package, Symbol
from analyzer.syntax import text
from analyzer.values import NOTHING, WRAPPERS, Local, Names, Values, inner
from analyzer.world import World

_SCOPES = (
    "block if_statement for_statement expression_switch_statement type_switch_statement select_statement "
    "expression_case type_case communication_case default_case func_literal"
).split()
_OTHERS = "call_expression go_statement short_var_declaration var_spec range_clause receive_statement composite_literal".split()
_VALUES = "[(selector_expression) (identifier)] @value"
_VALUE_PLACES = (
    f"(argument_list {_VALUES})",
    f"(literal_element {_VALUES})",
    f"(return_statement (expression_list {_VALUES}))",
    f"(var_spec value: (expression_list {_VALUES}))",
    f"(short_var_declaration right: (expression_list {_VALUES}))",
    f"(assignment_statement right: (expression_list {_VALUES}))",
)
_QUERY = Query(GO, f"[{' '.join(f'({kind})' for kind in [*_SCOPES, *_OTHERS])}] @node {' '.join(_VALUE_PLACES)}")
_SCOPE_KINDS = frozenset(_SCOPES)
_ARE_VALUES = frozenset({"identifier", "selector_expression"})
_ARE_DONE = frozenset({"call_expression", "composite_literal"})


class Step(NamedTuple):
    """A call, a literal, or a name that is handed on as a value, and what names mean there.

    Attributes:
        node: the expression.
        names: the local names.
        sure: whether the function itself does it where control comes by: not in a goroutine, nor in a function that it
            keeps or gives to somebody.
        is_value: whether it is handed on.
    """

    node: Node
    names: Names
    sure: bool
    is_value: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function.

    Attributes:
        where: the package of the function that is called.
        name: the function.
        line: the line of the call, counted from 1.
        sure: whether it surely is the function that is called, and by the caller.
    """

    where: str
    name: str
    line: int
    sure: bool


class Calls:
    """The calls of one revision's functions.

    Args:
        packages: all that are held.
        options: the platforms.
    """

    def __init__(self, packages: Mapping[str, Package], options: Options) -> None:
        self.packages = packages
        self.world = World(packages)
        self.kinds = Kinds(packages, self.world)
        self.values = Values(self.kinds)
        self._options = options
        self._known: dict[tuple[str, str], tuple[Call, ...]] = {}
        self._asked: dict[tuple[str, str, str], tuple[Call, ...]] = {}
        self._steps: dict[tuple[str, str], list[tuple[str, Node, Step]]] = {}
        self._scopes: dict[tuple[str, bool], Scope] = {}

    @cached_property
    def functions(self) -> Mapping[tuple[str, str], Symbol]:
        """Every function that the target builds, by package and name. An ``init`` has its place in its name."""
        found: dict[tuple[str, str], Symbol] = {}
        for where, package in self.packages.items():
            found |= {(where, name): s for name, s in package.target.items() if s.declaration.is_function}
            for file in package.files.values():
                if file.on_target and not file.is_test:
                    for init in file.facts.inits:
                        found[where, f"init {file.path}:{init.line}"] = Symbol(init, file)
        return found

    def of(self, where: str, name: str) -> tuple[Call, ...]:
        """The calls of a function, in the order of its text."""
        key = where, name
        if key not in self._known:
            self._known[key] = tuple(self._calls(key, None))
            del self._steps[key]  # a tree weighs more than what it says
        return self._known[key]

    def to(self, bare: str, where: str, name: str) -> tuple[Call, ...]:
        """Those calls of a function that are of functions with a bare name: of most calls nobody asks what they mean."""
        key = where, name
        if key in self._known:
            return tuple(call for call in self._known[key] if call.name.rpartition(".")[2] == bare)
        if (bare, *key) not in self._asked:
            self._asked[bare, where, name] = tuple(self._calls(key, bare))
        return self._asked[bare, where, name]

    def _calls(self, key: tuple[str, str], bare: str | None) -> Iterator[Call]:
        seen: set[tuple[str, str, bool]] = set()
        for called, function, step in self._said(key):
            if bare is not None and called != bare:
                continue
            symbol = self.functions[key]
            for target, name, sure in self.targets(function, step.names, symbol):
                sure = sure and step.sure and not step.is_value  # noqa: PLW2901 - the same question, with all that is known
                if (target, name, sure) not in seen:
                    seen.add((target, name, sure))
                    yield Call(target, name, symbol.declaration.line + step.node.start_point.row - 1, sure)

    def _said(self, key: tuple[str, str]) -> list[tuple[str, Node, Step]]:
        """What a function calls or hands on that may be held: most calls are of others'."""
        if key not in self._steps:
            self._steps[key] = found = []
            symbol = self.functions.get(key)
            for step in self.steps(symbol) if symbol is not None else ():
                if step.node.type != "composite_literal":
                    function = step.node if step.is_value else step.node.child_by_field_name("function")
                    bare = _bare(function)
                    if function is not None and bare in self._names:
                        found.append((bare, function, step))
        return self._steps[key]

    @cached_property
    def _names(self) -> frozenset[str]:
        """The bare names of all functions."""
        return frozenset(name.rpartition(".")[2] for _, name in self.functions)

    def targets(self, function: Node | None, names: Names, symbol: Symbol) -> Iterator[tuple[str, str, bool]]:
        """The functions that an expression may mean: package, name, and whether it is sure."""
        meant = self.values.meant(function, names, symbol.file)
        if isinstance(meant, Method):
            caller = self.kinds.directory(symbol.file)
            interface = Named(meant.where, meant.name.partition(".")[0])
            for where, name in self.kinds.implementers(interface, meant.name.partition(".")[2]):
                # What is called back is called in the course of something else.
                yield where, name, caller not in self.imported_by(where)
        elif meant is not None:
            yield *meant, True

    def steps(self, symbol: Symbol, within: Node | None = None) -> Iterator[Step]:
        """What a function does on the target, in the order of its text.

        Args:
            symbol: the function, or a variable that holds a function.
            within: only what a function literal of it does, as if somebody calls it.
        """
        function = syntax.function_node(symbol.source) if symbol.declaration.is_function else within
        body = function.child_by_field_name("body") if function is not None else None
        if function is None or body is None or syntax.is_broken(function):
            return
        where = self.kinds.directory(symbol.file)
        key = where, not symbol.file.on_reference
        if key not in self._scopes:
            self._scopes[key] = Scope(self._options.target, self.packages[where].target, own=key[1])
        walk = _Walk(function, body, self._scopes[key])
        if within is None:
            yield from walk.steps()
        else:
            yield from (s for s in walk.steps(within) if within.start_byte <= s.node.start_byte < within.end_byte)

    def imported_by(self, where: str) -> frozenset[str]:
        """The packages that a package imports on the target, and those that these import."""
        if where not in self._closures:
            found: set[str] = set()
            work = [where]
            while work:
                for inner in self.imports[work.pop()] - found:
                    found.add(inner)
                    work.append(inner)
            self._closures[where] = frozenset(found - {where})
        return self._closures[where]

    @cached_property
    def _closures(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def imports(self) -> Mapping[str, frozenset[str]]:
        """By package, those that it imports on the target and that are held."""
        return {
            where: frozenset(
                found
                for file in package.files.values()
                if file.on_target and not file.is_test
                for path, _ in file.facts.imports
                if (found := self.world.modules.directory(path)) in self.packages and found is not None
            )
            for where, package in self.packages.items()
        }


class _Walk:
    """One walk through a function: which names hold where, and what the target never comes to."""

    def __init__(self, function: Node, body: Node, scope: Scope) -> None:
        self._function, self._body, self._scope = function, body, scope
        self._names = NOTHING
        self._open: list[tuple[int, Names, Node]] = []
        self._pending: list[tuple[int, list[tuple[str, Local]]]] = []
        self._dead: list[tuple[int, int]] = []
        self._unsure = 0
        self._next = body.end_byte  # where a scope ends, or a declaration begins to hold
        self._called: Node | None = None

    def steps(self, called: Node | None = None) -> Iterator[Step]:
        """The steps. A function literal that is known to be called counts as the function itself."""
        self._called = called
        for part in ("receiver", "parameters", "result"):
            self._parameters(self._function.child_by_field_name(part))
        captures = QueryCursor(_QUERY).captures(self._body)
        values = {node.id for node in captures.get("value", ())}
        nodes = sorted(
            (*captures.get("node", ()), *captures.get("value", ())), key=lambda n: (n.start_byte, -n.end_byte)
        )
        for node in nodes:
            start, kind = node.start_byte, node.type
            if start >= self._next:
                self._leave(start)
            if self._dead and any(a <= start < b for a, b in self._dead):
                continue
            if kind in _ARE_VALUES and node.id in values:
                yield Step(node, self._names, sure=False, is_value=True)
            elif kind in _ARE_DONE:
                yield Step(node, self._names, start >= self._unsure, is_value=False)
            else:
                self._enter(node, kind)

    def _leave(self, start: int) -> None:
        """Close what ends before a place, and let hold what is declared before it, in the order of the text."""
        while True:
            scope = self._open[-1][0] if self._open else None
            declared = self._pending[-1][0] if self._pending else None
            if scope is not None and scope <= start and (declared is None or scope <= declared):
                _, self._names, _ = self._open.pop()
            elif declared is not None and declared <= start:
                _, locals_ = self._pending.pop()
                for name, local in locals_:
                    self._names = self._names.bound(name, local)
            else:
                ends = (end for end in (scope, declared) if end is not None)
                self._next = min(ends, default=self._body.end_byte)
                return

    def _enter(self, node: Node, kind: str) -> None:
        if kind in _SCOPE_KINDS:
            self._open.append((node.end_byte, self._names, node))
            self._next = min(self._next, node.end_byte)
        match kind:
            case "if_statement":
                self._choice(node)
            case "expression_switch_statement":
                self._switch(node)
            case "type_case":
                self._type_case(node)
            case "func_literal":
                for part in ("parameters", "result"):
                    self._parameters(node.child_by_field_name(part))
                if _is_kept(node) and node != self._called:
                    self._unsure = max(self._unsure, node.end_byte)
            case "go_statement":
                self._unsure = max(self._unsure, node.end_byte)
            case "short_var_declaration" | "range_clause" | "receive_statement":
                self._declare(node)
            case "var_spec":
                self._variable(node)
            case _:
                pass

    def _parameters(self, parameters: Node | None) -> None:
        for parameter in parameters.named_children if parameters is not None else ():
            kind = parameter.child_by_field_name("type")
            for name in parameter.children_by_field_name("name"):
                self._names = self._names.bound(text(name), Local("type", kind, 0, NOTHING))

    def _declare(self, node: Node) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        names = [n for n in left.named_children if n.type != "comment"]
        if node.type == "range_clause":
            locals_ = [(text(n), Local("range", right, at, self._names)) for at, n in enumerate(names)]
        else:
            values = (
                [n for n in right.named_children if n.type != "comment"] if right.type == "expression_list" else [right]
            )
            locals_ = self._set_to(names, values)
        self._later(node.end_byte, [(name, local) for name, local in locals_ if name.isidentifier()])

    def _variable(self, node: Node) -> None:
        names, kind, value = (
            node.children_by_field_name("name"),
            node.child_by_field_name("type"),
            node.child_by_field_name("value"),
        )
        if kind is not None:
            locals_ = [(text(n), Local("type", kind, 0, NOTHING)) for n in names]
        else:
            locals_ = self._set_to(
                names, [n for n in value.named_children if n.type != "comment"] if value is not None else []
            )
        self._later(node.end_byte, locals_)

    def _set_to(self, names: list[Node], values: list[Node]) -> list[tuple[str, Local]]:
        if len(names) == len(values):
            return [(text(n), Local("value", v, 0, self._names)) for n, v in zip(names, values, strict=True)]
        one = values[0] if len(values) == 1 else None
        # Of a map, an assertion and a channel the second only tells whether there is something.
        plain = one is not None and one.type != "call_expression"
        return [(text(n), Local("value", None if plain and at else one, at, self._names)) for at, n in enumerate(names)]

    def _later(self, end: int, locals_: list[tuple[str, Local]]) -> None:
        if locals_:
            self._pending.append((end, locals_))
            self._next = min(self._next, end)
            self._pending.sort(key=lambda pending: -pending[0])

    def _type_case(self, node: Node) -> None:
        switch = next((n for _, _, n in reversed(self._open) if n.type == "type_switch_statement"), None)
        alias = switch.child_by_field_name("alias") if switch is not None else None
        kinds = node.children_by_field_name("type")
        if alias is not None:
            local = Local("type", kinds[0] if len(kinds) == 1 else None, 0, NOTHING)
            self._names = self._names.bound(text(alias), local)

    def _choice(self, node: Node) -> None:
        truth = self._scope.truth(node.child_by_field_name("condition"))
        yes, no = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        if truth is Truth.NO and yes is not None:
            self._dead.append((yes.start_byte, yes.end_byte))
        elif truth is Truth.YES:
            if no is not None:
                self._dead.append((no.start_byte, no.end_byte))
            if yes is not None and leaves(list(syntax.statements(yes))):
                outer = self._open[-2][0] if len(self._open) > 1 else self._body.end_byte
                self._dead.append((node.end_byte, outer))

    def _switch(self, node: Node) -> None:
        value = node.child_by_field_name("value")
        sure = False
        for case in node.named_children:
            if case.type == "expression_case":
                values = case.child_by_field_name("value")
                truth = (
                    Truth.NO
                    if sure
                    else self._scope.matches(value, values.named_children if values is not None else ())
                )
                if truth is Truth.NO:
                    self._dead.append((case.start_byte, case.end_byte))
                sure = sure or truth is Truth.YES
            elif case.type == "default_case" and sure:
                self._dead.append((case.start_byte, case.end_byte))


def _bare(function: Node | None) -> str:
    """The name of what is called, without what stands before its dot or around it."""
    while function is not None and function.type in WRAPPERS:
        function = inner(function)
    if function is None:
        return ""
    if function.type == "selector_expression":
        return text(function.child_by_field_name("field"))
    return text(function) if function.type == "identifier" else ""


def _is_kept(literal: Node) -> bool:
    """Whether a function literal is kept or given away, so that others call it."""
    parent = literal.parent
    while parent is not None and parent.type in {"expression_list", "parenthesized_expression", "literal_element"}:
        parent = parent.parent
    return parent is not None and parent.type in {
        "return_statement",
        "keyed_element",
        "literal_value",
        "assignment_statement",
    }
