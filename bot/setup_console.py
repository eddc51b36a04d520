"""`winparity setup`: the set-up page on this machine, opened from a terminal."""

import asyncio
import contextlib
import dataclasses
import shlex
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from yarl import URL

from bot import envfile
from bot.config import ConfigError, Unregistered, credentials, env_file, environment
from bot.manifest import WEBHOOK, organisation, webhook_url
from bot.markdown import visible
from bot.registration import Registration
from bot.setup import STATE_SECONDS, opened


@dataclass(frozen=True, slots=True)
class Plan:
    """What `winparity setup` is going to do.

    Attributes:
        settings: with the page's address on this machine.
        webhook: where GitHub is to send deliveries; empty to ask for it.
        org: who is to own the app; empty for one's own account, or to ask for it.
        replaces: the file's present credentials are to be replaced.
        warnings: what to say before.
    """

    settings: Unregistered
    webhook: str
    org: str
    replaces: bool
    warnings: tuple[str, ...]


def prepared(url: str, org: str, file: Path | None, port: int, *, replace: bool) -> Plan:
    """Check what the command line says.

    Args:
        url: where GitHub is to send deliveries; empty to ask for it.
        org: who is to own the app; empty for one's own account.
        file: where the credentials go; None for where they are read from.
        port: the page's; 0 for a free one.
        replace: the credentials that are there may go.

    Raises:
        ConfigError: something is wrong, or the file has credentials already.
    """
    target = (file or env_file()).absolute()
    settings = Unregistered.from_env(environment(file=target))
    try:
        webhook, owner = webhook_url(url) if url else "", organisation(org)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    known = envfile.read(target)
    if credentials(known) and not replace:
        app = known.get("WINPARITY_APP_ID", "unknown")
        raise ConfigError(f"{target} has the credentials of app {app}; with --replace they are lost")
    return Plan(
        dataclasses.replace(settings, env_file=target, host="127.0.0.1", port=port),
        webhook,
        owner,
        bool(credentials(known)),
        tuple(f"the environment sets {name}, which wins over {target}" for name in credentials()),
    )


async def at_console(plan: Plan, *, browser: bool, console: Console) -> str:
    """Open the page, and wait for what comes of it. Returns what is left to do, in words without a secret.

    Args:
        plan: as `prepared` made it.
        browser: open a browser.
        console: where to say what to do.

    Raises:
        ConfigError: the credentials could not be written.
        TimeoutError: nobody came back within an hour.
        OSError: the port is taken.
    """
    page = opened(plan.settings, webhook=plan.webhook, org=plan.org, replaces=plan.replaces)
    async with page as desk:
        said = f"Open this in a browser on this machine; it opens once:\n\n  {desk.address}\n"
        console.print(said, highlight=False, markup=False, soft_wrap=True)
        if browser:
            await asyncio.to_thread(_open_browser, desk.address)
        async with asyncio.timeout(STATE_SECONDS):
            made = await desk.done
    return _next_steps(made, desk.webhook, plan.settings.env_file)


def _open_browser(address: str) -> None:
    """Open a browser that has a window of its own: one that runs in the terminal would take it over."""
    with contextlib.suppress(webbrowser.Error):
        found = webbrowser.get()
        if type(found) is not webbrowser.GenericBrowser:
            found.open(address)


def _next_steps(made: Registration, webhook: str, file: Path) -> str:
    start = "winparity serve"
    if file != env_file():
        start = f"WINPARITY_ENV_FILE={shlex.quote(str(file))} {start}"
    steps = [f"install it on repositories: {visible(made.install_url)}", f"start the server: {start}"]
    if URL(webhook).host == "smee.io":
        steps.append(f"pass webhooks on: npx smee-client --url {webhook} --target http://127.0.0.1:8080{WEBHOOK}")
    lines = [
        f"{visible(made.name)} is registered. Its credentials are in {file}, which only you can read.",
        "",
        "Next:",
    ]
    return "\n".join([*lines, *(f"  {number}. {step}" for number, step in enumerate(steps, 1))])
