"""`winparity demo` for real: it shows the whole line, touches nothing that is not its own, and leaves nothing behind."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer import analyze
from bot.demo.sample import commit, git, make_repository, parse_txtar
from bot.ids import Sha
from bot.source import LocalRepository
from tests.bot.manifest_flow import Visitor
from tests.bot.processes import eventually

DEMO = [str(Path(sys.executable).with_name("winparity")), "demo"]
PATIENCE = 60.0


def _environment(folder: Path) -> dict[str, str]:
    """The temporary folder is how processes of this demo are known from those of others."""
    return {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "COLUMNS": "200"}


@pytest.fixture
def place() -> Iterator[Path]:
    """Its path is short, so that a socket fits into it."""
    with tempfile.TemporaryDirectory(prefix="wpt-") as folder:
        yield Path(folder)


def _left(place: Path) -> list[str]:
    """Processes that were told of the demo's folder, and files in it."""
    found = [str(file) for file in place.iterdir()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(place).encode() in told:
            found.append(f"{process.name} {told[:100]!r}")
    return found


def _run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DEMO, *words], capture_output=True, text=True, env=_environment(place), check=False)


@pytest.mark.slow
def test_the_demo_shows_the_line_and_leaves_nothing(place: Path) -> None:
    done = _run(place)
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "The comment on the pull request",
        "The check run",
        "Windows users lose",
        "volume/usage_windows.go:6",
    ):
        assert words in done.stdout
    assert re.search(r"^failure  Windows: ", done.stdout, re.MULTILINE)
    # A survey for the dashboard may have begun by then: two requests, and what it fetches.
    assert re.search(r"asked (8|9|10) times through its API and (6|7|8|9|10) times through git", done.stdout)
    if sys.platform == "linux":
        assert _left(place) == []


@pytest.mark.slow
def test_a_repository_of_ones_own_is_only_read(place: Path, tmp_path: Path) -> None:
    source = tmp_path / "my project"
    source.mkdir()
    git(source, "init", "--quiet", ".")
    base = commit(source, {"a.go": "package a\n"}, "base")
    head = commit(source, {"a.go": "//go:build !windows\n\npackage a\n\nfunc A() {}\n"}, "head", base)
    before = _state(source)
    done = _run(place, "--repo", str(source), base, head)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"example/myproject, {base[:7]}…{head[:7]}" in done.stdout
    assert _state(source) == before


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("words", "until"), [((), "a stand-in for GitHub"), (("--keep",), "Still up")])
def test_a_demo_that_is_stopped_leaves_nothing(
    place: Path, stop: signal.Signals, words: tuple[str, ...], until: str
) -> None:
    environment = {**_environment(place), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*DEMO, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        assert any(until in line for line in demo.stdout)
        demo.send_signal(stop)
        demo.stdout.read()
        said = demo.stderr.read()
        assert demo.wait(PATIENCE) in {0, 128 + stop}
    assert "Traceback" not in said
    deadline = time.monotonic() + 5
    while _left(place) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _left(place) == []


@pytest.mark.slow
async def test_whoever_looks_at_the_demo_can_sign_in(place: Path, visitor: Visitor) -> None:
    environment = {**_environment(place), "PYTHONUNBUFFERED": "1"}
    command = (sys.executable, "-m", "bot.cli", "demo", "--keep")
    demo = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment)
    assert demo.stdout is not None
    said = ""
    async with asyncio.timeout(PATIENCE):
        while "Press Ctrl-C" not in said:
            said += (await demo.stdout.readline()).decode()
    [url] = re.findall(r"the dashboard at (http://127\.0\.0\.1:\d+)/", said)
    assert "you are octocat" in said
    assert f"({url}/operations)" in said
    for path in ("/operations", "/example/private"):
        assert await visitor.open(url + path) == 404

    async def there() -> bool:
        return await visitor.open(f"{url}/example/private/packages") == 200 and "vol" in visitor.page

    await visitor.open(f"{url}/login")
    assert await visitor.send(authorize="1") == 200
    await eventually(there)
    assert await visitor.open(f"{url}/operations") == 200
    demo.terminate()
    await demo.communicate()


# The sample.


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sha, Sha]:
    folder = tmp_path_factory.mktemp("sample") / "berth.git"
    return folder, *make_repository(folder)


def test_the_sample_shows_a_loss_of_each_kind_and_a_gain(sample: tuple[Path, Sha, Sha]) -> None:
    folder, base, head = sample
    findings = analyze(*LocalRepository(folder).snapshots(base, head)).findings
    found = {(finding.path, finding.symbol) for finding in findings}
    assert {
        ("engine/restart_windows.go", "Engine.restartHung"),
        ("volume/usage_windows.go", "Store.Free"),
        ("logs/remote.go", None),
    } <= found
    skipped = [f for f in findings if f.rule == "test-skipped"]
    assert [(f.path, f.symbol) for f in skipped] == [("ports/ports_test.go", "TestFree")]


def test_the_sample_is_the_same_everywhere(sample: tuple[Path, Sha, Sha], tmp_path: Path) -> None:
    assert make_repository(tmp_path / "again") == sample[1:]


def test_txtar_is_read_as_go_reads_it() -> None:
    assert parse_txtar("prose\n-- a/b.go --\nx\n\n--  c  --\n-- not one\n") == {"a/b.go": "x\n\n", "c": "-- not one\n"}
