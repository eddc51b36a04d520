"""Repositories that the app is taken from: what is known of them is forgotten."""

import asyncio

from bot import shelf
from bot.dashboard.records import Records
from bot.dashboard.surveyor import remove_past
from bot.events import GoneEvent
from bot.facts import FactsStore
from bot.line import Line


async def forget(line: Line, event: GoneEvent) -> str:
    """Remove clones, tokens, and all that is stored of their pull requests and branches. Returns what was done.

    Facts of a public repository's files stay. They are stored by the content that they are of, without a word on where it
    was seen, and other repositories, forks above all, have the same files. A worker on another machine keeps its clone
    until it needs the room (docs/alerts.md).
    """
    facts = FactsStore(line.settings.data_dir / "facts")
    clones = keys = 0
    for repo in event.repos:
        clones += await asyncio.to_thread(shelf.remove, line.settings.data_dir / "mirrors", repo)
        await asyncio.to_thread(remove_past, line.settings.data_dir, repo)
        await asyncio.to_thread(facts.forget, repo)
        line.github.forget(repo)
    keys += await line.jobs.forget(event.repos)
    keys += await Records(line.jobs.redis).forget(event.repos)
    return f"forgot {len(event.repos)} repositories: {clones} clones, {keys} keys"
