"""`winparity history`: which revisions are worth a point, and what is told of them."""

import json
import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from analyzer.model import Options, Score
from bot.dashboard import history
from bot.dashboard.history import history_html, measure_all, show_history
from bot.dashboard.records import About, Point
from bot.dashboard.revisions import Revisions, is_release, moment
from bot.demo.sample import git
from bot.git import SourceError
from bot.ids import Sha
from tests.bot.line import BASE, LOST, LOST_MORE

ROOT = Path(__file__).parents[2]


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    known = {"PATH": "/usr/bin:/bin", "COLUMNS": "120", "WINPARITY_CACHE": "off", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "from bot.cli import main; main()", "history", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**known, **env}, cwd=ROOT, check=False)


def _commit(folder: Path, tree: dict[str, str], day: str, parent: str = "") -> str:
    """A commit that was made on a day."""
    git(folder, "read-tree", "--empty")
    rows = [f"100644 {git(folder, 'hash-object', '-w', '--stdin', stdin=text)}\t{path}" for path, text in tree.items()]
    git(folder, "update-index", "--add", "--index-info", stdin="\n".join(rows) + "\n")
    who = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.com"}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    dates = {"GIT_AUTHOR_DATE": f"{day}T12:00:00Z", "GIT_COMMITTER_DATE": f"{day}T12:00:00Z"}
    words = ["git", "-C", str(folder), "commit-tree", git(folder, "write-tree"), "-m", day]
    words += ["-p", parent] if parent else []
    env = {**os.environ, **who, **dates, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(words, capture_output=True, text=True, check=True, env=env).stdout.strip()


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three months, three releases, of which one is on a line of its own, and tags that are none."""
    folder = tmp_path_factory.mktemp("history") / "harbor"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    first = _commit(folder, BASE, "2024-01-10")
    second = _commit(folder, LOST, "2024-01-20", first)
    third = _commit(folder, LOST_MORE, "2024-02-10", second)
    patched = _commit(folder, {**LOST, "n.txt": "n"}, "2024-03-05", second)
    last = _commit(folder, {**LOST_MORE, "m.txt": "m"}, "2024-03-10", third)
    git(folder, "update-ref", "refs/heads/main", last)
    git(folder, "symbolic-ref", "HEAD", "refs/heads/main")
    named = {
        "v1.0.0": first,
        "v1.1.0": third,
        "v1.0.1": patched,
        "v1.1.0-rc1": second,
        "api/v2.0.0": second,
        "latest": last,
    }
    for name, rev in named.items():
        git(folder, "update-ref", f"refs/tags/{name}", rev)
    blob = git(folder, "hash-object", "-w", "--stdin", stdin="no commit\n")
    git(folder, "update-ref", "refs/tags/v9.9.9", blob)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "v1.2.3",
        "1.2",
        "v28.0.0",
        "docker-v29.0.0",
        "v17.03.0-ce",
        "release-1.2.3",
        "v1.0.0+build.5",
        "v2.0.0-GA",
        "v10.0",
        "v1.2.3-1",
    ],
)
def test_a_release_is_known_by_its_name(name: str) -> None:
    assert is_release(name)


@pytest.mark.parametrize(
    "name",
    [
        *("v1.2.3-rc1", "v1.2.3-rc.1", "v17.03.0-ce-rc1", "v1.0.0-beta", "v1.0.0-alpha.3", "v1.2.3-dev", "v18.9.1-tp2"),
        *("v1.0.0-preview", "v1.0.0-20240101-nightly", "api/v1.2.3", "client/v0.1.0", "v1", "latest", "", "1.2.3; rm"),
        *(
            "v1.2.3\u202e",
            "v1.2.3<script>",
            "v1." + "9" * 100,
            "-v1.2.3",
            "../v1.2.3",
            "v1.2.3-M1",
            "docs-v1.12.0",
            "v1.12.0-2016-07-28",
        ),
    ],
)
def test_what_is_none_is_left_out(name: str) -> None:
    assert not is_release(name)


def test_releases_and_months_are_found(harbor: Path) -> None:
    source = Revisions(harbor)
    plan = source.plan(source.resolve("HEAD"))
    day = lambda about: time.strftime("%m-%d", time.gmtime(about.time))  # noqa: E731
    assert [(about.kind, about.name, day(about)) for about in plan.revisions] == [
        ("release", "v1.0.0", "01-10"),
        ("month", "", "01-20"),
        ("release", "v1.1.0", "02-10"),
        ("release", "v1.0.1", "03-05"),
        ("month", "", "03-10"),
    ]
    assert [name for name, _ in plan.left_out] == ["v9.9.9"]
    only = source.plan(source.resolve("HEAD"), months=False, since=moment(harbor, "v1.1.0"))
    assert [about.name for about in only.revisions] == ["v1.1.0", "v1.0.1"]
    assert len(source.plan(source.resolve("HEAD"), releases=False).revisions) == 3


def test_a_commit_from_the_future_hides_no_month(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", ".")
    rev = ""
    for day in ("2024-01-10", "2031-01-01", "2024-02-10", "2024-03-10"):
        rev = _commit(tmp_path, {"n.txt": day}, day, rev)
    plan = Revisions(tmp_path).plan(Sha(rev))
    months = [time.strftime("%Y-%m", time.gmtime(about.time)) for about in plan.revisions]
    assert months == ["2024-01", "2024-02", "2024-03"]


@pytest.mark.parametrize(
    ("since", "day"), [("2024", "2024-01-01"), ("2024-02", "2024-02-01"), ("2024-02-03", "2024-02-03")]
)
def test_a_time_is_a_day_or_a_revision(harbor: Path, since: str, day: str) -> None:
    assert time.strftime("%Y-%m-%d", time.gmtime(moment(harbor, since))) == day
    assert time.strftime("%Y-%m-%d", time.gmtime(moment(harbor, "v1.1.0"))) == "2024-02-10"
    with pytest.raises(SourceError):
        moment(harbor, "nobody knows")


def test_a_revision_that_cannot_be_read_keeps_no_other_from_it(harbor: Path) -> None:
    source = Revisions(harbor)
    good = source.about(source.resolve("v1.0.0"), "v1.0.0", "release")
    bad = About("1" * 40, "v0.0.0", "release", 1)
    told: list[tuple[int, int]] = []
    found = measure_all(source, [bad, good], Options(), None, lambda *counts: told.append(counts))
    assert [(one.about.name, one.point is None, bool(one.trouble)) for one in found] == [
        ("v0.0.0", True, True),
        ("v1.0.0", False, False),
    ]
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_both_cores_give_the_same_and_what_was_measured_is_not_again(
    harbor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Revisions(harbor)
    revisions = source.plan(source.resolve("HEAD")).revisions
    with monkeypatch.context() as patch:
        patch.setattr(history, "MIN_REVISIONS", 1_000)
        alone = measure_all(source, revisions, Options(), None, lambda *_: None)
    told: list[tuple[int, int]] = []
    assert measure_all(source, revisions, Options(), tmp_path, lambda *_: None) == alone
    monkeypatch.setattr(Revisions, "snapshot", None)
    assert measure_all(source, revisions, Options(), tmp_path, lambda *counts: told.append(counts)) == alone
    assert told == [(5, 5)]


def test_what_was_stopped_in_the_middle_goes_on(harbor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Revisions(harbor)
    revisions = source.plan(source.resolve("HEAD")).revisions
    monkeypatch.setattr(history, "MIN_REVISIONS", 1_000)
    read: list[str] = []
    real = Revisions.snapshot

    def stop(self: Revisions, rev: Sha) -> Any:
        if len(read) == 3:
            raise KeyboardInterrupt
        read.append(rev)
        return real(self, rev)

    with monkeypatch.context() as patch:
        patch.setattr(Revisions, "snapshot", stop)
        with pytest.raises(KeyboardInterrupt):
            measure_all(source, revisions, Options(), tmp_path, lambda *_: None)
    told: list[tuple[int, int]] = []
    found = measure_all(source, revisions, Options(), tmp_path, lambda *counts: told.append(counts))
    assert told == [(3, 5), (4, 5), (5, 5)]
    assert all(one.point for one in found)


# The command.


def test_the_json_has_every_point(harbor: Path) -> None:
    done = run("--repo", str(harbor), "--format", "json")
    assert (done.returncode, "left out v9.9.9" in done.stderr) == (0, True)
    found = json.loads(done.stdout)
    assert (found["schema"], found["target"], found["reference"], found["unreadable"]) == (1, "windows", "linux", [])
    assert [(point["kind"], point["name"], point["score"]["percent"]) for point in found["points"]] == [
        ("release", "v1.0.0", 100.0),
        ("month", "", 0.0),
        ("release", "v1.1.0", 0.0),
        ("release", "v1.0.1", 0.0),
        ("month", "", 0.0),
    ]
    first = found["points"][0]
    assert {*first} == {"rev", "name", "kind", "time", "score", "gaps", "packages", "unreadable"}
    assert (first["gaps"], first["packages"], first["unreadable"]) == (0, 1, 0)


def test_revisions_can_be_named(harbor: Path) -> None:
    done = run("v1.0.0", "main", "HEAD", "--repo", str(harbor), "--format", "json")
    points = json.loads(done.stdout)["points"]
    assert [(point["name"], point["kind"]) for point in points] == [("v1.0.0", "release"), ("main", "push")]
    assert run("nobody", "--repo", str(harbor)).returncode == 2


def test_the_terminal_shows_what_changed(harbor: Path) -> None:
    done = run("--repo", str(harbor))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "Windows parity, releases  100.0 % → 0.0 %"
    rows = [line for line in lines if line.startswith("v1")]
    assert [row.split()[:2] for row in rows] == [
        ["v1.0.0", "2024-01-10"],
        ["v1.0.1", "2024-03-05"],
        ["v1.1.0", "2024-02-10"],
    ]
    assert "100.0 %" in rows[0]
    assert "\x1b" not in done.stdout


def test_runs_of_the_same_are_counted() -> None:
    out = StringIO()
    points = [
        Point(
            rev=f"{n:040x}", name=f"v1.{n}.0", kind="release", time=n * 10**7, score=Score(implemented=n // 3, stub=2)
        )
        for n in range(7)
    ]
    show_history(points, Options(), Console(file=out, width=100))
    shown = out.getvalue()
    assert shown.count("… 2 more, the same") == 2
    assert shown.count("v1.") == 3
    assert "▁▁▁▆▆▆█" in shown


def test_a_revision_that_declares_nothing_separately_has_no_share() -> None:
    out = StringIO()
    scores = [Score(), Score(), Score(implemented=1, stub=1), Score(implemented=3, stub=1)]
    points = [
        Point(rev=f"{n:040x}", name=f"v1.{n}.0", kind="release", time=n, score=score) for n, score in enumerate(scores)
    ]
    show_history(points, Options(), Console(file=out, width=100))
    title, line, _, first, *_ = out.getvalue().split("\n")
    assert "50.0 % → 75.0 %" in title
    assert "▁█" in line
    assert ("–" in first, "100" in first) == (True, False)
    show_history(points[:1], Options(), Console(file=out, width=100))


def test_no_releases_and_no_months_are_a_mistake(harbor: Path, tmp_path: Path) -> None:
    done = run("--repo", str(harbor), "--no-releases", "--no-months")
    assert (done.returncode, "name revisions" in done.stderr) == (2, True)
    git(tmp_path, "init", "--quiet", "--bare", ".")
    assert run("--repo", str(tmp_path)).returncode == 2


@pytest.mark.parametrize("form", ["svg", "html"])
def test_a_picture_and_a_page_can_be_written(harbor: Path, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"history.{form}"
    done = run("--repo", str(harbor), "--format", form, "--output", str(file), "--name", "acme/<harbor>")
    assert (done.returncode, done.stdout) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert "acme/&lt;harbor&gt;" in text
    assert "<harbor>" not in text
    if form == "svg":
        assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
    else:
        assert text.count("<tr>") == 6
    bad = run("--repo", str(harbor), "--format", form, "--output", str(tmp_path / "no" / "x"))
    assert (bad.returncode, "cannot be written" in bad.stderr) == (2, True)
    assert run("--repo", str(harbor), "--output", str(file)).returncode == 2


def test_a_name_is_text_in_a_page() -> None:
    point = Point(rev="1" * 40, name="<script>alert(1)</script>\u202e", kind="push", time=1, score=Score(stub=1))
    page = history_html([point, point], Options(), "")
    assert "<script" not in page
    assert "\u202e" not in page
