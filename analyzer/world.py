"""The packages of one revision as they import each other: which package a file means by a name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from analyzer.imports import clause_of, find_modules, imports_of
from analyzer.model import Options, Snapshot, SourceFile
from analyzer.reading import outlined
from analyzer.symbols import GoFile, Package, directory, packages

VENDOR = "vendor"
"""Where the packages of others are, under their import paths."""


class Beyond:
    """Packages that only what is called in them matters of. Each is parsed when somebody names it.

    Args:
        files: all of theirs, of one revision.
        options: the platforms.
    """

    def __init__(self, files: Iterable[SourceFile], options: Options) -> None:
        self._options = options
        self._files: dict[str, list[SourceFile]] = defaultdict(list)
        for file in files:
            self._files[directory(file.path)].append(file)
        self._parsed: dict[str, Package] = {}

    def get(self, where: str) -> Package | None:
        """The package of a directory, if it is one of these."""
        if where not in self._parsed and where in self._files:
            near = Snapshot("", {file.path: file for file in self._files[where]})
            self._parsed |= packages(near, self._options, outlined)
        return self._parsed.get(where)


class World:
    """All packages that are held of a revision.

    Args:
        packages: by directory.
        beyond: others that they may name.

    Attributes:
        modules: where they are imported from.
    """

    def __init__(self, packages: Mapping[str, Package], beyond: Beyond | None = None) -> None:
        self.packages = packages
        self._beyond = beyond
        paths = (path for package in packages.values() for path in imports_of(package.files.values()))
        self.modules = find_modules(paths, packages, frozenset())
        self._clauses: dict[str, str] = {}
        self._imported: dict[str, dict[str, Package]] = {}

    def imported(self, file: GoFile, name: str) -> Package | None:
        """The package that a file means by a name (``errdefs`` in ``errdefs.ErrNotFound``), if it is held."""
        if file.path not in self._imported:
            self._imported[file.path] = self._names(file)
        return self._imported[file.path].get(name)

    def imports(self, package: Package) -> frozenset[str]:
        """The directories of what a package imports and is held, its tests aside."""
        paths = imports_of(file for file in package.files.values() if not file.is_test)
        return frozenset(found.dir for path in paths if (found := self._package(path)) is not None) - {package.dir}

    def _package(self, path: str) -> Package | None:
        where = self.modules.directory(path) or f"{VENDOR}/{path}"
        if where in self.packages or self._beyond is None:
            return self.packages.get(where)
        return self._beyond.get(where)

    def _names(self, file: GoFile) -> dict[str, Package]:
        found: dict[str, Package] = {}
        for path, alias in file.facts.imports:
            package = self._package(path)
            if package is not None:
                found.setdefault(alias or self._clause(package), package)
        return found

    def _clause(self, package: Package) -> str:
        if package.dir not in self._clauses:
            self._clauses[package.dir] = clause_of(package)
        return self._clauses[package.dir]
