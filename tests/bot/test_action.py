"""action.yml: its steps' own scripts, run by bash as a runner does, in checkouts as actions/checkout leaves them."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.sample import commit, git, make_repository
from bot.ids import Sha
from tests.bot.conftest import NAME

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
# What would run if Python took modules from the checkout.
TRAPS = ("bot/__init__.py", "bot/cli.py", "analyzer.py", "pip.py", "venv.py", "json.py", "sitecustomize.py", "typer.py")
TRAP = "from pathlib import Path\nPath({!r}).touch()\n"

Json = dict[str, Any]


# A runner, as far as it matters here: contexts, expressions, files of outputs.


def evaluated(expression: str, contexts: Mapping[str, Any]) -> Any:
    """An expression's value (docs: "Evaluate expressions in workflows and actions"); what is not there is empty."""

    def known(name: str) -> Any:
        value: Any = contexts
        for part in name.split("."):
            value = value.get(part, "") if isinstance(value, Mapping) else ""
        return value

    words = re.findall(r"'[^']*'|[A-Za-z_][\w.-]*\(?|\|\||&&|==|!=|[(),]", expression)
    assert "".join(words) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", expression), "all of it is understood"
    operators = {"||": "or", "&&": "and"}
    python = " ".join(
        word
        if not word[0].isalpha() and word not in operators
        else operators.get(word) or (word if word.endswith("(") else f"known({word!r})")
        for word in words
    )
    names = {"known": known, "always": lambda: True, "format": lambda text, *values: text.format(*values)}
    return eval(python, {"__builtins__": {}}, names)  # noqa: S307 - our own file's expressions


def filled(text: str, contexts: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: str(evaluated(match[1], contexts)), text)


@dataclass
class Runner:
    """A job's machine.

    Attributes:
        workspace: where the repository is checked out.
        said: all that the steps wrote.
        outputs: of the action.
        code: the exit code of the step that failed, or 0.
        uploads: whether code scanning was given the findings, and what with.
    """

    folder: Path
    server: str
    workspace: Path
    said: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    code: int = 0
    upload: dict[str, str] | None = None

    def act(self, event_name: str, event: Json, sha: str = "", **inputs: str) -> None:
        """Run the action for an event."""
        defaults = {name: filled(given["default"], {"github": {}}) for name, given in ACTION["inputs"].items()}
        github = {
            "event_name": event_name,
            "event": event,
            "sha": sha,
            "ref": "refs/heads/main",
            "repository": "example/berth",
            "actor": "octocat",
            "workspace": str(self.workspace),
        }
        known = {**defaults, **{name.replace("_", "-"): value for name, value in inputs.items()}}
        steps: dict[str, Any] = {"python": {"outputs": {"python-path": sys.executable}}}
        contexts = {"github": github, "inputs": known, "steps": steps, "runner": {"temp": str(self.folder / "temp")}}
        (self.folder / "temp").mkdir(exist_ok=True)
        self.said, self.code, self.summary, self.upload = "", 0, "", None
        for step in STEPS:
            wanted = evaluated(step["if"], contexts) if "if" in step else True
            if not wanted or (self.code and "always()" not in step.get("if", "")):
                continue
            if "run" in step:
                steps[step["id"]] = {"outputs": self._run(step, contexts)}
            elif "upload-sarif" in step["uses"]:
                self.upload = {name: filled(value, contexts) for name, value in step["with"].items()}
        self.outputs = {name: filled(given["value"], contexts) for name, given in ACTION["outputs"].items()}

    def sarif(self) -> Json:
        known: Json = json.loads(Path(self.outputs["sarif-file"]).read_text(encoding="utf-8"))
        return known

    def _run(self, step: Json, contexts: Mapping[str, Any]) -> dict[str, str]:
        output, summary = self.folder / "output", self.folder / "summary"
        for file in (output, summary):
            file.write_text("")
        given = {name: filled(value, contexts) for name, value in step.get("env", {}).items()}
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "RUNNER_OS": "Linux",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_REPOSITORY": "example/berth",
            "GITHUB_SERVER_URL": self.server,
            **{name: os.environ[name] for name in os.environ if name.startswith("PIP_")},
            **given,
        }
        script = self.folder / "step.sh"
        script.write_text(step["run"])
        where = self.workspace / filled(step.get("working-directory", "."), contexts)
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
        self.said += done.stdout + done.stderr
        self.summary += summary.read_text()
        self.code = self.code or done.returncode
        return dict(cast("tuple[str, str]", line.split("=", 1)) for line in output.read_text().splitlines())


@dataclass
class Hosted:
    """The demo's repository on the stand-in; its main branch went on, and its pull request comes from a fork."""

    state: RepositoryState
    pull: PullState
    start: Sha
    main: Sha
    merge: Sha
    url: str

    def event(self, head_repo: str = "contributor/berth") -> Json:
        head, base = {"sha": self.pull.head, "repo": {"full_name": head_repo}}, {"sha": self.main}
        return {"pull_request": {"number": self.pull.number, "head": head, "base": base}}


@pytest.fixture
def hosted(standin: StandIn, tmp_path: Path) -> Hosted:
    folder = tmp_path / "hosted.git"
    start, head = make_repository(folder)
    git(folder, "update-ref", "-d", "refs/heads/restart-hung")
    tree = {"new_windows.go": "package berth\n\nfunc New() {}\n", "doc.go": "package berth\n"}
    main = commit(folder, tree, "main goes on, and is not this pull request's business", start)
    git(folder, "update-ref", "refs/heads/main", main)
    state = standin.add_repository(NAME, folder, 0, public=True)
    pull = standin.open_pull(NAME, "main", head, "contributor/berth")
    both = git(folder, "rev-parse", f"{head}^{{tree}}")
    merge = Sha(git(folder, "commit-tree", both, "-p", main, "-p", head, "-m", "Merge"))
    git(folder, "update-ref", "refs/pull/1/merge", merge)
    return Hosted(state, pull, start, main, merge, f"{standin.git_url}/Example/Berth")


@pytest.fixture
def runner(standin: StandIn, tmp_path: Path) -> Runner:
    """A machine on which the action's packages are there already: those that run this test."""
    made = Runner(tmp_path / "runner", standin.git_url, tmp_path / "runner" / "work")
    made.workspace.mkdir(parents=True)
    name = git(tmp_path, "hash-object", "--stdin", stdin=str(ROOT))
    folder = made.folder / "temp" / f"winparity-{name}" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)
    (folder.parent / "ready").touch()
    return made


def check_out(runner: Runner, hosted: Hosted, rev: str, *, depth: int = 1, token: str = "", path: str = ".") -> None:
    """As actions/checkout does it, with the commands of its log; the token is where it leaves it."""
    where = runner.workspace / path
    where.mkdir(parents=True, exist_ok=True)
    git(where, "init", "--quiet")
    git(where, "remote", "add", "origin", hosted.url)
    if token:
        basic = b64encode(f"x-access-token:{token}".encode()).decode()
        git(where, "config", "--local", f"http.{runner.server}/.extraheader", f"AUTHORIZATION: basic {basic}")
    flags = ("-c", "protocol.version=2", "fetch", "--no-tags", "--prune", "--no-recurse-submodules")
    if depth:
        git(where, *flags, f"--depth={depth}", "origin", f"+{rev}:refs/remotes/pull/1/merge")
    else:
        every = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        git(where, *flags, "origin", *every, f"+{rev}:refs/remotes/pull/1/merge")
    git(where, "checkout", "--quiet", "--force", "refs/remotes/pull/1/merge")


async def act(runner: Runner, event_name: str, event: Json, sha: str = "", **inputs: str) -> None:
    await asyncio.to_thread(runner.act, event_name, event, sha, **inputs)


# Pull requests.


async def test_a_pull_request_from_a_shallow_checkout(runner: Runner, hosted: Hosted) -> None:
    await asyncio.to_thread(check_out, runner, hosted, hosted.merge)
    settings = (runner.workspace / ".git" / "config").read_text()
    await act(runner, "pull_request", hosted.event(), hosted.merge)
    assert runner.code == 1
    assert re.search(r"^::error file=[\w/]+\.go,line=\d+,endLine=\d+,title=[\w-]+::", runner.said, re.MULTILINE)
    assert "new_windows.go" not in runner.said, "what main gained is not this pull request's"
    assert runner.outputs["verdict"] in {"regressed", "mixed"}
    assert int(runner.outputs["findings"]) == len(
        re.findall(r"^::(?:error|warning|notice) ", runner.said, re.MULTILINE)
    )
    assert runner.outputs["complete"] == "true"
    assert f"/example/berth/compare/{hosted.start}...{hosted.pull.head}" in runner.summary
    [run] = runner.sarif()["runs"]
    assert (run["properties"]["base"], run["properties"]["head"]) == (hosted.start, hosted.pull.head)
    assert run["tool"]["driver"]["semanticVersion"]
    assert (runner.workspace / ".git" / "config").read_text() == settings, "the checkout stays as it was"
    assert git(runner.workspace, "status", "--porcelain") == ""
    assert git(runner.workspace, "rev-parse", "HEAD") == hosted.merge


async def test_a_whole_checkout_fetches_nothing(runner: Runner, hosted: Hosted, standin: StandIn) -> None:
    await asyncio.to_thread(check_out, runner, hosted, hosted.merge, depth=0)
    before = len(standin.git_calls)
    await act(runner, "pull_request", hosted.event(), hosted.merge)
    assert runner.code == 1
    assert f"compare/{hosted.start}...{hosted.pull.head}" in runner.summary
    assert len(standin.git_calls) == before


async def test_a_checkout_in_a_folder(runner: Runner, hosted: Hosted) -> None:
    await asyncio.to_thread(check_out, runner, hosted, hosted.merge, path="some where")
    await act(runner, "pull_request", hosted.event(), hosted.merge, working_directory="some where")
    assert runner.code == 1
    assert runner.outputs["findings"]


@pytest.mark.parametrize(
    ("persisted", "given", "code"),
    [("right", "right", 1), ("", "right", 1), ("", "wrong", 2)],
)
async def test_a_private_repository(
    runner: Runner, hosted: Hosted, standin: StandIn, *, persisted: str, given: str, code: int
) -> None:
    token = standin.personal_token(NAME)
    known = {"right": token, "wrong": "ghs_wrong", "": ""}
    await asyncio.to_thread(check_out, runner, hosted, hosted.merge, token=known[persisted])
    hosted.state.public = False
    await act(runner, "pull_request", hosted.event(), hosted.merge, token=known[given])
    assert runner.code == code
    assert token not in runner.said
    assert ('"fetch-depth: 0"' in runner.said) == (code == 2)
    for secret in re.findall(r"^::add-mask::(.*)$", runner.said, re.MULTILINE):
        assert secret not in runner.said.replace(f"::add-mask::{secret}", ""), "a runner hides it from then on"


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("warning", 1), ("regression", 1), ("sometimes", 2)])
async def test_the_level_that_fails(runner: Runner, hosted: Hosted, fail_on: str, code: int) -> None:
    await asyncio.to_thread(check_out, runner, hosted, hosted.merge)
    await act(runner, "pull_request", hosted.event(), hosted.merge, fail_on=fail_on)
    assert runner.code == code
    assert bool(runner.outputs["verdict"]) == (code < 2)


# Other events.


async def test_a_merge_group_a_push_and_a_branch(runner: Runner, hosted: Hosted) -> None:
    head = hosted.pull.head
    for event_name, event, sha, inputs in (
        ("merge_group", {"merge_group": {"base_sha": hosted.start, "head_sha": head}}, head, {}),
        ("push", {"before": hosted.start, "after": head}, head, {}),
        ("workflow_dispatch", {}, head, {"base": "origin/main"}),
        ("workflow_dispatch", {}, "", {"base": hosted.start, "head": head}),
    ):
        shutil.rmtree(runner.workspace)
        await asyncio.to_thread(check_out, runner, hosted, head)
        await act(runner, event_name, event, sha, **inputs)
        assert (runner.code, runner.outputs["verdict"]) == (1, "mixed"), runner.said
        assert f"compare/{hosted.start}...{head}" in runner.summary


async def test_a_new_branch_has_nothing_to_be_compared_with(runner: Runner, hosted: Hosted) -> None:
    await asyncio.to_thread(check_out, runner, hosted, hosted.pull.head)
    await act(runner, "push", {"before": "0" * 40}, hosted.pull.head)
    assert runner.code == 0
    assert "::notice title=winparity::A new branch" in runner.said
    assert runner.outputs == dict.fromkeys(ACTION["outputs"], "")


@pytest.mark.parametrize(
    ("event", "inputs", "said"),
    [
        ({}, {}, "names nothing to compare with"),
        ({}, {"base": "--upload-pack=touch pwned"}, '"base" is no revision'),
        ({}, {"base": "main", "head": "-x"}, '"head" is no revision'),
        ({}, {"base": '"; touch pwned; "'}, "cannot fetch"),
        ({}, {"base": "$(touch pwned)`touch pwned`"}, "cannot fetch"),
        ({}, {"base": "main", "fail_on": '"; touch pwned; "'}, "Invalid value"),
        ({"before": "ext::sh -c touch% pwned"}, {}, "cannot fetch"),
    ],
)
async def test_no_input_becomes_a_command(
    runner: Runner, hosted: Hosted, *, event: Json, inputs: dict[str, str], said: str
) -> None:
    await asyncio.to_thread(check_out, runner, hosted, hosted.pull.head)
    await act(runner, "workflow_dispatch", event, hosted.pull.head, **inputs)
    assert runner.code == 2
    assert said in runner.said
    assert list(runner.folder.rglob("pwned")) == []


async def test_without_a_checkout_it_is_said(runner: Runner, hosted: Hosted) -> None:
    await act(runner, "pull_request", hosted.event(), hosted.merge)
    assert runner.code == 2
    assert "Run actions/checkout before" in runner.said


# What is not to happen.


def _with_traps(hosted: Hosted, folder: Path) -> Sha:
    trap = TRAP.format(str(folder / "executed"))
    tree = dict.fromkeys(TRAPS, trap) | {"a.go": "package a\n", "pip.conf": "[global]\nno-index = true\n"}
    return commit(hosted.state.git_dir, tree, "a pull request with traps", hosted.main)


async def test_nothing_of_the_checkout_is_executed(runner: Runner, hosted: Hosted) -> None:
    head = await asyncio.to_thread(_with_traps, hosted, runner.folder)
    await asyncio.to_thread(check_out, runner, hosted, head)
    await act(runner, "push", {"before": hosted.main}, head)
    assert runner.outputs["verdict"], runner.said
    assert not (runner.folder / "executed").exists()
    # So that this test can fail: the traps work.
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "bot.cli"], cwd=runner.workspace, capture_output=True, check=False
    )
    assert (runner.folder / "executed").exists()


@pytest.mark.slow
async def test_the_locked_packages_are_enough(runner: Runner, hosted: Hosted) -> None:
    shutil.rmtree(runner.folder / "temp")
    head = await asyncio.to_thread(_with_traps, hosted, runner.folder)
    await asyncio.to_thread(check_out, runner, hosted, head)
    await act(runner, "push", {"before": hosted.main}, head)
    if "Could not find a version" in runner.said and not os.environ.get("CI"):
        pytest.skip("the package index cannot be reached")
    assert runner.outputs["verdict"], runner.said
    assert not (runner.folder / "executed").exists()
    [run] = runner.sarif()["runs"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", run["tool"]["driver"]["semanticVersion"])


# Code scanning.


@pytest.mark.parametrize(
    ("sarif", "head_repo", "uploaded"),
    [("true", "example/berth", True), ("true", "contributor/berth", False), ("false", "example/berth", False)],
)
async def test_code_scanning_is_given_the_head_but_never_by_a_fork(
    runner: Runner, hosted: Hosted, *, sarif: str, head_repo: str, uploaded: bool
) -> None:
    await asyncio.to_thread(check_out, runner, hosted, hosted.merge)
    await act(runner, "pull_request", hosted.event(head_repo), hosted.merge, sarif=sarif)
    assert runner.code == 1
    assert (runner.upload is not None) == uploaded
    if runner.upload is not None:
        assert runner.upload["sarif_file"] == runner.outputs["sarif-file"]
        assert (runner.upload["ref"], runner.upload["sha"]) == ("refs/pull/1/head", hosted.pull.head)
