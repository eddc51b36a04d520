"""What the hook of pre-commit compares: what is about to be pushed, with the branch that it will be merged into."""

from collections.abc import Iterator

from bot.config import PreCommit
from bot.git import SourceError
from bot.ids import Sha
from bot.source import LocalRepository

UPSTREAM = "upstream"
"""What people who push to a fork call the repository that they forked."""


def pushed(source: LocalRepository, told: PreCommit, base: str = "") -> tuple[Sha, Sha]:
    """The merge base, and the commit that is judged.

    A branch counts as a whole, as a pull request would: what was pushed before is no excuse.

    Args:
        source: the repository.
        told: what pre-commit says.
        base: the revision to compare with, when it is given.

    Raises:
        SourceError: there is nothing to compare with.
    """
    head = source.resolve(told.to_ref or "HEAD")
    if not base and told.from_ref and not told.remote:
        base = told.from_ref  # somebody runs pre-commit with --from-ref
    return source.merge_base(source.resolve(base) if base else _default(source, told), head), head


def _default(source: LocalRepository, told: PreCommit) -> Sha:
    """The tip of the default branch, as it was last fetched; else what the remote has of the branch that is pushed."""
    for rev in _candidates(told):
        try:
            return source.resolve(rev)
        except SourceError:
            continue
    raise SourceError(
        "cannot tell the default branch; run `git remote set-head origin --auto`, or give the hook args: [--base, REV]"
    )


def _candidates(told: PreCommit) -> Iterator[str]:
    for remote in dict.fromkeys((UPSTREAM, told.remote or "origin", "origin")):
        yield from (f"refs/remotes/{remote}/{branch}" for branch in ("HEAD", "main", "master"))
    if told.from_ref:
        yield told.from_ref
