"""Go source as the mutation generator sees it: a directory's functions, and edits of their text.

What a mutant is must not depend on what the analyzer thinks. From the analyzer come only facts that its tests hold to
Go's own answers (which file builds where, what it declares); whether a function works is judged here, and more
strictly: a function that leaves a doubt becomes no mutant.
"""

import copy
import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

from tree_sitter import Node

from analyzer.model import Options, Snapshot, SourceFile
from analyzer.symbols import GoFile, Package, packages
from analyzer.syntax import parse, statements, text
from tests.mutation.source import import_names, walk, without_comments

Files = Mapping[str, SourceFile]
Changes = dict[str, bytes | None]
_T = TypeVar("_T")

# A body with one of these words may refuse: nothing certain can be said of it.
_REFUSES = re.compile(rb"upport|mplement|navailable|TODO|FIXME|not yet")
# A body with one of these words may know the platform.
_KNOWS = re.compile(rb"[wW]indows|[lL]inux|GOOS|goos|OSType|isolation|[uU]nix\b|[pP]latform")
# Calls that leave nothing behind: they log, build a value or an error, or look at their argument.
_IDLE = frozenset(
    "log logrus klog glog slog logger bklog zap logging errors errdefs cerrdefs fmt context status codes strings bytes "
    "strconv slices maps sort path filepath time reflect unsafe math ptr cmp regexp unicode utf8 sync atomic tracing "
    "trace attribute otel metrics assert is cmpopts".split()
)
# Methods that only keep order among threads, count, or look: nobody loses a feature with them.
_ORDER = frozenset(
    "Lock Unlock RLock RUnlock Wait Done Add Helper Parallel Store Load Inc Dec Observe Set Err Error String Len Cleanup "
    "End SetAttributes AddEvent RecordError SetStatus UpdateSince Log Logf Print Printf Println Fprintf Fprintln Errorf "
    "Debug Debugf Info Infof Warn Warnf Warning Warningf Trace Tracef Fatal Fatalf Panic Panicf".split()
)
_TELLS = re.compile(r"^(?:Debug|Info|Warn|Trace|F?[Pp]rint)")
_WORD = re.compile(rb"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Function:
    """A function or a method, its file, and its syntax."""

    name: str
    file: GoFile
    node: Node

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def bare(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def receiver(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def content(self) -> bytes:
        """The whole file's."""
        return self.file.source.content

    @property
    def source(self) -> bytes:
        return self.content[self.node.start_byte : self.node.end_byte]

    @property
    def exported(self) -> bool:
        return all(part[:1].isupper() for part in self.name.split("."))

    @cached_property
    def body(self) -> Node:
        found = self.node.child_by_field_name("body")
        assert found is not None
        return found

    @cached_property
    def statements(self) -> list[Node]:
        return list(statements(self.body))

    @cached_property
    def results(self) -> list[str]:
        """The types of the results, one each."""
        result = self.node.child_by_field_name("result")
        if result is None:
            return []
        if result.type != "parameter_list":
            return [text(result)]
        kinds = []
        for parameter in result.named_children:
            if parameter.type == "parameter_declaration":
                names = parameter.children_by_field_name("name")
                kinds += [text(parameter.child_by_field_name("type"))] * max(1, len(names))
        return kinds

    @cached_property
    def named_results(self) -> bool:
        result = self.node.child_by_field_name("result")
        return result is not None and any(p.children_by_field_name("name") for p in result.named_children)

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The types of the parameters, and of the receiver, by name."""
        found: dict[str, str] = {}
        for part in ("receiver", "parameters"):
            listed = self.node.child_by_field_name(part)
            for parameter in listed.named_children if listed else ():
                kind = text(parameter.child_by_field_name("type"))
                variadic = "..." if parameter.type == "variadic_parameter_declaration" else ""
                found.update({text(name): variadic + kind for name in parameter.children_by_field_name("name")})
        return found

    @cached_property
    def knows_platforms(self) -> bool:
        """Whether it says anything about platforms."""
        return bool(_KNOWS.search(self.source))

    @cached_property
    def works(self) -> bool:
        """Whether it does something that nobody would call a stub."""
        return not _REFUSES.search(self.source) and any(self._is_work(node) for node in walk(self.body))

    def _is_work(self, node: Node) -> bool:
        if node.type != "call_expression":
            return False
        function = node.child_by_field_name("function")
        if function is None or function.type != "selector_expression":
            return False
        called = text(function.child_by_field_name("field"))
        if called in _ORDER or _TELLS.match(called):
            return False
        root, depth = function, 0
        while root.type in {"selector_expression", "call_expression"}:
            depth += root.type == "selector_expression"
            inner = root.child_by_field_name("operand") or root.child_by_field_name("function")
            if inner is None:
                return False
            root = inner
        # A call by the receiver, or within the package, may come to a stub; one of what the receiver holds may not.
        if root.type != "identifier" or text(root) in _IDLE:
            return False
        return text(root) in self.imports or (text(root) in self._own_names and depth > 1)

    @cached_property
    def imports(self) -> frozenset[str]:
        return frozenset(name for name, _ in import_names(self.file.facts))

    @cached_property
    def _own_names(self) -> frozenset[str]:
        listed = self.node.child_by_field_name("receiver")
        return frozenset(text(n) for p in (listed.named_children if listed else ()) for n in p.named_children)

    def is_work(self, statement: Node) -> bool:
        """Whether a statement is a call of an imported package that does something, with nothing kept of it."""
        return (
            statement.type == "expression_statement"
            and bool(statement.named_children)
            and self._is_work(statement.named_children[0])
        )


class Folder:
    """One directory of a snapshot."""

    def __init__(self, where: str, files: Files) -> None:
        self.where = where
        self.files = files
        self.package: Package = packages(Snapshot("0" * 40, files), Options())[where]
        # Of a vendored package: the files that use it.
        self.users: Files = {}
        self._order: random.Random | None = None
        # Shared with the copies that have another order.
        self._known: dict[str, Any] = {}

    def with_users(self, users: Files) -> "Folder":
        """The same directory, known to be a vendored one."""
        found = copy.copy(self)
        found.users = users
        return found

    @cached_property
    def user_files(self) -> tuple[GoFile, ...]:
        """The files that use it, each with what it says of itself."""
        found = packages(Snapshot("0" * 40, self.users), Options()) if self.users else {}
        return tuple(file for package in found.values() for file in package.files.values())

    def shuffled(self, chance: random.Random) -> "Folder":
        """The same directory with its files and functions in another order: whoever takes the first few draws them."""
        found = copy.copy(self)
        for cached in ("functions", "own_files", "code", "shared", "twins"):
            found.__dict__.pop(cached, None)
        found._order = chance
        return found

    def _drawn(self, of: Iterable[_T]) -> tuple[_T, ...]:
        found = list(of)
        if self._order is not None:
            self._order.shuffle(found)
        return tuple(found)

    def _once(self, name: str, make: Callable[[], _T]) -> _T:
        if name not in self._known:
            self._known[name] = make()
        return cast("_T", self._known[name])

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """Those with bodies, tests included, in the order of files and lines. A file with cgo or errors has none."""
        return self._drawn(self._once("functions", lambda: [f for file in self._sound() for f in _functions(file)]))

    def _sound(self) -> list[GoFile]:
        return [file for file in self.package.files.values() if self.sound(file)]

    @staticmethod
    def sound(file: GoFile) -> bool:
        """Whether it can be edited with some hope that it still builds; code that helps tests is left out."""
        return file.facts.broken_line is None and not _has_c(file) and (file.is_test or not file.helps_tests)

    @cached_property
    def own_files(self) -> tuple[GoFile, ...]:
        """Files that can be edited safely: all of it is Go, without C."""
        files = self.package.files.values()
        return tuple(
            f for f in files if f.facts.broken_line is None and not any(i.path == "C" for i in f.facts.imports)
        )

    @cached_property
    def code(self) -> tuple[Function, ...]:
        """Functions that are no tests, nor helpers of tests."""
        return tuple(f for f in self.functions if not f.file.is_test)

    @cached_property
    def shared(self) -> tuple[Function, ...]:
        return tuple(f for f in self.code if f.file.on_target and f.file.on_reference)

    @cached_property
    def twins(self) -> tuple[tuple[Function, Function], ...]:
        """Functions that each platform declares for itself: Windows and Linux."""
        mine = {f.name: f for f in self.code if f.file.on_target and not f.file.on_reference}
        theirs = {f.name: f for f in self.code if f.file.on_reference and not f.file.on_target}
        return tuple((mine[name], theirs[name]) for name in mine if name in theirs)

    def _words_on_target(self) -> Counter[bytes]:
        files = (f for f in self.package.files.values() if f.on_target and not f.is_test)
        return Counter(word for f in files for word in _WORD.findall(without_comments(f.source.content)))

    def used(self, function: Function) -> bool:
        """Whether code that builds on Windows names it, or other packages may."""
        return function.exported or self.named_by_others(function)

    def named_by_others(self, function: Function) -> bool:
        """Whether code that builds on Windows names it outside of its own body."""
        name = function.bare.encode()
        inside = Counter(_WORD.findall(without_comments(function.source)))[name]
        return self._once("target", self._words_on_target)[name] > inside

    def needed(self, names: Iterable[str], *paths: str) -> bool:
        """Whether a file other than those named uses one of the names: it would not compile without."""
        bare = {name.rpartition(".")[2].encode() for name in names}
        return any(
            not bare.isdisjoint(words)
            for path, words in self._once("by file", self._words_by_file).items()
            if path not in paths
        )

    def _words_by_file(self) -> dict[str, frozenset[bytes]]:
        return {p: frozenset(_WORD.findall(without_comments(f.content))) for p, f in self.files.items()}

    def has(self, name: str) -> bool:
        """Whether any file of the package has the word."""
        return name.encode() in self._once("words", self._words)

    def _words(self) -> frozenset[bytes]:
        return frozenset(word for f in self.files.values() for word in _WORD.findall(f.content))

    def free(self, path: str) -> bool:
        return path not in self.files


def _has_c(file: GoFile) -> bool:
    return any(i.path == "C" for i in file.facts.imports)


def _functions(file: GoFile) -> Iterator[Function]:
    starts = {d.start: d.name for d in file.facts.declarations if d.is_function and d.has_body}
    for node in parse(file.source.content).root_node.named_children:
        if node.start_byte in starts:
            yield Function(starts[node.start_byte], file, node)


def folders(snapshot: Snapshot) -> list[Folder]:
    by_dir: dict[str, dict[str, SourceFile]] = {}
    for path, file in sorted(snapshot.files.items()):
        by_dir.setdefault(path.rpartition("/")[0] or ".", {})[path] = file
    return [Folder(where, files) for where, files in by_dir.items()]


def with_changes(files: Files, changes: Changes) -> dict[str, SourceFile]:
    found = dict(files)
    for path, content in changes.items():
        if content is None:
            found.pop(path, None)
        else:
            found[path] = SourceFile(path, hashlib.sha1(content, usedforsecurity=False).hexdigest(), content)
    return found


def locals_of(function: Function) -> Iterator[str]:
    yield from function.parameters
    for node in walk(function.body):
        if node.type in {"short_var_declaration", "range_clause"}:
            left = node.child_by_field_name("left")
            yield from (text(n) for n in (left.named_children if left else ()))
        elif node.type in {"var_spec", "const_spec", "parameter_declaration"}:
            yield from (text(n) for n in node.children_by_field_name("name"))
