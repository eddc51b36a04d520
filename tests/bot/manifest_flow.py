"""A browser's part in GitHub's manifest flow, without a browser: pages are fetched, forms are read and sent."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from bot.demo.github import StandIn


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(known["action"]))
        elif tag == "input":
            self.found[-1].fields[known["name"]] = known.get("value", "")
        elif tag == "a":
            self.links.append(known["href"])


class Visitor:
    """Somebody with a browser.

    Attributes:
        page: the text of the last page; ``status``, ``headers`` and ``url`` belong to it.
        seen: every page so far.
    """

    def __init__(self) -> None:
        self.page, self.status, self.url = "", 0, URL()
        self.headers: Any = {}
        self.seen: list[str] = []

    async def __aenter__(self) -> Self:
        # A jar that takes cookies of addresses such as 127.0.0.1 too.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, method: str, url: str | URL, **more: Any) -> int:
        async with self._session.request(method, url, **more) as answer:
            self.page, self.status, self.url = await answer.text(), answer.status, answer.url
            self.headers = answer.headers
        self.seen.append(self.page)
        return self.status

    async def open(self, url: str | URL, **more: Any) -> int:
        return await self.ask("GET", url, **more)

    @property
    def forms(self) -> list[Form]:
        parser = _Forms()
        parser.feed(self.page)
        return parser.found

    @property
    def links(self) -> list[str]:
        parser = _Forms()
        parser.feed(self.page)
        return parser.links

    async def send(self, follow: bool = True, **fields: str) -> int:  # noqa: FBT001, FBT002 - as an HTTP client has it
        """Fill in the page's form and press its button."""
        [form] = self.forms
        target = self.url.join(URL(form.action, encoded=True))
        return await self.ask("POST", target, data={**form.fields, **fields}, allow_redirects=follow)

    async def accept(self, standin: StandIn, name: str = "winparity-acme") -> URL:
        """From our second step: send the manifest and accept it. Returns where GitHub sends the browser."""
        await self.send()
        assert self.url.path.startswith(("/settings/", "/organizations/")), self.page
        assert await self.send(follow=False, name=name) == 302
        assert standin.app.problems == []
        return URL(self.headers["Location"], encoded=True)
