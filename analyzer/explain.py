"""Why a symbol is what it is: on each platform its declaration, the judgement on its body, and what led to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from tree_sitter import Node

from analyzer import syntax
from analyzer.body import Body, Outcome
from analyzer.classify import Bodies, Universe
from analyzer.files import builds
from analyzer.model import Options, Place, Platform, Snapshot, Status, Stub, SymbolParity
from analyzer.names import platform_name
from analyzer.parity import Revision, View, comments, linux_concept
from analyzer.reading import outlined
from analyzer.rules.wording import does
from analyzer.symbols import GoFile, Package, Symbol, packages
from analyzer.ways import Ways

OTHERS = ("linux", "windows", "darwin", "freebsd")
"""The systems whose declarations are named beside the two that are compared."""

MAX_SUGGESTIONS = 5
"""Names like one that there is not."""

_WORDS = {
    Outcome.REAL: "does real work",
    Outcome.ZERO: "gives only zero values",
    Outcome.NOOP: "does nothing",
    Outcome.ERROR: "says that it is not supported",
    Outcome.PANIC: "gives up with a panic",
}
# Statements that only lead to others: what is inside them is told by itself.
_HOLDERS = frozenset({"block", "if_statement", "for_statement", "expression_switch_statement", "type_switch_statement"})


@dataclass(frozen=True, slots=True)
class Reason:
    """One way through a body: where it ends, and what it comes to."""

    line: int
    words: str


@dataclass(frozen=True, slots=True)
class Sight:
    """A symbol as one platform has it.

    Attributes:
        platform: its name, as people call it.
        place: where it is declared; None where it is not.
        end_line: the last line of the declaration.
        verdict: what it is there, in words.
        reasons: what led to the verdict; empty for what is no function.
    """

    platform: str
    place: Place | None = None
    end_line: int = 0
    verdict: str = "is not declared"
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A symbol on both platforms.

    Attributes:
        package: its directory.
        parity: its line of the table.
        target: as the target has it.
        reference: as the reference has it.
        gap: whether somebody can miss something, and why, in words.
        silent: whether the target hides that nothing was done.
        elsewhere: by GOOS, where the usual systems declare it.
    """

    package: str
    parity: SymbolParity
    target: Sight
    reference: Sight
    gap: str
    silent: bool
    elsewhere: tuple[tuple[str, Place | None], ...]


def explain(snapshot: Snapshot, wanted: str, options: Options | None = None) -> tuple[Explanation, ...]:
    """Every declaration that a name may mean, sorted by directory.

    Args:
        snapshot: the revision, all of it: calls are followed to other packages.
        wanted: ``Func``, ``Recv.Method``, the bare name of a method, or one of these after ``dir:``.
        options: the platforms.
    """
    options = options or Options()
    revision = Revision(packages(snapshot, options, outlined), options)
    found = []
    for where, name in matching(revision.packages, wanted):
        package = revision.packages[where]
        found.append(explained(View(package, revision), name, revision))
    return tuple(found)


def matching(known: Mapping[str, Package], wanted: str) -> list[tuple[str, str]]:
    """The directory and the full name of all that a name may mean: a method by its bare name too."""
    folder, colon, name = wanted.rpartition(":")
    folder, name = folder.strip("/ ").removeprefix("./") or ".", name.strip()
    every = [
        (where, symbol)
        for where, package in sorted(known.items())
        if not colon or where == folder
        for symbol in sorted({*package.target, *package.reference, *_others(package)})
    ]
    return [(where, symbol) for where, symbol in every if name in {symbol, symbol.rpartition(".")[2]}]


def suggestions(snapshot: Snapshot, wanted: str, options: Options | None = None) -> list[str]:
    """Names like one that there is not, as ``explain`` takes them."""
    folder, colon, name = wanted.rpartition(":")
    names: dict[str, str] = {}
    for where, package in packages(snapshot, options or Options(), outlined).items():
        for symbol in (*package.target, *package.reference):
            for spelling in (symbol, symbol.rpartition(".")[2]):
                names.setdefault(spelling.lower(), f"{where}:{symbol}")
            if colon and where == folder:
                names[f"{where}:{symbol}".lower()] = f"{where}:{symbol}"
    close = get_close_matches(name.lower(), names, MAX_SUGGESTIONS)
    close += get_close_matches(wanted.lower(), names, MAX_SUGGESTIONS) if colon else []
    return [*dict.fromkeys(names[key] for key in close)][:MAX_SUGGESTIONS]


def _others(package: Package) -> Iterator[str]:
    """What only other platforms declare."""
    for file in package.files.values():
        if not file.is_test and not file.on_target and not file.on_reference:
            yield from (d.name for d in file.facts.declarations)


def explained(view: View, name: str, revision: Revision) -> Explanation:
    """What one symbol is, and why.

    Args:
        view: its package.
        name: ``Func`` or ``Recv.Method``, which some file of the package declares.
        revision: all packages.
    """
    package, options = view.package, revision.options
    there = name in package.target or name in package.reference
    kind = next(d.kind for f in package.files.values() for d in f.facts.declarations if d.name == name)
    parity = view.status(name) if there else SymbolParity(name, kind, Status.MISSING)
    shared = there and view.shared(name)
    sights = [
        _sight(platform, names.get(name), universe, package, shared=shared)
        for platform, names, universe in (
            (options.target, package.target, revision.target),
            (options.reference, package.reference, revision.reference),
        )
    ]
    elsewhere = tuple((goos, _declared(package, name, Platform(goos))) for goos in OTHERS)
    gap = _gap(view, name, parity, options) if there else ""
    return Explanation(package.dir, parity, sights[0], sights[1], gap, there and view.silent(name), elsewhere)


def _declared(package: Package, name: str, platform: Platform) -> Place | None:
    for file in package.files.values():
        if not file.is_test and _builds(file, platform):
            for declaration in file.facts.declarations:
                if declaration.name == name:
                    return Place(file.path, declaration.line)
    return None


def _builds(file: GoFile, platform: Platform) -> bool:
    return builds(file.path.rpartition("/")[2], file.facts.constraint, platform, file.facts.package)


def _sight(platform: Platform, symbol: Symbol | None, universe: Universe, package: Package, *, shared: bool) -> Sight:
    name = platform_name(platform)
    if symbol is None:
        return Sight(name)
    declaration = symbol.declaration
    reasons: tuple[Reason, ...] = ()
    if not declaration.is_function and declaration.kind != "var":
        verdict = f"is a {declaration.kind}"
    elif not declaration.has_body:
        verdict = "is implemented elsewhere (assembly, or by its link name)"
    else:
        bodies = universe.of(package)
        body = bodies.of(symbol.name)
        holds_work = declaration.kind == "var" and body.outcome is Outcome.REAL
        verdict = "is shared with the other platform" if shared else "is a var" if holds_work else _verdict(body)
        reasons = tuple(_reasons(symbol, bodies)) if declaration.is_function else ()
    return Sight(name, symbol.place, declaration.end_line, verdict, reasons)


def _verdict(body: Body) -> str:
    if body.stub is not None:
        return f"{does(body)} (a stub: {body.stub.value})"
    if body.partial:
        return "does real work, and refuses a part (partial)"
    return "does real work" if body.outcome is Outcome.REAL else f"{_WORDS[body.outcome]}, and is no stub"


def _reasons(symbol: Symbol, bodies: Bodies) -> Iterator[Reason]:
    """What each way through the body comes to, as it was judged."""
    node = syntax.function_node(symbol.source)
    if node is None or syntax.is_broken(node):
        yield Reason(symbol.declaration.line, "is not Go that can be judged, so it counts as real work")
        return
    told = _Told(bodies, symbol.file, node)
    try:
        outcome = told.body().outcome
    except RecursionError:
        yield Reason(symbol.declaration.line, "is nested too deep to be judged, so it counts as real work")
        return
    if not told.told:
        yield Reason(symbol.declaration.line, "has no statement that does anything")
    for row, came_to in dict.fromkeys(told.told):
        yield Reason(symbol.declaration.line + row - 1, _WORDS[came_to])
    if told.told and outcome is Outcome.REAL and Outcome.REAL not in {came_to for _, came_to in told.told}:
        words = "chooses between its ways by what it is given, so it counts as real work"
        yield Reason(symbol.declaration.line, words)


class _Told(Ways):
    """Walks the ways through a body as always, and remembers what each statement came to."""

    def __init__(self, bodies: Bodies, file: GoFile, node: Node) -> None:
        super().__init__(bodies, file, node)
        self.told: list[tuple[int, Outcome]] = []

    def _statement(self, node: Node) -> tuple[set[Outcome], bool]:
        outcomes, ends = super()._statement(node)
        if node.type not in _HOLDERS:
            self.told += [(node.start_point.row, outcome) for outcome in sorted(outcomes)]
        return outcomes, ends


def _gap(view: View, name: str, parity: SymbolParity, options: Options) -> str:
    """Why somebody can miss something, or nobody can."""
    target, reference = platform_name(options.target), platform_name(options.reference)
    symbol = view.package.target.get(name) or view.package.reference[name]
    if parity.status not in {Status.STUB, Status.MISSING}:
        return f"no: {target} has it"
    if view.gap(name):
        return f"yes: {_why(view, name, parity, symbol, reference)}"
    if not view.twin_works(name):
        return f"no: {reference} does no real work either"
    if symbol.file.helps_tests:
        return "no: it serves tests"
    if linux_concept(symbol):
        return f"no: its name, or its file's, is that of a mechanism that only {reference} has"
    return f"no: nothing else on {target} asks for it, or it is not sure that anybody can notice"


def _why(view: View, name: str, parity: SymbolParity, symbol: Symbol, reference: str) -> str:
    if parity.status is Status.MISSING:
        return f"{reference} does real work, and others may ask for it"
    if parity.stub in {Stub.ERROR, Stub.PANIC}:
        return f"whoever asks for what {reference} does is refused"
    if view.silent(name):
        return f"{reference} does work that can fail, and here all seems well"
    return "its comment, or its name, admits it" if comments(symbol) else "its name says that it tells what is there"
