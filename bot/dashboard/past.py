"""The past of a repository on a server: a clone of its own, as long as it is read, so that nobody waits for its fetches.

Commits come first, without trees; then the trees of all revisions that are worth a point, in few batches; and then, some
revisions at a time, the files that no earlier one had, in one batch each.
"""

import re
import subprocess
from collections.abc import Iterable, Sequence
from itertools import islice

import pygit2

from bot.dashboard.parts import version
from bot.dashboard.records import MAX_POINTS, About
from bot.dashboard.revisions import Plan, Revisions, is_release
from bot.git import SourceError
from bot.ids import Sha
from bot.mirrors import Mirror
from bot.source import MAX_FILES, _directories

MAX_TAGS = 2_000
"""Releases that are asked for, by their numbers the newest; of these those count that were made last."""

MAX_FETCHES = 40
"""Fetches of tags, of which one is enough unless some name no commit: those are looked for by halves."""

TREES_AT_ONCE = 150
"""Revisions whose trees are fetched together: a server takes some seconds to pack so many of a large repository."""

_FLAGS = ("--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--no-auto-maintenance")
# What git says of a fetch that asks for a file or a folder, of which a server sends none here.
_INCOMPLETE = b"did not send all necessary objects"
_LISTED = re.compile(r"[0-9a-f]{40}\trefs/tags/(?P<name>[\x21-\x7e]+)")


class PastMirror(Mirror, Revisions):
    """A clone of a repository that has the commits of all its past."""

    _refused: Sequence[str] = ()

    def bring_commits(self, head: Sha) -> None:
        """Bring the commits of the default branch, and the tags of releases. Tags of other names are not asked for.

        Args:
            head: the newest commit of the default branch.

        Raises:
            SourceError: the server does not give it, or it is more than is fetched.
        """
        with self._lock():
            done = self._remote("ls-remote", "--tags", "--refs", self._url)
            self._check(done, "ls-remote")
            names = {m["name"] for m in map(_LISTED.fullmatch, done.stdout.decode(errors="replace").splitlines()) if m}
            releases = sorted(filter(is_release, names), key=version)[-MAX_TAGS:]
            self._check(self._bring_refs([f"{head}:refs/heads/newest"]), "fetch")
            self._refused = self._bring_tags(releases)
            self._reopen()

    def _bring_tags(self, names: list[str]) -> list[str]:
        """Bring tags with the commits that they name. Returns those that name something else: they spoil a whole fetch."""
        work, refused, left = [names] if names else [], list[str](), MAX_FETCHES
        while work:
            some = work.pop()
            left -= 1
            done = self._bring_refs([f"refs/tags/{name}:refs/tags/{name}" for name in some])
            if done.returncode and _INCOMPLETE not in done.stderr:
                self._check(done, "fetch")
            half = len(some) // 2
            if done.returncode and half and left > 0:
                work += [some[:half], some[half:]]
            elif done.returncode:
                refused += some
        return refused

    def _bring_refs(self, wanted: list[str]) -> subprocess.CompletedProcess[bytes]:
        batch = "\n".join(wanted).encode() + b"\n"
        return self._remote("fetch", *_FLAGS, "--filter=tree:0", "--force", self._url, "--stdin", stdin=batch)

    def planned(self, head: Sha) -> Plan:
        """The revisions that are worth a point, no more of a kind than are kept."""
        plan = self.plan(head)
        kept: list[About] = []
        for kind, most in MAX_POINTS.items():
            kept += [about for about in plan.revisions if about.kind == kind][-most:]
        left_out = [*plan.left_out, *((name, "it names no commit") for name in self._refused)]
        return Plan(tuple(sorted(kept, key=lambda about: (about.time, about.rev))), tuple(sorted(left_out)))

    def bring(self, some: Sequence[About], others: Sequence[About] = ()) -> None:
        """Bring all that some revisions are made of.

        Args:
            some: which.
            others: the revisions that come after them: their trees come along, as they have most in common.

        Raises:
            SourceError: the server does not give it.
        """
        with self._lock():
            lacking = [*dict.fromkeys(tree for about in (*some, *others) if (tree := self._lacks(about)) is not None)]
            for start in range(0, len(lacking), TREES_AT_ONCE):
                self._bring_trees(lacking[start : start + TREES_AT_ONCE])
        self._bring(blob for about in some for blob in self._all_blobs(about))

    def _lacks(self, about: About) -> str | None:
        """The tree of a revision, unless it is here; a commit that is not here either is told when it is read."""
        try:
            tree = str(self._repo[about.rev].peel(pygit2.Commit).tree_id)
        except (KeyError, ValueError, pygit2.GitError):
            return None
        return None if tree in self._repo.odb else tree

    def _bring_trees(self, trees: Iterable[str]) -> None:
        batch = "\n".join(trees).encode() + b"\n"
        done = self._remote("fetch", *_FLAGS, "--filter=blob:none", self._url, "--stdin", stdin=batch)
        self._check(done, "fetch")
        self._reopen()

    def _all_blobs(self, about: About) -> Iterable[str]:
        try:
            tree = self._tree(Sha(about.rev))
            return [*islice(self._blobs(tree, {where for where, _, _ in _directories(self._repo, tree)}), MAX_FILES)]
        except SourceError:
            return ()  # whoever reads it is told
