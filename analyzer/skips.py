"""What a test does on a platform: it runs, it is skipped, or some of its subtests are."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from tree_sitter import Node

from analyzer import syntax
from analyzer.branches import reached
from analyzer.conditions import Scope, Truth
from analyzer.effects import CASES, code_lines, one_line, work
from analyzer.platforms import KNOWN_GOOS
from analyzer.symbols import Package, Symbol
from analyzer.syntax import text

_TEST = re.compile(r"^(?:Test|Benchmark|Fuzz|Example)(?:[^a-z]|$)")
# A function that a list of tests names, by its name and its first parameter.
_LISTED_TEST = re.compile(r"^test[A-Z0-9_]")
_TAKES_TEST = ("(*testing.T", "(testing.TB", "(*testing.B")
# What a suite runs before each of its tests, or all of them.
_SET_UP = ("SetUpSuite", "SetUpTest", "SetupSuite", "SetupTest", "SetupSubTest")
_SKIPS = re.compile(r"\.(?:Skip|Skipf|SkipNow)$")
_REQUIRES = re.compile(r"requires?$", re.IGNORECASE)
_SKIPS_IF = re.compile(r"(?:^|\.)(?:skip\.If(?:Condition)?|[sS]kipIf)$")
_NAMES_SKIP = re.compile(r"[sS]kip|[rR]equire|[oO]nly")
_NAMES_NEED = re.compile(r"[uU]nless|[rR]equire|[oO]nly|IfNot|NotOn")
MAX_DEPTH = 4
_RUNS_ALL = re.compile(r"\bm\w*\.Run\(\)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
# Whatever skips has one of these in its name: Skip, skipIf, Require, testRequires.
SKIP_WORDS = (b"kip", b"equire")
_WORD = re.compile(rb"[\w\x80-\xff]+")
# What runs the tests of a suite, and the suite's type.
_RUNS_SUITE = re.compile(r"\b[sS]uite(?:\.Run)?\((?:\w+, )*(?:(?:&|new\()(\w+)|(\w+)\()")
_MAKES = re.compile(r"\(\*?(\w+)\)$")


@dataclass(frozen=True, slots=True)
class Skip:
    """A place where a test, or one of its subtests, ends on the target and goes on on the reference.

    Attributes:
        subtest: the subtest's name as it stands in the source; "" for the test itself.
        line: in the file, counted from 1.
        always: on the target it is never passed.
        both: the reference ends there, too.
        newer: only from some version of the system on.
        asked: the conditions that may hold on the target, in one spelling each.
    """

    subtest: str
    line: int
    always: bool
    both: bool = False
    newer: bool = False
    asked: tuple[str, ...] = ()


def is_test(symbol: Symbol, listed: Callable[[str], bool]) -> bool:
    """Whether ``go test``, a suite, or a list of tests runs the function as a test.

    Args:
        symbol: a declaration of a test file.
        listed: whether some test file of the package names a function without calling it.
    """
    name = symbol.name.rpartition(".")[2]
    if not symbol.file.is_test or not symbol.declaration.is_function or name == "TestMain":
        return False
    if _TEST.match(name):
        return True
    return bool(_LISTED_TEST.match(name)) and symbol.declaration.signature.startswith(_TAKES_TEST) and listed(name)


class Skips:
    """Where tests of one package end early. What a helper does to a test is found once.

    Args:
        target: the names that the package's tests see on the target.
        reference: likewise on the reference.
    """

    def __init__(self, target: Scope, reference: Scope) -> None:
        self._target = target
        self._reference = reference
        self._helpers: dict[tuple[str, int], tuple[Skip, ...]] = {}

    def of(self, symbol: Symbol) -> tuple[Skip, ...]:
        """Where a test ends on the target, its suite's set-up included; of a test that the target has for itself, anywhere."""
        try:
            return tuple(self._with_set_up(symbol))
        except RecursionError:  # generated code is not judged
            return ()

    def helper(self, symbol: Symbol, depth: int) -> tuple[Skip, ...]:
        """Where a function ends a test that calls it, so many calls away."""
        key = (symbol.name, depth)
        if key not in self._helpers:
            self._helpers[key] = tuple(self._function(symbol, depth))
        return self._helpers[key]

    def _with_set_up(self, symbol: Symbol) -> Iterator[Skip]:
        if not symbol.file.on_reference:
            yield from (replace(skip, both=True) for skip in self._function(symbol, 0, alone=True))
            return
        yield from self._function(symbol, 0)
        receiver = symbol.name.rpartition(".")[0]
        for name in _SET_UP if receiver else ():
            before = self._target.names.get(f"{receiver}.{name}")
            if before is not None:
                for skip in self.helper(before, 1):
                    yield replace(skip, subtest="", line=symbol.declaration.line)

    def _function(self, symbol: Symbol, depth: int, *, alone: bool = False) -> Iterator[Skip]:
        if not self._can_skip(symbol, depth):
            return
        function = syntax.function_node(symbol.source)
        if function is not None:
            walk = _Walk(self._target, self._reference, symbol.declaration.line - 1, depth, self)
            at = _At(Truth.YES, Truth.NO if alone else Truth.YES, "", {}, own=depth == 0 and not alone)
            yield from walk.block(function.child_by_field_name("body"), at)

    def _can_skip(self, symbol: Symbol, depth: int) -> bool:
        """Whether a function may skip a test, by its words: most need not be parsed.

        A test may also return early, or call a function that skips it.
        """
        source = symbol.source
        if any(word in source for word in SKIP_WORDS):
            return True
        helpers = self._target.saying(SKIP_WORDS)
        return not depth and (b"return" in source or not helpers.isdisjoint(_WORD.findall(source)))


@dataclass(frozen=True, slots=True)
class _At:
    """Where the walk is.

    Attributes:
        target: whether the target comes here.
        reference: whether the reference does.
        subtest: the subtest that it is in; "" for the test itself.
        local: what local variables were set to.
        own: a return ends the test, or the subtest, itself.
        newer: it comes here only from some version on.
        asked: the conditions that may hold on the target.
    """

    target: Truth
    reference: Truth
    subtest: str
    local: dict[str, Node]
    own: bool
    newer: bool = False
    asked: tuple[str, ...] = ()

    def under(self, target: Truth, reference: Truth, *conditions: Node | None) -> "_At":
        """Behind conditions."""
        mine, theirs = min(self.target, target), min(self.reference, reference)
        asked = self.asked + tuple(one_line(text(c)) for c in conditions if target is Truth.MAYBE)
        return replace(self, target=mine, reference=theirs, local=dict(self.local), asked=asked)

    @property
    def lost(self) -> bool:
        """Whether the target comes here rather than the reference."""
        return self.target > self.reference


@dataclass(frozen=True, slots=True)
class _Walk:
    target: Scope
    reference: Scope
    offset: int
    depth: int
    known: Skips

    def block(self, block: Node | None, at: _At) -> Iterator[Skip]:
        for node in syntax.statements(block):
            yield from self._statement(node, at)
            if node.type == "short_var_declaration":
                _note(node, at.local)
            if at.lost and at.own and work([node]):
                at = replace(at, own=False)  # the target's own way of testing the same

    def _statement(self, node: Node, at: _At) -> Iterator[Skip]:
        match node.type:
            case "if_statement":
                yield from self._if(node, at)
            case "expression_switch_statement":
                for arm in node.named_children:
                    if arm.type in CASES:
                        yield from self.block(arm, self._arm(node, arm, at))
            case "return_statement":
                if at.own and at.lost:
                    yield self._skip(node, at)
            case "expression_statement" if node.named_children and node.named_children[0].type == "call_expression":
                yield from self._call(node.named_children[0], at)
            case "short_var_declaration" | "assignment_statement":
                # A helper that gives what the test needs may skip it.
                values = node.child_by_field_name("right")
                for value in values.named_children if values is not None else ():
                    if value.type == "call_expression":
                        arguments = value.child_by_field_name("arguments")
                        yield from self._inside(value, arguments.named_children if arguments is not None else [], at)
            case "for_statement":
                inside = replace(at, subtest=at.subtest or _loop(node), own=False, local=dict(at.local))
                yield from self.block(node.child_by_field_name("body"), inside)
            case "block":
                yield from self.block(node, at)
            case _:
                pass

    def _skip(self, node: Node, at: _At) -> Skip:
        line, always = node.start_point.row + self.offset, at.target is Truth.YES
        return Skip(at.subtest, line, always, newer=at.newer, asked=at.asked)

    def _arm(self, node: Node, arm: Node, at: _At) -> _At:
        value = node.child_by_field_name("value")
        others = [a for a in node.named_children if a.type in CASES and a.type != "default_case"]
        worths = [
            ~max((scope.matches(value, _cases(a), at.local) for a in others), default=Truth.NO)
            if arm.type == "default_case"
            else scope.matches(value, _cases(arm), at.local)
            for scope in (self.target, self.reference)
        ]
        mine, theirs = worths
        return at.under(mine, theirs)

    def _if(self, node: Node, at: _At) -> Iterator[Skip]:
        start = node.child_by_field_name("initializer")
        at = replace(at, local=dict(at.local))
        if start is not None:
            _note(start, at.local)
        condition = node.child_by_field_name("condition")
        mine, theirs = self._truths(condition, at)
        inside = replace(at.under(mine, theirs, condition), newer=at.newer or self.target.asks_version(condition))
        yield from self.block(node.child_by_field_name("consequence"), inside)
        other, outside = node.child_by_field_name("alternative"), at.under(~mine, ~theirs)
        if other is not None:
            yield from self._if(other, outside) if other.type == "if_statement" else self.block(other, outside)

    def _call(self, call: Node, at: _At) -> Iterator[Skip]:
        function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
        given = [a for a in arguments.named_children if a.type != "comment"] if arguments else []
        name = text(function)
        if _SKIPS.search(name):
            skipped = at
        elif _SKIPS_IF.search(name) and len(given) > 1:
            skipped = at.under(*self._truths(given[1], at), given[1])
        elif _REQUIRES.search(name) and given:
            needs = [self._truths(need, at) for need in given[1:]]
            mine, theirs = (~min((need[side] for need in needs), default=Truth.YES) for side in (0, 1))
            unsure = [need for need, worth in zip(given[1:], needs, strict=True) if worth[0] is Truth.MAYBE]
            skipped = at.under(mine, theirs, *unsure)
        elif named := _named_platforms(name, given):
            mine, theirs = (_skipped_on(s.platform.goos, name, named) for s in (self.target, self.reference))
            skipped = at.under(mine, theirs)
        else:
            yield from self._inside(call, given, at)
            return
        if skipped.lost:
            yield self._skip(call, skipped)
        elif skipped.target is not Truth.NO:
            yield replace(self._skip(call, skipped), both=True)

    def _inside(self, call: Node, given: Sequence[Node], at: _At) -> Iterator[Skip]:
        """A subtest, a closure, or a helper of the package that is given the test."""
        function = call.child_by_field_name("function")
        name = text(function)
        run = name.endswith(".Run")
        closures = [argument for argument in given if argument.type == "func_literal"]
        for closure in closures:
            inner = (at.subtest + "/" if at.subtest else "") + text(given[0]) if run else at.subtest
            inside = replace(at, subtest=inner, own=run, local=dict(at.local))
            yield from self.block(closure.child_by_field_name("body"), inside)
        helper = self.target.names.get(name) if function is not None and function.type == "identifier" else None
        if closures or helper is None or not helper.declaration.is_function or self.depth >= MAX_DEPTH or not given:
            return
        for skip in self.known.helper(helper, self.depth + 1):
            if not skip.subtest and at.target is not Truth.NO:
                line = call.start_point.row + self.offset
                always, newer = skip.always and at.target is Truth.YES, skip.newer or at.newer
                yield Skip(at.subtest, line, always, skip.both, newer)

    def _truths(self, condition: Node | None, at: _At) -> tuple[Truth, Truth]:
        return self.target.truth(condition, at.local), self.reference.truth(condition, at.local)


def _named_platforms(name: str, given: Sequence[Node]) -> list[str]:
    """The systems that a call such as ``SkipOnPlatform(t, "windows")`` names, with their negations."""
    if not _NAMES_SKIP.search(name.rpartition(".")[2]):
        return []
    words = [text(argument)[1:-1] for argument in given[1:] if argument.type.endswith("string_literal")]
    return [word for word in words if word.removeprefix("!") in KNOWN_GOOS]


def _skipped_on(goos: str, name: str, systems: Sequence[str]) -> Truth:
    hit = any((goos == word) if not word.startswith("!") else (goos != word[1:]) for word in systems)
    reverse = bool(_NAMES_NEED.search(name.rpartition(".")[2]))
    return Truth.YES if hit is not reverse else Truth.NO


def _cases(arm: Node) -> Sequence[Node]:
    value = arm.child_by_field_name("value")
    return value.named_children if value is not None else []


def _loop(node: Node) -> str:
    """A name for what a loop over cases does: it is not the whole test."""
    return "each of " + text(next((c for c in node.named_children if c.type == "range_clause"), None))[-60:]


def _note(node: Node, local: dict[str, Node]) -> None:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    names, values = left.named_children if left else [], right.named_children if right else []
    if len(names) == len(values):
        local.update({text(name): value for name, value in zip(names, values, strict=True)})


class Runs(IntEnum):
    """How much a test is kept from the target."""

    FULLY = 0
    SOMETIMES = 1
    NEVER = 2


@dataclass(frozen=True, slots=True)
class TestState:
    """One test on the target, at one revision.

    Attributes:
        symbol: its declaration; the one that builds on the target, where there is one.
        runs: whether the target runs it.
        built: whether a file that builds on the target has it.
        skips: where it ends there early, and not on the reference.
        at_all: how much of it the target runs, be it more than the reference or not.
        alike: in how many places it may end on both.
    """

    symbol: Symbol
    runs: Runs
    built: bool
    skips: tuple[Skip, ...]
    at_all: Runs
    alike: int = 0

    @property
    def on_older_versions(self) -> bool:
        """Whether it runs on older versions of the target still: wherever it ends it asks for newer ones."""
        whole = [skip for skip in self.skips if not skip.subtest]
        return bool(whole) and all(skip.newer for skip in whole)

    @property
    def subtests(self) -> dict[str, Skip]:
        """The subtests that are skipped, by name."""
        return {skip.subtest: skip for skip in self.skips if skip.subtest}


def states(package: Package, target: Scope, reference: Scope) -> dict[str, TestState]:
    """What the target runs of a package's tests, by name. Of several declarations the best one counts.

    What only runs a suite is none: the suite's tests are.
    """
    found: dict[str, TestState] = {}
    sources = {symbol.file.path: symbol.file.source.content for symbol in package.tests}

    def listed(name: str) -> bool:
        word, pattern = name.encode(), re.compile(rf"\b{re.escape(name)}\b(?!\s*\()")
        # Most sources only declare and call it.
        found = (source for source in sources.values() if source.count(word) > source.count(word + b"("))
        lines = (line for source in found for line in code_lines(source) if name in line)
        return any(pattern.search(_STRING.sub('""', line)) for line in lines)

    skips = Skips(target, reference)
    idle, none_runs = _idle_suites(package, target, reference, skips), _ends_before(package, target, reference)
    for symbol in package.tests:
        if not is_test(symbol, listed) or _runs_suite(symbol):
            continue
        state = _state(symbol, skips)
        if symbol.name.rpartition(".")[0] in idle or (state.built and none_runs):
            skip = Skip("", symbol.declaration.line, always=True)
            state = replace(state, runs=Runs.NEVER, at_all=Runs.NEVER, skips=(*state.skips, skip))
        known = found.get(symbol.name)
        if known is None or (state.runs, not state.built) < (known.runs, not known.built):
            found[symbol.name] = state
    return found


def _ends_before(package: Package, target: Scope, reference: Scope) -> bool:
    """Whether ``TestMain`` runs the package's tests on the reference, and ends before that on the target."""
    mains = [symbol for symbol in package.tests if symbol.name == "TestMain"]
    mine = [symbol for symbol in mains if symbol.file.on_target]
    theirs = [symbol for symbol in mains if symbol.file.on_reference]
    return bool(mine) and not _runs_all(mine, target) and _runs_all(theirs, reference)


def _runs_all(mains: Iterable[Symbol], scope: Scope) -> bool:
    bodies = (syntax.body_statements(symbol.source) for symbol in mains)
    try:
        return any(_RUNS_ALL.search(text(node)) for statements in bodies for node in reached(statements, scope))
    except RecursionError:
        return True


def _idle_suites(package: Package, target: Scope, reference: Scope, skips: Skips) -> set[str]:
    """The types of suites that are only run where the target never comes, and the reference does."""
    inits = (Symbol(init, file) for file in package.files.values() if file.is_test for init in file.facts.inits)
    mine, theirs = set[str](), set[str]()
    for symbol in (*package.tests, *inits):
        if _runs_suite(symbol):
            ends = [skip for skip in skips.of(symbol) if skip.always and not skip.subtest]
            if symbol.file.on_target and not ends:
                mine |= _suites_run(symbol, target)
            if symbol.file.on_reference and not any(skip.both for skip in ends):
                theirs |= _suites_run(symbol, reference)
    return theirs - mine - {""}


def _runs_suite(symbol: Symbol) -> bool:
    source = symbol.source
    runs = b"uite" in source and _RUNS_SUITE.search(source.decode(errors="replace"))
    return bool(runs) and symbol.declaration.is_function


def _suites_run(symbol: Symbol, scope: Scope) -> set[str]:
    statements = syntax.body_statements(symbol.source)
    try:
        found = {match.groups() for node in reached(statements, scope) for match in _RUNS_SUITE.finditer(text(node))}
    except RecursionError:
        return set()
    return {suite or _made(maker, scope) for suite, maker in found}


def _made(maker: str, scope: Scope) -> str:
    """The type of what a function of the package makes; "" where it is no such function."""
    symbol = scope.names.get(maker)
    match = _MAKES.search(symbol.declaration.signature) if symbol is not None else None
    return match[1] if match else ""


def _state(symbol: Symbol, skips: Skips) -> TestState:
    if not symbol.file.on_target:
        return TestState(symbol, Runs.NEVER, built=False, skips=(), at_all=Runs.NEVER)
    found = skips.of(symbol)
    mine = tuple(skip for skip in found if not skip.both)
    alike = sum(skip.both and not skip.subtest for skip in found)
    return TestState(symbol, _runs(mine), built=True, skips=mine, at_all=_runs(found), alike=alike)


def _runs(found: Iterable[Skip]) -> Runs:
    whole = [skip.always for skip in found if not skip.subtest]
    return Runs.NEVER if any(whole) else Runs.SOMETIMES if whole else Runs.FULLY
