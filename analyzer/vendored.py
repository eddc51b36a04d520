"""What vendored packages lose on the target from one version to the next."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.model import Options, Stub
from analyzer.spaces import obscure, spaces
from analyzer.symbols import Symbol
from analyzer.undefined import exported

if TYPE_CHECKING:
    from analyzer.diff import PackageChange

FOLDER = "vendor"


@dataclass(frozen=True, slots=True)
class VendorLoss:
    """A symbol that the target had of a vendored package.

    Attributes:
        path: the package's import path.
        clause: the name in its package clause.
        symbol: the symbol: what the reference has where it is gone, what the target has where it is a stub.
        stub: what it is on the target now; None where it is not there any more.
    """

    path: str
    clause: str
    symbol: Symbol
    stub: Stub | None


def find_vendor_losses(changes: Iterable["PackageChange"], options: Options) -> Mapping[str, tuple[VendorLoss, ...]]:
    """By import path. A package that was not read as it stands lost nothing for sure."""
    found = {
        change.dir.removeprefix(f"{FOLDER}/"): tuple(sorted(_losses(change, options), key=_name)) for change in changes
    }
    return {path: losses for path, losses in found.items() if losses}


def _name(loss: VendorLoss) -> str:
    return loss.symbol.name


def _losses(change: "PackageChange", options: Options) -> Iterator[VendorLoss]:
    base, head = change.base.package, change.head.package
    if obscure(base) or obscure(head) or not base.target:
        return
    before, after = spaces(base, options), spaces(head, options)
    path = change.dir.removeprefix(f"{FOLDER}/")
    for name in exported(before.code.target):
        mine, twin = after.code.target.get(name), after.code.reference.get(name)
        if twin is None:
            continue
        if mine is None:
            yield VendorLoss(path, after.clause, twin, None)
        elif mine.declaration.is_function and not change.head.shared(name):
            was, body = change.base.body(name), change.head.body(name)
            if was and body and was.stub is None and body.stub is not None and change.head.twin_works(name):
                yield VendorLoss(path, after.clause, mine, body.stub)
