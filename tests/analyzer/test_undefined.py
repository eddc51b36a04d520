"""What is said not to compile on Windows is put before the compiler, and the compiler's complaints before us."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from analyzer import Search, analyze
from analyzer.imports import UNIX_CALLS
from analyzer.model import Around, Finding
from analyzer.symbols import directory
from tests.analyzer.breakages import Breakage, as_asked, breakages, divided, modules, named
from tests.analyzer.cases import CASES, Case, findings
from tests.analyzer.gotool import Oracle, go, goroot

RULE = "undefined-on-windows"
# How many of the compiler's complaints we must say too. What is left: members of what only a compiler knows the type of.
RECALL = 0.9

_ERROR = re.compile(r"^([\w./-]+\.go):(\d+):\d+: (.*)$", re.MULTILINE)
_NAME = re.compile(
    r"^undefined: (?:\w+\.)?(\w+)$|^[\w.()*{}&\[\]:, ]+\.(\w+) undefined |^undefined: (\w+)\b|^unknown field (\w+) in"
    r"|\(missing method (\w+)\)"
)

Places = dict[tuple[str, int], set[str]]


def _said(breakage: Breakage) -> list[Finding]:
    """What we say when git gives us what we ask for."""
    base, head, around = divided(breakage.base, breakage.head)
    known = Around(around.outline)
    asked = Search(base, head, known).wanted(known)
    all_found = analyze(base, head, around=as_asked(base, head, around, asked)).findings
    return [finding for finding in all_found if finding.rule == RULE]


def _complaints(folder: Path, trees: Mapping[str, Mapping[str, str]], goos: str) -> dict[str, Places]:
    """What the compiler does not find, by tree: the names at each place; an import that leads nowhere is "*"."""
    for where, tree in trees.items():
        for path, text in tree.items():
            place = folder / where / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
    (folder / "go.mod").write_text("module example.com/all\n\ngo 1.21\n", encoding="utf-8")
    listing = ("list", "-e", "-export", "-test", "-gcflags=-e", "-json=ImportPath,Error,DepsErrors", "./...")
    answer = go(*listing, folder=folder, GOOS=goos, CGO_ENABLED="0")
    found: dict[str, Places] = {where: defaultdict(set) for where in trees}
    for package in _values(answer):
        errors = [package.get("Error"), *package.get("DepsErrors", [])]
        for error in filter(None, errors):
            for path, line, words in _ERROR.findall(f"{error['Pos']}: {error['Err']}\n{error['Err']}"):
                where, _, inner = path.partition("/")
                name = _NAME.search(words)
                if name is not None and where in found:
                    found[where][inner, int(line)].add(next(filter(None, name.groups())))
                elif "build constraints exclude all Go files" in words and where in found:
                    found[where][inner, int(line)].add("*")
            if "build constraints exclude all Go files" in error["Err"]:
                where = package["ImportPath"].split("/")[2]
                found[where]["", 0].add("*")
    return found


def _values(text: str) -> Iterator[dict[str, object]]:
    decoder, at = json.JSONDecoder(), 0
    while (at := len(text) - len(text[at:].lstrip())) < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value


@pytest.mark.slow
@pytest.mark.parametrize("goos", ["linux", "windows"])
def test_the_modules_compile_as_long_as_nobody_breaks_them(tmp_path: Path, oracle: Oracle, goos: str) -> None:
    assert oracle is not None
    trees = {name: named(files, f"example.com/all/{name}") for name, files in modules().items()}
    assert not any(_complaints(tmp_path, trees, goos).values())
    assert go("build", "./...", folder=tmp_path, GOOS=goos, CGO_ENABLED="0") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(modules()))
def test_the_compiler_confirms_every_claim(tmp_path: Path, oracle: Oracle, name: str) -> None:
    made = {f"m{n:03}": b for n, b in enumerate(breakages(modules()[name]))}
    made = {w: Breakage(b.what, *(named(s, f"example.com/all/{w}") for s in (b.base, b.head))) for w, b in made.items()}
    heads = {where: breakage.head for where, breakage in made.items()}
    windows = _complaints(tmp_path, heads, "windows")
    linux = _complaints(tmp_path, heads, "linux")
    declared = {where: set(line["symbols"]["windows"]) for where, line in oracle.tree(tmp_path, ["windows"]).items()}
    wrong, missed, told = [], [], 0
    for where, breakage in made.items():
        said = _said(breakage)
        complaints, both = windows[where], linux[where]
        wrong += [
            f"{breakage.what}: {f.path}:{f.line} {f.message}"
            for f in said
            if not _confirmed(f, complaints, declared.get(f"{where}/{f.package}", set()))
        ]
        own = {n for place, names in complaints.items() for n in names if n not in both.get(place, set())}
        known = " ".join(f"{f.symbol} {f.message}" for f in said)
        lost = sorted(n for n in own if not said or not re.search(rf"\b{re.escape(n)}\b| more do |no file", known))
        told += len(own) - len(lost)
        missed += [f"{breakage.what}: {lost}"] if lost else []
    recall = told / (told + sum(len(m.rpartition("[")[2].split(",")) for m in missed))
    print(f"{name}: {len(made)} breakages, {told} symbols told, recall {recall:.3f}", *missed, sep="\n  ")  # noqa: T201
    assert not wrong, "\n".join(wrong)
    assert recall >= RECALL


def _confirmed(finding: Finding, complaints: Places, declared: set[str]) -> bool:
    names = complaints.get((finding.path, finding.line), set())
    bare = str(finding.symbol).rpartition(".")[2]
    if bare in names or ("has no file" in finding.message and any("*" in n for n in complaints.values())):
        return True
    # Go does not compile what imports a package that fails itself. What the package declares go/parser knows.
    failed = any(directory(path) != directory(finding.path) for path, _ in complaints)
    elsewhere = directory(finding.path) != finding.package or finding.path.endswith("_test.go")
    return failed and elsewhere and not any(symbol.endswith(f" {finding.symbol}") for symbol in declared)


GOOD = "package p\n\nfunc use() { helper() }\n"
HELPER = "package p\n\nfunc helper() {}\n"
MOVED = {"p/use.go": GOOD, "p/helper_linux.go": HELPER}


@pytest.mark.parametrize(
    ("why", "base", "head"),
    [
        (
            "Linux loses it too",
            {"p/use.go": GOOD, "p/helper.go": HELPER},
            {"p/use.go": GOOD, "p/helper.go": "package p"},
        ),
        (
            "a package that no Windows ever built",
            {"p/use.go": GOOD, "p/helper.go": HELPER, "p/x.go": 'package p\n\nimport _ "golang.org/x/sys/unix"\n'},
            {**MOVED, "p/x.go": 'package p\n\nimport _ "golang.org/x/sys/unix"\n'},
        ),
        (
            "a package that did not compile before",
            {
                "p/use.go": GOOD,
                "p/helper.go": HELPER,
                "p/x.go": "package p\n\nvar _ = y\n",
                "p/y_linux.go": "package p\n\nvar y = 1\n",
            },
            {**MOVED, "p/x.go": "package p\n\nvar _ = y\n", "p/y_linux.go": "package p\n\nvar y = 1\n"},
        ),
        (
            "a file that is no Go may declare it",
            {"p/use.go": GOOD, "p/helper.go": HELPER},
            {**MOVED, "p/more.go": "package p\n\nfunc (((\n"},
        ),
        (
            "a file with a constraint that Go cannot read may declare it",
            {"p/use.go": GOOD, "p/helper.go": HELPER},
            {**MOVED, "p/more.go": "//go:build (linux\n\npackage p\n\nfunc helper() {}\n"},
        ),
        (
            "only a build with cgo needs it",
            {"p/use.go": "//go:build cgo\n\n" + GOOD, "p/helper.go": HELPER},
            {**MOVED, "p/use.go": "//go:build cgo\n\n" + GOOD},
        ),
        (
            "a build without cgo has it",
            {"p/use.go": GOOD, "p/helper.go": HELPER},
            {"p/use.go": GOOD, "p/helper.go": "//go:build !cgo\n\n" + HELPER},
        ),
    ],
)
def test_nothing_is_said_when(why: str, base: dict[str, str], head: dict[str, str]) -> None:
    assert [finding for finding in findings(base, head) if finding.rule == RULE] == [], why


def test_it_is_said_when_none_of_that_is_so() -> None:
    said = findings({"p/use.go": GOOD, "p/helper.go": HELPER}, MOVED)
    assert [(f.rule, f.path, f.line, f.symbol) for f in said] == [(RULE, "p/use.go", 3, "helper")]


def test_no_import_is_followed_into_another_module() -> None:
    user = 'package p\n\nimport "example.com/harbor/api"\n\nvar _ = api.Name\n'
    base = {"p/p.go": user, "p/q.go": 'package p\n\nimport _ "example.com/harbor/p/q"\n', "p/q/q.go": "package q\n"}
    base["api/api.go"] = "package api\n\nconst Name = 1\n"
    head = {**base, "api/api_linux.go": base["api/api.go"]}
    del head["api/api.go"]
    assert [f.rule for f in findings(base, head) if f.rule == RULE] == [RULE]
    assert [
        f.rule for f in findings(base, {**head, "api/go.mod": "module example.com/harbor/api\n"}) if f.rule == RULE
    ] == []


@pytest.mark.parametrize("case", [c for c in CASES if c.path.parent.name == RULE], ids=lambda case: case.name)
def test_what_git_does_not_give_by_itself_is_asked_for(case: Case) -> None:
    breakage = Breakage(case.name, case.base, case.head)
    assert {f.fingerprint for f in _said(breakage)} == {
        f.fingerprint for f in findings(case.base, case.head) if f.rule == RULE
    }


def test_an_ordinary_change_asks_for_nothing() -> None:
    files = modules()["harbor"]
    head = {**files, "daemon/shared.go": files["daemon/shared.go"].replace('":"', '": "')}
    base, after, around = divided(files, head)
    known = Around(around.outline)
    assert Search(base, after, known).wanted(known) == frozenset()


@pytest.mark.slow
def test_what_syscall_has_only_elsewhere_is_known(oracle: Oracle) -> None:
    symbols = oracle.tree(goroot() / "src" / "syscall", ["linux", "windows"])["."]["symbols"]
    names = {goos: {symbol.split()[1] for symbol in symbols[goos]} for goos in ("linux", "windows")}
    assert not [name for name in names["windows"] if UNIX_CALLS.fullmatch(f"syscall.{name}".encode())]
    assert len([name for name in names["linux"] if UNIX_CALLS.fullmatch(f"syscall.{name}".encode())]) > 300


def test_source_that_is_nested_too_deep_to_be_meant_ends() -> None:
    chain = "package p\n\nfunc use(t T) { t" + ".x" * 20_000 + ".gone() }\n"
    pointers = "package p\n\nfunc deep(a " + "*" * 5_000 + "T, f " + "func(A1) " * 1 + ") {}\n"
    aliases = "".join(f"type A{n} = func({', '.join([f'A{n + 1}'] * 30)})\n" for n in range(1, 9)) + "type A9 = int\n"
    types = "package p\n\ntype T struct{ x *T }\n\n" + aliases
    base = {"p/t.go": types + "func (t T) gone() {}\n", "p/use.go": chain, "p/d_linux.go": pointers}
    head = {
        "p/t.go": types,
        "p/t_linux.go": "package p\n\nfunc (t T) gone() {}\n",
        "p/use.go": chain + "func call() { deep(nil, nil) }\n",
        "p/d_linux.go": pointers,
        "p/d_windows.go": pointers.replace("f func", "f *func"),
    }
    assert [finding.rule for finding in findings(base, head) if finding.rule == RULE] == []
