"""How a project says that something is not there on the target: the error that its other stubs return."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from analyzer.effects import one_line
from analyzer.imports import clause_of
from analyzer.insertion import is_standard
from analyzer.model import Options
from analyzer.names import platform_name
from analyzer.refusals import NAMES_UNSUPPORTED, SAYS_UNSUPPORTED
from analyzer.symbols import GoFile, Package, Symbol
from analyzer.syntax import Import, function_node, is_broken, text

# Characters of an error that is taken over: a longer one says something of its own.
MAX_ERROR = 120
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LEAVES = frozenset({"interpreted_string_literal", "raw_string_literal", "int_literal", "nil", "true", "false"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that says "not supported".

    Attributes:
        expression: Go.
        imports: what it needs.
    """

    expression: str
    imports: tuple[Import, ...]


def refusal(package: Package, around: Sequence[Package], options: Options) -> Refusal:
    """The error that a new stub returns: that of the package's stubs, of its own variables, or of the repository's stubs.

    Args:
        package: that is to have the stub.
        around: other packages that are held.
        options: the platforms.
    """
    sentence = f"not supported on {platform_name(options.target).lower()}"
    imported = {i.path for f in package.files.values() if f.on_target and not f.is_test for i in f.facts.imports}
    own = Counter(found for symbol in _own_functions(package) for found in _errors(symbol, package, sentence))
    if own:
        return _likest(own)
    for name, symbol in sorted(package.target.items()):
        if symbol.declaration.kind == "var" and NAMES_UNSUPPORTED.search(name) and name.lower().startswith("err"):
            return Refusal(name, ())
    elsewhere = Counter(
        found
        for other in around
        for symbol in _own_functions(other)
        for found in _errors(symbol, None, sentence)
        if all(is_standard(i.path) or i.path in imported for i in found.imports)
    )
    return _likest(elsewhere) if elsewhere else Refusal(f'errors.New("{sentence}")', (Import("errors", ""),))


def _likest(found: Counter[Refusal]) -> Refusal:
    """A variable rather than a sentence, and what is said most."""
    return max(found, key=lambda r: ('"' not in r.expression, found[r], -len(r.expression), r.expression))


def _own_functions(package: Package) -> Iterator[Symbol]:
    for symbol in package.target.values():
        if symbol.declaration.is_function and not symbol.file.on_reference:
            yield symbol


def _errors(symbol: Symbol, package: Package | None, sentence: str) -> Iterator[Refusal]:
    """What a function returns as its last result that says "not supported", where it stands for itself."""
    if not symbol.declaration.signature.endswith("error)"):
        return
    function = function_node(symbol.source)
    body = function.child_by_field_name("body") if function is not None and not is_broken(function) else None
    for node in _returns(body):
        listed = node.named_children[0] if node.named_children else None
        last = listed.named_children[-1] if listed is not None and listed.named_children else None
        said = one_line(text(last))
        if last is None or len(said) > MAX_ERROR or not (SAYS_UNSUPPORTED.search(said) or _names_it(last)):
            continue
        names = _needed(last, symbol.file, package)
        if names is not None:
            yield Refusal(_STRING.sub(f'"{sentence}"', said), tuple(sorted(names)))


def _names_it(node: Node) -> bool:
    named = node.child_by_field_name("function") if node.type == "call_expression" else node
    return bool(NAMES_UNSUPPORTED.search(text(named).rpartition(".")[2]))


def _returns(body: Node | None) -> Iterator[Node]:
    """The return of a body that has nothing else in it."""
    if body is None:
        return
    listed = [c for c in body.named_children if c.type == "statement_list"]
    statements = [s for c in (listed or [body]) for s in c.named_children if s.type != "comment"]
    if len(statements) == 1 and statements[0].type == "return_statement":
        yield statements[0]


def _needed(node: Node, file: GoFile, package: Package | None) -> set[Import] | None:
    """The imports that an expression needs; None when it needs more than imports and the package's own names."""
    if node.type in _LEAVES:
        return set()
    if node.type == "identifier":
        return set() if package is not None and text(node) in package.target else None
    if node.type == "selector_expression":
        operand = text(node.child_by_field_name("operand"))
        found = import_of(file, operand)
        return {found} if found is not None else None
    if node.type == "call_expression":
        needed = set[Import]()
        arguments = node.child_by_field_name("arguments")
        called = node.child_by_field_name("function")
        for part in [*([called] if called is not None else []), *(arguments.named_children if arguments else ())]:
            more = _needed(part, file, package)
            if more is None:
                return None
            needed |= more
        return needed
    return None


def import_of(file: GoFile, name: str, held: dict[str, Package] | None = None) -> Import | None:
    """The import that a file means by a name, as far as paths tell; None when it is not sure.

    Args:
        file: the file.
        name: what stands before the dot.
        held: packages by import path, whose clauses are known.
    """
    for found in file.facts.imports:
        if found.name == name:
            return found
    unnamed = [i for i in file.facts.imports if not i.name]
    for found in unnamed:
        if held and found.path in held and clause_of(held[found.path]) == name:
            return found
    for found in unnamed:
        parts = found.path.split("/")
        if len(parts) > 1 and re.fullmatch(r"v\d+", parts[-1]):
            parts.pop()
        last = re.sub(r"\.v\d+$", "", parts[-1])
        if name in {last, last.removeprefix("go-"), last.removesuffix("-go"), last.replace("-", "")}:
            return found
    return None
