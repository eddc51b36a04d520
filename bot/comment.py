"""The comment on a pull request: whether there is one, what it says, and what it says when nothing is left to say."""

from collections.abc import Iterable, Sequence

from analyzer.model import Analysis, Finding, Level
from bot.config import Comment
from bot.passages import (
    FULL_REPORT,
    Page,
    footer,
    headline,
    how_to_accept,
    is_news,
    kinds,
    listed,
    unread,
    within_budget,
)

MARKER = "<!-- winparity -->"
"""The first line of our comment; with the app's id it is how we know our own comment again."""


def speaks(analysis: Analysis, mode: Comment) -> bool:
    """Whether the findings are news for a person (findings, "When it speaks")."""
    match mode:
        case "never":
            return False
        case "always":
            return True
        case "regressions":
            return any(finding.level is Level.REGRESSION for finding in analysis.findings)
        case "findings":
            return any(is_news(finding) for finding in analysis.findings)


def comment(page: Page) -> str:
    """The comment's body while there is something to say."""
    return within_budget(page, _news, f"{MARKER}\n")


def resolved(page: Page) -> str:
    """The body of a comment that is already there, once there is nothing to say any more."""
    return within_budget(page, _no_news, f"{MARKER}\n")


def leading_to(body: str, address: str) -> str:
    """A body whose link to the full report leads to the check run.

    Args:
        body: of ours.
        address: of the check run, from GitHub; "" leaves the body as it is.
    """
    before, label, _ = body.rpartition(f"\n[{FULL_REPORT}]: ")
    return f"{before}{label}{address}" if label and address else body


def _news(page: Page, most: int) -> Iterable[str]:
    """What is most urgent comes first: a mail shows details unfolded."""
    found = kinds(page.analysis)
    yield f"### {headline(page.analysis)}"
    yield from listed(f"**{page.target} users lose**", found.losses, page, most, advice=True)
    yield from how_to_accept(found.losses, page)
    yield from listed(f"**{page.target} users gain**", found.gains, page, most)
    yield from listed("**Accepted in this very change**", found.accepted, page, most)
    yield from unread(page.analysis, most)
    title = f"{len(found.quiet)} more that users are unlikely to notice"
    yield from _details(title, found.quiet, page, most, advice=False)
    title = f"{len(found.accepting)} on comments and entries that accept findings"
    yield from _details(title, found.accepting, page, most, advice=True)
    yield from (*page.said.explained, *page.said.rest)
    yield footer(page, *[page.full_report] * page.by_app)


def _details(title: str, findings: Sequence[Finding], page: Page, most: int, *, advice: bool) -> Iterable[str]:
    if findings:
        yield f"<details><summary>{title}</summary>"
        yield from listed("", findings, page, most, advice=advice)
        yield "</details>"


def _no_news(page: Page, most: int) -> Iterable[str]:
    analysis, found = page.analysis, kinds(page.analysis)
    how = "is resolved, or accepted in this very change" if found.accepted else "is resolved"
    if any(finding.level is Level.REGRESSION for finding in found.losses):
        yield f"### {headline(analysis)}"
        yield "Comments are off here now; the full report is kept up to date."
    elif analysis.complete:
        yield f"### {page.target}: resolved"
        yield f"What was reported here {how}."
    else:
        yield f"### {page.target}: nothing found; not all could be read"
        yield "What was reported here is no longer found."
    yield from listed("", found.accepted, page, most)
    if left := len([*found.losses, *found.quiet, *found.accepting]):
        yield f"{left} finding{'s' * (left != 1)} left: see {page.full_report}."
    yield from unread(analysis, most)
    yield from (*page.said.explained, *page.said.rest)
    yield footer(page, *[page.full_report] * page.by_app)
