"""A request is GitHub's or nobody's, and a payload is our event, nothing, or an error: never anything else."""

import copy
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.config import Secret
from bot.events import AnyEvent, PullEvent, decode, encode
from bot.ids import Repo, Sha
from bot.pull import Pull
from bot.webhook import MAX_DELIVERY_LENGTH, EventError, SignatureError, parse, verify

BODY = b'{"zen": "Mind your words, they are important."}'
SECRETS = (Secret("the new one"), Secret("the old one"))
PAYLOAD = {
    "action": "opened",
    "number": 3,
    "repository": {"id": 1, "full_name": "Example/Berth", "private": False},
    "installation": {"id": 7, "node_id": "MDIz"},
    "pull_request": {
        "number": 3,
        "state": "open",
        "draft": True,
        "head": {"ref": "change", "sha": "a" * 40},
        "base": {"ref": "main", "sha": "b" * 40},
        "user": {"login": "octocat", "type": "User"},
    },
    "a field of next year": [1, {}],
}


def _signature(body: bytes, secret: str, algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.new(secret.encode(), body, algorithm).hexdigest()}"


def _parsed(payload: Any, event: str = "pull_request") -> AnyEvent | None:
    return parse(event, "a-delivery", json.dumps(payload).encode())


# Signatures.


def test_githubs_own_example_of_a_signature_is_accepted() -> None:
    # docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    verify(b"Hello, World!", signature, [Secret("It's a Secret to Everybody")])


@pytest.mark.parametrize("secret", ["the new one", "the old one"])
def test_both_secrets_of_a_rotation_are_accepted(secret: str) -> None:
    verify(BODY, _signature(BODY, secret), SECRETS)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        _signature(BODY, "another one"),
        _signature(BODY, ""),
        _signature(BODY + b" ", "the new one"),
        _signature(BODY, "the new one").removeprefix("sha256="),
        _signature(BODY, "the new one").replace("sha256=", "sha256:"),
        _signature(BODY, "the new one")[:-1],
        _signature(BODY, "the new one") + "0",
        _signature(BODY, "the new one", "sha1"),
        _signature(BODY, "the new one", "sha1").replace("sha1=", "sha256="),
        _signature(BODY, "the new one", "sha512").replace("sha512=", "sha256="),
        "sha256=" + "é" * 64,
        "sha256=\udcff\ud800",
        "sha256=" + hashlib.sha256(BODY).hexdigest(),
    ],
)
def test_no_other_signature_is(signature: str | None) -> None:
    with pytest.raises(SignatureError):
        verify(BODY, signature, SECRETS)


def test_without_a_secret_nothing_is_accepted() -> None:
    with pytest.raises(SignatureError):
        verify(BODY, _signature(BODY, ""), [])


def test_a_refusal_names_no_secret_and_no_signature() -> None:
    with pytest.raises(SignatureError) as refused:
        verify(BODY, "sha256=0123", SECRETS)
    assert not [word for word in ("the new one", "the old one", "0123") if word in str(refused.value)]


# Events.


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize", "ready_for_review"])
def test_what_may_change_a_verdict_is_an_event(action: str) -> None:
    pull = Pull(3, True, Sha("a" * 40), Sha("b" * 40), "main", draft=True, author="octocat")  # noqa: FBT003 - an attribute's value
    expected = PullEvent(
        delivery="a-delivery", installation=7, repo=Repo("example/berth"), number=3, action=action, pull=pull
    )
    assert _parsed({**PAYLOAD, "action": action}) == expected


@pytest.mark.parametrize("action", ["closed", "labeled", "converted_to_draft", "", "an action of next year"])
def test_what_changes_none_is_not(action: str) -> None:
    assert _parsed({**PAYLOAD, "action": action}) is None


@pytest.mark.parametrize(
    ("changes", "matters"),
    [
        ({"base": {"ref": {"from": "old"}, "sha": {"from": "0" * 40}}}, True),
        ({"base": {"ref": {"from": "old"}}, "title": {"from": "A"}}, True),
        ({"title": {"from": "A"}}, False),
        ({"base": None}, False),
        ({}, False),
        (None, False),
    ],
)
def test_an_edit_matters_when_it_changes_the_base(changes: Any, matters: bool) -> None:  # noqa: FBT001 - a table's column
    event = _parsed({**PAYLOAD, "action": "edited", "changes": changes})
    assert (event is not None) is matters


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"{", b"null", json.dumps(PAYLOAD).encode()])
@pytest.mark.parametrize("event", ["", "ping", "issues", "Pull_Request", "pull_request ", "an event of 2030"])
def test_events_that_we_do_not_handle_are_nothing_whatever_they_hold(event: str, body: bytes) -> None:
    assert parse(event, "", body) is None


@pytest.mark.parametrize("field", ["action", "number", "repository", "installation", "pull_request"])
def test_a_payload_without_a_field_that_we_need_is_an_error(field: str) -> None:
    with pytest.raises(EventError):
        _parsed({name: value for name, value in PAYLOAD.items() if name != field})


@pytest.mark.parametrize(
    "change",
    [
        {"action": 1},
        {"number": "3"},
        {"number": 0},
        {"number": -3},
        {"number": 1.5},
        {"number": True},
        {"number": 2**63},
        {"number": 10**4000},
        {"repository": None},
        {"repository": {}},
        {"repository": {"full_name": None}},
        {"installation": None},
        {"installation": {"id": None}},
        {"installation": {"id": 0}},
        {"installation": {"id": 2**64}},
        {"changes": []},
    ],
)
def test_a_payload_of_another_shape_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(EventError):
        _parsed({**PAYLOAD, **change})


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "a/.",
        "a/..",
        "../b",
        "a/b\n",
        "a\0/b",
        "a/b#c",
        "a/b?c",
        "a/é",
        "-a/b",
        "a b/c",
    ],
)
def test_a_hostile_repository_name_is_an_error(name: str) -> None:
    with pytest.raises(EventError):
        _parsed({**PAYLOAD, "repository": {"full_name": name}})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"pull_request"',
        b"payload=%7B%7D",
        b"\xef\xbb\xbf{}",
        json.dumps(PAYLOAD).encode("utf-16"),
        json.dumps(PAYLOAD).encode() + b"x",
        json.dumps(PAYLOAD).encode().replace(b"Example", b"Ex\xffmple"),
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"changes":{"base":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_payload_is_an_error(body: bytes) -> None:
    with pytest.raises(EventError):
        parse("pull_request", "a-delivery", body)


@given(st.binary())
@example(b'{"action":"edited","changes":{"base":1e999}}')
def test_no_bytes_raise_anything_but_our_error(body: bytes) -> None:
    with pytest.raises(EventError):
        parse("pull_request", "a-delivery", body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*PAYLOAD, "changes"], _JSON)))
def test_no_payload_raises_anything_but_our_error(change: dict[str, Any]) -> None:
    try:
        event = _parsed({**PAYLOAD, "action": "edited", **change})
    except EventError:
        return
    assert event is None or isinstance(event.repo, Repo)


@pytest.mark.parametrize("delivery", ["0b989ba4-242f-11e5-81e1-c7b6966d2516", "x", "x" * MAX_DELIVERY_LENGTH])
def test_a_delivery_keeps_its_id(delivery: str) -> None:
    event = parse("pull_request", delivery, json.dumps(PAYLOAD).encode())
    assert event is not None
    assert event.delivery == delivery


@pytest.mark.parametrize("delivery", ["", "x" * (MAX_DELIVERY_LENGTH + 1), "a\nb", "a\0b", "é", "\udcff", "\x1b[31m"])
def test_a_delivery_without_a_usable_id_is_an_error(delivery: str) -> None:
    with pytest.raises(EventError):
        parse("pull_request", delivery, json.dumps(PAYLOAD).encode())


def test_an_error_is_short_and_holds_nothing_of_a_large_payload() -> None:
    with pytest.raises(EventError) as error:
        _parsed({**PAYLOAD, "repository": {"full_name": "x" * 1_000_000}})
    assert len(str(error.value)) < 300


# GitHub's own examples.


def test_every_example_of_github_is_an_event_or_nothing(examples: list[tuple[str, dict[str, Any]]]) -> None:
    found: dict[str, set[str]] = {}
    for name, payload in copy.deepcopy(examples):
        payload.setdefault("installation", {"id": 7})
        event = parse(name, "a-delivery", json.dumps(payload).encode())
        if event is not None:
            found.setdefault(f"{name} {payload.get('action', '')}".strip(), set()).add(type(event).__name__)
            assert decode(encode(event)) == event
    assert found == {
        "check_suite rerequested": {"SuiteEvent"},
        "installation deleted": {"GoneEvent"},
        "installation_repositories removed": {"GoneEvent"},
        "merge_group checks_requested": {"GroupEvent"},
        "pull_request opened": {"PullEvent"},
        "pull_request ready_for_review": {"PullEvent"},
        "pull_request reopened": {"PullEvent"},
        "pull_request synchronize": {"PullEvent"},
        "push": {"PushEvent"},
        "repository edited": {"RepositoryEvent"},
        "repository privatized": {"RepositoryEvent"},
        "repository publicized": {"RepositoryEvent"},
        "repository renamed": {"RepositoryEvent"},
    }


def test_examples_of_other_events_are_no_pull_requests(examples: list[tuple[str, dict[str, Any]]]) -> None:
    others = [json.dumps(payload).encode() for name, payload in examples if name != "pull_request"]
    assert len(others) > 250
    for body in others:
        # A mistaken X-GitHub-Event header: what has a pull request's fields is nothing, what lacks them is an error.
        try:
            assert parse("pull_request", "a-delivery", body) is None
        except EventError:
            continue
