"""The commands that compare two revisions, or a pull request's. Each docstring is its command's help."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot.cli_common import RepoOption, reader, settings, tell_problems, today
from bot.said import fail, note

if TYPE_CHECKING:
    from bot.config import Actions
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


class FailOn(StrEnum):
    """From which level on `diff` exits with 1."""

    REGRESSION = "regression"
    WARNING = "warning"
    NEVER = "never"


FormatOption = Annotated[DiffFormat, typer.Option("--format", help="What to print.")]
FailOnOption = Annotated[
    FailOn | None,
    typer.Option(help="Exit with 1 from this level on.", show_default="what the repository says, or regression"),
]


@app.command()
def diff(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The revision to compare with, such as origin/main.")],
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The revision that holds the change.")],
    repo: RepoOption = Path(),
    form: FormatOption = DiffFormat.TERMINAL,
    fail_on: FailOnOption = None,
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
    _compare(source, before, new, settings(source, before), form, fail_on, Actions.from_env(), patches=patch)


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
    options = config.options(today(), reader())
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
    form: FormatOption = DiffFormat.TERMINAL,
    fail_on: FailOnOption = None,
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
            tell_problems(found.config, found.base)
            actions = replace(Actions.from_env(), repo=owner_name, server=access.server)
            _compare(found.source, found.base, found.head, found.config, form, fail_on, actions)
    except (ConfigError, PullError) as error:
        fail(str(error))


@app.command()
def hook(
    repo: RepoOption = Path(),
    base: Annotated[
        str, typer.Option(metavar="REV", help="What to compare with.", show_default="the remote's default branch")
    ] = "",
    fail_on: FailOnOption = None,
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
    _compare(source, before, head, settings(source, before), DiffFormat.TERMINAL, fail_on, Actions.from_env())
