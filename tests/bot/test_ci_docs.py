"""What people copy into their CI: each file by its published schema, and what keeps strangers out of it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.sarif import sarif
from tests.bot.shapes import LOSS, analysis

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WORKFLOWS = [block for block in BLOCKS if "\njobs:\n" in block]
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")
# Commits of the actions that we name, as their tags were in November 2026.
PINNED = {
    "actions/checkout": "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "actions/setup-python": "5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0",
    "actions/upload-artifact": "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
    "actions/download-artifact": "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
    "github/codeql-action/upload-sarif": "8aad20d150bbac5944a9f9d289da16a4b0d87c1e # v4.36.2",
}


def _steps(text: str) -> list[dict[str, Any]]:
    known = yaml.safe_load(text)
    jobs = known["jobs"].values() if "jobs" in known else [known["runs"]]
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize(
    ("schema", "texts"),
    [
        ("vendor.github-actions", [ACTION]),
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.gitlab-ci", [block for block in BLOCKS if "CI_PIPELINE_SOURCE" in block]),
    ],
)
def test_each_is_as_its_schema_has_it(tmp_path: Path, schema: str, texts: list[str]) -> None:
    assert texts
    files = [tmp_path / f"{number}.yml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("text", "name"), [(PAGE, ".pre-commit-config.yaml"), ("", ".pre-commit-hooks.yaml")])
def test_pre_commits_files_are_as_it_wants_them(tmp_path: Path, text: str, name: str) -> None:
    [config] = [block for block in BLOCKS if "\nrepos:\n" in block]
    file = tmp_path / name
    file.write_text(config if text else (ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    kind = "validate-config" if text else "validate-manifest"
    command = [sys.executable, "-m", "pre_commit", kind, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("text", [ACTION, *WORKFLOWS], ids=lambda text: text.split("\n", 1)[0])
def test_what_a_stranger_writes_becomes_no_script_and_gets_no_token(text: str) -> None:
    for step in _steps(text):
        assert "${{" not in step.get("run", ""), "an expression in a script is whatever somebody wrote"
        if "uses" in step and not step["uses"].startswith("winparity/"):
            name, _, commit = step["uses"].partition("@")
            assert f"{name}@{PINNED[name]}" in text
            assert re.fullmatch(r"[0-9a-f]{40}", commit)
    if text != ACTION:
        known = yaml.safe_load(text)
        assert "pull_request_target" not in known[True]  # YAML 1.1 takes "on" for a truth value
        assert known["permissions"] in ({}, {"contents": "read"}, {"contents": "read", "security-events": "write"})
        if "workflow_run" in known[True]:
            assert not [step for step in _steps(text) if "checkout" in step.get("uses", "")]


def test_the_page_names_every_input_and_output() -> None:
    known = yaml.safe_load(ACTION)
    rows = re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE)
    assert rows == [*known["inputs"], *known["outputs"]]


SHA = "a" * 40
BRANCH = "x;touch pwned&head=other:main"


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq here; GitHub's Ubuntu has it")
@pytest.mark.parametrize(("head", "number"), [(SHA, "7"), ("b" * 40, "")])
def test_the_second_workflow_asks_github_which_pull_request_it_was(tmp_path: Path, head: str, number: str) -> None:
    [script] = [step["run"] for step in _steps(WORKFLOWS[-1]) if step.get("id") == "pull"]
    pulls = [{"number": 6, "head": {"sha": "c" * 40}}, {"number": 7, "head": {"sha": head}}]
    gh = tmp_path / "gh"
    gh.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/asked\necho '{json.dumps(pulls)}'\n")
    gh.chmod(0o755)
    known = {"REPO": "example/berth", "OWNER": "contributor", "BRANCH": BRANCH, "SHA": SHA}
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(tmp_path / "output"), **known}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "output").read_text() == f"number={number}\n"
    assert f"head=contributor:{BRANCH}" in (tmp_path / "asked").read_text().splitlines(), "it is one argument"
    assert not (tmp_path / "pwned").exists()


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq here; GitHub's Ubuntu has it")
@pytest.mark.parametrize(
    ("runs", "code"),
    [([sarif(analysis(LOSS))["runs"][0]], 0), ([], 1), ([{"tool": {"driver": {"name": "CodeQL"}}}], 1)],
    ids=["ours", "none", "another tool's"],
)
def test_the_second_workflow_takes_winparitys_findings_only(tmp_path: Path, runs: list[Any], code: int) -> None:
    [script] = [step["run"] for step in _steps(WORKFLOWS[-1]) if "jq --exit-status" in step.get("run", "")]
    (tmp_path / "winparity").mkdir()
    (tmp_path / "winparity" / "winparity.sarif").write_text(json.dumps({"runs": runs}), encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path)}
    done = subprocess.run(["bash", "-e", "-c", script], env=environment, capture_output=True, check=False)
    assert done.returncode == code
