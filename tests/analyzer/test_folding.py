"""What is told as one: what it says, what stays apart, and what its parts are still good for."""

from collections.abc import Mapping

from analyzer import analyze
from analyzer.model import Acceptance, Finding, Level, Options, Platform, Policy
from tests.analyzer.cases import CASES, around, findings, snapshot

Files = Mapping[str, str]


def _case(name: str) -> tuple[Files, Files]:
    case = next(case for case in CASES if case.name == name)
    return case.base, case.head


def _first(found: tuple[Finding, ...]) -> Finding:
    return next(finding for finding in found if finding.parts)


def test_it_says_how_many_they_are_and_names_some() -> None:
    said = {
        "implementation-lost/many-files": "6 files of this package no longer build on Windows, and nothing there replaces "
        "what they have: close.go, open.go, read.go and 3 more.",
        "implementation-lost/many-gone": "4 functions of this package are no longer declared on Windows; Linux keeps them: "
        "Listen, Dial, Remove and 1 more.",
        "test-skipped/many-of-one-file": "4 tests of this file no longer run on Windows: TestStart, TestStop, TestPause and "
        "1 more.",
        "test-skipped/many-files": "Tests in 6 files of this package no longer run on Windows: close_test.go, "
        "open_test.go, read_test.go and 3 more.",
        "test-enabled/many-files": "Tests in 6 files of this package now run on Windows: close_test.go, open_test.go, "
        "read_test.go and 3 more.",
        "tag-removed/many-files": "6 files of this package now build on Windows: close.go, open.go, read.go and 3 more.",
    }
    assert {name: _first(findings(*_case(name))).message for name in said} == said


def test_of_tests_that_are_known_one_by_one_it_says_how_many() -> None:
    skip = 'if runtime.GOOS == "windows" {\n\t\tt.Skip("FIXME")\n\t}'
    base = {f"pier/b{n}_test.go": f'package pier\n\nfunc TestB{n}(t *testing.T) {{ t.Log("{n}") }}\n' for n in range(6)}
    head = {path: code.replace("{ t.Log", f"{{\n\t{skip}\n\tt.Log") for path, code in base.items()}
    found = _first(findings(base, head))
    assert found.message == (
        "6 tests in 6 files of this package no longer run on Windows: b0_test.go, b1_test.go, b2_test.go and 3 more."
    )


def test_it_speaks_of_the_platforms_that_are_compared() -> None:
    base, head = (
        {path.replace("_windows", "_darwin"): code for path, code in side.items()}
        for side in _case("implementation-lost/many-gone")
    )
    options = Options(target=Platform("darwin"))
    found = _first(analyze(snapshot(base), snapshot(head), options, around(base, head)).findings)
    assert "no longer declared on macOS; Linux" in found.message


def test_what_is_accepted_stays_apart() -> None:
    base, head = _case("implementation-lost/many-gone")
    policy = Policy(accept=(Acceptance("pipe", "Dial", (), "nobody dials", ".github/winparity.yml", 3),))
    found = analyze(snapshot(base), snapshot(head), Options(policy=policy), around(base, head)).findings
    told = [(f.symbol, f.level) for f in found]
    assert told == [
        ("Listen", Level.REGRESSION),
        ("Remove", Level.REGRESSION),
        ("Check", Level.REGRESSION),
        ("Dial", Level.NOTE),
    ]


def test_the_patch_has_all_of_them() -> None:
    found = _first(findings(*_case("implementation-lost/many-gone")))
    assert found.advice is not None
    assert [f"func {name}(" in found.advice.patch for name in ("Listen", "Dial", "Remove", "Check")] == [True] * 4


def test_tests_that_run_again_are_one_too() -> None:
    base, head = _case("test-skipped/many-of-one-file")
    found = _first(findings(head, base))
    assert (found.rule, found.symbol, found.level) == ("test-enabled", None, Level.IMPROVEMENT)
    assert found.message == "4 tests of this file now run on Windows: TestStart, TestStop, TestPause and 1 more."


def test_what_never_built_is_said_to_be_so_of_all() -> None:
    base, head = _case("implementation-lost/many-files")
    broken = 'package disk\n\nimport _ "golang.org/x/sys/unix"\n'
    found = findings({**base, "disk/broken.go": broken}, {**head, "disk/broken.go": broken})
    one = _first(found)
    assert not one.gap
    assert one.message.endswith("and 3 more. None of this could be built there before.")
    assert not any(f.message.endswith("there before.") for f in found if f.package == "tape")
