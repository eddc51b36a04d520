"""A Windows stub became real.

What it finds
    A function that was a stub on Windows at base, or always failed there while Linux did real work, and does real work at
    head, in a file of its own or because the code is now shared.

Why it matters on Windows
    Users get what Linux already had.

Example
    stats_windows.go's `return nil, errNotSupported` becomes a query of the host compute service.

What to do
    Nothing.

Not reported
    A stub that changed its kind, or now always gives another error; a stub that was removed; a stub that lives on for another
    type; shared code with nothing in it but what its callers did before. Helpers of tests, functions that are named after
    Linux, and what cannot be built on Windows all the same are a note.
"""

from collections.abc import Iterator

from analyzer.diff import NAME_SIMILARITY, Diff, PackageChange, alike, likeness
from analyzer.effects import only_fails
from analyzer.guards import work_of
from analyzer.model import Finding, Level, Stub
from analyzer.pairs import CALLED, same_work
from analyzer.parity import names_linux
from analyzer.rules.wording import does
from analyzer.symbols import Symbol

ID = "stub-resolved"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    del diff
    for name in change.names():
        symbol = change.head.package.target.get(name)
        old = name if name in change.base.package.target else change.renamed_from(name)
        if symbol is None or old is None or (change.base.shared(old) and change.head.shared(name)):
            continue  # a branch in shared code is guard-removed's
        before, failed = change.base.body(old), _always_failed(old, change)
        if before is None or not (before.stub or failed) or (old != name and _is_another(name, old, change)):
            continue
        if old != name and _lives_on({old.rpartition(".")[2], name.rpartition(".")[2]}, change):
            continue
        # What refuses some of what it is given is a stub for what Linux does with that, if it does anything.
        refuses = failed or (before.stub in {Stub.ERROR, Stub.PANIC} and not before.refuses_some)
        if not (refuses or change.base.twin_works(old) or change.head.twin_works(name)):
            continue
        after = change.head.body(name)
        if after is None or after.stub is not None or (not change.head.shared(name) and only_fails(symbol.source)):
            continue
        if change.head.shared(name) and not refuses and not _does_more(symbol, change):
            continue  # behind a refusal no caller did anything
        how = "the code that Linux uses" if change.head.shared(name) else "an implementation of its own"
        twin = change.head.package.reference.get(name)
        yield Finding(
            ID,
            Level.NOTE if symbol.file.helps_tests or names_linux(name) else Level.IMPROVEMENT,
            symbol.file.path,
            symbol.declaration.line,
            symbol.declaration.end_line,
            "head",
            name,
            f"{name} has {how} on Windows; before, it {_past(does(before)) if before.stub else 'always failed'}.",
            change.dir,
            counterpart=twin.place if twin else None,
        )


def _always_failed(name: str, change: PackageChange) -> bool:
    """Whether a function of Windows did nothing but give an error, whatever that said, where Linux did real work."""
    symbol = change.base.package.target[name]
    own = symbol.declaration.is_function and not change.base.shared(name)
    return own and only_fails(symbol.source) and change.base.twin_works(name)


def _lives_on(names: set[str], change: PackageChange) -> bool:
    """Whether the target still has the stub, for another receiver."""
    return any(
        name.rpartition(".")[2] in names and (body := change.head.body(name)) is not None and body.stub is not None
        for name, symbol in change.head.package.target.items()
        if symbol.declaration.is_function
    )


def _does_more(symbol: Symbol, change: PackageChange) -> bool:
    """Whether shared code does something that did not just move into it from code that the target had at base."""
    found = work_of(symbol)
    if not found:
        return True
    stubs = _stubs(change)
    mine = [work for work in found if stubs.isdisjoint(CALLED.findall(work))]
    moved = _moved_out(change)
    return 2 * sum(not any(same_work(old, new) for old in moved) for new in mine) > len(mine)


def _moved_out(change: PackageChange) -> set[str]:
    """What shared functions did at base, and no longer do."""
    found = set[str]()
    for name, old in change.base.package.target.items():
        if old.declaration.is_function and change.base.shared(name):
            new = change.head.package.target.get(name)
            if new is None or new.source != old.source:
                found |= {*work_of(old)} - {*(work_of(new) if new is not None else ())}
    return found


def _stubs(change: PackageChange) -> set[str]:
    """Bare names of the target's stubs at head."""
    names = (n for n, s in change.head.package.target.items() if s.declaration.is_function)
    return {n.rpartition(".")[2] for n in names if (body := change.head.body(n)) is not None and body.stub is not None}


def _is_another(name: str, old: str, change: PackageChange) -> bool:
    """Whether a function took little from the stub that it seems to be renamed from: neither its name nor its twin."""
    twins = change.base.package.reference.get(old), change.head.package.reference.get(name)
    if old in change.base.package.reference and (
        old in change.head.package.reference or name not in change.head.package.reference
    ):
        return True  # what it stood in for goes on by itself
    twin_stays = (
        twins[0] is not None
        and twins[1] is not None
        and twins[0].declaration.kind == twins[1].declaration.kind
        and likeness(twins[0], twins[1], NAME_SIMILARITY)
    )
    both = all(twin is not None and twin.declaration.is_function for twin in twins)
    return not (twin_stays or (alike(old, name) and not both)) or _took_over(name, old, change)


def _took_over(name: str, old: str, change: PackageChange) -> bool:
    """Whether a function renamed from a stub has its body from a real one that went away too."""
    target, head = change.base.package.target, change.head.package.target
    mine = likeness(target[old], head[name])
    gone = (s for s in target.values() if s.declaration.is_function and s.name not in head and s.name != old)
    return any(
        (body := change.base.body(s.name)) and body.stub is None and likeness(s, head[name]) > mine for s in gone
    )


def _past(words: str) -> str:
    verb, _, rest = words.partition(" ")
    return f"{ {'does': 'did', 'returns': 'returned', 'panics': 'panicked'}[verb] } {rest}".strip()
