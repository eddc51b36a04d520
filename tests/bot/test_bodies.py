"""Bodies of strangers: slow ones, and many at once, keep nobody from being heard."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest

from bot import bodies
from bot.config import Settings
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.queue import Jobs
from bot.web import listening
from tests.bot.conftest import until

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def url(settings: Settings, valkey: str, jobs: Jobs) -> AsyncIterator[str]:
    assert jobs is not None
    async with listening(dataclasses.replace(settings, host="127.0.0.1", port=0), valkey) as address:
        yield address


async def _begin(url: str, length: str, sent: bytes = b"{") -> Stream:
    """A request whose body does not go on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(f"POST /webhook HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode() + sent)
    await writer.drain()
    return reader, writer


async def _status(stream: Stream) -> int:
    line = await asyncio.wait_for(stream[0].readline(), 10)
    stream[1].close()
    return int(line.split()[1])


@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_one_that_takes_too_long_is_answered_408(url: str, length: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.1)
    assert await _status(await _begin(url, length, b"1\r\n{\r\n")) == 408


@pytest.mark.parametrize("length", ["Content-Length: 20000000", "Transfer-Encoding: chunked"])
async def test_of_many_at_once_only_so_many_are_held(  # noqa: PLR0917 - fixtures
    url: str,
    standin: StandIn,
    repository: RepositoryState,
    pull: PullState,
    length: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "MAX_HELD", 79_000_000)
    held = [await _begin(url, length, b"1\r\n{\r\n") for _ in range(3)]
    await asyncio.sleep(0.05)
    assert await _status(await _begin(url, length, b"1\r\n{\r\n")) == 503
    payload = standin.payload("opened", repository.name, pull.number)
    assert await standin.deliver(f"{url}/webhook", "pull_request", payload) == 202, "a small one finds room"
    for _, writer in held:
        writer.close()
    monkeypatch.setattr(bodies, "PATIENCE", 0.1)

    async def has_room() -> bool:
        return await _status(await _begin(url, length, b"1\r\n{\r\n")) == 408

    await until(has_room)
