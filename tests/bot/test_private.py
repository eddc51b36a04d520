"""What others on the machine can see of a process that has secrets, and of what it starts."""

import asyncio
import ctypes
import dataclasses
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from bot import private
from bot.config import SECRETS
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.run import _free_port
from tests.bot.conftest import APP_ID, WEBHOOK_SECRET, Keys, until


@dataclasses.dataclass
class _Process:
    """A process as the kernel shows it."""

    pid: int

    def _said(self, what: str) -> str:
        return Path(f"/proc/{self.pid}/{what}").read_bytes().decode(errors="replace")

    @property
    def command(self) -> str:
        return self._said("cmdline")

    @property
    def environment(self) -> str:
        return self._said("environ")

    @property
    def core_limit(self) -> str:
        return next(line for line in self._said("limits").splitlines() if line.startswith("Max core file size"))

    @property
    def umask(self) -> str:
        return next(line for line in self._said("status").splitlines() if line.startswith("Umask"))


def _descendants(pid: int) -> list[_Process]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for known in found:
        found.extend(child for child, parent in parents.items() if parent == known)
    return [_Process(known) for known in found]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it is looked at by /proc")
async def test_processes_show_no_secret(
    standin: StandIn, repository: RepositoryState, keys: Keys, pull: PullState, tmp_path: Path
) -> None:
    """A real server with an embedded store, and a comparison that is held in the middle of its fetch."""
    port = _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "WINPARITY_ENV_FILE": str(tmp_path / "away"),
        "WINPARITY_APP_ID": str(APP_ID),
        "WINPARITY_PRIVATE_KEY": keys.private,
        "WINPARITY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "WINPARITY_WEBHOOK_SECRET_OLD": "an old secret",
        "WINPARITY_ALERT_SECRET": "a secret for alerts",
        "WINPARITY_METRICS_TOKEN": "the-token-of-metrics",
        "WINPARITY_CLIENT_ID": "Iv23liAbC",
        "WINPARITY_CLIENT_SECRET": "a-client-secret",
        "WINPARITY_ALERT_URLS": "https://alerts.example.com/a-secret-path",
        "WINPARITY_DATA_DIR": str(tmp_path / "data"),
        "WINPARITY_GITHUB_API_URL": standin.url,
        "WINPARITY_GITHUB_URL": standin.url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    reached = asyncio.Event()

    def hold(_: str, path: str) -> None:
        if path.endswith("/git-upload-pack"):
            standin.latency = 3600.0
            reached.set()

    standin.on_call = hold
    with (tmp_path / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.cli", "serve"), env=environment, stdout=log, stderr=log
        )
    try:

        async def answers() -> bool:
            with suppress(aiohttp.ClientError):
                async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    return answer.status == 200
            return False

        await until(answers, 30)
        payload = standin.payload("opened", repository.name, pull.number)
        assert await standin.deliver(f"http://127.0.0.1:{port}/webhook", "pull_request", payload) == 202
        await asyncio.wait_for(reached.wait(), 30)
        family = await asyncio.to_thread(_descendants, server.pid)
        tokens = list(standin._tokens)
        kinds = {word for known in family for word in ("valkey", "git\0", "forkserver") if word in known.command}
        assert kinds == {"valkey", "git\0", "forkserver"}
        names = [name for name in SECRETS if name != "REDIS_URL"]
        values = [environment[name].strip().splitlines()[-1] for name in names]
        for known in family:
            assert not [value for value in [*values, *tokens] if value in known.command], known.command
            if known.pid != server.pid:  # whose own was given to it; nobody else may read it
                assert not [value for value in [*names, *values] if value in known.environment], known.command
        for known in family[:1]:
            assert known.core_limit.split()[4:6] == ["0", "0"]
            assert known.umask.split() == ["Umask:", "0077"]
    finally:
        standin.latency = 0.0
        server.terminate()
        await server.wait()
    said = (tmp_path / "log").read_text()
    assert not [value for value in [*values, *tokens] if value in said]
    for path in [tmp_path / "data", *(tmp_path / "data").rglob("*")]:
        assert not stat.S_IMODE(path.lstat().st_mode) & 0o077, path


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's")
async def test_a_process_that_is_closed_cannot_be_looked_into() -> None:
    script = "import ctypes; from bot import private; private.close(); print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0] == b"0\n"
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 1, "this one is open"


def test_secrets_are_taken_out_of_the_environment() -> None:
    environ = dict.fromkeys(SECRETS, "x") | {"PATH": "/bin"}
    private.disinherit(environ)
    assert environ == {"PATH": "/bin"}
