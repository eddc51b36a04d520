"""What each symbol of a package is on the target, and the score: the table behind scan, dashboard and rules."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from analyzer.body import REAL, Body
from analyzer.classify import Universe
from analyzer.conditions import Scope
from analyzer.model import Options, PackageParity, Platform, Score, Status, Stub, SymbolParity
from analyzer.skips import TestState, states
from analyzer.symbols import Package, Symbol
from analyzer.world import Beyond, World

# Mechanisms that exist on Linux only. A stub for one of them is by design: no user on Windows can miss it.
_LINUX_CONCEPTS = frozenset(
    "apparmor selinux seccomp cgroup cgroups cgroupfs cgroupns cgroupdriver cpuset cpusets sysfs uid gid uids gids uidgid idmap idmaps idmapping mapping "
    "mappings remap remapped remappings rootless userns usernamespace namespace namespaces netns propagation shm "
    "mqueue ipc pidns ipcns utsns mntns oom sysctl sysctls rlimit rlimits ulimit ulimits iptables ip6tables nftables firewall firewalld "
    "netlink capabilities caps proc procfs ptrace overlay overlayfs overlay2 btrfs zfs devmapper devicemapper aufs "
    "systemd umask chown lchown fchown chmod xattr xattrs lxattr inotify realtime subreaper dbus mountinfo "
    "mknod mkdev umount unmount mounts devpts sched fuse loopback".split()
)
# Work that has no meaning elsewhere, in the text of a function.
_LINUX_WORK = re.compile(
    rb"apparmor|selinux|seccomp|cgroup|oom_?score|/proc/|/sys/|systemd|umask|userns|rootless|xattr|netlink|iptables"
    rb"|nftables|ptrace|prctl|rlimit|sysctl|unmount\b|syscall\.Mount|unix\.Mount|label\.",
    re.IGNORECASE,
)
# Options that ask for a mechanism of Linux: refusing them is all that can be done.
_LINUX_OPTION = re.compile(
    rb"(?:User|PID|IPC|UTS|Cgroup|Mount)Namespace|\bidmap|IDMap|\bjournald?\b|systemd", re.IGNORECASE
)
# Files and parts of files that only a Unix has: who refuses to make them, and nothing else, has none.
_UNIX_FILES = re.compile(rb"\breturn [\w.]*(?:Mknod(?:at)?|[gs]etxattr)\(", re.IGNORECASE)
# What a container's configuration has for Linux, by its type or by how it is come to.
_LINUX_TYPED = re.compile(rb"\.Linux\b|\bGetLinux\(|\bLinux[A-Z]\w*")
# Lines of a function that does little beside what it is seen to look at.
SHORT = 15
_WORDS = re.compile(r"\w+")
# A comment that admits that something is left out.
_ADMITS = re.compile(
    r"\b(?:TODO|FIXME|XXX|(?<!was )(?<!were )(?<!ever )not (?:yet )?(?:supported|implemented|available)|unsupported|unimplemented|not yet|"
    r"(?:does|do|doesn't|don't|cannot|can't) (?:not )?support|no support|no equivalent|for now)\b",
    re.IGNORECASE,
)
# A comment that explains why nothing is missing.
NOTHING_MISSING = re.compile(
    r"\b(?:does nothing|no-?op|nothing to do|not (?:needed|necessary|required|applicable|relevant)|no need|"
    r"doesn't need|does not need|never happens?|no (?:\w+ ){1,4}(?:is |are )?(?:needed|necessary|required))\b",
    re.IGNORECASE,
)
# A function that says whether there is something.
_CAPABILITY = re.compile(r"[sS]upport(?:s|ed)?(?:$|[A-Z])|^[cC]an[A-Z]|Available$")
# Characters of the comment above a declaration that are read.
MAX_COMMENT = 4000
_IDENTIFIER = re.compile(rb"[A-Za-z_]\w*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


class Revision:
    """All packages that are held of one revision, and what their functions are on each platform.

    Args:
        packages: by directory.
        options: the platforms.
        beyond: others that they may name.
    """

    def __init__(self, packages: Mapping[str, Package], options: Options, beyond: Beyond | None = None) -> None:
        self.options = options
        self.packages = packages
        world = World(packages, beyond)
        self.target = Universe(world, "target", options.target)
        self.reference = Universe(world, "reference", options.reference)


class View:
    """One package at one revision: what a symbol is on the target, judged on demand and once."""

    def __init__(self, package: Package, revision: "Revision") -> None:
        self.package = package
        self._options = revision.options
        self._target = revision.target.of(package)
        self._reference = revision.reference.of(package)

    @property
    def platforms(self) -> tuple[Platform, Platform]:
        """The target and the reference."""
        return self._options.target, self._options.reference

    @cached_property
    def scopes(self) -> tuple[Scope, Scope]:
        """What conditions in the package's code are worth: on the target, and on the reference."""
        return self._scopes(tests=False)

    @cached_property
    def tests(self) -> dict[str, TestState]:
        """What the target runs of the package's tests, by name."""
        return states(self.package, *self._scopes(tests=True))

    def _scopes(self, *, tests: bool) -> tuple[Scope, Scope]:
        package, options = self.package, self._options
        mine, theirs = dict(package.target), dict(package.reference)
        if tests:
            mine |= {s.name: s for s in package.tests if s.file.on_target}
            theirs |= {s.name: s for s in package.tests if s.file.on_reference}
        return Scope(options.target, mine, tests=tests), Scope(options.reference, theirs, tests=tests)

    def shared(self, name: str) -> bool:
        """Whether one declaration serves both platforms."""
        mine, twin = self.package.target.get(name), self.package.reference.get(name)
        return mine is not None and twin is not None and (mine is twin or mine.place == twin.place)

    def body(self, name: str) -> Body | None:
        """What the symbol is on the target; None when it is not there. Of shared code, what the target reaches counts."""
        return self._target.of(name) if name in self.package.target else None

    @cached_property
    def only_refuses(self) -> bool:
        """Whether all that the target declares for itself beside the reference refuses: the package is the reference's own."""
        own = [
            name
            for name, symbol in self.package.target.items()
            if symbol.declaration.is_function and name in self.package.reference and not self.shared(name)
        ]
        return bool(own) and all(self._target.roughly(name).stub in {Stub.ERROR, Stub.PANIC} for name in own)

    def twin_works(self, name: str) -> bool:
        """Whether the reference has the symbol and does real work there; a type or a value counts as real."""
        twin = self.package.reference.get(name)
        return twin is not None and (self.shared(name) or self._reference.roughly(name).stub is None)

    def silent(self, name: str) -> bool:
        """Whether the target returns a nil error where the reference does work that can fail."""
        body = self.body(name)
        if body is None or body.stub is None or not body.nil_error or not self.twin_works(name):
            return False
        twin = self.package.reference[name]
        return self.shared(name) or not twin.declaration.is_function or not self._reference.of(name).nil_error

    def gap(self, name: str) -> bool:
        """Whether a user or a caller on the target can miss what the stub, or the absence, leaves undone.

        Where it is not sure, the answer is no. A refusal is seen by whoever asks. A stub that says nothing is a gap when
        its comment admits it, when it denies a capability, or when it hides work that can fail and is not Linux's own.
        """
        symbol = self.package.target.get(name) or self.package.reference.get(name)
        if symbol is None or symbol.file.helps_tests or not self.twin_works(name):
            return False
        if linux_concept(symbol) or not self.asked_for(symbol):
            return False
        body = self.body(name)
        twin = self.package.reference.get(name)
        if twin is not None and _serves_linux_data(twin):
            return False
        if body is None or body.stub in {Stub.ERROR, Stub.PANIC}:
            return twin is None or not (_LINUX_OPTION.search(twin.source) or _UNIX_FILES.search(twin.source))
        said = comments(symbol)
        admits = bool(_ADMITS.search(said)) or bool(_CAPABILITY.search(name))
        if twin is None or does_linux_work(twin) or self._names_linux_work(twin):
            return False
        return admits or (
            body.nil_error and (symbol.declaration.exported or _gives_more(symbol)) and not NOTHING_MISSING.search(said)
        )

    def _names_linux_work(self, twin: Symbol) -> bool:
        """Whether what the reference has names a constant that is about a mechanism of Linux, such as a file below /proc."""
        words = {*_IDENTIFIER.findall(twin.source)}
        return any(
            symbol.declaration.kind == "const" and name.encode() in words and does_linux_work(symbol)
            for name, symbol in self.package.reference.items()
        )

    def asked_for(self, symbol: Symbol) -> bool:
        """Whether code that builds on the target names the symbol, or other packages may."""
        return symbol.declaration.exported or self._is_used(symbol.name.rpartition(".")[2].encode())

    def _is_used(self, name: bytes) -> bool:
        """Whether an identifier occurs twice or more in code built on the target: declared once, used once."""
        seen = 0
        for file in self.package.files.values():
            if file.on_target and not file.is_test and name in file.source.content:
                seen += _IDENTIFIER.findall(file.source.content).count(name)
            if seen > 1:
                return True
        return False

    def status(self, name: str) -> SymbolParity:
        """The symbol's line of the table."""
        mine, twin = self.package.target.get(name), self.package.reference.get(name)
        symbol = mine or twin
        if symbol is None:
            raise KeyError(name)
        if self.shared(name):
            return SymbolParity(name, symbol.declaration.kind, Status.SHARED, windows=symbol.place, linux=symbol.place)
        body = self.body(name)
        stub = body.stub if body else None
        return SymbolParity(
            name,
            symbol.declaration.kind,
            self._word(name, body),
            stub,
            stub is not None and self.gap(name),
            mine.place if mine else None,
            twin.place if twin else None,
        )

    def _word(self, name: str, body: Body | None) -> Status:
        if body is None:
            return Status.MISSING
        if self.shared(name):
            return Status.SHARED
        if body.stub:
            return Status.STUB
        if name not in self.package.reference:
            return Status.WINDOWS_ONLY
        return Status.PARTIAL if body.partial else Status.IMPLEMENTED

    def score(self, name: str) -> Score:
        """What one symbol adds to the score (findings, "Score")."""
        mine, twin = self.package.target.get(name), self.package.reference.get(name)
        if twin is None or not (twin.declaration.is_function or (mine and mine.declaration.is_function)):
            return Score()
        match self._word(name, REAL if self.shared(name) else self.body(name)):
            case Status.MISSING:
                return Score(missing=1) if twin.declaration.exported else Score()
            case Status.STUB:
                return Score(stub=1) if self.twin_works(name) else Score(implemented=1)
            case Status.PARTIAL:
                return Score(partial=1)
            case Status.IMPLEMENTED:
                return Score(implemented=1)
            case _:
                return Score()

    @cached_property
    def total(self) -> Score:
        """The score of the whole package."""
        # What one declaration serves adds nothing, and is most of it.
        names = sorted({*self.package.target, *self.package.reference})
        return sum((self.score(name) for name in names if not self.shared(name)), Score())

    def parity(self) -> PackageParity:
        """The package's whole table, sorted by name."""
        names = sorted({*self.package.target, *self.package.reference})
        return PackageParity(self.package.dir, self.total, (*(self.status(name) for name in names), *self._inits()))

    def _inits(self) -> Iterator[SymbolParity]:
        """The ``init`` functions of files that only the target builds. They have no twins, so they never count."""
        for file in self.package.files.values():
            if file.on_target and not file.on_reference and not file.is_test:
                for declaration in file.facts.inits:
                    symbol = Symbol(declaration, file)
                    stub = self._target.judge(symbol).stub
                    status = Status.STUB if stub else Status.WINDOWS_ONLY
                    yield SymbolParity(symbol.name, "func", status, stub, windows=symbol.place)


def _gives_more(symbol: Symbol) -> bool:
    """Whether a function gives more than an error: an answer that its callers go on with."""
    return not symbol.declaration.signature.endswith(") (error)")


def names_linux_concept(text: str) -> bool:
    """Whether a text names a mechanism of Linux alone."""
    return not _LINUX_CONCEPTS.isdisjoint(w.lower() for w in _WORD.findall(text))


def names_linux(name: str) -> bool:
    """Whether a function, its receiver or its file is named after Linux: it serves Linux' containers, wherever it is built."""
    return any(word.lower() == "linux" for word in _WORD.findall(name))


def linux_concept(symbol: Symbol) -> bool:
    """Whether the names of the symbol, its file or its directory say that it serves a mechanism of Linux alone."""
    path = symbol.file.path.removesuffix(".go").split("/")[-3:]
    joined = symbol.name.rpartition(".")[2].lower()
    return names_linux_concept(" ".join((symbol.name, *path))) or any(
        c in joined for c in _LINUX_CONCEPTS if len(c) > 5
    )


def speaks_of_linux(content: bytes) -> bool:
    """Whether a text names mechanisms of Linux alone."""
    return bool(_LINUX_WORK.search(content))


def does_linux_work(symbol: Symbol) -> bool:
    """Whether the text of a function names mechanisms of Linux alone."""
    return bool(_LINUX_WORK.search(symbol.source))


def explains_itself(symbol: Symbol) -> bool:
    """Whether a function that does little says in its body why that is enough, and admits nothing."""
    said = "\n".join(_inside(symbol))
    return len(_WORDS.findall(said)) > 1 and not _ADMITS.search(said)  # one word is no reason


def _inside(symbol: Symbol) -> list[str]:
    return re.findall(r"//[^\n]*|/\*.*?\*/", symbol.source.decode(errors="replace"), re.DOTALL)


def speaks_of_linux_data(text: str) -> bool:
    """Whether a text names what a configuration has for Linux alone."""
    return bool(_LINUX_TYPED.search(text.encode()))


def is_about_linux(name: str, said: str) -> bool:
    """Whether a refusal is about a mechanism of Linux, or about what a configuration has for Linux alone.

    Args:
        name: of the function that refuses.
        said: what is refused, or the conditions that lead there.
    """
    return names_linux_concept(f"{name} {said}") or speaks_of_linux_data(said)


def _serves_linux_data(symbol: Symbol) -> bool:
    """Whether a function takes or gives what a configuration has for Linux alone, or is short and looks at that."""
    return speaks_of_linux_data(symbol.declaration.signature) or (
        symbol.source.count(b"\n") < SHORT and bool(_LINUX_TYPED.search(symbol.source))
    )


def comments(symbol: Symbol) -> str:
    """The comments right above a declaration and in it."""
    content = symbol.file.source.content
    before = content[: symbol.declaration.start].decode(errors="replace")
    above = re.search(
        r"(?:^[ \t]*//[^\n]*\n)+\Z|/\*(?:(?!\*/).)*\*/\s*\Z", before[-MAX_COMMENT:], re.MULTILINE | re.DOTALL
    )
    return "\n".join([above[0] if above else "", *_inside(symbol)])
