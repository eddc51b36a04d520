"""What an analysis reads beside the folders that differ: nothing for an ordinary change, one batch where it must."""

import asyncio
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.model import Around
from bot import source
from bot.around import around
from bot.demo.github import RepositoryState, StandIn
from bot.demo.sample import commit, git
from bot.github import Installation
from bot.ids import Sha
from bot.source import LocalRepository, Mirror

USER = 'package user\n\nimport "example.com/harbor/lib"\n\nvar _ = lib.Make()\n'
MADE = "package lib\n\nfunc Make() int { return 1 }\n\nfunc Other() {}\n"
FILES = {
    "go.mod": "module example.com/harbor\n",
    "lib/lib.go": "package lib\n",
    "lib/make.go": MADE,
    "user/user.go": USER,
    "user/user_linux.go": "package user\n",
    "more/more.go": "package more\n",
    "vendor/example.org/term/term.go": "package term\n\nfunc Raw() int { return 1 }\n",
    "tty/tty.go": 'package tty\n\nimport "example.org/term"\n\nvar _ = term.Raw()\n',
}


def _without(path: str) -> dict[str, str]:
    return {name: text for name, text in FILES.items() if name != path}


ORDINARY = FILES | {"lib/make.go": MADE.replace("1", "2")}
GONE = _without("lib/make.go") | {"lib/make_linux.go": MADE}
VENDORED = _without("vendor/example.org/term/term.go") | {
    "vendor/example.org/term/term_linux.go": FILES["vendor/example.org/term/term.go"],
    "vendor/example.org/term/doc.go": "package term\n",
}

TERM = FILES["vendor/example.org/term/term.go"]
STUB = "package term\n\nfunc Size() int { return 0 }\n"
OWN = {"term/term.go": TERM, "term/size_windows.go": STUB, "term/size_linux.go": STUB.replace("0", "80")}
MADE_OURS = (
    FILES | {f"vendor/example.org/{path}": text for path, text in OWN.items()},
    FILES | OWN | {f"vendor/example.org/{path}": text for path, text in OWN.items()},
)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An empty repository."""
    folder = tmp_path / "bare.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    return folder


def _read(repository: LocalRepository, base: Sha, head: Sha) -> tuple[Around, list[tuple[str, str, str | None]]]:
    before, after = repository.snapshots(base, head)
    found = around(repository, before, after)
    return found, [(f.rule, f.path, f.symbol) for f in analyze(before, after, around=found).findings]


def test_an_ordinary_change_reads_nothing(bare: Path) -> None:
    base, head = commit(bare, FILES, "x"), commit(bare, ORDINARY, "y")
    found, said = _read(LocalRepository(bare), base, head)
    assert (dict(found.files), found.vendored, said) == ({}, None, [])
    assert found.outline.directories["lib"] == ("lib.go", "make.go")
    assert found.outline.modules == {"."}
    assert "vendor/example.org/term" not in found.outline.directories


def test_what_is_taken_away_is_looked_for_everywhere(bare: Path) -> None:
    base, head = commit(bare, FILES, "x"), commit(bare, GONE, "y")
    found, said = _read(LocalRepository(bare), base, head)
    assert set(found.files) == {"user/user.go", "user/user_linux.go", "more/more.go", "tty/tty.go"}
    assert said == [("undefined-on-windows", "user/user.go", "Make")]


def test_a_package_that_is_newly_used_is_read_if_it_differs_by_platform(bare: Path) -> None:
    away = GONE | {"user/user.go": "package user\n"}
    base, head = commit(bare, away, "x"), commit(bare, GONE, "y")
    found, said = _read(LocalRepository(bare), base, head)
    assert set(found.files) == {"lib/lib.go", "lib/make_linux.go"}
    assert said == [("undefined-on-windows", "user/user.go", "Make")]


def test_a_vendored_package_is_read_where_it_differs(bare: Path) -> None:
    base, head = commit(bare, FILES, "x"), commit(bare, VENDORED, "y")
    found, said = _read(LocalRepository(bare), base, head)
    assert found.vendored is not None
    assert [sorted(side.files) for side in found.vendored] == [
        ["vendor/example.org/term/term.go"],
        ["vendor/example.org/term/doc.go", "vendor/example.org/term/term_linux.go"],
    ]
    assert said == [("vendor-drift", "tty/tty.go", "Raw")]


def test_a_package_that_was_vendored_before_is_read_as_it_was(bare: Path) -> None:
    base, head = (commit(bare, files, "x") for files in MADE_OURS)
    found, said = _read(LocalRepository(bare), base, head)
    assert set(found.origins.files) == {f"vendor/example.org/{path}" for path in OWN}
    assert said == []


def test_more_vendored_packages_than_the_limit_are_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_VENDORED", 0)
    base, head = commit(bare, FILES, "x"), commit(bare, VENDORED, "y")
    found, said = _read(LocalRepository(bare), base, head)
    assert said == []
    assert [(entry.path, entry.reason) for entry in found.unreadable] == [
        ("vendor", "1 vendored packages differ, which is more than 0")
    ]


@pytest.mark.parametrize(("change", "fetches"), [(ORDINARY, 2), (GONE, 3), (VENDORED, 3)])
async def test_a_mirror_fetches_it_in_one_batch(  # noqa: PLR0917 - fixtures
    standin: StandIn,
    installation: Installation,
    repository: RepositoryState,
    tmp_path: Path,
    change: dict[str, str],
    fetches: int,
) -> None:
    base = commit(repository.git_dir, FILES, "x")
    head = commit(repository.git_dir, change, "y", base)
    standin.open_pull(repository.name, "main", head)
    token = await installation.token()
    mirror = await asyncio.to_thread(Mirror, tmp_path / "mirrors", installation.repo, standin.url, token)
    await asyncio.to_thread(mirror.fetch, base, head, 1)
    found = await asyncio.to_thread(_read, mirror, base, head)
    assert found == _read(LocalRepository(repository.git_dir), base, head)
    assert sum(call.path.endswith("/info/refs") for call in standin.git_calls) == fetches
