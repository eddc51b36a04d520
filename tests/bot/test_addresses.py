"""A repository whose owner is called as a page of ours has its pages, and ours stay where they are: for every such route."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.config import Secret, Settings
from bot.dashboard.pages import API
from bot.dashboard.parts import ESCAPE, OURS, Links
from bot.dashboard.records import Records
from bot.dashboard.signin import local
from bot.demo.github import StandIn
from bot.queue import Jobs
from bot.web import listening, make_app
from tests.bot.dashboard_sample import fill
from tests.bot.manifest_flow import Visitor
from tests.bot.signing_in import signing_in

# Names that a repository of such an owner must not have for its address to be that of a page of ours.
WORST = {"rules": "stub-added", "login": "callback", "static": "dashboard.css", "api": "v1"}


@pytest.fixture
def all_of_it(settings: Settings, standin: StandIn) -> Settings:
    """Settings with which there is every route that there can be."""
    return signing_in(settings, standin, metrics_token=Secret("a token of sixteen"), admins=frozenset({"octocat"}))


@pytest.fixture
async def url(all_of_it: Settings, valkey: str, jobs: Jobs) -> AsyncIterator[str]:
    for owner, name in WORST.items():
        await fill(Records(jobs.redis), f"{owner.title()}/{name}")
    async with listening(replace(all_of_it), valkey) as found:
        yield found


def test_every_route_of_ours_is_known(all_of_it: Settings, jobs: Jobs) -> None:
    routes = {resource.canonical for resource in make_app(all_of_it, jobs).router.resources()}
    first = {route.split("/")[1] for route in routes}
    assert {word for word in first if word and "{" not in word} - {ESCAPE.strip("/")} == OURS


async def test_a_repository_of_such_an_owner_has_all_of_its_pages(url: str, visitor: Visitor, jobs: Jobs) -> None:
    for owner in sorted(OURS):
        name = f"{owner.title()}/{WORST.get(owner, 'x')}"
        if owner not in WORST:
            await fill(Records(jobs.redis), name)
        await visitor.open(f"{url}/?q={owner}/")
        [page] = {link for link in _links(visitor) if link.endswith(f"/{name}")}
        assert page == f"{ESCAPE}/{name}"
        await visitor.open(url + page)
        own = {link for link in _links(visitor) if name in link and not link.startswith("http")}
        assert {f"{page}/{tab}" for tab in ("packages", "findings", "features", "pulls")} <= own
        for link in own:
            assert await visitor.open(url + link) == 200, link
        for more in ("/packages/daemon", "/symbols/daemon:Daemon.Pause", "/pulls/12", "/compare/v1.0.0...v2.0.0"):
            assert await visitor.open(url + page + more) == 200
            assert name in visitor.page
        assert await visitor.open(f"{url}{API}{page}") == 200
        assert f'"name":"{name}"' in visitor.page
        assert await visitor.open(f"{url}{page}/badge.svg") == 200
        there = f"{url}{page}/compare?base=v1.0.0&head=v2.0.0"
        assert await visitor.open(there, allow_redirects=False) == 303
        assert visitor.headers["Location"] == f"{page}/compare/v1.0.0...v2.0.0"
        assert local(page) == page


def _links(visitor: Visitor) -> set[str]:
    """What a page links to."""
    return {link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', visitor.page)}


async def test_ours_stay_where_they_are(url: str, visitor: Visitor) -> None:
    for path, words in (
        ("/rules/stub-added", "stub-added"),
        ("/rules", "What winparity looks for"),
        ("/static/dashboard.css", "color-scheme"),
        (f"{API}/rules", '"rules"'),
        (f"{API}/rules/stub-added", '"stub-added"'),
        (f"{API}/schema.json", "x-answers"),
        ("/healthz", "ok"),
        ("/readyz", "ready"),
        ("/setup", "is set up"),
    ):
        assert await visitor.open(url + path) == 200
        assert words in visitor.page, path
    assert await visitor.open(f"{url}/metrics") == 401
    assert await visitor.open(f"{url}/operations") == 404
    assert await visitor.open(f"{url}/login/callback") == 400
    assert await visitor.open(f"{url}/login", allow_redirects=False) == 303
    assert await visitor.ask("GET", f"{url}/webhook") == 405


async def test_every_repository_is_there_too(url: str, visitor: Visitor, jobs: Jobs) -> None:
    await fill(Records(jobs.redis))
    for path in ("/-/example/berth", f"{API}/-/example/berth", "/-/example/berth/packages"):
        assert await visitor.open(url + path) == 200
    for path in ("/-", "/-/", "/-/example", "/-/example/nowhere", "/-/-/example/berth", f"{API}/-/example"):
        assert await visitor.open(url + path) == 404
        assert "There is no such page." in visitor.page


async def test_who_only_begins_like_it_is_as_any_other(url: str, visitor: Visitor, jobs: Jobs) -> None:
    for owner in ("metrics-co", "healthzy", "loginish", "rules2"):
        await fill(Records(jobs.redis), f"{owner}/x")
        assert Links("", f"{owner}/x").page == f"/{owner}/x"
        assert await visitor.open(f"{url}/{owner}/x") == 200
        assert await visitor.open(f"{url}/{owner}/x/nowhere/else") == 404
        assert "There is no such page." in visitor.page
        assert local(f"/{owner}/x?next=1") == f"/{owner}/x?next=1"
