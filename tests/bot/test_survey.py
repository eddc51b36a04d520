"""A revision to what is recorded of it, and what must be the same however it is come to."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from analyzer.closure import fingerprints
from analyzer.common import Common
from analyzer.model import LINUX, WINDOWS, Options, Place, Platform, Snapshot, SourceFile
from bot import repo_config
from bot.dashboard import survey as surveys
from bot.dashboard.measure import Measure
from bot.dashboard.records import FORM, MAX_BODY, Detail
from bot.dashboard.survey import About, revision_of, survey, survey_newest
from bot.demo.sample import parse_txtar
from tests.analyzer.test_standing import FOLDER

ABOUT = About("a" * 40, "v1.0.0", "release", 1_700_000_000)
MODULE = "example.com/harbor"
FILES = {
    "cmd/main.go": f"""package main

import "{MODULE}/router"

func main() {{
	router.Serve()
}}
""",
    "router/router.go": f"""package router

import (
	"net/http"

	"{MODULE}/vol"
)

// Serve listens.
func Serve() {{
	http.HandleFunc("/volumes/free", free)
	http.ListenAndServe(":1", nil)
}}

func free(w http.ResponseWriter, r *http.Request) {{
	if err := vol.Free(r.FormValue("name")); err != nil {{
		http.Error(w, err.Error(), 500)
	}}
}}
""",
    "vol/vol.go": "package vol\n\n// Size is for all.\nfunc Size() int { return 1 }\n",
    "vol/vol_linux.go": """package vol

import "os"

// Free makes room.
func Free(name string) error {
	return os.Remove(name)
}

// Only is Linux's.
func Only(name string) error {
	return os.Remove(name)
}
""",
    "vol/vol_windows.go": f"""package vol

import "{MODULE}/refuse"

// Free makes room.
//
//winparity:ignore stub-added nobody asks for it
func Free(name string) error {{
	return refuse.Not("free")
}}

func init() {{}}
""",
    "vol/vol_darwin.go": "package vol\n\n// Free makes room.\nfunc Free(name string) error { return nil }\n",
    "refuse/refuse.go": """package refuse

import "errors"

// Not says so.
func Not(what string) error {
	return errors.New(what + " is not supported on Windows")
}
""",
    "pad/pad_linux.go": 'package pad\n\nimport "os"\n\n// Wipe wipes.\nfunc Wipe() error { return os.Remove("x") }\n',
    "pad/pad_windows.go": "package pad\n\n// Wipe wipes.\nfunc Wipe() error { return nil }\n",
}


def _snapshot(files: dict[str, str] | None = None, **more: str) -> Snapshot:
    known = {**(files or FILES), **more}
    return Snapshot("a" * 40, {p: SourceFile(p, str(hash((p, text))), text.encode()) for p, text in known.items()})


def _details(snapshot: Snapshot, options: Options | None = None) -> dict[str, Detail]:
    found = survey_newest(snapshot, ABOUT, options or Options())
    return {f"{detail.package}:{detail.name}": detail for detail in found.details}


def test_a_revision_of_the_past_is_its_point_and_its_tables() -> None:
    found = survey(_snapshot(), ABOUT, Options())
    assert (found.report, found.details) == (None, ())
    assert sorted(found.tables) == ["pad", "vol"]
    assert [(s.name, s.status.value) for s in found.tables["vol"].symbols] == [
        ("Free", "stub"),
        ("Only", "missing"),
        ("init", "stub"),
    ]
    assert found.tables["vol"].shared == 1
    point = found.point
    assert (point.rev, point.name, point.kind, point.time) == ("a" * 40, "v1.0.0", "release", 1_700_000_000)
    assert (point.score.stub, point.score.missing, point.score.counted) == (2, 1, 3)
    assert (point.gaps, point.packages, point.unreadable) == (2, 2, 0)


def test_of_a_function_both_bodies_why_and_who_comes_to_it_are_kept() -> None:
    details = _details(_snapshot())
    assert sorted(details) == ["pad:Wipe", "vol:Free", "vol:Only"]
    free = details["vol:Free"]
    assert (free.target.platform, free.reference.platform) == ("windows", "linux")
    assert "refuse.Not" in free.target.body
    assert "os.Remove" in free.reference.body
    assert "stub: error" in free.target.verdict
    assert free.reference.verdict == "does real work"
    assert free.target.reasons == ((9, "says that it is not supported"),)
    assert free.gap == "whoever asks for what Linux does is refused"
    assert [goos for goos, _ in free.elsewhere] == ["darwin"]
    [reach] = free.reach
    assert (reach.entry, reach.sure, free.entries) == ("/volumes/free", True, 1)
    assert [name for name, _ in reach.links] == ["router:free", "vol:Free"]
    only = details["vol:Only"]
    assert (only.target.place, only.target.body, only.reach) == (None, "", ())
    assert details["pad:Wipe"].silent


LINUX_ROUTES = f"""package router

import (
	"net/http"

	"{MODULE}/vol"
)

func init() {{
	http.HandleFunc("/volumes/only", only)
}}

func only(w http.ResponseWriter, r *http.Request) {{
	if err := vol.Only(r.FormValue("name")); err != nil {{
		http.Error(w, err.Error(), 500)
	}}
}}
"""


def test_of_what_the_target_lacks_it_is_kept_who_comes_to_it_on_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    details = _details(_snapshot(**{"router/router_linux.go": LINUX_ROUTES}))
    only = details["vol:Only"]
    assert (only.reach, only.entries) == ((), 0), "on Windows nobody does"
    assert only.there is not None
    [reach] = only.there.reach
    assert (reach.entry, reach.sure, only.there.entries) == ("/volumes/only", True, 1)
    assert [name for name, _ in reach.links] == ["router:only", "vol:Only"]
    assert only.there.callers == (("router:only", Place("router/router_linux.go", 13)),)
    assert details["vol:Free"].there is None, "Windows has it"
    assert details["router:only"].there is None, "nobody else can call it"
    assert _details(_snapshot())["vol:Only"].there == surveys.ThereRecord()
    monkeypatch.setattr(surveys, "MAX_NAMED", 0)
    assert _details(_snapshot(**{"router/router_linux.go": LINUX_ROUTES}))["vol:Only"].there is None


def test_the_way_on_the_reference_is_the_references_own() -> None:
    """What both have in common lies between functions that each has for itself."""
    files = {
        "router/router.go": FILES["router/router.go"].replace("vol.Free(", "vol.Begin("),
        "vol/begin_linux.go": "package vol\n\n// Begin begins.\nfunc Begin(name string) error { return middle(name) }\n",
        "vol/begin_windows.go": "package vol\n\n// Begin begins.\nfunc Begin(name string) error { return middle(name) }\n",
        "vol/middle.go": "package vol\n\nfunc middle(name string) error { return end(name) }\n",
        "vol/end_linux.go": "package vol\n\nfunc end(name string) error { return Only(name) }\n",
        "vol/end_windows.go": "package vol\n\nfunc end(name string) error { return nil }\n",
    }
    details = _details(_snapshot(**files))
    there = details["vol:Only"].there
    assert there is not None
    assert [(one.entry, [place.path for _, place in one.links]) for one in there.reach] == [
        (
            "/volumes/free",
            ["router/router.go", "vol/begin_linux.go", "vol/middle.go", "vol/end_linux.go", "vol/vol_linux.go"],
        )
    ]
    assert [place.path for _, place in details["vol:end"].reach[0].links][1] == "vol/begin_windows.go"


def test_the_names_by_which_people_know_an_entry_are_there() -> None:
    router = FILES["router/router.go"].replace('"/volumes/free"', '"POST /volumes/prune"')
    reach = _details(_snapshot(**{"router/router.go": router}))["vol:Free"].reach
    assert "docker volume prune" in reach[0].names


def test_the_report_has_features_owners_and_what_is_accepted() -> None:
    text = (
        b"accept:\n- symbol: vol:Free\n  reason: not yet\n  expires: 2020-01-31\n- symbol: gone:Gone\n  reason: meant\n"
    )
    options = repo_config.read(text).options(date(2026, 1, 1))
    found = survey_newest(_snapshot(), ABOUT, options, b"* @all\n/vol/ @acme/storage mail@example.com\n")
    assert found.report is not None
    assert [feature["name"] for feature in found.report.features] == ["/volumes/free"]
    assert found.report.owners == {"pad/pad_windows.go": ("@all",), "vol/vol_windows.go": ("@acme/storage",)}
    accepted = {(one.package, one.name, one.place.path): one for one in found.report.accepted}
    assert len(accepted) == 3
    settings = accepted["vol", "Free", ".github/winparity.yml"]
    assert (settings.reason, settings.expires, settings.rules) == ("not yet", "2020-01-31", ())
    assert "expired" in settings.wrong
    assert "no Go file" in accepted["gone", "Gone", ".github/winparity.yml"].wrong
    comment = accepted["vol", "Free", "vol/vol_windows.go"]
    assert (comment.rules, comment.reason, comment.wrong) == (("stub-added",), "nobody asks for it", "")


def test_a_feature_has_the_way_to_what_is_left_undone() -> None:
    engine = parse_txtar((FOLDER / "engine.txtar").read_text(encoding="utf-8"))
    found = survey_newest(_snapshot(engine), ABOUT, Options())
    assert found.report is not None
    [pause] = [feature for feature in found.report.features if feature["cli"] == ["docker pause"]]
    assert [link["function"] for link in pause["reasons"][0]["chain"]][-1] == "engine:driver.Pause"


def test_what_cannot_be_read_is_told_and_loses_nothing_else() -> None:
    broken = _snapshot(**{"vol/new_windows.go": "package vol\n\nfunc New(( {\n"})
    found = survey_newest(broken, ABOUT, Options())
    assert found.report is not None
    [(path, reason)] = found.report.unreadable
    assert (path, "not Go from line" in reason, found.point.unreadable) == ("vol/new_windows.go", True, 1)
    assert "Free" in {symbol.name for symbol in found.tables["vol"].symbols}


def test_another_platform_is_surveyed_likewise() -> None:
    options = Options(target=Platform("darwin"), reference=LINUX)
    assert _details(_snapshot(), options)["vol:Free"].target.platform == "darwin"


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "MAX_DETAILS", 2)
    monkeypatch.setattr(surveys, "MAX_BODIES", 1)
    long = FILES["pad/pad_windows.go"].replace("return nil", "\n\t// " + "é" * MAX_BODY + "\n\treturn nil")
    found = survey_newest(_snapshot(**{"pad/pad_windows.go": long}), ABOUT, Options())
    first, second = found.details
    assert (first.package, second.package) == ("pad", "vol"), "those that somebody can miss come first"
    assert len(first.target.body.encode()) <= MAX_BODY + 2
    assert (second.target.body, second.reference.body) == ("", "")
    assert second.target.verdict


def test_what_is_recorded_can_be_stored() -> None:
    found = survey_newest(_snapshot(), ABOUT, Options())
    assert msgspec.json.decode(msgspec.json.encode(found), type=surveys.Survey) == found


TESTS = """package vol

import (
	"runtime"
	"testing"
)

func TestSize(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not yet")
	}
	Size()
}
"""


def test_tests_are_recorded_beside_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    found = survey(_snapshot(**{"vol/vol_test.go": TESTS}), ABOUT, Options())
    assert found.point.form == FORM
    assert [(file.name, [test.name for test in file.kept]) for file in found.common["vol"].tests] == [
        ("vol_test.go", ["TestSize"])
    ]
    assert survey_newest(_snapshot(**{"vol/vol_test.go": TESTS}), ABOUT, Options()).common == found.common
    monkeypatch.setattr(surveys, "MAX_NAMES", 7)
    assert survey(_snapshot(**{"vol/vol_test.go": TESTS}), ABOUT, Options()).common["vol"] == Common(too_many=1)


def test_a_point_without_tests_is_another_one(tmp_path: Path) -> None:
    less = Measure(tmp_path, common=False)(_snapshot(**{"vol/vol_test.go": TESTS}), ABOUT, Options())
    assert (less.point.form, less.common) == (0, {})
    whole = Measure(tmp_path)
    assert whole.point(ABOUT, Options()) is None
    assert whole(_snapshot(**{"vol/vol_test.go": TESTS}), ABOUT, Options()).point.form == FORM
    again = Measure(tmp_path)(_snapshot(**{"vol/vol_test.go": TESTS}), ABOUT, Options())
    assert again == survey(_snapshot(**{"vol/vol_test.go": TESTS}), ABOUT, Options()), "as it is read from the file"


# What is the same is judged once.


def test_a_revision_is_the_same_however_it_is_come_to(tmp_path: Path) -> None:
    measure = Measure(tmp_path)
    changed = FILES["refuse/refuse.go"].replace("errors.New(what + ", "nil // (").replace("import", "// import")
    revisions = [
        _snapshot(),
        _snapshot(**{"pad/pad_windows.go": FILES["pad/pad_linux.go"]}),
        _snapshot(**{"refuse/refuse.go": changed}),
        _snapshot({path: text for path, text in FILES.items() if not path.startswith("refuse")}),
        _snapshot(),
    ]
    scores = []
    for again in (measure, Measure(tmp_path)):
        for snapshot in revisions:
            found = again(snapshot, ABOUT, Options())
            assert found == survey(snapshot, ABOUT, Options())
            scores.append(found.point.score)
    assert len(set(scores)) > 1


def test_only_what_changed_or_imports_it_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    real = surveys.table_of

    def count(view: surveys.View) -> surveys.Table:
        judged.append(view.package.dir)
        return real(view)

    monkeypatch.setattr("bot.dashboard.measure.table_of", count)
    measure = Measure()
    measure(_snapshot(), ABOUT, Options())
    assert sorted(judged) == ["cmd", "pad", "refuse", "router", "vol"]
    judged.clear()
    measure(_snapshot(**{"refuse/refuse.go": FILES["refuse/refuse.go"] + "\n// More.\n"}), ABOUT, Options())
    assert sorted(judged) == ["cmd", "refuse", "router", "vol"]
    judged.clear()
    measure(_snapshot(**{"vol/vol_test.go": 'package vol\n\nimport "example.com/harbor/pad"\n'}), ABOUT, Options())
    assert sorted(judged) == ["cmd", "router", "vol"]
    judged.clear()
    measure(_snapshot(), ABOUT, Options(target=LINUX, reference=WINDOWS))
    assert len(judged) == 5
    shared: list[str] = []
    common = surveys.common_of
    monkeypatch.setattr(
        "bot.dashboard.measure.common_of", lambda view: (shared.append(view.package.dir), common(view))[1]
    )
    measure(_snapshot(**{"vol/vol_test.go": TESTS}), ABOUT, Options())
    assert shared == ["vol"], "tests follow no imports"
    newest = _snapshot(**{"vol/vol_test.go": TESTS})
    assert (
        survey_newest(newest, ABOUT, Options(), b"", measure.common).common == survey(newest, ABOUT, Options()).common
    )
    assert shared == ["vol"], "nor are they judged anew for the newest revision"


def test_packages_that_seem_to_import_each_other_have_names_all_the_same() -> None:
    circle = {
        "a/a_linux.go": f'package a\n\nimport "{MODULE}/b"\n\nvar A = b.B\n',
        "b/b_windows.go": f'package b\n\nimport "{MODULE}/c"\n\nvar B = c.C\n',
        "c/c_darwin.go": f'package c\n\nimport "{MODULE}/a"\n\nvar C = a.A\n',
        "d/d.go": f'package d\n\nimport "{MODULE}/c"\n\nvar D = c.C\n',
    }

    def named(**more: str) -> dict[str, str]:
        return fingerprints(revision_of(_snapshot(circle, **more), Options()))

    before, after = named(), named(**{"a/a.go": "package a\n"})
    assert len({*before.values()}) == 4
    assert {where for where in before if before[where] != after[where]} == {"a", "b", "c", "d"}
    alone = named(**{"d/d.go": circle["d/d.go"] + "\n"})
    assert {where for where in before if before[where] != alone[where]} == {"d"}


def test_a_point_that_was_measured_is_known_to_the_next_process(tmp_path: Path) -> None:
    point = Measure(tmp_path)(_snapshot(), ABOUT, Options()).point
    again = Measure(tmp_path)
    assert again.point(ABOUT, Options()) == point
    assert again.point(msgspec.structs.replace(ABOUT, name="v1"), Options()) == msgspec.structs.replace(
        point, name="v1"
    )
    assert again.point(ABOUT, Options(target=Platform("darwin"))) is None
    assert Measure().point(ABOUT, Options()) is None
