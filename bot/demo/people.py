"""The stand-in's part about people: the page that asks them, tokens for codes, and what each of them may read.

As GitHub documents it in "Generating a user access token for a GitHub App", "Refreshing user access tokens" and "Delete an
app token".
"""

import base64
import hashlib
import hmac
import html
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from yarl import URL

if TYPE_CHECKING:
    from bot.demo.github import RepositoryState, StandIn

CODE_SECONDS = 600
TOKEN_SECONDS = 28_800
REFRESH_SECONDS = 15_897_600
# How a token begins that acts for a person (docs: "About authentication to GitHub").
_OF_PEOPLE = "ghu_"

Json = dict[str, Any]


@dataclass(frozen=True)
class _Asked:
    """What the page is asked for."""

    redirect_uri: str
    state: str
    challenge: str


@dataclass(frozen=True)
class _Code:
    asked: _Asked
    login: str
    ends: float


@dataclass
class People:
    """Accounts, the one whose browser it is, and their tokens.

    Attributes:
        standin: of which this is a part.
        browsing: who sits before the browser.
        agreed: who has said yes before, so that they are not asked.
        expiring: tokens end, as they do unless the app's owner opts out.
        exchanges: what the exchange was sent, and what it answered.
    """

    standin: "StandIn"
    browsing: str = "octocat"
    agreed: set[str] = field(default_factory=set)
    expiring: bool = True
    exchanges: list[tuple[Json, Json]] = field(default_factory=list)
    _accounts: dict[str, int] = field(default_factory=dict)
    _tickets: dict[str, _Asked] = field(default_factory=dict)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _refreshes: dict[str, tuple[str, str]] = field(default_factory=dict)

    # What the world does.

    def revoke(self, login: str) -> None:
        """Somebody takes the app's authorisation away: all their tokens are worthless."""
        self._tokens = {token: known for token, known in self._tokens.items() if known[0] != login}
        self._refreshes = {refresh: known for refresh, known in self._refreshes.items() if known[0] != login}

    def expire(self) -> None:
        """All tokens have ended. What they are refreshed with is good."""
        self._tokens = {token: (login, 0.0) for token, (login, _) in self._tokens.items()}

    @property
    def secrets(self) -> list[str]:
        """All that was given out and is nobody else's business."""
        given = [str(answer[name]) for _, answer in self.exchanges for name in answer if name.endswith("_token")]
        return [*given, *(str(sent.get("code_verifier")) for sent, _ in self.exchanges)]

    @property
    def tokens(self) -> list[str]:
        """Those that are still good for something."""
        return [*self._tokens]

    # What it is asked.

    def pages(self) -> list[web.RouteDef]:
        """What a browser sees, and the exchange, which is beside it."""
        return [
            web.get("/login/oauth/authorize", self._ask),
            web.post("/login/oauth/authorize", self._decide),
            web.post("/login/oauth/access_token", self._exchange),
        ]

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The API below a prefix."""
        return [
            web.get(prefix + "/user", self._get),
            web.get(prefix + "/user/installations", self._list_installations),
            web.get(prefix + "/user/installations/{installation}/repositories", self._list_repositories),
            web.delete(prefix + "/applications/{client}/token", self._delete_token),
        ]

    async def _ask(self, request: web.Request) -> web.Response:
        """The page that asks whether the app may act for who is signed in."""
        given, app = request.query, self.standin.app
        if given.get("client_id") != app.client_id:
            raise web.HTTPNotFound(reason="Not Found")
        back = given.get("redirect_uri", "")
        if back not in app.callback_urls:
            raise web.HTTPBadRequest(reason="The redirect_uri is not associated with this application.")
        if given.get("code_challenge") and given.get("code_challenge_method") != "S256":
            raise web.HTTPBadRequest(reason="code_challenge_method must be S256")
        asked = _Asked(back, given.get("state", ""), given.get("code_challenge", ""))
        if self.browsing in self.agreed:
            return self._send_back(asked)
        ticket = secrets.token_hex(8)
        self._tickets[ticket] = asked
        form = (
            f"<!doctype html><title>Authorize {html.escape(app.name)}</title><link rel=icon href=data:,>"
            f"<h1>{html.escape(app.name)} wants to act for {html.escape(self.browsing)}</h1>"
            f'<form method="post" action="/login/oauth/authorize"><input type="hidden" name="ticket" value="{ticket}">'
            '<button name="authorize" value="1">Authorize</button><button name="authorize" value="0">Cancel</button></form>'
        )
        return web.Response(text=form, content_type="text/html")

    async def _decide(self, request: web.Request) -> web.Response:
        """A button was pressed: the browser goes back with a code, or with an error."""
        form = await request.post()
        asked = self._tickets.pop(str(form["ticket"]))
        if form.get("authorize") == "1":
            return self._send_back(asked)
        denied = {"error": "access_denied", "error_description": "The user has denied your application access."}
        return _lead(URL(asked.redirect_uri).update_query(**denied, state=asked.state))

    def _send_back(self, asked: _Asked) -> web.Response:
        code = secrets.token_hex(10)
        self._codes[code] = _Code(asked, self.browsing, time.time() + CODE_SECONDS)
        return _lead(URL(asked.redirect_uri).update_query(code=code, state=asked.state))

    async def _exchange(self, request: web.Request) -> web.Response:
        """A token for a code, or for what refreshes one. Failures are answered 200, as GitHub does."""
        sent = {name: str(value) for name, value in (await request.post()).items()}
        answer = self._answer(sent)
        self.exchanges.append((sent, answer))
        return web.json_response(answer)

    def _answer(self, sent: Json) -> Json:
        app = self.standin.app
        if (sent.get("client_id"), sent.get("client_secret")) != (app.client_id, app.client_secret):
            return {"error": "incorrect_client_credentials"}
        if sent.get("grant_type") == "refresh_token":
            login, former = self._refreshes.pop(sent.get("refresh_token", ""), ("", ""))
            self._tokens.pop(former, None)
            return self._new(login) if login else {"error": "bad_refresh_token"}
        code = self._codes.pop(sent.get("code", ""), None)
        if code is None or code.ends < time.time():
            return {"error": "bad_verification_code"}
        if sent.get("redirect_uri") != code.asked.redirect_uri:
            return {"error": "redirect_uri_mismatch"}
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        proven = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if code.asked.challenge and not hmac.compare_digest(proven, code.asked.challenge):
            return {"error": "bad_verification_code"}
        return self._new(code.login)

    def _new(self, login: str) -> Json:
        token, refresh = f"{_OF_PEOPLE}{secrets.token_hex(18)}", f"ghr_{secrets.token_hex(38)}"
        self._tokens[token] = (login, time.time() + TOKEN_SECONDS if self.expiring else float("inf"))
        answer: Json = {"access_token": token, "scope": "", "token_type": "bearer"}
        if self.expiring:
            self._refreshes[refresh] = (login, token)
            ends = {"expires_in": TOKEN_SECONDS, "refresh_token_expires_in": REFRESH_SECONDS}
            answer |= {**ends, "refresh_token": refresh}
        return answer

    async def _delete_token(self, request: web.Request) -> web.Response:
        """The app itself gives a token up, and with it what refreshes it."""
        app = self.standin.app
        proof = base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {proof}":
            raise web.HTTPUnauthorized(reason="Requires authentication")
        token = (await request.json())["access_token"]
        if request.match_info["client"] != app.client_id or self._tokens.pop(token, None) is None:
            raise web.HTTPNotFound(reason="Not Found")
        self._refreshes = {refresh: known for refresh, known in self._refreshes.items() if known[1] != token}
        return web.Response(status=204)

    def _somebody(self, request: web.Request) -> str:
        """Whose token a request has."""
        login, ends = self._tokens.get(request.headers.get("Authorization", "").partition(" ")[2], ("", 0.0))
        if not login or ends < time.time():
            raise web.HTTPUnauthorized(reason="Bad credentials")
        return login

    async def _get(self, request: web.Request) -> web.Response:
        login = self._somebody(request)
        number = self._accounts.setdefault(login, 9000 + len(self._accounts))
        # Only the answer to oneself tells of the second factor.
        return web.json_response({"login": login, "id": number, "type": "User", "two_factor_authentication": True})

    def repository(self, request: web.Request) -> web.Response | None:
        """A repository as the person sees it whose token a request has; None for a request with no person's token."""
        if not request.headers.get("Authorization", "").partition(" ")[2].startswith(_OF_PEOPLE):
            return None
        login = self._somebody(request)
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        repo = self.standin.repositories.get(name.lower())
        if repo is None or not (repo.public or _reads(login, repo)):
            raise web.HTTPNotFound(reason="Not Found")
        return web.json_response(_view(repo))

    async def _list_installations(self, request: web.Request) -> web.Response:
        login = self._somebody(request)
        numbers = sorted({repo.installation for repo in self.standin.repositories.values() if _reads(login, repo)})
        found = [{"id": number, "app_id": self.standin.app.id} for number in numbers]
        return self.standin.page(request, found, "installations")

    async def _list_repositories(self, request: web.Request) -> web.Response:
        login, number = self._somebody(request), int(request.match_info["installation"])
        found = [
            _view(repo)
            for repo in self.standin.repositories.values()
            if repo.installation == number and _reads(login, repo)
        ]
        if not found:
            raise web.HTTPNotFound(reason="Not Found")
        return self.standin.page(request, found, "repositories")


def _reads(login: str, repo: "RepositoryState") -> bool:
    """Whether the app is installed there, and somebody was given the right to read it."""
    return bool(repo.installation) and repo.permissions.get(login.lower(), "none") != "none"


def _view(repo: "RepositoryState") -> Json:
    return {
        "id": repo.id,
        "name": repo.name.partition("/")[2],
        "full_name": repo.name,
        "private": not repo.public,
        "permissions": {"pull": True, "push": False, "admin": False},
    }


def _lead(url: URL) -> web.Response:
    return web.Response(status=302, headers={"Location": str(url)})
