"""Which directories beside those that differ an analysis needs: mostly none."""

from collections.abc import Collection, Iterable

from analyzer.diff import Diff, compare
from analyzer.imports import Modules, find_modules, imports_of
from analyzer.model import Around, Options, Outline, Snapshot
from analyzer.platforms import KNOWN_GOARCH, KNOWN_GOOS
from analyzer.spaces import spaces
from analyzer.symbols import GoFile
from analyzer.syntax import Import
from analyzer.undefined import exported
from analyzer.uses import selected

# Words in the names of files that only some systems build. Such a file is rarely called anything else.
_DIVIDES = KNOWN_GOOS | KNOWN_GOARCH | frozenset("unix posix nix nowindows notwindows nonwindows nonlinux cgo".split())


def wanted(base: Snapshot, head: Snapshot, known: Around, options: Options | None = None) -> frozenset[str]:
    """The directories of head, beside those held, without which a use of something that is gone would go unseen.

    All of them, when a package no longer gives other packages on the target what it gave at base: any of them may import
    it. Else those that the change newly uses something of, and that look as if they differ by platform.

    Args:
        base: the merge base, with every directory in which a Go file differs.
        head: the pull request's head, likewise.
        known: what lies around them, without any of those directories.
        options: the platforms; Windows judged by Linux when None.
    """
    options = options or Options()
    diff, outline = compare(base, head, options, known), known.outline
    held = {change.dir for change in diff.packages}
    if _loses_something(diff, options) or diff.vendor_losses:
        return frozenset(outline.directories) - held
    return frozenset(_newly_used(diff, outline)) - held


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
    words = name.removesuffix(".go").split("_")
    return not _DIVIDES.isdisjoint(words)
