"""The app itself, as GitHub has it: registered from a manifest, and looked at by `winparity doctor`."""

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from bot.config import Secret
from bot.github import PER_PAGE, READ_RETRIES, Api, BusyError, GitHub, RefusedError, translated

_T = TypeVar("_T")

_DELIVERIES = f"/app/hook/deliveries?per_page={PER_PAGE}"
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")


class Account(msgspec.Struct, frozen=True):
    """A user or an organisation (``login``), or an enterprise (``slug``)."""

    login: str = ""
    slug: str = ""
    type: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.login or self.slug


class App(msgspec.Struct, frozen=True):
    """The app's registration."""

    id: int
    name: str
    html_url: str
    permissions: dict[str, Any]
    events: list[str]
    owner: Account | None = None
    slug: str = ""
    client_id: str = ""


class Grant(msgspec.Struct, frozen=True):
    """An installation, and what its owner granted."""

    html_url: str
    permissions: dict[str, Any]
    account: Account | None = None
    suspended_at: dt.datetime | None = None


class Hook(msgspec.Struct, frozen=True):
    """The webhook's configuration. GitHub shows a secret as asterisks, and tells nobody whether the hook is active."""

    url: str = ""
    content_type: str = ""
    secret: str = ""
    insecure_ssl: str | float = "0"


class Delivery(msgspec.Struct, frozen=True):
    """A delivery that GitHub made or tried to make; a redelivery has the same ``guid``."""

    guid: str
    delivered_at: dt.datetime
    status: str
    status_code: int
    event: str
    id: int = 0
    action: str | None = None


class _Conversion(msgspec.Struct):
    id: int
    html_url: str
    pem: str
    name: str
    webhook_secret: str | None = None
    client_id: str = ""
    client_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A new app and its credentials, which GitHub hands out only once. Without a client secret nobody signs in."""

    app_id: int
    name: str
    html_url: str
    private_key: Secret
    webhook_secret: Secret
    client_id: str
    client_secret: Secret

    @property
    def install_url(self) -> str:
        """Where it is installed on repositories."""
        return f"{self.html_url}/installations/new"


async def register(session: aiohttp.ClientSession, api_url: str, code: str) -> Registration:
    """Exchange the code of the manifest flow for the app's credentials.

    Args:
        session: the HTTP client.
        api_url: GitHub's address.
        code: as the browser brought it back. It counts for an hour, once.

    Raises:
        BusyError: GitHub cannot be asked now.
        RefusedError: the code is not, or not any more, worth anything.

    Source: docs.github.com, "Create a GitHub App from a manifest".
    """
    if not _CODE.fullmatch(code):
        raise RefusedError("GitHub sent no usable code", 404)
    what = "the exchange of the code"
    async with translated(what):
        made = msgspec.convert(
            await Api(session, api_url).post(f"/app-manifests/{code}/conversions", data=b""), _Conversion
        )
    if not made.webhook_secret:
        raise RefusedError(f"{what}: GitHub made no webhook secret", 201)
    if not made.html_url.startswith(("https://", "http://")):
        raise RefusedError(f"{what}: GitHub gave no address of the app", 201)
    return Registration(
        made.id,
        made.name,
        made.html_url,
        Secret(made.pem),
        Secret(made.webhook_secret),
        made.client_id,
        Secret(made.client_secret or ""),
    )


class Registered:
    """The door to the app itself, as its JWT opens it.

    Args:
        github: the app's id, key and address.

    Every method raises `BusyError` or `RefusedError`.
    """

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._api = github.api()

    async def app(self) -> App:
        """The app whose key this is."""
        return await self._get("/app", App)

    async def installations(self) -> list[Grant]:
        """Where it is installed, from all pages."""
        found, following = await self._page(f"/app/installations?per_page={PER_PAGE}", Grant)
        while following:
            more, following = await self._page(following, Grant)
            found += more
        return found

    async def hook(self) -> Hook:
        """How its webhook is set."""
        return await self._get("/app/hook/config", Hook)

    async def deliveries(self) -> list[Delivery]:
        """The last deliveries, newest first: at most a hundred, at most three days old."""
        return await self._get(_DELIVERIES, list[Delivery])

    async def deliveries_since(self, since: dt.datetime) -> AsyncIterator[Delivery]:
        """All deliveries since a time, newest first, as far as GitHub has kept them."""
        following: str | None = _DELIVERIES
        while following:
            page, following = await self._page(following, Delivery)
            for delivery in page:
                if delivery.delivered_at < since:
                    return
                yield delivery

    async def redeliver(self, delivery: int) -> None:
        """Ask GitHub to deliver again. It is done when GitHub gets to it."""
        what = f"POST /app/hook/deliveries/{delivery}/attempts"
        async with translated(what):
            await self._api.post(what.removeprefix("POST "), data=b"", jwt=self._github.app_jwt())

    def clock_skew(self, now: dt.datetime) -> float | None:
        """By how many seconds our clock is ahead of GitHub's at its last answer; None when it told no time."""
        try:
            theirs = parsedate_to_datetime(self._api.date)
        except ValueError:
            return None
        return (now - theirs).total_seconds() if theirs.tzinfo else None

    async def _get(self, url: str, kind: type[_T]) -> _T:
        async with translated(f"GET {url.partition('?')[0]}"):
            return msgspec.convert(await self._api.getitem(url, jwt=self._github.app_jwt()), kind)

    async def _page(self, url: str, kind: type[_T]) -> tuple[list[_T], str | None]:
        """One page of a list and the address of the next, asked for again where GitHub broke: a list may have many."""
        for wait in READ_RETRIES:
            try:
                return await self._page_once(url, kind)
            except BusyError as error:
                if error.limited:
                    raise
                await asyncio.sleep(wait)
        return await self._page_once(url, kind)

    async def _page_once(self, url: str, kind: type[_T]) -> tuple[list[_T], str | None]:
        async with translated(f"GET {URL(url).path}"):
            items, following = await self._api.page(url, jwt=self._github.app_jwt())
        return msgspec.convert(items, list[kind]), following  # type: ignore[valid-type] # given at run time
