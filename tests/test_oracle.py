"""The comparison of whole repositories with Go (`make oracle`): that it sees what differs, on a repository of our own."""

import copy
import os
import subprocess
from pathlib import Path

import pytest

from tests import oracle as command
from tests.analyzer.conftest import oracle  # noqa: F401 - a fixture

FILES = {
    "a.go": "package a\n\nfunc A() {}\n",
    "a_windows.go": "package a\n\ntype W struct{}\n\nfunc (*W) M() {}\n",
    "b/b.go": "// +build !windows\n\npackage b\n\nvar B, _ = 1, 2\n",
    "b/b_test.go": "package b\r\n",
    "b/vendor/v/v.go": "package v\n",
    "testdata/t.go": "package t\n",
    "_c/c.go": "package c\n",
    ".d/d.go": "package d\n",
    "e/README": "no Go\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(text.encode())
    # An archive or a checkout would obey this; the analyzer reads what is in git, and so must Go.
    (tmp_path / ".gitattributes").write_text("*.go text eol=crlf\na.go export-ignore\n")
    who = ["-c", "user.name=x", "-c", "user.email=x@example.test", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "x"]):
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, env=environment, capture_output=True)
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("oracle")
def test_a_repository_is_listed_as_go_lists_it(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"own={repo}", f"own={repo}@HEAD"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("own HEAD: 0 differences in 2 directories, 3 files on linux, ") == 2
    assert printed.endswith("\n0 differences\n")


def test_every_difference_is_a_line() -> None:
    line = {"dir": "a", "files": {"linux": ["a.go", "b.go"]}, "symbols": {"linux": ["func A"]}, "broken": []}
    other = copy.deepcopy(line)
    assert list(command.differences({"a": line}, {"a": other})) == []
    other["files"] = {"linux": ["a.go"], "windows": ["c.go"]}
    other["symbols"] = {"linux": ["func B"]}
    assert list(command.differences({"a": line}, {"a": other})) == [
        "a on linux: only Go has b.go",
        "a on windows: only winparity has c.go",
        "a on linux: only Go has func A",
        "a on linux: only winparity has func B",
    ]
    assert "a: only Go has the directory" in list(command.differences({"a": line}, {}))


@pytest.mark.parametrize("arguments", [[], ["no-path"]])
def test_bad_usage_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    assert "usage:" in capsys.readouterr().err
