"""What a message says of a stub: only what it gives."""

import pytest

from tests.analyzer.cases import findings

LINUX = """package run

import "os"

type Runner interface{ Run() error }

type idle struct{}

func (idle) Run() error { return nil }

func New(path string) (Runner, error) {
	_, err := os.Stat(path)
	return nil, err
}

func Clean(path string) (string, error) {
	_, err := os.Stat(path)
	return path + "/", err
}

func Watch(path string) (chan string, error) {
	_, err := os.Stat(path)
	return nil, err
}

type Set struct{ names []string }

func Load(path string) (*Set, error) {
	_, err := os.Stat(path)
	return &Set{[]string{path}}, err
}
"""
SHARED = """package run

type Runner interface{ Run() error }

type idle struct{}

func (idle) Run() error { return nil }

type Set struct{ names []string }
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("func New(path string) (Runner, error) { return nil, nil }", "returns only zero values"),
        ("func New(path string) (Runner, error) { return &idle{}, nil }", "returns something that does no work"),
        ("func Clean(path string) (string, error) { return path, nil }", "returns its own argument unchanged"),
        ('func Clean(path string) (string, error) { return "", nil }', "returns only zero values"),
        ("func Watch(path string) (chan string, error) { return nil, nil }", "returns only zero values"),
        (
            "func Watch(path string) (chan string, error) { return make(chan string), nil }",
            "returns something new and empty",
        ),
        (
            "func Watch(path string) (chan string, error) { found := make(chan string, 1); return found, nil }",
            "returns something new and empty",
        ),
        ("func Load(path string) (*Set, error) { return &Set{}, nil }", "returns something new and empty"),
        ("func Load(path string) (*Set, error) { return new(Set), nil }", "returns something new and empty"),
    ],
)
def test_a_stub_is_said_to_give_what_it_gives(body: str, said: str) -> None:
    base = {"run/run_linux.go": LINUX}
    head = base | {"run/run_windows.go": f"{SHARED}\n{body}\n"}
    [found] = [f for f in findings(base, head) if f.rule == "stub-added"]
    assert f"on Windows it {said}, and its nil error" in found.message


CODE = """package run

import "os"

func Clear(path string) error { return os.RemoveAll(path) }
"""
STATE = """package run

type State string
"""


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("run/run_linux.go", "run/run.go", "(renamed from run_linux.go)"),
        ("run/run_linux.go", "job/run.go", "(renamed from run_linux.go)"),
        ("run/run.go", "job/run.go", "(its constraint is gone)"),
        ("run/run_nowindows.go", "run/run.go", "(its constraint is gone)"),
    ],
)
def test_a_file_enters_by_its_name_only_where_that_kept_it_away(old: str, new: str, cause: str) -> None:
    was = CODE if old.endswith("_linux.go") else f"//go:build linux\n\n{CODE}"
    [found] = [f for f in findings({old: was}, {new: CODE}) if f.rule == "tag-removed"]
    assert cause in found.message


@pytest.mark.parametrize(
    ("new", "cause"),
    [
        ("run/state_linux.go", "(renamed from state.go)"),
        ("job/state.go", "(by its build constraint)"),
        ("run/state_nowindows.go", "(by its build constraint)"),
    ],
)
def test_a_file_leaves_by_its_name_only_where_that_keeps_it_away(new: str, cause: str) -> None:
    left = STATE if new.endswith("_linux.go") else f"//go:build linux\n\n{STATE}"
    [found] = [f for f in findings({"run/state.go": STATE}, {new: left}) if f.rule == "tag-added"]
    assert cause in found.message


SKIPS = """package run

import (
	"runtime"
	"testing"
)

var build = 17763

func requireOld(t *testing.T) {
	if runtime.GOOS == "windows" && build >= 18362 {
		t.Skip("newer")
	}
}

func TestRun(t *testing.T) {
	%s
	t.Log("ran")
}
"""


@pytest.mark.parametrize(
    ("skip", "where"),
    [
        ('if runtime.GOOS == "windows" && build >= 18362 { t.Skip("broken") }', "newer versions of Windows"),
        ('if runtime.GOOS == "windows" { if build > 18362 { t.Skip("broken") } }', "newer versions of Windows"),
        ("requireOld(t)", "newer versions of Windows"),
        ('if runtime.GOOS == "windows" { t.Skip("broken") }', "Windows"),
        ('if runtime.GOOS == "windows" { t.Skip("broken") }; requireOld(t)', "Windows"),
    ],
)
def test_a_test_that_older_versions_run_is_not_said_to_run_nowhere(skip: str, where: str) -> None:
    base, head = ({"run/run_test.go": SKIPS % line} for line in ("requireOld := 0; _ = requireOld", skip))
    [found] = findings(base, head)
    assert found.message == f"TestRun no longer runs on {where}."


ALWAYS = 'if runtime.GOOS == "windows" { t.Skip("broken") }'
AT_TIMES = 'if runtime.GOOS == "windows" && testing.Short() { t.Skip("slow") }'
NEVER = "t.Log(runtime.GOOS)"


@pytest.mark.parametrize(
    ("before", "after", "cases"),
    [(ALWAYS, NEVER, ""), (ALWAYS, AT_TIMES, " in some cases"), (AT_TIMES, NEVER, " in more cases")],
)
def test_a_test_that_ran_already_is_not_said_to_run_now(before: str, after: str, cases: str) -> None:
    base, head = ({"run/run_test.go": SKIPS % line} for line in (before, after))
    [found] = findings(base, head)
    assert (found.rule, found.message) == ("test-enabled", f"TestRun now runs on Windows{cases}.")
