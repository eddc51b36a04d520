"""`winparity replay` and `winparity shadow` as people call them: processes, with the stand-in beside them."""

import asyncio
import hashlib
import hmac
import json
import os
import sys
from typing import Any

import pytest

from bot.config import Settings
from bot.events import EVENTS
from bot.replay import ReplayError, delivery, guess
from bot.webhook import HANDLED
from tests.bot.conftest import APP_ID, WEBHOOK_SECRET, Keys
from tests.bot.line import LOST, MIXED, NAME, Line

SIGNED = {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "a-delivery", "X-Hub-Signature-256": "sha256=00"}


async def _run(line: Line, keys: Keys, *words: str, stdin: str = "", **others: str) -> tuple[int, str, str]:
    """A command with the settings of the server. Nothing else than it is known of the environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "WINPARITY_APP_ID": str(APP_ID),
        "WINPARITY_PRIVATE_KEY": keys.private,
        "WINPARITY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "WINPARITY_DATA_DIR": str(line.settings.data_dir),
        "WINPARITY_GITHUB_API_URL": line.settings.api_url,
        "WINPARITY_GITHUB_URL": line.settings.git_url,
        "WINPARITY_WRITE_SPACING": "0",
        "REDIS_URL": line.redis_url,
        **others,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.cli", *words),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    return process.returncode or 0, out.decode(), err.decode()


def _stored(shape: str, payload: dict[str, Any]) -> tuple[str, list[str]]:
    """A payload as it may be stored, and what is to be said of it."""
    body = json.dumps(payload)
    signature = "sha256=" + hmac.new(WEBHOOK_SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    match shape:
        case "payload":
            return body, []
        case "named":
            return body, ["--event", "pull_request"]
        case "delivery":
            return json.dumps({"id": 1, "guid": "x", "request": {"headers": SIGNED, "payload": payload}}), []
        case _:
            headers = {name.lower(): value for name, value in SIGNED.items()} | {"x-hub-signature-256": signature}
            return json.dumps({"headers": headers, "payload": body}), []


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["payload", "named", "delivery", "exact"])
async def test_a_stored_delivery_is_really_run(line: Line, keys: Keys, shape: str) -> None:
    pull = await line.open(LOST)
    text, words = _stored(shape, line.github.payload("opened", NAME, pull.number))
    status, out, err = await _run(line, keys, "replay", "-", *words, stdin=text)
    assert (status, out, err) == (0, "example/berth#1: comment created, check run created\n", "")
    assert (len(line.bodies(pull)), len(line.runs())) == (1, 1)
    status, out, _ = await _run(line, keys, "replay", "-", *words, stdin=text)
    assert (status, out) == (0, "example/berth#1: comment unchanged, check run unchanged\n"), "it is run each time"


@pytest.mark.slow
async def test_a_dry_run_prints_each_write_and_makes_none(line: Line, keys: Keys) -> None:
    await line.set_up("labels: true\n")
    pull = await line.open(MIXED)
    before = await line.queued()
    text, _ = _stored("payload", line.github.payload("opened", NAME, pull.number))
    status, out, err = await _run(line, keys, "replay", "-", "--dry-run", stdin=text)
    assert (status, err) == (0, "")
    assert line.writes == []
    assert await line.queued() == before, "the server's store remembers nothing of it"
    requests = [text for text in out.splitlines() if text.startswith(("POST", "PATCH", "DELETE"))]
    assert requests == [
        "POST /repos/example/berth/check-runs",
        "POST /repos/example/berth/issues/1/comments",
        "POST /repos/example/berth/issues/1/labels",
    ]
    assert f"  head_sha: {pull.head}\n" in out
    assert "  body:\n    <!-- winparity -->\n" in out
    assert "  labels:\n    - windows: regression\n" in out
    assert out.endswith("Nothing was written. Without --dry-run it would be 3 writes.\n")
    assert "\x1b" not in out


@pytest.mark.slow
async def test_a_dry_run_knows_of_labels_that_a_person_took_off(line: Line, keys: Keys) -> None:
    await line.set_up("labels: true\n")
    pull = await line.open(MIXED)
    await line.hear("opened", pull)
    pull.labels = []
    text, _ = _stored("payload", line.github.payload("reopened", NAME, pull.number))
    status, out, _ = await _run(line, keys, "replay", "-", "--dry-run", stdin=text)
    assert (status, "it would be 0 writes" in out) == (0, True)


@pytest.mark.slow
async def test_what_an_event_leads_to_is_run_too(line: Line, keys: Keys) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    payload = line.github.event(NAME, action="rerequested", check_suite={"head_sha": pull.head})
    status, out, _ = await _run(line, keys, "replay", "-", stdin=json.dumps(payload))
    assert status == 0
    assert out == "SuiteEvent: 1 asked for again\nexample/berth#1: comment edited, check run created\n"


@pytest.mark.slow
async def test_hostile_text_does_nothing_to_a_terminal(line: Line, keys: Keys) -> None:
    pull = await line.open({**LOST, "x\x1b[31m\u202ey/z_windows.go": "package z\n\nfunc F(( {\n"})
    text, _ = _stored("payload", line.github.payload("opened", NAME, pull.number))
    status, out, _ = await _run(line, keys, "replay", "-", "--dry-run", stdin=text)
    assert status == 0
    assert not {"\x1b", "\u202e"} & set(out)


# What is refused, in clear words.


@pytest.mark.parametrize(
    ("stored", "event", "says"),
    [
        ("", "", "it is not JSON"),
        ("[" * 100_000, "", "it is not JSON"),
        ("[]", "", "it is not a JSON object"),
        ("{}", "", "does not tell its event"),
        ('{"zen": "x"}', "ping", "no event 'ping' that winparity handles"),
        ('{"headers": {}}', "", "has not both"),
        ('{"request": {"headers": null, "payload": {}}}', "", "has not both"),
        ('{"headers": {"X-GitHub-Event": "push"}, "payload": {}}', "", "the server would refuse it: no X-Hub"),
        (json.dumps({"headers": SIGNED, "payload": "{}"}), "", "the signature is of another secret"),
        (json.dumps({"headers": {**SIGNED, "X-GitHub-Event": "star"}, "payload": {}}), "", "no event 'star'"),
    ],
)
def test_what_is_no_delivery_is_refused(settings: Settings, stored: str, event: str, says: str) -> None:
    with pytest.raises(ReplayError, match=says):
        delivery(stored, event, settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (("replay", "-"), "{", "- cannot be replayed: it is not JSON"),
        (("replay", "nowhere.json"), "", "nowhere.json cannot be read: No such file or directory"),
        (("replay", "-", "--event", "push"), "{}", "- cannot be replayed: malformed push payload"),
        (("shadow", "no repository"), "", "not a repository name"),
    ],
)
async def test_mistakes_are_said_in_one_line(
    line: Line, keys: Keys, words: tuple[str, ...], stdin: str, says: str
) -> None:
    status, out, err = await _run(line, keys, *words, stdin=stdin)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.slow
async def test_a_github_that_refuses_and_a_store_that_is_away_are_said(line: Line, keys: Keys) -> None:
    pull = await line.open(LOST)
    text = json.dumps(line.github.payload("opened", NAME, pull.number))
    line.github.refuse_next("GET /repos/example/berth/compare", 404)
    assert "refused" in (await _run(line, keys, "replay", "-", stdin=text))[1]
    status, _, err = await _run(line, keys, "replay", "-", stdin=text, REDIS_URL="unix:///nowhere.sock")
    assert (status, "the store is away" in err) == (2, True)


def test_githubs_examples_tell_their_event(examples: list[tuple[str, dict[str, Any]]]) -> None:
    assert set(EVENTS) < set(HANDLED)
    for name, payload in examples:
        try:
            assert guess(payload) == name
        except ReplayError:
            assert name not in HANDLED


# What shadow mode has recorded.


@pytest.mark.slow
async def test_the_record_is_printed(line: Line, keys: Keys) -> None:
    assert (await _run(line, keys, "shadow"))[1].startswith("No repository is in shadow mode")
    assert (await _run(line, keys, "shadow", NAME))[1] == "There is no record of example/berth.\n"
    await line.set_up("shadow: true\nlabels: true\n")
    pull = await line.open(MIXED)
    await line.hear("opened", pull)
    assert (await _run(line, keys, "shadow"))[1] == "example/berth  1 look\n"
    status, out, err = await _run(line, keys, "shadow", NAME)
    assert (status, err) == (0, "")
    for said in (
        f"#1  {pull.head[:12]}",
        "regression  implementation-lost  vol/free_windows.go:6",
        "Windows users lose",
    ):
        assert said in out
    [record] = json.loads((await _run(line, keys, "shadow", NAME, "--format", "json"))[1])
    assert (record["schema"], record["number"], record["verdict"]) == (1, 1, "mixed")
    assert record["labels"] == ["windows: regression", "windows: improvement"]
    [count] = json.loads((await _run(line, keys, "shadow", "--format", "json"))[1])
    assert count == {"repository": "example/berth", "records": 1}
