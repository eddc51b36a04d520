"""The bot in processes of its own, for tests of what only a whole process does."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bot.demo.github import StandIn
from tests.bot.conftest import APP_ID, WEBHOOK_SECRET, Keys

# Seconds for something to happen in another process, on a busy machine.
PATIENCE = 60.0
COMMAND = ("-m", "bot.cli")


@dataclass
class Processes:
    """Real processes and their environment; those that still run at the end are killed."""

    environment: dict[str, str]
    folder: Path
    running: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *words: str, log: str = "", program: tuple[str, ...] = COMMAND) -> asyncio.subprocess.Process:
        with (self.folder / f"{log or words[0]}.log").open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *program, *words), env=self.environment, stdout=out, stderr=out
            )
        self.running.append(process)
        return process

    def said(self, log: str) -> str:
        return (self.folder / f"{log}.log").read_text(encoding="utf-8")

    async def stop(self) -> list[int]:
        """End all as a process manager would. Returns their exit codes."""
        for process in self.running:
            if process.returncode is None:
                process.terminate()
        async with asyncio.timeout(PATIENCE):
            return [await process.wait() for process in self.running]


@asynccontextmanager
async def processes(standin: StandIn, keys: Keys, redis_url: str, folder: Path, port: int) -> AsyncIterator[Processes]:
    environment = {
        "PATH": os.environ["PATH"],
        "WINPARITY_APP_ID": str(APP_ID),
        "WINPARITY_PRIVATE_KEY": keys.private,
        "WINPARITY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "WINPARITY_ENV_FILE": str(folder / ".env"),
        "WINPARITY_DATA_DIR": str(folder / "data"),
        "WINPARITY_GITHUB_API_URL": standin.url,
        "WINPARITY_GITHUB_URL": standin.url,
        "WINPARITY_WRITE_SPACING": "0",
        "WINPARITY_LOG": "json",
        "REDIS_URL": redis_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    made = Processes(environment, folder)
    yield made
    for process in made.running:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answer(url: str, **headers: str) -> tuple[int, str]:
    """Status and text; (0, "") when nobody answers."""
    try:
        jar = aiohttp.CookieJar(unsafe=True)  # of an address, too
        async with aiohttp.ClientSession(cookie_jar=jar) as session, session.get(url, headers=headers) as response:
            return response.status, await response.text()
    except aiohttp.ClientError:
        return 0, ""


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.05)
