"""Which directory an import path means, and under which name a file knows it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from analyzer.symbols import GoFile, Package
from analyzer.uses import parsed

UNIX_ONLY = frozenset({"golang.org/x/sys/unix", "log/syslog"})
"""Packages that have no file for Windows: what imports them there does not build, whatever else it lacks."""

# What Go's syscall has on Linux and not on Windows, as far as people use it. The package is frozen.
UNIX_CALLS = re.compile(
    rb"\bsyscall\.((?:CLONE|LOCK|MNT|MS|NETLINK|PR|RLIMIT|SYS)_\w+|TC[GS]ETS|TIOC\w+|SIG(?:C|IO|POLL|PROF|PWR|ST|SYS|TS|TT"
    rb"|U|VT|WINCH|X)\w*|Kill|Flock|[GS]etrlimit|Rlimit|Gettid|Credential|Chroot|Mkfifo|Mknod|Mount|Unmount|PivotRoot"
    rb"|RawSyscall6?|Set(?:gid|uid|groups|regid|resgid|resuid|reuid|xattr)|L?[sS]tat|Stat(?:_t|fs|fs_t)|Sync|Sysinfo(?:_t)?"
    rb"|Termios|Umask|Uname|Utsname|Unshare|Wait4|WNOHANG|Dirent|ReadDirent|Openat|Faccessat)\b"
)


_MAJOR = re.compile(r"^v\d+(?:/|$)")
_PATH = re.compile(rb'"([\w.~-]+/[\w./~-]+)"')


@dataclass(frozen=True, slots=True)
class Modules:
    """Where the repository's packages are imported from.

    Attributes:
        path: the import path of the root; "" when it cannot be told.
        roots: the directories that hold a go.mod. Nobody knows which version of one module another one gets, so no
            import is followed from one to the other.
    """

    path: str
    roots: frozenset[str] = frozenset()

    def directory(self, path: str) -> str | None:
        """The directory of an import path; None for what is not of this repository."""
        for prefix in (self.path, _without_version(self.path)):
            if path == prefix:
                return "."
            if prefix and path.startswith(prefix + "/"):
                inner = path.removeprefix(prefix + "/")
                # What the project was called under another major version, which is what base imports when that goes up.
                return inner if prefix == self.path else _MAJOR.sub("", inner) or "."
        return None

    def same(self, one: str, other: str) -> bool:
        """Whether two directories are of one module."""
        return self._root(one) == self._root(other)

    def _root(self, where: str) -> str:
        parts = where.split("/") if where != "." else []
        for n in range(len(parts), 0, -1):
            if "/".join(parts[:n]) in self.roots:
                return "/".join(parts[:n])
        return "."


def find_modules(paths: Iterable[str], directories: Iterable[str], roots: frozenset[str]) -> Modules:
    """Tell the module's path by the imports, which works without a go.mod, and with a go.mod of any name.

    It is what stands before the name of a directory of the repository, in most of the imports that end with one. Of
    several directories that fit, the longest counts: "a/b/c/d" is rather "c/d" of "a/b" than "d" of "a/b/c".

    Args:
        paths: what is imported; a path counts once.
        directories: those of the repository.
        roots: those that hold a go.mod.
    """
    held = set(directories)
    votes: Counter[str] = Counter()
    for path in {path for path in paths if "." in path.partition("/")[0]}:
        parts = path.split("/")
        at = next((n for n in range(1, len(parts)) if "/".join(parts[n:]) in held), None)
        if at is not None:
            votes["/".join(parts[:at])] += len(parts) - at
    best = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
    return Modules(best[0][0] if best else "", roots)


def imports_of(files: Iterable[GoFile]) -> set[str]:
    """What files import."""
    return {i.path for file in files for i in file.facts.imports}


def seem_imported(content: bytes) -> set[str]:
    """What a file that is not parsed may import: the texts with a slash above its first function."""
    return {path.decode(errors="replace") for path in _PATH.findall(content.partition(b"\nfunc ")[0])}


def clause_of(package: Package) -> str:
    """The name in a package's clauses: that of what the target builds, or else of what the reference builds."""
    for chosen in (_on_target, _on_reference, _anywhere):
        names = {f.facts.package for f in package.files.values() if chosen(f) and not f.is_test}
        if len(names) == 1:
            return names.pop()
        if names:
            return ""
    names = {f.facts.package.removesuffix("_test") for f in package.files.values()}
    return names.pop() if len(names) == 1 else ""


def unix_only(files: Iterable[GoFile]) -> bool:
    """Whether something that the target builds uses what no target but a Unix has: it never built there."""
    for file in files:
        paths = {i.path for i in file.facts.imports} if file.on_target else set()
        if not UNIX_ONLY.isdisjoint(paths) or ("syscall" in paths and _calls_unix(file)):
            return True
    return False


def _calls_unix(file: GoFile) -> bool:
    """Whether the code of a file has such a call; a comment is none."""
    names = sorted({found[1].decode() for found in UNIX_CALLS.finditer(file.source.content)})
    return any(True for _ in qualified_uses(file, "syscall", names))


def qualified_uses(file: GoFile, qualifier: str, names: Iterable[str]) -> Iterator[tuple[str, Node]]:
    """Where a file says ``qualifier.name``: names, and the nodes that are them."""
    present = [name for name in names if name.encode() in file.source.content]
    uses = parsed(file) if present else None
    for name in present if uses is not None and uses.clear else ():
        yield from ((name, node) for node in parsed(file).qualified(qualifier, name))


def _without_version(path: str) -> str:
    """A module's path without its major version: old code and nested modules are below that."""
    head, _, last = path.rpartition("/")
    return head if last[:1] == "v" and last[1:].isdigit() else path


def _on_target(file: GoFile) -> bool:
    return file.on_target


def _on_reference(file: GoFile) -> bool:
    return file.on_reference


def _anywhere(file: GoFile) -> bool:
    return bool(file.facts.package)
