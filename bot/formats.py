"""What `winparity diff` prints, in each of its formats."""

import json
import sys
from pathlib import Path

from rich.console import Console

from analyzer.model import Analysis, Level
from bot.config import Actions
from bot.excerpt import Sources
from bot.output import analysis_json
from bot.repo_config import RepoConfig
from bot.report import render
from bot.sarif import sarif
from bot.terminal import show_analysis
from bot.workflow import workflow_commands


def show(
    analysis: Analysis,
    form: str,
    console: Console,
    sources: Sources,
    *,
    config: RepoConfig,
    actions: Actions,
    patches: bool = False,
) -> None:
    """Print an analysis.

    Args:
        analysis: what was found.
        form: ``terminal``, ``json``, ``markdown``, ``sarif`` or ``github``.
        console: for the terminal.
        sources: the source, for its excerpts.
        config: the repository's settings.
        actions: what GitHub Actions says of the step that this is.
        patches: in the terminal, show what to add for what is missing.
    """
    match form:
        case "json":
            _write(json.dumps(analysis_json(analysis), indent=2))
        case "markdown":
            _write(_markdown(analysis, config, actions))
        case "sarif":
            _write(json.dumps(sarif(analysis), indent=2))
        case "github":
            _write("\n".join(workflow_commands(analysis)))
            if actions.summary is not None:
                _append(actions.summary, _markdown(analysis, config, actions))
            if actions.output is not None:
                _append(actions.output, _outputs(analysis))
        case _:
            show_analysis(analysis, console, sources, patches=patches)


def _markdown(analysis: Analysis, config: RepoConfig, actions: Actions) -> str:
    """The comment as the bot would write it, also where it would keep silent: here it was asked for."""
    report = render(analysis, actions.repo, comment="always", web=actions.server, config=config, by_app=False)
    return report.comment or ""


def _outputs(analysis: Analysis) -> str:
    """What later steps may ask of this one. No text of a change is in it."""
    found = sum(finding.level is not Level.NOTE for finding in analysis.findings)
    return f"verdict={analysis.verdict}\nfindings={found}\ncomplete={str(analysis.complete).lower()}"


def _append(file: Path, text: str) -> None:
    """Add to the job's summary, or the step's outputs, which several commands of one step may share."""
    try:
        with file.open("a", encoding="utf-8") as shared:
            shared.write(text + "\n")
    except OSError as error:
        sys.stderr.write(f"winparity: cannot write {file.name} for GitHub Actions: {error.strerror}\n")


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
