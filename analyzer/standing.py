"""What a route, a command or a gRPC method is worth on the target: it works, in part, is refused, or does nothing."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from analyzer.asked import Isolation
from analyzer.course import Courses, Loss, Turn, What
from analyzer.entries import Entry, Link, Root, shown
from analyzer.impact import Impact
from analyzer.model import Options, Place

# Functions from the one that an entry begins with to what is told of it. Farther away it is no matter of the entry.
MAX_DEPTH = 6
# ... but what code of all platforms refuses the target by its name.
MAX_FAR = 9
# What more of the entries of a kind come to than this is common to all of them, and says nothing of one.
MAX_SHARE = 0.1
# ... but what this many come to is not common yet.
MIN_ENTRIES = 4

MODES: tuple[Isolation, ...] = ("process", "hyper-v")

# A field that is true or false.
_OPTION = re.compile(r"(?:\w+\.)+([A-Z]\w*)")
# What fills all fields of a value at once.
_DECODES = re.compile(rb"(?:Decode|Unmarshal|ReadJSON|readJSON)\w*\(")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Words of names that do not say what is done.
_COMMON = frozenset(
    "get set post put delete head do run handle id name json new make all with from the a of to is on in container containers image images network networks volume volumes".split()
)


class State(StrEnum):
    """What an entry is worth, worst first."""

    REFUSED = "refused"
    SILENT = "silent"
    PARTIAL = "partial"
    UNKNOWN = "unknown"
    WORKS = "works"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that the target leaves undone.

    Attributes:
        what: how.
        function: the function that does so, as ``dir:Recv.Name``.
        place: where.
        end_line: the last line of it.
        says: the refusal, in one spelling; "" for a function that does nothing.
        conditions: what has to be so, in the source's words.
        isolation: in which isolation mode alone.
        links: how the entry comes there.
        sure: whether the entry always comes there, in that mode.
        main: whether what is left undone is what the entry is for.
    """

    what: What
    function: str
    place: Place
    end_line: int
    says: str
    conditions: tuple[str, ...]
    isolation: Isolation
    links: tuple[Link, ...]
    sure: bool
    main: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What an entry is worth.

    Attributes:
        entry: the entry.
        state: as a whole.
        reasons: why, the worst first.
        modes: by isolation mode, where the modes differ.
        handler: the first function of its own; None when it is not known.
    """

    entry: Entry
    state: State
    reasons: tuple[Reason, ...] = ()
    modes: Mapping[Isolation, State] = field(default_factory=dict)
    handler: Link | None = None


Ref = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """How an entry comes to a function."""

    ref: Ref
    links: tuple[Link, ...]
    conditions: tuple[str, ...] = ()
    isolation: Isolation = ""
    sure: bool = True
    heeded: bool = True
    guessed: bool = False


class Standings:
    """What the entries of one revision are worth.

    Args:
        impact: who reaches what.
        options: the platforms.
    """

    def __init__(self, impact: Impact, options: Options | None = None) -> None:
        self._impact = impact
        self._courses = Courses(impact.calls, options or Options())

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries but the starts of programs, in the order of their names."""
        return tuple(sorted((e for e in self._roots if e.kind != "start"), key=lambda e: (e.kind, e.name)))

    def all(self) -> tuple[Standing, ...]:
        """What all of them are worth."""
        return tuple(self.of(entry) for entry in self.entries)

    def of(self, entry: Entry) -> Standing:
        """That of one entry."""
        roots = self._roots.get(entry, [])
        arrivals = [*self._specific(entry)]
        handler = self._impact.link((roots[0].where, roots[0].name)) if roots else None
        words = self._words(entry, arrivals)
        far = (a for a in self._specific(entry, MAX_FAR) if len(a.links) > MAX_DEPTH)
        told = [(a, loss) for a in far for loss in self._courses.refused_by_name(*a.ref) if _holds(a, loss)]
        found = {(loss.what, loss.place): self._reason(loss, a, words) for a, loss in reversed(told)}
        found |= {(r.what, r.place): r for a in reversed(arrivals) for r in self._reasons(a, words)}
        reasons = sorted(found.values(), key=_rank)
        if not reasons and not self._is_known(arrivals):
            return Standing(entry, State.UNKNOWN, handler=handler)
        return standing_of(entry, reasons, handler)

    @cached_property
    def _roots(self) -> Mapping[Entry, list[Root]]:
        found: dict[Entry, list[Root]] = defaultdict(list)
        for roots in self._impact.roots.values():
            for root in roots:
                found[root.entry].append(root)
        return found

    @cached_property
    def _common(self) -> Mapping[str, frozenset[Ref]]:
        """By kind of entry, the functions that too many of them come to."""
        found: dict[str, frozenset[Ref]] = {}
        for kind in {entry.kind for entry in self._roots} - {"start"}:
            entries = [entry for entry in self._roots if entry.kind == kind]
            count = Counter(ref for entry in entries for ref in {a.ref for a in self._arrivals(entry, frozenset())})
            most = max(MIN_ENTRIES, MAX_SHARE * len(entries))
            found[kind] = frozenset(ref for ref, times in count.items() if times > most)
        return found

    def _specific(self, entry: Entry, depth: int = MAX_DEPTH) -> Iterator[_Arrival]:
        begins = {(root.where, root.name) for root in self._roots.get(entry, ())}
        yield from self._arrivals(entry, self._common.get(entry.kind, frozenset()) - begins, depth)

    def _arrivals(self, entry: Entry, closed: frozenset[Ref], depth: int = MAX_DEPTH) -> Iterator[_Arrival]:
        """The functions that an entry comes to, nearest first; those that it surely comes to before others."""
        roots = self._roots.get(entry, ())
        work = deque(_Arrival((r.where, r.name), r.lead, sure=r.sure) for r in roots)
        begun = {a.ref for a in work}
        later: deque[_Arrival] = deque()
        while work or later:
            arrival = (work or later).popleft()
            yield arrival
            if len(arrival.links) >= depth:
                continue
            near = len(arrival.links) < MAX_DEPTH
            for turn in self._courses.of(*arrival.ref, losses=near).turns:
                target = turn.call.where, turn.call.name
                if target in closed or turn.asked.aside or target in begun or (turn.among > 1 and arrival.guessed):
                    continue
                following = self._after(arrival, turn)
                if following.sure:
                    begun.add(target)
                    work.append(following)
                else:
                    later.append(following)
            while later and later[0].ref in begun and not work:
                later.popleft()
            if not work and later:
                begun.add(later[0].ref)

    def _after(self, arrival: _Arrival, turn: Turn) -> _Arrival:
        asked = turn.asked
        target = turn.call.where, turn.call.name
        conditions = (*arrival.conditions, *asked.conditions)
        if turn.among > 1:
            conditions = (*conditions, f"{shown(*target).rpartition('.')[0] or shown(*target)} is used")
        sure = arrival.sure and not asked.conditions and turn.among == 1
        links = (*arrival.links, self._impact.link(arrival.ref, turn.call.line))
        isolation = arrival.isolation or asked.isolation
        return _Arrival(
            target,
            links,
            conditions,
            isolation,
            sure,
            arrival.heeded and turn.heeded,
            arrival.guessed or turn.among > 1,
        )

    def _reasons(self, arrival: _Arrival, words: frozenset[str]) -> Iterator[Reason]:
        for loss in self._courses.losses(*arrival.ref):
            if loss.what == "does nothing" and not self._is_asked_for(arrival, words):
                continue
            if _holds(arrival, loss):
                yield self._reason(loss, arrival, words)

    def _is_asked_for(self, arrival: _Arrival, words: frozenset[str]) -> bool:
        """Whether a function's name says that it does what the entry is for, or what an option on the way asks for."""
        given = (condition for condition in arrival.conditions if self._is_given(condition, arrival))
        asked = frozenset().union(*(_words_of(condition) for condition in given))
        return bool(_words_of(arrival.ref[1].rpartition(".")[2]) & (words | asked))

    def _is_given(self, condition: str, arrival: _Arrival) -> bool:
        """Whether somebody on the way may have set what a condition asks for: an option that nobody gives is none."""
        option = _OPTION.fullmatch(condition)
        if option is None:
            return True
        sets = re.compile(rb"\b%s\s*:[^=]|\.%s\s*=[^=]" % (option[1].encode(), option[1].encode()))
        functions = self._impact.calls.functions
        sources = [
            functions[where, name].source
            for where, _, name in (link.function.partition(":") for link in arrival.links)
            if (where, name) in functions
        ]
        return any(sets.search(source) or _DECODES.search(source) for source in sources)

    def _reason(self, loss: Loss, arrival: _Arrival, words: frozenset[str]) -> Reason:
        return Reason(
            loss.what,
            shown(*arrival.ref),
            loss.place,
            loss.end_line,
            loss.says,
            (*arrival.conditions, *loss.asked.conditions),
            arrival.isolation or loss.asked.isolation,
            (*arrival.links, self._impact.link(arrival.ref)),
            arrival.sure and not loss.asked.conditions,
            loss.whole and bool(words & _words_of(arrival.ref[1].rpartition(".")[2])),
        )

    def _words(self, entry: Entry, arrivals: Iterable[_Arrival]) -> frozenset[str]:
        """What an entry is for, in words: its last segment, and the names of the first functions."""
        last = [s for s in re.split(r"[/ .]", entry.name) if s and not s.startswith("{")][-1:]
        first = [a.ref[1].rpartition(".")[2] for a in arrivals if len(a.links) == 0]
        return frozenset().union(*(_words_of(name) for name in (*last, *first)))

    def _is_known(self, arrivals: Iterable[_Arrival]) -> bool:
        """Whether the function that an entry begins with, or one that it calls, is more than plumbing."""
        found = list(arrivals)
        begins = [a for a in found if not a.links]
        return len(found) > len(begins) or (all(not self._courses.of(*a.ref).unknown for a in begins) and bool(begins))


def standing_of(entry: Entry, reasons: Sequence[Reason], handler: Link | None = None) -> Standing:
    """What an entry is worth for some reasons, the worst of them first."""
    modes = {mode: _state([_in_mode(r) for r in reasons if r.isolation in {"", mode}]) for mode in MODES}
    differ = any(r.isolation for r in reasons) and len({*modes.values()}) > 1
    state = _state(reasons)
    if not differ and len({*modes.values()}) == 1:
        state = modes[MODES[0]]
    return Standing(entry, state, tuple(reasons), modes if differ else {}, handler)


def _words_of(name: str) -> frozenset[str]:
    return frozenset(w.lower().rstrip("s") for w in _WORD.findall(name)) - _COMMON


def _holds(arrival: _Arrival, loss: Loss) -> bool:
    """Whether what is lost is heard of, in the isolation mode that leads there."""
    if loss.what == "refuses" and not arrival.heeded:
        return False
    return not arrival.isolation or loss.asked.isolation in {"", arrival.isolation}


def _in_mode(reason: Reason) -> Reason:
    return replace(reason, isolation="")


def _state(reasons: Iterable[Reason]) -> State:
    found = [*reasons]
    if any(r.what == "refuses" and r.sure and not r.isolation for r in found):
        return State.REFUSED
    # What refuses a part has a say on the rest, so that nothing is left to be done for it.
    if all(r.what == "does nothing" for r in found) and any(r.main and r.sure and not r.isolation for r in found):
        return State.SILENT
    return State.PARTIAL if found else State.WORKS


def _rank(reason: Reason) -> tuple[bool, bool, bool, int, int, Place]:
    refuses = reason.what == "refuses"
    return (
        not (refuses and reason.sure),
        not refuses,
        not reason.main,
        len(reason.conditions),
        len(reason.links),
        reason.place,
    )


def mode_name(mode: Isolation) -> str:
    """An isolation mode as people call it."""
    return {"process": "process isolation", "hyper-v": "Hyper-V isolation", "": ""}[mode]
