"""The commands of a program: values that have a name and what is run, and which command each belongs to."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from analyzer import syntax
from analyzer.calls import Calls, Step
from analyzer.entries import Entry, Root, handlers
from analyzer.starts import mains, program
from analyzer.symbols import Symbol
from analyzer.syntax import text
from analyzer.values import NOTHING

_LIBRARIES = re.compile(r"(?:^|/)(?:cobra|cli)(?:/v\d+)?$")
_NAMES = ("Use", "Name")
_RUNS = ("Run", "RunE", "Action")
_APP = re.compile(rb"\.Name = \"(\S+?)\"")
# A command that belongs to itself ends here.
MAX_DEPTH = 6
_LIKELY = (b"Command{", b".AddCommand(", b"Command:")

Key = tuple[str, str, str]
"""A package, the function that makes the command ("" for a variable of the package), and the variable ("" for none)."""


@dataclass
class _Command:
    name: str
    symbol: Symbol
    roots: list[tuple[Node, Step]] = field(default_factory=list)
    inner: list[Key] = field(default_factory=list)


class _Tree:
    """All commands of a revision, and who adds whom."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.commands: dict[Key, _Command] = {}
        self.parents: dict[Key, Key] = {}
        self._added: list[tuple[Key | str, Node, Step, Symbol]] = []

    def read(self) -> None:
        """Read all of them."""
        for (where, name), symbol in self._calls.functions.items():
            if any(word in symbol.source for word in _LIKELY) and not symbol.file.helps_tests:
                for step in self._calls.steps(symbol):
                    if step.node.type == "composite_literal":
                        self._literal(step, symbol, (where, name))
                    elif text(step.node.child_by_field_name("function")).endswith(".AddCommand"):
                        self._adds(step, symbol)
        for where, package in self._calls.packages.items():
            for symbol in package.target.values():
                if symbol.declaration.kind == "var" and b"Command{" in symbol.source:
                    value = syntax.initial_value(symbol.source, symbol.name)
                    inner = (
                        value.child_by_field_name("operand")
                        if value is not None and value.type == "unary_expression"
                        else value
                    )
                    if inner is not None and inner.type == "composite_literal":
                        self._literal(Step(inner, NOTHING, sure=True, is_value=False), symbol, (where, ""))
        for parent, child, step, symbol in self._added:
            self._belongs(parent, child, step, symbol)

    def _literal(self, step: Step, symbol: Symbol, made_by: tuple[str, str]) -> None:
        fields = _fields(step.node)
        if "Parent" in fields and "Command" in fields:
            parent = self._key(fields["Parent"], symbol)
            if parent is not None:
                self._added.append((parent, fields["Command"], step, symbol))
            return
        if not self._is_command(step.node, symbol):
            return
        spelt = next((fields[n] for n in _NAMES if n in fields), None)
        name = _word(spelt)
        if spelt is not None and not name and text(spelt).endswith(".Use"):
            other = self._key(spelt.child_by_field_name("operand"), symbol)
            own = self._calls.packages[made_by[0]].target.get(other[2]) if other is not None else None
            found = re.search(rb"\bUse:\s*\"([^\s\"]+)", own.source) if own is not None else None
            name = found[1].decode(errors="replace") if found else ""
        if not name:
            return
        variable = symbol.name if not made_by[1] else _variable(step.node)
        command = self.commands.setdefault((*made_by, variable), _Command(name, symbol))
        command.roots += [(fields[n], step) for n in _RUNS if n in fields]
        nested = fields.get("Subcommands", fields.get("Commands"))
        for value in _listed(nested):
            self._added.append(((*made_by, variable), value, step, symbol))

    def _is_command(self, literal: Node, symbol: Symbol) -> bool:
        kind = literal.child_by_field_name("type")
        qualifier, dot, name = text(kind).rpartition(".")
        if not dot or name != "Command":
            return False
        return bool(_LIBRARIES.search(self._calls.kinds.foreign(symbol.file, qualifier)))

    def _adds(self, step: Step, symbol: Symbol) -> None:
        function, arguments = step.node.child_by_field_name("function"), step.node.child_by_field_name("arguments")
        operand = function.child_by_field_name("operand") if function is not None else None
        if operand is None or arguments is None:
            return
        where = self._calls.kinds.directory(symbol.file)
        local = (where, symbol.name, text(operand))
        key = local if step.names.find(text(operand)) is not None else self._key(operand, symbol)
        for argument in arguments.named_children:
            if key is not None and argument.type != "comment":
                self._added.append((key, argument, step, symbol))

    def _key(self, node: Node | None, symbol: Symbol) -> Key | None:
        """The command that a variable of a package is."""
        if node is None:
            return None
        if node.type == "identifier":
            return (self._calls.kinds.directory(symbol.file), "", text(node))
        package = self._calls.values.package(node.child_by_field_name("operand"), NOTHING, symbol.file)
        return (package.dir, "", text(node.child_by_field_name("field"))) if package is not None else None

    def _belongs(self, parent: Key | str, child: Node, step: Step, symbol: Symbol) -> None:
        if isinstance(parent, str) or parent not in self.commands:
            return
        for key in self._meant(child, step, symbol):
            if key in self.commands and key != parent:
                self.parents.setdefault(key, parent)

    def _meant(self, child: Node, step: Step, symbol: Symbol) -> Iterator[Key]:
        if child.type == "call_expression":
            function = child.child_by_field_name("function")
            for where, name, _ in self._calls.targets(function, step.names, symbol):
                yield from self._made_by(where, name)
        elif child.type in {"identifier", "selector_expression"}:
            local = (self._calls.kinds.directory(symbol.file), symbol.name, text(child))
            key = local if local in self.commands else self._key(child, symbol)
            if key is not None:
                yield key

    def _made_by(self, where: str, name: str) -> Iterator[Key]:
        """The commands that a function makes and that are no part of another one of it."""
        own = [key for key in self.commands if key[:2] == (where, name)]
        yield from (key for key in own if self.parents.get(key, ("", "", ""))[:2] != (where, name))

    def path(self, key: Key) -> tuple[str, ...]:
        """The words of a command, from the program's name on."""
        words: list[str] = []
        seen: set[Key] = set()
        at: Key | None = key
        while at is not None and at not in seen and len(words) < MAX_DEPTH:
            seen.add(at)
            words.insert(0, self.commands[at].name)
            at = self.parents.get(at)
        return tuple(words)


def find(calls: Calls) -> Iterator[Root]:
    """What is run for each command. One that is a program's own, with no name behind it, is its start."""
    tree = _Tree(calls)
    tree.read()
    programs: dict[str, set[str]] = defaultdict(set)
    for where in mains(calls):
        for inner in (where, *calls.imported_by(where)):
            programs[inner].add(program(where))
    tops = {command.name for key, command in tree.commands.items() if key not in tree.parents}
    for symbol in calls.functions.values():
        if b"NewApp()" in symbol.source:
            tops |= {name.decode(errors="replace") for name in _APP.findall(symbol.source)}
    for key, command in tree.commands.items():
        words, mine = tree.path(key), programs[key[0]]
        # Of several programs the one counts that is a command itself.
        own = mine if len(mine) == 1 else mine & tops
        if len(words) == 1 and words[0] in mine:
            entry = Entry("start", words[0])
        else:
            entry = Entry("command", " ".join(words if words[0] in mine or len(own) != 1 else (*own, *words)))
        for value, step in command.roots:
            yield from handlers(entry, value, step, command.symbol, calls)


def _fields(literal: Node) -> dict[str, Node]:
    """The values of a literal by the names of its fields."""
    body = literal.child_by_field_name("body")
    found: dict[str, Node] = {}
    for element in body.named_children if body is not None else ():
        key, value = element.child_by_field_name("key"), element.child_by_field_name("value")
        if element.type == "keyed_element" and key is not None and value is not None and value.named_children:
            found[text(key)] = value.named_children[0]
    return found


def _listed(literal: Node | None) -> list[Node]:
    body = literal.child_by_field_name("body") if literal is not None else None
    elements = body.named_children if body is not None else []
    return [e.named_children[0] for e in elements if e.type == "literal_element" and e.named_children]


def _word(node: Node | None) -> str:
    """The first word of a text."""
    while node is not None and node.type == "binary_expression":
        node = node.child_by_field_name("left")
    if node is None or not node.type.endswith("string_literal"):
        return ""
    return next(iter(text(node)[1:-1].split()), "")


def _variable(literal: Node) -> str:
    """The variable that a literal is the first value of."""
    node = literal.parent
    while node is not None and node.type in {"unary_expression", "expression_list"}:
        node = node.parent
    if node is None or node.type not in {"short_var_declaration", "assignment_statement", "var_spec"}:
        return ""
    left = node.child_by_field_name("left") or node.child_by_field_name("name")
    first = left.named_children[0] if left is not None and left.named_children else left
    return text(first)
