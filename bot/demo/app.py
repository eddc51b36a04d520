"""The stand-in's part about the app itself: its registration from a manifest, its webhook, and what GitHub tells of it."""

import asyncio
import datetime as dt
import hashlib
import hmac
import html
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from yarl import URL

from bot.manifest import registration

MAX_JWT_SECONDS = 600
MAX_NAME = 34
MAX_PER_PAGE = 100
# How long GitHub waits for an answer to a delivery, and how long it keeps one, in seconds.
PATIENCE = aiohttp.ClientTimeout(total=10)
KEPT = 3 * 24 * 3600
# How long the code of the manifest flow counts.
CODE_SECONDS = 3600
# Beginnings of the paths that people see, which are no part of the API.
PAGES = ("/settings/", "/organizations/", "/login/")
_STAMP = "2026-01-01T00:00:00Z"

Json = dict[str, Any]


@dataclass(frozen=True)
class _Sent:
    """What was delivered, so that it can be delivered again."""

    url: str
    event: str
    payload: Json
    guid: str


class RegisteredApp:
    """The one app that there is. A manifest that is accepted makes it another one.

    Args:
        app_id: with ``public_key`` (PEM) and ``secret``, what GitHub and the app both know.

    Attributes:
        url: the stand-in's address.
        permissions: what the app asks for; ``events`` what it is told of.
        hook: the webhook's configuration; None when there is none.
        client_id: with ``client_secret``, what the app proves itself with when people sign in.
        callback_urls: where people may be sent back to.
        installations: as the API shows them.
        deliveries: as the API shows them, newest first.
        problems: what GitHub would not have taken.
        code_seconds: how long a code counts.
        redelivering: deliveries that were asked for again and are under way.
    """

    def __init__(self, app_id: int, public_key: str, secret: str) -> None:
        self.id = app_id
        self.secret = secret
        self.name = "winparity"
        self.owner: Json = {"login": "example", "id": 1, "type": "Organization"}
        self.permissions: Json = dict(registration()["default_permissions"])
        self.events: list[str] = list(registration()["default_events"])
        self.hook: Json | None = {"url": registration()["hook_attributes"]["url"], "secret": "********"}
        self.client_id, self.client_secret = _client()
        self.callback_urls: list[str] = []
        self.installations: list[Json] = []
        self.deliveries: list[Json] = []
        self.problems: list[str] = []
        self.code_seconds = CODE_SECONDS
        self.redelivering: set[asyncio.Task[int]] = set()
        self.url = ""
        self._public_key = public_key
        self._offered: dict[str, Json] = {}
        self._codes: dict[str, tuple[Json, float]] = {}
        self._ids = iter(range(5000, 10**9))
        self._sent: dict[int, _Sent] = {}

    # What the world does.

    def install(self, account: str, permissions: Json | None = None, *, suspended: bool = False) -> Json:
        """Install the app on an account. What it is granted stays, whatever the app asks for later."""
        number = next(self._ids)
        self.installations.append(
            {
                "id": number,
                "account": {"login": account, "id": number, "type": "Organization"},
                "app_id": self.id,
                "html_url": f"{self.url}/organizations/{account}/settings/installations/{number}",
                "permissions": dict(self.permissions if permissions is None else permissions),
                "events": list(self.events),
                "repository_selection": "selected",
                "suspended_at": _STAMP if suspended else None,
            }
        )
        return self.installations[-1]

    async def deliver(
        self,
        url: str,
        event: str,
        payload: Json,
        guid: str = "",
        headers: dict[str, str] | None = None,
        *,
        again: bool = False,
    ) -> int:
        """Send a signed webhook, as GitHub does, and note how it fared. Returns the answer's status; 0 when there was none.

        Args:
            url: where to.
            event: its name.
            payload: its body.
            guid: its id; a new one when there is none.
            headers: they override; one that is empty is not sent.
            again: it was sent before.
        """
        sent = _Sent(url, event, payload, guid or str(uuid.uuid4()))
        body = json.dumps(payload).encode()
        signed = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/stand-in",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": sent.guid,
            "X-Hub-Signature": "sha1=" + hmac.new(self.secret.encode(), body, hashlib.sha1).hexdigest(),
            "X-Hub-Signature-256": "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest(),
        } | (headers or {})
        shown = {name: value for name, value in signed.items() if value}
        code, words = 0, ""
        try:
            async with (
                aiohttp.ClientSession(timeout=PATIENCE) as session,
                session.post(url, data=body, headers=shown, allow_redirects=False) as response,
            ):
                code = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            words = "timed out" if isinstance(error, TimeoutError) else "failed to connect to host"
        action, installation = payload.get("action"), payload.get("installation", {}).get("id")
        number = self.note_delivery(code, words, sent.guid, event, action=action, again=again)
        self.deliveries[0]["installation_id"] = installation
        self._sent[number] = sent
        return code

    def note_delivery(
        self,
        status_code: int,
        status: str = "",
        guid: str = "",
        event: str = "pull_request",
        *,
        action: str | None = "opened",
        again: bool = False,
        age: float = 0.0,
    ) -> int:
        """A delivery that GitHub made so many seconds ago; 0 when nobody answered. Returns its id."""
        number = next(self._ids)
        then = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age)
        delivery = {
            "id": number,
            "guid": guid or f"guid-{number}",
            "delivered_at": then.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "redelivery": again,
            "duration": 0.1,
            "status": status or ("OK" if status_code < 300 else "Invalid HTTP Response"),
            "status_code": status_code,
            "event": event,
            "action": action,
            "installation_id": None,
            "repository_id": None,
        }
        self.deliveries.insert(0, delivery)
        return number

    # What it is asked.

    def pages(self) -> list[web.RouteDef]:
        """What a browser sees."""
        return [
            web.post("/settings/apps/new", self._offer),
            web.post("/organizations/{org}/settings/apps/new", self._offer),
            web.post("/settings/apps", self._accept),
        ]

    def routes(self, prefix: str, page: Callable[[web.Request, list[Json]], web.Response]) -> list[web.RouteDef]:
        """The API below a prefix; ``page`` answers with one page of a list."""

        async def installations(request: web.Request) -> web.Response:
            self.check(request)
            return page(request, self.installations)

        return [
            web.post(prefix + "/app-manifests/{code}/conversions", self._convert),
            web.get(prefix + "/app", self._get),
            web.get(prefix + "/app/installations", installations),
            web.get(prefix + "/app/hook/config", self._hook_config),
            web.get(prefix + "/app/hook/deliveries", self._list_deliveries),
            web.post(prefix + "/app/hook/deliveries/{delivery}/attempts", self._redeliver),
        ]

    def check(self, request: web.Request) -> None:
        """Refuse who is not proven to be the app (docs: "Generating a JSON Web Token")."""
        bearer = request.headers.get("Authorization", "").partition(" ")[2]
        try:
            issuer = str(jwt.decode(bearer, options={"verify_signature": False})["iss"])
            if issuer != str(self.id):
                raise web.HTTPNotFound(reason="Integration not found")
            claims = jwt.decode(bearer, self._public_key, algorithms=["RS256"], issuer=issuer)
        except (jwt.InvalidTokenError, LookupError) as error:
            raise web.HTTPUnauthorized(reason=f"JWT: {error}") from None
        if claims["exp"] - claims["iat"] > MAX_JWT_SECONDS or claims["iat"] > time.time():
            raise web.HTTPUnauthorized(reason="'Expiration time' claim ('exp') is too far in the future")

    async def _offer(self, request: web.Request) -> web.Response:
        """The page that takes a manifest, and asks for the app's name."""
        given = json.loads(str((await request.post())["manifest"]))
        self.problems += _mistakes(given)
        org = request.match_info.get("org", "")
        ticket = secrets.token_hex(8)
        self._offered[ticket] = {"manifest": given, "org": org, "state": request.query.get("state", "")}
        owner = f" for {html.escape(org)}" if org else ""
        form = (
            "<!doctype html><title>Create GitHub App</title><link rel=icon href=data:,>"
            f"<h1>Create GitHub App{owner}</h1>"
            f'<form method="post" action="/settings/apps"><input type="hidden" name="ticket" value="{ticket}">'
            f'<input name="name" value="{html.escape(given.get("name", ""))}"><button>Create GitHub App</button></form>'
        )
        return web.Response(text=form, content_type="text/html")

    async def _accept(self, request: web.Request) -> web.Response:
        """The owner pressed the button: the browser goes back with a code."""
        form = await request.post()
        offered = self._offered.pop(str(form["ticket"]))
        code = secrets.token_hex(20)
        made = {**offered, "name": str(form["name"])}
        self._codes[code] = (made, time.time() + self.code_seconds)
        back = URL(offered["manifest"]["redirect_url"]).update_query(code=code, state=offered["state"])
        return web.Response(status=302, headers={"Location": str(back)})

    async def _convert(self, request: web.Request) -> web.Response:
        """The code's exchange: once, within its hour."""
        made, expires = self._codes.pop(request.match_info["code"], ({}, 0.0))
        if expires < time.time():
            raise web.HTTPNotFound(reason="Not Found")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.id, self.secret, self.name = next(self._ids), secrets.token_hex(20), made["name"]
        given = made["manifest"]
        self.owner = {"login": made["org"] or "octocat", "id": 1, "type": "Organization" if made["org"] else "User"}
        self.permissions, self.events = given["default_permissions"], given["default_events"]
        self.hook = {"url": given["hook_attributes"]["url"], "secret": "********"}
        self.client_id, self.client_secret = _client()
        self.callback_urls = given.get("callback_urls", [])
        self.installations, self.deliveries = [], []
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        answer = {
            **self._view(),
            "client_secret": self.client_secret,
            "webhook_secret": self.secret,
            "pem": pem,
        }
        return web.json_response(answer, status=201)

    def _view(self) -> Json:
        slug = self.name.lower().replace(" ", "-")
        return {
            "id": self.id,
            "slug": slug,
            "client_id": self.client_id,
            "node_id": "MDM6",
            "owner": self.owner,
            "name": self.name,
            "description": "",
            "external_url": "https://example.com",
            "html_url": f"{self.url}/apps/{slug}",
            "created_at": _STAMP,
            "updated_at": _STAMP,
            "permissions": self.permissions,
            "events": self.events,
        }

    async def _get(self, request: web.Request) -> web.Response:
        self.check(request)
        return web.json_response(self._view())

    async def _hook_config(self, request: web.Request) -> web.Response:
        self.check(request)
        if self.hook is None:
            raise web.HTTPNotFound(reason="Not Found")
        return web.json_response({"content_type": "json", "insecure_ssl": "0", **self.hook})

    async def _list_deliveries(self, request: web.Request) -> web.Response:
        """One page, newest first. The link to the next names the delivery that it begins with."""
        self.check(request)
        kept, cursor = self._kept(), request.query.get("cursor")
        start = next((at for at, known in enumerate(kept) if cursor == _cursor(known)), None if cursor else 0)
        if start is None:
            raise web.HTTPUnprocessableEntity(reason="Invalid cursor")
        end = start + min(int(request.query.get("per_page", 30)), MAX_PER_PAGE)
        link = f'<{request.url.update_query(cursor=_cursor(kept[end]))}>; rel="next"' if end < len(kept) else ""
        return web.json_response(kept[start:end], headers={"Link": link} if link else {})

    async def _redeliver(self, request: web.Request) -> web.Response:
        """It is promised at once, and done afterwards."""
        self.check(request)
        number = int(request.match_info["delivery"])
        sent = self._sent.get(number) if number in {known["id"] for known in self._kept()} else None
        if sent is None:
            raise web.HTTPNotFound(reason="Not Found")
        task = asyncio.create_task(self.deliver(sent.url, sent.event, sent.payload, sent.guid, again=True))
        self.redelivering.add(task)
        task.add_done_callback(self.redelivering.discard)
        return web.json_response({}, status=202)

    def _kept(self) -> list[Json]:
        oldest = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=KEPT)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return [known for known in self.deliveries if known["delivered_at"] > oldest]


def _client() -> tuple[str, str]:
    return f"Iv1.{secrets.token_hex(8)}", secrets.token_hex(20)


def _cursor(delivery: Json) -> str:
    return f"v1_{delivery['id']}"


def _mistakes(manifest: Json) -> list[str]:
    """What GitHub would say on its page."""
    hook = manifest.get("hook_attributes", {}).get("url", "")
    wrong = {
        "name": not 0 < len(manifest.get("name", "")) <= MAX_NAME,
        "url": not str(manifest.get("url", "")).startswith("https://"),
        "hook_attributes": URL(hook).scheme not in {"https", "http"},
        "callback_urls": not all(URL(url).absolute for url in manifest.get("callback_urls", [])),
        "redirect_url": not URL(manifest.get("redirect_url", "")).absolute,
        "default_events": not isinstance(manifest.get("default_events"), list),
        "default_permissions": not isinstance(manifest.get("default_permissions"), dict),
    }
    return [f"manifest: {name} is missing or wrong" for name, bad in wrong.items() if bad]
