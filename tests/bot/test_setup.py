"""The set-up page over HTTP, against the stand-in: from nothing to an app whose credentials nobody has seen."""

import base64
import dataclasses
import hashlib
import re
import socket
import stat
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

import bot.cli_server
import bot.log
import bot.setup
import bot.setup_console
from bot import envfile
from bot.config import ConfigError, Settings, Unregistered, environment
from bot.demo.github import StandIn
from bot.github import GitHub
from bot.registration import Registered
from bot.setup import BACK, Desk, opened
from tests.bot.manifest_flow import Visitor
from tests.conftest import Snapshots

ADDRESS = "https://wp.example.com"
HOSTILE = '"><script>alert(1)</script>\u202e@octocat'


@pytest.fixture
def nothing(standin: StandIn, tmp_path: Path) -> Unregistered:
    """What a server is told that has no app. GitHub's pages are on another site than ours, as they are in truth."""
    pages = standin.url.replace("127.0.0.1", "localhost")
    return Unregistered(tmp_path / ".env", "127.0.0.1", 0, "console", standin.url, pages)


@pytest.fixture
async def desk(nothing: Unregistered) -> AsyncIterator[Desk]:
    async with opened(nothing) as desk:
        yield desk


async def _to_github(visitor: Visitor, desk: Desk, org: str = "acme") -> None:
    """Up to the second step."""
    await visitor.open(desk.address)
    assert await visitor.send(url=ADDRESS, org=org) == 200


def _secrets(file: Path) -> list[str]:
    known = envfile.read(file)
    key = known["WINPARITY_PRIVATE_KEY"].splitlines()
    return [known["WINPARITY_WEBHOOK_SECRET"], known["WINPARITY_CLIENT_SECRET"], *key[1:-1]]


# The flow.


async def test_a_few_clicks_make_an_app(
    desk: Desk, visitor: Visitor, standin: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await _to_github(visitor, desk)
    assert await visitor.open(await visitor.accept(standin)) == 200
    file = tmp_path / ".env"
    settings = Settings.from_env(environment({}, file))
    assert settings.app_id == standin.app.id
    assert [secret.reveal() for secret in settings.webhook_secrets] == [standin.app.secret]
    assert settings.signs_in
    assert settings.client_secret is not None
    assert (settings.client_id, settings.client_secret.reveal()) == (standin.app.client_id, standin.app.client_secret)
    assert settings.public_url == ADDRESS
    assert standin.app.callback_urls == [f"{ADDRESS}/login/callback"]
    async with aiohttp.ClientSession() as session:
        app = await Registered(GitHub(session, settings)).app()
    assert (app.name, app.owner and app.owner.name) == ("winparity-acme", "acme")
    assert standin.app.hook == {"url": f"{ADDRESS}/webhook", "secret": "********"}
    assert f"{app.html_url}/installations/new" in visitor.links
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = "".join([*visitor.seen, *capsys.readouterr()])
    assert [secret for secret in _secrets(file) if secret in shown] == []
    assert desk.done.done()


async def test_ones_own_account_owns_it_without_an_organisation(desk: Desk, visitor: Visitor, standin: StandIn) -> None:
    await _to_github(visitor, desk, org="")
    assert visitor.forms[0].action.startswith(f"{desk.settings.git_url}/settings/apps/new?state=")
    await visitor.open(await visitor.accept(standin))
    assert standin.app.owner["type"] == "User"


async def test_what_the_command_line_says_is_not_asked(
    nothing: Unregistered, visitor: Visitor, standin: StandIn
) -> None:
    async with opened(nothing, webhook="https://smee.io/abc", org="acme") as desk:
        await visitor.open(desk.address)
        await visitor.open(await visitor.accept(standin))
    assert standin.app.hook is not None
    assert (standin.app.hook["url"], standin.app.owner["login"]) == ("https://smee.io/abc", "acme")
    settings = Settings.from_env(environment({}, nothing.env_file))
    assert (settings.public_url, settings.signs_in) == ("", False), "nobody knows where people reach the server"


async def test_a_choice_can_be_changed(desk: Desk, visitor: Visitor) -> None:
    await _to_github(visitor, desk)
    await visitor.open(f"{desk.url}{visitor.links[0]}")
    assert visitor.forms[0].fields == {"url": f"{ADDRESS}/webhook", "org": "acme"}
    await visitor.send(url="other.example.com")
    assert "https://other.example.com/webhook" in visitor.page


async def test_what_was_in_the_file_stays_and_a_former_apps_key_does_not(
    nothing: Unregistered, visitor: Visitor, standin: StandIn
) -> None:
    nothing.env_file.write_text("PORT=9000 # mine\nWINPARITY_APP_ID=1\nWINPARITY_PRIVATE_KEY_FILE=key.pem\n")
    async with opened(nothing, replaces=True) as desk:
        await visitor.open(desk.address)
        assert "will be\nreplaced" in visitor.page
        await visitor.send(url=ADDRESS)
        await visitor.open(await visitor.accept(standin))
    known = envfile.read(nothing.env_file)
    assert nothing.env_file.read_text().startswith("PORT=9000 # mine\n")
    assert known["WINPARITY_APP_ID"] == str(standin.app.id)
    assert "WINPARITY_PRIVATE_KEY_FILE" not in known


async def test_github_enterprise_server(nothing: Unregistered, visitor: Visitor, standin: StandIn) -> None:
    """Its API has a path, its pages have none; the file remembers both."""

    async def forward(request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in ("User-Agent", "X-GitHub-Api-Version")}
        url = f"{standin.url}/{request.match_info['tail']}"
        async with aiohttp.ClientSession() as session, session.request(request.method, url, headers=headers) as answer:
            return web.json_response(await answer.json(), status=answer.status)

    app = web.Application()
    app.add_routes([web.route("*", "/api/v3/{tail:.*}", forward)])
    async with TestServer(app) as server:
        enterprise = dataclasses.replace(nothing, api_url=str(server.make_url("/api/v3")))
        async with opened(enterprise) as desk:
            await _to_github(visitor, desk)
            assert visitor.forms[0].action.startswith(f"{nothing.git_url}/organizations/acme/settings/apps/new?")
            assert await visitor.open(await visitor.accept(standin)) == 200
    settings = Settings.from_env(environment({}, nothing.env_file))
    assert (settings.api_url, settings.git_url) == (enterprise.api_url, enterprise.git_url)


# Who may.


async def test_the_printed_link_opens_once(desk: Desk, visitor: Visitor) -> None:
    assert await visitor.open(desk.address) == 200
    assert "token" not in visitor.url.query
    async with Visitor() as other:
        for url in (desk.address, f"{desk.url}/setup", f"{desk.url}/setup?token=", f"{desk.url}/setup?token=x"):
            assert await other.open(url) == 403
            assert other.forms == []
    assert await visitor.open(f"{desk.url}/setup") == 200


async def test_a_guess_does_not_use_up_the_link(desk: Desk, visitor: Visitor) -> None:
    address = desk.address
    for guess in ("x", "é", ""):
        assert await visitor.open(f"{desk.url}/setup", params={"token": guess}) == 403
    assert await visitor.ask("HEAD", address) == 405
    assert await visitor.open(address) == 200


async def test_nobody_else_can_choose(desk: Desk, visitor: Visitor) -> None:
    for cookies in ({}, {"winparity-setup": "x"}):
        assert await visitor.ask("POST", f"{desk.url}/setup", data={"url": ADDRESS}, cookies=cookies) == 403
    assert desk.webhook == ""


async def test_a_code_without_our_state_is_worth_nothing(
    desk: Desk, visitor: Visitor, standin: StandIn, tmp_path: Path
) -> None:
    await _to_github(visitor, desk)
    back = await visitor.accept(standin)
    for query in ({}, {"state": ""}, {"state": "x"}, {"state": "é"}):
        assert await visitor.open(back.with_query({"code": back.query["code"], **query})) == 403
    assert standin.calls == []
    assert not (tmp_path / ".env").exists()
    assert await visitor.open(back) == 200


async def test_a_state_counts_once(desk: Desk, visitor: Visitor, standin: StandIn, tmp_path: Path) -> None:
    await _to_github(visitor, desk)
    back = await visitor.accept(standin)
    assert await visitor.open(back) == 200
    before = (tmp_path / ".env").read_text()
    assert await visitor.open(back) == 403
    assert (tmp_path / ".env").read_text() == before
    assert len(standin.calls) == 1


async def test_a_state_is_too_old_after_an_hour(
    desk: Desk, visitor: Visitor, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.setup, "STATE_SECONDS", -1.0)
    await _to_github(visitor, desk)
    assert await visitor.open(await visitor.accept(standin)) == 403
    assert standin.calls == []


# What goes wrong.


@pytest.mark.parametrize("code", ["", "0" * 40, "../../app", "a/b", "é", "x" * 300])
async def test_a_code_that_github_does_not_take(desk: Desk, visitor: Visitor, standin: StandIn, code: str) -> None:
    await _to_github(visitor, desk)
    back = await visitor.accept(standin)
    assert await visitor.open(back.update_query(code=code)) == 400
    assert {call.path for call in standin.calls} <= {"/app-manifests/" + "0" * 40 + "/conversions"}
    # One can begin again.
    assert await visitor.open(f"{desk.url}{visitor.links[0]}") == 200
    assert await visitor.open(await visitor.accept(standin)) == 200


async def test_a_code_is_too_old_after_an_hour(desk: Desk, visitor: Visitor, standin: StandIn) -> None:
    standin.app.code_seconds = -1
    await _to_github(visitor, desk)
    assert await visitor.open(await visitor.accept(standin)) == 400


async def test_when_github_is_away_the_page_can_be_reloaded(desk: Desk, visitor: Visitor, standin: StandIn) -> None:
    await _to_github(visitor, desk)
    back = await visitor.accept(standin)
    standin.refuse_next("conversions", 502)
    assert await visitor.open(back) == 503
    assert await visitor.open(back) == 200


async def test_without_a_place_for_the_credentials_nothing_is_begun(nothing: Unregistered, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        async with opened(dataclasses.replace(nothing, env_file=tmp_path / "away" / ".env")):
            pass


async def test_credentials_that_could_not_be_kept_are_not_shown(
    desk: Desk, visitor: Visitor, standin: StandIn, tmp_path: Path
) -> None:
    await _to_github(visitor, desk)
    back = await visitor.accept(standin)
    (tmp_path / ".env").symlink_to("elsewhere")
    assert await visitor.open(back) == 500
    assert standin.app.name in visitor.page
    assert standin.app.secret not in visitor.page
    assert not desk.done.done()


async def test_mistakes_are_named_beside_their_fields(desk: Desk, visitor: Visitor) -> None:
    await visitor.open(desk.address)
    assert await visitor.send(url=f"http://wp.example.com/{HOSTILE}", org=HOSTILE) == 422
    assert visitor.page.count('aria-invalid="true"') == 2
    assert visitor.forms[0].fields == {"url": f"http://wp.example.com/{HOSTILE}", "org": HOSTILE}
    assert "<script" not in visitor.page
    assert desk.webhook == ""


# The page.


@pytest.mark.parametrize("path", ["/setup", "/setup?token=x", BACK, "/healthz", "/readyz", "/", "/webhook"])
async def test_every_answer_is_guarded(desk: Desk, visitor: Visitor, path: str) -> None:
    await visitor.open(f"{desk.url}{path}")
    policy = dict(part.strip().split(" ", 1) for part in visitor.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "script-src" not in policy
    assert policy["form-action"] == f"'self' {desk.settings.git_url}"
    assert (visitor.headers["Cache-Control"], visitor.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "unsafe" not in visitor.headers["Content-Security-Policy"]
    if style := re.search(r"<style>(.*?)</style>", visitor.page, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        assert policy["style-src"] == f"'sha256-{digest}'"


async def test_nothing_else_is_served(desk: Desk, visitor: Visitor) -> None:
    statuses = {path: await visitor.open(f"{desk.url}{path}") for path in ("/healthz", "/readyz", "/", "/webhook")}
    assert statuses == {"/healthz": 200, "/readyz": 503, "/": 404, "/webhook": 404}


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False), ("javascript", False)])
async def test_behind_a_proxy_the_browser_comes_back_to_it(
    desk: Desk,
    visitor: Visitor,
    scheme: str,
    secure: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    headers = {"Host": "wp.example.com", "X-Forwarded-Proto": scheme}
    token = URL(desk.address).query["token"]
    await visitor.open(f"{desk.url}/setup", params={"token": token}, headers=headers, allow_redirects=False)
    cookie = visitor.headers["Set-Cookie"]
    assert [part for part in ("HttpOnly", "SameSite=Lax", "Path=/setup") if part not in cookie] == []
    assert ("Secure" in cookie) == secure
    headers["Cookie"] = cookie.partition(";")[0]
    await visitor.open(f"{desk.url}/setup", headers=headers)
    assert visitor.forms[0].fields["url"] == ("https://wp.example.com" if secure else "")
    await visitor.ask("POST", f"{desk.url}/setup", data={"url": ADDRESS}, headers=headers)
    await visitor.open(f"{desk.url}/setup", headers=headers)
    expected = f"{'https' if secure else 'http'}://wp.example.com/setup/registered"
    assert f'"redirect_url": "{expected}"' in visitor.forms[0].fields["manifest"]


async def test_a_host_that_is_none_is_refused(desk: Desk, visitor: Visitor) -> None:
    assert await visitor.open(desk.address, headers={"Host": 'a"b<c>'}) == 400


async def test_pages_read_well(snapshots: Snapshots, desk: Desk, visitor: Visitor, standin: StandIn) -> None:
    def check(name: str) -> None:
        assert "<script" not in visitor.page
        text = re.sub(r"<style>.*?</style>", "<style></style>", visitor.page, flags=re.DOTALL)
        text = re.sub(r"state=[\w-]+", "state=STATE", text)
        # What app.yml says may change without a word on this page.
        text = re.sub(r'(name="manifest" value=)"[^"]*"', r'\1"MANIFEST"', text)
        text = re.sub(r"(<li><code>[\w ]+</code> \w+</li>\s+)+", "<li>PERMISSIONS</li>\n", text)
        for value, word in (
            (desk.url, "http://HERE"),
            (desk.settings.git_url, "https://GITHUB"),
            (desk.settings.git_url.partition("://")[2], "GITHUB"),
            (standin.url, "https://GITHUB"),
            (str(desk.settings.env_file), "/srv/.env"),
        ):
            text = text.replace(value, word)
        snapshots.check(f"{name}.html", text)

    await visitor.open(f"{desk.url}/setup")
    check("refused")
    await visitor.open(desk.address)
    check("first")
    await visitor.send(url="http://x", org="?")
    check("mistakes")
    await visitor.send(url=ADDRESS, org="acme")
    check("second")
    await visitor.open(await visitor.accept(standin))
    check("third")


# From a terminal.


@pytest.fixture
def plain_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets up logging for its process, which here is the tests'."""
    monkeypatch.setattr(bot.log, "set_up", lambda *_, **__: None)


@pytest.mark.usefixtures("plain_log")
def test_nobody_came_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bot.setup_console, "STATE_SECONDS", 0.05)
    with pytest.raises(SystemExit) as ended:
        bot.cli_server.setup(env_file=tmp_path / ".env", browser=False)
    assert ended.value.code == 2
    assert "within an hour" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("plain_log")
def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SystemExit) as ended:
            bot.cli_server.setup(env_file=tmp_path / ".env", browser=False, port=taken.getsockname()[1])
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "opened"), [(webbrowser.BackgroundBrowser, True), (webbrowser.GenericBrowser, False)])
def test_a_browser_in_the_terminal_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[webbrowser.GenericBrowser],
    opened: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(kind, "open", lambda _self, url: asked.append(url))
    monkeypatch.setattr(webbrowser, "get", lambda: kind("true"))
    bot.setup_console._open_browser("http://127.0.0.1:1/setup")
    assert bool(asked) == opened


def test_no_browser_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    bot.setup_console._open_browser("http://127.0.0.1:1/setup")
