"""A pull request as GitHub tells it, the same in a webhook's payload and in an answer."""

from typing import Annotated, Literal, Self

import msgspec

from bot.ids import Sha

Number = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
"""An id that the queue's encoder and every store can hold."""


class _Branch(msgspec.Struct):
    ref: str
    sha: str


class User(msgspec.Struct):
    """An account. Apps write as accounts of the type Bot."""

    login: str = ""
    type: str = "User"


class Label(msgspec.Struct):
    """A label, which has a name at least."""

    name: str = ""


class RawPull(msgspec.Struct):
    """The fields that count, in GitHub's words (docs: "Get a pull request"). A deleted account's user is null."""

    number: Number
    state: Literal["open", "closed"]
    head: _Branch
    base: _Branch
    draft: bool = False
    locked: bool = False
    user: User | None = None
    labels: list[Label] = []


class Pull(msgspec.Struct, frozen=True):
    """A pull request at one moment.

    Attributes:
        number: GitHub's number.
        open: it is neither closed nor merged.
        head: the newest commit of the change.
        base: the newest commit of the branch that it is to go into, as far as GitHub has noticed.
        base_ref: that branch.
        draft: its author does not want it reviewed yet.
        locked: only some people may comment.
        by_bot: an app opened it.
        labels: the names of its labels.
        author: the account's name; "" for one that is deleted.
    """

    number: int
    open: bool
    head: Sha
    base: Sha
    base_ref: str
    draft: bool = False
    locked: bool = False
    by_bot: bool = False
    labels: tuple[str, ...] = ()
    author: str = ""

    @classmethod
    def of(cls, raw: RawPull) -> Self:
        """Check and take what counts.

        Raises:
            ValueError: a commit id is none.
        """
        return cls(
            raw.number,
            raw.state == "open",
            Sha(raw.head.sha),
            Sha(raw.base.sha),
            raw.base.ref,
            raw.draft,
            raw.locked,
            raw.user is not None and raw.user.type == "Bot",
            tuple(label.name for label in raw.labels),
            raw.user.login if raw.user is not None else "",
        )
