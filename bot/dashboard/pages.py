"""The routes: each page as HTML and, below /api/v1, the same value as JSON."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
import msgspec
import redis
import structlog
from aiohttp import web
from cachetools import TTLCache

from bot import metrics
from bot.config import Settings
from bot.dashboard import changes, charts, lists, operations, pulls, schema, shared, signin, views, words
from bot.dashboard.answers import HTML, JSON, MARKDOWN, SCHEMA_PATH, SVG, Content, Fault, Static, send
from bot.dashboard.memory import KEPT_FOR, Memory, Reading
from bot.dashboard.parts import ESCAPE, ROOT, About, Links, about, releases
from bot.dashboard.records import Known
from bot.dashboard.visitors import AWAY, Account, Visitors
from bot.ids import Repo
from bot.queue import Jobs

API = "/api/v1"
MAX_MADE = 32 * 1024 * 1024
"""Bytes of pages that are kept as they were made."""

BADGE_SECONDS = 300
"""How long whoever shows a badge may keep it."""

LATEST = 5
"""Pull requests that the overview shows."""

_ASKED = ("q", "sort", "state", "page", "format", "base", "head")
_NOT_HERE = Fault(404, "There is no such page.")
_FAULTS = {
    400: "That cannot be answered as it was asked.",
    403: "This form is too old, or does not come from here. Load its page anew.",
    404: _NOT_HERE.message,
    405: "Not this way.",
    503: AWAY,
}
_AWAY = Fault(503, "The store is away. Try again in a minute.")
_BROKEN = Fault(500, "Something went wrong here. It has been noted.")

log = structlog.get_logger()

View = msgspec.Struct


class NotRecordedError(web.HTTPNotFound):
    """A repository that somebody may see has no such revision."""

    words = "No recorded revision is called so."


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, by somebody who may see it.

    Attributes:
        match: the parts of the address.
        query: what the page understands of its query.
        repo, known, links: the repository, for a page of one.
        visible: the repositories that there are for whoever asks, for a page of all.
    """

    match: Mapping[str, str]
    query: Mapping[str, str]
    repo: Repo = field(default_factory=lambda: Repo("no/repository"))
    known: Known = field(default_factory=lambda: Known(name="no/repository", private=True))
    links: Links = field(default_factory=lambda: Links("", ""))
    visible: Mapping[Repo, Known] = field(default_factory=dict)

    @property
    def about(self) -> About:
        """What the page says of the repository."""
        return about(self.known, self.links)


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        path: its route.
        template: of its HTML, without the ending.
        view: the type of what it shows.
        build: makes that.
        scope: who may see it: everybody, who may see the repository, or administrators.
    """

    path: str
    template: str
    view: type[View]
    build: "Callable[[Dashboard, Asked], Awaitable[View]]"
    scope: str = "repository"


class Dashboard:
    """All pages.

    Args:
        settings: where the git host is.
        jobs: the store, and what waits in it.
        visitors: who may see what.
    """

    def __init__(self, settings: Settings, jobs: Jobs, visitors: Visitors | None = None) -> None:
        self.settings = settings
        self.jobs = jobs
        self.records = Reading(jobs.redis)
        self.visitors = visitors or Visitors(self.records)
        self.memory = Memory(self.records)
        self.static = Static()
        self._made: TTLCache[tuple[object, ...], Content] = TTLCache(
            MAX_MADE, KEPT_FOR, getsizeof=lambda content: 2 * len(content.body) + 500
        )

    def add_to(self, app: web.Application) -> None:
        """Add all routes. None is in the way of another: there is no middleware, and what is unknown comes last."""
        environment = aiohttp_jinja2.setup(
            app,
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        words.teach(environment, self.static)
        signin.set_up(app, self.visitors, self.settings, self.jobs.redis, say=self._say, guarded=self._guarded)
        for page in PAGES:
            for path in _addresses(page.path):
                app.router.add_get(path, self._guarded(functools.partial(self._show, page)))
                app.router.add_get(
                    f"{API}{path}", self._guarded(functools.partial(self._show, page, api=True), api=True)
                )
        app.router.add_get("/static/{name}", self._guarded(self.static.serve))
        for path in _addresses(_REPO):
            app.router.add_get(f"{path}/badge.svg", self._guarded(self._badge))
            app.router.add_get(f"{path}/compare", self._guarded(self._compare_what))
        app.router.add_get(SCHEMA_PATH, self._guarded(self._schema, api=True))
        others = "webhook|healthz|readyz|metrics|setup"
        app.router.add_get(rf"/{{rest:(?!(?:{others})\Z)[\s\S]*}}", self._guarded(self._nothing))

    def _guarded(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], *, api: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A handler whose failures are answered in the look of what was asked for."""

        async def handle(request: web.Request) -> web.StreamResponse:
            json = api or request.path.startswith(f"{API}/")
            try:
                return await handler(request)
            except NotRecordedError as error:
                return await self._answer(request, Fault(error.status, error.words), json=json)
            except web.HTTPException as error:
                if error.status not in _FAULTS:
                    raise
                return await self._answer(request, Fault(error.status, _FAULTS[error.status]), json=json)
            except (redis.RedisError, OSError, TimeoutError) as error:
                metrics.failed("store", error)
                return self._fault(request, _AWAY, Account(), json=json)
            except Exception as error:
                metrics.failed("dashboard", error)
                log.exception("a page failed")
                return self._fault(request, _BROKEN, Account(), json=json)

        return handle

    async def _say(self, request: web.Request, status: int, why: str) -> web.StreamResponse:
        return await self._answer(request, Fault(status, why), json=False)

    async def _answer(self, request: web.Request, fault: Fault, *, json: bool) -> web.Response:
        """An error, for whoever asked."""
        try:
            account = await self.visitors.account(request)
        except (redis.RedisError, OSError, TimeoutError):
            account = Account()
        return self._fault(request, fault, account, json=json)

    def _fault(self, request: web.Request, fault: Fault, account: Account, *, json: bool) -> web.Response:
        """An error. It says nothing of what was asked for, so what is hidden looks as what is not there."""
        if json:
            content = Content.of(msgspec.json.encode(fault), JSON)
        else:
            page = self._rendered(request, "error", {"view": fault, "account": account})
            content = Content.of(page, HTML, pack=account.login is None)
        headers = {"Retry-After": "30"} if fault.status == 503 else {}
        return send(request, content, "no-store", status=fault.status, headers=headers)

    async def _show(self, page: Page, request: web.Request, *, api: bool = False) -> web.Response:
        """A page, for whoever may see it."""
        asked, account = await self._admit(page, request), await self.visitors.account(request)
        if api and account.incomplete:
            raise web.HTTPServiceUnavailable  # a program takes what is shown for all that there is
        login = account.login
        is_private = page.scope == "administrators" or (page.scope == "repository" and asked.known.private)
        shared = login is None and not is_private
        key = (
            page.path,
            api,
            self._here(request),
            request.path,
            *asked.query.items(),
            *await self._version(page, asked),
        )
        content = self._made.get(key) if shared else None
        if content is None:
            content = await self._make(page, request, asked, api=api, account=account)
            if shared:
                self._made[key] = content
        cache = "public, no-cache" if login is None and not is_private else "private, no-cache"
        headers = {"Link": f'<{SCHEMA_PATH}>; rel="describedby"'} if api else {}
        return send(request, content, cache, headers=headers)

    async def _admit(self, page: Page, request: web.Request) -> Asked:
        """Whether somebody may see a page, and all that is known of what was asked for.

        Raises:
            aiohttp.web.HTTPNotFound: it is not there, or not for whoever asks.
        """
        query = {name: request.query[name] for name in _ASKED if name in request.query}
        match = dict(request.match_info)
        if page.scope == "everybody":
            return Asked(match, query)
        if page.scope == "front":
            return Asked(match, query, visible=await self.visitors.visible(request))
        if page.scope == "administrators":
            if not await self.visitors.administers(request):
                raise web.HTTPNotFound
            return Asked(match, query)
        repo, known = await self.visitors.see(request, f"{match['owner']}/{match['name']}")
        return Asked(match, query, repo, known, Links(self.settings.git_url, known.name))

    async def _version(self, page: Page, asked: Asked) -> tuple[object, ...]:
        """What a page's content follows from, beside its address."""
        if page.scope == "repository":
            return asked.known, await self.records.pulse(asked.repo)
        return tuple(asked.visible.items())

    async def _make(self, page: Page, request: web.Request, asked: Asked, *, api: bool, account: Account) -> Content:
        view = await page.build(self, asked)
        pack = account.login is None
        if api:
            return Content.of(msgspec.json.encode(view, enc_hook=str), JSON, pack=pack)
        if isinstance(view, changes.Compare) and asked.query.get("format") == "markdown":
            return Content.of(changes.markdown(view).encode(), MARKDOWN, pack=pack)
        context: dict[str, Any] = {"view": view, "account": account}
        context["api"] = f"{API}{request.rel_url.with_query([*asked.query.items()])}"
        if isinstance(view, views.Overview):
            points = await self.memory.points(asked.repo, asked.known)
            context["chart"] = charts.history(points, name=asked.known.name, target=asked.known.target)
            context["marked"] = charts.marked(points)
            context["releases"] = [point.name for point in releases(points)]
            context["here"] = self._here(request)
        return Content.of(self._rendered(request, page.template, context), HTML, pack=pack)

    def _here(self, request: web.Request) -> str:
        """How people reach us: without a setting, as whoever asks says. What one says is in nobody else's page."""
        return self.settings.public_url or str(request.url.origin())

    def _rendered(self, request: web.Request, template: str, context: Mapping[str, Any]) -> bytes:
        known = {"api": "", "template": template, **context}
        return aiohttp_jinja2.render_string(f"{template}.html", request, known).encode()

    async def _badge(self, request: web.Request) -> web.Response:
        """The badge of a repository; of one that is not for whoever asks, what there is of one that is not there."""
        match = request.match_info
        repo, known = await self.visitors.see(request, f"{match['owner']}/{match['name']}")
        now = views.head_point(known, await self.memory.points(repo, known))
        content = Content.of(charts.badge(now.score if now else None, known.target).encode(), SVG)
        cache = "private, no-cache" if known.private else f"public, max-age={BADGE_SECONDS}"
        return send(request, content, cache, headers={"Cross-Origin-Resource-Policy": "cross-origin"})

    async def _compare_what(self, request: web.Request) -> web.Response:
        """From the form that asks for two revisions to their comparison."""
        match, query = request.match_info, request.query
        _, known = await self.visitors.see(request, f"{match['owner']}/{match['name']}")
        links, base, head = Links(self.settings.git_url, known.name), query.get("base", ""), query.get("head", "")
        raise web.HTTPSeeOther(links.compare(base, head) if base and head else links.page)

    async def _schema(self, request: web.Request) -> web.Response:
        """What the API's answers look like."""
        return send(request, _schema_content(), "public, max-age=3600")

    async def _nothing(self, _request: web.Request) -> web.Response:
        raise web.HTTPNotFound


# What each page shows.


async def _front(desk: Dashboard, asked: Asked) -> View:
    rows = [
        views.repository_row(
            known, await desk.memory.points(repo, known), about(known, Links(desk.settings.git_url, known.name))
        )
        for repo, known in asked.visible.items()
    ]
    return views.repositories(rows, asked.query)


async def _overview(desk: Dashboard, asked: Asked) -> View:
    repo, known = asked.repo, asked.known
    report = await desk.memory.report(repo, known)
    latest = (await desk.memory.pulls(repo, asked.links))[:LATEST]
    return views.overview(
        asked.about,
        known,
        await desk.memory.points(repo, known),
        views.package_rows(await desk.memory.head(repo, known), asked.links),
        pulls=latest,
        features=report.features if report else (),
    )


async def _packages(desk: Dashboard, asked: Asked) -> View:
    rows = views.package_rows(await desk.memory.head(asked.repo, asked.known), asked.links)
    return views.packages(asked.about, rows, asked.query)


async def _package(desk: Dashboard, asked: Asked) -> View:
    directory = asked.match["dir"] if asked.match["dir"] != ROOT else "."
    table = (await desk.memory.head(asked.repo, asked.known)).get(directory)
    if table is None:
        raise web.HTTPNotFound
    details = await desk.records.details(asked.repo, directory, [symbol.name for symbol in table.symbols if symbol.gap])
    return views.package(asked.about, directory, table, asked.links, asked=asked.query, details=details)


async def _symbol(desk: Dashboard, asked: Asked) -> View:
    directory, _, name = asked.match["spec"].rpartition(":")
    table = (await desk.memory.head(asked.repo, asked.known)).get(directory)
    parity = next((symbol for symbol in table.symbols if symbol.name == name), None) if table else None
    if parity is None:
        raise web.HTTPNotFound
    detail = await desk.records.detail(asked.repo, directory, name)
    past = await desk.memory.past(asked.repo, asked.known, directory)
    return views.symbol(asked.about, directory, parity, detail, past=past, links=asked.links)


async def _pulls(desk: Dashboard, asked: Asked) -> View:
    return pulls.pulls(asked.about, await desk.memory.pulls(asked.repo, asked.links), asked.query)


async def _pull(desk: Dashboard, asked: Asked) -> View:
    record = await desk.records.pull(asked.repo, int(asked.match["number"]))
    if record is None:
        raise web.HTTPNotFound
    return pulls.pull(asked.about, record, asked.links)


async def _compare(desk: Dashboard, asked: Asked) -> View:
    names = asked.match["base"], asked.match["head"]
    points = await desk.memory.points(asked.repo, asked.known)
    base, head = (changes.revision(points, name) for name in names)
    if base is None or head is None:
        raise NotRecordedError
    tables, sides = await desk.memory.differing(asked.repo, base.rev, head.rev)
    # Of a hostile repository it takes a second.
    found = await asyncio.to_thread(
        shared.shared, asked.about, (base, head), sides, tables[0], links=asked.links, names=names
    )
    return changes.compare(asked.about, (base, head), tables, asked.links, names, shared=found)


async def _findings(desk: Dashboard, asked: Asked) -> View:
    repo, known = asked.repo, asked.known
    return lists.findings(
        asked.about,
        await desk.memory.head(repo, known),
        await desk.memory.report(repo, known),
        await desk.memory.since(repo, known),
        links=asked.links,
        asked=asked.query,
    )


async def _features(desk: Dashboard, asked: Asked) -> View:
    report = await desk.memory.report(asked.repo, asked.known)
    return lists.features(asked.about, report.features if report else (), asked.links, asked.query)


async def _rules(_desk: Dashboard, _asked: Asked) -> View:
    return lists.rules()


async def _rule(_desk: Dashboard, asked: Asked) -> View:
    found = lists.rule(asked.match["rule"])
    if found is None:
        raise web.HTTPNotFound
    return found


async def _operations(desk: Dashboard, _asked: Asked) -> View:
    return await operations.look(desk.jobs, await desk.records.repositories())


_REPO = "/{owner}/{name}"
PAGES = (
    Page("/", "repositories", views.Repositories, _front, "front"),
    Page("/rules", "rules", lists.Rules, _rules, "everybody"),
    Page("/rules/{rule}", "rule", lists.Rule, _rule, "everybody"),
    Page("/operations", "operations", operations.Operations, _operations, "administrators"),
    Page(_REPO, "overview", views.Overview, _overview),
    Page(f"{_REPO}/packages", "packages", views.Packages, _packages),
    Page(f"{_REPO}/packages/{{dir:.+}}", "package", views.Package, _package),
    Page(f"{_REPO}/symbols/{{spec:.+:.+}}", "symbol", views.Symbol, _symbol),
    Page(f"{_REPO}/pulls", "pulls", pulls.Pulls, _pulls),
    Page(f"{_REPO}/pulls/{{number:[0-9]{{1,9}}}}", "pull", pulls.Pull, _pull),
    Page(f"{_REPO}/compare/{{base:.+?}}...{{head:.+}}", "compare", changes.Compare, _compare),
    Page(f"{_REPO}/findings", "findings", lists.Findings, _findings),
    Page(f"{_REPO}/features", "features", lists.Features, _features),
)
"""Every page. What is added here has its JSON, its schema, and is asked for by the tests of who may see what."""


def _addresses(path: str) -> tuple[str, ...]:
    """Where a page is: one of a repository also where no page of ours is in its way (`Links`)."""
    return (path, f"{ESCAPE}{path}") if path.startswith(_REPO) else (path,)


@functools.cache
def _schema_content() -> Content:
    return Content.of(
        msgspec.json.encode(schema.document({f"{API}{page.path}": page.view for page in PAGES}, Fault)), JSON
    )
