"""Git to analyzer.Snapshot: what a repository on this machine has.

The git command fetches (bot/mirrors.py), pygit2 reads. Nothing is checked out; no hook, filter or submodule runs.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pygit2
from pygit2.enums import FileMode, ObjectType, Option

from analyzer.model import Outline, Snapshot, SourceFile, Unreadable
from analyzer.moves import origins
from bot import git
from bot.git import MissingError, SourceError, TooLargeError
from bot.ids import Sha

# A Go file written by a person stays far below; what is larger is data in Go's clothes.
MAX_FILE_BYTES = 2 * 1024 * 1024
# Kubernetes, among the largest Go repositories, has 17,000 files outside vendor.
MAX_FILES = 40_000
MAX_TOTAL_BYTES = 1024 * 1024 * 1024
MAX_DEPTH = 100
# What trees list, each as often as it is met: a few objects can make billions of folders. Chromium has 500,000.
MAX_ENTRIES = 1_000_000
# A new version of the largest modules, such as a cloud's, brings some hundred packages. They are read on both sides.
MAX_VENDORED = 1_000

VENDOR = "vendor"
_LEFT_OUT = {VENDOR, "testdata"}
_LINKS = {FileMode.LINK}
_FILES = {FileMode.BLOB, FileMode.BLOB_EXECUTABLE}


# The owner of a folder matters to those who execute what is in it. We only read objects.
pygit2.option(Option.SET_OWNER_VALIDATION, 0)  # type: ignore[no-untyped-call,unused-ignore]
# Git checks what it receives, and like git we take what it stored. Hashing it again is a third of reading it.
pygit2.option(Option.ENABLE_STRICT_HASH_VERIFICATION, 0)  # type: ignore[no-untyped-call,unused-ignore]


class LocalRepository:
    """A git repository on this machine, bare or not.

    Args:
        path: the repository, or a folder inside its work tree.

    Raises:
        SourceError: there is no repository.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        found = pygit2.discover_repository(str(path)) if path.exists() else None
        if found is None:
            raise SourceError(f"{path} is not a git repository; name one with --repo PATH")
        try:
            self._repo = pygit2.Repository(found)
        except pygit2.GitError as error:
            raise SourceError(f"{path} cannot be read: {error}") from None

    def resolve(self, rev: str) -> Sha:
        """The commit that a revision names.

        Args:
            rev: anything that ``git rev-parse`` takes.

        Raises:
            SourceError: it names no commit here.
        """
        unknown = SourceError(f"no commit {rev!r} in {self.path}; is it spelt right, and fetched?")
        if "\0" in rev:
            raise unknown
        done = git.run(self.path, "rev-parse", "--verify", "--quiet", "--end-of-options", rev)
        try:
            # A revision that is excluded is answered with ^ before it.
            found = self._repo[Sha(git.words(done.stdout))].peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError):
            raise unknown from None
        return Sha(str(found.id))

    def time(self, rev: Sha) -> int:
        """When a commit was made, in seconds since the epoch.

        Raises:
            SourceError: it is not there.
        """
        try:
            return int(self._repo[rev].peel(pygit2.Commit).commit_time)
        except (KeyError, ValueError, pygit2.GitError):
            raise MissingError(f"commit {rev} is not in {self.path}; fetch it first") from None

    def merge_base(self, base: Sha, head: Sha) -> Sha:
        """The commit from which head's changes count, as GitHub shows a pull request.

        Raises:
            SourceError: the two have no common history here.
        """
        try:
            found = self._repo.merge_base(pygit2.Oid(hex=base), pygit2.Oid(hex=head))
        except (KeyError, ValueError, pygit2.GitError):
            found = None
        if found is None:
            raise SourceError("the two revisions have no common ancestor here; compare them with --no-merge-base")
        return Sha(str(found))

    def snapshots(self, base: Sha, head: Sha) -> tuple[Snapshot, Snapshot]:
        """Both sides of a comparison, with every directory in which a Go file differs.

        Raises:
            SourceError: a commit is not there.
        """
        before, after = self._tree(base), self._tree(head)
        wanted = set(_changed_directories(self._repo, before, after))
        self._need([before, after], wanted)
        return self._snapshot(base, before, wanted), self._snapshot(head, after, wanted)

    def snapshot(self, rev: Sha) -> Snapshot:
        """All Go files of a revision.

        Raises:
            SourceError: the commit is not there.
        """
        tree = self._tree(rev)
        wanted = {where for where, _, _ in _directories(self._repo, tree)}
        self._need([tree], wanted)
        return self._snapshot(rev, tree, wanted)

    def outline(self, rev: Sha) -> Outline:
        """What a revision has where. It reads no file, so it costs a partial clone nothing.

        Raises:
            SourceError: the commit is not there.
        """
        folders = [(where, folder) for where, folder, _ in _directories(self._repo, self._tree(rev))]
        names = {where: tuple(map(_name, _go_entries(folder))) for where, folder in folders}
        modules = frozenset(where for where, folder in folders if "go.mod" in folder)
        return Outline({where: found for where, found in names.items() if found}, modules)

    def directories(self, rev: Sha, wanted: Collection[str]) -> Snapshot:
        """The Go files of some directories of a revision.

        Raises:
            SourceError: the commit is not there.
        """
        if not wanted:
            return Snapshot(rev)
        tree = self._tree(rev)
        self._need([tree], set(wanted))
        return self._snapshot(rev, tree, set(wanted))

    def vendored(self, base: Sha, head: Sha) -> tuple[Snapshot, Snapshot] | None:
        """Both sides of the packages below vendor/ that differ; None when there are none, or no such folder on both.

        With internal ones come those beside them, whether they differ or not: what is used is theirs.

        Beyond `MAX_VENDORED` packages nothing is read, and head says so.

        Raises:
            SourceError: a commit is not there.
        """
        sides = [_folder(self._repo, self._tree(rev), VENDOR) for rev in (base, head)]
        before, after = sides
        if before is None or after is None or before.id == after.id:
            return None
        wanted = set(_changed_directories(self._repo, before, after))
        if len(wanted) > MAX_VENDORED:
            reason = f"{len(wanted):,} vendored packages differ, which is more than {MAX_VENDORED:,}"
            return Snapshot(base), Snapshot(head, unreadable=(Unreadable(VENDOR, reason),))
        beside = self._beside_internal(after, wanted)
        wanted |= beside if len(wanted | beside) <= MAX_VENDORED else set()
        self._need([before, after], wanted)
        then, now = (self._snapshot(rev, tree, wanted) for rev, tree in ((base, before), (head, after)))
        return _below(VENDOR, then), _below(VENDOR, now)

    def vendored_names(self, rev: Sha, wanted: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """The names of the Go files of some packages below vendor/, as far as they are there. It reads no file.

        Raises:
            SourceError: the commit is not there.
        """
        vendor = _folder(self._repo, self._tree(rev), VENDOR) if wanted else None
        if vendor is None:
            return {}
        folders = ((where, _reached(self._repo, vendor, where.removeprefix(f"{VENDOR}/"))) for where in wanted)
        found = {where: tuple(map(_name, _go_entries(tree))) for where, tree in folders if tree is not None}
        return {where: names for where, names in found.items() if names}

    def vendored_at(self, rev: Sha, wanted: Iterable[str], most: int) -> Mapping[str, SourceFile]:
        """The Go files of some packages below vendor/, by path. What is not there, or cannot be read, is left out.

        Args:
            rev: the commit.
            wanted: the packages' folders; they may not be there.
            most: so many of them; when there are more, none is read.

        Raises:
            SourceError: the commit is not there.
        """
        there = {where.removeprefix(f"{VENDOR}/") for where in self.vendored_names(rev, wanted)}
        vendor = _folder(self._repo, self._tree(rev), VENDOR) if there else None
        if vendor is None or len(there) > most:
            return {}
        self._need([vendor], there)
        return _below(VENDOR, self._snapshot(rev, vendor, there)).files

    def same(self, one: Sha, other: Sha, path: str) -> bool:
        """Whether two revisions have the same at a path. It reads no file.

        Raises:
            SourceError: a commit is not there.
        """
        sides = (self._tree(rev) for rev in (one, other))
        return len({tree[path].id if path in tree else None for tree in sides}) == 1

    def has_vendor(self, rev: Sha) -> bool:
        """Whether a revision has a folder of vendored packages.

        Raises:
            SourceError: the commit is not there.
        """
        return _folder(self._repo, self._tree(rev), VENDOR) is not None

    def _beside_internal(self, tree: pygit2.Tree, changed: Collection[str]) -> set[str]:
        """The folders of packages that may use internal ones which differ, and that we use them through."""
        roots = {root for where in changed for root, internal, _ in [f"{where}/".partition("/internal/")] if internal}
        folders = (where for where, _, _ in _directories(self._repo, tree)) if roots else ()
        return {where for where in folders if any(f"{where}/".startswith(f"{root}/") for root in roots)}

    def origins(self, base: Snapshot, head: Snapshot) -> Snapshot:
        """The packages below base's vendor/ that directories new at head may have come from; mostly none is read.

        Raises:
            SourceError: the commit is not there.
        """
        nothing = Snapshot(base.rev)
        if {_parent(path) for path in head.files} <= {_parent(path) for path in base.files}:
            return nothing
        vendor = _folder(self._repo, self._tree(Sha(base.rev)), VENDOR)
        if vendor is None:
            return nothing
        names = {where: [_name(e) for e in _go_entries(tree)] for where, tree, _ in _directories(self._repo, vendor)}
        wanted = set(origins(base, head, names))
        if not wanted or len(wanted) > MAX_VENDORED:
            return nothing
        self._need([vendor], wanted)
        return _below(VENDOR, self._snapshot(Sha(base.rev), vendor, wanted))

    def file(self, rev: Sha, path: str, most: int) -> bytes | None:
        """The bytes of one file of a revision; None when there is none, or what is there is no file.

        Args:
            rev: the commit.
            path: of the file.
            most: bytes that are read at most; of a larger file there is one more, so that it can be told.

        Raises:
            SourceError: the commit, or the file's content, is not there.
        """
        try:
            entry = self._tree(rev)[path]
        except KeyError:
            return None
        if entry.filemode not in _FILES:
            return None
        self._bring([str(entry.id)])
        try:
            _, size = self._repo.odb.read_header(entry.id)
            # What is far too large is not unpacked: whoever asks only wants to know that it is.
            return b" " * (most + 1) if size > most else bytes(self._repo[entry.id].peel(pygit2.Blob).data)
        except (KeyError, pygit2.GitError):
            raise MissingError(f"{path} is not in this clone; fetch without a filter") from None

    def _tree(self, rev: Sha) -> pygit2.Tree:
        try:
            return self._repo[rev].peel(pygit2.Tree)
        except (KeyError, pygit2.GitError):
            raise MissingError(f"commit {rev} is not in {self.path}; fetch it first") from None

    def _need(self, trees: list[pygit2.Tree], wanted: set[str]) -> None:
        """Make sure that the wanted blobs are there. A local repository has them, or says what it lacks."""

    def _bring(self, blobs: Iterable[str]) -> None:
        """Make sure that these blobs are there, likewise."""

    def _snapshot(self, rev: Sha, tree: pygit2.Tree, wanted: set[str]) -> Snapshot:
        files: dict[str, SourceFile] = {}
        unreadable: list[Unreadable] = []
        total = met = 0
        for where, folder, depth in _directories(self._repo, tree):
            if where not in wanted:
                continue
            if depth >= MAX_DEPTH and _subtrees(folder):
                unreadable.append(Unreadable(where, f"folders in it are nested deeper than {MAX_DEPTH}"))
            for entry in _go_entries(folder):
                path = _name(entry) if where == "." else f"{where}/{_name(entry)}"
                met += 1
                if met > 2 * MAX_FILES:
                    raise TooLargeError(f"the folders that differ have more than {2 * MAX_FILES:,} Go files")
                reason = _refusal(self._repo, entry)
                if met > MAX_FILES or total > MAX_TOTAL_BYTES:
                    reason = f"beyond the first {MAX_FILES:,} Go files, or {MAX_TOTAL_BYTES // 1024**2:,} MiB of them"
                if reason is not None:
                    unreadable.append(Unreadable(path, reason))
                    continue
                content = _content(entry, path)
                total += len(content)
                if b"\0" in content:
                    unreadable.append(Unreadable(path, "binary"))
                    continue
                files[path] = SourceFile(path, str(entry.id), content)
        return Snapshot(rev, files, tuple(unreadable))


def _refusal(repo: pygit2.Repository, entry: pygit2.Object) -> str | None:
    """Why an entry's content is not to be read; None when it is."""
    if entry.filemode in _LINKS:
        return "a symbolic link"
    try:
        kind, size = repo.odb.read_header(entry.id)
    except (KeyError, pygit2.GitError):
        return "its content is not in this clone; fetch without a filter"
    if kind != ObjectType.BLOB:
        return "not a file"
    return f"larger than {MAX_FILE_BYTES // 1024**2} MiB" if size > MAX_FILE_BYTES else None


def _content(entry: pygit2.Object, path: str) -> bytes:
    try:
        return cast("pygit2.Blob", entry).data
    except pygit2.GitError as error:
        raise MissingError(f"{path} cannot be read ({error}); is this clone whole? Try git fsck") from None


def _go_entries(tree: pygit2.Tree) -> Iterator[pygit2.Object]:
    for entry in tree:
        if entry.filemode in _FILES | _LINKS and _name(entry).endswith(".go"):
            yield entry


def _name(entry: pygit2.Object) -> str:
    """An entry's name; bytes that are no UTF-8 are shown escaped."""
    return (entry.raw_name or b"").decode("utf-8", "backslashreplace")


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _enters(name: str) -> bool:
    return name not in _LEFT_OUT and not name.startswith((".", "_"))


def _directories(repo: pygit2.Repository, root: pygit2.Tree) -> Iterator[tuple[str, pygit2.Tree, int]]:
    """Every directory that counts, with its tree and how deep it lies; "." is the root."""
    work = [(".", root, 0)]
    met = 0
    while work:
        where, tree, depth = work.pop()
        met = _counted(met, tree)
        yield where, tree, depth
        if depth < MAX_DEPTH:
            for name, oid in _subtrees(tree).items():
                work.append((name if where == "." else f"{where}/{name}", _at(repo, oid), depth + 1))


def _changed_directories(repo: pygit2.Repository, before: pygit2.Tree, after: pygit2.Tree) -> Iterator[str]:
    """Directories in which the set of Go files, or the content of one, differs. Equal subtrees are not entered."""
    work: list[tuple[str, pygit2.Tree | None, pygit2.Tree | None, int]] = [(".", before, after, 0)]
    met = 0
    while work:
        where, old, new, depth = work.pop()
        met = _counted(met, old, new)
        if old is not None and new is not None and old.id == new.id:
            continue
        if _go_ids(old) != _go_ids(new):
            yield where
        was, now = _subtrees(old), _subtrees(new)
        if depth >= MAX_DEPTH:
            if was != now:
                yield where
            continue
        for name in sorted(was.keys() | now.keys()):
            if was.get(name) != now.get(name):
                path = name if where == "." else f"{where}/{name}"
                old_id, new_id = was.get(name), now.get(name)
                old_tree = None if old_id is None else _at(repo, old_id)
                work.append((path, old_tree, None if new_id is None else _at(repo, new_id), depth + 1))


def _counted(met: int, *trees: pygit2.Tree | None) -> int:
    met += sum(len(tree) for tree in trees if tree is not None)
    if met > MAX_ENTRIES:
        raise TooLargeError(f"it has more than {MAX_ENTRIES:,} files and folders")
    return met


def _folder(repo: pygit2.Repository, tree: pygit2.Tree, name: str) -> pygit2.Tree | None:
    folders = (entry.id for entry in tree if entry.filemode == FileMode.TREE and _name(entry) == name)
    oid = next(folders, None)
    return None if oid is None else _at(repo, oid)


def _below(folder: str, snapshot: Snapshot) -> Snapshot:
    """A snapshot of a folder, with the paths that its files have in the repository."""
    files = {
        f"{folder}/{path}": SourceFile(f"{folder}/{path}", f.blob, f.content) for path, f in snapshot.files.items()
    }
    unreadable = tuple(Unreadable(f"{folder}/{entry.path}", entry.reason) for entry in snapshot.unreadable)
    return Snapshot(snapshot.rev, files, unreadable)


def _reached(repo: pygit2.Repository, tree: pygit2.Tree, path: str) -> pygit2.Tree | None:
    """The folder at a path, if there is one that counts."""
    for name in path.split("/"):
        oid = _subtrees(tree).get(name)
        if oid is None:
            return None
        tree = _at(repo, oid)
    return tree


def _at(repo: pygit2.Repository, oid: pygit2.Oid) -> pygit2.Tree:
    try:
        return repo[oid].peel(pygit2.Tree)
    except KeyError:
        raise MissingError(f"folder {oid} is not in this clone; fetch without a filter") from None
    except pygit2.GitError as error:
        raise MissingError(f"folder {oid} cannot be read: {error}") from None


def _go_ids(tree: pygit2.Tree | None) -> set[tuple[str, str]]:
    return {(_name(e), str(e.id)) for e in _go_entries(tree)} if tree is not None else set()


def _subtrees(tree: pygit2.Tree | None) -> dict[str, pygit2.Oid]:
    entries = tree if tree is not None else ()
    return {_name(e): e.id for e in entries if e.filemode == FileMode.TREE and _enters(_name(e))}
