"""New on Linux, and Windows goes without.

What it finds
    An exported function or method that is new on Linux only, in a file whose other functions have Windows variants.

Why it matters on Windows
    Whoever calls it from shared code cannot build on Windows; whoever does not, leaves the feature out there.

Example
    users_unix.go gets `LookupGroup`; all other functions of the file are in users_windows.go too.

What to do
    Add a Windows variant, if only one that says "not supported".

Not reported
    Unexported helpers, methods of types that Windows does not have, packages that are Linux's own, functions that were
    renamed or moved. It stays in the check run: nobody had it, and code of Windows that needs it is undefined-on-windows.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.model import Finding, Level
from analyzer.parity import linux_concept
from analyzer.symbols import Symbol

ID = "missing-on-windows"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    head = change.head.package
    if any(f.helps_tests for f in head.files.values() if not f.is_test):
        return
    for name in change.names():
        symbol = head.reference.get(name)
        if symbol is None or name in head.target or not symbol.declaration.exported:
            continue
        if name in change.base.package.reference or name in change.base.package.target:
            continue
        if diff.moved_here(name) or change.renamed_from(name, on="reference"):
            continue
        if linux_concept(symbol) and not change.head.gap(name):
            continue
        if _receiver_on_target(symbol, change) and _siblings_on_target(symbol, change):
            yield _finding(symbol, change)


def _receiver_on_target(symbol: Symbol, change: PackageChange) -> bool:
    receiver = symbol.name.rpartition(".")[0]
    return not receiver or receiver in change.head.package.target


def _siblings_on_target(symbol: Symbol, change: PackageChange) -> bool:
    """Whether most exported functions that stood in the file, or beside a new file, have Windows variants."""
    head = change.head.package
    siblings = [
        d.name
        for d in symbol.file.facts.declarations
        if d.is_function and d.exported and d.name != symbol.name and d.name in change.base.package.reference
    ]
    if not siblings:
        # A new file has no company of its own: the package's functions that only Linux files declare are.
        siblings = [
            s.name
            for s in change.base.package.reference.values()
            if s.declaration.is_function and s.declaration.exported and not s.file.on_target
        ]
    there = sum(name in head.target for name in siblings)
    return bool(siblings) and 2 * there > len(siblings)


def _finding(symbol: Symbol, change: PackageChange) -> Finding:
    return Finding(
        ID,
        Level.WARNING,
        symbol.file.path,
        symbol.declaration.line,
        symbol.declaration.end_line,
        "head",
        symbol.name,
        f"{symbol.name} is new on Linux only, while the functions beside it have Windows variants.",
        change.dir,
        gap=False,  # nobody had it before, and nobody on Windows asks: else it would be undefined there
        counterpart=symbol.place,
    )
