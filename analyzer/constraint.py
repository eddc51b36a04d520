"""Build constraints: finds the one that counts in a file, parses it and evaluates it exactly as Go does.

Sources: go/build/constraint (grammar), go/build's parseFileHeader and shouldBuild (which line counts), matchTag (which
tags are satisfied). tests/analyzer/test_constraint.py compares all of it with the real toolchain.
"""

import unicodedata

from msgspec import Struct

from analyzer.model import Platform
from analyzer.platforms import (
    ARCH_TAGS,
    DWARF5,
    EXPERIMENTS,
    IMPLIED_GOOS,
    NO_DWARF5_GOOS,
    REGABI,
    REGABI_GOARCH,
    TOOL_TAGS,
    UNIX_GOOS,
)

# The limits of go/build/constraint: tags and parentheses in a //go:build line, operators in a // +build line.
MAX_TERMS = 1000
MAX_PLUS_OPERATORS = 100

# What Go's TrimSpace and Fields take for space; Python's strip() takes more.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACES_TO_ONE = str.maketrans(dict.fromkeys(_SPACE, " "))
_BOM = b"\xef\xbb\xbf"


class Tag(Struct, frozen=True, tag=True):
    """One word: a GOOS, a GOARCH, ``unix``, ``cgo``, a release, or a custom tag."""

    name: str


class Not(Struct, frozen=True, tag=True):
    """Negation."""

    operand: "Expr"


class And(Struct, frozen=True, tag=True):
    """All of them."""

    operands: tuple["Expr", ...]


class Or(Struct, frozen=True, tag=True):
    """Any of them."""

    operands: tuple["Expr", ...]


Expr = Tag | Not | And | Or


class ConstraintError(ValueError):
    """A //go:build line that Go refuses; the message says why."""


class HeaderConstraint(Struct, frozen=True):
    """The constraint that counts in a file.

    Attributes:
        expr: the expression; None when it is malformed.
        line: the line of the directive, counted from 1.
        text: the directive as it stands there, the first one for several // +build lines.
        error: why Go refuses it; such a file is built nowhere.
    """

    expr: Expr | None
    line: int
    text: str
    error: str | None = None


def satisfied(tag: str, platform: Platform) -> bool:
    """Whether a plain build for the platform satisfies a tag (go/build, matchTag)."""
    name = "goexperiment.boringcrypto" if tag == "boringcrypto" else tag
    return (
        name in (platform.goos, platform.goarch, IMPLIED_GOOS.get(platform.goos))
        or (name == "cgo" and platform.cgo)
        or (name == "unix" and platform.goos in UNIX_GOOS)
        or name in platform.tags
        or name in TOOL_TAGS
        or name in ARCH_TAGS.get(platform.goarch, ())
        or name in EXPERIMENTS
        or (name == DWARF5 and platform.goos not in NO_DWARF5_GOOS)
        or (name in REGABI and platform.goarch in REGABI_GOARCH)
    )


def evaluate(expr: Expr, platform: Platform) -> bool:
    """Whether an expression holds on a platform. Deep nesting costs time, never the stack."""
    done: list[bool] = []
    work: list[Expr | tuple[type, int]] = [expr]
    while work:
        match work.pop():
            case Tag(name):
                done.append(satisfied(name, platform))
            case Not(operand):
                work += [(Not, 1), operand]
            case And(operands) as node:
                work += [(type(node), len(operands)), *operands]
            case Or(operands) as node:
                work += [(type(node), len(operands)), *operands]
            case (kind, count):
                values = [done.pop() for _ in range(count)]
                done.append(not values[0] if kind is Not else all(values) if kind is And else any(values))
    return done[0]


def asked_tags(expr: Expr) -> frozenset[str]:
    """The words that an expression wants to be on: those under an even number of negations."""
    found = set[str]()
    work: list[tuple[Expr, bool]] = [(expr, True)]
    while work:
        match work.pop():
            case Tag(name), wanted:
                if wanted:
                    found.add(name)
            case Not(operand), wanted:
                work.append((operand, not wanted))
            case ((And(operands) | Or(operands)), wanted):
                work += [(operand, wanted) for operand in operands]
    return frozenset(found)


def parse_go_build(expression: str) -> Expr:
    """Parse what follows ``//go:build``.

    Raises:
        ConstraintError: it is empty, too large or malformed.
    """
    return _Parser(expression).parse()


class _Parser:
    """Operator precedence on two stacks, so that a hostile depth of parentheses cannot exhaust Python's."""

    def __init__(self, expression: str) -> None:
        self._tokens = _tokens(expression)
        self._operators: list[str] = []
        self._operands: list[Expr] = []

    def parse(self) -> Expr:
        expect_operand, terms, previous = True, 0, ""
        for word in self._tokens:
            if word in {"&&", "||", ")"}:
                if expect_operand:
                    raise ConstraintError(f"unexpected word {word}")
                self._reduce(word)
                expect_operand = word != ")"
            elif not expect_operand:
                raise ConstraintError(f"unexpected word {word}")
            elif word == "!":
                if previous == "!":
                    raise ConstraintError("double negation not allowed")
                self._operators.append(word)
            elif word == "(":
                terms += 1
                self._operators.append(word)
            else:
                terms += 1
                self._operands.append(Tag(word))
                self._negate()
                expect_operand = False
            if terms > MAX_TERMS:
                raise ConstraintError("build expression too large")
            previous = word
        if expect_operand:
            raise ConstraintError("unexpected end of expression")
        self._reduce("")
        return self._operands[0]

    def _negate(self) -> None:
        if self._operators and self._operators[-1] == "!":
            self._operators.pop()
            self._operands.append(Not(self._operands.pop()))

    def _reduce(self, word: str) -> None:
        """Apply the waiting operators that bind at least as tightly as the word."""
        tighter = {"&&": {"&&"}, "||": {"&&", "||"}}.get(word, {"&&", "||"})
        while self._operators and self._operators[-1] in tighter:
            right, left = self._operands.pop(), self._operands.pop()
            self._operands.append(_joined(And if self._operators.pop() == "&&" else Or, left, right))
        if word == ")":
            if not self._operators:
                raise ConstraintError("unexpected word )")
            self._operators.pop()
            self._negate()
        elif word:
            self._operators.append(word)
        elif self._operators:
            raise ConstraintError("missing close paren")


def _joined(kind: type[And] | type[Or], left: Expr, right: Expr) -> Expr:
    operands = left.operands if isinstance(left, kind) else (left,)
    return kind((*operands, right))


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    while at < len(expression):
        char = expression[at]
        if char in " \t":
            at += 1
        elif char in "()!":
            tokens.append(char)
            at += 1
        elif char in "&|":
            if expression[at : at + 2] != char * 2:
                raise ConstraintError(f"invalid syntax at {char}")
            tokens.append(char * 2)
            at += 2
        else:
            end = at
            while end < len(expression) and _in_tag(expression[end]):
                end += 1
            if end == at:
                raise ConstraintError(f"invalid syntax at {char}")
            tokens.append(expression[at:end])
            at = end
    return tokens


def _in_tag(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char in "_."
    category = unicodedata.category(char)
    return category[0] == "L" or category == "Nd"


def parse_plus_build(text: str) -> Expr | None:
    """Parse what follows ``// +build``: spaces are or, commas are and. None when Go finds it too complex and ignores it."""
    clauses = text.translate(_SPACES_TO_ONE).split(" ")
    groups = [[_plus_literal(literal) for literal in clause.split(",")] for clause in clauses if clause]
    if not groups:
        return Tag("ignore")
    if sum(map(len, groups)) - 1 > MAX_PLUS_OPERATORS:
        return None
    options = tuple(And(tuple(group)) if len(group) > 1 else group[0] for group in groups)
    return Or(options) if len(options) > 1 else options[0]


def _plus_literal(literal: str) -> Expr:
    """A word that is no tag counts as the tag ``ignore``, which no build satisfies."""
    if literal.startswith("!!") or literal == "!":
        return Tag("ignore")
    name = literal.removeprefix("!")
    tag = Tag(name if name and all(map(_in_tag, name)) else "ignore")
    return Not(tag) if literal.startswith("!") else tag


def header_constraint(source: bytes) -> HeaderConstraint | None:
    """The constraint that counts in a file, or None.

    Only lines above the package clause count. A //go:build line may stand anywhere there; // +build lines count only
    without one, and only above the last blank line of the leading run of // comments. A NUL byte, which Go refuses in
    this part of a file, is no matter here: a snapshot has no file with one.
    """
    if b"build" not in source:
        return None
    directive, plus = _header(source.removeprefix(_BOM))
    if len(directive) > 1:
        return HeaderConstraint(None, *directive[1], "multiple //go:build comments")
    if directive:
        return _go_build(*directive[0])
    expressions = [expr for _, text in plus if (expr := _plus_build(text)) is not None]
    if not expressions:
        return None
    expr = And(tuple(expressions)) if len(expressions) > 1 else expressions[0]
    return HeaderConstraint(expr, *plus[0])


def _go_build(line: int, text: str) -> HeaderConstraint:
    try:
        return HeaderConstraint(parse_go_build(text.removeprefix("//go:build").strip(_SPACE)), line, text)
    except ConstraintError as error:
        return HeaderConstraint(None, line, text, f"malformed //go:build line: {error}")


def _plus_build(text: str) -> Expr | None:
    return parse_plus_build(text.removeprefix("//").strip(_SPACE).removeprefix("+build").strip(_SPACE))


_Lines = list[tuple[int, str]]


def _header(source: bytes) -> tuple[_Lines, _Lines]:
    """The //go:build and the // +build lines that count, each with its number."""
    directives: _Lines = []
    plus: _Lines = []
    counted, ended, in_comment, start, number = 0, False, False, 0, 0
    while start < len(source):
        stop = source.find(b"\n", start)
        stop = len(source) if stop < 0 else stop
        line = source[start:stop].decode("utf-8", "surrogateescape").strip(_SPACE)
        start, number = stop + 1, number + 1
        if not line and not ended:
            counted = len(plus)
            continue
        ended = ended or not line.startswith("//")
        if not in_comment and _directive(line, "//go:build"):
            directives.append((number, line))
        elif not ended and line.startswith("//") and _directive(line[2:].lstrip(_SPACE), "+build"):
            plus.append((number, line))
        in_comment, code = _comments(line, in_comment=in_comment)
        if code:
            break
    return directives, plus[:counted]


def _directive(line: str, word: str) -> bool:
    """Whether a line is the directive and not a longer word."""
    rest = line[len(word) :]
    return line.startswith(word) and (not rest or rest[0] in _SPACE)


def _comments(line: str, *, in_comment: bool) -> tuple[bool, bool]:
    """Pass over the comments of a line: whether a /* */ comment is open at its end, and whether there is code."""
    at = 0
    while at < len(line):
        if in_comment:
            closed = line.find("*/", at)
            if closed < 0:
                return True, False
            in_comment, at = False, closed + 2
        elif line[at] in _SPACE:
            at += 1
        elif line.startswith("//", at):
            return False, False
        elif line.startswith("/*", at):
            in_comment, at = True, at + 2
        else:
            return False, True
    return in_comment, False
