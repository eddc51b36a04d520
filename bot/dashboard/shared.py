"""What changes for the target in code that the platforms share, as views and in release notes: guards, and which tests run."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from analyzer.between import ChangedTest, changed_tests, new_guards
from analyzer.common import Common
from analyzer.guards import Effect
from analyzer.rules.wording import GUARD_WORDS
from bot.dashboard.parts import About, Links, Source
from bot.dashboard.records import FORM, Point, Table
from bot.markdown import code, plain

MAX_GUARDS, MAX_TESTS = 50, 100
"""Guards, and tests of each kind, that a page or a text lists; JSON has every one."""

TESTS = {
    "stopped": "Tests that no longer run on {target}",
    "started": "Tests that now run on {target}",
    "never": "New tests that do not run on {target}",
}
"""What can happen to tests, as headings."""


class TestChange(msgspec.Struct, frozen=True):
    """A test of which the target runs more, or less.

    Attributes:
        package: its directory; that at the head, where there are two.
        name: the test's.
        source: its file at the head.
        in_part: it still runs there, or runs there now, in some cases only.
        was: the package that it was in, when it moved; else "".
    """

    package: str
    name: str
    source: Source
    in_part: bool
    was: str = ""


class GuardChange(msgspec.Struct, frozen=True):
    """Something that a function which both platforms build newly keeps from the target.

    Attributes:
        package, name: the function.
        effect: how.
        words: the same in a sentence whose subject is the function.
        condition: the branch's, in the source's words.
        source: the branch at the head.
    """

    package: str
    name: str
    effect: Effect
    words: str
    condition: str
    source: Source


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What changes in code that the platforms share.

    Attributes:
        guards: what functions newly keep from the target.
        stopped: tests that the target no longer runs; ``started``: that it runs again.
        never: new tests that it does not run.
        unknown: the revisions of which nothing of this is recorded, so that there is nothing above.
        too_many: packages with so many tests that none was looked at.
    """

    guards: tuple[GuardChange, ...] = ()
    stopped: tuple[TestChange, ...] = ()
    started: tuple[TestChange, ...] = ()
    never: tuple[TestChange, ...] = ()
    unknown: tuple[str, ...] = ()
    too_many: tuple[str, ...] = ()

    def tests(self, name: str) -> tuple[TestChange, ...]:
        """The changes of one of `TESTS`."""
        found: tuple[TestChange, ...] = getattr(self, name)
        return found

    @property
    def is_anything(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.guards or any(map(self.tests, TESTS)))


Side = Mapping[str, Common]


def shared(
    about: About,
    points: tuple[Point, Point],
    sides: tuple[Side, Side],
    before: Mapping[str, Table],
    *,
    links: Links,
    names: tuple[str, str],
) -> Shared:
    """What differs.

    Args:
        about: the repository.
        points: base and head.
        sides: what is recorded of each, of the packages that differ.
        before: the tables of these packages at the base.
        links: where things are.
        names: by what the two were asked for.
    """
    unknown = tuple(name for name, point in zip(names, points, strict=True) if point.form < FORM)
    if unknown:
        return Shared(unknown=unknown)
    base, head = sides
    rev = points[1].rev
    apart = {(where, symbol.name) for where, table in before.items() for symbol in table.symbols}
    found: dict[str, list[TestChange]] = {kind: [] for kind in TESTS}
    for event in changed_tests(base, head):
        found[event.kind].append(_test(event, links, rev))
    return Shared(
        guards=tuple(
            GuardChange(
                one.package,
                one.function,
                one.effect,
                GUARD_WORDS[one.effect].format(target=about.target_name, reference=about.reference_name),
                one.condition,
                links.file(rev, _path(one.package, one.file), one.line),
            )
            for one in new_guards(base, head, apart)
        ),
        stopped=tuple(found["stopped"]),
        started=tuple(found["started"]),
        never=tuple(found["never"]),
        too_many=tuple(sorted({where for side in sides for where, one in side.items() if one.too_many})),
    )


def _test(event: ChangedTest, links: Links, rev: str) -> TestChange:
    source = links.file(rev, _path(event.package, event.file))
    return TestChange(event.package, event.name, source, event.in_part, event.was)


def _path(package: str, file: str) -> str:
    return file if package == "." else f"{package}/{file}"


def by_file(changes: Sequence[TestChange]) -> list[tuple[Source, list[TestChange]]]:
    """Tests by file, no more of them than are shown."""
    found: dict[str, list[TestChange]] = {}
    for change in sorted(changes[:MAX_TESTS], key=lambda change: (change.source.path, change.name)):
        found.setdefault(change.source.path, []).append(change)
    return [(some[0].source, some) for some in found.values()]


def guard_lines(found: Shared, about: About) -> Iterator[str]:
    """The guards, as Markdown."""
    if not found.guards:
        return
    yield from ("", f"## What shared code newly keeps from {about.target_name} ({len(found.guards)})", "")
    for guard in found.guards[:MAX_GUARDS]:
        yield (
            f"- [{code(f'{guard.package}:{guard.name}')}]({guard.source.url}) {plain(guard.words)}: {code(guard.condition)}"
        )
    if len(found.guards) > MAX_GUARDS:
        yield f"- … and {len(found.guards) - MAX_GUARDS} more"


def test_lines(found: Shared, about: About) -> Iterator[str]:
    """The tests, as Markdown: a line for each file; those that are new are behind their count."""
    for kind, title in TESTS.items():
        changes = found.tests(kind)
        if not changes:
            continue
        yield from ("", f"## {title.format(target=about.target_name)} ({len(changes)})", "")
        if kind == "never":
            yield from ("<details><summary>Show them</summary>", "")
        for source, some in by_file(changes):
            yield f"- [{code(source.path)}]({source.url}): {', '.join(map(_named, some))}"
        if len(changes) > MAX_TESTS:
            yield f"- … and {len(changes) - MAX_TESTS} more"
        if kind == "never":
            yield from ("", "</details>")
    if found.unknown:
        yield from ("", f"What code for both platforms does is not recorded of {plain(', '.join(found.unknown))}.")
    if found.too_many:
        yield from (
            "",
            f"Tests were not compared where there are too many: {', '.join(map(code, found.too_many[:20]))}.",
        )


def _named(change: TestChange) -> str:
    return code(change.name) + " (in some cases)" * change.in_part
