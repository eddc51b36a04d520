"""The commands that read a git repository; they need no server and no settings. Each docstring is its command's help."""

import json
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot.said import USAGE_ERROR, ScanFormat, complain, fail, note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from analyzer.model import Options, Share
    from bot.config import Actions
    from bot.facts import FactsStore
    from bot.ids import Sha
    from bot.repo_config import RepoConfig
    from bot.source import LocalRepository

app = typer.Typer()


class DiffFormat(StrEnum):
    """What `diff` can print."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    SARIF = "sarif"
    GITHUB = "github"


class HistoryFormat(StrEnum):
    """What `history` can print."""

    TERMINAL = "terminal"
    JSON = "json"
    SVG = "svg"
    HTML = "html"


class FeatureState(StrEnum):
    """What `features` says of an entry."""

    WORKS = "works"
    PARTIAL = "partial"
    REFUSED = "refused"
    SILENT = "silent"
    UNKNOWN = "unknown"


class FailOn(StrEnum):
    """From which level on `diff` exits with 1."""

    REGRESSION = "regression"
    WARNING = "warning"
    NEVER = "never"


RepoOption = Annotated[
    Path, typer.Option("--repo", metavar="PATH", help="A git repository, bare or not.", show_default="this folder")
]


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
    patch: Annotated[
        bool, typer.Option("--patch", help="In the terminal, show what to add for what is missing, for `git apply`.")
    ] = False,
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
    _compare(source, before, new, _settings(source, before), format, fail_on, Actions.from_env(), patches=patch)


def _compare(
    source: "LocalRepository",
    base: "Sha",
    head: "Sha",
    config: "RepoConfig",
    form: DiffFormat,
    fail_on: FailOn | None,
    actions: "Actions",
    *,
    patches: bool = False,
) -> NoReturn:
    """Show what differs, and exit with what it means."""
    from rich.console import Console

    from analyzer import analyze
    from bot.affected import affected
    from bot.around import around
    from bot.check import FAILS
    from bot.excerpt import sources
    from bot.formats import show

    snapshots = source.snapshots(base, head)
    options = config.options(_today(), _reader())
    analysis = affected(source, analyze(*snapshots, options, around(source, *snapshots, options)), options)
    console = Console(emoji=False)
    show(analysis, form.value, console, sources(*snapshots), config=config, actions=actions, patches=patches)
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
            found = asyncio.run(sides(access, owner_name, number, where, note))
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
        complain(visible(f"{where}, {problem}"))
    if config.problems:
        complain("so the defaults hold")


def _reader(share: "Share | None" = None) -> "FactsStore":
    """Reads files, and knows those that it has read before."""
    from bot.facts import FactsStore

    return FactsStore(_cache_folder(), share) if share else FactsStore(_cache_folder())


def _cache_folder() -> Path | None:
    from bot.config import ConfigError, cache_folder

    try:
        return cache_folder()
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
    parity = scan_snapshot(source.snapshot(commit), options, portables=format is ScanFormat.TERMINAL)
    if format is ScanFormat.JSON:
        typer.echo(json.dumps(parity_json(parity)))
        for entry in parity.unreadable:
            complain(visible(f"could not read {entry.path}: {entry.reason}"))
        for finding in parity.accepting:
            complain(visible(f"{finding.path}:{finding.line}: {finding.rule}: {finding.message}"))
    else:
        from rich.console import Console

        from bot.terminal import show_parity

        show_parity(parity, Console(emoji=False))


@app.command()
def features(
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="The revision to look at.")] = "HEAD",
    repo: RepoOption = Path(),
    state: Annotated[list[FeatureState] | None, typer.Option(help="Only those; may be given several times.")] = None,
    format: Annotated[ScanFormat, typer.Option(help="What to print.")] = ScanFormat.TERMINAL,  # noqa: A002 - the option's name
) -> None:
    """What each route, command and gRPC method is worth on Windows at REV, and by which names people know it.

    Examples: `winparity features --repo ../moby`, `winparity features v28.0.0 --state refused --state silent`.
    """
    _keep_everything()
    from rich.console import Console

    from bot.feature_page import features_json, show_features
    from bot.feature_words import rows, standings
    from bot.source import LocalRepository

    source = LocalRepository(repo)
    commit = source.resolve(rev)
    options = _settings(source, commit).options(_today(), _reader())
    found = rows(standings(source.snapshot(commit), options).all(), [one.value for one in state or []])
    if format is ScanFormat.JSON:
        typer.echo(json.dumps(features_json(found, commit)))
    else:
        show_features(found, Console(emoji=False))


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
    what: Annotated[
        str,
        typer.Argument(
            metavar="RULE|SYMBOL|FEATURE|MODULE",
            help="A rule's id; F, T.M, or dir:F; a route, a docker command, a method of Docker.DotNet, a cmdlet; "
            "or an import path.",
        ),
    ],
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="The revision to look at.")] = "HEAD",
    repo: RepoOption = Path(),
) -> None:
    """What a rule means; what a symbol is on each platform, and why; what a feature or a module is worth on Windows.

    Examples: `winparity explain stub-added`, `winparity explain --repo ../moby daemon:Daemon.ContainerStats`,
    `winparity explain --repo ../moby "docker diff"`, `winparity explain "POST /containers/{id}/pause"`,
    `winparity explain github.com/Microsoft/hcsshim`: what Windows' code uses of it, and which features rest on that.
    """
    from rich.console import Console

    from analyzer.dependency import is_import_path
    from analyzer.explain import explain as explanations
    from analyzer.explain import suggestions
    from analyzer.impact import Impact
    from analyzer.resting import rests
    from bot.docs import PAGES
    from bot.excerpt import sources
    from bot.explain import show_explanation, show_page
    from bot.feature_answer import explain_feature, is_name, show_reach_of
    from bot.features import table
    from bot.module_page import show_rests
    from bot.source import LocalRepository

    console = Console(emoji=False)
    if what in PAGES:
        show_page(what, console)
        return
    if "-" in what and ":" not in what and not (is_name(what) or is_import_path(what)):
        fail(f"there is no rule {what}{_did_you_mean(what, list(PAGES))}")
    source = LocalRepository(repo)
    commit = source.resolve(rev)
    options = _settings(source, commit).options(reader=_reader())
    snapshot = source.snapshot(commit)
    if is_import_path(what):
        show_rests(what, rests(Impact(snapshot, options), what), console, options)
        return
    found = () if is_name(what) else explanations(snapshot, what, options)
    if not found and (trouble := explain_feature(what, source, snapshot, options, console)):
        if is_name(what) or table().find(what):
            fail(trouble)
        fail(f"no symbol {what} at {commit[:12]}{_listed(suggestions(snapshot, what, options))}")
    for number, explanation in enumerate(found):
        if number:
            console.print()
        show_explanation(explanation, console, sources(snapshot, snapshot))
    if found:
        show_reach_of(found, snapshot, options, console)


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


@app.command()
def history(
    revs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REV…]", help="Revisions to measure.", show_default="releases and months"),
    ] = None,
    repo: RepoOption = Path(),
    releases: Annotated[
        bool, typer.Option("--releases/--no-releases", help="Each release by its tag, release candidates left out.")
    ] = True,
    months: Annotated[
        bool, typer.Option("--months/--no-months", help="The last commit of each month, along first parents.")
    ] = True,
    head: Annotated[str, typer.Option("--head", metavar="REV", help="The branch whose months count.")] = "HEAD",
    since: Annotated[
        str, typer.Option(metavar="DAY|REV", help="Nothing older, such as 2020, 2020-06-30 or v1.10.0.")
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="What the picture calls the repository.")] = "",
    format: Annotated[HistoryFormat, typer.Option(help="What to print.")] = HistoryFormat.TERMINAL,  # noqa: A002 - the option's name
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there instead.")] = None,
) -> None:
    """How Windows parity went over many revisions: all releases, and a commit for each month.

    A package that is the same in two revisions, with all that it imports, is judged once, so a further revision costs
    what changed in it. What is measured is kept in the cache folder: after Ctrl-C the same command goes on.

    Examples: `winparity history`, `winparity history v1.0.0 v1.1.0 HEAD`,
    `winparity history --repo ../moby --no-months --since v1.10.0 --format svg --output history.svg`.

    `svg` is a picture for a README, `html` a page with the picture and all numbers, `json` is for programs.

    Exit codes: 0 measured, 2 usage, or a revision could not be read; the others are printed all the same.
    """
    from bot.dashboard import history as told
    from bot.dashboard.revisions import Revisions, moment

    if format is HistoryFormat.TERMINAL and output is not None:
        fail("--output is for json, svg and html")
    source = Revisions(repo)
    newest = source.resolve(revs[-1] if revs else head)
    if revs:
        revisions = told.chosen(source, revs)
    else:
        begin = moment(repo, since) if since else 0
        plan = source.plan(newest, releases=releases, months=months, since=begin)
        revisions = [*plan.revisions]
        if months and newest not in {about.rev for about in revisions}:
            revisions.append(source.about(newest))
        for tag, why in plan.left_out:
            complain(f"left out {tag}: {why}")
    if not revisions:
        fail("there is no release and no month here; name revisions")
    options = _settings(source, newest).options(reader=_reader())
    with told.progress("measuring revisions") as tell:
        found = told.measure_all(source, revisions, options, _cache_folder(), tell)
    if format is HistoryFormat.TERMINAL:
        from rich.console import Console

        told.show_history([one.point for one in found if one.point is not None], options, Console(emoji=False))
    else:
        _put(told.shown(found, options, format.value, name), output)
    troubles = [one for one in found if one.trouble]
    for one in troubles:
        complain(f"{one.about.name or one.about.rev[:12]}: {one.trouble}")
    raise typer.Exit(USAGE_ERROR if troubles else 0)


def _put(shown: str, output: Path | None) -> None:
    if output is None:
        typer.echo(shown, nl=False)
        return
    try:
        output.write_text(shown, encoding="utf-8")
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")


@contextmanager
def _progress() -> "Iterator[Callable[[int, int], None]]":
    """A bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, emoji=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("commits")
        yield lambda done, total: bar.update(task, completed=done, total=total)
