"""What the comment and the check run show because of what people said: explanations, commands, why it is quiet."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from urllib.parse import quote

from analyzer import suppress
from analyzer.model import Analysis, Finding, Level, Place
from analyzer.names import in_words_of, platform_name
from analyzer.rules.pages import page_of
from bot.check import Action, Check
from bot.comment import MARKER
from bot.docs import PAGES
from bot.finding_ids import finding_id, short_ids
from bot.ids import Repo
from bot.markdown import code, plain
from bot.passages import Said
from bot.report import Report
from bot.talk import ALL, Talk, Word
from bot.words import COMMANDS

RECOMPUTE = Action("Recompute", "Look at the newest commit again", "recompute")
ACCEPT = Action("Accept", "Accept all findings as they are here", "accept")
EXPLAIN = Action("Explain", "Say what the findings mean", "explain")

MAX_SAID = 16_000
"""Bytes of explanations: they share the budget with the findings themselves."""

_TOLD = ("What it finds", "Why it matters on Windows", "What to do")


def buttons(analysis: Analysis) -> tuple[Action, ...]:
    """The buttons of an analysis's check run."""
    some = any(finding.level is not Level.NOTE for finding in analysis.findings)
    losses = any(suppress.acceptable(finding) for finding in analysis.findings)
    return (RECOMPUTE, *[ACCEPT] * losses, *[EXPLAIN] * some)


def said(talk: Talk, analysis: Analysis, repo: Repo, web: str) -> Said:
    """What is shown besides the findings.

    Args:
        talk: what people said.
        analysis: the findings.
        repo: the base repository, for links.
        web: the base of links.
    """
    return Said(tuple(_explained(talk, analysis, f"{web.rstrip('/')}/{repo}/blob")), tuple(_rest(talk)))


def ignored(talk: Talk, word: Word) -> Report:
    """What a pull request shows in which somebody wants us to be quiet: one line, and no judgement.

    Args:
        talk: what people said.
        word: by whom, and why.
    """
    why = f": {plain(word.reason)}" if word.reason else ""
    summary = f"winparity is quiet here, as {plain(word.who)} asked{why}. `/winparity rerun` ends it."
    body = "\n\n".join([f"{MARKER}\n{summary}", *_rest(talk)])
    check = Check("neutral", "Ignored in this pull request", summary, "\n\n".join(_rest(talk)), actions=(RECOMPUTE,))
    return Report(None, body, check)


def _rest(talk: Talk) -> Iterable[str]:
    """The commands, where somebody asked for them; and what was not understood."""
    if talk.help:
        lines = [f"- `/winparity {command}`: {words}" for command, words in COMMANDS.items()]
        yield _details(
            "What can be said to winparity",
            "\n".join(lines),
            "Whoever may write to the repository may say it; rerun, explain and help are for the author, too.",
        )
    if talk.troubles:
        lines = [f"- {plain(word.who)}: {plain(word.reason)}" for word in talk.troubles]
        yield _details("What was not understood", "\n".join(lines))


def _explained(talk: Talk, analysis: Analysis, blobs: str) -> Iterable[str]:
    """Each rule's own words, once, and where to see its findings."""
    wanted = set(talk.explain)
    shown = [finding for finding in analysis.findings if finding.level is not Level.NOTE and _asked(finding, wanted)]
    ids = short_ids(analysis.findings)
    parts: list[str] = []
    left = MAX_SAID
    for rule in dict.fromkeys(
        [*(finding.rule for finding in shown), *(name for name in talk.explain if name in PAGES)]
    ):
        words = _words(rule, analysis)
        left -= len(words.encode())
        if left < 0:
            parts.append("More is said by `winparity explain`.")
            break
        places = [_places(finding, analysis, ids, blobs) for finding in shown if finding.rule == rule]
        kept = _within(places, left)
        left -= sum(len(place.encode()) for place in kept)
        parts.append("\n".join([words, *kept, *[f"- and {len(places) - len(kept)} more"] * (kept != places)]))
    if parts:
        yield _details("What the findings mean", *parts)


def _asked(finding: Finding, wanted: set[str]) -> bool:
    return not wanted.isdisjoint((ALL, finding.rule, finding_id(finding)))


def _words(rule: str, analysis: Analysis) -> str:
    """What a rule's page says of it, as far as one needs it here."""
    page = page_of(in_words_of(analysis.options, PAGES[rule]))
    titles = {in_words_of(analysis.options, title) for title in _TOLD}
    lines = [f"- {title}: {plain(words)}" for title, words in page.sections.items() if title in titles]
    return "\n".join([f"**{rule}**: {plain(page.summary)}", "", *lines])


def _within(lines: list[str], budget: int) -> list[str]:
    """The first lines that take no more bytes."""
    ends = list(accumulate(len(line.encode()) for line in lines))
    return lines[: bisect_right(ends, budget)]


def _places(finding: Finding, analysis: Analysis, ids: dict[str, str], blobs: str) -> str:
    """Where both bodies of a finding are."""
    sha = analysis.head if finding.side == "head" else analysis.base
    target, reference = (platform_name(p) for p in (analysis.options.target, analysis.options.reference))
    name = code(finding.symbol or finding.path.rpartition("/")[2])
    places = [_link(target, f"{blobs}/{sha}", Place(finding.path, finding.line))]
    if finding.counterpart is not None:
        places.append(_link(reference, f"{blobs}/{analysis.head}", finding.counterpart))
    return f"- {name} ({code(ids[finding.fingerprint])}): {' and '.join(places)}"


def _link(words: str, revision: str, place: Place) -> str:
    return f"[{words}]({revision}/{quote(place.path, safe='/')}#L{place.line})"


def _details(title: str, *parts: str) -> str:
    return "\n\n".join([f"<details><summary>{title}</summary>", *parts, "</details>"])
