"""The sender of `tests.bench_ack`, and the servers that it compares with. Each is a process of its own.

`load URL SECONDS` reads a payload from stdin and sends it, signed and with a new delivery id each time, over keep-alive
connections, the next as soon as the last is answered. It speaks as little HTTP as will do, so that it is no bottleneck;
`trivial` is a server that does still less, to show how much the sender itself can do.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import sys
import time
import uuid
from collections import Counter
from typing import cast
from urllib.parse import urlsplit

import uvloop
from aiohttp import web

SECRET = "0f6ac2d1-no-word-of-any-message"
CONNECTIONS = 32
HOST = "127.0.0.1"
PATIENCE = 10.0
SHA256 = "sha256="
_END = b"\r\n\r\n"
_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nok\n"


def signed(body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return SHA256 + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


class Sender:
    """What all connections share: the request, and what came of it."""

    def __init__(self, url: str, body: bytes) -> None:
        there = urlsplit(url)
        self._head = (
            f"POST {there.path} HTTP/1.1\r\nHost: {there.netloc}\r\nAccept: */*\r\n"
            f"User-Agent: GitHub-Hookshot/bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-GitHub-Event: pull_request\r\nX-Hub-Signature-256: {signed(body)}\r\nX-GitHub-Delivery: "
        ).encode()
        self._body = _END + body
        # Ids that differ are enough; to make a random one for each costs more than to send it.
        self._run = uuid.uuid4().hex[:20]
        self._count = 0
        self.over = False
        self.seconds: list[float] = []
        self.statuses: Counter[str] = Counter()

    def request(self) -> list[bytes]:
        self._count += 1
        return [self._head, f"{self._run}-{self._count:011d}".encode(), self._body]


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._received = b""
        self._sent = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.writelines(self._sender.request())

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not complete(self._received):
            return
        self._sender.seconds.append(time.perf_counter() - self._sent)
        self._sender.statuses[self._received[9:12].decode()] += 1
        self._received = b""
        if self._sender.over:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(exc)


def complete(answer: bytes) -> bool:
    """Whether an answer has all its bytes, by its length or its last chunk."""
    head, end, body = answer.partition(_END)
    if not end:
        return False
    _, known, rest = head.lower().partition(b"content-length:")
    if known:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    return body.endswith(b"0\r\n\r\n")


async def load(url: str, seconds: float, connections: int, body: bytes) -> dict[str, object]:
    """Send for so many seconds. Returns the rate, the latencies, and how often each status came."""
    sender, there = Sender(url, body), urlsplit(url)
    loop = asyncio.get_running_loop()
    start, cpu = time.perf_counter(), time.process_time()
    made = [
        await loop.create_connection(lambda: Connection(sender), there.hostname, there.port) for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    sender.over = True
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(connection.done for _, connection in made))
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    ordered = sorted(sender.seconds)
    return {
        "rate": len(ordered) / wall,
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[len(ordered) * 99 // 100],
        "statuses": dict(sender.statuses),
        "busy": used / wall,
    }


class _Trivial(asyncio.Protocol):
    """Answers as soon as a request's bytes are there, and looks at nothing but its length."""

    def __init__(self) -> None:
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            head, _, _ = data.partition(_END)
            _, _, rest = head.partition(b"Content-Length: ")
            self._missing = len(head) + len(_END) + int(rest.partition(b"\r\n")[0])
        self._missing -= len(data)
        if not self._missing:
            self._transport.write(_ANSWER)


async def trivial(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(_Trivial, HOST, port)
    await server.serve_forever()


async def bare(port: int) -> None:
    """The least that a webhook server in aiohttp does: verify, and answer. Until killed."""
    secret = SECRET.encode()

    async def webhook(request: web.Request) -> web.Response:
        body = await request.read()
        wanted = SHA256 + hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers.get("X-Hub-Signature-256", "")):
            return web.Response(status=401)
        return web.Response(status=202, text="accepted\n")

    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.add_routes([web.post("/webhook", webhook)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    loading = commands.add_parser("load")
    loading.add_argument("url")
    loading.add_argument("seconds", type=float)
    loading.add_argument("--connections", type=int, default=CONNECTIONS)
    for server in ("trivial", "bare"):
        commands.add_parser(server).add_argument("port", type=int)
    given = parser.parse_args()
    if given.command == "load":
        found = uvloop.run(load(given.url, given.seconds, given.connections, sys.stdin.buffer.read()))
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        uvloop.run({"trivial": trivial, "bare": bare}[given.command](given.port))


if __name__ == "__main__":
    main()
