"""Pairs the guards and the tests of base with those of head: what is new, what is gone, and what only moved."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from analyzer.effects import one_line
from analyzer.guards import Effect, Guard, guards, work_of
from analyzer.parity import View
from analyzer.reach import Reach
from analyzer.skips import Runs, TestState
from analyzer.symbols import GoFile, Symbol

if TYPE_CHECKING:
    from analyzer.diff import PackageChange

# Two branches this much alike are one that was edited or moved.
SIMILARITY = 0.6
# Two statements this much alike do the same.
SAME_STATEMENT = 0.75
CALLED = re.compile(r"\b(\w+)\(")
# A text of some length within a refusal.
_LITERAL = re.compile(r"""("(?:[^"\\\n]|\\.)*"|`[^`]*`)""")
# Characters of a text that is long enough to be told from others.
MIN_WORDS = 14
# Characters of a branch that are compared.
COMPARED = 2000


@dataclass(frozen=True, slots=True)
class GuardChange:
    """A guard that is new, with its function at head, or gone, with what its function is at head."""

    symbol: Symbol
    guard: Guard


@dataclass(frozen=True, slots=True)
class GuardChanges:
    """By directory of the package at head."""

    added: Mapping[str, list[GuardChange]]
    removed: Mapping[str, list[GuardChange]]


@dataclass(frozen=True, slots=True)
class _Function:
    """A function whose text differs: its guards before and after."""

    change: "PackageChange"
    base: Symbol | None
    head: Symbol | None
    before: list[Guard]
    after: list[Guard]


def pair_guards(changes: Sequence["PackageChange"], reach: Reach) -> GuardChanges:
    """The guards that are new and those that are gone in all packages.

    One that left a function and came into another one moved. Work that Windows did not do at base, because a stub or
    another file kept it away, or because it never came there, is not lost by a guard.

    Args:
        changes: the packages.
        reach: what the target came to at base.
    """
    functions = [function for change in changes for function in _changed(change)]
    gone: list[tuple[_Function, Guard]] = []
    come: list[tuple[_Function, Guard]] = []
    narrowed: list[tuple[_Function, Guard]] = []
    for function in functions:
        before, after, pairs = _unmatched(function.before, function.after)
        gone += [(function, guard) for guard in before]
        come += [(function, guard) for guard in after]
        come += [(function, new) for old, new in pairs if new.sure and not old.sure]
        narrowed += [(function, old) for old, new in pairs if _is_narrower(old, new)]
    for there, old in list(gone):
        moved = next(((f, new) for f, new in come if f is not there and _alike(old, new)), None)
        if moved is not None:
            come.remove(moved)
            gone.remove((there, old))
    own = _own_work(changes)
    added, removed = defaultdict(list), defaultdict(list)
    for function, guard in come:
        if function.head is not None and _was_there(function, reach) and not _was_away(function, guard):
            added[function.change.dir].append(GuardChange(function.head, guard))
    for function, guard in gone:
        if function.head is not None and _still_done(function, guard, own):
            removed[function.change.dir].append(GuardChange(function.head, guard))
    for function, guard in narrowed:
        if function.head is not None and _rest_stays(function, guard):
            removed[function.change.dir].append(GuardChange(function.head, guard))
    return GuardChanges(added, removed)


def _is_narrower(old: Guard, new: Guard) -> bool:
    """Whether what was kept away in every case is so in some only, or less of it."""
    return (old.sure and not new.sure) or (old.effect is Effect.REFUSED and 2 * len(new.lost) < len(old.lost))


def _changed(change: "PackageChange") -> Iterator[_Function]:
    for name in change.names():
        head = _both(change.head, name)
        old_name = name if name in change.base.package.target else change.renamed_from(name)
        base = _both(change.base, old_name) if old_name else None
        if head is None and (base is None or name in change.head.package.target):
            continue
        if base is not None and head is not None and base.source == head.source:
            continue
        yield _Function(
            change,
            base,
            head,
            guards(base, *change.base.scopes) if base is not None else [],
            guards(head, *change.head.scopes) if head is not None else [],
        )


def _both(view: View, name: str) -> Symbol | None:
    """The function, where one declaration serves both platforms."""
    symbol = view.package.target.get(name)
    return symbol if symbol is not None and view.shared(name) and symbol.declaration.has_body else None


_Pairs = list[tuple[Guard, Guard]]


def _unmatched(before: list[Guard], after: list[Guard]) -> tuple[list[Guard], list[Guard], _Pairs]:
    """What has no counterpart in the same function, and the counterparts; the likest are paired first."""
    scored = sorted(
        (
            (_likeness(old, new) + (old.condition == new.condition), i, j)
            for i, old in enumerate(before)
            for j, new in enumerate(after)
        ),
        reverse=True,
    )
    left, right = set(range(len(before))), set(range(len(after)))
    pairs: _Pairs = []
    for score, i, j in scored:
        if score >= SIMILARITY and i in left and j in right and not _narrowed(before[i], after[j]):
            left.discard(i)
            right.discard(j)
            pairs.append((before[i], after[j]))
    return [before[i] for i in sorted(left)], [after[j] for j in sorted(right)], pairs


def _narrowed(old: Guard, new: Guard) -> bool:
    """Whether the two have nothing in common but their condition."""
    return (
        old.source != new.source
        and bool(old.lost)
        and bool(new.lost)
        and old.lost.isdisjoint(new.lost)
        and _likeness(old, new) < SIMILARITY
    )


def _alike(old: Guard, new: Guard) -> bool:
    """Whether a branch in another place is the same one: by its text, or by the work that it keeps away."""
    same = bool(old.lost) and 2 * sum(any(same_work(s, n) for n in new.lost) for s in old.lost) >= len(old.lost)
    return (old.effect is new.effect and _likeness(old, new) >= SIMILARITY) or same


def _likeness(old: Guard, new: Guard) -> float:
    if old.source == new.source:
        return 1.0
    return SequenceMatcher(None, old.source[:COMPARED], new.source[:COMPARED], autojunk=False).ratio()


def _was_there(function: _Function, reach: Reach) -> bool:
    """Whether the target came to the function at base, if it is not new."""
    return function.base is None or reach.reached(function.change.base, function.base.name)


def _was_away(function: _Function, guard: Guard) -> bool:
    """Whether the target had none of it at base: the function was not there for it, or the work was elsewhere."""
    base = function.change.base
    name = function.head.name if function.head is not None else ""
    if function.base is None and (name in base.package.reference or name in base.package.target):
        body = base.body(name)
        if body is None or body.stub is not None or guard.effect is not Effect.REFUSED:
            return True
    if guard.effect is Effect.FIXED and function.base is None:
        return True
    if guard.effect is Effect.REFUSED and function.base is not None and _refused_before(function.base, guard):
        return True
    if not guard.lost:
        return False
    away = _only_reference(base)
    mine = one_line(function.base.source.decode(errors="replace")) if function.base is not None else ""
    return 2 * sum(lost in away and lost not in mine for lost in guard.lost) > len(guard.lost)


def _refused_before(base: Symbol, guard: Guard) -> bool:
    """Whether base refused the same everywhere, with the same words or after the same question: then only Linux gains."""
    worded = [refusal for refusal in guard.refused if '"' in refusal or "`" in refusal]
    before = one_line(base.source.decode(errors="replace"))
    same_words = bool(worded) and all(refusal in before for refusal in worded)
    return same_words or (bool(guard.asked) and all(f"if {c} {{ return " in before for c in guard.asked))


def _only_reference(view: View) -> str:
    """The code that only the reference builds, in one spelling."""
    sources = (
        f.source.content for f in view.package.files.values() if f.on_reference and not f.on_target and not f.is_test
    )
    return one_line(b"\n".join(sources).decode(errors="replace"))


def _still_done(function: _Function, guard: Guard, own: frozenset[str]) -> bool:
    """Whether what the guard kept from the target is done there now: by the function, or by what it newly calls."""
    if function.head is None or function.base is None or _refused_elsewhere(function, guard):
        return False
    if guard.effect in {Effect.REFUSED, Effect.FIXED} and not function.after:
        return bool(function.after) or _rest_stays(function, guard)
    work = work_of(function.head)
    kept_away = set[str]().union(*(g.lost for g in function.after))
    done = (s for s in guard.lost if any(same_work(s, w) for w in work) and not any(same_work(s, k) for k in kept_away))
    return next(done, None) is not None or _calls_own(function, own)


def _refused_elsewhere(function: _Function, guard: Guard) -> bool:
    """Whether other code that the target builds now says what the guard said."""
    said = [words for refusal in guard.refused for words in _LITERAL.findall(refusal) if len(words) >= MIN_WORDS]
    if not said:
        return False
    files = function.change.head.package.files.values()
    sources = b"\n".join(f.source.content for f in files if f.on_target and not f.is_test).decode(errors="replace")
    return all(words in sources for words in said)


def _rest_stays(function: _Function, guard: Guard) -> bool:
    """Whether the reference's part of the branch is still there, by half of it."""
    assert function.head is not None  # noqa: S101 - the caller looked
    if not guard.lost:
        return True
    work = work_of(function.head)
    return 2 * sum(any(same_work(s, w) for w in work) for s in guard.lost) >= len(guard.lost)


def same_work(old: str, new: str) -> bool:
    """Whether two statements, in one spelling each, do the same."""
    return old == new or SequenceMatcher(None, old, new, autojunk=False).ratio() >= SAME_STATEMENT


def _own_work(changes: Iterable["PackageChange"]) -> frozenset[str]:
    """Bare names of functions that the target has an implementation of its own for, beside the reference's."""
    return frozenset(
        name.rpartition(".")[2]
        for change in changes
        for name, symbol in change.head.package.target.items()
        if symbol.declaration.is_function and name in change.head.package.reference and not change.head.shared(name)
        if (body := change.head.body(name)) is not None and body.stub is None
    )


def _calls_own(function: _Function, own: frozenset[str]) -> bool:
    """Whether the function newly calls one that each platform implements for itself."""
    assert function.head is not None and function.base is not None  # noqa: S101, PT018 - the caller looked
    now, then = (set(CALLED.findall(f.source.decode(errors="replace"))) for f in (function.head, function.base))
    return not own.isdisjoint(now - then)


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
    """

    file: GoFile
    state: TestState | None
    line: int
    subtest: str = ""
    new: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class TestChanges:
    """By directory of the package at head."""

    skipped: Mapping[str, list[TestChange]]
    enabled: Mapping[str, list[TestChange]]


def pair_tests(changes: Sequence["PackageChange"]) -> TestChanges:
    """The tests that the target no longer runs, and those that it newly runs, in all packages.

    A test that keeps its name keeps its identity, in whichever file and package it stands.
    """
    before: dict[str, Runs] = {}
    for change in changes:
        for name, state in change.base.tests.items():
            if name not in change.head.tests:
                bare = name.rpartition(".")[2]
                before[bare] = min(state.runs, before.get(bare, Runs.NEVER))
    skipped = {change.dir: list(_tests_lost(change, before)) for change in changes}
    enabled = {change.dir: list(_tests_won(change)) for change in changes}
    return TestChanges(skipped, enabled)


def _tests_lost(change: "PackageChange", moved: Mapping[str, Runs]) -> Iterator[TestChange]:
    base, head = change.base.tests, change.head.tests
    covered = set[str]()
    for file in change.files:
        if file.left_alone and file.head is not None and file.head.is_test:
            lost = [
                name
                for name, state in base.items()
                if file.base is not None
                and state.symbol.file.path == file.base.path
                and state.runs < Runs.NEVER
                and name in head
                and head[name].runs is Runs.NEVER
            ]
            covered |= set(lost)
            if lost:
                yield TestChange(file.head, None, _constraint_line(file.head), count=len(lost))
    for name, state in head.items():
        if name in covered or not (state.skips or not state.built) or not state.symbol.file.on_reference:
            continue
        old = base.get(name) or _renamed_test(name, change)
        first = next((skip.line for skip in state.skips if not skip.subtest), state.symbol.declaration.line)
        if old is None:
            was = moved.get(name.rpartition(".")[2])
            if (state.built or was is not None) and state.runs > (Runs.FULLY if was is None else was):
                yield TestChange(state.symbol.file, state, first, new=was is None)
        elif state.runs > old.runs:
            yield TestChange(state.symbol.file, state, first)
        elif state.runs is old.runs is not Runs.NEVER:
            for subtest, skip in state.subtests.items():
                if subtest not in old.subtests and subtest.encode() in old.symbol.source:
                    yield TestChange(state.symbol.file, state, skip.line, subtest)


def _tests_won(change: "PackageChange") -> Iterator[TestChange]:
    base, head = change.base.tests, change.head.tests
    covered = set[str]()
    for file in change.files:
        if file.entered_alone and file.head is not None and file.head.is_test:
            won = [
                name
                for name, state in head.items()
                if state.symbol.file.path == file.head.path
                and state.runs < Runs.NEVER
                and name in base
                and base[name].runs is Runs.NEVER
            ]
            covered |= set(won)
            if won:
                yield TestChange(file.head, None, _constraint_line(file.head), count=len(won))
    for name, state in head.items():
        old = base.get(name)
        if old is None or name in covered or not old.symbol.file.on_reference:
            continue
        if state.runs < old.runs:
            yield TestChange(state.symbol.file, state, state.symbol.declaration.line)
        elif state.runs is old.runs is not Runs.NEVER:
            source = state.symbol.source
            for subtest in old.subtests.keys() - state.subtests.keys():
                if subtest.encode() in source:
                    yield TestChange(state.symbol.file, state, state.symbol.declaration.line, subtest)


def _renamed_test(name: str, change: "PackageChange") -> TestState | None:
    """What a test that is new at head was at base under another name."""
    new = change.head.tests[name].symbol
    gone = (s for n, s in change.base.tests.items() if n not in change.head.tests)
    return next((s for s in gone if _same_source(s.symbol.source, new.source)), None)


def _same_source(old: bytes, new: bytes) -> bool:
    shorter, longer = sorted((len(old), len(new)))
    if shorter < SIMILARITY * longer:
        return False
    return SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).ratio() >= SIMILARITY


def _constraint_line(file: GoFile) -> int:
    return file.facts.constraint.line if file.facts.constraint is not None else 1
