"""Repositories that the app is taken from: what is known of them is forgotten."""

import asyncio

from bot.events import GoneEvent
from bot.line import Line
from bot.source import remove_mirror


async def forget(line: Line, event: GoneEvent) -> str:
    """Remove clones, tokens, and all that is stored of their pull requests and branches. Returns what was done.

    Facts of files stay. They are stored by the content that they are of, without a word on where it was seen, and other
    repositories, forks above all, have the same files. A worker on another machine keeps its clone (docs/alerts.md).
    """
    clones = keys = 0
    for repo in event.repos:
        clones += await asyncio.to_thread(remove_mirror, line.settings.data_dir / "mirrors", repo)
        keys += await line.jobs.forget(repo)
        line.github.forget(repo)
    return f"forgot {len(event.repos)} repositories: {clones} clones, {keys} keys"
