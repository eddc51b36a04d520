"""app.yml as GitHub takes it: what the app may do and is told, and the addresses of one server."""

import functools
import ipaddress
from pathlib import Path
from typing import Any

import yaml
from yarl import URL

from bot.ids import is_owner

# GitHub's limit for an app's name.
MAX_NAME = 34
MAX_ADDRESS = 500
# What GitHub takes a level to include.
LEVELS = ("read", "write", "admin")
WEBHOOK = "/webhook"
"""The path at which our server takes deliveries."""
CALLBACK = "/login/callback"
"""The path to which GitHub sends people back who sign in."""


@functools.cache
def registration() -> dict[str, Any]:
    """app.yml: of an installed package the copy inside it, else the one in the repository."""
    copy = Path(__file__).with_name("app.yml")
    file = copy if copy.exists() else Path(__file__).parents[1] / "app.yml"
    known: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return known


def manifest(webhook: str, redirect: str, org: str) -> dict[str, Any]:
    """The manifest of one server's app (docs.github.com, "Registering a GitHub App from a manifest").

    Args:
        webhook: where GitHub is to send deliveries.
        redirect: where the browser is to come back to.
        org: the organisation that is to own the app; empty for one's own account.
    """
    known = registration()
    # Names are unique on all of GitHub, so an organisation's own is more likely to be free.
    name = f"{known['name']}-{org}"[:MAX_NAME].rstrip("-_") if org else known["name"]
    hook = {**known["hook_attributes"], "url": webhook}
    ours = public_url(webhook)
    back = [f"{ours}{CALLBACK}"] if ours else []
    return {**known, "name": name, "hook_attributes": hook, "redirect_url": redirect, "callback_urls": back}


def public_url(webhook: str) -> str:
    """Where people reach the server that has a webhook's address; empty where something else passes webhooks on."""
    url = URL(webhook)
    return str(url.origin()) if url.path == WEBHOOK else ""


def webhook_url(text: str) -> str:
    """The webhook's URL for an address as a person gives it.

    One without a path is our server's, which takes deliveries at /webhook; one with a path is taken as it is, such as a
    channel of smee.io.

    Raises:
        ValueError: it is no address that GitHub could use; the message says why.
    """
    text = text.strip()
    if not text:
        raise ValueError("GitHub needs an address to send webhooks to.")
    if len(text) > MAX_ADDRESS or not text.isprintable() or " " in text:
        raise ValueError("This is no web address.")
    try:
        url = URL(text if "://" in text else f"https://{text}")
        host, _ = url.host, url.port
    except ValueError:
        raise ValueError("This is no web address.") from None
    if url.scheme not in {"http", "https"} or not host:
        raise ValueError("This is no web address: it must begin with https://.")
    if url.user is not None or url.password is not None or url.query_string or url.fragment:
        raise ValueError("The address must have no user name, no ? and no #.")
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError("It must begin with https://: webhooks hold what is in your repositories.")
    return str(url.with_path(WEBHOOK) if url.path in {"", "/"} else url)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def organisation(text: str) -> str:
    """An organisation's name as a person gives it; empty for none.

    Raises:
        ValueError: no organisation can have it.
    """
    name = text.strip().removeprefix("@")
    if name and not is_owner(name):
        raise ValueError("This is no organisation's name: it is the last part of its address on GitHub.")
    return name


def new_app_url(web: str, org: str) -> str:
    """Where GitHub takes a manifest."""
    return f"{web}/organizations/{org}/settings/apps/new" if org else f"{web}/settings/apps/new"


def lacking(granted: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """The permissions that are wanted and not granted, such as ``issues: write``. A higher level includes the lower."""
    return [f"{name}: {level}" for name, level in wanted.items() if _rank(granted.get(name)) < _rank(level)]


def _rank(level: str | None) -> int:
    return LEVELS.index(level) if level in LEVELS else -1
