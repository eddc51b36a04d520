"""What vendored packages lose on the target from one version to the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from analyzer.model import Options, Stub
from analyzer.newly_refused import newly_refused
from analyzer.signatures import differ
from analyzer.spaces import Spaces, obscure, spaces
from analyzer.symbols import Symbol
from analyzer.undefined import exported
from analyzer.world import VENDOR

if TYPE_CHECKING:
    from analyzer.diff import PackageChange


class Drift(Enum):
    """What became of a symbol."""

    GONE = auto()
    STUB = auto()
    OTHER_TYPES = auto()
    REFUSES = auto()


@dataclass(frozen=True, slots=True)
class VendorLoss:
    """A symbol that the target had of a vendored package, and that is not what it was.

    Attributes:
        path: the package's import path.
        clause: the name in its package clause.
        symbol: the symbol: what the reference has, or the target had, where it is gone; else what the target has.
        drift: what became of it.
        stub: what it is on the target now, where it became a stub.
        was: what it was on the target, where its types differ.
    """

    path: str
    clause: str
    symbol: Symbol
    drift: Drift
    stub: Stub | None = None
    was: Symbol | None = None


def find_vendor_losses(changes: Sequence["PackageChange"], options: Options) -> Mapping[str, tuple[VendorLoss, ...]]:
    """By import path. A package that was not read as it stands lost nothing for sure; an internal one is for its module."""
    found = {
        change.dir.removeprefix(f"{VENDOR}/"): tuple(sorted(_losses(change, changes, options), key=_name))
        for change in changes
        if "internal" not in change.dir.split("/")
    }
    return {path: losses for path, losses in found.items() if losses}


def _name(loss: VendorLoss) -> str:
    return loss.symbol.name


def _losses(change: "PackageChange", changes: Sequence["PackageChange"], options: Options) -> Iterator[VendorLoss]:
    base, head = change.base.package, change.head.package
    if obscure(base) or obscure(head) or not base.target:
        return
    before, after = spaces(base, options), spaces(head, options)
    path = change.dir.removeprefix(f"{VENDOR}/")
    refusing = {new.symbol.name for new in newly_refused(change, changes)}
    for name in exported(before.code.target):
        mine, twin = after.code.target.get(name), after.code.reference.get(name)
        if twin is None and name in before.code.reference:
            continue  # gone on the reference too: its maintainers see it
        if mine is None:
            yield VendorLoss(path, after.clause, twin or before.code.target[name], Drift.GONE)
        elif mine.declaration.is_function and not change.head.shared(name):
            stub = _became(name, change)
            if stub is not None:
                yield VendorLoss(path, after.clause, mine, Drift.STUB, stub)
            elif _is_signed_otherwise(name, before, after):
                yield VendorLoss(path, after.clause, mine, Drift.OTHER_TYPES, was=before.code.target[name])
            elif name in refusing:
                yield VendorLoss(path, after.clause, mine, Drift.REFUSES)


def _became(name: str, change: "PackageChange") -> Stub | None:
    """What stub a real function became, where the reference has a real one or none at all."""
    was, body = change.base.body(name), change.head.body(name)
    if was is None or body is None or was.stub is not None:
        return None
    return body.stub if name not in change.head.package.reference or change.head.twin_works(name) else None


def _is_signed_otherwise(name: str, before: Spaces, after: Spaces) -> bool:
    """Whether a function takes or gives other types on the target, and the reference's twin does not."""
    old, new = before.code.target, after.code.target
    if not (old[name].declaration.is_function and differ(old[name], new[name], old, new)):
        return False
    was, twin = before.code.reference.get(name), after.code.reference.get(name)
    return (
        was is None
        or twin is None
        or not (was.declaration.is_function and twin.declaration.is_function)
        or not differ(was, twin, before.code.reference, after.code.reference)
    )
