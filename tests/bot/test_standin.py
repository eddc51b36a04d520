"""The stand-in is worth something only while it behaves as GitHub does."""

import asyncio
import base64
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.web
import jwt
import pytest

from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.sample import commit, git
from bot.github import Installation
from bot.ids import Sha
from tests.bot.conftest import APP_ID, INSTALLATION, Keys, Template
from tests.bot.openapi import Judge, UnavailableError, always_sent, description, must_not_skip

HEADERS = {"X-GitHub-Api-Version": "2022-11-28"}
READ_BY_US = {
    ("/repos/{owner}/{repo}/pulls/{pull_number}", "get"): [
        *("state", "head.sha", "head.ref", "base.sha", "base.ref", "base.repo.private"),
    ],
    ("/repos/{owner}/{repo}/compare/{basehead}", "get"): ["merge_base_commit.sha"],
    ("/app/installations/{installation_id}/access_tokens", "post"): ["token", "expires_at"],
    ("/app", "get"): ["id", "name", "html_url", "permissions", "events"],
    ("/app/installations", "get"): ["[].html_url", "[].permissions", "[].suspended_at"],
    ("/app/hook/deliveries", "get"): [
        *("[].id", "[].guid", "[].delivered_at", "[].status", "[].status_code", "[].event", "[].action"),
    ],
    ("/repos/{owner}/{repo}/issues/{issue_number}/comments", "get"): ["[].id"],
    ("/repos/{owner}/{repo}/issues/{issue_number}/comments", "post"): ["id"],
    ("/repos/{owner}/{repo}/collaborators/{username}/permission", "get"): ["permission"],
    ("/repos/{owner}/{repo}/commits/{ref}/check-runs", "get"): ["check_runs.[].id", "check_runs.[].status"],
    ("/repos/{owner}/{repo}/check-runs", "post"): ["id"],
}


def test_githubs_own_description_is_here() -> None:
    try:
        description()
    except UnavailableError as error:
        if must_not_skip():
            raise
        pytest.skip(f"the stand-in is not compared with GitHub's description: {error}")


@pytest.mark.parametrize(("operation", "fields"), READ_BY_US.items(), ids=str)
def test_github_promises_every_field_that_we_need(
    judge: Judge | None, operation: tuple[str, str], fields: list[str]
) -> None:
    if judge is None:
        pytest.skip("GitHub's description cannot be had")
    path, method = operation
    responses = judge.known["paths"][path][method]["responses"]
    schema = responses["201" if method == "post" else "200"]["content"]["application/json"]["schema"]
    assert [field for field in fields if not always_sent(judge.known, schema, field)] == []


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize", "ready_for_review", "edited", "closed"])
def test_webhooks_have_githubs_shape(
    judge: Judge | None, standin: StandIn, repository: RepositoryState, pull: PullState, action: str
) -> None:
    if judge is None:
        pytest.skip("GitHub's description cannot be had")
    if action == "closed":
        standin.close(repository.name, pull.number)
    payload = standin.payload(action, repository.name, pull.number)
    assert judge.webhook(f"pull-request-{action.replace('_', '-')}", payload) == []


async def test_an_unplanned_request_is_a_problem(standin: StandIn) -> None:
    async with aiohttp.ClientSession(standin.url, headers=HEADERS) as session:
        assert (await session.get("/rate_limit")).status == 404
        assert (await session.delete("/repos/a/b/pulls/1")).status == 405
    unplanned = [problem for problem in standin.problems if problem.startswith("unplanned")]
    assert unplanned == ["unplanned request: GET /rate_limit", "unplanned request: DELETE /repos/a/b/pulls/1"]
    standin.problems.clear()


async def test_the_judge_sees_what_github_would_not_take(
    judge: Judge | None, standin: StandIn, installation: Installation, pull: PullState
) -> None:
    if judge is None:
        pytest.skip("GitHub's description cannot be had")
    headers = {**HEADERS, "Authorization": f"Bearer {await installation.token()}"}
    url = f"{standin.url}/repos/{installation.repo}"
    async with aiohttp.ClientSession(headers=headers) as session:
        await session.post(f"{url}/check-runs", json={"name": "x", "head_sha": pull.head, "colour": "red"})
        await session.get(f"{url}/pulls/{pull.number}", params={"depth": "1"})
        await session.post(f"{url}/issues/{pull.number}/comments", json={"body": "x", "draft": True})
        await session.get(f"{url}/issues/{pull.number}/comments", params={"per_page": "500"})
    found, standin.problems = standin.problems, []
    words = ("body: Additional properties are not allowed ('colour'", "query depth", "('draft'", "query per_page")
    assert [word for word in words if not any(word in problem for problem in found)] == []


async def _token_status(standin: StandIn, key: str, body: Any = None, **claims: Any) -> int:
    now = int(time.time())
    proof = jwt.encode({"iat": now - 60, "exp": now + 480, "iss": str(APP_ID), **claims}, key, algorithm="RS256")
    url = f"{standin.url}/app/installations/{INSTALLATION}/access_tokens"
    headers = {**HEADERS, "Authorization": f"Bearer {proof}"}
    async with aiohttp.ClientSession() as session, session.post(url, json=body or {}, headers=headers) as answer:
        return answer.status


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 201),
        ({"iss": "1"}, 404),
        ({"iat": 300}, 401),
        ({"exp": -1}, 401),
        ({"exp": 900}, 401),
    ],
)
async def test_an_apps_jwt_is_checked(standin: StandIn, keys: Keys, claims: dict[str, Any], status: int) -> None:
    # Times are seconds from now, which must be the test's now: a whole run takes longer than a JWT lives.
    timed = {name: int(time.time()) + value if isinstance(value, int) else value for name, value in claims.items()}
    assert await _token_status(standin, keys.private, **timed) == status


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"repositories": ["berth"], "permissions": {"contents": "read"}}, 201),
        ({"repositories": ["another"]}, 422),
        ({"permissions": {"contents": "write"}}, 422),
    ],
)
async def test_a_token_is_no_more_than_the_installation(
    standin: StandIn, keys: Keys, body: dict[str, Any], status: int
) -> None:
    assert await _token_status(standin, keys.private, body) == status


def _git(folder: Path, *args: str, token: str = "", user: str = "x-access-token") -> subprocess.CompletedProcess[str]:
    credential = base64.b64encode(f"{user}:{token}".encode()).decode()
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credential}",
    }
    return subprocess.run(
        ["git", "-C", str(folder), *args], capture_output=True, text=True, env=environment, check=False
    )


async def test_git_clones_in_part_with_a_token(
    standin: StandIn, installation: Installation, template: Template, tmp_path: Path, pull: PullState
) -> None:
    url = f"{standin.url}/{installation.repo}.git"
    token = await installation.token()
    clone = ["clone", "--quiet", "--bare", "--filter=blob:none", url, "clone"]
    done = await asyncio.to_thread(_git, tmp_path, *clone, token=token)
    assert done.returncode == 0, done.stderr
    missing = git(tmp_path / "clone", "rev-list", "--objects", "--missing=print", "main")
    assert any(line.startswith("?") for line in missing.splitlines()), "the clone has blobs, so it is not partial"
    fetch = ["fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin"]
    done = await asyncio.to_thread(_git, tmp_path / "clone", *fetch, f"refs/pull/{pull.number}/head", token=token)
    assert done.returncode == 0, done.stderr
    blob = git(template.folder, "rev-parse", f"{template.change}:b/b_windows.go")
    # Without haves: a server that hears that we have the commit takes it that we have its blobs too.
    fetch = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--filter=blob:none", "origin", blob]
    done = await asyncio.to_thread(_git, tmp_path / "clone", *fetch, token=token)
    assert done.returncode == 0, done.stderr
    assert all(call.status == 200 for call in standin.git_calls)


@pytest.mark.parametrize("protocol", ["0", "2"])
async def test_git_speaks_old_and_new_protocol(
    standin: StandIn, installation: Installation, tmp_path: Path, protocol: str
) -> None:
    url = f"{standin.url}/{installation.repo}.git"
    words = ["-c", f"protocol.version={protocol}", "ls-remote", url, "refs/heads/main"]
    done = await asyncio.to_thread(_git, tmp_path, *words, token=await installation.token())
    assert done.stdout.endswith("refs/heads/main\n"), done.stderr


async def test_git_sends_many_wants_compressed(
    standin: StandIn, installation: Installation, repository: RepositoryState, tmp_path: Path
) -> None:
    tree = {f"f{i}.go": f"package f{i}\n" for i in range(100)}
    head = await asyncio.to_thread(commit, repository.git_dir, tree, "many")
    listing = await asyncio.to_thread(git, repository.git_dir, "ls-tree", "--object-only", head)
    folder = tmp_path / "many"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    url = f"{standin.url}/{installation.repo}.git"
    wants = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", url, *listing.split()]
    done = await asyncio.to_thread(_git, folder, *wants, token=await installation.token())
    assert done.returncode == 0, done.stderr
    assert git(folder, "cat-file", "-p", listing.split()[0]).startswith("package f")


@pytest.mark.parametrize(("user", "wrong"), [("x-access-token", "ghs_wrong"), ("somebody", "")])
async def test_git_refuses_a_wrong_token_or_user(
    standin: StandIn, installation: Installation, tmp_path: Path, user: str, wrong: str
) -> None:
    token = wrong or await installation.token()
    url = f"{standin.url}/{installation.repo}.git"
    done = await asyncio.to_thread(_git, tmp_path, "ls-remote", url, token=token, user=user)
    assert done.returncode != 0
    assert {call.status for call in standin.git_calls} == {401}


async def test_compare_is_gits_own_answer(installation: Installation, template: Template) -> None:
    assert await installation.merge_base(template.main, template.change) == template.fork_point
    assert await installation.merge_base(template.fork_point, template.change) == template.fork_point


async def test_webhooks_are_signed_with_both_algorithms(standin: StandIn) -> None:
    seen: list[dict[str, str]] = []

    async def take(request: aiohttp.web.Request) -> aiohttp.web.Response:
        seen.append(dict(request.headers))
        return aiohttp.web.Response(status=202)

    app = aiohttp.web.Application()
    app.router.add_post("/webhook", take)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    try:
        assert await standin.deliver(url, "ping", {}, "a-delivery") == 202
        assert await standin.deliver(url, "ping", {}, headers={"X-Hub-Signature-256": ""}) == 202
    finally:
        await runner.cleanup()
    assert seen[0]["X-Hub-Signature-256"].startswith("sha256=")
    assert seen[0]["X-GitHub-Delivery"] == "a-delivery"
    assert "X-Hub-Signature-256" not in seen[1]


def test_a_push_moves_the_pull_requests_ref(
    standin: StandIn, repository: RepositoryState, pull: PullState, template: Template
) -> None:
    standin.push(repository.name, pull.number, template.other)
    assert Sha(git(repository.git_dir, "rev-parse", f"refs/pull/{pull.number}/head")) == template.other
