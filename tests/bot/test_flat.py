"""Nothing piles up: after many jobs a process holds what it held after a few, and a mirror no more than its bound."""

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import analysis, shelf
from bot.analysis import Task
from bot.children import Places
from bot.config import Settings
from bot.demo.github import RepositoryState, StandIn
from bot.demo.sample import commit
from bot.github import Installation
from bot.ids import Repo, Sha
from tests.bot.conftest import NAME, Made, Template, analysed

REPO = Repo(NAME)
# A process that compares as a child does, a line each time; it says what it holds after each.
CHILD = """
import gc, sys
from bot.analysis import Task, _in_child
from bot.children import Places
from bot.ids import Repo, Sha
from bot import log
log.set_up("json", quiet=True)
places, repo, token = Places(sys.argv[1], sys.argv[2], True, 1), Repo(sys.argv[3]), sys.argv[4]
for line in sys.stdin:
    base, head = map(Sha, line.split())
    found = _in_child(places, Task(repo, base, head), token, {"delivery": head})
    assert found.go
    del found
    gc.collect()
    print(len(gc.get_objects()), flush=True)
"""

# What forty jobs leave behind in circles, each when it is among what is old already, in a process that has begun.
CIRCLES = """
class Left: pass
most = 0
for _ in range(40):
    held = [Left() for _ in range(1000)]
    for one in held: one.itself = one
    gc.collect(1)
    del held, one
    most = max(most, len(gc.get_objects()))
print(most)
"""


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing is freed that must first be found to be garbage."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _open(folder: Path) -> list[str]:
    """Files below a folder that this process has open or mapped, but for the locks of mirrors in use."""
    mapped = [line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines()]
    files = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
    return sorted(name for name in (*mapped, *files) if name.startswith(str(folder)) and not name.endswith(shelf.USE))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what is open is read from /proc")
async def test_a_mirror_that_is_closed_has_nothing_open(
    mirror_of: Made, repository: RepositoryState, standin: StandIn, template: Template, tmp_path: Path
) -> None:
    """However many times it was read anew, and whether or not somebody collects garbage."""
    pull = standin.open_pull(NAME, "main", template.change)
    with _uncollected():
        for number in range(3):
            head = commit(repository.git_dir, {"b/n.go": f"package b // {number}\n"}, "newer", template.change)
            standin.push(NAME, pull.number, head)
            mirror = await mirror_of()
            await asyncio.to_thread(analysed, mirror, template.fork_point, head, pull.number)
            assert any(name.endswith(".idx") for name in _open(tmp_path / "mirrors")), "or this test sees nothing"
            mirror.close()
            assert _open(tmp_path / "mirrors") == []


async def test_a_mirror_is_made_anew_before_it_has_many_packs(
    settings: Settings,
    installation: Installation,
    repository: RepositoryState,
    template: Template,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shelf, "MAX_PACKS", 4)
    places, token = Places.of(settings), await installation.token()
    packs = []
    for number in range(8):
        head = commit(repository.git_dir, {"b/n.go": f"package b // {number}\n"}, "newer", template.change)
        task = Task(REPO, template.fork_point, head)
        found = await asyncio.to_thread(analysis._in_child, places, task, token, {})
        assert (found.analysis.base, found.analysis.head, found.go) == (template.fork_point, head, True)
        packs.append(len([*places.mirrors.rglob("*.pack")]))
    assert 0 in packs
    assert max(packs) <= shelf.MAX_PACKS


async def test_a_child_holds_after_many_comparisons_what_it_held_after_a_few(
    settings: Settings, standin: StandIn, installation: Installation, repository: RepositoryState, template: Template
) -> None:
    command = (sys.executable, "-c", CHILD, str(settings.data_dir), standin.url, NAME, await installation.token())
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    held = []
    for number in range(30):
        head: Sha = commit(repository.git_dir, {"b/n.go": "package b\n"}, f"newer {number}", template.change)
        child.stdin.write(f"{template.fork_point} {head}\n".encode())
        held.append(int(await child.stdout.readline()))
    child.stdin.close()
    assert await child.wait() == 0
    # Less than an object for each of twenty comparisons.
    assert held[-1] - held[9] < 20, held


@pytest.mark.parametrize(
    "begin",
    [
        "import gc, bot.web, bot.worker; bot.web.garbage.settle()",
        "import gc, bot.analysis; gc.collect(); bot.children.begin(2048, 'json', True)",
    ],
)
def test_what_jobs_leave_in_circles_is_looked_for_however_much_was_imported(begin: str) -> None:
    """A full collection waits for a quarter of what the one before it counted, and what is frozen is not to count."""
    done = subprocess.run([sys.executable, "-c", begin + CIRCLES], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 15_000
