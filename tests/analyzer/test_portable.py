"""Files that Windows leaves out and could build: named where all of it resolves, and not where anything is in doubt."""

from pathlib import Path

import pytest

from analyzer import scan
from tests.analyzer.cases import analysis, snapshot
from tests.analyzer.gotool import go, write

COMMON = {
    "size/size.go": "package size\n\n// Size is a size.\ntype Size struct{ Bytes int }\n",
    "size/size_windows.go": "package size\n\nfunc page() int { return 4096 }\n",
    "text/text.go": "package text\n\n// Upper is a letter.\nconst Upper = 'A'\n",
    "text/text_linux.go": "package text\n\n// Lower is a letter.\nconst Lower = 'a'\n\n// Kind is one.\ntype Kind int\n",
    "tell/tell.go": 'package tell\n\nimport "example.com/harbor/text"\n\n// Letter is one.\nconst Letter = text.Upper\n',
}
PORTABLE = {
    "nothing but arithmetic": "func Round(n int) int { return n / 10 * 10 }",
    "a method of a shared type": "func (s Size) Double() int { return 2 * s.Bytes }",
    "Go's own packages": 'import "strings"\n\nfunc Join(a []string) string { return strings.Join(a, ",") }',
    "a package that Windows builds": 'import "example.com/harbor/text"\n\nfunc A() rune { return text.Upper }',
    "a comment about Linux": "// Half works on Linux.\nfunc Half(n int) int { return n / 2 }",
    "what a file of Windows has": "func Pages(n int) int { return n * page() }",
}
NOT = {
    "a call of a Unix": 'import "syscall"\n\nfunc Id() int { return syscall.Getpid() }',
    "a name that only Linux has": "func Twice() int { return 2 * only() }\n",
    "what Windows declares, too": "func page() int { return 1 }",
    "what another package has on Linux": 'import "example.com/harbor/text"\n\nfunc A() rune { return text.Lower }',
    "a package that is not here": 'import "example.org/x"\n\nfunc X() int { return x.X() }',
    "a path of Unix": 'import "os"\n\nfunc P() error { return os.Remove("/proc/self") }',
    "a method that only Linux has": "func Use(s Size) int { return s.only() }",
    "a branch on the platform": 'import "runtime"\n\nfunc Is() bool { return runtime.GOOS == "linux" }',
    "a tag of the project's own": "",
    "a program": 'import "os/exec"\n\nfunc Run() error { return exec.Command("modprobe").Run() }',
}
ONLY = 'package size\n\nimport "syscall"\n\nfunc only() int { return syscall.Getppid() }\n\nfunc (s Size) only() int { return only() }\n'


def _tree(code: str, constraint: str = "!windows") -> dict[str, str]:
    return {**COMMON, "size/only_linux.go": ONLY, "size/new.go": f"//go:build {constraint}\n\npackage size\n\n{code}\n"}


def _named(tree: dict[str, str]) -> list[str]:
    return [file.path for file in scan(snapshot(tree, "a"), portables=True).portable]


@pytest.mark.parametrize("what", PORTABLE)
def test_a_file_is_named_where_all_of_it_is_there_on_windows(what: str) -> None:
    assert _named(_tree(PORTABLE[what])) == ["size/new.go"]


@pytest.mark.parametrize("what", NOT)
def test_a_file_is_not_named_where_something_is_another_platforms(what: str) -> None:
    tag = what == "a tag of the project's own"
    code = "func Round(n int) int { return n / 10 * 10 }" if tag else NOT[what]
    assert _named(_tree(code, "!windows && experimental" if tag else "!windows")) == []


@pytest.mark.slow
@pytest.mark.parametrize("what", PORTABLE)
def test_go_builds_what_is_named_without_its_constraint(what: str, tmp_path: Path) -> None:
    tree = _tree(PORTABLE[what])
    tree["size/new.go"] = tree["size/new.go"].partition("\n")[2]
    write(tmp_path, {**tree, "go.mod": "module example.com/harbor\n\ngo 1.24\n"})
    go("vet", "./...", folder=tmp_path, GOOS="windows", CGO_ENABLED="0")


def test_files_that_need_each_other_are_named_together_or_not_at_all() -> None:
    one = "//go:build !windows\n\npackage size\n\nfunc One() int { return two() }\n"
    two = "//go:build !windows\n\npackage size\n\nfunc two() int { return 2 }\n"
    assert _named({**COMMON, "size/one.go": one, "size/two.go": two}) == ["size/one.go", "size/two.go"]
    two = 'package size\n\nimport "syscall"\n\nfunc two() int { return syscall.Getppid() }\n'
    assert _named({**COMMON, "size/one.go": one, "size/two_linux.go": two}) == []


def test_nothing_is_named_that_was_not_asked_for() -> None:
    assert scan(snapshot(_tree(PORTABLE["nothing but arithmetic"]), "a")).portable == ()


@pytest.mark.parametrize("code", ["type Half int", "func Half(n int) int { return n / 2 }"])
def test_a_file_that_leaves_windows_without_need_is_called_that(code: str) -> None:
    head = _tree(code)
    base = {**head, "size/new.go": head["size/new.go"].partition("\n")[2]}
    [finding] = analysis(base, head).findings
    assert finding.message.endswith("; nothing in it is Linux's own.")
