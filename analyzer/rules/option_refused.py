"""A real Windows function newly refuses an option.

What it finds
    A function that Windows has for itself and that does real work there, before and after, with a new branch that says
    that something is not supported; and a function that is new on both platforms, refuses on Windows, and lets
    everything pass on Linux.

Why it matters on Windows
    What was taken, or ignored, is now an error there; on Linux it works.

Example
    `if spec.Memory.Swap != 0 { return errors.New("Windows does not support a swap limit") }` in spec_windows.go

What to do
    Say in the documentation of the option that Windows does not have it.

Not reported
    A refusal that was reworded or moved, or that takes the place of another one; one that Linux has too; a branch in shared code (guard-added).
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from analyzer.diff import Diff, PackageChange
from analyzer.effects import one_line
from analyzer.guards import refused, unsupported
from analyzer.model import Finding, Level
from analyzer.parity import View, names_linux_concept
from analyzer.symbols import Symbol

ID = "option-refused"

_FIELD = re.compile(r"(?<=\.)[A-Za-z_]\w*\b(?!\()")
# Two refusals this much alike are one that was reworded.
SAME_REFUSAL = 0.75


def check(change: PackageChange, diff: Diff) -> Iterator[Finding]:
    """The findings of one package."""
    del diff
    for name in change.names():
        symbol = _own(change.head, name)
        if symbol is None:
            continue
        new = [
            refusal
            for refusal in unsupported(symbol, change.head.scopes[0])
            if not _refused_before(refusal.text, change)
        ]
        if not new or _linux_refuses(new[0].text, name, change):
            continue
        old = _own(change.base, change.renamed_from(name) or name)
        before = change.base.body(old.name) if old is not None else None
        after = change.head.body(name)
        works = (
            before is not None
            and before.stub is None
            and after is not None
            and after.stub is None
            and not _refuses_less(old, symbol, change)
            and not _takes_more(new[0].asked, old, symbol)
        )
        if works or (old is None and _is_check(name, change)):
            yield _finding(symbol, new[0].line, change)


def _own(view: View, name: str) -> Symbol | None:
    """The function, where the target has it for itself."""
    symbol = view.package.target.get(name)
    return symbol if symbol is not None and symbol.declaration.is_function and not view.shared(name) else None


def _refuses_less(old: Symbol | None, new: Symbol, change: PackageChange) -> bool:
    """Whether a refusal went as one came: then less is refused, or the same in other words."""
    source = one_line(new.source.decode(errors="replace"))
    scope = change.base.scopes[0]
    return old is not None and any(refusal.text not in source for refusal in refused(old, scope))


def _takes_more(asked: str, old: Symbol | None, new: Symbol) -> bool:
    """Whether a field that is refused in part was not looked at before, and is used now: then more is taken, not less."""
    before, now = (_FIELD.findall(one_line(s.source.decode(errors="replace"))) if s else [] for s in (old, new))
    fields = _FIELD.findall(asked)
    return any(field not in before and now.count(field) > fields.count(field) for field in fields)


def _refused_before(refusal: str, change: PackageChange) -> bool:
    """Whether some code that the target built at base said nearly the same."""
    for file in change.base.package.files.values():
        if not file.on_target or file.is_test:
            continue
        source = one_line(file.source.content.decode(errors="replace"))
        if refusal in source:
            return True
    olds = (s for s in change.base.package.target.values() if s.declaration.is_function)
    texts = (r.text for s in olds if s.source not in _heads(change) for r in unsupported(s, change.base.scopes[0]))
    return any(SequenceMatcher(None, refusal, old, autojunk=False).ratio() >= SAME_REFUSAL for old in texts)


def _heads(change: PackageChange) -> set[bytes]:
    return {s.source for s in change.head.package.target.values()}


def _linux_refuses(refusal: str, name: str, change: PackageChange) -> bool:
    twin = change.head.package.reference.get(name)
    return twin is not None and refusal in one_line(twin.source.decode(errors="replace"))


def _is_check(name: str, change: PackageChange) -> bool:
    """Whether a function is new on both platforms, and lets everything pass on the reference."""
    base, head = change.base.package, change.head
    new = name not in base.target and name not in base.reference and change.renamed_from(name) is None
    return new and name in head.package.reference and not head.twin_works(name)


def _finding(symbol: Symbol, line: int, change: PackageChange) -> Finding:
    twin = change.head.package.reference.get(symbol.name)
    return Finding(
        ID,
        Level.WARNING,
        symbol.file.path,
        line,
        line,
        "head",
        symbol.name,
        f"{symbol.name} newly refuses something on Windows as not supported.",
        change.dir,
        gap=not names_linux_concept(symbol.name),
        counterpart=twin.place if twin is not None else None,
    )
