"""Work on two cores: the same answer as on one, whatever becomes of the child."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from analyzer import reading, scan
from analyzer.model import Options, in_turn
from analyzer.outline import Depth
from analyzer.reading import Wanted
from analyzer.syntax import UNREAD
from bot import cores
from bot.cores import on_two_cores
from bot.facts import FactsStore
from bot.source import LocalRepository
from tests import bench_data

pytestmark = pytest.mark.skipif(not cores.can_fork(), reason="one core, or a system where nothing is forked")
NUMBERS = range(500)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_data, "PACKAGES", 120)
        patch.setattr(bench_data, "PULLS", ())
        return bench_data.synthetic(tmp_path_factory.mktemp("cores") / "repo")


@pytest.mark.slow
def test_a_scan_gives_the_same_table_on_one_core_and_on_two(repo: Path) -> None:
    source = LocalRepository(repo)
    snapshot = source.snapshot(source.resolve("HEAD"))
    shared = scan(snapshot, Options(reader=FactsStore(None, on_two_cores), share=on_two_cores))
    assert shared == scan(snapshot)
    assert len(shared.packages) > cores.MIN_ITEMS
    assert shared.score.stub


@pytest.mark.slow
def test_the_command_prints_the_same_on_one_core_and_on_two(repo: Path) -> None:
    command = [sys.executable, "-m", "bot.cli", "scan", "--repo", str(repo), "--format", "json"]

    def run(cpus: set[int]) -> bytes:
        return subprocess.run(
            command,
            capture_output=True,
            check=True,
            env={**os.environ, "WINPARITY_CACHE": "off"},
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        ).stdout

    every = os.sched_getaffinity(0)
    assert run(every) == run({min(every)})


def _only_in_a_child(does: Callable[[], object]) -> Callable[[int], str]:
    parent = os.getpid()

    def work(number: int) -> str:
        if os.getpid() != parent:
            does()
        time.sleep(0.0002)  # so that each process gets a share
        return f"{number}"

    return work


def test_results_come_in_the_order_of_the_items() -> None:
    assert on_two_cores(str, NUMBERS, str) == in_turn(str, NUMBERS, str)


def test_both_processes_work_and_one_is_left() -> None:
    workers = {*on_two_cores(lambda _: time.sleep(0.0002) or os.getpid(), NUMBERS, int)}
    [child] = workers - {os.getpid()}
    assert len(workers) == 2
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def test_few_items_stay_here() -> None:
    assert on_two_cores(lambda _: os.getpid(), range(10), int) == [os.getpid()] * 10


@pytest.mark.parametrize(
    "does",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: os._exit(0),
        lambda: 1 / 0,
        lambda: sys.exit(3),
    ],
    ids=["killed", "gone", "failed", "left"],
)
def test_what_a_child_does_not_deliver_is_done_here(does: Callable[[], object]) -> None:
    work = _only_in_a_child(does)
    assert on_two_cores(work, NUMBERS, str) == [f"{n}" for n in NUMBERS]


def test_what_no_pipe_takes_is_done_here() -> None:
    def work(number: int) -> str:
        return "\udcff" if number == 250 else f"{number}"

    assert on_two_cores(work, NUMBERS, str) == in_turn(work, NUMBERS, str)


def test_what_is_wrong_with_the_work_is_raised_here() -> None:
    def work(number: int) -> float:
        return 1 / (number - 499)

    with pytest.raises(ZeroDivisionError):
        on_two_cores(work, NUMBERS, float)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_runs_on_when_the_command_is_stopped(number: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    work = f"lambda n: (open({str(log)!r}, 'a').write(f'{{os.getpid()}}\\n'), time.sleep(0.005), 'x' * 10_000)[2]"
    script = f"import os, time; from bot.cores import on_two_cores; on_two_cores({work}, range(200), str)"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as parent:
        while not log.exists() or len({*log.read_text().split()}) < 2:
            time.sleep(0.01)
        parent.send_signal(number)
    [child] = {int(pid) for pid in log.read_text().split()} - {parent.pid}
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_no_go_counts_over_both_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BROKEN_BYTES", 3_000)
    wanted = {
        f"{n:040x}": Wanted(b"package p\n\nfunc F() {\n" + (b"\t(\n" if n % 3 else b"") + b"}\n" * 20, Depth.WHOLE)
        for n in NUMBERS
    }
    alone, shared = reading.read_all(wanted), reading.read_all(wanted, on_two_cores)
    assert shared == alone
    unread = [blob for blob, facts in alone.items() if facts is UNREAD]
    assert [blob for blob, facts in shared.items() if facts is UNREAD] == unread
    assert 0 < len(unread) < len(wanted)
