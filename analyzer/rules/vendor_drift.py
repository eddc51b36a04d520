"""A vendored package no longer gives Windows what code built there uses.

What it finds
    An exported function, type, variable or constant of a package below vendor/ that Windows had at base and lacks at
    head; a function that became a stub there, takes or gives other types, or newly refuses an option. Linux keeps it as it
    was, or never had it; and code of the repository built on Windows uses it. More than three of one package are one
    finding.

Why it matters on Windows
    The change stands in somebody else's code, among hundreds of lines that nobody reviews. Where the symbol is gone the
    build fails; where it became a stub nothing says so.

Example
    A new version of a vendored package moves `Resize` to resize_unix.go, and console.go calls it.

What to do
    Stay with the version before, tell the package's authors, or keep the use in files that Windows does not build.

Not reported
    Methods, because the type of a value from another package is not known without compiling it; what the package loses on
    Linux too; a call that the same change writes for the other types, or that compiles all the same. Where go.mod moves a
    module without vendor/, its source is not in the repository: of one that nothing but Windows' own code uses, a note says
    so, and names what is used.
"""

from collections import defaultdict
from collections.abc import Iterator

from tree_sitter import Node

from analyzer.across import User
from analyzer.dependency import DependencyUse, uses, within
from analyzer.diff import Diff, PackageChange
from analyzer.imports import qualified_uses
from analyzer.model import Finding, Level, Moved, Place
from analyzer.rules.wording import STUB_WORDS, listed, needed_at
from analyzer.signatures import still_fits
from analyzer.symbols import GoFile, Symbol
from analyzer.undefined import MAX_OF_ONE_FILE, in_order
from analyzer.vendored import Drift, VendorLoss
from analyzer.world import VENDOR

ID = "vendor-drift"

MAX_NAMES = 8
"""Names that a note lists."""

_STATES = {
    Drift.GONE: "is no longer there on Windows",
    Drift.OTHER_TYPES: "takes or gives other types on Windows",
    Drift.REFUSES: "newly refuses something on Windows as not supported",
}


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one vendored package."""
    path = change.dir.removeprefix(f"{VENDOR}/")
    losses = {loss.symbol.name: loss for loss in diff.vendor_losses.get(path, ())}
    places: dict[str, set[Place]] = defaultdict(set)
    for user in diff.repository.users() if losses else ():
        for file in user.files:
            for imported, alias in file.facts.imports:
                if imported == path and alias not in {"_", "."}:
                    clause = next(iter(losses.values())).clause
                    for name, node in qualified_uses(file, alias or clause, losses):
                        line = node.start_point.row + 1
                        was = losses[name].was
                        if was is None or (_stood(user, file, line) and not _fits(node, was, losses[name].symbol)):
                            places[name].add(Place(file.path, line))
    found = {name: in_order(where) for name, where in sorted(places.items())}
    if len(found) > MAX_OF_ONE_FILE:
        everywhere = in_order({place for where in found.values() for place in where})
        first = min(found, key=lambda name: (found[name], name))
        yield _finding(losses[first], everywhere, change, len(found) - 1)
    else:
        for name, where in found.items():
            yield _finding(losses[name], where, change)


def _fits(name: Node, was: Symbol, symbol: Symbol) -> bool:
    """Whether a call of what has other types now compiles all the same."""
    selector = name.parent
    call = selector.parent if selector is not None else None
    if selector is None or call is None or call.type != "call_expression":
        return False
    arguments = call.child_by_field_name("arguments")
    given = [a for a in arguments.named_children if a.type != "comment"] if arguments is not None else []
    return call.child_by_field_name("function") == selector and still_fits(given, was, symbol)


def _stood(user: User, file: GoFile, line: int) -> bool:
    """Whether base says the same: a call that the change writes is written for the types that the symbol has now."""
    if file.path not in user.changed or user.base is None:
        return True
    said = file.source.content.split(b"\n")[line - 1].strip()
    return any(said in map(bytes.strip, old.source.content.split(b"\n")) for old in user.base.files.values())


def unseen(diff: Diff) -> Iterator[Finding]:
    """Of modules that move without their source, those that only Windows' own code uses."""
    for module in diff.around.moved if diff.around is not None else ():
        held = (f for package in diff.repository.by_path.values() for f in package.files.values())
        users = [f for f in held if any(within(i.path, module.path) for i in f.facts.imports) and not f.is_test]
        if not any(f.on_target for f in users) or any(f.on_reference for f in users):
            continue
        found = list(uses(sorted((f for f in users if f.on_target), key=lambda f: f.path), module.path))
        if found:
            yield _note(module, found)


def _note(module: Moved, found: list[DependencyUse]) -> Finding:
    names = sorted({use.name for use in found})
    return Finding(
        ID,
        Level.NOTE,
        "go.mod",
        module.line,
        module.line,
        "head",
        None,
        f"{module.path} moves from {module.old} to {module.new}. Only code of Windows uses it, and its source is not in the "
        f"repository, so what changes there was not looked at: {listed(names, MAX_NAMES)}.",
        module.path,
    )


def _finding(loss: VendorLoss, places: tuple[Place, ...], change: PackageChange, others: int = 0) -> Finding:
    name = f"{loss.clause}.{loss.symbol.name}"
    more = f", and so it is with {others} more of its symbols" if others else ""
    state = f"on Windows now {STUB_WORDS[loss.stub]}" if loss.stub is not None else _STATES[loss.drift]
    return Finding(
        ID,
        Level.WARNING,
        places[0].path,
        places[0].line,
        places[0].line,
        "head",
        loss.symbol.name,
        f"{name} of {loss.path} {state}, and code built there needs it{more} ({needed_at(places)}).",
        change.dir,
        stub=loss.stub,
        gap=True,
        counterpart=loss.symbol.place,
    )
