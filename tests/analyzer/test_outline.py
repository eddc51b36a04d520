"""An outline says what the whole file says, in any layout; where it cannot, the whole is read."""

import pytest

from analyzer import analyze, scan, syntax
from analyzer.model import Snapshot, SourceFile
from analyzer.outline import Depth, outline
from tests.analyzer.cases import FOLDER
from tests.analyzer.hostile import SOURCES

P = "package p\n\n"

LAYOUTS = {
    "gofmt": "func A() {\n\tb()\n}\n\n// B is B.\nfunc B() {\n\tc()\n}\n",
    "closed too early": "func A() {\n\tif x {\n\t\tb()\n}\n\tc()\n}\n\nfunc B() {}\n",
    "closed too early behind a quoted brace": 'func A() {\n\tif x {\n\t\tb("}")\n}\n\tc()\n}\n\nfunc B() {}\n',
    "a brace in a text": 'func A() {\n\tb("{")\n}\n\nfunc B() {\n\tb("}")\n}\n',
    "a brace in a rune": "func A() {\n\tb('{')\n}\n\nfunc B() {\n\tb('}')\n}\n",
    "a brace in a comment": "func A() {\n\t// {\n}\n\nfunc B() {\n\t// }\n}\n",
    "code in a text": "func A() {\n\tb(`\nfunc X() {\n\tc()\n}\n`)\n}\n\nvar B = `\nfunc Y() {\n\tc()\n}\n`\n\nfunc C() {}\n",
    "code in a comment": "/*\nfunc A() {\n\tb()\n}\n*/\n\nfunc B() {\n\t/*\n}\nfunc C() {\n\t*/\n}\n",
    "a label": "func A() {\nhere:\n\tgoto here\n}\n\nfunc B() {}\n",
    "a struct in a signature": "func A(x struct {\n\ta int\n}) {\n\tb()\n}\n\nfunc B() struct{\n\ta int\n} {\n\treturn b()\n}\n",
    "types, values and groups": "type A struct {\n\tb int\n}\n\ntype (\n\tB struct {\n\t\tc int\n\t}\n)\n\nvar C = map[int]int{\n\t1: 2,\n}\n",
    "imports below a comment that looks like code": '/*\nfunc A() {}\n*/\n\nimport "a"\n\nfunc B() {}\n',
    "carriage returns": "func A() {\r\n\tb()\r\n}\r\n\r\nfunc B() {}\r\n",
    "generic method": "func (t T) A[K any](k K) {\n\tb()\n}\n\nfunc B() {\n\treturn new(1)\n}\n",
}


def _agree(content: bytes) -> None:
    whole, short, head = (syntax.read(content, depth) for depth in (Depth.WHOLE, Depth.OUTLINE, Depth.HEADER))
    assert short.declarations == whole.declarations
    assert short.inits == whole.inits
    assert short.imports == head.imports == whole.imports
    assert (short.package, short.constraint) == (head.package, head.constraint) == (whole.package, whole.constraint)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_alike(layout: str) -> None:
    _agree((P + LAYOUTS[layout]).encode())


def test_every_case_is_read_alike() -> None:
    for path in FOLDER.glob("*/*.txtar"):
        for piece in path.read_bytes().split(b"\n-- ")[1:]:
            content = piece.partition(b"\n")[2]
            if syntax.read(content).broken_line is None:
                _agree(content)


@pytest.mark.parametrize("name", SOURCES)
def test_hostile_source_that_is_go_is_read_alike(name: str) -> None:
    content = SOURCES[name](300)
    if syntax.read(content).broken_line is None:
        _agree(content)


def test_bodies_are_left_out_and_lines_stay() -> None:
    content = (P + LAYOUTS["gofmt"]).encode()
    assert b"b()" not in outline(content).text
    assert outline(content).text.count(b"\n") == content.count(b"\n")
    assert syntax.read(content, Depth.OUTLINE).depth is Depth.OUTLINE


def _snapshot(rev: str, **files: str) -> Snapshot:
    entries = {f"p/{name}.go": text.encode() for name, text in files.items()}
    return Snapshot(rev, {path: SourceFile(path, str(hash(c)), c) for path, c in entries.items()})


BROKEN = P + "func A() {\n\tx := := 1\n}\n"


def test_what_differs_and_what_one_platform_builds_is_read_as_a_whole() -> None:
    good = P + "func A() {\n\tx := 1\n}\n"
    changed = analyze(_snapshot("a", x=good), _snapshot("b", x=BROKEN))
    assert [entry.path for entry in changed.unreadable] == ["p/x.go"]
    own = scan(_snapshot("a", x_windows=BROKEN, y="//go:build !linux\n\n" + BROKEN, z=good))
    assert [entry.path for entry in own.unreadable] == ["p/x_windows.go", "p/y.go"]


def test_what_no_answer_depends_on_is_not() -> None:
    """What a function does that serves both platforms, and what a scan's tests do, is for the compiler to look at."""
    assert scan(_snapshot("a", x=BROKEN, x_test=BROKEN)).unreadable == ()
    assert analyze(_snapshot("a", x=BROKEN, y=P), _snapshot("b", x=BROKEN, y=P + "var B = 1\n")).unreadable == ()
