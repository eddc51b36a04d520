"""The routes of an HTTP API: where a path, a method and a handler are handed to a router."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from analyzer import syntax
from analyzer.calls import Calls, Step
from analyzer.entries import Entry, Root, handlers
from analyzer.symbols import Symbol
from analyzer.syntax import text

# Names of what takes routes: NewGetRoute, GET, Handle, HandleFunc, AddRoute.
_TAKES = re.compile(
    r"^(?:New|Add|Register)?(?P<method>Get|Post|Put|Delete|Head|Options|Patch|GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|)"
    r"(?:Route|Handle|Handler|HandleFunc|HandlerFunc|Func|)$|^(?:handle|route|handleFunc)$"
)
_METHOD = re.compile(
    r"^(?:http\.Method|\")(Get|Post|Put|Delete|Head|Options|Patch|GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH)\"?$"
)
_WITH_METHOD = re.compile(r"^(GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH) +(?=/)")
# A variable's pattern: {name:.*}. A path has no space in it.
_PATTERN = re.compile(r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}")
_PATH = re.compile(r"^/[^\s%]*$")
_LIKELY = re.compile(rb"[\"`](?:(?:GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH) +)?/")
# Constants that are made of constants are not followed further.
MAX_PARTS = 8


def find(calls: Calls) -> Iterator[Root]:
    """The handlers of all routes."""
    for symbol in calls.functions.values():
        if not _LIKELY.search(symbol.source) or symbol.file.helps_tests:
            continue
        for step in calls.steps(symbol):
            if step.node.type == "call_expression":
                yield from _routes(step, symbol, calls)


def _routes(step: Step, symbol: Symbol, calls: Calls) -> Iterator[Root]:
    function, arguments = step.node.child_by_field_name("function"), step.node.child_by_field_name("arguments")
    takes = _TAKES.match(text(function).rpartition(".")[2]) if function is not None else None
    given = [n for n in arguments.named_children if n.type != "comment"] if arguments is not None else []
    if takes is None or len(given) < 2:
        return
    said = [m[1] for m in map(_METHOD.match, map(text, given)) if m] or [takes["method"] or ""]
    for at, argument in enumerate(given[:3]):
        path = _path(argument, symbol, calls)
        method = _WITH_METHOD.match(path)
        bare = _PATTERN.sub(r"{\1}", path[method.end() :] if method else path)
        if not _PATH.match(bare):
            continue
        methods = [method[1]] if method else [m for m in said if m] or _chained(step.node) or [""]
        for one in methods:
            entry = Entry("route", f"{one.upper()} {bare}".strip())
            for value in given[at + 1 :]:
                yield from handlers(entry, value, step, symbol, calls)
        return


def _path(node: Node, symbol: Symbol, calls: Calls, depth: int = 0) -> str:
    """The text that an expression is: a literal, a constant, a sum of them, or what a call is given alone."""
    if depth > MAX_PARTS:
        return ""
    match node.type:
        case "interpreted_string_literal" | "raw_string_literal":
            return text(node)[1:-1]
        case "binary_expression" if text(node.child_by_field_name("operator")) == "+":
            sides = (node.child_by_field_name("left"), node.child_by_field_name("right"))
            parts = [_path(side, symbol, calls, depth + 1) for side in sides if side is not None]
            return "".join(parts) if all(parts) else ""
        case "identifier":
            own = calls.packages[calls.kinds.directory(symbol.file)].target.get(text(node))
            is_constant = own is not None and own.declaration.kind == "const"
            value = syntax.initial_value(own.source, own.name) if own is not None and is_constant else None
            return _path(value, own, calls, depth + 1) if value is not None and own is not None else ""
        case "call_expression":
            arguments = node.child_by_field_name("arguments")
            inner = [n for n in arguments.named_children if n.type != "comment"] if arguments is not None else []
            return _path(inner[0], symbol, calls, depth + 1) if len(inner) == 1 else ""
        case _:
            return ""


def _chained(call: Node) -> list[str]:
    """The methods of what follows a call: ``.Methods("GET", http.MethodHead)``."""
    selector = call.parent
    outer = selector.parent if selector is not None and selector.type == "selector_expression" else None
    if selector is None or outer is None or outer.type != "call_expression":
        return []
    arguments = outer.child_by_field_name("arguments")
    if text(selector.child_by_field_name("field")) != "Methods" or arguments is None:
        return _chained(outer)
    return [m[1] for m in map(_METHOD.match, map(text, arguments.named_children)) if m]
