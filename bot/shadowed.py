"""Prints the record of shadow mode, for whoever judges it."""

import json

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.rule import Rule

from bot.demo.run import terminal_markdown
from bot.ids import Repo
from bot.markdown import visible
from bot.queue import Jobs
from bot.shadow import Record, records, repositories


async def show_repositories(redis_url: str, console: Console, form: str) -> None:
    """Print of which repositories there is a record; ``form`` is terminal or json."""
    jobs = Jobs(redis_url)
    try:
        known = [(repo, count) async for repo, count in repositories(jobs.redis)]
    finally:
        await jobs.close()
    if form == "json":
        console.out(json.dumps([{"repository": repo, "records": count} for repo, count in known], indent=2))
    elif not known:
        console.print("No repository is in shadow mode, or none had a pull request since.", highlight=False)
    else:
        for repo, count in known:
            console.print(f"{repo}  {count} {'look' if count == 1 else 'looks'}", highlight=False)


async def show_records(redis_url: str, repo: Repo, console: Console, form: str) -> None:
    """Print what would have been shown in a repository, the newest first; ``form`` is terminal or json."""
    jobs = Jobs(redis_url)
    try:
        known = await records(jobs.redis, repo)
    finally:
        await jobs.close()
    if form == "json":
        console.out(msgspec.json.format(msgspec.json.encode(known)).decode(), highlight=False)
    elif not known:
        console.print(f"There is no record of {repo}.", highlight=False)
    else:
        for record in known:
            _show(record, console)


def _show(record: Record, console: Console) -> None:
    console.print(Rule(f"#{record.number}  {record.head[:12]}  {record.at}", align="left"))
    console.print(f"[bold]{escape(visible(record.title))}[/]; the check run: {record.conclusion}", highlight=False)
    for said in record.findings:
        where = f"{said.path}:{said.line}"
        console.print(f"  {said.level:11} {said.rule}  {escape(visible(where))}", highlight=False, soft_wrap=True)
    if record.left_out:
        console.print(f"  and {record.left_out} more")
    for title, names in (("labels", record.labels), ("owners", record.owners)):
        if names:
            console.print(f"{title}: {', '.join(names)}", markup=False, highlight=False)
    if record.comment is None:
        console.print("[dim]No comment.[/]")
    else:
        lines = (visible(line) for line in record.comment.splitlines())
        console.print(Panel(terminal_markdown("\n".join(lines)), title="the comment", title_align="left"))
    console.print()
