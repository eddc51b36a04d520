"""A vendored package no longer gives Windows what code built there uses.

What it finds
    An exported function, type, variable or constant of a package below vendor/ that Windows had at base and lacks at
    head, or that became a stub there, while Linux keeps it, and that code of the repository built on Windows uses. More
    than three of one package are one finding.

Why it matters on Windows
    The change stands in somebody else's code, among hundreds of lines that nobody reviews. Where the symbol is gone the
    build fails; where it became a stub nothing says so.

Example
    A new version of a vendored package moves `Resize` to resize_unix.go, and console.go calls it.

What to do
    Stay with the version before, tell the package's authors, or keep the use in files that Windows does not build.

Not reported
    Methods, because the type of a value from another package is not known without compiling it; what the package loses on
    Linux too; a version in go.mod that moves without vendor/, because the source of the module is not in the repository.
"""

from collections import defaultdict
from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.imports import qualified_uses
from analyzer.model import Finding, Level, Place
from analyzer.rules.wording import STUB_WORDS, needed_at
from analyzer.undefined import MAX_OF_ONE_FILE, in_order
from analyzer.vendored import FOLDER, VendorLoss

ID = "vendor-drift"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one vendored package."""
    path = change.dir.removeprefix(f"{FOLDER}/")
    losses = {loss.symbol.name: loss for loss in diff.vendor_losses.get(path, ())}
    places: dict[str, set[Place]] = defaultdict(set)
    for user in diff.repository.users() if losses else ():
        for file in user.files:
            for imported, alias in file.facts.imports:
                if imported == path and alias not in {"_", "."}:
                    clause = next(iter(losses.values())).clause
                    for name, line in qualified_uses(file, alias or clause, losses):
                        places[name].add(Place(file.path, line))
    found = {name: in_order(where) for name, where in sorted(places.items())}
    if len(found) > MAX_OF_ONE_FILE:
        everywhere = in_order({place for where in found.values() for place in where})
        first = min(found, key=lambda name: (found[name], name))
        yield _finding(losses[first], everywhere, change, len(found) - 1)
    else:
        for name, where in found.items():
            yield _finding(losses[name], where, change)


def _finding(loss: VendorLoss, places: tuple[Place, ...], change: PackageChange, others: int = 0) -> Finding:
    name = f"{loss.clause}.{loss.symbol.name}"
    more = f", and so it is with {others} more of its symbols" if others else ""
    state = "is no longer there on Windows" if loss.stub is None else f"on Windows now {STUB_WORDS[loss.stub]}"
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
