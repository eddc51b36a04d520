"""A real Windows implementation is gone.

What it finds
    A function that did real work on Windows and is now a stub, or is no longer declared there while Linux keeps it;
    an exported stub that Windows loses while Linux keeps the function; and a file that no longer builds on Windows
    with nothing in its place, which is one finding for the whole file.

Why it matters on Windows
    What worked there stops working, and a stub still compiles, so no build and no test says so.

Example
    `func (d *Daemon) Stats() error` moves from stats.go to stats_linux.go, and stats_windows.go gets
    `return errors.New("not supported")`.

What to do
    Keep the shared code, or give Windows its own implementation. If the loss is meant, accept it with its reason.

Not reported
    Functions that Linux loses too; functions that moved to another package or were renamed; unexported functions and
    stubs that nothing on Windows needs any more; functions that Windows could only have come to behind a refusal; a
    fallback file that is narrowed because Windows got its own file.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, FileChange, PackageChange
from analyzer.model import Finding, Level
from analyzer.rules.wording import STUB_WORDS, place_of
from analyzer.symbols import Symbol

ID = "implementation-lost"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    whole = {f.base.path: f for f in change.files if f.base and lost_whole(f, change, diff)}
    for file in whole.values():
        yield _of_file(file, change, diff)
    for name in change.names():
        symbol = change.base.package.target.get(name)
        if symbol is not None and symbol.file.path not in whole:
            found = _of_symbol(symbol, change, diff)
            if found is not None and diff.reach_at_base.reached(change.base, name):
                yield found


def lost_symbols(file: FileChange, change: PackageChange, diff: Diff) -> list[Symbol]:
    """The functions of a file that left the target, which nothing replaces there while the reference keeps them."""
    if not file.left_target or file.base is None or file.base.is_test:
        return []
    return [
        symbol
        for symbol in change.base.package.target.values()
        if symbol.file.path == file.base.path
        and symbol.declaration.is_function
        and symbol.name not in change.head.package.target
        and symbol.name in change.head.package.reference
        and not diff.moved_away(symbol.name)
    ]


def lost_whole(file: FileChange, change: PackageChange, diff: Diff) -> bool:
    """Whether a file is gone from the target and most of its functions have nothing in their place."""
    lost = lost_symbols(file, change, diff)
    if not lost or file.base is None:
        return False
    functions = [d for d in file.base.facts.declarations if d.is_function]
    real = any((body := change.base.body(s.name)) is not None and body.stub is None for s in lost)
    return real and 2 * len(lost) >= len(functions)


def _of_file(file: FileChange, change: PackageChange, diff: Diff) -> Finding:
    assert file.head is not None  # noqa: S101 - left_target says so
    constraint = file.head.facts.constraint
    line = constraint.line if constraint else 1
    names = sorted(s.name for s in lost_symbols(file, change, diff))
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return Finding(
        ID,
        Level.REGRESSION,
        file.head.path,
        line,
        line,
        "head",
        None,
        f"This file no longer builds on Windows, and nothing there replaces {listed}.",
        change.dir,
        gap=True,
    )


def _of_symbol(symbol: Symbol, change: PackageChange, diff: Diff) -> Finding | None:
    name, base, head = symbol.name, change.base, change.head
    new, twin = head.package.target.get(name), head.package.reference.get(name)
    if twin is None or (new is not None and head.shared(name)):
        return None  # a branch in shared code is guard-added's
    before = base.body(name)
    if before is None:
        return None
    after = head.body(name)
    if new is not None and after is not None:
        if before.stub is None and after.stub is not None and head.twin_works(name):
            return Finding(
                ID,
                Level.REGRESSION,
                new.file.path,
                new.declaration.line,
                new.declaration.end_line,
                "head",
                name,
                f"{name} did real work on Windows and now {STUB_WORDS[after.stub]}.",
                change.dir,
                stub=after.stub,
                gap=True,
                silent=head.silent(name),
                counterpart=twin.place,
            )
    elif symbol.declaration.exported and not diff.moved_away(name):
        what = "is no longer declared on Windows"
        return Finding(
            ID,
            Level.REGRESSION,
            symbol.file.path,
            symbol.declaration.line,
            symbol.declaration.end_line,
            "base",
            name,
            f"{name} {what}; Linux keeps it ({place_of(twin)}).",
            change.dir,
            stub=before.stub,
            gap=before.stub is None,
            counterpart=twin.place,
        )
    return None
