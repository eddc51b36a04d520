"""The commands of the server: they run it, set it up, and look into its store. Each docstring is its command's help."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.said import FormatOption, ScanFormat, complain, fail, note

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from bot.config import Settings

app = typer.Typer()


@app.command()
def demo(
    base: Annotated[str | None, typer.Argument(metavar="[BASE]", help="With --repo: what to compare with.")] = None,
    head: Annotated[str | None, typer.Argument(metavar="[HEAD]", help="With --repo: the change.")] = None,
    repo: Annotated[
        Path | None, typer.Option("--repo", metavar="PATH", help="A git repository of yours, instead of the sample.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything up until Ctrl-C.")] = False,
) -> None:
    """Show the whole line on this machine: a signed webhook becomes a comment and a check run.

    Nothing leaves the machine: GitHub is a stand-in on 127.0.0.1. Everything else is real.

    Examples: `winparity demo`, `winparity demo --repo ../moby v28.0.0 v28.0.1`.
    """
    import asyncio

    from rich.console import Console

    from bot.demo.run import DemoError, sample_subject, subject_from
    from bot.demo.run import demo as run_demo
    from bot.log import set_up

    if len({given is None for given in (repo, base, head)}) > 1:
        fail("name --repo PATH together with BASE and HEAD, or none of them")
    subject = subject_from(repo, base, head) if repo and base and head else sample_subject
    set_up("console", quiet=True)
    try:
        asyncio.run(run_demo(subject, keep=keep, console=Console()))
    except DemoError as error:
        fail(f"the demo failed: {error}")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except asyncio.CancelledError:
        raise SystemExit(143) from None  # SIGTERM, as a shell reports it


@app.command()
def setup(
    org: Annotated[str, typer.Option(metavar="ORG", help="The organisation that is to own the app.")] = "",
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where GitHub reaches the server, or a channel of smee.io.")
    ] = "",
    env_file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Where the credentials go.", show_default="WINPARITY_ENV_FILE, or .env"),
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", help="The page's port.", show_default="a free one")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the credentials that are there.")] = False,
) -> None:
    """Register a GitHub App of your own in a few clicks, and write its credentials to a private .env.

    Examples: `winparity setup`, `winparity setup --org acme --url https://winparity.acme.example`.

    Without --url the page asks for it. docs/setup.md tells more: trying it out, GitHub Enterprise Server, undoing it.
    """
    import asyncio

    from rich.console import Console

    from bot.config import ConfigError
    from bot.log import set_up
    from bot.setup_console import at_console, prepared

    set_up("console", quiet=True)
    console = Console(emoji=False)
    try:
        plan = prepared(url, org, env_file, port, replace=replace)
        for warning in plan.warnings:
            complain(warning)
        left = asyncio.run(at_console(plan, browser=browser, console=console))
    except ConfigError as error:
        fail(str(error))
    except OSError as error:
        fail(
            "nobody came back from GitHub within an hour"
            if isinstance(error, TimeoutError)
            else f"cannot listen: {error.strerror}; choose another --port"
        )
    except KeyboardInterrupt:
        complain("stopped; nothing was written")
        raise SystemExit(130) from None
    console.print(left, highlight=False, markup=False, soft_wrap=True)


@app.command()
def replay(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The stored delivery; - for standard input.")],
    event: Annotated[
        str, typer.Option("--event", metavar="NAME", help="Its event, where the file does not say; push, for example.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be written to GitHub, and write nothing.")
    ] = False,
) -> None:
    """Run a stored delivery again, in this process.

    FILE holds what GitHub answers to `GET /app/hook/deliveries/ID`, or `headers` and `payload`, or a payload alone.
    Settings are those of the server.

    Examples: `winparity replay delivery.json --dry-run`, `winparity replay - --event pull_request < payload.json`.

    Exit codes: 0 it was run, 2 it cannot be, or it failed.
    """
    from rich.console import Console

    from bot.replay import ReplayError, delivery
    from bot.replay import replay as run

    settings = _server_settings()
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        found = delivery(text, event, settings)
        _in_store(run(settings, found, Console(emoji=False), dry_run=dry_run))
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8")
    except ReplayError as error:
        fail(f"{file} cannot be replayed: {error}")


@app.command()
def shadow(
    repo: Annotated[str, typer.Argument(metavar="[OWNER/NAME]", help="Of which repository; all are counted.")] = "",
    form: FormatOption = ScanFormat.TERMINAL,
) -> None:
    """What winparity would have shown where it is in shadow mode.

    Settings are those of the server, whose store has the record.

    Examples: `winparity shadow`, `winparity shadow moby/moby --format json`.
    """
    from rich.console import Console

    from bot.ids import Repo
    from bot.shadowed import show_records, show_repositories
    from bot.web import store

    async def read(settings: "Settings") -> None:
        async with store(settings) as url:
            console = Console(emoji=False)
            if repo:
                await show_records(url, Repo(repo), console, form.value)
            else:
                await show_repositories(url, console, form.value)

    try:
        Repo(repo or "any/any")
    except ValueError as error:
        fail(str(error))
    _in_store(read(_server_settings()))


@app.command()
def backfill(
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository.")],
) -> None:
    """Read a repository's releases and months again, for the dashboard.

    The first time that happens by itself. Settings are those of the server, whose workers do it: some revisions at a time,
    behind all else. The dashboard tells how far it is, and each revision takes the place of what was recorded of it.

    Example: `winparity backfill moby/moby`.
    """
    from bot.dashboard.recording import backfill as again
    from bot.ids import Repo
    from bot.web import store

    async def ask(settings: "Settings") -> None:
        if settings.dashboard == "off":
            fail("the dashboard is off: WINPARITY_DASHBOARD")
        async with store(settings) as url:
            if not await again(url, name):
                fail(
                    f"nothing is known of {name} yet: it begins with a push, or a pull request, where the app is installed"
                )
        note(f"{name} will be read again")

    try:
        name = Repo(repo)
    except ValueError as error:
        fail(str(error))
    _in_store(ask(_server_settings()))


@app.command()
def queue(
    retry: Annotated[
        str, typer.Option(metavar="DELIVERY", help="Try again what was given up; `all` is every one.")
    ] = "",
    drop: Annotated[str, typer.Option(metavar="DELIVERY", help="Forget what was given up; `all` is every one.")] = "",
    page: Annotated[bool, typer.Option("--page", help="Serve SAQ's page on 127.0.0.1 until Ctrl-C.")] = False,
    form: FormatOption = ScanFormat.TERMINAL,
) -> None:
    """How many jobs wait and run, and which were given up after several tries.

    Settings are those of the server, whose store has the queue.

    Examples: `winparity queue`, `winparity queue --retry all`, `winparity queue --format json`.
    """
    from rich.console import Console

    from bot.graves import open_graves, show_queue
    from bot.queue_page import queue_page
    from bot.web import stopping, store

    if sum(map(bool, (retry, drop, page))) > 1:
        fail("either --retry or --drop or --page")

    async def look(settings: "Settings") -> None:
        async with store(settings) as url:
            if page:
                async with queue_page(url) as address:
                    typer.echo(address)
                    await stopping().wait()
                return
            if wanted := retry or drop:
                opened = await open_graves(url, wanted, retry=bool(retry))
                if not opened and wanted != "all":
                    fail(f"there is no delivery {wanted[:100]} that was given up; `winparity queue` lists them")
                note(f"{len(opened)} {'tried again' if retry else 'forgotten'}")
            await show_queue(url, Console(emoji=False), form.value)

    _in_store(look(_server_settings()))


def _in_store(doing: "Coroutine[None, None, None]") -> None:
    """Do what needs the server's store."""
    import asyncio

    from redis.exceptions import RedisError

    from bot.valkey import EmbeddedError

    try:
        asyncio.run(doing)
    except EmbeddedError as error:
        fail(str(error))
    except RedisError as error:
        fail(f"the store is away ({type(error).__name__}); is REDIS_URL right?")


def _server_settings() -> "Settings":
    """The settings of the server, for what looks into its store. What goes wrong is said on stderr."""
    from bot.config import ConfigError, Settings, environment
    from bot.log import set_up

    try:
        settings = Settings.from_env(environment())
    except ConfigError as error:
        fail(f"settings are missing or wrong:\n{error}\nThey are those of the server (README.md, Settings)")
    set_up(settings.log, quiet=True)
    return settings


@app.command()
def serve(
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Also run jobs in this process.")] = True,
) -> None:
    """Receive webhooks, and run their jobs unless --no-worker.

    Settings come from the environment and from .env (README, "Settings"). Without REDIS_URL an embedded Valkey is
    started. Without an app's credentials a page is served on which one is registered.

    Example: `WINPARITY_APP_ID=1 WINPARITY_PRIVATE_KEY_FILE=key.pem WINPARITY_WEBHOOK_SECRET=… winparity serve`.
    """
    _run(web_server=True, worker=worker)


@app.command()
def worker() -> None:
    """Run jobs. Any number of workers on any number of machines may share one REDIS_URL.

    Example: `REDIS_URL=redis://store:6379 winparity worker`, with the settings of `winparity serve`.
    """
    _run(web_server=False, worker=True)


@app.command()
def health() -> None:
    """Whether the server or worker on this host is well: for a container's HEALTHCHECK.

    Web servers and workers give signs of life in the store, as long as all their parts run and it takes writes. Something
    has to run here, and all that runs has to have given one within the last 45 seconds.

    Example: `winparity health || systemctl restart winparity`.

    Exit codes: 0 well, 1 not.
    """
    import asyncio

    from redis.exceptions import RedisError

    from bot.config import ConfigError, Settings, environment
    from bot.health import look
    from bot.valkey import running

    well, lines = False, ["the store is away"]
    try:
        settings = Settings.from_env(environment())
        url = settings.redis_url.reveal() if settings.redis_url else running(settings.data_dir)
        if url is not None:
            well, lines = asyncio.run(look(url))
    except ConfigError:
        lines = ["settings are missing or wrong; `winparity doctor` names them"]
    except (RedisError, OSError) as error:
        lines = [f"the store is away ({type(error).__name__})"]
    typer.echo("\n".join(lines))
    raise typer.Exit(int(not well))


@app.command()
def doctor(
    form: FormatOption = ScanFormat.TERMINAL,
) -> None:
    """Look whether the server has all that it needs, and say what to do about what it lacks.

    It looks at the settings, the app on GitHub (key, permissions, events, installations, webhook, deliveries), the
    server's public address, the store, git and the data folder. It changes nothing, and prints no secret.

    Examples: `winparity doctor`, `winparity doctor --format json`.

    Exit codes: 0 no failures (there may be warnings), 1 failures, 2 usage.
    """
    import asyncio

    from rich.console import Console

    from bot.checks import Check, checks_json, show_check, show_sum
    from bot.doctor import examine
    from bot.log import set_up

    set_up("console", quiet=True)
    console = Console(emoji=False)

    async def run() -> list[Check]:
        checks = []
        async for check in examine():
            checks.append(check)
            if form is ScanFormat.TERMINAL:
                show_check(check, console)
        return checks

    checks = asyncio.run(run())
    if form is ScanFormat.JSON:
        typer.echo(json.dumps(checks_json(checks)))
    else:
        show_sum(checks, console)
    raise typer.Exit(int(any(check.level == "failure" for check in checks)))


def _run(*, web_server: bool, worker: bool) -> None:
    import asyncio

    from bot import private
    from bot.config import ConfigError, Settings, Unregistered, credentials, environment
    from bot.log import set_up
    from bot.valkey import EmbeddedError
    from bot.web import register_first, serve

    private.close()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            if web_server and not credentials(environment()):
                unregistered = Unregistered.from_env(environment())
                set_up(unregistered.log)
                if not runner.run(register_first(unregistered)):
                    return
            settings = Settings.from_env(environment())
            private.disinherit()
            set_up(settings.log)
            _warn_of_exposed_file()
            runner.run(serve(settings, web_server=web_server, worker=worker))
    except ConfigError as error:
        fail(
            f"settings are missing or wrong:\n{error}\n`winparity setup` registers an app and writes what it needs;"
            " README.md has the table of settings; `winparity demo` needs none."
        )
    except EmbeddedError as error:
        fail(str(error))
    except OSError as error:
        fail(
            f"cannot listen: {error.strerror}; set HOST and PORT, or WINPARITY_METRICS_HOST and WINPARITY_METRICS_PORT"
        )
    except ImportError as error:
        if error.name is None or not error.name.startswith("opentelemetry"):
            raise
        fail("OTEL_EXPORTER_OTLP_ENDPOINT needs the extra: pip install 'winparity[otel]'")


def _warn_of_exposed_file() -> None:
    import structlog

    from bot.config import env_file
    from bot.envfile import exposed

    if warning := exposed(env_file()):
        structlog.get_logger().warning(warning)


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """Uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
