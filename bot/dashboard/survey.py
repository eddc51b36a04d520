"""A revision to what is recorded of it: its point and tables, and of the newest one what lies behind them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from analyzer import reading
from analyzer.common import Common, common
from analyzer.directives import Directive, directives
from analyzer.explain import Sight, explained
from analyzer.impact import Chain, Impact
from analyzer.model import (
    Acceptance,
    Finding,
    Options,
    Place,
    Platform,
    Score,
    Snapshot,
    Status,
    SymbolParity,
    Unreadable,
)
from analyzer.parity import Revision, View
from analyzer.standing import Standings
from analyzer.suppress import stale
from analyzer.symbols import Symbol, directory, packages
from bot import codeowners
from bot.dashboard.records import (
    FORM,
    MAX_BODY,
    About,
    AcceptedRecord,
    Detail,
    Point,
    ReachRecord,
    SightRecord,
    Survey,
    SurveyReport,
    Table,
    ThereRecord,
)
from bot.feature_page import features_json
from bot.feature_words import names_of, rows
from bot.features import feature_of

MAX_DETAILS = 4_000
"""Functions of which more is kept than their line of the table; those whose loss somebody can notice come first."""

MAX_BODIES = 16 * 1024 * 1024
"""Bytes of all bodies that are kept of a revision; with those that come last only their verdicts are."""

MAX_REASONS = 50
"""Reasons of one verdict; a function with more ways through it than that has no reader."""

MAX_REACH, MAX_LINKS = 8, 12
"""Entries that are kept of a function, and functions on the way; the others are counted, or left out in the middle."""

MAX_CALLERS = 8
"""Functions that are kept which call what the target lacks."""

MAX_NAMED = 10
"""Functions that may name one that the target lacks, beyond which nobody looks who calls it: it has a common name, and each
of them would have to be read. With what is not exported it would cost a third of a survey; so it costs a seventh."""

MAX_ACCEPTED, MAX_UNREADABLE = 1_000, 1_000
"""Of the report."""

MAX_NAMES = 2_000_000
"""Characters of the names of all tests of a revision; moby's have 110,000. Of packages beyond them no test is kept."""

_FUNCTIONS = {"func", "method"}
# What a reader looks for first.
_ORDER = (Status.STUB, Status.MISSING, Status.PARTIAL, Status.WINDOWS_ONLY, Status.IMPLEMENTED)


def survey(snapshot: Snapshot, about: About, options: Options) -> Survey:
    """What is recorded of a revision of the past.

    Args:
        snapshot: the revision, all of it.
        about: which it is.
        options: the platforms, and what reads files.
    """
    revision = revision_of(snapshot, options)
    views = _views(revision)
    return measured(snapshot, revision, _tables(views, options), about, _common(views, options))


def survey_newest(
    snapshot: Snapshot,
    about: About,
    options: Options,
    owned: bytes = b"",
    shared: Callable[[Revision, Options], Mapping[str, Common]] | None = None,
) -> Survey:
    """What is recorded of the newest revision: with its report, and a detail for each function.

    Args:
        snapshot: the revision, all of it.
        about: which it is.
        options: the platforms, what the project accepts, and what reads files.
        owned: its CODEOWNERS.
        shared: tells what code that the platforms share does, from what it knows of other revisions; None for nobody.
    """
    revision = revision_of(snapshot, options)
    views = _views(revision)
    told = shared(revision, options) if shared is not None else _common(views, options)
    found = measured(snapshot, revision, _tables(views, options), about, told)
    impact = Impact(snapshot, options)
    report = SurveyReport(
        rev=str(about.rev),  # msgpack knows no subclass
        features=features_json(rows(Standings(impact, options).all()), about.rev)["features"],
        owners=codeowners.owners_of_each(owned, sorted(_missed(found.tables))),
        accepted=tuple(_accepted(views, options))[:MAX_ACCEPTED],
        unreadable=tuple((one.path, one.reason) for one in sorted(_unreadable(snapshot, revision)))[:MAX_UNREADABLE],
    )
    return Survey(
        point=found.point,
        tables=found.tables,
        common=found.common,
        report=report,
        details=tuple(_details(views, found.tables, revision, _Sides(snapshot, options, impact))),
    )


def revision_of(snapshot: Snapshot, options: Options, *, tests: bool = True) -> Revision:
    """The packages of a revision, read as deeply as a table asks for, and what is recorded of tests."""
    return Revision(packages(snapshot, options, reading.of_a_record if tests else reading.of_a_table), options)


def table_of(view: View) -> Table:
    """A package's table."""
    return Table.of(view.parity())


def common_of(view: View) -> Common:
    """What a package does on the target in code that the platforms share."""
    return common(view)


def measured(
    snapshot: Snapshot,
    revision: Revision,
    tables: Mapping[str, Table],
    about: About,
    shared: Mapping[str, Common] | None = None,
) -> Survey:
    """The point of a revision whose tables are known.

    Args:
        snapshot: the revision.
        revision: its packages.
        tables: of all packages, or of those with a symbol that the platforms do not share.
        about: which revision it is.
        shared: what the code that the platforms share does, of all packages; None when nobody looked.
    """
    own = {where: table for where, table in tables.items() if table.symbols}
    point = Point(
        rev=str(about.rev),  # msgpack knows no subclass
        name=about.name,
        kind=about.kind,
        time=about.time,
        score=sum((table.score for table in own.values()), Score()),
        gaps=sum(symbol.gap for table in own.values() for symbol in table.symbols),
        packages=len(own),
        unreadable=len(_unreadable(snapshot, revision)),
        form=0 if shared is None else FORM,
    )
    return Survey(point=point, tables=own, common=_bounded(shared or {}))


def _bounded(shared: Mapping[str, Common]) -> dict[str, Common]:
    """What has anything to say, in order, with no more names of tests than are kept."""
    room, found = MAX_NAMES, dict[str, Common]()
    for where, one in sorted(shared.items()):
        names = [name for file in one.tests for name in (*file.tests, *(test.name for test in file.kept))]
        room -= sum(map(len, names))
        kept = one if room >= 0 or not names else Common((), one.guards, len(names))
        if kept.is_anything:
            found[where] = kept
    return found


def _views(revision: Revision) -> dict[str, View]:
    return {where: View(package, revision) for where, package in revision.packages.items()}


def _tables(views: Mapping[str, View], options: Options) -> dict[str, Table]:
    found = options.share(lambda where: table_of(views[where]), [*views], Table)
    return dict(zip(views, found, strict=True))


def _common(views: Mapping[str, View], options: Options) -> dict[str, Common]:
    found = options.share(lambda where: common_of(views[where]), [*views], Common)
    return dict(zip(views, found, strict=True))


def _unreadable(snapshot: Snapshot, revision: Revision) -> set[Unreadable]:
    read = {path: file.facts for package in revision.packages.values() for path, file in package.files.items()}
    return reading.unreadable(snapshot, read)


def _missed(tables: Mapping[str, Table]) -> set[str]:
    """The files of symbols with a gap."""
    symbols = (symbol for table in tables.values() for symbol in table.symbols if symbol.gap)
    return {place.path for symbol in symbols if (place := symbol.windows or symbol.linux) is not None}


def _accepted(views: Mapping[str, View], options: Options) -> Iterator[AcceptedRecord]:
    """What the project accepts, by its settings and then by comments in the source; and what is wrong with it."""
    wrong: dict[Place, Finding] = {Place(f.path, f.line): f for f in stale(views, options.policy)}
    for entry in options.policy.accept:
        yield _by_settings(entry, wrong)
    for view in views.values():
        for directive in directives(view.package):
            yield _by_comment(directive, wrong)


def _by_settings(entry: Acceptance, wrong: Mapping[Place, Finding]) -> AcceptedRecord:
    place = Place(entry.path, entry.line)
    return AcceptedRecord(
        entry.package,
        entry.name,
        entry.rules,
        entry.reason,
        place,
        entry.issue,
        entry.expires,
        wrong[place].message if place in wrong else "",
    )


def _by_comment(directive: Directive, wrong: Mapping[Place, Finding]) -> AcceptedRecord:
    place = Place(directive.path, directive.line)
    name = directive.subject or directive.path.rpartition("/")[2]
    words = wrong[place].message if place in wrong else ""
    return AcceptedRecord(directory(directive.path), name, directive.rules, directive.reason, place, wrong=words)


class _Sides:
    """Who comes to a function on the target; and on the reference, where the target lacks it."""

    def __init__(self, snapshot: Snapshot, options: Options, here: Impact) -> None:
        self.here = here
        turned = replace(options, target=options.reference, reference=options.target)
        self._there = Impact(snapshot, turned, here)

    def there(self, where: str, symbol: SymbolParity) -> ThereRecord | None:
        """Who comes to a function on the reference; None when it is not looked for."""
        exported = all(part[:1].isupper() for part in symbol.name.split("."))
        if symbol.status is not Status.MISSING or not exported or self._there.named_by(symbol.name) > MAX_NAMED:
            return None
        chains = self._there.entries(where, symbol.name)
        callers = self._there.callers(where, symbol.name)[:MAX_CALLERS]
        return ThereRecord(
            tuple(map(_reach, chains[:MAX_REACH])), len(chains), tuple((link.function, link.place) for link in callers)
        )


def _details(
    views: Mapping[str, View], tables: Mapping[str, Table], revision: Revision, sides: _Sides
) -> Iterator[Detail]:
    """A detail for each function that the platforms do not share."""
    functions = [
        (where, symbol)
        for where, table in tables.items()
        for symbol in table.symbols
        if symbol.kind in _FUNCTIONS and _is_named(symbol.name, views[where])
    ]
    functions.sort(key=lambda one: (not one[1].gap, _ORDER.index(one[1].status), one[0], one[1].name))
    room = MAX_BODIES
    for where, symbol in functions[:MAX_DETAILS]:
        found = _detail(views[where], symbol, revision, sides, with_bodies=room > 0)
        room -= len(found.target.body) + len(found.reference.body)
        yield found


def _is_named(name: str, view: View) -> bool:
    """An ``init`` has no name by which it is come to."""
    return name in view.package.target or name in view.package.reference


def _detail(view: View, symbol: SymbolParity, revision: Revision, sides: _Sides, *, with_bodies: bool) -> Detail:
    name, package, options = symbol.name, view.package, revision.options
    told = explained(view, name, revision)
    chains = sides.here.entries(package.dir, name) if name in package.target else ()
    both = ((options.target, told.target, package.target), (options.reference, told.reference, package.reference))
    target, reference = (
        _sight(platform, sight, names.get(name) if with_bodies else None) for platform, sight, names in both
    )
    compared = {options.target.goos, options.reference.goos}
    return Detail(
        package=package.dir,
        name=name,
        target=target,
        reference=reference,
        elsewhere=tuple((goos, place) for goos, place in told.elsewhere if place is not None and goos not in compared),
        gap=told.gap.removeprefix("yes: ") if told.gap.startswith("yes: ") else "",
        silent=told.silent,
        reach=tuple(_reach(chain) for chain in chains[:MAX_REACH]),
        entries=len(chains),
        there=sides.there(package.dir, symbol),
    )


def _sight(platform: Platform, sight: Sight, symbol: Symbol | None) -> SightRecord:
    return SightRecord(
        platform.goos,
        sight.verdict,
        sight.place,
        sight.end_line,
        "" if symbol is None else symbol.source[:MAX_BODY].decode(errors="replace"),
        tuple((reason.line, reason.words) for reason in sight.reasons[:MAX_REASONS]),
    )


def _reach(chain: Chain) -> ReachRecord:
    links = tuple((link.function, link.place) for link in chain.links)
    half = MAX_LINKS // 2
    near = links if len(links) <= MAX_LINKS else (*links[:half], *links[-half:])
    return ReachRecord(chain.entry.name, names_of(feature_of(chain.entry)), chain.sure, near)
