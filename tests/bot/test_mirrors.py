"""Mirrors: how little is fetched, what is refused, and where it ends."""

import asyncio
import base64
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import bot.analysis
import bot.git
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.sample import commit, git
from bot.git import MovedError, SourceError, TooLargeError, UnreachableError
from bot.github import Installation
from bot.ids import Repo, Sha
from bot.mirrors import Mirror
from bot.source import LocalRepository
from tests.bot.conftest import Made, Template, analysed, gits

AWAY = Sha("0123456789abcdef0123456789abcdef01234567")
# A worker that brings one pull request, told the token where nobody else sees it.
WORKER = """
import sys
from pathlib import Path
from bot.ids import Repo, Sha
from bot.mirrors import Mirror
folder, repo, server, base, head, pull = sys.argv[1:]
mirror = Mirror(Path(folder), Repo(repo), server, sys.stdin.read())
mirror.fetch(Sha(base), Sha(head), int(pull))
print(sorted(mirror.snapshots(Sha(base), Sha(head))[1].files))
"""


def _fetches(standin: StandIn) -> int:
    """How many times git was run against the server; each begins with the same question."""
    return sum(call.path.endswith("/info/refs") for call in standin.git_calls)


@pytest.mark.usefixtures("pull")
async def test_a_mirror_gives_what_a_whole_clone_gives(mirror_of: Made, template: Template) -> None:
    found = await asyncio.to_thread(analysed, await mirror_of(), template.fork_point, template.change)
    assert found == LocalRepository(template.folder).snapshots(template.fork_point, template.change)
    assert set(found[1].files) == {"b/b_linux.go", "b/b_windows.go"}


@pytest.mark.usefixtures("pull")
async def test_an_analysis_fetches_twice_and_the_next_one_not_at_all(
    mirror_of: Made, standin: StandIn, template: Template
) -> None:
    mirror = await mirror_of()
    await asyncio.to_thread(mirror.fetch, template.fork_point, template.change, 1)
    assert _fetches(standin) == 1
    objects = git(mirror.path, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
    assert "commit" in objects
    assert "blob" not in objects
    await asyncio.to_thread(mirror.snapshots, template.fork_point, template.change)
    assert _fetches(standin) == 2, "the blobs did not come in one batch"
    before = len(standin.git_calls)
    await asyncio.to_thread(analysed, await mirror_of(), template.fork_point, template.change)
    assert len(standin.git_calls) == before


@pytest.mark.usefixtures("pull")
async def test_only_the_blobs_of_changed_folders_come(mirror_of: Made, template: Template) -> None:
    mirror = await mirror_of()
    await asyncio.to_thread(analysed, mirror, template.fork_point, template.change)
    objects = git(mirror.path, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").splitlines()
    assert objects.count("blob") == 2
    assert git(template.folder, "rev-parse", f"{template.change}:a.go") not in git(
        mirror.path, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"
    )


@pytest.mark.usefixtures("pull")
async def test_a_later_push_costs_what_it_changed(
    mirror_of: Made, standin: StandIn, repository: RepositoryState, template: Template
) -> None:
    await asyncio.to_thread(analysed, await mirror_of(), template.fork_point, template.change)
    mirror = await mirror_of()
    newer = {
        "a.go": "package a\n",
        "b/b_linux.go": "package b\n\nfunc B() int { return 1 }\n",
        "b/n.go": "package b // new\n",
    }
    head = commit(repository.git_dir, newer, "newer", template.change)
    standin.push(repository.name, 1, head)
    blobs = "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"
    before = git(mirror.path, *blobs).count("blob")
    found = await asyncio.to_thread(analysed, mirror, template.fork_point, head)
    assert set(found[1].files) == {"b/b_linux.go", "b/n.go"}
    assert git(mirror.path, *blobs).count("blob") == before + 1


async def test_a_head_of_a_fork_is_had_from_the_base_repository(
    mirror_of: Made, standin: StandIn, repository: RepositoryState, template: Template
) -> None:
    head = commit(repository.git_dir, {"f/f.go": "package f\n"}, "of a fork", template.fork_point)
    pull = standin.open_pull(repository.name, "main", head, "Somebody/Berth")
    _, new = await asyncio.to_thread(analysed, await mirror_of(), template.fork_point, head, pull.number)
    assert set(new.files) == {"f/f.go"}


async def test_a_head_that_is_refused_by_its_id_is_had_by_its_pull_request(
    mirror_of: Made, repository: RepositoryState, pull: PullState, template: Template
) -> None:
    mirror = await mirror_of()
    with pytest.raises(UnreachableError):
        # The base is nowhere, so the server refuses both at once; the head comes all the same.
        await asyncio.to_thread(mirror.fetch, AWAY, template.change, pull.number)
    assert mirror.has(template.change)
    assert repository.pulls


async def test_a_head_that_is_gone_has_moved(mirror_of: Made, pull: PullState, template: Template) -> None:
    mirror = await mirror_of()
    with pytest.raises(MovedError, match="no longer on the server"):
        await asyncio.to_thread(mirror.fetch, template.fork_point, AWAY, pull.number)
    assert mirror.has(template.fork_point)


@pytest.mark.usefixtures("pull")
async def test_a_server_that_fails_is_unreachable(
    mirror_of: Made, standin: StandIn, template: Template, tmp_path: Path, installation: Installation
) -> None:
    mirror = await mirror_of()
    standin.revoke_tokens()
    nowhere = Mirror(tmp_path / "other", installation.repo, "http://127.0.0.1:1", "ghs_x.y")
    unknown = Mirror(tmp_path / "mirrors", Repo("example/away"), standin.url, "ghs_x.y")
    for broken in (mirror, nowhere, unknown):
        with pytest.raises(UnreachableError):
            await asyncio.to_thread(broken.fetch, template.fork_point, template.change, 1)


@pytest.mark.parametrize(
    "scheme", ["file://{folder}", "ext::sh -c touch% {folder}/ran %", "ssh://x", "git://127.0.0.1:1", ""]
)
def test_only_the_web_is_spoken_to(tmp_path: Path, template: Template, scheme: str) -> None:
    target = tmp_path / "example" / "berth.git"
    target.parent.mkdir()
    git(tmp_path, "clone", "--quiet", "--bare", str(template.folder), str(target))
    server = scheme.format(folder=tmp_path) or str(tmp_path)
    mirror = Mirror(tmp_path / "mirrors", Repo("example/berth"), server)
    with pytest.raises(UnreachableError, match="not allowed"):
        mirror.fetch(template.fork_point, template.change, 1)
    assert not (tmp_path / "ran").exists()


# The token.


@pytest.mark.usefixtures("pull")
async def test_the_token_is_in_no_argument_file_or_message(  # noqa: PLR0917 - fixtures
    mirror_of: Made,
    standin: StandIn,
    installation: Installation,
    template: Template,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    log = tmp_path / "arguments"
    real = shutil.which("git")
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{log}"\nexec "{real}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    token = await installation.token()
    secrets = [token, base64.b64encode(f"x-access-token:{token}".encode()).decode()]
    mirror = await mirror_of()
    await asyncio.to_thread(analysed, mirror, template.fork_point, template.change)
    standin.revoke_tokens()
    with pytest.raises(UnreachableError) as error:
        await asyncio.to_thread(mirror.fetch, template.fork_point, template.other, 1)
    files = [file.read_bytes() for file in mirror.path.rglob("*") if file.is_file()]
    shown = "".join(traceback.format_exception(error.value)) + repr(mirror) + "".join(capfd.readouterr())
    told = log.read_text() + shown
    assert "fetch" in told
    assert not [secret for secret in secrets if secret in told or any(secret.encode() in file for file in files)]


def test_what_git_says_is_stripped_of_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = Mirror(tmp_path, Repo("a/b"), "http://127.0.0.1:1", "ghs_secret.token")
    (tmp_path / "git").write_text("#!/bin/sh\nenv >&2\nexit 1\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(UnreachableError) as error:
        mirror.fetch(AWAY, AWAY, 1)
    said = mirror._remote("fetch").stderr.decode()
    assert "Authorization: Basic ***" in said
    for words in (said, str(error.value)):
        assert "ghs_secret" not in words
        assert base64.b64encode(b"x-access-token:ghs_secret.token").decode() not in words


# Several at a time, and killed ones.


@pytest.mark.usefixtures("pull")
async def test_mirrors_of_several_threads_share_one_folder(
    mirror_of: Made, standin: StandIn, template: Template
) -> None:
    async def one() -> set[str]:
        _, new = await asyncio.to_thread(analysed, await mirror_of(), template.fork_point, template.change)
        return set(new.files)

    assert await asyncio.gather(*(one() for _ in range(4))) == [{"b/b_linux.go", "b/b_windows.go"}] * 4
    assert _fetches(standin) == 2


Worker = Callable[[], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
def worker(standin: StandIn, installation: Installation, template: Template, tmp_path: Path) -> Worker:
    """Starts a process that brings the pull request."""

    async def start() -> asyncio.subprocess.Process:
        what = [tmp_path / "mirrors", installation.repo, standin.url, template.fork_point, template.change, 1]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, *map(str, what), stdin=pipe, stdout=pipe, stderr=pipe
        )
        assert process.stdin is not None
        process.stdin.write((await installation.token()).encode())
        process.stdin.close()
        return process

    return start


@pytest.mark.slow
@pytest.mark.usefixtures("pull")
async def test_mirrors_of_several_processes_share_one_folder(worker: Worker, standin: StandIn) -> None:
    processes = [await worker() for _ in range(3)]
    for process in processes:
        out, err = await process.communicate()
        assert out.decode() == "['b/b_linux.go', 'b/b_windows.go']\n", err.decode()
    assert _fetches(standin) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("pull")
@pytest.mark.parametrize("part", ["GET /example/berth.git/info/refs", "POST /example/berth.git/git-upload-pack"])
async def test_a_mirror_whose_worker_was_killed_in_the_middle_heals(
    worker: Worker, mirror_of: Made, standin: StandIn, template: Template, part: str
) -> None:
    reached = asyncio.Event()
    standin.on_call = lambda method, path: reached.set() if f"{method} {path}" == part else None
    standin.latency = 0.1
    process = await worker()
    await asyncio.wait_for(reached.wait(), 20)
    process.kill()
    await process.wait()
    found = await asyncio.to_thread(analysed, await mirror_of(), template.fork_point, template.change)
    assert found == LocalRepository(template.folder).snapshots(template.fork_point, template.change)


@pytest.mark.usefixtures("pull")
async def test_what_a_killed_git_left_is_in_nobodys_way(mirror_of: Made, template: Template) -> None:
    mirror = await mirror_of()
    (mirror.path / "objects/pack").mkdir(exist_ok=True)
    left = [mirror.path / name for name in ("shallow.lock", "config.lock", "objects/pack/tmp_pack_x")]
    for file in left:
        file.write_text("half")
    found = await asyncio.to_thread(analysed, mirror, template.fork_point, template.change)
    assert set(found[1].files) == {"b/b_linux.go", "b/b_windows.go"}
    assert not [file for file in left if file.exists()]


@pytest.mark.usefixtures("pull")
async def test_a_git_that_outlived_its_worker_keeps_the_lock(
    mirror_of: Made, worker: Worker, standin: StandIn, template: Template
) -> None:
    calls: list[str] = []
    reached = asyncio.Event()

    def heard(_method: str, path: str) -> None:
        if ".git/" in path:
            calls.append(path)
            reached.set()

    standin.on_call = heard
    standin.latency = 0.3
    process = await worker()
    await asyncio.wait_for(reached.wait(), 20)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    mirror = await mirror_of()
    await asyncio.to_thread(mirror.fetch, template.fork_point, template.change, 1)
    assert mirror.has(template.change)
    assert sum(path.endswith("/info/refs") for path in calls) == 1, "two fetched at the same time"


def test_a_mirror_that_is_begun_by_two_at_once_is_whole(tmp_path: Path) -> None:
    first = Mirror(tmp_path, Repo("a/b"), "http://127.0.0.1:1")
    git(first.path, "config", "winparity.mark", "1")
    first._create()
    assert git(Mirror(tmp_path, Repo("a/b"), "http://127.0.0.1:1").path, "config", "winparity.mark") == "1"
    assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["b.git"]
    assert list((tmp_path / ".new").iterdir()) == []
    assert not (first.path / "hooks").exists()


# Limits.


@pytest.mark.usefixtures("pull")
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
async def test_more_than_a_pack_may_have_is_not_fetched(
    mirror_of: Made, repository: RepositoryState, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = {f"x{n}.go": "package x // " + base64.b64encode(os.urandom(50_000)).decode() for n in range(4)}
    head = commit(repository.git_dir, noise, "noise", template.main)
    git(repository.git_dir, "update-ref", "refs/heads/noise", head)
    monkeypatch.setattr(bot.git, "MAX_PACK_BYTES", 64 * 1024)
    with pytest.raises(TooLargeError, match="would have to be fetched"):
        await asyncio.to_thread(analysed, await mirror_of(), template.main, head, 0)
    assert [*(await mirror_of()).path.glob("objects/pack/tmp_*")] != [], "it was cut off in the middle"
    monkeypatch.undo()
    assert len((await asyncio.to_thread(analysed, await mirror_of(), template.main, head, 0))[1].files) == 4
    assert [*(await mirror_of()).path.glob("objects/pack/tmp_*")] == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="git is found by /proc")
async def test_a_git_that_hangs_is_ended_with_all_that_it_started(
    mirror_of: Made, standin: StandIn, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = await mirror_of()
    seen: list[int] = []
    standin.on_call, standin.latency = lambda *_: seen.extend(gits(standin.url)), 30
    monkeypatch.setattr(bot.git, "GIT_TIMEOUT", 10)  # in which git has to come to ask anything, on a busy machine too
    with pytest.raises(SourceError, match="longer than 10 s"):
        await asyncio.to_thread(mirror.fetch, template.fork_point, template.change, 1)
    assert seen
    assert gits(standin.url) == []
