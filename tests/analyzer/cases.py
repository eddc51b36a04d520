"""Reads the cases: base and head as snapshots, and the findings that a case wants (tests/cases/<rule>/<name>.txtar).

What stands before the first file is prose: what the case shows, and why. ``both/``, ``base/`` and ``head/`` hold the Go.
A want stands at the end of the line that it is about; the analyzer never sees it, and no line moves:

    func Stats() error { // want "stub-added" symbol=Stats stub=zero gap=true silent=true

It speaks of head, or of base in a file below ``base/``. A want for a whole file may stand in the prose instead, where it
is meant for the file's constraint, or for line 1: ``want head/stats.go "tag-added" gap=true``. A line ``todo: …`` in the
prose says what the analyzer still gets wrong: the case must then fail.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from analyzer import analyze
from analyzer.model import Analysis, Around, Finding, Outline, Snapshot, SourceFile
from analyzer.moves import origins
from bot.demo.sample import parse_txtar

FOLDER = Path(__file__).parents[1] / "cases"

_MARKER = re.compile(r'[ \t]*// want (?=")(.*)$', re.MULTILINE)
_WANTS = re.compile(r'"([a-z-]+)"((?:\s+[a-z]+=[^\s"]+)*)')
_IN_PROSE = re.compile(r"^want (both|base|head)/(\S+) (.+)$", re.MULTILINE)
_TODO = re.compile(r"^todo: (.+)$", re.MULTILINE)
_CONSTRAINT = re.compile(r"^//(?:go:build| \+build) ")
_FACTS = ("symbol", "stub", "gap", "silent", "level", "impact")


class CaseError(Exception):
    """A case that says something that no runner understands."""


@dataclass(frozen=True, slots=True)
class Want:
    """One finding that a case wants: where, by which rule, and what must be true of it."""

    side: str
    path: str
    line: int
    rule: str
    facts: Mapping[str, str]

    def matches(self, finding: Finding) -> bool:
        """Whether the finding is the one. A note counts only when the case asks for a note."""
        if (finding.side, finding.path, finding.line, finding.rule) != (self.side, self.path, self.line, self.rule):
            return False
        said = facts_of(finding)
        return all(said[key] == value for key, value in self.facts.items()) and (
            "level" in self.facts or said["level"] != "note"
        )

    def __str__(self) -> str:
        facts = "".join(f" {key}={value}" for key, value in self.facts.items())
        return f'{self.side}/{self.path}:{self.line} "{self.rule}"{facts}'


@dataclass(frozen=True)
class Case:
    """One txtar file."""

    path: Path
    prose: str
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its folder and its own name: ``stub-added/moved``."""
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def todo(self) -> str:
        """What the analyzer still gets wrong here; "" when nothing."""
        found = _TODO.search(self.prose)
        return found[1] if found else ""

    @property
    def base(self) -> dict[str, str]:
        """The files of base, without markers."""
        return self._side("base")

    @property
    def head(self) -> dict[str, str]:
        """The files of head, without markers."""
        return self._side("head")

    def _side(self, side: str) -> dict[str, str]:
        split = ((name.partition("/"), text) for name, text in self.files.items())
        return {path: without_markers(text) for (where, _, path), text in split if where in {"both", side}}

    @cached_property
    def wants(self) -> tuple[Want, ...]:
        """Everything that the case wants."""
        return (*self._in_code(), *self._in_prose())

    def _in_code(self) -> Iterator[Want]:
        for name, text in self.files.items():
            where, _, path = name.partition("/")
            for number, line in enumerate(text.splitlines(), 1):
                marker = _MARKER.search(line)
                if marker:
                    yield from _wants("base" if where == "base" else "head", path, number, marker[1])

    def _in_prose(self) -> Iterator[Want]:
        for where, path, words in _IN_PROSE.findall(self.prose):
            text = self.files.get(f"{where}/{path}")
            if text is None:
                raise CaseError(f"{self.name}: no file {where}/{path}")
            lines = (number for number, line in enumerate(text.splitlines(), 1) if _CONSTRAINT.match(line))
            yield from _wants("base" if where == "base" else "head", path, next(lines, 1), words)


def _wants(side: str, path: str, line: int, words: str) -> Iterator[Want]:
    words = words.replace("// want ", "")
    if _WANTS.sub("", words).strip():
        raise CaseError(f"{path}:{line}: cannot read: want {words}")
    for rule, said in _WANTS.findall(words):
        facts = dict(fact.split("=") for fact in said.split())
        if not facts.keys() <= set(_FACTS):
            raise CaseError(f"{path}:{line}: a fact is one of {', '.join(_FACTS)}")
        yield Want(side, path, line, rule, facts)


def facts_of(finding: Finding) -> dict[str, str]:
    """What a case may say of a finding, in the words of the case."""
    return {
        "symbol": str(finding.symbol),
        "stub": str(finding.stub),
        "gap": str(finding.gap).lower(),
        "silent": str(finding.silent).lower(),
        "level": str(finding.level),
        "impact": ",".join(finding.impact),
    }


def shown(finding: Finding) -> str:
    """A finding as a case would want it."""
    facts = "".join(f" {key}={value}" for key, value in facts_of(finding).items() if value not in {"None", ""})
    return f'{finding.side}/{finding.path}:{finding.line} "{finding.rule}"{facts}'


def without_markers(text: str) -> str:
    """The Go of a case as the analyzer sees it."""
    return _MARKER.sub("", text)


def snapshot(files: Mapping[str, str], rev: str = "0") -> Snapshot:
    """A revision that holds the files; a file's id is made of its content, as git does it."""
    sources = {path: text.encode() for path, text in files.items() if path.endswith(".go")}
    sources = {path: code for path, code in sources.items() if not path.startswith("vendor/")}
    return _revision(sources, rev)


def archive(folder: str, case: str) -> dict[str, str]:
    """The files of a txtar archive in a folder of tests."""
    return parse_txtar((Path(__file__).parents[1] / folder / f"{case}.txtar").read_text(encoding="utf-8"))


def of_repository(files: Mapping[str, str]) -> dict[str, str]:
    """Files without those that stand in for libraries."""
    return {path: code for path, code in files.items() if not path.startswith("_stand/")}


def around(base: Mapping[str, str], head: Mapping[str, str]) -> Around:
    """What lies around two revisions that are held whole: the vendored packages."""
    sides = [
        {path: text.encode() for path, text in files.items() if path.startswith("vendor/") and path.endswith(".go")}
        for files in (base, head)
    ]
    outline: dict[str, tuple[str, ...]] = {}
    for path in snapshot(head).files:
        folder, _, name = path.rpartition("/")
        outline[folder or "."] = (*outline.get(folder or ".", ()), name)
    modules = frozenset(path.rpartition("/")[0] or "." for path in head if path.rpartition("/")[2] == "go.mod")
    vendored = (_revision(sides[0], "a"), _revision(sides[1], "b")) if sides[0] != sides[1] else None
    before, after = (_revision(side, rev).files for side, rev in zip(sides, "ab", strict=True))
    origins_of = _origins(base, head, sides[0])
    return Around(
        Outline(outline, modules), vendored=vendored, origins=origins_of, behind=before, handed=(before, after)
    )


def _origins(base: Mapping[str, str], head: Mapping[str, str], vendored: Mapping[str, bytes]) -> Snapshot:
    names: dict[str, list[str]] = defaultdict(list)
    for path in vendored:
        where, _, name = path.rpartition("/")
        names[where].append(name)
    wanted = origins(snapshot(base), snapshot(head), names)
    return _revision({path: code for path, code in vendored.items() if path.rpartition("/")[0] in wanted}, "a")


def analysis(base: Mapping[str, str], head: Mapping[str, str]) -> Analysis:
    """What all rules together say of two revisions that are held whole."""
    return analyze(snapshot(base, "a"), snapshot(head, "b"), around=around(base, head))


def _revision(sources: Mapping[str, bytes], rev: str) -> Snapshot:
    return Snapshot(
        rev * 40,
        {path: SourceFile(path, hashlib.sha256(code).hexdigest(), code) for path, code in sources.items()},
    )


def findings(base: Mapping[str, str], head: Mapping[str, str]) -> tuple[Finding, ...]:
    """What all rules together find."""
    return analysis(base, head).findings


def read(path: Path) -> Case:
    """Read one case."""
    text = path.read_text(encoding="utf-8")
    prose = text if text.startswith("-- ") else text.partition("\n-- ")[0]
    return Case(path, prose, parse_txtar(text))


CASES = tuple(read(path) for path in sorted(FOLDER.glob("*/*.txtar")))
