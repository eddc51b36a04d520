"""C# as the generator needs it: the methods of Docker.DotNet with their requests, and the cmdlets that call them."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import tree_sitter_c_sharp
from tree_sitter import Language, Node, Parser

from tests.features_gen.go import text, walk
from tests.features_gen.paths import Request

_CSHARP = Language(tree_sitter_c_sharp.language())
_INTERPOLATION = re.compile(r"\{[^{}]*\}")
_BOM = b"\xef\xbb\xbf"


class _Class(NamedTuple):
    name: str
    kind: str
    bases: tuple[str, ...]
    attributes: tuple[Node, ...]
    methods: dict[str, list[Node]]
    """By name, overloads together."""
    properties: dict[str, str]
    """Types by name."""


class CSharp:
    """All classes and interfaces of a project."""

    def __init__(self, files: dict[str, bytes]) -> None:
        """Files by path."""
        self.classes: dict[str, _Class] = {}
        for _, content in sorted(files.items()):
            tree = Parser(_CSHARP).parse(content.removeprefix(_BOM))
            for node in walk(tree.root_node):
                if node.type in {"class_declaration", "interface_declaration"}:
                    found = _class(node)
                    self.classes[found.name] = found

    def lineage(self, name: str) -> Iterator[_Class]:
        """A class and those that it extends, as far as they are here."""
        if name in self.classes:
            yield self.classes[name]
            for base in self.classes[name].bases:
                yield from self.lineage(base)

    def endpoints(self) -> dict[str, str]:
        """The properties by which a client offers its groups of methods: their interfaces by name."""
        return {
            name: kind
            for each in self.classes.values()
            for name, kind in each.properties.items()
            if kind.endswith("Operations") and kind in self.classes
        }

    def methods(self) -> dict[str, frozenset[Request]]:
        """``IPets.FeedAsync`` and the requests that it makes, for the methods of the interfaces of endpoints."""
        found = {}
        for interface in set(self.endpoints().values()):
            makers = [each for each in self.classes.values() if each.kind == "class" and interface in each.bases]
            for name in self.classes[interface].methods:
                made = [request for maker in makers for request in self._requests(maker, name, set())]
                found[f"{interface}.{name}"] = frozenset(made)
        return found

    def _requests(self, maker: _Class, name: str, seen: set[str]) -> Iterator[Request]:
        if name in seen:
            return
        seen.add(name)
        for method in maker.methods.get(name, []):
            local = _locals(method)
            for call in walk(method):
                if call.type != "invocation_expression":
                    continue
                owner, called = _called(call)
                if called.startswith("MakeRequest"):
                    yield from _made(call, local)
                elif not owner or owner.rstrip(")").endswith("this"):
                    yield from self._requests(maker, called, seen)


class Cmdlet(NamedTuple):
    """A cmdlet with its other names, and the methods of Docker.DotNet that it may call."""

    name: str
    aliases: tuple[str, ...]
    methods: frozenset[str]


def cmdlets(module: CSharp, client: CSharp) -> list[Cmdlet]:
    """The cmdlets of a module that is built on a client, sorted by name."""
    endpoints = client.endpoints()
    found = []
    for each in module.classes.values():
        words = [attribute for attribute in each.attributes if _attribute(attribute) == "Cmdlet"]
        if words:
            name = "-".join(_words(words[0])[:2])
            aliases = [word for at in each.attributes if _attribute(at) == "Alias" for word in _words(at)]
            start = {(kin.name, method) for kin in module.lineage(each.name) for method in kin.methods}
            found.append(Cmdlet(name, tuple(sorted(aliases)), frozenset(_reached(module, start, endpoints))))
    return sorted(found)


def _reached(module: CSharp, todo: set[tuple[str, str]], endpoints: dict[str, str]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    todo = set(todo)
    while todo:
        owner, method = todo.pop()
        if (owner, method) in seen or owner not in module.classes:
            continue
        seen.add((owner, method))
        for body in module.classes[owner].methods.get(method, []):
            for call in walk(body):
                if call.type == "invocation_expression":
                    of, name = _called(call)
                    if "." in of and of.rpartition(".")[2] in endpoints:
                        yield f"{endpoints[of.rpartition('.')[2]]}.{name}"
                    else:
                        todo.add((of or owner, name))


def _class(node: Node) -> _Class:
    name = text(node.child_by_field_name("name"))
    bases = tuple(
        text(each) for child in node.named_children if child.type == "base_list" for each in child.named_children
    )
    methods: dict[str, list[Node]] = defaultdict(list)
    properties = {}
    body = node.child_by_field_name("body")
    for member in body.named_children if body else []:
        if member.type == "method_declaration":
            methods[text(member.child_by_field_name("name"))].append(member)
        elif member.type == "property_declaration":
            properties[text(member.child_by_field_name("name"))] = text(member.child_by_field_name("type"))
    attributes = [
        each for child in node.named_children if child.type == "attribute_list" for each in child.named_children
    ]
    return _Class(name, node.type.partition("_")[0], bases, tuple(attributes), dict(methods), properties)


def _called(call: Node) -> tuple[str, str]:
    """What an invocation is of: what stands before the last dot, or "", and the name without type arguments."""
    function = call.child_by_field_name("function")
    owner = ""
    if function is not None and function.type == "member_access_expression":
        owner = text(function.child_by_field_name("expression"))
        function = function.child_by_field_name("name")
    if function is not None and function.type == "generic_name":
        function = function.named_children[0]
    return owner, text(function)


def _arguments(call: Node) -> list[Node]:
    given = call.child_by_field_name("arguments")
    values = [each for each in given.named_children if each.type == "argument"] if given else []
    return [each.named_children[-1] for each in values]


def _locals(method: Node) -> dict[str, Node]:
    """Local variables that are given a value where they are declared."""
    found = {}
    for node in walk(method):
        if node.type == "variable_declarator" and len(node.named_children) > 1:
            found[text(node.named_children[0])] = node.named_children[-1]
    return found


def _made(call: Node, local: dict[str, Node]) -> Iterator[Request]:
    """The requests of a call that takes an HttpMethod, and behind it the path."""
    given = [local.get(text(each), each) for each in _arguments(call)]
    for verb, path in pairwise(given):
        verbs = [
            text(node.child_by_field_name("name")).upper()
            for node in walk(verb)
            if node.type == "member_access_expression" and text(node.child_by_field_name("expression")) == "HttpMethod"
        ]
        if verbs and path.type in {"string_literal", "interpolated_string_expression"}:
            inner = text(path).lstrip("$@").strip('"')
            yield from (Request(each, "/" + _INTERPOLATION.sub("{}", inner).lstrip("/")) for each in verbs)
            return


def _attribute(node: Node) -> str:
    return text(node.child_by_field_name("name")).removesuffix("Attribute")


def _words(attribute: Node) -> list[str]:
    """What an attribute is given by place: strings as they are, and the last name of a constant."""
    words = []
    for given in walk(attribute):
        if given.type == "attribute_argument" and len(given.named_children) == 1:
            value = given.named_children[0]
            words.append(text(value).strip('"') if value.type == "string_literal" else text(value).rpartition(".")[2])
    return words
