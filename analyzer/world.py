"""The packages of one revision as they import each other: which directory an import path of the repository is."""

from collections import Counter
from collections.abc import Iterable, Mapping

from analyzer.symbols import GoFile, Package


class World:
    """All packages that are held of a revision.

    Args:
        packages: by directory.
    """

    def __init__(self, packages: Mapping[str, Package]) -> None:
        self.packages = packages
        self.module = module_path(packages.values())
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
                package = self.packages.get(self.directory(path) or "")
                if package is not None and (alias == name or package_name(package) == name):
                    return package
        return None

    def directory(self, path: str) -> str | None:
        """The directory of an import path; None for what is not of this repository."""
        if not self.module:
            return None
        if path == self.module:
            return "."
        prefix = self.module + "/"
        return path.removeprefix(prefix) if path.startswith(prefix) else None


def package_name(package: Package) -> str:
    """The name in the package clauses."""
    return next((file.facts.package for file in package.files.values() if not file.is_test), "")


def module_path(packages: Iterable[Package]) -> str:
    """The import path of the repository's root; "" when it cannot be told.

    The imports tell it without go.mod, which old revisions do not have: what stands before the name of a directory that
    is held, in most of the imports that end with one.
    """
    held = {package.dir for package in packages}
    votes: Counter[str] = Counter()
    for path in {i.path for package in packages for file in package.files.values() for i in file.facts.imports}:
        parts = path.split("/")
        # The longest match is the directory: "a/b/c/d" is rather "c/d" of "a/b" than "d" of "a/b/c".
        at = next((n for n in range(1, len(parts)) if "/".join(parts[n:]) in held), None)
        if at is not None and "." in parts[0]:
            votes["/".join(parts[:at])] += len(parts) - at
    return votes.most_common(1)[0][0] if votes else ""
