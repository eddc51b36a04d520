"""A finding at head knows where base had what it is about, so that a reader can compare the two."""

import pytest

from analyzer.model import Place
from tests.analyzer.cases import CASES, findings

REAL = 'package vol\n\nimport "os"\n\nfunc Free(name string) error {\n\treturn os.Remove(name)\n}\n'
STUB = "package vol\n\nfunc Free(name string) error {\n\treturn nil\n}\n"
TEST = 'package vol\n\nimport "testing"\n\nfunc TestFree(t *testing.T) { t.Log("free") }\n'
SKIP = TEST.replace("{ t.Log", '{ if runtime.GOOS == "windows" { t.Skip() }; t.Log').replace(
    'import "testing"', 'import (\n\t"runtime"\n\t"testing"\n)'
)
LINUX = {"vol/free_linux.go": REAL}
BOTH = {**LINUX, "vol/free_windows.go": REAL}


@pytest.mark.parametrize(
    ("base", "head", "rule", "before"),
    [
        (BOTH, {**LINUX, "vol/free_windows.go": STUB}, "implementation-lost", Place("vol/free_windows.go", 5)),
        ({**LINUX, "vol/free_windows.go": STUB}, BOTH, "stub-resolved", Place("vol/free_windows.go", 3)),
        ({**LINUX, "vol/free_other.go": f"//go:build !linux\n\n{REAL}"}, {**LINUX, "vol/free_windows.go": STUB},
         "implementation-lost", Place("vol/free_other.go", 7)),
        ({"vol/free.go": REAL}, {"vol/free_linux.go": REAL}, "implementation-lost", Place("vol/free.go", 1)),
        ({"vol/a_test.go": TEST}, {"vol/a_test.go": SKIP}, "test-skipped", Place("vol/a_test.go", 5)),
        # What is new has no place at base, and what is gone stands there itself.
        ({"vol/a.go": "package vol\n"}, {"vol/free_linux.go": REAL, "vol/free_windows.go": STUB}, "stub-added", None),
        (BOTH, LINUX, "implementation-lost", None),
    ],
)  # fmt: skip
def test_the_place_at_base_is_known(
    base: dict[str, str], head: dict[str, str], rule: str, before: Place | None
) -> None:
    [finding] = findings(base, head)
    assert (finding.rule, finding.before) == (rule, before)


def test_a_symbol_that_went_away_is_shown_where_it_was() -> None:
    """Code built on Windows needs what only Linux has now: the use is at head, the loss is at base."""
    use = "package vol\n\nfunc Drop() error { return Free() }\n"
    mine = "package vol\n\nfunc Free() error { return nil }\n"
    base = {"vol/a.go": use, "vol/b.go": mine}
    [finding] = findings(base, {"vol/a.go": use, "vol/b_linux.go": mine})
    assert (finding.rule, finding.path, finding.before) == ("undefined-on-windows", "vol/a.go", Place("vol/b.go", 3))


def test_a_vendored_symbol_is_shown_where_it_was() -> None:
    case = next(case for case in CASES if case.name == "vendor-drift/symbol-gone")
    [finding] = findings(case.base, case.head)
    assert (finding.rule, finding.before) == ("vendor-drift", Place("vendor/example.org/term/term.go", 7))
