"""Sessions: who is signed in, kept in the store, found by a cookie that only their browser has.

The cookie holds a random id and nothing else. What belongs to it, GitHub's tokens above all, is in the store, encrypted:
whoever reads the store, or a copy of it, can neither ask GitHub as somebody nor make a session. All keys are derived from
the app's private key, so that all web processes have them, nobody has to make them up, and another private key ends
every session. A cookie that is not ours costs no question to the store.

Keys of the store:

- ``wp:session:DIGEST``: a session, by a digest of its id, for as long as it lives.
- ``wp:sessions:USER``: the digests of somebody's sessions, by when they end. There are at most `MAX_SESSIONS`.
- ``wp:attempts``: digests of the sign-ins that were brought to their end, by when, so that each counts once. There are at
  most `MAX_ATTEMPTS`: anybody can make one.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import redis.exceptions
from aiohttp import web
from aiohttp_session import Session as Cookie
from aiohttp_session import SessionData
from aiohttp_session.cookie_storage import EncryptedCookieStorage
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from redis.asyncio import Redis

from bot.config import Secret
from bot.dashboard.oauth import Grant, Person
from bot.github import BROKEN_WAIT, BusyError
from bot.ids import Login

SESSION_SECONDS = 7 * 24 * 3600
"""How long somebody stays signed in. What they may see is asked of GitHub all the time."""

ATTEMPT_SECONDS = 600
"""How long a sign-in may take; GitHub's code counts no longer."""

MAX_ATTEMPTS = 10_000
"""Sign-ins that are remembered to be over. GitHub takes a code once, too, whatever is forgotten here."""

MAX_SESSIONS = 10
"""Of one person: so many of their tokens GitHub keeps. The oldest end."""

MAX_COOKIE = 4096
"""Characters of a cookie that is looked at."""

RENEWAL = 20.0
"""Seconds that one process may take to get a new token, while others wait."""

_SESSION, _OF, _ATTEMPTS = "wp:session:", "wp:sessions:", "wp:attempts"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        id: of the session; secret.
        person: who.
        grant: for asking GitHub as they.
        ends: when it does, in seconds since the epoch.
    """

    id: Secret
    person: Person
    grant: Grant
    ends: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that somebody has begun.

    Attributes:
        state: what GitHub is to bring back.
        verifier: what proves that it was we who began.
        target: where they want to be afterwards, a path of ours.
    """

    state: str
    verifier: str
    target: str

    @classmethod
    def new(cls, target: str) -> "Attempt":
        """One that nobody can guess."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(48), target)


class _Kept(msgspec.Struct):
    user: int
    login: str
    token: str
    token_ends: float
    refresh: str
    ends: float


class _Cookies(EncryptedCookieStorage):
    """An encrypted cookie that no script reads and no other site's form brings.

    Args:
        key: 32 bytes.
        name: of the cookie.
        seconds: how long it counts.
        secure: over HTTPS alone; then it has the prefix that keeps it from being set by anybody else's subdomain.
    """

    def __init__(self, key: bytes, name: str, seconds: int, *, secure: bool) -> None:
        super().__init__(
            key,
            cookie_name=f"__Host-{name}" if secure else name,
            max_age=seconds,
            secure=secure,
            samesite="Lax",  # the browser comes back from GitHub
        )

    async def load_session(self, request: web.Request) -> Cookie:
        """What the cookie holds. One that is not ours, or too old, is as good as none."""
        text = self.load_cookie(request) or ""
        try:
            if len(text) > MAX_COOKIE or not text.isascii():
                raise InvalidToken  # noqa: TRY301 - one way for all that is not ours
            data: SessionData = self._decoder(self._fernet.decrypt(text.encode(), ttl=self.max_age).decode())
        except InvalidToken:
            return await self.new_session()
        return Cookie(None, data=data, new=False, max_age=self.max_age)

    async def keep(self, request: web.Request, response: web.StreamResponse, **values: str) -> None:
        """Set the cookie."""
        cookie = await self.new_session()
        cookie.update(values)
        await self.save_session(request, response, cookie)

    def drop(self, response: web.StreamResponse) -> None:
        """Have the browser forget it. Without the attributes that it was set with, a browser takes no notice."""
        response.del_cookie(
            self.cookie_name, path="/", secure=self.cookie_params["secure"], httponly=True, samesite="Lax"
        )


class Sessions:
    """All sessions.

    Args:
        store: where they are kept.
        private_key: the app's, from which all keys are derived.
        secure: people reach us by HTTPS.
    """

    def __init__(self, store: Redis, private_key: Secret, *, secure: bool) -> None:
        self._store = store
        # How a key is laid out on lines depends on where it was read from.
        material = "".join(private_key.reveal().split()).encode()
        self._form_key = _derived(material, "forms")
        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(material, "sessions")))
        self._cookies = _Cookies(_derived(material, "cookies"), "winparity", SESSION_SECONDS, secure=secure)
        self._attempts = _Cookies(_derived(material, "attempts"), "winparity-login", ATTEMPT_SECONDS, secure=secure)

    # Signing in.

    async def attempt(self, request: web.Request, response: web.StreamResponse, attempt: Attempt) -> None:
        """Let the browser keep what it has begun."""
        held = {"state": attempt.state, "verifier": attempt.verifier, "target": attempt.target}
        await self._attempts.keep(request, response, **held)

    async def attempted(self, request: web.Request, state: str) -> Attempt | None:
        """What this browser has begun, if that is what GitHub answers; it counts once.

        Args:
            request: with the cookie.
            state: as GitHub brought it.
        """
        cookie = await self._attempts.load_session(request)
        try:
            attempt = Attempt(cookie["state"], cookie["verifier"], cookie["target"])
        except KeyError:
            return None
        if not hmac.compare_digest(attempt.state.encode(), state.encode(errors="replace")):
            return None
        now = time.time()
        async with self._store.pipeline(transaction=True) as pipe:
            pipe.zadd(_ATTEMPTS, {_digest(state): now}, nx=True)
            pipe.zremrangebyscore(_ATTEMPTS, "-inf", now - ATTEMPT_SECONDS)
            pipe.zremrangebyrank(_ATTEMPTS, 0, -MAX_ATTEMPTS - 1)
            pipe.expire(_ATTEMPTS, ATTEMPT_SECONDS)
            is_first = (await pipe.execute())[0]
        return attempt if is_first else None

    def drop_attempt(self, response: web.StreamResponse) -> None:
        """Have the browser forget what it has begun."""
        self._attempts.drop(response)

    async def begin(
        self, request: web.Request, response: web.StreamResponse, person: Person, grant: Grant
    ) -> Grant | None:
        """Sign somebody in. It is a new session, whatever cookie the browser brought, whose session ends.

        Returns:
            The grant of that former session, which is of no more use; None when there was none.
        """
        former = await self.of(request)
        ended = None if former is None else await self.end(former)
        session = Session(Secret(secrets.token_urlsafe(32)), person, grant, time.time() + SESSION_SECONDS)
        await self._write(session)
        await self._keep_few(person.id)
        await self._cookies.keep(request, response, id=session.id.reveal())
        return ended

    # Being signed in.

    async def of(self, request: web.Request) -> Session | None:
        """Who asks; None for somebody who is not signed in."""
        cookie = await self._cookies.load_session(request)
        number = cookie.get("id")
        return await self.read(Secret(number)) if isinstance(number, str) else None

    async def read(self, number: Secret) -> Session | None:
        """A session by its id, as it is now; None when it has ended."""
        return self._opened(number, await self._store.get(f"{_SESSION}{_digest(number.reveal())}"))

    def _opened(self, number: Secret, stored: Any) -> Session | None:
        if stored is None:
            return None
        try:
            kept = msgspec.json.decode(self._fernet.decrypt(stored), type=_Kept)
        except InvalidToken:
            return None
        if kept.ends < time.time():
            return None
        grant = Grant(Secret(kept.token), kept.token_ends, Secret(kept.refresh) if kept.refresh else None)
        return Session(number, Person(kept.user, Login(kept.login)), grant, kept.ends)

    async def renew(self, session: Session, grant: Grant) -> Session:
        """Give a session its next grant."""
        renewed = Session(session.id, session.person, grant, session.ends)
        await self._write(renewed, only_if_there=True)
        return renewed

    @asynccontextmanager
    async def alone(self, session: Session) -> AsyncIterator[None]:
        """One process at a time: what refreshes a token is good once.

        Raises:
            BusyError: another one takes too long.
        """
        lock = self._store.lock(f"{_SESSION}{_digest(session.id.reveal())}:lock", RENEWAL, blocking_timeout=RENEWAL / 2)
        try:
            async with lock:
                yield
        except redis.exceptions.LockError:
            raise BusyError("a new token: another process takes too long", time.time() + BROKEN_WAIT) from None

    async def end(self, session: Session) -> Grant | None:
        """Sign somebody out: whoever has the cookie, or a copy of it, is not signed in any more.

        Returns:
            The grant that the session had last; None when it had ended already.
        """
        digest = _digest(session.id.reveal())
        async with self._store.pipeline(transaction=True) as pipe:
            pipe.getdel(f"{_SESSION}{digest}")
            pipe.zrem(f"{_OF}{session.person.id}", digest)
            stored, _ = await pipe.execute()
        last = self._opened(session.id, stored)
        return None if last is None else last.grant

    def drop(self, response: web.StreamResponse) -> None:
        """Have the browser forget its session."""
        self._cookies.drop(response)

    def form_token(self, session: Session) -> str:
        """What a form of ours has and nobody else's: it belongs to one session, and cannot be guessed."""
        return hmac.new(self._form_key, session.id.reveal().encode(), hashlib.sha256).hexdigest()

    async def _write(self, session: Session, *, only_if_there: bool = False) -> None:
        grant, digest = session.grant, _digest(session.id.reveal())
        refresh = grant.refresh.reveal() if grant.refresh else ""
        kept = _Kept(
            session.person.id, str(session.person.login), grant.token.reveal(), grant.ends, refresh, session.ends
        )
        left = max(1, int(session.ends - time.time()))
        encrypted = self._fernet.encrypt(msgspec.json.encode(kept))
        # Who has signed out meanwhile stays so.
        written = await self._store.set(f"{_SESSION}{digest}", encrypted, ex=left, xx=only_if_there)
        if written and not only_if_there:
            await self._store.zadd(f"{_OF}{session.person.id}", {digest: session.ends})

    async def _keep_few(self, user: int) -> None:
        """End the oldest of somebody's sessions that are too many."""
        own = f"{_OF}{user}"
        async with self._store.pipeline(transaction=True) as pipe:
            pipe.zremrangebyscore(own, "-inf", time.time())
            pipe.zrange(own, 0, -MAX_SESSIONS - 1)
            pipe.expire(own, SESSION_SECONDS)
            old: list[bytes] = (await pipe.execute())[1]
        if old:
            async with self._store.pipeline(transaction=True) as pipe:
                pipe.delete(*(f"{_SESSION}{digest.decode()}" for digest in old))
                pipe.zrem(own, *old)
                await pipe.execute()


def _derived(material: bytes, purpose: str) -> bytes:
    """A key for one purpose (RFC 5869)."""
    return HKDF(SHA256(), 32, None, f"winparity {purpose}".encode()).derive(material)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
