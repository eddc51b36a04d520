"""Mirrors: bare partial clones of repositories on a server, fetched into under limits, and made anew when damaged.

Two machines that work on one repository have a mirror each. Two processes on one machine share it.
"""

import base64
import errno
import os
import subprocess
import sys
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Self

import pygit2
from pygit2.enums import RepositoryOpenFlag

from bot import git, shelf
from bot.git import FullError, LostError, MissingError, MovedError, SourceError, TooLargeError, UnreachableError
from bot.ids import Repo, Sha
from bot.lock import locked
from bot.source import _FILES, MAX_FILES, LocalRepository, _directories, _go_entries

_FETCH_FLAGS = (
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
    "--no-auto-maintenance",
    "--filter=blob:none",
)
# Only the web is spoken to, and only the server that was named: git would send the token wherever it is redirected. No
# helper is asked for a password, a batch of blobs is not negotiated about, and large files are not unpacked in memory.
# What is received is checked as GitHub checks what is pushed.
_REMOTE_SETTINGS = {
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    "http.followRedirects": "false",
    "credential.helper": "",
    "fetch.negotiationAlgorithm": "noop",
    "fetch.fsckObjects": "true",
    "core.bigFileThreshold": "4m",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}
# What old tools wrote, and does no harm: modes with a zero before them, odd dates and names.
_HARMLESS: tuple[str, ...] = (
    "zeroPaddedFilemode",
    "badTimezone",
    "badDate",
    "badDateOverflow",
    "missingSpaceBeforeDate",
    "badEmail",
)
_HARMLESS += ("missingNameBeforeEmail", "missingEmail", "missingSpaceBeforeEmail", "badFilemode", "emptyName")
_REMOTE_SETTINGS |= {f"fetch.fsck.{kind}": "ignore" for kind in _HARMLESS}

_REFUSALS = (b"not our ref", b"couldn't find remote ref", b"no such ref")
# What git says, and what it means. All else is the server's or the network's fault, and passes.
_TROUBLES: tuple[tuple[tuple[bytes, ...], type[SourceError], str], ...] = (
    ((b"No space left on device", b"Disk quota exceeded"), FullError, "the disk is full"),
    (
        (b"died of signal 25", b"File too large"),
        TooLargeError,
        f"more than {git.MAX_PACK_BYTES // 1024**2:,} MiB would have to be fetched",
    ),
    (
        (b"ut of memory", b"annot allocate memory", b"create thread", b"create async thread", b"died of signal 24"),
        TooLargeError,
        "git takes more memory or time for it than it may",
    ),
    ((b"fsck error", b"exceeded maximum allowed tree depth"), SourceError, "git takes it for malformed"),
    ((b"returned error: 30",), SourceError, "it is somewhere else by now"),
    (
        (
            *(b"not a git repository", b"bad config", b"is corrupt", b"fatal: bad object", b"error: inflate"),
            *(b"cannot be accessed", b"unable to read tree", b"hash mismatch", b"shallow line", b"error: packfile"),
            *(b"object file", b"unable to parse"),
        ),
        MissingError,
        "our clone of it is damaged",
    ),
)


class Mirror(LocalRepository):
    """A bare partial clone of one repository on a server: commits and trees, and only the blobs that were needed.

    It is in use until it is closed, and is not removed meanwhile (bot/shelf.py). Several workers on one machine share
    it: a file lock keeps their fetches apart.

    Args:
        folder: where mirrors live; the clone becomes ``<folder>/<owner>/<name>.git``.
        repo: the repository.
        server: the base of clone addresses, such as ``https://github.com``.
        token: an installation token; it reaches git through the environment only.

    Attributes:
        grew: something was fetched into it.

    Raises:
        MissingError: the clone that is there is damaged; it is to be removed and made anew.
        FullError: the disk is full.
    """

    def __init__(self, folder: Path, repo: Repo, server: str, token: str = "") -> None:
        self._url = f"{server.rstrip('/')}/{repo}.git"
        self._server = server
        self._token = token
        self._inherited: list[int] = []
        self.grew = False
        self.path = folder / f"{repo}.git"
        self._folder = folder
        with self._disk():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._leave = weakref.finalize(self, os.close, shelf.enter(self.path, self._create))
        try:
            self._repo = pygit2.Repository(str(self.path), RepositoryOpenFlag.NO_SEARCH)
        except (KeyError, ValueError, pygit2.GitError) as error:
            self.close()
            raise MissingError(f"{self.path} cannot be read: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Use it no more."""
        if self._leave.alive and hasattr(self, "_repo"):
            self._repo.free()
        self._leave()

    def _create(self) -> None:
        """Make an empty repository, at once and whole: another worker may do the same, and any of them may be killed."""
        with shelf.begin(self._folder) as new:
            fresh = Path(new) / "mirror"
            done = git.run(self._folder, "init", "--quiet", "--bare", "--template=", str(fresh.absolute()))
            self._check(done, "init")
            shelf.put(fresh, self.path)

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
            TooLargeError: it is more than is fetched.
            MissingError: the clone is damaged.
        """
        with self._lock():
            lacking = [sha for sha in dict.fromkeys((base, head, also)) if sha is not None and not self.has(sha)]
            if not lacking:
                return
            done = self._fetch(*lacking)
            if not done.returncode:
                self._all_there(lacking)
            elif not self._is_refusal(done.stderr):
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

    def _all_there(self, commits: list[Sha]) -> None:
        """Git takes a commit for fetched when a damaged pack lists it."""
        for sha in commits:
            if not self.has(sha):
                raise MissingError(f"commit {sha} is not in {self.path}, though it was fetched")

    def _fetch(self, *what: str) -> subprocess.CompletedProcess[bytes]:
        return self._remote("fetch", "--depth=1", *_FETCH_FLAGS, self._url, *what)

    def _need(self, trees: list[pygit2.Tree], wanted: set[str]) -> None:
        """Bring all missing blobs of the wanted directories in one batch, never one by one. Not more than are read."""
        self._bring(blob for tree in trees for blob in islice(self._blobs(tree, wanted), MAX_FILES))

    def _blobs(self, tree: pygit2.Tree, wanted: set[str]) -> Iterator[str]:
        for where, folder, _ in _directories(self._repo, tree):
            if where in wanted:
                yield from (str(entry.id) for entry in _go_entries(folder) if entry.filemode in _FILES)

    def _bring(self, blobs: Iterable[str]) -> None:
        with self._lock():
            lacking = sorted({blob for blob in blobs if blob not in self._repo.odb})
            if lacking:
                batch = "\n".join(lacking).encode() + b"\n"
                self._check(self._remote("fetch", *_FETCH_FLAGS, self._url, "--stdin", stdin=batch), "fetch")
                self._reopen()

    def _reopen(self) -> None:
        """Let go of what is open, so that whoever reads next sees what was fetched.

        Not by another handle: pygit2's refer to themselves in a circle, so that one that is dropped keeps its packs open,
        and mapped, until it happens to be collected.
        """
        self._repo.free()

    def has(self, sha: Sha) -> bool:
        """Whether a commit is there with its tree; a fetch that was cut short left neither."""
        self._reopen()
        try:
            self._repo[sha].peel(pygit2.Tree)
        except KeyError:
            return False
        except pygit2.GitError as error:
            raise MissingError(f"commit {sha} cannot be read: {error}") from None
        return True

    def _remote(self, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Git with the token in its environment: argv, the configuration file and the URL never hold it."""
        settings = dict(_REMOTE_SETTINGS)
        env = {"GIT_DIR": "."}
        basic = ""
        if self._token:
            basic = base64.b64encode(f"x-access-token:{self._token}".encode()).decode()
            settings[f"http.{self._server.rstrip('/')}/.extraHeader"] = f"Authorization: Basic {basic}"
            env["GIT_TRACE_REDACT"] = "1"
        env["GIT_CONFIG_COUNT"] = str(len(settings))
        for number, (key, value) in enumerate(settings.items()):
            env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        secrets = (basic, self._token)
        done = git.run(self.path, *args, stdin=stdin, env=env, secrets=secrets, inherited=self._inherited)
        self.grew |= not done.returncode
        return done

    @staticmethod
    def _is_refusal(stderr: bytes) -> bool:
        """Whether the server answered that it does not have, or does not give, what was asked for."""
        return any(words in stderr for words in _REFUSALS)

    def _check(self, done: subprocess.CompletedProcess[bytes], what: str) -> None:
        """Raise what git's failure means. What the server says is no word of git's."""
        if not done.returncode:
            return
        own = b"\n".join(
            line for line in done.stderr.splitlines() if not line.startswith((b"remote:", b"fatal: remote"))
        )
        for signs, kind, why in _TROUBLES:
            if any(sign in own for sign in signs):
                raise kind(f"git {what} failed for {self._url}: {why}")
        raise UnreachableError(f"git {what} failed for {self._url}: {git.words(done.stderr)[-500:]}")

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise FullError(f"no clone of {self._url}: the disk is full") from None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Fetch alone. Git inherits the lock: one whose worker was killed goes on, and nobody may come between."""
        with self._disk(), locked(self.path / shelf.FETCH) as file:
            # Whoever had the lock is gone, so what it left there when it was killed belongs to nobody.
            for left in ("*.lock", "objects/pack/tmp_*", "objects/*/tmp_obj_*", "objects/pack/*.keep"):
                for part in self.path.glob(left):
                    if part.name != shelf.FETCH:
                        part.unlink(missing_ok=True)
            self._inherited = [] if sys.platform == "win32" else [file]  # where subprocess has no pass_fds
            before = self.grew
            try:
                yield
            finally:
                self._inherited = []
                if self.grew != before:
                    shelf.measure(self.path)
