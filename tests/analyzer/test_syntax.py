"""What a file declares, against go/parser; and source that is no Go, or means harm."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import syntax
from analyzer.constraint import header_constraint
from analyzer.files import builds
from analyzer.model import Platform
from tests.analyzer.gotool import SYSTEMS, Oracle, goroot

# What is generated does not depend on the last run.
STEADY = settings(max_examples=60, deadline=None, database=None, derandomize=True)
P = "package p\n"


def declared(facts: syntax.Facts) -> list[str]:
    """Our declarations in the words of the oracle."""
    return [f"{d.kind} {d.name} {d.line} {d.end_line}" for d in facts.declarations]


def names(facts: syntax.Facts) -> list[str]:
    return [f"{d.kind} {d.name}" for d in facts.declarations]


VALID = {
    "functions": (
        "func F() {}\nfunc G(a, b int) (c string, err error) { return }\nfunc H[T any, U ~int](T) U\nfunc _() {}\nfunc init() {}\nfunc init() {}",
        ["func F", "func G", "func H"],
    ),
    "a function without a body": ("func F()\nfunc G() int\nfunc (T) M()", ["func F", "func G", "method T.M"]),
    "receivers": (
        "func (T) A() {}\nfunc (t T) B() {}\nfunc (*T) C() {}\nfunc (t *T) D() {}\nfunc (_ *T) E() {}\nfunc (t **T) F() {}",
        [f"method T.{name}" for name in "ABCDEF"],
    ),
    "receivers in parentheses": (
        "func ((T)) A() {}\nfunc (t (T)) B() {}\nfunc (t (*T)) C() {}\nfunc (t *(T)) D() {}\nfunc (t ((*(T)))) E() {}",
        [f"method T.{name}" for name in "ABCDE"],
    ),
    "generic receivers": (
        "func (T[K]) A() {}\nfunc (t *T[K, V]) B() {}\nfunc (t *T[_, V]) C() {}\nfunc (t (*T[K])) D() {}\nfunc (t T[\n\tK,\n]) E() {}",
        [f"method T.{name}" for name in "ABCDE"],
    ),
    "receivers with comments": (
        "func /* a */ (t /* b */ * /* c */ T /* d */) /* e */ A /* f */ () {}\nfunc (t T /* x[int] */) B() {}\nfunc (\n\tt *T, // the one\n) C() {}",
        ["method T.A", "method T.B", "method T.C"],
    ),
    "a method named init or main": ("func (T) init() {}\nfunc (T) main() {}\nfunc (T) _() {}", ["method T.init", "method T.main"]),
    "methods with type parameters": (
        "func (t T) A[K any](k K) K { return k }\nfunc (t *T[V]) B[\n\tK comparable,\n\tL interface{ ~[]K },\n](k K) {}\nfunc (t T) C() {}\nfunc (t (*T)) Ä[K any]() {}",
        ["method T.A", "method T.B", "method T.C", "method T.Ä"],
    ),
    "new of a value": (
        'var A, B = new(42), new("x")\nvar C = new(int64(-1))\nvar D = new(T{1})\nvar E = new(a + b)\nfunc F() *T { return new(f(1)) }',
        ["var A", "var B", "var C", "var D", "var E", "func F"],
    ),
    "types": (
        'type A int\ntype B = int\ntype C struct{ A; *B; c, d int `x:"y"` }\ntype D interface{ A | ~B; m() }\ntype _ int\ntype E func(int) (string, error)',
        [f"type {name}" for name in "ABCDE"],
    ),
    "generic types": (
        "type A[T any] struct{ B[T]; *C[T, int] }\ntype D[T ~int | ~string, U interface{ m(T) }] []T\ntype E[T any] = map[string]T\ntype F[T *int,] int\ntype G [N * 2]int",
        ["type A", "type D", "type E", "type F", "type G"],
    ),
    "groups of types": ("type (\n\tA int\n\n\t// Words.\n\tB = int\n\tC[T any] []T\n\t_ int\n)\ntype ()", ["type A", "type B", "type C"]),
    "constants": (
        "const A = 1\nconst B, C = 1, 2\nconst D int = 3\nconst (\n\tE, F = iota, iota\n\tG, H\n\t_, I\n\tJ, _\n)\nconst _ = 1\nconst ()",
        [f"const {name}" for name in "ABCDEFGHIJ"],
    ),
    "variables": (
        "var A int\nvar B, C = 1, 2\nvar D, E int = 1, 2\nvar (\n\tF, G int\n\tH = func() int { var x int; return x }()\n\t_, I = f()\n)\nvar _ = 1\nvar _, _ int",
        [f"var {name}" for name in "ABCDEFGHI"],
    ),
    "all on one line": (
        "func F() {}; var (A = 1; B int); const (C = iota; D); type (E int; G = E); func (E) M() {}",
        ["func F", "var A", "var B", "const C", "const D", "type E", "type G", "method E.M"],
    ),
    "groups on one line": ("var ( A int )\nconst ( B = 1 /* one */ )\ntype ( C int )", ["var A", "const B", "type C"]),
    "locals do not count": ("func F() {\n\ttype T int\n\tconst c = 1\n\tvar v int\n\tL:\n\tfor range 3 { break L }\n}", ["func F"]),
    "names in strings and comments do not count": (
        'var A = `\nfunc B() {}\n`\n/*\nfunc C() {}\n*/\n// func D() {}\nvar E = "func G() {}"',
        ["var A", "var E"],
    ),
    "letters of all the world": ("func Größe() {}\ntype 界 int\nvar é, Ω int\nfunc (界) ß() {}", ["func Größe", "type 界", "var é", "var Ω", "method 界.ß"]),
    "no line end": ("func F() {}\ntype (\n\tA int\n)", ["func F", "type A"]),
    "odd spaces": ("func\tF ( ) { } ;\r\nvar\r\n\tA int\r\n", ["func F", "var A"]),
    "predeclared names": ("type int string\nfunc len() {}\nvar nil, true = 1, 2\nconst iota = 1\nfunc (int) any() {}", None),
}  # fmt: skip


@pytest.mark.parametrize(("source", "wanted"), VALID.values(), ids=VALID)
def test_declarations_are_those_of_go(oracle: Oracle, source: str, wanted: list[str] | None) -> None:
    for text in (P + source, "\ufeff" + P + source, (P + source).replace("\n", "\r\n"), P + source + "\n\n// end"):
        go, facts = oracle.parsed(text.encode()), syntax.read(text.encode())
        assert go.error == ""
        assert facts.broken_line is None
        assert declared(facts) == list(go.symbols)
        assert facts.package == go.package == "p"
    assert wanted is None or names(facts) == wanted


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ('import "a"\nimport b "x/b"\nimport . "x/c"\nimport _ "x/d"\nimport `x/e`', ["a", "x/b", "x/c", "x/d", "x/e"]),
        ('import (\n\t"a"\n\t// Words.\n\t_ "b" // more\n\n\t. "c"\n)\nimport ()', ["a", "b", "c"]),
        ('import ("a"; "b")', ["a", "b"]),
        ('/*\n#include <x.h>\n*/\nimport "C"\nimport "unsafe"', ["C", "unsafe"]),
    ],
)
def test_imports_are_those_of_go(oracle: Oracle, source: str, wanted: list[str]) -> None:
    facts = syntax.read((P + source + "\n").encode())
    assert [i.path for i in facts.imports] == wanted == list(oracle.parsed((P + source + "\n").encode()).imports)
    assert facts.broken_line is None


BROKEN = {
    "an empty file": ("", 1),
    "comments alone": ("// words\n", 2),
    "no package clause": ("func F() {}\n", 1),
    "no package name": ("package\n", 1),
    "words": ("hello world\n", 1),
    "a merge conflict": (P + "<<<<<<< HEAD\nfunc F() {}\n=======\nfunc G() {}\n>>>>>>> x\n", 2),
    "a template": (P + "func {{.Name}}() {}\n", 2),
    "a statement": (P + "x := 1\n", 2),
    "a loop": (P + "var A int\nfor {}\n", 3),
    "an import that comes late": (P + 'var A int\nimport "a"\n', 3),
    "a brace too few": (P + "var A int\nfunc F() {\n", 3),
    "a brace too many": (P + "func F() {}\n}\n", 3),
    "a parenthesis too few": (P + "func F() {\n\tf(\n}\n", 3),
    "no name": (P + "func () {}\n", 2),
    "no type": (P + "var A\n", 2),
    "an operand too few": (P + "var A = 1 +\n", 2),
    "a string without end": (P + 'var A = "x\n', 2),
    "a comment without end": (P + "var A int\n/* x\n", 3),
    "a NUL byte": (P + "var A\0 int\n", 2),
    "no UTF-8": (P + "var \udcff int\n", 2),
    "two specs on a line": (P + "const ( A = 1 B = 2 )\n", 2),
    "two declarations on a line": (P + "var A int; func F() {} func G() {}\n", 2),
    "two statements on a line": (P + "func F() {\n\tf() g()\n}\n", 3),
    "two fields on a line": (P + "type T struct {\n\ta int b int\n}\n", 3),
    "a class": (P + "class A {}\n", 2),
}


@pytest.mark.parametrize(("source", "line"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_go_says_so_with_a_line(oracle: Oracle, source: str, line: int) -> None:
    content = source.encode("utf-8", "surrogateescape")
    assert oracle.parsed(content).error
    assert syntax.read(content).broken_line == line


def test_what_stands_around_a_mistake_is_still_read() -> None:
    facts = syntax.read((P + "func A() {}\n\nfunc B() { x( }\n\nfunc C() {}\n\nvar D = = 1\n\ntype E int\n").encode())
    assert facts.broken_line == 4
    assert {"func A", "func C", "type E"} <= {*names(facts)}


# Go's own source, which has what no table thinks of.


@pytest.mark.parametrize(
    "where", ["os", "syscall", "math/rand/v2", "net/http/internal/http2", "internal/types/testdata/examples"]
)
def test_go_itself_is_read_as_go_reads_it(oracle: Oracle, where: str) -> None:
    files = {path.name: path.read_bytes() for path in sorted((goroot() / "src" / where).glob("*.go"))}
    assert files
    for name, content in files.items():
        go, facts = oracle.parsed(content), syntax.read(content)
        assert (facts.broken_line is None) == (go.error == ""), name
        if not go.error:
            assert declared(facts) == list(go.symbols), name
            assert [i.path for i in facts.imports] == list(go.imports), name
    for goos in SYSTEMS:
        ours = [name for name, content in files.items() if builds(name, header_constraint(content), Platform(goos))]
        assert ours == oracle.built(files, Platform(goos))


# Generated source.

NAMES = st.sampled_from(["a", "B", "_", "init", "x1", "Ä", "T", "main"])
TYPES = st.sampled_from(["int", "*T", "[]T", "T[int]", "map[string]T", "func(a, b int) error", "struct{ a int }", "interface{ m() }", "x.Y", "chan<- int"])  # fmt: skip
VALUES = st.sampled_from(["1", '"x"', "`\n`", "T{a: 1}", "func() { x := 1; _ = x }", "f(1, g...)", "a[b](c)", "[...]int{1}", "-x.y", "iota", "new(1)", "'('"])  # fmt: skip
RECEIVERS = st.sampled_from(["T", "*T", "t T", "t *T", "t *T[K]", "_ T[K, V]", "(*T)", "t /* x */ *T"])
GAPS = st.sampled_from(["\n", "\n\n", "\n// func x() {}\n", "\n/* { */\n", ";", "\r\n", " // x\n"])
LISTS = st.lists(NAMES, min_size=1, max_size=3).map(", ".join)
CONSTS = st.one_of(st.builds("{} = {}".format, NAMES, VALUES), st.builds("{} int = {}".format, NAMES, VALUES))
VARS = st.one_of(CONSTS, st.builds("{} {}".format, LISTS, TYPES))
SPECS = st.one_of(
    st.builds("{} {}".format, NAMES, TYPES),
    st.builds("{} = {}".format, NAMES, TYPES),
    st.builds("{}[K any] {}".format, NAMES, TYPES),
)


def _groups(word: str, spec: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.lists(spec, max_size=3).map(lambda specs: f"{word} (\n\t" + "\n\t".join(specs) + "\n)")
    return st.one_of(spec.map(f"{word} {{}}".format), group)


DECLARATIONS = st.one_of(
    st.builds("func {}(a {}) {} {{ return {} }}".format, NAMES, TYPES, TYPES, VALUES),
    st.builds("func {}[K any](K) (a, b {})".format, NAMES, TYPES),
    st.builds("func ({}) {}() {{ if x {{ y() }} }}".format, RECEIVERS, NAMES),
    st.builds("func ({}) {}[K any](k K) {{}}".format, RECEIVERS, NAMES),
    _groups("const", CONSTS),
    _groups("var", VARS),
    _groups("type", SPECS),
)
FILES = st.lists(st.tuples(DECLARATIONS, GAPS), max_size=12).map(lambda parts: P + "".join(map("".join, parts)))


@STEADY
@given(FILES)
def test_any_declarations_are_those_of_go(oracle: Oracle, source: str) -> None:
    go, facts = oracle.parsed(source.encode()), syntax.read(source.encode())
    assert go.error == ""
    assert declared(facts) == list(go.symbols)
    assert facts.broken_line is None


SAMPLE = (P + 'import "a"\n\n' + "\n\n".join(source for source, _ in VALID.values())).encode()
PIECES = [m[0] for m in re.finditer(rb"\w+|\s+|.", SAMPLE)]
HARM = [
    b"",
    b"\0",
    b"\xff",
    b"(",
    b")",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"`",
    b"/*",
    b"*/",
    b"func ",
    b"new(",
    b"func (t T) x[",
    b"\n",
    b";",
    b"//go:build ",
]


@STEADY
@given(st.randoms(use_true_random=False), st.integers(1, 8))
def test_mutated_go_is_read_without_an_exception_and_never_called_whole_against_go(
    oracle: Oracle, chance: random.Random, count: int
) -> None:
    pieces = list(PIECES)
    for _ in range(count):
        at = chance.randrange(len(pieces))
        pieces[at : at + chance.randint(0, 3)] = chance.choice([[chance.choice(HARM)], chance.sample(pieces, 2)])
    source = b"".join(pieces)
    go, facts = oracle.parsed(source), syntax.read(source)
    if not go.error and facts.broken_line is None:
        assert declared(facts) == list(go.symbols)


@STEADY
@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(HARM + PIECES), max_size=80).map(b"".join)))
def test_any_bytes_are_read_without_an_exception(source: bytes) -> None:
    facts = syntax.read(source)
    assert all(0 < d.line <= d.end_line <= source.count(b"\n") + 1 for d in facts.declarations)
    assert facts.broken_line is None or 0 < facts.broken_line <= source.count(b"\n") + 1


# Source that means harm. Measured on one core: all of these together take 5 s; the slowest kind of junk, quotes without
# end, takes 8 s a megabyte, in time that grows with its length, and no file above 2 MiB is read (bot/source.py).

DEEP = 100_000
HOSTILE = {
    "a line of a megabyte": (b"// " + b"x" * 1_000_000 + b"\nfunc F() {}\n", ["func F"], True),
    "a string of a megabyte": (b'var A = "' + b"x" * 1_000_000 + b'"\nfunc F() {}\n', ["var A", "func F"], True),
    "nested parentheses": (b"var A = " + b"(" * DEEP + b"1" + b")" * DEEP + b"\nfunc F() {}\n", ["var A", "func F"], True),
    "nested blocks": (b"func A() " + b"{" * DEEP + b"}" * DEEP + b"\nfunc F() {}\n", ["func A", "func F"], True),
    "nested ifs": (b"func A() {" + b"if x {" * DEEP + b"}" * DEEP + b"}\nfunc F() {}\n", ["func A", "func F"], True),
    "nested types": (b"var A " + b"[]" * DEEP + b"int\nfunc F() {}\n", ["var A", "func F"], True),
    "nested type arguments": (b"var A " + b"T[" * DEEP + b"int" + b"]" * DEEP + b"\nfunc F() {}\n", ["var A", "func F"], True),
    "nested receivers": (b"func (t " + b"(" * DEEP + b"T" + b")" * DEEP + b") F() {}\n", ["method T.F"], True),
    "nested pointers": (b"func (t " + b"*" * DEEP + b"T) F() {}\n", ["method T.F"], True),
    "nested closures": (b"var A = " + b"func(){" * DEEP + b"}" * DEEP + b"\nfunc F() {}\n", ["var A", "func F"], True),
    "nested calls of new": (b"var A = " + b"new(" * DEEP + b"1" + b")" * DEEP + b"\nfunc F() {}\n", ["var A", "func F"], True),
    "a long sum": (b"var A = 1" + b"+1" * DEEP + b"\nfunc F() {}\n", ["var A", "func F"], True),
    "parentheses without end": (b"var A = " + b"(" * DEEP + b"\nfunc F() {}\n", None, False),
    "parentheses without start": (b"var A = " + b")" * DEEP + b"\nfunc F() {}\n", None, False),
    "blocks without end": (b"func A() " + b"{" * DEEP + b"\nfunc F() {}\n", None, False),
    "type arguments without end": (b"func (t T" + b"[" * DEEP + b") F() {}\n", None, False),
    "type parameters without end": (b"func (t T) F[" * DEEP + b"\n", None, False),
    "quotes without end": (b'"' * DEEP, None, False),
    "back quotes without end": (b"`" * (DEEP + 1), None, False),
    "NUL bytes": (b"\0" * DEEP, None, False),
    "bytes that are no UTF-8": (b"\xff" * DEEP, None, False),
    "junk": (random.Random(1).randbytes(DEEP), None, False),  # noqa: S311 - junk is no secret
    "many names": (b"var " + b", ".join(b"A%d" % n for n in range(DEEP)) + b" int\n", [f"var A{n}" for n in range(DEEP)], True),
    "many functions": (
        b"".join(b"func F%d() error { return nil }\n" % n for n in range(50_000)),
        [f"func F{n}" for n in range(50_000)],
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "wanted", "whole"), HOSTILE.values(), ids=HOSTILE)
def test_source_that_means_harm_is_read(source: bytes, wanted: list[str] | None, *, whole: bool) -> None:
    facts = syntax.read(P.encode() + source)
    assert (facts.broken_line is None) == whole
    assert facts.package in {"p", ""}
    assert wanted is None or names(facts) == wanted
