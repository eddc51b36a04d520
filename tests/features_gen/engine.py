"""The Docker Engine: which routes its routers serve, and which request each method of its Go client makes."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tree_sitter import Node

from tests.features_gen.go import Code, Function, arguments, called, calls, literal, text
from tests.features_gen.paths import Request, without_patterns

_ROUTE = re.compile(r"New(Get|Head|Post|Put|Delete|Options)Route")
_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_FORMAT = re.compile(r"%[+#]?[a-zA-Z]")


class Route(NamedTuple):
    """A row of a router's table."""

    verb: str
    path: str
    min_api: str | None
    experimental: bool

    @property
    def request(self) -> Request:
        """Its verb and path."""
        return Request(self.verb, self.path)


def router(path: str) -> bool:
    """Whether a file may declare routes."""
    return "server/router/" in path


def routes(code: Code) -> list[Route]:
    """All routes that are declared with a literal path, sorted."""
    found = {route.request: route for tree in code.trees.values() for route in _declared(tree, experimental=False)}
    return [found[request] for request in sorted(found, key=lambda request: (request.path, request.verb))]


def _declared(node: Node, *, experimental: bool) -> Iterator[Route]:
    if node.type == "call_expression":
        _, name = called(node)
        given = arguments(node)
        if (match := _ROUTE.fullmatch(name)) and given and (path := literal(given[0])) is not None:
            versions = [
                literal(arguments(each)[0]) for each in calls(node) if called(each)[1] == "WithMinimumAPIVersion"
            ]
            marked = experimental or any(text(each).endswith("Experimental") for each in given[1:])
            yield Route(match[1].upper(), without_patterns(path), next(iter(versions), None), marked)
        experimental = experimental or name == "Experimental"
    for child in node.named_children:
        yield from _declared(child, experimental=experimental)


class _Sender(NamedTuple):
    """A function that sends a request: its verb, or which argument that is, and which argument is the path."""

    verb: str | int
    path: int


class Client:
    """The client's exported methods, and the requests that each makes."""

    def __init__(self, code: Code) -> None:
        """A package's folder is all that there may be."""
        self._code = code
        self._senders: dict[str, _Sender] = {}
        self._find_senders()
        own = self._senders.keys()
        # What each request needs by itself, such as agreeing on a version, is no method's own.
        self.overhead = frozenset(code.reach(own) - own)
        self.methods = {
            each.name: each
            for each in code.functions.values()
            if each.receiver == "Client" and each.name[0].isupper() and _takes_context(each)
        }

    def _find_senders(self) -> None:
        """Who passes a path on to who sends it, from net/http up."""
        names = {each.name for each in self._code.functions.values() if each.receiver}
        grown = True
        while grown:
            grown = False
            for function in self._code.functions.values():
                if function.key in self._senders:
                    continue
                for call, sender in self._sent(function):
                    given = arguments(call)
                    place = _parameter_in(function, given[sender.path])
                    if place is not None and not (function.name[0].isupper() and function.name in names):
                        self._senders[function.key] = _Sender(self._verb(function, sender, given), place)
                        grown = True

    def _sent(self, function: Function) -> Iterator[tuple[Node, _Sender]]:
        """The calls in a function that send a request."""
        for call in calls(function.body):
            operand, name = called(call)
            if text(operand) == "http" and name in {"NewRequest", "NewRequestWithContext"}:
                first = int(name.endswith("Context"))
                yield call, _Sender(first, first + 1)
            else:
                key = f"{function.folder}:{function.receiver if operand is not None else ''}.{name}"
                sender = self._senders.get(key)
                if sender is None and operand is not None:
                    sender = self._senders.get(f"{function.folder}:Client.{name}")
                if sender is not None and len(arguments(call)) > sender.path:
                    yield call, sender

    @staticmethod
    def _verb(function: Function, sender: _Sender, given: list[Node]) -> str | int:
        if isinstance(sender.verb, str):
            return sender.verb
        said = text(given[sender.verb])
        names = [name for name, _ in function.parameters]
        return names.index(said) if said in names else _verb_of(said)

    def requests(self, method: str) -> frozenset[Request]:
        """What a method asks the engine for, itself and through the functions that it calls."""
        start = self.methods[method]
        cut = frozenset(self._senders) | (frozenset() if start.key in self.overhead else self.overhead)
        found = set()
        for key in self._code.reach([start.key], cut):
            function = self._code.functions[key]
            for call, sender in self._sent(function):
                given = arguments(call)
                verb = self._verb(function, sender, given)
                path = _path(function, given[sender.path])
                if isinstance(verb, str) and verb in _VERBS and "/" in path:
                    found.add(Request(verb, path[path.index("/") :]))
        return frozenset(found)


def _verb_of(said: str) -> str:
    return said.removeprefix("http.Method").strip('"').upper()


def _takes_context(function: Function) -> bool:
    return bool(function.parameters) and function.parameters[0][1] == "context.Context"


def _parameter_in(function: Function, node: Node) -> int | None:
    """Which parameter of a function an expression passes on unchanged, or as one argument of a call."""
    names = [name for name, kind in function.parameters if kind == "string"]
    if node.type == "call_expression":
        inner = [each for each in arguments(node) if each.type == "identifier" and text(each) in names]
        node = inner[0] if inner else node
    if node.type == "identifier" and text(node) not in names:
        values = function.locals().get(text(node), [])
        return _parameter_in(function, values[0]) if len(values) == 1 else None
    if text(node) not in names:
        return None
    return [name for name, _ in function.parameters].index(text(node))


def _path(function: Function, node: Node, depth: int = 0) -> str:
    """An expression as a path; ``{}`` stands for what is only known when it runs."""
    if (value := literal(node)) is not None:
        return value
    if node.type == "binary_expression" and text(node.child_by_field_name("operator")) == "+":
        sides = [node.child_by_field_name(side) for side in ("left", "right")]
        return "".join(_path(function, side, depth) for side in sides if side is not None)
    if node.type == "call_expression":
        _, name = called(node)
        given = arguments(node)
        if name == "Sprintf" and given:
            return _FORMAT.sub("{}", literal(given[0]) or "{}")
        if name == "Join":
            return "/".join(_path(function, each, depth).strip("/") for each in given)
    if node.type == "identifier" and depth < 3:
        values = function.locals().get(text(node), [])
        if len(values) == 1:
            return _path(function, values[0], depth + 1)
    return "{}"
