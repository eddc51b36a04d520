"""Branches that keep shared code, or a test, from Windows."""

import random
import re
from collections.abc import Iterator

from tree_sitter import Node

from analyzer.syntax import text
from tests.mutation.bodies import zeros
from tests.mutation.code import Folder, Function
from tests.mutation.edit import Edit, one
from tests.mutation.source import can_import, insert, splice, walk, with_imports

SKIPS = re.compile(rb"kip|GOOS|OSType|[wW]indows|[lL]inux|equires|[uU]nix|Platform|platform")
_TEST = re.compile(r"^Test[A-Z]\w*$")


def running_tests(folder: Folder) -> Iterator[Function]:
    """Tests that surely run on both platforms."""
    for function in folder.functions:
        if not (function.file.is_test and function.file.on_target and function.file.on_reference):
            continue
        if not _TEST.match(function.bare) or function.bare == "TestMain" or not function.statements:
            continue
        if not SKIPS.search(function.source) and not _skipped_elsewhere(folder, function):
            yield function


def _skipped_elsewhere(folder: Folder, test: Function) -> bool:
    """Whether a function that the test calls, or its suite, may skip it already."""
    called = set(re.findall(r"\b(\w+)\(", test.source.decode(errors="replace")))
    for other in folder.functions:
        if other.file.is_test and other is not test:
            before = other.bare.startswith(("SetUp", "Setup")) or other.bare == "TestMain" or other.bare in called
            if before and SKIPS.search(other.source):
                return True
    return False


def _handle(test: Function) -> str:
    """The name of the testing.T."""
    return next((n for n, kind in test.parameters.items() if kind.endswith(("testing.T", ".C"))), "")


def test_skipped(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for test in running_tests(folder):
        handle = _handle(test)
        if not handle or handle == "_" or not can_import(test.file, "runtime"):
            continue
        inside = _skip(handle, chance)
        first = test.statements[0]
        if chance.random() < 0.3 and len(test.statements) > 1 and first.type != "return_statement":
            at = first.end_byte
            new = "\n" + inside
        else:
            at, new = test.body.start_byte + 1, "\n" + inside
        content = with_imports(insert(test.content, at, new), "runtime")
        yield one(test.name, test.path, {test.path: content})


def _skip(handle: str, chance: random.Random) -> str:
    condition = 'runtime.GOOS == "windows"'
    return chance.choice(
        [
            f'\tif {condition} {{\n\t\t{handle}.Skip("flaky on Windows")\n\t}}\n',
            f'\tif {condition} {{\n\t\t{handle}.Skipf("does not work on %s", runtime.GOOS)\n\t}}\n',
            f"\tif {condition} {{\n\t\t{handle}.SkipNow()\n\t}}\n",
            f"\tif {condition} {{\n\t\treturn\n\t}}\n",
            f'\tif runtime.GOOS != "linux" {{\n\t\t{handle}.Skip("Linux only")\n\t}}\n',
            f'\tskip.If({handle}, {condition}, "FIXME")\n',
            f"\tskip.If({handle}, {condition})\n",
            f'\tswitch {{\n\tcase {condition}:\n\t\t{handle}.Skip("FIXME")\n\t}}\n',
            f'\tif {condition} || testing.Short() {{\n\t\t{handle}.Skip("FIXME")\n\t}}\n',
            f'\tswitch runtime.GOOS {{\n\tcase "windows", "plan9":\n\t\t{handle}.Skip("FIXME")\n\t}}\n',
        ]
    )


def subtest_skipped(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for test in running_tests(folder):
        if not can_import(test.file, "runtime"):
            continue
        for statement in test.statements:
            closure = _subtest(statement)
            if closure is None:
                continue
            body = closure.child_by_field_name("body")
            parameters = closure.child_by_field_name("parameters")
            names = parameters.named_children[0].children_by_field_name("name") if parameters else []
            if body is None or not names or text(names[0]) == "_":
                continue
            at = body.start_byte + 1
            new = "\n" + _skip(text(names[0]), chance)
            content = with_imports(insert(test.content, at, new), "runtime")
            yield one(test.name, test.path, {test.path: content})
            break


def _subtest(statement: Node) -> Node | None:
    if statement.type != "expression_statement" or statement.named_children[0].type != "call_expression":
        return None
    call = statement.named_children[0]
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    given = arguments.named_children if arguments else []
    if not text(function).endswith(".Run") or len(given) != 2:
        return None
    literal = given[0].type == "interpreted_string_literal" and given[1].type == "func_literal"
    return given[1] if literal else None


def guardable(folder: Folder) -> Iterator[Function]:
    """Shared functions into which a guard can come."""
    for function in folder.shared:
        if (
            function.works
            and not function.knows_platforms
            and folder.used(function)
            and can_import(function.file, "runtime", "errors")
        ) and not re.search(r"(?i)^(?:new)?err|error$", function.bare):
            yield function


def _insert(function: Function, at: int, new: str, *imports: str) -> Edit:
    content = with_imports(insert(function.content, at, new), *imports)
    return one(function.name, function.path, {function.path: content})


def guard_refuses(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for function in guardable(folder):
        if function.results[-1:] != ["error"]:
            continue
        error = chance.choice(
            [
                'errors.New("not supported on Windows")',
                'fmt.Errorf("not supported on %s", runtime.GOOS)',
                'errors.New("this cannot be done on Windows")',
            ]
        )
        imports = ["runtime", "fmt" if "fmt." in error else "errors"]
        if not can_import(function.file, *imports):
            continue
        declared, values = zeros(function.results, error=error)
        inside = declared.replace("\t", "\t\t", 1) + f"\t\treturn {', '.join(values)}\n"
        form = chance.choice(
            [
                f'\n\tif runtime.GOOS == "windows" {{\n{inside}\t}}',
                f'\n\tif "windows" == runtime.GOOS {{\n{inside}\t}}',
                f'\n\tswitch runtime.GOOS {{\n\tcase "windows":\n{inside}\t}}',
                f'\n\tif runtime.GOOS != "linux" {{\n{inside}\t}}',
            ]
        )
        at = function.body.start_byte + 1
        early = next((s for s in function.statements[:-1] if s.type == "short_var_declaration"), None)
        if early is not None and chance.random() < 0.3:
            at = early.end_byte
        yield _insert(function, at, form, *imports)


def guard_leaves(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Windows returns before anything is done, and says nothing."""
    for function in guardable(folder):
        if function.results in ([], ["error"]) and any(function.is_work(s) or _checked(s) for s in function.statements):
            value = " nil" if function.results else ""
            comment = chance.choice(["", "\t\t// Not needed on Windows.\n"])
            form = f'\n\tif runtime.GOOS == "windows" {{\n{comment}\t\treturn{value}\n\t}}'
            yield _insert(function, function.body.start_byte + 1, form, "runtime")


def _checked(statement: Node) -> bool:
    """``if err := pkg.Do(...); err != nil { return … }``."""
    if statement.type != "if_statement" or statement.child_by_field_name("alternative") is not None:
        return False
    start = statement.child_by_field_name("initializer")
    return (
        start is not None
        and re.fullmatch(r"err := \w+\.[A-Z]\w*\(.*\)", text(start), re.DOTALL) is not None
        and text(statement.child_by_field_name("condition")) == "err != nil"
        and re.search(r"^\s*return\b", text(statement.child_by_field_name("consequence"))[1:]) is not None
    )


def guard_skips(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A statement runs on other systems only."""
    for function in guardable(folder):
        work = [s for s in function.statements if function.is_work(s) or (_checked(s) and _imported(function, s))]
        if not work or len(function.statements) < 2:
            continue
        node = chance.choice(work)
        inner = function.content[node.start_byte : node.end_byte].replace(b"\n", b"\n\t")
        condition = chance.choice([b'runtime.GOOS != "windows"', b'runtime.GOOS == "linux"'])
        new = b"if " + condition + b" {\n\t\t" + inner + b"\n\t}"
        content = with_imports(splice(function.content, [(node.start_byte, node.end_byte, new)]), "runtime")
        yield one(function.name, function.path, {function.path: content})


def guard_within(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A refusal inside of a block: one more condition must hold."""
    for function in guardable(folder):
        if function.results[-1:] != ["error"]:
            continue
        blocks = [
            n.child_by_field_name("consequence") or n.child_by_field_name("body")
            for n in walk(function.body)
            if n.type in {"if_statement", "for_statement"} and not _in_closure(n, function)
        ]
        # What goes on in there must be more than to hand on an error.
        blocks = [b for b in blocks if b is not None and any(function.is_work(n) for n in walk(b))]
        if blocks:
            declared, values = zeros(function.results, error='errors.New("not supported on Windows")')
            inside = declared.replace("\t", "\t\t\t", 1) + f"\t\t\treturn {', '.join(values)}\n"
            new = f'\n\t\tif runtime.GOOS == "windows" {{\n{inside}\t\t}}'
            block = chance.choice(blocks)
            assert block is not None
            yield _insert(function, block.start_byte + 1, new, "runtime", "errors")


def _in_closure(node: Node, function: Function) -> bool:
    while node.parent is not None and node.start_byte > function.body.start_byte:
        node = node.parent
        if node.type == "func_literal":
            return True
    return False


def guard_named(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """The condition has a name: a constant, a function, a local."""
    for function in guardable(folder):
        if function.results[-1:] != ["error"] or folder.has("isWindows") or folder.has("onWindows"):
            continue
        declared, values = zeros(function.results, error='errors.New("this cannot be done here")')
        inside = f"{{\n{declared}\t\treturn {', '.join(values)}\n\t}}"
        said = 'runtime.GOOS == "windows"'
        start, more = chance.choice(
            [
                (f"\n\tif isWindows {inside}", f"\nconst isWindows = {said}\n"),
                (f"\n\tif isWindows {inside}", f"\nvar isWindows = {said}\n"),
                (f"\n\tif onWindows() {inside}", f"\nfunc onWindows() bool {{\n\treturn {said}\n}}\n"),
                (f"\n\tisWindows := {said}\n\tif isWindows {inside}", ""),
                (f"\n\tif onWindows := {said}; onWindows {inside}", ""),
            ]
        )
        at = function.body.start_byte + 1
        content = insert(function.content, at, start) + more.encode()
        yield one(function.name, function.path, {function.path: with_imports(content, "runtime", "errors")})


def _imported(function: Function, statement: Node) -> bool:
    called = text(statement.child_by_field_name("initializer")).removeprefix("err := ").partition(".")[0]
    return called in function.imports and called not in function.parameters
