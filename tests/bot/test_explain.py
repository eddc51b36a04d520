"""`winparity explain` and `winparity blame`: why a symbol is what it is, and who made it so."""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from analyzer.dependency import is_import_path
from analyzer.explain import explain, suggestions
from analyzer.model import Options, Platform, Status
from bot.blame import Event, History, blame_json, show_blame, words
from bot.demo.sample import commit, git
from bot.docs import PAGES
from bot.excerpt import sources
from bot.explain import show_explanation, show_page
from bot.ids import Sha
from bot.past import Past
from tests.analyzer.cases import snapshot
from tests.conftest import Snapshots

LINUX = """package vol

import "os"

// Free removes it.
func (s *Store) Free(name string) error {
	if name == "" {
		return nil
	}
	return os.Remove(name)
}

func Both() {}

func only() int { return 1 }

func Mount() error { return os.Chdir("/") }
"""
WINDOWS = """package vol

import "errors"

var errNo = errors.New("not supported on Windows")

type Store struct{}

func (s *Store) Free(name string) error {
	if name == "" {
		return nil
	}
	return errNo
}

func Both() {}

func Check(name string) error {
	if name == "tmpfs" {
		return errNo
	}
	return nil
}

func asm()

func Mount() error { return nil }
"""
FILES = {
    "vol/free_linux.go": LINUX,
    "vol/free_windows.go": WINDOWS,
    "vol/free_darwin.go": "package vol\n\nfunc (s *Store) Free(string) error { return nil }\n",
    "other/free.go": "package other\n\nfunc Free() {\n\tprintln()\n}\n",
    "mac/mac_darwin.go": "package mac\n\nfunc Sleep() {}\n",
}


def _console(width: int = 100) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, emoji=False), out


@pytest.mark.parametrize("wanted", ["Store.Free", "Both", "only", "Check", "asm", "Mount", "errNo", "Store", "Sleep"])
def test_a_symbol_is_explained_as_it_was(snapshots: Snapshots, wanted: str) -> None:
    known = snapshot(FILES)
    [found] = explain(known, wanted)
    console, out = _console()
    show_explanation(found, console, sources(known, known))
    snapshots.check(f"{wanted}.txt", out.getvalue())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("Free", ["other:Free", "vol:Store.Free"]),
        ("Store.Free", ["vol:Store.Free"]),
        ("vol:Free", ["vol:Store.Free"]),
        ("./other/: Free", ["other:Free"]),
        ("other:Store.Free", []),
        ("free", []),
    ],
)
def test_a_name_means_all_that_is_called_so(wanted: str, found: list[str]) -> None:
    assert [f"{e.package}:{e.parity.name}" for e in explain(snapshot(FILES), wanted)] == found


@pytest.mark.parametrize(
    ("wanted", "first"),
    [("store.free", "vol:Store.Free"), ("Chek", "vol:Check"), ("vol:Chek", "vol:Check"), ("zzzzzz", "")],
)
def test_an_unknown_name_is_answered_with_known_ones(wanted: str, first: str) -> None:
    assert next(iter(suggestions(snapshot(FILES), wanted)), "") == first


def test_other_platforms_are_explained_too() -> None:
    [found] = explain(snapshot(FILES), "Store.Free", Options(target=Platform("darwin")))
    assert (found.target.platform, found.parity.status) == ("macOS", Status.STUB)
    assert found.gap.startswith("yes: Linux does work that can fail")


@pytest.mark.parametrize("rule", PAGES)
def test_every_page_is_shown(rule: str) -> None:
    console, out = _console(60)
    show_page(rule, console)
    assert out.getvalue().startswith(f"{rule}\n")
    assert "\nWhat to do\n" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 60


# Blame.


REAL = 'package vol\n\nimport "os"\n\nfunc Free() error {\n\treturn os.Remove("x")\n}\n'
STUB = "package vol\n\nfunc Free() error {\n\treturn nil\n}\n"
HELPED = "package vol\n\nfunc Free() error {\n\treturn help()\n}\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blame") / "x.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    linux = {"old/free_linux.go": REAL}
    trees = [
        {"README.md": "x\n"},
        linux,
        {**linux, "old/free_windows.go": STUB},
        {**linux, "old/free_windows.go": STUB, "old/new.go": "package vol\n"},
        {"vol/free_linux.go": REAL, "vol/free_windows.go": STUB, "vol/new.go": "package vol\n"},
        {"vol/free_linux.go": REAL, "vol/free_windows.go": REAL},
        {
            "vol/free_linux.go": REAL,
            "vol/free_windows.go": HELPED,
            "vol/help_windows.go": 'package vol\n\nimport "os"\n\nfunc help() error { return os.Chdir("x") }\n',
        },
        {
            "vol/free_linux.go": REAL,
            "vol/free_windows.go": HELPED,
            "vol/help_windows.go": "package vol\n\nfunc help() error { return nil }\n",
        },
        {"vol/free_linux.go": REAL},
        {"vol/new.go": "package vol\n"},
    ]
    head = ""
    for number, tree in enumerate(trees):
        head = commit(folder, tree, f"change {number} \x1b[31m[bold]x", head)
        git(folder, "update-ref", f"refs/heads/at{number}", head)
    git(folder, "symbolic-ref", "HEAD", "refs/heads/at7")
    return folder


def _events(repository: Path, rev: str, folder: str = "vol", name: str = "Free") -> list[Event]:
    source = Past(repository)
    return History(source, Options(), name, lambda _done, _all: None).events(Sha(source.resolve(rev)), folder)


def test_every_commit_that_changed_what_it_is_is_found(repository: Path) -> None:
    events = _events(repository, "at9")
    found = [(words(event, Options()), event.change.subject.split()[1]) for event in events]
    assert found == [
        ("removed it", "9"),
        ("took it from Windows", "8"),
        ("made it a stub", "7"),
        ("implemented it", "5"),
        ("moved it", "4"),
        ("gave Windows a stub", "2"),
        ("added it without Windows", "1"),
    ]
    assert {event.moved_from for event in events} == {"", "old/free_windows.go"}


def test_blame_is_shown_as_it_was(repository: Path, snapshots: Snapshots) -> None:
    events = _events(repository, "at7")
    console, out = _console()
    show_blame("vol:Free", events, Options(), console)
    snapshots.check("blame.txt", out.getvalue())
    assert "\x1b" not in out.getvalue()
    found = blame_json("vol:Free", Sha("a" * 40), events, Options())
    assert json.loads(json.dumps(found))["events"][0]["before"] == {
        "status": "implemented",
        "stub": None,
        "place": {"path": "vol/free_windows.go", "line": 3},
    }


@pytest.mark.parametrize(("folder", "name"), [("vol", "Fre"), ("nowhere", "Free"), (".", "Free"), ("v*", "Free")])
def test_what_never_was_has_no_history(repository: Path, folder: str, name: str) -> None:
    assert _events(repository, "at7", folder, name) == []


def test_a_folder_may_have_an_odd_name(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", ".")
    head = commit(tmp_path, {"a[b]*/f_linux.go": REAL, "a[b]*/f_windows.go": STUB}, "x")
    assert [e.after.words for e in _events(tmp_path, head, "a[b]*")] == ["stub (zero)"]


# The commands.


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(repository: Path) -> Run:
    from tests.bot.test_cli import run as command  # noqa: PLC0415 - a helper of a test module

    return lambda *words: command(*words, cwd=repository)


def test_the_commands_answer(run: Run) -> None:
    page, symbol, history = run("explain", "stub-added"), run("explain", "Free"), run("blame", "Free")
    assert [done.returncode for done in (page, symbol, history)] == [0, 0, 0]
    assert page.stdout.startswith("stub-added\n")
    assert symbol.stdout.startswith("vol:Free  func, stub (zero)\n")
    assert history.stdout.startswith("vol:Free  stub (zero) since ")
    assert history.stderr == "", "no progress where nobody looks"
    found = json.loads(run("blame", "vol:Free", "--format", "json").stdout)
    assert (found["symbol"], found["events"][0]["change"]) == ("vol:Free", "made it a stub")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("explain", "stub-aded"), "stub-added"),
        (("explain", "Fre"), "vol:Free"),
        (("explain", "Free", "nothing"), "nothing"),
        (("blame", "Fre"), "vol:Free"),
        (("blame", "vol:Gone"), "vol:Gone"),
        (("blame", "Free", "at9"), "dir:Free"),
    ],
)
def test_the_commands_say_what_is_wrong(run: Run, given: tuple[str, ...], said: str) -> None:
    done = run(*given)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"), [("example.org/hcs", True), ("daemon:F", False), ("T.M", False), ("daemon/x", False)]
)
def test_only_a_path_with_a_host_is_a_module(words: str, said: bool) -> None:  # noqa: FBT001
    assert is_import_path(words) is said
