"""A few lines of source for a terminal: numbered, highlighted, cut to its width, and without control characters."""

from collections.abc import Callable, Iterator

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from analyzer.model import Place, Side, Snapshot
from bot.markdown import visible

MAX_LINES = 5
"""Lines of an excerpt: enough to see what a stub does."""

MIN_LINES = 2

MAX_WIDTH = 200
"""Characters of a line where no terminal sets a width. Generated code has lines of megabytes."""

_TAB = 4
_THEME = "ansi_dark"  # the terminal's own sixteen colours, so that a light background stays readable

Sources = Callable[[Side, str], bytes | None]
"""The bytes of a file at base or head; None when it is not held."""


def sources(base: Snapshot, head: Snapshot) -> Sources:
    """What two snapshots hold."""

    def read(side: Side, path: str) -> bytes | None:
        file = (base if side == "base" else head).files.get(path)
        return file.content if file else None

    return read


def excerpt(console: Console, source: bytes | None, first: int, last: int, *, most: int = MAX_LINES) -> Iterator[Text]:
    """Some lines, each with its number.

    Args:
        console: where they are to be shown.
        source: the file; nothing comes of None.
        first: the first line, counted from 1.
        last: the last line; a single line is shown with the next one, which often says more.
        most: lines that are shown; more are counted.
    """
    every = (source or b"").decode(errors="replace").removesuffix("\n").split("\n")
    end = min(max(last, first + MIN_LINES - 1), first + most - 1, len(every))
    lines = [_visible(line) for line in every[first - 1 : end]]
    while lines and not lines[-1].strip():
        lines.pop()
    digits = len(str(first + len(lines)))
    limit = max(20, (console.width if console.is_terminal else MAX_WIDTH) - digits - 9)
    coloured = Syntax("", "go", theme=_THEME, background_color="default").highlight("\n".join(lines))
    for number, line in enumerate(coloured.split("\n")[: len(lines)], first):
        line.truncate(limit, overflow="ellipsis")
        yield Text.assemble((f"{number:{digits}} │ ", "dim"), line)
    more = min(last, len(every)) - end
    if lines and more > 0:
        yield Text(f"{'':{digits}} … {more} more line{'s' * (more != 1)}", style="dim")


def show_excerpt(console: Console, source: bytes | None, place: Place, last: int, indent: int = 4) -> None:
    """Print some lines of a file."""
    for line in excerpt(console, source, place.line, last):
        console.print(Text(" " * indent).append_text(line), highlight=False, soft_wrap=True)


def _visible(line: str) -> str:
    return visible(line.rstrip("\r").expandtabs(_TAB))
