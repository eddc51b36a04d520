"""What a pull request should show for an analysis: values in, values out. publish.py makes GitHub show it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analyzer.model import Analysis
from bot.check import Check, check_run
from bot.comment import comment as comment_of
from bot.comment import resolved, speaks
from bot.config import Comment
from bot.finding_ids import short_ids
from bot.ids import Repo
from bot.markdown import code, plain
from bot.passages import Page, Said
from bot.repo_config import Problem, RepoConfig


@dataclass(frozen=True, slots=True)
class Report:
    """All that a pull request should show.

    Attributes:
        comment: the comment's body, or None when nothing is worth a comment.
        resolved: the body for a comment that is already there when ``comment`` is None; None leaves it as it is.
        check: the check run.
    """

    comment: str | None
    resolved: str | None
    check: Check


def render(
    analysis: Analysis,
    repo: Repo | None,
    *,
    comment: Comment = "findings",
    web: str = "https://github.com",
    config: RepoConfig | None = None,
    edited: Sequence[Problem] = (),
    by_app: bool = True,
    said: Said | None = None,
) -> Report:
    """What a pull request should show.

    Args:
        analysis: what was found.
        repo: the base repository, for links; without one they lead to files beside the text.
        comment: when to comment (the setting WINPARITY_COMMENT).
        web: the base of links.
        config: the repository's settings, as the base has them.
        edited: what is wrong with the settings that the pull request brings.
        by_app: whether the app shows it: only then there is a check run, and somebody answers commands.
        said: what somebody asked for.
    """
    ids, asked = short_ids(analysis.findings), said or Said()
    page = Page(analysis, repo, web.rstrip("/"), by_app, config or RepoConfig(), edited, ids, asked)
    body = comment_of(page) if speaks(analysis, comment) else None
    in_check = replace(asked, rest=()) if body else asked
    return Report(body, resolved(page), check_run(replace(page, said=in_check)))


def internal_error(delivery: str) -> Report:
    """What to show when we failed ourselves: never green, never red, and no comment."""
    summary = (
        "winparity failed on this commit, which says nothing about the change. It will look again at the next push, or "
        f"when the delivery {code(delivery)} is sent again."
    )
    return Report(None, None, Check("neutral", "winparity failed; the change was not checked", summary, ""))


def not_checked(reason: str) -> Report:
    """What to show when git could not give the source, or it asks for too much."""
    return Report(None, None, Check("neutral", "The change could not be checked", plain(reason), ""))
