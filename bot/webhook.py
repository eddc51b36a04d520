"""A signed request to our own event, or None. The payload dies here."""

import hmac
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from bot.config import Secret
from bot.events import (
    AnyEvent,
    CommandEvent,
    GoneEvent,
    GroupEvent,
    PullEvent,
    PushEvent,
    RepositoryEvent,
    SuiteEvent,
    again,
    numbered,
)
from bot.ids import Login, Repo, Sha, is_branch
from bot.pull import Number, Pull, RawPull, User

# GitHub's delivery ids are UUIDs; ours becomes part of a Redis key.
MAX_DELIVERY_LENGTH = 100
# Characters of one line to us that are read, and lines of one comment.
MAX_COMMAND, MAX_COMMANDS = 1_000, 5
_SHA256 = "sha256="
_PULL_ACTIONS = {"opened", "reopened", "synchronize", "ready_for_review", "edited"}
_NO_COMMIT = "0" * 40
_BRANCH = "refs/heads/"
_COMMAND = re.compile(r"/winparity(?:\s+(.*))?$", re.IGNORECASE)
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
# Release branches by their names (docs/alerts.md). A number alone is none, as issues have such branches; nor is anything
# in a folder that is not the releases' own, as dependency updates are.
_RELEASES = (
    r"(?:releases?|rel)[-_/.](?=.*\d).+",  # release/1.2, release-branch.go1.22
    r"(?:stable|lts|maint|maintenance)(?:[-_/.].+)?",  # stable, lts/1.2
    r"(?:[a-z]+[-_])?v?\d+(?:\.\d+)*\.x",  # 28.x, docker-29.x, v1.2.x
    r"(?:v\d+|\d+\.\d+)(?:\.\d+)*(?:[-_.](?:stable|lts|maint))?",  # v2, 1.2, 1.2-stable
)
_RELEASE = re.compile("|".join(_RELEASES), re.IGNORECASE)
_QUEUED = re.compile(r"/pr-(\d{1,18})-")


class SignatureError(Exception):
    """The request is not proven to be GitHub's."""


class EventError(Exception):
    """An event that we handle does not have the shape that GitHub documents."""


class StrangerError(EventError):
    """The payload names no installation: it is from a repository's own webhook, not from the app's."""


# The fields that count, in GitHub's words (docs: "Webhook events and payloads").


class _Id(msgspec.Struct):
    id: Number


class _Repository(msgspec.Struct):
    full_name: str
    default_branch: str = ""
    private: bool = False


class _Payload(msgspec.Struct):
    action: str = ""
    repository: _Repository | None = None
    installation: _Id | None = None

    @property
    def of_installation(self) -> int:
        if self.installation is None:
            raise StrangerError("the payload names no installation: is it from a GitHub App's webhook?")
        return self.installation.id

    @property
    def repo(self) -> Repo:
        if self.repository is None:
            raise ValueError("the payload names no repository")
        return Repo(self.repository.full_name)


class _Changes(msgspec.Struct):
    base: Any = None


class _PullPayload(_Payload, kw_only=True):
    action: str
    number: Number
    pull_request: RawPull
    changes: _Changes | None = None


class _Asked(msgspec.Struct):
    identifier: str


class _Run(msgspec.Struct):
    head_sha: str
    external_id: str | None = None


class _RunPayload(_Payload, kw_only=True):
    action: str
    check_run: _Run
    sender: User | None = None
    requested_action: _Asked | None = None


class _SuitePayload(_Payload, kw_only=True):
    action: str
    check_suite: _Run


class _Group(msgspec.Struct):
    head_sha: str
    base_sha: str
    head_ref: str = ""


class _GroupPayload(_Payload, kw_only=True):
    action: str
    merge_group: _Group


class _Issue(msgspec.Struct):
    number: Number
    state: str = "open"
    pull_request: Any = None


class _Said(msgspec.Struct):
    id: Number
    body: str | None = None
    user: User | None = None


class _CommentPayload(_Payload, kw_only=True):
    action: str
    issue: _Issue
    comment: _Said


class _PushPayload(_Payload, kw_only=True):
    ref: str
    before: str
    after: str


class _GonePayload(_Payload, kw_only=True):
    action: str
    repositories: list[_Repository] = []
    repositories_removed: list[_Repository] = []


class _From(msgspec.Struct):
    value: str = msgspec.field(name="from")


class _Renamed(msgspec.Struct):
    name: _From | None = None


class _Renaming(msgspec.Struct):
    repository: _Renamed | None = None


class _RepositoryPayload(_Payload, kw_only=True):
    action: str
    changes: _Renaming | None = None


_ACTIONS = {
    "check_run": {"rerequested", "requested_action"},
    "check_suite": {"rerequested"},
    "installation": {"deleted"},
    "installation_repositories": {"removed"},
    "issue_comment": {"created"},
    "merge_group": {"checks_requested"},
    "pull_request": _PULL_ACTIONS,
    "repository": {"deleted", "edited", "privatized", "publicized", "renamed"},
}


def may_matter(event: str, action: str | None) -> bool:
    """Whether `parse` may make anything of an event, by its name and action alone."""
    return event in _KINDS and (event not in _ACTIONS or action in _ACTIONS[event])


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
        digest = hmac.digest(secret.reveal().encode(), body, "sha256")
        known |= hmac.compare_digest(digest.hex().encode(), given)
    if not known or not signature.startswith(_SHA256):
        raise SignatureError("the signature is of another secret")


def parse(event: str, delivery: str, body: bytes) -> AnyEvent | None:
    """Turn a verified request into our event.

    Args:
        event: the value of X-GitHub-Event.
        delivery: the value of X-GitHub-Delivery.
        body: the JSON payload.

    Returns:
        The event; None for what we do not handle, whatever it holds.

    Raises:
        EventError: an event that we handle is malformed.
        StrangerError: it is not the app's.
    """
    if event not in _KINDS:
        return None
    if not (0 < len(delivery) <= MAX_DELIVERY_LENGTH and delivery.isascii() and delivery.isprintable()):
        raise EventError("no usable X-GitHub-Delivery header")
    decoder, make = _KINDS[event]
    try:
        payload = decoder.decode(body)
        return make(payload, delivery, payload.of_installation)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError) as error:
        raise EventError(f"malformed {event} payload: {error}") from None


def _pull_request(payload: _PullPayload, delivery: str, installation: int) -> PullEvent | None:
    """The head, the base or the state of the pull request may have changed.

    A closed one needs no work: a job that is under way finds it closed before it writes.
    """
    edited_base = payload.changes is not None and payload.changes.base is not None
    repo, pull = payload.repo, Pull.of(payload.pull_request)
    if payload.action not in _PULL_ACTIONS or (payload.action == "edited" and not edited_base):
        return None
    return PullEvent(
        delivery=delivery,
        installation=installation,
        repo=repo,
        number=payload.number,
        action=payload.action,
        pull=pull,
    )


def _check_run(payload: _RunPayload, delivery: str, installation: int) -> PullEvent | GroupEvent | CommandEvent | None:
    run, button, repo = payload.check_run, payload.requested_action, payload.repo
    if payload.action == "requested_action" and button is not None and payload.sender is not None:
        number = numbered(run.external_id)
        if not number:
            return None
        return CommandEvent(
            delivery=delivery,
            installation=installation,
            repo=repo,
            number=number,
            user=Login(payload.sender.login),
            lines=(button.identifier[:MAX_COMMAND],),
            run=run.external_id or "",
        )
    if payload.action != "rerequested":
        return None
    return again(run.external_id, repo, Sha(run.head_sha), delivery, installation)


def _check_suite(payload: _SuitePayload, delivery: str, installation: int) -> SuiteEvent | None:
    if payload.action != "rerequested":
        return None
    head = Sha(payload.check_suite.head_sha)
    return SuiteEvent(delivery=delivery, installation=installation, repo=payload.repo, head=head)


def _merge_group(payload: _GroupPayload, delivery: str, installation: int) -> GroupEvent | None:
    if payload.action != "checks_requested":
        return None
    group = payload.merge_group
    made_for = _QUEUED.search(group.head_ref)
    return GroupEvent(
        delivery=delivery,
        installation=installation,
        repo=payload.repo,
        head=Sha(group.head_sha),
        base=Sha(group.base_sha),
        number=int(made_for[1]) if made_for else 0,
        private=payload.repository is not None and payload.repository.private,
    )


def _issue_comment(payload: _CommentPayload, delivery: str, installation: int) -> CommandEvent | None:
    """What somebody says to us. Apps are not listened to: two that answer each other never end.

    A pull request that is closed shows what it showed.
    """
    user, issue = payload.comment.user, payload.issue
    if payload.action != "created" or issue.pull_request is None or issue.state == "closed":
        return None
    if user is None or user.type == "Bot":
        return None
    lines = commands(payload.comment.body or "")
    if not lines:
        return None
    return CommandEvent(
        delivery=delivery,
        installation=installation,
        repo=payload.repo,
        number=issue.number,
        user=Login(user.login),
        lines=lines,
        comment=payload.comment.id,
    )


def commands(body: str) -> tuple[str, ...]:
    """The lines of a comment that begin with /winparity, without it. What is quoted or in a fence is not for us."""
    found, fence = [], ""
    for line in body.splitlines():
        if mark := _FENCE.match(line):
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        elif not fence and (said := _COMMAND.match(line.rstrip())):
            found.append((said[1] or "").strip()[:MAX_COMMAND])
    return tuple(found[:MAX_COMMANDS])


def _push(payload: _PushPayload, delivery: str, installation: int) -> PushEvent | None:
    """The tip of a branch that others rely on is another, or gone. All other branches cost nothing."""
    branch, repo = payload.ref.removeprefix(_BRANCH), payload.repo
    default = payload.repository is not None and branch == payload.repository.default_branch
    before, after = (None if sha == _NO_COMMIT else Sha(sha) for sha in (payload.before, payload.after))
    last = after or before
    if branch == payload.ref or last is None or not (default or is_release(branch)):
        return None
    if not is_branch(branch):
        raise ValueError(f"not a branch: {branch[:100]!r}")
    return PushEvent(
        delivery=delivery,
        installation=installation,
        repo=repo,
        branch=branch,
        before=before,
        after=last,
        default=default,
        private=payload.repository is not None and payload.repository.private,
    )


def is_release(branch: str) -> bool:
    """Whether a branch is one that releases are made from, by its name."""
    return _RELEASE.fullmatch(branch) is not None


def _gone(payload: _GonePayload, delivery: str, installation: int) -> GoneEvent | None:
    gone = {"deleted": payload.repositories, "removed": payload.repositories_removed}.get(payload.action, [])
    repos = tuple(Repo(repository.full_name) for repository in gone)
    return GoneEvent(delivery=delivery, installation=installation, repos=repos) if repos else None


def _repository(payload: _RepositoryPayload, delivery: str, installation: int) -> RepositoryEvent | GoneEvent | None:
    """What becomes of a repository as a whole. One that goes to another owner leaves the installation, which is told."""
    repo, told = payload.repo, payload.repository
    if payload.action not in _ACTIONS["repository"] or told is None:
        return None
    if payload.action == "deleted":
        return GoneEvent(delivery=delivery, installation=installation, repos=(repo,))
    former = payload.changes.repository.name if payload.changes and payload.changes.repository else None
    renamed = payload.action == "renamed" and former is not None
    return RepositoryEvent(
        delivery=delivery,
        installation=installation,
        repo=repo,
        name=told.full_name,
        private=told.private,
        branch=told.default_branch if is_branch(told.default_branch) else "",
        former=Repo(f"{repo.owner}/{former.value}") if renamed and former is not None else None,
    )


_Make = Callable[[Any, str, int], AnyEvent | None]
_Kind = tuple[msgspec.json.Decoder[Any], _Make]


def _kind(payload: type[_Payload], make: _Make) -> _Kind:
    return msgspec.json.Decoder(payload), make


_KINDS: dict[str, _Kind] = {
    "check_run": _kind(_RunPayload, _check_run),
    "check_suite": _kind(_SuitePayload, _check_suite),
    "installation": _kind(_GonePayload, _gone),
    "installation_repositories": _kind(_GonePayload, _gone),
    "issue_comment": _kind(_CommentPayload, _issue_comment),
    "merge_group": _kind(_GroupPayload, _merge_group),
    "pull_request": _kind(_PullPayload, _pull_request),
    "push": _kind(_PushPayload, _push),
    "repository": _kind(_RepositoryPayload, _repository),
}
HANDLED = tuple(_KINDS)
"""The events that we handle; others are nothing."""
