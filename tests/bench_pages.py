"""How fast warm pages are: `make bench`, or `python -m tests.bench_pages [--rounds N] [--seconds S]`.

Ours is `winparity serve --no-worker` as it is run, with the records of a repository as large as the largest ones
(`tests.bot.dashboard_sample`) in a Valkey of its own. Beside it aiohttp's own server of static files, with the very bytes
that ours sends, compressed beforehand too. Both are asked over 32 keep-alive connections, in turns, several times: a
machine that is busy with something else slows both alike, so the ratios of each round count, and of them the median.
"""

import argparse
import asyncio
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.dashboard.records import Records
from bot.demo.run import _free_port, key_pair
from bot.queue import Jobs
from bot.valkey import _children, _ensure
from tests.bench_ack import ROOT, process
from tests.bench_load import CONNECTIONS, HOST, PATIENCE, Connection
from tests.bot.dashboard_sample import LARGE, fill_large

ROUNDS, SECONDS = 5, 3.0
BERTH = f"/{LARGE.lower()}"
FOLDER = "components/engine/internal/subsystem001/implementation"
PAGES = {
    "front page": "/",
    "overview": BERTH,
    "packages": f"{BERTH}/packages",
    "packages, sorted": f"{BERTH}/packages?sort=-gaps",
    "package": f"{BERTH}/packages/{FOLDER}",
    "findings": f"{BERTH}/findings",
    "features": f"{BERTH}/features",
    "compare": f"{BERTH}/compare/v1.0.0...v8.0.0",
    "overview, JSON": f"/api/v1{BERTH}",
    "badge": f"{BERTH}/badge.svg",
}
Row = tuple[str, str, str]


class Getter:
    """What all connections share: a request, and what came of it (`tests.bench_load.Sender`)."""

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        path = there.path + (f"?{there.query}" if there.query else "")
        self._request = [f"GET {path} HTTP/1.1\r\nHost: {there.netloc}\r\nAccept-Encoding: gzip\r\n\r\n".encode()]
        self.over = False
        self.seconds: list[float] = []
        self.statuses: Counter[str] = Counter()

    def request(self) -> list[bytes]:
        return self._request


async def load(url: str, seconds: float) -> dict[str, Any]:
    """Ask for so many seconds. Returns the rate, the times, and how often each status came."""
    getter, there, loop = Getter(url), urlsplit(url), asyncio.get_running_loop()
    start = time.perf_counter()
    made = [
        await loop.create_connection(lambda: Connection(getter), there.hostname, there.port)  # type: ignore[arg-type]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    getter.over = True
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(connection.done for _, connection in made))
    ordered = sorted(getter.seconds)
    return {
        "rate": len(ordered) / (time.perf_counter() - start),
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[len(ordered) * 99 // 100],
        "statuses": dict(getter.statuses),
    }


def _loaded(url: str, seconds: float) -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.bench_pages", "load", url, str(seconds)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    if set(found["statuses"]) != {"200"}:
        raise SystemExit(f"{url} answered {found['statuses']}")
    return found


def _serve(folder: str, port: int) -> None:
    app = web.Application()
    app.router.add_static("/", folder)
    web.run_app(app, host=HOST, port=port, access_log=None, print=None)


@contextmanager
def _store(folder: Path) -> Iterator[str]:
    """A Valkey with the records, while this is held."""
    socket = _ensure(folder)
    try:
        asyncio.run(_fill(f"unix://{socket}"))
        yield f"unix://{socket}"
    finally:
        running = _children.pop(socket)
        running.terminate()
        running.wait(10)


async def _fill(url: str) -> None:
    jobs = Jobs(url)
    await fill_large(Records(jobs.redis))
    await jobs.close()


def measure(rounds: int, seconds: float) -> Iterator[Row]:
    """A row for each page."""
    private, _ = key_pair()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wp-pages-")))
        store = stack.enter_context(_store(folder / "store"))
        ports = _free_port(), _free_port()
        ours, plain = (f"http://{HOST}:{port}" for port in ports)
        environment = {
            "WINPARITY_ENV_FILE": str(folder / "none.env"),
            "WINPARITY_APP_ID": "1",
            "WINPARITY_PRIVATE_KEY": private,
            "WINPARITY_WEBHOOK_SECRET": "a secret of no worth",
            "WINPARITY_DATA_DIR": str(folder / "data"),
            "REDIS_URL": store,
            "HOST": HOST,
            "PORT": str(ports[0]),
        }
        words = [sys.executable, "-m", "bot.cli", "serve", "--no-worker"]
        stack.enter_context(process(words, ours, folder / "ours.log", **environment))
        (folder / "files").mkdir()
        words = [sys.executable, "-m", "tests.bench_pages", "serve", str(folder / "files"), str(ports[1])]
        stack.enter_context(process(words, plain, folder / "plain.log"))
        for name, path in PAGES.items():
            yield _row(name, ours + path, plain, folder / "files", rounds=rounds, seconds=seconds)


def _row(name: str, url: str, plain: str, folder: Path, *, rounds: int, seconds: float) -> Row:
    cold = time.perf_counter()
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - it is our own
        body = answer.read()
    cold = time.perf_counter() - cold
    (folder / "page").write_bytes(body)
    (folder / "page.gz").write_bytes(gzip.compress(body))
    both = [(_loaded(url, seconds), _loaded(f"{plain}/page", seconds)) for _ in range(rounds)]
    mine, other = (
        {key: statistics.median(pair[side][key] for pair in both) for key in ("rate", "p50", "p99")} for side in (0, 1)
    )
    ratios = {key: statistics.median(a[key] / b[key] for a, b in both) for key in ("rate", "p50", "p99")}
    times = f"p50 {mine['p50'] * 1e3:.1f} ms, p99 {mine['p99'] * 1e3:.1f} ms (file {other['p50'] * 1e3:.1f}, {other['p99'] * 1e3:.1f})"
    size = f"{len(body) / 1000:.0f} KB, first {cold * 1e3:.0f} ms, {mine['rate']:,.0f}/s, {times}"
    return f"{name}: ours / static file, p50 and p99", f"{ratios['p50']:.2f}, {ratios['p99']:.2f}", size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help="load URL SECONDS, or serve FOLDER PORT: the other processes")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each is asked in a round")
    given = parser.parse_args()
    match given.what:
        case ["load", url, seconds]:
            sys.stdout.write(json.dumps(asyncio.run(load(url, float(seconds)))))
        case ["serve", folder, port]:
            _serve(folder, int(port))
        case _:
            for what, value, note in measure(given.rounds, given.seconds):
                sys.stdout.write(f"{what:60}  {value:>12}  {note}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
