"""Pairs the guards of base with those of head: what is new, what is gone, and what only moved."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from analyzer.effects import one_line
from analyzer.gains import Sides
from analyzer.guards import Effect, Guard, divided, guards, work_of
from analyzer.parity import View
from analyzer.reach import Reach
from analyzer.symbols import Symbol

if TYPE_CHECKING:
    from analyzer.diff import PackageChange

# Two branches this much alike are one that was edited or moved.
SIMILARITY = 0.6
# Two statements this much alike do the same.
SAME_STATEMENT = 0.75
CALLED = re.compile(r"\b(\w+)\(")
_WORD = re.compile(r"[A-Za-z_]\w*")
# Words of a refusal that do not tell what is refused.
_SAYS_NOTHING = frozenset(
    "not is are supported support supports unsupported implemented unimplemented available yet on for by in of this the a "
    "feature function method operation platform platforms os operating system windows linux unix s d v w q".split()
)
# What a function that tells platforms apart says.
_PLATFORM = re.compile(rb"GOOS|OSType|[iI]solation|[wW]indows")
# What adds to a list.
_ADDS = re.compile(rb"\bappend\(")
_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")
# A field that is set to what stands elsewhere, as it is or in another type.
_COPIES = re.compile(r"[\w.]+ = (?:u?int\d*|float\d+|string|bool)?\(?[\w.]+\)?$")
# A text of some length within a refusal.
_LITERAL = re.compile(r"""("(?:[^"\\\n]|\\.)*"|`[^`]*`)""")
# The share of a branch's work that the target must not have come to: to look whether there is something to do is none.
MOST = 0.75
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


@dataclass(frozen=True)
class _Function:
    """A function whose text differs: its guards before and after."""

    change: "PackageChange"
    base: Symbol | None
    head: Symbol | None
    before: list[Guard]
    after: list[Guard]

    @cached_property
    def sides(self) -> Sides | None:
        """What the target gets to run of it; None where one revision does not have it."""
        if self.base is None or self.head is None:
            return None
        return Sides(self.base, self.head, self.change.base.scopes[0], self.change.head.scopes[0])

    @cached_property
    def newly_called(self) -> set[str]:
        """What it calls at head and did not at base, by bare names; both revisions have it."""
        assert self.head is not None and self.base is not None  # noqa: S101, PT018 - who asks has looked
        now, then = (set(CALLED.findall(f.source.decode(errors="replace"))) for f in (self.head, self.base))
        return now - then


def pair_guards(changes: Sequence["PackageChange"], reach: Reach) -> GuardChanges:
    """The guards that are new and those that are gone in all packages.

    One that left a function and came into another one moved. Work that Windows did not do at base, because a stub or
    another file kept it away, or because it never came there, is not lost by a guard.

    Args:
        changes: the packages.
        reach: what the target came to at base.
    """
    functions = [function for change in changes for function in _changed(change)]
    gone, come, narrowed = _gone_and_come(functions)
    own, were = _own_work(changes), _Before(changes)
    added, removed = defaultdict(list), defaultdict(list)
    for function, guard in come:
        if (
            _was_there(function, reach, changes)
            and not _was_away(function, guard, were)
            and not _is_own(function, guard)
            and not _asks_what_is_new(function, guard)
        ):
            assert function.head is not None  # noqa: S101 - only such a one has guards at head
            added[function.change.dir].append(GuardChange(function.head, guard))
    left = [
        (f, g)
        for f, g in gone
        if _is_gain(f, g) and not _refused_elsewhere(g, changes) and _still_done(f, g, own, changes)
    ]
    left += [(f, g) for f, g in narrowed if _is_gain(f, g) and _rest_stays(f, g)]
    for function, guard in left:
        assert function.head is not None  # noqa: S101 - else it is no gain
        removed[function.change.dir].append(GuardChange(function.head, guard))
    for function in functions:
        for symbol, guard, side in _lists(function):
            told = (added if side == "head" else removed)[function.change.dir]
            if all(symbol is not change.symbol for change in told):
                told.append(GuardChange(symbol, guard))
    return GuardChanges(added, removed)


_Found = list[tuple[_Function, Guard]]


def _gone_and_come(functions: Sequence[_Function]) -> tuple[_Found, _Found, _Found]:
    """The guards that are gone, those that came, and those that became narrower; one that moved is none of them."""
    gone: _Found = []
    come: _Found = []
    narrowed: _Found = []
    for function in functions:
        before, after, pairs = unmatched(function.before, function.after)
        new = [*after, *(new for old, new in pairs if new.sure and not old.sure)]
        sides = function.sides
        gone += [(function, guard) for guard in before if sides is None or not sides.alike]
        come += [(function, guard) for guard in new if sides is None or not sides.kept_away(guard)]
        narrowed += [(function, old) for old, new in pairs if _is_narrower(old, new) and not _is_joined(function, new)]
    for there, old in list(gone):
        moved = next(((f, new) for f, new in come if f is not there and is_the_same(old, new)), None)
        if moved is not None:
            come.remove(moved)
            gone.remove((there, old))
    return gone, come, narrowed


def _lists(function: _Function) -> Iterator[tuple[Symbol, Guard, Literal["base", "head"]]]:
    """The guards that keep something from a list, where the other revision gives it to a call without the list: of which side."""
    sides, base, head = function.sides, function.base, function.head
    if sides is None or base is None or head is None:
        return
    if _ADDS.search(base.source) and _PLATFORM.search(base.source):
        for guard in guards(base, *function.change.base.scopes, lists=True):
            if guard not in function.before and _does_something(sides.given(guard), function.change.head):
                yield head, guard, "base"
    if _ADDS.search(head.source) and _PLATFORM.search(head.source):
        for guard in guards(head, *function.change.head.scopes, lists=True):
            if guard not in function.after and _does_something(sides.taken_away(guard), function.change.base):
                yield head, guard, "head"


def _does_something(calls: Iterable[str], view: View) -> bool:
    """Whether one of some calls is of a function of the package that is no stub on the target."""
    names = {call.partition("(")[0] for call in calls}
    symbols = (view.package.target.get(name) for name in sorted(names))
    found = (view.body(s.name) for s in symbols if s is not None and s.declaration.is_function)
    return any(body is not None and body.stub is None for body in found)


def _is_gain(function: _Function, guard: Guard) -> bool:
    """Whether the target gets to run something else, and no refusal took the place of a guard that is gone."""
    sides = function.sides
    if _is_given_up(function, guard):
        return False
    return function.head is not None and (sides is None or not (sides.alike or sides.refuses_instead(guard)))


def _is_narrower(old: Guard, new: Guard) -> bool:
    """Whether what was kept away in every case is so in some only, or less of it."""
    return (old.sure and not new.sure) or (old.effect is Effect.REFUSED and 2 * len(new.lost) < len(old.lost))


def _is_joined(function: _Function, new: Guard) -> bool:
    """Whether a refusal asks in one condition what base asked in several, one within the other."""
    said = one_line(function.base.source.decode(errors="replace")) if function.base is not None else ""
    return bool(new.refused) and all(part in said for part in (*new.condition.split(" && "), *new.refused))


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


def unmatched(before: list[Guard], after: list[Guard]) -> tuple[list[Guard], list[Guard], _Pairs]:
    """What has no counterpart in the same function, and the counterparts; the likest are paired first."""
    scored = sorted(
        (
            (_likeness(old, new) + (old.condition == new.condition) + _same_loss(old, new), i, j)
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


def _same_loss(old: Guard, new: Guard) -> bool:
    """Whether a branch keeps away what another one does, all of it: then it is written in another way."""
    return old.effect is new.effect and bool(old.lost) and old.lost == new.lost and old.refused == new.refused


def _narrowed(old: Guard, new: Guard) -> bool:
    """Whether the two have nothing in common but their condition."""
    return (
        old.source != new.source
        and bool(old.lost)
        and bool(new.lost)
        and old.lost.isdisjoint(new.lost)
        and _likeness(old, new) < SIMILARITY
    )


def is_the_same(old: Guard, new: Guard) -> bool:
    """Whether a branch in another place is the same one: by its text, or by the work that it keeps away."""
    if Effect.SWITCHED in {old.effect, new.effect}:
        return old.effect is new.effect and old.switches == new.switches
    same = bool(old.lost) and 2 * sum(any(same_work(s, n) for n in new.lost) for s in old.lost) >= len(old.lost)
    return (old.effect is new.effect and _likeness(old, new) >= SIMILARITY) or same


def _likeness(old: Guard, new: Guard) -> float:
    if old.source == new.source:
        return 1.0
    return SequenceMatcher(None, old.source[:COMPARED], new.source[:COMPARED], autojunk=False).ratio()


def _was_there(function: _Function, reach: Reach, changes: Sequence["PackageChange"]) -> bool:
    """Whether the target came to the function at base, if it is not new."""
    if function.base is not None:
        return reach.reached(function.change.base, function.base.name)
    moved = _moved_from(function.head, changes) if function.head is not None else None
    return moved is None or reach.reached(*moved)


def _moved_from(new: Symbol, changes: Sequence["PackageChange"]) -> tuple[View, str] | None:
    """Where shared code of base had a function that is gone there, and much like a new one of the same bare name."""
    bare = new.name.rpartition(".")[2]
    for change in changes:
        for name, old in change.base.package.target.items():
            if (
                name.rpartition(".")[2] == bare
                and old.declaration.is_function
                and name not in change.head.package.target
                and change.base.shared(name)
                and _same_text(old, new)
            ):
                return change.base, name
    return None


def _same_text(old: Symbol, new: Symbol) -> bool:
    """Whether two functions are much alike."""
    was, now = (one_line(s.source.decode(errors="replace"))[:COMPARED] for s in (old, new))
    return SequenceMatcher(None, was, now, autojunk=False).ratio() >= SIMILARITY


def _is_own(function: _Function, guard: Guard) -> bool:
    """Whether the branch is about something that only the target ever had, or is the rest of what each platform has."""
    assert function.head is not None  # noqa: S101 - only such a one has guards at head
    change = function.change
    if guard.effect is not Effect.REFUSED and not guard.sure:
        new = {w for w in _NAME.findall(guard.condition) if _has_value_alone(change.head, change.base, w)}
        if any(_only_asked_for(word, change.head) for word in new):
            return True
    if guard.effect is not Effect.SKIPPED or not all(_COPIES.match(lost) for lost in guard.lost):
        return False
    before = divided(function.base, *change.base.scopes) if function.base is not None else frozenset[str]()
    return guard.condition in divided(function.head, *change.head.scopes) - before


def _asks_what_is_new(function: _Function, guard: Guard) -> bool:
    """Whether a branch asks a method that came with it, and for which the reference does some work: stub-added tells of that."""
    head = function.change.head
    asked = (head.scopes[0].predicate(word) for word in CALLED.findall(guard.condition))
    return any(name and name not in function.change.base.package.target and head.twin_works(name) for name in asked)


def _is_given_up(function: _Function, guard: Guard) -> bool:
    """Whether the branch was about a value that nothing else asked for, and that is gone with it: nobody has such a thing."""
    change = function.change
    gone = {w for w in _NAME.findall(guard.condition) if _has_value_alone(change.base, change.head, w)}
    return not guard.sure and any(_only_asked_for(word, change.base) for word in gone)


def _has_value_alone(view: View, other: View, name: str) -> bool:
    """Whether one revision has a constant or a variable of that name, and the other one nothing."""
    symbol = view.package.target.get(name)
    others = {*other.package.target, *other.package.reference}
    return symbol is not None and symbol.declaration.kind in {"const", "var"} and name not in others


def _only_asked_for(name: str, view: View) -> bool:
    """Whether the package's code has a name only where it is declared and in one more place."""
    sources = (f.source.content.decode(errors="replace") for f in view.package.files.values() if not f.is_test)
    return sum(len(re.findall(rf"\b{name}\b", one_line(source))) for source in sources if name in source) <= 2


class _Before:
    """What each platform had for itself at base, in whichever package of the change."""

    def __init__(self, changes: Sequence["PackageChange"]) -> None:
        self._views = [change.base for change in changes]

    @cached_property
    def reference(self) -> str:
        """The code that only the reference built, in one spelling."""
        return "\n".join(map(_only_reference, self._views))

    @cached_property
    def _said(self) -> list[str]:
        """The texts in the code that only the target built."""
        files = (f for view in self._views for f in view.package.files.values() if not f.is_test)
        own = (f.source.content.decode(errors="replace") for f in files if f.on_target and not f.on_reference)
        return [words for code in own for words in _LITERAL.findall(one_line(code)) if len(words) >= MIN_WORDS]

    def refused(self, guard: Guard) -> bool:
        """Whether code of the target's own said nearly what the branch says: the two platforms' files became one."""
        said = _said(guard)
        return bool(said) and all(any(worded_alike(old, new) for old in self._said) for new in said)


def _said(guard: Guard) -> list[str]:
    """The longer texts of the refusals in a branch; none where one of them would fit any refusal."""
    said = [words for refusal in guard.refused for words in _LITERAL.findall(refusal) if len(words) >= MIN_WORDS]
    return said if all(set(_WORD.findall(words.lower())) - _SAYS_NOTHING for words in said) else []


def worded_alike(old: str, new: str) -> bool:
    """Whether two refusals are one that was reworded."""
    return SequenceMatcher(None, old, new, autojunk=False).ratio() >= SAME_STATEMENT


def _stood_with_callers(function: _Function, guard: Guard) -> bool:
    """Whether the condition of a new function left other code of the package: it stood where the function is called."""
    turned = guard.condition.replace("!=", "\0").replace("==", "!=").replace("\0", "==")
    then, now = (
        sum(code.count(guard.condition) + code.count(turned) for code in _code(view))
        for view in (function.change.base, function.change.head)
    )
    return "GOOS" in guard.condition and then >= now


def _code(view: View) -> Iterator[str]:
    return (one_line(f.source.content.decode(errors="replace")) for f in view.package.files.values() if not f.is_test)


def _joins_two(function: _Function) -> bool:
    """Whether each platform had the function for itself, and together they said all that the one of head says."""
    assert function.head is not None  # noqa: S101 - only such a one has guards at head
    base, name = function.change.base.package, function.head.name
    olds = [s for s in (base.target.get(name), base.reference.get(name)) if s is not None]
    if len(olds) < 2 or function.base is not None:
        return False
    said = "\n".join(one_line(s.source.decode(errors="replace")) for s in olds)
    says = _LITERAL.findall(one_line(function.head.source.decode(errors="replace")))
    return all(words in said for words in says if len(words) >= MIN_WORDS)


def _was_away(function: _Function, guard: Guard, were: _Before) -> bool:
    """Whether the target had none of it at base: the function was not there for it, or the work was elsewhere."""
    base = function.change.base
    if guard.effect is Effect.REFUSED and (were.refused(guard) or _joins_two(function)):
        return True
    name = function.head.name if function.head is not None else ""
    if function.base is None and (base.package.had_with_tags(name) or _stood_with_callers(function, guard)):
        return True
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
    if guard.effect is Effect.SKIPPED and _only_grew(function, guard):
        return True
    if guard.effect is not Effect.REFUSED and _never_came(function, guard):
        return True
    away = were.reference
    mine = one_line(function.base.source.decode(errors="replace")) if function.base is not None else ""
    return 2 * sum(lost in away and lost not in mine for lost in guard.lost) > len(guard.lost)


def _only_grew(function: _Function, guard: Guard) -> bool:
    """Whether base had the branch, with nothing in it that counts, and what it has now is new: only the reference gains."""
    if function.base is None or function.head is None:
        return False
    asked, sources = f"if {guard.condition} {{", (function.base.source, function.head.source)
    then, now = (one_line(source.decode(errors="replace")).count(asked) for source in sources)
    if not then >= now > 0:
        return False
    return not any(same_work(did, lost) for did in work_of(function.base) for lost in guard.lost)


def _never_came(function: _Function, guard: Guard) -> bool:
    """Whether base did what the branch keeps away, or nearly that, and the target came to hardly any of it."""
    if function.sides is None or function.base is None:
        return False
    came = {step.whole or step.says for step in function.sides.before}
    away = [did for did in work_of(function.base) if did not in came]
    never = [
        lost
        for lost in guard.lost
        if any(same_work(did, lost) for did in away) and not any(same_work(did, lost) for did in came)
    ]
    return bool(never) and len(never) >= MOST * len(guard.lost)


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


def _still_done(
    function: _Function, guard: Guard, own: Mapping[str, Symbol], changes: Sequence["PackageChange"]
) -> bool:
    """Whether what the guard kept from the target is done there now: by the function, or by what it newly calls."""
    if function.head is None or function.base is None:
        return False
    if _asked_by_helper(function, guard):
        return False
    if function.sides is not None and _does_something(function.sides.given(guard), function.change.head):
        return True
    if guard.effect in {Effect.REFUSED, Effect.FIXED} and not function.after:
        return _rest_stays(function, guard)
    if guard.effect is Effect.SWITCHED:
        return any(switch in code for switch in guard.switches for code in _code(function.change.head))
    lost, work = _kept(function, guard), work_of(function.head)
    kept_away = set[str]().union(*(g.lost for g in function.after))
    done = [(s, w) for s in lost for w in work if same_work(s, w) and not any(same_work(s, k) for k in kept_away)]
    called = set[str]().union(*({*CALLED.findall(w)} - {*CALLED.findall(s)} for s, w in done))
    went_inside = bool(called) and _calls_own_stub(called, changes)
    return bool(done and not went_inside) or _calls_own(function, guard, own)


def _calls_own_stub(called: Collection[str], changes: Sequence["PackageChange"]) -> bool:
    """Whether some package has a stub for the target alone of what is called, by bare names."""
    for change in changes:
        for name, symbol in change.head.package.target.items():
            if name.rpartition(".")[2] in called and symbol.declaration.is_function and not change.head.shared(name):
                body = change.head.body(name)
                if body is not None and body.stub is not None:
                    return True
    return False


def _asked_by_helper(function: _Function, guard: Guard) -> bool:
    """Whether a function that is new, and newly called, asks most of what the guard asked: the condition has a name now."""
    words = set(_WORD.findall(guard.condition))
    target, before = function.change.head.package.target, function.change.base.package.target
    helpers = [target[name] for name in function.newly_called if name in target and name not in before]
    return any(
        2 * len(words & set(_WORD.findall(helper.source.decode(errors="replace")))) > len(words)
        and _PLATFORM.search(helper.source)
        for helper in helpers
    )


def _refused_elsewhere(guard: Guard, changes: Sequence["PackageChange"]) -> bool:
    """Whether other code that the target builds now says what the guard said, in whichever package."""
    said = _said(guard)
    if not said:
        return False
    files = (f for change in changes for f in change.head.package.files.values() if f.on_target and not f.is_test)
    sources = [f.source.content for f in files]
    return all(any(words.encode() in source for source in sources) for words in said)


def _rest_stays(function: _Function, guard: Guard) -> bool:
    """Whether the reference's part of the branch is still there, by half of it."""
    assert function.head is not None  # noqa: S101 - the caller looked
    if not guard.lost:
        return True
    lost, work = _kept(function, guard), work_of(function.head)
    return bool(lost) and 2 * sum(any(same_work(s, w) for w in work) for s in lost) >= len(lost)


def _kept(function: _Function, guard: Guard) -> list[str]:
    """What only the guard kept from the target: not what the function did elsewhere too, and does there alone now."""
    assert function.base is not None  # noqa: S101 - it has the guard
    assert function.head is not None  # noqa: S101 - the caller looked
    did, kept, does = (
        Counter(s.replace(":=", "=") for s in work)
        for work in (work_of(function.base), guard.lost, work_of(function.head))
    )
    return [s for s in guard.lost if did[w := s.replace(":=", "=")] <= kept[w] or did[w] <= does[w]]


def same_work(old: str, new: str) -> bool:
    """Whether two statements, in one spelling each, do the same."""
    if old == new:
        return True
    first, second = CALLED.search(old), CALLED.search(new)
    if first and second and SequenceMatcher(None, first[1], second[1], autojunk=False).ratio() < SIMILARITY:
        return False  # short statements are alike whatever they call
    return SequenceMatcher(None, old, new, autojunk=False).ratio() >= SAME_STATEMENT


def _own_work(changes: Iterable["PackageChange"]) -> Mapping[str, Symbol]:
    """The functions that the target has an implementation of its own for, beside the reference's, by their bare names."""
    return {
        name.rpartition(".")[2]: symbol
        for change in changes
        for name, symbol in change.head.package.target.items()
        if symbol.declaration.is_function and name in change.head.package.reference and not change.head.shared(name)
        if (body := change.head.body(name)) is not None and body.stub is None
    }


def _calls_own(function: _Function, guard: Guard, own: Mapping[str, Symbol]) -> bool:
    """Whether the function newly calls one that each platform has for itself, and that does there what was kept away."""
    called = [own[name] for name in function.newly_called if name in own]
    return any(same_work(s, w) for symbol in called for w in work_of(symbol) for s in guard.lost)
