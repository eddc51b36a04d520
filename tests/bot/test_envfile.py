"""The private .env: read strictly, changed key by key, and never seen by anybody else."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import envfile
from bot.config import ConfigError, Secret
from bot.envfile import check_writable, exposed, read, write

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE+/=\nabc\n-----END RSA PRIVATE KEY-----\n"


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


# Reading.


def test_no_file_holds_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / ".env") == {}


def test_a_value_means_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/expanded")
    file = tmp_path / ".env"
    file.write_text("# a comment\nA=1\nexport B='${HOME} $HOME'\nC=\"two\\nlines\"\n\nD=\n")
    assert read(file) == {"A": "1", "B": "${HOME} $HOME", "C": "two\nlines", "D": ""}


@pytest.mark.parametrize("line", ["NAME", "NAME='open", "a b c", "=value"])
def test_a_line_that_says_nothing_is_named_and_not_repeated(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"A=1\n{line}\n")
    with pytest.raises(ConfigError) as error:
        read(file)
    assert str(error.value) == f"{file}, line 2: it must be NAME=value"


@pytest.mark.parametrize("content", [None, b"A=\xff\n"], ids=["a folder", "no text"])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / ".env"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        read(file)


@pytest.mark.parametrize(
    ("mode", "seen"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o620, True)]
)
def test_a_file_that_others_can_read_is_named_with_the_remedy(tmp_path: Path, mode: int, seen: bool) -> None:  # noqa: FBT001
    file = tmp_path / ".env"
    file.touch()
    file.chmod(mode)
    said = exposed(file)
    assert (said is not None) == seen
    if said:
        subprocess.run(said.partition("run: ")[2].split(), check=True)
        assert exposed(file) is None


# Writing.


def test_a_new_file_is_private_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    real = envfile.set_key

    def spy(file: Path, name: str, value: str) -> object:
        modes.append(_mode(file))
        assert not (tmp_path / ".env").exists()
        return real(file, name, value)

    monkeypatch.setattr(envfile, "set_key", spy)
    before = os.umask(0)
    try:
        write(tmp_path / ".env", {"A": Secret("1"), "KEY": Secret(PEM)})
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]
    assert _mode(tmp_path / ".env") == 0o600
    assert read(tmp_path / ".env") == {"A": "1", "KEY": PEM}
    assert [file.name for file in tmp_path.iterdir()] == [".env"]


def test_a_shell_reads_the_same(tmp_path: Path) -> None:
    write(tmp_path / ".env", {"KEY": Secret(PEM)})
    script = f'. "{tmp_path}/.env"; printf %s "$KEY"'
    assert (
        subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
        == PEM.rstrip("\n") + "\n"
    )


def test_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nOTHER=  'x y'  # why\nA=old\nGONE=1\n\nexport LAST=z")
    file.chmod(0o644)
    write(file, {"A": Secret("new"), "B": Secret("b")}, drop=["GONE", "NEVER"])
    assert file.read_text() == "# mine\nOTHER=  'x y'  # why\nA='new'\n\nexport LAST=z\nB='b'\n"
    assert _mode(file) == 0o600


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_characters="\r\0")),
        max_size=4,
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> None:
    file = tmp_path_factory.mktemp("env") / ".env"
    file.write_text("KEPT=1\n")
    write(file, {name: Secret(value) for name, value in values.items()})
    assert read(file) == {"KEPT": "1", **values}


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("A=old\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        write(file, {"A": Secret("hunter2")})
    assert file.read_text() == "A=old\n"
    assert [found.name for found in tmp_path.iterdir()] == [".env"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "theirs"
    target.write_text("A=1\n")
    link = tmp_path / ".env"
    link.symlink_to(target)
    with pytest.raises(ConfigError, match="no plain file"):
        write(link, {"A": Secret("2")})
    assert target.read_text() == "A=1\n"


def test_what_cannot_be_written_is_known_beforehand(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        check_writable(tmp_path / "away" / ".env")
    (tmp_path / ".env").write_text("nonsense\n")
    with pytest.raises(ConfigError, match="line 1"):
        check_writable(tmp_path / ".env")
