"""Functions that newly say of an option that it is not supported on the target."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.effects import LONG_TEXT, one_line
from analyzer.guards import Refusal, refused, unsupported
from analyzer.pairs import worded_alike
from analyzer.parity import View
from analyzer.symbols import Symbol
from analyzer.taken import taken

if TYPE_CHECKING:
    from analyzer.diff import PackageChange

_CALLED = re.compile(r"\b(\w+)\(")
_FIELD = re.compile(r"(?<=\.)[A-Za-z_]\w*\b(?!\()")


@dataclass(frozen=True, slots=True)
class NewRefusal:
    """A function that newly refuses something.

    Attributes:
        symbol: the function at head.
        refusal: its first new refusal.
        instead: what the function called at base in the same case, and calls no more: it did real work.
    """

    symbol: Symbol
    refusal: Refusal
    instead: str = ""


def newly_refused(change: "PackageChange", everything: Sequence["PackageChange"]) -> Iterator[NewRefusal]:
    """The functions of a package that newly refuse an option on the target.

    Args:
        change: the package.
        everything: all packages that are compared, this one included.
    """
    for name in change.names():
        symbol = _own(change.head, name)
        if symbol is None:
            continue
        new = [
            refusal
            for refusal in unsupported(symbol, change.head.scopes[0])
            if not (refusal.otherwise or _refused_before(refusal.text, change, everything))
        ]
        if not new or _linux_refuses(new[0].text, name, change) or _refused_everywhere(new[0].text, everything):
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
            yield NewRefusal(symbol, new[0], _instead_of(new[0], old, symbol, change) if old is not None else "")


def _instead_of(refusal: Refusal, old: Symbol, new: Symbol, change: "PackageChange") -> str:
    """What the target called at base in the case that is refused now, of its own and no stub; "" for nothing."""
    before, after = taken(old, change.base.scopes[0]), taken(new, change.head.scopes[0])
    cases = [step.asked for step in after if step.says == refusal.text and step.asked]
    did = [step.says for step in before if any(case <= step.asked for case in cases)]
    does = "\n".join(step.says for step in after)
    names = (name for says in did for name in _CALLED.findall(says) if f"{name}(" not in does)
    return next((name for name in names if _did_work(name, change)), "")


def _did_work(name: str, change: "PackageChange") -> bool:
    """Whether a name is of a function that only the target had at base, and that did something there."""
    package = change.base.package
    owns = [n for n in package.target if n.rpartition(".")[2] == name and not change.base.shared(n)]
    return any((body := change.base.body(n)) is not None and body.stub is None for n in owns)


def _own(view: View, name: str) -> Symbol | None:
    """The function, where the target has it for itself."""
    symbol = view.package.target.get(name)
    return symbol if symbol is not None and symbol.declaration.is_function and not view.shared(name) else None


def _refuses_less(old: Symbol | None, new: Symbol, change: "PackageChange") -> bool:
    """Whether a refusal went, and none that is much like it took its place: then something else is taken now."""
    if old is None:
        return False
    source = one_line(new.source.decode(errors="replace"))
    gone = [refusal.text for refusal in refused(old, change.base.scopes[0]) if refusal.text not in source]
    there = [refusal.text for refusal in refused(new, change.head.scopes[0])] if gone else []
    return any(not any(worded_alike(text, other) for other in there) for text in gone)


def _takes_more(asked: str, old: Symbol | None, new: Symbol) -> bool:
    """Whether a field that is refused in part was not looked at before, and is used now: then more is taken, not less."""
    before, now = (_FIELD.findall(one_line(s.source.decode(errors="replace"))) if s else [] for s in (old, new))
    fields = _FIELD.findall(asked)
    return any(field not in before and now.count(field) > fields.count(field) for field in fields)


def _refused_before(refusal: str, change: "PackageChange", everything: Sequence["PackageChange"]) -> bool:
    """Whether some code that the target built at base said the same, or nearly so in the package itself."""
    words = max(LONG_TEXT.findall(refusal), key=len, default="")
    if any(refusal in code for code in _built(change.base)):
        return True
    if words and any(words in code for other in everything for code in _built(other.base)):
        return True
    heads = {s.source for s in change.head.package.target.values()}
    olds = (s for s in change.base.package.target.values() if s.declaration.is_function and s.source not in heads)
    texts = (r.text for s in olds for r in unsupported(s, change.base.scopes[0]))
    # What is still said elsewhere was not reworded.
    return any(worded_alike(refusal, old) and not any(old in code for code in _built(change.head)) for old in texts)


def _built(view: View) -> Iterator[str]:
    """The code that the target builds."""
    for file in view.package.files.values():
        if file.on_target and not file.is_test:
            yield one_line(file.source.content.decode(errors="replace"))


def _linux_refuses(refusal: str, name: str, change: "PackageChange") -> bool:
    twin = change.head.package.reference.get(name)
    return twin is not None and refusal in one_line(twin.source.decode(errors="replace"))


def _refused_everywhere(refusal: str, everything: Sequence["PackageChange"]) -> bool:
    """Whether code that only the reference builds newly says nearly the same: then it is no matter of platforms."""
    words = max(LONG_TEXT.findall(refusal), key=len, default="")
    return bool(words) and any(
        worded_alike(words, other)
        for change in everything
        for other in _said_by_reference(change.head) - _said_by_reference(change.base)
    )


def _said_by_reference(view: View) -> set[str]:
    """The longer texts in code that only the reference builds."""
    files = (f for f in view.package.files.values() if f.on_reference and not f.on_target and not f.is_test)
    return {words for f in files for words in LONG_TEXT.findall(f.source.content.decode(errors="replace"))}


def _is_check(name: str, change: "PackageChange") -> bool:
    """Whether a function is new on both platforms, and lets everything pass on the reference."""
    base, head = change.base.package, change.head
    new = name not in base.target and name not in base.reference and change.renamed_from(name) is None
    return new and name in head.package.reference and not head.twin_works(name)
