"""The formats for other programs: SARIF by its published schema, GitHub's workflow commands, and source excerpts."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from rich.console import Console

from analyzer.model import Snapshot, SourceFile
from bot.config import Actions
from bot.docs import PAGES
from bot.excerpt import MAX_LINES, MAX_WIDTH, excerpt, sources
from bot.formats import show
from bot.ids import Repo
from bot.repo_config import RepoConfig
from bot.sarif import FINGERPRINT, sarif
from bot.terminal import show_analysis
from bot.workflow import workflow_commands
from tests.bot.openapi import UnavailableError, must_not_skip, sarif_schema
from tests.bot.shapes import GONE, HEAD, HOSTILE, HOSTILE_NAME, LOSS, SHAPES, analysis
from tests.conftest import Snapshots

LINUX = b'package volume\n\n// Free.\n\nvar x int\nfunc (s *Store) Free() error {\n\tsyscall.Statfs("\x1b[31m")\n}\n'
WINDOWS = b"package volume\n\n\n\n\nfunc (s *Store) Free() error {\n\treturn errors.New(`not supported`)\n}\n"


def _snapshot(**files: bytes) -> Snapshot:
    named = {f"volume/{name}.go": content for name, content in files.items()}
    return Snapshot(HEAD, {path: SourceFile(path, path, content) for path, content in named.items()})


SOURCES = sources(
    _snapshot(old_windows=b"\n" * 19 + b"func Gone() {}\n"), _snapshot(usage_windows=WINDOWS, usage_linux=LINUX)
)


def _console(width: int = 60, *, terminal: bool = True, colour: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    system = "standard" if colour else None
    return Console(file=out, width=width, emoji=False, force_terminal=terminal, color_system=system), out  # type: ignore[arg-type]


# The terminal.


def test_findings_stand_with_their_source(snapshots: Snapshots) -> None:
    console, out = _console(100)
    show_analysis(SHAPES["regressed"], console, SOURCES)
    snapshots.check("terminal.txt", out.getvalue())


def test_colour_is_in_the_code_and_no_control_character_of_it(snapshots: Snapshots) -> None:
    console, out = _console(colour=True)
    show_analysis(SHAPES["regressed"], console, SOURCES)
    assert "\x1b[94" in out.getvalue()
    assert '\x1b[31m"' not in out.getvalue()
    snapshots.check("terminal-colour.txt", out.getvalue())


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        (1, 1, ["1 │ a", "2 │ b"]),
        (2, 4, ["2 │ b", "3 │", "4 │ d"]),
        (1, 9, ["1 │ a", "2 │ b", "3 │", "4 │ d", "5 │ e", "  … 1 more line"]),
        (1, 4, ["1 │ a", "2 │ b", "3 │", "4 │ d"]),
        (6, 6, ["6 │ f"]),
        (99, 99, []),
    ],
)
def test_an_excerpt_has_a_few_lines(first: int, last: int, shown: list[str]) -> None:
    console, _ = _console()
    lines = [line.plain.rstrip() for line in excerpt(console, b"a\nb\n\nd\ne\nf\n", first, last)]
    assert lines == shown
    assert len(lines) <= MAX_LINES + 1


def test_a_line_is_cut_where_the_terminal_ends() -> None:
    for terminal, width in ((True, 40), (False, MAX_WIDTH)):
        console, _ = _console(40, terminal=terminal)
        [line, _] = excerpt(console, b"x" * 10**5 + b"\ny", 1, 1)
        assert width - 15 < len(line.plain) <= width - 4
        assert line.plain.endswith("…")


@settings(deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode), st.integers(1, 9))
def test_no_source_steers_the_terminal(source: bytes, first: int) -> None:
    console, _ = _console()
    for line in excerpt(console, source, first, first + 3):
        assert all(c.isprintable() for c in line.plain)


# SARIF.


@pytest.fixture(scope="session")
def schema() -> Any:
    try:
        return sarif_schema()
    except UnavailableError as error:
        if must_not_skip():
            raise
        return pytest.skip(str(error))


@pytest.mark.parametrize("shape", SHAPES)
def test_sarif_is_as_its_schema_has_it(schema: Any, shape: str) -> None:
    found = json.loads(json.dumps(sarif(SHAPES[shape])))
    assert [error.message for error in Draft7Validator(schema).iter_errors(found)] == []


def test_sarif_is_as_it_was(snapshots: Snapshots) -> None:
    found = sarif(SHAPES["accepted"])
    rules = found["runs"][0]["tool"]["driver"].pop("rules")
    for result in found["runs"][0]["results"]:
        del result["ruleIndex"]  # it changes with every new rule
    snapshots.check("sarif.json", json.dumps(found, indent=1) + "\n")
    assert [rule["id"] for rule in rules] == [*PAGES]
    assert all(rule["help"]["text"] and rule["fullDescription"]["text"] for rule in rules)


def test_sarif_knows_a_finding_again() -> None:
    [run] = sarif(SHAPES["mixed"])["runs"]
    for result, finding in zip(run["results"], SHAPES["mixed"].findings, strict=True):
        assert result["partialFingerprints"] == {FINGERPRINT: finding.fingerprint}
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == finding.rule


def test_no_text_is_a_link_in_sarif() -> None:
    [result] = sarif(analysis(HOSTILE))["runs"][0]["results"]
    assert "\\[x](http" in result["message"]["text"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[\w/%.~-]+", uri)


# GitHub Actions.


@pytest.mark.parametrize("shape", SHAPES)
def test_workflow_commands_are_as_they_were(snapshots: Snapshots, shape: str) -> None:
    snapshots.check(f"github-{shape}.txt", "\n".join(workflow_commands(SHAPES[shape])) + "\n")


def test_what_stands_at_base_only_is_annotated_to_no_file() -> None:
    [command, _] = workflow_commands(analysis(GONE))
    assert command.startswith("::error title=implementation-lost::volume/old_windows.go:20 (base): Store.Free")


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_becomes_a_command(path: str, message: str) -> None:
    for line in workflow_commands(analysis(replace(LOSS, path=path, message=message, symbol=message))):
        assert line.splitlines() in ([line], [])
    first = next(iter(workflow_commands(analysis(replace(LOSS, path=path, message=message)))))
    fields = first.removeprefix("::error ").partition("::")[0].split(",")
    assert [field.partition("=")[0] for field in fields] in (["file", "line", "endLine", "title"], ["title"])


# All of them.


@pytest.mark.parametrize(
    ("form", "first"), [("json", "{"), ("sarif", "{"), ("github", "::error"), ("markdown", "<!--")]
)
def test_the_result_and_nothing_else_is_on_stdout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str, first: str
) -> None:
    actions = Actions(Repo("example/berth"), "https://ghe.example", tmp_path / "summary.md")
    console, out = _console()
    for _ in range(2):
        show(SHAPES["mixed"], form, console, SOURCES, config=RepoConfig(), actions=actions)
    said = capsys.readouterr()
    assert said.out.startswith(first)
    assert (said.err, out.getvalue()) == ("", "")
    assert (tmp_path / "summary.md").exists() == (form == "github")
    if form == "markdown":
        assert "]: https://ghe.example/example/berth/blob/" in said.out
    if form == "github":
        assert (tmp_path / "summary.md").read_text().count("<!-- winparity -->") == 2


def test_a_summary_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    console, _ = _console()
    show(analysis(), "github", console, SOURCES, config=RepoConfig(), actions=Actions(summary=tmp_path))
    assert "cannot write the job summary" in capsys.readouterr().err


def test_what_actions_says_is_taken_when_it_makes_sense() -> None:
    known = {"GITHUB_REPOSITORY": "Moby/moby", "GITHUB_SERVER_URL": "https://ghe.example", "GITHUB_STEP_SUMMARY": "/x"}
    assert Actions.from_env(known) == Actions(Repo("moby/moby"), "https://ghe.example", Path("/x"))
    odd = {"GITHUB_REPOSITORY": f"a/{HOSTILE_NAME}", "GITHUB_SERVER_URL": "javascript:x"}
    assert Actions.from_env(odd) == Actions.from_env({}) == Actions()
