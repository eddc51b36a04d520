"""A steady load for a long time, and whether memory and descriptors stay flat: `make soak [MINUTES=60] [RATE=1]`.

Real web and worker processes, a real store, and a stand-in for GitHub on this machine. Each kind of process is sampled
every ten seconds. After the first quarter of the time, in which caches fill and children start, a line is laid through
the means of 20 blocks; its slope is given with its standard error, which the blocks keep honest: neighbouring samples are
not independent. Flat is what grows by less than 2 % of its size in an hour, or by no more than twice the error.
"""

import argparse
import asyncio
import csv
import json
import math
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.demo.sample import commit, git
from tests.bot.line import BASE, GAINED, HARMLESS, LOST, LOST_MORE, MIXED
from tests.fleet import PULLS, Fleet, fleet, usage

SAMPLE_EVERY = 10.0
WARM_UP = 1 / 4
BLOCKS = 20
REPOSITORIES = 12
WEBS, WORKERS = 2, 2
# Of its size in an hour; and how many errors a slope may be away from nothing.
MAX_GROWTH = 0.02
MAX_ERRORS = 2.0
TREES = (LOST, LOST_MORE, HARMLESS, MIXED, GAINED, BASE)
MIB = 2**20


class Slope(NamedTuple):
    """A line through samples.

    Attributes:
        level: the mean.
        an_hour: growth.
        error: the standard error of that.
    """

    level: float
    an_hour: float
    error: float

    @property
    def flat(self) -> bool:
        """Whether there is no growth that matters or that can be told from noise."""
        small = self.an_hour <= MAX_GROWTH * max(self.level, 1.0)
        return small or self.an_hour <= MAX_ERRORS * self.error


def slope(seconds: Sequence[float], values: Sequence[float], blocks: int = BLOCKS) -> Slope:
    """The line through the means of blocks of samples."""
    size = max(1, min(len(values) // blocks, len(values) // 2))
    starts = range(0, len(values) - size + 1, size)
    x = [statistics.fmean(seconds[i : i + size]) / 3600 for i in starts]
    y = [statistics.fmean(values[i : i + size]) for i in starts]
    middle, level = statistics.fmean(x), statistics.fmean(y)
    spread = sum((one - middle) ** 2 for one in x)
    rise = sum((one - middle) * (other - level) for one, other in zip(x, y, strict=True)) / spread
    left = sum((other - level - rise * (one - middle)) ** 2 for one, other in zip(x, y, strict=True))
    return Slope(level, rise, math.sqrt(left / max(1, len(x) - 2) / spread))


async def _sample(running: Fleet) -> dict[str, float]:
    """What all processes hold now."""
    sample: dict[str, float] = {}
    for kind in ("web", "worker"):
        pids = [process.pid for name, process in running.processes.items() if name.startswith(kind)]
        alone, all_of_them = usage(*pids, children=False), usage(*pids, git=False)
        sample[f"{kind} memory, MiB"] = alone.memory / MIB
        sample[f"{kind} descriptors"] = alone.descriptors
        if kind == "worker":
            sample["children memory, MiB"] = (all_of_them.memory - alone.memory) / MIB
            sample["children descriptors"] = all_of_them.descriptors - alone.descriptors
            sample["children"] = all_of_them.processes - alone.processes
    store = await running.store()
    sample["store memory, MiB"] = store["used_memory"] / MIB
    sample["store connections"] = store["connected_clients"]
    sample["store keys"] = store.get("db0", {}).get("keys", 0)
    sample["store bytes on disk, MiB"] = store["aof_current_size"] / MIB
    sample["pending"] = await running.pending()
    return sample


async def _load(running: Fleet, trees: Sequence[str], rate: float, until: float) -> dict[int, int]:
    """Deliveries at a steady rate. Returns how many were answered in which way."""
    repositories = [*running.github.repositories.values()]
    answers: dict[int, int] = {}
    due, sending = time.monotonic(), set[asyncio.Task[int]]()
    for number in range(sys.maxsize):
        if time.monotonic() > until:
            break
        repository = repositories[number % len(repositories)]
        pull, tree = number // len(repositories) % PULLS + 1, trees[number * 7 // 5 % len(trees)]
        task = asyncio.create_task(running.push(repository, pull, tree))
        sending.add(task)
        task.add_done_callback(sending.discard)
        task.add_done_callback(lambda done: answers.update({done.result(): answers.get(done.result(), 0) + 1}))
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*sending)
    return answers


def _repositories(running: Fleet, folder: Path) -> list[str]:
    git_dir = folder / "repository.git"
    git_dir.mkdir()
    git(git_dir, "init", "--quiet", "--bare", ".")
    base = commit(git_dir, BASE, "base")
    git(git_dir, "update-ref", "refs/heads/main", base)
    trees = [git(git_dir, "rev-parse", f"{commit(git_dir, tree, 'a tree')}^{{tree}}") for tree in TREES]
    for number in range(REPOSITORIES):
        own = folder / f"r{number}.git"
        shutil.copytree(git_dir, own)
        running.github.add_repository(f"load/r{number}", own, installation=number % 4 + 1, public=True)
    return trees


async def soak(minutes: float, rate: float, samples: Path) -> dict[str, Any]:
    """Run. Returns what was found; the samples are written as they are taken."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wp-soak-", ignore_cleanup_errors=True)))
        async with fleet(folder) as running:
            trees = await asyncio.to_thread(_repositories, running, folder)
            for number in range(WEBS):
                running.environment["PORT"] = str(running.port) if number == 0 else "0"
                await running.start(f"web{number}", "serve", "--no-worker")
            for number in range(WORKERS):
                await running.start(f"worker{number}", "worker")
            await running.ready()
            start = time.monotonic()
            load = asyncio.create_task(_load(running, trees, rate, start + minutes * 60))
            taken: list[tuple[float, dict[str, float]]] = []
            rows = csv.writer(stack.enter_context(samples.open("w", encoding="utf-8", buffering=1)))
            while not load.done():
                await asyncio.wait([load], timeout=SAMPLE_EVERY)
                running.forget()
                if not load.done():
                    taken.append((time.monotonic() - start, await _sample(running)))
                    rows.writerow([round(taken[-1][0], 1), *taken[-1][1].values()])
            answers = load.result()
            await running.until(lambda pending: not pending)
            ended = [name for name, process in running.processes.items() if process.returncode is not None]
            tracebacks = await asyncio.to_thread(_tracebacks, folder)
            running.forget()
            comments = {
                number: sum(one["number"] == number for one in repository.comments)
                for repository in running.github.repositories.values()
                for number in repository.pulls
            }
            return {
                "minutes": minutes,
                "answers": answers,
                "requests": running.served,
                "ended": ended,
                "tracebacks": tracebacks,
                "most comments of a pull request": max(comments.values()),
                "slopes": _slopes(taken, minutes * 60 * WARM_UP),
            }


def _tracebacks(folder: Path) -> int:
    return sum(path.read_text().count("Traceback") for path in folder.glob("w*.log"))


def _slopes(taken: Sequence[tuple[float, dict[str, float]]], begin: float) -> dict[str, Slope]:
    counted = [(seconds, sample) for seconds, sample in taken if seconds >= begin]
    seconds = [at for at, _ in counted]
    return {name: slope(seconds, [sample[name] for _, sample in counted]) for name in counted[0][1]}


def main() -> int:
    """Run from the command line. Returns 1 when something is not flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1.0, help="deliveries a second")
    parser.add_argument("--out", type=Path, default=Path(".cache"), help="where samples and result go")
    given = parser.parse_args()
    given.out.mkdir(exist_ok=True)
    found = asyncio.run(soak(given.minutes, given.rate, given.out / "soak.csv"))
    (given.out / "soak.json").write_text(json.dumps(found, indent=1) + "\n")
    lines = [f"{name}: {value}" for name, value in found.items() if name != "slopes"]
    lines += ["", f"{'':28} {'level':>10} {'an hour':>10} {'error':>8}"]
    growing = []
    for name, line in found["slopes"].items():
        # Deliveries are remembered for three days, so keys and the store's memory grow until then (docs/scale.md).
        expected = name.startswith("store") and name != "store connections"
        word = "flat" if line.flat else "grows, as it should" if expected else "GROWS"
        growing += [name] if word == "GROWS" else []
        lines.append(f"{name:28} {line.level:10.2f} {line.an_hour:+10.3f} {line.error:8.3f}  {word}")
    sys.stdout.write("\n".join([*lines, ""]))
    return int(bool(growing or found["ended"] or found["tracebacks"]))


if __name__ == "__main__":
    raise SystemExit(main())
