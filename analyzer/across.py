"""What one package needs of another, and does not find on the target."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.imports import Modules, find_modules, imports_of, qualified_uses, seem_imported, unix_only
from analyzer.model import Around, Place, Snapshot, SourceFile
from analyzer.platforms import UNIX_GOOS
from analyzer.reading import outlined
from analyzer.spaces import Space, Spaces, obscure, spaces
from analyzer.symbols import GoFile, Package, directory, packages
from analyzer.undefined import Found, Missing, Undefined, exported, in_order, merge, specific
from analyzer.uses import selected

if TYPE_CHECKING:
    from analyzer.diff import Diff


def find_undefined(diff: "Diff") -> Undefined:
    """What the target newly misses in all packages: within each, and across them."""
    by_dir: dict[str, list[Missing]] = defaultdict(list)
    sides, repository = diff.sides, diff.repository
    found: dict[str, Found] = {where: side.within() if side.clear else {} for where, side in sides.items()}
    for user in repository.users() if repository.providers else ():
        for provider, name, place in _needs(user, repository):
            if any(where in sides and sides[where].broken for where in (user.dir, provider.dir)):
                continue
            if provider.dir in sides:
                merge(found[provider.dir], {name: {place}})
            else:
                by_dir[user.dir].append(Missing(provider.dir, name, (place,), provider.code.elsewhere[name], None))
    for where, side in sides.items():
        by_dir[where] += side.told(found[where])
    return Undefined({where: list(_together(missing)) for where, missing in by_dir.items()})


def _together(missing: Iterable[Missing]) -> Iterator[Missing]:
    """One for each symbol."""
    by_name: dict[tuple[str, str], list[Missing]] = defaultdict(list)
    for one in missing:
        by_name[one.package, one.name].append(one)
    for (package, name), found in sorted(by_name.items()):
        places = in_order({place for one in found for place in one.places}, package)
        first = found[0]
        yield Missing(package, name, places, first.twin, first.was, first.others, first.whole)


@dataclass(frozen=True, slots=True)
class Provider:
    """A package that lacks something on the target.

    Attributes:
        dir: its directory.
        spaces: its names at head.
        clause: the name in its package clause, at head or else at base.
        missing: what others could name there.
        gone: what of it the target had at base.
    """

    dir: str
    spaces: Spaces
    clause: str
    missing: frozenset[str]
    gone: frozenset[str]

    @property
    def code(self) -> Space:
        """What importers see."""
        return self.spaces.code


@dataclass(frozen=True, slots=True)
class User:
    """A package that may need it: its files that the target builds, and which of them differ from base."""

    dir: str
    files: tuple[GoFile, ...]
    changed: frozenset[str]
    base: Package | None


class Repository:
    """All packages that are held, those around included.

    Args:
        diff: the comparison.
    """

    def __init__(self, diff: "Diff") -> None:
        self._diff = diff
        self._sides = diff.sides

    @cached_property
    def modules(self) -> Modules:
        """Where packages are imported from."""
        around = self._diff.around or Around()
        paths = imports_of(f for side in self._sides.values() for f in side.change.head.package.files.values())
        paths = paths.union(*(seem_imported(file.content) for file in around.files.values()))
        return find_modules(paths, {*around.outline.directories, *self._sides}, around.outline.modules)

    @cached_property
    def providers(self) -> Mapping[str, Provider]:
        """By directory."""
        found: dict[str, Provider] = {}
        for where, package in self._around.items():
            if not obscure(package):
                now = spaces(package, self._diff.options)
                found[where] = Provider(where, now, now.clause, exported(now.code.missing), frozenset())
        for where, side in self._sides.items():
            if side.clear:
                clause = side.after.clause or side.before.clause
                missing = exported(side.after.code.missing) | side.gone
                found[where] = Provider(where, side.after, clause, missing, side.gone)
        return {where: p for where, p in found.items() if p.missing and p.clause not in {"", "main"}}

    def users(self) -> Iterator[User]:
        """The packages of the change, and those around that can matter."""
        for where, side in self._sides.items():
            if side.clear:
                files = [file for space in side.after.all for file in space.users]
                yield User(where, tuple(files), side.changed, side.change.base.package)
        unix = self._diff.options.target.goos in UNIX_GOOS
        for where, package in self._around.items():
            if unix or not unix_only(package.files.values()):
                files = [file for space in spaces(package, self._diff.options).all for file in space.users]
                yield User(where, tuple(files), frozenset(), None)

    def package(self, where: str) -> Package | None:
        """A package at head, if it is held."""
        side = self._sides.get(where)
        return side.change.head.package if side is not None else self._around.get(where)

    @cached_property
    def by_path(self) -> Mapping[str, Package]:
        """All packages that are held at head, by import path."""
        root = self.modules.path
        found = {where: side.change.head.package for where, side in self._sides.items()}
        return {
            root if where == "." else f"{root}/{where}": package for where, package in {**self._around, **found}.items()
        }

    @cached_property
    def _around(self) -> Mapping[str, Package]:
        """The packages around that can matter. The others are not even parsed."""
        if self._diff.around is None:
            return {}
        files = self._diff.around.files
        hit = self._importers(files.values()) | self._imported
        near = Snapshot("", {p: f for p, f in files.items() if directory(p) in hit})
        return packages(near, self._diff.options, outlined)

    def _importers(self, files: Iterable[SourceFile]) -> set[str]:
        """The directories in which a file says the path of a package that lost something."""
        lost = {where for where, side in self._sides.items() if side.clear and side.gone}
        tails = [f'"{self.modules.path}"' if where == "." else f'/{where}"' for where in lost]
        tails += [f'"{path}"' for path in self._diff.vendor_losses]
        tails += [f'"{module.path}' for module in self._diff.around.moved] if self._diff.around is not None else []
        encoded = [tail.encode() for tail in tails]
        return {directory(f.path) for f in files if any(tail in f.content for tail in encoded)}

    @property
    def _imported(self) -> set[str]:
        files = (f for side in self._sides.values() for f in side.change.head.package.files.values())
        paths = {i.path for f in files if f.on_target for i in f.facts.imports}
        return {where for path in paths if (where := self.modules.directory(path)) is not None}


def _needs(user: User, repository: Repository) -> Iterator[tuple[Provider, str, Place]]:
    """What a package newly needs of others and they lack."""
    for file in user.files:
        for path, alias in file.facts.imports:
            provider = repository.providers.get(repository.modules.directory(path) or "")
            if provider is None or alias in {"_", "."} or not repository.modules.same(user.dir, provider.dir):
                continue
            names = provider.missing if file.path in user.changed else provider.gone
            if user.dir == provider.dir:  # an external test sees what the package's own tests declare
                names -= provider.spaces.tests.target.keys()
            known = None
            for name, node in qualified_uses(file, alias or provider.clause, names):
                if name not in provider.gone:
                    known = _needed_before(user, provider, repository.modules) if known is None else known
                    if name in known:
                        continue
                if specific(file, name, provider.code):
                    yield provider, name, Place(file.path, node.start_point.row + 1)


def _needed_before(user: User, provider: Provider, modules: Modules) -> frozenset[str]:
    """What the package said of an imported one on the target at base, when the module may have had another version."""
    found: set[str] = set()
    for file in user.base.files.values() if user.base is not None else ():
        for imported, alias in file.facts.imports:
            if file.on_target and modules.directory(imported) == provider.dir:
                found |= selected(file.source.content, alias or provider.clause)
    return frozenset(found)
