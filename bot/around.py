"""Reads what an analysis needs beside the directories that differ: for an ordinary pull request, nothing."""

from dataclasses import replace

from analyzer import wanted
from analyzer.model import Around, Options, Snapshot, Unreadable
from bot.ids import Sha
from bot.source import LocalRepository


def around(source: LocalRepository, base: Snapshot, head: Snapshot, options: Options | None = None) -> Around:
    """What lies around two snapshots, as far as it matters.

    The list of directories is free, and vendored packages are read only where they differ, or where new directories look
    like them. Other packages are read, in one
    batch, when the change takes something away from them on Windows, or newly uses what may be divided by platform.

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
    known = Around(source.outline(revision), vendored=vendored, origins=source.origins(base, head))
    found = source.directories(revision, wanted(base, head, known, options))
    return replace(known, files=found.files, unreadable=found.unreadable + _unread(vendored))


def _unread(vendored: tuple[Snapshot, Snapshot] | None) -> tuple[Unreadable, ...]:
    return vendored[0].unreadable + vendored[1].unreadable if vendored else ()
