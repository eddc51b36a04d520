"""Code that Windows builds refers to what does not exist there.

What it finds
    A function, type, variable, constant, method or field that code built on Windows newly cannot find: its declaration
    went to a file that Windows does not build, was removed or renamed, or never was there. Uses are resolved within the
    package, in its tests, and as `package.Name` in the whole repository. It is one finding for each symbol, at its first
    use; when one file took more than three symbols away, or a package has no file left, it is one for all of them.

Why it matters on Windows
    It does not compile there. A developer on Linux does not notice.

Example
    stats.go calls `readStats`, and readStats moves to stats_linux.go.

What to do
    Declare the symbol for Windows too, or move the use to where the declaration is.

Not reported
    What does not compile on Linux either; a package that did not compile on Windows before (where it did not because of
    what it imports, it stays in the check run); what a plain build has, and a tag of the project's own takes away; names
    that a dot import, cgo or a file that could not be read may bring; members of values whose type only a compiler knows, or
    that embed others.
"""

from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.model import Finding, Level
from analyzer.rules.wording import listed, needed_at
from analyzer.undefined import Missing

ID = "undefined-on-windows"
# As many names stand in a message.
MAX_NAMES = 3


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    for missing in diff.undefined.by_dir.get(change.dir, ()):
        place = missing.places[0]
        yield Finding(
            ID,
            Level.REGRESSION,
            place.path,
            place.line,
            place.line,
            "head",
            missing.name,
            f"{_what(missing)}, and code built there needs {_them(missing)}: "
            f"it does not compile ({needed_at(missing.places)}).",
            missing.package,
            gap=True,
            counterpart=missing.twin.place if missing.twin else None,
        )


def _what(missing: Missing) -> str:
    if missing.whole:
        return f"The package in {missing.package} has no file that builds on Windows"
    names = (missing.name, *missing.others)
    verb = "does not" if len(names) == 1 else "do not"
    if missing.was is None:
        return f"{listed(names, MAX_NAMES)} {verb} exist on Windows{_declared(missing)}"
    return f"{listed(names, MAX_NAMES)} {verb} exist on Windows any more{_declared(missing)}"


def _declared(missing: Missing) -> str:
    if missing.twin is None:
        return ""
    name = missing.twin.file.path.rpartition("/")[2]
    return f" (declared in {name}, which does not build there)"


def _them(missing: Missing) -> str:
    return "them" if missing.others else "it"
