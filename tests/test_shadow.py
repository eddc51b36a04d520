"""The shadow run (`make shadow`): that it walks pull requests, merged or squashed, as people see them."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import shadow as command

pytestmark = pytest.mark.slow

STUB = {
    "stats.go": "package a\n",
    "stats_linux.go": 'package a\n\nimport "os"\n\nfunc Stats() ([]byte, error) { return os.ReadFile("/x") }\n',
    "stats_windows.go": 'package a\n\nimport "errors"\n\nvar no = errors.New("not supported")\n\n'
    "func Stats() ([]byte, error) { return nil, no }\n",
}
REAL = 'package a\n\nimport "os"\n\nfunc Stats() ([]byte, error) { return os.ReadFile("x") }\n'


class History:
    """A repository whose commits are made by the names of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.test", "-c", "commit.gpgsign=false"]
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        whole = ["git", *who, "-C", str(self.folder), *arguments]
        subprocess.run(whole, check=True, env=environment, capture_output=True)

    def commit(self, message: str, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def merge(self, branch: str, message: str) -> None:
        self.git("merge", "-q", "--no-ff", "-m", message, branch)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The beginning, a merged pull request that was behind, and a squashed one."""
    history = History(tmp_path)
    history.commit("begin", {"stats.go": "package a\n"})
    history.git("checkout", "-q", "-b", "topic")
    history.commit("one", STUB)
    history.git("checkout", "-q", "main")
    history.commit("Meanwhile", {"other.go": "package a\n\nfunc Other() {}\n"})
    history.merge("topic", "Merge pull request #7 from x/topic\n\nAdd statistics")
    history.commit("Windows: read statistics (#8)", {"stats_windows.go": REAL})
    return tmp_path


def test_pull_requests_are_merges_and_squashed_commits(repo: Path) -> None:
    found = list(command.pulls(repo, "HEAD"))
    assert [(pull.number, pull.title) for pull in found] == [
        (8, "Windows: read statistics (#8)"),
        (7, "Add statistics"),
        (None, "Meanwhile"),
    ]
    squashed, merged, _ = found
    assert squashed.head == squashed.merge
    assert merged.head not in {merged.merge, merged.onto}


def test_it_says_where_the_bot_would_have_spoken(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jsonl = repo / "found.jsonl"
    assert command.main([str(repo), "2", "--jsonl", str(jsonl)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("#8 stub-resolved: Windows: read statistics (#8)\n#7 stub-added: Add statistics\n")
    assert "2 pull requests: would have spoken on 2 (100.0 %); 0 read in part, 0 not at all; " in printed
    lines = [json.loads(line) for line in jsonl.read_text(encoding="utf-8").splitlines()]
    # What came to main meanwhile is no part of the merged pull request.
    assert [[(f["rule"], f["symbol"], f["news"]) for f in line["findings"]] for line in lines] == [
        [("stub-resolved", "Stats", True)],
        [("stub-added", "Stats", True)],
    ]


def test_it_begins_where_it_is_told(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"{repo}@HEAD~1"]) == 0
    assert "2 pull requests: would have spoken on 1 (50.0 %)" in capsys.readouterr().out


def test_what_cannot_be_read_is_counted_and_named(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = History(repo)
    history.git("checkout", "-q", "--orphan", "other")
    history.commit("unrelated", {"stats.go": "package b\n"})
    history.git("checkout", "-q", "main")
    history.git("merge", "-q", "--no-ff", "--allow-unrelated-histories", "-s", "ours", "-m", "Merge", "other")
    assert command.main([str(repo), "1"]) == 0
    printed = capsys.readouterr().out
    assert "no common ancestor" in printed
    assert "1 pull request: would have spoken on 0 (0.0 %); 0 read in part, 1 not at all; " in printed


@pytest.mark.parametrize("place", ["no-such-folder", ".@no-such-revision"])
def test_a_wrong_place_is_said(place: str, repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(repo / place)]) == 2
    assert capsys.readouterr().err
