"""The hook of pre-commit, run by pre-commit itself and by git push."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config import PreCommit
from bot.demo.sample import commit, git
from bot.git import SourceError
from bot.hook import pushed
from bot.repo_config import PATH as SETTINGS
from bot.source import LocalRepository
from tests.bot.line import BASE, HARMLESS, LOST, Tree

ROOT = Path(__file__).parents[2]
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
CONFIG = ".pre-commit-config.yaml"


class Clone:
    """Somebody's clone, with the hook installed; origin has a main branch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.python_path = str(ROOT)
        origin = folder / "origin.git"
        origin.mkdir()
        git(origin, "init", "--quiet", "--bare", ".")
        git(origin, "update-ref", "refs/heads/main", commit(origin, BASE, "start"))
        git(folder, "clone", "--quiet", str(origin), str(self.folder))
        self.run("git", "checkout", "--quiet", "-b", "change")
        # The hook as it is published, but with the packages of this test, which need not be installed once more.
        known = {**HOOKS[0], "language": "system"}
        known["entry"] = known["entry"].replace("winparity", f"{sys.executable} -P -m bot.cli", 1)
        del known["minimum_pre_commit_version"]
        (self.folder / CONFIG).write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": [known]}]}))
        (self.folder / ".git" / "info" / "exclude").write_text(f"{CONFIG}\n")
        self.pre_commit("install", "--hook-type", "pre-push")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        who = {
            f"GIT_{role}_{what}": "demo@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent),
            "PRE_COMMIT_HOME": str(self.folder.parent / "pre-commit"),
            "PYTHONPATH": self.python_path,
            "WINPARITY_CACHE": "off",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{name: os.environ[name] for name in os.environ if name.startswith("PIP_")},
            **who,
        }
        return subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def pre_commit(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-P", "-m", "pre_commit", *words)

    def commit(self, tree: Tree) -> None:
        self.run("git", "rm", "-rq", ".")
        for path, text in tree.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.run("git", "add", "--all")
        assert self.run("git", "commit", "--quiet", "--allow-empty", "-m", "a change").returncode == 0

    def push(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("git", "push", *words, "origin", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_a_push_that_loses_something_is_stopped(clone: Clone) -> None:
    clone.commit(LOST)
    stopped = clone.push()
    assert stopped.returncode != 0
    assert "implementation-lost" in stopped.stdout + stopped.stderr
    clone.commit(BASE)
    assert clone.push().returncode == 0, "mended in a commit of its own"


def test_a_branch_counts_as_a_whole(clone: Clone) -> None:
    clone.commit(LOST)
    assert clone.push("--no-verify").returncode == 0
    clone.commit({**LOST, "README.md": "x\n"})
    assert clone.push().returncode != 0


def test_a_push_that_only_deletes_is_looked_at(clone: Clone) -> None:
    clone.commit({path: text for path, text in BASE.items() if path != "vol/free_windows.go"})
    assert clone.push().returncode != 0


def test_a_push_that_loses_nothing_goes_on(clone: Clone) -> None:
    clone.commit({**HARMLESS, SETTINGS: "fail_on: never\n"})
    assert clone.push().returncode == 0


def test_by_hand_head_is_judged_or_what_is_named(clone: Clone) -> None:
    clone.commit(LOST)
    by_hand = clone.pre_commit("run", "--hook-stage", "manual", "winparity")
    assert by_hand.returncode == 1
    assert "implementation-lost" in by_hand.stdout
    same = ("--from-ref", "HEAD", "--to-ref", "HEAD")
    assert clone.pre_commit("run", "--hook-stage", "manual", *same, "winparity").returncode == 0


def test_a_fork_is_compared_with_what_it_was_forked_from(clone: Clone) -> None:
    clone.commit(LOST)
    git(clone.folder, "update-ref", "refs/remotes/upstream/master", "HEAD")
    source, head = LocalRepository(clone.folder), git(clone.folder, "rev-parse", "HEAD")
    assert pushed(source, PreCommit(remote="origin")) == (head, head)
    git(clone.folder, "update-ref", "-d", "refs/remotes/upstream/master")
    main = git(clone.folder, "rev-parse", "origin/main")
    assert pushed(source, PreCommit(from_ref=head, remote="origin")) == (main, head)
    assert pushed(source, PreCommit(from_ref=head, remote="https://example.com/x")) == (main, head)
    assert pushed(source, PreCommit(remote="origin"), "HEAD") == (head, head)


def test_without_a_default_branch_the_remotes_own_state_counts(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", ".")
    first = commit(tmp_path, BASE, "first")
    second = commit(tmp_path, LOST, "second", first)
    source = LocalRepository(tmp_path)
    assert pushed(source, PreCommit(first, second, "origin")) == (first, second)
    with pytest.raises(SourceError, match="cannot tell the default branch"):
        pushed(source, PreCommit("", second, "origin"))


@pytest.mark.slow
def test_pre_commit_installs_and_runs_it(clone: Clone) -> None:
    clone.commit(LOST)
    clone.python_path = ""
    done = clone.pre_commit("try-repo", str(ROOT), "winparity", "--hook-stage", "manual", "--verbose")
    if "Could not find a version" in done.stdout + done.stderr and not os.environ.get("CI"):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "implementation-lost" in done.stdout
