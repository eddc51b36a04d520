"""Facts kept between runs: right whatever happens to the file, and shared by processes."""

import multiprocessing
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from analyzer import reading
from analyzer.model import Share
from analyzer.outline import Depth
from analyzer.reading import Wanted
from analyzer.syntax import UNREAD, Facts
from bot import facts
from bot.facts import FactsStore

SOURCE = b"""//go:build (linux && !cgo) || (windows && cgo)

package p

import "testing"

func init() {}

func (t *T[K]) F(a, b int) error {
\treturn nil
}
"""


def _wanted(count: int = 1, depth: Depth = Depth.WHOLE) -> dict[str, Wanted]:
    return {f"{n:040x}": Wanted(SOURCE, depth) for n in range(count)}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The blobs that were read and not remembered."""
    asked: list[str] = []

    def count(wanted: Mapping[str, Wanted], share: Share) -> Mapping[str, Facts]:
        asked.extend(wanted)
        return reading.read_all(wanted, share)

    monkeypatch.setattr(facts, "read_all", count)
    return asked


def _file(folder: Path) -> Path:
    [found] = folder.glob("facts-*.sqlite")
    return found


def test_what_was_read_is_known_to_the_next_process(tmp_path: Path, read: list[str]) -> None:
    first = FactsStore(tmp_path)(_wanted(3))
    assert FactsStore(tmp_path)(_wanted(3)) == first == reading.read_all(_wanted(3))
    assert len(read) == 3


def test_memory_alone_remembers_too(read: list[str]) -> None:
    store = FactsStore(None)
    assert store(_wanted()) == store(_wanted())
    assert len(read) == 1


def test_what_is_asked_deeper_is_read_again_once(tmp_path: Path, read: list[str]) -> None:
    assert FactsStore(tmp_path)(_wanted(depth=Depth.HEADER))["0" * 40].declarations == ()
    assert FactsStore(tmp_path)(_wanted())["0" * 40].declarations
    assert FactsStore(tmp_path)(_wanted(depth=Depth.OUTLINE))["0" * 40].declarations
    assert len(read) == 2


def test_a_damaged_entry_is_read_again(tmp_path: Path, read: list[str]) -> None:
    FactsStore(tmp_path)(_wanted(2))
    with sqlite3.connect(_file(tmp_path)) as store:
        store.execute("UPDATE kept SET data = x'c1' WHERE id = 1")
    store.close()
    assert FactsStore(tmp_path)(_wanted(2)) == reading.read_all(_wanted(2))
    assert len(read) == 3


def test_a_damaged_file_is_made_anew(tmp_path: Path, read: list[str]) -> None:
    FactsStore(tmp_path)(_wanted())
    _file(tmp_path).write_bytes(b"no database" * 1000)
    for _ in range(3):
        assert FactsStore(tmp_path)(_wanted()) == reading.read_all(_wanted())
    assert len(read) < 4


def test_a_folder_that_cannot_be_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert FactsStore(tmp_path / "file" / "below")(_wanted()) == reading.read_all(_wanted())


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]) -> None:
    monkeypatch.setattr(facts, "MAX_STORE_BYTES", 200_000)
    for start in range(0, 4000, 500):
        FactsStore(tmp_path)({f"{start + n:040x}": Wanted(SOURCE, Depth.WHOLE) for n in range(500)})
    assert _file(tmp_path).stat().st_size < 800_000
    read.clear()
    FactsStore(tmp_path)({f"{3999:040x}": Wanted(SOURCE, Depth.WHOLE)})
    assert not read


def test_what_was_not_read_for_want_of_budget_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {name * 40: Wanted(b"no go", Depth.WHOLE) for name in "ab"}
    with monkeypatch.context() as patch:
        patch.setattr(reading, "MAX_BROKEN_BYTES", 1)
        assert FactsStore(tmp_path)(wanted)["b" * 40] is UNREAD
    assert FactsStore(tmp_path)(wanted)["b" * 40] is not UNREAD
    assert FactsStore(tmp_path)(wanted)["b" * 40] == reading.read_all(wanted)["b" * 40]


def test_processes_share_the_file(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        counts = list(pool.map(_fill, [tmp_path] * 8, range(8)))
    assert counts == [200] * 8
    with sqlite3.connect(_file(tmp_path)) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store.close()


def _fill(folder: Path, start: int) -> int:
    return len(FactsStore(folder)({f"{start * 100 + n:040x}": Wanted(SOURCE, Depth.WHOLE) for n in range(200)}))
