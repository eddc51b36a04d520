"""Jobs a second for 1, 2 and 4 worker processes, what a job costs, and what repositories of growing size cost.

`make scaling [REPOS="moby/moby=PATH …"]` writes `.cache/scaling.json`, which `tests/scaling_model.py` reads. All is real but
GitHub. A machine with two cores that others use too says nothing of absolute numbers: each setting is measured in turns,
several times, and the median counts. Two situations: GitHub answers at once, so that cores decide; and it answers after
LATENCY seconds, as it does in life, so that the number of jobs at a time decides.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.demo.run import subject_from
from bot.demo.sample import commit, git
from tests.bench_data import _commit, _git, _package, _write, merged_heads
from tests.bot.line import BASE, LOST, LOST_MORE
from tests.fleet import Fleet, Usage, fleet, own_cpu, usage

WORKERS = (1, 2, 4)
TIMES = 3
LATENCY = 0.3
# Repositories, one an installation, and pull requests of each: all of them are jobs of their own.
REPOSITORIES, PULLS = 16, 8
# Of the jobs of a round, those between these shares are timed: the queue fills before, and runs dry after.
FROM, TO = 0.1, 0.9
# Packages of synthetic repositories, each of 8 or 10 Go files; and pull requests that are measured in each.
SIZES = (25, 100, 400, 1600)
EACH = 7
IDLE = 10.0
# How long things are kept in the store, in seconds.
KEPT = {"minutes": 3600, "days": 4 * 86_400, "months": 70 * 86_400, "a year": 400 * 86_400}
KIB = 1024


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wp-scaling-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _small(running: Fleet, folder: Path) -> list[str]:
    git_dir = folder / "repository.git"
    git_dir.mkdir()
    git(git_dir, "init", "--quiet", "--bare", ".")
    git(git_dir, "update-ref", "refs/heads/main", commit(git_dir, BASE, "base"))
    trees = [git(git_dir, "rev-parse", f"{commit(git_dir, tree, 'a tree')}^{{tree}}") for tree in (LOST, LOST_MORE)]
    for number in range(REPOSITORIES):
        shutil.copytree(git_dir, folder / f"r{number}.git")
        running.github.add_repository(f"load/r{number}", folder / f"r{number}.git", number + 1, public=True)
    return trees


async def _fill(running: Fleet, tree: str) -> int:
    """A delivery for each pull request, all of them at once. Returns how many."""
    every = [(repo, pull) for pull in range(1, PULLS + 1) for repo in running.github.repositories.values()]
    for repository, pull in every:
        await running.change(repository, pull, tree)
    answers = await asyncio.gather(*(running.tell(repository, pull) for repository, pull in every))
    assert set(answers) == {202}
    return len(every)


async def _drained(running: Fleet, workers: Sequence[int], count: int) -> dict[str, float]:
    """Wait until all is done. Returns what the middle of it took, for each job."""
    await running.until(lambda pending: pending <= count * (1 - FROM))
    start, done = time.perf_counter(), count - await running.pending()
    before, store, github = usage(*workers), await running.store(), own_cpu()
    await running.until(lambda pending: pending <= count * (1 - TO))
    wall, jobs = time.perf_counter() - start, count - await running.pending() - done
    after, later = usage(*workers), await running.store()
    github_cpu = (own_cpu() - github) / jobs
    await running.until(lambda pending: not pending)
    cpu = [info["used_cpu_user"] + info["used_cpu_sys"] for info in (store, later)]
    return {
        "jobs a second": jobs / wall,
        "worker CPU, s": (after.cpu - before.cpu) / jobs,
        "store CPU, ms": (cpu[1] - cpu[0]) / jobs * 1000,
        "store commands": (later["total_commands_processed"] - store["total_commands_processed"]) / jobs,
        "GitHub's CPU, s": github_cpu,
        "memory of a worker, MiB": after.memory / len(workers) / KIB**2,
        "cores": (after.cpu - before.cpu) / wall + github_cpu * jobs / wall + (cpu[1] - cpu[0]) / wall,
    }


async def _round(count: int, latency: float) -> dict[str, float]:
    """One setting, once. Before it is timed, all children have been started and all repositories fetched."""
    with _folder() as folder:
        async with fleet(folder) as running:
            trees = await asyncio.to_thread(_small, running, folder)
            await running.start("web", "serve", "--no-worker")
            await running.ready()
            empty, web = await running.store(), usage(running.processes["web"].pid).cpu
            jobs = await _fill(running, trees[0])
            full, web = await running.store(), usage(running.processes["web"].pid).cpu - web
            pids = [await running.start(f"worker{number}", "worker") for number in range(count)]
            await running.until(lambda pending: not pending)
            for tree in (trees[1], trees[0]):  # children start as they are needed
                jobs = await _fill(running, tree)
                await running.until(lambda pending: not pending)
            running.forget()
            served = dict(running.served)
            running.github.latency = latency
            filling = asyncio.create_task(_fill(running, trees[1]))
            await running.until(lambda pending: pending > 0)
            found = await _drained(running, pids, await filling)
            running.forget()
            commands = (await running.store())["total_commands_processed"]
            await asyncio.sleep(IDLE)
            left = await running.store()
            return {
                **found,
                "web CPU, ms": web / jobs * 1000,
                "bytes of one that waits": (full["used_memory"] - empty["used_memory"]) / jobs,
                **{f"bytes left, {name}": size / jobs for name, size in (await _left(running)).items()},
                "bytes on disk, store": left["aof_current_size"] / jobs / 4,
                **{f"{what} requests": (running.served[what] - served[what]) / jobs for what in ("api", "git")},
                "writes": (running.served["writes"] - served["writes"]) / jobs,
                "idle commands a second": (left["total_commands_processed"] - commands) / IDLE / count,
            }


async def _left(running: Fleet) -> dict[str, int]:
    """The store's bytes of what is over, by how long it is kept."""
    redis, left = running.jobs.redis, dict.fromkeys(KEPT, 0)
    async for key in redis.scan_iter(count=1000):
        seconds = await redis.ttl(key)
        kept = next((name for name, most in KEPT.items() if 0 <= seconds <= most), None)
        if kept is not None:
            left[kept] += await redis.memory_usage(key) or 0
    return left


async def scaling(times: int) -> dict[str, Any]:
    """Each number of workers, in both situations, in turns."""
    taken: dict[str, list[dict[str, float]]] = {}
    for _ in range(times):
        for latency in (0.0, LATENCY):
            for count in WORKERS:
                name = f"{count} workers, {latency} s"
                taken.setdefault(name, []).append(await _round(count, latency))
                sys.stderr.write(f"{name}: {taken[name][-1]['jobs a second']:.2f} jobs/s\n")
    return {
        name: {key: statistics.median(found[key] for found in rounds) for key in rounds[0]}
        | {"of": [round(found["jobs a second"], 2) for found in rounds]}
        for name, rounds in taken.items()
    }


def _synthetic(folder: Path, packages: int) -> tuple[Path, list[str], int]:
    """A repository of so many packages, and trees of pull requests with two changed files. And how many Go files."""
    draw = Random(packages)  # noqa: S311 - the same repository each time
    files = {path: text for number in range(packages) for path, text in _package(number, draw).items()}
    folder.mkdir(parents=True)
    _git(folder, "init", "-q", "-b", "main")
    _write(folder, files)
    _commit(folder, "all")
    heads = []
    for number in range(EACH + 1):
        changed = {path: files[path] + f"\nvar changed{number} = 1\n" for path in draw.sample(sorted(files), 2)}
        _write(folder, changed)
        _commit(folder, "a change")
        heads.append(git(folder, "rev-parse", "HEAD"))
        _git(folder, "reset", "-q", "--hard", "HEAD~1")
    return folder / ".git", heads, len(files)


def _real(folder: Path, source: Path) -> tuple[Path, list[str], int]:
    """A repository that is there, and its last merged pull requests with Go files."""
    subject = subject_from(source, "HEAD", "HEAD")(folder)
    names = git(source, "ls-tree", "-r", "--name-only", "HEAD").split("\n")
    return (
        subject.git_dir,
        [*islice(merged_heads(source, 200), EACH + 1)],
        sum(n.endswith(".go") and not n.startswith("vendor/") for n in names),
    )


async def _costs(name: str, git_dir: Path, heads: Sequence[str], folder: Path) -> dict[str, float]:
    """One worker, one pull request after another: the first with nothing on disk."""
    async with fleet(folder) as running:
        repository = running.github.add_repository(name, git_dir, 1, public=True)
        await running.start("web", "serve", "--no-worker")
        pid = await running.start("worker", "worker")
        await running.ready()
        while "worker ready" not in (folder / "worker.log").read_text():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
        url = f"http://127.0.0.1:{running.port}/webhook"
        taken: list[tuple[float, float, Usage]] = []
        for head in heads:
            pull = await asyncio.to_thread(running.github.open_pull, name, "main", head)
            before, start = usage(pid), time.perf_counter()
            payload = running.github.payload("opened", name, pull.number)
            assert await running.github.deliver(url, "pull_request", payload) == 202
            await running.until(lambda pending: not pending)
            after = usage(pid)
            taken.append((time.perf_counter() - start, after.cpu - before.cpu, after))
        assert len(repository.check_runs) == len(heads)
        running.forget()
        size = sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file())
        return {
            "first, s": taken[0][0],
            "first CPU, s": taken[0][1],
            "s": statistics.median(wall for wall, _, _ in taken[1:]),
            "CPU, s": statistics.median(cpu for _, cpu, _ in taken[1:]),
            "memory, MiB": max(held.memory for _, _, held in taken) / KIB**2,
            "disk, MiB": size / KIB**2,
            "api requests": running.served["api"] / len(heads),
            "git requests": running.served["git"] / len(heads),
        }


async def sizes(repositories: dict[str, Path]) -> dict[str, Any]:
    """What a pull request costs in repositories of growing size."""
    found = {}
    works: dict[str, Any] = {f"synthetic {size}": size for size in SIZES} | repositories
    for name, work in works.items():
        with _folder() as folder:
            make = _synthetic if isinstance(work, int) else _real
            git_dir, heads, files = await asyncio.to_thread(make, folder / "source", work)
            (folder / "run").mkdir()
            found[name] = {"Go files": files, **await _costs("load/one", git_dir, heads, folder / "run")}
            sys.stderr.write(f"{name}: {found[name]}\n")
    return found


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="*", metavar="NAME=PATH", help="bare repositories that are read only")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--out", type=Path, default=Path(".cache/scaling.json"))
    given = parser.parse_args()
    named = {name: Path(path) for name, _, path in (word.partition("=") for word in given.repositories)}
    found = {"sizes": asyncio.run(sizes(named)), "scaling": asyncio.run(scaling(given.times))}
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    for part in found.values():
        for name, values in part.items():
            rows = (
                f"  {key:26} {value if isinstance(value, list) else round(value, 3)}" for key, value in values.items()
            )
            sys.stdout.write("\n".join([name, *rows, ""]))


if __name__ == "__main__":
    main()
