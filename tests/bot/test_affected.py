"""Findings name what users ask for that comes to them, and a stub that nothing calls is no gap."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.model import Analysis, Level, Options, Snapshot
from bot.affected import affected, reach_of
from bot.around import around
from bot.demo.sample import commit, git, parse_txtar
from bot.git import TooLargeError
from bot.ids import Sha
from bot.source import LocalRepository

FILES = parse_txtar("""
-- go.mod --
module example.com/berth
-- server/router.go --
package server

import (
	"net/http"

	"example.com/berth/engine"
)

type router struct{ engine *engine.Engine }

func (r *router) routes() {
	http.HandleFunc("POST /containers/{id}/pause", r.pause)
	http.HandleFunc("GET /levels", r.levels)
}

func (r *router) pause(w http.ResponseWriter, req *http.Request) {
	if err := r.engine.Pause(req.PathValue("id")); err != nil {
		http.Error(w, err.Error(), 500)
	}
}

func (r *router) levels(w http.ResponseWriter, req *http.Request) {
	_ = r.engine.Level()
}
-- engine/engine.go --
package engine

type Engine struct{ root string }

func (e *Engine) Pause(id string) error { return e.freeze(id) }

func (e *Engine) Level() int { return 1 }
-- engine/freeze_linux.go --
package engine

import "os"

func (e *Engine) freeze(id string) error { return os.WriteFile(e.root+id, nil, 0o600) }
-- engine/freeze_windows.go --
package engine

import "os"

func (e *Engine) freeze(id string) error { return os.WriteFile(e.root+id, []byte(id), 0o600) }
""")
STUB = "package engine\n\nfunc (e *Engine) freeze(id string) error { return nil }\n"
LOST = FILES | {"engine/freeze_windows.go": STUB}
SPARE = 'package engine\n\nimport "os"\n\nfunc (e *Engine) spare() error { return os.Remove(e.root) }\n'
DISK = SPARE.replace("package engine", "package disk")
USES = "package disk\n\ntype Engine struct{ root string }\n\nfunc Clear() error { return (&Engine{}).spare() }\n"
DEAD = FILES | {
    "engine/spare_linux.go": SPARE,
    "engine/spare_windows.go": "package engine\n\nfunc (e *Engine) spare() error { return nil }\n",
}
CALLED = DEAD | {
    "engine/engine.go": FILES["engine/engine.go"].replace("return e.freeze(id)", "_ = e.spare()\n\treturn e.freeze(id)")
}
FIRST = "package first\n\nfunc One() int { return 1 }\n"
SECOND = "package second\n\nfunc Two() int { return 2 }\n"
TWO = FILES | {"first/one.go": FIRST, "second/two.go": SECOND}


def _narrowed(files: dict[str, str], *paths: str) -> dict[str, str]:
    return files | {path: f"//go:build linux\n\n{files[path]}" for path in paths}


NARROWED = _narrowed(FILES, "server/router.go")


class _Watched(LocalRepository):
    """Tells how often all of a revision was read."""

    read: list[Sha]

    def snapshot(self, rev: Sha) -> Snapshot:
        self.read.append(rev)
        return super().snapshot(rev)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[_Watched]:
    """An empty repository."""
    git(tmp_path, "init", "--quiet", "--bare", "r.git")
    found = _Watched(tmp_path / "r.git")
    found.read = []
    return found


def _analysed(source: _Watched, before: dict[str, str], after: dict[str, str]) -> Analysis:
    base, head = commit(source.path, before, "x"), commit(source.path, after, "y")
    sides = source.snapshots(base, head)
    return affected(source, analyze(*sides, around=around(source, *sides)), Options())


def test_a_loss_names_the_features_that_come_to_it(watched: _Watched) -> None:
    analysis = _analysed(watched, FILES, LOST)
    [finding] = analysis.findings
    assert (finding.rule, finding.level) == ("implementation-lost", Level.REGRESSION)
    assert finding.impact == (
        "docker pause",
        "POST /containers/{id}/pause",
        "IContainerOperations.PauseContainerAsync",
    )
    assert [link.function for link in finding.chains[0].links] == [
        "server:router.pause",
        "engine:Engine.Pause",
        "engine:Engine.freeze",
    ]
    assert reach_of(finding).words == "Affects"  # type: ignore[union-attr] # there are chains
    assert (finding.chains_at, watched.read) == ("head", [analysis.head])


def test_a_gain_names_them_too(watched: _Watched) -> None:
    [finding] = _analysed(watched, LOST, FILES).findings
    assert (finding.rule, finding.impact[0]) == ("stub-resolved", "docker pause")


def test_what_is_gone_is_followed_where_it_was(watched: _Watched) -> None:
    analysis = _analysed(watched, FILES, NARROWED)
    [finding] = [f for f in analysis.findings if f.chains]
    assert (finding.path, finding.symbol) == ("server/router.go", None)
    assert {chain.entry.name for chain in finding.chains} == {"POST /containers/{id}/pause", "GET /levels"}
    assert finding.chains_at == "base"
    assert watched.read == [analysis.head, analysis.base]


def test_all_that_is_gone_is_followed_in_one_reading(watched: _Watched) -> None:
    analysis = _analysed(watched, TWO, _narrowed(TWO, "first/one.go", "second/two.go"))
    assert [f.path for f in analysis.findings] == ["first/one.go", "second/two.go"]
    assert watched.read == [analysis.head, analysis.base]


def test_a_new_stub_that_nothing_calls_is_no_gap(watched: _Watched) -> None:
    analysis = _analysed(watched, FILES, DEAD)
    [finding] = analysis.findings
    assert (finding.rule, finding.level, finding.gap) == ("stub-added", Level.WARNING, False)
    assert finding.message.endswith("Nothing that Windows builds calls it, so it could go.")
    [finding] = _analysed(watched, FILES, CALLED).findings
    assert (finding.rule, finding.level, finding.impact[0]) == ("stub-added", Level.WARNING, "docker pause")


def test_what_users_come_to_is_told_first(watched: _Watched) -> None:
    before = FILES | {"disk/spare_linux.go": DISK, "disk/spare_windows.go": DISK, "disk/disk.go": USES}
    after = before | {"engine/freeze_windows.go": STUB}
    after["disk/spare_windows.go"] = DISK.replace("os.Remove(e.root)", "nil").replace('import "os"\n\n', "")
    assert [f.symbol for f in _analysed(watched, before, after).findings] == ["Engine.freeze", "Engine.spare"]


def test_for_an_ordinary_change_nothing_more_is_read(watched: _Watched) -> None:
    changed = FILES | {"engine/engine.go": FILES["engine/engine.go"].replace("return 1", "return 2")}
    assert _analysed(watched, FILES, changed).findings == ()
    assert watched.read == []


def test_of_a_repository_that_is_too_large_the_findings_stay_as_they_are(
    watched: _Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> Snapshot:
        raise TooLargeError("too many")

    monkeypatch.setattr(LocalRepository, "snapshot", refuses)
    [finding] = _analysed(watched, FILES, LOST).findings
    assert (finding.rule, finding.impact) == ("implementation-lost", ())
