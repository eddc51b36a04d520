"""What `winparity doctor` asks GitHub about the app: its key, permissions, installations, webhook and deliveries."""

import datetime as dt
import http
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import aiohttp
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from yarl import URL

from bot.checks import Check, Level
from bot.config import Settings
from bot.github import JWT_BACKDATED, TIMEOUT, BusyError, GitHub, RefusedError
from bot.manifest import CALLBACK, WEBHOOK, is_loopback, lacking, registration
from bot.registration import App, Delivery, Grant, Hook, Registered

MIN_KEY_BITS = 2048
# Seconds by which clocks may differ before it is worth a word.
CLOCKS_DIFFER = 30.0
# Seconds for our own server to answer.
PATIENCE = aiohttp.ClientTimeout(total=10)
# Accounts that one line names.
MAX_NAMED = 5


async def check_app(settings: Settings) -> AsyncIterator[Check]:
    """Look at the app as GitHub has it. What needs something that failed is left out."""
    key = check_key(settings)
    if key is not None:
        yield key
        return
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        door = Registered(GitHub(session, settings))
        try:
            app = await door.app()
        except (BusyError, RefusedError) as error:
            yield _not_ours(error, door, settings)
            return
        page = settings_page(app, settings.git_url)
        owner = f" of {app.owner.name}" if app.owner else ""
        yield Check("app", "ok", f"{app.name} ({app.id}){owner}; the private key is its own")
        if (clock := _clock(door)) is not None:
            yield clock
        for check in _rights(app, page):
            yield check
        if settings.client_id:
            yield check_sign_in(app, settings, page)
        try:
            async for check in _life(door, session, app, page):
                yield check
        except (BusyError, RefusedError) as error:
            yield Check("github", "failure", str(error), "run winparity doctor again in a minute")


def check_key(settings: Settings) -> Check | None:
    """What is wrong with the private key by itself."""
    page = f"{settings.git_url}/settings/apps, or the organisation's"
    advice = f"generate one at {page}: the app, General, Private keys"
    try:
        key = load_pem_private_key(settings.private_key.reveal().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Check("app", "failure", "the private key cannot be read: it is damaged or has a password", advice)
    if not isinstance(key, RSAPrivateKey) or key.key_size < MIN_KEY_BITS:
        return Check("app", "failure", "the private key is none that GitHub made", advice)
    return None


def check_sign_in(app: App, settings: Settings, page: str) -> Check:
    """Whether people can sign in to the dashboard, as far as GitHub tells an app of that."""
    name = "sign-in"
    if app.client_id and app.client_id != settings.client_id:
        return Check(
            name, "failure", "WINPARITY_CLIENT_ID is not this app's", f"it is at {page}, with its client secret"
        )
    if not settings.public_url:
        return Check(
            name, "warning", "nobody can sign in to the dashboard", "set WINPARITY_PUBLIC_URL, docs/dashboard.md"
        )
    return Check(
        name, "ok", f"people come back to {settings.public_url}{CALLBACK}, which the app's Callback URL has to be"
    )


def settings_page(app: App, web: str) -> str:
    """Where the app's owner changes it."""
    slug = app.slug or app.html_url.rpartition("/")[2]
    if app.owner is not None and app.owner.slug:
        return f"{web}/enterprises/{app.owner.slug}/settings/apps/{slug}"
    if app.owner is not None and app.owner.type == "Organization":
        return f"{web}/organizations/{app.owner.login}/settings/apps/{slug}"
    return f"{web}/settings/apps/{slug}"


def _not_ours(error: BusyError | RefusedError, door: Registered, settings: Settings) -> Check:
    """GitHub did not say who we are."""
    if isinstance(error, BusyError):
        return Check("app", "failure", str(error), "see that this machine reaches WINPARITY_GITHUB_API_URL")
    if error.status == http.HTTPStatus.NOT_FOUND:
        message = f"{settings.api_url} knows no app {settings.app_id}"
        return Check("app", "failure", message, "compare WINPARITY_APP_ID with the app's page on GitHub")
    clock = _clock(door)
    if clock is not None and error.status == http.HTTPStatus.UNAUTHORIZED:
        return Check("app", "failure", f"GitHub does not take what we sign: {clock.message}", clock.advice)
    if error.status == http.HTTPStatus.UNAUTHORIZED:
        message = f"the private key is not, or not any more, one of app {settings.app_id}"
        return Check("app", "failure", message, "generate one on the app's page: General, Private keys")
    return Check("app", "failure", str(error), "see whether the app was suspended or deleted")


def _clock(door: Registered) -> Check | None:
    skew = door.clock_skew(dt.datetime.now(dt.UTC))
    if skew is None or abs(skew) < CLOCKS_DIFFER:
        return None
    message = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} GitHub's"
    return Check(
        "clock", "warning", message, f"synchronise it: more than {JWT_BACKDATED} s ahead and GitHub refuses us"
    )


def _rights(app: App, page: str) -> list[Check]:
    """The registered app against app.yml."""
    wanted = registration()
    found = []
    if missing := lacking(app.permissions, wanted["default_permissions"]):
        advice = f"add them at {page}/permissions, then accept them where it is installed"
        found.append(Check("permissions", "failure", f"it does not ask for {', '.join(missing)}", advice))
    else:
        found.append(Check("permissions", "ok", "all that app.yml names"))
    if unheard := [event for event in wanted["default_events"] if event not in app.events]:
        advice = f"tick them at {page}/permissions, Subscribe to events"
        found.append(Check("events", "failure", f"it is not told of {', '.join(unheard)}", advice))
    else:
        found.append(Check("events", "ok", "all that app.yml names"))
    return found


async def _life(door: Registered, session: aiohttp.ClientSession, app: App, page: str) -> AsyncIterator[Check]:
    """Where it is installed, and whether webhooks arrive."""
    for check in check_installations(await door.installations(), app):
        yield check
    try:
        hook = await door.hook()
    except RefusedError as error:
        if error.status != http.HTTPStatus.NOT_FOUND:
            raise
        hook = Hook()
    webhook = check_hook(hook, page)
    yield webhook
    if not hook.url:
        return
    deliveries = await door.deliveries()
    yield check_deliveries(deliveries, page)
    yield await _reach(session, hook.url, arrives=bool(deliveries) and _arrived(deliveries[0]))


def check_installations(grants: Sequence[Grant], app: App) -> list[Check]:
    """Where the app is installed, and whether its owner there granted what the app asks for now."""
    name = "installations"
    if not grants:
        return [Check(name, "failure", "it is installed nowhere", f"install it: {app.html_url}/installations/new")]
    # What the app does not ask for, nobody can grant.
    wanted = registration()["default_permissions"]
    asked = {
        permission: level for permission, level in wanted.items() if not lacking(app.permissions, {permission: level})
    }
    found = []
    for grant in grants:
        account = grant.account.name if grant.account else "somebody"
        if grant.suspended_at is not None:
            found.append(Check(name, "warning", f"{account} has suspended it", f"unsuspend it at {grant.html_url}"))
        elif missing := lacking(grant.permissions, asked):
            message = f"{account} has not granted {', '.join(missing)}"
            found.append(Check(name, "warning", message, f"its owner accepts them at {grant.html_url}"))
    if found:
        return found
    names = [grant.account.name if grant.account else "somebody" for grant in grants]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return [Check(name, "ok", ", ".join(names[:MAX_NAMED]) + more)]


def check_hook(hook: Hook, page: str) -> Check:
    """How the webhook is set."""
    name = "webhook"
    if not hook.url:
        return Check(name, "failure", "it has no address", f"set Webhook URL at {page}, and tick Active")
    if not hook.secret:
        return Check(name, "failure", "it has no secret", f"set one at {page}, the same as WINPARITY_WEBHOOK_SECRET")
    if hook.content_type != "json":
        return Check(name, "failure", "its content type is a form", f"choose application/json at {page}")
    url = URL(hook.url)
    if url.scheme != "https" and not is_loopback(url.host or ""):
        return Check(name, "warning", f"{hook.url} is sent in the clear", f"use https:// at {page}")
    if str(hook.insecure_ssl) not in {"0", "0.0"}:
        return Check(name, "warning", "GitHub does not verify our certificate", f"enable SSL verification at {page}")
    return Check(name, "ok", hook.url)


def check_deliveries(deliveries: Sequence[Delivery], page: str) -> Check:
    """How the last ones fared. Of one that was sent again, the last attempt counts."""
    name = "deliveries"
    latest = list({delivery.guid: delivery for delivery in reversed(deliveries)}.values())
    failed = [delivery for delivery in latest if not _arrived(delivery)]
    if not latest:
        # GitHub tells nobody whether a webhook is active.
        return Check(
            name, "ok", "none in the last days", f"if there should be some, see that Active is ticked at {page}"
        )
    if not failed:
        return Check(name, "ok", f"all of the last {len(latest)} arrived")
    counts = Counter(delivery.status_code for delivery in failed)
    kinds = ", ".join(f"{count} × {code or 'no answer'}" for code, count in counts.most_common())
    message = f"{len(failed)} of the last {len(latest)} failed: {kinds}"
    level: Level = "warning" if _arrived(deliveries[0]) else "failure"
    advice = f"what was answered, and Redeliver: {page}/advanced"
    if http.HTTPStatus.UNAUTHORIZED in counts:
        advice = f"401 is another secret: compare {page} with WINPARITY_WEBHOOK_SECRET; {advice}"
    return Check(name, level, message, advice)


def _arrived(delivery: Delivery) -> bool:
    return 200 <= delivery.status_code < 300


async def _reach(session: aiohttp.ClientSession, webhook: str, *, arrives: bool) -> Check:
    """Whether the server answers where GitHub looks for it. It may not be reachable from itself and still from there."""
    name, url = "server", URL(webhook)
    if url.path != WEBHOOK:
        return Check(name, "ok", f"behind {url.host}, which passes webhooks on; it cannot be asked from here")
    health = url.with_path("/healthz")
    try:
        async with session.get(health, timeout=PATIENCE, allow_redirects=False) as answer:
            status, ours = answer.status, await answer.content.read(8) == b"ok\n"
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        said = f"{health} does not answer ({type(error).__name__})"
    else:
        if status == 200 and ours:
            return Check(name, "ok", f"{health} answers")
        said = f"{health} answers {status}" if status != 200 else f"{health} is another server's"
    advice = "see that winparity serve runs, and what stands before it: DNS, certificate, proxy, firewall"
    if arrives:
        return Check(name, "warning", f"{said} to this machine, and the last webhook arrived", advice)
    return Check(name, "failure", said, advice)
