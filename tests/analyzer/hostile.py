"""Source that nobody writes in good faith, by size: nested, long, broken, and not Go at all."""

from collections.abc import Callable

P = b"package p\n"
F = P + b"func f() error {\n"

SOURCES: dict[str, Callable[[int], bytes]] = {
    "one line": lambda n: P + b"var x = []int{" + b"1, " * n + b"}\n",
    "one name": lambda n: P + b"func " + b"a" * n + b"() {}\n",
    "one string": lambda n: P + b'var x = "' + b"a" * n + b'"\n',
    "one refusal": lambda n: F + b'\treturn errors.New("' + b"cannot " * n + b'")\n}\n',
    "failing": lambda n: F + b"\treturn errors.New(" + b"(" * n + b'"a"' + b")" * n + b")\n}\n",
    "one comment": lambda n: P + b"/*" + b"* /" * n + b"*/\n",
    "parentheses": lambda n: P + b"var x = " + b"(" * n + b"1" + b")" * n + b"\n",
    "returned parentheses": lambda n: F + b"\treturn " + b"(" * n + b"nil" + b")" * n + b"\n}\n",
    "blocks": lambda n: F + b"{" * n + b"}" * n + b"\nreturn nil\n}\n",
    "ifs": lambda n: F + b"if x {" * n + b"}" * n + b"\nreturn nil\n}\n",
    "else ifs": lambda n: F + b"if x {\n} else " * n + b"{\n}\nreturn nil\n}\n",
    "guards": lambda n: (
        P + b'import "runtime"\n' + F[len(P) :] + b'if runtime.GOOS == "windows" {' * n + b"}" * n + b"\n}\n"
    ),
    "conditions": lambda n: F + b"if " + b"(a && !" * n + b"b" + b")" * n + b" {\n}\nreturn nil\n}\n",
    "closures": lambda n: F + b"return func() error { return " * n + b"nil" + b" }()" * n + b"\n}\n",
    "calls": lambda n: F + b"return g(" * 1 + b"g(" * n + b"nil" + b")" * n + b")\n}\n",
    "selectors": lambda n: F + b"return a" + b".b" * n + b"\n}\n",
    "unary": lambda n: F + b"return " + b"!" * n + b"a\n}\n",
    "literals": lambda n: F + b"return " + b"T{" * n + b"}" * n + b"\n}\n",
    "receiver": lambda n: P + b"func (x " + b"*" * n + b"T) f() {}\n",
    "types": lambda n: P + b"type T " + b"[]" * n + b"int\n",
    "generic types": lambda n: P + b"func f(x " + b"T[" * n + b"int" + b"]" * n + b") {}\n",
    "statements": lambda n: F + b"\tx := a\n\tx = b(x)\n" * n + b"\treturn nil\n}\n",
    "cases": lambda n: F + b"switch runtime.GOOS {\n" + b'case "windows":\nreturn nil\n' * n + b"}\nreturn nil\n}\n",
    "functions": lambda n: P + b"".join(b"func f%d() error { return nil }\n" % i for i in range(n)),
    "functions that call on": lambda n: (
        P + b"".join(b"func f%d() error { return f%d() }\n" % (i, i + 1) for i in range(n))
    ),
    "values that name on": lambda n: P + b"".join(b"var v%d = v%d\n" % (i, i + 1) for i in range(n)),
    "types that embed on": lambda n: P + b"".join(b"type T%d struct { T%d }\n" % (i, i + 1) for i in range(n)),
    "one name for all": lambda n: P + b"func f() {}\n" * n,
    "imports": lambda n: P + b"import (\n" + b"".join(b'\t"example.com/m/a%d"\n' % i for i in range(n)) + b")\n",
    "build lines": lambda n: b"// +build linux,!windows\n" * n + b"\n" + P,
    "build parentheses": lambda n: b"//go:build " + b"(" * n + b"linux" + b")" * n + b"\n\n" + P,
    "build negations": lambda n: b"//go:build " + b"!(" * n + b"linux" + b")" * n + b"\n\n" + P,
    "build words": lambda n: b"//go:build linux" + b" || linux" * n + b"\n\n" + P,
    "open blocks": lambda n: F + b"{\n" * n,
    "open quotes": lambda n: P + b'x "\n' * n,
    "open runes": lambda n: P + b"'a" * n,
    "open back quotes": lambda n: P + b"`\n" * (2 * n + 1),
    "open comments": lambda n: P + b"/*" * n,
    "open methods": lambda n: P + b"func (" * n,
    "generic methods": lambda n: P + b"func (t T) F[A any](a A) {}\n" * n,
    "open generic methods": lambda n: P + b")" + b"func (a) b[\n" * n,
    "new of values": lambda n: F + b"return new(" * 1 + b"new(" * n + b"1" + b")" * n + b")\n}\n",
    "structs": lambda n: P + b"type T struct {\n\ta int\n" * n,
    "garbage": lambda n: P + b"func f() { x( }\nfunc g() { a := b }\n" * n,
    "outlines that do not close": lambda n: P + b"func f() {\n" + b"\tx {\n" * n + b"\t`\n}\n",
    "NUL bytes": lambda n: P + b"\0" * n,
    "invalid UTF-8": lambda n: P + b"var \xff\xfe = 1\n" * n,
    "carriage returns": lambda n: P + b"func f() {\r" * n,
    "byte order marks": lambda n: b"\xef\xbb\xbf" * n + P,
}
"""By name: a source whose size grows with a number."""

NAMES = (
    "a\nb.go",
    "`@octocat` [x](http://evil.example).go",
    "\u202egnp.go",
    "a" * 255 + ".go",
    "<script>_windows.go",
    "'; --.go",
)
"""Names of files that try to be something else."""
