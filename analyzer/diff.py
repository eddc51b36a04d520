"""Pairs base with head: packages, files and their renames. Rules read the pairs; none of them looks for renames itself."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

from analyzer.across import Repository, find_undefined
from analyzer.imports import imports_of, seem_imported
from analyzer.model import Around, Options, Snapshot
from analyzer.moves import MAX_COMPARED_PAIRS, moved_directories, renames_of, with_origins
from analyzer.pairs import GuardChanges, pair_guards
from analyzer.parity import Revision, View
from analyzer.portable import portable
from analyzer.reach import Reach
from analyzer.reading import of_a_change
from analyzer.runs import TestChanges, pair_tests
from analyzer.symbols import GoFile, Package, Symbol, directory, packages
from analyzer.unbuilt import Unbuilt
from analyzer.undefined import PackageSides, Undefined, never_built
from analyzer.vendored import VendorLoss, find_vendor_losses
from analyzer.world import Beyond

# Two names this much alike, one gone and one new in the same place, are one function renamed.
NAME_SIMILARITY = 0.6
# Bytes of two functions that are compared.
COMPARED_BYTES = 1500


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file at base and at head; None where it does not exist."""

    base: GoFile | None
    head: GoFile | None

    @property
    def left_target(self) -> bool:
        """It still exists, and no longer builds on the target."""
        return self.base is not None and self.head is not None and self.base.on_target and not self.head.on_target

    @property
    def left_alone(self) -> bool:
        """It left the target alone: not the reference at the same time, nor for want of a tag of the project's own."""
        return (
            self.left_target
            and self.base is not None
            and self.head is not None
            and (self.head.on_reference or not self.base.on_reference)
            and not self.head.on_tagged_target
        )

    @property
    def entered_alone(self) -> bool:
        """It came to the target alone: likewise."""
        return (
            self.entered_target
            and self.base is not None
            and self.head is not None
            and (self.base.on_reference or not self.head.on_reference)
            and not self.base.on_tagged_target
        )

    @property
    def entered_target(self) -> bool:
        """It existed, and now builds on the target."""
        return self.base is not None and self.head is not None and not self.base.on_target and self.head.on_target


@dataclass(frozen=True)
class PackageChange:
    """A package at base and at head; an absent one is an empty package."""

    base: View
    head: View
    files: tuple[FileChange, ...]

    @property
    def dir(self) -> str:
        """Its directory, as head names it."""
        return self.head.package.dir

    @property
    def left_target(self) -> bool:
        """Whether the target built the package, no program, and has no file of it any more."""
        before, after = (
            [f for f in view.package.files.values() if f.on_target and not f.is_test] for view in (self.base, self.head)
        )
        return bool(before) and not after and before[0].facts.package != "main"

    def names(self) -> list[str]:
        """All functions and methods that either side declares on either platform, sorted."""
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        sides = (self.base.package, self.head.package)
        symbols = (s for p in sides for table in (p.target, p.reference) for s in table.values())
        return sorted({s.name for s in symbols if s.declaration.is_function})

    def renamed_from(self, name: str, *, on: str = "target") -> str | None:
        """The name that a function new at head had at base on a platform, if one much like it went away there."""
        return (self._renamed_on_target if on == "target" else self._renamed_on_reference).get(name)

    def renamed(self) -> Mapping[str, str]:
        """From new to old names on the target."""
        return self._renamed_on_target

    @cached_property
    def _renamed_on_target(self) -> Mapping[str, str]:
        return self._renamed(self.base.package.target, self.head.package.target)

    @cached_property
    def _renamed_on_reference(self) -> Mapping[str, str]:
        return self._renamed(self.base.package.reference, self.head.package.reference)

    def _renamed(self, base: Mapping[str, Symbol], head: Mapping[str, Symbol]) -> Mapping[str, str]:
        """From new to old names, each old one once: the likest pairs first."""
        gone = [s for s in base.values() if s.declaration.is_function and s.name not in head]
        come = [s for s in head.values() if s.declaration.is_function and s.name not in base]
        if len(gone) * len(come) > MAX_COMPARED_PAIRS:
            return {}
        scored = sorted(
            ((score, new.name, old.name) for new in come for old in gone if (score := self._same_function(old, new))),
            reverse=True,
        )
        found: dict[str, str] = {}
        taken = set[str]()
        for _, new_name, old_name in scored:
            if new_name not in found and old_name not in taken:
                found[new_name] = old_name
                taken.add(old_name)
        return found

    def _same_function(self, old: Symbol, new: Symbol) -> float:
        """How likely the two are one function renamed; 0 when it is not likely. What it does counts more than its name."""
        named = _named_alike(old.name, new.name)
        long_enough = len(old.source) > len(old.name) + len("func () {}\n")
        if named < NAME_SIMILARITY and not long_enough:
            return 0.0
        twins = self.base.package.reference.get(old.name), self.head.package.reference.get(new.name)
        pairs = [(old, new)]
        if twins[0] is not None and twins[1] is not None and twins != (old, new):
            pairs.append((twins[0], twins[1]))
        enough = 0.0 if named >= NAME_SIMILARITY else NAME_SIMILARITY * len(pairs)
        does = 0.0
        for left, pair in zip(range(len(pairs) - 1, -1, -1), pairs, strict=True):
            does += likeness(*pair, enough - does - left)
            if does + left < enough:
                return 0.0
        return named + 2 * does / len(pairs)


def _named_alike(old: str, new: str) -> float:
    return SequenceMatcher(None, bare(old), bare(new)).ratio()


def alike(old: str, new: str) -> bool:
    """Whether two names may be of one thing renamed."""
    return _named_alike(old, new) >= NAME_SIMILARITY


def likeness(old: Symbol, new: Symbol, least: float = 0.0) -> float:
    """How much of two functions' text is the same, their own names aside; 0 where that is less than `least`.

    Most pairs have too few letters in common, which is told in a fraction of the time.
    """
    mine, theirs = (s.source.replace(s.name.rpartition(".")[2].encode(), b"")[:COMPARED_BYTES] for s in (old, new))
    if 2 * (_letters(mine) & _letters(theirs)).total() < least * (len(mine) + len(theirs)):
        return 0.0
    ratio = _ratio(mine, theirs)
    return ratio if ratio >= least else 0.0


# The same packages are compared again when a change is looked at together with what is around it.
@lru_cache(maxsize=8192)
def _ratio(mine: bytes, theirs: bytes) -> float:
    return SequenceMatcher(None, mine, theirs, autojunk=False).ratio()


@lru_cache(maxsize=4096)
def _letters(source: bytes) -> Counter[int]:
    return Counter(source)


@dataclass(frozen=True)
class Diff:
    """Everything that differs, and what crossed from one package to another."""

    packages: tuple[PackageChange, ...]
    options: Options
    around: Around | None
    unread: frozenset[str]

    @cached_property
    def arrived(self) -> frozenset[str]:
        """Bare names of functions that some package newly has on the target, and not as a stub."""
        return _arrived(self.packages)

    @cached_property
    def departed(self) -> frozenset[str]:
        """Bare names of functions that some package no longer has on the reference."""
        return _departed(self.packages)

    @cached_property
    def stubs_gone(self) -> frozenset[str]:
        """Bare names of stubs that some package no longer has on the target."""
        return _stubs_gone(self.packages)

    @cached_property
    def twins_of_stubs_gone(self) -> tuple[Symbol, ...]:
        """What the reference had beside stubs that some package no longer has on the target, and has no longer either."""
        return tuple(
            change.base.package.reference[name]
            for change in self.packages
            for name in set(_gone_stubs(change)) - {*change.renamed().values()}
            if name in change.base.package.reference and name not in change.head.package.reference
        )

    @cached_property
    def guards(self) -> GuardChanges:
        """The guards that are new and those that are gone."""
        return pair_guards(self.packages, self.reach_at_base)

    @cached_property
    def reach_at_base(self) -> Reach:
        """What the target came to at base."""
        return Reach([change.base for change in self.packages])

    @cached_property
    def never_built(self) -> frozenset[str]:
        """Directories and files that could not be compiled for the target at base, and now say so: they lose nothing."""
        return never_built(self)

    @cached_property
    def unbuilt(self) -> Unbuilt:
        """What the target could not build at base, though no constraint says so."""
        return Unbuilt(self)

    @cached_property
    def unbuilt_at_head(self) -> Unbuilt:
        """What it cannot build at head."""
        return Unbuilt(self, head=True)

    @cached_property
    def left_unused(self) -> frozenset[str]:
        """Directories of packages that leave the target as a whole, and that nothing imported which stays there.

        Only Linux's own code uses them. An importer that did not change is not looked at: if the target built it, it would
        not compile any more.
        """
        return _left_unused(self)

    def named_around(self, change: PackageChange, symbol: Symbol) -> bool:
        """Whether packages that did not change name a symbol of one that did: none of them is built for the target there."""
        bare = symbol.name.rpartition(".")[2]
        if self.around is None or not bare[:1].isupper():
            return False
        name, tail = f".{bare}".encode(), f'/{change.dir}"'.encode()
        files = (f for path, f in self.around.files.items() if not path.endswith("_test.go"))
        return any(name in f.content and tail in f.content for f in files)

    @cached_property
    def reach_at_head(self) -> Reach:
        """What it comes to at head."""
        return Reach([change.head for change in self.packages])

    @cached_property
    def tests(self) -> TestChanges:
        """The tests that the target no longer runs, and those that it newly runs."""
        return pair_tests(self.packages)

    @cached_property
    def undefined(self) -> Undefined:
        """What code built on the target newly refers to and does not find there."""
        return find_undefined(self)

    @cached_property
    def repository(self) -> Repository:
        """All packages that are held, as they import each other."""
        return Repository(self)

    @cached_property
    def sides(self) -> Mapping[str, PackageSides]:
        """What the files of each package see, by its directory."""
        return {change.dir: PackageSides(change, self) for change in self.packages}

    @cached_property
    def vendored(self) -> tuple[PackageChange, ...]:
        """The vendored packages that differ."""
        if self.around is None or self.around.vendored is None:
            return ()
        return compare(*self.around.vendored, self.options).packages

    @cached_property
    def vendor_losses(self) -> Mapping[str, tuple[VendorLoss, ...]]:
        """What vendored packages newly lack on the target, by import path."""
        return find_vendor_losses(self.vendored, self.options)

    @cached_property
    def portable(self) -> frozenset[str]:
        """Files of head that the target leaves out and could build."""
        head = {change.dir: change.head.package for change in self.packages}
        built = (f for change in self.packages for f in change.base.package.files.values() if f.on_target)
        return frozenset(file.path for file in portable(head, self.options, built))

    def moved_away(self, name: str) -> bool:
        """Whether a function of that bare name is new on the target in some package: it moved, it is not lost."""
        return bare(name) in self.arrived

    def moved_here(self, name: str) -> bool:
        """Whether a function of that bare name left the reference in some package: it is not new."""
        return bare(name) in self.departed

    def stub_moved(self, name: str) -> bool:
        """Whether a stub of that bare name left some package: the one that is new elsewhere is the same."""
        return bare(name) in self.stubs_gone


def bare(name: str) -> str:
    """A name without receiver and without regard to case: moving to another package often changes both."""
    return name.rpartition(".")[2].lower()


def compare(base: Snapshot, head: Snapshot, options: Options, around: Around | None = None) -> Diff:
    """Pair two revisions.

    Args:
        base: the older one, with every directory in which a file differs.
        head: the newer one, likewise.
        options: the platforms to look at.
        around: what lies around these directories, as far as it was asked for.

    Returns:
        The packages in which something differs.
    """
    own = {directory(path) for path in base.files}
    base = with_origins(base, around)
    deep = of_a_change(base, head)
    old, new = packages(base, options, deep), packages(head, options, deep)
    beyond = _beyond(around, options)
    then, now = Revision(old, options, beyond[0]), Revision(new, options, beyond[1])
    renames = renames_of(base, head)
    moved = moved_directories(old, new, renames)
    changes = []
    for where in sorted({*new, *(own - moved.keys())}):
        was = next((d for d, to in moved.items() if to == where), where)
        before, after = old.get(was, _empty(was)), new.get(where, _empty(where))
        changes.append(PackageChange(View(before, then), View(after, now), _files(before, after, renames, old)))
    unread = frozenset(directory(entry.path) for side in (base, head) for entry in side.unreadable)
    return Diff(tuple(changes), options, around, unread)


def _beyond(around: Around | None, options: Options) -> tuple[Beyond, Beyond]:
    """The vendored packages of base and of head that functions may hand on to."""
    around = around or Around()
    differ = around.vendored or (Snapshot(""), Snapshot(""))
    sides = zip(differ, around.handed, strict=True)
    before, after = (Beyond({**side.files, **handed}.values(), options) for side, handed in sides)
    return before, after


def _empty(where: str) -> Package:
    return Package(where, {}, {}, {}, ())


def _files(
    before: Package, after: Package, renames: Mapping[str, str], old: Mapping[str, Package]
) -> tuple[FileChange, ...]:
    pairs = []
    for path, file in after.files.items():
        was = renames.get(path, path)
        source = before.files.get(was) or (old[directory(was)].files.get(was) if directory(was) in old else None)
        if source is None or source.source.blob != file.source.blob or source.path != path:
            pairs.append(FileChange(source, file))
    taken = {renames.get(path, path) for path in after.files} | set(renames.values())
    pairs += [FileChange(file, None) for path, file in before.files.items() if path not in taken]
    return tuple(pairs)


def _left_unused(diff: Diff) -> frozenset[str]:
    left = {change.dir for change in diff.packages if change.left_target}
    if not left:
        return frozenset()
    modules = diff.repository.modules
    before = {change.dir: [f for f in change.base.package.files.values() if not f.is_test] for change in diff.packages}
    built = {where: files for where, files in before.items() if not diff.unbuilt.code(where)}
    on_target = {where: imports_of(f for f in files if f.on_target) for where, files in built.items()}
    users = {
        where: {user for user, paths in on_target.items() if where in map(modules.directory, paths)} for where in left
    }
    around = diff.around.files.values() if diff.around is not None else ()
    paths = {path for file in around for path in seem_imported(file.content)}.union(*map(imports_of, before.values()))
    # What nobody here imports at all is there for others.
    left &= {modules.directory(path) for path in paths}
    while used := {where for where in left if users[where] - left}:
        left -= used
    return frozenset(left)


def _functions(symbols: Iterable[Symbol]) -> set[str]:
    return {s.name for s in symbols if s.declaration.is_function}


def _arrived(changes: Iterable[PackageChange]) -> frozenset[str]:
    """Bare names of functions that some package newly has on the target, and not as a stub."""
    return frozenset(
        bare(name)
        for change in changes
        for name in _functions(change.head.package.target.values()) - change.base.package.target.keys()
        if (body := change.head.body(name)) is not None and body.stub is None
    )


def _departed(changes: Iterable[PackageChange]) -> frozenset[str]:
    """Bare names of functions that some package no longer has on the reference."""
    return frozenset(
        bare(name)
        for change in changes
        for name in _functions(change.base.package.reference.values()) - change.head.package.reference.keys()
    )


def _stubs_gone(changes: Iterable[PackageChange]) -> frozenset[str]:
    """Bare names of stubs that some package no longer has on the target, or only as a variable."""
    return frozenset(bare(name) for change in changes for name in _gone_stubs(change))


def _gone_stubs(change: PackageChange) -> list[str]:
    gone = _functions(change.base.package.target.values()) - _functions(change.head.package.target.values())
    return [n for n in sorted(gone) if (body := change.base.body(n)) is not None and body.stub is not None]
