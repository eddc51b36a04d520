"""`winparity doctor`: each thing that may be wrong is found, named, and comes with what to do; no secret is printed."""

import asyncio
import datetime as dt
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable
from email.utils import format_datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rich.console import Console

from bot.checks import Check, checks_json, show_check
from bot.config import Settings
from bot.demo.github import StandIn
from bot.doctor import _judged, check_address, check_git, check_store, examine
from bot.doctor_app import check_deliveries
from bot.registration import Delivery
from bot.web import listening
from tests.bot.conftest import APP_ID, WEBHOOK_SECRET, Keys

NAMES = (
    "settings addresses app permissions events installations webhook deliveries server store git data_folder".split()
)
PASSWORD = "hunter2"


@pytest.fixture
async def environ(
    standin: StandIn, settings: Settings, keys: Keys, valkey: str, tmp_path: Path
) -> AsyncIterator[dict[str, str]]:
    """A server that lacks nothing."""
    here = Settings(settings.app_id, settings.private_key, settings.webhook_secrets, host="127.0.0.1", port=0)
    async with listening(here, valkey) as url:
        standin.app.hook = {"url": f"{url}/webhook", "secret": "********"}
        standin.app.install("acme")
        standin.app.note_delivery(202)
        yield {
            "WINPARITY_ENV_FILE": str(tmp_path / ".env"),
            "WINPARITY_APP_ID": str(APP_ID),
            "WINPARITY_PRIVATE_KEY": keys.private,
            "WINPARITY_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "WINPARITY_DATA_DIR": str(tmp_path / "data"),
            "WINPARITY_GITHUB_API_URL": standin.url,
            "WINPARITY_GITHUB_URL": standin.url,
            "REDIS_URL": valkey,
        }


async def _checks(environ: dict[str, str]) -> list[Check]:
    found = [check async for check in examine(environ)]
    shown = json.dumps(checks_json(found))
    key = environ.get("WINPARITY_PRIVATE_KEY", "").splitlines()[1:-1]
    for secret in (WEBHOOK_SECRET, PASSWORD, *key):
        assert secret not in shown
    return found


def _wrong(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.level != "ok"]


async def test_a_server_that_lacks_nothing(environ: dict[str, str]) -> None:
    checks = await _checks(environ)
    assert [check.name.replace(" ", "_") for check in checks] == NAMES
    assert _wrong(checks) == []
    assert [check for check in checks if check.advice] == []


# The app on GitHub.


def _delivered(standin: StandIn, *codes: int) -> None:
    standin.app.deliveries.clear()
    for code in codes:
        standin.app.note_delivery(code)


def _closed() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def _hook(standin: StandIn, **changes: Any) -> None:
    assert standin.app.hook is not None
    standin.app.hook.update(changes)


AT_GITHUB: list[tuple[str, Callable[[StandIn], object], str, str, tuple[str, ...]]] = [
    ("permission", lambda s: s.app.permissions.update(checks="read"), "permissions", "failure", ("checks: write", "/organizations/example/settings/apps/winparity/permissions")),
    ("permission gone", lambda s: s.app.permissions.clear(), "permissions", "failure", ("metadata: read", "pull_requests: write")),
    ("event", lambda s: s.app.events.remove("pull_request"), "events", "failure", ("pull_request", "Subscribe to events")),
    ("not installed", lambda s: s.app.installations.clear(), "installations", "failure", ("nowhere", "/apps/winparity/installations/new")),
    ("suspended", lambda s: s.app.install("sleepy", suspended=True), "installations", "warning", ("sleepy", "/organizations/sleepy/settings/installations/")),
    ("not granted", lambda s: s.app.install("slow", {"metadata": "read", "checks": "write"}), "installations", "warning", ("slow", "contents: read", "pull_requests: write", "/organizations/slow/")),
    ("no webhook", lambda s: setattr(s.app, "hook", None), "webhook", "failure", ("no address", "Active")),
    ("no webhook address", lambda s: _hook(s, url=""), "webhook", "failure", ("no address",)),
    ("no webhook secret", lambda s: _hook(s, secret=""), "webhook", "failure", ("no secret", "WINPARITY_WEBHOOK_SECRET")),
    ("form", lambda s: _hook(s, content_type="form"), "webhook", "failure", ("application/json",)),
    ("unverified", lambda s: _hook(s, insecure_ssl="1"), "webhook", "warning", ("certificate",)),
    ("last delivery", lambda s: _delivered(s, 200, 200, 502, 0), "deliveries", "failure", ("2 of the last 4", "1 × 502", "1 × no answer", "/advanced")),
    ("some delivery", lambda s: _delivered(s, 503, 200), "deliveries", "warning", ("1 of the last 2", "503")),
    ("another secret", lambda s: _delivered(s, 401), "deliveries", "failure", ("401", "WINPARITY_WEBHOOK_SECRET")),
    ("server away", lambda s: (_hook(s, url=f"{_closed()}/webhook"), _delivered(s, 0)), "server", "failure", ("/healthz does not answer", "winparity serve")),
    ("not from here", lambda s: _hook(s, url=f"{_closed()}/webhook"), "server", "warning", ("the last webhook arrived",)),
    ("broken half way", lambda s: s.refuse_next("/app/hook/deliveries", 502), "github", "failure", ("502",)),
]  # fmt: skip


@pytest.mark.parametrize("case", AT_GITHUB, ids=[case[0] for case in AT_GITHUB])
async def test_what_is_wrong_with_the_app(
    standin: StandIn, environ: dict[str, str], case: tuple[str, Callable[[StandIn], object], str, str, tuple[str, ...]]
) -> None:
    _, sabotage, name, level, words = case
    sabotage(standin)
    [check] = [check for check in _wrong(await _checks(environ)) if check.name == name]
    assert check.level == level
    assert check.advice
    assert [word for word in words if word not in f"{check.message} {check.advice}"] == []


async def test_what_the_app_does_not_ask_for_nobody_can_grant(standin: StandIn, environ: dict[str, str]) -> None:
    del standin.app.permissions["checks"]
    standin.app.install("new")
    assert [check.name for check in _wrong(await _checks(environ))] == ["permissions"]


@pytest.mark.parametrize(
    ("known", "level", "said"),
    [
        ({"WINPARITY_PUBLIC_URL": "https://wp.example.com"}, "ok", "https://wp.example.com/login/callback"),
        ({}, "warning", "WINPARITY_PUBLIC_URL"),
        ({"WINPARITY_CLIENT_ID": "Iv1.another"}, "failure", "not this app's"),
    ],
)
async def test_whether_people_can_sign_in(
    standin: StandIn, environ: dict[str, str], known: dict[str, str], level: str, said: str
) -> None:
    ours = {"WINPARITY_CLIENT_ID": standin.app.client_id, "WINPARITY_CLIENT_SECRET": PASSWORD}
    [found] = [check for check in await _checks({**environ, **ours, **known}) if check.name == "sign-in"]
    assert found.level == level
    assert said in f"{found.message} {found.advice}"


async def test_no_deliveries_are_no_fault_but_a_hint(standin: StandIn, environ: dict[str, str]) -> None:
    _delivered(standin)
    checks = await _checks(environ)
    assert _wrong(checks) == []
    assert "Active" in next(check.advice for check in checks if check.name == "deliveries")


def test_of_a_delivery_that_was_sent_again_the_last_attempt_counts() -> None:
    def made(guid: str, code: int) -> Delivery:
        return Delivery(guid, dt.datetime.now(dt.UTC), "", code, "pull_request")

    assert check_deliveries([made("a", 202), made("b", 202), made("a", 502)], "page").level == "ok"
    assert check_deliveries([made("b", 202), made("a", 502), made("a", 202)], "page").level == "warning"


async def test_a_relay_cannot_be_asked(standin: StandIn, environ: dict[str, str]) -> None:
    _hook(standin, url="https://smee.io/abc")
    checks = await _checks(environ)
    assert _wrong(checks) == []
    assert "smee.io" in next(check.message for check in checks if check.name == "server")


@pytest.mark.parametrize(("status", "said"), [(404, "answers 404"), (200, "another server")])
async def test_another_server_at_our_address(standin: StandIn, environ: dict[str, str], status: int, said: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="welcome to nginx")

    app = web.Application()
    app.add_routes([web.get("/healthz", answer)])
    async with TestServer(app) as server:
        _hook(standin, url=str(server.make_url("/webhook")))
        _delivered(standin, 404)
        assert said in next(check.message for check in await _checks(environ) if check.name == "server")


async def test_a_personal_apps_settings_are_elsewhere(standin: StandIn, environ: dict[str, str]) -> None:
    standin.app.owner = {"login": "octocat", "id": 1, "type": "User"}
    standin.app.events.clear()
    [check] = _wrong(await _checks(environ))
    assert f"{standin.url}/settings/apps/winparity/permissions" in check.advice


# Key and clock.


async def test_another_apps_key(environ: dict[str, str]) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    environ["WINPARITY_PRIVATE_KEY"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    [check] = _wrong(await _checks(environ))
    assert (check.name, check.level) == ("app", "failure")
    assert f"not any more, one of app {APP_ID}" in check.message


async def test_an_app_that_github_does_not_know(environ: dict[str, str]) -> None:
    environ["WINPARITY_APP_ID"] = "1"
    [check] = _wrong(await _checks(environ))
    assert "knows no app 1" in check.message
    assert "WINPARITY_APP_ID" in check.advice


@pytest.mark.parametrize("bits", [0, 256, 1024])
async def test_a_key_that_is_none_of_githubs(environ: dict[str, str], standin: StandIn, bits: int) -> None:
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n"
    if bits:
        key: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if bits == 256
            else rsa.generate_private_key(public_exponent=65537, key_size=bits)
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    environ["WINPARITY_PRIVATE_KEY"] = pem
    [check] = _wrong(await _checks(environ))
    assert (check.name, check.level) == ("app", "failure")
    assert "Private keys" in check.advice
    assert standin.calls == []


@pytest.mark.parametrize(("ahead", "said"), [(600, "behind GitHub"), (-600, "ahead of GitHub")])
async def test_clocks_that_differ(standin: StandIn, environ: dict[str, str], ahead: int, said: str) -> None:
    """GitHub refuses what is signed by a clock that is ahead; then that is what is said, and not that the key is wrong."""
    date = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead), usegmt=True)
    standin.refuse_next("GET /app", 401, {"Date": date})
    [check] = _wrong(await _checks(environ))
    assert check.level == "failure"
    assert said in check.message
    view = json.dumps(standin.app._view())
    standin.refuse_next("GET /app", 200, {"Date": date}, view)
    [check] = _wrong(await _checks(environ))
    assert (check.name, check.level) == ("clock", "warning")
    assert "synchronise" in check.advice


async def test_github_is_away(environ: dict[str, str]) -> None:
    environ["WINPARITY_GITHUB_API_URL"] = _closed()
    [check] = _wrong(await _checks(environ))
    assert (check.name, check.level) == ("app", "failure")
    assert "cannot be reached" in check.message


# Settings.


async def test_without_an_app_there_is_one_thing_to_do(tmp_path: Path) -> None:
    environ = {"WINPARITY_ENV_FILE": str(tmp_path / ".env"), "WINPARITY_DATA_DIR": str(tmp_path)}
    checks = await _checks(environ)
    assert [check.name for check in checks] == ["settings", "git", "data folder"]
    assert (checks[0].level, checks[0].advice) == ("failure", "run: winparity setup")


async def test_every_setting_that_is_wrong_is_named(environ: dict[str, str]) -> None:
    del environ["WINPARITY_WEBHOOK_SECRET"]
    environ["PORT"] = "x"
    environ["REDIS_URL"] = f"http://:{PASSWORD}@x"
    named = [check.message.split()[0] for check in _wrong(await _checks(environ))]
    assert sorted(named) == ["PORT", "REDIS_URL", "WINPARITY_WEBHOOK_SECRET"]


async def test_a_file_that_others_can_read(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=1\n")
    file.chmod(0o644)
    [check] = _wrong(await _checks(environ))
    assert (check.level, check.advice) == ("warning", f"run: chmod 600 {file}")


CLOUD = ("https://api.github.com", "https://github.com")


@pytest.mark.parametrize(
    ("api", "web_url", "level"),
    [
        (*CLOUD, "ok"),
        ("https://ghe.example.com/api/v3", "https://ghe.example.com", "ok"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com", "ok"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1", "ok"),
        ("https://ghe.example.com", "https://ghe.example.com", "failure"),
        ("https://ghe.example.com/api", "https://ghe.example.com", "failure"),
        ("https://ghe.example.com/api/v3", CLOUD[1], "failure"),
        (CLOUD[0], "https://ghe.example.com", "failure"),
        ("http://ghe.example.com/api/v3", "http://ghe.example.com", "warning"),
    ],
)
def test_addresses(api: str, web_url: str, level: str) -> None:
    check = check_address(api, web_url)
    assert check.level == level
    assert bool(check.advice) == (level != "ok")


# This machine.


@pytest.mark.parametrize(
    ("info", "saves", "level", "word"),
    [
        ({"redis_version": "7.2.4", "valkey_version": "9.0.0", "aof_enabled": 1}, "", "ok", "Valkey 9.0.0"),
        ({"redis_version": "6.2.0", "aof_enabled": 1}, "", "ok", "every write"),
        ({"redis_version": "6.0.16", "aof_enabled": 1}, "", "failure", "6.2"),
        ({"redis_version": "5", "aof_enabled": 1}, "", "failure", "6.2"),
        ({"redis_version": "8.0.0", "aof_enabled": 0}, "3600 1", "warning", "snapshot"),
        ({"redis_version": "8.0.0", "aof_enabled": 0}, "", "warning", "everything"),
        ({"redis_version": "8.0.0", "aof_enabled": 0}, None, "ok", "does not tell"),
        ({"redis_version": "8.0.0", "aof_enabled": 1, "maxmemory": 1, "maxmemory_policy": "allkeys-lru"}, "", "warning", "noeviction"),
        ({"redis_version": "8.0.0", "aof_enabled": 1, "maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, "", "ok", "8.0.0"),
    ],
)  # fmt: skip
def test_stores(info: dict[str, Any], saves: str | None, level: str, word: str) -> None:
    check = _judged("store", info, saves)
    assert check.level == level
    assert word in f"{check.message} {check.advice}"


async def test_a_store_that_is_away(environ: dict[str, str]) -> None:
    environ["REDIS_URL"] = _closed().replace("http://", f"redis://:{PASSWORD}@")
    [check] = _wrong(await _checks(environ))
    assert (check.name, check.level) == ("store", "failure")
    assert "REDIS_URL" in check.advice


async def test_the_embedded_store_is_started_to_look_at_it(settings: Settings) -> None:
    check = await check_store(settings)
    assert (check.level, check.message.split()[0]) == ("ok", "Valkey")


@pytest.mark.parametrize(
    ("script", "word"),
    [("echo git version 2.20.1", "2.20.1 is too old"), ("exit 1", "does not run"), (None, "does not run")],
)
def test_a_git_that_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, word: str) -> None:
    if script:
        (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    check = check_git()
    assert check.level == "failure"
    assert word in check.message
    assert "2.31" in check.advice


@pytest.mark.parametrize(("free", "level"), [(2**20, "failure"), (2**29, "warning")])
async def test_a_disk_that_is_full(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, free))  # type: ignore[attr-defined]
    [check] = _wrong(await _checks(environ))
    assert (check.name, check.level) == ("data folder", level)


async def test_a_data_folder_that_is_none(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ["WINPARITY_DATA_DIR"] = str(tmp_path / "file" / "data")
    [check] = _wrong(await _checks(environ))
    assert (check.name, check.level) == ("data folder", "failure")
    assert "WINPARITY_DATA_DIR" in check.advice


# What is printed.


async def _run(environ: dict[str, str], *words: str) -> tuple[int, str]:
    more = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.cli", "doctor", *words),
        env={**more, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaints = await process.communicate()
    assert complaints == b""
    assert WEBHOOK_SECRET.encode() not in out
    return process.returncode or 0, out.decode()


@pytest.mark.slow
async def test_the_command_says_it_line_by_line(standin: StandIn, environ: dict[str, str]) -> None:
    status, out = await _run(environ)
    assert (status, out.splitlines()[-1]) == (0, "All is well.")
    standin.app.install("sleepy", suspended=True)
    status, out = await _run(environ)
    assert (status, out.splitlines()[-1]) == (0, "1 warning")
    standin.app.events.clear()
    status, out = await _run(environ, "--format", "json")
    said = json.loads(out)
    assert (status, said["schema"], said["ok"]) == (1, 1, False)
    assert {check["name"]: check["level"] for check in said["checks"]}["events"] == "failure"
    assert all(bool(check["advice"]) == (check["level"] != "ok") for check in said["checks"])


def test_what_github_says_is_text_on_a_terminal() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=80)
    show_check(Check("app", "ok", "\x1b[31m[red]x\u202e[/]", "a\nb"), console)
    out = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[31m[red]" not in out
    assert "\\x1b[31m[red]x\\u202e[/]" in out
    assert len(out.splitlines()) == 2


def test_colours_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=StringIO(), force_terminal=True)
    show_check(Check("app", "failure", "x", "y"), console)
    assert "\x1b[3" not in console.file.getvalue()  # type: ignore[attr-defined]
