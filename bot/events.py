"""A signed request to our own event, or None. The payload dies here."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from bot.config import Secret
from bot.ids import Repo

EVENTS = ("pull_request",)
"""The webhook events that the app subscribes to; app.yml names the same."""

PERMISSIONS = {"metadata": "read", "contents": "read", "pull_requests": "write", "checks": "write"}
"""What the app may do; app.yml names the same."""

# GitHub's delivery ids are UUIDs; ours becomes part of a Redis key.
MAX_DELIVERY_LENGTH = 100
_SHA256 = "sha256="
_ACTIONS = {"opened", "reopened", "synchronize", "ready_for_review", "edited"}


class SignatureError(Exception):
    """The request is not proven to be GitHub's."""


class EventError(Exception):
    """An event that we handle does not have the shape that GitHub documents."""


@dataclass(frozen=True, slots=True)
class PullEvent:
    """A pull request may show something else now.

    Attributes:
        delivery: the value of X-GitHub-Delivery; a redelivery has the same.
        installation: the id of the app's installation.
        repo: the base repository.
        number: the pull request's number.
        action: GitHub's word for what happened.
    """

    delivery: str
    installation: int
    repo: Repo
    number: int
    action: str


# An id that the queue's encoder and every store can hold.
_Number = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class _Id(msgspec.Struct):
    id: _Number


class _Repository(msgspec.Struct):
    full_name: str


class _Changes(msgspec.Struct):
    base: Any = None


class _PullRequest(msgspec.Struct):
    action: str
    number: _Number
    repository: _Repository
    installation: _Id | None = None
    changes: _Changes | None = None


_DECODER = msgspec.json.Decoder(_PullRequest)


def verify(body: bytes, signature: str | None, secrets: Iterable[Secret]) -> None:
    """Check that GitHub signed the raw body with one of our secrets.

    Args:
        body: the bytes as they came.
        signature: the value of X-Hub-Signature-256. The SHA-1 header is not accepted in its place.
        secrets: the secret, and while it is being changed the former one.

    Raises:
        SignatureError: the signature is missing or wrong.

    Source: docs.github.com, "Validating webhook deliveries".
    """
    if not signature:
        raise SignatureError("no X-Hub-Signature-256 header: set a webhook secret on GitHub")
    given = signature.removeprefix(_SHA256).encode(errors="replace")
    known = False
    for secret in secrets:
        digest = hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest().encode()
        known |= hmac.compare_digest(digest, given)
    if not known or not signature.startswith(_SHA256):
        raise SignatureError("the signature is of another secret")


def parse(event: str, delivery: str, body: bytes) -> PullEvent | None:
    """Turn a verified request into our event.

    Args:
        event: the value of X-GitHub-Event.
        delivery: the value of X-GitHub-Delivery.
        body: the JSON payload.

    Returns:
        The event; None for what we do not handle, whatever it holds.

    Raises:
        EventError: a pull_request event that is malformed.
    """
    if event != "pull_request":
        return None
    if not (0 < len(delivery) <= MAX_DELIVERY_LENGTH and delivery.isascii() and delivery.isprintable()):
        raise EventError("no usable X-GitHub-Delivery header")
    try:
        payload = _DECODER.decode(body)
        repo = Repo(payload.repository.full_name)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError) as error:
        raise EventError(f"malformed pull_request payload: {error}") from None
    if payload.installation is None:
        raise EventError("the payload names no installation: is it from a GitHub App's webhook?")
    if not _matters(payload):
        return None
    return PullEvent(delivery, payload.installation.id, repo, payload.number, payload.action)


def _matters(payload: _PullRequest) -> bool:
    """Whether the head, the base or the state of the pull request may have changed.

    A closed one needs no work: a job that is under way finds it closed before it writes.
    """
    if payload.action == "edited":
        return payload.changes is not None and payload.changes.base is not None
    return payload.action in _ACTIONS
