"""What does not change what Go builds does not change the findings: comments, order, names of locals, line ends."""

import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Node

from analyzer import analyze, scan
from analyzer.model import Finding, Snapshot
from analyzer.syntax import parse, text
from tests.analyzer import bodies
from tests.analyzer.cases import CASES, Case, snapshot

Files = Mapping[str, str]
Edit = Callable[[str, random.Random], str]

NOISE = ("// noise", "/* noise\n   on two lines */", "// TODO: look at this again", "")
# An error keeps its name while the analyzer goes by it (tests/cases/guard-added/hands-on-an-error.txtar).
KEPT = {"_", "err"}
UNRELATED = "package %s\n\nfunc sumOfSquares(a, b int) int {\n\treturn a*a + b*b\n}\n"

# Where the analyzer is known to be wrong, noise may put it right.
cases = st.sampled_from([case for case in CASES if not case.todo])
chance = st.randoms(use_true_random=False)
# The same examples each time: a default suite that fails by chance teaches people to run it again.
steadily = settings(derandomize=True, deadline=None, max_examples=60)


def _told(findings: tuple[Finding, ...]) -> list[tuple[object, ...]]:
    """What findings say, but for lines, which edits move."""
    return sorted((f.fingerprint, f.level, f.path, f.side, str(f.stub), f.gap, f.silent, f.impact) for f in findings)


def _found(base: Files, head: Files) -> list[tuple[object, ...]]:
    return _told(analyze(snapshot(base, "a"), snapshot(head, "b")).findings)


def _nodes(node: Node, kind: str) -> list[Node]:
    found = [node] if node.type == kind else []
    return found + [inner for child in node.named_children for inner in _nodes(child, kind)]


def _after_package(source: str) -> int:
    """The index of the first line below the package clause: above it, a line can change a constraint."""
    return next(n for n, line in enumerate(source.splitlines(), 1) if line.startswith("package "))


def add_comments(source: str, chance: random.Random) -> str:
    """Put comments and blank lines between declarations."""
    lines = source.splitlines(keepends=True)
    starts = {node.start_point.row for node in parse(source.encode()).root_node.named_children}
    # Only below a blank line: a comment right above a declaration belongs to it, and says something.
    below = [row for row in sorted(starts) if row >= _after_package(source) and not lines[row - 1].strip()]
    for row in reversed(below):
        if chance.random() < 0.5:
            lines.insert(row, chance.choice(NOISE) + "\n\n")
    return "".join(lines)


def add_comments_inside(source: str, chance: random.Random) -> str:
    """Put a comment at the start of bodies."""
    data = source.encode()
    for block in reversed(_nodes(parse(data).root_node, "block")):
        if chance.random() < 0.5:
            data = data[: block.start_byte + 1] + b"\n\t// noise\n" + data[block.start_byte + 1 :]
    return data.decode()


def reorder_functions(source: str, chance: random.Random) -> str:
    """Shuffle the functions of a file; each keeps the comment above it."""
    data = source.encode()
    pieces: list[tuple[int, int]] = []
    start: int | None = None
    for node in parse(data).root_node.children:
        if node.type == "comment":
            start = node.start_byte if start is None else start
            continue
        if node.type in {"function_declaration", "method_declaration"}:
            pieces.append((node.start_byte if start is None else start, node.end_byte))
        if node.type != "\n":
            start = None
    order = pieces[:]
    chance.shuffle(order)
    moved, end = b"", 0
    for (old_start, old_end), (new_start, new_end) in zip(pieces, order, strict=True):
        moved += data[end:old_start] + data[new_start:new_end]
        end = old_end
    return (moved + data[end:]).decode()


def rename_locals(source: str, chance: random.Random) -> str:
    """Give locals other names."""
    data = source.encode()
    root = parse(data).root_node
    renamed: list[tuple[int, int, bytes]] = []
    suffix = chance.choice(["Here", "2", "Value"])
    for function in (
        node for node in root.named_children if node.type.endswith(("function_declaration", "method_declaration"))
    ):
        left = [spec.child_by_field_name("left") for spec in _nodes(function, "short_var_declaration")]
        names = {text(name) for part in left if part for name in part.named_children} - KEPT
        fields = {
            text(inner)
            for pair in _nodes(function, "keyed_element")
            for inner in _nodes(pair.named_children[0], "identifier")
        }
        chosen = {name: name + suffix for name in names - fields}
        renamed += [
            (node.start_byte, node.end_byte, chosen[text(node)].encode())
            for node in _nodes(function, "identifier")
            if text(node) in chosen
        ]
    for start, end, name in sorted(renamed, reverse=True):
        data = data[:start] + name + data[end:]
    return data.decode()


def use_crlf(source: str, chance: random.Random) -> str:
    """End lines as Windows does."""
    del chance
    return source.replace("\n", "\r\n")


EDITS = (add_comments, add_comments_inside, reorder_functions, rename_locals, use_crlf)
each_edit = pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)


def _edited(files: Files, edit: Edit, seed: int) -> dict[str, str]:
    """Draws alike for each file, so that what was alike stays so."""
    return {path: edit(source, random.Random(seed)) for path, source in files.items()}  # noqa: S311 - no secret


@each_edit
@steadily
@given(case=cases, seed=st.integers(0, 99))
def test_noise_on_both_sides_changes_nothing(edit: Edit, case: Case, seed: int) -> None:
    found = _found(_edited(case.base, edit, seed), _edited(case.head, edit, seed))
    assert found == _found(case.base, case.head)


@each_edit
@steadily
@given(case=cases, seed=st.integers(0, 99))
def test_noise_in_the_pull_request_alone_changes_nothing(edit: Edit, case: Case, seed: int) -> None:
    # A file that is renamed and edited can become another file; so git sees it, and so do we.
    kept = {path: source for path, source in case.head.items() if path in case.base}
    head = {**case.head, **_edited(kept, edit, seed)}
    assert _found(case.base, head) == _found(case.base, case.head)


@each_edit
@steadily
@given(case=cases, seed=st.integers(0, 99))
def test_noise_alone_is_no_finding(edit: Edit, case: Case, seed: int) -> None:
    assert _found(case.head, _edited(case.head, edit, seed)) == []


@each_edit
@pytest.mark.parametrize("group", sorted({body.group for body in bodies.bodies()}))
@settings(steadily, max_examples=3)
@given(seed=st.integers(0, 99))
def test_noise_does_not_change_what_a_body_is(edit: Edit, group: str, seed: int) -> None:
    assert _bodies(_edited(bodies.files(group), edit, seed)) == _bodies(bodies.files(group))


def _bodies(files: Files) -> dict[str, tuple[object, ...]]:
    table = scan(snapshot(files))
    return {
        f"{package.dir}/{symbol.name}": (symbol.kind, symbol.status, symbol.stub, symbol.gap)
        for package in table.packages
        for symbol in package.symbols
    }


@steadily
@given(case=cases, beside=st.booleans())
def test_an_unrelated_file_changes_nothing(case: Case, *, beside: bool) -> None:
    folder = min(case.head).rpartition("/")[0] if beside else "unrelated"
    head = {**case.head, f"{folder}/squares.go": UNRELATED % folder.rpartition("/")[2]}
    assert _found(case.base, head) == _found(case.base, case.head)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_is_found_where_nothing_changed(case: Case) -> None:
    assert _found(case.base, case.base) == []
    assert _found(case.head, case.head) == []


@steadily
@given(case=cases, chance=chance)
def test_the_order_of_files_does_not_matter(case: Case, chance: random.Random) -> None:
    base, head = snapshot(case.base, "a"), snapshot(case.head, "b")
    assert analyze(_shuffled(base, chance), _shuffled(head, chance)) == analyze(base, head)
    assert scan(_shuffled(head, chance)) == scan(head)


def _shuffled(given: Snapshot, chance: random.Random) -> Snapshot:
    paths = list(given.files)
    chance.shuffle(paths)
    return Snapshot(given.rev, {path: given.files[path] for path in paths}, given.unreadable)


@steadily
@given(case=cases)
def test_a_change_undone_leaves_the_score_where_it_was(case: Case) -> None:
    there = analyze(snapshot(case.base, "a"), snapshot(case.head, "b"))
    back = analyze(snapshot(case.head, "b"), snapshot(case.base, "a"))
    assert (there.base_score, there.head_score) == (back.head_score, back.base_score)
