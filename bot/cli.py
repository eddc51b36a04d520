"""The `winparity` command. Each command's docstring is its help."""

import json
import sys
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator
    from datetime import date

    from analyzer.model import Options, Share
    from bot.config import Actions, Settings
    from bot.facts import FactsStore
    from bot.ids import Sha
    from bot.repo_config import RepoConfig
    from bot.source import LocalRepository

app = typer.Typer(
    name="winparity",
    help="What Windows users gain or lose in a change of a Go project: stubs, lost code, build tags, tests.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

USAGE_ERROR = 2
"""The exit code for bad usage and for input that cannot be read (contract)."""


class DiffFormat(StrEnum):
    """What `diff` can print."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    SARIF = "sarif"
    GITHUB = "github"


class ScanFormat(StrEnum):
    """What `scan` can print."""

    TERMINAL = "terminal"
    JSON = "json"


class FailOn(StrEnum):
    """From which level on `diff` exits with 1."""

    REGRESSION = "regression"
    WARNING = "warning"
    NEVER = "never"


RepoOption = Annotated[
    Path, typer.Option("--repo", metavar="PATH", help="A git repository, bare or not.", show_default="this folder")
]


def main() -> None:
    """The console script: runs a command, and turns what a user can mend into one clear line."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
    except Exception as error:
        from bot.source import SourceError  # not before it is needed: it brings git and the whole analyzer

        if not isinstance(error, SourceError):
            raise
        fail(str(error))


def fail(message: str) -> NoReturn:
    """Say what is wrong on stderr and exit with 2."""
    from bot.markdown import visible

    lines = "\n".join(visible(line) for line in message.splitlines())
    _complain(lines)
    raise SystemExit(USAGE_ERROR)


def _complain(text: str) -> None:
    """One line on stderr, however long: a path in it can be copied."""
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True, emoji=False).print(f"[bold red]winparity:[/] {escape(text)}", highlight=False, soft_wrap=True)


def _note(text: str) -> None:
    """What is being done, for those who wait."""
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True, emoji=False).print(f"[dim]{escape(text)}[/]", highlight=False, soft_wrap=True)


@app.command()
def diff(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The revision to compare with, such as origin/main.")],
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The revision that holds the change.")],
    repo: RepoOption = Path(),
    format: Annotated[DiffFormat, typer.Option(help="What to print.")] = DiffFormat.TERMINAL,  # noqa: A002 - the option's name
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with 1 from this level on.", show_default="what the repository says, or regression"),
    ] = None,
    merge_base: Annotated[
        bool,
        typer.Option(
            "--merge-base/--no-merge-base", help="Compare with the merge base, as GitHub shows a pull request."
        ),
    ] = True,
) -> None:
    """What Windows users gain or lose from BASE to HEAD.

    Examples: `winparity diff origin/main HEAD`, `winparity diff --repo ../moby v28.0.0 v28.1.0 --format json`.

    `--format markdown` is the comment that the App would write, `sarif` is for code scanning and editors, `github` is
    for a step of GitHub Actions. Settings come from BASE's .github/winparity.yml.

    Exit codes: 0 nothing at or above the fail level, 1 findings, 2 usage or unreadable input.
    """
    from bot.config import Actions
    from bot.source import LocalRepository

    source = LocalRepository(repo)
    old, new = source.resolve(base), source.resolve(head)
    before = source.merge_base(old, new) if merge_base else old
    _compare(source, before, new, _settings(source, before), format, fail_on, Actions.from_env())


def _compare(
    source: "LocalRepository",
    base: "Sha",
    head: "Sha",
    config: "RepoConfig",
    form: DiffFormat,
    fail_on: FailOn | None,
    actions: "Actions",
) -> NoReturn:
    """Show what differs, and exit with what it means."""
    from rich.console import Console

    from analyzer import analyze
    from bot.around import around
    from bot.check import FAILS
    from bot.excerpt import sources
    from bot.formats import show

    snapshots = source.snapshots(base, head)
    options = config.options(_today(), _reader())
    analysis = analyze(*snapshots, options, around(source, *snapshots, options))
    show(analysis, form.value, Console(emoji=False), sources(*snapshots), config=config, actions=actions)
    bad = FAILS[fail_on.value if fail_on else config.fail_on]
    raise typer.Exit(int(any(finding.level in bad for finding in analysis.findings)))


@app.command()
def pr(
    pull: Annotated[str, typer.Argument(metavar="URL", help="The pull request's address, or OWNER/NAME#123.")],
    repo: Annotated[
        Path | None, typer.Option("--repo", metavar="PATH", help="A clone that has both sides: then none is fetched.")
    ] = None,
    format: Annotated[DiffFormat, typer.Option(help="What to print.")] = DiffFormat.TERMINAL,  # noqa: A002 - the option's name
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with 1 from this level on.", show_default="what the repository says, or regression"),
    ] = None,
) -> None:
    """What Windows users gain or lose by a pull request on GitHub. It writes nothing there.

    Examples: `winparity pr https://github.com/moby/moby/pull/12345`, `winparity pr moby/moby#12345 --format json`.

    GITHUB_TOKEN, or GH_TOKEN, is used where it is set; public repositories need none. For a GitHub Enterprise Server set
    WINPARITY_GITHUB_URL to its address.

    Exit codes: 0 nothing at or above the fail level, 1 findings, 2 usage or unreadable input.
    """
    import asyncio
    from dataclasses import replace

    from bot.config import Access, Actions, ConfigError, cache_folder
    from bot.pr import PullError, address, clones, sides
    from bot.source import LocalRepository

    try:
        access = Access.from_env()
        owner_name, number = address(pull, access.server)
        with clones(cache_folder()) as folder:
            where = folder if repo is None else LocalRepository(repo)
            found = asyncio.run(sides(access, owner_name, number, where, _note))
            _tell_problems(found.config, found.base)
            actions = replace(Actions.from_env(), repo=owner_name, server=access.server)
            _compare(found.source, found.base, found.head, found.config, format, fail_on, actions)
    except (ConfigError, PullError) as error:
        fail(str(error))


@app.command()
def hook(
    repo: RepoOption = Path(),
    base: Annotated[
        str, typer.Option(metavar="REV", help="What to compare with.", show_default="the remote's default branch")
    ] = "",
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with 1 from this level on.", show_default="what the repository says, or regression"),
    ] = None,
) -> None:
    """What Windows users gain or lose by what is about to be pushed: the hook of pre-commit.

    It compares as a pull request would: the branch as a whole with the default branch of the remote `upstream`, or of the
    one that is pushed to. By hand it judges HEAD.

    Example: `winparity hook --base origin/release-1.0`.
    """
    from bot.config import Actions, PreCommit
    from bot.hook import pushed
    from bot.source import LocalRepository

    source = LocalRepository(repo)
    before, head = pushed(source, PreCommit.from_env(), base)
    _compare(source, before, head, _settings(source, before), DiffFormat.TERMINAL, fail_on, Actions.from_env())


def _settings(source: "LocalRepository", rev: "Sha") -> "RepoConfig":
    """The repository's settings at a revision. What is wrong with them is said, and the defaults hold."""
    from bot import repo_config

    config = repo_config.read(source.file(rev, repo_config.PATH, repo_config.MAX_BYTES))
    _tell_problems(config, rev)
    return config


def _tell_problems(config: "RepoConfig", rev: "Sha") -> None:
    from bot.markdown import visible
    from bot.repo_config import PATH

    where = f"{config.file} at {rev[:12]}" if config.file == PATH else config.file
    for problem in config.problems:
        _complain(visible(f"{where}, {problem}"))
    if config.problems:
        _complain("so the defaults hold")


def _reader(share: "Share | None" = None) -> "FactsStore":
    """Reads files, and knows those that it has read before."""
    from bot.config import ConfigError, cache_folder
    from bot.facts import FactsStore

    try:
        return FactsStore(cache_folder(), share) if share else FactsStore(cache_folder())
    except ConfigError as error:
        fail(str(error))


def _keep_everything() -> None:
    """Nothing that a scan makes is garbage before its end, so none is looked for, and not at the end either."""
    import atexit
    import gc

    gc.disable()
    atexit.register(gc.freeze)


def _today() -> "date":
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


@app.command()
def scan(
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="The revision to look at.")] = "HEAD",
    repo: RepoOption = Path(),
    format: Annotated[ScanFormat, typer.Option(help="What to print.")] = ScanFormat.TERMINAL,  # noqa: A002 - the option's name
) -> None:
    """How much of each package Windows really has at REV.

    Examples: `winparity scan`, `winparity scan --repo ../moby v28.0.0 --format json`.
    """
    _keep_everything()
    from dataclasses import replace

    from analyzer import scan as scan_snapshot
    from bot.cores import on_two_cores
    from bot.markdown import visible
    from bot.output import parity_json
    from bot.source import LocalRepository

    source = LocalRepository(repo)
    commit = source.resolve(rev)
    options = replace(_settings(source, commit).options(_today(), _reader(on_two_cores)), share=on_two_cores)
    parity = scan_snapshot(source.snapshot(commit), options)
    if format is ScanFormat.JSON:
        typer.echo(json.dumps(parity_json(parity)))
        for entry in parity.unreadable:
            _complain(visible(f"could not read {entry.path}: {entry.reason}"))
        for finding in parity.accepting:
            _complain(visible(f"{finding.path}:{finding.line}: {finding.rule}: {finding.message}"))
    else:
        from rich.console import Console

        from bot.terminal import show_parity

        show_parity(parity, Console(emoji=False))


@app.command()
def files(
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="The revision to look at.")] = "HEAD",
    repo: RepoOption = Path(),
    goos: Annotated[
        str, typer.Option(metavar="GOOS,…", help="The systems to list for.")
    ] = "linux,windows,darwin,freebsd",
) -> None:
    """Which files and symbols each GOOS gets, one JSON line for each directory.

    Example: `winparity files --goos linux,windows | grep '"dir": "daemon"'`.
    """
    from analyzer.listing import list_files
    from analyzer.platforms import KNOWN_GOOS
    from bot.source import LocalRepository

    systems = [name.strip() for name in goos.split(",") if name.strip()]
    unknown = sorted(set(systems) - KNOWN_GOOS)
    if unknown or not systems:
        fail(f"unknown GOOS {', '.join(unknown) or goos!r}; Go knows {', '.join(sorted(KNOWN_GOOS))}")
    source = LocalRepository(repo)
    for line in list_files(source.snapshot(source.resolve(rev)), systems, _reader()):
        typer.echo(json.dumps({"dir": line.dir, "files": line.files, "symbols": line.symbols}))


@app.command()
def explain(
    what: Annotated[str, typer.Argument(metavar="RULE|SYMBOL", help="A rule's id; or F, T.M, or dir:F.")],
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="The revision to look at.")] = "HEAD",
    repo: RepoOption = Path(),
) -> None:
    """What a rule means; or what a symbol is on each platform, and why.

    Examples: `winparity explain stub-added`, `winparity explain --repo ../moby daemon:Daemon.ContainerStats`.
    """
    from rich.console import Console

    from analyzer.explain import explain as explanations
    from analyzer.explain import suggestions
    from bot.docs import PAGES
    from bot.excerpt import sources
    from bot.explain import show_explanation, show_page
    from bot.source import LocalRepository

    console = Console(emoji=False)
    if what in PAGES:
        show_page(what, console)
        return
    if "-" in what and ":" not in what:
        fail(f"there is no rule {what}{_did_you_mean(what, list(PAGES))}")
    source = LocalRepository(repo)
    commit = source.resolve(rev)
    options = _settings(source, commit).options(reader=_reader())
    snapshot = source.snapshot(commit)
    found = explanations(snapshot, what, options)
    if not found:
        fail(f"no symbol {what} at {commit[:12]}{_listed(suggestions(snapshot, what, options))}")
    for number, explanation in enumerate(found):
        if number:
            console.print()
        show_explanation(explanation, console, sources(snapshot, snapshot))


def _did_you_mean(word: str, known: list[str]) -> str:
    from difflib import get_close_matches

    return _listed(get_close_matches(word, known) or known)


def _listed(names: list[str]) -> str:
    return f"; did you mean {', '.join(names)}?" if names else ""


@app.command()
def blame(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="F, T.M, or dir:F.")],
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="The revision to look back from.")] = "HEAD",
    repo: RepoOption = Path(),
    format: Annotated[ScanFormat, typer.Option(help="What to print.")] = ScanFormat.TERMINAL,  # noqa: A002 - the option's name
) -> None:
    """Which commit made a symbol a stub on Windows, or implemented it there, along first parents.

    Examples: `winparity blame Daemon.ContainerStats`, `winparity blame --repo ../moby daemon:getSize v28.0.0`.
    """
    from rich.console import Console

    from bot.blame import History, blame_json, show_blame
    from bot.past import Past

    source = Past(repo)
    commit = source.resolve(rev)
    options = _settings(source, commit).options(reader=_reader())
    folder, name = _one_symbol(source, commit, symbol, options)
    with _progress() as progress:
        events = History(source, options, name, progress).events(commit, folder)
    if not events:
        fail(f"nothing declares {symbol} in the history of {commit[:12]}")
    if format is ScanFormat.JSON:
        typer.echo(json.dumps(blame_json(f"{folder}:{name}", commit, events, options), indent=2))
    else:
        show_blame(f"{folder}:{name}", events, options, Console(emoji=False))


def _one_symbol(source: "LocalRepository", commit: "Sha", wanted: str, options: "Options") -> tuple[str, str]:
    """The folder and the full name of what is meant. With a folder it need not be there any more."""
    from analyzer.explain import matching, suggestions
    from analyzer.reading import outlined
    from analyzer.symbols import packages

    folder, colon, name = wanted.rpartition(":")
    if colon:
        return folder.strip("/ ").removeprefix("./") or ".", name.strip()
    snapshot = source.snapshot(commit)
    found = matching(packages(snapshot, options, outlined), wanted)
    if not found:
        near = _listed(suggestions(snapshot, wanted, options))
        fail(f"no symbol {wanted} at {commit[:12]}{near}\nOf what is gone, name the folder too: dir:{wanted}")
    if len(found) > 1:
        fail(f"{wanted} may be any of {', '.join(f'{where}:{full}' for where, full in found)}; name one of them")
    return found[0]


@contextmanager
def _progress() -> "Iterator[Callable[[int, int], None]]":
    """A bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, emoji=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("commits")
        yield lambda done, total: bar.update(task, completed=done, total=total)


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
            _complain(warning)
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
        _complain("stopped; nothing was written")
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
    format: Annotated[ScanFormat, typer.Option(help="What to print.")] = ScanFormat.TERMINAL,  # noqa: A002 - the option's name
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
                await show_records(url, Repo(repo), console, format.value)
            else:
                await show_repositories(url, console, format.value)

    try:
        Repo(repo or "any/any")
    except ValueError as error:
        fail(str(error))
    _in_store(read(_server_settings()))


@app.command()
def queue(
    retry: Annotated[
        str, typer.Option(metavar="DELIVERY", help="Try again what was given up; `all` is every one.")
    ] = "",
    drop: Annotated[str, typer.Option(metavar="DELIVERY", help="Forget what was given up; `all` is every one.")] = "",
    format: Annotated[ScanFormat, typer.Option(help="What to print.")] = ScanFormat.TERMINAL,  # noqa: A002 - the option's name
) -> None:
    """How many jobs wait and run, and which were given up after several tries.

    Settings are those of the server, whose store has the queue.

    Examples: `winparity queue`, `winparity queue --retry all`, `winparity queue --format json`.
    """
    from rich.console import Console

    from bot.graves import open_graves, show_queue
    from bot.web import store

    if retry and drop:
        fail("either --retry or --drop, not both")

    async def look(settings: "Settings") -> None:
        async with store(settings) as url:
            if wanted := retry or drop:
                opened = await open_graves(url, wanted, retry=bool(retry))
                if not opened and wanted != "all":
                    fail(f"there is no delivery {wanted[:100]} that was given up; `winparity queue` lists them")
                _note(f"{len(opened)} {'tried again' if retry else 'forgotten'}")
            await show_queue(url, Console(emoji=False), format.value)

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
def doctor(
    format: Annotated[ScanFormat, typer.Option(help="What to print.")] = ScanFormat.TERMINAL,  # noqa: A002 - the option's name
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
            if format is ScanFormat.TERMINAL:
                show_check(check, console)
        return checks

    checks = asyncio.run(run())
    if format is ScanFormat.JSON:
        typer.echo(json.dumps(checks_json(checks)))
    else:
        show_sum(checks, console)
    raise typer.Exit(int(any(check.level == "failure" for check in checks)))


def _run(*, web_server: bool, worker: bool) -> None:
    import asyncio

    from bot.config import ConfigError, Settings, Unregistered, credentials, environment
    from bot.log import set_up
    from bot.valkey import EmbeddedError
    from bot.web import register_first, serve

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            if web_server and not credentials(environment()):
                unregistered = Unregistered.from_env(environment())
                set_up(unregistered.log)
                if not runner.run(register_first(unregistered)):
                    return
            settings = Settings.from_env(environment())
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
        fail(f"cannot listen: {error.strerror}; set HOST and PORT")


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


if __name__ == "__main__":
    main()
