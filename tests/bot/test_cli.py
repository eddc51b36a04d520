"""The command line as others call it: a process, its streams and its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bot.demo.sample import commit, git, make_repository

COMMANDS = (
    "diff",
    "scan",
    "features",
    "files",
    "explain",
    "blame",
    "history",
    "pr",
    "hook",
    "demo",
    "setup",
    "replay",
    "shadow",
    "backfill",
    "queue",
    "serve",
    "worker",
    "health",
    "doctor",
)
REAL = 'package vol\n\nimport "os"\n\nfunc Free(name string) error {\n\treturn os.Remove(name)\n}\n'
STUB = "package vol\n\nfunc Free(name string) error {\n\treturn nil\n}\n"
HOSTILE = 'x\n\x1b[31m"red"\u202e'


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _words(*words: str | None) -> dict[str, Any]:
    return {"enum": [*words]}


TEXT, FLAG, COUNT, LINE = (
    {"type": "string"},
    {"type": "boolean"},
    {"type": "integer", "minimum": 0},
    {"type": "integer", "minimum": 1},
)
SHA = {"type": "string", "pattern": "^[0-9a-f]{40}$"}
PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
SCORE = _object(implemented=COUNT, partial=COUNT, stub=COUNT, missing=COUNT, percent=PERCENT)
PLACE = {"anyOf": [{"type": "null"}, _object(path=TEXT, line=LINE)]}
STUBS = _words("noop", "zero", "error", "panic", None)
FINDING = _object(
    rule=TEXT,
    level=_words("regression", "warning", "improvement", "note"),
    path=TEXT,
    line=LINE,
    end_line=LINE,
    side=_words("head", "base"),
    symbol={"type": ["string", "null"]},
    stub=STUBS,
    gap=FLAG,
    silent=FLAG,
    counterpart=PLACE,
    message=TEXT,
    impact=_list(TEXT),
    fingerprint=TEXT,
)
DIFF = _object(
    schema={"const": 1},
    base=SHA,
    head=SHA,
    verdict=_words("improved", "regressed", "mixed", "unchanged"),
    complete=FLAG,
    unreadable=_list(_object(path=TEXT, reason=TEXT)),
    score=_object(base=SCORE, head=SCORE),
    findings=_list(FINDING),
)
SYMBOL = _object(
    name=TEXT,
    kind=_words("func", "method", "type", "const", "var"),
    status=_words("shared", "implemented", "partial", "stub", "missing", "windows-only"),
    stub=STUBS,
    gap=FLAG,
    windows=PLACE,
    linux=PLACE,
)
SCAN = _object(
    schema={"const": 1}, rev=SHA, score=SCORE, packages=_list(_object(dir=TEXT, score=SCORE, symbols=_list(SYMBOL)))
)


def run(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """The console script, as installed."""
    command = [str(Path(sys.executable).with_name("winparity")), *words]
    known = {
        "PATH": os.environ["PATH"],
        "COLUMNS": "120",
        "WINPARITY_CACHE": "off",
        "WINPARITY_ENV_FILE": "/nowhere/.env",
    }
    return subprocess.run(command, capture_output=True, text=True, env=known | environment, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "sample.git"
    make_repository(folder)
    return folder


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not bare. ``main`` gained code after ``change`` began; ``change`` loses nothing, ``lost`` does, ``warned`` warns."""
    folder = tmp_path_factory.mktemp("cli") / "forked"
    folder.mkdir()
    git(folder, "init", "--quiet", ".")
    stubbed = {"vol/free_linux.go": REAL, "vol/free_windows.go": STUB}
    real = {**stubbed, "vol/free_windows.go": REAL}
    start = commit(folder, stubbed, "start")
    for name, tree, parent in [
        ("main", real, start),
        ("change", {**stubbed, "README.md": "x\n"}, start),
        ("apart", real, ""),
        ("hostile", {**stubbed, "broken.go": "package x\n\nfunc ((\n"}, start),
    ]:
        git(folder, "update-ref", f"refs/heads/{name}", commit(folder, tree, name, parent))
    git(folder, "update-ref", "refs/heads/warned", commit(folder, {"a.go": "package a\n"}, "before"))
    git(folder, "symbolic-ref", "HEAD", "refs/heads/main")
    return folder


def _json(schema: dict[str, Any], *words: str) -> Any:
    done = run(*words, "--format", "json")
    assert done.stderr == ""
    found = json.loads(done.stdout)
    Draft202012Validator(schema).validate(found)
    return found


# What the contract promises.


def test_diff_gives_the_contracts_json(sample: Path) -> None:
    found = _json(DIFF, "diff", "--repo", str(sample), "main", "restart-hung")
    assert (found["verdict"], found["complete"]) == ("mixed", True)
    assert {"implementation-lost", "stub-added"} <= {finding["rule"] for finding in found["findings"]}


def test_scan_gives_the_contracts_json(sample: Path) -> None:
    found = _json(SCAN, "scan", "--repo", str(sample), "main")
    assert [package["dir"] for package in found["packages"] if package["score"]["missing"]] == ["logs"]


def test_what_scan_could_not_read_is_said_on_stderr(forked: Path) -> None:
    done = run("scan", "--repo", str(forked), "hostile", "--format", "json")
    Draft202012Validator(SCAN).validate(json.loads(done.stdout))
    assert "broken.go" in done.stderr
    assert done.returncode == 0


def test_what_diff_could_not_read_is_in_the_json(forked: Path) -> None:
    found = json.loads(run("diff", "--repo", str(forked), "change", "hostile", "--format", "json").stdout)
    assert (found["complete"], [entry["path"] for entry in found["unreadable"]]) == (False, ["broken.go"])


def test_files_gives_a_line_for_each_directory(sample: Path) -> None:
    done = run("files", "--repo", str(sample), "main", "--goos", "linux,windows")
    lines = {line["dir"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert sorted(lines) == ["cmd/berth", "engine", "logs", "ports", "volume"]
    assert lines["logs"]["files"] == {"linux": ["driver.go", "remote.go"], "windows": ["driver.go"]}
    assert lines["logs"]["symbols"]["windows"] == ["type Driver"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("main", "restart-hung"), 1),
        (("main", "restart-hung", "--fail-on", "regression"), 1),
        (("main", "restart-hung", "--fail-on", "warning"), 1),
        (("main", "restart-hung", "--fail-on", "never"), 0),
        (("main", "main"), 0),
        (("main", "main", "--fail-on", "warning"), 0),
        (("restart-hung", "main"), 0),
        (("restart-hung", "main", "--no-merge-base"), 1),
    ],
)
def test_the_exit_code_says_how_bad_it_is(sample: Path, words: tuple[str, ...], code: int) -> None:
    assert run("diff", "--repo", str(sample), *words).returncode == code
    assert run("diff", "--repo", str(sample), *words, "--format", "json").returncode == code


def test_a_warning_fails_only_where_it_is_asked_for(sample: Path) -> None:
    tree = {"a.go": "package a\n", "a_linux.go": REAL.replace("vol", "a"), "a_windows.go": STUB.replace("vol", "a")}
    warned = commit(sample, {"go.mod": "module a\n", **tree}, "warned", git(sample, "rev-parse", "main"))
    before = commit(sample, {"go.mod": "module a\n", "a.go": "package a\n"}, "before", git(sample, "rev-parse", "main"))
    words = ("diff", "--repo", str(sample), before, warned, "--no-merge-base")
    assert {finding["level"] for finding in _json(DIFF, *words)["findings"]} == {"warning"}
    assert [run(*words, "--fail-on", level).returncode for level in ("regression", "warning", "never")] == [0, 1, 0]


def test_a_pull_request_is_compared_with_its_merge_base(forked: Path) -> None:
    words = ("diff", "--repo", str(forked), "main", "change")
    assert _json(DIFF, *words)["findings"] == []
    assert [finding["rule"] for finding in _json(DIFF, *words, "--no-merge-base")["findings"]] == [
        "implementation-lost"
    ]


def test_the_repository_may_be_where_one_stands(forked: Path) -> None:
    assert run("diff", "main", "main", cwd=forked).returncode == 0
    assert run("scan", cwd=forked).returncode == 0


@pytest.mark.parametrize(
    ("form", "first"),
    [("sarif", '{\n  "$schema"'), ("github", "::error file=volume/"), ("markdown", "<!-- winparity -->")],
)
def test_every_format_is_alone_on_stdout(sample: Path, form: str, first: str) -> None:
    done = run("diff", "--repo", str(sample), "main", "restart-hung", "--format", form)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(first)


def test_a_terminal_is_shown_the_source(sample: Path) -> None:
    shown = run("diff", "--repo", str(sample), "main", "restart-hung").stdout
    assert "regressions (1)\n" in shown
    assert "func (s *Store) Free() (uint64, error) {" in shown


# The repository's own settings.


SETTINGS = ".github/winparity.yml"
STUBBED = {"vol/free_linux.go": REAL, "vol/free_windows.go": STUB}


def _pair(folder: Path, settings: str, after: str | None = None, source: str = STUB) -> list[str]:
    """A base with settings, and a head that makes a stub."""
    sound = {**STUBBED, "vol/free_windows.go": REAL, SETTINGS: settings}
    base = commit(folder, sound, "base")
    head = commit(folder, {**STUBBED, "vol/free_windows.go": source, SETTINGS: after or settings}, "head", base)
    return ["diff", "--repo", str(folder), base, head]


ACCEPTS = "accept:\n- symbol: vol:Free\n  reason: nobody asks for it\n"


@pytest.mark.parametrize(
    ("settings", "code", "levels"),
    [
        ("", 1, ["regression"]),
        (ACCEPTS, 0, ["note"]),
        (ACCEPTS + "  expires: 2020-01-01\n", 1, ["regression", "note"]),
        ("fail_on: never\n", 0, ["regression"]),
        ("rules: {implementation-lost: note}\nfail_on: warning\n", 0, ["note"]),
        ("rules: {implementation-lost: off}\n", 0, []),
        ("target: darwin\n", 0, []),
    ],
)
def test_the_settings_of_the_base_hold(sample: Path, settings: str, code: int, levels: list[str]) -> None:
    words = _pair(sample, settings)
    found = _json(DIFF, *words)
    assert [finding["level"] for finding in found["findings"]] == levels
    assert run(*words, "--format", "json").returncode == code


def test_the_settings_of_the_head_do_not(sample: Path) -> None:
    words = _pair(sample, "comment: never\n", ACCEPTS)
    assert [finding["level"] for finding in _json(DIFF, *words)["findings"]] == ["regression"]


def test_an_option_outweighs_the_settings(sample: Path) -> None:
    words = _pair(sample, "fail_on: never\n")
    assert run(*words, "--fail-on", "regression").returncode == 1


def test_wrong_settings_are_said_and_the_defaults_hold(sample: Path) -> None:
    done = run(*_pair(sample, "coment: never\nfail_on: never\n"), "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "regressed"
    assert f"{SETTINGS} at" in done.stderr
    assert "line 1: there is no key 'coment'" in done.stderr
    assert "the defaults hold" in done.stderr


def test_a_comment_in_the_source_accepts(sample: Path) -> None:
    accepted = STUB.replace("func Free", "//winparity:ignore implementation-lost nobody asks for it\nfunc Free")
    words = _pair(sample, "", source=accepted)
    [finding] = _json(DIFF, *words)["findings"]
    assert finding["message"].endswith("Accepted in this very change: nobody asks for it")
    [result] = json.loads(run(*words, "--format", "sarif").stdout)["runs"][0]["results"]
    assert result["suppressions"][0]["kind"] == "inSource"


def test_a_scan_says_what_accepts_nothing_any_more(sample: Path) -> None:
    head = _pair(sample, "accept:\n- {symbol: vol:Gone, reason: x}\n")[-1]
    done = run("scan", "--repo", str(sample), head)
    assert f"ignore-stale  {SETTINGS}:2" in done.stdout
    done = run("scan", "--repo", str(sample), head, "--format", "json")
    Draft202012Validator(SCAN).validate(json.loads(done.stdout))
    assert f"{SETTINGS}:2: ignore-stale" in done.stderr


# What is wrong is said on stderr, with what to do.


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("diff", "--repo", "/nowhere", "a", "b"), ("/nowhere", "--repo")),
        (("scan", "--repo", "/nowhere"), ("/nowhere", "--repo")),
        (("files", "--repo", "/nowhere"), ("/nowhere", "--repo")),
        (("diff", "main", "nothing"), ("nothing", "fetched")),
        (("diff", "--", "--upload-pack=x", "main"), ("--upload-pack=x",)),
        (("diff", "main", "apart"), ("--no-merge-base",)),
        (("scan", "nothing"), ("nothing",)),
        (("files", "--goos", "linux,beos"), ("beos", "windows")),
        (("files", "--goos", ","), ("GOOS",)),
        (("diff", "main"), ("HEAD",)),
        (("diff", "main", "main", "--format", "pdf"), ("pdf", "json")),
        (("diff", "main", "main", "--fail-on", "sometimes"), ("sometimes", "never")),
        (("explain", "stub-aded"), ("stub-added",)),
        (("explain", "--repo", "/nowhere", "Free"), ("/nowhere", "--repo")),
        (("blame", "--repo", "/nowhere", "Free"), ("/nowhere", "--repo")),
        (("blame", "Fre"), ("vol:Free",)),
        (("no-such-command",), ("no-such-command",)),
        (("demo", "main"), ("--repo",)),
        (("demo", "--repo", "/nowhere", "a", "b"), ("/nowhere",)),
        (("worker",), ("WINPARITY_APP_ID", "WINPARITY_WEBHOOK_SECRET", "winparity setup")),
        (("serve",), ("there is no app yet", "/nowhere/.env cannot be written", "winparity setup")),
        (("setup", "--url", "http://wp.example.com"), ("https://",)),
        (("setup", "--org", "a b"), ("organisation",)),
        (("setup", "--env-file", "/nowhere/.env"), ("/nowhere/.env", "cannot be written")),
        (("doctor", "--format", "pdf"), ("pdf", "json")),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_said(forked: Path, words: tuple[str, ...], said: tuple[str, ...]) -> None:
    done = run(*words, cwd=forked)
    assert (done.returncode, done.stdout) == (2, "")
    assert [word for word in said if word not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_a_file_is_no_repository(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    done = run("scan", "--repo", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_an_error_is_one_line_however_long(tmp_path: Path) -> None:
    path = tmp_path / ("long-" * 40)
    assert len(run("scan", "--repo", str(path), COLUMNS="40").stderr.splitlines()) == 1


# What a terminal is given.


def test_no_name_reaches_the_terminal_raw(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", ".")
    blobs = {
        name: git(tmp_path, "hash-object", "-w", "--stdin", stdin=text) for name, text in [("r", REAL), ("s", STUB)]
    }
    revs = []
    for windows in "rs":
        lines = f"100644 {blobs['r']}\t{HOSTILE}/f_linux.go\x00100644 {blobs[windows]}\t{HOSTILE}/f_windows.go\x00"
        git(tmp_path, "update-index", "-z", "--add", "--index-info", stdin=lines)
        revs.append(git(tmp_path, "commit-tree", git(tmp_path, "write-tree"), "-m", "x"))
    words = ["diff", *revs, "--no-merge-base", "--repo", str(tmp_path)]
    for done in (run(*words), run("scan", revs[1], "--repo", str(tmp_path)), run("diff", HOSTILE, "x", cwd=tmp_path)):
        text = done.stdout + done.stderr
        assert "x\\n\\x1b[31m" in text
        assert all(c.isprintable() or c == "\n" for c in text)
    path = json.loads(run(*words, "--format", "json").stdout)["findings"][0]["path"]
    assert path == f"{HOSTILE}/f_windows.go", "a program gets the name itself"


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({}, False)],
)
def test_colour_is_for_those_who_want_it(sample: Path, environment: dict[str, str], *, coloured: bool) -> None:
    done = run("diff", "--repo", str(sample), "main", "restart-hung", TERM="xterm-256color", **environment)
    assert any(f"\x1b[{code}m" in done.stdout for code in ("1;31", "32", "33")) == coloured


def test_an_emoji_code_in_a_name_stays_a_code(sample: Path) -> None:
    head = commit(sample, {":tada:_linux.go": REAL, ":tada:_windows.go": STUB}, "x")
    before = commit(sample, {":tada:_linux.go": REAL, ":tada:_windows.go": REAL}, "x")
    assert ":tada:_windows.go" in run("diff", "--repo", str(sample), before, head, "--no-merge-base").stdout


@pytest.mark.parametrize(
    "words", [("files",), ("scan", "--format", "json"), ("scan",), ("diff", "main", "restart-hung")]
)
def test_a_reader_that_goes_away_is_no_error(sample: Path, words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [str(Path(sys.executable).with_name("winparity")), words[0], "--repo", str(sample), *words[1:]]
    if len(words) < 3 or words[0] == "scan":
        command.append("main")
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode != 2


# Help.


def test_help_lists_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert [command for command in COMMANDS if command not in done.stdout] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Example" in done.stdout
    assert f"winparity {command}" in done.stdout.partition("Example")[2]


def test_what_was_read_is_kept_in_the_cache_folder(sample: Path, tmp_path: Path) -> None:
    words = ("scan", "--repo", str(sample), "main", "--format", "json")
    first = run(*words, XDG_CACHE_HOME=str(tmp_path), WINPARITY_CACHE="on")
    assert list((tmp_path / "winparity").glob("facts-*.sqlite"))
    again = run(*words, XDG_CACHE_HOME=str(tmp_path), WINPARITY_CACHE="on")
    assert (first.returncode, first.stdout) == (again.returncode, again.stdout) == (0, run(*words).stdout)
    assert run(*words, WINPARITY_CACHE="maybe").returncode == 2
