"""Go source as the generator needs it: functions, who mentions whom, and what a local name stands for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from tree_sitter import Node

from analyzer import grammar

# A method call whose receiver is unknown may be any of so many methods of its name; more say nothing.
MOST_CANDIDATES = 4
_NAMES = frozenset({"identifier", "field_identifier", "package_identifier", "type_identifier"})


def text(node: Node | None) -> str:
    """The source of a node."""
    return node.text.decode() if node is not None and node.text is not None else ""


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, in the order of the source."""
    yield node
    for child in node.named_children:
        yield from walk(child)


def calls(node: Node) -> Iterator[Node]:
    """The calls at and below a node."""
    return (each for each in walk(node) if each.type == "call_expression")


def arguments(call: Node) -> list[Node]:
    """What a call passes."""
    given = call.child_by_field_name("arguments")
    return [each for each in given.named_children if each.type != "comment"] if given else []


def called(call: Node) -> tuple[Node | None, str]:
    """What a call is of: the operand before the dot, or None, and the name."""
    function = call.child_by_field_name("function")
    if function is not None and function.type == "selector_expression":
        return function.child_by_field_name("operand"), text(function.child_by_field_name("field"))
    return None, text(function)


def literal(node: Node | None) -> str | None:
    """The value of a string literal."""
    if node is not None and node.type in {"interpreted_string_literal", "raw_string_literal"}:
        return text(node)[1:-1]
    return None


class Function(NamedTuple):
    """A function or method. ``receiver`` is its type's name without a star, or ""."""

    folder: str
    file: str
    name: str
    receiver: str
    parameters: tuple[tuple[str, str], ...]
    results: str
    body: Node

    @property
    def key(self) -> str:
        """Its name within the repository."""
        return f"{self.folder}:{self.receiver}.{self.name}"

    @property
    def variadic(self) -> bool:
        """Whether it takes any number of what comes last."""
        return bool(self.parameters) and self.parameters[-1][1].startswith("...")

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        least = len(self.parameters) - self.variadic
        return count >= least if self.variadic else count == least

    def locals(self) -> dict[str, list[Node]]:
        """Local names and what is assigned to them, where a value can be told apart."""
        found: dict[str, list[Node]] = {}
        for node in walk(self.body):
            if node.type in {"short_var_declaration", "assignment_statement", "range_clause"}:
                left, right = (node.child_by_field_name(side) for side in ("left", "right"))
                names = [text(name) for name in left.named_children if name.type == "identifier"] if left else []
                values = right.named_children if right and node.type != "range_clause" else []
                if node.type != "assignment_statement":
                    found |= {name: found.get(name, []) for name in names}
                if len(values) == len(left.named_children if left else []) == len(names):
                    for name, value in zip(names, values, strict=True):
                        found.get(name, []).append(value)
            elif node.type in {"var_spec", "parameter_declaration"}:
                for name in node.children_by_field_name("name"):
                    found.setdefault(text(name), [])
        return found


class Code:
    """All Go files of a repository, by folder."""

    def __init__(self, files: dict[str, bytes], prefix: str) -> None:
        """Files by path; the import path of the repository's root."""
        self.prefix = prefix
        self.trees = {path: grammar.parse(content).root_node for path, content in sorted(files.items())}
        self.imports = {path: dict(self._imports(tree)) for path, tree in self.trees.items()}
        self.functions = {each.key: each for path, tree in self.trees.items() for each in self._functions(path, tree)}
        self.variables = {
            f"{path.rpartition('/')[0]}:{text(name)}"
            for path, tree in self.trees.items()
            for top in tree.named_children
            if top.type == "var_declaration"
            for group in top.named_children
            for spec in ([group] if group.type == "var_spec" else group.named_children)
            for name in spec.children_by_field_name("name")
        }
        self._locals: dict[str, frozenset[str]] = {}
        self._edges: dict[str, frozenset[str]] = {}

    @cached_property
    def _methods(self) -> dict[str, list[Function]]:
        found = defaultdict(list)
        for each in self.functions.values():
            if each.receiver:
                found[each.name].append(each)
        return found

    def _imports(self, tree: Node) -> Iterator[tuple[str, str]]:
        """Local names of imports; a folder for those of this repository, and the whole path for others."""
        for spec in walk(tree):
            if spec.type == "import_spec":
                path = literal(spec.child_by_field_name("path")) or ""
                name = text(spec.child_by_field_name("name")) or path.rpartition("/")[2]
                inside = path == self.prefix or path.startswith(f"{self.prefix}/")
                yield name, path.removeprefix(self.prefix).removeprefix("/") if inside else f"//{path}"

    @staticmethod
    def _functions(path: str, tree: Node) -> Iterator[Function]:
        for at, node in enumerate(tree.named_children):
            body = node.child_by_field_name("body")
            if node.type not in {"function_declaration", "method_declaration"} or body is None:
                continue
            receiver = node.child_by_field_name("receiver")
            owner = ""
            if receiver is not None:
                owner = next((text(each) for each in walk(receiver) if each.type == "type_identifier"), "")
            name = text(node.child_by_field_name("name"))
            yield Function(
                path.rpartition("/")[0],
                path,
                # A package has any number of them.
                f"{name}@{path}:{at}" if name == "init" and not owner else name,
                owner,
                tuple(_parameters(node)),
                text(node.child_by_field_name("result")),
                body,
            )

    def edges(self, function: Function, within: Iterable[Node] | None = None) -> frozenset[str]:
        """The functions that one mentions: it calls them, or passes them on."""
        if within is None:
            if function.key not in self._edges:
                self._edges[function.key] = frozenset(self._mentions(function, [function.body]))
            return self._edges[function.key]
        return frozenset(self._mentions(function, within))

    def _mentions(self, function: Function, within: Iterable[Node]) -> Iterator[str]:
        if function.key not in self._locals:
            given = {name for name, _ in function.parameters}
            self._locals[function.key] = frozenset(given | function.locals().keys())
        local = self._locals[function.key]
        imports = self.imports[function.file]
        for root in within:
            for node in walk(root):
                if node.type == "identifier" and text(node) not in local:
                    yield from self._known(function.folder, text(node))
                elif node.type == "selector_expression":
                    operand, name = text(node.child_by_field_name("operand")), text(node.child_by_field_name("field"))
                    if operand in imports and operand not in local:
                        yield from self._known(imports[operand], name)
                elif node.type == "call_expression":
                    yield from self._method(function, node, local)

    def _known(self, folder: str, name: str) -> Iterator[str]:
        if (key := f"{folder}:.{name}") in self.functions:
            yield key

    def _method(self, function: Function, call: Node, local: frozenset[str]) -> Iterator[str]:
        operand, name = called(call)
        imports = self.imports[function.file]
        if operand is None or (text(operand) in imports and text(operand) not in local):
            return
        near = {function.folder, *imports.values()}
        fitting = [each for each in self._methods[name] if each.folder in near and each.takes(len(arguments(call)))]
        if len(fitting) <= MOST_CANDIDATES:
            yield from (each.key for each in fitting)

    def reach(self, start: Iterable[str], cut: frozenset[str] = frozenset()) -> set[str]:
        """The functions that some reach, themselves included; those that are cut are not entered."""
        seen: set[str] = set()
        todo = list(start)
        while todo:
            key = todo.pop()
            if key not in seen:
                seen.add(key)
                todo += self.edges(self.functions[key]) - cut
        return seen


def _parameters(node: Node) -> Iterator[tuple[str, str]]:
    given = node.child_by_field_name("parameters")
    for each in given.named_children if given else []:
        if each.type not in {"parameter_declaration", "variadic_parameter_declaration"}:
            continue
        kind = ("..." if each.type.startswith("variadic") else "") + text(each.child_by_field_name("type"))
        names = each.children_by_field_name("name")
        yield from [(text(name), kind) for name in names] or [("_", kind)]
