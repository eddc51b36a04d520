"""What somebody may read, by GitHub's word, remembered for a minute. What GitHub does not say is no."""

import asyncio
import http
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cachetools import TLRUCache, TTLCache

from bot.config import Secret
from bot.dashboard.oauth import Door, Person
from bot.dashboard.sessions import Session, Sessions
from bot.github import BROKEN_WAIT, BusyError, RefusedError
from bot.ids import Repo

REMEMBERED = 60.0
"""Seconds for which an answer counts, a no as well as a yes."""

MAX_REMEMBERED = 20_000
"""Answers that a process remembers."""

MAX_ASKING = 10
"""Questions of one person that are asked at a time: more would keep other people's waiting."""

MAX_QUIET = 60.0
"""Seconds for which somebody's questions are not asked where GitHub could not answer the last, at most."""

MARGIN = 60.0
"""Seconds before its end in which a token is not used any more."""

_T = TypeVar("_T")
_Ask = Callable[[Secret], Awaitable[_T]]


class EndedError(Exception):
    """GitHub does not take somebody's token any more, so they are not signed in any more."""


class Permissions:
    """Asks, and remembers.

    Args:
        door: to GitHub.
        sessions: which end when GitHub has nothing to do with them any more.

    Every coroutine raises `EndedError`, and `BusyError` when GitHub cannot be asked now.
    """

    def __init__(self, door: Door, sessions: Sessions) -> None:
        self._door = door
        self._sessions = sessions
        self._known: TTLCache[tuple[int, str], tuple[Any]] = TTLCache(MAX_REMEMBERED, REMEMBERED)
        self._asking: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._busy: Counter[int] = Counter()
        self._quiet: TLRUCache[int, float] = TLRUCache(
            MAX_REMEMBERED, ttu=lambda _user, until, _now: until, timer=time.time
        )

    async def may_read(self, session: Session, repo: Repo) -> bool:
        """Whether somebody may read a private repository. It is asked for whether or not there is one."""
        return await self._answer(session, f"reads {repo}", lambda token: self._door.may_read(token, repo))

    async def readable(self, session: Session) -> frozenset[Repo]:
        """The private repositories with the app that somebody may read, as far as `Door.readable` looks."""
        return await self._answer(session, "lists", self._door.readable)

    async def person(self, session: Session) -> Person:
        """Who it is, as GitHub calls them now."""
        return await self._answer(session, "is", self._door.who)

    async def _answer(self, session: Session, what: str, ask: _Ask[_T]) -> _T:
        """An answer that is remembered, or is being asked for, or is asked for now."""
        user = session.person.id
        key, one = (user, what), (session.id.reveal(), what)
        known: tuple[_T] | None = self._known.get(key)
        if known is not None:
            return known[0]
        if one not in self._asking:
            if self._busy[user] >= MAX_ASKING:
                raise BusyError("somebody asks too much at a time", time.time() + BROKEN_WAIT)
            self._busy[user] += 1
            task = asyncio.create_task(self._ask(session, ask))
            self._asking[one] = task
            task.add_done_callback(lambda done: self._asked(user, one, done))
        answer: _T = await asyncio.shield(self._asking[one])
        self._known[key] = (answer,)
        return answer

    def _asked(self, user: int, one: tuple[str, str], done: asyncio.Task[Any]) -> None:
        """A question has been answered, or not. Whoever asked may have gone away, and not look."""
        self._asking.pop(one, None)
        self._busy -= Counter((user,))
        if not done.cancelled():
            done.exception()

    async def _ask(self, session: Session, ask: _Ask[_T]) -> _T:
        user = session.person.id
        if user in self._quiet:
            raise BusyError("GitHub could not answer a moment ago", self._quiet[user])
        try:
            return await self._with_token(session, ask)
        except BusyError as error:
            self._quiet[user] = min(error.until, time.time() + MAX_QUIET)
            raise

    async def _with_token(self, session: Session, ask: _Ask[_T]) -> _T:
        """Ask with the token; with the next one where it has ended, or GitHub does not take it."""
        grant = session.grant
        if grant.ends and grant.ends - MARGIN < time.time():
            session = await self._renewed(session)
        for last in (False, True):
            try:
                return await ask(session.grant.token)
            except RefusedError as error:
                if error.status != http.HTTPStatus.UNAUTHORIZED:
                    raise
            if not last:
                session = await self._renewed(session)
        await self._sessions.end(session)
        raise EndedError

    async def _renewed(self, session: Session) -> Session:
        """The session with another token, which another process may have got meanwhile."""
        async with self._sessions.alone(session):
            kept = await self._sessions.read(session.id)
            if kept is None:
                raise EndedError
            if kept.grant.token.reveal() != session.grant.token.reveal():
                return kept
            if kept.grant.refresh is not None:
                try:
                    return await self._sessions.renew(kept, await self._door.refresh(kept.grant.refresh))
                except RefusedError:
                    pass
            await self._sessions.end(kept)
            raise EndedError
