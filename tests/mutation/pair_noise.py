"""Changes of what the two platforms declare separately, after which Windows has just what it had, or as much as Linux."""

import random
import re
from collections.abc import Iterator

from analyzer.files import suffix_tags
from analyzer.syntax import text
from tests.mutation.code import Changes, Folder
from tests.mutation.edit import Edit, quiet, replaced
from tests.mutation.losses import real_twins
from tests.mutation.source import (
    constraint,
    header,
    insert,
    splice,
    stem,
    with_imports,
    without_comments,
    without_idle_imports,
)


def pair_added(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A function comes to both platforms, and works on both."""
    pairs = [(m, t) for m, t in folder.twins if m.works and t.works and not m.receiver]
    if pairs and not folder.has("Arrange"):
        changes: Changes = {}
        name = chance.choice(["arrangeAll", "ArrangeAll"])
        for model in chance.choice(pairs):
            at = model.node.child_by_field_name("name")
            if at is None or folder.has(name):
                return
            start, grown = model.node.start_byte, len(name) - len(model.bare)
            new = splice(model.content, [(at.start_byte, at.end_byte, name.encode())])
            changes[model.path] = model.content.rstrip() + b"\n\n" + new[start : model.node.end_byte + grown] + b"\n"
        yield quiet(next(iter(changes)), changes)


def pair_removed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Both sides of a feature go."""
    del chance
    for mine, twin in folder.twins:
        own = re.compile(rb"\b%s\b" % mine.bare.encode())
        if folder.needed([mine.name], mine.path, twin.path) or any(
            len(own.findall(without_comments(f.content))) > 1 for f in (mine, twin)
        ):
            continue
        changes: Changes = {
            f.path: without_idle_imports(splice(f.content, [(f.node.start_byte, f.node.end_byte, b"")]))
            for f in (mine, twin)
        }
        yield quiet(mine.path, changes)


def pair_resigned(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A function takes one parameter more, on both platforms."""
    del chance
    for pair in folder.twins:
        changes: Changes = {}
        for function in pair:
            listed = function.node.child_by_field_name("parameters")
            if listed is None or "..." in text(listed):
                break
            comma = b", " if listed.named_children else b""
            unnamed = listed.named_children and not function.parameters
            new = comma + (b"bool" if unnamed else b"quick bool")
            inner = function.content[listed.start_byte : listed.end_byte - 1].rstrip().rstrip(b",")
            content = splice(function.content, [(listed.start_byte, listed.end_byte, inner + new + b")")])
            changes[function.path] = content
        if len(changes) == 2:
            yield quiet(pair[0].path, changes)


def pair_unified(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Read backward: a shared function that works becomes one for each platform, alike."""
    del chance
    for function in folder.shared:
        base, tail = stem(function.path)
        linux, windows = f"{base}_linux{tail}", f"{base}_windows{tail}"
        name = function.path.rpartition("/")[2]
        plain = not suffix_tags(name) and name.count(".") == 1 and not constraint(function.content)
        if not (plain and folder.free(linux) and folder.free(windows) and function.works) or function.knows_platforms:
            continue
        own = without_idle_imports(header(function.file) + function.source + b"\n")
        rest = splice(function.content, [(function.node.start_byte, function.node.end_byte, b"")])
        yield quiet(function.path, {function.path: without_idle_imports(rest), linux: own, windows: own})


def stub_reworded(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A stub that stays one: another text, another kind."""
    for mine, _ in folder.twins:
        source = text(mine.body)
        said = re.search(r'errors\.New\("[^"]*not (?:supported|implemented)[^"]*"\)', source)
        if said and len(mine.statements) == 1:
            new = chance.choice(
                ['errors.New("this is not implemented on Windows")', 'fmt.Errorf("not supported on %s", "windows")']
            )
            body = source.replace(said[0], new)
            if chance.random() < 0.3:
                body = '{\n\tpanic("not implemented")\n}'
            content = splice(mine.content, [(mine.body.start_byte, mine.body.end_byte, body.encode())])
            yield quiet(mine.path, {mine.path: content})


def linux_tests_added(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """New tests in a file that only Linux builds."""
    del chance
    tests = [f for f in folder.own_files if f.is_test]
    name = f"{folder.where}/newer_linux_test.go"
    if tests and folder.free(name) and folder.where != ".":
        package = tests[0].facts.package
        new = f'package {package}\n\nimport "testing"\n\nfunc TestNewer(t *testing.T) {{\n\tif 1+1 != 2 {{\n\t\tt.Fatal("sum")\n\t}}\n}}\n'
        yield quiet(name, {name: new.encode()})


def tests_added(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A new test that runs everywhere."""
    for file in folder.own_files:
        if file.is_test and any(i.path == "testing" for i in file.facts.imports) and not folder.has("TestNewer"):
            inside = chance.choice(['if 1+1 != 2 {\n\t\tt.Fatal("sum")\n\t}', "t.Parallel()", 't.Log("starts")'])
            new = f"\nfunc TestNewer(t *testing.T) {{\n\t{inside}\n}}\n"
            yield quiet(file.path, {file.path: file.source.content + new.encode()})


def windows_reworked(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A real Windows function does it in another way: a statement more."""
    for mine, _ in real_twins(folder):
        more = chance.choice(['log.Println("starts")', "defer func() {}()", "started := time.Now()\n\t_ = started"])
        name = "log" if "log." in more else "time"
        at = mine.body.start_byte + 1
        content = insert(mine.content, at, f"\n\t{more}")
        if "defer" in more:
            yield quiet(mine.path, {mine.path: content})
        elif not re.search(rf"\b{name}\b", mine.content.decode(errors="replace")):
            yield quiet(mine.path, {mine.path: with_imports(content, name)})


def linux_reworked(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Linux does more than it did."""
    del chance
    for _, twin in folder.twins:
        node = next((s for s in twin.statements if twin.is_work(s)), None)
        if node is not None:
            yield replaced(twin, node, (node.text or b"") + b"\n\t" + (node.text or b""))


def as_variable(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A Windows function becomes a variable that holds one."""
    del chance
    for mine, _ in real_twins(folder):
        if not mine.receiver and mine.node.child_by_field_name("type_parameters") is None:
            signature = mine.content[mine.node.start_byte : mine.node.end_byte].removeprefix(
                f"func {mine.bare}".encode()
            )
            yield replaced(mine, mine.node, f"var {mine.bare} = func".encode() + signature)


def windows_function_added(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A function of Windows alone."""
    del chance
    for file in folder.own_files:
        if file.on_target and not file.on_reference and not file.is_test and not folder.has("volumeRoot"):
            new = b'\nfunc volumeRoot(path string) string {\n\treturn path + "\\\\"\n}\n'
            yield quiet(file.path, {file.path: file.source.content + new})


NOISE = (
    pair_added,
    pair_resigned,
    pair_unified,
    stub_reworded,
    windows_reworked,
    linux_reworked,
    as_variable,
    windows_function_added,
    linux_tests_added,
    tests_added,
)
# The other direction brings a stub, and is news.
ONE_WAY = (pair_removed,)
