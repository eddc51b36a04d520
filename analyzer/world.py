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
        self._imported: dict[tuple[str, str], Package | None] = {}

    def imported(self, file: GoFile, name: str) -> Package | None:
        """The package that a file means by a name (``errdefs`` in ``errdefs.ErrNotFound``), if it is held."""
        key = file.path, name
        if key not in self._imported:
            self._imported[key] = self._find(file, name)
        return self._imported[key]

    def _find(self, file: GoFile, name: str) -> Package | None:
        for path, alias in file.facts.imports:
            if alias == name or not alias:
                package = self.packages.get(self._modules.directory(path) or "")
                if package is not None and (alias == name or clause_of(package) == name):
                    return package
        return None
