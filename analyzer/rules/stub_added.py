"""A function newly declared for Windows does nothing there.

What it finds
    A function or method that Windows did not have at base, and that is a stub at head (it is empty, returns only zero
    values, says "not supported", or panics) while Linux does real work.

Why it matters on Windows
    Shared code now calls something that works on Linux and does nothing on Windows. When it returns a nil error
    (silent), the caller believes that it worked.

Example
    `func (d *Daemon) setupSeccomp() error { return nil }` in daemon_windows.go, with 40 lines in daemon_linux.go.

What to do
    Implement it, or return an error that says so. If the mechanism exists on Linux only, nothing: such a stub is kept
    out of the comment, and so is a step of the package's own that gives nothing but an error, what takes, gives or looks at
    what a configuration has for Linux alone, what is called only in branches that Windows never takes, and a predicate that
    a new branch asks, which is told itself.

Not reported
    A stub that was renamed, moved (also with its Linux twin to another type), re-signed or taken out of another stub; a
    stub whose Linux twin does nothing either; functions that build an error; a real value (true, a path, a name).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property

from analyzer.body import Body
from analyzer.diff import NAME_SIMILARITY, Diff, PackageChange, alike, likeness
from analyzer.effects import LONG_TEXT, ZERO, one_line
from analyzer.model import Finding, Level
from analyzer.pairs import CALLED
from analyzer.rules.wording import does, place_of
from analyzer.symbols import Symbol
from analyzer.syntax import initial_value, text

ID = "stub-added"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    stubs = _Stubs(change)
    for name in change.names():
        symbol = change.head.package.target.get(name)
        if symbol is None or name in change.base.package.target or change.head.shared(name):
            continue
        if change.base.package.had_with_tags(name):
            continue
        body = change.head.body(name)
        if body is None or body.stub is None:
            continue
        if change.head.twin_works(name) and not _was_a_stub(name, change, diff, stubs):
            yield _finding(symbol, body, change, diff)


def _was_a_stub(name: str, change: PackageChange, diff: Diff, stubs: "_Stubs") -> bool:
    """Whether the stub had another name at base, or stood in another package."""
    old = change.renamed_from(name)
    if old is not None:
        before = change.base.body(old)
        return before is not None and before.stub is not None
    return (
        diff.stub_moved(name)
        or _left_its_name(name, change)
        or _was_a_value(name, change)
        or _moved_with_its_twin(name, change, diff)
        or stubs.taken_out(name)
        or stubs.took_over_a_refusal(name)
    )


class _Stubs:
    """What the stubs of a package said and handed on: looked up for each new stub, made once.

    Args:
        change: the package.
    """

    def __init__(self, change: PackageChange) -> None:
        self._change = change

    def took_over_a_refusal(self, name: str) -> bool:
        """Whether it says what one stub alone said at base, in so many words, and says no more: then that refused for it."""
        base, head = self._change.base, self._change.head
        own = _said(head.package.target[name])
        olds = {old for words in own for old in self._told.get(words, ())}
        if len(olds) != 1:
            return False
        [old] = olds
        body, now = base.body(old), head.package.target.get(old)
        return body is not None and body.stub is not None and (now is None or own.isdisjoint(_said(now)))

    def taken_out(self, name: str) -> bool:
        """Whether a function that is a stub hands on to the new one on both platforms: it was one, or its loss is told."""
        return any(
            self._change.base.twin_works(old)
            and (body := self._change.head.body(old)) is not None
            and body.stub is not None
            for old in self._handed_on.get(name, ())
        )

    @cached_property
    def _told(self) -> Mapping[str, set[str]]:
        """The functions of base by the longer texts in them."""
        found = defaultdict[str, set[str]](set)
        for old, symbol in self._change.base.package.target.items():
            for words in _said(symbol) if symbol.declaration.is_function else ():
                found[words].add(old)
        return found

    @cached_property
    def _handed_on(self) -> Mapping[str, set[str]]:
        """The functions that each platform had for itself at base, by what both call at head."""
        base, head = self._change.base, self._change.head.package
        found = defaultdict[str, set[str]](set)
        for old, symbol in base.package.target.items():
            if symbol.declaration.is_function and not base.shared(old) and old in head.target and old in head.reference:
                for called in _calls(head.target[old]) & _calls(head.reference[old]):
                    found[called].add(old)
        return found


def _said(symbol: Symbol) -> set[str]:
    """The longer texts in a function."""
    return set(LONG_TEXT.findall(one_line(symbol.source.decode(errors="replace"))))


def _calls(symbol: Symbol) -> set[str]:
    return set(CALLED.findall(one_line(symbol.source.decode(errors="replace"))))


def _moved_with_its_twin(name: str, change: PackageChange, diff: Diff) -> bool:
    """Whether a stub went away from some package or receiver, and what its twin did is done by the twin of the new one."""
    twin = change.head.package.reference[name]
    return any(likeness(old, twin, NAME_SIMILARITY) for old in diff.twins_of_stubs_gone)


def _was_a_value(name: str, change: PackageChange) -> bool:
    """Whether a constant or a variable with nothing in it became the function."""
    base, head = change.base.package, change.head.package
    return any(
        alike(old, name)
        and symbol.declaration.kind in {"const", "var"}
        and old not in head.target
        and (value := initial_value(symbol.source, old)) is not None
        and text(value) in ZERO
        for old, symbol in base.target.items()
    )


def _left_its_name(name: str, change: PackageChange) -> bool:
    """Whether some stub gave its name to shared code, and what its twin did is done by the twin of the new one."""
    twin = change.head.package.reference[name]
    return any(
        change.head.shared(old)
        and not change.base.shared(old)
        and old in change.base.package.reference
        and (body := change.base.body(old)) is not None
        and body.stub is not None
        and likeness(change.base.package.reference[old], twin, NAME_SIMILARITY)
        for old in change.base.package.target
    )


def _is_told_where_asked(name: str, change: PackageChange, diff: Diff) -> bool:
    """Whether a new branch asks the function, and is told itself: then that says what Windows misses."""
    return any(name in CALLED.findall(found.guard.condition) for found in diff.guards.added.get(change.dir, ()))


def _finding(symbol: Symbol, body: Body, change: PackageChange, diff: Diff) -> Finding:
    name = symbol.name
    twin = change.head.package.reference[name]
    silent = change.head.silent(name)
    hidden = ", and its nil error tells the caller that all went well" if silent else ""
    return Finding(
        ID,
        Level.WARNING,
        symbol.file.path,
        symbol.declaration.line,
        symbol.declaration.end_line,
        "head",
        name,
        f"{name} is new, and on Windows it {does(body)}{hidden}; Linux does real work ({place_of(twin)}).",
        change.dir,
        stub=body.stub,
        gap=change.head.gap(name)
        and not change.base.only_refuses
        and not _is_told_where_asked(name, change, diff)
        and diff.reach_at_head.asked_for(change.head, name),
        silent=silent,
        counterpart=twin.place,
    )
