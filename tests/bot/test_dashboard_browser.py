"""The dashboard in a real browser: each page wide and on a phone, light and dark, by keyboard, with a screen reader's rules
(axe), with and without script. WINPARITY_SHOTS is a folder for pictures of all of them."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

from bot.config import Settings
from bot.dashboard.records import Records
from bot.dashboard.visitors import Visitors
from bot.queue import Jobs
from bot.web import listening
from tests.bot.dashboard_sample import LARGE, NAME, fill, fill_large
from tests.bot.openapi import Package, UnavailableError, member, must_not_skip
from tests.bot.test_dashboard import PATHS

CHROMIUM = shutil.which("chromium")
AXE = Package(
    "axe-core",
    "4.14.1",
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    "package/axe.min.js",
)
SHOTS = os.environ.get("WINPARITY_SHOTS")
BERTH = f"/{NAME.lower()}"
WIDE, PHONE = 1280, 360
# What a reader needs: nothing wider than the window, and what has the focus can be seen.
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOCUSED = """() => { const e = document.activeElement, s = getComputedStyle(e);
  return { tag: e.tagName, text: (e.innerText || e.name || "").trim().slice(0, 40), id: e.id,
           seen: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && e.getBoundingClientRect().height > 0 }; }"""
VIOLATIONS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .map(v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + (n.any[0]?.message || "")).join("; "))"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")]


@dataclass
class Window:
    """A browser's window, and whatever it complained of or asked others for."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        answer = await self.page.goto(self.url + path, wait_until="load")
        assert answer is not None
        assert answer.status == 200


@pytest.fixture
async def url(settings: Settings, valkey: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A dashboard, looked at by an administrator."""

    async def yes(*_args: object) -> bool:
        return True

    monkeypatch.setattr(Visitors, "administers", yes)
    await fill(Records(jobs.redis))
    async with listening(replace(settings, host="127.0.0.1", port=0), valkey) as found:
        yield found


@asynccontextmanager
async def _window(url: str, *, width: int = WIDE, dark: bool = False, script: bool = True) -> AsyncIterator[Window]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context: BrowserContext = await browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            reduced_motion="reduce",
        )
        window = Window(await context.new_page(), url)
        window.page.on("console", lambda message: window.complaints.append(message.text))
        window.page.on("pageerror", lambda error: window.complaints.append(str(error)))
        window.page.on("request", lambda r: r.url.startswith(url) or window.elsewhere.append(r.url))
        try:
            yield window
        finally:
            await browser.close()
        assert (window.complaints, window.elsewhere) == ([], [])


@pytest.fixture(scope="module")
def axe() -> str:
    try:
        return member(AXE).decode()
    except UnavailableError as error:
        if must_not_skip():
            raise
        pytest.skip(f"axe is not tried: {error}")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [WIDE, PHONE])
async def test_each_page_fits_complains_of_nothing_and_is_for_everybody(
    url: str,
    axe: str,
    width: int,
    dark: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    found: dict[str, Any] = {}
    async with _window(url, width=width, dark=dark) as window:
        for path in [*PATHS, "/operations", f"{BERTH}/packages?q=nothing"]:
            await window.open(path)
            if SHOTS:
                await _shoot(window, path, width, dark=dark)
            await window.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            if extra := await window.page.evaluate(TOO_WIDE):
                found[path] = f"{extra} px too wide"
            await window.page.evaluate(axe)
            if violations := await window.page.evaluate(VIOLATIONS):
                found[path] = violations
    assert found == {}


async def _shoot(window: Window, path: str, width: int, *, dark: bool) -> None:
    name = path.replace(NAME.lower(), "repo").strip("/").replace("/", "_").replace("?", "_") or "front"
    file = Path(str(SHOTS)) / f"{name}-{width}-{'dark' if dark else 'light'}.png"
    await window.page.screenshot(path=file, full_page=True)


@pytest.mark.parametrize("width", [WIDE, PHONE])
async def test_the_largest_fits_too(url: str, jobs: Jobs, axe: str, width: int) -> None:
    await fill_large(Records(jobs.redis), packages=120)
    large = f"/{LARGE.lower()}"
    async with _window(url, width=width) as window:
        for path in ("", "/packages", "/findings", "/features", "/compare/v1.0.0...v8.0.0", "/pulls/1"):
            await window.open(large + path)
            if SHOTS:
                await _shoot(window, large + path, width, dark=False)
            assert await window.page.evaluate(TOO_WIDE) == 0
            await window.page.evaluate(axe)
            assert await window.page.evaluate(VIOLATIONS) == []


@pytest.mark.parametrize("width", [WIDE, PHONE])
async def test_nothing_but_the_keyboard(url: str, width: int) -> None:
    async with _window(url, width=width) as window:
        page, keys = window.page, window.page.keyboard
        await window.open("/")
        await keys.press("Tab")
        assert (await page.evaluate(FOCUSED))["text"] == "Skip to the content"
        await keys.press("Enter")
        await _tab_to(page, "Example/Berth")
        await keys.press("Enter")
        await page.wait_for_url(f"**/{NAME}")
        await _tab_to(page, "Packages")
        await keys.press("Enter")
        await page.wait_for_url("**/packages")
        await _tab_to(page, "q")
        await keys.type("dae")
        await page.wait_for_url("**/packages?q=dae&sort=dir")
        await page.get_by_role("status").filter(has_text="1 package with").wait_for()
        await _tab_to(page, "stub")
        await keys.press("Enter")
        await page.wait_for_url("**sort=-stub")
        await page.wait_for_function("document.querySelector('[aria-sort=descending]')?.innerText.startsWith('stub')")
        assert (await page.evaluate(FOCUSED))["text"].startswith("stub")
        await _tab_to(page, "daemon")
        await keys.press("Enter")
        await page.wait_for_url("**/packages/daemon")
        await _tab_to(page, "Daemon.Pause")
        await keys.press("Enter")
        await page.wait_for_url("**/symbols/daemon:Daemon.Pause")


async def _tab_to(page: Page, text: str) -> None:
    """Go on by Tab until something has the focus; all on the way can be seen to have it."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        found = await page.evaluate(FOCUSED)
        if found["tag"] == "BODY":
            continue
        assert found["seen"], found
        if text in {found["text"], found["id"]}:
            return
    raise AssertionError(f"{text} cannot be reached")


@pytest.mark.parametrize("script", [True, False])
async def test_lists_answer_with_and_without_script(
    url: str,
    script: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    async with _window(url, script=script) as window:
        page = window.page
        await window.open(f"{BERTH}/features")
        await page.get_by_label("Find a feature").fill("suspend-container")
        if not script:
            await page.get_by_role("button", name="Search").click()
        await page.get_by_role("status").filter(has_text="1 feature with “suspend-container”").wait_for()
        assert "q=suspend-container" in page.url
        assert await page.locator("tbody tr").count() == 1
        await page.get_by_role("link", name="refused 1").click()
        await page.locator(".only [aria-current]", has_text="refused").wait_for()
        assert "state=refused" in page.url
        assert "q=suspend-container" in page.url
        await page.get_by_label("Find a feature").fill("version")
        if not script:
            await page.get_by_role("button", name="Search").click()
        await page.get_by_text("No feature is so.").wait_for()


async def test_a_release_on_the_chart_tells_its_parity(url: str) -> None:
    async with _window(url) as window:
        await window.open(BERTH)
        await window.page.locator(".pygal-chart circle").first.hover()
        tip = window.page.locator(".pygal-chart .tooltip text")
        await tip.first.wait_for()
        assert [text for text in await tip.all_text_contents() if text] == ["2 Mar 2015", "v1.0.0", "60.0%"]
