"""The past of a local repository: which commits touched a folder, and what its Go files were then."""

import re
from dataclasses import dataclass

import pygit2

from bot import git
from bot.git import SourceError
from bot.ids import Sha
from bot.source import _FILES, MAX_FILE_BYTES, LocalRepository, _go_entries, _name


@dataclass(frozen=True, slots=True)
class Change:
    """A commit of a history; texts are as their author wrote them."""

    commit: Sha
    parent: Sha | None
    day: str
    author: str
    subject: str


# What means something in a glob pathspec.
_GLOB = re.compile(r"[*?\[\\]")


class Past(LocalRepository):
    """A repository that can be walked back, along first parents."""

    def go_files(self, rev: Sha, folder: str) -> dict[str, str]:
        """The Go files right in a folder at a revision: from path to blob. Empty where there is no such folder.

        Raises:
            SourceError: the commit is not there.
        """
        tree = self._tree(rev)
        try:
            found = tree if folder == "." else tree[folder]
        except KeyError:
            return {}
        if not isinstance(found, pygit2.Tree):
            return {}
        prefix = "" if folder == "." else f"{folder}/"
        return {prefix + _name(entry): str(entry.id) for entry in _go_entries(found) if entry.filemode in _FILES}

    def content(self, blob: str) -> bytes:
        """A Go file's bytes; none of what is too large, or not there."""
        oid = pygit2.Oid(hex=blob)
        try:
            _, size = self._repo.odb.read_header(oid)
            return bytes(self._repo[oid].peel(pygit2.Blob).data) if size <= MAX_FILE_BYTES else b""
        except (KeyError, pygit2.GitError):
            return b""

    def changes(self, rev: Sha, folder: str) -> list[Change]:
        """The commits of a revision's first-parent history that touch Go files right in a folder, newest first.

        Raises:
            SourceError: git cannot walk it.
        """
        where = "" if folder == "." else _GLOB.sub(r"\\\g<0>", folder) + "/"
        fields = "--format=%H%x00%P%x00%aI%x00%an%x00%s"
        done = git.run(self.path, "log", "--first-parent", fields, rev, "--", f":(top,glob){where}*.go")
        if done.returncode:
            raise SourceError(f"git log failed in {self.path}: {git.words(done.stderr)[-500:]}")
        found = []
        for line in done.stdout.decode(errors="replace").split("\n"):
            if line:
                commit, parents, day, author, subject = line.split("\0", 4)
                parent = Sha(parents.split()[0]) if parents else None
                found.append(Change(Sha(commit), parent, day[:10], author, subject))
        return found

    def renamed(self, change: "Change", path: str) -> str:
        """The path that a file had before a commit, if git takes it for renamed; "" when not."""
        if change.parent is None:
            return ""
        options = ("-r", "-M", "-z", "--diff-filter=R", "--name-status")
        done = git.run(self.path, "diff-tree", *options, change.parent, change.commit)
        words = done.stdout.decode(errors="backslashreplace").split("\0")
        pairs = {new: old for old, new in zip(words[1::3], words[2::3], strict=False)}
        return pairs.get(path, "")
