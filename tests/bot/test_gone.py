"""A repository that the app is taken from is forgotten: clone, tokens, and what is stored of it."""

from typing import Any

import pytest

from bot.demo.sample import git
from bot.ids import Repo
from bot.queue import SHADOW
from tests.bot.conftest import INSTALLATION, NAME
from tests.bot.line import BASE, LOST, Line
from tests.bot.pushes import push, tip

OTHER = "Example/Berth-Two"


def _gone(how: str, *names: str) -> dict[str, Any]:
    repositories = [{"id": 1, "full_name": name, "name": name, "private": True} for name in names]
    if how == "installation":
        return {"action": "deleted", "repositories": repositories}
    return {"action": "removed", "repositories_removed": repositories, "repositories_added": []}


async def _stored(line: Line) -> set[bytes]:
    return {name for name in await line.jobs.redis.keys("wp:on:*") if not name.endswith(b":lock")}


@pytest.mark.parametrize("how", ["installation", "installation_repositories"])
async def test_all_of_it_is_forgotten_and_of_others_nothing(line: Line, how: str) -> None:
    line.github.add_repository(OTHER, line.repository.git_dir, INSTALLATION)
    mirrors = line.settings.data_dir / "mirrors"
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    await push(line, LOST)
    git(line.repository.git_dir, "update-ref", "refs/heads/gh-readonly-queue/main/pr-1-x", pull.head)
    group = {"head_sha": pull.head, "base_sha": line.fork_point, "base_ref": "refs/heads/main"}
    await line.tell("merge_group", action="checks_requested", merge_group=group)
    other = line.github.event(OTHER, ref="refs/heads/main", before=line.fork_point, after=tip(line))
    await line.github.deliver(f"{line.web}/webhook", "push", other)
    await line.quiet()
    kinds = {name.partition(NAME.lower().encode())[2][:1] for name in await _stored(line)}
    assert kinds == {b"#", b"^", b"@", b"-"}, "there is something of each kind to forget"
    assert (mirrors / f"{Repo(NAME)}.git").is_dir()
    kept = [f"wp:repo:{Repo(NAME)}:shadow", f"{SHADOW}{Repo(NAME)}"]
    for key in kept:
        await line.jobs.redis.set(key, 1)
    await line.tell(how, **_gone(how, NAME))
    assert await line.jobs.redis.exists(*kept) == 0
    assert {name.partition(NAME.lower().encode())[2][:1] for name in await _stored(line)} == {b"-"}
    assert sorted(path.name for path in (mirrors / "example").iterdir()) == ["berth-two.git"]
    calls = len(line.github.calls)
    await push(line, BASE)
    assert line.github.calls[calls].path.endswith("/access_tokens"), "the old token was forgotten"


async def test_the_last_of_an_owner_takes_its_folder_along(line: Line) -> None:
    await push(line, LOST)
    await line.tell("installation", **_gone("installation", NAME))
    assert [path.name for path in (line.settings.data_dir / "mirrors").iterdir()] == [".new"]
    await line.tell("installation", **_gone("installation", NAME))


async def test_what_was_left_by_an_attempt_that_was_killed_goes_too(line: Line) -> None:
    left = line.settings.data_dir / "mirrors" / ".gone" / "tmpx" / "mirror"
    left.mkdir(parents=True)
    (left / "HEAD").write_text("")
    await line.tell("installation", **_gone("installation", NAME))
    assert not left.exists()


async def test_a_count_that_a_job_compares_with_stays_while_it_runs(line: Line) -> None:
    redis, subject = line.jobs.redis, f"wp:on:{Repo(NAME)}#1"
    for what in ("asked", "done", "lock"):
        await redis.set(f"{subject}:{what}", 3)
    await line.tell("installation", **_gone("installation", NAME))
    assert {key.decode() for key in await redis.keys(f"{subject}:*")} == {f"{subject}:asked", f"{subject}:lock"}


async def test_a_thousand_repositories_cost_one_walk_through_the_store(line: Line) -> None:
    redis = line.jobs.redis
    await redis.mset({f"wp:on:moby/r{number}#1:asked": 1 for number in range(1000)})
    await redis.mset({"wp:on:moby/r1-2#1:asked": 1, "wp:on:moby/other@r1#1:state": 1, "wp:on:moby2/r1#1:asked": 1})
    await redis.config_resetstat()
    assert await line.jobs.forget([Repo(f"moby/r{number}") for number in range(1000)]) == 1000
    stats: Any = await redis.info("commandstats")
    assert stats["cmdstat_scan"]["calls"] <= 3
    assert len(await redis.keys("wp:on:moby*")) == 3
