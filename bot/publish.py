"""Makes a pull request show a report: one comment, one check run. What is as it should be is not touched."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Literal

from bot import metrics
from bot.check import CHECK_NAME, Check
from bot.comment import MARKER, leading_to
from bot.github import MAX_ANNOTATIONS, Comment, Installation
from bot.ids import Sha
from bot.owners import Owners, kept
from bot.report import Report

PARTIAL = "+partial"
"""How the external id of a check run ends that lacks some of its annotations still."""


@dataclass(frozen=True, slots=True)
class About:
    """What a check run is about.

    Attributes:
        name: how its external id begins (`bot.events.about`).
        head: the commit.
        known: a run of ours may be on the commit already.
        again: when it is not 0, one is wanted that was made for this request, even if it says the same.
    """

    name: str
    head: Sha
    known: bool = True
    again: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """What was done."""

    comment: Literal["created", "edited", "unchanged", "none"]
    check: Literal["created", "finished", "unchanged"]


async def publish(
    github: Installation,
    number: int,
    about: About,
    report: Report,
    may_write: Callable[[], Awaitable[None]],
    *,
    owners: Owners | None = None,
) -> Published:
    """Reconcile GitHub with a report.

    Args:
        github: the repository.
        number: the pull request.
        about: what the report is about.
        report: what should be shown.
        may_write: asked before every write; raises when somebody else has taken over.
        owners: whom a comment tells when it is created; None when the repository does not want it.

    Returns:
        What was done; a second call with the same report does nothing.
    """
    with metrics.stage("publish"):
        check, address = await _check(github, about, report.check, may_write)
        comment = await _comment(github, number, _leading_to(report, address), may_write, owners)
    return Published(comment, check)


def _leading_to(report: Report, address: str) -> Report:
    """The report whose comment leads to the check run, which has an address only now."""
    comment, resolved = (leading_to(body, address) if body else body for body in (report.comment, report.resolved))
    return replace(report, comment=comment, resolved=resolved)


async def _check(
    github: Installation, about: About, check: Check, may_write: Callable[[], Awaitable[None]]
) -> tuple[Literal["created", "finished", "unchanged"], str]:
    """What was done, and the run's address, or "". A run says by its external id what it shows.

    Another content is another run: GitHub shows the newest of a name. All of it is completed and concluded at once, but
    for annotations, of which GitHub takes so many in a request. One that lacks some says so, too: if its maker was killed,
    the next who comes adds them.
    """
    shown = f"{about.name}:{digest(check)}"
    wanted = f"{shown}:{about.again}" if about.again else shown
    runs = await github.check_runs(about.head, CHECK_NAME) if about.known else []
    newest = max(runs, key=lambda run: run.id, default=None)
    known = "" if newest is None or newest.external_id is None else newest.external_id.removesuffix(PARTIAL)
    if newest is not None and _says(known, wanted):
        if newest.status == "completed" and newest.external_id == known:
            return "unchanged", newest.html_url or ""
        made = newest.output.annotations_count
        await _add(github, newest.id, known, check, start=made, may_write=may_write)
        return "finished", newest.html_url or ""
    first, more = check.annotations[:MAX_ANNOTATIONS], len(check.annotations) > MAX_ANNOTATIONS
    await may_write()
    run = await github.create_check_run(about.head, CHECK_NAME, wanted + PARTIAL * more, check, first)
    if more:
        await _add(github, run.id, wanted, check, start=len(first), may_write=may_write)
    return "created", run.html_url or ""


def _says(external_id: str, wanted: str) -> bool:
    """Whether a run is the one that is wanted; one that was asked for says no less than one that was not."""
    return external_id == wanted or external_id.startswith(f"{wanted}:")


async def _add(
    github: Installation, run: int, name: str, check: Check, *, start: int, may_write: Callable[[], Awaitable[None]]
) -> None:
    """Add the annotations that a run lacks, from one on. With the last of them it gets the name of a whole one."""
    rest = check.annotations[start:]
    starts = range(0, max(1, len(rest)), MAX_ANNOTATIONS)
    for at in starts:
        await may_write()
        batch = rest[at : at + MAX_ANNOTATIONS]
        await github.add_annotations(run, name + PARTIAL * (at != starts[-1]), check, batch)


def digest(check: Check) -> str:
    """A name for the content of a check run."""
    return hashlib.sha256(json.dumps(asdict(check), sort_keys=True).encode()).hexdigest()[:40]


async def _comment(
    github: Installation,
    number: int,
    report: Report,
    may_write: Callable[[], Awaitable[None]],
    owners: Owners | None,
) -> Literal["created", "edited", "unchanged", "none"]:
    body = report.resolved if report.comment is None else report.comment
    if body is None:
        return "none"
    ours = await _ours(github, number)
    if not ours and report.comment is None:
        return "none"
    done: Literal["created", "edited", "unchanged"] = "unchanged"
    if not ours:
        await may_write()
        async with owners.told(body) if owners else nullcontext(body) as text:
            created = await github.create_comment(number, text)
        # Somebody may have been faster, or an earlier attempt whose answer was lost. A list may lag behind its writes.
        known = {comment.id: comment for comment in [created, *await _ours(github, number)]}
        ours = [known[comment] for comment in sorted(known)]
        done = "created"
    oldest, *newer = ours
    for comment in newer:
        await may_write()
        await github.delete_comment(comment.id)
    if owners is not None:
        body = kept(oldest.body or "", body, over=report.comment is None)
    if not _same(oldest.body or "", body):
        await may_write()
        await github.edit_comment(oldest.id, body)
        done = "edited"
    return done


async def _ours(github: Installation, number: int) -> list[Comment]:
    """Our comments, oldest first: they have our marker, and GitHub says that our app wrote them."""
    return sorted(
        (
            comment
            for comment in await github.comments(number)
            if (comment.body or "").startswith(MARKER)
            and comment.performed_via_github_app is not None
            and comment.performed_via_github_app.id == github.app_id
        ),
        key=lambda comment: comment.id,
    )


def _same(shown: str, wanted: str) -> bool:
    """GitHub stores line ends as it likes."""
    return shown.replace("\r\n", "\n").strip() == wanted.replace("\r\n", "\n").strip()
