"""Runs over the last merged pull requests of a repository and counts how often the bot would have spoken: `make shadow`.

A bot is switched off at its first false alarm. The cases show that a rule is right where somebody thought of it; only
pull requests that real people merged show how often it speaks, and with --jsonl what it would have said.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pygit2
from rich.console import Console
from rich.progress import track
from rich.table import Table

from analyzer import analyze
from analyzer.model import Analysis, Finding, Level
from analyzer.rules import RULES
from bot.around import around
from bot.git import SourceError
from bot.ids import Sha
from bot.markdown import visible
from bot.output import analysis_json
from bot.passages import is_news
from bot.source import LocalRepository

HELP = "What winparity would have said on the last merged pull requests of a repository."
PULLS = 500
MAX_TITLE = 100
_NUMBER = re.compile(r"^Merge pull request #(\d+)|\(#(\d+)\)$")


@dataclass(frozen=True, slots=True)
class Pull:
    """A merged pull request, as the first-parent history has it.

    Attributes:
        number: its number, as the commit's subject has it; None when it does not.
        title: what it is about.
        merge: the commit that brought it.
        onto: the commit that it was brought onto.
        head: its last commit; a squashed one has only the commit that brought it.
    """

    number: int | None
    title: str
    merge: Sha
    onto: Sha
    head: Sha


@dataclass(frozen=True, slots=True)
class Seen:
    """A pull request and what was found, or why nothing could be."""

    pull: Pull
    analysis: Analysis | None
    failure: str = ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found."""
        return self.analysis.findings if self.analysis else ()

    @property
    def speaks(self) -> bool:
        """Whether the bot would have commented."""
        return any(is_news(finding) for finding in self.findings)

    def json(self) -> dict[str, Any]:
        """One line of --jsonl: the pull request, and what `winparity diff --format json` prints of it."""
        pull = self.pull
        known = {"pull": pull.number, "title": pull.title, "merge": pull.merge, "speaks": self.speaks}
        if self.analysis is None:
            return {**known, "failure": self.failure, "findings": []}
        found = analysis_json(self.analysis)
        for entry, finding in zip(found["findings"], self.findings, strict=True):
            entry["news"] = is_news(finding)
        return {**known, "failure": "", **found}


def pulls(git_dir: Path, rev: str) -> Iterator[Pull]:
    """The merged pull requests, newest first, as far back as the history goes: a first-parent commit is one."""
    repo = pygit2.Repository(str(git_dir))
    commit = repo[LocalRepository(git_dir).resolve(rev)].peel(pygit2.Commit)
    while commit.parent_ids:
        subject, _, rest = commit.message.partition("\n")
        number = _NUMBER.search(subject)
        merged = len(commit.parent_ids) > 1
        title = rest.strip().partition("\n")[0] if merged else ""
        yield Pull(
            int(number[1] or number[2]) if number else None,
            (title or subject)[:MAX_TITLE],
            Sha(str(commit.id)),
            Sha(str(commit.parent_ids[0])),
            Sha(str(commit.parent_ids[1] if merged else commit.id)),
        )
        commit = repo[commit.parent_ids[0]].peel(pygit2.Commit)


def look(source: LocalRepository, pull: Pull) -> Seen:
    """What the bot would have found while the pull request was open."""
    try:
        base = source.merge_base(pull.onto, pull.head)
        sides = source.snapshots(base, pull.head)
        return Seen(pull, analyze(*sides, around=around(source, *sides)))
    except SourceError as error:
        return Seen(pull, None, str(error))


def table(seen: Iterable[Seen]) -> Table:
    """How many findings each rule has of each level, how many are news, and in how many pull requests."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in seen:
        counts.update((f.rule, f.level.value) for f in one.findings)
        counts.update((f.rule, "news") for f in one.findings if is_news(f))
        counts.update((rule, "pulls") for rule in {f.rule for f in one.findings if is_news(f)})
    columns = [*(level.value for level in Level), "news", "pulls"]
    shown = Table("rule", *columns, box=None, header_style="bold")
    for column in shown.columns[1:]:
        column.justify = "right"
    for rule in RULES:
        shown.add_row(rule.id, *(str(counts[rule.id, column] or "·") for column in columns))
    return shown


def summary(seen: list[Seen], seconds: float) -> str:
    """The figures in one line."""
    spoken, failed = sum(one.speaks for one in seen), sum(one.analysis is None for one in seen)
    partly = sum(one.analysis is not None and not one.analysis.complete for one in seen)
    total = max(len(seen), 1)
    return (
        f"{len(seen)} pull request{'s' * (len(seen) != 1)}: would have spoken on {spoken} ({100 * spoken / total:.1f} %); "
        f"{partly} read in part, {failed} not at all; {1000 * seconds / total:.0f} ms each"
    )


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.shadow", description=HELP)
    parser.add_argument("repo", metavar="PATH[@REV]", help="a git directory; REV, HEAD without it, is where to begin")
    parser.add_argument("n", metavar="N", nargs="?", type=int, default=PULLS, help="how many pull requests")
    parser.add_argument("--jsonl", metavar="FILE", type=Path, help="also write what was found, a line a pull request")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Look at each pull request and print the figures; 2 for bad usage."""
    given = _arguments(arguments)
    path, _, rev = given.repo.partition("@")
    out, console = Console(), Console(stderr=True)
    began = time.monotonic()
    try:
        source = LocalRepository(Path(path))
        todo = list(islice(pulls(Path(path), rev or "HEAD"), given.n))
    except SourceError as error:
        console.print(visible(str(error)), markup=False)
        return 2
    shown = track(todo, "pull requests", console=console, transient=True, disable=not console.is_terminal)
    seen = []
    with given.jsonl.open("w", encoding="utf-8") if given.jsonl else nullcontext() as lines:
        for pull in shown:
            seen.append(look(source, pull))
            if lines is not None:
                lines.write(json.dumps(seen[-1].json()) + "\n")
    for one in seen:
        if one.speaks or one.failure:
            rules = sorted({f.rule for f in one.findings if is_news(f)})
            words = f"#{one.pull.number or one.pull.merge[:10]} {', '.join(rules) or one.failure}: {one.pull.title}"
            out.print(visible(words), markup=False, highlight=False, soft_wrap=True)
    out.print(table(seen))
    out.print(summary(seen, time.monotonic() - began), highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
