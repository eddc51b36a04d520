"""The `winparity` command: `bot.cli_compare` compares revisions, `bot.cli_repository` looks at one, `bot.cli_server` serves."""

import sys

import typer

from bot import cli_compare, cli_repository, cli_server
from bot.said import fail

app = typer.Typer(
    name="winparity",
    help="What Windows users gain or lose in a change of a Go project: stubs, lost code, build tags, tests.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(cli_compare.app)
app.add_typer(cli_repository.app)
app.add_typer(cli_server.app)


def main() -> None:
    """The console script: runs a command, and turns what a user can mend into one clear line."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
    except Exception as error:
        from bot.git import SourceError  # not before it is needed: it brings git and the whole analyzer

        if not isinstance(error, SourceError):
            raise
        fail(str(error))


if __name__ == "__main__":
    main()
