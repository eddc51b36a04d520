"""What a command says beside its result, on stderr; and what several commands share."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

USAGE_ERROR = 2
"""The exit code for bad usage and for input that cannot be read (contract)."""


TELL_EVERY = 30.0
"""Seconds between two lines on how far something is, where no bar is shown."""


class ScanFormat(StrEnum):
    """What a command can print: for a person, or for programs."""

    TERMINAL = "terminal"
    JSON = "json"


FormatOption = Annotated[ScanFormat, typer.Option("--format", help="What to print.")]


def fail(message: str) -> NoReturn:
    """Say what is wrong on stderr and exit with 2."""
    from bot.markdown import visible

    lines = "\n".join(visible(line) for line in message.splitlines())
    complain(lines)
    raise SystemExit(USAGE_ERROR)


def complain(text: str) -> None:
    """One line on stderr, however long: a path in it can be copied."""
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True, emoji=False).print(f"[bold red]winparity:[/] {escape(text)}", highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """What is being done, for those who wait."""
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True, emoji=False).print(f"[dim]{escape(text)}[/]", highlight=False, soft_wrap=True)


@contextmanager
def progress(words: str) -> Iterator[Callable[[int, int], None]]:
    """How far something long is: a bar where stderr is a terminal, elsewhere a plain line now and then.

    Args:
        words: what is done.

    Yields:
        What is to be told how much of how much is done. Processes that are forked meanwhile may tell it, and are not heard.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, emoji=False)
    # Rich takes FORCE_COLOR for a terminal; a file or another program is none.
    if not sys.stderr.isatty() or console.is_dumb_terminal:
        yield _now_and_then(words)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(words)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _now_and_then(words: str) -> Callable[[int, int], None]:
    last, process = time.monotonic(), os.getpid()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if os.getpid() == process and time.monotonic() - last > TELL_EVERY:
            last = time.monotonic()
            sys.stderr.write(f"{words} {done}/{total}\n")
            sys.stderr.flush()

    return tell
