"""Attacks, each as somebody would try it: on the server, through GitHub's answers, and from what we start."""

import asyncio
import dataclasses
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from bot.branches import Branches
from bot.config import Secret, Settings
from bot.dashboard.answers import POLICY
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.facts import FactsStore
from bot.git import SourceError
from bot.github import GitHub, Installation, RefusedError
from bot.headers import HEADERS
from bot.ids import Repo, Sha
from bot.mirrors import Mirror
from bot.queue import Jobs
from bot.web import listening
from bot.webhook import EventError, SignatureError, parse, verify
from tests.bot.conftest import APP_ID, NAME, WEBHOOK_SECRET, Template
from tests.bot.line import LOST, Line

Seen = list[tuple[str, str, str]]


@asynccontextmanager
async def _elsewhere(advertises: bytes = b"") -> AsyncIterator[tuple[str, Seen]]:
    """Another server, and what it is asked: method, path and credentials."""
    seen: Seen = []

    async def hear(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, request.headers.get("Authorization", "")))
        return web.Response(body=advertises, content_type="application/x-git-upload-pack-advertisement")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}", seen
    await runner.cleanup()


@asynccontextmanager
async def _leading_to(target: str) -> AsyncIterator[str]:
    """A server that sends everybody on."""

    async def lead(request: web.Request) -> web.Response:
        raise web.HTTPFound(target + request.path_qs)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", lead)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


# Where we are led.

ADVERTISED = b"001e# service=git-upload-pack\n0000000eversion 2\n000cls-refs\n0012fetch=shallow\n0000"


async def test_git_follows_no_redirect_with_the_token(tmp_path: Path, template: Template) -> None:
    async with _elsewhere(ADVERTISED) as (target, seen), _leading_to(target) as server:
        mirror = Mirror(tmp_path, Repo("a/b"), server, "ghs_secret")
        with pytest.raises(SourceError, match="somewhere else"):
            await asyncio.to_thread(mirror.fetch, template.main, template.change)
    assert seen == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_the_api_leads_nowhere_else(
    standin: StandIn, installation: Installation, method: str, status: int
) -> None:
    async with _elsewhere() as (target, seen):
        standin.refuse_next(method, status, {"Location": f"{target}/secrets"})
        with pytest.raises(RefusedError):
            await (installation.pull(1) if method == "GET" else installation.edit_comment(1, "x"))
    assert seen == []


async def test_the_api_leads_nobody_in_circles(standin: StandIn, installation: Installation) -> None:
    here = f"{standin.url}/repos/{installation.repo}/pulls/1"
    standin.refuse_next("/pulls/1", 302, {"Location": here}, times=5)
    with pytest.raises(RefusedError, match="circles"):
        await installation.pull(1)


async def test_a_link_to_the_next_page_leads_nowhere_else(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    async with _elsewhere() as (target, seen):
        standin.refuse_next("/comments", 200, {"Link": f'<{target}/x>; rel="next"'}, "[]")
        with pytest.raises(RefusedError, match="another server"):
            await installation.comments(pull.number)
    assert seen == []


async def test_no_address_in_a_payload_is_asked(line: Line) -> None:
    """Every address that a payload has, made one of somebody else's server."""
    pull = await line.open(LOST)
    async with _elsewhere() as (target, seen):

        def lead(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: f"{target}/{key}" if key.endswith("url") else lead(inner) for key, inner in value.items()}
            return [*map(lead, value)] if isinstance(value, list) else value

        payload = lead(line.github.payload("opened", NAME, pull.number))
        payload["repository"] |= dict.fromkeys(("clone_url", "git_url", "ssh_url", "url"), f"{target}/x.git")
        payload["pull_request"] |= dict.fromkeys(("url", "diff_url", "comments_url", "_links"), f"{target}/x")
        assert await line.github.deliver(f"{line.web}/webhook", "pull_request", payload) == 202
        await line.quiet()
    assert len(line.ours(pull)) == 1
    assert seen == []


async def test_submodules_are_not_asked_for(line: Line) -> None:
    async with _elsewhere() as (target, seen):
        modules = f'[submodule "x"]\n\tpath = x\n\turl = {target}/x.git\n\tupdate = !touch ran\n'
        pull = await line.open({**LOST, ".gitmodules": modules, ".lfsconfig": f"[lfs]\n\turl = {target}\n"})
        await line.hear("opened", pull)
    assert len(line.ours(pull)) == 1
    assert seen == []


# Replay.


async def test_a_delivery_that_is_sent_again_under_another_name_changes_nothing(line: Line) -> None:
    """GitHub signs the body, not the delivery's name."""
    pull = await line.open(LOST)
    await line.hear("opened", pull, "the-first")
    before = line.ours(pull), len(line.runs())
    writes = len(line.writes)
    await line.hear("opened", pull, "the-same-again")
    assert (line.ours(pull), len(line.runs())) == before
    assert [write for write in line.writes[writes:] if not write.startswith("POST /app/")] == []


async def test_an_old_delivery_does_not_bring_back_an_old_head(line: Line) -> None:
    pull = await line.open(LOST)
    old = line.github.payload("opened", NAME, pull.number)
    await line.push(pull, line.base)
    await line.hear("synchronize", pull)
    shown = line.ours(pull), [run["head_sha"] for run in line.runs()]
    assert await line.github.deliver(f"{line.web}/webhook", "pull_request", old) == 202
    await line.quiet()
    assert (line.ours(pull), [run["head_sha"] for run in line.runs()]) == shown


# What one repository learns of another.


def test_what_is_known_of_a_private_repository_serves_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analyzer.outline import Depth  # noqa: PLC0415
    from analyzer.reading import Wanted  # noqa: PLC0415
    from bot import facts  # noqa: PLC0415

    read: list[str] = []
    real = facts.read_all
    monkeypatch.setattr(facts, "read_all", lambda wanted, share: read.extend(wanted) or real(wanted, share))
    store, blob = FactsStore(tmp_path), "1" * 40
    wanted = {blob: Wanted(b"package secret\n\nfunc Key() int { return 7 }\n", Depth.WHOLE)}
    mine, others = store.of(Repo("mine/private")), store.of(Repo("others/private"))
    assert mine(wanted) == mine(wanted)
    assert read == [f"mine/private:{blob}"], "for itself it is remembered"
    assert set(others(wanted)) == set(store(wanted)) == {blob}
    assert read == [f"mine/private:{blob}", f"others/private:{blob}", blob], "others take the same time as ever"
    store.forget(Repo("mine/private"))
    read.clear()
    FactsStore(tmp_path).of(Repo("mine/private"))(wanted)
    FactsStore(tmp_path).of(Repo("others/private"))(wanted)
    FactsStore(tmp_path)(wanted)
    assert read == [f"mine/private:{blob}"], "it alone is forgotten"


@pytest.mark.parametrize("public", [False, True])
async def test_facts_are_kept_by_repository_where_it_is_private(line: Line, public: bool) -> None:  # noqa: FBT001
    import sqlite3  # noqa: PLC0415

    line.repository.public = public
    await line.hear("opened", await line.open(LOST))
    [file] = (line.settings.data_dir / "facts").glob("*.sqlite")
    store = sqlite3.connect(file)
    names = [name for [name] in store.execute("SELECT name FROM kept")]
    store.close()
    assert names
    assert {name.partition(":")[0] == NAME.lower() for name in names} == {not public}
    await line.tell("installation", action="deleted", repositories=[{"full_name": NAME, "id": 1}])
    store = sqlite3.connect(file)
    assert store.execute("SELECT COUNT(*) FROM kept").fetchone() == (len(names) if public else 0,)
    store.close()


async def test_a_commit_of_one_repository_is_not_read_through_another(
    standin: StandIn, github: GitHub, repository: RepositoryState, template: Template, tmp_path: Path
) -> None:
    """Two repositories of two owners on one machine, and a commit that only one of them has."""
    from bot.demo.sample import commit, git  # noqa: PLC0415

    other = tmp_path / "other.git"
    other.mkdir()
    git(other, "init", "--quiet", "--bare", ".")
    base = commit(other, {"x.go": "package x\n"}, "theirs")
    git(other, "update-ref", "refs/heads/main", base)
    standin.add_repository("Other/Private", other, 8)
    mirrors = tmp_path / "mirrors"

    async def fetch(installation: Installation, *commits: Sha) -> None:
        token = await installation.token()
        with Mirror(mirrors, installation.repo, standin.git_url, token) as mirror:
            await asyncio.to_thread(mirror.fetch, *commits)

    mine = github.installation(7, Repo(repository.name))
    theirs = github.installation(8, Repo("Other/Private"))
    await fetch(mine, template.fork_point, template.change)
    with pytest.raises(SourceError):
        await fetch(theirs, base, template.change)
    with (
        Mirror(mirrors, Repo("Other/Private"), standin.git_url, await mine.token()) as mirror,
        pytest.raises(SourceError),
    ):
        await asyncio.to_thread(mirror.fetch, template.main, template.change)


# What the web server tells.

ASKED = ["/", "/healthz", "/readyz", "/setup", "/away", "/webhook", "/%2e%2e/etc/passwd", "/healthz?x=<script>"]


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
async def test_every_answer_has_the_headers(
    settings: Settings, jobs: Jobs, valkey: str, method: str, path: str
) -> None:
    assert jobs is not None
    async with (
        listening(dataclasses.replace(settings, host="127.0.0.1", port=0), valkey) as url,
        aiohttp.ClientSession() as session,
        session.request(method, url + path) as answer,
    ):
        found = {name: answer.headers.get(name) for name in HEADERS}
        if (
            found["Content-Security-Policy"] == POLICY
        ):  # the dashboard's pages need a style sheet; and may be kept, asked for anew
            allowed = {"Cache-Control": "public, no-cache"} if path == "/" and method == "GET" else {}
            assert found == {**HEADERS, "Content-Security-Policy": POLICY, **allowed}
        else:
            assert found == HEADERS
        assert answer.headers["Server"] == "winparity", "no versions"


async def test_no_page_names_a_private_repository_or_a_secret(line: Line) -> None:
    line.repository.public = False
    await line.hear("opened", await line.open(LOST))
    said = ""
    async with aiohttp.ClientSession() as session:
        for path in [*ASKED, "/metrics", "/queue", "/webhook/x"]:
            async with session.get(line.web + path) as answer:
                said += repr(answer.headers) + await answer.text()
        async with session.post(f"{line.web}/webhook", data=b"{") as answer:
            said += await answer.text()
    for words in (*NAME.lower().split("/"), "octocat", "Traceback", str(APP_ID), str(line.settings.data_dir)):
        assert words.lower() not in said.lower()


async def test_what_is_no_http_is_answered_without_a_word_of_ours(settings: Settings, jobs: Jobs, valkey: str) -> None:
    assert jobs is not None
    async with listening(dataclasses.replace(settings, host="127.0.0.1", port=0), valkey) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
        said = (await reader.read(65_536)).decode()
        writer.close()
    assert said.startswith(("HTTP/1.0 400", "HTTP/1.1 400"))
    for words in ("Traceback", "/bot/", "site-packages", WEBHOOK_SECRET):
        assert words not in said


# Signatures.


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However early a guess is wrong, each secret is compared to its end, by what takes the same time for all."""
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    right = hmac.new(b"new", b"body", "sha256").hexdigest()
    for guess in ("0" * 64, right[:32] + "0" * 32, right[:-1] + ("0" if right[-1] != "0" else "1"), "", "0"):
        compared.clear()
        with pytest.raises(SignatureError):
            verify(b"body", f"sha256={guess}", [Secret("new"), Secret("old")])
        assert [given for _, given in compared] == [guess.encode()] * 2
    compared.clear()
    verify(b"body", f"sha256={right}", [Secret("new"), Secret("old")])
    assert len(compared) == 2, "one that is right takes no other time"


# Names, and what is fetched.


@pytest.mark.parametrize("ref", ["..", "../../../user", "a/../../b", "a\nb"])
def test_a_push_to_what_is_no_branch_is_malformed(ref: str) -> None:
    known = {"id": 1, "full_name": NAME, "default_branch": ref}
    payload = {"repository": known, "installation": {"id": 7}, "action": "", "before": "a" * 40, "after": "b" * 40}
    body = msgspec.json.encode({**payload, "ref": f"refs/heads/{ref}"})
    with pytest.raises(EventError):
        parse("push", "a-delivery", body)


async def test_a_branch_is_one_part_of_a_path(standin: StandIn, github: GitHub, repository: RepositoryState) -> None:
    door = github.door(Branches, 7, Repo(repository.name))
    for name in ("a/b/c", "a%2f%2e%2e", "a&b=c#d", "é", "a;b", "@octocat", "x'\"`$(y)"):
        with suppress(RefusedError):
            await door.tip(name)
    asked = [call.path for call in standin.calls if "/branches/" in call.path]
    assert asked
    assert [path for path in asked if not re.fullmatch(r"/repos/example/berth/branches/[^/?#\s]+", path)] == []


@pytest.mark.usefixtures("pull")
async def test_nothing_that_is_fetched_becomes_a_file_of_gits_own(
    standin: StandIn, installation: Installation, template: Template, tmp_path: Path
) -> None:
    """A mirror has what git makes, and packs: no hook, alternate, attribute or remote branch of the server's."""
    alternates = standin.repositories[installation.repo].git_dir / "objects/info"
    alternates.mkdir(exist_ok=True)
    (alternates / "alternates").write_text(f"{template.folder}/objects\n")
    token = await installation.token()
    mirror = await asyncio.to_thread(Mirror, tmp_path / "mirrors", installation.repo, standin.git_url, token)
    await asyncio.to_thread(mirror.fetch, template.fork_point, template.change, 1)
    files = {str(path.relative_to(mirror.path)) for path in mirror.path.rglob("*") if path.is_file()}
    packs = {name for name in files if re.fullmatch(r"objects/pack/pack-[0-9a-f]{40}\.(pack|idx|promisor|rev)", name)}
    assert packs
    assert files - packs == {"HEAD", "config", "shallow", "winparity.use", "winparity.lock"}
