"""What the dashboard costs with a repository that is there: `make survey REPO=PATH`, or `python -m tests.bench_survey PATH`.

One web and one worker process as they are run, and a GitHub of our own that serves PATH, which is only read. A push is
delivered; from then on the worker surveys the newest commit and reads all releases and months. Pull requests come beside
that, and again when all is over: nobody who opened one should notice the difference. At the end each page is asked for.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.dashboard.records import Known, Past, Records
from bot.demo.run import subject_from
from bot.demo.sample import git
from bot.ids import Repo
from tests.bench_data import merged_heads
from tests.fleet import Fleet, fleet, usage

MIB = 1024**2
NAME = "bench/real"
REPO = Repo(NAME)
EVERY = 0.2
"""Seconds between two looks at what processes hold."""

PULLS = 12
"""Pull requests that come while the past is read, and again afterwards."""

PATIENCE = 3600.0
PAGES = ("", "/packages", "/findings", "/features", "/pulls", "/compare/{old}...{new}", "/badge.svg")


class Watch:
    """What a worker and its children take, from one moment to another."""

    def __init__(self, pid: int, data: Path) -> None:
        self._pid, self._data, self._start = pid, data, time.perf_counter()
        self._cpu = usage(pid).cpu
        self.memory = self.disk = 0

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Look now and then, until it is so."""
        async with asyncio.timeout(PATIENCE):
            while not await condition():
                self.memory = max(self.memory, usage(self._pid, git=False).memory)
                self.disk = max(self.disk, await asyncio.to_thread(_size, self._data))
                await asyncio.sleep(EVERY)

    def __str__(self) -> str:
        wall, cpu = time.perf_counter() - self._start, usage(self._pid).cpu - self._cpu
        return f"{wall:.1f} s, CPU {cpu:.1f} s with git's, memory at most {self.memory / MIB:.0f} MiB with the worker's, clones {self.disk / MIB:.0f} MiB"


def _size(folder: Path) -> int:
    told = subprocess.run(["du", "-sk", str(folder)], check=False, capture_output=True).stdout.split()
    return int(told[0]) * 1024 if told else 0


def _copy(folder: Path, source: Path) -> Path:
    """A repository that borrows the other one's objects, with its tags."""
    made = subject_from(source, "HEAD", "HEAD")(folder).git_dir
    refs = git(source, "for-each-ref", "--format=create %(refname) %(objectname)", "refs/tags").encode()
    subprocess.run(["git", "-C", str(made), "update-ref", "--stdin"], input=refs + b"\n", check=True)
    return made


async def _pulls(running: Fleet, heads: Sequence[str], pause: float) -> list[float]:
    """One pull request after the other. Returns how long each waited for its check run, in seconds."""
    repository, taken = running.github.repositories[NAME], list[float]()
    for head in heads:
        start, before = time.perf_counter(), sum(run.get("status") == "completed" for run in repository.check_runs)
        pull = await asyncio.to_thread(running.github.open_pull, NAME, "main", head)
        payload = running.github.payload("opened", NAME, pull.number)
        assert await running.github.deliver(_webhook(running), "pull_request", payload) == 202
        async with asyncio.timeout(PATIENCE):
            while sum(run.get("status") == "completed" for run in repository.check_runs) <= before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        taken.append(time.perf_counter() - start)
        running.github._remaining = 5000
        await asyncio.sleep(pause)
    return taken


def _webhook(running: Fleet) -> str:
    return f"http://127.0.0.1:{running.port}/webhook"


async def _pages(running: Fleet, paths: Sequence[str]) -> None:
    async with aiohttp.ClientSession() as session:
        for path in paths:
            seconds = list[float]()
            for _ in range(20):
                start = time.perf_counter()
                async with session.get(f"http://127.0.0.1:{running.port}{path}") as answer:
                    body = await answer.read()
                seconds.append((time.perf_counter() - start) * 1000)
            first, warm = seconds[0], statistics.median(seconds[1:])
            _say(path, f"{answer.status}, {len(body) / 1000:.0f} KB, first {first:.0f} ms, then {warm:.1f} ms")


def _say(what: str, words: str) -> None:
    sys.stdout.write(f"{what:50} {words}\n")
    sys.stdout.flush()


async def bench(source: Path, folder: Path) -> None:
    """All of it, printed as it is found."""
    git_dir = await asyncio.to_thread(_copy, folder / "source", source)
    heads = [*islice(merged_heads(source, 300), 2 * PULLS)]
    async with fleet(folder / "run") as running:
        running.environment["WINPARITY_DASHBOARD"] = "on"
        running.github.add_repository(NAME, git_dir, 1, public=True)
        await running.start("web", "serve", "--no-worker")
        pid = await running.start("worker", "worker")
        await running.ready()
        records, data = Records(running.jobs.redis), folder / "run" / "data"
        before = (await running.store())["used_memory"]
        tip = git(git_dir, "rev-parse", "refs/heads/main")
        push: dict[str, Any] = {"ref": "refs/heads/main", "before": "0" * 40, "after": tip}
        watch = Watch(pid, data)
        assert await running.github.deliver(_webhook(running), "push", running.github.event(NAME, **push)) == 202

        async def known() -> Known | None:
            return await records.known(REPO)

        async def surveyed() -> bool:
            found = await known()
            return found is not None and bool(found.surveyed)

        await watch.until(surveyed)
        _say("the newest commit", str(watch))
        found = await known()
        assert found is not None
        assert not found.trouble, found.trouble
        watch = Watch(pid, data)

        async def read() -> Past | None:
            running.github._remaining = 5000
            return await records.past(REPO)

        async def begun() -> bool:
            past = await read()
            return past is not None and past.done > 0

        async def over() -> bool:
            past = await read()
            return past is not None and past.over

        await watch.until(begun)
        _say("the past, planned and begun", str(watch))
        beside = asyncio.create_task(_pulls(running, heads[:PULLS], 2.0))
        await watch.until(over)
        past = await read()
        assert past is not None
        _say(f"the past, {len(past.revisions)} revisions, {len(past.left_out)} left out", str(watch))
        during, alone = await beside, await _pulls(running, heads[PULLS:], 0.0)
        alone += await _pulls(running, heads[:PULLS], 0.0)
        for name, some in (("beside", during[1:]), ("afterwards", alone)):
            _say(f"a pull request {name}", f"median {statistics.median(some):.2f} s, at most {max(some):.2f} s")
        _say("in the store", f"{((await running.store())['used_memory'] - before) / MIB:.1f} MiB")
        points = [point for point in await records.points(REPO) if point.kind == "release"]
        old, new = points[len(points) // 2].name, points[-1].name
        largest = max((await records.tables(REPO, (await records.tree(REPO, tip)).values())).items(), key=_symbols)[0]
        package = next(where for where, digest in (await records.tree(REPO, tip)).items() if digest == largest)
        berth = f"/{NAME}"
        named = [f"{berth}{page.format(old=old, new=new)}" for page in PAGES]
        await _pages(running, ["/", *named, f"{berth}/packages/{package}", f"/api/v1{berth}"])


def _symbols(entry: tuple[str, Any]) -> int:
    return len(entry[1].symbols)


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="a git directory")
    with tempfile.TemporaryDirectory(prefix="wp-survey-", ignore_cleanup_errors=True) as name:
        (Path(name) / "run").mkdir()
        asyncio.run(bench(parser.parse_args().path, Path(name)))


if __name__ == "__main__":
    main()
