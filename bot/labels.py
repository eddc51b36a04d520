"""Labels on a pull request: two, only where the repository wants them, and only the difference is written.

A draft's labels, and those where the conversation is locked, are left as they are: they are set when it is ready for
review. A label that a person took off is not put back for the same findings, and one that a person put on stays.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import cast

import structlog

from analyzer.model import Analysis, Level
from bot.events import PullEvent
from bot.github import Installation, RefusedError
from bot.pull import Pull
from bot.queue import SAID_TTL, Jobs, labels_key

LEVELS = (Level.REGRESSION, Level.IMPROVEMENT)
"""The levels that have a label; it is called like them, after the platform."""

log = structlog.get_logger()


def labels(analysis: Analysis) -> dict[str, str]:
    """Our labels, each with a name for the findings that ask for it, which is empty when none does."""
    target = analysis.options.target.goos
    return {f"{target}: {level.value}": _digest(analysis, level) for level in LEVELS}


def leaves_alone(pull: Pull) -> bool:
    """Whether a pull request's labels stay as they are for now."""
    return pull.draft or pull.locked


def _digest(analysis: Analysis, level: Level) -> str:
    found = sorted({finding.fingerprint for finding in analysis.findings if finding.level is level})
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:40] if found else ""


async def label(
    github: Installation,
    jobs: Jobs,
    event: PullEvent,
    pull: Pull,
    analysis: Analysis,
    *,
    may_write: Callable[[], Awaitable[None]],
) -> None:
    """Let a pull request have the labels that its findings ask for. That GitHub refuses it is no failure.

    Args:
        github: the repository.
        jobs: where it is remembered what we set.
        event: what the job answers.
        pull: the pull request, with the labels that it has.
        analysis: the findings.
        may_write: as `bot.publish.publish` takes it.

    Raises:
        BusyError: GitHub cannot be asked now.
    """
    if leaves_alone(pull):
        return
    key = labels_key(event)
    stored = cast("dict[bytes, bytes]", await jobs.redis.hgetall(key))
    known = {name.decode(): value.decode() for name, value in stored.items()}
    there = {name.lower() for name in pull.labels}
    wanted = {name: found for name, found in labels(analysis).items() if found}
    missing = [name for name, found in wanted.items() if name not in there and known.get(name) != found]
    ours = [name for name in labels(analysis) if name not in wanted and name in there and name in known]
    try:
        if missing:
            await may_write()
            await github.add_labels(pull.number, missing)
        for name in ours if analysis.complete else ():
            await may_write()
            await github.remove_label(pull.number, name)
            await jobs.redis.hdel(key, name)
    except RefusedError as refusal:
        log.warning("labels are refused", reason=str(refusal))
        return
    if wanted:
        await jobs.redis.hset(key, items=[part for pair in wanted.items() for part in pair])
        await jobs.redis.expire(key, SAID_TTL)
