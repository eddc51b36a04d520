"""Hostile source goes through the whole analysis: an answer comes back, and nothing is raised.

How time grows is looked at by `make bench`: a test asserts no timing.
"""

import pytest

from analyzer import analyze, reading, scan
from analyzer.dependency import moved
from analyzer.listing import list_files
from analyzer.model import Snapshot, SourceFile
from analyzer.syntax import UNREAD
from tests.analyzer.hostile import NAMES, SOURCES, P

# Deeper than Python's own stack; `make bench` goes far beyond.
SIZE = 1500
REAL = b"package p\n\nfunc f() error { return g() }\n\nfunc F() error { return g() }\n"


def _snapshot(rev: str, **files: bytes) -> Snapshot:
    return Snapshot(rev, {f"p/{name}.go": SourceFile(f"p/{name}.go", f"{rev}{name}", c) for name, c in files.items()})


@pytest.mark.parametrize("name", SOURCES)
def test_hostile_source_is_analysed(name: str) -> None:
    source = SOURCES[name](SIZE)
    base = _snapshot("a", x_linux=REAL, x_windows=REAL, y=b"package p\n", z_test=b"package p\n")
    head = _snapshot("b", x_linux=REAL, x_windows=source, y=source.replace(b" f()", b" h()"), z_test=source)
    for old, new in ((base, head), (head, base), (head, head)):
        analyze(old, new)
    found = scan(head)
    assert [package.dir for package in found.packages] == ["p"]
    assert [line.dir for line in list_files(head, ["linux", "windows"])] == ["p"]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_are_names(name: str) -> None:
    source = b"package p\n\nfunc F() error { return nil }\n"
    files = {path: SourceFile(path, path, source) for path in (name, f"{name}/{name}")}
    assert analyze(Snapshot("a"), Snapshot("b", files)).complete
    scan(Snapshot("b", files))


def test_many_functions_all_come_back() -> None:
    found = scan(_snapshot("a", x=SOURCES["functions"](50_000)))
    assert len(found.packages[0].symbols) == 50_000


def test_long_words_are_read_once() -> None:
    """A pattern that begins anew at every letter takes hours for each of these."""
    assert moved("a." * 500_000, "require " + "a." * 500_000) == ()
    word = b"a" * 1_000_000
    scan(_snapshot("a", x_linux=P + b"type T struct{ b int }\n\nvar X = T{b: " + word + b"}\n"), portables=True)
    refusal = b'func F() error { return errors.New("' + b"cannot " * 150_000 + b'") }\n'
    scan(_snapshot("a", x_linux=REAL, x_windows=P + b'import "errors"\n' + refusal))


def test_what_is_not_go_is_read_up_to_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes, not its seconds, are counted: the same input gives the same answer."""
    monkeypatch.setattr(reading, "MAX_BROKEN_BYTES", 1000)
    bad = {f"bad{n}": P + b'x "\n' * 200 for n in range(9)}
    head = _snapshot("b", **bad, fine=REAL)
    said = {entry.path: entry.reason for entry in analyze(_snapshot("a"), head).unreadable}
    assert said["p/bad0.go"].startswith("not Go from line 2")
    assert said["p/bad1.go"].startswith("not Go from line 2")
    assert all(said[f"p/bad{n}.go"].startswith("not analysed") for n in range(2, 9))
    assert said["p/fine.go"] == said["p/bad8.go"]
    assert UNREAD.declarations == ()
