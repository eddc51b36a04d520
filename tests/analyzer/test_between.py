"""What is kept of tests and guards of one revision, and what two such tell of each other."""

import time

import pytest

from analyzer import between, common
from analyzer.between import ChangedTest, NewGuard, changed_tests, new_guards
from analyzer.common import Common, KeptFile, KeptGuard, KeptTest
from analyzer.diff import compare
from analyzer.guards import Effect
from analyzer.model import Options, Snapshot, SourceFile
from analyzer.parity import Revision, View
from analyzer.reading import of_a_record
from analyzer.skips import Runs
from analyzer.symbols import GoFile, packages
from tests.analyzer.cases import FOLDER, read, snapshot

SKIPS = '\tif runtime.GOOS == "windows" {\n\t\tt.Skip("not yet")\n\t}\n'
HEAD = 'package vol\n\nimport (\n\t"runtime"\n\t"testing"\n)\n'


def _test(name: str, body: str = "") -> str:
    return f"\nfunc {name}(t *testing.T) {{\n{body}\tif Size() != 1 {{\n\t\tt.Fatal({name!r})\n\t}}\n}}\n".replace(
        "'", '"'
    )


def _kept(files: dict[str, str]) -> dict[str, Common]:
    sources = {path: SourceFile(path, str(hash((path, text))), text.encode()) for path, text in files.items()}
    revision = Revision(packages(Snapshot("a" * 40, sources), Options(), of_a_record), Options())
    return {where: common.common(View(package, revision)) for where, package in revision.packages.items()}


def _told(base: dict[str, str], head: dict[str, str]) -> list[tuple[str, str]]:
    return [(event.kind, f"{event.package}:{event.name}") for event in changed_tests(_kept(base), _kept(head))]


def _guarded(base: dict[str, str], head: dict[str, str], apart: tuple[tuple[str, str], ...] = ()) -> list[NewGuard]:
    return [*new_guards(_kept(base), _kept(head), apart)]


# What is kept.


def test_of_a_test_that_runs_only_its_name_is_kept() -> None:
    files = {
        "vol/vol_test.go": HEAD + _test("TestRuns") + _test("TestSkips", SKIPS) + "\nfunc helper() {}\n",
        "vol/vol_linux_test.go": HEAD + _test("TestLinux", SKIPS),
    }
    linux, both = _kept(files)["vol"].tests
    assert (linux.name, linux.target, linux.reference, linux.tests, linux.kept) == (
        "vol_linux_test.go",
        False,
        True,
        ("TestLinux",),
        (),
    )
    assert (both.target, both.tests, both.kept) == (
        True,
        ("TestRuns",),
        (KeptTest("TestSkips", Runs.NEVER, Runs.NEVER),),
    )


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "MAX_DECLARATIONS", 2)
    many = {"vol/vol_test.go": HEAD + _test("TestA") + _test("TestB") + _test("TestC")}
    assert _kept(many)["vol"] == Common(too_many=3)
    assert _told({"vol/vol_test.go": HEAD}, many) == []
    monkeypatch.setattr(common, "MAX_DECLARATIONS", 10)
    assert _kept({"vol/vol_test.go": HEAD + _test("Test" + "A" * 300)})["vol"] == Common()


def test_a_package_with_a_hundred_thousand_tests_costs_little() -> None:
    content = HEAD + "".join(f"func testCase{n}(t *testing.T) {{ t.Skip() }}\n" for n in range(100_000))
    began = time.process_time()
    assert _kept({"vol/vol_test.go": content})["vol"] == Common(too_many=100_000)
    assert time.process_time() - began < 20


# Tests.


@pytest.mark.parametrize(
    ("base", "head", "told"),
    [
        (_test("TestA"), _test("TestA", SKIPS), [("stopped", "vol:TestA")]),
        (_test("TestA", SKIPS), _test("TestA"), [("started", "vol:TestA")]),
        ("", _test("TestA", SKIPS), [("never", "vol:TestA")]),
        ("", _test("TestA"), []),
        (_test("TestA", SKIPS), "", []),
        (_test("TestA", SKIPS), _test("TestA", SKIPS.replace("not yet", "never")), []),
        (_test("TestVolumeSize", SKIPS), _test("TestVolumeSizes", SKIPS), []),
        (_test("TestVolumeSize"), _test("TestVolumeSizes", SKIPS), [("never", "vol:TestVolumeSizes")]),
    ],
)
def test_a_test_is_told_by_what_the_target_runs_of_it(base: str, head: str, told: list[tuple[str, str]]) -> None:
    assert _told({"vol/vol_test.go": HEAD + base}, {"vol/vol_test.go": HEAD + head}) == told


def test_a_file_that_gets_another_name_loses_and_gains_nothing() -> None:
    tests = HEAD + _test("TestA") + _test("TestB", SKIPS)
    assert _told({"vol/a_test.go": tests}, {"vol/b_test.go": tests}) == []
    assert _told({"vol/a_test.go": tests}, {"vol/a_linux_test.go": tests}) == [("stopped", "vol:TestA")]
    assert _told({"vol/a_linux_test.go": tests}, {"vol/a_test.go": tests}) == [("started", "vol:TestA")]
    assert _told({"vol/a_linux_test.go": HEAD}, {"vol/a_linux_test.go": tests}) == [], "only Linux builds the file"


def test_a_package_that_moves_loses_and_gains_nothing() -> None:
    tests = HEAD + _test("TestA") + _test("TestB", SKIPS) + _test("TestC", SKIPS)
    assert _told({"lib/vol/a_test.go": tests}, {"daemon/lib/vol/a_test.go": tests}) == []
    lost = HEAD + _test("TestA", SKIPS) + _test("TestB", SKIPS) + _test("TestC")
    [a, c] = changed_tests(_kept({"lib/vol/a_test.go": tests}), _kept({"daemon/lib/vol/a_test.go": lost}))
    assert a == ChangedTest("stopped", "daemon/lib/vol", "a_test.go", "TestA", in_part=False, was="lib/vol")
    assert (c.kind, c.name) == ("started", "TestC")
    tests = tests.replace("TestC", "TestVolumeSize")
    renamed = tests.replace("TestVolumeSize", "TestVolumeSizes")
    alone = {"lib/vol/a_test.go": HEAD + _test("TestNaive", SKIPS)}
    assert _told(alone, {"daemon/vol/a_test.go": alone["lib/vol/a_test.go"].replace("Naive", "Native")}) == []
    assert _told({"lib/vol/a_test.go": tests}, {"daemon/lib/vol/a_test.go": renamed}) == []


def test_of_two_packages_that_move_each_test_goes_to_its_own() -> None:
    one = HEAD + _test("TestNew", SKIPS) + _test("TestOne")
    two = HEAD + _test("TestNew") + _test("TestTwo")
    base = {"a/a_test.go": one, "b/b_test.go": two}
    assert _told(base, {"x/b/b_test.go": two, "x/a/a_test.go": one}) == []


def test_a_test_of_a_suite_that_stands_alone_now_is_the_same() -> None:
    suite = HEAD + "\ntype suite struct{}\n" + _test("(s *suite) TestA", SKIPS)
    assert _told({"cli/a_test.go": suite}, {"api/a_test.go": HEAD + _test("TestA")}) == [("started", "api:TestA")]


def test_names_without_end_are_not_compared_each_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = HEAD + _test("TestA", SKIPS) + _test("TestOwn{0}", SKIPS)
    base = {f"old{n}/a_test.go": tests.replace("{0}", str(n)) for n in range(3)}
    head = {f"new{n}/a_test.go": tests.replace("{0}", str(n)) for n in range(3)}
    monkeypatch.setattr(between, "MAX_COMPARED_TESTS", 3)
    assert _told(base, head) == [], "a name that many have goes with the others of its package"
    monkeypatch.setattr(between, "MAX_COMPARED_TESTS", 0)
    assert {kind for kind, _ in _told(base, head)} == {"never"}


def test_two_revisions_without_a_test_in_common_are_compared_at_once() -> None:
    def many(word: str) -> dict[str, Common]:
        tests = tuple(KeptTest(f"Test{word}{n}", Runs.NEVER, Runs.NEVER) for n in range(5_000))
        file = KeptFile("a_test.go", target=True, reference=True, kept=tests)
        return {f"{word}{n}": Common((file,)) for n in range(12)}

    began = time.process_time()
    assert len([*changed_tests(many("old"), many("new"))]) == 60_000
    assert len([*changed_tests(many("old"), many("old") | many("newer"))]) == 60_000
    assert [*changed_tests({"a": many("x")["x0"]}, {f"b{n}": many("x")["x0"] for n in range(12)})]
    assert time.process_time() - began < 10


# Guards.

VOL = """package vol

import (
	"errors"
	"runtime"
)

// Resize makes a volume larger.
func Resize(name string, size int) error {
	if size < 0 {
		return errors.New("too small")
	}
	return grow(name, size)
}
"""
REFUSES = '\tif runtime.GOOS == "windows" {\n\t\treturn errors.New("resizing is not supported")\n\t}\n'
GUARDED = VOL.replace("\tif size < 0", f"{REFUSES}\tif size < 0")


def test_a_branch_that_is_new_is_told() -> None:
    [event] = _guarded({"vol/vol.go": VOL}, {"vol/vol.go": GUARDED})
    assert (event.package, event.file, event.line, event.function) == ("vol", "vol.go", 10, "Resize")
    assert (event.effect, event.condition) == (Effect.REFUSED, 'runtime.GOOS == "windows"')


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ({"vol/vol.go": GUARDED}, {"vol/vol.go": VOL}),
        ({"vol/vol.go": GUARDED}, {"daemon/vol/vol.go": GUARDED}),
        ({"vol/vol.go": GUARDED}, {"vol/vol.go": GUARDED.replace("Resize", "Grow")}),
        ({"vol/vol.go": GUARDED}, {"vol/vol.go": GUARDED.replace("resizing is", "this is")}),
        ({"vol/vol.go": GUARDED}, {"vol/vol.go": GUARDED.replace('"windows"', '"windows" && size > 1')}),
        ({"vol/vol.go": VOL}, {"vol/vol_linux.go": GUARDED}),
        ({"vol/vol.go": VOL}, {"vol/testutil/vol.go": GUARDED}),
        ({"vol/vol.go": VOL}, {"vol/vol.go": GUARDED.replace("Resize", "SetCgroup")}),
    ],
)
def test_what_is_no_new_branch_is_not_told(base: dict[str, str], head: dict[str, str]) -> None:
    assert _guarded(base, head) == []


def test_what_each_platform_had_for_itself_lost_nothing() -> None:
    head = {"vol/vol.go": GUARDED}
    assert _guarded({}, head, (("vol", "Resize"),)) == []
    assert _guarded({}, head, (("elsewhere", "Resize"),)) == []
    assert len(_guarded({"other/x.go": "package other\n"}, {**head, "other/x.go": "package other\n"})) == 1


def test_guards_without_end_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = KeptGuard("F", "f.go", 1, Effect.OFF, "c", "if c { return }", ("work()",), (), sure=True)
    many = {"vol": Common((), (guard,) * 30)}
    assert [*new_guards(many, {"vol": Common((), (guard,) * 30)}, ())] == []
    assert len(_guarded({"vol/vol.go": VOL}, {"vol/vol.go": GUARDED})) == 1
    monkeypatch.setattr(common, "MAX_GUARDS", 0)
    assert _kept({"vol/vol.go": GUARDED})["vol"].guards == ()


# What the rules say of the same.

# What only the source tells: where work was before, whether it was reached, which words stood elsewhere, what a test is of.
_ONLY_THE_SOURCE_TELLS = {
    "asks-a-new-method",
    "fields-of-each",
    "grew",
    "moved-and-never-reached",
    "of-a-stub",
    "own-value",
    "refusal-stays-on-windows",
    "stood-with-the-callers",
    "was-unreachable",
    "words-of-windows-elsewhere",
    "written-otherwise",
}


@pytest.mark.parametrize("rule", ["guard-added", "guard-removed", "test-skipped", "test-enabled"])
def test_the_cases_of_the_rules_hold_without_the_source(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed = 0
    for path in sorted((FOLDER / rule).glob("*.txtar")):
        case = read(path)
        base, head = _kept(case.base), _kept(case.head)
        with monkeypatch.context() as all_functions:
            all_functions.setattr(common, "_telling", lambda _view: frozenset({b""}))
            assert (_kept(case.base), _kept(case.head)) == (base, head), "what cannot be a guard need not be parsed"
        diff = compare(snapshot(case.base), snapshot(case.head), Options())
        told = {(event.package, event.name) for event in changed_tests(base, head)}
        changes = [diff.tests.skipped, diff.tests.enabled]
        known = [(where, test) for side in changes for where, tests in side.items() for test in tests]
        files = {(where, name) for where, test in known if test.state is None for name in _tests_of(test.file)}
        tests = {(where, test.state.symbol.name) for where, test in known if test.state is not None}
        assert told <= tests | files or path.stem in _ONLY_THE_SOURCE_TELLS, case.name
        guards = {(event.package, event.function) for event in new_guards(base, head, _apart(case.base))}
        added = {(where, one.symbol.name) for where, some in diff.guards.added.items() for one in some}
        assert guards <= added or path.stem in _ONLY_THE_SOURCE_TELLS, case.name
        agreed += len(told) + len(guards & added)
    assert agreed >= {"guard-added": 20, "guard-removed": 0, "test-skipped": 15, "test-enabled": 4}[rule]


def _tests_of(file: GoFile) -> list[str]:
    return [declaration.name for declaration in file.facts.declarations]


def _apart(files: dict[str, str]) -> set[tuple[str, str]]:
    revision = Revision(packages(snapshot(files), Options(), of_a_record), Options())
    views = {where: View(package, revision) for where, package in revision.packages.items()}
    return {
        (where, name)
        for where, view in views.items()
        for name in {*view.package.target, *view.package.reference}
        if not view.shared(name)
    }
