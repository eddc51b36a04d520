"""A build constraint that excluded Windows is gone.

What it finds
    A file that did not build on Windows at base and does at head: `!windows` was dropped, or foo_linux.go became
    foo.go. More than five files of a package are one finding.

Why it matters on Windows
    What the file declares, or tests, is there now.

Example
    gelf.go loses `//go:build linux`.

What to do
    Nothing; look whether a Windows stub for it can go.

Not reported
    A file whose functions all were on Windows before (what became real is a stub-resolved each), be it with new helpers
    for them; a fallback file that brings nothing but stubs; one that has only values for its package's own use, or that
    was left with values when its functions went elsewhere; one that changes nothing but what only a Linux container has.
    One that brings exported types and values alone is a note: they can be named on Windows now, and nothing more happens
    there. So is one that is named after Linux, or its package, and one that cannot be built on Windows all the same.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, FileChange, PackageChange
from analyzer.linux_data import deals_with_linux_data
from analyzer.model import Finding, Level
from analyzer.parity import names_linux
from analyzer.rules.wording import renamed_from
from analyzer.symbols import GoFile

ID = "tag-removed"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    said = {test.file.path for test in diff.tests.enabled.get(change.dir, ()) if test.state is None}
    for file in change.files:
        if file.head is not None and file.head.path not in said and brings(file, change) and file.base:
            yield _finding(file.base, file.head, change)


def brings(file: FileChange, change: PackageChange) -> bool:
    """Whether a file that now builds on the target gives it something real that it did not have."""
    if not file.entered_alone or file.head is None:
        return False
    if file.head.is_test:
        ran = [s for s in change.head.tests.values() if s.symbol.file.path == file.head.path]
        had = {s.name for s in change.base.package.tests if s.file.on_target}
        helps = any(d.name not in had for d in file.head.facts.declarations)
        return any(state.runs < state.runs.NEVER for state in ran) if ran else helps
    new = [d for d in file.head.facts.declarations if d.name not in change.base.package.target]
    functions = [d for d in new if d.is_function]
    if not functions:
        # What is left of a file whose functions went elsewhere is not what Windows lacked.
        emptied = file.base is not None and any(d.is_function for d in file.base.facts.declarations)
        exported = any(d.exported for d in new)
        return (exported and not emptied) or (file.head.facts.registers and not file.head.facts.declarations)
    if not any(d.exported for d in functions) and _resolves(file.head, change):
        return False
    return any(_is_real(d.name, change) for d in functions)


def _is_real(name: str, change: PackageChange) -> bool:
    """Whether a function does something on the target, and not to what only a Linux container has."""
    body = change.head.body(name)
    own_data = change.head.shared(name) and deals_with_linux_data(change.head.package.target[name])
    return body is not None and body.stub is None and not own_data


def _resolves(file: GoFile, change: PackageChange) -> bool:
    """Whether some function of the file was a stub on the target, which is told by itself."""
    before = (change.base.body(d.name) for d in file.facts.declarations if d.is_function)
    return any(body is not None and body.stub is not None for body in before)


def _finding(base: GoFile, head: GoFile, change: PackageChange) -> Finding:
    line = head.constraint_line
    was = renamed_from(base, head)
    cause = f"renamed from {was}" if was else "its constraint is gone"
    inert = bool(head.facts.declarations) and not any(d.is_function for d in head.facts.declarations)
    inert = inert and not (head.is_test or head.facts.registers)
    rest = "; it has nothing but types and values" if inert else ""
    what = "test file" if head.is_test else "file"
    own = "/".join(head.path.split("/")[-2:])
    return Finding(
        ID,
        Level.NOTE if inert or names_linux(own) else Level.IMPROVEMENT,
        head.path,
        line,
        line,
        "head",
        None,
        f"This {what} now builds on Windows ({cause}){rest}.",
        change.dir,
    )
