"""Since when a line of a local repository is what it is."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from analyzer.model import Place
from bot import git
from bot.git import SourceError
from bot.ids import Sha
from bot.source import LocalRepository

_COMMIT = re.compile(r"^([0-9a-f]{40}) ")


@dataclass(frozen=True, slots=True)
class Since:
    """The commit that brought a line; texts are as their author wrote them. ``day`` is UTC, as in 2026-01-31."""

    commit: Sha
    day: str
    author: str
    subject: str


def since(source: LocalRepository, rev: Sha, place: Place) -> Since | None:
    """The commit that brought a line; None when the clone lacks the history, or git cannot tell.

    Args:
        source: the repository.
        rev: the commit whose line it is.
        place: the line.
    """
    if not is_whole(source):
        return None
    lines = f"{place.line},{place.line}"
    try:
        done = git.run(source.path, "blame", "--porcelain", "-w", "-L", lines, rev, "--", place.path)
    except SourceError:  # it took too long
        return None
    said = done.stdout.decode(errors="replace").split("\n")
    commit = _COMMIT.match(said[0]) if done.returncode == 0 else None
    if commit is None:
        return None
    told = dict(line.split(" ", 1) for line in said[1:] if " " in line and not line.startswith("\t"))
    day = datetime.fromtimestamp(int(told.get("author-time", "0")), UTC).date().isoformat()
    return Since(Sha(commit[1]), day, told.get("author", ""), told.get("summary", ""))


def is_whole(source: LocalRepository) -> bool:
    """Whether a clone has its whole history and all files of it."""
    shallow = git.run(source.path, "rev-parse", "--is-shallow-repository").stdout.strip() != b"false"
    partial = git.run(source.path, "config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$")
    return not shallow and not partial.stdout.strip()
