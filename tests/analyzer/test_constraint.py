"""Build constraints: what Go's own go/build/constraint and go/build say of them, and what we say."""

import sys
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer.constraint import (
    And,
    Expr,
    Not,
    Or,
    Tag,
    header_constraint,
    satisfied,
)
from analyzer.files import builds
from analyzer.model import Platform
from tests.analyzer.gotool import SYSTEMS, Oracle, built_by_us, tool_tags

CLAUSE = b"package p\n"
# Each example asks Go by a pipe, which is fast but not free; what is generated does not depend on the last run.
BATCHES = settings(
    max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def shown(expr: Expr, inside: type[And] | type[Or] | None = None) -> str:
    """An expression as Go prints it; parentheses only where they matter."""
    match expr:
        case Tag(name):
            return name
        case Not(Tag(name)):
            return f"!{name}"
        case Not(Not(_) as operand):
            return f"!{shown(operand)}"
        case Not(operand):
            return f"!({shown(operand)})"
        case And(operands):
            text = " && ".join(shown(operand, And) for operand in operands)
            return f"({text})" if inside is Or else text
        case Or(operands):
            text = " || ".join(shown(operand, Or) for operand in operands)
            return f"({text})" if inside is And else text


def ours(line: str) -> str | None:
    """What we read in a line, as Go prints it; None for what we refuse."""
    found = header_constraint(line.encode("utf-8", "surrogateescape") + b"\n\n" + CLAUSE)
    return shown(found.expr) if found is not None and found.expr is not None else None


def assert_same(oracle: Oracle, lines: Sequence[str]) -> None:
    for line, go in zip(lines, oracle.constraints(lines), strict=True):
        assert ours(line) == go, line


# The grammar.


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("linux", "linux"),
        ("!linux", "!linux"),
        ("linux && amd64 || darwin", "(linux && amd64) || darwin"),
        ("linux || amd64 && darwin", "linux || (amd64 && darwin)"),
        ("linux && (amd64 || darwin)", "linux && (amd64 || darwin)"),
        ("!(linux || darwin) && cgo", "!(linux || darwin) && cgo"),
        ("!(!linux)", "!!linux"),
        ("((linux))", "linux"),
        ("a&&b||c", "(a && b) || c"),
        ("386 && go1.21 && x_y.z", "386 && go1.21 && x_y.z"),
        ("größe && 界", "größe && 界"),
    ],
)
def test_an_expression_is_read_as_go_reads_it(oracle: Oracle, expression: str, wanted: str) -> None:
    assert ours(f"//go:build {expression}") == wanted
    assert oracle.constraints([f"//go:build {expression}"]) == [wanted]


@pytest.mark.parametrize(
    "expression",
    [
        "", "!", "!!linux", "! !linux", "linux darwin", "linux,darwin", "linux &&", "&& linux", "linux & darwin",
        "linux | darwin", "linux &&& darwin", "(linux", "linux)", "()", "(!)", "linux !darwin", "linux (darwin)",
        "a-b", "a=b", "a/b", "//linux", "linux // because", "linux\v&& darwin", "linux\u00a0&& darwin", "\udcff", "x\udc80",
        '"linux"', "linux;", "a\u0301",
    ],
)  # fmt: skip
def test_what_go_refuses_is_an_error_with_a_line(oracle: Oracle, expression: str) -> None:
    line = f"//go:build {expression}"
    assert oracle.constraints([line]) == [None]
    found = header_constraint(b"// A word.\n" + line.encode("utf-8", "surrogateescape") + b"\n\n" + CLAUSE)
    assert found is not None
    assert (found.expr, found.line) == (None, 2)
    assert found.error
    assert not builds("x.go", found, Platform("linux"))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("// +build linux", "linux"),
        ("//+build linux", "linux"),
        ("//\t +build\tlinux", "linux"),
        ("// +build linux darwin", "linux || darwin"),
        ("// +build linux,amd64 darwin", "(linux && amd64) || darwin"),
        ("// +build !linux,!darwin", "!linux && !darwin"),
        ("// +build", "ignore"),
        ("// +build !!linux", "ignore"),
        ("// +build !", "ignore"),
        ("// +build linux,,darwin", "linux && ignore && darwin"),
        ("// +build ,", "ignore && ignore"),
        ("// +build (linux)", "ignore"),
        ("// +build !a-b", "!ignore"),
        ("// +build linux||darwin", "ignore"),
        ("// +build linux // because", "linux || ignore || because"),
        ("// +build linux\u3000darwin", "linux || darwin"),
        ("// +build \udcff", "ignore"),
        ("// +buildlinux", None),
        ("// + build linux", None),
        ("//go:buildlinux", None),
        ("// go:build linux", None),
        ("//go:build\u00a0linux", "linux"),
        ("//go:build\tlinux", "linux"),
        ("//go:build linux  \t", "linux"),
    ],
)
def test_a_line_is_read_as_go_reads_it(oracle: Oracle, line: str, wanted: str | None) -> None:
    assert ours(line) == wanted
    assert oracle.constraints([line]) == [wanted]


@pytest.mark.parametrize(
    "line",
    [
        *(f"//go:build {' && '.join(['a'] * n)}" for n in (999, 1000, 1001)),
        *(f"//go:build {'(' * n}a{')' * n}" for n in (998, 999, 1000, 1001)),
        *(f"//go:build {'!(' * n}a{')' * n}" for n in (400, 1001)),
        *(f"// +build {'a ' * n}" for n in (100, 101, 102)),
        *(f"// +build {'a,' * n}b" for n in (100, 101)),
    ],
)  # fmt: skip
def test_the_limits_are_those_of_go(oracle: Oracle, line: str) -> None:
    expected = oracle.constraints([line])[0]
    found = header_constraint(line.encode() + b"\n\n" + CLAUSE)
    assert (found is not None and found.expr is not None) == (expected is not None)


# Letters that are newer than Python's tables are not known here: such a tag is refused where Go knows it.
LETTERS = st.characters(categories=["L", "Nd", "Nl", "Mn", "Pc", "Sm", "Zs", "Cf", "Co"])
WORDS = st.one_of(
    st.sampled_from(["linux", "windows", "unix", "cgo", "go1.18", "386", "ignore", "a", "_", ".", "x.y"]),
    st.text(LETTERS, min_size=1, max_size=4),
)
TREES = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.builds("!{}".format, inner),
        st.builds("({})".format, inner),
        st.builds("{} && {}".format, inner, inner),
        st.builds("{}||{}".format, inner, inner),
    ),
    max_leaves=20,
)
PIECES = st.lists(
    st.one_of(st.sampled_from(["&&", "||", "!", "(", ")", " ", "\t", ",", "&", "|", "//", "\udcff", "\x0b"]), WORDS),
    max_size=12,
).map("".join)


@BATCHES
@given(st.lists(st.one_of(TREES, PIECES), min_size=10, max_size=40))
def test_any_go_build_line_is_read_as_go_reads_it(oracle: Oracle, expressions: list[str]) -> None:
    assert_same(oracle, [f"//go:build {expression}" for expression in expressions])


@BATCHES
@given(
    st.lists(
        st.tuples(st.sampled_from(["// +build ", "//+build ", "//  +build\t", "// +build"]), PIECES),
        min_size=10,
        max_size=30,
    )
)
def test_any_plus_build_line_is_read_as_go_reads_it(oracle: Oracle, lines: list[tuple[str, str]]) -> None:
    assert_same(oracle, [start + text for start, text in lines])


def test_a_tag_is_made_of_what_go_calls_letters_and_digits(oracle: Oracle) -> None:
    known = [c for c in map(chr, range(0x80, sys.maxunicode + 1)) if unicodedata.category(c) not in {"Cn", "Cs"}]
    lines = [f"//go:build x{c}" for c in known if unicodedata.category(c) != "Co"]
    assert [ours(line) is not None for line in lines] == [go is not None for go in oracle.constraints(lines)]


# Which tags a platform satisfies.

TAGS = [
    *SYSTEMS, "android", "illumos", "solaris", "ios", "js", "unix", "amd64", "arm64", "386", "cgo", "gc", "gccgo", "go1", "go1.0",
    "go1.1", "go1.18", "go1.27", "go1.28", "race", "purego", "netgo", "ignore", "boringcrypto", "goexperiment.dwarf5",
    "goexperiment.jsonv2", "goexperiment.boringcrypto", "goexperiment.regabiargs", "amd64.v1", "amd64.v2", "custom",
]  # fmt: skip


@pytest.mark.parametrize(
    "platform",
    [
        *map(Platform, SYSTEMS),
        Platform("linux", cgo=False),
        Platform("windows", "arm64"),
        Platform("linux", "386"),
        Platform("android", "arm64"),
        Platform("illumos"),
        Platform("ios", "arm64"),
        Platform("js", "wasm"),
        Platform("plan9"),
        Platform("aix", "ppc64"),
        Platform("windows", tags=frozenset({"custom", "linux"})),
    ],
    ids=str,
)
def test_a_platform_satisfies_the_tags_that_go_says(oracle: Oracle, platform: Platform) -> None:
    tags = [*TAGS, *tool_tags(platform.goos, platform.goarch)]
    files = {f"t{n}.go": f"//go:build {tag}\n\npackage p\n".encode() for n, tag in enumerate(tags)}
    matched = set(oracle.matched(files, platform))
    assert {tag: satisfied(tag, platform) for tag in tags} == {tag: f"t{n}.go" in matched for n, tag in enumerate(tags)}


# The line that counts in a whole file.

LINUX_ONLY = {
    "a directive": b"//go:build linux\n\npackage p\n",
    "a directive right above the clause": b"//go:build linux\npackage p\n",
    "a directive indented": b" \t//go:build linux\npackage p\n",
    "a directive after a byte order mark": b"\xef\xbb\xbf//go:build linux\n\npackage p\n",
    "a directive after a block comment": b"/* x\n*/\n//go:build linux\npackage p\n",
    "a directive after a comment that looks nested": b"/*/ x */\n//go:build linux\npackage p\n",
    "a directive after a block comment on its line": b"/* x */\n\n//go:build linux\n\npackage p\n",
    "with carriage returns": b"//go:build linux\r\n\r\npackage p\r\n",
    "without a line end": b"//go:build linux",
    "without a package clause": b"//go:build linux\n\n",
    "above something that is no Go": b"//go:build linux\n\n\xff\xfe{{{\n",
    "plus": b"// +build linux\n\npackage p\n",
    "plus with carriage returns": b"// +build linux\r\n\r\npackage p\r\n",
    "plus above a blank line with spaces": b"// +build linux\n \t\v\npackage p\n",
    "plus below other comments": b"// Words.\n\n// +build linux\n// More.\n\n// Package p.\npackage p\n",
    "plus after a byte order mark": b"\xef\xbb\xbf// +build linux\n\npackage p\n",
    "plus several": b"// +build linux darwin\n// +build !darwin\n\npackage p\n",
    "plus in two paragraphs": b"// +build linux darwin\n\n// +build amd64,!darwin\n\npackage p\n",
    "plus above a block comment": b"// +build linux\n\n/* x */\npackage p\n",
    "the directive wins": b"//go:build linux\n// +build windows\n\npackage p\n",
    "the directive wins from below": b"// +build windows\n//go:build linux\n\npackage p\n",
    "a directive with a NUL byte far below": b'//go:build linux\n\npackage p\n\nvar s = "\0"\n',
    "a directive with a form feed": b"//go:build linux\f\npackage p\n",
    "a directive after a semicolon is none": b"//go:build linux\n;//go:build windows\npackage p\n",
}
EVERYWHERE = {
    "nothing": b"package p\n",
    "an empty file": b"",
    "a lone byte order mark": b"\xef\xbb\xbf",
    "a directive behind a block comment": b"/* x */ //go:build linux\npackage p\n",
    "in UTF-16, NUL bytes and all": "//go:build linux\n\npackage p\n".encode("utf-16"),
    "below the clause": b"package p\n\n//go:build linux\n",
    "plus below the clause": b"package p\n\n// +build linux\n\n",
    "behind the clause": b"package p //go:build linux\n",
    "plus right above the clause": b"// +build linux\npackage p\n",
    "plus right above a block comment": b"// +build linux\n/* x */\n\npackage p\n",
    "plus after a block comment": b"/* x */\n\n// +build linux\n\npackage p\n",
    "plus on a block comment's line": b"/* x */ // +build linux\n\npackage p\n",
    "in a block comment": b"/*\n//go:build linux\n*/\n\npackage p\n",
    "plus in a block comment": b"/*\n// +build linux\n*/\n\npackage p\n",
    "in a comment that never ends": b"/*\n//go:build linux\n\npackage p\n",
    "after a comment that never ends": b"/* x\n\npackage p\n//go:build linux\n",
    "in words": b"// See //go:build linux\n\npackage p\n",
    "with a space": b"// go:build linux\n\npackage p\n",
    "another word": b"//go:buildmode linux\n\npackage p\n",
    "plus another word": b"// +builder linux\n\npackage p\n",
    "after code": b'import "x"\n//go:build linux\n\npackage p\n',
    "too complex to count": b"// +build " + b"linux " * 102 + b"\n\npackage p\n",
    "a byte order mark that is not the first": b"\n\xef\xbb\xbf//go:build linux\n\npackage p\n",
    "old Mac line ends": b"// words\r//go:build linux\r\rpackage p\r",
}
NOWHERE = {
    "two directives": b"//go:build linux\n//go:build linux\n\npackage p\n",
    "two directives apart": b"//go:build linux\n\n/* x */\n//go:build windows\npackage p\n",
    "a malformed directive": b"//go:build linux ||\n\npackage p\n",
    "an empty directive": b"//go:build\n\npackage p\n",
    "a directive with a comment": b"//go:build linux // because\n\npackage p\n",
    "plus without a word": b"// +build\n\npackage p\n",
    "a custom tag": b"//go:build integration\n\npackage p\n",
    "ignore": b"// +build ignore\n\npackage main\n",
    "a later Go": b"//go:build go1.99\n\npackage p\n",
    "prose": b"package documentation\n",
    "prose in a comment's company": b'// Words.\n\n/* x */ package documentation // words\n\nimport "fmt"\n',
}
WITHOUT_LINUX = {
    "not": b"//go:build !linux\n\npackage p\n",
    "plus not": b"// +build !linux\n\npackage p\n",
    "not twice": b"//go:build !(linux || ignore)\n\npackage p\n",
    "plus and": b"// +build windows darwin freebsd\n// +build amd64,!linux\n\npackage p\n",
    "no word counts as ignore": b"// +build !a-b,!linux\n\npackage p\n",
    "an earlier Go": b"//go:build go1.18 && !linux\n\npackage p\n",
}
WHOLE_FILES = [
    *(pytest.param(source, ["linux"], id=f"linux: {name}") for name, source in LINUX_ONLY.items()),
    *(pytest.param(source, [*SYSTEMS], id=f"everywhere: {name}") for name, source in EVERYWHERE.items()),
    *(pytest.param(source, [], id=f"nowhere: {name}") for name, source in NOWHERE.items()),
    *(pytest.param(source, [*SYSTEMS[1:]], id=f"without linux: {name}") for name, source in WITHOUT_LINUX.items()),
]


@pytest.mark.parametrize(("source", "wanted"), WHOLE_FILES)
def test_the_constraint_that_counts_is_the_one_that_go_takes(oracle: Oracle, source: bytes, wanted: list[str]) -> None:
    assert [goos for goos in SYSTEMS if oracle.built({"x.go": source}, Platform(goos))] == wanted
    assert [goos for goos in SYSTEMS if built_by_us({"x.go": source}, Platform(goos))] == wanted


HEADER_LINES = st.sampled_from(
    [
        "", " ", "// words", "//go:build linux", "//go:build !windows", "//go:build bad bad", "// +build linux", "//+build !windows",
        "// +build darwin freebsd", " // +build linux,cgo", "/* x */", "/*", "*/", "/* x", "x */", "/**/ /**/", "/*/", "//", "/",
        "/* x */ // +build linux", "/* //go:build linux */", "//go:build", ";", "package p", "package", 'import "C"',
        "import (", ")", "\xef\xbb\xbf", "\xff", "func f() {}", "//go:buildx", "// +buildx", "\f", "\x85", "\u2028// +build linux",
    ]
)  # fmt: skip
HEADERS = st.tuples(
    st.lists(HEADER_LINES, max_size=9), st.sampled_from(["\n", "\n", "\r\n", "\n\n"]), st.booleans()
).map(lambda made: ("\ufeff" if made[2] else "").encode() + made[1].join(made[0]).encode() + b"\npackage p\n")


@BATCHES
@given(st.lists(HEADERS, min_size=10, max_size=40), st.sampled_from(SYSTEMS))
def test_any_header_is_read_as_go_reads_it(oracle: Oracle, headers: list[bytes], goos: str) -> None:
    files = {f"f{n}.go": header for n, header in enumerate(headers)}
    ours = [name for name, header in files.items() if builds(name, header_constraint(header), Platform(goos))]
    assert sorted(ours) == oracle.matched(files, Platform(goos))


def test_many_lines_and_long_lines_are_read_in_time_that_grows_with_their_length() -> None:
    # 2 MiB, the largest file that is read, takes about a second; a quadratic reading would take minutes.
    sources = [
        b"// +build linux\n" * 60_000 + b"\n" + CLAUSE,
        b"/* build */" * 100_000 + b"\n//go:build linux\n" + CLAUSE,
        b"// +build " + b"linux " * 101 + b"\n\n" + CLAUSE,
        b"//go:build " + b"x" * 1_000_000 + b" || linux\n" + CLAUSE,
    ]
    assert [built_by_us({"x.go": source}, Platform("linux")) for source in sources] == [["x.go"]] * len(sources)


def test_the_deepest_expression_that_go_takes_costs_no_stack() -> None:
    found = header_constraint(b"//go:build " + b"!(a || " * 499 + b"linux" + b")" * 499 + b"\n\n" + CLAUSE)
    assert found is not None
    assert not builds("x.go", found, Platform("linux"))
    assert builds("x.go", found, Platform("windows"))
