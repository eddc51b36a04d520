"""Measures the analyzer on real files: edits them by the thousand, and counts what is caught and what stays silent.

    python -m tests.mutants --repo PATH [--rev HEAD] [--per-kind 100] [--kind WORDS] [--seed 1] [--misses] [--diffs]

Nothing is written. The same seed makes the same mutants.
"""

import argparse
import os
import random
import sys
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from difflib import unified_diff
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from analyzer import analyze
from analyzer.model import Around, Finding, Level, Outline, Snapshot
from bot.git import SourceError
from bot.source import LocalRepository
from tests.mutation.code import Folder, folders, with_changes
from tests.mutation.edit import Edit, Kind
from tests.mutation.kinds import kinds
from tests.mutation.vendored import vendored

CAUGHT = 0.99
SILENT = 0.995
# So many mutants of a kind come from one directory before the next has its turn: a large one must not stand for all.
PER_ROUND = 4


@dataclass(frozen=True)
class Miss:
    """A mutant on which the analyzer was wrong."""

    where: str
    edit: Edit
    found: tuple[Finding, ...]
    diff: str


@dataclass
class Count:
    """What became of the mutants of one kind."""

    kind: str
    made: int = 0
    good: int = 0
    alone: int = 0
    misses: list[Miss] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def measure(kind: Kind, among: list[Folder], *, most: int, seed: int) -> Count:
    """Make mutants of a kind, and look what the analyzer says.

    Args:
        kind: the kind.
        among: the directories, in any order.
        most: how many to make at most.
        seed: draws the directories and the places.
    """
    chance = random.Random(f"{seed} {kind.name}")  # noqa: S311 - no secret
    count = Count(kind.name)
    order = sorted(
        (f for f in among if bool(f.users) is kind.vendored),
        key=lambda folder: zlib.crc32(f"{seed} {folder.where}".encode()),
    )
    open_ = [(folder, kind.make(folder.shuffled(chance), chance)) for folder in order]
    while open_ and count.made < most:
        left = []
        for folder, edits in open_:
            some = list(islice(edits, min(PER_ROUND, most - count.made)))
            for edit in some:
                _try(kind, folder, edit, count)
            if some:
                left.append((folder, edits))
        open_ = left
    return count


def _try(kind: Kind, folder: Folder, edit: Edit, count: Count) -> None:
    base, head = Snapshot("a" * 40, folder.files), Snapshot("b" * 40, with_changes(folder.files, edit.changes))
    if kind.backward:
        base, head = head, base
    if kind.vendored:
        analysis = analyze(Snapshot(base.rev), Snapshot(head.rev), around=_around(folder, base, head))
    else:
        analysis = analyze(base, head)
    if not analysis.complete:
        count.broken += [f"{kind.name} makes what is no Go: {u.path}: {u.reason}" for u in analysis.unreadable]
        return
    found = tuple(f for f in analysis.findings if f.level is not Level.NOTE)
    good = any(_is_meant(f, kind, edit) for f in found) if kind.rules else not found
    count.made += 1
    count.good += good
    count.alone += good and len(found) <= 1
    if not good:
        count.misses.append(Miss(folder.where, edit, analysis.findings, _diff(base, head)))


def _around(folder: Folder, base: Snapshot, head: Snapshot) -> Around:
    """What the analyzer is told of a repository in which only a vendored package differs."""
    names: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.users):
        where, _, name = path.rpartition("/")
        names[where or "."] = (*names.get(where or ".", ()), name)
    return Around(Outline(names, frozenset({"."})), folder.users, (base, head))


def _is_meant(finding: Finding, kind: Kind, edit: Edit) -> bool:
    if finding.rule not in kind.rules:
        return False
    if finding.symbol:
        return finding.symbol in edit.symbols
    return kind.vendored or finding.path in {edit.path, *edit.changes}


def _diff(base: Snapshot, head: Snapshot) -> str:
    lines: list[str] = []
    for path in sorted({*base.files, *head.files}):
        sides = [(s.files[path].content if path in s.files else b"") for s in (base, head)]
        if sides[0] != sides[1]:
            old, new = (side.decode(errors="replace").splitlines() for side in sides)
            lines += unified_diff(old, new, f"base/{path}", f"head/{path}", lineterm="")
    return "\n".join(lines)


_shared: list[Folder] = []


def _work(kind_name: str, most: int, seed: int) -> Count:
    """One kind, in a process that was forked with the directories in its memory."""
    kind = next(k for k in kinds() if k.name == kind_name)
    return measure(kind, _shared, most=most, seed=seed)


def run(
    among: list[Folder], chosen: Iterable[Kind], *, most: int, seed: int, jobs: int, console: Console
) -> list[Count]:
    """All kinds, in several processes, with a bar on a terminal."""
    _shared[:] = among
    names = [kind.name for kind in chosen]
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("mutants", total=len(names))
        counts = []
        for count in pool.map(partial(_work, most=most, seed=seed), names):
            counts.append(count)
            progress.update(task, advance=1, description=count.kind)
    return counts


def table(counts: list[Count]) -> Iterator[str]:
    """Lines for people. ``alone`` says how many were caught with no second finding beside the right one."""
    by_name = {kind.name: kind for kind in kinds()}
    for title, wanted in (("must be caught", True), ("must be silent", False)):
        some = [c for c in counts if bool(by_name[c.kind].rules) is wanted]
        yield f"{title:<40} {'made':>6} {'caught' if wanted else 'silent':>7} {'ratio':>7} {'alone' if wanted else '':>7}"
        for c in [*some, _total(some)]:
            ratio = f"{100 * c.good / c.made:6.1f}%" if c.made else "      –"
            yield f"  {c.kind:<38} {c.made:>6} {c.good:>7} {ratio} {c.alone if wanted else '':>7}"
        yield ""


def _total(counts: list[Count]) -> Count:
    return Count("all", sum(c.made for c in counts), sum(c.good for c in counts), sum(c.alone for c in counts))


def good_enough(counts: list[Count]) -> bool:
    """Whether the shares promised are reached."""
    rules = {kind.name: kind.rules for kind in kinds()}
    for needed, wanted in ((CAUGHT, True), (SILENT, False)):
        total = _total([c for c in counts if bool(rules[c.kind]) is wanted])
        if total.good < needed * total.made:
            return False
    return True


def _told(counts: list[Count], *, diffs: bool) -> Iterator[str]:
    rules = {kind.name: kind.rules for kind in kinds()}
    for count in counts:
        for miss in count.misses:
            got = ", ".join(f"{f.rule}({f.level}) {f.symbol or f.path}" for f in miss.found) or "nothing"
            names = ", ".join(sorted(miss.edit.symbols)[:3])
            want = "|".join(sorted(rules[count.kind])) or "silence"
            yield f"{count.kind}: {miss.edit.path}: {names}: wants {want}, got {got}"
            if diffs:
                yield miss.diff + "\n"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a git repository, bare or not")
    parser.add_argument("--rev", default="HEAD")
    parser.add_argument("--per-kind", type=int, default=100, help="mutants of each kind at most")
    parser.add_argument("--kind", default="", help="only kinds whose name holds this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--misses", action="store_true", help="list each miss")
    parser.add_argument("--diffs", action="store_true", help="list each miss with its edit")
    given = parser.parse_args()
    out, console = Console(highlight=False, soft_wrap=True, markup=False), Console(stderr=True)
    try:
        repository = LocalRepository(given.repo)
        rev = repository.resolve(given.rev)
        ours = folders(repository.snapshot(rev))
        theirs = vendored(repository, rev, ours)
    except SourceError as error:
        console.print(f"mutants: {error}", style="red", markup=False)
        return 2
    chosen = [kind for kind in kinds() if given.kind in kind.name]
    counts = run([*ours, *theirs], chosen, most=given.per_kind, seed=given.seed, jobs=given.jobs, console=console)
    for line in table(counts):
        out.print(line)
    if given.misses or given.diffs:
        for line in _told(counts, diffs=given.diffs):
            out.print(line)
    broken = [line for count in counts for line in count.broken]
    for line in broken:
        console.print(line, style="red", markup=False)
    return 0 if good_enough(counts) and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
