"""What the target cannot build, because of itself or of what it imports: at base nothing of it is a loss, at head no gain."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.files import custom_tags, suffix_tags
from analyzer.imports import Modules, find_modules, imports_of, qualified_uses, seem_imported, unix_only
from analyzer.members import Types, of_imported
from analyzer.model import Around, Options, Snapshot, SourceFile
from analyzer.platforms import UNIX_GOOS
from analyzer.reading import headed, outlined
from analyzer.spaces import Space, Spaces, obscure, spaces
from analyzer.symbols import GoFile, Package, directory, packages
from analyzer.undefined import exported, lacks_any, specific
from analyzer.uses import parsed, words
from analyzer.world import VENDOR

if TYPE_CHECKING:
    from analyzer.diff import Diff


class Unbuilt:
    """Which packages of a revision the target cannot build, though no constraint says so. Asked for one at a time.

    Vendored packages count as far as they are held. Of them only what they import is read, until something depends on what
    they declare.

    Args:
        diff: the comparison. What lies around it is at base as it is at head.
        head: whether it is about head, not base.
    """

    def __init__(self, diff: "Diff", *, head: bool = False) -> None:
        around = diff.around or Around()
        self._options: Options = diff.options
        self._unix = diff.options.target.goos in UNIX_GOOS
        sides = {change.dir: (change.head if head else change.base).package for change in diff.packages}
        self._own = {where: package.dir for where, package in sides.items()}
        self._held = {package.dir: package for package in sides.values()}
        theirs = around.vendored[0].files if around.vendored is not None else {}
        files = {**around.files, **theirs, **around.origins.files, **around.behind}
        self._around = _by_directory(files.values(), {*self._own, *self._held})
        self._outline = around.outline
        self._fails: dict[str, bool] = {}
        self._spaces: dict[str, Spaces | None] = {}
        self._read: dict[str, Package] = {}

    def code(self, where: str) -> bool:
        """Whether the code of a package, without its tests, cannot be built; the directory is head's."""
        where = self._own.get(where, where)
        return not self._unix and self._reach_a_failure(where, {where})

    def tests(self, where: str) -> bool:
        """Whether a package's tests cannot be built: because of it, or of what they use themselves."""
        where = self._own.get(where, where)
        package = self._package(where)
        if self._unix or package is None:
            return False
        tests = _tests(package)
        return (
            unix_only(tests) or self._misses(where, tests) or self._reach_a_failure(where, {where, *self._needs(tests)})
        )

    def unheld(self, where: str, *, tests: bool) -> frozenset[str]:
        """The directories that would have to be held to tell: those that are imported, and not known.

        Nothing when it is known that the package could not be built. What is vendored may not be there at all.

        Args:
            where: a package, as head names it.
            tests: whether it is about its tests.
        """
        if self.tests(where) if tests else self.code(where):
            return frozenset()
        where = self._own.get(where, where)
        package = self._package(where)
        starts = {where, *self._needs(_tests(package))} if tests and package is not None else {where}
        return frozenset(
            needed
            for needed in self._reachable(starts)
            if needed not in self._held
            and needed not in self._around
            and (needed in self._outline.directories or _is_vendored(needed))
        )

    def _reach_a_failure(self, own: str, starts: set[str]) -> bool:
        """Whether something that is imported could not be built. What a package lacks of its own is judged elsewhere."""
        return any(
            self._fails_itself(where) or (where != own and self._lacks(where)) for where in self._reachable(starts)
        )

    def _reachable(self, starts: set[str]) -> Iterable[str]:
        """These directories and all that their code imports on the target, nearest first."""
        seen, work = set(starts), sorted(starts)
        for where in work:
            yield where
            package = self._package(where)
            more = self._followed(package) - seen if package is not None else set[str]()
            seen |= more
            work += sorted(more)

    def _followed(self, package: Package) -> set[str]:
        """What a package's code imports; nothing vendored where a file's name says that it is meant for the target."""
        needed = self._needs(_code(package))
        goos = self._options.target.goos
        if not any(goos in suffix_tags(path.rpartition("/")[2]) for path in package.files):
            return needed
        return set() if _is_vendored(package.dir) else {where for where in needed if not _is_vendored(where)}

    def _needs(self, files: Iterable[GoFile]) -> set[str]:
        found = {self._directory(path) for path in imports_of(files)}
        return {where for where in found if where is not None}

    def _directory(self, path: str) -> str | None:
        """The directory of an import path; None for what is Go's own."""
        where = self._modules.directory(path)
        if where is not None and (where in self._outline.directories or where in self._held or where in self._around):
            return where
        return f"{VENDOR}/{path}" if "." in path.partition("/")[0] else None

    def _package(self, where: str) -> Package | None:
        """A package as the revision has it; None where it is not held."""
        if where not in self._held and where in self._around:
            self._held |= self._parsed(where, whole=not _is_vendored(where))
        return self._held.get(where)

    def _parsed(self, where: str, *, whole: bool) -> dict[str, Package]:
        near = Snapshot("", {f.path: f for f in self._around[where]})
        return packages(near, self._options, outlined if whole else headed)

    def _outlined(self, where: str) -> Package | None:
        """A package with what it declares. What the target builds all of lacks nothing, so that nobody has to know."""
        package = self._package(where)
        if package is None or where not in self._around or not _is_vendored(where):
            return package
        if where not in self._read:
            divided = any(not f.on_target for f in _sources(package))
            self._read |= self._parsed(where, whole=True) if divided else {where: package}
        return self._read[where]

    def _fails_itself(self, where: str) -> bool:
        """Whether a package needs what the target lacks: of a Unix, or of a package that it imports."""
        if where not in self._fails:
            package = self._package(where)
            code = _code(package) if package is not None else []
            self._fails[where] = unix_only(code) or self._misses(where, code)
        return self._fails[where]

    def _lacks(self, where: str) -> bool:
        seen = self._seen(where)
        return seen is not None and bool(seen.code.users) and lacks_any(seen.code)

    def _misses(self, where: str, files: Iterable[GoFile]) -> bool:
        """Whether files need a package that has nothing for the target, or a name that it has for others only."""
        for file in files:
            for path, alias in file.facts.imports:
                needed = self._directory(path)
                if needed is None or needed == where or alias == "." or not self._modules.same(where, needed):
                    continue
                seen = self._seen(needed)
                if seen is None:
                    continue
                if not any(f.on_target for f in _sources(self._held[needed])):
                    return True
                if _uses_missing(file, alias or seen.clause, seen.code):
                    return True
        return False

    def _seen(self, where: str) -> Spaces | None:
        """What a package's files see; None where it is not held, or not known for sure."""
        if where not in self._spaces:
            package = self._outlined(where)
            sure = package is not None and bool(_sources(package)) and not obscure(package) and not _tagged(package)
            self._spaces[where] = spaces(package, self._options) if sure and package is not None else None
        return self._spaces[where]

    @cached_property
    def _modules(self) -> Modules:
        """Where packages are imported from. What others import from each other says nothing of it."""
        held = (package for where, package in self._held.items() if not _is_vendored(where))
        paths = imports_of(f for package in held for f in package.files.values())
        around = (files for where, files in self._around.items() if not _is_vendored(where))
        paths = paths.union(*(seem_imported(f.content) for files in around for f in files))
        return find_modules(paths, {*self._outline.directories, *self._held}, self._outline.modules)


def _is_vendored(where: str) -> bool:
    return where.startswith(f"{VENDOR}/")


def _uses_missing(file: GoFile, qualifier: str, space: Space) -> bool:
    """Whether a file names what a package that it imports has for others only, or such a field."""
    names = exported(space.missing)
    if any(specific(file, name, space) for name, _ in qualified_uses(file, qualifier, names)):
        return True
    present = words(file.source.content)
    mine, others = Types(space.target), Types(space.reference)
    for name in space.missing:
        kind, _, member = name.rpartition(".")
        if kind and member in present and mine.lacks(kind, member) and not others.lacks(kind, member):
            uses = parsed(file)
            operands = (operand for operand, _ in uses.selected(member)) if uses.clear else ()
            if any(of_imported(operand, uses, qualifier, space.target) == kind for operand in operands):
                return True
    return False


def _by_directory(files: Iterable[SourceFile], held: set[str]) -> Mapping[str, list[SourceFile]]:
    found: dict[str, list[SourceFile]] = {}
    for file in files:
        if directory(file.path) not in held:
            found.setdefault(directory(file.path), []).append(file)
    return found


def _sources(package: Package) -> list[GoFile]:
    return [f for f in package.files.values() if not f.is_test]


def _code(package: Package) -> list[GoFile]:
    """What every build for the target has. What depends on the project's own tags may be left out in all of its builds."""
    return [f for f in _sources(package) if f.on_target and not custom_tags(f.facts.constraint)]


def _tests(package: Package) -> list[GoFile]:
    return [f for f in package.files.values() if f.is_test and f.on_target and not custom_tags(f.facts.constraint)]


def _tagged(package: Package) -> bool:
    """Whether a build with the project's own tags has more for the target: then nobody knows what people build."""
    return any(f.on_tagged_target and not f.on_target for f in _sources(package))
