"""What changes for the target in code that the platforms share, between two revisions of which it was kept.

The source is not here any more, so what only it can tell is left unsaid: whether a test that has another name and another
text is the same, whether a subtest is new. Of guards only those are told that come: of eleven that went in eight pairs of
moby's releases four kept away what nobody does now, and of five new refusals of Windows' own functions four were no news.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from analyzer.common import Common, KeptGuard
from analyzer.guards import Effect
from analyzer.pairs import is_the_same, unmatched
from analyzer.parity import is_about_linux
from analyzer.runs import idle_suites, named_alike, starts, stops
from analyzer.skips import Runs

MAX_COMPARED_TESTS = 50_000
"""Pairs of tests that are looked at to see what moved, and as many to see what was renamed."""

MAX_COMPARED_GUARDS = 400
"""Pairs of guards that are compared by their text, in one function and in all: beyond them nothing is said of guards."""

Ref = tuple[str, str]
"""A package and a name in it."""


class ChangedTest(Struct, frozen=True):
    """A test of which the target runs more, or less.

    Attributes:
        kind: it no longer runs, runs again, or is new and does not run, there.
        package, file, name: which, at the later revision.
        in_part: in some cases only.
        was: the package that it was in; "" when that is the same.
    """

    kind: Literal["stopped", "started", "never"]
    package: str
    file: str
    name: str
    in_part: bool
    was: str = ""


class NewGuard(Struct, frozen=True):
    """Something that a function newly keeps from the target.

    Attributes:
        package, file, line, function: where, at the later revision.
        effect: how.
        condition: of the branch.
    """

    package: str
    file: str
    line: int
    function: str
    effect: Effect
    condition: str


class _Test(NamedTuple):
    """A test at one revision; `runs` and `at_all` as of `analyzer.skips.TestState`."""

    file: str
    runs: Runs
    at_all: Runs
    on_target: bool
    on_reference: bool


def changed_tests(base: Mapping[str, Common], head: Mapping[str, Common]) -> Iterator[ChangedTest]:
    """The tests of which the target runs more or less, in the order of packages and names.

    Args:
        base: what was kept of the earlier revision, by directory; packages that are the same in both may be left out.
        head: likewise of the later one.
    """
    unseen = {where for side in (base, head) for where, one in side.items() if one.too_many}
    before, after = _tests(base, unseen), _tests(head, unseen)
    gone, come = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    moved = _moved(gone, come)
    packages = defaultdict[str, dict[str, _Test]](dict)
    for (where, name), test in before.items():
        packages[where][name] = test
    idle = defaultdict[str, set[str]](set, {where: idle_suites(tests) for where, tests in packages.items()})
    renames = _Renames(before, sorted({*gone} - {*moved.values()}), _homes(base, head, moved))
    for ref, test in sorted(after.items()):
        where, name = ref
        if not test.on_reference:
            continue
        was = moved.get(ref, ref)
        old = before.get(was)
        kind: Literal["stopped", "started", "never", ""] = ""
        if old is None:
            kept = test.on_target and test.runs is not Runs.FULLY and name.rpartition(".")[0] not in idle[where]
            if kept and not renames.knows(ref, test):
                kind = "never"
        elif stops(old, test):
            kind = "stopped"
        elif old.on_reference and starts(old, test):
            kind = "started"
        if kind:
            in_part = test.runs is Runs.SOMETIMES
            yield ChangedTest(kind, where, test.file, name, in_part, was[0] if was[0] != where else "")


def _tests(side: Mapping[str, Common], unseen: Collection[str]) -> dict[Ref, _Test]:
    found: dict[Ref, _Test] = {}
    for where, one in side.items():
        if where in unseen:
            continue
        for file in one.tests:
            runs = Runs.FULLY if file.target else Runs.NEVER
            for name in file.tests:
                found[where, name] = _Test(file.name, runs, runs, file.target, file.reference)
            for test in file.kept:
                found[where, test.name] = _Test(file.name, test.runs, test.at_all, file.target, file.reference)
    return found


def _moved(gone: Sequence[Ref], come: Sequence[Ref]) -> dict[Ref, Ref]:
    """From where tests are to where they were, by their names without a suite's.

    Of several places the one counts from which most came: packages move as a whole.
    """
    before, after = _by_name(gone), _by_name(come)
    room = MAX_COMPARED_TESTS
    pairs: list[tuple[Ref, Ref]] = []
    for name in sorted(before.keys() & after.keys(), key=lambda name: (len(before[name]) * len(after[name]), name)):
        room -= len(before[name]) * len(after[name])
        if room < 0:
            break
        pairs += [(old, new) for old in before[name] for new in after[name]]
    together = Counter((old[0], new[0]) for old, new in pairs)
    pairs.sort(key=lambda pair: (-together[pair[0][0], pair[1][0]], pair[0][1] != pair[1][1], pair))
    moved: dict[Ref, Ref] = {}
    taken = set[Ref]()
    for old, new in pairs:
        if new not in moved and old not in taken:
            moved[new] = old
            taken.add(old)
    # Names that too many have go where the others of their package went.
    home = {new: old for (old, new), _ in reversed(together.most_common())}
    left = {*gone} - taken
    moved |= {(where, name): was for where, name in come if (was := (home.get(where, where), name)) in left}
    return moved


def _homes(base: Collection[str], head: Collection[str], moved: Mapping[Ref, Ref]) -> Mapping[str, set[str]]:
    """Where the tests of a package may come from: itself, one that its tests were in, one that is gone and called so."""
    found: dict[str, set[str]] = {where: {where} for where in head}
    for (where, _), (was, _) in moved.items():
        found[where].add(was)
    gone: dict[str, set[str]] = defaultdict(set)
    for where in base:
        if where not in head:
            gone[where.rpartition("/")[2]].add(where)
    return {where: known | gone.get(where.rpartition("/")[2], set()) for where, known in found.items()}


def _by_name(refs: Sequence[Ref]) -> dict[str, list[Ref]]:
    found: dict[str, list[Ref]] = defaultdict(list)
    for ref in refs:
        found[ref[1].rpartition(".")[2]].append(ref)
    return found


class _Renames:
    """Tells whether a test that is new had another name, as long as that costs little.

    Args:
        before: the tests of the earlier revision.
        gone: those of them that are nowhere any more.
        homes: where the tests of a package may come from.
    """

    def __init__(self, before: Mapping[Ref, _Test], gone: Sequence[Ref], homes: Mapping[str, set[str]]) -> None:
        self._before, self._homes = before, homes
        self._names: dict[str, list[str]] = defaultdict(list)
        self._room = MAX_COMPARED_TESTS
        for where, name in gone:
            self._names[where].append(name)

    def knows(self, ref: Ref, test: _Test) -> bool:
        """Whether a test of which the target ran no more either is gone, by a name much like it."""
        others = [(where, name) for where in sorted(self._homes[ref[0]]) for name in self._names.get(where, ())]
        self._room -= len(others)
        return self._room >= 0 and any(
            self._before[other].at_all >= test.runs and named_alike(other[1], ref[1]) for other in others
        )


def new_guards(base: Mapping[str, Common], head: Mapping[str, Common], apart: Collection[Ref]) -> Iterator[NewGuard]:
    """What functions newly keep from the target, in the order of packages and functions.

    A guard that is somewhere else, and work that the target did not do before either, is nothing new; a mechanism of Linux
    is missed by nobody.

    Args:
        base: what was kept of the earlier revision, by directory; packages that are the same in both may be left out.
        head: likewise of the later one.
        apart: what each platform had for itself, or one of them alone, at the earlier revision.
    """
    # What was in a package that is gone may be anywhere now.
    homeless = {name for where, name in apart if where not in head}
    before, after = _guards(base), _guards(head)
    gone: list[KeptGuard] = []
    come: list[tuple[str, KeptGuard]] = []
    for ref in sorted({*before, *after}):
        old, new = before.get(ref, []), after.get(ref, [])
        if len(old) * len(new) > MAX_COMPARED_GUARDS:
            return
        lost, found, _ = unmatched([one.guard for one in old], [one.guard for one in new])
        gone += [one for one in old if one.guard in lost]
        rewritten = {guard.effect for guard in lost}
        come += [(ref[0], one) for one in new if one.guard in found and one.effect not in rewritten]
    if len(gone) * len(come) > MAX_COMPARED_GUARDS:
        return
    for where, one in come:
        moved = next((old for old in gone if is_the_same(old.guard, one.guard)), None)
        if moved is not None:
            gone.remove(moved)
            continue
        there = (where, one.function) in apart or one.function in homeless
        if not there and not is_about_linux(one.function, " ".join((one.source, *one.lost))):
            yield NewGuard(where, one.file, one.line, one.function, one.effect, one.condition)


def _guards(side: Mapping[str, Common]) -> dict[Ref, list[KeptGuard]]:
    found: dict[Ref, list[KeptGuard]] = defaultdict(list)
    for where, one in side.items():
        for guard in one.guards:
            found[where, guard.function].append(guard)
    return found
