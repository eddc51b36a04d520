"""Owners by CODEOWNERS: who is told of a regression, once on a pull request, where the repository wants it.

They are mentioned in the comment when it is created. An edit with another mention would notify again, so edits keep the
line, and once it was shown without a mention it stays so.
"""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.codeowners import NAME, OWNER
from bot.events import PullEvent
from bot.github import BusyError, RefusedError
from bot.queue import SAID_TTL, Jobs, owners_key

_SAID = re.compile(
    rf"(?P<names>`?{NAME}`?(?:, `?{NAME}`?){{0,9}}): this (?:is|was) yours to look at, as CODEOWNERS says\."
)


@dataclass(frozen=True, slots=True)
class Owners:
    """The owners whom a pull request's comment is to tell.

    Attributes:
        jobs: where it is remembered whom it told.
        event: what the job answers.
        names: who they are.
    """

    jobs: Jobs
    event: PullEvent
    names: tuple[str, ...]

    @asynccontextmanager
    async def told(self, body: str) -> AsyncIterator[str]:
        """The body of a comment that is created while this is held. Its owners are mentioned the first time only.

        It is remembered before: of a worker that dies meanwhile, nobody knows whether it told them. Where GitHub says
        that it did not create the comment, it is forgotten.
        """
        key = owners_key(self.event)
        if not self.names:
            yield body
        elif not await self.jobs.redis.set(key, " ".join(self.names), nx=True, ex=SAID_TTL):
            yield _with(body, self.names, mention=False)
        else:
            try:
                yield _with(body, self.names)
            except (BusyError, RefusedError) as error:
                if isinstance(error, RefusedError) or error.limited:
                    await self.jobs.redis.delete(key)
                raise


def kept(shown: str, body: str, *, over: bool) -> str:
    """A comment's new body, with the line about owners that is shown now.

    Args:
        shown: the body as it is.
        body: the new one.
        over: there is nothing left to look at.
    """
    said = _SAID.fullmatch(shown.strip().splitlines()[-1]) if shown.strip() else None
    if said is None:
        return body
    mention = "`" not in said["names"] and not over
    return _with(body, OWNER.findall(said["names"]), mention=mention, over=over)


def _with(body: str, names: Iterable[str], *, mention: bool = True, over: bool = False) -> str:
    shown = ", ".join(name if mention else f"`{name}`" for name in names)
    return f"{body}\n\n{shown}: this {'was' if over else 'is'} yours to look at, as CODEOWNERS says."
