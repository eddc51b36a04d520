"""A real Windows function newly refuses an option.

What it finds
    A function that Windows has for itself and that does real work there, before and after, with a new branch that says
    that something is not supported; and a function that is new on both platforms, refuses on Windows, and lets
    everything pass on Linux. It is a regression where Windows had work of its own for what is refused now.

Why it matters on Windows
    What was taken, or ignored, is now an error there; on Linux it works.

Example
    `if spec.Memory.Swap != 0 { return errors.New("Windows does not support a swap limit") }` in spec_windows.go

What to do
    Say in the documentation of the option that Windows does not have it.

Not reported
    A refusal that was reworded or moved, or that takes the place of another one; one that Linux has too, in
    whichever package; what meets the values that no case of a switch names; a branch in shared code (guard-added). What
    several functions refuse with the same words is told once. An option that asks for a mechanism of Linux stays in the
    check run, and so does one that only older versions of Windows refuse.
"""

import re
from collections.abc import Iterator

from analyzer.diff import Diff, PackageChange
from analyzer.model import Finding, Level
from analyzer.newly_refused import NewRefusal, newly_refused
from analyzer.parity import is_about_linux

ID = "option-refused"

# What asks whether the system is older than some version.
_OLDER = re.compile(r"(?:[bB]uild|[vV]ersion|\bKV)\w*(?:\(\))? <=? ")


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    said = set[str]()
    for new in newly_refused(change, diff.packages):
        if new.refusal.text not in said:
            yield _finding(new, change)
        said.add(new.refusal.text)


def _finding(new: NewRefusal, change: PackageChange) -> Finding:
    symbol, refusal = new.symbol, new.refusal
    twin = change.head.package.reference.get(symbol.name)
    older = bool(_OLDER.search(refusal.asked)) and not new.instead
    instead = f", where it called {new.instead} before" if new.instead else ""
    return Finding(
        ID,
        Level.REGRESSION if new.instead else Level.WARNING,
        symbol.file.path,
        refusal.line,
        refusal.line,
        "head",
        symbol.name,
        f"{symbol.name} newly refuses something on {'older versions of ' * older}Windows as not supported{instead}.",
        change.dir,
        gap=bool(new.instead) or not (older or is_about_linux(symbol.name, refusal.asked)),
        counterpart=twin.place if twin is not None else None,
    )
