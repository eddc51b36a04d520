"""What a comment and a check run have in common: findings with evidence and advice, what was not read, the footer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from analyzer import directives, suppress
from analyzer.model import Analysis, Finding, Level, Place
from analyzer.names import in_words_of, platform_name
from bot.affected import reach_of
from bot.docs import FIX, RULES_PAGE, SETTINGS_PAGE, WHY, in_short, rule_address
from bot.ids import Repo
from bot.markdown import Links, code, fragment, located, plain
from bot.repo_config import Problem, RepoConfig

BUDGET = 60_000
"""Bytes of a comment or of a check run's text. GitHub takes 65,536 and 65,535 characters."""

FEWER = (10, 3, 0)
"""What is listed of each kind, less when the budget would be passed; 0 leaves counts only, which always fit."""

FULL_REPORT = "full-report"
"""The label of the link from a comment to the check run."""

# What a finding's counterpart is, where it is not the same symbol on the other platform.
_COUNTERPARTS = {"vendor-drift": "in the vendored package"}


@dataclass(frozen=True, slots=True)
class Said:
    """What is shown because somebody asked: paragraphs of Markdown, all together far less than the budget.

    Attributes:
        explained: on findings; the check run has it, too.
        rest: for the conversation; the check run has it only where there is no comment.
    """

    explained: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What a text is about, and where its links go.

    Attributes:
        analysis: what was found.
        repo: the base repository; without one links lead to files beside the text.
        web: the base of links.
        by_app: whether the app shows it: only then there is a check run, and somebody answers commands.
        config: the repository's settings, as the base has them.
        edited: what is wrong with the settings that the pull request brings.
        ids: how commands call the findings, by fingerprint.
        said: what somebody asked for.
        links: those of the text so far.
    """

    analysis: Analysis
    repo: Repo | None
    web: str
    by_app: bool = True
    config: RepoConfig = field(default_factory=RepoConfig)
    edited: Sequence[Problem] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    said: Said = field(default_factory=Said)
    links: Links = field(default_factory=Links)

    @property
    def target(self) -> str:
        """The platform that is judged, as people call it."""
        return platform_name(self.analysis.options.target)

    @property
    def reference(self) -> str:
        """The platform that it is judged by."""
        return platform_name(self.analysis.options.reference)

    @property
    def full_report(self) -> str:
        """A link to all findings, or words where there is none. `publish` knows a better address than this one."""
        if self.repo is None or not self.by_app:
            return "`winparity diff`"
        address = f"{self.web}/{self.repo}/commit/{self.analysis.head}/checks"
        return self.links.to("full report", address, FULL_REPORT)

    def link(self, words: str, side: str, place: Place, end_line: int = 0) -> str:
        """A link to lines of a file at the revision that has them."""
        sha = self.analysis.head if side == "head" else self.analysis.base
        folder = f"{self.web}/{self.repo}/blob/{sha}/" if self.repo else ""
        return self.links.to(words, folder + quote(place.path, safe="/") + fragment(place.line, end_line))


def within_budget(page: Page, compose: Callable[[Page, int], Iterable[str]], first: str = "") -> str:
    """The longest text within the budget. What is left out was never begun, so the Markdown stays whole.

    Args:
        page: what it is about.
        compose: the paragraphs, when so many are listed of each kind.
        first: what it begins with.
    """
    texts = (first + text_of(page, compose, most) for most in FEWER)
    return next(text for text in texts if len(text.encode()) <= BUDGET)


def text_of(page: Page, compose: Callable[[Page, int], Iterable[str]], most: int) -> str:
    """Paragraphs, and after them the addresses that they lead to."""
    fresh = replace(page, links=Links())
    parts = [*compose(fresh, most), fresh.links.definitions()]
    return "\n\n".join(part for part in parts if part)


def is_news(finding: Finding) -> bool:
    """Whether a finding alone is worth a comment: a stub by design is not."""
    return finding.level in {Level.REGRESSION, Level.IMPROVEMENT} or (finding.level is Level.WARNING and finding.gap)


@dataclass(frozen=True, slots=True)
class Kinds:
    """Findings as a reader sorts them.

    Attributes:
        losses: what users lose.
        gains: what they gain.
        accepted: what the change under review accepts by itself: that is the reviewer's to judge.
        quiet: stubs by design, and what nothing asks for.
        accepting: what is wrong with comments and entries that accept findings.
        context: notes.
    """

    losses: tuple[Finding, ...]
    gains: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    quiet: tuple[Finding, ...]
    accepting: tuple[Finding, ...]
    context: tuple[Finding, ...]


def kinds(analysis: Analysis) -> Kinds:
    """An analysis's findings, each in one kind."""
    sorted_in: dict[str, list[Finding]] = {name: [] for name in Kinds.__slots__}
    for finding in analysis.findings:
        sorted_in[_kind(finding)].append(finding)
    return Kinds(**{name: tuple(found) for name, found in sorted_in.items()})


def _kind(finding: Finding) -> str:
    if finding.level is Level.NOTE:
        return "accepted" if finding.accepted is not None and finding.accepted.new else "context"
    if finding.level is Level.IMPROVEMENT:
        return "gains"
    if finding.rule in suppress.PAGES:
        return "accepting"
    return "losses" if is_news(finding) else "quiet"


def headline(analysis: Analysis) -> str:
    """The verdict and the counts in one line of plain words."""
    counts = {level: sum(f.level is level for f in analysis.findings) for level in Level if level is not Level.NOTE}
    said = [f"{n} {level.value}{'s' * (n != 1)}" for level, n in counts.items() if n]
    if accepted := len(kinds(analysis).accepted):
        said.append(f"{accepted} accepted in this very change")
    words = ". ".join(part for part in (_verdict(analysis), ", ".join(said)) if part)
    unsure = "; not all could be read" * (not analysis.complete)
    return f"{platform_name(analysis.options.target)}: {words}{unsure}"


def _verdict(analysis: Analysis) -> str:
    """The verdict as users see it: what none of them can notice is none."""
    found = kinds(analysis)
    if found.losses and found.gains:
        return "mixed"
    if found.losses:
        return "regressed" if any(f.level is Level.REGRESSION for f in found.losses) else "falls behind"
    if found.gains:
        return "improved"
    if found.accepted:
        return ""
    return "unchanged for users" if found.quiet else "unchanged" if analysis.complete else "nothing found"


def listed(
    title: str, findings: Sequence[Finding], page: Page, most: int, *, advice: bool = False, chains: bool = False
) -> list[str]:
    """A title and findings below it; what is too much is counted.

    Args:
        title: Markdown; "" for none.
        findings: what is listed.
        page: what it is part of.
        most: so many of the findings.
        advice: say of the first finding of each rule why it matters and how to fix it.
        chains: show how the nearest thing that users ask for comes to it.
    """
    if not findings:
        return []
    told = set[str]()
    items = []
    for finding in findings[:most]:
        lines = [_what(finding), *_affects(finding), " · ".join(_evidence(finding, page))]
        if chains:
            lines += _chain(finding, page)
        if advice and finding.rule not in told:
            lines.append(_advice(finding, page))
        told.add(finding.rule)
        items.append("- " + "\\\n  ".join(lines))
    parts = [title, "\n".join(items)]
    if len(findings) > most:
        parts.append(f"{len(findings) - most} more: see {page.full_report}.")
    return parts


def _what(finding: Finding) -> str:
    """The sentence that tells it."""
    rest = finding.message.removeprefix(finding.symbol or "")
    subject = code(finding.symbol) if finding.symbol and rest != finding.message else ""
    return f"{subject} {plain(rest)}".strip()


def _affects(finding: Finding) -> Iterable[str]:
    """What users ask for that comes to it, by the names that they know."""
    reach = reach_of(finding)
    if reach is not None:
        yield f"{reach.words} {', '.join(map(code, reach.names))}{reach.rest}."


def _chain(finding: Finding, page: Page) -> Iterable[str]:
    """How the nearest entry comes to it, function by function."""
    if finding.chains and len(finding.chains[0].links) > 1:
        links = finding.chains[0].links
        steps = (
            page.link(code(link.function.rpartition(":")[2]), finding.chains_at, link.call or link.place)
            for link in links
        )
        yield "By way of " + " → ".join(steps)


def _evidence(finding: Finding, page: Page) -> Iterable[str]:
    """Links to all that base and head have to show, and to the rule; and what the finding is called in a command."""
    here = Place(finding.path, finding.line)
    at_base = " before" if finding.side == "base" else ""
    yield page.link(located(finding.path, finding.line), finding.side, here, finding.end_line) + at_base
    if finding.before is not None:
        yield page.link("before", "base", finding.before)
    if finding.counterpart is not None and finding.counterpart != here:
        yield page.link(_COUNTERPARTS.get(finding.rule, f"on {page.reference}"), "head", finding.counterpart)
    is_bad = finding.level in {Level.REGRESSION, Level.WARNING}
    yield page.links.to(finding.rule, rule_address(finding.rule)) + f" ({finding.level.value})" * is_bad
    if page.by_app and is_bad and finding.rule not in suppress.PAGES:
        yield code(page.ids[finding.fingerprint])


def _advice(finding: Finding, page: Page) -> str:
    """Why the findings of a rule matter, and how to fix them: words of ours, which may have code in them."""
    why, fix = (in_words_of(page.analysis.options, in_short(finding.rule, title)) for title in (WHY, FIX))
    return f"{why} **Fix:** {fix}"


def how_to_accept(findings: Sequence[Finding], page: Page) -> list[str]:
    """How to accept what is meant to be so, by the example of the first finding."""
    if not findings:
        return []
    first = findings[0]
    where = "the declaration" if first.symbol else "`package`"
    words = f"**Meant to be so?** Put {code(f'{directives.MARKER} {first.rule} REASON')} above {where}"
    if page.by_app:
        words += f", or comment {code(f'/winparity accept {page.ids[first.fingerprint]} REASON')}"
    return [f"{words}."]


def unread(analysis: Analysis, most: int) -> list[str]:
    """What could not be read."""
    if analysis.complete:
        return []
    named = [f"- {code(entry.path)}: {plain(entry.reason)}" for entry in analysis.unreadable[:most]]
    if len(analysis.unreadable) > most:
        named.append(f"- {len(analysis.unreadable) - most} more")
    return ["**Not everything could be read**, so this may not be all:", "\n".join(named)]


def footer(page: Page, *more: str) -> str:
    """What was compared, and where to read on."""
    analysis = page.analysis
    shas = f"{analysis.base[:7]}…{analysis.head[:7]}"
    if page.repo:
        shas = page.links.to(shas, f"{page.web}/{page.repo}/compare/{analysis.base}...{analysis.head}")
    parts = [*_parity(page), f"compared {shas}", *more]
    parts += [page.links.to("rules", RULES_PAGE), page.links.to("settings", SETTINGS_PAGE)]
    parts += ["`/winparity help`"] * page.by_app
    return " · ".join(parts)


def _parity(page: Page) -> Iterable[str]:
    """The share of what Linux has that Windows has too, before and after; nothing where nothing is counted."""
    base, head = page.analysis.base_score, page.analysis.head_score
    if base.counted or head.counted:
        yield f"{page.target} parity of the changed packages: {base.percent}% → {head.percent}%"
