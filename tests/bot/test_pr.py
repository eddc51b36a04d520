"""`winparity pr`: a pull request on GitHub from the command line, over HTTP, and what is said when it cannot be had."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bot.github
from bot.config import Access, ConfigError, Secret
from bot.demo.github import RepositoryState, StandIn
from bot.demo.sample import commit, git
from bot.git import UnreachableError
from bot.ids import Repo
from bot.pr import PullError, address, clones, sides
from bot.repo_config import PATH as SETTINGS
from bot.source import LocalRepository
from tests.bot.conftest import NAME
from tests.bot.line import BASE, LOST

ROOT = Path(__file__).parents[2]
PULL = "GET /repos/example/berth/pulls"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.github, "READ_RETRIES", (0.0, 0.0))


@pytest.fixture
def hosted(standin: StandIn, tmp_path: Path) -> RepositoryState:
    """A public repository whose main branch went on after the pull request began, which comes from a fork."""
    folder = tmp_path / "hosted.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    start = commit(folder, BASE, "start")
    main = commit(folder, {**BASE, "doc.go": "package berth\n"}, "main goes on", start)
    git(folder, "update-ref", "refs/heads/main", main)
    repository = standin.add_repository(NAME, folder, 0, public=True)
    fork = tmp_path / "fork.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(folder), str(fork))
    head = commit(fork, LOST, "a change", start)
    git(fork, "update-ref", "refs/heads/change", head)
    git(folder, "fetch", "--quiet", str(fork), f"{head}:refs/pull/1/head")
    standin.open_pull(NAME, "main", head, "contributor/berth")
    return repository


async def winparity(standin: StandIn, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a process, its GitHub the stand-in."""
    known = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "120",
        "WINPARITY_CACHE": "off",
        "WINPARITY_GITHUB_URL": standin.git_url,
        "WINPARITY_GITHUB_API_URL": standin.url,
    }
    command = [sys.executable, "-m", "bot.cli", "pr", *words]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env={**known, **environment}, check=False
    )


# The command.


@pytest.mark.usefixtures("hosted")
async def test_a_pull_request_from_a_fork_is_compared_with_its_merge_base(standin: StandIn) -> None:
    done = await winparity(standin, f"{standin.git_url}/Example/Berth/pull/1", "--format", "json")
    found = json.loads(done.stdout)
    [finding] = found["findings"]
    assert done.returncode == 1
    assert (finding["rule"], finding["path"]) == ("implementation-lost", "vol/free_windows.go")
    assert found["head"] == standin.repositories["example/berth"].pulls[1].head
    assert "asking" in done.stderr
    assert "fetching" in done.stderr
    assert [(call.method, call.status) for call in standin.calls] == [("GET", 200), ("GET", 200), ("GET", 404)]


async def test_links_lead_to_its_repository_and_closed_ones_are_fine(
    standin: StandIn, hosted: RepositoryState, tmp_path: Path
) -> None:
    standin.close(NAME, 1)
    summary = tmp_path / "summary.md"
    words = ("example/berth#1", "--format", "github", "--fail-on", "never")
    done = await winparity(standin, *words, GITHUB_STEP_SUMMARY=str(summary), GITHUB_REPOSITORY="somebody/else")
    assert done.returncode == 0
    assert done.stdout.startswith("::error file=vol/free_windows.go")
    assert f"{standin.git_url}/example/berth/blob/{hosted.pulls[1].head}/vol/free_windows.go" in summary.read_text()


async def test_a_private_repository_takes_a_token(standin: StandIn, hosted: RepositoryState) -> None:
    hosted.public = False
    without = await winparity(standin, "example/berth#1")
    assert (without.returncode, without.stdout) == (2, "")
    assert "set GITHUB_TOKEN" in without.stderr
    token = standin.personal_token(NAME)
    done = await winparity(standin, "example/berth#1", GH_TOKEN=token)
    assert done.returncode == 1
    assert "implementation-lost" in done.stdout
    assert token not in done.stdout + done.stderr


async def test_the_settings_of_the_base_hold(standin: StandIn, hosted: RepositoryState) -> None:
    folder = hosted.git_dir
    start = commit(folder, {**BASE, SETTINGS: "fail_on: never\n"}, "settings")
    git(folder, "update-ref", "refs/heads/main", start)
    head = commit(folder, {**LOST, SETTINGS: "comment: oftn\n"}, "a change", start)
    standin.open_pull(NAME, "main", head)
    done = await winparity(standin, "example/berth#2")
    assert done.returncode == 0
    assert "implementation-lost" in done.stdout
    assert not [call for call in standin.calls if "/contents/" in call.path]


@pytest.mark.usefixtures("hosted")
async def test_what_is_wrong_with_the_organisations_settings_is_said(standin: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "org.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    git(folder, "update-ref", "refs/heads/main", commit(folder, {SETTINGS: "fail_on: sometimes\n"}, "settings"))
    standin.add_repository("Example/.github", folder, 0, public=True)
    done = await winparity(standin, "example/berth#1")
    assert done.returncode == 1
    assert ".github/winparity.yml in example/.github, line 1: fail_on must be" in done.stderr


async def test_a_clone_that_has_both_sides_is_enough(standin: StandIn, hosted: RepositoryState) -> None:
    done = await winparity(standin, "example/berth#1", "--repo", str(hosted.git_dir))
    assert done.returncode == 1
    assert "implementation-lost" in done.stdout
    assert standin.git_calls == []


# What a pull request is called.


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/Moby/moby/pull/12",
        "http://GitHub.com/moby/moby/pull/12/",
        "https://github.com:443/moby/moby/pull/12/files?w=1#diff-x",
        "github.com/moby/moby/pull/12/commits/abc",
        "moby/moby#12",
    ],
)
def test_an_address_is_understood(text: str) -> None:
    assert address(text, "https://github.com") == (Repo("moby/moby"), 12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://evil.example/moby/moby/pull/12", "is not on https://github.com"),
        ("https://github.com@evil.example/moby/moby/pull/12", "is not on"),
        ("https://github.com.evil.example/moby/moby/pull/12", "is not on"),
        ("https://github.com:8443/moby/moby/pull/12", "is not on"),
        ("http://169.254.169.254/moby/moby/pull/1", "is not on"),
        ("https://github.com/moby/moby/issues/12", "names no pull request"),
        ("https://github.com/moby/../pull/12", "names no pull request"),
        ("https://github.com/moby/moby%2f..%2fx/pull/12", "names no pull request"),
        ("https://github.com:x/moby/moby/pull/12", "names no pull request"),
        ("https://[::1/moby/moby/pull/12", "names no pull request"),
        ("moby/moby#0", "names no pull request"),
        ("moby/moby#12345678901", "names no pull request"),
        ("--help/x#1", "names no pull request"),
        ("12", "names no pull request"),
        ("", "names no pull request"),
    ],
)
def test_what_is_no_pull_request_of_that_server_is_refused(text: str, words: str) -> None:
    with pytest.raises(PullError, match=re.escape(words)):
        address(text, "https://github.com")


async def test_another_server_is_never_asked(standin: StandIn) -> None:
    done = await winparity(standin, "https://github.com/moby/moby/pull/1", GITHUB_TOKEN="ghp_secret")
    assert done.returncode == 2
    assert "set WINPARITY_GITHUB_URL" in done.stderr
    assert standin.calls == []


# When GitHub does not give it.


def _access(standin: StandIn, token: str = "") -> Access:
    return Access(standin.git_url, standin.url, Secret(token))


async def _said(standin: StandIn, tmp_path: Path, token: str = "", number: int = 1) -> str:
    with pytest.raises(PullError) as error:
        await sides(_access(standin, token), Repo(NAME), number, tmp_path / "mirrors", lambda _: None)
    return str(error.value)


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize(
    ("status", "headers", "body", "token", "said"),
    [
        (404, {}, "{}", "", "there is no pull request example/berth#1, or it is private: set GITHUB_TOKEN"),
        (404, {}, "{}", "t", "or the token in GITHUB_TOKEN may not read it"),
        (401, {}, "{}", "t", "does not take the token"),
        (401, {}, "{}", "", "without a token: set GITHUB_TOKEN"),
        (403, {}, '{"message": "Resource protected by organization SAML enforcement"}', "t", "SAML enforcement"),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "+90"}, "{}", "", "set GITHUB_TOKEN for a higher"),
        (429, {"Retry-After": "90"}, "{}", "t", "used up until "),
        (500, {}, "{}", "", "GitHub is broken (HTTP 500); try again later"),
        (200, {}, '{"hello": "world"}', "", "does not answer as GitHub's API does"),
        (200, {}, "<html>", "", "try again later"),
    ],
)
async def test_each_failure_says_what_to_do(  # noqa: PLR0917 - pytest gives them by name
    standin: StandIn, tmp_path: Path, status: int, headers: dict[str, str], body: str, token: str, said: str
) -> None:
    known = standin.personal_token(NAME) if token else ""
    if "X-RateLimit-Reset" in headers:
        headers = {**headers, "X-RateLimit-Reset": str(int(time.time()) + 90)}
    standin.refuse_next(PULL, status, headers, body, times=3)
    told = await _said(standin, tmp_path, known)
    standin._refusals.clear()
    assert said in told
    if headers:
        until = re.search(r"until (\d\d):(\d\d):(\d\d) UTC", told)
        assert until is not None
        hours, minutes, seconds = map(int, until.groups())
        now = time.gmtime()
        wait = (hours - now.tm_hour) * 3600 + (minutes - now.tm_min) * 60 + seconds - now.tm_sec
        assert wait % 86400 == pytest.approx(90, abs=5)


@pytest.mark.usefixtures("hosted")
async def test_a_number_that_is_not_there_and_a_wrong_token(standin: StandIn, tmp_path: Path) -> None:
    assert "there is no pull request example/berth#9" in await _said(standin, tmp_path, number=9)
    assert "does not take the token" in await _said(standin, tmp_path, "ghp_wrong")


async def test_a_head_that_is_gone_and_a_git_that_fails(
    standin: StandIn, hosted: RepositoryState, tmp_path: Path
) -> None:
    here = LocalRepository(tmp_path / "fork.git")
    access = Access("http://127.0.0.1:9", standin.url)
    with pytest.raises(UnreachableError, match="git fetch failed"):
        await sides(access, Repo(NAME), 1, tmp_path / "mirrors", lambda _: None)
    found = await sides(_access(standin), Repo(NAME), 1, here, lambda _: None)
    assert (found.source, found.head) == (here, hosted.pulls[1].head)


# Its settings.


@pytest.mark.parametrize(
    ("environ", "server", "api", "token"),
    [
        ({}, "https://github.com", "https://api.github.com", ""),
        ({"GH_TOKEN": "b"}, "https://github.com", "https://api.github.com", "b"),
        ({"GITHUB_TOKEN": " a\n", "GH_TOKEN": "b"}, "https://github.com", "https://api.github.com", "a"),
        ({"WINPARITY_GITHUB_URL": "https://ghe.example/"}, "https://ghe.example", "https://ghe.example/api/v3", ""),
    ],
)
def test_the_environment_says_which_github(environ: dict[str, str], server: str, api: str, token: str) -> None:
    found = Access.from_env(environ)
    assert (found.server, found.api_url, found.token.reveal()) == (server, api, token)


@pytest.mark.parametrize("environ", [{"GITHUB_TOKEN": "a\nb"}, {"GH_TOKEN": "é"}, {"WINPARITY_GITHUB_URL": "ghe"}])
def test_a_wrong_environment_is_said_without_the_token(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as error:
        Access.from_env(environ)
    assert "a\nb" not in str(error.value)


def test_clones_are_kept_where_something_may_be(tmp_path: Path) -> None:
    with clones(tmp_path) as folder:
        assert folder == tmp_path / "mirrors"
    with clones(None) as folder:
        assert folder.exists()
    assert not folder.exists()
