"""The door to GitHub: tokens, pages, limits, failures, and that no secret comes out of it."""

import asyncio
import dataclasses
import itertools
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import jwt
import msgspec
import pytest
from aiohttp import web

from bot.config import Secret, Settings
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.github import (
    DEFAULT_WAIT,
    MAX_WAIT,
    TOKEN_MARGIN,
    TOKEN_PERMISSIONS,
    BusyError,
    GitHub,
    Installation,
    RefusedError,
)
from bot.ids import Login, Repo
from tests.bot.conftest import APP_ID, INSTALLATION, Keys, Template

TOKENS = f"POST /app/installations/{INSTALLATION}/access_tokens"
PULL = "GET /repos/example/berth/pulls"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.github.READ_RETRIES", (0.0, 0.0))


def _made(standin: StandIn, start: str = "") -> list[str]:
    calls = [f"{call.method} {call.path} {call.status}" for call in standin.calls]
    return [call for call in calls if call.startswith(start)]


# Tokens.


async def test_fifty_callers_share_one_token_request(standin: StandIn, installation: Installation) -> None:
    standin.latency = 0.01
    tokens = await asyncio.gather(*(installation.token() for _ in range(50)))
    assert len(set(tokens)) == 1
    assert len(_made(standin, TOKENS)) == 1


async def test_a_failed_token_request_is_shared_but_not_kept(standin: StandIn, installation: Installation) -> None:
    standin.refuse_next(TOKENS, 500)
    failed = await asyncio.gather(*(installation.token() for _ in range(5)), return_exceptions=True)
    assert {type(error) for error in failed} == {BusyError}
    assert await installation.token()
    assert len(_made(standin, TOKENS)) == 2


async def test_one_caller_that_gives_up_does_not_take_the_token_from_the_others(
    standin: StandIn, installation: Installation
) -> None:
    standin.latency = 0.02
    first, second = asyncio.create_task(installation.token()), asyncio.create_task(installation.token())
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert len(_made(standin, TOKENS)) == 1


async def test_a_token_is_for_one_repository_and_what_we_need(
    standin: StandIn, installation: Installation, github: GitHub, template: Template
) -> None:
    standin.add_repository("Example/Other", template.folder, INSTALLATION)
    standin.open_pull("Example/Other", "main", template.change)
    other = github.installation(INSTALLATION, Repo("Example/Other"))
    await installation.token()
    assert standin.calls[0].body == {
        "repositories": ["berth"],
        "permissions": {"contents": "read", "pull_requests": "write", "checks": "write"},
    }
    assert await other.token() != await installation.token()
    permissions = frozenset(TOKEN_PERMISSIONS.items())
    github._tokens[INSTALLATION, other.repo, permissions] = (await installation.token(), time.time() + 999)
    with pytest.raises(RefusedError) as refused:
        await other.pull(1)
    assert refused.value.status == 404


@pytest.mark.parametrize(("seconds", "requests"), [(TOKEN_MARGIN - 1, 2), (TOKEN_MARGIN + 60, 1)])
async def test_a_token_near_its_end_is_not_used_again(
    standin: StandIn, installation: Installation, seconds: int, requests: int
) -> None:
    standin.token_seconds = seconds
    await installation.token()
    await installation.token()
    assert len(_made(standin, TOKENS)) == requests


def test_our_jwt_is_back_dated_and_short(settings: Settings, keys: Keys) -> None:
    now = time.time()
    claims = jwt.decode(GitHub(None, settings).app_jwt(), keys.public, algorithms=["RS256"])  # type: ignore[arg-type]
    assert now - 62 <= claims["iat"] <= now - 59
    assert now < claims["exp"] <= claims["iat"] + 600
    assert claims["iss"] == str(APP_ID)


async def test_a_revoked_token_is_replaced_once_for_all(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    await installation.token()
    standin.revoke_tokens()
    standin.latency = 0.01
    pulls = await asyncio.gather(*(installation.pull(pull.number) for _ in range(20)))
    assert {found.head for found in pulls} == {pull.head}
    assert len(_made(standin, TOKENS)) == 2


async def test_a_late_complaint_about_an_old_token_does_not_cost_the_new_one(
    standin: StandIn, github: GitHub, installation: Installation
) -> None:
    old = await installation.token()
    github.forget_token(INSTALLATION, installation.repo, old)
    new = await installation.token()
    github.forget_token(INSTALLATION, installation.repo, old)
    assert await installation.token() == new != old
    assert len(_made(standin, TOKENS)) == 2


async def test_a_write_with_a_revoked_token_happens_once(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    await installation.token()
    standin.revoke_tokens()
    await installation.create_comment(pull.number, "x")
    assert len(repository.comments) == 1


async def test_a_token_refused_twice_is_a_refusal(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    standin.refuse_next(PULL, 401, times=2)
    with pytest.raises(RefusedError) as refused:
        await installation.pull(pull.number)
    assert refused.value.status == 401


async def test_a_refused_app_key_is_a_refusal_for_writes_too(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    standin.refuse_next(TOKENS, 401)
    with pytest.raises(RefusedError):
        await installation.create_comment(pull.number, "x")
    assert len(standin.calls) == 1


# Reading.


async def test_a_pull_request_and_its_merge_base(
    standin: StandIn, installation: Installation, pull: PullState, template: Template, github: GitHub
) -> None:
    found = await installation.pull(pull.number)
    assert (found.open, found.head, found.base, found.base_ref) == (True, template.change, template.main, "main")
    assert await installation.merge_base(found.base, found.head) == template.fork_point
    assert github.requests == len(standin.calls) == 3


async def test_all_pages_are_read(standin: StandIn, installation: Installation, pull: PullState) -> None:
    for number in range(230):
        standin.add_comment("Example/Berth", pull.number, f"comment {number}")
    comments = await installation.comments(pull.number)
    assert [comment.body for comment in comments] == [f"comment {number}" for number in range(230)]
    assert len(_made(standin, "GET /repos/example/berth/issues")) == 3


async def test_what_has_not_changed_costs_nothing(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    for number in range(150):
        standin.add_comment("Example/Berth", pull.number, f"comment {number}")
    first = await installation.comments(pull.number)
    assert await installation.comments(pull.number) == first
    assert [call.status for call in standin.calls[1:]] == [200, 200, 304, 304]
    standin.add_comment("Example/Berth", pull.number, "one more")
    assert len(await installation.comments(pull.number)) == 151


async def test_installations_do_not_share_answers(
    standin: StandIn, github: GitHub, installation: Installation, pull: PullState
) -> None:
    await installation.pull(pull.number)
    standin.repositories["example/berth"].installation = 8
    await github.installation(8, installation.repo).pull(pull.number)
    await github.installation(8, installation.repo).pull(pull.number)
    assert [call.status for call in standin.calls if call.method == "GET"] == [200, 200, 304]


async def test_a_renamed_repository_is_followed(
    standin: StandIn, installation: Installation, repository: RepositoryState, pull: PullState
) -> None:
    await installation.token()
    standin.rename("Example/Berth", "Example/Quay")
    assert (await installation.pull(pull.number)).head == pull.head
    await installation.create_comment(pull.number, "x")
    assert [comment["body"] for comment in repository.comments] == ["x"]


async def test_a_write_never_becomes_a_read(standin: StandIn, installation: Installation, pull: PullState) -> None:
    where = f"{standin.url}/repos/example/berth/issues/{pull.number}/comments"
    standin.refuse_next("POST /repos", 301, {"Location": where})
    with pytest.raises(RefusedError) as refused:
        await installation.create_comment(pull.number, "x")
    assert refused.value.status == 301


# Limits and failures.

SECONDARY = '{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}'
USED_UP = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait"),
    [
        (403, {"Retry-After": "7"}, "{}", 7),
        (429, {"Retry-After": "200"}, SECONDARY, 200),
        (429, {}, "{}", DEFAULT_WAIT),
        (403, {}, SECONDARY, DEFAULT_WAIT),
        (403, {**USED_UP, "X-RateLimit-Reset": "+120"}, "{}", 120),
        (403, {**USED_UP, "X-RateLimit-Reset": "-120"}, "{}", 1),
        (403, {"Retry-After": "9", **USED_UP, "X-RateLimit-Reset": "+120"}, "{}", 9),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "{}", DEFAULT_WAIT),
        (403, {"Retry-After": "9" * 30}, "{}", MAX_WAIT),
    ],
)
async def test_limits_say_when_to_come_back(
    standin: StandIn,
    installation: Installation,
    *,
    status: int,
    headers: dict[str, str],
    body: str,
    wait: float,
) -> None:
    now = time.time()
    if headers.get("X-RateLimit-Reset"):
        headers = {**headers, "X-RateLimit-Reset": str(int(now) + int(headers["X-RateLimit-Reset"]))}
    standin.refuse_next(PULL, status, headers, body)
    with pytest.raises(BusyError) as busy:
        await installation.pull(1)
    assert busy.value.limited
    assert busy.value.until - now == pytest.approx(wait, abs=2)
    assert len(_made(standin, PULL)) == 1, "asked again although GitHub asked for a pause"


async def test_a_pause_is_for_the_whole_installation(
    standin: StandIn, installation: Installation, github: GitHub, pull: PullState, template: Template
) -> None:
    standin.add_repository("Example/Other", template.folder, INSTALLATION)
    standin.add_repository("Somebody/Else", template.folder, 8)
    standin.open_pull("Somebody/Else", "main", template.change)
    standin.refuse_next("POST /repos", 403, {"Retry-After": "30"})
    with pytest.raises(BusyError):
        await installation.create_comment(pull.number, "x")
    before = len(standin.calls)
    with pytest.raises(BusyError) as busy:
        await github.installation(INSTALLATION, Repo("Example/Other")).pull(1)
    assert busy.value.until - time.time() == pytest.approx(30, abs=2)
    assert len(standin.calls) == before
    assert (await github.installation(8, Repo("Somebody/Else")).pull(1)).open


async def test_pauses_grow_until_something_works(standin: StandIn, installation: Installation, pull: PullState) -> None:
    waits = []
    for fails in (True, True, True, False, True):
        installation._shared.quiet_until = 0.0  # as if the time had passed
        if not fails:
            await installation.pull(pull.number)
            continue
        standin.refuse_next(PULL, 429)
        with pytest.raises(BusyError) as busy:
            await installation.pull(pull.number)
        waits.append(round(busy.value.until - time.time()))
    assert waits == [60, 120, 240, 60]


async def test_requests_that_fail_together_are_one_pause(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    await installation.token()
    standin.latency = 0.01
    standin.refuse_next(PULL, 429, times=5)
    now = time.time()
    failed = await asyncio.gather(*(installation.pull(pull.number) for _ in range(5)), return_exceptions=True)
    assert [round(error.until - now) for error in failed if isinstance(error, BusyError)] == [60] * 5


@pytest.mark.parametrize("status", [403, 404, 410, 422])
async def test_a_refusal_is_final(standin: StandIn, installation: Installation, pull: PullState, status: int) -> None:
    standin.refuse_next(PULL, status, body='{"message": "Resource not accessible by integration"}')
    with pytest.raises(RefusedError, match="not accessible") as refused:
        await installation.pull(pull.number)
    assert refused.value.status == status
    assert len(_made(standin, PULL)) == 1


async def test_a_broken_github_is_read_again(standin: StandIn, installation: Installation, pull: PullState) -> None:
    standin.refuse_next(PULL, 502, body="<html>", times=2)
    assert (await installation.pull(pull.number)).head == pull.head
    standin.refuse_next(PULL, 503, times=3)
    with pytest.raises(BusyError) as busy:
        await installation.pull(pull.number)
    assert not busy.value.limited


async def test_a_write_to_a_broken_github_is_not_repeated(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    standin.refuse_next("POST /repos", 502)
    with pytest.raises(BusyError):
        await installation.create_comment(pull.number, "x")
    assert len(_made(standin, "POST /repos")) == 1


async def test_a_slow_github_is_busy(standin: StandIn, settings: Settings, pull: PullState) -> None:
    standin.latency = 0.2
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.01)) as session:
        with pytest.raises(BusyError, match="TimeoutError"):
            await GitHub(session, settings).installation(INSTALLATION, Repo("a/b")).pull(pull.number)


async def test_an_absent_github_is_busy(settings: Settings) -> None:
    nowhere = dataclasses.replace(settings, api_url="http://127.0.0.1:9")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(BusyError, match="cannot be reached"):
            await GitHub(session, nowhere).installation(INSTALLATION, Repo("a/b")).pull(1)


async def test_an_answer_that_is_no_json_is_a_broken_github(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    standin.refuse_next(PULL, 200, body="<html>proxy</html>")
    assert (await installation.pull(pull.number)).open


async def test_an_answer_of_another_shape_is_a_bug(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    standin.refuse_next(PULL, 200, body='{"state": "unheard of"}')
    with pytest.raises(msgspec.ValidationError):
        await installation.pull(pull.number)


async def test_writes_of_an_installation_keep_their_distance(
    standin: StandIn, settings: Settings, pull: PullState, template: Template
) -> None:
    standin.add_repository("Example/Other", template.folder, INSTALLATION)
    standin.open_pull("Example/Other", "main", template.change)
    times: list[float] = []
    standin.on_call = lambda _, path: times.append(time.monotonic()) if "comments" in path else None
    async with aiohttp.ClientSession() as session:
        github = GitHub(session, dataclasses.replace(settings, write_spacing=0.05))
        doors = [github.installation(INSTALLATION, Repo(name)) for name in ("Example/Berth", "Example/Other")]
        await asyncio.gather(*(door.create_comment(pull.number, "x") for door in doors * 2))
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert len(gaps) == 3
    assert min(gaps) >= 0.05


# Secrets.


@pytest.mark.parametrize("status", [301, 401, 403, 404, 422, 429, 500])
async def test_no_failure_tells_a_secret(
    standin: StandIn, installation: Installation, settings: Settings, pull: PullState, status: int
) -> None:
    token = await installation.token()
    location = {"Location": f"{standin.url}/repos/example/berth/pulls/{pull.number}"}
    standin.refuse_next("/repos/", status, location, '{"message": "No"}', times=40)
    for doing in (lambda: installation.pull(pull.number), lambda: installation.create_comment(pull.number, "x")):
        with pytest.raises((BusyError, RefusedError)) as failed:
            await doing()
        told = "".join(traceback.format_exception(failed.value)) + repr(failed.value) + repr(failed.value.__dict__)
        assert token not in told
        assert "ghs_" not in told
        assert "Bearer" not in told
    standin._refusals.clear()
    assert settings.private_key.reveal()[40:80] not in repr(settings)


async def test_a_wrong_key_does_not_show_it(standin: StandIn, settings: Settings) -> None:
    wrong = dataclasses.replace(settings, private_key=Secret("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n"))
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Exception) as failed:  # noqa: PT011 - whatever it is, it must not show the key
            await GitHub(session, wrong).token(INSTALLATION, Repo("a/b"))
    assert "c2VjcmV0" not in "".join(traceback.format_exception(failed.value))
    assert standin.calls == []


# Other servers.


@asynccontextmanager
async def _elsewhere(headers: dict[str, str]) -> AsyncIterator[tuple[str, list[str | None]]]:
    """Another server, which notes whether it is brought a token."""
    brought: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        brought.append(request.headers.get("Authorization"))
        return web.json_response([], headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", brought
    finally:
        await runner.cleanup()


async def test_a_link_to_another_server_is_not_followed(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    async with _elsewhere({}) as (url, brought):
        comments = f"/repos/example/berth/issues/{pull.number}/comments"
        standin.refuse_next(comments, 200, {"Link": f'<{url}{comments}?page=2>; rel="next"'}, "[]")
        with pytest.raises(RefusedError, match="another server") as refused:
            await installation.comments(pull.number)
    assert refused.value.status == 421
    assert brought == []


# People.


@pytest.mark.parametrize(
    ("permission", "may"),
    [("admin", True), ("maintain", True), ("write", True), ("triage", False), ("read", False), ("none", False)],
)
async def test_who_may_write(
    repository: RepositoryState,
    installation: Installation,
    permission: str,
    may: bool,  # noqa: FBT001 - a table's column
) -> None:
    repository.permissions["somebody_corp"] = permission
    assert await installation.may_write(Login("Somebody_corp")) is may


async def test_a_name_is_quoted_in_a_path(standin: StandIn, installation: Installation) -> None:
    assert not await installation.may_write(Login("renovate[bot]"))
    assert standin.calls[-1].path.endswith("/collaborators/renovate%5Bbot%5D/permission")


async def test_a_permission_that_we_may_not_ask_for_is_no_permission_denied(
    standin: StandIn, installation: Installation
) -> None:
    standin.refuse_next("collaborators", 403)
    with pytest.raises(RefusedError):
        await installation.may_write(Login("octocat"))


async def test_a_reaction_is_there_once(
    standin: StandIn, repository: RepositoryState, installation: Installation, pull: PullState
) -> None:
    comment = standin.add_comment(repository.name, pull.number, "x")
    for _ in range(2):
        await installation.react(comment["id"], "+1")
    assert [known["content"] for known in repository.reactions] == ["+1"]
    assert [call.status for call in standin.calls[-2:]] == [201, 200]
