"""Makes a pull request show a report: one comment, one check run. What is as it should be is not touched."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Literal

from bot.github import Comment, Installation
from bot.ids import Sha
from bot.report import CHECK_NAME, MARKER, Check, Report


@dataclass(frozen=True, slots=True)
class Published:
    """What was done."""

    comment: Literal["created", "edited", "unchanged", "none"]
    check: Literal["created", "unchanged"]


async def publish(
    github: Installation, number: int, head: Sha, report: Report, may_write: Callable[[], Awaitable[None]]
) -> Published:
    """Reconcile GitHub with a report.

    Args:
        github: the repository.
        number: the pull request.
        head: the commit that the report is about.
        report: what should be shown.
        may_write: asked before every write; raises when somebody else has taken over.

    Returns:
        What was done; a second call with the same report does nothing.
    """
    check = await _check(github, head, report.check, may_write)
    comment = await _comment(github, number, report, may_write)
    return Published(comment, check)


async def _check(
    github: Installation, head: Sha, check: Check, may_write: Callable[[], Awaitable[None]]
) -> Literal["created", "unchanged"]:
    """A run says by its external id what it shows. Another content is another run: GitHub shows the newest of a name."""
    wanted = digest(check)
    runs = await github.check_runs(head, CHECK_NAME)
    newest = max(runs, key=lambda run: run.id, default=None)
    if newest is not None and newest.external_id == wanted and newest.status == "completed":
        return "unchanged"
    await may_write()
    await github.create_check_run(head, CHECK_NAME, wanted, check)
    return "created"


def digest(check: Check) -> str:
    """A name for the content of a check run."""
    return hashlib.sha256(json.dumps(asdict(check), sort_keys=True).encode()).hexdigest()[:40]


async def _comment(
    github: Installation, number: int, report: Report, may_write: Callable[[], Awaitable[None]]
) -> Literal["created", "edited", "unchanged", "none"]:
    ours = await _ours(github, number)
    if not ours and report.comment is None:
        return "none"
    if not ours and report.comment is not None:
        await may_write()
        await github.create_comment(number, report.comment)
        # Somebody may have been faster, or an earlier attempt whose answer was lost.
        await _keep_oldest(github, await _ours(github, number), may_write)
        return "created"
    body = report.comment if report.comment is not None else report.resolved
    await _keep_oldest(github, ours, may_write)
    if _same(ours[0].body or "", body):
        return "unchanged"
    await may_write()
    await github.edit_comment(ours[0].id, body)
    return "edited"


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


async def _keep_oldest(github: Installation, ours: list[Comment], may_write: Callable[[], Awaitable[None]]) -> None:
    for comment in ours[1:]:
        await may_write()
        await github.delete_comment(comment.id)


def _same(shown: str, wanted: str) -> bool:
    """GitHub stores line ends as it likes."""
    return shown.replace("\r\n", "\n").strip() == wanted.replace("\r\n", "\n").strip()
