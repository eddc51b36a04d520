"""A stateful stand-in for GitHub over real HTTP on 127.0.0.1: the REST API that we use, git, and webhooks.

It keeps to what GitHub documents: app JWTs and narrowed tokens are checked, lists are paged, limits are enforced.
"""

import asyncio
import datetime as dt
import gzip
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import time
import uuid
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
from aiohttp import web

MAX_BODY = 65_536
MAX_CHECK_TEXT = 65_535
MAX_ANNOTATIONS = 50
DEFAULT_PER_PAGE, MAX_PER_PAGE = 30, 100
TOKEN_SECONDS = 3600
MAX_JWT_SECONDS = 600

Json = dict[str, Any]


@dataclass
class PullState:
    """A pull request."""

    number: int
    base_ref: str
    head: str
    state: str = "open"
    head_repo: str = ""


@dataclass
class RepositoryState:
    """A repository: a bare git directory and what GitHub keeps beside it."""

    name: str
    id: int
    git_dir: Path
    installation: int
    pulls: dict[int, PullState] = field(default_factory=dict)
    comments: list[Json] = field(default_factory=list)
    check_runs: list[Json] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """One request that came in."""

    method: str
    path: str
    status: int


@dataclass(frozen=True)
class _Token:
    installation: int
    repositories: frozenset[str]
    permissions: Json
    expires: float


class StandIn:
    """GitHub, as far as the bot can tell.

    Args:
        app_id: the app that is registered.
        public_key: PEM; its private half signs the app's JWTs.
        secret: the webhook secret.
    """

    def __init__(self, app_id: int, public_key: str, secret: str) -> None:
        self._app_id = app_id
        self._public_key = public_key
        self._secret = secret
        self._tokens: dict[str, _Token] = {}
        self._ids = iter(range(1000, 10**9))
        self._refusals: list[tuple[str, web.Response]] = []
        self.repositories: dict[str, RepositoryState] = {}
        self.calls: list[Call] = []
        self.git_calls: list[Call] = []
        self.problems: list[str] = []
        self.judge: Callable[[str, str, Json, Any], list[str]] | None = None
        self.on_call: Callable[[str, str], None] | None = None
        self.latency = 0.0
        self.url = ""

    # What the world does.

    def add_repository(self, name: str, git_dir: Path, installation: int = 1) -> RepositoryState:
        """Host a bare git directory as owner/name, with the app installed."""
        state = RepositoryState(name, next(self._ids), git_dir, installation)
        self.repositories[name.lower()] = state
        return state

    def open_pull(self, name: str, base_ref: str, head: str, head_repo: str = "") -> PullState:
        """Open a pull request; as on GitHub, the base repository gets refs/pull/N/head."""
        repo = self.repositories[name.lower()]
        pull = PullState(len(repo.pulls) + 1, base_ref, head, head_repo=head_repo or name)
        repo.pulls[pull.number] = pull
        self.push(name, pull.number, head)
        return pull

    def push(self, name: str, number: int, head: str) -> None:
        """Give a pull request a new head."""
        repo = self.repositories[name.lower()]
        repo.pulls[number].head = head
        _git(repo.git_dir, "update-ref", f"refs/pull/{number}/head", head)

    def refuse_next(self, part: str, status: int, headers: dict[str, str] | None = None, body: str = "{}") -> None:
        """Answer the next API request whose ``METHOD path`` holds a text in this way."""
        answer = web.Response(status=status, headers=headers, text=body, content_type="application/json")
        self._refusals.append((part, answer))

    def revoke_tokens(self) -> None:
        """Make every token that was given out worthless."""
        self._tokens.clear()

    def payload(self, action: str, name: str, number: int) -> Json:
        """The body of a pull_request webhook, with the fields that GitHub always sends and apps rely on."""
        repo = self.repositories[name.lower()]
        pull = repo.pulls[number]
        owner, _, short = repo.name.partition("/")
        account = {"login": owner, "id": 1, "type": "Organization"}
        body: Json = {
            "action": action,
            "number": number,
            "pull_request": self._pull(repo, pull),
            "repository": {"id": repo.id, "name": short, "full_name": repo.name, "owner": account, "private": False},
            "sender": account,
            "installation": {"id": repo.installation, "node_id": "MDIz"},
        }
        if action == "edited":
            body["changes"] = {"base": {"ref": {"from": "old"}, "sha": {"from": "0" * 40}}}
        return body

    async def deliver(
        self, url: str, event: str, payload: Json, delivery: str = "", headers: dict[str, str] | None = None
    ) -> int:
        """Send a signed webhook, as GitHub does. Headers given override; returns the answer's status."""
        body = json.dumps(payload).encode()
        signed = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/stand-in",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
            "X-Hub-Signature": "sha1=" + hmac.new(self._secret.encode(), body, hashlib.sha1).hexdigest(),
            "X-Hub-Signature-256": "sha256=" + hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest(),
        } | (headers or {})
        sent = {name: value for name, value in signed.items() if value}
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=sent) as response:
            return response.status

    @asynccontextmanager
    async def running(self) -> AsyncIterator["StandIn"]:
        """Listen on a free port of 127.0.0.1 while this is held; ``url`` serves both API and git."""
        app = web.Application(client_max_size=64 * 1024 * 1024, middlewares=[self._record])
        repo = "/repos/{owner}/{name}"
        app.add_routes(
            [
                web.post("/app/installations/{installation}/access_tokens", self._access_tokens),
                web.get(repo + "/pulls/{number}", self._get_pull),
                web.get(repo + "/compare/{range}", self._compare),
                web.get(repo + "/issues/{number}/comments", self._list_comments),
                web.post(repo + "/issues/{number}/comments", self._create_comment),
                web.patch(repo + "/issues/comments/{comment}", self._edit_comment),
                web.delete(repo + "/issues/comments/{comment}", self._delete_comment),
                web.get(repo + "/commits/{sha}/check-runs", self._list_check_runs),
                web.post(repo + "/check-runs", self._create_check_run),
                web.patch(repo + "/check-runs/{run}", self._edit_check_run),
                web.get("/{owner}/{name}.git/info/refs", self._git_refs),
                web.post("/{owner}/{name}.git/git-upload-pack", self._git_upload_pack),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    # What every request goes through.

    @web.middleware
    async def _record(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        is_git = ".git/" in request.path
        call = f"{request.method} {request.path}"
        if self.on_call is not None:
            self.on_call(request.method, request.path)
        await asyncio.sleep(self.latency)
        response: web.StreamResponse
        refusal = next((r for r in self._refusals if r[0] in call), None)
        try:
            if refusal is not None and not is_git:
                self._refusals.remove(refusal)
                response = refusal[1]
            else:
                if not is_git:
                    await self._judge(request)
                response = await handler(request)
        except web.HTTPException as error:
            if error.status == 404 and request.match_info.http_exception is not None:
                self.problems.append(f"unplanned request: {call}")
            response = web.json_response({"message": error.reason}, status=error.status)
        (self.git_calls if is_git else self.calls).append(Call(request.method, request.path, response.status))
        return response

    async def _judge(self, request: web.Request) -> None:
        """Let the hook compare the request with GitHub's own description, where a test has set one."""
        text = await request.text()
        if request.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            self.problems.append(f"{request.method} {request.path}: no X-GitHub-Api-Version")
        if self.judge is not None:
            body = json.loads(text) if text else None
            self.problems += self.judge(request.method, request.path, dict(request.query), body)

    def _authorised(self, request: web.Request, permission: str, level: str = "read") -> RepositoryState:
        """The repository of a request, if its token may do that there."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            value = b64decode(value).decode().partition(":")[2]
        token = self._tokens.get(value)
        if token is None or token.expires < time.time():
            raise web.HTTPUnauthorized(reason="Bad credentials")
        name = f"{request.match_info['owner']}/{request.match_info['name']}".lower()
        repo = self.repositories.get(name)
        if repo is None or name.partition("/")[2] not in token.repositories:
            raise web.HTTPNotFound(reason="Not Found")
        granted = token.permissions.get(permission)
        if granted is None or (level == "write" and granted != "write"):
            raise web.HTTPForbidden(reason="Resource not accessible by integration")
        return repo

    # The REST API.

    async def _access_tokens(self, request: web.Request) -> web.Response:
        bearer = request.headers.get("Authorization", "").partition(" ")[2]
        try:
            claims = jwt.decode(bearer, self._public_key, algorithms=["RS256"], issuer=str(self._app_id))
        except jwt.InvalidTokenError as error:
            raise web.HTTPUnauthorized(reason=f"JWT: {error}") from None
        if claims["exp"] - claims["iat"] > MAX_JWT_SECONDS or claims["iat"] > time.time():
            raise web.HTTPUnauthorized(reason="'Expiration time' claim ('exp') is too far in the future")
        body = await request.json()
        installation = int(request.match_info["installation"])
        known = {r.name.lower().partition("/")[2] for r in self.repositories.values() if r.installation == installation}
        wanted = frozenset(name.lower() for name in body.get("repositories", known))
        if not wanted <= known:
            raise web.HTTPUnprocessableEntity(reason="There is at least one repository that does not exist")
        value = f"ghs_{secrets.token_urlsafe(380)}.{secrets.token_hex(4)}"
        expires = time.time() + TOKEN_SECONDS
        permissions = {"metadata": "read", **body.get("permissions", {})}
        self._tokens[value] = _Token(installation, wanted, permissions, expires)
        stamp = dt.datetime.fromtimestamp(expires, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return web.json_response({"token": value, "expires_at": stamp, "permissions": permissions}, status=201)

    def _pull(self, repo: RepositoryState, pull: PullState) -> Json:
        base = _git(repo.git_dir, "rev-parse", f"refs/heads/{pull.base_ref}")
        return {
            "id": repo.id * 1000 + pull.number,
            "number": pull.number,
            "state": pull.state,
            "draft": False,
            "merged": False,
            "title": "A change",
            "head": {"ref": "change", "sha": pull.head, "repo": {"full_name": pull.head_repo}},
            "base": {"ref": pull.base_ref, "sha": base, "repo": {"full_name": repo.name}},
        }

    async def _get_pull(self, request: web.Request) -> web.Response:
        repo = self._authorised(request, "pull_requests")
        pull = repo.pulls.get(int(request.match_info["number"]))
        if pull is None:
            raise web.HTTPNotFound(reason="Not Found")
        return _with_etag(request, self._pull(repo, pull))

    async def _compare(self, request: web.Request) -> web.Response:
        repo = self._authorised(request, "contents")
        base, _, head = request.match_info["range"].partition("...")
        sha = await asyncio.to_thread(_git, repo.git_dir, "merge-base", base, head)
        return web.json_response({"merge_base_commit": {"sha": sha}, "status": "diverged", "files": []})

    async def _list_comments(self, request: web.Request) -> web.Response:
        repo = self._authorised(request, "pull_requests")
        number = int(request.match_info["number"])
        return self._page(request, [c for c in repo.comments if c["number"] == number])

    def _page(self, request: web.Request, items: list[Json], key: str = "") -> web.Response:
        size = min(int(request.query.get("per_page", DEFAULT_PER_PAGE)), MAX_PER_PAGE)
        page = int(request.query.get("page", 1))
        shown = items[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(items):
            following = request.url.update_query(page=page + 1)
            headers["Link"] = f'<{self.url}{following.path_qs}>; rel="next"'
        data: Any = {"total_count": len(items), key: shown} if key else shown
        return web.json_response(data, headers=headers)

    async def _create_comment(self, request: web.Request) -> web.Response:
        repo = self._authorised(request, "pull_requests", "write")
        body = _checked_body(await request.json())
        comment = self.add_comment(repo.name, int(request.match_info["number"]), body, app=self._app_id)
        return web.json_response(comment, status=201)

    def add_comment(self, name: str, number: int, body: str, app: int | None = None) -> Json:
        """A comment, by an app or by a person."""
        comment = {
            "id": next(self._ids),
            "number": number,
            "body": body,
            "user": {"login": "winparity[bot]" if app else "octocat"},
            "performed_via_github_app": {"id": app} if app else None,
        }
        self.repositories[name.lower()].comments.append(comment)
        return comment

    def _comment(self, request: web.Request) -> tuple[RepositoryState, Json]:
        repo = self._authorised(request, "pull_requests", "write")
        found = next((c for c in repo.comments if c["id"] == int(request.match_info["comment"])), None)
        if found is None:
            raise web.HTTPNotFound(reason="Not Found")
        return repo, found

    async def _edit_comment(self, request: web.Request) -> web.Response:
        _, comment = self._comment(request)
        comment["body"] = _checked_body(await request.json())
        return web.json_response(comment)

    async def _delete_comment(self, request: web.Request) -> web.Response:
        repo, comment = self._comment(request)
        repo.comments.remove(comment)
        return web.Response(status=204)

    async def _list_check_runs(self, request: web.Request) -> web.Response:
        repo = self._authorised(request, "checks")
        wanted = {"name": request.query.get("check_name"), "head_sha": request.match_info["sha"]}
        runs = [run for run in repo.check_runs if all(v is None or run[k] == v for k, v in wanted.items())]
        return self._page(request, runs, "check_runs")

    async def _create_check_run(self, request: web.Request) -> web.Response:
        repo = self._authorised(request, "checks", "write")
        body = await request.json()
        run = {"id": next(self._ids), "status": "queued", "conclusion": None, "annotations": [], **_checked_run(body)}
        run["annotations"] = list(run.get("output", {}).get("annotations", []))
        repo.check_runs.append(run)
        return web.json_response(run, status=201)

    async def _edit_check_run(self, request: web.Request) -> web.Response:
        repo = self._authorised(request, "checks", "write")
        run = next((r for r in repo.check_runs if r["id"] == int(request.match_info["run"])), None)
        if run is None:
            raise web.HTTPNotFound(reason="Not Found")
        body = _checked_run(await request.json())
        run.update(body)
        run["annotations"] += body.get("output", {}).get("annotations", [])
        return web.json_response(run)

    # Git over HTTP, protocol version 2 with filters.

    async def _git_refs(self, request: web.Request) -> web.StreamResponse:
        repo = self._authorised(request, "contents")
        advertised = await self._upload_pack(request, repo, "--advertise-refs", b"")
        if request.headers.get("Git-Protocol") != "version=2":
            advertised = b"001e# service=git-upload-pack\n0000" + advertised
        return web.Response(body=advertised, content_type="application/x-git-upload-pack-advertisement")

    async def _git_upload_pack(self, request: web.Request) -> web.StreamResponse:
        repo = self._authorised(request, "contents")
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        answer = await self._upload_pack(request, repo, "", body)
        return web.Response(body=answer, content_type="application/x-git-upload-pack-result")

    @staticmethod
    async def _upload_pack(request: web.Request, repo: RepositoryState, flag: str, body: bytes) -> bytes:
        settings = ("uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true", "safe.directory=*")
        command = ["git", *(word for setting in settings for word in ("-c", setting))]
        command += ["upload-pack", "--stateless-rpc", *([flag] if flag else []), str(repo.git_dir)]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "GIT_PROTOCOL": request.headers.get("Git-Protocol", "")},
        )
        answer, _ = await process.communicate(body)
        return answer


def _git(git_dir: Path, *args: str) -> str:
    command = ["git", "-c", "safe.directory=*", "-C", str(git_dir), *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _with_etag(request: web.Request, data: Json) -> web.Response:
    etag = f'W/"{hashlib.sha256(json.dumps(data).encode()).hexdigest()}"'
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers={"ETag": etag})
    return web.json_response(data, headers={"ETag": etag})


def _checked_body(body: Json) -> str:
    text = str(body["body"])
    if not text or len(text) > MAX_BODY:
        raise web.HTTPUnprocessableEntity(reason="body is too long (maximum is 65536 characters)")
    return text


def _checked_run(body: Json) -> Json:
    output = body.get("output", {})
    if len(output.get("annotations", [])) > MAX_ANNOTATIONS:
        raise web.HTTPUnprocessableEntity(reason="No more than 50 annotations per request")
    if any(len(output.get(part, "")) > MAX_CHECK_TEXT for part in ("summary", "text")):
        raise web.HTTPUnprocessableEntity(reason="summary or text is too long")
    return body
