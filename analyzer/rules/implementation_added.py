"""Windows has a function that it lacked.

What it finds
    A function that Linux had at base and Windows did not, and that does real work on Windows at head.

Why it matters on Windows
    Users and callers get what Linux already had.

Example
    A new stats_windows.go declares `Stats`, which only stats_linux.go had.

What to do
    Nothing.

Not reported
    A function that is new on both platforms; a function of a file whose build constraint was removed (tag-removed says
    it once). Unexported helpers and functions that are named after Linux are a note, and so is what Windows has now and
    never comes to or cannot build, and code of Linux's mechanisms, or about what only a Linux container has, that became
    shared.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.linux_data import fills_linux_data
from analyzer.model import Finding, Level
from analyzer.parity import names_linux, names_linux_concept
from analyzer.rules.tag_removed import brings
from analyzer.rules.wording import place_of

ID = "implementation-added"


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    covered = {f.head.path for f in change.files if f.head and brings(f, change)}
    for name in change.names():
        symbol, old = change.head.package.target.get(name), change.base.package.reference.get(name)
        if symbol is None or old is None or name in change.base.package.target or symbol.file.path in covered:
            continue
        body = change.head.body(name)
        if body is None or body.stub is not None or change.renamed_from(name):
            continue
        twin = change.head.package.reference.get(name)
        beside = "" if twin is None or change.head.shared(name) else f", beside Linux ({place_of(twin)})"
        used = (
            symbol.declaration.exported
            and not (
                names_linux(name)
                or names_linux_concept(name)
                or (change.head.shared(name) and fills_linux_data(symbol))
            )
            and diff.reach_at_head.reached(change.head, name)
        )
        yield Finding(
            ID,
            Level.IMPROVEMENT if used else Level.NOTE,
            symbol.file.path,
            symbol.declaration.line,
            symbol.declaration.end_line,
            "head",
            name,
            f"{name} is now implemented on Windows{beside}.",
            change.dir,
            counterpart=twin.place if twin else None,
        )
