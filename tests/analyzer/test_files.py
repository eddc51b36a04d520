"""Which files build where: names and constraints together, against go/build and `go list`."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.files import suffix_tags
from analyzer.listing import list_files
from analyzer.model import Platform, Snapshot, SourceFile
from analyzer.platforms import KNOWN_GOARCH, KNOWN_GOOS
from tests.analyzer.gotool import SYSTEMS, Oracle, built_by_us, go

CLAUSE = b"package p\n"


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("linux.go", ()),
        ("windows_test.go", ()),
        ("amd64.go", ()),
        ("x_linux.go", ("linux",)),
        ("x_linux_test.go", ("linux",)),
        ("x_amd64.go", ("amd64",)),
        ("x_windows_amd64.go", ("windows", "amd64")),
        ("x_windows_amd64_test.go", ("windows", "amd64")),
        ("x_amd64_windows.go", ("windows",)),
        ("x_linux_windows.go", ("windows",)),
        ("linux_windows.go", ("windows",)),
        ("linux_amd64.go", ("amd64",)),
        ("x__linux.go", ("linux",)),
        ("x_test_linux.go", ("linux",)),
        ("x_linux_test_test.go", ()),
        ("x_linux_.go", ()),
        ("x_test.go", ()),
        ("x_unix.go", ()),
        ("x_cgo.go", ()),
        ("x_Linux.go", ()),
        ("x_linux2.go", ()),
        ("x_linux_foo.go", ()),
        ("x.y_linux.go", ()),
        ("x_linux.y.go", ("linux",)),
        ("x_linux.pb.go", ("linux",)),
        ("x_linux..go", ("linux",)),
        ("x-linux.go", ()),
        ("x_android.go", ("android",)),
        ("x_nacl.go", ("nacl",)),
        ("x_zos_s390x.go", ("zos", "s390x")),
        ("größe_windows.go", ("windows",)),
        ("x y_windows.go", ("windows",)),
        ("x\n_windows.go", ("windows",)),
        ("<b>_windows.go", ("windows",)),
        ("x_windows\n.go", ()),
        ("@team_windows.go", ("windows",)),
        ("$(x)_windows.go", ("windows",)),
    ],
)
def test_a_name_demands_the_tags_of_its_end(oracle: Oracle, name: str, tags: tuple[str, ...]) -> None:
    assert suffix_tags(name) == tags
    for goos in (*SYSTEMS, "android", "zos"):
        for goarch in ("amd64", "arm64", "s390x"):
            platform = Platform(goos, goarch)
            assert built_by_us({name: CLAUSE}, platform) == oracle.matched({name: CLAUSE}, platform)


@pytest.mark.parametrize(
    "name", ["_x.go", ".x.go", "_linux.go", "_x_test.go", ".go", "x", "x.c", "x.GO", "x.go.txt", "go"]
)
def test_a_name_that_go_leaves_out_builds_nowhere(oracle: Oracle, name: str) -> None:
    assert built_by_us({name: CLAUSE}, Platform("linux")) == []
    assert oracle.built({name: CLAUSE}, Platform("linux")) == []


WORDS = st.sampled_from(
    [
        *sorted(KNOWN_GOOS),
        *sorted(KNOWN_GOARCH),
        *["linux", "windows", "amd64", "test", "unix", "x", "", ".", "pb.go", "Ä"] * 5,
    ]
)
NAMES = st.lists(WORDS, min_size=1, max_size=5).map(lambda words: "_".join(words) + ".go")


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(
    st.lists(NAMES, min_size=20, max_size=60),
    st.builds(
        Platform, st.sampled_from([*SYSTEMS, "android", "ios", "illumos"]), st.sampled_from(["amd64", "arm64"]), st.booleans()
    ),
)  # fmt: skip
def test_any_name_builds_where_go_builds_it(oracle: Oracle, names: list[str], platform: Platform) -> None:
    files = dict.fromkeys(names, CLAUSE)
    assert built_by_us(files, platform) == oracle.built(files, platform)


# Whole directories.

TREE = {
    "a.go": "package a\n\nfunc A() {}\n",
    "a_linux.go": "package a\n\nfunc L() {}\n",
    "a_windows.go": "//go:build amd64\n\npackage a\n\nfunc W() {}\n",
    "a_unix.go": "package a\n\nfunc NotOnlyUnix() {}\n",
    "b.go": "//go:build unix && !darwin\n\npackage a\n\nfunc B() {}\n",
    "c.go": 'package a\n\n/*\n#include <stdio.h>\n*/\nimport "C"\n\nfunc C1() {}\n',
    "d.go": "//go:build cgo\n\npackage a\n\nfunc D() {}\n",
    "e.go": "//go:build linux ||\n\npackage a\n\nfunc E() {}\n",
    "f.go": "// +build windows\n\npackage a\n\nfunc F() {}\n",
    "g.go": "//go:build goexperiment.dwarf5\n\npackage a\n\nfunc G() {}\n",
    "h.go": "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
    "i.go": "package documentation\n",
    "a_test.go": "package a\n\nfunc T() {}\n",
    "x_test.go": "package a_test\n\nfunc X() {}\n",
    "x_windows_test.go": 'package a_test\n\nimport "testing"\n\nfunc TestW(*testing.T) {}\n',
    "_skip.go": "package a\n",
    ".skip.go": "package a\n",
    "only/l_linux.go": "package only\n\nvar V, _ = 1, 2\n\nfunc init() {}\n",
    "tests/t_test.go": "package tests\n",
    "mixed/m.go": "package m\n\ntype T struct{}\n",
    "mixed/n.go": "package n\n\nfunc (T) N() {}\n",
    "broken/b.go": "package b\n\nimport (\n",
    "empty/e.go": "",
    "low/x_darwin_arm64.go": "package low\n\nconst K = 1\n",
}  # fmt: skip


def _snapshot(tree: dict[str, str]) -> Snapshot:
    return Snapshot("0" * 40, {path: SourceFile(path, path, text.encode()) for path, text in tree.items()})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for path, text in {"go.mod": "module example.test/a\n\ngo 1.20\n", **TREE}.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, encoding="utf-8", newline="")
    return root


def test_a_tree_is_listed_as_go_build_lists_it(oracle: Oracle, folder: Path) -> None:
    listed = {line.dir: line for line in list_files(_snapshot(TREE), SYSTEMS)}
    tree = oracle.tree(folder)
    assert listed.keys() == tree.keys()
    for where, line in listed.items():
        assert line.files == tree[where]["files"], where
        assert line.symbols == tree[where]["symbols"], where


@pytest.mark.parametrize("goos", SYSTEMS)
def test_a_tree_is_listed_as_go_list_lists_it(oracle: Oracle, folder: Path, goos: str) -> None:
    kinds = ("GoFiles", "CgoFiles", "TestGoFiles", "XTestGoFiles")
    command = ("list", "-e", "-find", f"-json=Dir,{','.join(kinds)}", "./...")
    printed = go(*command, folder=folder, GOOS=goos, GOARCH="amd64", CGO_ENABLED="1")
    packages = [json.loads("{" + text) for text in printed.strip().removeprefix("{").split("\n{")]
    by_go_list = {
        Path(package["Dir"]).relative_to(folder).as_posix(): sorted(
            name for kind in kinds for name in package.get(kind, [])
        )
        for package in packages
    }
    listed = {line.dir: line.files[goos] for line in list_files(_snapshot(TREE), [goos])}
    assert {where: files for where, files in by_go_list.items() if files} == {
        where: files for where, files in listed.items() if files
    }
    assert oracle.tree(folder, [goos])["."]["files"][goos] == listed["."]


def test_paths_come_back_as_they_are() -> None:
    hostile = ["a\nb/x.go", "<script>/x_windows.go", "\udcff/x.go", "a b/```.go", "|/[x](y).go", "@a/::error::.go"]
    listed = list(list_files(_snapshot(dict.fromkeys(hostile, "package p\n")), ["windows"]))
    assert sorted(f"{line.dir}/{name}" for line in listed for name in line.files["windows"]) == sorted(hostile)
