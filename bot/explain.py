"""`winparity explain`: a rule's page, or a symbol on each platform, for a terminal."""

import re

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from analyzer.explain import Explanation, Sight
from analyzer.model import Options, Place
from analyzer.names import in_words_of
from analyzer.rules.pages import page_of
from bot.docs import PAGES
from bot.excerpt import Sources, excerpt
from bot.terminal import text

MAX_BODY = 40
"""Lines of a body that are shown."""

# Columns beyond which running text is hard to read.
_READABLE = 100


def show_page(rule: str, console: Console, options: Options | None = None) -> None:
    """A rule's page.

    Args:
        rule: its id.
        console: where it is shown.
        options: the platforms, whose names the page then has.
    """
    page = page_of(in_words_of(options or Options(), PAGES[rule]))
    width = min(console.width, _READABLE)
    console.print(Text(rule, style="bold"))
    console.print(_prose(page.summary), width=width)
    for title, words in page.sections.items():
        console.print()
        console.print(Text(title, style="bold"))
        console.print(Padding(_prose(words), (0, 0, 0, 4), expand=False), width=width)


def _prose(words: str) -> Text:
    """A paragraph whose code stands out, and keeps its backticks where there is no colour."""
    parts = re.split(r"(`[^`]*`)", words)
    return Text.assemble(*((part, "cyan" if part.startswith("`") else "") for part in parts))


def show_explanation(found: Explanation, console: Console, sources: Sources) -> None:
    """A symbol on each platform: where it is, what it is, its body, and what led to the judgement."""
    parity = found.parity
    stub = f" ({parity.stub.value})" if parity.stub else ""
    name = text(f"{found.package}:{parity.name}")
    console.print(f"[bold]{name}[/]  {parity.kind}, {parity.status.value}{stub}", highlight=False, soft_wrap=True)
    shared = found.target.place is not None and found.target.place == found.reference.place
    for sight in (found.target, *(() if shared else (found.reference,))):
        console.print()
        _show_sight(sight, console, sources)
    console.print()
    if found.gap:
        console.print(f"[bold]gap[/]     {text(found.gap)}", highlight=False)
    silent = "yes: it returns a nil error and has done nothing" if found.silent else "no"
    console.print(f"[bold]silent[/]  {silent}", highlight=False)
    for goos, place in found.elsewhere:
        console.print(f"[dim]{goos:8}[/] {_where(place)}", highlight=False, soft_wrap=True)


def _show_sight(sight: Sight, console: Console, sources: Sources) -> None:
    line = f"[bold]{sight.platform}[/] {sight.verdict}"
    console.print(f"{line}  [dim]{_where(sight.place)}[/]" if sight.place else line, highlight=False, soft_wrap=True)
    if sight.place is None:
        return
    source = sources("head", sight.place.path)
    for row in excerpt(console, source, sight.place.line, sight.end_line, most=MAX_BODY):
        console.print(Text("  ").append_text(row), highlight=False, soft_wrap=True)
    for reason in sight.reasons:
        console.print(f"  [dim]line {reason.line}[/] {text(reason.words)}", highlight=False, soft_wrap=True)


def _where(place: Place | None) -> str:
    return text(f"{place.path}:{place.line}") if place else "—"
