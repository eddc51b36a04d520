"""The git command: with nobody's settings, asking nobody, and with all that it started."""

import os
import subprocess
from pathlib import Path

import pytest

from bot import git
from bot.demo.sample import git as plain
from bot.ids import Repo
from bot.mirrors import Mirror
from tests.bot.conftest import Template


def test_git_runs_with_nobodys_settings(tmp_path: Path, template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way in which a machine, a user or an environment tells git what to run, and where to go."""
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho $0 >> '{ran}'\n")
    script.chmod(0o755)
    config = tmp_path / ".gitconfig"
    told = {"core.fsmonitor": script, "core.pager": script, "credential.helper": script, "core.askPass": script}
    for name, value in told.items():
        plain(tmp_path, "config", "--file", str(config), name, str(value))
    plain(tmp_path, "config", "--file", str(config), "url.file:///elsewhere/.insteadOf", "http://127.0.0.1:1/")
    environment = {
        "HOME": tmp_path,
        "XDG_CONFIG_HOME": tmp_path,
        "GIT_CONFIG_GLOBAL": config,
        "GIT_CONFIG_SYSTEM": config,
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={script}'",
        "GIT_SSH_COMMAND": script,
        "GIT_ASKPASS": script,
        "GIT_PROXY_COMMAND": script,
        "GIT_EXTERNAL_DIFF": script,
        "GIT_DIR": tmp_path / "elsewhere",
        "GIT_OBJECT_DIRECTORY": tmp_path / "elsewhere",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": template.folder / "objects",
        "GIT_TRACE": tmp_path / "trace",
        "GIT_ALLOW_PROTOCOL": "ext:file",
        "GIT_EXEC_PATH": tmp_path,
        "WINPARITY_PRIVATE_KEY": "a secret",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    done = git.run(template.folder, "rev-parse", "refs/heads/main")
    assert done.stdout.decode().strip() == template.main
    mirror = Mirror(tmp_path / "mirrors", Repo("a/b"), "http://127.0.0.1:1")
    with pytest.raises(git.UnreachableError, match="127"):
        mirror.fetch(template.main, template.change)
    assert mirror.has(template.main) is False, "nor have we the objects of somebody else"
    assert not ran.exists()
    assert not (tmp_path / "trace").exists()


def test_git_has_the_least_of_an_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nenv\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("WINPARITY_WEBHOOK_SECRET", "a secret")
    names = {line.partition("=")[0] for line in git.run(tmp_path, "x").stdout.decode().splitlines()}
    allowed = {"GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_TERMINAL_PROMPT", "GIT_NO_LAZY_FETCH", "LC_ALL"}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} <= allowed | set(git._INHERITED)
    assert "PATH" in names


def test_git_has_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\n(exec < /dev/tty) 2>/dev/null && echo asked\nexit 0\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert git.run(tmp_path, "x").stdout == b""


def test_what_a_killed_git_started_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nsleep 1234 </dev/null >/dev/null 2>&1 &\necho $!\nkill -9 $$\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = git.run(tmp_path, "x")
    assert done.returncode < 0
    ended = subprocess.run(["ps", "-o", "stat=", "-p", done.stdout.decode().strip()], capture_output=True, check=False)
    assert ended.stdout.strip()[:1] in {b"", b"Z"}
