"""What a pull request should show for an analysis: values in, values out. publish.py makes GitHub show it.

Every name, path and message comes from a pull request, so all of it is hostile until `code` or `plain` made it text.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal
from urllib.parse import quote

from analyzer import directives, suppress
from analyzer.model import Analysis, Finding, Level
from analyzer.names import in_words_of, platform_name
from analyzer.rules import RULES
from analyzer.rules.pages import page_of
from bot import repo_config
from bot.config import Comment
from bot.ids import Repo
from bot.repo_config import Problem, RepoConfig
from bot.text import short

MARKER = "<!-- winparity -->"
"""The first line of our comment; with the app's id it is how we know our own comment again."""

MARKER_IN_SOURCE = directives.MARKER
"""How a comment in the source begins that accepts a finding."""

CHECK_NAME = "winparity"
"""The check run's name, as branch protection knows it."""


BUDGET = 60_000
"""Bytes of a comment or of a check run's text. GitHub takes 65,536 and 65,535 characters."""

MAX_LISTED = 25
"""Findings that a comment lists of each kind, and unreadable files that are named; the check run has all findings."""

FEWER = (MAX_LISTED, 10, 3, 0)
"""What is listed of each kind when the budget would be passed; 0 leaves counts only, which always fit."""

MAX_NAME = 200
"""Characters of a name or path that are shown: Go sets no limit to them."""

MAX_MESSAGE = 1_000
"""Characters of a message that are shown. GitHub takes 64 KiB in an annotation."""

_LEVELS: dict[Level, Literal["notice", "warning", "failure"]] = {
    Level.REGRESSION: "failure",
    Level.WARNING: "warning",
    Level.IMPROVEMENT: "notice",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~<>&$])")
# A break after each match keeps GitHub from seeing a mention, an issue, an emoji, a web address or a commit. An address
# is broken before its slashes: after them the break would be part of a host name, which browsers then ignore.
_REFERENCES = re.compile(r"@|#|GH-|:(?=//|[\w+-]+:)|www(?=\.)|[0-9a-f]{6}(?=[0-9a-f])", re.IGNORECASE)
# What would begin a list, a line or a heading.
_BLOCK = re.compile(r"^(\d*)([-.=])")
PAGES = {rule.id: rule.page for rule in RULES} | suppress.PAGES
"""Every page by the id of its findings."""


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
class Check:
    """The completed check run: what is to be shown on the head commit."""

    conclusion: Literal["success", "neutral", "failure"]
    title: str
    summary: str
    text: str
    annotations: tuple[Annotation, ...] = ()


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


def code(text: str) -> str:
    """A text of unknown origin as a Markdown code span: nothing in it is markup, a link or a mention."""
    shown = short(text, MAX_NAME) or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def plain(text: str) -> str:
    """A text of unknown origin as Markdown that shows just it: no markup, mention, issue, commit or web link."""
    line = short(" ".join(text.split()), MAX_MESSAGE)
    apart = _REFERENCES.sub(lambda match: f"{match[0]}\u200b", line)
    return _BLOCK.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", apart))


@dataclass(frozen=True, slots=True)
class _Page:
    """Where links go."""

    analysis: Analysis
    repo: Repo | None
    web: str
    config: RepoConfig = field(default_factory=RepoConfig)
    edited: Sequence[Problem] = ()

    @property
    def target(self) -> str:
        """The platform that is judged, as people call it."""
        return platform_name(self.analysis.options.target)

    def link(self, finding: Finding) -> str:
        """The finding's lines at the revision that has them."""
        sha = self.analysis.head if finding.side == "head" else self.analysis.base
        lines = f"#L{finding.line}" + (f"-L{finding.end_line}" if finding.end_line != finding.line else "")
        target = f"{self.web}/{self.repo}/blob/{sha}/" if self.repo else ""
        target += quote(finding.path, safe="/") + lines
        path = finding.path if len(finding.path) < MAX_NAME else f"…{finding.path[20 - MAX_NAME :]}"
        return f"[{code(f'{path}:{finding.line}')}]({target})"

    def item(self, finding: Finding) -> str:
        """One line of a list."""
        rest = finding.message.removeprefix(finding.symbol or "")
        subject = code(finding.symbol) if finding.symbol and rest != finding.message else ""
        words = f"{subject} {plain(rest)}".strip()
        return f"- {words}<br>{self.link(finding)} · {finding.rule} ({finding.level.value})"


def render(
    analysis: Analysis,
    repo: Repo | None,
    *,
    comment: Comment = "findings",
    web: str = "https://github.com",
    config: RepoConfig | None = None,
    edited: Sequence[Problem] = (),
) -> Report:
    """What a pull request should show.

    Args:
        analysis: what was found.
        repo: the base repository, for links; without one they lead to files beside the text.
        comment: when to comment (the setting WINPARITY_COMMENT).
        web: the base of links.
        config: the repository's settings, as the base has them.
        edited: what is wrong with the settings that the pull request brings.
    """
    page = _Page(analysis, repo, web.rstrip("/"), config or RepoConfig(), edited)
    first = f"{MARKER}\n"
    body = _fitting(lambda most: _comment(page, most), first) if _speaks(analysis, comment) else None
    return Report(body, _fitting(lambda most: _resolved(page, most), first), _check(page))


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


def _speaks(analysis: Analysis, mode: Comment) -> bool:
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


def is_news(finding: Finding) -> bool:
    """Whether a finding alone is worth a comment: a stub by design is not."""
    return finding.level in {Level.REGRESSION, Level.IMPROVEMENT} or (finding.level is Level.WARNING and finding.gap)


def headline(analysis: Analysis) -> str:
    """The findings in one line of plain words. What a change accepts by itself is said: it is the reviewer's to judge."""
    target = platform_name(analysis.options.target)
    counts = {level: sum(f.level is level for f in analysis.findings) for level in Level if level is not Level.NOTE}
    said = [f"{n} {level.value}{'s' * (n != 1)}" for level, n in counts.items() if n]
    if accepted := sum(f.accepted is not None and f.accepted.new for f in analysis.findings):
        said.append(f"{accepted} accepted in this very change")
    if not said:
        return f"Nothing changes for {target}" if analysis.complete else "Nothing found, but not all could be read"
    return f"{target}: " + ", ".join(said)


def _comment(page: _Page, most: int) -> list[str]:
    findings = page.analysis.findings
    news = [f for f in findings if is_news(f)]
    quiet = [f for f in findings if f.level is Level.WARNING and not f.gap and f.rule not in suppress.PAGES]
    accepting = [f for f in findings if f.level is Level.WARNING and f.rule in suppress.PAGES]
    accepted = [f for f in findings if f.accepted is not None and f.accepted.new]
    parts = [f"### {headline(page.analysis)}"]
    losses = [f for f in news if f.level is not Level.IMPROVEMENT]
    gains = [f for f in news if f.level is Level.IMPROVEMENT]
    parts += _list(f"**{page.target} users lose**", losses, page, most)
    parts += _list(f"**{page.target} users gain**", gains, page, most)
    parts += _list("**Accepted in this very change**", accepted, page, most)
    parts += _incomplete(page.analysis, most)
    if quiet:
        title = f"{len(quiet)} more on mechanisms that {page.target} does not have, or that nothing there asks for"
        parts.append(_details(title, _list("", quiet, page, most)))
    if accepting:
        title = f"{len(accepting)} on comments and entries that accept findings"
        parts.append(_details(title, _list("", accepting, page, most)))
    if losses:
        parts.append(_details("What to do", [_advice(losses, page)]))
    return [*parts, _footer(page)]


def _list(title: str, findings: list[Finding], page: _Page, most: int) -> list[str]:
    if not findings:
        return []
    lines = [page.item(finding) for finding in findings[:most]]
    if len(findings) > most:
        lines.append(f"- {len(findings) - most} more in the check run {code(CHECK_NAME)}")
    return [title] * bool(title) + ["\n".join(lines)]


def _details(title: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"<details><summary>{title}</summary>", *parts, "</details>"])


def _advice(findings: list[Finding], page: _Page) -> str:
    """The rules' own words on what to do, once for each rule; and how to accept what is meant to be so."""
    rules = dict.fromkeys(finding.rule for finding in findings)
    advice = {rule: in_words_of(page.analysis.options, section(PAGES[rule], "What to do")) for rule in rules}
    lines = [f"- **{rule}**: {plain(words)}" for rule, words in advice.items()]
    example = code(f"{MARKER_IN_SOURCE} {next(iter(rules))} the reason")
    return "\n".join(
        [*lines, f"- If it is meant to be so, accept it: {example} above the declaration, or above `package`."]
    )


def section(page: str, title: str) -> str:
    """The text under a heading of a rule's page."""
    return page_of(page).sections.get(title, "")


def _incomplete(analysis: Analysis, most: int) -> list[str]:
    if analysis.complete:
        return []
    named = [f"- {code(entry.path)}: {plain(entry.reason)}" for entry in analysis.unreadable[:most]]
    if len(analysis.unreadable) > most:
        named.append(f"- {len(analysis.unreadable) - most} more")
    return ["**Not everything could be read**, so this may not be all:", "\n".join(named)]


def _footer(page: _Page) -> str:
    analysis = page.analysis
    before, after = analysis.base_score.percent, analysis.head_score.percent
    shas = f"{analysis.base[:7]}…{analysis.head[:7]}"
    if page.repo:
        shas = f"[{shas}]({page.web}/{page.repo}/compare/{analysis.base}...{analysis.head})"
    return (
        f"<sub>{page.target} parity of the changed packages: {before} % → {after} % · "
        f"{shas} · all findings are in the check run · this comment is kept up to date</sub>"
    )


def _resolved(page: _Page, most: int) -> list[str]:
    accepted = [finding for finding in page.analysis.findings if finding.accepted is not None and finding.accepted.new]
    how = "is resolved, or accepted in this very change" if accepted else "is resolved"
    text = f"### {page.target}: all clear\n\nWhat was reported here {how}."
    if not page.analysis.complete:
        text = (
            f"### {page.target}: nothing found, but not all could be read\n\nWhat was reported here is no longer found."
        )
    return [text, *_list("", accepted, page, most), *_incomplete(page.analysis, most), _footer(page)]


def _fitting(parts: Callable[[int], list[str]], first: str = "") -> str:
    """The longest text within the budget. What is left out was never begun, so the Markdown stays whole."""
    texts = (first + "\n\n".join(parts(most)) for most in FEWER)
    return next(text for text in texts if len(text.encode()) <= BUDGET)


def _check(page: _Page) -> Check:
    analysis = page.analysis
    summary = _fitting(
        lambda most: [_verdict_words(page), *_incomplete(analysis, most), *_mistakes(page, most), _footer(page)]
    )
    title = headline(analysis) + f"; {repo_config.PATH} is not as it should be" * bool(page.edited)
    return Check(_conclusion(page), title, summary, _all(page), tuple(_annotations(page)))


def _mistakes(page: _Page, most: int) -> list[str]:
    """What is wrong with the repository's settings, at the base and in the pull request."""
    file, edited = code(page.config.file), code(repo_config.PATH)
    parts = []
    for problems, words in (
        (page.config.problems, f"**{file} is not as it should be**, so the defaults hold:"),
        (page.edited, f"**{edited} as this pull request has it is not as it should be**; the defaults would hold:"),
    ):
        if problems:
            parts += [words, "\n".join(f"- {plain(str(problem))}" for problem in problems[:most])]
    return parts


def _all(page: _Page) -> str:
    """All findings, as far as the budget goes, those that were accepted last."""
    findings = sorted(page.analysis.findings, key=lambda finding: finding.accepted is not None)
    lines = [page.item(finding) for finding in findings]
    ends = list(accumulate(len(line.encode()) + 1 for line in lines))
    if not ends or ends[-1] <= BUDGET:
        return "\n".join(lines)
    more = "- {} more; run `winparity diff` to see all"
    kept = bisect_right(ends, BUDGET - len(more.format(len(lines))))
    return "\n".join([*lines[:kept], more.format(len(lines) - kept)])


def _verdict_words(page: _Page) -> str:
    return {
        "improved": f"{page.target} users gain by this change.",
        "regressed": f"{page.target} users lose by this change.",
        "mixed": f"{page.target} users gain and lose by this change.",
        "unchanged": f"What {page.target} users have stays as it is.",
    }[page.analysis.verdict]


FAILS = {
    "regression": frozenset({Level.REGRESSION}),
    "warning": frozenset({Level.REGRESSION, Level.WARNING}),
    "never": frozenset[Level](),
}
"""The levels at which a check or a command fails, by the setting."""


def _conclusion(page: _Page) -> Literal["success", "neutral", "failure"]:
    """A failure from the level on that the repository sets; neutral for what a user can miss, and for the unknown."""
    analysis = page.analysis
    if any(finding.level in FAILS[page.config.fail_on] for finding in analysis.findings):
        return "failure"
    noted = any(f.level in FAILS["warning"] and (f.gap or f.level is Level.REGRESSION) for f in analysis.findings)
    return "neutral" if noted or not analysis.complete or page.config.problems or page.edited else "success"


def _annotations(page: _Page) -> Iterable[Annotation]:
    """Remarks on lines of head; what stands at base only cannot be annotated."""
    for finding in page.analysis.findings:
        level = _LEVELS.get(finding.level)
        if finding.level is Level.WARNING and not finding.gap:
            level = "notice"  # by design, or nothing that a user can miss
        if level is not None and finding.side == "head":
            text = short(finding.message, MAX_MESSAGE)
            yield Annotation(finding.path, finding.line, finding.end_line, level, finding.rule, text)
    for problem in page.edited:
        text = short(problem.words, MAX_MESSAGE)
        yield Annotation(repo_config.PATH, problem.line, problem.line, "warning", "settings", text)
