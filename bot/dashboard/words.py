"""What templates say in words, signs and small pictures: days, shares, states, addresses of lists."""

import re
from datetime import UTC, datetime
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup, escape

from bot.dashboard import shared
from bot.dashboard.answers import Static
from bot.dashboard.changes import KINDS, grouped, states
from bot.dashboard.parts import Sheet, Tally

SIGNS = {
    "implemented": "✓",
    "partial": "◐",
    "stub": "○",
    "missing": "✕",
    "windows-only": "+",
    "works": "✓",
    "refused": "✕",
    "silent": "○",
    "unknown": "?",
    "regression": "✕",
    "warning": "!",
    "improvement": "✓",
    "note": "·",
    "improved": "✓",
    "regressed": "✕",
    "mixed": "±",
    "unchanged": "·",
}
"""A sign beside the word of a state: colour alone says nothing."""

_DAY, _MONTH, _YEAR = 86_400, 2_629_800, 31_557_600
_CODE = re.compile(r"`([^`]+)`")
_PARTS = re.compile(r"(?<=\w)([/._])(?=\w)")


def teach(environment: jinja2.Environment, static: Static) -> None:
    """Let templates use all of it."""
    environment.filters |= {
        "day": day,
        "spans": spans,
        "breaks": breaks,
        "share": share,
        "parity": parity,
        "minute": minute,
    }
    environment.globals |= {
        "bar": bar,
        "state": state,
        "query": query,
        "static": static.address,
        "span": span,
        "KINDS": KINDS,
        "grouped": grouped,
        "states": states,
        "TESTS": shared.TESTS,
        "MAX_GUARDS": shared.MAX_GUARDS,
        "MAX_TESTS": shared.MAX_TESTS,
        "by_file": shared.by_file,
        "delta": delta,
    }


def day(when: float) -> Markup:
    """A day."""
    moment = datetime.fromtimestamp(when, UTC)
    return Markup('<time datetime="{}">{} {}</time>').format(f"{moment:%Y-%m-%d}", moment.day, f"{moment:%b %Y}")


def minute(when: float) -> Markup:
    """A day and the time of it, in UTC."""
    moment = datetime.fromtimestamp(when, UTC)
    words = f"{moment.day} {moment:%b %Y %H:%M}"
    return Markup('<time datetime="{}">{}\N{NO-BREAK SPACE}UTC</time>').format(f"{moment:%Y-%m-%dT%H:%MZ}", words)


def span(since: float, until: float) -> str:
    """How long something is so, in one word and a number."""
    seconds = max(0.0, until - since)
    for length, name in ((_YEAR, "year"), (_MONTH, "month"), (_DAY, "day")):
        if (count := int(seconds // length)) > 0:
            return f"{count} {name}{'s' * (count > 1)}"
    return "today"


def parity(score: Tally) -> str:
    """The share of a score; nothing where nothing is counted."""
    return share(score.percent if score.counted else None)


def share(percent: float | None) -> str:
    """A share in percent, as it is read in a column."""
    return "–" if percent is None else f"{percent:.1f}%"


def delta(change: float) -> str:
    """A change in points of percent, with its sign."""
    return "±0" if not change else f"{'+' if change > 0 else '−'}{abs(change):.1f}"


def spans(text: str) -> Markup:
    """A text of ours with code in backticks."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(_CODE.split(text))
    )


def state(name: object, target: str = "windows") -> Markup:
    """A state as a sign and a word; what the target alone has is called by its GOOS."""
    word = str(getattr(name, "value", name))
    if word == "windows-only" and target != "windows":
        return Markup(
            '<span class="state windows-only"><span class="sign" aria-hidden="true">+</span>{}-only</span>'
        ).format(target)
    return Markup('<span class="state {0}"><span class="sign" aria-hidden="true">{1}</span>{0}</span>').format(
        word, SIGNS.get(word, "·")
    )


def breaks(text: str) -> Markup:
    """A path or a name that is broken between its parts where it has to be."""
    return Markup("").join(part + Markup("<wbr>") if part in "/._" else part for part in _PARTS.split(text))


def bar(score: Tally) -> Markup:
    """How a score is made up, as a bar; it says nothing that does not stand beside it."""
    total = score.counted or 1
    at, parts = 0.0, []
    for name in ("implemented", "partial", "stub", "missing"):
        width = 100 * getattr(score, name) / total
        if width:
            parts.append(
                Markup('<rect class="{}" x="{}" width="{}" height="8"/>').format(name, f"{at:.1f}", f"{width:.1f}")
            )
        at += width
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">{}</svg>'
    ).format(Markup("").join(parts))


def query(where: Sheet, **changed: object) -> str:
    """The query of an address that shows another part of a list."""
    known = {"q": where.q, "state": where.only, "sort": where.sort, "page": ""} | changed
    return "?" + urlencode({name: str(value) for name, value in known.items() if value})
