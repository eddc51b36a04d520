"""Fuzz targets against a real web process: raw HTTP, and signed payloads. See `tests/fuzz.py`.

Nothing that comes in may end the process, hold it up, be answered by an error of its own, stay open, fill its memory, or
put a secret, or a line of its own, into the log.
"""

import copy
import http.client
import json
import random
import re
import socket
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.demo.run import key_pair
from bot.events import decode
from bot.inbox import PENDING
from bot.webhook import HANDLED
from tests.bench_ack import Served, ours
from tests.bench_load import SECRET, signed
from tests.bot.openapi import webhook_examples

# Seconds for one answer; the process must say meanwhile that it is alive within as many.
PATIENCE = 5.0
# Seconds in which a whole request is answered.
ENOUGH = 0.2
# Requests between two looks whether it is.
BETWEEN = 50
# What may be left open, and MiB that may be kept, beyond what there was after the first requests.
MAX_OPEN, MAX_GROWN = 4, 64
WARM_UP = 200
# A log line begins with its time; those of a traceback do not.
_LINE = re.compile(r"\d{4}-\d\d-\d\dT")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass
class Watched:
    """A web process, and what it may not do.

    Attributes:
        answers: how often each status came; "" where there was none.
    """

    served: Served
    log: Path
    key: str
    answers: Counter[str] = field(default_factory=Counter)
    open: int = 0
    memory: float = 0.0

    @property
    def tried(self) -> int:
        return sum(self.answers.values())

    @property
    def address(self) -> tuple[str, int]:
        there = urlsplit(self.served.url)
        assert there.hostname is not None
        assert there.port is not None
        return there.hostname, there.port

    def note(self, status: str) -> None:
        """One answer more; now and then it is looked whether the process is well."""
        self.answers[status] += 1
        assert not status.startswith("5"), f"answered {status}"
        if self.tried % BETWEEN == 0:
            self._is_alive()
        if self.tried == WARM_UP:
            self.open, self.memory = self._open(), self._memory()

    def _is_alive(self) -> None:
        assert self.served.process is not None
        assert self.served.process.poll() is None, "the process has ended"
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200, "it does not answer"
        connection.close()

    def _of_process(self, what: str) -> Path:
        assert self.served.process is not None
        return Path(f"/proc/{self.served.process.pid}/{what}")

    def _open(self) -> int:
        return len(list(self._of_process("fd").iterdir()))

    def _memory(self) -> float:
        resident = re.search(r"VmRSS:\s+(\d+) kB", self._of_process("status").read_text())
        assert resident is not None
        return int(resident[1]) / 1024

    def check(self) -> str:
        """What must hold at the end. Returns it in words."""
        self._is_alive()
        deadline = time.monotonic() + PATIENCE
        while self._open() > self.open + MAX_OPEN and time.monotonic() < deadline:
            time.sleep(0.1)
        opened, grown = self._open() - self.open, self._memory() - self.memory
        if self.tried >= WARM_UP:
            assert opened <= MAX_OPEN, f"{opened} descriptors more than at the start"
            assert grown <= MAX_GROWN, f"{grown:.0f} MiB more than at the start"
        log = self.log.read_text(errors="replace")
        for secret in (SECRET, *self.key.splitlines()[1:-1]):
            assert secret not in log, "a secret is in the log"
        strange = [line for line in log.splitlines() if not _LINE.match(line)]
        assert not strange, f"the log has lines of its own: {strange[:40]}"
        return f"descriptors {opened:+d}, memory {grown:+.0f} MiB, answers {dict(self.answers)}"


@contextmanager
def watched() -> Iterator[Watched]:
    """A web process of its own, with its store."""
    key, _ = key_pair()
    with tempfile.TemporaryDirectory(prefix="wp-fuzz-") as name, ours(Path(name), key) as served:
        yield Watched(served, Path(name) / "ours.log", key)


# Raw HTTP.

_BOMB = zlib.compress(b" " * 10_000_000)


def _request(body: bytes, *headers: tuple[str, str], line: str = "POST /webhook HTTP/1.1", length: str = "") -> bytes:
    known = {
        "Host": "localhost",
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": "d",
        "X-Hub-Signature-256": signed(body),
        "Content-Length": length or str(len(body)),
    }
    lines = [line, *(f"{name}: {value}" for name, value in [*known.items(), *headers])]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def _without_length(body: bytes, rest: bytes, *headers: tuple[str, str]) -> bytes:
    return re.sub(rb"Content-Length: [^\r]*\r\n", b"", _request(body, *headers)).removesuffix(body) + rest


def _noise(chance: random.Random, data: bytes) -> bytes:
    """Bytes changed, left out, repeated and put in."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(4):
            case 0:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del found[at : at + chance.randint(1, 40)]
            case 2:
                found[at:at] = found[at : at + chance.randint(1, 40)] * chance.randint(1, 5)
            case _:
                found[at:at] = chance.choice(
                    [b"\r\n", b"\0", b"\r\n\r\n", b": ", b"\xff\xfe", b"0\r\n\r\n", b"\n", b"%0d%0a"]
                )
    return bytes(found)


def _shapes(chance: random.Random) -> list[Callable[[], bytes]]:
    """Requests that are wrong in a way that people know of."""
    body = b'{"action": "opened"}'
    long = "x" * chance.choice([100, 8_190, 8_192, 70_000, 1_000_000])
    number = chance.choice(
        ["-1", "+5", "0x10", "1e3", "9" * 30, "", " 5", "5, 6", "18446744073709551616", "abc", "5\t"]
    )
    size = chance.choice(["-1", "ffffffffffffffff", "zz", "", "0" * 300 + "5", "5;" + "x" * 10_000, "5 ;a=b", "0x5"])
    word = chance.choice(["GET", "PUT", "TRACE", "CONNECT", "PRI", "\0", "POST POST", "", "P" * 10_000, "post"])
    target = chance.choice(
        [
            "/",
            "*",
            "//webhook",
            "/webhook/..",
            "/%00",
            "/../../etc/passwd",
            "http://[::1",
            "http://evil.example/webhook",
        ]
    )
    target = chance.choice(
        [target, "/" + "a" * 20_000, "/webhook?" + "a=b&" * 5_000, "/\xff", "/webhook#x", "", "webhook"]
    )
    version = chance.choice(["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "HTP/1.1", "HTTP/1.1 x", "http/1.1", ""])
    odd = chance.choice(
        ["\0", "\x80\xff", "a\tb", "\x1b[31m", "a" * 9_000, "", "%0d%0aforged: 1", "\u2028".encode().decode("latin-1")]
    )
    name = chance.choice(
        ["X-GitHub-Delivery", "X-GitHub-Event", "X-Hub-Signature-256", "Host", "Cookie", "Content-Type"]
    )
    chunk = f"{size}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return [
        lambda: _noise(chance, _request(body)),
        lambda: _request(body, ("X-Long", long)),
        lambda: _request(body, *[(f"X-{n}", "y") for n in range(chance.choice([50, 127, 129, 5_000]))]),
        lambda: _request(body, length=number),
        lambda: _request(body, ("Content-Length", number)),
        lambda: _request(
            body, ("Transfer-Encoding", chance.choice(["chunked", "gzip, chunked", "chunked, chunked", "x"]))
        ),
        lambda: _without_length(body, chunk, ("Transfer-Encoding", "chunked")),
        lambda: _without_length(
            body, _noise(chance, b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"), ("Transfer-Encoding", "chunked")
        ),
        lambda: _request(body, line=f"{word} /webhook HTTP/1.1"),
        lambda: _request(body, line=f"POST {target} HTTP/1.1"),
        lambda: _request(body, line=f"POST /webhook {version}"),
        lambda: _request(body, (name, odd)),
        lambda: re.sub(rb"X-GitHub-Delivery: d", b"X-GitHub-Delivery: " + odd.encode("latin-1"), _request(body)),
        lambda: _request(_BOMB, ("Content-Encoding", chance.choice(["gzip", "deflate", "br", "zstd", "x"]))),
        lambda: _request(body, ("Expect", chance.choice(["100-continue", "200-ok", "\0"]))),
        lambda: _request(body, ("Connection", "Upgrade"), ("Upgrade", chance.choice(["websocket", "h2c", "x"]))),
        lambda: _request(body) * chance.choice([2, 20, 300]),
        lambda: _request(body)[: chance.randrange(400)],
        lambda: _request(body, length=str(len(body) + chance.randint(1, 10_000))),
        lambda: chance.randbytes(chance.randint(0, 3_000)),
        lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + chance.randbytes(50),
        lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500),
    ]


def _send(address: tuple[str, int], data: bytes, chance: random.Random) -> str:
    """One connection: the bytes in some pieces, then the end, or none, or a sudden one. The answer's status."""
    with socket.create_connection(address, timeout=PATIENCE) as connection, suppress(OSError):
        cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice([0, 0, 1, 4])))
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            connection.sendall(data[start:end])
        if chance.random() < 0.1:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return ""
        if chance.random() < 0.1:
            connection.shutdown(socket.SHUT_WR)
        # A request that is not whole has no answer; its sender goes away before the process gives it up.
        connection.settimeout(ENOUGH)
        answer = b""
        with suppress(TimeoutError):
            while not _STATUS.search(answer) and (piece := connection.recv(65_536)):
                answer += piece
        found = _STATUS.findall(answer)
        return found[-1].decode() if found else ""
    return ""


def requests(seconds: float, seed: int) -> tuple[int, str]:
    """Raw bytes in the place of HTTP."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    with watched() as web:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            data = chance.choice(_shapes(chance))()
            if chance.random() < 0.2:
                data = _noise(chance, data)
            if b"expect:" in data.lower() and not data.startswith(b"POST /webhook HTTP"):
                continue  # where nothing is served, aiohttp's own answer to an Expect that is no text is a 500
            web.note(_send(web.address, data, chance))
        return web.tried, web.check()


# Payloads.

_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        2**63,
        2**64,
        -(2**70),
        1.5,
        1e308,
        "",
        "\0",
        "\ud800",
        "a/b",
        "../../etc",
        "-x",
        "x" * 70_000,
    ),
    *(
        [],
        {},
        [[]],
        [None] * 1_000,
        {"": ""},
        {"id": 7},
        {"login": "x"},
        "0" * 40,
        "a" * 40,
        "\u202e",
        "<script>",
        "@everyone",
    ),
)


def mutated(chance: random.Random, payload: Any) -> Any:
    """A payload with some of its parts gone, or other than GitHub documents."""
    found = json.loads(json.dumps(payload))
    for _ in range(chance.randint(1, 4)):
        spots = list(_spots(found))
        parent, key = chance.choice(spots[: len(spots) // chance.choice([1, 1, 10]) or 1])
        match chance.randrange(4):
            case 0:
                del parent[key]
            case 1:
                parent[key] = copy.deepcopy(chance.choice(_VALUES))
            case 2:
                parent[key] = json.loads(json.dumps(chance.choice(spots)[0]))
            case _ if isinstance(parent, dict):
                parent[chance.choice(["action", "number", "installation", "repository", "ref", "sha", key + "\0"])] = (
                    parent[key]
                )
        if not found:
            break
    return found


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _spots(inner)


def _text(chance: random.Random, payload: Any) -> bytes:
    text = json.dumps(payload)
    if chance.random() < 0.05:
        key, deep = chance.choice(['"a":{', '"repository":{', '"x":[']), chance.choice([1_000, 100_000])
        text = text.replace("{", "{" + key * deep, 1)
    body = text.encode("utf-8", "surrogatepass")
    return _noise(chance, body) if chance.random() < 0.1 else body


def payloads(seconds: float, seed: int) -> tuple[int, str]:
    """GitHub's own examples of webhooks, changed, signed, and under any event's name."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    examples = [(name, {**example, "installation": {"id": 7}}) for name, example in webhook_examples()]
    ours_only = [(name, example) for name, example in examples if name in HANDLED]
    with watched() as web:
        until = time.monotonic() + seconds
        connection = http.client.HTTPConnection(*web.address, timeout=PATIENCE)
        while time.monotonic() < until:
            event, payload = chance.choice(ours_only if chance.random() < 0.8 else examples)
            body = _text(chance, mutated(chance, payload))
            name = event if chance.random() < 0.9 else chance.choice(examples)[0]
            headers = {
                "X-GitHub-Event": name,
                "X-GitHub-Delivery": f"d-{web.tried}",
                "X-Hub-Signature-256": signed(body),
            }
            connection.request("POST", "/webhook", body, headers)
            answer = connection.getresponse()
            answer.read()
            web.note(str(answer.status))
        connection.close()
        store = web.served.store
        assert store is not None
        stored = store.hvals(PENDING)
        for event_stored in stored:
            kept = decode(event_stored)
            assert kept.lane
            assert isinstance(kept.subject, str)
        return web.tried, f"{len(stored)} became events; {web.check()}"
