"""Signing in and out in a real browser, wide and on a phone: cookies, redirects and forms as a browser has them."""

import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Page, async_playwright

from bot.config import Settings
from bot.dashboard.records import Records
from bot.demo.github import StandIn
from bot.events import PullEvent
from bot.health import PROCESSES, VITALS, Vitals
from bot.ids import Repo
from bot.queue import LISTED, Jobs
from bot.registration import Delivery
from bot.web import listening
from tests.bot.dashboard_sample import NAME, fill
from tests.bot.signing_in import signing_in

CHROMIUM = shutil.which("chromium")
SHOTS = os.environ.get("WINPARITY_SHOTS")
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")]


@pytest.fixture
async def url(standin: StandIn, settings: Settings, valkey: str, jobs: Jobs) -> AsyncIterator[str]:
    """A dashboard with one repository, which octocat alone may see."""
    repository = standin.add_repository(NAME, Path(), 7)
    repository.permissions |= dict.fromkeys(("octocat", "m" * 39), "read")
    await fill(Records(jobs.redis), private=True)
    async with listening(signing_in(settings, standin, admins=frozenset({"a" * 39, "admin"})), valkey) as found:
        yield found


@asynccontextmanager
async def _page(width: int, *, script: bool = True) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": width, "height": 700}, java_script_enabled=script)
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if "Content Security" in line.text else None)
        yield page
        assert complaints == []
        await browser.close()


async def _shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


@pytest.mark.parametrize(
    ("width", "script", "login"), [(1280, True, "octocat"), (360, True, "m" * 39), (360, False, "octocat")]
)
async def test_somebody_signs_in_reads_and_signs_out(
    standin: StandIn,
    url: str,
    width: int,
    script: bool,  # noqa: FBT001 - pytest's
    login: str,
) -> None:
    there = f"{url}/{NAME.lower()}/findings"
    standin.people.browsing = login
    async with _page(width, script=script) as page:
        answer = await page.goto(there)
        assert answer is not None
        assert answer.status == 404
        await _shot(page, f"signed-out-{width}")
        await page.get_by_role("link", name="Sign in").click()
        assert "/login/oauth/authorize" in page.url
        await page.get_by_role("button", name="Authorize").click()
        assert page.url == there, "back where they were"
        assert await page.get_by_text(login).is_visible()
        assert await page.get_by_role("link", name=NAME).first.is_visible()
        if script:
            assert await page.evaluate(TOO_WIDE) <= 0
            assert await page.evaluate("document.cookie") == "", "no script reads the session"
        await _shot(page, f"signed-in-{width}")
        [cookie] = await page.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("winparity", True, "Lax")
        await page.get_by_role("button", name="Sign out").press("Enter")
        assert page.url == f"{url}/"
        assert await page.context.cookies() == []
        assert not await page.get_by_text(NAME).count()
        await page.go_back()
        assert not await page.get_by_text(NAME).count(), "nothing was kept"


@pytest.mark.parametrize(("width", "login"), [(1280, "admin"), (360, "admin"), (360, "a" * 39)])
async def test_an_administrator_is_led_to_operations_and_it_fits(
    standin: StandIn, url: str, jobs: Jobs, width: int, login: str
) -> None:
    now = int(time.time())
    paused = ((8, now + 600, "GitHub failed 12 times in a row"), (9, now + 60, "GitHub asked for a pause"))
    name = f"worker {'a-long-name-of-a-host-' * 3}.example.com 4194304"
    # A status that no other test of this process has answered with: what all of them answered is added up.
    told = Vitals("0.1.0", now - 9e5, {"299": 123_456, "503": 7}, ((7, 4999, now + 3000), (8, 0, now + 900)), paused)
    await jobs.redis.zadd(PROCESSES, {name: now})
    await jobs.redis.set(f"{VITALS}{name}", msgspec.msgpack.encode(told))
    for number in range(12):
        event = {"installation": 7 + number % 3, "repo": Repo("a/b"), "number": number, "action": "opened"}
        await jobs.submit(PullEvent(delivery=f"72d3162e-cc78-11e3-81ab-{number:012}", **event))  # type: ignore[arg-type]
    await jobs.dispatch()
    gone = PullEvent(delivery="f" * 36, installation=7, repo=Repo("a/b"), number=1, action="opened")
    await jobs.bury(gone, "for 72 hours: GET /repos/a/b: GitHub cannot be reached (ClientConnectorError)")
    listed = Delivery("e" * 36, datetime.now(UTC), "OK", 202, "pull_request_review_comment", 1, "created")
    await jobs.redis.zadd(LISTED, {msgspec.json.encode(listed): now})
    standin.people.browsing = login
    async with _page(width) as page:
        await page.goto(f"{url}/login")
        await page.get_by_role("button", name="Authorize").click()
        await page.get_by_role("link", name="Operations").click()
        assert page.url == f"{url}/operations"
        assert await page.get_by_role("link", name="Operations").get_attribute("aria-current") == "page"
        assert await page.evaluate(TOO_WIDE) <= 0
        for words in ("GitHub failed 12 times in a row", "installation 7", "f" * 36, "e" * 36, "4194304", "123456"):
            assert await page.get_by_text(words, exact=False).first.is_visible(), words
        assert await page.get_by_role("button", name="Sign out").is_visible()
        if SHOTS:
            file = Path(SHOTS) / f"operations-of-{len(login)}-{width}.png"
            await page.screenshot(path=file, full_page=True)


async def test_who_says_no_is_told_so_and_can_go_on(url: str) -> None:
    async with _page(360) as page:
        await page.goto(url)
        await page.get_by_role("link", name="Sign in").click()
        await page.get_by_role("button", name="Cancel").click()
        assert (
            await page.get_by_role("heading").inner_text() == "GitHub did not let you sign in, or you did not want to."
        )
        await _shot(page, "refused-360")
        await page.get_by_role("link", name="All repositories").click()
        assert page.url == f"{url}/"


async def test_another_sites_form_signs_nobody_out(url: str) -> None:
    """As a browser sends it: without the cookie, and with word of where it comes from."""
    async with _page(1280) as page:
        await page.goto(f"{url}/login")
        await page.get_by_role("button", name="Authorize").click()
        await page.route(
            "http://elsewhere.test/",
            lambda route: route.fulfill(
                content_type="text/html", body=f'<form method="post" action="{url}/logout"><button>Win</button></form>'
            ),
        )
        await page.goto("http://elsewhere.test/")
        async with page.expect_response(f"{url}/logout") as answer:
            await page.get_by_role("button", name="Win").click()
        assert (await answer.value).status == 403
        await page.goto(url)
        assert await page.get_by_text("octocat").is_visible()
