"""What `winparity doctor` says of one thing, for people and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console

from bot.terminal import text

Level = Literal["ok", "warning", "failure"]

SCHEMA = 1
"""The version of the JSON: it changes when a field changes its meaning."""

_SIGNS: dict[Level, str] = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "failure": "[red]✗[/]"}
# Columns for a check's name.
_WIDTH = 14


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        level: whether it is as it should be.
        message: what was found, in one line, with nothing secret in it.
        advice: what to do; empty when there is nothing to do.
    """

    name: str
    level: Level
    message: str
    advice: str = ""


def show_check(check: Check, console: Console) -> None:
    """A line for what was found, and one for what to do."""
    line = f"{_SIGNS[check.level]} {check.name:{_WIDTH}} {text(check.message)}"
    console.print(line, highlight=False, soft_wrap=True)
    if check.advice:
        console.print(f"  {'':{_WIDTH}} [dim]→[/] {text(check.advice)}", highlight=False, soft_wrap=True)


def show_sum(checks: Sequence[Check], console: Console) -> None:
    """The last line."""
    counts = {level: sum(check.level == level for check in checks) for level in ("failure", "warning")}
    said = ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items() if count)
    console.print(f"\n{said or 'All is well.'}", highlight=False)


def checks_json(checks: Sequence[Check]) -> dict[str, Any]:
    """``doctor --format json``."""
    return {
        "schema": SCHEMA,
        "ok": not any(check.level == "failure" for check in checks),
        "checks": [
            {"name": check.name, "level": check.level, "message": check.message, "advice": check.advice or None}
            for check in checks
        ],
    }
