"""Setting up as people do it: `winparity setup` and `winparity serve` as processes, and a real browser."""

import asyncio
import re
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, async_playwright

from bot import envfile
from bot.config import Unregistered
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.run import _free_port
from bot.setup import opened
from tests.bot.manifest_flow import Visitor

PATIENCE = 20.0
LINK = re.compile(r"http://127\.0\.0\.1:\d+/setup\?token=[\w-]+")
CHROMIUM = shutil.which("chromium")


@dataclass
class Command:
    """A command that runs, and what it has said so far."""

    process: asyncio.subprocess.Process
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        return self.log.read_text()

    async def link(self) -> str:
        """The link that it prints."""
        async with asyncio.timeout(PATIENCE):
            while not (found := LINK.search(self.said)):
                assert self.process.returncode is None, self.said
                await asyncio.sleep(0.02)
        return found[0]

    async def ends(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


@asynccontextmanager
async def _running(folder: Path, standin: StandIn, *words: str, **more: str) -> AsyncIterator[Command]:
    environment = {
        "PATH": str(Path(sys.executable).parent) + ":/usr/bin:/bin",
        "WINPARITY_GITHUB_API_URL": standin.url,
        "WINPARITY_GITHUB_URL": standin.url,
        "WINPARITY_DATA_DIR": str(folder / "data"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **more,
    }
    log = folder / f"{words[0]}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.cli", *words), env=environment, cwd=folder, stdout=output, stderr=output
        )
    try:
        yield Command(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _secrets(file: Path) -> list[str]:
    known = envfile.read(file)
    return [known["WINPARITY_WEBHOOK_SECRET"], *known["WINPARITY_PRIVATE_KEY"].splitlines()[1:-1]]


# winparity setup.


@pytest.mark.slow
async def test_setup_writes_the_file_and_says_what_is_left(standin: StandIn, tmp_path: Path) -> None:
    words = ("setup", "--no-browser", "--url", "https://smee.io/abc", "--org", "acme")
    async with _running(tmp_path, standin, *words) as command, Visitor() as visitor:
        await visitor.open(await command.link())
        assert await visitor.open(await visitor.accept(standin)) == 200
        assert await command.ends() == 0
        said = command.said
    file = tmp_path / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert envfile.read(file)["WINPARITY_APP_ID"] == str(standin.app.id)
    left = [f"{standin.url}/apps/winparity-acme/installations/new", "winparity serve", "smee-client", str(file)]
    assert [word for word in left if word not in said] == []
    assert [secret for secret in _secrets(file) if secret in said] == []


@pytest.mark.slow
async def test_setup_can_be_left_with_control_c(standin: StandIn, tmp_path: Path) -> None:
    async with _running(tmp_path, standin, "setup", "--no-browser") as command:
        await command.link()
        command.process.send_signal(signal.SIGINT)
        assert await command.ends() == 130
        assert "nothing was written" in command.said
        assert "Traceback" not in command.said
    assert not (tmp_path / ".env").exists()


@pytest.mark.slow
async def test_setup_replaces_another_app_only_when_it_is_told_to(standin: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "mine.env"
    file.write_text("WINPARITY_APP_ID=77\nPORT=1\n")
    words = ("setup", "--no-browser", "--env-file", "mine.env")
    async with _running(tmp_path, standin, *words) as command:
        assert await command.ends() == 2
        assert [word for word in ("mine.env", "77", "--replace") if word not in command.said] == []
    async with _running(tmp_path, standin, *words, "--replace", WINPARITY_APP_ID="5") as command, Visitor() as visitor:
        await visitor.open(await command.link())
        await visitor.send(url="https://wp.example.com")
        await visitor.open(await visitor.accept(standin))
        assert await command.ends() == 0
        assert "environment sets WINPARITY_APP_ID, which wins" in command.said
        assert f"WINPARITY_ENV_FILE={file} winparity serve" in command.said
    assert envfile.read(file)["WINPARITY_APP_ID"] == str(standin.app.id)


# winparity serve without an app.


@pytest.mark.slow
async def test_a_server_without_an_app_becomes_one_with_an_app(
    standin: StandIn, repository: RepositoryState, pull: PullState, tmp_path: Path, valkey: str
) -> None:
    port = _free_port()
    more = {"REDIS_URL": valkey, "PORT": str(port), "HOST": "127.0.0.1"}
    here = f"http://127.0.0.1:{port}"
    async with _running(tmp_path, standin, "serve", "--no-worker", **more) as command, Visitor() as visitor:
        link = await command.link()
        assert [await visitor.open(here + path) for path in ("/healthz", "/readyz", "/webhook")] == [200, 503, 404]
        await visitor.open(link)
        await visitor.send(url="https://wp.example.com")
        assert await visitor.open(await visitor.accept(standin)) == 200
        assert "starting by itself" in visitor.page
        async with asyncio.timeout(PATIENCE):
            while not await _is_ready(here):  # noqa: ASYNC110 - another process works
                await asyncio.sleep(0.02)
        # GitHub signs with the new secret from here on.
        payload = standin.payload("closed", repository.name, pull.number)
        assert await standin.deliver(f"{here}/webhook", "pull_request", payload) == 200
        assert await visitor.open(f"{here}/setup") == 200
        assert [word for word in ("winparity-acme", str(standin.app.id), str(tmp_path)) if word in visitor.page] == []
        command.process.terminate()
        assert await command.ends() == 0
        said = command.said
    assert [secret for secret in _secrets(tmp_path / ".env") if secret in said] == []
    assert "Traceback" not in said


async def _is_ready(here: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{here}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@pytest.mark.slow
async def test_a_server_without_an_app_stops_when_it_is_asked_to(standin: StandIn, tmp_path: Path) -> None:
    async with _running(tmp_path, standin, "serve", PORT="0", HOST="127.0.0.1") as command:
        await command.link()
        command.process.terminate()
        assert await command.ends() == 0
        assert "Traceback" not in command.said


@pytest.mark.slow
async def test_half_an_app_is_a_mistake(standin: StandIn, tmp_path: Path) -> None:
    async with _running(tmp_path, standin, "serve", WINPARITY_APP_ID="1") as command:
        assert await command.ends() == 2
        assert "WINPARITY_WEBHOOK_SECRET is not set" in command.said


@pytest.mark.slow
async def test_a_file_that_others_can_read_is_said(standin: StandIn, tmp_path: Path, valkey: str) -> None:
    (tmp_path / ".env").write_text(
        "WINPARITY_APP_ID=1\nWINPARITY_PRIVATE_KEY='-PRIVATE KEY-----'\nWINPARITY_WEBHOOK_SECRET=x\n"
    )
    (tmp_path / ".env").chmod(0o644)
    more = {"REDIS_URL": valkey, "PORT": "0", "HOST": "127.0.0.1"}
    async with _running(tmp_path, standin, "serve", "--no-worker", **more) as command:
        async with asyncio.timeout(PATIENCE):
            while "listening" not in command.said:
                assert command.process.returncode is None, command.said
                await asyncio.sleep(0.02)
        assert f"chmod 600 {tmp_path}/.env" in command.said


# A browser.


@asynccontextmanager
async def _browser(*, width: int, dark: bool) -> AsyncIterator[Page]:
    """A real one, in which no script runs."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(
            viewport={"width": width, "height": 700},
            color_scheme="dark" if dark else "light",
            java_script_enabled=False,
        )
        try:
            yield await context.new_page()
        finally:
            await browser.close()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
@pytest.mark.parametrize(("width", "dark"), [(1100, False), (320, True)])
async def test_with_a_browser_and_nothing_but_the_keyboard(
    standin: StandIn,
    tmp_path: Path,
    width: int,
    dark: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """GitHub is another site than we are, as in truth, so that cookies and policies are put to the test."""
    pages = standin.url.replace("127.0.0.1", "localhost")
    nothing = Unregistered(tmp_path / ".env", "127.0.0.1", 0, "console", standin.url, pages)
    complaints: list[str] = []
    async with opened(nothing) as desk, _browser(width=width, dark=dark) as page:
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(desk.address)
        assert "token" not in page.url
        await page.keyboard.type("wp.example.com")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.type("acme")
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Register on GitHub").wait_for()
        await _fits(page, width)
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Create GitHub App").click()
        await page.get_by_role("heading", name="The app is registered").wait_for()
        await _fits(page, width)
        assert await page.get_by_role("link", name="Choose repositories").is_visible()
    assert complaints == []
    assert envfile.read(tmp_path / ".env")["WINPARITY_APP_ID"] == str(standin.app.id)


async def _fits(page: Page, width: int) -> None:
    """Nothing is wider than the window."""
    box = await page.locator("main").bounding_box()
    assert box is not None
    assert box["width"] <= width
    for part in await page.locator("main *").all():
        if inside := await part.bounding_box():
            assert inside["x"] + inside["width"] <= width
