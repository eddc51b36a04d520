"""The symbols of a package on each platform: which file declares what, on the target and on the reference."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from msgspec import Struct

from analyzer import reading
from analyzer.files import builds, custom_tags
from analyzer.model import Options, Place, Snapshot, SourceFile
from analyzer.reading import DepthOf
from analyzer.syntax import Declaration, Facts

# Directories of code that only tests use.
_FOR_TESTS = frozenset(
    "test tests testing testutil testutils testhelper testhelpers testsuite e2e integration integration-cli".split()
)


@dataclass(frozen=True, slots=True)
class GoFile:
    """A file of a package, and where it builds.

    Attributes:
        source: the file.
        facts: what it says of itself.
        on_target: it builds on the target.
        on_reference: it builds on the reference.
        on_tagged_target: it builds on the target when the project's own tags that it asks for are on, be the others off.
    """

    source: SourceFile
    facts: Facts
    on_target: bool
    on_reference: bool
    on_tagged_target: bool

    @property
    def path(self) -> str:
        """Its path in the repository."""
        return self.source.path

    @property
    def helps_tests(self) -> bool:
        """Whether it is code for tests: by what it imports, or by where it lies."""
        return self.facts.helps_tests or not _FOR_TESTS.isdisjoint(self.path.split("/")[:-1])

    @property
    def is_test(self) -> bool:
        """Whether only ``go test`` builds it."""
        return self.path.endswith("_test.go")

    @property
    def constraint_line(self) -> int:
        """The line of its build constraint; the first one where it has none."""
        return self.facts.constraint.line if self.facts.constraint is not None else 1


class Symbol(Struct, frozen=True):
    """A declaration and the file that makes it."""

    declaration: Declaration
    file: GoFile

    @property
    def name(self) -> str:
        """``Func`` or ``Recv.Method``."""
        return self.declaration.name

    @property
    def source(self) -> bytes:
        """The declaration's own text."""
        return self.file.source.content[self.declaration.start : self.declaration.end]

    @property
    def place(self) -> Place:
        """Where it is declared."""
        return Place(self.file.path, self.declaration.line)


@dataclass(frozen=True, slots=True)
class Package:
    """A directory's Go files, and the symbols that they give each platform. Those of test files stand apart."""

    dir: str
    files: Mapping[str, GoFile]
    target: Mapping[str, Symbol]
    reference: Mapping[str, Symbol]
    tests: tuple[Symbol, ...]

    def had_with_tags(self, name: str) -> bool:
        """Whether a build with the project's own tags gives the target a name that a plain one does not."""
        files = (f for f in self.files.values() if f.on_tagged_target and not f.on_target)
        return any(d.name == name for f in files for d in f.facts.declarations)

    @property
    def custom_tags(self) -> frozenset[str]:
        """The tags of the project's own that some file needs."""
        return frozenset(tag for file in self.files.values() for tag in custom_tags(file.facts.constraint))


def directory(path: str) -> str:
    """The directory of a path; "." for the root, as the contract has it."""
    return path.rpartition("/")[0] or "."


def packages(snapshot: Snapshot, options: Options, depth_of: DepthOf = reading.whole) -> dict[str, Package]:
    """The packages of a snapshot by directory, sorted."""
    by_dir: dict[str, list[GoFile]] = defaultdict(list)
    facts = reading.facts(snapshot.files.values(), depth_of, options.reader)
    for path in sorted(snapshot.files):
        by_dir[directory(path)].append(_go_file(snapshot.files[path], facts[path], options))
    return {where: _package(where, files) for where, files in sorted(by_dir.items())}


def _go_file(source: SourceFile, facts: Facts, options: Options) -> GoFile:
    name = source.path.rpartition("/")[2]
    on_target = builds(name, facts.constraint, options.target, facts.package)
    on_reference = builds(name, facts.constraint, options.reference, facts.package)
    asked = custom_tags(facts.constraint)
    tagged = {options.target.tags | asked, asked} - {options.target.tags}
    on_tagged = on_target or any(
        builds(name, facts.constraint, replace(options.target, tags=tags), facts.package) for tags in tagged
    )
    return GoFile(source, facts, on_target, on_reference, on_tagged)


def _package(where: str, files: list[GoFile]) -> Package:
    code = [(file, [Symbol(d, file) for d in file.facts.declarations]) for file in files if not file.is_test]
    return Package(
        where,
        {file.path: file for file in files},
        _symbols(symbols for file, symbols in code if file.on_target),
        _symbols(symbols for file, symbols in code if file.on_reference),
        tuple(Symbol(d, file) for file in files if file.is_test for d in file.facts.declarations),
    )


def _symbols(files: Iterable[list[Symbol]]) -> dict[str, Symbol]:
    """By name. Of a name that is declared twice, which Go refuses, the first counts."""
    found: dict[str, Symbol] = {}
    for symbols in files:
        for symbol in symbols:
            found.setdefault(symbol.declaration.name, symbol)
    return found
