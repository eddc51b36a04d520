"""A stateful stand-in for GitHub over real HTTP on 127.0.0.1: the REST API that we use, git, and webhooks.

It keeps to what GitHub documents: app JWTs and narrowed tokens are checked, lists are paged, limits are enforced.
"""

import asyncio
import contextlib
import datetime as dt
import gzip
import hashlib
import json
import os
import secrets
import socket
import struct
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

from bot.demo.app import PAGES, RegisteredApp
from bot.demo.issues import Issues, new_issue
from bot.demo.people import People
from bot.events import PERMISSIONS

MAX_BODY = 65_536
MAX_CHECK_TEXT = 65_535
MAX_ANNOTATIONS = 50
DEFAULT_PER_PAGE, MAX_PER_PAGE = 30, 100
TOKEN_SECONDS = 3600
RATE_LIMIT = 5000
# Commits that a comparison lists on a page.
MAX_COMPARED = 250
# What the app was granted at its installation (app.yml); a token cannot have more.
GRANTED = PERMISSIONS
_LEVELS = ("read", "write")
# Bytes of a git answer that are passed on at a time.
CHUNK = 64 * 1024

Json = dict[str, Any]


@dataclass
class PullState:
    """A pull request."""

    number: int
    base_ref: str
    head: str
    state: str = "open"
    head_repo: str = ""
    draft: bool = False
    locked: bool = False
    author: str = "octocat"
    labels: list[str] = field(default_factory=list)
    merged: str = ""


@dataclass
class RepositoryState:
    """A repository: a bare git directory and what GitHub keeps beside it. A public one may be read by anybody."""

    name: str
    id: int
    git_dir: Path
    installation: int
    public: bool = False
    pulls: dict[int, PullState] = field(default_factory=dict)
    comments: list[Json] = field(default_factory=list)
    check_runs: list[Json] = field(default_factory=list)
    permissions: dict[str, str] = field(default_factory=dict)
    reactions: list[Json] = field(default_factory=list)
    issues: list[Json] = field(default_factory=list)
    has_issues: bool = True
    default_branch: str = "main"

    @property
    def next_number(self) -> int:
        """Issues and pull requests are counted together."""
        return len(self.pulls) + len(self.issues) + 1


@dataclass(frozen=True)
class Call:
    """One request that came in, and how it was answered.

    Attributes:
        method: with ``path`` and ``query``, what was asked.
        status: of the answer.
        body: JSON of the request.
        answer: JSON of the answer.
        refused: the answer was planned by `StandIn.refuse_next`.
    """

    method: str
    path: str
    status: int
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    answer: Any = None
    refused: bool = False


Mood = Literal["answer", "slow", "reset", "half", "cut"]
"""How a request is failed: answered; not answered; reset; the connection ended before, or in the middle of the answer."""


@dataclass
class _Refusal:
    part: str
    status: int
    headers: dict[str, str]
    body: str
    times: int
    mood: Mood
    done: bool


@dataclass(frozen=True)
class _Token:
    installation: int
    repositories: frozenset[int]
    permissions: Json
    expires: float


class StandIn:
    """GitHub, as far as the bot can tell.

    Args:
        app_id: the app that is registered.
        public_key: PEM; its private half signs the app's JWTs.
        secret: the webhook secret.
        enterprise: as GitHub Enterprise Server has it: the API below /api/v3, git at another address.

    Attributes:
        app: the registered app.
        people: who signs in.
        url: the API's address; ``git_url`` is git's.
        repositories: by lower-case full name.
        calls: requests to the API so far; ``git_calls`` those of git.
        problems: what GitHub would not have been asked, or what went wrong in here; a test fails on any.
        judge: says what is wrong with a call, by GitHub's own description.
        on_call: told the method and path of each request before it is answered.
        latency: seconds before each answer.
        token_seconds: how long a token that is given out lives.
        granted: what installations let the app do.
    """

    def __init__(self, app_id: int, public_key: str, secret: str, *, enterprise: bool = False) -> None:
        self._prefix = "/api/v3" if enterprise else ""
        self.app = RegisteredApp(app_id, public_key, secret)
        self.people = People(self)
        self._tokens: dict[str, _Token] = {}
        self._ids = iter(range(1000, 10**9))
        self._refusals: list[_Refusal] = []
        self._moved: dict[str, str] = {}
        self._remaining = RATE_LIMIT
        self.repositories: dict[str, RepositoryState] = {}
        self.calls: list[Call] = []
        self.git_calls: list[Call] = []
        self.problems: list[str] = []
        self.judge: Callable[[Call], list[str]] | None = None
        self.on_call: Callable[[str, str], None] | None = None
        self.latency = 0.0
        self.token_seconds = TOKEN_SECONDS
        self.granted = dict(GRANTED)
        self.url = ""
        self.git_url = ""

    @property
    def _app_id(self) -> int:
        return self.app.id

    # What the world does.

    def add_repository(
        self, name: str, git_dir: Path, installation: int = 1, *, public: bool = False
    ) -> RepositoryState:
        """Host a bare git directory as owner/name, with the app installed; with installation 0 it is not."""
        state = RepositoryState(name, next(self._ids), git_dir, installation, public)
        self.repositories[name.lower()] = state
        return state

    def personal_token(self, *names: str) -> str:
        """A person's token, which reads some private repositories, and all public ones."""
        return str(self._new_token(0, [self.repositories[name.lower()] for name in names], GRANTED)["token"])

    def open_pull(self, name: str, base_ref: str, head: str, head_repo: str = "") -> PullState:
        """Open a pull request; as on GitHub, the base repository gets refs/pull/N/head."""
        repo = self.repositories[name.lower()]
        pull = PullState(repo.next_number, base_ref, head, head_repo=head_repo or name)
        repo.pulls[pull.number] = pull
        self.push(name, pull.number, head)
        return pull

    def push(self, name: str, number: int, head: str) -> None:
        """Give a pull request a new head."""
        repo = self.repositories[name.lower()]
        repo.pulls[number].head = head
        _git(repo.git_dir, "update-ref", f"refs/pull/{number}/head", head)

    def close(self, name: str, number: int) -> None:
        """Close a pull request."""
        self.repositories[name.lower()].pulls[number].state = "closed"

    def open_issue(self, name: str, title: str, body: str, *, by_app: bool = False) -> Json:
        """An issue, by the app or by a person."""
        repo = self.repositories[name.lower()]
        issue = new_issue(next(self._ids), repo.next_number, title, body, self._app_id if by_app else None)
        repo.issues.append(issue)
        return issue

    def merge(self, name: str, number: int, commit: str) -> None:
        """Merge a pull request: the commit is the new tip of its base branch."""
        repo = self.repositories[name.lower()]
        pull = repo.pulls[number]
        pull.state, pull.merged = "closed", commit
        _git(repo.git_dir, "update-ref", f"refs/heads/{pull.base_ref}", commit)

    def rename(self, name: str, new: str) -> None:
        """Rename a repository; as on GitHub, its old name leads to the new one."""
        state = self.repositories.pop(name.lower())
        state.name = new
        self.repositories[new.lower()] = state
        self._moved[name.lower()] = new

    def refuse_next(
        self,
        part: str,
        status: int,
        headers: dict[str, str] | None = None,
        body: str = "{}",
        times: int = 1,
        *,
        mood: Mood = "answer",
        done: bool = False,
    ) -> None:
        """Answer the next API requests whose ``METHOD path`` holds a text in this way.

        Args:
            part: the text.
            status: of the answer.
            headers: of the answer, and `Content-Type` where it is not JSON.
            body: of the answer.
            times: how many requests.
            mood: how else they are failed.
            done: what they ask for happens all the same.
        """
        self._refusals.append(_Refusal(part, status, headers or {}, body, times, mood, done))

    @property
    def unmet(self) -> list[str]:
        """Refusals that no request has met."""
        return [f"{refusal.part} -> {refusal.status}, {refusal.times} more" for refusal in self._refusals]

    def revoke_tokens(self) -> None:
        """Make every token that was given out worthless."""
        self._tokens.clear()

    def payload(self, action: str, name: str, number: int) -> Json:
        """The body of a pull_request webhook, with the fields that GitHub always sends and apps rely on."""
        repo = self.repositories[name.lower()]
        pull = repo.pulls[number]
        body = self.event(name, action=action, number=number, pull_request=self._pull(repo, pull))
        if action == "edited":
            body["changes"] = {"base": {"ref": {"from": "old"}, "sha": {"from": "0" * 40}}}
        if action == "synchronize":
            body |= {"before": "0" * 40, "after": pull.head}
        return body

    def event(self, name: str, *, sender: str = "octocat", **fields: Any) -> Json:
        """The body of any webhook of a repository: the given fields, and those that GitHub always sends."""
        repo = self.repositories[name.lower()]
        owner, _, short = repo.name.partition("/")
        account = {"login": owner, "id": 1, "type": "Organization"}
        return {
            **fields,
            "repository": {
                "id": repo.id,
                "name": short,
                "full_name": repo.name,
                "owner": account,
                "private": not repo.public,
                "default_branch": repo.default_branch,
            },
            "sender": {"login": sender, "id": 2, "type": "User"},
            "installation": {"id": repo.installation, "node_id": "MDIz"},
        }

    async def deliver(
        self, url: str, event: str, payload: Json, delivery: str = "", headers: dict[str, str] | None = None
    ) -> int:
        """Send a signed webhook, as `RegisteredApp.deliver`."""
        return await self.app.deliver(url, event, payload, delivery, headers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["StandIn"]:
        """Listen on free ports of 127.0.0.1 while this is held."""
        async with AsyncExitStack() as stack:
            if self._prefix:
                self.git_url = await stack.enter_async_context(self._listening(self._git_routes()))
                self.url = await stack.enter_async_context(self._listening(self._api_routes())) + self._prefix
            else:
                routes = self._api_routes() + self._git_routes()
                self.url = self.git_url = await stack.enter_async_context(self._listening(routes))
            self.app.url = self.git_url
            try:
                yield self
            finally:
                await asyncio.gather(*self.app.redelivering, return_exceptions=True)

    @asynccontextmanager
    async def _listening(self, routes: list[web.RouteDef]) -> AsyncIterator[str]:
        app = web.Application(client_max_size=64 * 1024 * 1024, middlewares=[self._record])
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    def _api_routes(self) -> list[web.RouteDef]:
        repo = f"{self._prefix}/repos/{{owner}}/{{name}}"
        return [
            web.post(self._prefix + "/app/installations/{installation}/access_tokens", self._access_tokens),
            web.get(repo, self._get_repository),
            web.get(repo + "/pulls/{number}", self._get_pull),
            web.get(repo + "/contents/{path:.+}", self._get_content),
            web.get(repo + "/compare/{range}", self._compare),
            web.get(repo + "/issues/{number}/comments", self._list_comments),
            web.post(repo + "/issues/{number}/comments", self._create_comment),
            web.patch(repo + "/issues/comments/{comment}", self._edit_comment),
            web.delete(repo + "/issues/comments/{comment}", self._delete_comment),
            web.post(repo + "/issues/comments/{comment}/reactions", self._react),
            web.get(repo + "/collaborators/{user}/permission", self._permission),
            web.post(repo + "/issues/{number}/labels", self._add_labels),
            web.delete(repo + "/issues/{number}/labels/{label}", self._remove_label),
            web.get(repo + "/commits/{sha}/check-runs", self._list_check_runs),
            web.post(repo + "/check-runs", self._create_check_run),
            web.patch(repo + "/check-runs/{run}", self._edit_check_run),
            *Issues(self).routes(repo),
            web.get(repo + "/branches/{branch}", self._get_branch),
            web.get(repo + "/commits/{sha}/pulls", self._list_pulls_of),
            *self.people.routes(self._prefix),
            *self.app.routes(self._prefix, self.page),
        ]

    def _git_routes(self) -> list[web.RouteDef]:
        repo = r"/{owner}/{name:[^/]+?}{suffix:(?:\.git)?}"
        return [
            *self.app.pages(),
            *self.people.pages(),
            web.get(repo + "/info/refs", self._git_refs),
            web.post(repo + "/git-upload-pack", self._git_upload_pack),
        ]

    # What every request goes through.

    @web.middleware
    async def _record(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        is_git = _is_git(request)
        path = request.path.removeprefix(self._prefix)
        if self.on_call is not None:
            self.on_call(request.method, path)
        await asyncio.sleep(self.latency)
        try:
            body = await request.read()
        except ConnectionError:
            return web.Response(status=499)  # whoever asked has given up, so nobody reads this
        if is_git:
            response = await self._answered(request, handler)
            self.git_calls.append(Call(request.method, path, response.status))
            return response
        refusal = self._refusal(f"{request.method} {path}")
        if request.path.startswith(PAGES):
            if refusal is not None:
                return await self._refused(refusal, request, handler)
            return await self._answered(request, handler)
        if refusal is not None:
            response = await self._refused(refusal, request, handler)
        else:
            response = self._moved_to(request) or await self._answered(request, handler)
        self._add_limits(response)
        call = Call(
            request.method,
            request.rel_url.raw_path.removeprefix(self._prefix),
            response.status,
            dict(request.query),
            _json(body.decode()),
            _json(getattr(response, "text", None)),
            refusal is not None,
        )
        self.calls.append(call)
        self._judge(request, call)
        return response

    async def _answered(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        """The handler's answer, its refusals as GitHub words them. What is not planned is a problem."""
        call = f"{request.method} {request.path}"
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            if request.match_info.http_exception is not None:
                self.problems.append(f"unplanned request: {call}")
            headers = {"WWW-Authenticate": 'Basic realm="GitHub"'} if error.status == 401 else {}
            return web.json_response({"message": error.reason}, status=error.status, headers=headers)
        except ConnectionError:
            return web.Response(status=499)  # whoever asked has given up, so nobody reads this
        except Exception as error:  # noqa: BLE001 - a mistake in here must fail the test, not look like a broken GitHub
            self.problems.append(f"{call}: {error!r}")
            return web.json_response({"message": "Server Error"}, status=500)
        return response

    def _refusal(self, call: str) -> _Refusal | None:
        refusal = next((refusal for refusal in self._refusals if refusal.part in call), None)
        if refusal is None:
            return None
        refusal.times -= 1
        if not refusal.times:
            self._refusals.remove(refusal)
        return refusal

    async def _refused(
        self, refusal: _Refusal, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        if refusal.done:
            await self._answered(request, handler)
        if refusal.mood != "answer":
            await _fail(request, refusal.mood)
            return web.Response(status=499)  # nobody gets it
        headers = {"Content-Type": "application/json", **refusal.headers}
        return web.Response(status=refusal.status, headers=headers, body=refusal.body.encode())

    def _moved_to(self, request: web.Request) -> web.Response | None:
        """A read of a renamed repository is sent on with 301, a write with 307, which keeps its method."""
        path, query = request.path.removeprefix(self._prefix), request.path_qs.removeprefix(self._prefix)
        old = "/".join(path.split("/")[2:4])
        new = self._moved.get(old.lower())
        if new is None or not path.startswith("/repos/"):
            return None
        location = self.url + query.replace(f"/repos/{old}", f"/repos/{new}", 1)
        status = 301 if request.method == "GET" else 307
        return web.json_response({"message": "Moved", "url": location}, status=status, headers={"Location": location})

    def _add_limits(self, response: web.StreamResponse) -> None:
        """The headers of the primary limit, which every answer carries. A 304 costs nothing."""
        self._remaining -= response.status != 304
        reset = str(int(time.time()) + 3600)
        limits = {"limit": str(RATE_LIMIT), "remaining": str(self._remaining), "reset": reset}
        for name, value in limits.items():
            response.headers.setdefault(f"X-RateLimit-{name.title()}", value)

    def _judge(self, request: web.Request, call: Call) -> None:
        """Let the hook compare the call with GitHub's own description, where a test has set one."""
        if request.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            self.problems.append(f"{call.method} {call.path}: no X-GitHub-Api-Version")
        if not request.headers.get("User-Agent"):
            self.problems.append(f"{call.method} {call.path}: no User-Agent")
        if self.judge is not None:
            self.problems += self.judge(call)

    def authorised(self, request: web.Request, permission: str, level: str = "read") -> RepositoryState:
        """The repository of a request, if its token may do that there."""
        token = self._tokens.get(_credential(request))
        if "Authorization" in request.headers and (token is None or token.expires < time.time()):
            raise web.HTTPUnauthorized(reason="Bad credentials")
        name = f"{request.match_info['owner']}/{request.match_info['name']}".lower()
        repo = self.repositories.get(name)
        if repo is not None and repo.public and level == "read":
            return repo
        if token is None and _is_git(request):
            raise web.HTTPUnauthorized(reason="Repository not found")  # git asks for a password then
        if repo is None or token is None or repo.id not in token.repositories:
            raise web.HTTPNotFound(reason="Not Found")
        if not _covers(token.permissions, {permission: level}):
            raise web.HTTPForbidden(reason="Resource not accessible by integration")
        return repo

    # The REST API.

    async def _access_tokens(self, request: web.Request) -> web.Response:
        self.app.check(request)
        body = await request.json()
        installation = int(request.match_info["installation"])
        known = {
            r.name.lower().partition("/")[2]: r for r in self.repositories.values() if r.installation == installation
        }
        if not known:
            raise web.HTTPNotFound(reason="Not Found")
        wanted = {name.lower() for name in body.get("repositories", known)}
        if not wanted <= known.keys():
            raise web.HTTPUnprocessableEntity(reason="There is at least one repository that does not exist")
        permissions = {"metadata": "read", **body.get("permissions", self.granted)}
        if not _covers(self.granted, permissions):
            raise web.HTTPUnprocessableEntity(reason="The permissions requested are not granted to this installation.")
        return web.json_response(
            self._new_token(installation, [known[name] for name in wanted], permissions), status=201
        )

    def _new_token(self, installation: int, repositories: list[RepositoryState], permissions: Json) -> Json:
        """A token in the long form with dots that GitHub gives out since 2025."""
        value = f"ghs_{secrets.token_urlsafe(380)}.{secrets.token_hex(4)}"
        expires = time.time() + self.token_seconds
        self._tokens[value] = _Token(installation, frozenset(repo.id for repo in repositories), permissions, expires)
        stamp = dt.datetime.fromtimestamp(expires, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"token": value, "expires_at": stamp, "permissions": permissions, "repository_selection": "selected"}

    def _pull(self, repo: RepositoryState, pull: PullState) -> Json:
        base = _git(repo.git_dir, "rev-parse", f"refs/heads/{pull.base_ref}")
        return {
            "id": repo.id * 1000 + pull.number,
            "number": pull.number,
            "state": pull.state,
            "draft": pull.draft,
            "merged_at": "2026-01-02T03:04:05Z" if pull.merged else None,
            "title": "A change",
            "locked": pull.locked,
            "user": {"login": pull.author, "id": 3, "type": "Bot" if pull.author.endswith("[bot]") else "User"},
            "labels": [{"name": label} for label in pull.labels],
            "head": {"ref": "change", "sha": pull.head, "repo": {"full_name": pull.head_repo}},
            "base": {
                "ref": pull.base_ref,
                "sha": base,
                "repo": {"full_name": repo.name, "private": not repo.public},
            },
        }

    async def _get_repository(self, request: web.Request) -> web.Response:
        if (shown := self.people.repository(request)) is not None:
            return shown
        repo = self.authorised(request, "metadata")
        seen = {"full_name": repo.name, "private": not repo.public, "default_branch": repo.default_branch}
        return _with_etag(request, {"id": repo.id, "name": repo.name.partition("/")[2], **seen})

    async def _get_pull(self, request: web.Request) -> web.Response:
        repo = self.authorised(request, "pull_requests")
        pull = repo.pulls.get(int(request.match_info["number"]))
        if pull is None:
            raise web.HTTPNotFound(reason="Not Found")
        return _with_etag(request, self._pull(repo, pull))

    async def _get_content(self, request: web.Request) -> web.Response:
        """A file at the default branch; a folder is a list."""
        repo, path = self.authorised(request, "contents"), request.match_info["path"]
        try:
            kind = await asyncio.to_thread(_git, repo.git_dir, "cat-file", "-t", f"HEAD:{path}")
            content = await asyncio.to_thread(_git, repo.git_dir, "cat-file", "-p", f"HEAD:{path}")
        except subprocess.CalledProcessError:
            raise web.HTTPNotFound(reason="Not Found") from None
        if kind == "tree":
            return _with_etag(request, [])
        text = b64encode(content.encode()).decode()
        lines = "".join(f"{text[start : start + 60]}\n" for start in range(0, len(text), 60))
        file = {"type": "file", "encoding": "base64", "size": len(content), "path": path, "content": lines}
        return _with_etag(request, file)

    async def _compare(self, request: web.Request) -> web.Response:
        repo = self.authorised(request, "contents")
        base, _, head = request.match_info["range"].partition("...")
        try:
            sha = await asyncio.to_thread(_git, repo.git_dir, "merge-base", base, head)
        except subprocess.CalledProcessError:
            raise web.HTTPNotFound(reason=f"No common ancestor between {base} and {head}.") from None
        status = "identical" if base == head else {base: "ahead", head: "behind"}.get(sha, "diverged")
        listed = await asyncio.to_thread(_git, repo.git_dir, "rev-list", "--reverse", f"{base}..{head}")
        commits = [{"sha": commit} for commit in listed.split()]
        most = int(request.query.get("per_page", MAX_COMPARED))
        compared = {"status": status, "total_commits": len(commits), "commits": commits[:most], "files": []}
        return _with_etag(request, {"merge_base_commit": {"sha": sha}, **compared})

    async def _get_branch(self, request: web.Request) -> web.Response:
        repo = self.authorised(request, "contents")
        name = request.match_info["branch"]
        try:
            sha = await asyncio.to_thread(_git, repo.git_dir, "rev-parse", "--verify", f"refs/heads/{name}")
        except subprocess.CalledProcessError:
            raise web.HTTPNotFound(reason="Branch not found") from None
        return _with_etag(request, {"name": name, "commit": {"sha": sha}, "protected": False})

    async def _list_pulls_of(self, request: web.Request) -> web.Response:
        """The merged pull requests that brought a commit."""
        repo = self.authorised(request, "pull_requests")
        merged = [pull for pull in repo.pulls.values() if pull.merged == request.match_info["sha"]]
        return self.page(request, [self._pull(repo, pull) for pull in merged])

    async def _list_comments(self, request: web.Request) -> web.Response:
        repo = self.authorised(request, "pull_requests")
        number = int(request.match_info["number"])
        return self.page(request, [self._comment_view(c) for c in repo.comments if c["number"] == number])

    def page(self, request: web.Request, items: list[Json], key: str = "") -> web.Response:
        """One page of a list, with links to the others."""
        size = min(int(request.query.get("per_page", DEFAULT_PER_PAGE)), MAX_PER_PAGE)
        page, last = int(request.query.get("page", 1)), -(-len(items) // size)
        shown = items[(page - 1) * size : page * size]
        others = {"prev": page - 1, "next": page + 1, "last": last} if 1 < page < last else {}
        others = others or ({"next": page + 1, "last": last} if page < last else {"prev": page - 1} if page > 1 else {})
        here = self.url.removesuffix(self._prefix)
        links = [f'<{here}{request.url.update_query(page=n).path_qs}>; rel="{rel}"' for rel, n in others.items()]
        data: Any = {"total_count": len(items), key: shown} if key else shown
        return _with_etag(request, data, {"Link": ", ".join(links)} if links else {})

    async def _create_comment(self, request: web.Request) -> web.Response:
        repo = self.authorised(request, "pull_requests", "write")
        body = _checked_body(await request.json())
        number = int(request.match_info["number"])
        if number not in repo.pulls:
            raise web.HTTPNotFound(reason="Not Found")
        if repo.pulls[number].locked:
            raise web.HTTPForbidden(reason="Unable to create comment because issue is locked.")
        return web.json_response(
            self._comment_view(self.add_comment(repo.name, number, body, self._app_id)), status=201
        )

    @staticmethod
    def _comment_view(comment: Json) -> Json:
        """A comment as the API shows it."""
        return {name: value for name, value in comment.items() if name != "number"}

    def add_comment(self, name: str, number: int, body: str, app: int | None = None, user: str = "octocat") -> Json:
        """A comment, by an app or by a person."""
        comment = {
            "id": next(self._ids),
            "number": number,
            "body": body,
            "user": {"login": "winparity[bot]" if app else user},
            "performed_via_github_app": {"id": app} if app else None,
        }
        self.repositories[name.lower()].comments.append(comment)
        return comment

    def _comment(self, request: web.Request) -> tuple[RepositoryState, Json]:
        repo = self.authorised(request, "pull_requests", "write")
        found = next((c for c in repo.comments if c["id"] == int(request.match_info["comment"])), None)
        if found is None:
            raise web.HTTPNotFound(reason="Not Found")
        return repo, found

    async def _edit_comment(self, request: web.Request) -> web.Response:
        _, comment = self._comment(request)
        comment["body"] = _checked_body(await request.json())
        return web.json_response(self._comment_view(comment))

    async def _delete_comment(self, request: web.Request) -> web.Response:
        repo, comment = self._comment(request)
        repo.comments.remove(comment)
        return web.Response(status=204)

    def _labelled(self, request: web.Request) -> PullState:
        repo = self.authorised(request, "pull_requests", "write")
        pull = repo.pulls.get(int(request.match_info["number"]))
        if pull is None:
            raise web.HTTPNotFound(reason="Not Found")
        return pull

    async def _add_labels(self, request: web.Request) -> web.Response:
        pull, added = self._labelled(request), (await request.json())["labels"]
        known = {label.lower() for label in pull.labels}
        pull.labels += [label for label in added if label.lower() not in known]
        return web.json_response([{"name": label} for label in pull.labels])

    async def _remove_label(self, request: web.Request) -> web.Response:
        pull, label = self._labelled(request), request.match_info["label"].lower()
        if label not in {known.lower() for known in pull.labels}:
            raise web.HTTPNotFound(reason="Label does not exist")
        pull.labels = [known for known in pull.labels if known.lower() != label]
        return web.json_response([{"name": known} for known in pull.labels])

    async def _react(self, request: web.Request) -> web.Response:
        """One reaction of a kind is all that an account has on a comment."""
        repo, comment = self._comment(request)
        wanted = {"comment": comment["id"], "content": (await request.json())["content"]}
        known = next((r for r in repo.reactions if wanted.items() <= r.items()), None)
        if known is None:
            repo.reactions.append({"id": next(self._ids), **wanted})
        shown = {name: value for name, value in (known or repo.reactions[-1]).items() if name != "comment"}
        return web.json_response(shown, status=201 if known is None else 200)

    async def _permission(self, request: web.Request) -> web.Response:
        """What a collaborator may do; anybody may read a public repository, and who is no account is not found."""
        repo = self.authorised(request, "metadata")
        user = request.match_info["user"]
        permission = repo.permissions.get(user.lower(), "read")
        if permission == "none":
            raise web.HTTPNotFound(reason=f"{user} is not a user")
        legacy = {"maintain": "write", "triage": "read"}.get(permission, permission)
        return _with_etag(request, {"permission": legacy, "role_name": permission})

    async def _list_check_runs(self, request: web.Request) -> web.Response:
        repo = self.authorised(request, "checks")
        name, app = request.query.get("check_name"), request.query.get("app_id")
        runs = [
            self._run_view(run)
            for run in repo.check_runs
            if run["head_sha"] == request.match_info["sha"]
            and name in {None, run["name"]}
            and app in {None, str(run["app"]["id"])}
        ]
        return self.page(request, runs, "check_runs")

    def _run_view(self, run: Json) -> Json:
        """A check run as the API shows it: its annotations are counted."""
        output = {name: run.get("output", {}).get(name) for name in ("title", "summary", "text")}
        counted = {**output, "annotations_count": len(run["annotations"]), "annotations_url": f"{self.url}/annotations"}
        shown = {name: value for name, value in run.items() if name not in {"annotations", "actions"}}
        return {**shown, "html_url": f"{self.git_url}/runs/{run['id']}", "output": counted}

    def add_check_run(self, name: str, run: Json, app: int) -> Json:
        """A check run, by any app."""
        begun = {"id": next(self._ids), "status": "queued", "conclusion": None, "external_id": "", "app": {"id": app}}
        known = {**begun, **run, "annotations": list(run.get("output", {}).get("annotations", []))}
        self.repositories[name.lower()].check_runs.append(known)
        return known

    async def _create_check_run(self, request: web.Request) -> web.Response:
        repo = self.authorised(request, "checks", "write")
        body = _checked_run(await request.json())
        if await asyncio.to_thread(_is_missing, repo.git_dir, body["head_sha"]):
            raise web.HTTPUnprocessableEntity(reason=f"No commit found for SHA: {body['head_sha']}")
        return web.json_response(self._run_view(self.add_check_run(repo.name, body, self._app_id)), status=201)

    async def _edit_check_run(self, request: web.Request) -> web.Response:
        repo = self.authorised(request, "checks", "write")
        run = next((r for r in repo.check_runs if r["id"] == int(request.match_info["run"])), None)
        if run is None:
            raise web.HTTPNotFound(reason="Not Found")
        body = _checked_run(await request.json())
        run.update(body)
        run["annotations"] += body.get("output", {}).get("annotations", [])
        return web.json_response(self._run_view(run))

    # Git over HTTP, protocol version 2 with filters.

    async def _git_refs(self, request: web.Request) -> web.StreamResponse:
        repo = self.authorised(request, "contents")
        if request.query.get("service") != "git-upload-pack":
            raise web.HTTPForbidden(reason="Only fetching is possible here")
        kind = "application/x-git-upload-pack-advertisement"
        first = b"" if request.headers.get("Git-Protocol") == "version=2" else b"001e# service=git-upload-pack\n0000"
        return await _upload_pack(request, repo.git_dir, kind, first, "--http-backend-info-refs")

    async def _git_upload_pack(self, request: web.Request) -> web.StreamResponse:
        repo = self.authorised(request, "contents")
        return await _upload_pack(request, repo.git_dir, "application/x-git-upload-pack-result", b"")


async def _fail(request: web.Request, mood: Mood) -> None:
    """End a connection in another way than by an answer, and wait until whoever asked has seen it."""
    transport = request.transport
    if transport is None:
        return
    match mood:
        case "reset":
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        case "half":
            transport.write_eof()
        case "cut":
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
            transport.close()
    while not transport.is_closing() and request.transport is not None:  # noqa: ASYNC110 - the other side closes it
        await asyncio.sleep(0.01)


async def _upload_pack(request: web.Request, git_dir: Path, kind: str, first: bytes, *flags: str) -> web.StreamResponse:
    """What git itself answers, passed on as it comes."""
    body = await request.read()
    if body[:2] == b"\x1f\x8b":  # git compresses long requests; aiohttp may have unpacked it already
        body = gzip.decompress(body)
    settings = ("uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true", "safe.directory=*")
    words = [word for setting in settings for word in ("-c", setting)]
    process = await asyncio.create_subprocess_exec(
        *("git", *words, "upload-pack", "--stateless-rpc", *flags, str(git_dir)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", ""), "GIT_PROTOCOL": request.headers.get("Git-Protocol", "")},
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
    feeding = asyncio.create_task(_feed(process.stdin, body))
    response = web.StreamResponse(headers={"Content-Type": kind, "Cache-Control": "no-cache"})
    try:
        await response.prepare(request)
        await response.write(first)
        while chunk := await process.stdout.read(CHUNK):
            await response.write(chunk)
        await response.write_eof()
    except BaseException:
        # Only one that still runs: to signal one that has ended takes its exit status from asyncio, which then warns.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    finally:
        await asyncio.gather(feeding, process.wait(), return_exceptions=True)
    return response


async def _feed(pipe: asyncio.StreamWriter, body: bytes) -> None:
    pipe.write(body)
    with contextlib.suppress(ConnectionError):
        await pipe.drain()
    pipe.close()


def _credential(request: web.Request) -> str:
    """The token of a request: git brings it as a password, the API as it is."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not _is_git(request):
        return value if scheme.lower() in {"bearer", "token"} else ""
    try:
        user, _, password = b64decode(value).decode().partition(":")
    except ValueError:
        return ""
    return password if (scheme.lower(), user) == ("basic", "x-access-token") else ""


def _is_git(request: web.Request) -> bool:
    return request.path.endswith(("/info/refs", "/git-upload-pack"))


def _covers(granted: Json, wanted: Json) -> bool:
    """Whether permissions are enough; write includes read."""
    return all(
        name in granted and _LEVELS.index(granted[name]) >= _LEVELS.index(level) for name, level in wanted.items()
    )


def _json(text: str | None) -> Any:
    """A body's JSON; None when there is none."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _is_missing(git_dir: Path, commit: str) -> bool:
    command = ["git", "-c", "safe.directory=*", "-C", str(git_dir), "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


def _git(git_dir: Path, *args: str) -> str:
    command = ["git", "-c", "safe.directory=*", "-C", str(git_dir), *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _with_etag(request: web.Request, data: Any, headers: dict[str, str] | None = None) -> web.Response:
    etag = f'W/"{hashlib.sha256(json.dumps(data).encode()).hexdigest()}"'
    known = {"ETag": etag, **(headers or {})}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=known)
    return web.json_response(data, headers=known)


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
    if body.get("status") == "completed" and not body.get("conclusion"):
        raise web.HTTPUnprocessableEntity(reason="conclusion is required when status is completed")
    return body
