"""The one door to GitHub: tokens, waiting out limits, write spacing; one typed function for each thing we ask."""

import asyncio
import binascii
import datetime as dt
import http
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar
from urllib.parse import quote

import aiohttp
import gidgethub
import jwt
import msgspec
import structlog
from cachetools import LRUCache, TLRUCache
from gidgethub import sansio
from gidgethub.aiohttp import GitHubAPI
from yarl import URL

from bot import metrics
from bot.check import Annotation, Check
from bot.config import Settings
from bot.ids import Login, Repo, Sha
from bot.pull import Pull, RawPull
from bot.remembered import Answers

_T = TypeVar("_T")
Reaction = Literal["+1", "-1", "confused"]
_Door = TypeVar("_Door", bound="Installation")

USER_AGENT = "winparity"
API_VERSION = "2022-11-28"
# An app's JWT: issued a minute ago for clocks that differ, and at most ten minutes long (docs: "Generating a JWT").
JWT_BACKDATED = 60
JWT_SECONDS = 540
# An installation token lives an hour; one is not used in its last minutes, so that a job ends with what it began with.
TOKEN_MARGIN = 600
Permissions = Mapping[str, str]
TOKEN_PERMISSIONS: Permissions = {"contents": "read", "pull_requests": "write", "checks": "write"}
MAX_TOKENS = 1000
# Seconds for one answer, and how long to wait before a read is tried again after GitHub broke.
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
READ_RETRIES = (0.5, 2.0)
# Where GitHub does not say how long to wait, it asks for a minute (docs: "Rate limits for the REST API").
DEFAULT_WAIT = 60.0
# No limit of GitHub lasts longer than an hour; a header that says more, or no number, is not believed.
MAX_WAIT = 3600.0
# Pauses in a row after which their length no longer doubles: by then a second has become MAX_WAIT.
MAX_PAUSES = 13
# How long to leave a GitHub alone that fails or cannot be reached, in seconds.
BROKEN_WAIT = 15.0
# Failures in a row after which an installation's requests are held back, and for how long at most, in seconds.
MAX_FAILURES = 5
MAX_BROKEN_WAIT = 600.0
PER_PAGE = 100
# Annotations that the Checks API takes in one request.
MAX_ANNOTATIONS = 50
# Redirects of one request that are followed (docs: "Best practices"): by reads, and by writes, which stay what they are.
MAX_REDIRECTS = 5
_READS_FOLLOW, _WRITES_FOLLOW = {301, 302, 307, 308}, {307, 308}
# Characters of GitHub's own words that an error repeats.
MAX_WORDS = 300


log = structlog.get_logger()


class BusyError(Exception):
    """GitHub cannot be asked now.

    Attributes:
        until: when to come back, in seconds since the epoch.
        limited: GitHub asked for the pause, or fails each time: nobody asks any sooner, and nothing was done.
    """

    def __init__(self, why: str, until: float, *, limited: bool = False) -> None:
        super().__init__(why)
        self.until = until
        self.limited = limited


class RefusedError(Exception):
    """GitHub will not do it, today or tomorrow: no permission, not there, or not accepted.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


class ConflictError(RefusedError):
    """Something else is being done there at the moment; a later try may succeed."""


class Write(NamedTuple):
    """A write to GitHub that was not sent."""

    method: str
    path: str
    body: Any


class _Commit(msgspec.Struct):
    sha: str


class _File(msgspec.Struct):
    type: str
    size: int = 0
    content: str = ""


class _Compare(msgspec.Struct):
    merge_base_commit: _Commit


class _Id(msgspec.Struct):
    id: int


class _Permission(msgspec.Struct):
    permission: str


class _TokenAnswer(msgspec.Struct):
    token: str
    expires_at: dt.datetime


class _App(msgspec.Struct):
    slug: str


_TokenKey = tuple[int, Repo, frozenset[tuple[str, str]]]


class Comment(msgspec.Struct, frozen=True):
    """An issue comment; ``performed_via_github_app`` is None for a person's."""

    id: int
    body: str | None = None
    performed_via_github_app: _Id | None = None


class _Output(msgspec.Struct, frozen=True):
    annotations_count: int = 0


class CheckRun(msgspec.Struct, frozen=True):
    """A check run of ours."""

    id: int
    status: str
    external_id: str | None = None
    html_url: str | None = None
    output: _Output = _Output()


class Api(GitHubAPI):
    """gidgethub with the version header and a count of requests.

    Args:
        session: the HTTP client.
        api_url: GitHub's address.
        github: whose requests are counted; None before there is an app.
        cache: answers that GitHub may say are still right.
        installation: whose budget its requests take; 0 for the app's own, None for a person's.

    Attributes:
        date: GitHub's clock at its last answer, as the header has it.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        github: "GitHub | None" = None,
        cache: MutableMapping[str, Any] | None = None,
        installation: int | None = 0,
    ) -> None:
        super().__init__(session, USER_AGENT, cache=cache, base_url=api_url)
        self._github = github
        self._installation = installation
        self.date = ""

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        """A moved repository is followed, but never so that a write becomes a read, as HTTP clients do on a 301.

        An answer's Link header names the next page. We talk to the API alone, wherever that or a redirect may lead.
        """
        if self._github is not None:
            self._github.requests += 1
        sent = {**headers, "x-github-api-version": API_VERSION}
        for _ in range(MAX_REDIRECTS):
            if URL(url).origin() != URL(self.base_url).origin():
                raise RefusedError(
                    f"{method}: GitHub's answer leads to another server", http.HTTPStatus.MISDIRECTED_REQUEST
                )
            async with self._session.request(method, url, headers=sent, data=body, allow_redirects=False) as response:
                metrics.answered(self._installation, response.status, response.headers)
                self.date = response.headers.get("Date", "")
                target = response.headers.get("Location", "")
                if not target or response.status not in (_READS_FOLLOW if method == "GET" else _WRITES_FOLLOW):
                    return response.status, response.headers, await response.read()
            url = str(URL(url).join(URL(target)))
        raise RefusedError(f"{method}: GitHub leads us around in circles", http.HTTPStatus.LOOP_DETECTED)

    async def page(
        self, url: str, key: str | None = None, *, token: str | None = None, jwt: str | None = None
    ) -> tuple[list[Any], str | None]:
        """One page of a list, and the address of the next.

        Args:
            url: of the page.
            key: where in the answer the list is; None when the answer is the list.
            token: an installation's, or a person's; None for the app's JWT, or for nobody's right.
            jwt: the app's.

        Raises:
            ValueError: the answer holds no list. One that is taken for an empty list would be taken for an answer.
        """
        data: Any
        data, following, _ = await self._make_request(
            "GET", url, {}, b"", sansio.accept_format(), jwt=jwt, oauth_token=token
        )
        items = data.get(key) if key is not None and isinstance(data, dict) else data
        if not isinstance(items, list):
            raise ValueError("no list")  # noqa: TRY004 - it is what else cannot be understood, too
        return items, following

    async def send(self, method: Literal["POST", "PATCH", "DELETE"], url: str, data: Any, token: str) -> Any:
        """One write.

        Raises:
            ValueError: the answer is not what was written, so nobody knows whether it was.
        """
        answer: Any
        answer, _, _ = await self._make_request(method, url, {}, data, sansio.accept_format(), oauth_token=token)
        if not _is_answer(method, answer):
            raise ValueError("not what was written")
        return answer


class GitHub:
    """GitHub as the app sees it.

    Args:
        session: the HTTP client; the caller closes it.
        settings: app id, private key, API address, write spacing, and where nothing is to be written.
        held: where writes go instead of GitHub; None sends them.

    Attributes:
        requests: how many requests were sent so far.
        answers: what GitHub said, for as long as there is room.
    """

    def __init__(self, session: aiohttp.ClientSession, settings: Settings, held: list[Write] | None = None) -> None:
        self._held = held
        self.app_id = settings.app_id
        self.session = session
        self.settings = settings
        self.requests = 0
        self._tokens: TLRUCache[_TokenKey, tuple[str, float]] = TLRUCache(
            MAX_TOKENS, ttu=lambda _key, value, _now: value[1], timer=time.time
        )
        self._asking: dict[_TokenKey, asyncio.Task[str]] = {}
        self._shared: LRUCache[int, _Shared] = LRUCache(MAX_TOKENS)
        self.answers = Answers()
        self._login = ""

    def installation(self, number: int, repo: Repo) -> "Installation":
        """The door to one repository of one installation."""
        return self.door(Installation, number, repo)

    def api(self, cache: MutableMapping[str, Any] | None = None, installation: int = 0) -> Api:
        """What sends requests and counts them."""
        return Api(self.session, self.settings.api_url, self, cache, installation)

    def door(self, kind: type[_Door], number: int, repo: Repo) -> _Door:
        """The same, for what needs other permissions or other requests."""
        shared = self._shared.setdefault(number, _Shared(number, _Spacing(self.settings.write_spacing)))
        held = [] if self._held is None and self.settings.shadows(repo) else self._held
        return kind(self, number, repo, shared, held)

    async def login(self) -> str:
        """The account that the app writes as, which is asked for once.

        Raises:
            BusyError: GitHub cannot be asked now.
            RefusedError: the app's key is not the right one.
        """
        if not self._login:
            async with translated("GET /app"):
                answer = await self.api().getitem("/app", jwt=self.app_jwt())
                self._login = f"{msgspec.convert(answer, _App).slug}[bot]"
        return self._login

    def forget(self, repo: Repo) -> None:
        """Drop all tokens for a repository, and all that was answered about it."""
        for key in [key for key in self._tokens if key[1] == repo]:
            self._tokens.pop(key, None)
        self.answers.forget(repo)

    async def token(self, installation: int, repo: Repo, permissions: Permissions = TOKEN_PERMISSIONS) -> str:
        """A token for one repository with no more than the permissions that are needed.

        Callers at the same time share one request.

        Raises:
            BusyError: GitHub cannot be asked now.
            RefusedError: the app is not installed there (any more), or its key is not the right one.
        """
        key = (installation, repo, frozenset(permissions.items()))
        known = self._tokens.get(key)
        if known is not None:
            return known[0]
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._new_token(key))
            self._asking[key].add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(self._asking[key])

    def forget_token(self, installation: int, repo: Repo, token: str) -> None:
        """Drop a token that GitHub does not take any more, unless another one has replaced it already."""
        for key, known in [*self._tokens.items()]:
            if key[:2] == (installation, repo) and known[0] == token:
                self._tokens.pop(key, None)

    async def _new_token(self, key: "_TokenKey") -> str:
        installation, repo, permissions = key
        asked = {"repositories": [repo.name], "permissions": dict(sorted(permissions))}
        url = f"/app/installations/{installation}/access_tokens"
        async with translated(f"a token for {repo}"):
            answer = await self.api().post(url, data=asked, jwt=self.app_jwt())
            token = msgspec.convert(answer, _TokenAnswer)
        self._tokens[key] = (token.token, token.expires_at.timestamp() - TOKEN_MARGIN)
        return token.token

    def app_jwt(self) -> str:
        """A JWT that proves that we are the app."""
        now = int(time.time())
        claims = {
            "iat": now - JWT_BACKDATED,
            "exp": now - JWT_BACKDATED + JWT_SECONDS,
            "iss": str(self.settings.app_id),
        }
        return jwt.encode(claims, self.settings.private_key.reveal(), algorithm="RS256")


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


@dataclass(slots=True)
class _Shared:
    """What all jobs of one installation in one process share.

    Where GitHub wants quiet, or fails each time, each
    process finds out by itself: that costs it a request or a few, and no request needs the store.
    """

    number: int
    spacing: _Spacing
    quiet_until: float = 0.0
    pauses: int = 0
    failures: int = 0
    broken_until: float = 0.0
    broken_pauses: int = 0

    def raise_if_quiet(self, what: str) -> bool:
        """Whoever goes on asking while GitHub wants quiet may be banned (docs: "Rate limits", "Exceeding").

        Returns:
            Whether this one is let through to see if GitHub works again. The others wait for what comes of it.
        """
        now = time.time()
        if self.quiet_until > now:
            raise BusyError(f"{what}: GitHub asked this installation to wait", self.quiet_until, limited=True)
        if self.broken_until > now:
            why = f"{what}: GitHub failed this installation {self.failures} times in a row"
            raise BusyError(why, self.broken_until, limited=True)
        if self.failures < MAX_FAILURES:
            return False
        self.broken_until = now + (TIMEOUT.total or 0.0)
        return True

    def note_failure(self, error: BusyError, *, probe: bool) -> None:
        """After some failures in a row pause, and twice as long each time that the one that is let through fails too."""
        now = time.time()
        self.failures += 1
        if self.failures < MAX_FAILURES:
            return
        if probe or self.broken_until <= now:
            wait = min(MAX_BROKEN_WAIT, BROKEN_WAIT * 2**self.broken_pauses)
            self.broken_pauses = min(self.broken_pauses + 1, MAX_PAUSES)
            self.broken_until = now + wait
            metrics.paused(self.number, self.broken_until, f"GitHub failed {self.failures} times in a row")
            log.warning("GitHub fails each time", installation=self.number, failures=self.failures, seconds=round(wait))
        error.until = max(error.until, self.broken_until)

    def note_answer(self) -> None:
        """GitHub works, whatever it answered."""
        if self.failures >= MAX_FAILURES:
            log.info("GitHub answers again", installation=self.number)
            metrics.resumed(self.number)
        self.failures = self.broken_pauses = 0
        self.broken_until = 0.0

    def be_quiet(self, error: BusyError) -> None:
        """Pause as GitHub asked, and twice as long each time that nothing worked since the last pause (same docs)."""
        now = time.time()
        if self.quiet_until <= now:
            self.pauses = min(self.pauses + 1, MAX_PAUSES)
        error.until = min(now + MAX_WAIT, now + (error.until - now) * 2 ** (self.pauses - 1))
        self.quiet_until = max(self.quiet_until, error.until)
        metrics.paused(self.number, self.quiet_until, "GitHub asked for a pause")


@asynccontextmanager
async def translated(what: str) -> AsyncIterator[None]:
    """Turn every way in which a request can fail into `BusyError` or `RefusedError`. No secret is in their text."""
    now = time.time()
    try:
        yield
    except gidgethub.HTTPException as error:
        status = int(error.status_code)
        wait = _wait(status, error.headers, str(error), now)
        if wait is not None:
            raise BusyError(f"{what}: GitHub asks us to wait (HTTP {status})", now + wait, limited=True) from None
        if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise BusyError(f"{what}: GitHub is broken (HTTP {status})", now + BROKEN_WAIT) from None
        kind = ConflictError if status == http.HTTPStatus.CONFLICT else RefusedError
        raise kind(f"{what}: {str(error)[:MAX_WORDS] or 'refused'} (HTTP {status})", status) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise BusyError(f"{what}: GitHub cannot be reached ({type(error).__name__})", now + BROKEN_WAIT) from None
    except (LookupError, ValueError) as error:
        # gidgethub's ways of saying that an answer is no JSON, has no known charset, or is a 422 without words.
        why = f"{what}: GitHub's answer is not understood ({type(error).__name__})"
        raise BusyError(why, now + BROKEN_WAIT) from None


def _wait(status: int, headers: Mapping[str, str], words: str, now: float) -> float | None:
    """How long GitHub wants us to wait, in seconds; None when the failure is no limit.

    Secondary limits come as a plain 403 or 429, so headers and words decide (docs: "Exceeding the rate limit").
    """
    limited = status == http.HTTPStatus.TOO_MANY_REQUESTS or "secondary rate limit" in words.lower()
    if status != http.HTTPStatus.FORBIDDEN and not limited:
        return None
    known = {name.lower(): value for name, value in headers.items()}
    wait = _seconds(known.get("retry-after"))
    if wait is None and known.get("x-ratelimit-remaining") == "0":
        reset = _seconds(known.get("x-ratelimit-reset"))
        wait = None if reset is None else reset - now
    if wait is None:
        return DEFAULT_WAIT if limited else None
    return min(max(1.0, wait), MAX_WAIT)


def _seconds(header: str | None) -> float | None:
    """A header's whole number; None when it holds none."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None


class Installation:
    """One repository, seen through one installation of the app.

    Attributes:
        permissions: what its tokens may do.
        guard: asked right before a write is sent, when it has waited for its turn and its token; it raises where nothing
            may be written any more.
    """

    permissions: ClassVar[Permissions] = TOKEN_PERMISSIONS
    guard: Callable[[], Awaitable[None]] | None = None

    def __init__(
        self, github: GitHub, number: int, repo: Repo, shared: _Shared, held: list[Write] | None = None
    ) -> None:
        self._held = held
        self._github = github
        self.number = number
        self._shared = shared
        # gidgethub keys its cache by URL alone, so it is one for each installation.
        self._api = github.api(github.answers.of(number), number)
        self.repo = repo
        self.app_id = github.app_id

    async def token(self) -> str:
        """A token for git. It is opaque and secret."""
        return await self._github.token(self.number, self.repo, self.permissions)

    async def pull(self, number: int) -> Pull:
        """A pull request as it is now."""
        return Pull.of(msgspec.convert(await self._get(f"/repos/{self.repo}/pulls/{number}"), RawPull))

    async def merge_base(self, base: Sha, head: Sha) -> Sha:
        """The commit that GitHub compares a pull request with."""
        answer = await self._get(f"/repos/{self.repo}/compare/{base}...{head}?per_page=1")
        return Sha(msgspec.convert(answer, _Compare).merge_base_commit.sha)

    async def file(self, repo: Repo, path: str, most: int) -> bytes | None:
        """A file at a repository's default branch; None when there is none, or it is not ours to see.

        Args:
            repo: this repository, or any public one.
            path: of the file.
            most: bytes that are read at most; of a larger file there is one more, so that it can be told.
        """
        try:
            answer = await self._get(f"/repos/{repo}/contents/{path}")
        except RefusedError as error:
            if error.status not in {http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND}:
                raise
            return None
        if not isinstance(answer, dict) or answer.get("type") != "file":
            return None
        file = msgspec.convert(answer, _File)
        return b" " * (most + 1) if file.size > most else binascii.a2b_base64(file.content)

    async def comments(self, number: int) -> list[Comment]:
        """All comments of a pull request, from all pages, oldest first."""
        return await self._all(f"/repos/{self.repo}/issues/{number}/comments?per_page={PER_PAGE}", Comment)

    async def create_comment(self, number: int, body: str) -> Comment:
        """Comment on a pull request."""
        url = f"/repos/{self.repo}/issues/{number}/comments"
        return msgspec.convert(await self._write("POST", url, {"body": body}), Comment)

    async def edit_comment(self, comment: int, body: str) -> None:
        """Replace a comment's body. Nobody gets a mail for it."""
        await self._write("PATCH", f"/repos/{self.repo}/issues/comments/{comment}", {"body": body})

    async def delete_comment(self, comment: int) -> None:
        """Delete a comment. One that is gone already is as it should be."""
        try:
            await self._write("DELETE", f"/repos/{self.repo}/issues/comments/{comment}", None)
        except RefusedError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise

    async def add_labels(self, number: int, labels: list[str]) -> None:
        """Put labels on a pull request; those that the repository does not have are made."""
        await self._write("POST", f"/repos/{self.repo}/issues/{number}/labels", {"labels": labels})

    async def remove_label(self, number: int, label: str) -> None:
        """Take a label off. One that is gone already is as it should be."""
        try:
            await self._write("DELETE", f"/repos/{self.repo}/issues/{number}/labels/{quote(label, safe='')}", None)
        except RefusedError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise

    async def may_write(self, user: Login) -> bool:
        """Whether somebody may write to the repository. GitHub counts those who maintain it among them."""
        try:
            answer = await self._get(f"/repos/{self.repo}/collaborators/{quote(user, safe='')}/permission")
        except RefusedError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise
            return False
        return msgspec.convert(answer, _Permission).permission in {"admin", "write"}

    async def react(self, comment: int, content: Reaction) -> None:
        """React to a comment. A reaction that is there already stays as it is."""
        await self._write("POST", f"/repos/{self.repo}/issues/comments/{comment}/reactions", {"content": content})

    async def check_runs(self, head: Sha, name: str) -> list[CheckRun]:
        """Our check runs of a name on a commit."""
        query = f"check_name={name}&app_id={self.app_id}&filter=all&per_page={PER_PAGE}"
        return await self._all(f"/repos/{self.repo}/commits/{head}/check-runs?{query}", CheckRun, "check_runs")

    async def create_check_run(
        self,
        head: Sha,
        name: str,
        external_id: str,
        check: Check,
        annotations: tuple[Annotation, ...],
    ) -> CheckRun:
        """Create a check run with at most 50 annotations, completed. Returns it as GitHub has it.

        Args:
            head: the commit.
            name: as branch protection knows it.
            external_id: our own name for what it shows.
            check: what it shows.
            annotations: the first of the check's.
        """
        run = {"name": name, "head_sha": head, "external_id": external_id, "output": _output(check, annotations)}
        url = f"/repos/{self.repo}/check-runs"
        body = {**run, **_completed(check), **_actions(check)}
        return msgspec.convert(await self._write("POST", url, body), CheckRun)

    async def add_annotations(
        self, run: int, external_id: str, check: Check, annotations: tuple[Annotation, ...]
    ) -> None:
        """Append at most 50 annotations to a check run, and let it have another name of ours."""
        named = {"external_id": external_id, "output": _output(check, annotations)}
        change = {**named, **_completed(check), **_actions(check)}
        await self._write("PATCH", f"/repos/{self.repo}/check-runs/{run}", change)

    async def _get(self, url: str) -> Any:
        return await self._read(url, lambda token: self._api.getitem(url, oauth_token=token or None))

    async def _all(self, url: str, kind: type[_T], key: str | None = None) -> list[_T]:
        async def pages(token: str) -> list[Any]:
            items, following = await self._api.page(url, key, token=token or None)
            while following:
                more, following = await self._api.page(following, key, token=token or None)
                items = items + more
            return items

        return msgspec.convert(await self._read(url, pages), list[kind])  # type: ignore[valid-type] # given at run time

    async def _read(self, url: str, ask: Callable[[str], Awaitable[_T]]) -> _T:
        """Read, and read again when GitHub broke."""
        what = f"GET {url.partition('?')[0]}"
        for wait in READ_RETRIES:
            try:
                return await self._authorised(what, ask)
            except BusyError as error:
                if error.limited:
                    raise
                await asyncio.sleep(wait)
        return await self._authorised(what, ask)

    async def _write(self, method: Literal["POST", "PATCH", "DELETE"], url: str, body: Any) -> Any:
        """Write once. A write that failed may have happened, so only the job as a whole, which looks first, repeats it.

        One that is held back is answered as if it had been made.
        """
        if self._held is not None:
            self._held.append(Write(method, url, body))
            return {**(body or {}), "id": 0}
        data = b"" if body is None else body

        async def send(token: str) -> Any:
            if self.guard is not None:
                await self.guard()
            return await self._api.send(method, url, data, token)

        async with self._shared.spacing.turn():
            return await self._authorised(f"{method} {url}", send)

    async def _authorised(self, what: str, ask: Callable[[str], Awaitable[_T]]) -> _T:
        """Ask with a token; where GitHub does not take it any more, and so did nothing, once more with a new one."""
        probe = self._shared.raise_if_quiet(what)
        try:
            answer = await self._with_token(what, ask)
        except BusyError as error:
            if error.limited:
                self._shared.note_answer()
                self._shared.be_quiet(error)
            else:
                self._shared.note_failure(error, probe=probe)
            raise
        except RefusedError:
            self._shared.note_answer()
            raise
        self._shared.note_answer()
        self._shared.pauses = 0
        return answer

    async def _with_token(self, what: str, ask: Callable[[str], Awaitable[_T]]) -> _T:
        token = await self.token()
        try:
            async with translated(what):
                return await ask(token)
        except RefusedError as error:
            if error.status != http.HTTPStatus.UNAUTHORIZED:
                raise
        self._github.forget_token(self.number, self.repo, token)
        token = await self.token()
        async with translated(what):
            return await ask(token)


def _is_answer(method: str, answer: object) -> bool:
    """Whether a write is answered by what it made or changed, or a list of these; one that deletes by nothing else."""
    if method == "DELETE":
        return answer is None or isinstance(answer, list)
    return isinstance(answer, list) or (isinstance(answer, dict) and isinstance(answer.get("id"), int))


def _completed(check: Check) -> dict[str, str]:
    return {"status": "completed", "conclusion": check.conclusion}


def _actions(check: Check) -> dict[str, Any]:
    return {"actions": [asdict(action) for action in check.actions]} if check.actions else {}


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
