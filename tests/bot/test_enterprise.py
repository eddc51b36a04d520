"""GitHub Enterprise Server: the API below a path, git at another address, and links that lead there, all by settings."""

import re
from collections.abc import AsyncIterator

import pytest

from bot import docs
from bot.comment import MARKER
from bot.config import Actions, Settings, api_url_for
from bot.demo.github import PullState, StandIn
from bot.github import Installation
from tests.bot.conftest import APP_ID, NAME, WEBHOOK_SECRET, Keys
from tests.bot.line import LOST, LOST_MORE, Line
from tests.bot.openapi import Judge

ENTERPRISE = {"X-GitHub-Enterprise-Host": "ghe.example.com", "X-GitHub-Enterprise-Version": "3.17.0"}


@pytest.fixture
async def standin(keys: Keys, judge: Judge | None) -> AsyncIterator[StandIn]:
    """GitHub Enterprise Server: whatever is asked at the wrong address is a problem."""
    github = StandIn(APP_ID, keys.public, WEBHOOK_SECRET, enterprise=True)
    github.judge = judge
    async with github.running():
        yield github
    assert github.problems == []


async def test_the_whole_line_keeps_to_the_two_addresses(line: Line) -> None:
    assert line.settings.api_url.endswith("/api/v3")
    assert not line.settings.api_url.startswith(line.settings.git_url)
    pull = await line.open(LOST, "contributor/berth")
    assert await line.send("opened", pull, **ENTERPRISE) == 202
    await line.quiet()
    [body] = line.bodies(pull)
    [run] = line.runs(pull.head)
    assert body.startswith(MARKER)
    assert run["conclusion"] == "failure"
    for text in (body, run["output"]["summary"], run["output"]["text"]):
        links = re.findall(r"\]: (http\S+)", text)
        ours = {link for link in links if link.startswith(line.settings.git_url)}
        assert ours
        assert {link for link in {*links} - ours if not link.startswith(docs.HOME)} == set()
    assert line.github.git_calls


async def test_all_pages_below_the_path_are_read(line: Line) -> None:
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    [ours] = line.repository.comments
    line.repository.comments[:] = []
    for number in range(150):
        line.github.add_comment(NAME, pull.number, f"comment {number}")
    line.repository.comments.append(ours)
    await line.push(pull, LOST_MORE)
    assert await line.send("synchronize", pull, **ENTERPRISE) == 202
    await line.quiet()
    assert len(line.repository.comments) == 151, "ours was found on the second page, and edited"
    assert "pad/pad_windows.go" in ours["body"]


async def test_a_renamed_repository_is_followed_below_the_path(
    standin: StandIn, installation: Installation, pull: PullState
) -> None:
    await installation.token()
    standin.rename(NAME, "Example/Quay")
    assert (await installation.pull(pull.number)).head == pull.head
    await installation.create_comment(pull.number, "x")
    assert [call.status for call in standin.calls[1:]] == [301, 200, 307, 201]


@pytest.mark.parametrize(
    ("web", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://ghe.example.com", "https://ghe.example.com/api/v3"),
        ("https://ghe.example.com:8443", "https://ghe.example.com:8443/api/v3"),
        ("https://octocorp.ghe.com", "https://api.octocorp.ghe.com"),
    ],
)
def test_the_apis_address_follows_from_the_servers(keys: Keys, web: str, api: str) -> None:
    least = {
        "WINPARITY_APP_ID": "42",
        "WINPARITY_PRIVATE_KEY": keys.private,
        "WINPARITY_WEBHOOK_SECRET": "secret",
        "WINPARITY_GITHUB_URL": f"{web}/",
    }
    settings = Settings.from_env(least)
    assert (settings.git_url, settings.api_url) == (web, api)
    assert api_url_for(web) == api
    elsewhere = Settings.from_env({**least, "WINPARITY_GITHUB_API_URL": "https://api.example.com/x/"})
    assert elsewhere.api_url == "https://api.example.com/x"


def test_a_job_of_actions_knows_its_server() -> None:
    known = {"GITHUB_REPOSITORY": "a/b", "GITHUB_SERVER_URL": "http://ghe.example.com/", "GITHUB_STEP_SUMMARY": ""}
    assert Actions.from_env(known).server == "http://ghe.example.com"
    assert Actions.from_env(known).summary is None
