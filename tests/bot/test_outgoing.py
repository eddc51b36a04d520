"""What the operator's receivers are told of regressions: once, signed, at no address but theirs."""

import asyncio
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from rich.console import Console

from bot import outgoing
from bot.config import Secret, Settings
from bot.events import AlertEvent
from bot.graves import open_graves, show_queue
from bot.ids import Repo, Sha
from tests.bot.conftest import INSTALLATION, NAME
from tests.bot.line import BASE, LOST, REAL, STUB, Line
from tests.bot.pushes import grown, hear, push, tip, told

SECRET = "a secret for alerts"


@dataclass
class Receiver:
    """Who is told. The last of ``statuses`` is what every further request gets."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    delay: float = 0.0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.headers), await request.read()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        await asyncio.sleep(self.delay)
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere"})

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for path, _, body in self.requests if path == "/plain/token"]

    @property
    def messages(self) -> list[str]:
        return [json.loads(body)["text"] for path, _, body in self.requests if path == "/slack/token"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def settings(settings: Settings, receiver: Receiver) -> Settings:
    urls = (Secret(f"{receiver.url}/plain/token"), Secret(f"slack+{receiver.url}/slack/token"))
    return replace(settings, alert_urls=urls, alert_secret=Secret(SECRET))


async def test_a_regression_is_told_and_so_is_its_end(line: Line, receiver: Receiver) -> None:
    before = tip(line)
    pull = await line.open(LOST)
    line.github.merge(NAME, pull.number, await line.commit(LOST))
    after = tip(line)
    await hear(line, told("main", before, after))
    [opened] = receiver.told
    page = f"{line.github.url}/{Repo(NAME)}"
    assert {name: opened[name] for name in ("schema", "action", "repository", "branch", "target", "sha", "url")} == {
        "schema": outgoing.SCHEMA,
        "action": "opened",
        "repository": Repo(NAME),
        "branch": "main",
        "target": "windows",
        "sha": after,
        "url": f"{page}/commit/{after}",
    }
    number = line.repository.issues[0]["number"]
    assert opened["issue"] == {"number": number, "url": f"{page}/issues/{number}"}
    [regression] = opened["regressions"]
    assert regression["fingerprint"] == "implementation-lost:vol:Free"
    assert (regression["before"], regression["after"], regression["pulls"]) == (before, after, [pull.number])
    await push(line, BASE)
    assert [told["action"] for told in receiver.told] == ["opened", "resolved"]
    assert receiver.told[1]["regressions"] == opened["regressions"]
    assert receiver.told[1]["issue"] == opened["issue"]
    assert receiver.messages[0].startswith("Windows support regressed on `main` of `example/berth`: see <")
    assert receiver.messages[0].splitlines()[1:] == ["• `Free` in `vol/free_windows.go` (implementation-lost)"]
    assert "are resolved" in receiver.messages[1]


async def test_only_our_own_form_is_signed_and_named(line: Line, receiver: Receiver) -> None:
    await push(line, LOST)
    for path, headers, body in receiver.requests:
        digest = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers.get("X-Winparity-Signature-256") == (digest if path == "/plain/token" else None)
        assert headers["X-Winparity-Event"] == "regression.opened"
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Winparity-Delivery"].startswith("alert-")
    assert len({headers["X-Winparity-Delivery"] for _, headers, _ in receiver.requests}) == 2


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_one_that_is_down_is_told_again_in_the_same_words(line: Line, receiver: Receiver, status: int) -> None:
    receiver.statuses = [status] * 3 + [200]
    await push(line, LOST)
    assert len(receiver.requests) == 5
    for form in ("/plain/token", "/slack/token"):
        tries = [(headers["X-Winparity-Delivery"], body) for path, headers, body in receiver.requests if path == form]
        assert len(set(tries)) == 1


async def test_one_that_stays_down_is_given_up(
    line: Line, receiver: Receiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.queue.ALERT_TRIES", 2)
    receiver.statuses = [500]
    await push(line, LOST)
    assert len(receiver.requests) == 4
    said = "".join(capsys.readouterr())
    graves = await line.jobs.buried()
    assert [grave.why for _, grave in graves] == ["127.0.0.1 answered HTTP 500"] * 2
    shown = io.StringIO()
    await show_queue(line.redis_url, Console(file=shown, width=200), "terminal")
    assert shown.getvalue().count("alert of example/berth@main") == 2
    receiver.statuses = [200]
    assert await open_graves(line.redis_url, "all", retry=True) == [name for name, _ in graves]
    await line.quiet()
    assert (len(receiver.requests), await line.jobs.buried()) == (6, [])
    assert "token" not in said.replace("access_tokens", "")
    assert "Traceback" not in said


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 410])
async def test_a_redirect_is_not_followed_and_a_refusal_is_final(line: Line, receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    await push(line, LOST)
    assert sorted(path for path, _, _ in receiver.requests) == ["/plain/token", "/slack/token"]


async def test_a_slow_one_keeps_nobody_waiting(line: Line, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    monkeypatch.setattr("bot.queue.ALERT_TRIES", 2)
    receiver.delay = 1.0
    payload = line.github.event(NAME, **(await grown(line, LOST)))
    assert await line.github.deliver(f"{line.web}/webhook", "push", payload) == 202
    async with asyncio.timeout(15):
        while not line.repository.issues:  # noqa: ASYNC110 - others work
            await asyncio.sleep(0.01)
    await line.quiet()
    assert len(receiver.requests) == 4


def test_alerts_wait_in_the_lanes_of_their_receivers() -> None:
    """So one that is down keeps neither a pull request waiting nor another receiver."""
    lanes = {_alert(receiver).lane for receiver in ("a", "b")}
    assert len(lanes | {str(INSTALLATION)}) == 3


async def test_one_that_cannot_be_reached_is_told_when_it_can(
    line: Line, receiver: Receiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.queue.ALERT_TRIES", 2)
    receiver.statuses = [0]  # no answer that HTTP knows
    await push(line, LOST)
    assert "cannot be reached (" in (said := "".join(capsys.readouterr()))
    assert "token" not in said.replace("access_tokens", "")


async def test_duplicates_and_reordered_pushes_tell_once(line: Line, receiver: Receiver) -> None:
    pushes = [await grown(line, tree) for tree in ({**BASE, "README.md": "x"}, LOST, {**LOST, "README.md": "x"})]
    payloads = [line.github.event(NAME, **one) for one in [*reversed(pushes), *pushes]]
    await asyncio.gather(*(line.github.deliver(f"{line.web}/webhook", "push", payload) for payload in payloads))
    await line.quiet()
    for again in pushes:
        await hear(line, again)
    assert len(receiver.requests) == 2


async def test_a_job_that_ends_before_it_has_saved_tells_nothing_twice(
    line: Line, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is stored before anybody is told, and once more after that."""
    store, count = line.jobs.save_branch, 0

    async def fails(self: Any, *args: Any) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise OSError("the store is away")
        await store.__func__(self, *args)

    monkeypatch.setattr("bot.queue.Jobs.save_branch", fails)
    await push(line, LOST)
    assert (count, len(line.repository.issues), len(receiver.requests)) == (3, 1, 2)


async def test_no_address_is_stored(line: Line, receiver: Receiver) -> None:
    receiver.delay = 0.5
    payload = line.github.event(NAME, **(await grown(line, LOST)))
    assert await line.github.deliver(f"{line.web}/webhook", "push", payload) == 202
    async with asyncio.timeout(15):
        while not receiver.requests:  # noqa: ASYNC110 - others work
            await asyncio.sleep(0.01)
    redis = line.jobs.redis
    stored = b"".join([await redis.dump(key) or b"" for key in await redis.keys("*")])
    assert (b"AlertEvent" in stored or b"alert-" in stored, b"/token" in stored) == (True, False)
    await line.quiet()


def _alert(receiver: str) -> AlertEvent:
    return AlertEvent(
        delivery="alert-1",
        installation=INSTALLATION,
        receiver=receiver,
        repo=Repo(NAME),
        branch="main",
        action="opened",
        target="windows",
        tip=Sha("0" * 40),
        time=0,
        issue=0,
        regressions=(),
    )


async def test_one_that_is_not_in_the_settings_any_more_is_not_told(
    line: Line, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    event = _alert("0123456789abcdef")
    await line.jobs.submit(event)
    await line.quiet()
    assert receiver.requests == []
    assert "not in the settings any more" in "".join(capsys.readouterr())


async def test_nobody_is_told_of_what_a_repository_keeps_to_itself(line: Line, receiver: Receiver) -> None:
    await push(line, {**LOST, ".github/winparity.yml": "alerts: never\n"})
    assert receiver.requests == []


async def test_without_an_issue_receivers_are_told_all_the_same(line: Line, receiver: Receiver) -> None:
    await push(line, {**LOST, ".github/winparity.yml": "alerts: webhooks\n"})
    assert [told["issue"] for told in receiver.told] == [None]
    assert "|the commit>" in receiver.messages[0]


async def test_nothing_in_a_name_is_markup_or_a_mention_for_people(line: Line, receiver: Receiver) -> None:
    folder = "x/`@here` <!channel> <http:evil.example|ok> *b* & \u202e"
    real = {f"{folder}/f_linux.go": REAL, f"{folder}/f_windows.go": REAL}
    await push(line, {**BASE, **real})
    await push(line, {**BASE, **real, f"{folder}/f_windows.go": STUB})
    [message] = receiver.messages
    rest = message.partition("\n")[2]
    assert [rest.count(mark) for mark in ("<", ">", "@h", "\u202e")] == [0, 0, 0, 0]
    assert rest.count("`") == 4
    assert receiver.told[0]["regressions"][0]["path"] == f"{folder}/f_windows.go", "programs get it as it is"
