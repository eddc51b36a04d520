"""What a private repository holds, and that it exists, reaches nobody without permission: over every route there is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pytest
from yarl import URL

from bot.config import Secret, Settings
from bot.dashboard import permissions
from bot.dashboard.pages import API
from bot.dashboard.records import Known, Records
from bot.demo.github import RepositoryState, StandIn
from bot.ids import Repo
from bot.queue import Jobs
from bot.web import listening, make_app
from tests.bot.dashboard_sample import fill
from tests.bot.manifest_flow import Visitor
from tests.bot.signing_in import sign_in, signing_in

HIDDEN, NOWHERE = "Concealed-Co/Undisclosed", "nonesuch-co/nonexistent"
SECRETS = (
    *HIDDEN.lower().split("/"),
    "Daemon.Pause",
    "hcsVersion",
    "pause_windows.go",
    "@example/windows",
    "seccomp is a mechanism",
    "PauseContainerAsync",
    "56.2",
)
# Each route, as the router calls it, and what is asked for there. A page's JSON is asked for in the same way.
CASES = {
    "/": ("/",),
    "/rules": ("/rules",),
    "/rules/{rule}": ("/rules/stub-added", "/rules/undisclosed"),
    "/operations": ("/operations",),
    "/{owner}/{name}": ("/{repo}",),
    "/{owner}/{name}/packages": ("/{repo}/packages", "/{repo}/packages?q=daemon&sort=-dir"),
    "/{owner}/{name}/packages/{dir}": ("/{repo}/packages/daemon", "/{repo}/packages/none"),
    "/{owner}/{name}/symbols/{spec}": ("/{repo}/symbols/daemon:Daemon.Pause", "/{repo}/symbols/daemon:None"),
    "/{owner}/{name}/pulls": ("/{repo}/pulls",),
    "/{owner}/{name}/pulls/{number}": ("/{repo}/pulls/12", "/{repo}/pulls/99"),
    "/{owner}/{name}/compare/{base}...{head}": (
        "/{repo}/compare/v1.0.0...v2.0.0",
        "/{repo}/compare/v1.0.0...v2.0.0?format=markdown",
        "/{repo}/compare/v9...v10",
    ),
    "/{owner}/{name}/findings": ("/{repo}/findings",),
    "/{owner}/{name}/features": ("/{repo}/features", "/{repo}/features?q=pause"),
    "/{owner}/{name}/compare": ("/{repo}/compare?base=v1.0.0&head=v2.0.0",),
    "/{owner}/{name}/badge.svg": ("/{repo}/badge.svg",),
    "/static/{name}": ("/static/dashboard.css", "/static/undisclosed"),
    "/api/v1/schema.json": ("/api/v1/schema.json",),
    "/{rest}": ("/nowhere", "/{repo}/nowhere/else", "/api/v1/{repo}/nowhere/else"),
    "/login": ("/login", "/login?next=/{repo}"),
    "/login/callback": ("/login/callback?code=x&state=y",),
    "/logout": ("/logout",),
    "/webhook": ("/webhook",),
    "/healthz": ("/healthz",),
    "/readyz": ("/readyz",),
    "/metrics": ("/metrics",),
    "/setup": ("/setup",),
}
# Where somebody who may read it gets no page of it.
NOT_THERE = ("/else", "/none", ":None", "/99", "...v10")
WITHOUT = (
    "nobody",
    "a stranger",
    "permission was taken away",
    "it became private",
    "it became private, to a stranger",
    "GitHub is away",
)


class Said(NamedTuple):
    """An answer, as far as it can tell something."""

    status: int
    body: str
    headers: dict[str, str]


@dataclass
class House:
    """A real server with one private repository, and somebody before a browser."""

    standin: StandIn
    records: Records
    url: str
    repository: RepositoryState
    visitor: Visitor
    etags: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **headers: str) -> Said:
        address = URL(self.url + path, encoded=True)
        await self.visitor.ask(method, address, headers=headers, allow_redirects=False)
        # Of a sign-in's start, state and cookie are new each time.
        left = {"date", "set-cookie", *(["location"] if path.startswith("/login") else [])}
        headers = {name.lower(): value for name, value in self.visitor.headers.items()}
        shown = {name: value for name, value in headers.items() if name not in left}
        return Said(self.visitor.status, self.visitor.page, shown)

    async def become(self, who: str) -> None:
        """Bring about one of the circumstances in which nothing may be seen, after something was where that is possible."""
        if "stranger" in who:
            await sign_in(self.visitor, self.standin, self.url, "stranger")
        if who == "permission was taken away":
            await sign_in(self.visitor, self.standin, self.url, "member")
            assert (await self.ask("GET", f"/{HIDDEN}")).status == 200
            assert HIDDEN in (await self.ask("GET", "/")).body
            self.repository.permissions.clear()
            await asyncio.sleep(permissions.REMEMBERED)
        if who == "GitHub is away":
            await sign_in(self.visitor, self.standin, self.url, "member")
            for part in ("/repos/", "/user"):
                self.standin.refuse_next(part, 502, times=1_000_000)
        if "became private" in who:
            self.repository.public = True
            await self._be(private=False)
            async with Visitor() as anybody:
                nobody = replace(self, visitor=anybody)
                for path in _paths():
                    self.etags[path] = (await nobody.ask("GET", path.format(repo=HIDDEN))).headers.get("etag", "")
            assert sum(map(bool, self.etags.values())) > 20
            self.repository.public = False
            await self._be(private=True)

    async def _be(self, *, private: bool) -> None:
        known = await self.records.known(Repo(HIDDEN))
        assert known is not None
        changed = {name: getattr(known, name) for name in known.__struct_fields__} | {"private": private}
        await self.records.know(Repo(HIDDEN), Known(**changed))


def _paths() -> list[str]:
    """All that is asked for, by the routes of the table: pages, those of repositories at both of their addresses; and JSON."""
    pages = [path for paths in CASES.values() for path in paths]
    pages += [f"/-{path}" for path in pages if path.startswith("/{repo}")]
    return [*pages, *(API + path for path in pages if not path.startswith(API))]


@pytest.fixture
def open_to_all(settings: Settings, standin: StandIn) -> Settings:
    """Settings with which there is every route that there can be."""
    admins = frozenset({"member"})
    return signing_in(settings, standin, metrics_token=Secret("a token of sixteen"), admins=admins)


@pytest.fixture
async def house(
    standin: StandIn,
    open_to_all: Settings,
    valkey: str,
    jobs: Jobs,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[House]:
    monkeypatch.setattr(permissions, "REMEMBERED", 0.3)
    repository = standin.add_repository(HIDDEN, Path(), 7)
    repository.permissions["member"] = "read"
    records = Records(jobs.redis)
    await fill(records, HIDDEN, private=True)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(listening(open_to_all, valkey))
        yield House(standin, records, url, repository, await stack.enter_async_context(Visitor()))


def test_every_route_is_in_the_table(open_to_all: Settings, jobs: Jobs) -> None:
    routes = {resource.canonical for resource in make_app(open_to_all, jobs).router.resources()}
    pages = {route.removeprefix(API).removeprefix("/-") or "/" for route in routes if route not in CASES}
    assert pages - CASES.keys() == set(), "a route that nobody asks for here"
    assert CASES.keys() - routes == set()


@pytest.mark.slow
@pytest.mark.parametrize("who", WITHOUT)
async def test_nothing_private_reaches_who_may_not_read_it(house: House, who: str) -> None:
    """By its name it is answered as what does not exist, to the byte, and nothing else tells of it."""
    await house.become(who)
    told = []
    for path in _paths():
        for method in ("GET", "HEAD", "POST"):
            for known in ("", "*", house.etags.get(path, "")) if method == "GET" else ("",):
                headers = {"If-None-Match": known} if known else {}
                hidden = await house.ask(method, path.format(repo=HIDDEN), **headers)
                said = f"{hidden.body} {hidden.headers}".lower()
                told += [f"{method} {path} {known}: {word}" for word in SECRETS if word.lower() in said]
                if "{repo}" in path:
                    missing = await house.ask(method, path.format(repo=NOWHERE), **headers)
                    assert hidden == missing, f"{method} {path} {known}"
                    gone = {404, 405, 503} if who == "GitHub is away" else {404, 405}
                    assert path.startswith("/login") or hidden.status in gone, f"{method} {path}"
    assert told == []
    house.standin._refusals.clear()


@pytest.mark.slow
async def test_who_may_read_it_sees_it_and_nothing_keeps_it(house: House) -> None:
    """So that the test before looks for what is really there."""
    await sign_in(house.visitor, house.standin, house.url, "member")
    seen = set()
    for path in _paths():
        if "{repo}" not in path or path.startswith(("/login", f"{API}/login")):
            continue
        said = await house.ask("GET", path.format(repo=HIDDEN), **{"If-None-Match": "*"})
        kept = {name: said.headers.get(name) for name in ("cache-control", "etag", "last-modified")}
        no_page = tuple(f"{API}{before}/{{repo}}/{more}" for before in ("", "/-") for more in ("badge", "compare?"))
        if not path.endswith(NOT_THERE) and not path.startswith(no_page):
            assert said.status in {200, 303, 304}, path
            said = await house.ask("GET", path.format(repo=HIDDEN))
            seen |= {word for word in SECRETS if word.lower() in f"{said.body} {said.headers}".lower()}
        if said.status != 303:
            assert kept == {"cache-control": "private, no-store", "etag": None, "last-modified": None}, path
    assert seen == set(SECRETS)
    assert HIDDEN in (await house.ask("GET", "/")).body
    assert HIDDEN in (await house.ask("GET", f"{API}/")).body


@pytest.mark.slow
async def test_every_write_wants_a_form_of_ours(house: House, open_to_all: Settings, jobs: Jobs) -> None:
    await sign_in(house.visitor, house.standin, house.url, "member")
    asked = []
    for route in make_app(open_to_all, jobs).router.routes():
        canonical = route.resource.canonical if route.resource else ""
        if route.method in {"GET", "HEAD"} or canonical == "/webhook":  # which a signature protects
            continue
        for path in CASES[canonical]:
            for site in ("cross-site", "same-site", "none", "same-origin"):  # the last without a token
                said = await house.ask(route.method, path.format(repo=HIDDEN), **{"Sec-Fetch-Site": site})
                assert said.status == 403, f"{route.method} {path} {site}"
                asked.append(path)
    assert asked
    assert HIDDEN in (await house.ask("GET", "/")).body, "still signed in"
