"""GitHub as somebody has it who signs in: the page that asks them, tokens for codes, and what they may read.

Tokens go to the two addresses of the settings and nowhere else: no redirect leads them away (`bot.github.Api`).

Source: docs.github.com, "Generating a user access token for a GitHub App", "Refreshing user access tokens".
"""

import asyncio
import base64
import hashlib
import http
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from bot.config import Secret, Settings
from bot.github import API_VERSION, BROKEN_WAIT, PER_PAGE, USER_AGENT, Api, BusyError, RefusedError, translated
from bot.ids import Login, Repo
from bot.manifest import CALLBACK

PATIENCE = aiohttp.ClientTimeout(total=5)
"""Seconds for an answer: somebody waits for a page."""

_GONE = frozenset((http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_FOUND, http.HTTPStatus.UNPROCESSABLE_ENTITY))
"""How GitHub answers that a token is worth nothing any more, or was not before."""

MAX_CONNECTIONS = 32
"""To GitHub at a time, so that visitors cannot have us flood it."""

MAX_INSTALLATIONS, MAX_PAGES, LISTING = 20, 10, 10.0
"""How many installations of one person are looked through, pages of a hundred repositories of each, and for how long."""

_T = TypeVar("_T")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_TOKEN = re.compile(r"[!-~]{1,2000}")
_ERROR = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What lets us ask GitHub as a person.

    Attributes:
        token: for the API.
        ends: when it does, in seconds since the epoch; 0 for never.
        refresh: what is exchanged for the next grant, once; None when the app's tokens do not end.
    """

    token: Secret
    ends: float
    refresh: Secret | None


@dataclass(frozen=True, slots=True)
class Person:
    """An account. The number stays when the login changes."""

    id: int
    login: Login


class _Granted(msgspec.Struct):
    access_token: str = ""
    expires_in: int = 0
    refresh_token: str = ""
    error: str = ""


class _User(msgspec.Struct):
    id: int
    login: str


class _Repository(msgspec.Struct):
    full_name: str
    private: bool


class _Installation(msgspec.Struct):
    id: int


def session() -> aiohttp.ClientSession:
    """The HTTP client for `Door`. It keeps no cookies: they would be one person's, and the next would bring them."""
    connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS)
    return aiohttp.ClientSession(timeout=PATIENCE, connector=connector, cookie_jar=aiohttp.DummyCookieJar())


class Door:
    """What is asked of GitHub as a person, or to become able to.

    Args:
        client: the HTTP client, as `session` makes it.
        settings: where GitHub is, and what the app proves itself with.

    Every coroutine raises `BusyError` when GitHub cannot be asked now, and `RefusedError` when it says no; with 401 the
    token is worth nothing any more.
    """

    def __init__(self, client: aiohttp.ClientSession, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._api = Api(client, settings.api_url, installation=None)
        self._back = f"{settings.public_url}{CALLBACK}"

    def address(self, state: str, verifier: str) -> str:
        """Where GitHub asks somebody whether they want to sign in.

        Args:
            state: what it is to bring back.
            verifier: whose digest (RFC 7636, S256) binds the code to us.
        """
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": self._settings.client_id,
            "redirect_uri": self._back,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return str(URL(f"{self._settings.git_url}/login/oauth/authorize").with_query(asked))

    async def exchange(self, code: str, verifier: str) -> Grant:
        """A grant for the code that GitHub sent somebody back with.

        Args:
            code: as the browser brought it. It counts once, for ten minutes.
            verifier: as for `address`.
        """
        if not _CODE.fullmatch(code):
            raise RefusedError("GitHub sent no usable code", http.HTTPStatus.BAD_REQUEST)
        sent = {"code": code, "redirect_uri": self._back, "code_verifier": verifier}
        return await self._granted("the exchange of the code", sent)

    async def refresh(self, refresh: Secret) -> Grant:
        """The next grant. What it was exchanged for, and the former token, are worth nothing afterwards."""
        sent = {"grant_type": "refresh_token", "refresh_token": refresh.reveal()}
        return await self._granted("a new token", sent)

    async def revoke(self, token: Secret) -> None:
        """Have a token end at once. One that has ended already is as it should be.

        Source: docs.github.com, "Delete an app token".
        """
        client, secret = self._proof()
        url = f"{self._settings.api_url}/applications/{client}/token"
        proof = base64.b64encode(f"{client}:{secret.reveal()}".encode()).decode()
        headers = {"Authorization": f"Basic {proof}", "X-GitHub-Api-Version": API_VERSION}
        sent = {"access_token": token.reveal()}
        await self._asked("the end of a token", "DELETE", url, _GONE, headers=headers, json=sent)

    async def who(self, token: Secret) -> Person:
        """Whose token it is."""
        async with translated("GET /user"):
            user = msgspec.convert(await self._api.getitem("/user", oauth_token=token.reveal()), _User)
            return Person(user.id, Login(user.login))

    async def may_read(self, token: Secret, repo: Repo) -> bool:
        """Whether somebody may read a private repository that the app is installed on.

        One that has become public, or that has another name now, is another matter: what we know may not be of it.
        """
        what = f"/repos/{repo}"
        try:
            async with translated(f"GET {what}"):
                answer = await self._api.getitem(what, oauth_token=token.reveal())
                found = msgspec.convert(answer, _Repository)
        except RefusedError as error:
            if error.status == http.HTTPStatus.UNAUTHORIZED:
                raise
            return False
        return found.private and found.full_name.lower() == repo

    async def readable(self, token: Secret) -> frozenset[Repo]:
        """The private repositories that somebody may read and the app is installed on.

        To ask for each that we know would be a question for every tenant's repository; this is one for each hundred of
        their own.
        """
        found: set[Repo] = set()
        async with translated("what somebody may read"), asyncio.timeout(LISTING):
            installations = await self._all("/user/installations", "installations", _Installation, token)
            for installation in installations[:MAX_INSTALLATIONS]:
                found |= await self._readable_in(installation.id, token)
        return frozenset(found)

    async def _readable_in(self, installation: int, token: Secret) -> set[Repo]:
        path = f"/user/installations/{installation}/repositories"
        try:
            listed = await self._all(path, "repositories", _Repository, token)
        except RefusedError as error:
            if error.status == http.HTTPStatus.UNAUTHORIZED:
                raise
            return set()  # it was taken away meanwhile
        return {Repo(known.full_name) for known in listed if known.private}

    async def _all(self, path: str, key: str, kind: type[_T], token: Secret) -> list[_T]:
        """A list from at most `MAX_PAGES` pages."""
        found: list[_T] = []
        following: str | None = f"{path}?per_page={PER_PAGE}"
        async with translated(f"GET {path}"):
            for _ in range(MAX_PAGES):
                if following is None:
                    break
                page, following = await self._api.page(following, key, token=token.reveal())
                found += msgspec.convert(page, list[kind])  # type: ignore[valid-type] # given at run time
        return found

    async def _granted(self, what: str, sent: dict[str, str]) -> Grant:
        client, secret = self._proof()
        proof = {"client_id": client, "client_secret": secret.reveal()}
        url = f"{self._settings.git_url}/login/oauth/access_token"
        said = await self._asked(what, "POST", url, {http.HTTPStatus.OK}, data={**proof, **sent})
        async with translated(what):
            made = msgspec.json.decode(said, type=_Granted)
        if made.error or not _TOKEN.fullmatch(made.access_token):
            why = made.error if _ERROR.fullmatch(made.error) else "there is no token in the answer"
            raise RefusedError(f"{what}: {why}", http.HTTPStatus.BAD_REQUEST)
        ends = time.time() + made.expires_in if made.expires_in > 0 else 0.0
        return Grant(Secret(made.access_token), ends, Secret(made.refresh_token) if made.refresh_token else None)

    def _proof(self) -> tuple[str, Secret]:
        """What the app itself is known by here."""
        secret = self._settings.client_secret
        assert secret is not None  # noqa: S101 - without one nobody signs in
        return self._settings.client_id, secret

    async def _asked(
        self,
        what: str,
        method: str,
        url: str,
        good: Collection[int],
        *,
        headers: Mapping[str, str] | None = None,
        **sent: Any,
    ) -> bytes:
        """An answer to the app itself, which is one of some statuses. No redirect is followed."""
        known = {"Accept": "application/json", "User-Agent": USER_AGENT, **(headers or {})}
        async with (
            translated(what),
            self._client.request(method, url, headers=known, allow_redirects=False, **sent) as answer,
        ):
            status, said = answer.status, await answer.read()
        if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR or status == http.HTTPStatus.TOO_MANY_REQUESTS:
            raise BusyError(f"{what}: GitHub is broken (HTTP {status})", time.time() + BROKEN_WAIT)
        if status not in good:
            raise RefusedError(f"{what}: refused (HTTP {status})", status)
        return said
