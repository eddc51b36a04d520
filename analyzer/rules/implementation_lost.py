"""A real Windows implementation is gone.

What it finds
    A function that did real work on Windows and is now a stub, also one that Linux never had; one that is no longer
    declared there while Linux keeps it;
    an exported stub that Windows loses while Linux keeps the function; and a file that no longer builds on Windows
    with nothing in its place, which is one finding for the whole file. More than three functions of a package that are gone,
    or more than five of its files, are one finding.

Why it matters on Windows
    What worked there stops working, and a stub still compiles, so no build and no test says so.

Example
    `func (d *Daemon) Stats() error` moves from stats.go to stats_linux.go, and stats_windows.go gets
    `return errors.New("not supported")`.

What to do
    Keep the shared code, or give Windows its own implementation. If the loss is meant, accept it with its reason.

Not reported
    Functions that Linux loses too; functions that moved to another package or were renamed; unexported functions and
    stubs that nothing on Windows needs any more; functions that Windows could only have come to behind a refusal, or that
    always came to one, or to any other error; one that gave a fixed text or number, which is an empty one on Windows now; a
    fallback file that is narrowed because Windows got its own file.
    Shared code that changes nothing but what only a Linux container has is a note.
    What nobody on Windows can miss is a warning that stays in the check run: an exported stub that goes; what only Windows
    has, and says in its body why nothing is left to do; a helper of tests; what only Linux's own code asked for; shared code
    about a mechanism of Linux, such as /proc; and whatever was in a package that never built there, because it, or one that
    it imports, be it vendored, used what only a Unix or only Linux's own code has.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from analyzer import syntax
from analyzer.diff import Diff, FileChange, PackageChange
from analyzer.effects import one_line, only_fails, returned
from analyzer.linux_data import deals_with_linux_data
from analyzer.model import Finding, Level, Stub
from analyzer.parity import comments, does_linux_work, explains_itself, linux_concept
from analyzer.reach import refuses_in_the_end
from analyzer.rules.wording import does, listed, place_of
from analyzer.symbols import Symbol

ID = "implementation-lost"

_TEXTS = {"interpreted_string_literal", "raw_string_literal", "int_literal"}
_DEPRECATED = re.compile(r"\bdeprecated\b|\bno longer\b", re.IGNORECASE)


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
                missed = _is_missed(symbol, change, diff)
                quiet = Level.NOTE if is_linux_own_data(symbol, change) else Level.WARNING
                yield found if missed else replace(found, level=quiet, gap=False)


def is_linux_own_data(symbol: Symbol, change: PackageChange) -> bool:
    """Whether shared code of base dealt with nothing but what a configuration has for Linux: the target has no use for it."""
    return change.base.shared(symbol.name) and deals_with_linux_data(symbol)


def _is_missed(symbol: Symbol, change: PackageChange, diff: Diff) -> bool:
    """Whether something lost could work for somebody on Windows: no helper of tests, and nothing that only Linux asks for."""
    if not _could_be_missed(symbol, change, diff):
        return False
    mine, theirs = diff.reach_at_base.named(change.base, symbol.name)
    return mine or not (theirs or diff.named_around(change, symbol))


def _could_be_missed(symbol: Symbol, change: PackageChange, diff: Diff) -> bool:
    if symbol.file.facts.package == "main" and "main" not in change.base.package.target:
        return False  # it was no program there
    if symbol.file.helps_tests or change.dir in diff.left_unused:
        return False
    if is_linux_own_data(symbol, change):
        return False
    return not (linux_concept(symbol) or (change.base.shared(symbol.name) and does_linux_work(symbol)))


def _file_is_missed(path: str, lost: list[Symbol], change: PackageChange, diff: Diff) -> bool:
    """The same of a whole file: what counts is who names something of it from outside, be it only some of it."""
    ways = [s for s in _ways_in(lost, change) if not _is_inner(s, change)]
    named = [diff.reach_at_base.named(change.base, s.name, path) for s in ways if _could_be_missed(s, change, diff)]
    if not named or any(mine for mine, _ in named):
        return bool(named)
    return not any(theirs for _, theirs in named) and not any(diff.named_around(change, symbol) for symbol in ways)


def _ways_in(lost: list[Symbol], change: PackageChange) -> set[Symbol]:
    """By what callers come to what is lost: a method of a type that is lost too is come to by the type."""
    before, after = change.base.package.target, change.head.package.target
    owners = {symbol: symbol.name.rpartition(".")[0] for symbol in lost}
    return {before[o] if o in before and o not in after else symbol for symbol, o in owners.items()}


def _is_inner(symbol: Symbol, change: PackageChange) -> bool:
    """Whether a function is for its package alone, and no other file of the package says its name."""
    bare = symbol.name.rpartition(".")[2].encode()
    files = (
        f for f in change.base.package.files.values() if f.on_target and not f.is_test and f.path != symbol.file.path
    )
    return not symbol.declaration.exported and not any(bare in f.source.content for f in files)


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
    lost = lost_symbols(file, change, diff)
    missed = file.base is not None and _file_is_missed(file.base.path, lost, change, diff)
    line = file.head.constraint_line
    names = sorted(s.name for s in lost)
    own = "; nothing in it is Linux's own" if file.head.path in diff.portable else ""
    quiet = Level.NOTE if all(is_linux_own_data(symbol, change) for symbol in lost) else Level.WARNING
    return Finding(
        ID,
        Level.REGRESSION if missed else quiet,
        file.head.path,
        line,
        line,
        "head",
        None,
        f"This file no longer builds on Windows, and nothing there replaces {listed(names, 3)}{own}.",
        change.dir,
        gap=missed,
    )


def _of_symbol(symbol: Symbol, change: PackageChange, diff: Diff) -> Finding | None:
    name, base, head = symbol.name, change.base, change.head
    new, twin = head.package.target.get(name), head.package.reference.get(name)
    if new is not None and head.shared(name):
        return None  # a branch in shared code is guard-added's
    if twin is None:
        return _of_windows_alone(symbol, new, change) if name not in base.package.reference else None
    before = base.body(name)
    if before is None:
        return None
    after = head.body(name)
    if new is not None and after is not None:
        if before.stub is None and after.stub is not None and head.twin_works(name):
            if after.stub in {Stub.ERROR, Stub.PANIC} and refuses_in_the_end(symbol, base):
                return None
            if only_fails(symbol.source) or (after.stub is Stub.ZERO and _gives_one_text(symbol)):
                return None
            return Finding(
                ID,
                Level.REGRESSION,
                new.file.path,
                new.declaration.line,
                new.declaration.end_line,
                "head",
                name,
                f"{name} did real work on Windows and now {does(after)}.",
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
            Level.REGRESSION if before.stub is None else Level.WARNING,
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


def _gives_one_text(symbol: Symbol) -> bool:
    """Whether a function did nothing but give one text or number: an empty one is as good a value for another platform."""
    statements = syntax.body_statements(symbol.source)
    values = returned(statements[0]) if len(statements) == 1 and statements[0].type == "return_statement" else []
    return bool(values) and all(value.type in _TEXTS for value in values)


def _of_windows_alone(symbol: Symbol, new: Symbol | None, change: PackageChange) -> Finding | None:
    """A function that Linux never had, and that stops working: there is nothing else that it could be judged by."""
    name = symbol.name
    before, after = change.base.body(name), change.head.body(name)
    if new is None or before is None or before.stub is not None or after is None or after.stub is None:
        return None
    if (
        only_fails(symbol.source)
        or _text(symbol) == _text(new)
        or symbol.file.helps_tests
        or _is_no_more_used(new, change)
    ):
        return None
    if after.stub in {Stub.ERROR, Stub.PANIC} and refuses_in_the_end(symbol, change.base):
        return None
    # There may be nothing left to do, and who says so has thought of it.
    meant = after.stub in {Stub.NOOP, Stub.ZERO} and explains_itself(new)
    return Finding(
        ID,
        Level.WARNING if meant else Level.REGRESSION,
        new.file.path,
        new.declaration.line,
        new.declaration.end_line,
        "head",
        name,
        f"{name}, which only Windows has, did real work and now {does(after)}.",
        change.dir,
        stub=after.stub,
        gap=not meant,
    )


def _text(symbol: Symbol) -> str:
    """What a function says, whichever way its lines end."""
    return one_line(symbol.source.decode(errors="replace"))


def _is_no_more_used(symbol: Symbol, change: PackageChange) -> bool:
    """Whether a function is kept for old callers only: its comment says so, or it is unexported and nobody calls it."""
    return bool(_DEPRECATED.search(comments(symbol))) or not change.head.asked_for(symbol)
