"""What a command says beside its result, on stderr; and what several commands share."""

from enum import StrEnum
from typing import NoReturn

USAGE_ERROR = 2
"""The exit code for bad usage and for input that cannot be read (contract)."""


class ScanFormat(StrEnum):
    """What a command can print: for a person, or for programs."""

    TERMINAL = "terminal"
    JSON = "json"


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
