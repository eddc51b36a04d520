"""What can happen, as values: what webhook.py makes of a delivery, and what the queue keeps."""

import re
from typing import Literal

import msgspec

from bot.ids import Login, Repo, Sha
from bot.pull import Pull
from bot.regressions import Regression

EVENTS = ("check_run", "check_suite", "issue_comment", "merge_group", "pull_request", "push", "repository")
"""The webhook events that the app subscribes to; app.yml names the same. GitHub sends those of installations anyway."""

PERMISSIONS = {
    "metadata": "read",
    "contents": "read",
    "pull_requests": "write",
    "checks": "write",
    "issues": "write",
    "merge_queues": "read",
}
"""What the app may do; app.yml names the same."""


class Event(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True):
    """What all events have.

    Attributes:
        delivery: the value of X-GitHub-Delivery; a redelivery has the same.
        installation: the id of the app's installation.
    """

    delivery: str
    installation: int

    @property
    def subject(self) -> str:
        """What is worked on by one job at a time, so that one job answers all its events; empty when each counts."""
        return ""

    @property
    def lane(self) -> str:
        """With which others it waits for its turn: those of its installation."""
        return str(self.installation)


def pull_subject(repo: Repo, number: int) -> str:
    """``owner/name#12``: a pull request's events, and what people say in it."""
    return f"{repo}#{number}"


class PullEvent(Event, frozen=True, tag="pull"):
    """A pull request may show something else now.

    Attributes:
        repo: the base repository.
        number: the pull request's number.
        action: GitHub's word for what happened.
        pull: the pull request as the event told it, which may be old by now.
        again: somebody asks for a new check run, even one that says the same.
    """

    repo: Repo
    number: int
    action: str
    pull: Pull | None = None
    again: bool = False

    @property
    def subject(self) -> str:
        """``owner/name#12``."""
        return pull_subject(self.repo, self.number)


class GroupEvent(Event, frozen=True, tag="group"):
    """A merge queue asks whether a group may be merged. Without an answer it waits until it gives up.

    Attributes:
        repo: the repository.
        head: the commit that would be merged.
        base: its parent, which is the branch or the group before it.
        number: of the pull request that the group was made for; 0 when the branch's name does not tell.
        again: as in `PullEvent`.
        private: the repository is not for everybody to see.
    """

    repo: Repo
    head: Sha
    base: Sha
    number: int = 0
    again: bool = False
    private: bool = False

    @property
    def subject(self) -> str:
        """``owner/name^commit``."""
        return f"{self.repo}^{self.head}"


class SuiteEvent(Event, frozen=True, tag="suite"):
    """Somebody asks for all checks of a commit again. The event does not say of which pull request, for forks.

    Attributes:
        repo: the repository.
        head: the commit.
    """

    repo: Repo
    head: Sha


class PushEvent(Event, frozen=True, tag="push"):
    """A default or release branch has a new tip, or is gone.

    Attributes:
        repo: the repository.
        branch: its name, without refs/heads/.
        before: the tip that was; None for a new branch.
        after: the tip that is; of a branch that is gone, the one that was.
        default: it is the repository's default branch.
        private: the repository is not for everybody to see.
    """

    repo: Repo
    branch: str
    before: Sha | None
    after: Sha
    default: bool
    private: bool = False

    @property
    def subject(self) -> str:
        """``owner/name@branch``."""
        return f"{self.repo}@{self.branch}"


class CommandEvent(Event, frozen=True, tag="command"):
    """Somebody tells us something, in a comment or by a button of the check run.

    Attributes:
        repo: the base repository.
        number: the pull request's number.
        user: who; what they may do is to be asked.
        lines: what, without the name that we are called by.
        comment: the id of the comment; 0 for a button.
        run: what the button's check run calls itself; "" for a comment.
    """

    repo: Repo
    number: int
    user: Login
    lines: tuple[str, ...]
    comment: int = 0
    run: str = ""


class GoneEvent(Event, frozen=True, tag="gone"):
    """We are not to work on some repositories any more.

    Attributes:
        repos: which.
    """

    repos: tuple[Repo, ...]


class AlertEvent(Event, frozen=True, tag="alert"):
    """A receiver of the operator's is to be told. The delivery is our own id of it, the same at every attempt.

    Attributes:
        receiver: which one, as `bot.outgoing.receivers` calls it; its address is a secret and not stored.
        repo: the repository.
        branch: the branch.
        action: what happened.
        target: the GOOS that is judged.
        tip: the branch's commit at which it was found.
        time: when, in seconds since the epoch.
        issue: the number of the issue about it; 0 when there is none.
        regressions: which.
    """

    receiver: str
    repo: Repo
    branch: str
    action: Literal["opened", "resolved"]
    target: str
    tip: Sha
    time: int
    issue: int
    regressions: tuple[Regression, ...]

    @property
    def lane(self) -> str:
        """That of its receiver: one that is away for hours keeps no pull request waiting, and no other receiver."""
        return f"alerts:{self.receiver}"


class RepositoryEvent(Event, frozen=True, tag="repository"):
    """A repository is called otherwise, is for others to see, or has another default branch.

    Attributes:
        repo: the repository.
        name: as its owner writes it.
        private: it is not for everybody to see.
        branch: its default branch.
        former: the name that it had; None when it has it still.
    """

    repo: Repo
    name: str
    private: bool
    branch: str
    former: Repo | None = None

    @property
    def lane(self) -> str:
        """Its own: what becomes private does not wait until all else is done."""
        return f"repositories:{self.installation}"


class SurveyEvent(Event, frozen=True, tag="survey"):
    """The dashboard is to be brought up to date. The delivery is our own.

    Attributes:
        repo: the repository.
        past: its releases and months are to be read on; else its newest revision.
        anew: what was read of its past is read again.
    """

    repo: Repo
    past: bool = False
    anew: bool = False

    @property
    def subject(self) -> str:
        """``owner/name*newest``, or ``owner/name*past``."""
        return f"{self.repo}*{'past' if self.past else 'newest'}"

    @property
    def lane(self) -> str:
        """One of few, so that however many there are, others find their way past them."""
        return f"{SURVEYS}{self.installation % MAX_SURVEYS}"


SURVEYS = "survey:"
"""How the lanes of surveys begin."""

MAX_SURVEYS = 16
"""Lanes of surveys. One that waits for a process with a hand free is a job that looks again and again."""

AnyEvent = (
    PullEvent
    | GroupEvent
    | SuiteEvent
    | PushEvent
    | CommandEvent
    | GoneEvent
    | AlertEvent
    | RepositoryEvent
    | SurveyEvent
)
_ENCODER = msgspec.json.Encoder(enc_hook=str)
_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent, dec_hook=lambda kind, text: kind(text))


def encode(event: Event) -> bytes:
    """An event as the queue keeps it."""
    return _ENCODER.encode(event)


def decode(stored: bytes | str) -> AnyEvent:
    """The event that was encoded.

    Raises:
        msgspec.DecodeError: it is none, or one of another version.
    """
    return _DECODER.decode(stored)


def legible(stored: bytes | str) -> AnyEvent | None:
    """The event that was encoded; None for one of a newer version, which is for a process of that version."""
    try:
        return decode(stored)
    except msgspec.DecodeError:
        return None


def about(number: int, base: Sha | None = None) -> str:
    """How the external id of a check run begins that is about a pull request, or about a merge group on a base.

    A check run's events do not name the pull requests of forks; this does.
    """
    return f"g{base}.{number}" if base else f"p{number}"


_ABOUT = re.compile(r"(?:p|g(?P<base>[0-9a-f]{40})\.)(?P<number>\d{1,18}):")


def numbered(external_id: str | None) -> int:
    """The pull request that a check run of ours is about, by its external id; 0 when it does not say."""
    known = _ABOUT.match(external_id or "")
    return int(known["number"]) if known is not None else 0


def again(
    external_id: str | None, repo: Repo, head: Sha, delivery: str, installation: int
) -> PullEvent | GroupEvent | None:
    """What is to be checked again, by what a check run of ours calls itself; None when it is nothing of ours."""
    known, number = _ABOUT.match(external_id or ""), numbered(external_id)
    if known is not None and known["base"]:
        base = Sha(known["base"])
        return GroupEvent(
            delivery=delivery, installation=installation, repo=repo, head=head, base=base, number=number, again=True
        )
    if not number:
        return None
    return PullEvent(
        delivery=delivery, installation=installation, repo=repo, number=number, action="rerequested", again=True
    )
