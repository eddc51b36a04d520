"""What a project makes of findings: rules that are off or raised, findings that are accepted, acceptances gone stale.

An accepted finding is not gone: it becomes a note that says why. What accepts, and does not or no longer, is reported
itself: as a warning by the change that brings it about, and as a note from then on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

from analyzer.directives import Directive, directives
from analyzer.model import Acceptance, Accepted, Finding, Level, Place, Policy, Side, Status
from analyzer.parity import View
from analyzer.symbols import directory

if TYPE_CHECKING:
    from analyzer.diff import Diff

UNEXPLAINED = "ignore-unexplained"
STALE = "ignore-stale"

PAGES = {
    UNEXPLAINED: """A comment that accepts a finding gives no reason.

What it finds
    `//winparity:ignore` without a rule, or without words after the rule. It accepts nothing until it has both.

Why it matters on Windows
    Who reads the code later has to know whether the gap is meant, and by whom it is missed.

Example
    `//winparity:ignore stub-added`

What to do
    Say why: `//winparity:ignore stub-added Windows has no file modes`.

Not reported
    Whether the reason is a good one.
""",
    STALE: """A comment or an entry accepts what is not there.

What it finds
    A `//winparity:ignore`, or an entry of .github/winparity.yml, whose symbol is gone or does real work on Windows now,
    that names no rule that there is, that stands at no declaration, or that has expired.

Why it matters on Windows
    What is left behind would hide the next loss of the same function.

Example
    `//winparity:ignore stub-added no such thing on Windows` above a function that has become shared code.

What to do
    Remove it; or, when it has expired, look again and give it a new date.

Not reported
    Entries for folders in which the change touches no Go file (`winparity scan` looks at all of them).
""",
}
"""The pages of the two, as `winparity explain` shows them. They are not rules: they say nothing of Windows."""

_ABOUT_BODIES = frozenset({"stub-added", "implementation-lost", "missing-on-windows", "undefined-on-windows"})
_FINE = frozenset({Status.SHARED, Status.IMPLEMENTED, Status.WINDOWS_ONLY})
_ABOUT_FILES = frozenset({"tag-added", "implementation-lost"})


def settle(found: Iterable[Finding], diff: "Diff", policy: Policy) -> list[Finding]:
    """The findings as the project wants them, and what is wrong with its own words on them.

    Args:
        found: by the rules.
        diff: the two revisions.
        policy: the project's wishes, as the base has them.
    """
    wanted = [f for finding in found if (f := _levelled(finding, policy)) is not None]
    held = {change.dir for change in diff.packages}
    settled = [finding for finding in wanted if finding.package not in held]
    for change in diff.packages:
        mine = [finding for finding in wanted if finding.package == change.dir]
        settled += _Package(change.base, change.head, policy).settle(mine)
    return settled


def stale(views: Mapping[str, View], policy: Policy) -> tuple[Finding, ...]:
    """What is wrong with a project's acceptances at one revision, all of whose directories are given.

    Args:
        views: by directory.
        policy: the project's wishes.
    """
    problems = [p.finding(Level.NOTE) for v in views.values() for p in _Package(v, v, policy).problems()]
    problems += [
        _Problem(entry, STALE, "there is no Go file in its folder").finding(Level.NOTE)
        for entry in policy.accept
        if entry.package not in views
    ]
    return tuple(sorted(problems, key=lambda f: (f.path, f.line)))


@cache
def _rules() -> frozenset[str]:
    """The ids of all rules."""
    from analyzer.rules import RULES  # noqa: PLC0415 - a scan needs them only where a comment accepts something

    return frozenset(rule.id for rule in RULES)


def _levelled(finding: Finding, policy: Policy) -> Finding | None:
    """A finding at the level that the project wants. Context stays context, and good news is never raised to bad."""
    match policy.levels.get(finding.rule):
        case "off":
            return None
        case "note":
            return replace(finding, level=Level.NOTE)
        case "warning" | "regression" as level if finding.level in {Level.WARNING, Level.REGRESSION}:
            return replace(finding, level=Level(level))
        case _:
            return finding


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong with a comment or an entry."""

    source: Directive | Acceptance
    rule: str
    words: str

    def finding(self, level: Level) -> Finding:
        what = self.source
        side: Side = "base"
        if isinstance(what, Directive):
            package, name, subject = directory(what.path), what.subject or None, "This //winparity:ignore"
            side = "head"
        else:
            package, name, subject = what.package, what.name, f"The entry for {what.package}:{what.name}"
        message = f"{subject} accepts nothing: {self.words}."
        return Finding(self.rule, level, what.path, what.line, what.line, side, name, message, package)

    @property
    def key(self) -> object:
        """What makes it the same problem at both revisions."""
        source = self.source.key if isinstance(self.source, Directive) else self.source
        return source, self.rule, self.words


class _Package:
    """What speaks of one package's findings."""

    def __init__(self, base: View, head: View, policy: Policy) -> None:
        self._base = base
        self._head = head
        self._policy = policy
        self._used: set[Directive | Acceptance] = set()

    @cached_property
    def _directives(self) -> tuple[Directive, ...]:
        return directives(self._head.package)

    @cached_property
    def _before(self) -> frozenset[object]:
        return frozenset(d.key for d in directives(self._base.package)) if self._directives else frozenset()

    @cached_property
    def _entries(self) -> tuple[Acceptance, ...]:
        folders = {self._base.package.dir, self._head.package.dir}
        return tuple(entry for entry in self._policy.accept if entry.package in folders)

    def settle(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings, accepted where something accepts them, and then what is wrong with what accepts."""
        settled = [self._settled(finding) for finding in findings]
        problems = list(self.problems())
        before = _Package(self._base, self._base, self._policy).problems() if problems else ()
        was = {problem.key for problem in before}
        return settled + [p.finding(Level.NOTE if p.key in was else Level.WARNING) for p in problems]

    def _settled(self, finding: Finding) -> Finding:
        for directive in self._directives:
            if directive.reason and finding.rule in directive.rules and _speaks_of(directive, finding):
                self._used.add(directive)
                place = Place(directive.path, directive.line)
                new = directive.key not in self._before
                return accepted(finding, Accepted(directive.reason, place, in_source=True, new=new))
        for entry in self._entries:
            if self._counts(entry) and finding.rule in (entry.rules or (finding.rule,)) and _names(entry, finding):
                self._used.add(entry)
                place = Place(entry.path, entry.line)
                return accepted(finding, Accepted(entry.reason, place, in_source=False, issue=entry.issue))
        return finding

    def _counts(self, entry: Acceptance) -> bool:
        return not (entry.expires and self._policy.today and entry.expires < self._policy.today)

    def problems(self) -> Iterator[_Problem]:
        """What is wrong with comments and entries at head."""
        for directive in self._directives:
            if directive not in self._used and (problem := self._of_directive(directive)) is not None:
                yield problem
        for entry in self._entries:
            if entry not in self._used and (words := self._of_entry(entry)):
                yield _Problem(entry, STALE, words)

    def _of_directive(self, directive: Directive) -> _Problem | None:
        if not directive.rules:
            return _Problem(directive, UNEXPLAINED, "it names no rule, and gives no reason")
        unknown = [rule for rule in directive.rules if rule not in _rules()]
        if unknown:
            return _Problem(directive, STALE, f"there is no rule {unknown[0]}")
        if not directive.reason:
            return _Problem(directive, UNEXPLAINED, "it gives no reason")
        if directive.subject is None:
            return _Problem(directive, STALE, "it stands at no declaration, and not above the package clause")
        if directive.subject == "":
            over = self._file_is_fine(directive.path, directive.rules)
            return _Problem(directive, STALE, "the file has nothing left to accept") if over else None
        over = self._is_fine(directive.subject, directive.rules)
        return _Problem(directive, STALE, f"{directive.subject} does real work now") if over else None

    def _of_entry(self, entry: Acceptance) -> str:
        if not self._counts(entry):
            return f"it has expired on {entry.expires}"
        head = self._head.package
        if entry.name.endswith(".go"):
            path = entry.name if head.dir == "." else f"{head.dir}/{entry.name}"
            if path not in head.files:
                return "there is no such file"
            return "the file has nothing left to accept" if self._file_is_fine(path, entry.rules) else ""
        tests = {symbol.name for symbol in head.tests}
        if entry.name not in head.target and entry.name not in head.reference and entry.name not in tests:
            return "there is no such symbol"
        return "the symbol does real work now" if self._is_fine(entry.name, entry.rules or ("stub-added",)) else ""

    def _is_fine(self, name: str, rules: Iterable[str]) -> bool:
        """Whether the rules speak of what a symbol is, and it is what it should be."""
        if not set(rules) <= _ABOUT_BODIES:
            return False
        package = self._head.package
        if name not in package.target and name not in package.reference:
            return False  # a test, an init, or code of another platform: nothing is known of it
        return self._head.status(name).status in _FINE

    def _file_is_fine(self, path: str, rules: Iterable[str]) -> bool:
        """Whether the rules speak of where a file builds, and it builds on the target."""
        file = self._head.package.files[path]
        return set(rules or _ABOUT_FILES) <= _ABOUT_FILES and file.on_target


def _speaks_of(directive: Directive, finding: Finding) -> bool:
    if directive.subject:
        return finding.symbol == directive.subject
    return directive.subject == "" and finding.path == directive.path


def _names(entry: Acceptance, finding: Finding) -> bool:
    return entry.name == (finding.symbol or finding.path.rpartition("/")[2])


def acceptable(finding: Finding) -> bool:
    """Whether there is something to accept: a loss, and no word on what accepts others."""
    return finding.level in {Level.REGRESSION, Level.WARNING} and finding.rule not in PAGES


def accepted(finding: Finding, by: Accepted) -> Finding:
    """A finding as the note that it becomes when it is accepted. Names and reasons are plain text, as messages are."""
    how = f" by {by.who}" if by.who else " in this very change" * by.new
    issue = f" ({by.issue})" if by.issue else ""
    return replace(
        finding, level=Level.NOTE, message=f"{finding.message} Accepted{how}: {by.reason}{issue}", accepted=by
    )
