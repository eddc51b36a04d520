"""One function, two signatures, and shared code calls it.

What it finds
    A function or method that each platform declares for itself, whose parameter or result types newly differ between
    Windows and Linux, while code built on both calls it.

Why it matters on Windows
    Shared code cannot say the same to both: it compiles on one of them only, or by luck, and the next change breaks the
    other one.

Example
    stats_linux.go changes `func stats(id string) error` to `func stats(id string, deep bool) error`, and stats_windows.go
    keeps the old one.

What to do
    Give both the same signature.

Not reported
    Other names of parameters; `any` for `interface{}`; the same type under another import name or alias; types of one name
    that each platform declares for itself; generic functions; functions that only code of one platform calls.
    It stays in the check run where the package never built on Windows, and where both take as many parameters and give as
    many results, so that one call may fit both.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from analyzer.diff import Diff, PackageChange
from analyzer.members import Types
from analyzer.model import Finding, Level, Place
from analyzer.rules.wording import place_of
from analyzer.signatures import differ, same_counts
from analyzer.symbols import GoFile, Package, Symbol
from analyzer.undefined import in_order
from analyzer.uses import parsed

if TYPE_CHECKING:
    from tree_sitter import Node

ID = "signature-drift"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    head, base = change.head.package, change.base.package
    for name in change.names():
        symbol = head.target.get(name)
        old = name if name in base.target else change.renamed_from(name)
        if symbol is None or not _drifted(head, name) or (old is not None and _drifted(base, old)):
            continue
        calls = in_order({*_own_calls(symbol, head), *_calls_elsewhere(symbol, change, diff)})
        if calls:
            yield _finding(symbol, head.reference[name], calls, change)


def _drifted(package: Package, name: str) -> bool:
    mine, twin = package.target.get(name), package.reference.get(name)
    if mine is None or twin is None or mine.place == twin.place:
        return False
    both = mine.declaration.is_function and twin.declaration.is_function
    return both and mine.declaration.signature != twin.declaration.signature and _differ(mine, twin, package)


def _differ(mine: Symbol, twin: Symbol, package: Package) -> bool:
    return differ(mine, twin, package.target, package.reference)


def _own_calls(symbol: Symbol, package: Package) -> Iterator[Place]:
    """Where shared code of the package calls it."""
    kind, _, bare = symbol.name.rpartition(".")
    types = Types(package.target)
    for file in _shared(package.files.values(), bare):
        uses = parsed(file)
        if not kind:
            nodes = list(uses.unqualified(bare))
        else:
            nodes = [node for operand, node in uses.selected(bare) if types.of(operand, uses) == kind]
        yield from (Place(file.path, node.start_point.row + 1) for node in nodes if _is_called(node))


def _calls_elsewhere(symbol: Symbol, change: PackageChange, diff: Diff) -> Iterator[Place]:
    """Where shared code of other packages calls it, as far as they are held."""
    if symbol.declaration.kind != "func" or not symbol.declaration.exported:
        return
    repository = diff.repository
    for user in repository.users():
        for file in _shared(user.files, symbol.name) if user.dir != change.dir else ():
            for path, alias in file.facts.imports:
                if repository.modules.directory(path) == change.dir and alias not in {"_", "."}:
                    for node in parsed(file).qualified(alias or symbol.file.facts.package, symbol.name):
                        if _is_called(node):
                            yield Place(file.path, node.start_point.row + 1)


def _shared(files: Iterable[GoFile], name: str) -> Iterator[GoFile]:
    for file in files:
        if file.on_target and file.on_reference and name.encode() in file.source.content and parsed(file).clear:
            yield file


def _is_called(name: "Node") -> bool:
    node = name.parent if name.parent is not None and name.parent.type == "selector_expression" else name
    call = node.parent
    return call is not None and call.type == "call_expression" and call.child_by_field_name("function") == node


def _finding(symbol: Symbol, twin: Symbol, calls: tuple[Place, ...], change: PackageChange) -> Finding:
    mine, theirs = (f"{symbol.name}{s.declaration.signature}"[:200] for s in (symbol, twin))
    more = f" and {len(calls) - 1} more" if len(calls) > 1 else ""
    return Finding(
        ID,
        Level.WARNING,
        symbol.file.path,
        symbol.declaration.line,
        symbol.declaration.end_line,
        "head",
        symbol.name,
        f"On Windows it is {mine}, on Linux {theirs} ({place_of(twin)}), "
        f"and shared code calls it ({calls[0].path}:{calls[0].line}{more}).",
        change.dir,
        gap=not same_counts(symbol, twin),
        counterpart=twin.place,
    )
