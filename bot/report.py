"""What a pull request should show for an analysis: values in, values out. publish.py makes GitHub show it.

Every name, path and message comes from a pull request, so all of it is hostile until `code` or `plain` made it text.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal
from urllib.parse import quote

from analyzer.model import Analysis, Finding, Level
from analyzer.rules import RULES
from bot.config import Comment
from bot.ids import Repo

MARKER = "<!-- winparity -->"
"""The first line of our comment; with the app's id it is how we know our own comment again."""

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
_PAGES = {rule.id: rule.page for rule in RULES}


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


def visible(text: str) -> str:
    """A text with its control and direction characters shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short(text: str, most: int) -> str:
    """A text's first characters, made visible."""
    shown = visible(text[: most + 1])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


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
    repo: Repo
    web: str

    def link(self, finding: Finding) -> str:
        """The finding's lines at the revision that has them."""
        sha = self.analysis.head if finding.side == "head" else self.analysis.base
        lines = f"#L{finding.line}" + (f"-L{finding.end_line}" if finding.end_line != finding.line else "")
        target = f"{self.web}/{self.repo}/blob/{sha}/{quote(finding.path, safe='/')}{lines}"
        path = finding.path if len(finding.path) < MAX_NAME else f"…{finding.path[20 - MAX_NAME :]}"
        return f"[{code(f'{path}:{finding.line}')}]({target})"

    def item(self, finding: Finding) -> str:
        """One line of a list."""
        rest = finding.message.removeprefix(finding.symbol or "")
        subject = code(finding.symbol) if finding.symbol and rest != finding.message else ""
        words = f"{subject} {plain(rest)}".strip()
        return f"- {words}<br>{self.link(finding)} · {finding.rule} ({finding.level.value})"


def render(analysis: Analysis, repo: Repo, *, comment: Comment = "findings", web: str = "https://github.com") -> Report:
    """What a pull request should show.

    Args:
        analysis: what was found.
        repo: the base repository, for links.
        comment: when to comment (the setting WINPARITY_COMMENT).
        web: the base of links.
    """
    page = _Page(analysis, repo, web.rstrip("/"))
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


def unreadable_source(reason: str) -> Report:
    """What to show when git could not give the source."""
    return Report(None, None, Check("neutral", "The source could not be read", plain(reason), ""))


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
    """The findings in one line of plain words."""
    counts = {level: sum(f.level is level for f in analysis.findings) for level in Level if level is not Level.NOTE}
    said = [f"{n} {level.value}{'s' * (n != 1)}" for level, n in counts.items() if n]
    if not said:
        return "Nothing changes for Windows" if analysis.complete else "Nothing found, but not all could be read"
    return "Windows: " + ", ".join(said)


def _comment(page: _Page, most: int) -> list[str]:
    findings = page.analysis.findings
    news = [f for f in findings if is_news(f)]
    quiet = [f for f in findings if f.level is Level.WARNING and not f.gap]
    parts = [f"### {headline(page.analysis)}"]
    losses = [f for f in news if f.level is not Level.IMPROVEMENT]
    gains = [f for f in news if f.level is Level.IMPROVEMENT]
    parts += _list("**Windows users lose**", losses, page, most) + _list("**Windows users gain**", gains, page, most)
    parts += _incomplete(page.analysis, most)
    if quiet:
        title = f"{len(quiet)} more on mechanisms that Windows does not have, or that nothing there asks for"
        parts.append(_details(title, _list("", quiet, page, most)))
    if losses:
        parts.append(_details("What to do", [_advice(losses)]))
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


def _advice(findings: list[Finding]) -> str:
    """The rules' own words on what to do, once for each rule."""
    rules = dict.fromkeys(finding.rule for finding in findings)
    return "\n".join(f"- **{rule}**: {plain(section(_PAGES[rule], 'What to do'))}" for rule in rules)


def section(page: str, title: str) -> str:
    """The text under a heading of a rule's page."""
    _, _, rest = page.partition(f"\n{title}\n")
    lines = []
    for line in rest.splitlines():
        if line and not line.startswith(" "):
            break
        lines.append(line.strip())
    return " ".join(line for line in lines if line)


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
    shas = f"{page.web}/{page.repo}/compare/{analysis.base}...{analysis.head}"
    return (
        f"<sub>Windows parity of the changed packages: {before} % → {after} % · "
        f"[{analysis.base[:7]}…{analysis.head[:7]}]({shas}) · all findings are in the check run · "
        "this comment is kept up to date</sub>"
    )


def _resolved(page: _Page, most: int) -> list[str]:
    text = "### Windows: all clear\n\nWhat was reported here is resolved."
    if not page.analysis.complete:
        text = "### Windows: nothing found, but not all could be read\n\nWhat was reported here is no longer found."
    return [text, *_incomplete(page.analysis, most), _footer(page)]


def _fitting(parts: Callable[[int], list[str]], first: str = "") -> str:
    """The longest text within the budget. What is left out was never begun, so the Markdown stays whole."""
    texts = (first + "\n\n".join(parts(most)) for most in FEWER)
    return next(text for text in texts if len(text.encode()) <= BUDGET)


def _check(page: _Page) -> Check:
    analysis = page.analysis
    summary = _fitting(lambda most: [_verdict_words(analysis), *_incomplete(analysis, most), _footer(page)])
    return Check(_conclusion(analysis), headline(analysis), summary, _all(page), tuple(_annotations(analysis)))


def _all(page: _Page) -> str:
    """All findings, as far as the budget goes."""
    lines = [page.item(finding) for finding in page.analysis.findings]
    ends = list(accumulate(len(line.encode()) + 1 for line in lines))
    if not ends or ends[-1] <= BUDGET:
        return "\n".join(lines)
    more = "- {} more; run `winparity diff` to see all"
    kept = bisect_right(ends, BUDGET - len(more.format(len(lines))))
    return "\n".join([*lines[:kept], more.format(len(lines) - kept)])


def _verdict_words(analysis: Analysis) -> str:
    return {
        "improved": "Windows users gain by this change.",
        "regressed": "Windows users lose by this change.",
        "mixed": "Windows users gain and lose by this change.",
        "unchanged": "What Windows users have stays as it is.",
    }[analysis.verdict]


def _conclusion(analysis: Analysis) -> Literal["success", "neutral", "failure"]:
    """Only a regression is a failure; a warning with a gap, and whatever is not known, is neutral."""
    if any(finding.level is Level.REGRESSION for finding in analysis.findings):
        return "failure"
    warned = any(f.level is Level.WARNING and f.gap for f in analysis.findings)
    return "neutral" if warned or not analysis.complete else "success"


def _annotations(analysis: Analysis) -> Iterable[Annotation]:
    """Remarks on lines of head; what stands at base only cannot be annotated."""
    for finding in analysis.findings:
        level = _LEVELS.get(finding.level)
        if finding.level is Level.WARNING and not finding.gap:
            level = "notice"  # by design, or nothing that a user can miss
        if level is not None and finding.side == "head":
            text = short(finding.message, MAX_MESSAGE)
            yield Annotation(finding.path, finding.line, finding.end_line, level, finding.rule, text)
