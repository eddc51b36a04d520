"""The packages of one revision as they import each other: which package a file means by a name."""

from collections.abc import Mapping

from analyzer.imports import clause_of, find_modules, imports_of
from analyzer.symbols import GoFile, Package


class World:
    """All packages that are held of a revision.

    Args:
        packages: by directory.
    """

    def __init__(self, packages: Mapping[str, Package]) -> None:
        self.packages = packages
        paths = (path for package in packages.values() for path in imports_of(package.files.values()))
        self._modules = find_modules(paths, packages, frozenset())
        self._clauses: dict[str, str] = {}
        self._imported: dict[str, dict[str, Package]] = {}

    def imported(self, file: GoFile, name: str) -> Package | None:
        """The package that a file means by a name (``errdefs`` in ``errdefs.ErrNotFound``), if it is held."""
        if file.path not in self._imported:
            self._imported[file.path] = self._names(file)
        return self._imported[file.path].get(name)

    def _names(self, file: GoFile) -> dict[str, Package]:
        found: dict[str, Package] = {}
        for path, alias in file.facts.imports:
            package = self.packages.get(self._modules.directory(path) or "")
            if package is not None:
                found.setdefault(alias or self._clause(package), package)
        return found

    def _clause(self, package: Package) -> str:
        if package.dir not in self._clauses:
            self._clauses[package.dir] = clause_of(package)
        return self._clauses[package.dir]
