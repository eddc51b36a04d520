"""What an organisation says for its repositories: where it is read, how long it holds, and what it costs."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import cast

import pytest

from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.sample import commit, git
from bot.events import Event, GroupEvent, PullEvent, decode, encode
from bot.github import BusyError, GitHub, RefusedError
from bot.ids import Repo
from bot.org_config import KEPT, OrgConfigs
from bot.repo_config import MAX_BYTES, PATH, RepoConfig
from bot.webhook import parse
from tests.bot.conftest import INSTALLATION, NAME, Template

CONTENT = "/repos/example/.github/contents/.github/winparity.yml"
TOKENS = f"/app/installations/{INSTALLATION}/access_tokens"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def orgs(github: GitHub, clock: Clock) -> OrgConfigs:
    return OrgConfigs(github, clock)


@pytest.fixture
async def asked(standin: StandIn, github: GitHub, repository: RepositoryState) -> list[str]:
    """What was asked since the job had its token."""
    await github.token(INSTALLATION, Repo(repository.name))
    calls: list[str] = []
    standin.on_call = lambda method, path: calls.append(f"{method} {path}")
    return calls


def _host(standin: StandIn, folder: Path, text: str | None, installation: int = 0, *, public: bool = True) -> Path:
    """The organisation's repository, with a file of settings in it."""
    here = folder / "org.git"
    if not here.exists():
        here.mkdir()
        git(here, "init", "--quiet", "--bare", ".")
    tree = {"README.md": "Welcome\n"} | ({PATH: text} if text is not None else {})
    git(here, "update-ref", "refs/heads/main", commit(here, tree, "settings"))
    standin.add_repository("Example/.github", here, installation, public=public)
    return here


async def _of(
    orgs: OrgConfigs, name: str = NAME, installation: int = INSTALLATION, *, private: bool = False
) -> RepoConfig:
    return await orgs.of(orgs._github.installation(installation, Repo(name)), private=private)


async def test_a_public_file_costs_one_request(
    standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path
) -> None:
    _host(standin, tmp_path, "fail_on: warning\nrules: {test-skipped: off}\n")
    config = await _of(orgs)
    assert (config.fail_on, config.rules) == ("warning", {"test-skipped": "off"})
    assert asked == [f"GET {CONTENT}"]


@pytest.mark.parametrize("text", [None, ""])
async def test_no_repository_or_no_file_is_the_default_and_costs_one_request(
    standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        _host(standin, tmp_path, None)
    for _ in range(3):
        config = await _of(orgs)
        assert (config.fail_on, config.problems) == ("regression", ())
    assert asked == [f"GET {CONTENT}"]


async def test_a_private_file_is_for_private_repositories_and_costs_two(
    standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path
) -> None:
    _host(standin, tmp_path, "fail_on: never\n", INSTALLATION, public=False)
    assert (await _of(orgs)).fail_on == "regression"
    asked.clear()
    assert (await _of(orgs, private=True)).fail_on == "never"
    assert asked == [f"POST {TOKENS}", f"GET {CONTENT}"]
    assert standin.calls[-2].body["repositories"] == [".github"]


async def test_a_private_repository_may_follow_a_public_file(
    standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path
) -> None:
    _host(standin, tmp_path, "fail_on: never\n")
    assert (await _of(orgs, private=True)).fail_on == "never"
    assert asked == [f"POST {TOKENS}", f"GET {CONTENT}"]
    assert [call.status for call in standin.calls[-2:]] == [422, 200]


async def test_an_answer_holds_for_a_while(
    standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path, clock: Clock
) -> None:
    _host(standin, tmp_path, "fail_on: never\n")
    many = [_of(orgs, f"example/{name}") for name in ("berth", "quay", "pier")]
    assert {config.fail_on for config in await asyncio.gather(*many)} == {"never"}
    _host(standin, tmp_path, "fail_on: warning\n")
    clock.now = KEPT - 1
    assert (await _of(orgs)).fail_on == "never"
    assert len(asked) == 1
    clock.now = KEPT + 1
    assert (await _of(orgs)).fail_on == "warning"
    assert len(asked) == 2


async def test_a_failure_does_not_hold(standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path) -> None:
    _host(standin, tmp_path, "fail_on: never\n")
    standin.refuse_next(CONTENT, 429, {"Retry-After": "9"})
    with pytest.raises(BusyError):
        await _of(orgs)
    orgs._github.installation(INSTALLATION, Repo(NAME))._shared.quiet_until = 0.0
    assert (await _of(orgs)).fail_on == "never"
    assert len(asked) == 2


async def test_a_revoked_installation_is_told(standin: StandIn, orgs: OrgConfigs, asked: list[str]) -> None:
    standin.refuse_next(CONTENT, 401, times=2)
    with pytest.raises(RefusedError):
        await _of(orgs)
    assert asked


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("fail_on: sometimes\n", 1, "fail_on must be"),
        ("fail_on: never\naccept:\n- {symbol: 'vol:Free', reason: why not}\n", 3, "belongs into the repository"),
        ("#" * (MAX_BYTES + 1), 1, "larger than"),
    ],
)
async def test_mistakes_are_the_right_files(
    standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path, *, text: str, line: int, words: str
) -> None:
    _host(standin, tmp_path, text)
    config = await _of(orgs)
    [problem] = config.problems
    assert (problem.line, config.fail_on, config.accept) == (line, "regression", ())
    assert words in problem.words
    assert config.file == ".github/winparity.yml in example/.github"
    assert asked


async def test_a_folder_of_that_name_is_no_file(
    standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path
) -> None:
    here = _host(standin, tmp_path, None)
    git(here, "update-ref", "refs/heads/main", commit(here, {f"{PATH}/x": ""}, "a folder"))
    assert not (await _of(orgs)).problems
    assert asked == [f"GET {CONTENT}"]


async def test_the_repository_itself_is_not_asked_twice(orgs: OrgConfigs, asked: list[str]) -> None:
    assert await _of(orgs, "Example/.github") == RepoConfig()
    assert asked == []


async def test_two_owners_are_two_files(
    standin: StandIn, orgs: OrgConfigs, asked: list[str], tmp_path: Path, template: Template
) -> None:
    _host(standin, tmp_path, "fail_on: never\n")
    other = tmp_path / "other.git"
    shutil.copytree(template.folder, other)
    standin.add_repository("Somebody/Else", other, 8)
    assert (await _of(orgs, "Somebody/Else", 8)).fail_on == "regression"
    assert (await _of(orgs)).fail_on == "never"
    assert "GET /repos/somebody/.github/contents/.github/winparity.yml" in asked


@pytest.mark.parametrize("public", [True, False])
def test_an_event_tells_whether_the_repository_is_private(
    standin: StandIn, repository: RepositoryState, pull: PullState, *, public: bool
) -> None:
    repository.public = public
    group = {"head_sha": "a" * 40, "base_sha": "b" * 40}
    for event, payload in (
        ("merge_group", standin.event(NAME, action="checks_requested", merge_group=group)),
        ("pull_request", standin.payload("opened", NAME, pull.number)),
    ):
        found = decode(encode(cast("Event", parse(event, "a delivery", json.dumps(payload).encode()))))
        told = found if isinstance(found, GroupEvent) else cast("PullEvent", found).pull
        assert told is not None
        assert told.private is not public
