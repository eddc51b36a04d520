"""Edits below vendor/: somebody else's code loses something on Windows that ours uses there."""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from analyzer.symbols import GoFile
from bot import source
from bot.ids import Sha
from bot.source import LocalRepository
from tests.mutation.bodies import error_body, zero_body
from tests.mutation.code import Changes, Files, Folder, folders
from tests.mutation.edit import Edit, one, quiet
from tests.mutation.source import constraint, splice, with_constraint, with_imports, without_comments

_LIKE_GOS = re.compile(r"^[a-z][\w.-]*\.[a-z]+/")


def vendored(repository: LocalRepository, rev: Sha, ours: Iterable[Folder]) -> list[Folder]:
    """The vendored packages that code built on Windows imports, each with the files that do.

    Args:
        repository: where vendor/ is read from.
        rev: the revision.
        ours: the repository's own directories.
    """
    users: dict[str, Files] = defaultdict(dict)
    for folder in ours:
        for file in folder.package.files.values():
            if file.on_target:
                for imported in file.facts.imports:
                    if _LIKE_GOS.match(imported.path) and imported.name not in {"_", "."}:
                        # A directory is held whole or not at all.
                        users[imported.path] = {**users[imported.path], **folder.files}
    tree = source._folder(repository._repo, repository._tree(rev), source.VENDOR)
    if tree is None:
        return []
    found = folders(source._below(source.VENDOR, repository._snapshot(rev, tree, set(users))))
    return [folder.with_users(users[folder.where.removeprefix("vendor/")]) for folder in found]


def _used(folder: Folder, file: GoFile) -> frozenset[str]:
    """The exported functions of a vendored file that code built on Windows names."""
    functions = [d.name for d in file.facts.declarations if d.kind == "func" and d.exported]
    path = folder.where.removeprefix("vendor/")
    named: set[str] = set()
    for user in folder.user_files:
        for imported in user.facts.imports:
            if user.on_target and imported.path == path:
                name = imported.name or file.facts.package
                words = re.findall(
                    rb"(?<![.\w])%s\.([A-Z]\w*)\(" % name.encode(), without_comments(user.source.content)
                )
                named |= {word.decode() for word in words}
    return frozenset(functions) & named


def narrowed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    for file in folder.own_files:
        old = constraint(file.source.content)
        if file.on_target and file.on_reference and not file.is_test and _used(folder, file) and not old:
            new = chance.choice(["!windows", "linux", "unix"])
            names = frozenset(d.name for d in file.facts.declarations)
            yield Edit(file.path, names, {file.path: with_constraint(file.source.content, new)})


def divided(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A function that both platforms shared becomes a stub on Windows."""
    for function in folder.shared:
        base = function.path.removesuffix(".go")
        linux, windows = f"{base}_linux.go", f"{base}_windows.go"
        plain = "_" not in base.rpartition("/")[2] and "." not in base.rpartition("/")[2]
        if not (plain and function.works and not constraint(function.content) and not function.receiver):
            continue
        if function.knows_platforms or not (folder.free(linux) and folder.free(windows)):
            continue
        if function.name in _used(folder, function.file):
            fails = function.results[-1:] == ["error"]
            stub, imports = error_body(function, chance) if fails else zero_body(function, chance)
            if b"errNotSupported" in stub:
                continue
            signature = function.content[function.node.start_byte : function.body.start_byte]
            clause = f"package {function.file.facts.package}\n\n".encode()
            specs = b"".join(
                b'import %s "%s"\n' % (i.name.encode(), i.path.encode()) for i in function.file.facts.imports
            )
            changes: Changes = {
                function.path: splice(function.content, [(function.node.start_byte, function.node.end_byte, b"")]),
                linux: clause + specs + function.source + b"\n",
                windows: with_imports(clause + specs, *imports) + signature + stub + b"\n",
            }
            yield one(function.name, windows, changes)


def updated(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """Another version that changes nothing of what is there."""
    for file in folder.own_files:
        more = chance.choice([b"\n// Reworked.\n", b"\nfunc newlyHere() int { return 1 }\n"])
        yield quiet(file.path, {file.path: file.source.content + more})


def unused_narrowed(folder: Folder, chance: random.Random) -> Iterator[Edit]:
    """A file of which nobody uses anything is no longer built on Windows."""
    del chance
    for file in folder.own_files:
        functions = [d.name for d in file.facts.declarations]
        both = file.on_target and file.on_reference and not file.is_test and not constraint(file.source.content)
        if both and not folder.needed(functions, file.path) and not _mentioned(folder, functions):
            yield quiet(file.path, {file.path: with_constraint(file.source.content, "!windows")})


def _mentioned(folder: Folder, names: Iterable[str]) -> bool:
    bare = {name.rpartition(".")[2].encode() for name in names}
    return any(not bare.isdisjoint(re.findall(rb"\w+", user.source.content)) for user in folder.user_files)
