"""Processes that are killed while GitHub is in a bad mood: `make chaos`, or `python -m tests.chaos [--seed N] …`.

Real `winparity` processes, two for the web and four workers, share the embedded Valkey, whose append-only file is on. At
random times one of them all, Valkey too, is killed with -9, and started again by what a process manager would do, Valkey
by the product itself. Meanwhile GitHub (`tests.chaos_github`) sends its deliveries, and fails every tenth call. When all
is quiet it is looked whether something was lost, done twice, stale, or left behind.

The spacing of writes is 0.05 s and not GitHub's one second, so that it ends within minutes.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from redis.exceptions import RedisError

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.check import CHECK_NAME
from bot.demo.run import _free_port, key_pair
from bot.inbox import PENDING
from bot.log import set_up
from bot.queue import BURIED, QUEUE, Jobs
from bot.valkey import embedded
from tests.chaos_github import Task

ROOT = Path(__file__).parents[1]
APP_ID, SECRET, HOST = 4242, "a webhook secret", "127.0.0.1"
WEBS, WORKERS = 2, 4
WRITE_SPACING = "0.05"
# Seconds in which a killed process is started again.
RESTARTS = (0.2, 3.0)
# Seconds for which nothing may be left to do until it is quiet, for that to come, and for a process to stop.
QUIET, PATIENCE, STOPS_WITHIN = 5.0, 900.0, 40.0
MAX_SHOWN = 12
Json = dict[str, Any]


@dataclass
class Ours:
    """One of our processes, which is started again whenever it ends.

    Attributes:
        by_itself: how often it ended though nobody killed it.
    """

    kind: str
    words: list[str]
    environment: dict[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    killed: bool = False
    stopping: bool = False
    by_itself: int = 0

    async def keep(self, chance: random.Random) -> None:
        """Run it, as a process manager does."""
        while not self.stopping:
            with self.log.open("ab") as log:
                self.process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "bot.cli", *self.words), env=self.environment, stdout=log, stderr=log
                )
            await self.process.wait()
            if not self.stopping:
                self.by_itself += not self.killed
                self.killed = False
                await asyncio.sleep(chance.uniform(*RESTARTS))

    def kill(self) -> bool:
        """Without warning. False when it does not run."""
        if self.process is None or self.process.returncode is not None:
            return False
        self.killed = True
        self.process.kill()
        return True


class GitHub:
    """The other process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, word: str) -> Json:
        """Say a word, and hear the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word.encode() + b"\n")
        answer: Json = json.loads(await self._process.stdout.readline())
        return answer


@dataclass
class Run:
    """All that runs, and what was killed: when, and of which kind."""

    folder: Path
    chance: random.Random
    github: GitHub
    ours: list[Ours]
    jobs: Jobs
    killed: list[tuple[float, str]] = field(default_factory=list)

    def end(self) -> None:
        """Nothing of ours outlives the run, however it ends."""
        for ours in self.ours:
            ours.stopping = True
            ours.kill()

    async def until_up(self) -> None:
        """Until all webs answer: what GitHub sends before is no test of what is killed."""
        ports = [int(ours.environment["PORT"]) for ours in self.ours if ours.kind == "web"]
        for port in ports:
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, port)
                    writer.close()
                    break
                await asyncio.sleep(QUIET / 10)

    async def kill_at_random(self, every: float) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / every))
            victim = self.chance.choice([*self.ours, None])
            if victim.kill() if victim is not None else self._kill_valkey():
                self.killed.append((time.time(), victim.kind if victim is not None else "valkey"))

    def _kill_valkey(self) -> bool:
        with suppress(OSError, ValueError):
            pid = int((self.folder / "data" / "valkey" / "valkey.pid").read_text())
            if str(self.folder) in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    async def left(self, unacknowledged: list[str]) -> dict[str, int]:
        """What is still to be done."""
        redis = self.jobs.redis
        return {
            "pending": await redis.hlen(PENDING),
            "jobs": await redis.zcard(f"saq:{QUEUE}:incomplete"),
            "buried": await redis.hlen(BURIED),
            "locks": len(await redis.keys("wp:on:*:lock")),
            # One whose answer was lost is done here, and need not come again.
            "never heard of": len([name for name in unacknowledged if not await self.jobs.is_finished(name)]),
        }

    async def until_quiet(self, start: float) -> tuple[dict[str, int], float]:
        """What is left when nothing happens any more, and how long that took."""
        quiet_since, last, left = 0.0, 0.0, {"pending": -1}
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            said = await self.github.ask("how far?")
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(QUIET):
                    left = await self.left(said["unacknowledged"])
            busy = not said["over"] or left["pending"] or left.get("jobs") or left.get("never heard of")
            quiet_since = 0.0 if busy else quiet_since or time.monotonic()
            if time.monotonic() - last > QUIET:
                last = time.monotonic()
                _tell(start, said, left, self.killed)
            if quiet_since and time.monotonic() - quiet_since > QUIET:
                return left, quiet_since
            await asyncio.sleep(0.5)
        return left, time.monotonic()


def _tell(start: float, said: Json, left: dict[str, int], killed: list[tuple[float, str]]) -> None:
    sys.stdout.write(
        f"{time.monotonic() - start:5.0f} s  {said['sent']} sent, {said['acknowledged']} acknowledged, {said['runs']} check "
        f"runs, {said['calls']} calls, {len(killed)} kills; left: {left}\n"
    )
    sys.stdout.flush()


def verdict(report: Json, left: dict[str, int]) -> dict[str, list[str]]:
    """What is wrong, by kind; nothing is as it should be.

    Args:
        report: what GitHub shows.
        left: what is still to be done.
    """
    found: dict[str, list[str]] = {
        name: [] for name in ("lost", "duplicate comments", "stale", "not concluded", "left")
    }
    for pull in report["pulls"]:
        name, newest = pull["name"], pull["head"]
        shown = {run["head_sha"]: run for run in sorted(pull["runs"], key=lambda run: run["id"]) if _is_ours(run)}
        if newest not in shown or shown[newest]["status"] != "completed":
            found["lost"].append(f"{name}: {newest} has no completed check run")
        for head, run in shown.items():
            if run["status"] != "completed":
                found["not concluded"].append(f"{name}: {head}: {run['status']}")
            elif run["conclusion"] != report["says"][head]:
                found["stale"].append(f"{name}: {head} is a {report['says'][head]} and shown as {run['conclusion']}")
        if len(pull["comments"]) != 1:
            found["duplicate comments" if pull["comments"] else "lost"].append(
                f"{name}: {len(pull['comments'])} comments"
            )
        if any(
            newest not in body or any(old in body for old in pull["heads"] if old != newest)
            for body in pull["comments"]
        ):
            found["stale"].append(f"{name}: its comment is not about {newest}")
    found["left"] = [f"{number} {what}" for what, number in left.items() if number] + report["problems"]
    return found


def _is_ours(run: Json) -> bool:
    return bool(run["name"] == CHECK_NAME)


def recoveries(killed: list[tuple[float, str]], times: list[float]) -> Iterator[tuple[str, list[float]]]:
    """For each kind of process, seconds from a kill to the next of some times."""
    found: dict[str, list[float]] = {}
    for at, kind in killed:
        if after := [moment - at for moment in times if moment > at]:
            found.setdefault(kind, []).append(min(after))
    yield "any", [seconds for several in found.values() for seconds in several]
    yield from sorted(found.items())


def survivors(folder: Path) -> list[str]:
    """Processes that still work in the run's folder: they outlived their parents."""
    data = os.fsencode(folder / "data")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
            if data in words:
                found.append(f"{process.name}: {(process / 'cmdline').read_text().replace(chr(0), ' ')[:100]}")
    return found


async def _start(stack: AsyncExitStack, folder: Path, given: argparse.Namespace) -> Run:
    private, public = key_pair()
    ports = [_free_port() for _ in range(WEBS)]
    wanted = (given.seed, given.deliveries, given.repositories, given.seconds, given.fails)
    task = Task(str(folder / "github"), APP_ID, public, SECRET, ports, *wanted)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos_github"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    stack.push_async_callback(_end, process)
    github = GitHub(process)
    url = (await github.ask(msgspec.json.encode(task).decode()))["url"]
    environment = {
        "PATH": os.environ["PATH"],
        "WINPARITY_ENV_FILE": str(folder / ".env"),
        "WINPARITY_APP_ID": str(APP_ID),
        "WINPARITY_PRIVATE_KEY": private,
        "WINPARITY_WEBHOOK_SECRET": SECRET,
        "WINPARITY_DATA_DIR": str(folder / "data"),
        "WINPARITY_GITHUB_API_URL": url,
        "WINPARITY_GITHUB_URL": url,
        "WINPARITY_WRITE_SPACING": WRITE_SPACING,
        "WINPARITY_COMMENT": "always",
        "WINPARITY_LOG": "json",
        "HOST": HOST,
    }
    webs = [
        Ours("web", ["serve", "--no-worker"], {**environment, "PORT": str(port)}, folder / f"web{n}.log")
        for n, port in enumerate(ports)
    ]
    workers = [Ours("worker", ["worker"], environment, folder / f"worker{n}.log") for n in range(WORKERS)]
    store = await stack.enter_async_context(embedded(folder / "data"))
    jobs = Jobs(store)
    stack.push_async_callback(jobs.close)
    run = Run(folder, random.Random(given.seed), github, [*webs, *workers], jobs)  # noqa: S311 - the same each time
    stack.callback(run.end)
    return run


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), STOPS_WITHIN)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _stop(run: Run, keeping: list[asyncio.Task[None]]) -> list[str]:
    """Ask all to stop. Returns what does not, or what did before it was asked."""
    for ours in run.ours:
        ours.stopping = True
        if ours.process is not None and ours.process.returncode is None:
            ours.process.terminate()
    _, late = await asyncio.wait(keeping, timeout=STOPS_WITHIN)
    for ours in run.ours:
        ours.kill()
    wrong = [f"{len(late)} processes did not stop when asked"] if late else []
    return wrong + [f"{ours.log.name}: ended {ours.by_itself} times by itself" for ours in run.ours if ours.by_itself]


async def chaos(folder: Path, given: argparse.Namespace) -> bool:
    """One run. Returns whether all is as it should be."""
    start = time.monotonic()
    async with AsyncExitStack() as stack:
        run = await _start(stack, folder, given)
        sys.stdout.write(f"{time.monotonic() - start:5.0f} s  {given.repositories} repositories are made\n")
        keeping = [asyncio.create_task(ours.keep(run.chance)) for ours in run.ours]
        await run.until_up()
        await run.github.ask("go")
        killing = asyncio.create_task(run.kill_at_random(given.kill_every))
        while not (said := await run.github.ask("how far?"))["over"]:
            with suppress(RedisError, OSError):
                _tell(start, said, await run.left(said["unacknowledged"]), run.killed)
            await asyncio.sleep(QUIET)
        killing.cancel()
        sent = time.monotonic()
        left, quiet = await run.until_quiet(start)
        report = await run.github.ask("report")
        wrong = await _stop(run, keeping)
    wrong += [f"still runs: {process}" for process in survivors(folder)]
    found = {**verdict(report, left), "processes": wrong}
    _show(found, report, run.killed, quiet - sent)
    return not any(found.values())


def _show(found: dict[str, list[str]], report: Json, killed: list[tuple[float, str]], settled: float) -> None:
    out = sys.stdout.write
    out(f"\n{report['sent']} deliveries, {report['again']} of them sent again, {len(report['pulls'])} pull requests\n")
    out(f"{report['calls']} calls, of which failed: {report['faults']}\n")
    out(f"killed: {dict(Counter(kind for _, kind in killed))}; quiet {settled:.0f} s after the last was acknowledged\n")
    for what, times in (("check run", report["shown_at"]), ("acknowledgement", report["acknowledged_at"])):
        for kind, seconds in recoveries(killed, times):
            if seconds:
                half, most = statistics.median(seconds), max(seconds)
                out(f"from a kill to the next {what}, {kind}: p50 {half:.2f} s, max {most:.2f} s\n")
    created = Counter(pull["created"] for pull in report["pulls"])
    out(f"comments created by pull request (answers that were lost included): {dict(created)}\n")
    for name, several in found.items():
        out(f"{name}: {len(several)}\n" + "".join(f"  {one}\n" for one in several[:MAX_SHOWN]))


def main() -> None:
    """Run, and end with 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--repositories", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300.0, help="in which all deliveries are sent")
    parser.add_argument("--kill-every", type=float, default=5.0, help="seconds between two kills, in the mean")
    parser.add_argument("--fails", type=float, default=0.1, help="the part of calls that GitHub fails")
    parser.add_argument("--keep", type=Path, help="a folder for logs and data, which stays")
    given = parser.parse_args()
    set_up("console", quiet=True)
    with tempfile.TemporaryDirectory(prefix="wp-chaos-", ignore_cleanup_errors=True) as folder:
        fine = asyncio.run(chaos(given.keep or Path(folder), given))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
