"""What users of the target gain and lose between two recorded revisions, as a view and as release notes in Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from analyzer.model import Status, SymbolParity
from bot.dashboard.parts import About, Links, Revision, Source, Tally
from bot.dashboard.records import Point, Table
from bot.dashboard.shared import Shared, guard_lines, test_lines
from bot.markdown import code, plain

MAX_SHOWN = 300
"""Symbols that a page or a text lists in all; JSON has every one."""

_FUNCTIONS = frozenset({"func", "method"})
_WORTH = {Status.MISSING: 0, Status.STUB: 0, Status.PARTIAL: 1, Status.IMPLEMENTED: 2, Status.WINDOWS_ONLY: 2}

KINDS = {
    "gained": "What {target} gains",
    "lost": "What {target} loses",
    "new_stubs": "New, and a stub on {target}",
    "lacks": "New, and missing on {target}",
    "gone_stubs": "Stubs that are gone",
    "moved": "Moved, and the same as before",
}
"""The headings of the release notes, in their order."""

_Tables = Mapping[str, Table]
_Key = tuple[str, str]


class Change(msgspec.Struct, frozen=True):
    """A symbol that differs.

    Attributes:
        package: its directory; that at the head, where there are two.
        name: the symbol's.
        kind: what it is in Go.
        gap: a user can miss something, on the side that is worse.
        before, after: its states; None where it is not declared separately.
        source: where it is: on the target, else on the reference; at the head, else at the base.
        was: the package that it was in, when it moved; else "".
    """

    package: str
    name: str
    kind: str
    gap: bool
    before: Status | None
    after: Status | None
    source: Source | None
    was: str = ""


class Compare(msgspec.Struct, frozen=True, kw_only=True):
    """Two recorded revisions.

    Attributes:
        repository: whose.
        base, head: the two; their names are what they were asked for by.
        base_score, head_score: of all packages.
        between: the comparison on the git host.
        gained: what was a stub, missing or partial and is more now.
        lost: what worked and is a stub, missing, or less than it was.
        new_stubs: what is newly declared separately, and a stub.
        lacks: what the reference newly has, and the target lacks.
        gone_stubs: stubs that are not declared separately any more.
        moved: what is in another package now, and the same as before.
        shared: what changes in code that the platforms share.
    """

    repository: About
    base: Revision
    head: Revision
    base_score: Tally
    head_score: Tally
    between: str
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    new_stubs: tuple[Change, ...]
    lacks: tuple[Change, ...]
    gone_stubs: tuple[Change, ...]
    moved: tuple[Change, ...]
    shared: Shared = Shared()

    def kind(self, name: str) -> tuple[Change, ...]:
        """The changes of one of `KINDS`."""
        found: tuple[Change, ...] = getattr(self, name)
        return found

    @property
    def is_anything(self) -> bool:
        """Whether there is anything to tell."""
        return any(map(self.kind, KINDS)) or self.shared.is_anything


def compare(
    about: About,
    points: tuple[Point, Point],
    tables: tuple[_Tables, _Tables],
    links: Links,
    names: tuple[str, str],
    *,
    shared: Shared,
) -> Compare:
    """What differs.

    Args:
        about: the repository.
        points: base and head.
        tables: the packages of each that differ; those that do not need not be there.
        links: where things are.
        names: by what the two were asked for.
        shared: what differs in code that the platforms share.
    """
    base, head = (_symbols(side) for side in tables)
    kinds: dict[str, list[Change]] = {name: [] for name in KINDS}
    moves = _moves(base, head)
    came = {new: old for old, new in moves.items()}
    for key in sorted({*base, *head}):
        if key in moves:
            continue
        before, after = base.get(came.get(key, key)), head.get(key)
        kind = _moved(after) if key in came else _kind(before, after)
        if kind:
            change = _change(key, (before, after), links, (points[0].rev, points[1].rev), came.get(key, ("", ""))[0])
            kinds[kind].append(change)
    scores = [Tally.of(point.score) for point in points]
    revisions = [
        Revision(name, point.rev, point.name, point.time, links.commit(point.rev))
        for name, point in zip(names, points, strict=True)
    ]
    return Compare(
        repository=about,
        base=revisions[0],
        head=revisions[1],
        base_score=scores[0],
        head_score=scores[1],
        between=links.between(points[0].rev, points[1].rev),
        shared=shared,
        **{name: tuple(sorted(found, key=lambda c: (c.package, not c.gap, c.name))) for name, found in kinds.items()},
    )


def _symbols(tables: _Tables) -> dict[_Key, SymbolParity]:
    return {(directory, s.name): s for directory, table in tables.items() for s in table.symbols if _counts(s)}


def _counts(symbol: SymbolParity) -> bool:
    """Whether a symbol is part of the score: functions and methods, and of those that are missing what is exported.

    A platform's own constants and helpers come and go with its code, and nobody misses them elsewhere.
    """
    exported = symbol.name.rpartition(".")[2][:1].isupper()
    return symbol.kind in _FUNCTIONS and (exported or symbol.status is not Status.MISSING)


def _moves(base: Mapping[_Key, SymbolParity], head: Mapping[_Key, SymbolParity]) -> dict[_Key, _Key]:
    """From where to where symbols moved: gone in one package, new in another, by the same name and with the same state.

    What could have come from several places, or gone to several, did so in the order of the packages' names.
    """
    came: dict[tuple[object, ...], list[_Key]] = {}
    for key in sorted(head.keys() - base.keys()):
        came.setdefault(_likeness(key, head[key]), []).append(key)
    moves: dict[_Key, _Key] = {}
    for key in sorted(base.keys() - head.keys()):
        if waiting := came.get(_likeness(key, base[key])):
            moves[key] = waiting.pop(0)
    return moves


def _moved(symbol: SymbolParity | None) -> str:
    """What the target alone has is missed by nobody, wherever it is."""
    return "moved" if symbol and symbol.status is not Status.WINDOWS_ONLY else ""


def _likeness(key: _Key, symbol: SymbolParity) -> tuple[object, ...]:
    return key[1], symbol.kind, symbol.status, symbol.stub


def _kind(before: SymbolParity | None, after: SymbolParity | None) -> str:
    """Which of `KINDS` a change is; "" for what users of the target cannot notice."""
    old, new = (side.status if side else None for side in (before, after))
    if new is None:
        return "gone_stubs" if old is Status.STUB else ""
    if old is None:
        return {Status.STUB: "new_stubs", Status.MISSING: "lacks"}.get(new, "")
    less, more = _WORTH.get(old, 0), _WORTH.get(new, 0)
    return "gained" if more > less else "lost" if more < less else ""


def _change(
    key: _Key,
    sides: tuple[SymbolParity | None, SymbolParity | None],
    links: Links,
    revs: tuple[str, str],
    was: str,
) -> Change:
    before, after = sides
    symbol = after or before
    assert symbol is not None  # noqa: S101 - each key is of one side at least
    place = symbol.windows or symbol.linux
    return Change(
        key[0],
        key[1],
        symbol.kind,
        any(side.gap for side in (before, after) if side),
        before.status if before else None,
        after.status if after else None,
        links.source(revs[1] if after else revs[0], place) if place else None,
        was,
    )


def grouped(changes: Sequence[Change], most: int) -> list[tuple[str, list[Change]]]:
    """Changes by package, at most some of them."""
    found: dict[str, list[Change]] = {}
    for change in changes[:most]:
        found.setdefault(change.package, []).append(change)
    return [*found.items()]


def states(change: Change) -> str:
    """How a symbol changed, in words of ours."""
    old, new = (side.value if side else "" for side in (change.before, change.after))
    if old and new and old != new:
        return f"{old} → {new}"
    return old or new


def markdown(found: Compare, address: str = "") -> str:
    """The release notes.

    Args:
        found: what differs.
        address: of the page that shows it; "" for none.
    """
    return "\n".join(_lines(found, address)).rstrip() + "\n"


def _lines(found: Compare, address: str) -> Iterator[str]:
    about = found.repository
    yield f"# {about.target_name} in {plain(found.head.asked)}: what changes since {plain(found.base.asked)}"
    yield ""
    yield (
        f"{about.target_name} has {found.head_score.percent:g}% of what the platforms declare separately; "
        f"it had {found.base_score.percent:g}%. [All changes]({found.between})"
        + (f" · [details]({address})" if address else "")
    )
    left = MAX_SHOWN
    for name, title in KINDS.items():
        changes = found.kind(name)
        if not changes:
            continue
        yield from ("", f"## {title.format(target=about.target_name)} ({len(changes)})")
        for package, some in grouped(changes, left):
            yield from ("", f"### {code(package)}", "")
            yield from map(_item, some)
        if len(changes) > left:
            yield from ("", f"… and {len(changes) - left} more.")
        left = max(0, left - len(changes))
    yield from guard_lines(found.shared, about)
    yield from test_lines(found.shared, about)
    if not found.is_anything:
        yield from ("", "Nothing that users of either platform could notice.")


def _item(change: Change) -> str:
    name = code(change.name)
    linked = f"[{name}]({change.source.url})" if change.source else name
    was = f", from {code(change.was)}" if change.was else ""
    return f"- {linked}: {states(change)}{was}"


def revisions(points: Iterable[Point]) -> dict[str, Point]:
    """The recorded revisions by what they may be called: a release's name, the commit, or its first digits."""
    found: dict[str, Point] = {}
    for point in points:
        found.setdefault(point.rev, point)
        if point.name:
            found[point.name] = point
    return found


def revision(points: Iterable[Point], asked: str) -> Point | None:
    """A recorded revision by its name, its commit or the beginning of that; None when there is none, or are several."""
    known = revisions(points)
    if asked in known:
        return known[asked]
    least = 7
    if len(asked) < least or not all(c in "0123456789abcdef" for c in asked):
        return None
    near = {point.rev: point for rev, point in known.items() if rev.startswith(asked)}
    return next(iter(near.values())) if len(near) == 1 else None
