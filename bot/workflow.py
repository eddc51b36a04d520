"""Analysis as GitHub Actions' workflow commands, which become annotations of the files that they name.

A command is a line of the log that begins with ``::``. No text of ours can begin one by itself: line ends are escaped.
"""

from collections.abc import Iterator

from analyzer.model import Analysis, Finding, Level
from bot.markdown import MAX_MESSAGE
from bot.passages import headline
from bot.text import short, visible

_COMMANDS = {Level.REGRESSION: "error", Level.WARNING: "warning", Level.IMPROVEMENT: "notice"}


def workflow_commands(analysis: Analysis) -> Iterator[str]:
    """``diff --format github``: a line for each finding above a note, and one that sums up."""
    for finding in analysis.findings:
        if finding.level in _COMMANDS:
            yield _command(finding)
    for entry in analysis.unreadable:
        yield f"::warning title=unreadable::{_data(f'could not read {entry.path}: {entry.reason}')}"
    yield headline(analysis)


def _command(finding: Finding) -> str:
    """One annotation. What stands at base only, or in a file with an odd name, is annotated to no file but names it."""
    fields = {"title": finding.rule}
    message = finding.message
    if finding.side == "head" and visible(finding.path) == finding.path:
        fields = {"file": finding.path, "line": str(finding.line), "endLine": str(finding.end_line), **fields}
    else:
        message = f"{finding.path}:{finding.line}{' (base)' * (finding.side == 'base')}: {message}"
    named = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
    return f"::{_COMMANDS[finding.level]} {named}::{_data(message)}"


def _data(text: str) -> str:
    """A text as a command's message (actions/toolkit, escapeData): after `short` no line end is left in it."""
    return short(text, MAX_MESSAGE).replace("%", "%25")


def _property(text: str) -> str:
    """A text as one of its fields (actions/toolkit, escapeProperty)."""
    return visible(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
