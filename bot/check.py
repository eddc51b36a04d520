"""The check run: what the head commit shows. It has every finding, also where the comment is silent."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from analyzer import directives
from analyzer.model import Finding, Level
from analyzer.names import in_words_of
from bot import repo_config
from bot.docs import FIX, in_short
from bot.markdown import MAX_MESSAGE, code, fenced, plain, short, unlinked
from bot.passages import (
    BUDGET,
    Page,
    footer,
    headline,
    how_to_accept,
    is_news,
    kinds,
    listed,
    text_of,
    unread,
    within_budget,
)

MAX_ANNOTATED = 500
"""Remarks on lines, the worst first. GitHub takes fifty in a request, and shows few of so many; the text has them all."""

CHECK_NAME = "winparity"
"""The check run's name, as branch protection knows it."""

MAX_TITLE = 140
"""Characters of a title: lists of checks show not even that many."""

MAX_PATCH = 6_000
"""Bytes of a patch that is shown: a longer one is to be written by hand, or taken from `winparity diff --patch`."""

LEAST = 50
"""Bytes that a finding takes in the text at least, with its links."""

FAILS = {
    "regression": frozenset({Level.REGRESSION}),
    "warning": frozenset({Level.REGRESSION, Level.WARNING}),
    "never": frozenset[Level](),
}
"""The levels at which a check or a command fails, by the setting."""

_LEVELS: dict[Level, Literal["notice", "warning", "failure"]] = {
    Level.REGRESSION: "failure",
    Level.WARNING: "warning",
    Level.IMPROVEMENT: "notice",
}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One remark on lines of a file at head, as the Checks API takes it. Lines count from 1."""

    path: str
    start_line: int
    end_line: int
    level: Literal["notice", "warning", "failure"]
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class Action:
    """A button of the check run, as the Checks API takes it: at most 20, 40 and 20 characters."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Check:
    """The completed check run: what is to be shown on the head commit."""

    conclusion: Literal["success", "neutral", "failure"]
    title: str
    summary: str
    text: str
    annotations: tuple[Annotation, ...] = ()
    actions: tuple[Action, ...] = ()


def check_run(page: Page) -> Check:
    """The check run of an analysis."""
    title = headline(page.analysis) + f"; {repo_config.PATH} is not as it should be" * bool(page.edited)
    return Check(
        _conclusion(page),
        short(title, MAX_TITLE),
        within_budget(page, _summary),
        _text(page),
        tuple(islice(_annotations(page), MAX_ANNOTATED)),
    )


def _conclusion(page: Page) -> Literal["success", "neutral", "failure"]:
    """A failure from the level on that the repository sets; neutral for what a user can miss, and for the unknown."""
    analysis = page.analysis
    if any(finding.level in FAILS[page.config.fail_on] for finding in analysis.findings):
        return "failure"
    noted = any(f.level in FAILS["warning"] and (f.gap or f.level is Level.REGRESSION) for f in analysis.findings)
    return "neutral" if noted or not analysis.complete or page.config.problems or page.edited else "success"


def _summary(page: Page, most: int) -> Iterable[str]:
    yield _in_a_sentence(page)
    yield from unread(page.analysis, most)
    yield from _mistakes(page, most)
    yield footer(page)


def _in_a_sentence(page: Page) -> str:
    found = kinds(page.analysis)
    match bool(found.losses), bool(found.gains):
        case True, True:
            return f"{page.target} users lose and gain by this change."
        case True, False:
            return f"{page.target} users lose by this change."
        case False, True:
            return f"{page.target} users gain by this change."
        case _ if found.accepted:
            return f"What {page.target} users lose by this change is accepted."
        case _:
            return f"What {page.target} users have stays as it is."


def _mistakes(page: Page, most: int) -> Iterable[str]:
    """What is wrong with the repository's settings, at the base and in the pull request."""
    file, edited = code(page.config.file), code(repo_config.PATH)
    for problems, words in (
        (page.config.problems, f"**{file} is not as it should be**, so the defaults hold:"),
        (page.edited, f"**{edited} as this pull request has it is not as it should be**; the defaults would hold:"),
    ):
        if problems:
            yield words
            yield "\n".join(f"- {plain(str(problem))}" for problem in problems[:most])


def _text(page: Page) -> str:
    """All findings, as many of them as the budget takes."""
    total = min(len(page.analysis.findings), BUDGET // LEAST)
    most = bisect_right(range(total + 1), BUDGET, key=lambda most: len(text_of(page, _findings, most).encode())) - 1
    return text_of(page, _findings, max(0, most))


def _findings(page: Page, most: int) -> Iterable[str]:
    """The first so many findings, kind by kind."""
    found = kinds(page.analysis)
    left = most
    meant = found.losses or found.quiet
    for title, some in (
        (f"{page.target} users lose", found.losses),
        (f"{page.target} users gain", found.gains),
        ("Accepted in this very change", found.accepted),
        ("Users are unlikely to notice", found.quiet),
        ("On comments and entries that accept findings", found.accepting),
        ("For context", found.context),
    ):
        kept = some[:left]
        left -= len(kept)
        advice = some in (found.losses, found.accepting)
        yield from listed(f"#### {title}", kept, page, len(kept), advice=advice, chains=True)
        yield from patches(kept)
        if kept and some is meant:
            yield from how_to_accept(kept, page)
    if most < len(page.analysis.findings):
        yield f"{len(page.analysis.findings) - most} more: run `winparity diff` to see all."
    yield from (*page.said.explained, *page.said.rest)


def patches(findings: Iterable[Finding]) -> Iterable[str]:
    """What to add for findings, folded away: patches as they can be applied, and why there is none for the others."""
    for finding in findings:
        advice = finding.advice
        if advice is None:
            continue
        if advice.reason:
            yield f"No patch for {code(finding.symbol or finding.path)}: {plain(advice.reason)}."
        elif advice.patch and len(advice.patch.encode()) <= MAX_PATCH:
            yield "<details><summary>A patch that declares it as not supported</summary>"
            yield f"For {code(advice.path)}:"
            yield fenced(advice.patch.rstrip(), "diff")
            yield "</details>"


def _annotations(page: Page) -> Iterable[Annotation]:
    """Remarks on lines of head; what stands at base only cannot be annotated."""
    for finding in page.analysis.findings:
        level = _LEVELS.get(finding.level)
        if finding.level is Level.WARNING and not finding.gap:
            level = "notice"  # by design, or nothing that a user can miss
        if level is not None and finding.side == "head":
            text = unlinked(_remark(finding, page))
            yield Annotation(finding.path, finding.line, finding.end_line, level, finding.rule, text)
    for problem in page.edited:
        text = unlinked(short(problem.words, MAX_MESSAGE))
        yield Annotation(repo_config.PATH, problem.line, problem.line, "warning", "settings", text)


def _remark(finding: Finding, page: Page) -> str:
    """What happened, how to fix it, how to accept it: a line each."""
    what = short(finding.message, MAX_MESSAGE)
    if not is_news(finding) or finding.level is Level.IMPROVEMENT:
        return what
    fix = in_words_of(page.analysis.options, in_short(finding.rule, FIX))
    return f"{what}\nTo fix it: {fix}\nMeant to be so? {directives.MARKER} {finding.rule} REASON"
