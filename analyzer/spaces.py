"""The names that the files of a directory see: those of the package, of its tests, and of its external tests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from analyzer.files import builds
from analyzer.imports import clause_of
from analyzer.members import Types
from analyzer.model import Options
from analyzer.symbols import GoFile, Package, Symbol

UNIVERSE = frozenset(
    "any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string uint "
    "uint8 uint16 uint32 uint64 uintptr true false iota nil append cap clear close complex copy delete imag len make "
    "max min new panic print println real recover main init _".split()
)
"""What Go declares for everybody, and what nobody can refer to."""


@dataclass(frozen=True, slots=True)
class Space:
    """Files that see the same names.

    Attributes:
        users: those that the target builds, with cgo and without.
        target: what they see there, with cgo or without.
        elsewhere: what files that the target does not build declare for others.
        reference: what the reference sees.
    """

    users: tuple[GoFile, ...]
    target: Mapping[str, Symbol]
    elsewhere: Mapping[str, Symbol]
    reference: Mapping[str, Symbol]

    @property
    def missing(self) -> frozenset[str]:
        """Names, methods and fields that others have and the target lacks."""
        return frozenset(self.elsewhere.keys() - self.target.keys() - UNIVERSE) | frozenset(self._missing_fields())

    def lost_since(self, before: "Space") -> frozenset[str]:
        """Names, methods and fields that the target had."""
        names = before.target.keys() - self.target.keys() - UNIVERSE
        return frozenset(names) | frozenset(_fields_lost(before.target, self.target))

    def _missing_fields(self) -> set[str]:
        return _fields_lost(self.elsewhere, self.target)


@dataclass(frozen=True, slots=True)
class Spaces:
    """The three of a directory, and the name in its package clause ("" when there is not exactly one)."""

    clause: str
    code: Space
    tests: Space
    external: Space

    @property
    def all(self) -> tuple[Space, Space, Space]:
        """In that order."""
        return self.code, self.tests, self.external


def spaces(package: Package, options: Options) -> Spaces:
    """Take a package apart."""
    clause = clause_of(package)
    own = [f for f in package.files.values() if f.facts.package == clause]
    outside = [f for f in package.files.values() if f.facts.package == f"{clause}_test" and f.is_test]
    code = [f for f in own if not f.is_test]
    return Spaces(
        clause,
        _space(code, code, options),
        _space([f for f in own if f.is_test], own, options),
        _space(outside, outside, options),
    )


def obscure(package: Package) -> bool:
    """Whether something of a package was not read as it stands: then nothing is known to be absent."""
    files = package.files.values()
    clauses = {f.facts.package for f in files if f.on_target and not f.is_test}
    return len(clauses) > 1 or any(
        f.facts.broken_line is not None or (f.facts.constraint is not None and f.facts.constraint.expr is None)
        for f in files
    )


def _space(users: Iterable[GoFile], visible: Iterable[GoFile], options: Options) -> Space:
    target: dict[str, Symbol] = {}
    elsewhere: dict[str, Symbol] = {}
    reference: dict[str, Symbol] = {}
    for file in sorted(visible, key=lambda f: not f.on_reference):
        tables = [target if file.on_target or _without_cgo(file, options) else elsewhere]
        for table in [*tables, reference] if file.on_reference else tables:
            for declaration in file.facts.declarations:
                table.setdefault(declaration.name, Symbol(declaration, file))
    both = tuple(f for f in users if f.on_target and _without_cgo(f, options) and not _uses_c(f))
    return Space(both, target, elsewhere, reference)


def _uses_c(file: GoFile) -> bool:
    return any(i.path == "C" for i in file.facts.imports)


def _without_cgo(file: GoFile, options: Options) -> bool:
    platform = replace(options.target, cgo=False)
    return builds(file.path.rpartition("/")[2], file.facts.constraint, platform, file.facts.package)


def _fields_lost(before: Mapping[str, Symbol], after: Mapping[str, Symbol]) -> set[str]:
    """Fields of structs that both declare, which only the first one has."""
    lost: set[str] = set()
    for name, symbol in before.items():
        new = after.get(name)
        if symbol.declaration.kind == "type" and new is not None and symbol.source != new.source:
            gone = Types(before).shape(name).fields.keys() - Types(after).shape(name).fields.keys()
            lost |= {f"{name}.{field}" for field in gone if f"{name}.{field}" not in after}
    return lost
