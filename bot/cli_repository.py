"""The commands that look at one revision, or at the past; they need no server. Each docstring is its command's help."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli_common import RepoOption, cache_folder, reader, settings, today
from bot.said import USAGE_ERROR, FormatOption, ScanFormat, complain, fail, progress

if TYPE_CHECKING:
    from analyzer.model import Options
    from bot.ids import Sha
    from bot.source import LocalRepository

app = typer.Typer()


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


def _keep_everything() -> None:
    """Nothing that a scan makes is garbage before its end, so none is looked for, and not at the end either."""
    import atexit
    import gc

    gc.disable()
    atexit.register(gc.freeze)


@app.command()
def scan(
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="The revision to look at.")] = "HEAD",
    repo: RepoOption = Path(),
    form: FormatOption = ScanFormat.TERMINAL,
) -> None:
    """How much of each package Windows really has at REV.

    Examples: `winparity scan`, `winparity scan --repo ../moby v28.0.0 --format json`.
    """
    _keep_everything()
    from dataclasses import replace

    from analyzer import scan as scan_snapshot
    from bot.cores import on_two_cores
    from bot.markdown import visible
    from bot.output import json_line, parity_json
    from bot.source import LocalRepository

    source = LocalRepository(repo)
    commit = source.resolve(rev)
    options = replace(settings(source, commit).options(today(), reader(on_two_cores)), share=on_two_cores)
    parity = scan_snapshot(source.snapshot(commit), options, portables=form is ScanFormat.TERMINAL)
    if form is ScanFormat.JSON:
        typer.echo(json_line(parity_json(parity)))
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
    form: FormatOption = ScanFormat.TERMINAL,
) -> None:
    """What each route, command and gRPC method is worth on Windows at REV, and by which names people know it.

    Examples: `winparity features --repo ../moby`, `winparity features v28.0.0 --state refused --state silent`.
    """
    _keep_everything()
    from rich.console import Console

    from bot.feature_page import features_json, show_features
    from bot.feature_words import rows, standings
    from bot.output import json_line
    from bot.source import LocalRepository

    source = LocalRepository(repo)
    commit = source.resolve(rev)
    options = settings(source, commit).options(today(), reader())
    found = rows(standings(source.snapshot(commit), options).all(), [one.value for one in state or []])
    if form is ScanFormat.JSON:
        typer.echo(json_line(features_json(found, commit)))
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
    from bot.output import json_line
    from bot.source import LocalRepository

    systems = [name.strip() for name in goos.split(",") if name.strip()]
    unknown = sorted(set(systems) - KNOWN_GOOS)
    if unknown or not systems:
        fail(f"unknown GOOS {', '.join(unknown) or goos!r}; Go knows {', '.join(sorted(KNOWN_GOOS))}")
    source = LocalRepository(repo)
    for line in list_files(source.snapshot(source.resolve(rev)), systems, reader()):
        typer.echo(json_line({"dir": line.dir, "files": line.files, "symbols": line.symbols}))


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
    options = settings(source, commit).options(reader=reader())
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
    form: FormatOption = ScanFormat.TERMINAL,
) -> None:
    """Which commit made a symbol a stub on Windows, or implemented it there, along first parents.

    Examples: `winparity blame Daemon.ContainerStats`, `winparity blame --repo ../moby daemon:getSize v28.0.0`.
    """
    from rich.console import Console

    from bot.blame import History, blame_json, show_blame
    from bot.past import Past

    source = Past(repo)
    commit = source.resolve(rev)
    options = settings(source, commit).options(reader=reader())
    folder, name = _one_symbol(source, commit, symbol, options)
    with progress("looking at commits") as tell:
        events = History(source, options, name, tell).events(commit, folder)
    if not events:
        fail(f"nothing declares {symbol} in the history of {commit[:12]}")
    if form is ScanFormat.JSON:
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
    form: Annotated[HistoryFormat, typer.Option("--format", help="What to print.")] = HistoryFormat.TERMINAL,
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

    if form is HistoryFormat.TERMINAL and output is not None:
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
    options = settings(source, newest).options(reader=reader())
    with progress("measuring revisions") as tell:
        found = told.measure_all(source, revisions, options, cache_folder(), tell)
    if form is HistoryFormat.TERMINAL:
        from rich.console import Console

        told.show_history([one.point for one in found if one.point is not None], options, Console(emoji=False))
    else:
        _put(told.shown(found, options, form.value, name), output)
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
