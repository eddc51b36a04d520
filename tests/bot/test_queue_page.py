"""SAQ's page: for whoever has its address, from this machine, and only to look at."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from bot.demo.github import StandIn
from bot.events import PullEvent
from bot.ids import Repo
from bot.queue import Jobs
from bot.queue_page import queue_page
from tests.bot.conftest import Keys
from tests.bot.processes import answer, eventually, processes

QUEUE = "/api/queues/winparity"


@pytest.fixture
async def address(valkey: str, jobs: Jobs) -> AsyncIterator[URL]:
    """The page, with a job of a private repository."""
    await jobs.submit(PullEvent(delivery="d-1", installation=1, repo=Repo("a/secret"), number=1, action="opened"))
    await jobs.dispatch()
    async with queue_page(valkey) as url:
        yield URL(url)


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def test_who_opens_its_address_sees_the_jobs(address: URL, browser: aiohttp.ClientSession) -> None:
    async with browser.get(address) as page:
        assert (page.status, page.url.query_string) == (200, "")
        assert "root_path" in await page.text()
        policy = page.headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in policy
    async with browser.get(address.with_path("/static/app.js")) as script:
        assert script.status == 200
    async with browser.get(address.with_path(QUEUE)) as answer:
        assert "a/secret" in await answer.text()


@pytest.mark.parametrize("path", ["/", QUEUE, f"{QUEUE}/jobs/d-1", "/static/app.js", "/health"])
@pytest.mark.parametrize("token", ["", "wrong", "\xe9"])
async def test_nobody_else_sees_anything(address: URL, browser: aiohttp.ClientSession, path: str, token: str) -> None:
    async with browser.get(address.with_path(path).with_query(token=token)) as answer:
        assert (answer.status, "secret" in await answer.text()) == (403, False)


async def test_another_name_for_this_machine_is_not_ours(address: URL, browser: aiohttp.ClientSession) -> None:
    async with browser.get(address, headers={"Host": f"rebound.example.com:{address.port}"}) as answer:
        assert answer.status == 421


@pytest.mark.parametrize("button", ["retry", "abort"])
async def test_it_changes_nothing(address: URL, browser: aiohttp.ClientSession, button: str) -> None:
    async with browser.get(address) as page:
        assert page.status == 200
    async with browser.post(address.with_path(f"{QUEUE}/jobs/d-1/{button}")) as answer:
        assert answer.status == 405


async def test_it_is_at_this_machine_alone(address: URL) -> None:
    assert address.host == "127.0.0.1"


@pytest.mark.slow
@pytest.mark.usefixtures("jobs")
async def test_the_command_serves_it_until_it_is_stopped(
    standin: StandIn, keys: Keys, valkey: str, tmp_path: Path
) -> None:
    async with processes(standin, keys, valkey, tmp_path, 0) as made:
        await made.start("queue", "--page", log="queue")
        await eventually(lambda: "token=" in made.said("queue"))
        status, page = await answer(made.said("queue").strip())
        assert (status, "root_path" in page) == (200, True)
        assert await made.stop() == [0]
