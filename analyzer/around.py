"""Which directories beside those that differ an analysis needs: mostly none."""

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cached_property

from analyzer.diff import Diff, FileChange, PackageChange, compare
from analyzer.findings import is_of_tests, of_what_is_built
from analyzer.imports import Modules, find_modules, imports_of
from analyzer.model import Around, Options, Outline, Snapshot
from analyzer.platforms import KNOWN_GOARCH, KNOWN_GOOS
from analyzer.spaces import spaces
from analyzer.symbols import GoFile, Symbol, directory
from analyzer.syntax import Import
from analyzer.unbuilt import Unbuilt
from analyzer.undefined import exported
from analyzer.uses import selected
from analyzer.world import VENDOR

# Words in the names of files that only some systems build. Such a file is rarely called anything else.
_DIVIDES = KNOWN_GOOS | KNOWN_GOARCH | frozenset("unix posix nix nowindows notwindows nonwindows nonlinux cgo".split())
# ... and those of files for all other systems.
_OTHERS = frozenset("unsupported unspecified other others stub stubs fallback noop nolinux notlinux".split())
# Bytes of a function that may do no more than to hand on.
_SHORT = 400
_QUALIFIER = re.compile(rb"\b([a-z]\w*)\.[A-Z]\w*\(")
# What code that tells platforms apart says, and what refuses.
_PLATFORM = re.compile(
    rb"windows|linux|GOOS|OSType|[iI]solation|[pP]latform|(?:not|n't|un)[ -]?(?:supported|implemented)"
)


class Search:
    """Looks for the directories, beside those held, without which a use of something that is gone would go unseen.

    All of them, when a package no longer gives other packages on the target what it gave at base: any of them may import
    it; and when another version of a module comes without its source, which any of them may use. Else those that the
    change newly uses something of, and that look as if they differ by platform; and those that something imports which
    seems to be lost, vendored ones too. What could not be compiled because of them is no loss.

    Args:
        base: the merge base, with every directory in which a Go file differs.
        head: the pull request's head, likewise.
        known: what lies around them, without any of those directories; with those of its files that are held already.
        options: the platforms; Windows judged by Linux when None.
    """

    def __init__(self, base: Snapshot, head: Snapshot, known: Around, options: Options | None = None) -> None:
        self._options = options or Options()
        self._diff = compare(base, head, self._options, known)

    def handed(self) -> frozenset[str]:
        """The vendored directories to which changed functions of the target may hand on their work, of base and of head.

        Only those count in which the names of files tell platforms apart; they may not be there.
        """
        return frozenset().union(*(_handed(change) for change in self._diff.packages))

    def wanted(self, known: Around) -> frozenset[str]:
        """The directories that are to be read: those below vendor/ of base, and maybe not there; all others of head.

        Ask again when they are held: what they import may matter likewise.

        Args:
            known: what lies around, with all that was read of it so far.
        """
        held = {change.dir for change in self._diff.packages} | {directory(path) for path in known.files}
        return (self._lost_by(known) | self._at_once) - held

    @cached_property
    def _at_once(self) -> frozenset[str]:
        """What matters whatever is read: what the change newly uses, or all, when something is gone for everybody."""
        diff, around = self._diff, self._diff.around or Around()
        if _loses_something(diff, self._options) or diff.vendor_losses or around.moved:
            return frozenset(around.outline.directories)
        return frozenset(_newly_used(diff, around.outline))

    def _lost_by(self, known: Around) -> frozenset[str]:
        """What packages import of which something seems to be lost, at base; or won, at head."""
        diff = replace(self._diff, around=known)
        sides = {head: Unbuilt(diff, head=head) for head in {head for _, _, head in self._at_stake}}
        return frozenset().union(*(sides[head].unheld(where, tests=tests) for where, tests, head in self._at_stake))

    @cached_property
    def _at_stake(self) -> Collection[tuple[str, bool, bool]]:
        """The packages of which something seems to be lost or won, whether it is their tests, and whether it is won."""
        if not any(_may_matter(file) for change in self._diff.packages for file in change.files):
            return ()
        return {(found.package, is_of_tests(found), won) for found, won in of_what_is_built(self._diff)}


def _may_matter(file: FileChange) -> bool:
    """Whether a change of a file may take something from the target alone, or give it. Asking all rules costs more."""
    now, then = file.head, file.base
    if any(side is not None and side.on_target is not side.on_reference for side in (now, then)):
        return True
    said = [len(_PLATFORM.findall(side.source.content)) if side is not None else 0 for side in (now, then)]
    return said[0] != said[1]


def divides(names: Iterable[str]) -> bool:
    """Whether the names of a package's files tell platforms apart."""
    return any(_divides(name) or not _OTHERS.isdisjoint(_words(name)) for name in names)


def _handed(change: PackageChange) -> Iterable[str]:
    """The vendored directories that short functions name which are not what they were on the target."""
    for name in change.names():
        old, new = change.base.package.target.get(name), change.head.package.target.get(name)
        if new is None or (change.base.shared(name) and change.head.shared(name)):
            continue
        if old is not None and old.source == new.source:
            continue
        for symbol in (old, new):
            if symbol is not None and symbol.declaration.is_function and len(symbol.source) <= _SHORT:
                yield from _foreign(symbol)


def _foreign(symbol: Symbol) -> Iterable[str]:
    """The vendored directories of what a function calls of other modules."""
    said = {name.decode(errors="replace") for name in _QUALIFIER.findall(symbol.source)}
    for path, alias in symbol.file.facts.imports:
        if "." in path.partition("/")[0] and (alias in said or (not alias and any(name in path for name in said))):
            yield f"{VENDOR}/{path}"


def _loses_something(diff: Diff, options: Options) -> bool:
    """Whether something that other packages could name is gone from the target."""
    for change in diff.packages:
        before, after = spaces(change.base.package, options), spaces(change.head.package, options)
        if before.clause != "main" and exported(after.code.lost_since(before.code)):
            return True
    return False


def _newly_used(diff: Diff, outline: Outline) -> set[str]:
    divided = {where for where, names in outline.directories.items() if any(map(_divides, names))}
    modules = find_modules(imports_of(_head_files(diff)), outline.directories, outline.modules)
    found: set[str] = set()
    for change in diff.packages:
        for file in change.files:
            if file.head is not None and file.head.on_target:
                old = file.base.source.content if file.base is not None and file.base.on_target else b""
                found |= _new_in(file.head.source.content, old, file.head.facts.imports, divided, modules)
    return found


def _new_in(new: bytes, old: bytes, imports: Iterable[Import], divided: Collection[str], modules: Modules) -> set[str]:
    """The directories of which a file newly uses a name."""
    found: set[str] = set()
    for path, alias in imports:
        where = modules.directory(path)
        if where is not None and where in divided:
            # The name in the package clause is not known yet; what is not the path's end nor an alias is taken as new.
            name = alias or path.rpartition("/")[2]
            now = selected(new, name)
            if not now or now - selected(old, name):
                found.add(where)
    return found


def _head_files(diff: Diff) -> list[GoFile]:
    return [file for change in diff.packages for file in change.head.package.files.values()]


def _divides(name: str) -> bool:
    return not _DIVIDES.isdisjoint(_words(name))


def _words(name: str) -> list[str]:
    return name.removesuffix(".go").split("_")
