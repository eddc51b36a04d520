"""A browser's part in signing in with GitHub, against the stand-in, and a server that lets people in."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from yarl import URL

from bot.config import Secret, Settings
from bot.dashboard import signin
from bot.dashboard.records import Known, Records
from bot.dashboard.signin import checked
from bot.dashboard.visitors import Visitors
from bot.demo.github import StandIn
from bot.demo.run import _free_port
from bot.ids import Repo
from bot.queue import Jobs
from tests.bot.manifest_flow import Visitor


def signing_in(settings: Settings, standin: StandIn, **more: Any) -> Settings:
    """Settings with which people can sign in, at a free port. GitHub's pages are on another site than ours, as in truth."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    standin.app.callback_urls = [f"{url}/login/callback"]
    known = {
        "host": "127.0.0.1",
        "port": port,
        "public_url": url,
        "client_id": standin.app.client_id,
        "client_secret": Secret(standin.app.client_secret),
        "git_url": standin.git_url.replace("127.0.0.1", "localhost"),
    }
    return dataclasses.replace(settings, **{**known, **more})


@asynccontextmanager
async def serving(settings: Settings, app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        yield settings.public_url
    finally:
        await runner.cleanup()


async def to_github(visitor: Visitor, url: str, target: str = "/") -> None:
    """Up to the page that asks."""
    await visitor.open(URL(f"{url}/login").with_query(next=target))
    assert visitor.url.path == "/login/oauth/authorize", visitor.page


async def back(visitor: Visitor, answer: str = "1") -> URL:
    """Where GitHub sends the browser when a button was pressed."""
    assert await visitor.send(follow=False, authorize=answer) == 302
    return URL(visitor.headers["Location"], encoded=True)


async def sign_in(visitor: Visitor, standin: StandIn, url: str, login: str = "octocat") -> None:
    """All of it."""
    standin.people.browsing = login
    await to_github(visitor, url)
    assert await visitor.open(await back(visitor), allow_redirects=False) == 303, visitor.page


OURS, THEIRS = "Acme/Harbor", "Other/Quay"


@dataclass
class Place:
    """A server that lets people in, on which two private repositories are known, and a public one."""

    standin: StandIn
    settings: Settings
    jobs: Jobs
    url: str = ""
    wrote: list[str] = field(default_factory=list)

    async def sign_in(self, visitor: Visitor, login: str = "octocat") -> None:
        await sign_in(visitor, self.standin, self.url, login)

    async def keys(self, pattern: str) -> list[str]:
        return sorted(key.decode() for key in await self.jobs.redis.keys(pattern))

    def asked(self, part: str) -> int:
        return sum(part in call.path for call in self.standin.calls)


def app_of(place: Place) -> web.Application:
    """What the dashboard does with `Visitors`, and no more."""
    app, visitors = web.Application(), Visitors(Records(place.jobs.redis))

    async def front(request: web.Request) -> web.Response:
        shown = " ".join(known.name for known in (await visitors.visible(request)).values())
        account = await visitors.account(request)
        return web.Response(text=f"{account.login} {account.form_token} {account.incomplete}\n{shown}")

    async def repository(request: web.Request) -> web.Response:
        _, known = await visitors.see(request, "{owner}/{name}".format_map(request.match_info))
        return web.Response(text=known.name, headers={"ETag": '"x"', "Cache-Control": "public, max-age=60"})

    async def operations(request: web.Request) -> web.Response:
        if not await visitors.administers(request):
            raise web.HTTPNotFound
        return web.Response(text="the queue")

    async def write(request: web.Request) -> web.Response:
        place.wrote.append(await visitors.login(request) or "")
        return web.Response(text="written")

    app.add_routes([web.get("/", front), web.get("/r/{owner}/{name}", repository), web.get("/operations", operations)])
    app.add_routes([web.post("/write", checked(visitors, write))])

    async def say(_request: web.Request, status: int, why: str) -> web.Response:
        return web.Response(status=status, text=why)

    signin.set_up(app, visitors, place.settings, place.jobs.redis, say=say, guarded=lambda handler: handler)
    return app


@asynccontextmanager
async def standing(standin: StandIn, settings: Settings, jobs: Jobs) -> AsyncIterator[Place]:
    """The server. Octocat may read the first repository, and is the administrator."""
    for name, installation, public in ((OURS, 7, False), (THEIRS, 8, False), ("Acme/Open", 7, True)):
        state = standin.add_repository(name, Path(), installation, public=public)
        state.permissions = {"octocat": "read"} if name == OURS else {}
        known = Known(name=name, private=not public, installation=installation)
        await Records(jobs.redis).know(Repo(name), known)
    place = Place(standin, signing_in(settings, standin, admins=frozenset({"octocat"})), jobs)
    async with serving(place.settings, app_of(place)) as url:
        place.url = url
        yield place
