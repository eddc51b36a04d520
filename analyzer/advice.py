"""A ready patch for what Windows lacks: the symbol, declared there with the same signature and the project's own refusal."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from analyzer import insertion, syntax
from analyzer.files import builds, custom_tags
from analyzer.imports import clause_of
from analyzer.model import Advice, Finding, Options, Platform
from analyzer.names import platform_name
from analyzer.platforms import KNOWN_GOARCH, KNOWN_GOOS
from analyzer.refusing import refusal
from analyzer.rules import implementation_lost, missing_on_windows, undefined_on_windows
from analyzer.stubbing import CannotError, Plan
from analyzer.symbols import GoFile, Package, Symbol

if TYPE_CHECKING:
    from analyzer.diff import Diff, PackageChange

# Systems on which a fallback file must not declare what is there already.
_SYSTEMS = ("linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris")
# Words with which the names of files end that are for some systems only, or for all others.
_FALLBACK = frozenset("unsupported other others stub stubs fallback default generic nolinux notlinux nonlinux".split())
_ENDINGS = KNOWN_GOOS | KNOWN_GOARCH | _FALLBACK | frozenset("unix posix nix".split())


def advise(findings: Sequence[Finding], diff: "Diff") -> dict[Finding, Advice]:
    """What to add so that the target has what findings say it lacks.

    What goes into one file is one patch, which the first of its findings has: so each can be applied.

    Args:
        findings: of a comparison.
        diff: the comparison.

    Returns:
        A patch, or why there is none, for those that a declaration could mend.
    """
    by_file: dict[str, list[tuple[Finding, list[Symbol]]]] = defaultdict(list)
    places: dict[str, tuple[Package, GoFile | str, str]] = {}
    for finding in findings:
        package = diff.repository.package(finding.package)
        twins = _twins(finding, package, diff) if package is not None else []
        if package is not None and twins:
            place, constraint = _place(package, twins, diff.options)
            path = place if isinstance(place, str) else place.path
            places[path] = package, place, constraint
            by_file[path].append((finding, twins))
    found: dict[Finding, Advice] = {}
    for path, group in by_file.items():
        found |= _of_file(group, *places[path], diff)
    return found


def _twins(finding: Finding, package: Package, diff: "Diff") -> list[Symbol]:
    """What others have of what the target lacks by a finding; nothing where it is not as simple as that."""
    twins = [symbol for name in _lacking(finding, diff) if (symbol := _twin(name, package)) is not None]
    return [] if any(custom_tags(s.file.facts.constraint) or s.file.is_test for s in twins) else twins


def _of_file(
    group: Sequence[tuple[Finding, list[Symbol]]], package: Package, place: GoFile | str, constraint: str, diff: "Diff"
) -> dict[Finding, Advice]:
    """The patch of one file, for the findings that it is for."""
    path = place if isinstance(place, str) else place.path
    plan = _plan(package, place, diff)
    found: dict[Finding, Advice] = {}
    for finding, twins in group:
        before = dict(plan.texts), set(plan.imports)
        try:
            for twin in twins:
                plan.add(twin)
            found[finding] = Advice(path, "")
        except CannotError as reason:
            plan.texts, plan.imports = before
            found[finding] = Advice(path, "", str(reason))
    first = next((finding for finding, advice in found.items() if not advice.reason), None)
    if first is not None:
        clause = clause_of(package) or group[0][1][0].file.facts.package
        found[first] = Advice(path, _patch(plan, place, clause, constraint))
    return found


def _lacking(finding: Finding, diff: "Diff") -> list[str]:
    """The names that the target lacks by a finding."""
    if finding.parts:
        return [name for part in finding.parts for name in _lacking(part, diff)]
    if finding.rule == missing_on_windows.ID:
        return [finding.symbol] if finding.symbol else []
    if finding.rule == undefined_on_windows.ID:
        found = (m for some in diff.undefined.by_dir.values() for m in some)
        one = next((m for m in found if (m.package, m.name) == (finding.package, finding.symbol)), None)
        return [one.name, *one.others] if one is not None else []
    if finding.rule != implementation_lost.ID:
        return []
    change = next((c for c in diff.packages if c.dir == finding.package), None)
    if change is None:
        return []
    return [finding.symbol] if finding.symbol else _lost_with(finding.path, change, diff)


def _lost_with(path: str, change: "PackageChange", diff: "Diff") -> list[str]:
    files = (f for f in change.files if f.head is not None and f.head.path == path)
    return [s.name for f in files for s in implementation_lost.lost_symbols(f, change, diff)]


def _twin(name: str, package: Package) -> Symbol | None:
    """What another platform declares of a name that the target lacks."""
    if name in package.target:
        return None
    files = sorted(package.files.values(), key=lambda f: (not f.on_reference, f.is_test, f.path))
    found = (Symbol(d, f) for f in files if not f.on_target for d in f.facts.declarations if d.name == name)
    return next(found, None)


def _plan(package: Package, place: GoFile | str, diff: "Diff") -> Plan:
    """An empty plan, which knows what can be had on the target."""
    held = diff.repository.by_path
    return Plan(
        package,
        held,
        tuple(f for p in (package, *held.values()) for f in p.files.values() if f.on_target),
        platform_name(diff.options.target),
        refusal(package, [p for p in held.values() if p is not package], diff.options),
        named=_names_parameters(place, package),
    )


def _patch(plan: Plan, place: GoFile | str, clause: str, constraint: str) -> str:
    texts = sorted(plan.texts.values(), key=lambda text: "\nfunc " in f"\n{text}")
    if isinstance(place, str):
        return insertion.patch(place, None, insertion.new_file(clause, constraint, plan.imports, texts))
    before = place.source.content.decode()
    return insertion.patch(place.path, before, insertion.added(before, plan.imports, texts))


def _place(package: Package, twins: Sequence[Symbol], options: Options) -> tuple[GoFile | str, str]:
    """The file that declarations go to: one that is there, or the path of a new one and what its constraint says."""
    file, names = twins[0].file, {t.name for t in twins}
    stem = _stem(file.path)
    own = [f for f in package.files.values() if f.on_target and not f.on_reference and _is_plain(f)]
    own.sort(key=lambda f: (not f.path.endswith(f"_{options.target.goos}.go"), f.path))
    for candidate in own:
        if _stem(candidate.path) == stem and not _declared_where_built(names, candidate, package):
            return candidate, ""
    folder = file.path.rpartition("/")[0]
    ending, constraint = options.target.goos, ""
    fallbacks = [f for f in own if len(_systems(f)) > 1]
    alone = _systems(file) == {options.reference.goos}
    if alone and 2 * len(fallbacks) > len(own) and not _declared_on(names, {*_SYSTEMS} - _systems(file), package):
        endings = Counter(e for f in fallbacks if (e := _ending(f.path)) in _FALLBACK)
        ending, constraint = (endings.most_common(1) or [("unsupported", 0)])[0][0], f"!{options.reference.goos}"
    bases = (stem, f"{stem}_stub", f"{stem}_{options.target.goos}_stub")
    paths = (f"{folder}/{base}_{ending}.go".lstrip("/") for base in bases)
    return next((p for p in paths if p not in package.files), f"{stem}_{ending}.go"), constraint


def _is_plain(file: GoFile) -> bool:
    """Whether a declaration can be added to a file of the target."""
    content = file.source.content
    whole = file.facts.broken_line is None and not custom_tags(file.facts.constraint)
    plain = b"\r" not in content and all(i.path != "C" for i in file.facts.imports) and _is_text(content)
    return whole and plain and not file.is_test and not file.path.rpartition("/")[2].startswith("z")


def _is_text(content: bytes) -> bool:
    try:
        return content.decode().isascii() or not content.startswith(b"\xef\xbb\xbf")
    except UnicodeDecodeError:
        return False


def _systems(file: GoFile) -> set[str]:
    """The systems that build a file."""
    name, facts = file.path.rpartition("/")[2], file.facts
    return {goos for goos in _SYSTEMS if builds(name, facts.constraint, Platform(goos), facts.package)}


def _declared_where_built(names: Iterable[str], file: GoFile, package: Package) -> bool:
    return _declared_on(names, _systems(file), package)


def _declared_on(names: Iterable[str], systems: set[str], package: Package) -> bool:
    """Whether one of the systems has one of the names."""
    wanted = {*names}
    return any(
        d.name in wanted and not systems.isdisjoint(_systems(f))
        for f in package.files.values()
        if not f.is_test
        for d in f.facts.declarations
    )


def _stem(path: str) -> str:
    """A file's name without what says for which systems it is."""
    words = path.rpartition("/")[2].removesuffix(".go").split("_")
    while len(words) > 1 and words[-1] in _ENDINGS:
        words.pop()
    return "_".join(words)


def _ending(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".go").rpartition("_")[2]


def _names_parameters(place: GoFile | str, package: Package) -> bool:
    """Whether the target's own stubs name their parameters, rather than to leave them out."""
    files = [f for f in package.files.values() if f.on_target and not f.on_reference and not f.is_test]
    here = [] if isinstance(place, str) else list(_votes([place]))
    votes = here or list(_votes(files))
    return 2 * sum(votes) > len(votes)


def _votes(files: Iterable[GoFile]) -> Iterator[bool]:
    """Of each short function with parameters, whether they have names."""
    for file in files:
        for declaration in file.facts.declarations:
            if declaration.is_function and declaration.end_line - declaration.line <= 2:
                node = syntax.function_node(Symbol(declaration, file).source)
                listed = node.child_by_field_name("parameters") if node is not None else None
                parameters = [p for p in (listed.named_children if listed is not None else ()) if p.type != "comment"]
                if parameters:
                    names = [syntax.text(n) for p in parameters for n in p.children_by_field_name("name")]
                    yield any(name != "_" for name in names)
