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
from bot.mirrors import Mirror
from bot.source import LocalRepository

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

LOST = '//go:build linux\n\npackage use\n\nimport (\n\t"os"\n\n\t_ "example.com/harbor/mid"\n)\n\nfunc Do() int { return os.Getpid() }\n'
IMPORTING = FILES | {
    "mid/mid.go": 'package mid\n\nimport "example.com/harbor/deep"\n\nvar _ = deep.X\n',
    "deep/deep_linux.go": "package deep\n\nvar X = 1\n",
    "use/use.go": LOST.partition("\n\n")[2],
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


def test_what_something_imports_that_seems_lost_is_read_step_by_step(bare: Path) -> None:
    lost = {name: text for name, text in IMPORTING.items() if name != "use/use.go"}
    lost |= {"use/use_linux.go": LOST, "use/use_windows.go": "package use\n\nfunc Do() int { return 0 }\n"}
    base, head = commit(bare, IMPORTING, "x"), commit(bare, lost, "y")
    repository = LocalRepository(bare)
    before, after = repository.snapshots(base, head)
    found = around(repository, before, after)
    assert set(found.files) == {"mid/mid.go", "deep/deep_linux.go"}
    gaps = {f.rule: f.gap for f in analyze(before, after, around=found).findings}
    assert gaps["implementation-lost"] is False
    assert {f.rule: f.gap for f in analyze(before, after).findings}["implementation-lost"] is True


DEEP = {
    "go.mod": FILES["go.mod"],
    "use/use.go": 'package use\n\nimport (\n\t"os"\n\n\t_ "example.org/mid"\n)\n\nfunc Do() int { return os.Getpid() }\n',
    "vendor/example.org/mid/mid.go": 'package mid\n\nimport (\n\t_ "example.org/deep"\n\t_ "example.org/sys"\n)\n',
    "vendor/example.org/deep/deep.go": 'package deep\n\nimport _ "golang.org/x/sys/unix"\n',
    "vendor/example.org/sys/sys_windows.go": 'package sys\n\nimport _ "example.org/more"\n',
    "vendor/example.org/more/more.go": "package more\n",
    "vendor/example.org/aside/aside.go": "package aside\n",
}
DEEP_LOST = {name: text for name, text in DEEP.items() if name != "use/use.go"} | {
    "use/use_linux.go": DEEP["use/use.go"],
    "use/use_windows.go": "package use\n\nfunc Do() int { return 0 }\n",
}


@pytest.mark.parametrize(("most", "gap"), [(3, False), (2, True)])
def test_what_is_vendored_for_something_that_seems_lost_is_read_step_by_step(
    bare: Path, monkeypatch: pytest.MonkeyPatch, most: int, *, gap: bool
) -> None:
    monkeypatch.setattr("bot.around.MAX_BEHIND", most)
    base, head = commit(bare, DEEP, "x"), commit(bare, DEEP_LOST, "y")
    before, after = LocalRepository(bare).snapshots(base, head)
    found = around(LocalRepository(bare), before, after)
    near = {"vendor/example.org/mid/mid.go"}
    far = {"vendor/example.org/deep/deep.go", "vendor/example.org/sys/sys_windows.go"}
    assert set(found.behind) == (near if gap else near | far)
    gaps = {f.rule: f.gap for f in analyze(before, after, around=found).findings}
    assert gaps["implementation-lost"] is gap


OWNER = {
    "go.mod": FILES["go.mod"],
    "vendor/example.org/owner/owner_linux.go": "package owner\n\nfunc Get() error {\n\tselect {}\n}\n",
    "vendor/example.org/owner/owner_other.go": (
        "//go:build !linux\n\npackage owner\n\nfunc Get() error { return nil }\n"
    ),
    "vendor/example.org/same/same.go": "package same\n\nfunc Get() error { return nil }\n",
    "use/use_linux.go": "package use\n\nfunc Do() error {\n\tselect {}\n}\n",
    "use/use_windows.go": 'package use\n\nimport "errors"\n\nfunc Do() error { return errors.New("not supported") }\n',
}
HANDED = 'package use\n\nimport "example.org/%s"\n\nfunc Do() error { return %s.Get() }\n'


@pytest.mark.parametrize(("name", "read"), [("owner", 2), ("same", 0), ("none", 0)])
def test_a_vendored_package_that_a_function_hands_on_to_is_read_if_it_differs_by_platform(
    bare: Path, name: str, read: int
) -> None:
    head = OWNER | {"use/use_windows.go": HANDED % (name, name)}
    found, said = _read(LocalRepository(bare), commit(bare, OWNER, "x"), commit(bare, head, "y"))
    assert [len(side) for side in found.handed] == [read, read]
    assert said == ([] if read else [("stub-resolved", "use/use_windows.go", "Do")])


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


MODULE = "module example.com/harbor\n\nrequire example.org/hcs v1.0.0\n"
HCS = {"go.mod": MODULE, "hcs/hcs_windows.go": 'package hcs\n\nimport "example.org/hcs"\n\nvar _ = hcs.Open\n'}
NEWER = HCS | {"go.mod": MODULE.replace("v1.0.0", "v1.1.0")}
FOLDER = {"vendor/example.org/tty/tty.go": "package tty\n"}


@pytest.mark.parametrize(
    ("base", "head", "told"),
    [(HCS, NEWER, [("vendor-drift", "go.mod", None)]), (HCS | FOLDER, NEWER | FOLDER, []), (HCS, HCS | FOLDER, [])],
)
def test_a_module_that_moves_without_its_source_is_told_to_who_uses_it(
    bare: Path, base: dict[str, str], head: dict[str, str], told: list[tuple[str, str, str | None]]
) -> None:
    assert _read(LocalRepository(bare), commit(bare, base, "x"), commit(bare, head, "y"))[1] == told


def test_with_internal_vendored_packages_come_those_that_they_are_used_through(bare: Path) -> None:
    folder = "vendor/example.org/hcs"
    real = 'package system\n\nimport "os"\n\nfunc Open() error { return os.Remove("x") }\n'
    files = HCS | {
        f"{folder}/hcs_windows.go": (
            'package hcs\n\nimport "example.org/hcs/internal/system"\n\nfunc Open() error { return system.Open() }\n'
        ),
        f"{folder}x/x.go": "package x\n",
        f"{folder}/internal/system/system_windows.go": real,
    }
    stub = "package system\n\nfunc Open() error { return nil }\n"
    base, head = (
        commit(bare, files, "x"),
        commit(bare, {**files, f"{folder}/internal/system/system_windows.go": stub}, "y"),
    )
    found, said = _read(LocalRepository(bare), base, head)
    assert found.vendored is not None
    assert sorted(found.vendored[1].files) == [
        f"{folder}/hcs_windows.go",
        f"{folder}/internal/system/system_windows.go",
    ]
    assert said == [("vendor-drift", "hcs/hcs_windows.go", "Open")]


def test_what_only_an_internal_vendored_package_loses_asks_for_nothing(bare: Path) -> None:
    file = "vendor/example.org/hcs/internal/system/system_windows.go"
    base, head = (
        commit(bare, HCS | {file: f"package system\n\nfunc {name}() {{}}\n"}, name) for name in ("Open", "Close")
    )
    found, said = _read(LocalRepository(bare), base, head)
    assert found.vendored is not None
    assert (found.files, said) == ({}, [])
