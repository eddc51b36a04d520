"""Shadow mode: look at pull requests, record what would be shown, and write nothing to GitHub.

A repository asks for it in its own settings, an operator by WINPARITY_SHADOW. `winparity shadow` prints the record, so
that a maintainer can judge before winparity speaks.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from redis.asyncio import Redis

from analyzer.model import Analysis
from bot.events import PullEvent
from bot.ids import Repo
from bot.line import Line
from bot.pull import Pull
from bot.queue import SHADOW, in_shadow_key, shadowed_key
from bot.repo_config import RepoConfig
from bot.report import Report

MAX_RECORDS = 200
"""Records of one repository; each is as large as its comment, some kilobytes."""

MAX_FINDINGS = 200
"""Findings of one record; the comment lists fewer."""

TTL = 90 * 24 * 3600
"""Seconds after which the record of a repository goes in which nothing happens."""


class Said(msgspec.Struct, frozen=True):
    """A finding, as far as it helps to judge."""

    rule: str
    level: str
    path: str
    line: int
    symbol: str | None
    gap: bool
    message: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at a pull request would have shown.

    Attributes:
        schema: of this JSON.
        at: when it was looked at, in UTC.
        number: the pull request's.
        base: what its branch was compared with; empty when git could not give the source.
        head: its commit.
        verdict: as in `winparity diff --format json`; empty likewise.
        complete: all could be read.
        conclusion: the check run's.
        title: the check run's.
        labels: that it would have.
        owners: whom the comment would mention.
        comment: its body; None when there would be none.
        findings: the first of them.
        left_out: how many more there are.
    """

    schema: Annotated[int, msgspec.Meta(ge=1)] = 1
    at: str
    number: int
    base: str
    head: str
    verdict: Literal["improved", "regressed", "mixed", "unchanged", ""]
    complete: bool
    conclusion: str
    title: str
    labels: list[str]
    owners: list[str]
    comment: str | None
    findings: list[Said]
    left_out: int = 0


async def is_on(line: Line, repo: Repo, config: RepoConfig | None = None) -> bool:
    """Whether nothing is to be written about a repository.

    Args:
        line: the operator's settings, and the store.
        repo: the repository.
        config: its own settings. Where they cannot be read, or are not as they should be, the last good ones count.
    """
    key = in_shadow_key(repo)
    if config is None or config.problems:
        wanted = bool(await line.jobs.redis.exists(key))
    else:
        wanted = config.shadow
        await (line.jobs.redis.set(key, 1) if wanted else line.jobs.redis.delete(key))
    return wanted or line.settings.shadows(repo)


async def record(
    line: Line,
    event: PullEvent,
    pull: Pull,
    report: Report,
    analysis: Analysis | None,
    *,
    labels: Sequence[str] = (),
    owners: Sequence[str] = (),
) -> None:
    """Keep what would be shown, unless it is what was kept of the pull request last."""
    found = analysis.findings if analysis is not None else ()
    said = [Said(f.rule, f.level.value, f.path, f.line, f.symbol, f.gap, f.message) for f in found[:MAX_FINDINGS]]
    known = Record(
        at="",
        number=pull.number,
        base=analysis.base if analysis is not None else "",
        head=pull.head,
        verdict=analysis.verdict if analysis is not None else "",
        complete=analysis is not None and analysis.complete,
        conclusion=report.check.conclusion,
        title=report.check.title,
        labels=[*labels],
        owners=[*owners],
        comment=report.comment,
        findings=said,
        left_out=len(found) - len(said),
    )
    digest = hashlib.sha256(_encoded(known)).hexdigest()
    redis = line.jobs.redis
    if await redis.set(shadowed_key(event), digest, get=True, ex=TTL) == digest.encode():
        return
    stamped = msgspec.structs.replace(known, at=datetime.now(UTC).isoformat(timespec="seconds"))
    async with redis.pipeline(transaction=True) as pipe:
        pipe.lpush(f"{SHADOW}{event.repo}", _encoded(stamped))
        pipe.ltrim(f"{SHADOW}{event.repo}", 0, MAX_RECORDS - 1)
        pipe.expire(f"{SHADOW}{event.repo}", TTL)
        await pipe.execute()


def _encoded(known: Record) -> bytes:
    return msgspec.json.encode(known, enc_hook=str)


async def records(redis: Redis, repo: Repo) -> list[Record]:
    """What would have been shown in a repository, the newest first."""
    return [msgspec.json.decode(stored, type=Record) for stored in await redis.lrange(f"{SHADOW}{repo}", 0, -1)]


async def repositories(redis: Redis) -> AsyncIterator[tuple[Repo, int]]:
    """The repositories of which there is a record, and how many."""
    names = sorted([name.decode() async for name in redis.scan_iter(f"{SHADOW}*")])
    for name in names:
        yield Repo(name.removeprefix(SHADOW)), await redis.llen(name)
