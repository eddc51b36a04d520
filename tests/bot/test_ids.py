"""An id that exists is safe in a URL, a file name, a Redis key and git's arguments."""

import copy
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import git
from bot.ids import Repo, Sha, is_branch

HEX = "0123456789abcdef0123456789abcdef01234567"
LONGEST_OWNER, LONGEST_NAME = "o" * 39, "n" * 100


@pytest.mark.parametrize(
    "name",
    [
        "moby/moby",
        "a/b",
        "0/1",
        "octo-cat-/x",
        "octocat_acme/x",
        "example/.github",
        "example/...",
        "example/-x",
        "example/_x.y-z",
        f"{LONGEST_OWNER}/{LONGEST_NAME}",
    ],
)
def test_what_github_allows_is_a_repository(name: str) -> None:
    assert Repo(name) == name


def test_a_repository_has_one_spelling() -> None:
    assert Repo("Example/Berth") == Repo("example/BERTH") == "example/berth"
    assert len({Repo("Example/Berth"), Repo("example/berth")}) == 1


def test_a_repositorys_name_is_what_follows_the_owner() -> None:
    assert Repo("Example/Berth.js").name == "berth.js"


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "a", "a/", "/a", "a/b/", "a/b/c", "a//b"),
        *("a/.", "a/..", "./a", "../a", "a/../b", "..\\a/b"),
        *("-a/b", "--upload-pack=x/b", "_a/b", ".a/b"),
        *(" a/b", "a/b ", "a/b\n", "a\n/b", "a/b\0", "a/b\x1b[31m"),
        *("a/é", "é/a", "\u0430/b", "a/b?c", "a/b#c", "a/b%2e", "a:b/c", "a@b/c", "a/b:c", "a/b*", "a/b'", 'a/b"'),
        *(f"o{LONGEST_OWNER}/n", f"o/n{LONGEST_NAME}"),
    ],
)
def test_anything_else_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="not a repository name"):
        Repo(name)


@pytest.mark.parametrize(
    "text",
    [
        *("", "HEAD", "-h", "--all", HEX[:39], HEX + "0", HEX.upper(), "g" + HEX[1:]),
        *(f" {HEX}", f"{HEX}\n", f"{HEX}^", f"{HEX}..{HEX}", f"-{HEX[1:]}", HEX[:39] + "４"),
    ],
)
def test_only_forty_hexadecimal_digits_are_a_commit(text: str) -> None:
    assert Sha(HEX) == HEX
    with pytest.raises(ValueError, match="not a commit id"):
        Sha(text)


@given(st.text("aZ0.-_/\\\n\0é:"))
def test_any_text_is_a_safe_repository_or_an_error(text: str) -> None:
    try:
        repo = Repo(text)
    except ValueError:
        return
    assert repo.isascii()
    assert repo.isprintable()
    assert not repo.startswith("-")
    assert not {"", ".", ".."} & set(repo.split("/"))


@given(st.from_regex(r"[A-Za-z0-9]{1,5}/[.A-Za-z0-9]{1,5}", fullmatch=True))
def test_normalising_twice_changes_nothing(text: str) -> None:
    if text.partition("/")[2] not in {".", ".."}:
        assert Repo(Repo(text)) == Repo(text)


@pytest.mark.parametrize("kind", [Repo, Sha])
def test_an_error_repeats_only_the_beginning(kind: type[str]) -> None:
    with pytest.raises(ValueError, match="not a") as error:
        kind("x" * 100_000)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("value", [Repo("a/b"), Sha(HEX)])
def test_a_copy_is_still_an_id(value: str) -> None:
    for copied in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301 - made in this line
        assert (copied, type(copied)) == (value, type(value))


BRANCHES = ["main", "release/1.2", "28.x", "a.b", "é", "a%2f", "x'y", "a@b", "@", "HEAD-1", "a/b.c/d"]
NO_BRANCHES = [
    "",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/..",
    ".a",
    "a/.b",
    "/a",
    "a/",
    "a//b",
    "a.",
    "a.lock",
    "a.lock/b",
    "@",
    "a@{b",
]
NO_BRANCHES += ["-a", "--upload-pack=x", "a b", "a\nb", "a\0b", "a\x7f", "a~1", "a^", "a:b", "a?b", "a*", "a[b", "a\\b"]


@pytest.mark.parametrize("name", BRANCHES + NO_BRANCHES)
def test_a_branch_is_what_git_takes_for_one(name: str, tmp_path: Path) -> None:
    assert is_branch(name) is (name in BRANCHES)
    if "\0" not in name:
        assert (git.run(tmp_path, "check-ref-format", "--branch", name).returncode == 0) is is_branch(name)
