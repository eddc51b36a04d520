"""What rests on a module of somebody else's: the functions that use it on the target, and the entries that come to them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analyzer.dependency import DependencyUse, uses, within
from analyzer.entries import Entry
from analyzer.impact import Chain, Impact
from analyzer.kinds import package_name
from analyzer.model import Place
from analyzer.spelling import Foreign
from analyzer.symbols import GoFile, Symbol, directory
from analyzer.syntax import text

# Packages of others are below a host; those of Go's own project are as good as Go's.
_OTHERS = re.compile(r"(?!golang\.org/)[\w-]+(?:\.[\w-]+)+/")


@dataclass(frozen=True, slots=True)
class Rest:
    """A use of a module, and who comes to it.

    Attributes:
        use: the use.
        chains: how entries come to the function that it is in; none where it is in none.
    """

    use: DependencyUse
    chains: tuple[Chain, ...]


def rests(impact: Impact, module: str) -> list[Rest]:
    """What code that the target builds uses of a module, tests aside, and the entries that come to it.

    Args:
        impact: who reaches what.
        module: an import path; what lies below it belongs to it.
    """
    found = used(impact, [module])
    return [Rest(use, impact.entries(directory(use.place.path), use.by) if use.by else ()) for use in found]


def rests_on(impact: Impact, entry: Entry) -> list[str]:
    """The functions of others that an entry surely comes to, of packages that nothing but the target imports; nearest first.

    Args:
        impact: who reaches what.
        entry: the entry.
    """
    by_function: dict[tuple[str, str], list[str]] = {}
    for use in used(impact, imported_on_target(impact)):
        if use.called:
            by_function.setdefault((directory(use.place.path), use.by), []).append(use.name)
    found: dict[str, None] = {}
    for where, name, chain in impact.reached(entry) if by_function else ():
        if not chain.sure:
            break
        found |= dict.fromkeys(by_function.get((where, name), ()))
    return [*found]


def imported_on_target(impact: Impact) -> list[str]:
    """The packages of others that the target's code imports and the reference's does not."""
    mine: set[str] = set()
    others: set[str] = set()
    directory_of = impact.calls.world.modules.directory
    for package in impact.calls.packages.values():
        for file in package.files.values():
            if not file.is_test:
                named = {path for path, _ in file.facts.imports if _OTHERS.match(path) and not directory_of(path)}
                mine |= named if file.on_target else set()
                others |= named if file.on_reference else set()
    return sorted(mine - others)


def used(impact: Impact, modules: Sequence[str]) -> list[DependencyUse]:
    """The names of modules that the target's code uses, and the methods that it calls of values of their types.

    Args:
        impact: the revision.
        modules: import paths; what lies below one belongs to it.
    """
    packages = [p for p in impact.calls.packages.values() if any(_imports(f, modules) for f in p.files.values())]
    files = [f for package in packages for f in package.files.values() if f.on_target and not f.is_test]
    found = [use for module in modules for use in uses(files, module)]
    for package in packages:
        for symbol in package.target.values():
            if symbol.declaration.is_function and not symbol.file.is_test:
                found += _methods(impact, symbol, modules)
    return found


def _imports(file: GoFile, modules: Sequence[str]) -> bool:
    return file.on_target and not file.is_test and any(_is_of(path, modules) for path, _ in file.facts.imports)


def _is_of(path: str, modules: Sequence[str]) -> bool:
    return any(within(path, module) for module in modules)


def _methods(impact: Impact, symbol: Symbol, modules: Sequence[str]) -> Iterator[DependencyUse]:
    """The methods that a function calls of values whose type is said to be one of the modules'."""
    for step in impact.calls.steps(symbol):
        function = step.node.child_by_field_name("function") if step.node.type == "call_expression" else None
        operand = function.child_by_field_name("operand") if function is not None else None
        kind = impact.calls.values.of(operand, step.names, symbol.file)
        if function is not None and isinstance(kind, Foreign) and _is_of(kind.path, modules):
            name = f"{package_name(kind.path)}.{kind.name}.{text(function.child_by_field_name('field'))}"
            line = symbol.declaration.line + function.end_point.row - 1
            yield DependencyUse(name, symbol.name, Place(symbol.file.path, line), called=True)


def entries_of(found: Sequence[Rest]) -> dict[Entry, list[str]]:
    """By entry that surely comes to one, the functions of the module that are called for it, nearest first.

    Args:
        found: what rests on a module.
    """
    near: dict[Entry, dict[str, int]] = {}
    for rest in found:
        for chain in rest.chains if rest.use.called else ():
            if chain.sure:
                names = near.setdefault(chain.entry, {})
                names[rest.use.name] = min(len(chain.links), names.get(rest.use.name, len(chain.links)))
    return {entry: [name for _, name in sorted((far, name) for name, far in n.items())] for entry, n in near.items()}
