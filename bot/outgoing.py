"""Tells the operator's receivers of regressions, in a form of our own or in Slack's. docs/alerts.md describes both."""

import hashlib
import hmac
import html
import http
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
import msgspec

from analyzer.model import Platform
from analyzer.names import platform_name
from bot.config import SLACK, Secret, Settings
from bot.events import AlertEvent
from bot.github import USER_AGENT
from bot.line import Line
from bot.markdown import short
from bot.regressions import Regression

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
"""Seconds for a receiver to answer. Its body is not read."""

SCHEMA = 1
"""The version of our own form."""

MAX_SHOWN = 10
"""Regressions that a message for people lists."""

MAX_NAME = 100
"""Characters of a name that such a message shows."""

_AGAIN = {http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS}


class ReceiverError(Exception):
    """A receiver did not take it now; a later try may succeed. Nothing in the text is secret."""


def receivers(settings: Settings) -> Mapping[str, Secret]:
    """The receivers' addresses, by a name that may be stored: it says nothing of an address, and lives as long."""
    return {hashlib.sha256(url.reveal().encode()).hexdigest()[:16]: url for url in settings.alert_urls}


def delivery(receiver: str, event_of: str, parts: tuple[str, ...]) -> str:
    """An id for what a receiver is told, the same whoever finds it again.

    Args:
        receiver: which one.
        event_of: the branch's subject and the action.
        parts: what names each of the regressions.
    """
    content = "\0".join([receiver, event_of, *sorted(parts)])
    return f"alert-{hashlib.sha256(content.encode()).hexdigest()[:32]}"


async def send(line: Line, event: AlertEvent) -> str:
    """Tell one receiver. Returns what was done.

    Raises:
        ReceiverError: it did not answer, or not now.
    """
    secret = receivers(line.settings).get(event.receiver)
    if secret is None:
        return "the receiver is not in the settings any more"
    address = secret.reveal()
    url = address.removeprefix(SLACK)
    body = _slack(event, line.settings.git_url) if url != address else _generic(event, line.settings.git_url)
    host = urlsplit(url).hostname
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Winparity-Delivery": event.delivery,
        "X-Winparity-Event": f"regression.{event.action}",
    }
    if line.settings.alert_secret is not None and url == address:
        headers["X-Winparity-Signature-256"] = signature(body, line.settings.alert_secret)
    try:
        async with line.github.session.post(
            url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        ) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        # Its words may hold the address, whose path is a secret.
        raise ReceiverError(f"{host} cannot be reached ({type(error).__name__})") from None
    if status in _AGAIN or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ReceiverError(f"{host} answered HTTP {status}")
    if status >= http.HTTPStatus.MULTIPLE_CHOICES:
        # A redirect would lead a signed alert to where nobody set it.
        return f"refused by {host}: HTTP {status}"
    return f"told {host}"


def signature(body: bytes, secret: Secret) -> str:
    """As GitHub signs its webhooks: SHA-256 of the raw body."""
    return "sha256=" + hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()


def _generic(event: AlertEvent, web: str) -> bytes:
    """Our own form. It holds nothing of the moment of sending: every attempt sends the same bytes."""
    page = f"{web}/{event.repo}"
    told = {
        "schema": SCHEMA,
        "id": event.delivery,
        "action": event.action,
        "repository": event.repo,
        "branch": event.branch,
        "target": event.target,
        "sha": event.tip,
        "time": event.time,
        "url": f"{page}/commit/{event.tip}",
        "issue": {"number": event.issue, "url": f"{page}/issues/{event.issue}"} if event.issue else None,
        "regressions": [_told(regression) for regression in event.regressions],
    }
    return msgspec.json.encode(told, enc_hook=str)


def _told(regression: Regression) -> dict[str, object]:
    return {
        "fingerprint": regression.fingerprint,
        "rule": regression.rule,
        "package": regression.package,
        "symbol": regression.symbol or None,
        "path": regression.path,
        "line": regression.line,
        "message": regression.message,
        "before": regression.before,
        "after": regression.after,
        "pulls": regression.pulls,
    }


def _slack(event: AlertEvent, web: str) -> bytes:
    """A message for people, as Slack's incoming webhooks take it."""
    page = f"{web}/{event.repo}"
    what = "support regressed on" if event.action == "opened" else "regressions are resolved on"
    branch = f"{_name(event.branch)} of {_name(event.repo)}"
    link = f"<{page}/issues/{event.issue}|the issue>" if event.issue else f"<{page}/commit/{event.tip}|the commit>"
    lines = [f"{platform_name(Platform(event.target))} {what} {branch}: see {link}"]
    for regression in event.regressions[:MAX_SHOWN]:
        subject = f"{_name(regression.symbol)} in " if regression.symbol else ""
        lines.append(f"• {subject}{_name(regression.path)} ({regression.rule})")
    if len(event.regressions) > MAX_SHOWN:
        lines.append(f"• {len(event.regressions) - MAX_SHOWN} more")
    return msgspec.json.encode({"text": "\n".join(lines), "unfurl_links": False})


def _name(text: str) -> str:
    """A text of unknown origin as code, in which neither Slack nor those who took over its form see a mention or link."""
    shown = short(text, MAX_NAME).replace("`", "'").replace("@", "@\u200b")
    return f"`{html.escape(shown, quote=False)}`"
