"""What the views have in common: scores, places with their addresses, lists in pages. All are frozen; none does any work."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from analyzer.model import Place, Platform, Score
from analyzer.names import platform_name
from bot.dashboard.records import Known, Point
from bot.markdown import fragment

ROOT = "~"
"""How an address calls the root's package: browsers take a dot for the folder that they are in."""

ESCAPE = "/-"
"""What stands before a repository's address where its owner is called as a page of ours: no owner begins with it."""

OURS = frozenset(
    ("api", "healthz", "login", "logout", "metrics", "operations", "readyz", "rules", "setup", "static", "webhook")
)
"""How the addresses begin that are no repository's."""

PAGE_SIZE = 100
"""Lines of one page: with it the pages of the largest repository stay far below 200 KB."""

MAX_QUERY = 200
"""Characters of a search."""

EARLY = re.compile(r"(?<=\d)[-.+_]?(?:rc|alpha|beta|pre|dev|tp)(?![a-z])", re.IGNORECASE)
"""Where the name of a pre-release says that it is one."""

_NUMBERS = re.compile(r"\d+")
_Row = TypeVar("_Row")


class Tally(msgspec.Struct, frozen=True):
    """A score, and what it is in percent."""

    implemented: int
    partial: int
    stub: int
    missing: int
    percent: float

    @classmethod
    def of(cls, score: Score) -> "Tally":
        """Of a score."""
        return cls(score.implemented, score.partial, score.stub, score.missing, score.percent)

    @property
    def counted(self) -> int:
        """All symbols that count."""
        return self.implemented + self.partial + self.stub + self.missing


class Source(msgspec.Struct, frozen=True):
    """Lines of a file at a revision, and where the git host shows them; line 0 for the file as a whole."""

    path: str
    line: int
    url: str
    end_line: int = 0


class Progress(msgspec.Struct, frozen=True):
    """How far the reading of a repository's past is."""

    done: int
    planned: int


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The repository that a page is about.

    Attributes:
        name: as its owner writes it.
        page: the address of its overview here.
        url: its address on the git host.
        private: it is not for everybody to see.
        branch: the default branch.
        target, reference: the two platforms that are compared, as GOOS; ``…_name`` as people call them.
        rev: the commit of the newest survey; "" before the first.
        rev_url: its address on the git host.
        surveyed: when that was, in seconds since the epoch.
        reading: how far the reading of its past is; None when it has not begun, or is done.
        trouble: why the newest revision could not be looked at; "" when it could.
    """

    name: str
    page: str
    url: str
    private: bool
    branch: str
    target: str
    target_name: str
    reference: str
    reference_name: str
    rev: str
    rev_url: str
    surveyed: int
    reading: Progress | None = None
    trouble: str = ""


class Revision(msgspec.Struct, frozen=True):
    """A recorded revision: by what it was asked for, its commit, its release's name, when it was made, its address."""

    asked: str
    rev: str
    name: str
    time: int
    url: str


class Sheet(msgspec.Struct, frozen=True):
    """Which part of a list is shown, and by what it was looked for.

    Attributes:
        q: the words that were looked for.
        sort: by what it is sorted; "-" in front for the other way round.
        only: the state that was asked for; "" for all.
        page: counted from 1.
        pages: how many there are.
        total: lines on all of them.
    """

    q: str = ""
    sort: str = ""
    only: str = ""
    page: int = 1
    pages: int = 1
    total: int = 0


class Links:
    """Where things are: on the git host, and here.

    Args:
        web: the base of the git host's pages.
        name: of the repository, as its owner writes it.
    """

    def __init__(self, web: str, name: str) -> None:
        self.repository = f"{web.rstrip('/')}/{quote(name, safe='/')}"
        escape = ESCAPE if name.partition("/")[0].lower() in OURS else ""
        self.page = f"{escape}/{quote(name, safe='/')}"

    def commit(self, rev: str) -> str:
        """A commit on the git host."""
        return f"{self.repository}/commit/{rev}" if rev else ""

    def pull(self, number: int) -> str:
        """A pull request on the git host."""
        return f"{self.repository}/pull/{number}"

    def between(self, base: str, head: str) -> str:
        """What changed between two revisions, on the git host."""
        return f"{self.repository}/compare/{base}...{head}"

    def source(self, rev: str, place: Place, end_line: int = 0) -> Source:
        """Lines of a file at a revision."""
        url = f"{self.repository}/blob/{rev}/{quote(place.path, safe='/')}{fragment(place.line, end_line)}"
        return Source(place.path, place.line, url, end_line)

    def file(self, rev: str, path: str, line: int = 0) -> Source:
        """A file at a revision, or a line of it; lines count from 1."""
        if line:
            return self.source(rev, Place(path, line))
        return Source(path, 0, f"{self.repository}/blob/{rev}/{quote(path, safe='/')}")

    def package(self, directory: str) -> str:
        """A package's page here."""
        return f"{self.page}/packages/{ROOT if directory == '.' else quote(directory, safe='/')}"

    def symbol(self, directory: str, name: str) -> str:
        """A symbol's page here."""
        return f"{self.page}/symbols/{quote(directory, safe='/')}:{quote(name, safe='')}"

    def compare(self, base: str, head: str) -> str:
        """The comparison of two recorded revisions here."""
        return f"{self.page}/compare/{quote(base, safe='')}...{quote(head, safe='')}"


def about(known: Known, links: Links) -> About:
    """What a page says of the repository that it is about."""
    target, reference = (platform_name(Platform(goos)) for goos in (known.target, known.reference))
    return About(
        name=known.name,
        page=links.page,
        url=links.repository,
        private=known.private,
        branch=known.branch,
        target=known.target,
        target_name=target,
        reference=known.reference,
        reference_name=reference,
        rev=known.head,
        rev_url=links.commit(known.head),
        surveyed=known.surveyed,
        reading=Progress(known.done, known.planned) if known.done < known.planned else None,
        trouble=known.trouble,
    )


def sheet(
    rows: Sequence[_Row],
    asked: Mapping[str, str],
    *,
    text: Callable[[_Row], str],
    state: Callable[[_Row], str] = lambda _row: "",
    keys: Mapping[str, Callable[[_Row], Any]] | None = None,
    sort: str = "",
    size: int = PAGE_SIZE,
) -> tuple[tuple[_Row, ...], Sheet]:
    """The lines that somebody asked for: found, sorted, and of them one page.

    Args:
        rows: all lines, in an order in which they make sense.
        asked: the query of an address: ``q``, ``sort``, ``state`` and ``page``. What makes no sense counts as not said.
        text: of a line, in which the words are looked for; each must be there, in any case.
        state: of a line.
        keys: by what lines can be sorted.
        sort: by what they are when nothing is said; "" for the order that they have.
        size: lines of a page.
    """
    q, only, by = asked.get("q", "").strip()[:MAX_QUERY], asked.get("state", ""), asked.get("sort", sort)
    words = q.lower().split()
    found = [row for row in rows if not only or state(row) == only]
    if words:
        found = [row for row in found if _has(text(row).lower(), words)]
    if keys and by.removeprefix("-") in keys:
        found.sort(key=keys[by.removeprefix("-")], reverse=by.startswith("-"))
    else:
        by = sort
    pages = max(1, -(-len(found) // size))
    number = asked.get("page", "")
    page = min(max(1, int(number)), pages) if number.isascii() and number.isdigit() and len(number) < 9 else 1
    return tuple(found[(page - 1) * size : page * size]), Sheet(q, by, only, page, pages, len(found))


def _has(text: str, words: Iterable[str]) -> bool:
    return all(word in text for word in words)


def version(name: str) -> tuple[object, ...]:
    """What releases are sorted by: the numbers of their names, a pre-release before what it comes before.

    Not the day: side branches get releases late.
    """
    early = EARLY.search(name)
    main = name[: early.start()] if early else name
    return _numbers(main), early is None, _numbers(name[len(main) :])


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number[:9]) for number in _NUMBERS.findall(text)[:6])


def releases(points: Iterable[Point]) -> list[Point]:
    """The releases in the order of their versions."""
    return sorted((p for p in points if p.kind == "release" and p.name), key=lambda p: (version(p.name), p.time))
