"""The web process over real HTTP: a delivery is stored and answered before any work, or refused for a stated reason."""

import asyncio
import dataclasses
import gzip
import hashlib
import hmac
import io
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from aiohttp import web

import bot.headers
import bot.inbox
import bot.web
from bot.config import MAX_BODY_BYTES, Secret, Settings
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.events import EVENTS, PERMISSIONS
from bot.github import TOKEN_PERMISSIONS
from bot.inbox import INBOX, PENDING
from bot.queue import Jobs
from bot.valkey import _ensure, embedded
from bot.web import listening, make_app, store
from tests.bot.conftest import WEBHOOK_SECRET

MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "app.yml").read_text(encoding="utf-8"))
_LEVELS = ("read", "write")


@pytest.fixture
def here(settings: Settings) -> Settings:
    return dataclasses.replace(settings, host="127.0.0.1", port=0)


@pytest.fixture
async def url(here: Settings, valkey: str, jobs: Jobs) -> AsyncIterator[str]:
    """The web server, with an empty store and no worker anywhere."""
    assert jobs is not None
    async with listening(here, valkey) as address:
        yield address


@pytest.fixture
def payload(standin: StandIn, repository: RepositoryState, pull: PullState) -> dict[str, Any]:
    return standin.payload("opened", repository.name, pull.number)


async def _post(url: str, body: Any, headers: dict[str, str] | None = None, *, sign: bytes | None = None) -> int:
    """Send bytes as a signed pull_request event; the signature may be of other bytes."""
    signed = body if sign is None else sign
    digest = hmac.new(WEBHOOK_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    sent = {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": f"sha256={digest}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/webhook", data=body, headers={**sent, **(headers or {})}) as response,
    ):
        return response.status


async def _answers(url: str, body: bytes, version: str, deliveries: int, *headers: str) -> bytes:
    """What comes back for deliveries on one connection, until it is closed."""
    there = urlsplit(url)
    digest = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    reader, writer = await asyncio.open_connection(there.hostname, there.port)
    for number in range(deliveries):
        last = [*headers] if number == deliveries - 1 else []
        names = [f"X-GitHub-Delivery: {secrets.token_hex(8)}", "X-GitHub-Event: pull_request", *last]
        signed = [f"X-Hub-Signature-256: sha256={digest}", f"Content-Length: {len(body)}"]
        head = [f"POST /webhook HTTP/{version}", "Host: x", *names, *signed]
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def _parts(answer: bytes) -> tuple[bytes, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return first, dict(line.decode().split(": ", 1) for line in lines), body


async def _get(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


async def _stored(jobs: Jobs) -> tuple[list[str], list[str]]:
    """The deliveries that are pending, and those that wait for a worker."""
    queued = await jobs.redis.lrange(INBOX, 0, -1)
    pending = await jobs.redis.hkeys(PENDING)
    return [name.decode() for name in pending], [name.decode() for name in queued]


# Taking deliveries.


async def test_a_delivery_is_stored_and_answered_before_any_work(
    standin: StandIn, url: str, jobs: Jobs, payload: dict[str, Any]
) -> None:
    assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
    assert await _stored(jobs) == (["d-1"], ["d-1"])
    assert standin.calls == []
    assert standin.git_calls == []


@pytest.mark.slow
async def test_what_was_answered_202_outlives_the_store(
    standin: StandIn, here: Settings, payload: dict[str, Any]
) -> None:
    async with embedded(here.data_dir) as redis_url:
        async with listening(here, redis_url) as url:
            assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
        jobs = Jobs(redis_url)
        os.kill((await jobs.redis.info("server"))["process_id"], signal.SIGKILL)
        await jobs.close()
        await asyncio.to_thread(_ensure, here.data_dir / "valkey")
        jobs = Jobs(redis_url)
        assert await _stored(jobs) == (["d-1"], ["d-1"])
        await jobs.close()


async def test_a_delivery_that_comes_twice_is_one_job(
    standin: StandIn, url: str, jobs: Jobs, payload: dict[str, Any]
) -> None:
    send = [standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") for _ in range(20)]
    assert set(await asyncio.gather(*send)) == {202}
    assert await _stored(jobs) == (["d-1"], ["d-1"])


async def test_a_delivery_that_is_done_is_answered_and_not_done_again(
    standin: StandIn, url: str, jobs: Jobs, payload: dict[str, Any]
) -> None:
    await jobs.redis.set("wp:delivery:d-1", 1)
    assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
    assert await _stored(jobs) == ([], [])


async def test_the_former_secret_is_good_while_it_is_changed(
    standin: StandIn, here: Settings, valkey: str, jobs: Jobs, payload: dict[str, Any]
) -> None:
    changing = dataclasses.replace(here, webhook_secrets=(Secret("the new one"), Secret(WEBHOOK_SECRET)))
    async with listening(changing, valkey) as url:
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
    assert await _stored(jobs) == (["d-1"], ["d-1"])


@pytest.mark.parametrize(
    ("event", "change"), [("ping", {}), ("an event of 2030", {}), ("pull_request", {"action": "labeled"})]
)
async def test_what_needs_no_work_is_answered_200(  # noqa: PLR0917 - fixtures and a table's columns
    standin: StandIn, url: str, jobs: Jobs, payload: dict[str, Any], event: str, change: dict[str, Any]
) -> None:
    assert await standin.deliver(f"{url}/webhook", event, {**payload, **change}) == 200
    assert await _stored(jobs) == ([], [])


@pytest.mark.parametrize("signature", ["", "sha256=0", "sha256=\xff", "sha1=0"])
async def test_what_is_not_signed_is_answered_401(
    standin: StandIn, url: str, jobs: Jobs, payload: dict[str, Any], signature: str
) -> None:
    headers = {"X-Hub-Signature-256": signature}
    assert await standin.deliver(f"{url}/webhook", "pull_request", payload, headers=headers) == 401
    assert await standin.deliver(f"{url}/webhook", "ping", {}, headers=headers) == 401
    assert await _stored(jobs) == ([], [])


async def test_a_body_that_was_changed_on_its_way_is_answered_401(url: str, payload: dict[str, Any]) -> None:
    body = json.dumps(payload).encode()
    assert await _post(url, body + b" ", sign=body) == 401


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"[" * 100_000])
async def test_what_is_malformed_is_answered_400(url: str, jobs: Jobs, body: bytes) -> None:
    assert await _post(url, body) == 400
    assert await _stored(jobs) == ([], [])


@pytest.mark.parametrize("delivery", ["", "x" * 101])
async def test_a_delivery_without_an_id_is_answered_400(url: str, payload: dict[str, Any], delivery: str) -> None:
    assert await _post(url, json.dumps(payload).encode(), {"X-GitHub-Delivery": delivery}) == 400


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b" " * (MAX_BODY_BYTES + 1))], ids=["broken", "a bomb"])
async def test_a_compressed_body_is_not_unpacked(url: str, body: bytes) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert await _post(url, body, headers, sign=b"another") == 401
    assert await _post(url, body, headers) == 400


async def test_a_large_delivery_is_taken(url: str, payload: dict[str, Any]) -> None:
    # aiohttp takes one megabyte unless it is told otherwise; GitHub sends up to 25.
    body = json.dumps(payload).encode() + b" " * (3 * 1024**2)
    assert await _post(url, io.BytesIO(body), sign=body) == 202
    assert MAX_BODY_BYTES == 25 * 1024**2


async def test_an_accepted_delivery_is_answered_in_full_however_long_its_connection_lasts(
    url: str, payload: dict[str, Any]
) -> None:
    body = json.dumps(payload).encode()
    both = await _answers(url, body, "1.1", 2, "Connection: close")
    kept, closed = (_parts(b"HTTP/1.1 202" + answer) for answer in both.split(b"HTTP/1.1 202")[1:])
    old = _parts(await _answers(url, body, "1.0", 1))
    for first, headers, text in (kept, closed, old):
        assert first.endswith(b" 202 Accepted")
        assert text == b"accepted\n"
        assert headers["Content-Length"] == str(len(text))
        assert abs(parsedate_to_datetime(headers["Date"]).timestamp() - time.time()) < 60
    assert old[0].startswith(b"HTTP/1.0 "), "nobody is answered in a version that he does not speak"
    assert closed[1].pop("Connection") == "close"
    assert [*sorted(kept[1])] == [*sorted(closed[1])]
    assert {**kept[1], "Date": ""} == {**closed[1], "Date": ""} == {**old[1], "Date": ""}


async def test_an_answer_that_is_made_once_tells_the_time_of_each(
    url: str, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps(payload).encode()
    dates = []
    for now in (1_800_000_000, 1_800_000_001):
        monkeypatch.setattr(bot.headers, "time", SimpleNamespace(time=lambda now=now: now))
        answers = await _answers(url, body, "1.1", 2, "Connection: close")
        dates.append(_parts(answers)[1]["Date"])
    assert dates == ["Fri, 15 Jan 2027 08:00:00 GMT", "Fri, 15 Jan 2027 08:00:01 GMT"]


async def test_what_is_too_large_is_answered_413(here: Settings, jobs: Jobs, payload: dict[str, Any]) -> None:
    body = json.dumps(payload).encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        yield body
        yield b" "

    runner = web.AppRunner(make_app(here, jobs, max_body=len(body)), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        assert await _post(url, body + b" ") == 413
        assert await _post(url, in_pieces(), sign=body + b" ") == 413
        assert await _stored(jobs) == ([], [])
        assert await _post(url, body) == 202
    finally:
        await runner.cleanup()


async def _raw(url: str, *pieces: bytes) -> bytes:
    """The head of what is answered to bytes."""
    there = urlsplit(url)
    reader, writer = await asyncio.open_connection(there.hostname, there.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(5):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /\xff HTTP/1.1\r\n\r\n",
        b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: a secret\r\n\r\n",
        b"POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz secret\r\n",
        b"POST /webhook HTTP/1.1\r\nHost: x\r\nX-Long: " + b"secret" * 9_000 + b"\r\n\r\n",
        b"POST /webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: \xdb\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_bytes_that_are_no_http_are_one_line_of_the_log_at_most(
    url: str, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await _raw(url, request_bytes)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    records = [record for record in caplog.records if record.name == "aiohttp.server"]
    assert len(records) <= 1
    assert not [record for record in records if record.exc_info or "secret" in record.getMessage()]


async def test_who_asks_whether_to_go_on_is_told_to(url: str, payload: dict[str, Any]) -> None:
    body = json.dumps(payload).encode()
    async with aiohttp.ClientSession() as session, session.post(f"{url}/webhook", data=body, expect100=True) as answer:
        assert answer.status == 401


def _be_patient(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    for module in (bot.inbox, bot.web):
        monkeypatch.setattr(module, "STORE_TIMEOUT", seconds)


async def test_a_store_that_is_away_is_answered_503_and_the_delivery_may_come_again(
    standin: StandIn, here: Settings, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _be_patient(monkeypatch, 0.2)
    async with embedded(here.data_dir) as redis_url, listening(here, redis_url) as url:
        jobs = Jobs(redis_url)
        pid = (await jobs.redis.info("server"))["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 503
            assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "came while it hung") == 503
            assert await _get(f"{url}/readyz") == 503
            assert await _get(f"{url}/healthz") == 200
        finally:
            os.kill(pid, signal.SIGCONT)
        _be_patient(monkeypatch, 5.0)
        assert await _get(f"{url}/readyz") == 200
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
        assert await _stored(jobs) == (["d-1"], ["d-1"])
        await jobs.close()


async def test_without_a_store_nothing_is_taken_and_the_process_is_not_ready(
    standin: StandIn, here: Settings, tmp_path: Path, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _be_patient(monkeypatch, 0.2)
    async with listening(here, f"unix://{tmp_path}/away.sock") as url:
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload) == 503
        assert await standin.deliver(f"{url}/webhook", "ping", payload) == 200
        assert await _get(f"{url}/readyz") == 503
        assert await _get(f"{url}/healthz") == 200


# The rest.


async def test_with_a_store_the_process_is_alive_and_ready(url: str) -> None:
    assert await _get(f"{url}/healthz") == 200
    assert await _get(f"{url}/readyz") == 200


@pytest.mark.parametrize(("path", "status"), [("/webhook", 405), ("/nowhere", 404), ("/webhook/x", 404)])
async def test_nothing_else_is_served(url: str, path: str, status: int) -> None:
    assert await _get(url + path) == status


async def test_a_given_store_is_used_as_it_is(here: Settings) -> None:
    given = dataclasses.replace(here, redis_url=Secret("redis://redis.example.com"))
    async with store(given) as redis_url:
        assert redis_url == "redis://redis.example.com"
    assert not here.data_dir.exists()


# The manifest.


def test_the_manifest_asks_for_what_the_bot_handles() -> None:
    assert MANIFEST["default_events"] == list(EVENTS)
    assert MANIFEST["default_permissions"] == PERMISSIONS


def test_the_manifest_has_what_github_needs() -> None:
    assert {"name", "url", "description", "public", "hook_attributes"} <= MANIFEST.keys()
    assert MANIFEST["hook_attributes"]["url"].endswith("/webhook")
    assert MANIFEST["hook_attributes"]["active"] is True


def test_a_token_has_no_more_than_the_app() -> None:
    for name, level in TOKEN_PERMISSIONS.items():
        assert _LEVELS.index(level) <= _LEVELS.index(PERMISSIONS[name])
