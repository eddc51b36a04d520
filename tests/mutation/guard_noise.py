"""Branches on the platform that are written in another way, and those that take nothing from Windows."""

import random
import re
from collections.abc import Iterator

from tree_sitter import Node

from analyzer.files import suffix_tags
from analyzer.syntax import text
from tests.mutation.code import Folder, Function, locals_of
from tests.mutation.edit import Edit, quiet, replaced
from tests.mutation.source import can_import, constraint, insert, splice, walk, with_constraint, with_imports

_ON_SYSTEM = re.compile(r'runtime\.GOOS (==|!=) "(\w+)"')


def _platform_ifs(function: Function) -> Iterator[tuple[Node, str, str]]:
    """Statements that ask for runtime.GOOS and nothing else: the node, the operator, the system."""
    for node in walk(function.body):
        if node.type == "if_statement" and node.child_by_field_name("initializer") is None:
            said = _ON_SYSTEM.fullmatch(text(node.child_by_field_name("condition")))
            chained = node.parent is not None and node.parent.type == "if_statement"
            if said and not chained:
                yield node, said[1], said[2]


def _field(node: Node, name: str) -> bytes:
    found = node.child_by_field_name(name)
    return (found.text or b"") if found is not None else b""


def guard_inverted(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    del chance
    for function in folder.functions:
        for node, operator, system in _platform_ifs(function):
            other = node.child_by_field_name("alternative")
            if other is not None and other.type == "block":
                condition = f'if runtime.GOOS {"==" if operator == "!=" else "!="} "{system}" '.encode()
                new = condition + (other.text or b"") + b" else " + _field(node, "consequence")
                yield replaced(function, node, new)


def guard_turned(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """The two sides of the comparison change places, or a negation stands in front."""
    for function in folder.functions:
        for node, operator, system in _platform_ifs(function):
            condition = node.child_by_field_name("condition")
            contrary = "==" if operator == "!=" else "!="
            new = chance.choice([f'"{system}" {operator} runtime.GOOS', f'!(runtime.GOOS {contrary} "{system}")'])
            if condition is not None:
                yield replaced(function, condition, new.encode())


def guard_as_switch(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    del chance
    for function in folder.functions:
        for node, operator, system in _platform_ifs(function):
            other = node.child_by_field_name("alternative")
            simple = other is None or other.type == "block"
            breaks = any(n.type == "break_statement" for n in walk(node))
            if not simple or breaks:
                continue
            yes, no = _field(node, "consequence")[1:-1], (other.text or b"")[1:-1] if other else b""
            if operator == "!=":
                yes, no = no, yes
            new = f'switch runtime.GOOS {{\n\tcase "{system}":'.encode() + yes.rstrip()
            if no.strip():
                new += b"\n\tdefault:" + no.rstrip()
            yield replaced(function, node, new + b"\n\t}")


def guard_condition_named(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """The condition becomes a constant, a function, or a local variable."""
    for function in folder.functions:
        for node, operator, system in _platform_ifs(function):
            condition = node.child_by_field_name("condition")
            if condition is None or folder.has("onSystem"):
                continue
            said = f'runtime.GOOS {operator} "{system}"'
            match chance.randrange(3):
                case 0:
                    more = f"\nconst onSystem = {said}\n"
                    yield replaced(function, condition, b"onSystem", more=more.encode())
                case 1:
                    more = f"\nfunc onSystem() bool {{\n\treturn {said}\n}}\n"
                    yield replaced(function, condition, b"onSystem()", more=more.encode())
                case _:
                    before = function.body.start_byte + 1
                    edits = [
                        (before, before, f"\n\tonSystem := {said}".encode()),
                        (condition.start_byte, condition.end_byte, b"onSystem"),
                    ]
                    yield quiet(function.path, {function.path: splice(function.content, edits)})


def guard_extracted(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A guard and what it does become a helper, where it needs nothing but parameters."""
    del chance
    for function in folder.functions:
        if function.file.is_test or folder.has("onlyHere"):
            continue
        for node, _, _ in _platform_ifs(function):
            inside = list(walk(node))
            used = {text(n) for n in inside if n.type == "identifier"} & set(locals_of(function))
            made = {text(n) for i in inside if i.type == "short_var_declaration" for n in _left(i)}
            needed = sorted(used - made)
            kinds = [function.parameters.get(name, "") for name in needed]
            alone = node.child_by_field_name("alternative") is None
            if not alone or not _STAYS.isdisjoint(n.type for n in inside) or not all(kinds):
                continue
            if any(kind.startswith("...") for kind in kinds):
                continue
            given = ", ".join(f"{name} {kind}" for name, kind in zip(needed, kinds, strict=True))
            call = f"onlyHere({', '.join(needed)})"
            returns = [n for n in inside if n.type == "return_statement"]
            if not returns:
                helper = f"\nfunc onlyHere({given}) {{\n\t".encode() + (node.text or b"") + b"\n}\n"
                yield replaced(function, node, call.encode(), more=helper)
            elif len(returns) == 1 and function.results[-1:] == ["error"]:
                yield from _refusal_extracted(function, node, returns[0], given, call)


_STAYS = {"break_statement", "continue_statement", "assignment_statement", "func_literal", "defer_statement"}


def _refusal_extracted(function: Function, node: Node, last: Node, given: str, call: str) -> Iterator[Edit]:
    """``if runtime.GOOS == … { return nil, errors.New(…) }`` as ``if err := onlyHere(); err != nil { return nil, err }``."""
    values = last.named_children[0].named_children if last.named_children else []
    if len(values) != len(function.results) or not re.match(r"errors\.New\(|fmt\.Errorf\(", text(values[-1])):
        return
    error = values[-1]
    before = function.content[values[0].start_byte : error.start_byte].decode()
    base = node.start_byte
    refusal = splice(node.text or b"", [(values[0].start_byte - base, error.start_byte - base, b"")])
    helper = f"\nfunc onlyHere({given}) error {{\n\t".encode() + refusal + b"\n\treturn nil\n}\n"
    new = f"if err := {call}; err != nil {{\n\t\treturn {before}err\n\t}}"
    yield replaced(function, node, new.encode(), more=helper)


def _left(node: Node) -> list[Node]:
    left = node.child_by_field_name("left")
    return left.named_children if left else []


def skip_reworded(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """``if runtime.GOOS == "windows" { t.Skip(…) }`` as ``skip.If(…)``, or as a switch, or with another text."""
    for test in folder.functions:
        if not test.file.is_test:
            continue
        for node, operator, system in _platform_ifs(test):
            found = re.fullmatch(r'\{\s*(\w+)\.Skip\("([^"]*)"\)\s*\}', text(node.child_by_field_name("consequence")))
            if found and node.child_by_field_name("alternative") is None:
                condition = f'runtime.GOOS {operator} "{system}"'
                new = chance.choice(
                    [
                        f'skip.If({found[1]}, {condition}, "{found[2]}")',
                        f'if {condition} {{\n\t\t{found[1]}.Skipf("flaky: %s", "{found[2]}")\n\t}}',
                        f"if {condition} {{\n\t\t{found[1]}.SkipNow()\n\t}}",
                    ]
                )
                yield replaced(test, node, new.encode())


def _open_functions(folder: Folder) -> Iterator[Function]:
    """Functions that know nothing of platforms yet, and may."""
    for function in folder.code:
        if (
            function.statements
            and not function.knows_platforms
            and can_import(function.file, "runtime", "log", "errors")
        ):
            yield function


def _at_start(function: Function, new: str, *imports: str) -> Edit:
    at = function.body.start_byte + 1
    content = with_imports(insert(function.content, at, f"\n\t{new}"), *imports)
    return quiet(function.path, {function.path: content})


def says_so(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Windows logs a line more."""
    for function in _open_functions(folder):
        system = chance.choice(['== "windows"', '!= "windows"', '== "linux"'])
        new = f'if runtime.GOOS {system} {{\n\t\tlog.Println("starts")\n\t}}'
        yield _at_start(function, new, "runtime", "log")


def refuses_on_linux(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A branch that is stricter on Linux."""
    del chance
    for function in _open_functions(folder):
        if function.results == ["error"] and function.file.on_reference:
            new = 'if runtime.GOOS == "linux" {\n\t\treturn errors.New("not supported on Linux")\n\t}'
            yield _at_start(function, new, "runtime", "errors")


def does_more(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Windows does something more."""
    del chance
    for function in _open_functions(folder):
        work = [s for s in function.statements if function.is_work(s)]
        if work:
            node = work[0]
            more = b'if runtime.GOOS == "windows" {\n\t\t' + (node.text or b"") + b"\n\t}\n\t"
            content = splice(function.content, [(node.start_byte, node.start_byte, more)])
            yield quiet(function.path, {function.path: with_imports(content, "runtime")})


def picks_a_value(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A text is another one on Windows."""
    del chance
    for function in _open_functions(folder):
        for node in function.statements:
            right = node.child_by_field_name("right")
            values = right.named_children if right is not None else []
            left = node.child_by_field_name("left")
            names = left.named_children if left is not None else []
            literal = [v.type for v in values] == ["interpreted_string_literal"]
            if node.type == "short_var_declaration" and literal and text(names[0]) != "_":
                more = f'\n\tif runtime.GOOS == "windows" {{\n\t\t{text(names[0])} = "other"\n\t}}'
                content = splice(function.content, [(node.end_byte, node.end_byte, more.encode())])
                yield quiet(function.path, {function.path: with_imports(content, "runtime")})
                break


def names_the_system(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """The text of an error names the system."""
    del chance
    for function in _open_functions(folder):
        for node in walk(function.body):
            if node.type == "call_expression" and can_import(function.file, "fmt"):
                said = re.fullmatch(r'errors\.New\("([^"%]*)"\)', text(node))
                if said:
                    new = f'fmt.Errorf("{said[1]} on %s", runtime.GOOS)'
                    content = splice(function.content, [(node.start_byte, node.end_byte, new.encode())])
                    yield quiet(function.path, {function.path: with_imports(content, "fmt", "runtime")})
                    break


def guarded_where_windows_is_not(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A refusal for Windows in a file that Windows does not build, or one for macOS in a fallback file."""
    del chance
    for function in _open_functions(folder):
        file = function.file
        fallback = file.on_target and not file.on_reference and not suffix_tags(file.path.rpartition("/")[2])
        if function.results == ["error"] and (fallback or not file.on_target):
            system = "darwin" if fallback else "windows"
            new = f'if runtime.GOOS == "{system}" {{\n\t\treturn errors.New("not supported here")\n\t}}'
            yield _at_start(function, new, "runtime", "errors")


def skipped_tests_narrowed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A test file of which Windows runs nothing anyway is no longer built there."""
    del chance
    for file in folder.own_files:
        tests = [f for f in folder.functions if f.path == file.path and f.bare.startswith("Test")]
        both = file.on_target and file.on_reference and not constraint(file.source.content)
        # What other test files use of it would be missing there.
        alone = len(tests) == sum(d.is_function for d in file.facts.declarations)
        if tests and both and alone and all(_is_skipped(test) for test in tests):
            yield quiet(file.path, {file.path: with_constraint(file.source.content, "!windows")})


def _is_skipped(test: Function) -> bool:
    """Whether the first statement skips the test on Windows."""
    first = text(test.statements[0]) if test.statements else ""
    forms = (
        r'if runtime\.GOOS == "windows" \{\s*\w+\.Skip(?:f?\(.*\)|Now\(\))\s*\}',
        r'skip\.If\(\w+, (?:runtime\.GOOS|testEnv\.DaemonInfo\.OSType) == "windows".*\)',
        r'skip\.If\(\w+, runtime\.GOOS != "linux".*\)',
    )
    return any(re.fullmatch(form, first, re.DOTALL) for form in forms)


# Of each edit the other direction is noise too.
NOISE = (
    guard_inverted,
    guard_turned,
    guard_as_switch,
    guard_condition_named,
    guard_extracted,
    skip_reworded,
    says_so,
    does_more,
    picks_a_value,
    names_the_system,
    guarded_where_windows_is_not,
)
# And of these it is not.
ONE_WAY = (refuses_on_linux, skipped_tests_narrowed)
