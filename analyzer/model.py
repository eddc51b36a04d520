"""The values that go in and out of the analyzer. All are frozen; none does any work."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from analyzer.impact import Chain
    from analyzer.reading import Reader

_T = TypeVar("_T")
_R = TypeVar("_R")


class Share(Protocol):
    """Does a piece of work for each item, and several at a time where it can. The answer is that of `in_turn`."""

    def __call__(self, work: Callable[[_T], _R], items: Sequence[_T], kind: type[_R]) -> list[_R]:
        """The results in the order of the items.

        Args:
            work: what is done; nobody may count on what it leaves behind.
            items: for what.
            kind: what it gives.
        """


def in_turn(work: Callable[[_T], _R], items: Sequence[_T], kind: type[_R]) -> list[_R]:
    """One after the other (`Share`)."""
    del kind
    return [work(item) for item in items]


@dataclass(frozen=True, slots=True)
class Platform:
    """What Go builds for.

    Attributes:
        goos: the value of GOOS, such as ``windows``.
        goarch: the value of GOARCH, such as ``amd64``.
        cgo: whether the ``cgo`` tag is satisfied.
        tags: further tags that are satisfied (``go build -tags``).
    """

    goos: str
    goarch: str = "amd64"
    cgo: bool = True
    tags: frozenset[str] = frozenset()


WINDOWS = Platform("windows")
LINUX = Platform("linux")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One .go file of a revision: its path in the repository, git's object id of it, and its bytes."""

    path: str
    blob: str
    content: bytes


@dataclass(frozen=True, slots=True, order=True)
class Unreadable:
    """A file that could not be analysed as a whole, and why, in words for the reader of a report."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The .go files of the directories that matter, at one revision.

    Attributes:
        rev: the commit, 40 hexadecimal digits.
        files: by path; every .go file of each directory held, tests included. A directory is held whole or not at all.
        unreadable: files of those directories that are not in ``files``, or only with a reservation.
    """

    rev: str
    files: Mapping[str, SourceFile] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()


RuleLevel = Literal["off", "note", "warning", "regression"]
"""What a project may make of a rule's findings."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An entry of the project's configuration that accepts findings.

    Attributes:
        package: the directory.
        name: ``Func`` or ``Recv.Method``, or the base name of a file for what concerns the file as a whole.
        rules: the rules that it speaks of; empty for all of them.
        reason: why it is accepted.
        path: the configuration file that holds it.
        line: its line there.
        issue: where the matter is followed up.
        expires: the last day on which it counts, as in 2026-01-31; "" for no end.
    """

    package: str
    name: str
    rules: tuple[str, ...]
    reason: str
    path: str
    line: int
    issue: str = ""
    expires: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a project makes of the findings.

    Attributes:
        levels: by rule, where the project wants another level than ours.
        accept: what it accepts.
        today: the day, as in 2026-01-31, by which entries expire; "" when nothing expires.
    """

    levels: Mapping[str, RuleLevel] = field(default_factory=dict)
    accept: tuple[Acceptance, ...] = ()
    today: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a revision has where, without any content.

    Attributes:
        directories: the names of the Go files of every directory that counts; "." is the root.
        modules: the directories that hold a go.mod.
    """

    directories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Moved:
    """A module of which go.mod asks for another version: its path, both versions, and the line at head."""

    path: str
    old: str
    new: str
    line: int


@dataclass(frozen=True, slots=True)
class Around:
    """What lies around the directories that differ, as far as `analyzer.wanted` asks for it.

    Attributes:
        outline: what head has where.
        files: of head, by path: directories in which nothing differs, each whole.
        vendored: the vendored packages that differ, at base and at head; None when there is none.
        origins: the vendored packages of base that new directories of head may have come from.
        behind: of base, by path: vendored packages, each whole, that something imports which seems to be lost.
        handed: vendored packages to which functions of the target hand on their work, at base and at head.
        moved: modules that go.mod moves, and whose source is not in the repository.
        unreadable: what of all that could not be read.
    """

    outline: Outline = field(default_factory=Outline)
    files: Mapping[str, SourceFile] = field(default_factory=dict)
    vendored: tuple[Snapshot, Snapshot] | None = None
    origins: Snapshot = field(default_factory=lambda: Snapshot(""))
    behind: Mapping[str, SourceFile] = field(default_factory=dict)
    handed: tuple[Mapping[str, SourceFile], Mapping[str, SourceFile]] = field(default_factory=lambda: ({}, {}))
    moved: tuple[Moved, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What to compare: the platform that is judged and the one it is judged by; and what the project accepts.

    Attributes:
        target: the platform that is judged.
        reference: the one it is judged by.
        policy: what the project accepts.
        reader: what reads files; None for one that knows only what this process has read. It changes no answer.
        share: what judges packages for a scan. It changes no answer either.
    """

    target: Platform = WINDOWS
    reference: Platform = LINUX
    policy: Policy = field(default_factory=Policy)
    reader: "Reader | None" = field(default=None, compare=False, repr=False)
    share: Share = field(default=in_turn, compare=False, repr=False)


class Stub(StrEnum):
    """How a stub does nothing (shared vocabulary of findings, scan and corpus)."""

    NOOP = "noop"
    ZERO = "zero"
    ERROR = "error"
    PANIC = "panic"


class Level(StrEnum):
    """How much a finding matters, worst first. A note is context and is not counted."""

    REGRESSION = "regression"
    WARNING = "warning"
    IMPROVEMENT = "improvement"
    NOTE = "note"


class Status(StrEnum):
    """What a symbol is on the target."""

    SHARED = "shared"
    IMPLEMENTED = "implemented"
    PARTIAL = "partial"
    STUB = "stub"
    MISSING = "missing"
    WINDOWS_ONLY = "windows-only"


SymbolKind = Literal["func", "method", "type", "const", "var"]
Side = Literal["base", "head"]
Verdict = Literal["improved", "regressed", "mixed", "unchanged"]


class Place(Struct, frozen=True, order=True, gc=False):
    """A line of a file. Lines count from 1."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """By what a finding was accepted.

    Attributes:
        reason: in the project's words.
        place: the comment in the source or the entry that says so; None when a person said so on the change itself.
        in_source: whether it is a comment in the source, or else an entry of the configuration or a person's word.
        new: whether the change under review brings it.
        issue: where the matter is followed up; "" when nowhere.
        who: the person who said so on the change; "" for a comment in the source and for an entry.
    """

    reason: str
    place: Place | None
    in_source: bool
    new: bool = False
    issue: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to add so that the target has what it lacks.

    Attributes:
        path: the file that is changed, or made.
        patch: a unified diff, as ``git apply`` takes it, with text of the project's in it: whoever shows it makes it
            harmless. "" when there is none, or when another finding's patch of that file has it.
        reason: why there is none; plain text with names of the project in it.
    """

    path: str
    patch: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that Windows users gain or lose. The attributes are those of the contract's JSON.

    Attributes:
        rule: the id of the rule, such as ``stub-added``.
        level: how much it matters.
        path: the file, as it is named at ``side``.
        line: the first line, counted from 1.
        end_line: the last line.
        side: the revision that has ``path`` and ``line``.
        symbol: ``Func`` or ``Recv.Method``; None means the whole file.
        stub: the kind of stub, for rules about stubs.
        gap: a user or caller on Windows can miss something.
        silent: Windows returns a nil error where Linux does work that can fail.
        counterpart: where the other platform declares the symbol, at head.
        before: where the target had it at base, for a finding at head.
        message: one sentence for a person; plain text, not markup, and not escaped.
        chains: how what users ask for comes to the symbol on the target, nearest first, as many as `affected` keeps.
        chains_at: the revision that has the places of the chains.
        entries: how many things that users ask for come to it.
        impact: names of features that lose or gain.
        package: the directory of the package; part of the fingerprint.
        parts: what it tells as one, where that is too much to tell one by one.
        accepted: by what it was accepted and made a note; None when it was not.
        advice: what to add, for what is not there at all.
    """

    rule: str
    level: Level
    path: str
    line: int
    end_line: int
    side: Side
    symbol: str | None
    message: str
    package: str
    stub: Stub | None = None
    gap: bool = False
    silent: bool = False
    counterpart: Place | None = None
    before: Place | None = None
    chains: "tuple[Chain, ...]" = ()
    chains_at: Side = "head"
    entries: int = 0
    impact: tuple[str, ...] = ()
    parts: "tuple[Finding, ...]" = ()
    accepted: Accepted | None = None
    advice: Advice | None = None

    @property
    def fingerprint(self) -> str:
        """Rule, package and symbol (the file's name for a whole file), never a line: it survives edits elsewhere."""
        return f"{self.rule}:{self.package}:{self.symbol or self.path.rpartition('/')[2]}"


class Score(Struct, frozen=True, gc=False):
    """How much of the surface that the platforms declare separately Windows really has."""

    implemented: int = 0
    partial: int = 0
    stub: int = 0
    missing: int = 0

    @property
    def counted(self) -> int:
        """All symbols that count."""
        return self.implemented + self.partial + self.stub + self.missing

    @property
    def percent(self) -> float:
        """(implemented + partial / 2) / counted, in percent with one decimal; 100 when nothing is counted."""
        return round(100 * (self.implemented + self.partial / 2) / self.counted, 1) if self.counted else 100.0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.implemented + other.implemented,
            self.partial + other.partial,
            self.stub + other.stub,
            self.missing + other.missing,
        )


class SymbolParity(Struct, frozen=True, gc=False):
    """One line of a package's table: a symbol and what it is on Windows."""

    name: str
    kind: SymbolKind
    status: Status
    stub: Stub | None = None
    gap: bool = False
    windows: Place | None = None
    linux: Place | None = None


class PackageParity(Struct, frozen=True):
    """The Windows support of one directory."""

    dir: str
    score: Score
    symbols: tuple[SymbolParity, ...]


@dataclass(frozen=True, slots=True)
class Portable:
    """A file that the target could build as it is, and its functions."""

    path: str
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parity:
    """The Windows support of one revision.

    Attributes:
        accepting: what is wrong with the project's acceptances.
        portable: files that Windows leaves out and could build, where it was asked for.
    """

    rev: str
    score: Score
    packages: tuple[PackageParity, ...]
    unreadable: tuple[Unreadable, ...] = ()
    options: Options = field(default_factory=Options)
    accepting: tuple[Finding, ...] = ()
    portable: tuple[Portable, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """What changes for Windows between two revisions."""

    base: str
    head: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    base_score: Score
    head_score: Score
    unreadable: tuple[Unreadable, ...] = ()
    options: Options = field(default_factory=Options)

    @property
    def complete(self) -> bool:
        """Whether everything that matters was read. An incomplete analysis is never a green check."""
        return not self.unreadable
