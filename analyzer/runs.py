"""Pairs the tests of base with those of head: which of them the target no longer runs, and which it newly runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Protocol

from analyzer.effects import code_lines, one_line
from analyzer.pairs import SIMILARITY
from analyzer.skips import Runs, TestState
from analyzer.symbols import GoFile

if TYPE_CHECKING:
    from analyzer.diff import PackageChange
    from analyzer.parity import View

# What a test is called before what it tests.
_SUBJECT = re.compile(r"^(?:Test|Benchmark|Fuzz|Example)_?")
# Bytes of a test that is compared letter by letter, and how much alike two such are that are one.
SHORT = 1_000
SIMILARITY_OF_SHORT = 0.8


class Running(Protocol):
    """How much of a test the target runs at one revision: a `TestState`, or what is kept of one."""

    @property
    def runs(self) -> Runs:
        """Beside what the reference runs of it."""

    @property
    def at_all(self) -> Runs:
        """Be it more than the reference or not."""


def stops(old: Running, new: Running) -> bool:
    """Whether the target no longer runs what it ran of a test."""
    return new.runs > max(old.runs, old.at_all)


def starts(old: Running, new: Running) -> bool:
    """Whether the target newly runs something of a test."""
    return new.runs < old.runs


def idle_suites(tests: Mapping[str, Running]) -> set[str]:
    """The types of suites of which the target runs nothing: nobody expects it to run what is new in them."""
    suites = [(name.rpartition(".")[0], test.runs is Runs.NEVER) for name, test in tests.items()]
    return {suite for suite, _ in suites} - {suite for suite, never in suites if not never} - {""}


@dataclass(frozen=True, slots=True)
class TestChange:
    """A test, or a whole file of tests, that the target newly runs or no longer runs.

    Attributes:
        file: the file at head.
        state: the test at head; None when it is the whole file.
        line: where head says so, counted from 1.
        subtest: the subtest, when it is only one.
        new: the test is new.
        count: how many tests it is about.
        more: the target ran it in some cases before.
        of_a_stub: what it tests, by its name, does nothing on the target: it did not before, or that is told by itself.
    """

    file: GoFile
    state: TestState | None
    line: int
    subtest: str = ""
    new: bool = False
    count: int = 1
    more: bool = False
    of_a_stub: bool = False


@dataclass(frozen=True, slots=True)
class TestChanges:
    """By directory of the package at head."""

    skipped: Mapping[str, list[TestChange]]
    enabled: Mapping[str, list[TestChange]]


def pair_tests(changes: Sequence["PackageChange"]) -> TestChanges:
    """The tests that the target no longer runs, and those that it newly runs, in all packages.

    A test that keeps its name keeps its identity, in whichever file and package it stands.
    """
    before: dict[str, TestState] = {}
    for change in changes:
        for name, state in change.base.tests.items():
            known = before.get(_bare(name))
            if name not in change.head.tests and (known is None or state.at_all < known.at_all):
                before[_bare(name)] = state
    skipped = {change.dir: list(_tests_lost(change, before, changes)) for change in changes}
    enabled = {change.dir: list(_tests_won(change, before)) for change in changes}
    return TestChanges(skipped, enabled)


def _is_of_a_stub(name: str, view: "View") -> bool:
    """Whether a package has the function that a test is named for, and the target has nothing but a stub of it."""
    subject = _SUBJECT.sub("", _bare(name))
    for function in {subject, subject[:1].lower() + subject[1:]} & view.package.reference.keys():
        body = view.body(function)
        if body is not None and body.stub is not None and not view.shared(function):
            return True
    return False


def _tests_lost(
    change: "PackageChange", moved: Mapping[str, TestState], everything: Sequence["PackageChange"]
) -> Iterator[TestChange]:
    base, head = change.base.tests, change.head.tests
    idle = idle_suites(base)
    covered = set[str]()
    for file in change.files:
        if file.left_alone and file.head is not None and file.head.is_test:
            lost = _only_here(base, head, file.base.path) if file.base is not None else []
            covered |= set(lost)
            if lost:
                stubs = all(_was_of_a_stub(name, everything) or _is_of_a_stub(name, change.head) for name in lost)
                line = file.head.constraint_line
                yield TestChange(file.head, None, line, count=len(lost), of_a_stub=stubs)
    for name, state in head.items():
        if name in covered or not (state.skips or not state.built) or not state.symbol.file.on_reference:
            continue
        old = base.get(name) or _renamed_test(name, change)
        first = next((skip.line for skip in state.skips if not skip.subtest), state.symbol.declaration.line)
        if old is None:
            was = moved.get(_bare(name))
            if was is None:
                if state.built and state.runs > Runs.FULLY and name.rpartition(".")[0] not in idle:
                    yield TestChange(state.symbol.file, state, first, new=True)
                continue
            lost_it = state.runs > was.at_all
        else:
            lost_it = stops(old, state) or _ends_beside(old, state)
        if lost_it and not _was_of_a_stub(name, everything):
            yield TestChange(state.symbol.file, state, first, of_a_stub=_is_of_a_stub(name, change.head))
        elif old is not None and state.runs is old.runs is not Runs.NEVER:
            for subtest, skip in state.subtests.items():
                if subtest not in old.subtests and subtest.encode() in old.symbol.source:
                    yield TestChange(state.symbol.file, state, skip.line, subtest)


def _was_of_a_stub(name: str, everything: Sequence["PackageChange"]) -> bool:
    """The same of base, in whichever package."""
    return any(_is_of_a_stub(name, change.base) for change in everything)


def _ends_beside(old: TestState, new: TestState) -> bool:
    """Whether a test that may end on both platforms, as it may have before, now ends on the target in a place of its own."""
    source = one_line(old.symbol.source.decode(errors="replace"))
    own = any(not skip.subtest and any(why not in source for why in skip.asked) for skip in new.skips)
    return own and old.at_all is Runs.SOMETIMES and new.runs > old.runs and new.alike >= old.alike


def _tests_won(change: "PackageChange", moved: Mapping[str, TestState]) -> Iterator[TestChange]:
    base, head = change.base.tests, change.head.tests
    covered = set[str]()
    for file in change.files:
        if file.entered_alone and file.head is not None and file.head.is_test:
            won = _only_here(head, base, file.head.path)
            covered |= set(won)
            if won:
                yield TestChange(file.head, None, file.head.constraint_line, count=len(won))
    for name, state in head.items():
        old = base.get(name) or _renamed_test(name, change) or moved.get(_bare(name))
        if old is None or name in covered or not old.symbol.file.on_reference:
            continue
        if starts(old, state):
            more = old.runs is Runs.SOMETIMES
            yield TestChange(state.symbol.file, state, state.symbol.declaration.line, more=more)
        elif state.runs is old.runs is not Runs.NEVER:
            source = state.symbol.source
            for subtest in old.subtests.keys() - state.subtests.keys():
                if subtest.encode() in source:
                    yield TestChange(state.symbol.file, state, state.symbol.declaration.line, subtest)


def _only_here(here: Mapping[str, TestState], there: Mapping[str, TestState], path: str) -> list[str]:
    """The tests of a file that one side runs, at least in part, and that the other has and never runs."""
    return [
        name
        for name, state in here.items()
        if state.symbol.file.path == path
        and state.runs < Runs.NEVER
        and name in there
        and there[name].runs is Runs.NEVER
    ]


def _renamed_test(name: str, change: "PackageChange") -> TestState | None:
    """What a test that is new at head was at base under another name, or in another suite."""
    base, head = change.base.tests, change.head.tests
    gone = [(_bare(other), state) for other, state in base.items() if other not in head]
    if not gone:
        return None
    new, mine, names = code_lines(head[name].symbol.source), _bare(name), {_bare(other) for other in head}
    # What keeps its name in another suite is nobody else.
    candidates = [(n, s) for n, s in gone if n == mine] or [(n, s) for n, s in gone if n not in names]
    return next(
        (s for n, s in candidates if _same_source(code_lines(s.symbol.source), new, alike=named_alike(n, mine))), None
    )


def _bare(name: str) -> str:
    """The name of a test without that of its suite."""
    return name.rpartition(".")[2]


def named_alike(old: str, new: str) -> bool:
    """Whether two tests are called so much alike that one may be the other renamed."""
    names = [_bare(name).removeprefix("Test") for name in (old, new)]
    matcher = SequenceMatcher(None, names[0], names[1], autojunk=False)
    # The first two are never less than the third, and cost little.
    return all(
        ratio() >= SIMILARITY_OF_SHORT for ratio in (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    )


def _same_source(before: Sequence[str], after: Sequence[str], *, alike: bool) -> bool:
    """Whether two texts are of one test; of two whose names are alike less has to be the same."""
    one, other = "\n".join(before), "\n".join(after)
    shorter, longer = sorted((len(one), len(other)))
    if shorter < SIMILARITY * longer:
        return False
    if SequenceMatcher(None, before, after, autojunk=False).ratio() >= SIMILARITY:
        return True
    # In a short one a local with another name may be in every line.
    short = alike and longer <= SHORT
    return short and SequenceMatcher(None, one, other, autojunk=False).ratio() >= SIMILARITY_OF_SHORT
