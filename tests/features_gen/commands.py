"""The docker command line: its tree of cobra commands, and which methods of the engine's client each calls."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tree_sitter import Node

from tests.features_gen.go import Code, Function, arguments, called, calls, literal, text, walk
from tests.features_gen.options import options

ROOT = "docker"
_RUN = re.compile(r"(?:Persistent)?(?:Pre|Post)?RunE?")
_COMMAND = "*cobra.Command"


class Command(NamedTuple):
    """A command that does something.

    Attributes:
        names: all its full names; the shortest and then the first is what people call it.
        methods: the methods of the client that it may call.
        options: by option, the fields of the engine's API that it fills.
    """

    names: tuple[str, ...]
    methods: frozenset[str]
    options: Mapping[str, list[str]] = MappingProxyType({})


class _Maker(NamedTuple):
    """A function that makes a command: its own words for it, what it wraps, and the makers of its subcommands."""

    function: Function
    use: str
    aliases: tuple[str, ...]
    wraps: str
    children: tuple[str, ...]
    runs: tuple[Node, ...]


class CommandLine:
    """All commands of a repository."""

    def __init__(self, code: Code, methods: dict[str, Function]) -> None:
        """The code; the client's methods by name."""
        self._code = code
        self._methods = methods
        makers = {key for key, each in code.functions.items() if each.results == _COMMAND and not each.receiver}
        self._makers = {key: self._maker(code.functions[key], makers) for key in makers}
        self._stored = dict(self._registries())

    def commands(self) -> list[Command]:
        """The commands that do something, sorted by name."""
        names: dict[str, list[str]] = defaultdict(list)
        children = {child for maker in self._makers.values() for child in maker.children}
        wrapped = {maker.wraps for maker in self._makers.values()}
        tops = {
            key
            for function in self._code.functions.values()
            if function.key not in self._makers
            for key in self._code.edges(function)
            if key in self._makers
        }
        for top in sorted(tops or (self._makers.keys() - children - wrapped)):
            self._name(top, ROOT, names)
        found = [
            Command(tuple(sorted(dict.fromkeys(called), key=_length)), self._calls(base), self._options(base))
            for base, called in names.items()
            if self._makers[base].runs
        ]
        return sorted(found)

    def _maker(self, function: Function, makers: set[str]) -> _Maker:
        use, aliases, runs, children = "", (), [], []
        for node in walk(function.body):
            if node.type == "keyed_element" and len(node.named_children) == 2:
                key, value = (_inner(each) for each in node.named_children)
                use = use or (literal(value) or "" if text(key) == "Use" else "")
                aliases = aliases or (tuple(_strings(value)) if text(key) == "Aliases" else ())
                if _RUN.fullmatch(text(key)) and not _shows_help(value):
                    runs.append(value)
            elif node.type == "assignment_statement":
                left, right = (node.child_by_field_name(side) for side in ("left", "right"))
                name = text(left).rpartition(".")[2]
                if right is None or "." not in text(left):
                    continue
                value = right.named_children[0]
                use = literal(value) or use if name == "Use" else use
                aliases = tuple(_strings(value)) if name == "Aliases" else aliases
                if _RUN.fullmatch(name):
                    runs.append(value)
            elif node.type == "call_expression" and called(node)[1] == "AddCommand":
                for given in arguments(node):
                    children += sorted(self._code.edges(function, [given]) & makers)
        inherited = (self._code.edges(function) & makers) - set(children)
        wraps = next(iter(sorted(inherited)), "") if not runs else ""
        return _Maker(function, use.split(" ")[0], aliases, wraps, tuple(children), tuple(runs))

    def _name(self, key: str, parent: str, names: dict[str, list[str]], depth: int = 0) -> None:
        """Name what a maker makes, as a subcommand of a parent, and all below it."""
        use, aliases, base = "", (), key
        while True:
            maker = self._makers[base]
            use, aliases = use or maker.use, aliases or maker.aliases
            if not maker.wraps or maker.children or depth > 5:
                break
            base = maker.wraps
        if not use:
            return
        for word in (use, *aliases):
            full = parent if word == parent == ROOT else f"{parent} {word}"
            names[base].append(full)
            for child in maker.children:
                if word == use:
                    self._name(child, full, names, depth + 1)

    def _calls(self, base: str) -> frozenset[str]:
        """The client's methods that a command reaches from what it runs."""
        maker = self._makers[base]
        start = self._code.edges(maker.function, maker.runs)
        found = set(self._client_calls(maker.function, maker.runs))
        seen: set[str] = set()
        todo = list(start)
        while todo:
            key = todo.pop()
            if key in seen or key in self._makers:
                continue
            seen.add(key)
            function = self._code.functions[key]
            found |= set(self._client_calls(function, [function.body]))
            todo += self._code.edges(function)
            todo += self._stored.get(key, ())
        return frozenset(found)

    def _options(self, base: str) -> dict[str, list[str]]:
        """What the options of a command fill: it declares them, or what it calls for that, and what it runs uses them."""
        maker = self._makers[base].function
        near = {key for key in self._code.edges(maker) if key not in self._makers}
        makes = [maker, *(self._code.functions[key] for key in sorted(near))]
        start = self._code.edges(maker, self._makers[base].runs)
        reached = self._code.reach((key for key in start if key not in self._makers), frozenset(self._makers))
        runs = [f for key in sorted(reached) if (f := self._code.functions[key]).folder == maker.folder]
        return options(self._code, makes, [maker, *runs])

    def _client_calls(self, function: Function, within: tuple[Node, ...] | list[Node]) -> Iterator[str]:
        imports = self._code.imports[function.file]
        for root in within:
            for call in calls(root):
                operand, name = called(call)
                method = self._methods.get(name)
                given = arguments(call)
                if method is None or operand is None or text(operand) in imports or not given:
                    continue
                if method.takes(len(given)) and _is_context(given[0]):
                    yield name

    def _registries(self) -> Iterator[tuple[str, set[str]]]:
        """By reader: the functions that others have it keep in a variable of its package."""
        keepers = {key: kept for key in self._code.functions if (kept := set(self._keeps(key)))}
        stored: dict[str, set[str]] = defaultdict(set)
        for function in self._code.functions.values():
            if not self._code.edges(function) & keepers.keys():
                continue
            for call in calls(function.body):
                for keeper in self._code.edges(function, [call.child_by_field_name("function") or call]):
                    for variable in keepers.get(keeper, ()):
                        stored[variable] |= self._code.edges(function, arguments(call))
        for function in self._code.functions.values():
            words = {text(node) for node in walk(function.body) if node.type == "identifier"} if stored else set()
            for variable, kept in stored.items():
                folder, _, name = variable.partition(":")
                if folder == function.folder and name in words:
                    yield function.key, kept

    def _keeps(self, key: str) -> Iterator[str]:
        """The variables of its package in which a function keeps what it is given."""
        function = self._code.functions[key]
        parameters = {name for name, _ in function.parameters}
        for node in walk(function.body):
            if node.type != "assignment_statement":
                continue
            left, right = (node.child_by_field_name(side) for side in ("left", "right"))
            target = left.named_children[0] if left else node
            if target.type == "index_expression":
                target = target.child_by_field_name("operand") or target
            variable = f"{function.folder}:{text(target)}"
            if variable in self._code.variables and right is not None:
                values = {text(each) for each in walk(right) if each.type == "identifier"}
                if values & parameters and text(target) not in parameters:
                    yield variable


def _length(name: str) -> int:
    return len(name.split())


def _inner(node: Node) -> Node:
    return node.named_children[0] if node.type == "literal_element" else node


def _strings(node: Node) -> Iterator[str]:
    return (value for each in walk(node) if (value := literal(each)) is not None)


def _shows_help(node: Node) -> bool:
    return node.type == "call_expression" and called(node)[1] == "ShowHelp"


def _is_context(node: Node) -> bool:
    """Whether an argument is a context.Context, by the words that everybody uses for it."""
    said = text(node)
    return said.lower().endswith("ctx") or said.startswith("context.") or said.endswith(".Context()")
