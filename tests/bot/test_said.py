"""How far something long is: the same for every command, and nothing but plain lines where nobody sits before a terminal."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bot import said
from bot.demo.sample import commit, git

ROOT = Path(__file__).parents[2]
# Every step is told, as if each took long.
PROGRAM = "import bot.said; bot.said.TELL_EVERY = -1.0; from bot.cli import main; main()"
REAL = "package vol\n\nfunc Free(name string) error {\n\treturn work(name)\n}\n"
STUB = "package vol\n\nfunc Free(name string) error {\n\treturn nil\n}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "x.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    tip = ""
    for number in range(6):
        tree = {"vol/f_linux.go": REAL, "vol/f_windows.go": STUB if number % 2 else REAL}
        tip = commit(folder, tree, f"number {number}", tip)
        git(folder, "update-ref", f"refs/tags/v1.{number}.0", tip)
    git(folder, "update-ref", "refs/heads/main", tip)
    return folder


def _command(repository: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *words, "--repo", str(repository)]


def _environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "WINPARITY_CACHE": "off", "PYTHONDONTWRITEBYTECODE": "1", **more}


COMMANDS = [
    (("blame", "vol:Free", "main"), "looking at commits"),
    (("history", "--head", "main"), "measuring revisions"),
]


@pytest.mark.parametrize(("words", "told"), COMMANDS)
@pytest.mark.parametrize("more", [{}, {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}])
def test_without_a_terminal_it_is_told_in_plain_lines(
    repository: Path, words: tuple[str, ...], told: str, more: dict[str, str]
) -> None:
    done = subprocess.run(
        _command(repository, *words), capture_output=True, env=_environment(**more), cwd=ROOT, check=True
    )
    lines = done.stderr.decode().splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(rf"{told} \d+/\d+", line), repr(line)


@pytest.mark.parametrize(("words", "told"), COMMANDS)
def test_in_a_terminal_there_is_a_bar_that_goes(repository: Path, words: tuple[str, ...], told: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        _command(repository, *words),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=_environment(TERM="xterm", COLUMNS="100"),
        cwd=ROOT,
    ) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how the end of a terminal is told
            while part := os.read(ours, 4096):
                shown += part
        assert process.wait() == 0
    os.close(ours)
    assert told in shown.decode()
    assert "━" in shown.decode()
    assert shown.decode().rstrip().endswith("\x1b[2K"), "it leaves nothing behind"


def test_a_short_work_says_nothing_and_a_long_one_little(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(said.time, "monotonic", lambda: now[0])
    with said.progress("working") as tell:
        for step in range(1000):
            tell(step, 1000)
            now[0] += 0.125
    assert capsys.readouterr().err == "".join(f"working {step}/1000\n" for step in (241, 482, 723, 964))


def test_a_process_that_was_forked_is_not_heard(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(said, "TELL_EVERY", -1.0)
    with said.progress("working") as tell:
        monkeypatch.setattr(said.os, "getpid", lambda: -1)
        tell(1, 2)
    assert capsys.readouterr().err == ""
