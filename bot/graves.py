"""`winparity queue`: how much waits, and what was given up, to be tried again or forgotten."""

import json
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.events import AlertEvent, decode
from bot.inbox import Waiting
from bot.markdown import visible
from bot.queue import Grave, Jobs

ALL = "all"
"""In the place of a delivery: every one that was given up."""


async def show_queue(redis_url: str, console: Console, form: str) -> None:
    """Print how much is in the store and what was given up; ``form`` is terminal or json."""
    jobs = Jobs(redis_url)
    try:
        waiting, buried = await jobs.waiting(), await jobs.buried()
    finally:
        await jobs.close()
    if form == "json":
        console.out(json.dumps(_json(waiting, buried), indent=2), highlight=False)
    else:
        _show(waiting, buried, console)


async def open_graves(redis_url: str, delivery: str, *, retry: bool) -> list[str]:
    """Try again, or forget, what was given up. Returns the deliveries that it was.

    Args:
        redis_url: of the store.
        delivery: which one, or ``ALL``.
        retry: try it again, and do not forget it.
    """
    jobs = Jobs(redis_url)
    try:
        wanted = [name for name, _ in await jobs.buried() if delivery in {name, ALL}]
        return [name for name in wanted if await jobs.unbury(name, retry=retry)]
    finally:
        await jobs.close()


def _about(grave: Grave) -> str:
    """What it was about, as people call it."""
    event = decode(grave.event)
    if isinstance(event, AlertEvent):
        return f"alert of {event.repo}@{event.branch}"
    return event.subject or type(event).__name__.removesuffix("Event").lower()


def _when(grave: Grave) -> str:
    return datetime.fromtimestamp(grave.at, UTC).strftime("%Y-%m-%d %H:%M")


def _json(waiting: Waiting, buried: list[tuple[str, Grave]]) -> dict[str, Any]:
    return {
        "schema": 1,
        "pending": waiting.pending,
        "queued": waiting.queued,
        "active": waiting.active,
        "oldest_seconds": round(waiting.oldest, 1),
        "given_up": [
            {"delivery": name, "about": _about(grave), "at": _when(grave), "why": grave.why} for name, grave in buried
        ],
    }


def _show(waiting: Waiting, buried: list[tuple[str, Grave]], console: Console) -> None:
    lined_up = max(0, waiting.pending - waiting.queued - waiting.active)
    console.print(
        f"{waiting.active} running, {waiting.queued} next (the oldest for {waiting.oldest:.0f} s), "
        f"{lined_up} lined up or for later, {len(buried)} given up",
        highlight=False,
    )
    if not buried:
        return
    table = Table("delivery", "about", "given up (UTC)", "why", box=None, pad_edge=False)
    for name, grave in buried:
        table.add_row(*(escape(visible(text)) for text in (name, _about(grave), _when(grave), grave.why)))
    console.print(table)
    console.print(
        "`winparity queue --retry DELIVERY` tries one again, `--drop DELIVERY` forgets it; `all` is every one."
    )
