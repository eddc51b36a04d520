"""The one door to GitHub: tokens, waiting out limits, write spacing; one typed function for each thing we ask."""

import asyncio
import contextlib
import datetime as dt
import http
import time
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import aiohttp
import gidgethub
import jwt
import msgspec
from cachetools import LRUCache, TLRUCache
from gidgethub.aiohttp import GitHubAPI

from bot.config import Settings
from bot.ids import Repo, Sha
from bot.report import Annotation, Check

_T = TypeVar("_T")

USER_AGENT = "winparity"
API_VERSION = "2022-11-28"
# An app's JWT: issued a minute ago for clocks that differ, and at most ten minutes long (docs: "Generating a JWT").
JWT_BACKDATED = 60
JWT_SECONDS = 540
# An installation token lives an hour; one is not used in its last minutes, so that a job ends with what it began with.
TOKEN_MARGIN = 600
TOKEN_PERMISSIONS = {"contents": "read", "pull_requests": "write", "checks": "write"}
MAX_TOKENS = 1000
MAX_CACHED_ANSWERS = 500
# Seconds for one answer, and how long to wait before a read is tried again after GitHub broke.
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
READ_RETRIES = (0.5, 2.0)
# Where GitHub does not say how long to wait, it asks for a minute (docs: "Rate limits for the REST API").
DEFAULT_WAIT = 60.0
# How long to leave a GitHub alone that fails or cannot be reached, in seconds.
BROKEN_WAIT = 15.0
PER_PAGE = 100
MAX_ANNOTATIONS = 50


class BusyError(Exception):
    """GitHub cannot be asked now.

    Attributes:
        until: when to come back, in seconds since the epoch.
    """

    def __init__(self, why: str, until: float) -> None:
        super().__init__(why)
        self.until = until


class RefusedError(Exception):
    """GitHub will not do it, today or tomorrow: no permission, not there, or not accepted.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


class _Commit(msgspec.Struct):
    sha: str


class _Branch(msgspec.Struct):
    ref: str
    sha: str


class _Pull(msgspec.Struct):
    state: Literal["open", "closed"]
    head: _Branch
    base: _Branch


class _Compare(msgspec.Struct):
    merge_base_commit: _Commit


class _App(msgspec.Struct):
    id: int


class _TokenAnswer(msgspec.Struct):
    token: str
    expires_at: dt.datetime


class Comment(msgspec.Struct, frozen=True):
    """An issue comment; ``performed_via_github_app`` is None for a person's."""

    id: int
    body: str | None = None
    performed_via_github_app: _App | None = None


class CheckRun(msgspec.Struct, frozen=True):
    """A check run of ours."""

    id: int
    status: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request as it is now."""

    open: bool
    head: Sha
    base: Sha
    base_ref: str


class _Api(GitHubAPI):
    """gidgethub with the version header."""

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        versioned = {**headers, "x-github-api-version": API_VERSION}
        return await super()._request(method, url, versioned, body)

    async def send(self, method: Literal["POST", "PATCH", "DELETE"], url: str, data: Any, token: str) -> Any:
        """One write."""
        match method:
            case "POST":
                return await self.post(url, data=data, oauth_token=token)
            case "PATCH":
                return await self.patch(url, data=data, oauth_token=token)
            case "DELETE":
                return await self.delete(url, data=data, oauth_token=token)


class GitHub:
    """GitHub as the app sees it.

    Args:
        session: the HTTP client; the caller closes it.
        settings: app id, private key, API address, write spacing.
    """

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self.app_id = settings.app_id
        self._session = session
        self._settings = settings
        self._tokens: TLRUCache[tuple[int, Repo], tuple[str, float]] = TLRUCache(
            MAX_TOKENS, ttu=lambda _key, value, _now: value[1], timer=time.time
        )
        self._asking: dict[tuple[int, Repo], asyncio.Task[str]] = {}
        self._answers: LRUCache[int, LRUCache[str, Any]] = LRUCache(MAX_TOKENS)
        self._writes: LRUCache[int, _Spacing] = LRUCache(MAX_TOKENS)

    def installation(self, number: int, repo: Repo) -> "Installation":
        """The door to one repository of one installation."""
        answers = self._answers.setdefault(number, LRUCache(MAX_CACHED_ANSWERS))
        spacing = self._writes.setdefault(number, _Spacing(self._settings.write_spacing))
        return Installation(self, number, repo, self.api(answers), spacing)

    def api(self, cache: MutableMapping[str, Any] | None = None) -> _Api:
        """A gidgethub client on the shared session."""
        return _Api(self._session, USER_AGENT, cache=cache, base_url=self._settings.api_url)

    async def token(self, installation: int, repo: Repo) -> str:
        """A token for one repository with no more than the permissions that we need.

        Callers at the same time share one request.
        """
        key = (installation, repo)
        if key in self._tokens:
            return self._tokens[key][0]
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._new_token(installation, repo))
            self._asking[key].add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(self._asking[key])

    def forget_token(self, installation: int, repo: Repo) -> None:
        """Drop a token that GitHub does not take any more."""
        self._tokens.pop((installation, repo), None)

    async def _new_token(self, installation: int, repo: Repo) -> str:
        asked = {"repositories": [repo.name], "permissions": TOKEN_PERMISSIONS}
        url = f"/app/installations/{installation}/access_tokens"
        async with translated(f"a token for {repo}"):
            answer = await self.api().post(url, data=asked, jwt=self.app_jwt())
        token = msgspec.convert(answer, _TokenAnswer)
        self._tokens[installation, repo] = (token.token, token.expires_at.timestamp() - TOKEN_MARGIN)
        return token.token

    def app_jwt(self) -> str:
        """A JWT that proves that we are the app."""
        now = int(time.time())
        claims = {
            "iat": now - JWT_BACKDATED,
            "exp": now - JWT_BACKDATED + JWT_SECONDS,
            "iss": str(self._settings.app_id),
        }
        return jwt.encode(claims, self._settings.private_key.reveal(), algorithm="RS256")


class _Spacing:
    """At least so many seconds between two writes of an installation (docs: "Best practices")."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._last = float("-inf")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        async with self._lock:
            await asyncio.sleep(max(0.0, self._last + self._seconds - time.monotonic()))
            try:
                yield
            finally:
                self._last = time.monotonic()


@asynccontextmanager
async def translated(what: str) -> AsyncIterator[None]:
    """Turn every way in which a request can fail into `BusyError` or `RefusedError`. No secret is in their text."""
    now = time.time()
    try:
        yield
    except gidgethub.HTTPException as error:
        status = int(error.status_code)
        wait = _wait(status, error.headers, now)
        if wait is not None:
            raise BusyError(f"{what}: GitHub asks us to wait (HTTP {status})", now + wait) from None
        if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise BusyError(f"{what}: GitHub is broken (HTTP {status})", now + BROKEN_WAIT) from None
        raise RefusedError(f"{what}: {str(error)[:300] or 'refused'} (HTTP {status})", status) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise BusyError(f"{what}: GitHub cannot be reached ({type(error).__name__})", now + BROKEN_WAIT) from None
    except (msgspec.ValidationError, ValueError) as error:
        raise BusyError(f"{what}: GitHub's answer is not understood ({error})", now + BROKEN_WAIT) from None


def _wait(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """How long GitHub wants us to wait, in seconds; None when the failure is no limit.

    Secondary limits come as a plain 403 or 429, so the headers decide (docs: "Rate limits", "Exceeding the rate limit").
    """
    if status not in {http.HTTPStatus.FORBIDDEN, http.HTTPStatus.TOO_MANY_REQUESTS}:
        return None
    known = {name.lower(): value for name, value in headers.items()}
    with contextlib.suppress(KeyError, ValueError):
        return max(1.0, float(known["retry-after"]))
    if known.get("x-ratelimit-remaining") == "0":
        with contextlib.suppress(KeyError, ValueError):
            return max(1.0, float(known["x-ratelimit-reset"]) - now)
    return DEFAULT_WAIT if status == http.HTTPStatus.TOO_MANY_REQUESTS else None


class Installation:
    """One repository, seen through one installation of the app."""

    def __init__(self, github: GitHub, number: int, repo: Repo, api: _Api, spacing: _Spacing) -> None:
        self._github = github
        self._number = number
        self._api = api
        self._spacing = spacing
        self.repo = repo
        self.app_id = github.app_id

    async def token(self) -> str:
        """A token for git. It is opaque and secret."""
        return await self._github.token(self._number, self.repo)

    async def pull(self, number: int) -> Pull:
        """A pull request as it is now."""
        answer = msgspec.convert(await self._get(f"/repos/{self.repo}/pulls/{number}"), _Pull)
        return Pull(answer.state == "open", Sha(answer.head.sha), Sha(answer.base.sha), answer.base.ref)

    async def merge_base(self, base: Sha, head: Sha) -> Sha:
        """The commit that GitHub compares a pull request with."""
        answer = await self._get(f"/repos/{self.repo}/compare/{base}...{head}?per_page=1")
        return Sha(msgspec.convert(answer, _Compare).merge_base_commit.sha)

    async def comments(self, number: int) -> list[Comment]:
        """All comments of a pull request, from all pages, oldest first."""
        return await self._all(f"/repos/{self.repo}/issues/{number}/comments?per_page={PER_PAGE}", Comment)

    async def create_comment(self, number: int, body: str) -> None:
        """Comment on a pull request."""
        await self._write("POST", f"/repos/{self.repo}/issues/{number}/comments", {"body": body})

    async def edit_comment(self, comment: int, body: str) -> None:
        """Replace a comment's body. Nobody gets a mail for it."""
        await self._write("PATCH", f"/repos/{self.repo}/issues/comments/{comment}", {"body": body})

    async def delete_comment(self, comment: int) -> None:
        """Delete a comment."""
        await self._write("DELETE", f"/repos/{self.repo}/issues/comments/{comment}", None)

    async def check_runs(self, head: Sha, name: str) -> list[CheckRun]:
        """Our check runs of a name on a commit."""
        query = f"check_name={name}&app_id={self.app_id}&filter=all&per_page={PER_PAGE}"
        return await self._all(f"/repos/{self.repo}/commits/{head}/check-runs?{query}", CheckRun, "check_runs")

    async def create_check_run(self, head: Sha, name: str, external_id: str, check: Check) -> None:
        """Create a completed check run.

        GitHub takes 50 annotations at a time and appends them, so a run with more is completed by its last request.
        """
        batches = [
            check.annotations[i : i + MAX_ANNOTATIONS] for i in range(0, len(check.annotations), MAX_ANNOTATIONS)
        ]
        first, rest = batches[0] if batches else (), batches[1:]
        begun: dict[str, Any] = {"name": name, "head_sha": head, "external_id": external_id}
        done = {"status": "completed", "conclusion": check.conclusion}
        created = await self._write(
            "POST",
            f"/repos/{self.repo}/check-runs",
            {**begun, **({"status": "in_progress"} if rest else done), "output": _output(check, first)},
        )
        run = msgspec.convert(created, _App).id
        for number, batch in enumerate(rest, 1):
            change = {**(done if number == len(rest) else {}), "output": _output(check, batch)}
            await self._write("PATCH", f"/repos/{self.repo}/check-runs/{run}", change)

    async def _get(self, url: str) -> Any:
        async for answer in self._reading(url, "", one=True):
            return answer
        raise AssertionError("unreachable")  # pragma: no cover

    async def _all(self, url: str, kind: type[_T], key: str = "") -> list[_T]:
        return [msgspec.convert(item, kind) async for item in self._reading(url, key, one=False)]

    async def _reading(self, url: str, key: str, *, one: bool) -> AsyncIterator[Any]:
        """Read, and read again when GitHub broke or the token is not taken any more. Items come when all are there."""
        for wait in (*READ_RETRIES, None):
            try:
                async with translated(f"GET {url.partition('?')[0]}"):
                    token = await self.token()
                    if one:
                        items = [await self._api.getitem(url, oauth_token=token)]
                    else:
                        pages = self._api.getiter(url, oauth_token=token, iterable_key=key or None)
                        items = [item async for item in pages]
                break
            except RefusedError as error:
                if error.status != http.HTTPStatus.UNAUTHORIZED or wait is None:
                    raise
                self._github.forget_token(self._number, self.repo)
            except BusyError as error:
                if wait is None or error.until - time.time() > BROKEN_WAIT:
                    raise
                await asyncio.sleep(wait)
        for item in items:
            yield item

    async def _write(self, method: Literal["POST", "PATCH", "DELETE"], url: str, body: Any) -> Any:
        """Write once. A write that failed may have happened, so only the job as a whole, which looks first, repeats it."""
        data = b"" if body is None else body
        async with self._spacing.turn():
            try:
                async with translated(f"{method} {url}"):
                    return await self._api.send(method, url, data, await self.token())
            except RefusedError as error:
                if error.status != http.HTTPStatus.UNAUTHORIZED:
                    raise
                self._github.forget_token(self._number, self.repo)
                raise BusyError(str(error), time.time() + 1) from None


def _output(check: Check, annotations: tuple[Annotation, ...]) -> dict[str, Any]:
    output: dict[str, Any] = {"title": check.title, "summary": check.summary}
    if check.text:
        output["text"] = check.text
    output["annotations"] = [
        {
            "path": annotation.path,
            "start_line": annotation.start_line,
            "end_line": annotation.end_line,
            "annotation_level": annotation.level,
            "title": annotation.title,
            "message": annotation.message,
        }
        for annotation in annotations
    ]
    return output
