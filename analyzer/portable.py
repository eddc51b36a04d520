"""Files that the target leaves out though nothing in them is another platform's own: they could build there as they are."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from analyzer.dependency import called
from analyzer.files import custom_tags
from analyzer.imports import clause_of, find_modules, imports_of, unix_only
from analyzer.insertion import is_standard
from analyzer.model import Options, Portable
from analyzer.parity import names_linux_concept, speaks_of_linux
from analyzer.spaces import UNIVERSE, Space, obscure, spaces
from analyzer.symbols import GoFile, Package
from analyzer.uses import parsed, selected, words

# Of Go's own packages, those that are not the same everywhere.
_DIVIDED = frozenset({"C", "syscall", "log/syslog", "runtime/cgo", "plugin", "os/user", "debug/elf"})
# What builds everywhere, and means something on a Unix only: its paths, owners, modes, sockets; and programs of any kind.
_MEANS_UNIX = re.compile(
    rb"""["`]/(?:proc|sys|dev|etc|run|var|usr|s?bin|tmp|lib\w*|mnt|home|root|boot|opt)\b|["`]unix(?:gram|packet)?["`:]"""
    rb"""|\bos\.(?:L?[cC]hown|Get(?:e?[ug]id|groups)|Chmod|ModeNamedPipe|ModeSocket|ModeDevice)\b|\.Sys\(\)|\b[UG]id\b"""
    rb"""|\bexec\.(?:Command|LookPath)|\bSysProcAttr\b|\b(?i:linux|unix)\b|\bruntime\.GOOS\b"""
)

# Directives are none.
_COMMENT = re.compile(rb"(?m)^[ \t]*// .*$|(?s:/\*.*?\*/)|^//go:build .*$")
_MEMBER = re.compile(rb"\.\s*([A-Za-z_]\w*)|(?<!\w)([A-Za-z_]\w*+)\s*:")


def portable(packages: Mapping[str, Package], options: Options, witnesses: Iterable[GoFile] = ()) -> list[Portable]:
    """The files that the reference builds, the target does not, and could.

    Everything in such a file resolves on the target: imports, names, methods and fields, as far as syntax tells; and no
    file of the target declares the same. Whatever is not sure keeps a file out.

    Args:
        packages: those that are held, by directory.
        options: the platforms.
        witnesses: further files that the target built at some time.

    Returns:
        By path. Files that need each other stand together: either all of them can build, or none.
    """
    ground = _Ground(packages, options, witnesses)
    found = [file for package in packages.values() for file in _of_package(package, ground)]
    return [
        Portable(f.path, tuple(d.name for d in f.facts.declarations if d.is_function))
        for f in sorted(found, key=lambda f: f.path)
    ]


class _Ground:
    """What the target has.

    Attributes:
        packages: by directory.
        options: the platforms.
    """

    def __init__(self, packages: Mapping[str, Package], options: Options, witnesses: Iterable[GoFile]) -> None:
        self.packages = packages
        self.options = options
        self._witnesses = tuple(witnesses)
        paths = (path for package in packages.values() for path in imports_of(package.files.values()))
        self._modules = find_modules(paths, packages, frozenset())
        self._builds: dict[str, bool] = {}

    def held(self, path: str) -> Package | None:
        """The package of an import path."""
        return self.packages.get(self._modules.directory(path) or "")

    def builds(self, package: Package) -> bool:
        """Whether the target builds a package, with all that it imports."""
        if package.dir not in self._builds:
            self._builds[package.dir] = True  # what imports itself in a circle is no Go
            files = [f for f in package.files.values() if f.on_target and not f.is_test]
            own = [held for path in imports_of(files) if (held := self.held(path)) is not None]
            plain = bool(files) and not obscure(package) and not unix_only(files)
            self._builds[package.dir] = plain and all(map(self.builds, own))
        return self._builds[package.dir]

    def said(self, path: str, name: str) -> set[str]:
        """What files that the target builds say of a package that is not held."""
        return {
            said
            for file in self._importers.get(path, ())
            for i in file.facts.imports
            if i.path == path
            for said in selected(file.source.content, i.name or name)
        }

    @cached_property
    def _importers(self) -> Mapping[str, list[GoFile]]:
        found: dict[str, list[GoFile]] = defaultdict(list)
        mine = (f for p in self.packages.values() if self.builds(p) for f in p.files.values())
        for file in (*mine, *self._witnesses):
            for path in {i.path for i in file.facts.imports} if file.on_target and not file.is_test else ():
                found[path].append(file)
        return found

    @cached_property
    def methods(self) -> frozenset[str]:
        """Bare names of methods that no type has on the target."""
        here, there = set[str](), set[str]()
        for package in self.packages.values():
            for file in package.files.values():
                names = {d.name.rpartition(".")[2] for d in file.facts.declarations if d.kind == "method"}
                (here if file.on_target else there).update(names)
        return frozenset(there - here)


def _of_package(package: Package, ground: _Ground) -> list[GoFile]:
    """The files of one package that could build together with what the target builds of it."""
    found = [f for f in package.files.values() if _is_candidate(f, package)]
    if not found or obscure(package):
        return []
    files = [f for f in package.files.values() if f.on_target and not f.is_test]
    if files and not ground.builds(package):
        return []
    space = spaces(package, ground.options).code
    while bad := [f for f in found if not _resolves(f, found, space, ground)]:
        found = [f for f in found if f not in bad]
    own = [f for f in package.files.values() if f.on_reference and not f.is_test]
    return (
        found if files or len(found) == len(own) else []
    )  # some of a package that is another platform's own helps nobody


def _is_candidate(file: GoFile, package: Package) -> bool:
    facts, content = file.facts, file.source.content
    if file.on_target or not file.on_reference or file.is_test or file.helps_tests or facts.broken_line is not None:
        return False
    if custom_tags(facts.constraint) or facts.package != clause_of(package) or facts.package == "main":
        return False
    if not facts.declarations or not all(d.has_body for d in facts.declarations):
        return False
    stem = " ".join(file.path.removesuffix(".go").removesuffix("_linux").removesuffix("_unix").split("/")[-3:])
    code = _COMMENT.sub(b"", content)
    return not (_MEANS_UNIX.search(code) or speaks_of_linux(code) or names_linux_concept(stem))


def _resolves(file: GoFile, others: list[GoFile], space: Space, ground: _Ground) -> bool:
    """Whether all that a file says can be had on the target, if it gets the other files, too."""
    content, declared = file.source.content, {d.name for d in file.facts.declarations}
    brought = {d.name for f in others for d in f.facts.declarations}
    twice = {d.name for f in others if f is not file for d in f.facts.declarations}
    if not declared.isdisjoint({*space.target, *twice}):
        return False
    if any(not _imports(file, i.path, i.name, ground) for i in file.facts.imports):
        return False
    owners = {name.rpartition(".")[0] for name in declared if "." in name}
    if not owners <= {*space.target, *brought}:
        return False
    lacking = space.elsewhere.keys() - space.target.keys() - brought - UNIVERSE
    uses, present = parsed(file), words(content)
    if not uses.clear or any(next(uses.unqualified(name), None) for name in lacking if name in present):
        return False
    members = {name.rpartition(".")[2] for name in {*lacking, *space.missing} if "." in name} | ground.methods
    members -= {name.rpartition(".")[2] for name in brought}
    return members.isdisjoint(_members(content))


def _imports(file: GoFile, path: str, alias: str, ground: _Ground) -> bool:
    """Whether what a file says of an import can be had on the target."""
    if alias == "." or path in _DIVIDED or path.startswith("golang.org/x/sys/"):
        return False
    if is_standard(path) and ground.held(path) is None:
        return True
    package = ground.held(path)
    if package is not None:
        if not ground.builds(package):
            return False
        names = selected(file.source.content, alias or clause_of(package))
        fields = spaces(package, ground.options).code.missing
        members = {name.rpartition(".")[2] for name in fields if "." in name}
        return names <= {*package.target} and members.isdisjoint(_members(file.source.content))
    name = alias or called(file, path)
    names = selected(file.source.content, name) if name and alias != "_" else frozenset[str]()
    return bool(names) and names <= ground.said(path, name)


def _members(content: bytes) -> set[str]:
    """What a file may name of a value: what stands behind a dot, and the keys of literals."""
    return {(name or key).decode(errors="replace") for name, key in _MEMBER.findall(content)}
