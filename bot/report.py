"""What a pull request should show for an analysis: values in, values out. publish.py makes GitHub show it.

Every name, path and message comes from a pull request, so all of it is hostile until `code` or `plain` made it text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
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
"""Findings that a comment lists of each kind; the check run has all."""

MAX_NAMED = 20
"""Unreadable files that are named; the rest is counted."""

_LEVELS: dict[Level, Literal["notice", "warning", "failure"]] = {
    Level.REGRESSION: "failure",
    Level.WARNING: "warning",
    Level.IMPROVEMENT: "notice",
}
_MARKS = {Level.REGRESSION: "🔴", Level.WARNING: "🟡", Level.IMPROVEMENT: "🟢", Level.NOTE: "⚪"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~<>&$])")
_REFERENCES = re.compile(r"(@|#|GH-|://|www(?=\.))|\b([0-9a-f]{3})(?=[0-9a-f]{4,37}\b)", re.IGNORECASE)
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


def code(text: str) -> str:
    """A text of unknown origin as a Markdown code span: nothing in it is markup, a link or a mention."""
    shown = visible(text) or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def plain(text: str) -> str:
    """A text of unknown origin as Markdown that shows just it: no markup, mention, issue, commit or web link."""
    line = visible(" ".join(text.split()))
    apart = _REFERENCES.sub(lambda match: f"{match[0]}\u200b", line)
    return _MARKDOWN.sub(r"\\\1", apart)


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
        return f"[{code(f'{finding.path}:{finding.line}')}]({target})"

    def item(self, finding: Finding) -> str:
        """One line of a list."""
        rest = finding.message.removeprefix(finding.symbol or "")
        subject = code(finding.symbol) if finding.symbol and rest != finding.message else ""
        words = f"{subject} {plain(rest)}".strip()
        return f"- {_MARKS[finding.level]} {words}<br>{self.link(finding)} · {finding.rule}"


def render(analysis: Analysis, repo: Repo, *, comment: Comment = "findings", web: str = "https://github.com") -> Report:
    """What a pull request should show.

    Args:
        analysis: what was found.
        repo: the base repository, for links.
        comment: when to comment (the setting WINPARITY_COMMENT).
        web: the base of links.
    """
    page = _Page(analysis, repo, web.rstrip("/"))
    body = _comment(page) if _speaks(analysis, comment) else None
    return Report(body, _resolved(page), _check(page))


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


def _comment(page: _Page) -> str:
    findings = page.analysis.findings
    news = [f for f in findings if is_news(f)]
    quiet = [f for f in findings if f.level is Level.WARNING and not f.gap]
    parts = [f"### {headline(page.analysis)}"]
    losses = [f for f in news if f.level is not Level.IMPROVEMENT]
    gains = [f for f in news if f.level is Level.IMPROVEMENT]
    parts += _list("**Windows users lose**", losses, page) + _list("**Windows users gain**", gains, page)
    parts += _incomplete(page.analysis)
    if quiet:
        title = f"{len(quiet)} more on mechanisms that Windows does not have, or that nothing there asks for"
        parts.append(_details(title, _list("", quiet, page)))
    if losses:
        parts.append(_details("What to do", [_advice(losses)]))
    parts.append(_footer(page))
    return _fit(parts)


def _list(title: str, findings: list[Finding], page: _Page) -> list[str]:
    if not findings:
        return []
    lines = [page.item(finding) for finding in findings[:MAX_LISTED]]
    if len(findings) > MAX_LISTED:
        lines.append(f"- {len(findings) - MAX_LISTED} more in the check run {code(CHECK_NAME)}")
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


def _incomplete(analysis: Analysis) -> list[str]:
    if analysis.complete:
        return []
    named = [f"- {code(entry.path)}: {plain(entry.reason)}" for entry in analysis.unreadable[:MAX_NAMED]]
    if len(analysis.unreadable) > MAX_NAMED:
        named.append(f"- {len(analysis.unreadable) - MAX_NAMED} more")
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


def _resolved(page: _Page) -> str:
    text = "### Windows: all clear\n\nWhat was reported here is resolved."
    return _fit([text, *_incomplete(page.analysis), _footer(page)])


def _fit(parts: list[str]) -> str:
    """The parts within the budget; from the end of the middle what does not fit goes, and the reader is told."""
    first, *middle, last = [f"{MARKER}\n{parts[0]}", *parts[1:]]
    cut = "Too long to show here: the check run has the rest."
    while len("\n\n".join([first, *middle, cut, last]).encode()) > BUDGET and middle:
        middle = [*middle[:-2], cut] if len(middle) > 1 and middle[-1] == cut else [*middle[:-1], cut]
        if middle == [cut]:
            break
    return "\n\n".join([first, *middle, last])


def _check(page: _Page) -> Check:
    analysis = page.analysis
    listed = [page.item(finding) for finding in analysis.findings]
    summary = "\n\n".join([_verdict_words(analysis), *_incomplete(analysis), _footer(page)])
    kept: list[str] = []
    size = 0
    for line in listed:
        size += len(line.encode()) + 1
        if size > BUDGET:
            kept.append(f"- {len(listed) - len(kept)} more; run `winparity diff` to see all")
            break
        kept.append(line)
    return Check(_conclusion(analysis), headline(analysis), summary, "\n".join(kept), tuple(_annotations(analysis)))


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
        if level is not None and finding.side == "head":
            text = visible(finding.message)
            yield Annotation(finding.path, finding.line, finding.end_line, level, finding.rule, text)
