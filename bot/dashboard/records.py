"""What the store keeps of a repository for the dashboard, with bounds. `bot.dashboard.survey` makes it.

A point is one revision: its score, and the name of the table of each package. Tables are kept once for all points that
share them, by a digest of their content, so a point costs what changed in it. All is below ``wp:repo:OWNER/NAME:``:

- ``known``: a `Known`. Without one there is no page of the repository.
- ``points``: from commit to `Point`; ``trees``: from commit to which table each directory has.
- ``tables``: from digest to a table.
- ``common``, ``commons``: likewise from digest to a `Common`, and from commit to which each directory has.
- ``details``: from ``DIR NAME`` to a `Detail`, of the newest survey alone.
- ``report``: of the newest survey: the features, the acceptances, what is open.
- ``past``: a `Past`, how far the past has been read.
- ``pulls``: from a pull request's number to its `PullRecord`; ``seen``: when each was recorded.
"""

import hashlib
import time
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from analyzer.common import Common
from analyzer.model import PackageParity, Place, Score, SymbolParity
from bot.ids import Repo

KNOWN = "wp:known"
"""The names of all repositories that have a page."""

MAX_POINTS: Mapping[str, int] = {"release": 600, "month": 240, "push": 200}
"""Points of each kind that are kept of a repository; the oldest go."""

MAX_PULLS = 300
"""Pull requests of one repository whose report is kept; those recorded longest ago go."""

FORM = 1
"""What is recorded of a revision now. Of points with a lower number there is less, until they are read again: 0 has nothing
of tests and guards."""

# Reports of pull requests that are read in one go.
_BATCH = 20

MAX_BODY = 8_000
"""Bytes of a function's body that are kept."""

Kind = Literal["release", "month", "push"]
_Made = TypeVar("_Made")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a repository itself.

    Attributes:
        name: as its owner writes it.
        private: it is not for everybody to see. Every event that tells it says it anew.
        installation: of the app.
        branch: the default branch.
        target: the GOOS that is judged; ``reference``: by which.
        head: the commit of the newest survey; "" before the first.
        surveyed: when that was, in seconds since the epoch.
        done: revisions of its past that have been read; ``planned``: how many there are; 0 when it has not begun.
        trouble: why the newest revision could not be surveyed; "" when it could.
    """

    name: str
    private: bool
    installation: int = 0
    branch: str = ""
    target: str = "windows"
    reference: str = "linux"
    head: str = ""
    surveyed: int = 0
    done: int = 0
    planned: int = 0
    trouble: str = ""


class About(msgspec.Struct, frozen=True):
    """Which revision a point is of.

    Attributes:
        rev: the commit.
        name: of the release; "" for none.
        kind: why there is a point.
        time: of the commit, in seconds since the epoch.
    """

    rev: str
    name: str
    kind: Kind
    time: int


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be read of a repository's past, and how far that is.

    Attributes:
        at: when it was planned, in seconds since the epoch.
        cause: the delivery that it was planned for.
        revisions: which, in the order in which they are read.
        done: how many of them have been read.
        left_out: tags that look like releases, and revisions that could not be read; each with why.
        alone: the place of the revision that is read by itself, as a step that began with it took too much.
    """

    at: int
    cause: str = ""
    revisions: tuple[About, ...] = ()
    done: int = 0
    left_out: tuple[tuple[str, str], ...] = ()
    alone: int = -1

    @property
    def over(self) -> bool:
        """Whether all has been read."""
        return self.done >= len(self.revisions)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One revision.

    Attributes:
        rev: the commit.
        name: of the release; "" for none.
        kind: why there is a point.
        time: of the commit, in seconds since the epoch.
        score: of all packages.
        gaps: stubs that a user on the target can miss.
        packages: how many packages have a symbol that the platforms declare separately.
        unreadable: files that could not be read.
        form: what is recorded of it beside that (`FORM`).
    """

    rev: str
    name: str
    kind: Kind
    time: int
    score: Score
    gaps: int = 0
    packages: int = 0
    unreadable: int = 0
    form: int = 0


class Table(msgspec.Struct, frozen=True):
    """What a package declares separately for the platforms: `PackageParity` without the symbols that they share.

    Attributes:
        score: of the package.
        symbols: sorted by name.
        shared: how many are left out.
    """

    score: Score
    symbols: tuple[SymbolParity, ...]
    shared: int = 0

    @classmethod
    def of(cls, package: PackageParity) -> "Table":
        """A package's table."""
        own = tuple(symbol for symbol in package.symbols if symbol.status != "shared")
        return cls(package.score, own, len(package.symbols) - len(own))


class SightRecord(msgspec.Struct, frozen=True):
    """A symbol on one platform.

    Attributes:
        platform: its GOOS.
        verdict: what it is there, in words.
        place: where it is declared; None where it is not.
        end_line: its last line; 0 when that is not known.
        body: its text, cut at `MAX_BODY`; "" when it is not there.
        reasons: lines, and what each says about the verdict.
    """

    platform: str
    verdict: str
    place: Place | None = None
    end_line: int = 0
    body: str = ""
    reasons: tuple[tuple[int, str], ...] = ()


class ReachRecord(msgspec.Struct, frozen=True):
    """How something that users ask for comes to a symbol.

    Attributes:
        entry: what they ask for, such as ``POST /containers/{name}/pause``.
        names: by which other names they know it: commands, methods, cmdlets.
        sure: each step is certain.
        links: the functions on the way, from the entry's handler to the symbol, each with where it is declared.
    """

    entry: str
    names: tuple[str, ...] = ()
    sure: bool = True
    links: tuple[tuple[str, Place], ...] = ()


class ThereRecord(msgspec.Struct, frozen=True):
    """Who comes on the reference to what the target lacks.

    Attributes:
        reach: what users ask for there, nearest first, at most some.
        entries: how many come to it.
        callers: the functions that call it, each with where it is declared, at most some.
    """

    reach: tuple[ReachRecord, ...] = ()
    entries: int = 0
    callers: tuple[tuple[str, Place], ...] = ()


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol at the newest survey's commit: what it is on each platform, why, and who can reach it.

    Attributes:
        package: its directory.
        name: ``Func`` or ``Recv.Method``.
        target, reference: the two platforms that are compared.
        elsewhere: other platforms that declare it, and where.
        gap: what a user can miss, in words; "" for nothing.
        silent: the target returns a nil error and has done nothing.
        reach: who comes to it, nearest first, at most some.
        entries: how many come to it.
        there: who comes to it on the reference, when the target lacks it; None when nobody looked.
    """

    package: str
    name: str
    target: SightRecord
    reference: SightRecord
    elsewhere: tuple[tuple[str, Place], ...] = ()
    gap: str = ""
    silent: bool = False
    reach: tuple[ReachRecord, ...] = ()
    entries: int = 0
    there: ThereRecord | None = None


class AcceptedRecord(msgspec.Struct, frozen=True):
    """What the project accepts, by its settings or by a comment in the source.

    Attributes:
        package, name: of the symbol, or of the file.
        rules: which; none for all.
        reason: why, in the project's words.
        place: which says so.
        issue: where the matter is followed up; "" for nowhere.
        expires: the last day, as in 2026-01-31; "" for none.
        wrong: what is wrong with it; "" for nothing.
    """

    package: str
    name: str
    rules: tuple[str, ...]
    reason: str
    place: Place
    issue: str = ""
    expires: str = ""
    wrong: str = ""


class SurveyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded beside the tables of the newest survey.

    Attributes:
        rev: its commit.
        features: as in `winparity features --format json`.
        owners: by path of a symbol with a gap: who owns it by CODEOWNERS.
        accepted: what the project accepts.
        unreadable: paths that could not be read, and why.
    """

    rev: str
    features: list[dict[str, Any]] = []
    owners: dict[str, tuple[str, ...]] = {}
    accepted: tuple[AcceptedRecord, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()


class PullRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a pull request's newest head.

    Attributes:
        number: its number.
        at: when it was made, in seconds since the epoch.
        conclusion: the check run's.
        title: the check run's.
        analysis: as in `winparity diff --format json`; None when it could not be compared.
    """

    number: int
    at: int
    conclusion: str
    title: str
    analysis: dict[str, Any] | None = None


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """All that is learnt of one revision.

    Attributes:
        point: the revision.
        tables: by directory; without those in which the platforms share all.
        common: what the code that they share does on the target, by directory; without those that have nothing to say.
        report: None for a revision of the past.
        details: none for a revision of the past.
    """

    point: Point
    tables: dict[str, Table]
    common: dict[str, Common] = {}
    report: SurveyReport | None = None
    details: tuple[Detail, ...] = ()


class Records:
    """The records of all repositories.

    Args:
        redis: the store.
    """

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def repositories(self) -> dict[Repo, Known]:
        """All that have a page, private ones too: whoever shows them asks `bot.dashboard.visitors`."""
        names = sorted(Repo(name.decode()) for name in await self._all(KNOWN))
        if not names:
            return {}
        stored = await self.redis.mget([_key(name, "known") for name in names])
        return {name: _read(data, Known) for name, data in zip(names, stored, strict=True) if data is not None}

    async def known(self, repo: Repo) -> Known | None:
        """What is known of a repository; None when it has no page."""
        stored = await self.redis.get(_key(repo, "known"))
        return None if stored is None else _read(stored, Known)

    async def change(self, repo: Repo, **fields: Any) -> bool:
        """Change some of what is known of a repository, whatever others change meanwhile. False when nothing is known."""
        key = _key(repo, "known")

        async def once(pipe: Pipeline) -> bool:
            stored = await pipe.get(key)
            pipe.multi()  # type: ignore[no-untyped-call] # redis-py says nothing of it
            if stored is not None:
                pipe.set(key, _write(msgspec.structs.replace(_read(stored, Known), **fields)))
            return stored is not None

        return bool(await self.redis.transaction(once, key, value_from_callable=True))

    async def rename(self, old: Repo, new: Repo) -> None:
        """A repository is called otherwise: all of it follows, and whatever had its name goes."""
        await self.forget([new])
        async with self.redis.pipeline(transaction=True) as pipe:
            for what in _ALL:
                pipe.eval(_FOLLOW, 2, _key(old, what), _key(new, what))
            pipe.srem(KNOWN, old)
            pipe.sadd(KNOWN, new)
            await pipe.execute()

    async def past(self, repo: Repo) -> Past | None:
        """What is to be read of a repository's past; None when that is not planned."""
        stored = await self.redis.get(_key(repo, "past"))
        return None if stored is None else _unpack(stored, Past)

    async def plan(self, repo: Repo, past: Past) -> None:
        """Note what is to be read of a repository's past, and how far that is."""
        await self.redis.set(_key(repo, "past"), _pack(past))

    async def know(self, repo: Repo, known: Known) -> None:
        """Note what is known of a repository."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.sadd(KNOWN, repo)
            pipe.set(_key(repo, "known"), _write(known))
            await pipe.execute()

    async def add(self, repo: Repo, survey: Survey) -> None:
        """Record a revision, and drop what is more than `MAX_POINTS`. The same revision again takes its place."""
        point = survey.point
        content: tuple[Mapping[str, msgspec.Struct], ...] = (survey.tables, survey.common)
        async with self.redis.pipeline(transaction=True) as pipe:
            for (trees, kept, digits), packages in zip(_SHARED, content, strict=True):
                encoded = {directory: _pack(one) for directory, one in packages.items()}
                digests = {directory: hashlib.sha256(data).hexdigest()[:digits] for directory, data in encoded.items()}
                if encoded:
                    named: dict[Any, Any] = {digests[directory]: data for directory, data in encoded.items()}
                    pipe.hset(_key(repo, kept), mapping=named)
                pipe.hset(_key(repo, trees), point.rev, _pack(digests))
            pipe.hset(_key(repo, "points"), point.rev, _write(point))
            if survey.report is not None:
                pipe.set(_key(repo, "report"), _pack(survey.report))
                pipe.delete(_key(repo, "details"))
                if survey.details:
                    details: dict[Any, Any] = {
                        f"{detail.package} {detail.name}": _pack(detail) for detail in survey.details
                    }
                    pipe.hset(_key(repo, "details"), mapping=details)
            await pipe.execute()
        await self._prune(repo)

    async def points(self, repo: Repo) -> list[Point]:
        """All points of a repository, the oldest first."""
        stored: dict[bytes, bytes] = await self._hash(_key(repo, "points"))
        return sorted((_read(data, Point) for data in stored.values()), key=lambda point: (point.time, point.rev))

    async def point(self, repo: Repo, rev: str) -> Point | None:
        """The point of a revision."""
        stored = await self._field(_key(repo, "points"), rev)
        return None if stored is None else _read(stored, Point)

    async def tree(self, repo: Repo, rev: str) -> dict[str, str]:
        """From each directory of a recorded revision to the digest of its table. Empty when it is not recorded."""
        stored = await self._field(_key(repo, "trees"), rev)
        return {} if stored is None else _unpack(stored, dict[str, str])

    async def trees(self, repo: Repo) -> dict[str, dict[str, str]]:
        """`tree` of every recorded revision."""
        stored = await self._hash(_key(repo, "trees"))
        return {rev.decode(): _unpack(data, dict[str, str]) for rev, data in stored.items()}

    async def tables(self, repo: Repo, digests: Collection[str]) -> dict[str, Table]:
        """Tables by digest; those that are not there any more are left out."""
        return await self._several(_key(repo, "tables"), digests, Table)

    async def commons(self, repo: Repo, rev: str) -> dict[str, str]:
        """From each directory of a recorded revision to the digest of its `Common`. Empty when it is not recorded."""
        stored = await self._field(_key(repo, "commons"), rev)
        return {} if stored is None else _unpack(stored, dict[str, str])

    async def common(self, repo: Repo, digests: Collection[str]) -> dict[str, Common]:
        """What is kept by these digests; what is not there any more is left out."""
        return await self._several(_key(repo, "common"), digests, Common)

    async def report(self, repo: Repo) -> SurveyReport | None:
        """What the newest survey says beside its tables."""
        stored = await self.redis.get(_key(repo, "report"))
        return None if stored is None else _unpack(stored, SurveyReport)

    async def detail(self, repo: Repo, package: str, name: str) -> Detail | None:
        """A symbol at the newest survey's commit."""
        stored = await self._field(_key(repo, "details"), f"{package} {name}")
        return None if stored is None else _unpack(stored, Detail)

    async def details(self, repo: Repo, package: str, names: Collection[str]) -> dict[str, Detail]:
        """Symbols of a package at the newest survey's commit, by name; those of which nothing is kept are left out."""
        if not names:
            return {}
        stored: Any = await self.redis.hmget(_key(repo, "details"), [f"{package} {name}" for name in names])
        found = zip(names, stored, strict=True)
        return {name: _unpack(data, Detail) for name, data in found if data is not None}

    async def add_pull(self, repo: Repo, record: PullRecord) -> None:
        """Keep a pull request's report instead of its former one, and drop what is more than `MAX_PULLS`."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(_key(repo, "pulls"), str(record.number), _pack(record))
            pipe.zadd(_key(repo, "seen"), {str(record.number): record.at})
            pipe.zrange(_key(repo, "seen"), 0, -MAX_PULLS - 1)
            gone = (await pipe.execute())[-1]
        if gone:
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.hdel(_key(repo, "pulls"), *gone)
                pipe.zrem(_key(repo, "seen"), *gone)
                await pipe.execute()

    async def pull(self, repo: Repo, number: int) -> PullRecord | None:
        """The report of a pull request."""
        stored = await self._field(_key(repo, "pulls"), str(number))
        return None if stored is None else _unpack(stored, PullRecord)

    async def pulls(self, repo: Repo) -> list[PullRecord]:
        """All reports of a repository, the newest first. They are read a few at a time: some are large."""
        numbers: Any = await self.redis.zrange(_key(repo, "seen"), 0, -1)
        found: list[PullRecord] = []
        for start in range(0, len(numbers), _BATCH):
            stored: Any = await self.redis.hmget(_key(repo, "pulls"), numbers[start : start + _BATCH])
            found += [_unpack(data, PullRecord) for data in stored if data is not None]
        return sorted(found, key=lambda one: (-one.at, -one.number))

    async def pulse(self, repo: Repo) -> tuple[int, int, int]:
        """What changes when something new is recorded: how many revisions there are, the newest report's pull, its time."""
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.hlen(_key(repo, "points"))
            pipe.zrange(_key(repo, "seen"), -1, -1, withscores=True)
            count, seen = await pipe.execute()
        return (count, int(seen[0][0]), int(seen[0][1])) if seen else (count, 0, 0)

    async def forget(self, repos: Iterable[Repo]) -> int:
        """Drop all of some repositories. Returns how many keys."""
        count = 0
        for repo in repos:
            await self.redis.srem(KNOWN, repo)
            count += int(await self.redis.delete(*(_key(repo, what) for what in _ALL)))
        return count

    async def _prune(self, repo: Repo) -> None:
        points, now = await self.points(repo), int(time.time())
        kept = {
            point.rev
            for kind, most in MAX_POINTS.items()
            for point in sorted((p for p in points if p.kind == kind), key=lambda p: min(p.time, now))[-most:]
        }
        gone = [point.rev for point in points if point.rev not in kept]
        if not gone:
            return
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hdel(_key(repo, "points"), *gone)
            for trees, _, _ in _SHARED:
                pipe.hdel(_key(repo, trees), *gone)
            await pipe.execute()
        for trees, content, _ in _SHARED:
            found = await self._hash(_key(repo, trees))
            used = {digest for data in found.values() for digest in _unpack(data, dict[str, str]).values()}
            stored: Any = await self.redis.hkeys(_key(repo, content))
            unused = [digest for digest in stored if digest.decode() not in used]
            if unused:
                await self.redis.hdel(_key(repo, content), *unused)

    async def _all(self, key: str) -> set[bytes]:
        found: Any = await self.redis.smembers(key)
        return set(found)

    async def _hash(self, key: str) -> dict[bytes, bytes]:
        found: Any = await self.redis.hgetall(key)
        return dict(found)

    async def _several(self, key: str, fields: Collection[str], kind: type[_Made]) -> dict[str, _Made]:
        """Of some fields of a hash those that are there."""
        if not fields:
            return {}
        wanted = [*fields]
        stored: Any = await self.redis.hmget(key, wanted)
        return {field: _unpack(data, kind) for field, data in zip(wanted, stored, strict=True) if data is not None}

    async def _field(self, key: str, field: str) -> bytes | None:
        found: Any = await self.redis.hget(key, field)
        return None if found is None else bytes(found)


# What several points share: which of it each has, what it is, and how many digits a digest has. They are most of what a
# point costs, and only what one repository has must differ.
_SHARED = (("trees", "tables", 32), ("commons", "common", 16))
_ALL = ("known", "points", "trees", "tables", "commons", "common", "details", "report", "pulls", "seen", "past")
# A key that is there is called otherwise.
_FOLLOW = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end"


def _key(repo: Repo, what: str) -> str:
    return f"wp:repo:{repo}:{what}"


def _write(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)


def _read(stored: bytes | str, kind: type[_Made]) -> _Made:
    return msgspec.json.decode(stored, type=kind)


def _pack(value: object) -> bytes:
    return zlib.compress(msgspec.json.encode(value, enc_hook=str), 6)


def _unpack(stored: Any, kind: type[_Made]) -> _Made:
    return msgspec.json.decode(zlib.decompress(stored), type=kind)
