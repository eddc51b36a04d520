"""Reads what an analysis needs beside the directories that differ: for an ordinary pull request, nothing."""

from dataclasses import replace

from analyzer import Search
from analyzer.around import divides
from analyzer.dependency import moved
from analyzer.model import Around, Moved, Options, Snapshot, Unreadable
from bot.ids import Sha
from bot.source import VENDOR, LocalRepository

GO_MOD = "go.mod"
# Kubernetes' has 20 KiB.
MAX_GO_MOD = 1024 * 1024
# How often it is asked what else matters, each time one batch: how far imports are followed.
MAX_ROUNDS = 3
MAX_VENDORED_ROUNDS = 8
# Vendored packages that are read for what imports them: beyond that it is not looked whether they build.
MAX_BEHIND = 300
# ... and for what functions hand on to them.
MAX_HANDED = 20


def around(source: LocalRepository, base: Snapshot, head: Snapshot, options: Options | None = None) -> Around:
    """What lies around two snapshots, as far as it matters.

    The list of directories is free, and vendored packages are read only where they differ, or where new directories look
    like them. Other packages are read, in one batch, when the change takes something away from them on Windows, newly
    uses what may be divided by platform, or asks for another version of a module that is not vendored; and what something
    imports that seems to be lost, step by step, vendored packages too. Of these also what a changed function may hand on to.

    Args:
        source: where both come from.
        base: the merge base's directories in which a Go file differs.
        head: likewise of head.
        options: the platforms; Windows judged by Linux when None.

    Raises:
        SourceError: git cannot give what is asked for.
    """
    revision = Sha(head.rev)
    vendored = source.vendored(Sha(base.rev), revision)
    known = Around(
        source.outline(revision),
        vendored=vendored,
        origins=source.origins(base, head),
        moved=_moved(source, base, head),
    )
    found = replace(known, unreadable=_unread(vendored))
    search = Search(base, head, found, options)
    if handed := _divided(source, revision, search.handed()):
        sides = [source.vendored_at(Sha(side.rev), handed, MAX_HANDED) for side in (base, head)]
        found = replace(found, handed=(sides[0], sides[1]))
        search = Search(base, head, found, options)
    asked: set[str] = set()
    for number in range(MAX_VENDORED_ROUNDS):
        wanted = search.wanted(found) - asked
        asked |= wanted
        theirs = {where for where in wanted if where.startswith(f"{VENDOR}/")}
        more = source.directories(revision, wanted - theirs if number < MAX_ROUNDS else ())
        behind = source.vendored_at(Sha(base.rev), theirs, MAX_BEHIND - len({_folder(path) for path in found.behind}))
        if not (more.files or more.unreadable or behind):
            break
        found = replace(
            found,
            files={**found.files, **more.files},
            behind={**found.behind, **behind},
            unreadable=found.unreadable + more.unreadable,
        )
    return found


def _divided(source: LocalRepository, rev: Sha, wanted: frozenset[str]) -> list[str]:
    """The vendored packages in which the names of files tell platforms apart."""
    return [where for where, names in source.vendored_names(rev, wanted).items() if divides(names)]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _moved(source: LocalRepository, base: Snapshot, head: Snapshot) -> tuple[Moved, ...]:
    """The modules that go.mod moves, where their source is nowhere in the repository."""
    revisions = Sha(base.rev), Sha(head.rev)
    if source.same(*revisions, GO_MOD) or source.has_vendor(revisions[1]):
        return ()
    sides = [source.file(rev, GO_MOD, MAX_GO_MOD) or b"" for rev in revisions]
    if max(map(len, sides)) > MAX_GO_MOD:
        return ()
    before, after = (side.decode(errors="replace") for side in sides)
    return moved(before, after)


def _unread(vendored: tuple[Snapshot, Snapshot] | None) -> tuple[Unreadable, ...]:
    return vendored[0].unreadable + vendored[1].unreadable if vendored else ()
