"""What code built on the target refers to and does not find there, confirmed by resolving each name."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tree_sitter import Node

from analyzer.imports import find_modules, imports_of, unix_only
from analyzer.members import Types
from analyzer.model import Place
from analyzer.platforms import UNIX_GOOS
from analyzer.spaces import Space, Spaces, obscure, spaces
from analyzer.symbols import GoFile, Symbol, directory
from analyzer.uses import lines, parsed, words

if TYPE_CHECKING:
    from analyzer.diff import Diff, PackageChange

# When one file takes more symbols than this away, it is one finding.
MAX_OF_ONE_FILE = 3


@dataclass(frozen=True, slots=True)
class Missing:
    """A symbol that the target lacks, and where code built there needs it.

    Attributes:
        package: the directory that lacks it.
        name: ``Func``, ``Type``, ``Type.Method``, ``Type.field``.
        places: where it is needed, sorted.
        twin: its declaration for another platform at head, if there is one.
        was: its declaration on the target at base, if there was one.
        others: further symbols that the same file took away, and that are needed too.
        whole: the target has no file of the package at all.
    """

    package: str
    name: str
    places: tuple[Place, ...]
    twin: Symbol | None
    was: Symbol | None
    others: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Undefined:
    """All that is missing, by the directory of the package that is to speak of it."""

    by_dir: Mapping[str, Sequence[Missing]]

    def tells(self, package: str, name: str) -> bool:
        """Whether a symbol of a package, or the type that it belongs to, is among it."""
        names = {n for m in self._of(package) for n in (m.name, *m.others)}
        return name in names or name.rpartition(".")[0] in names

    def tells_file(self, package: str, path: str) -> bool:
        """Whether a file of base took something away that is among it."""
        return any(m.was is not None and m.was.file.path == path for m in self._of(package))

    def _of(self, package: str) -> Iterator[Missing]:
        return (m for found in self.by_dir.values() for m in found if m.package == package)


def never_built(diff: "Diff") -> frozenset[str]:
    """What could not be compiled for the target at base, and goes: directories that mostly leave it, and single files.

    A directory lacks something itself, or imports one that does; a file imports such a directory.
    """
    bases = {change.base.package.dir: change for change in diff.packages}
    files = {
        where: [f for f in change.base.package.files.values() if f.on_target and not f.is_test]
        for where, change in bases.items()
    }
    broken = {where for where, change in bases.items() if files[where] and diff.sides[change.dir].broken}
    if not broken:
        return frozenset()
    modules = find_modules(imports_of(f for some in files.values() for f in some), bases, frozenset())
    needs = {f.path: {modules.directory(path) for path in imports_of([f])} for some in files.values() for f in some}
    while more := {w for w, some in files.items() if w not in broken and any(needs[f.path] & broken for f in some)}:
        broken |= more
    gone = {where for where in broken if _leaves(bases[where])}
    return frozenset(gone | {path for path, needed in needs.items() if needed & gone})


def _leaves(change: "PackageChange") -> bool:
    """Whether half of a package's files leave the target: then the change says of it that it was never there."""
    kept, had = (
        sum(f.on_target and not f.is_test for f in view.package.files.values()) for view in (change.head, change.base)
    )
    return 2 * kept <= had


Found = dict[str, set[Place]]


class PackageSides:
    """One package at base and at head.

    Attributes:
        clear: whether all of it was read, and the target could ever build it; else nothing is claimed.
    """

    def __init__(self, change: "PackageChange", diff: "Diff") -> None:
        self.change = change
        self.dir = change.dir
        self._options = diff.options
        base, head = change.base.package, change.head.package
        unread = not diff.unread.isdisjoint({base.dir, head.dir})
        never = unix_only(f for f in (base if base.files else head).files.values() if not f.is_test)
        unix = diff.options.target.goos in UNIX_GOOS
        self.clear = not (unread or obscure(base) or obscure(head) or (never and not unix))

    @cached_property
    def before(self) -> Spaces:
        """What the package's files see at base."""
        return spaces(self.change.base.package, self._options)

    @cached_property
    def after(self) -> Spaces:
        """What they see at head."""
        return spaces(self.change.head.package, self._options)

    @cached_property
    def changed(self) -> frozenset[str]:
        """The files of head in which a use can be new."""
        return frozenset(f.head.path for f in self.change.files if f.head is not None)

    @cached_property
    def gone(self) -> frozenset[str]:
        """What other packages could name on the target at base, and cannot at head."""
        return exported(self.after.code.lost_since(self.before.code))

    @cached_property
    def broken(self) -> bool:
        """Whether the package's code lacked something on the target already at base."""
        return lacks_any(self.before.code)

    def within(self) -> Found:
        """What the package's own files miss."""
        found: Found = defaultdict(set)
        for now, then in zip(self.after.all, self.before.all, strict=True):
            lost = now.lost_since(then)
            missing = now.missing | lost
            here: Found = defaultdict(set)
            for file in now.users if missing else ():
                merge(here, _uses(file, missing if file.path in self.changed else lost, now))
            if here and not self.broken and not lacks_any(then):
                merge(found, here)
        return found

    def told(self, found: Found) -> Iterator[Missing]:
        """One for each symbol, or for each file that took many of them away."""
        whole = not any(f.on_target and not f.is_test for f in self.change.head.package.files.values())
        by_file: dict[str, list[Missing]] = defaultdict(list)
        for name, places in sorted(found.items()):
            missing = Missing(
                self.dir,
                name,
                in_order(places, self.dir),
                _declared([space.elsewhere for space in self.after.all], name),
                _declared([space.target for space in self.before.all], name),
                whole=whole,
            )
            by_file["" if whole else missing.was.file.path if missing.was else f"={name}"].append(missing)
        for group in by_file.values():
            if len(group) > MAX_OF_ONE_FILE or whole:
                yield _folded(group)
            else:
                yield from group


def _declared(tables: Iterable[Mapping[str, Symbol]], name: str) -> Symbol | None:
    """The symbol, or for a field its struct, in the first table that has it."""
    found = (table.get(name) or table.get(name.rpartition(".")[0]) for table in tables)
    return next((symbol for symbol in found if symbol is not None), None)


def lacks_any(space: Space) -> bool:
    """Whether files miss anything, new or not."""
    missing = space.missing
    return any(_uses(file, missing, space) for file in space.users) if missing else False


def _uses(file: GoFile, missing: Iterable[str], space: Space) -> Found:
    """Where a file needs what its space lacks on the target, and has on the reference if that builds the file too."""
    found: Found = defaultdict(set)
    present = words(file.source.content)
    names = [name for name in missing if name in present and not any(i.name == name for i in file.facts.imports)]
    members = [name for name in missing if "." in name and name.rpartition(".")[2] in present]
    if not (names or members) or any(i.name == "." for i in file.facts.imports):
        return found
    uses = parsed(file)
    if not uses.clear:
        return found
    for name in names:
        if specific(file, name, space):
            nodes = [n for n in uses.unqualified(name) if not (_before_dot(n) and _may_be_import(file, name))]
            found[name] |= {Place(file.path, line) for line in lines(nodes)}
    types, others = Types(space.target), Types(space.reference)
    for name in members:
        kind, _, member = name.rpartition(".")
        if types.lacks(kind, member) and not (file.on_reference and others.lacks(kind, member)):
            nodes = [node for operand, node in uses.selected(member) if types.of(operand, uses) == kind]
            found[name] |= {Place(file.path, line) for line in lines(nodes)}
    return defaultdict(set, {name: places for name, places in found.items() if places})


def _may_be_import(file: GoFile, name: str) -> bool:
    """Whether the name may be that of an import. What a package calls itself is mostly a part of its path."""
    return any(not i.name and name in i.path for i in file.facts.imports)


def _before_dot(node: Node) -> bool:
    """Whether a name is qualified by it: nothing else can be done with that of an import."""
    parent = node.parent
    return parent is not None and (
        parent.child_by_field_name("operand") == node or parent.child_by_field_name("package") == node
    )


def specific(file: GoFile, name: str, space: Space) -> bool:
    """Whether only the target fails: what fails on the reference too, its maintainers see themselves."""
    return not file.on_reference or name in space.reference


def merge(into: Found, found: Mapping[str, set[Place]]) -> None:
    """Add what was found in one place to what was found before."""
    for name, places in found.items():
        into[name] |= places


def exported(names: Iterable[str]) -> frozenset[str]:
    """The names that other packages can qualify: no methods and no fields."""
    return frozenset(name for name in names if "." not in name and name[:1].isupper())


def in_order(places: Iterable[Place], where: str = "") -> tuple[Place, ...]:
    """Sorted by file and line; those of the package itself first, and those of tests last."""
    return tuple(
        sorted(places, key=lambda p: (p.path.endswith("_test.go"), directory(p.path) != where, p.path, p.line))
    )


def _folded(group: Sequence[Missing]) -> Missing:
    """What one file took away, as one."""
    places = in_order({place for missing in group for place in missing.places}, group[0].package)
    first, *others = sorted(group, key=lambda m: (places.index(m.places[0]), m.name))
    return replace(first, places=places, others=tuple(m.name for m in others))
