"""The methods of gRPC services: those of the interface that generated code registers, and of who implements it."""

import re
from collections.abc import Iterator

from analyzer import spelling
from analyzer.calls import Calls
from analyzer.entries import Entry, Root
from analyzer.spelling import Named
from analyzer.symbols import Symbol
from analyzer.syntax import text

# ttrpc is gRPC for small processes; the same services have this before their names there.
_REGISTERS = re.compile(r"^Register(?:TTRPC)?(?P<service>[A-Z]\w*?)(?:Service)?(?:Server|Service)$")
_REGISTERED = re.compile(rb"\bRegister[A-Z]\w*(?:Server|Service)\(")
# What a method of a service looks like where only the vendored code declares it.
_UNARY = re.compile(r"^\(context\.Context, \*\w+\.\w+\) \(\*\w+\.\w+, error\)$")
_STREAM = re.compile(r"^\((?:\*\w+\.\w+, )?\w+\.\w+(?:Server|Stream)(?:\[.*\])?\) \(error\)$")
_GENERATED = ("Unimplemented", "Unsafe")


def find(calls: Calls) -> Iterator[Root]:
    """The methods of all services."""
    held = set[str]()
    for package in calls.packages.values():
        for name, symbol in package.target.items():
            registers = _REGISTERS.match(name) if symbol.declaration.kind == "func" else None
            if registers is None:
                continue
            for spelt in spelling.split(symbol.declaration.signature)[0]:
                kind = calls.kinds.read(spelt, symbol.file)
                shape = calls.kinds.shape(kind) if isinstance(kind, Named) else None
                if (
                    isinstance(kind, Named)
                    and shape is not None
                    and shape.methods is not None
                    and kind.where == package.dir
                ):
                    held.add(name)
                    yield from _methods(registers["service"], kind, calls)
    for symbol in calls.functions.values():
        if _REGISTERED.search(symbol.source) and not symbol.file.helps_tests:
            yield from _registered(symbol, held, calls)


def _methods(service: str, interface: Named, calls: Calls) -> Iterator[Root]:
    for name in calls.kinds.asked(interface):
        if name[:1].isupper():
            for where, method in calls.kinds.implementers(interface, name):
                if not method.startswith(_GENERATED):
                    yield Root(Entry("rpc", f"{service}.{name}"), where, method)


def _registered(symbol: Symbol, held: set[str], calls: Calls) -> Iterator[Root]:
    """Of a service whose generated code is not held: what the value that is registered has of the usual form."""
    for step in calls.steps(symbol):
        function = step.node.child_by_field_name("function") if step.node.type == "call_expression" else None
        name = text(function).rpartition(".")[2]
        registers = _REGISTERS.match(name)
        arguments = step.node.child_by_field_name("arguments")
        if (
            function is None
            or registers is None
            or name in held
            or arguments is None
            or len(arguments.named_children) != 2
        ):
            continue
        kind = calls.values.of(arguments.named_children[1], step.names, symbol.file)
        for method in calls.kinds.method_names(kind):
            found = calls.kinds.method(kind, method)
            if found is not None and not found.interface and _looks_served(found.signature):
                yield Root(Entry("rpc", f"{registers['service']}.{method}"), found.where, found.name)


def _looks_served(signature: str) -> bool:
    return bool(_UNARY.match(signature) or _STREAM.match(signature))
