"""Edits that take something from Windows. Read backward, each of them gives it to Windows."""

import random
import re
from collections.abc import Iterator

from analyzer.files import suffix_tags
from analyzer.symbols import GoFile
from analyzer.syntax import text
from tests.mutation.bodies import body_of, error_body, panic_body, zero_body, zeros
from tests.mutation.code import Changes, Folder, Function
from tests.mutation.edit import Edit, one
from tests.mutation.shared_losses import SKIPS, guardable, running_tests
from tests.mutation.source import (
    can_import,
    constraint,
    header,
    insert,
    splice,
    stem,
    with_constraint,
    with_imports,
    without_comments,
    without_idle_imports,
)


def _replaced(function: Function, body: bytes, imports: tuple[str, ...], *, more: bytes = b"") -> bytes:
    node = function.body
    content = splice(function.content, [(node.start_byte, node.end_byte, body)]) + more
    return without_idle_imports(with_imports(content, *imports))


_ERROR_VARIABLE = b'\nvar errNotSupported = errors.New("not supported")\n'


def _emptied(folder: Folder, function: Function, body: bytes, imports: tuple[str, ...]) -> bytes | None:
    """The function's file with another body; None when the names that it needs are taken."""
    more = b""
    if b"errNotSupported" in body:
        if folder.has("errNotSupported"):
            return None
        more, imports = _ERROR_VARIABLE, (*imports, "errors")
    if not can_import(function.file, *imports):
        return None
    return _replaced(function, body, imports, more=more)


def real_twins(folder: Folder) -> Iterator[tuple[Function, Function]]:
    for mine, twin in folder.twins:
        if mine.works and twin.works and folder.used(mine) and not re.search(r"(?i)err|unsupported", mine.bare):
            yield mine, twin


def emptied_zero(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for mine, _ in real_twins(folder):
        content = _emptied(folder, mine, *zero_body(mine, chance))
        if content is not None:
            yield one(mine.name, mine.path, {mine.path: content})


def emptied_error(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for mine, _ in real_twins(folder):
        if mine.results[-1:] == ["error"]:
            content = _emptied(folder, mine, *error_body(mine, chance))
            if content is not None:
                yield one(mine.name, mine.path, {mine.path: content})


def emptied_panic(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for mine, _ in real_twins(folder):
        content = _emptied(folder, mine, *panic_body(mine, chance))
        if content is not None:
            yield one(mine.name, mine.path, {mine.path: content})


def emptied_helper(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """The body becomes a call of a new helper, which is a stub."""
    for mine, _ in real_twins(folder):
        if mine.results != ["error"] or folder.has("refuse") or not can_import(mine.file, "errors"):
            continue
        helper = '\nfunc refuse(what string) error {\n\treturn errors.New(what + " is not supported on Windows")\n}\n'
        body = body_of(f'\treturn refuse("{chance.choice(["this", mine.bare])}")\n')
        yield one(mine.name, mine.path, {mine.path: _replaced(mine, body, ("errors",), more=helper.encode())})


def removed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """An exported function is gone from Windows; other functions of the package stay."""
    del chance
    for mine, _ in real_twins(folder):
        if mine.exported and sum(m.exported for m, _ in folder.twins) > 1:
            content = splice(mine.content, [(mine.node.start_byte, mine.node.end_byte, b"")])
            yield one(mine.name, mine.path, {mine.path: without_idle_imports(content)})


def _file_deleted(folder: Folder, *, exported: bool) -> Iterator[Edit]:
    real = list(real_twins(folder))
    for file in folder.own_files:
        path = file.path
        if not file.on_target or file.on_reference or file.is_test:
            continue
        lost = [mine for mine, _ in real if mine.path == path]
        rest = any(f.on_target and not f.is_test and f.path != path for f in folder.package.files.values())
        needed = [f for f in lost if f.exported] if exported else [f for f in lost if _named_elsewhere(folder, f)]
        if needed and rest and (exported or not any(f.exported for f in lost)):
            yield Edit(path, frozenset(d.name for d in file.facts.declarations), {path: None})


def _named_elsewhere(folder: Folder, function: Function) -> bool:
    """Whether shared code calls a plain function of that name."""
    if function.receiver:
        return False
    call = re.compile(rb"(?<![.\w])%s\(" % re.escape(function.bare.encode()))
    return any(
        f.on_target and f.on_reference and not f.is_test and call.search(without_comments(f.source.content))
        for f in folder.package.files.values()
    )


def file_deleted(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    del chance
    yield from _file_deleted(folder, exported=True)


def file_deleted_inner(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Only unexported functions go, which shared code calls: it does not compile any more."""
    del chance
    yield from _file_deleted(folder, exported=False)


def _plain_name(path: str) -> bool:
    """Whether a suffix can be given to a file: it has none yet, and no dot hides it (go/build, goodOSArchFile)."""
    name = path.rpartition("/")[2]
    return not suffix_tags(name) and name.count(".") == 1


def _narrowed(folder: Folder, file: GoFile, chance: random.Random) -> Edit:
    content, old = file.source.content, constraint(file.source.content)
    names = frozenset(d.name for d in file.facts.declarations)
    base, tail = stem(file.path)
    renamed = f"{base}_linux{tail}"
    ways = ["constraint", "constraint", "plus"]
    if not old and _plain_name(file.path) and folder.free(renamed) and "_" not in base.rpartition("/")[2]:
        ways.append("name")
    way = chance.choice(ways)
    if way == "name":
        return Edit(renamed, names, {file.path: None, renamed: content})
    new = chance.choice(["!windows", "linux", "unix", "linux || freebsd", "!windows && !plan9"])
    simple = re.fullmatch(r"!?\w+", old)
    if old:
        new = f"{old} && !windows" if simple else f"({old}) && !windows"
    plus = way == "plus" and (not old or bool(simple))
    return Edit(file.path, names, {file.path: with_constraint(content, new, plus=plus and "|" not in new)})


def file_narrowed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for file in folder.own_files:
        if not (file.on_target and file.on_reference) or file.is_test or not folder.sound(file):
            continue
        if any(f.works and folder.used(f) for f in folder.shared if f.path == file.path):
            yield _narrowed(folder, file, chance)


def tests_narrowed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    running = {test.path for test in running_tests(folder)}
    for file in folder.own_files:
        if file.path in running and not SKIPS.search(file.source.content):
            yield _narrowed(folder, file, chance)


def _beside(folder: Folder, path: str, system: str) -> str | None:
    base, tail = stem(path)
    found = f"{base}_{system}{tail}"
    return found if folder.free(found) else None


def unshared(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A shared function becomes Linux's own, and Windows gets a stub."""
    for function in guardable(folder):
        file = function.file
        linux, windows = (_beside(folder, file.path, system) for system in ("linux", "windows"))
        if linux is None or windows is None or not _plain_name(file.path) or constraint(file.source.content):
            continue
        stub, imports = (
            error_body(function, chance)
            if function.results[-1:] == ["error"] and chance.random() < 0.6
            else zero_body(function, chance)
        )
        if b"errNotSupported" in stub or not can_import(file, *imports):
            continue
        signature = function.content[function.node.start_byte : function.body.start_byte]
        rest = splice(file.source.content, [(function.node.start_byte, function.node.end_byte, b"")])
        theirs = without_idle_imports(header(file) + function.source + b"\n")
        mine = without_idle_imports(with_imports(header(file), *imports) + signature + stub + b"\n")
        changes: Changes = {file.path: without_idle_imports(rest), linux: theirs, windows: mine}
        yield one(function.name, windows, changes)


def stub_added(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A function that is new on both platforms, and does nothing on Windows."""
    mine = [f for f in folder.package.files.values() if _own(folder, f, target=True)]
    theirs = [f for f in folder.code if _own(folder, f.file, target=False) and f.works and not f.receiver]
    if not mine or not theirs:
        return
    model = chance.choice(theirs)
    name = "Arrange" + model.bare[:1].upper() + model.bare[1:]
    at = model.node.child_by_field_name("name")
    windows = chance.choice(mine)
    stub, imports = (
        error_body(model, chance)
        if model.results[-1:] == ["error"] and chance.random() < 0.5
        else zero_body(model, chance)
    )
    if at is None or folder.has(name) or b"errNotSupported" in stub or not can_import(windows, *imports):
        return
    start = model.node.start_byte
    signature = splice(model.content, [(at.start_byte, at.end_byte, name.encode())])[start:]
    grown = len(name) - len(model.bare)
    linux = model.content.rstrip() + b"\n\n" + signature[: model.node.end_byte - start + grown] + b"\n"
    head = signature[: model.body.start_byte - start + grown]
    content = with_imports(windows.source.content, *imports).rstrip() + b"\n\n" + head + stub + b"\n"
    yield one(name, windows.path, {model.path: linux, windows.path: content})


def _own(folder: Folder, file: GoFile, *, target: bool) -> bool:
    """Whether only one of the platforms builds the file."""
    only = (file.on_target and not file.on_reference) if target else (file.on_reference and not file.on_target)
    return only and not file.is_test and folder.sound(file)


_LINUX_OWN = re.compile(
    r"(?i)rootless|cgroup|selinux|apparmor|seccomp|userns|idtools|mount|[ug]ids?\b|overlay|netlink|iptables|nftables"
    r"|namespace|proc|xattr|ulimit|rlimit|sysctl|chown|chmod|capabilit|oom"
)


def linux_only(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A function that is new on Linux only, among functions that all have variants."""
    # What is Linux's own by its name, Windows need not have (findings, "What is not an event").
    pairs = [(m, t) for m, t in folder.twins if t.exported and t.works and not t.receiver]
    pairs = [(m, t) for m, t in pairs if not _LINUX_OWN.search(f"{t.path} {t.bare}")]
    if not pairs:
        return
    _, model = chance.choice(pairs)
    siblings = [f for f in folder.code if f.path == model.path and f.exported]
    if any(f.name not in folder.package.target for f in siblings):
        return
    name = "Arrange" + model.bare
    at = model.node.child_by_field_name("name")
    if at is None or folder.has(name):
        return
    start, grown = model.node.start_byte, len(name) - len(model.bare)
    new = splice(model.content, [(at.start_byte, at.end_byte, name.encode())])[start : model.node.end_byte + grown]
    yield one(name, model.path, {model.path: model.content.rstrip() + b"\n\n" + new + b"\n"})


def stub_copies(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A stub that is really there gets the body that Linux has."""
    del chance
    for mine, twin in folder.twins:
        alike = mine.results == twin.results and set(mine.parameters) == set(twin.parameters)
        if alike and _is_stub(mine) and twin.works:
            content = splice(mine.content, [(mine.body.start_byte, mine.body.end_byte, _text(twin))])
            yield one(mine.name, mine.path, {mine.path: content})


def _text(function: Function) -> bytes:
    return function.content[function.body.start_byte : function.body.end_byte]


def _is_stub(function: Function) -> bool:
    """Nothing but one return of an error that says so, or of nil."""
    if len(function.statements) != 1:
        return False
    source = text(function.statements[0])
    said = re.fullmatch(
        r'return (?:(?:nil|""|0|false), )*errors\.New\("[^"]*not (?:supported|implemented)[^"]*"\)', source
    )
    return said is not None or source in {"return nil", "return nil, nil"}


def option_refused(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A real Windows function refuses an argument that it took before."""
    del chance
    for mine, _ in real_twins(folder):
        given = next((n for n, kind in mine.parameters.items() if kind == "string" or kind.startswith("[]")), None)
        if given and given != "_" and mine.results[-1:] == ["error"] and can_import(mine.file, "errors"):
            declared, values = zeros(mine.results, error=f'errors.New("Windows does not support {given} yet")')
            inside = declared + f"\t\treturn {', '.join(values)}\n"
            content = insert(mine.content, mine.body.start_byte + 1, f"\n\tif len({given}) > 1 {{\n{inside}\t}}")
            yield one(mine.name, mine.path, {mine.path: with_imports(content, "errors")})


def _called_by_shared(folder: Folder, function: Function) -> bool:
    return not function.receiver and _named_elsewhere(folder, function)


def signature_changed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A function takes one parameter more on one platform, and shared code calls it."""
    for mine, twin in folder.twins:
        function = chance.choice([mine, twin])
        listed = function.node.child_by_field_name("parameters")
        generic = function.node.child_by_field_name("type_parameters") is not None
        if listed is None or generic or "..." in text(listed) or mine.parameters != twin.parameters:
            continue
        if mine.results != twin.results or not _called_by_shared(folder, mine):
            continue
        unnamed = listed.named_children and not function.parameters
        new = (", " if listed.named_children else "") + ("bool" if unnamed else "deeply bool")
        at = listed.end_byte - 1
        if not re.search(rb",\s*\)$", function.content[listed.start_byte : listed.end_byte]):
            content = splice(function.content, [(at, at, new.encode())])
            yield one(function.name, function.path, {function.path: content})


def needed_on_linux_only(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Shared code newly calls a helper that only Linux gets."""
    theirs = [f for f in folder.own_files if _own(folder, f, target=False)]
    for function in folder.shared:
        if theirs and function.statements and not function.knows_platforms and not folder.has("settleFirst"):
            linux = chance.choice(theirs)
            if can_import(linux, "os"):
                helper = b'\nfunc settleFirst() {\n\t_ = os.Remove("/run/stale")\n}\n'
                changes: Changes = {
                    linux.path: with_imports(linux.source.content + helper, "os"),
                    function.path: insert(function.content, function.body.start_byte + 1, "\n\tsettleFirst()"),
                }
                yield one("settleFirst", function.path, changes)


_BUILT_IN = frozenset(
    "append cap clear close complex copy delete imag len make max min new panic print println real".split()
)


def inner_function_moved(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A shared unexported function that shared code calls goes to a Linux-only file, and Windows gets nothing."""
    del chance
    for function in folder.shared:
        linux = _beside(folder, function.path, "linux")
        plain = _plain_name(function.path) and not constraint(function.content)
        others = sum(f.path == function.path for f in folder.shared) > 1
        if linux is None or not plain or not others or function.receiver or function.exported or not function.works:
            continue
        # Without its own declaration, copy is Go's.
        if function.bare not in _BUILT_IN and _named_elsewhere_than(folder, function):
            rest = splice(function.content, [(function.node.start_byte, function.node.end_byte, b"")])
            theirs = without_idle_imports(header(function.file) + function.source + b"\n")
            yield one(function.name, linux, {function.path: without_idle_imports(rest), linux: theirs})


def _named_elsewhere_than(folder: Folder, function: Function) -> bool:
    """Whether another shared function calls a plain function."""
    call = re.compile(rb"(?<![.\w])%s\(" % re.escape(function.bare.encode()))
    return any(call.search(f.source) for f in folder.shared if f.name != function.name)
