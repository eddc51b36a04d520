"""Git to analyzer.Snapshot: local repositories, and the partial-clone mirrors that the worker keeps.

The git command fetches, pygit2 reads. Nothing is checked out; no hook, filter or submodule runs.
"""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import pygit2
from pygit2.enums import FileMode, ObjectType, Option

from analyzer.model import Outline, Snapshot, SourceFile, Unreadable
from analyzer.moves import origins
from bot.ids import Repo, Sha
from bot.lock import locked

# A Go file written by a person stays far below; what is larger is data in Go's clothes.
MAX_FILE_BYTES = 2 * 1024 * 1024
# Kubernetes, among the largest Go repositories, has 17,000 files outside vendor.
MAX_FILES = 40_000
MAX_TOTAL_BYTES = 1024 * 1024 * 1024
MAX_DEPTH = 100
# A new version of the largest modules, such as a cloud's, brings some hundred packages. They are read on both sides.
MAX_VENDORED = 1_000
# Longest a git command may take, in seconds: a cold fetch of a large repository over a slow line.
GIT_TIMEOUT = 300

VENDOR = "vendor"
_LEFT_OUT = {VENDOR, "testdata"}
_LOCK = "winparity.lock"
_LINKS = {FileMode.LINK}
_FILES = {FileMode.BLOB, FileMode.BLOB_EXECUTABLE}


class SourceError(Exception):
    """Git cannot give what was asked for; the message says what to do."""


class MovedError(SourceError):
    """The commit is not on the server any more: a newer push replaced it."""


class UnreachableError(SourceError):
    """The git server did not answer as it should; a later try may succeed."""


class LostError(UnreachableError):
    """The server does not have the commit to compare with."""


# The owner of a folder matters to those who execute what is in it. We only read objects.
pygit2.option(Option.SET_OWNER_VALIDATION, 0)  # type: ignore[no-untyped-call,unused-ignore]
# Git checks what it receives, and like git we take what it stored. Hashing it again is a third of reading it.
pygit2.option(Option.ENABLE_STRICT_HASH_VERIFICATION, 0)  # type: ignore[no-untyped-call,unused-ignore]


_INHERITED = (
    *("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "GIT_SSL_CAINFO"),
)


def _git(
    folder: Path,
    *args: str,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    secrets: Iterable[str] = (),
    inherited: Iterable[int] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run git without any of the user's or the system's configuration, and without asking anybody anything."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
        **(env or {}),
    }
    command = ["git", "-c", "core.hooksPath=" + os.devnull, "-c", "safe.directory=*", "-C", str(folder), *args]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            env=environment,
            timeout=GIT_TIMEOUT,
            check=False,
            pass_fds=tuple(inherited),
        )
    except FileNotFoundError:
        raise SourceError("git is not installed, or not on PATH") from None
    except subprocess.TimeoutExpired:
        raise SourceError(f"git {args[0]} took longer than {GIT_TIMEOUT} s") from None
    for secret in filter(None, secrets):
        done.stderr = done.stderr.replace(secret.encode(), b"***")
    return done


def _words(output: bytes) -> str:
    return output.decode(errors="replace").strip()


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
        done = _git(self.path, "rev-parse", "--verify", "--quiet", "--end-of-options", rev)
        try:
            # A revision that is excluded is answered with ^ before it.
            found = self._repo[Sha(_words(done.stdout))].peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError):
            raise unknown from None
        return Sha(str(found.id))

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
        self._need([before, after], wanted)
        then, now = (self._snapshot(rev, tree, wanted) for rev, tree in ((base, before), (head, after)))
        return _below(VENDOR, then), _below(VENDOR, now)

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
            return bytes(memoryview(self._repo[entry.id].peel(pygit2.Blob))[: most + 1])
        except (KeyError, pygit2.GitError):
            raise SourceError(f"{path} is not in this clone; fetch without a filter") from None

    def _tree(self, rev: Sha) -> pygit2.Tree:
        try:
            return self._repo[rev].peel(pygit2.Tree)
        except (KeyError, pygit2.GitError):
            raise SourceError(f"commit {rev} is not in {self.path}; fetch it first") from None

    def _need(self, trees: list[pygit2.Tree], wanted: set[str]) -> None:
        """Make sure that the wanted blobs are there. A local repository has them, or says what it lacks."""

    def _bring(self, blobs: Iterable[str]) -> None:
        """Make sure that these blobs are there, likewise."""

    def _snapshot(self, rev: Sha, tree: pygit2.Tree, wanted: set[str]) -> Snapshot:
        files: dict[str, SourceFile] = {}
        unreadable: list[Unreadable] = []
        total = 0
        for where, folder, depth in _directories(self._repo, tree):
            if where not in wanted:
                continue
            if depth >= MAX_DEPTH and _subtrees(folder):
                unreadable.append(Unreadable(where, f"folders in it are nested deeper than {MAX_DEPTH}"))
            for entry in _go_entries(folder):
                path = _name(entry) if where == "." else f"{where}/{_name(entry)}"
                reason = _refusal(self._repo, entry)
                if reason is None and (len(files) >= MAX_FILES or total > MAX_TOTAL_BYTES):
                    reason = f"beyond the first {MAX_FILES:,} Go files, or {MAX_TOTAL_BYTES // 1024**2:,} MiB of them"
                if reason is not None:
                    unreadable.append(Unreadable(path, reason))
                    continue
                content = cast("pygit2.Blob", entry).data
                total += len(content)
                if b"\0" in content:
                    unreadable.append(Unreadable(path, "binary"))
                    continue
                files[path] = SourceFile(path, str(entry.id), content)
        return Snapshot(rev, files, tuple(unreadable))


class Mirror(LocalRepository):
    """A bare partial clone of one repository on a server: commits and trees, and only the blobs that were needed.

    It grows by what pull requests touch and is never cleaned by itself; removing the folder is safe at any time when
    no worker runs. Several workers on one machine share it: a file lock keeps their fetches apart.

    Args:
        folder: where mirrors live; the clone becomes ``<folder>/<owner>/<name>.git``.
        repo: the repository.
        server: the base of clone addresses, such as ``https://github.com``.
        token: an installation token; it reaches git through the environment only.
    """

    def __init__(self, folder: Path, repo: Repo, server: str, token: str = "") -> None:
        self._url = f"{server.rstrip('/')}/{repo}.git"
        self._server = server
        self._token = token
        self._inherited: list[int] = []
        path = folder / f"{repo}.git"
        if not path.exists():
            self._create(path)
        super().__init__(path)

    def _create(self, path: Path) -> None:
        """Make an empty repository, at once and whole: another worker may do the same, and any of them may be killed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as new:
            fresh = Path(new) / path.name
            self._check(_git(path.parent, "init", "--quiet", "--bare", "--template=", str(fresh.absolute())), "init")
            try:
                fresh.rename(path)
            except OSError:
                if not path.exists():
                    raise

    def fetch(self, base: Sha, head: Sha, pull: int = 0, also: Sha | None = None) -> None:
        """Bring the commits and trees of both sides, without blobs. What is there already is not asked for.

        Args:
            base: the merge base.
            head: the pull request's head, which may come from a fork: the base repository has it too.
            pull: the pull request's number; 0 when it is none's.
            also: another commit, which is no loss when the server does not have it.

        Raises:
            MovedError: the head is not on the server any more.
            LostError: the base is not.
            UnreachableError: the server failed.
        """
        with self._lock():
            lacking = [sha for sha in dict.fromkeys((base, head, also)) if sha is not None and not self.has(sha)]
            if not lacking:
                return
            done = self._fetch(*lacking)
            if done.returncode and not self._is_refusal(done.stderr):
                self._check(done, "fetch")
            if pull and not self.has(head):
                self._check(self._fetch(f"refs/pull/{pull}/head"), "fetch")
            if not self.has(base):
                done = self._fetch(base)
                if done.returncode and self._is_refusal(done.stderr):
                    raise LostError(f"commit {base} is not on the server")
                self._check(done, "fetch")
            if not self.has(head):
                raise MovedError(f"commit {head} is no longer on the server")
            if also is not None and not self.has(also):
                self._fetch(also)

    def _fetch(self, *what: str) -> subprocess.CompletedProcess[bytes]:
        return self._remote("fetch", "--depth=1", *_FETCH_FLAGS, self._url, *what)

    def _need(self, trees: list[pygit2.Tree], wanted: set[str]) -> None:
        """Bring all missing blobs of the wanted directories in one batch, never one by one."""
        self._bring(
            str(entry.id)
            for tree in trees
            for where, folder, _ in _directories(self._repo, tree)
            if where in wanted
            for entry in _go_entries(folder)
            if entry.filemode in _FILES
        )

    def _bring(self, blobs: Iterable[str]) -> None:
        with self._lock():
            lacking = sorted({blob for blob in blobs if blob not in self._repo.odb})
            if lacking:
                batch = "\n".join(lacking).encode() + b"\n"
                self._check(self._remote("fetch", *_FETCH_FLAGS, self._url, "--stdin", stdin=batch), "fetch")
                self._reopen()

    def _reopen(self) -> None:
        self._repo = pygit2.Repository(str(self.path))

    def has(self, sha: Sha) -> bool:
        """Whether a commit is there with its tree; a fetch that was cut short left neither."""
        self._reopen()
        try:
            self._repo[sha].peel(pygit2.Tree)
        except (KeyError, pygit2.GitError):
            return False
        return True

    def _remote(self, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Git with the token in its environment: argv, the configuration file and the URL never hold it."""
        settings = dict(_REMOTE_SETTINGS)
        env = {}
        basic = ""
        if self._token:
            basic = base64.b64encode(f"x-access-token:{self._token}".encode()).decode()
            settings[f"http.{self._server.rstrip('/')}/.extraHeader"] = f"Authorization: Basic {basic}"
            env = {"GIT_TRACE_REDACT": "1"}
        env["GIT_CONFIG_COUNT"] = str(len(settings))
        for number, (key, value) in enumerate(settings.items()):
            env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        secrets = (basic, self._token)
        return _git(self.path, *args, stdin=stdin, env=env, secrets=secrets, inherited=self._inherited)

    @staticmethod
    def _is_refusal(stderr: bytes) -> bool:
        """Whether the server answered that it does not have, or does not give, what was asked for."""
        return any(words in stderr for words in (b"not our ref", b"couldn't find remote ref", b"no such ref"))

    def _check(self, done: subprocess.CompletedProcess[bytes], what: str) -> None:
        if done.returncode:
            raise UnreachableError(f"git {what} failed for {self._url}: {_words(done.stderr)[-500:]}")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Fetch alone. Git inherits the lock: one whose worker was killed goes on, and nobody may come between."""
        with locked(self.path / _LOCK) as file:
            # Whoever had the lock is gone, so what it left there when it was killed belongs to nobody.
            for stale in ("shallow.lock", "config.lock"):
                (self.path / stale).unlink(missing_ok=True)
            for part in self.path.glob("objects/pack/tmp_*"):
                part.unlink(missing_ok=True)
            self._inherited = [] if sys.platform == "win32" else [file]  # where subprocess has no pass_fds
            try:
                yield
            finally:
                self._inherited = []


def remove_mirror(folder: Path, repo: Repo) -> bool:
    """Remove a repository's clone, when nobody fetches into it. Returns whether there was one.

    Args:
        folder: where mirrors live.
        repo: the repository.
    """
    path = folder / f"{repo}.git"
    gone = path.with_name(f".gone-{path.name}")
    shutil.rmtree(gone, ignore_errors=True)  # of an attempt that was killed
    if not path.is_dir():
        return False
    with locked(path / _LOCK):
        path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    with suppress(OSError):
        path.parent.rmdir()  # the owner's, when it was the last
    return True


_FETCH_FLAGS = (
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
    "--no-auto-maintenance",
    "--filter=blob:none",
)
# Only the web is spoken to, no helper is asked for a password, and a batch of blobs is not negotiated about.
_REMOTE_SETTINGS = {
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    "credential.helper": "",
    "fetch.negotiationAlgorithm": "noop",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}


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
    while work:
        where, tree, depth = work.pop()
        yield where, tree, depth
        if depth < MAX_DEPTH:
            for name, oid in _subtrees(tree).items():
                work.append((name if where == "." else f"{where}/{name}", _at(repo, oid), depth + 1))


def _changed_directories(repo: pygit2.Repository, before: pygit2.Tree, after: pygit2.Tree) -> Iterator[str]:
    """Directories in which the set of Go files, or the content of one, differs. Equal subtrees are not entered."""
    work: list[tuple[str, pygit2.Tree | None, pygit2.Tree | None, int]] = [(".", before, after, 0)]
    while work:
        where, old, new, depth = work.pop()
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


def _at(repo: pygit2.Repository, oid: pygit2.Oid) -> pygit2.Tree:
    try:
        return repo[oid].peel(pygit2.Tree)
    except (KeyError, pygit2.GitError):
        raise SourceError(f"folder {oid} is not in this clone; fetch without a filter") from None


def _go_ids(tree: pygit2.Tree | None) -> set[tuple[str, str]]:
    return {(_name(e), str(e.id)) for e in _go_entries(tree)} if tree is not None else set()


def _subtrees(tree: pygit2.Tree | None) -> dict[str, pygit2.Oid]:
    entries = tree if tree is not None else ()
    return {_name(e): e.id for e in entries if e.filemode == FileMode.TREE and _enters(_name(e))}
