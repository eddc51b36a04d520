"""The table of one revision: what Windows has of each package, and the score."""

from analyzer import reading, suppress
from analyzer.model import Options, PackageParity, Parity, Score, Snapshot
from analyzer.parity import Revision, View
from analyzer.portable import portable
from analyzer.symbols import packages


def scan(snapshot: Snapshot, options: Options | None = None, *, portables: bool = False) -> Parity:
    """The Windows support of one revision, package by package.

    Args:
        snapshot: the revision.
        options: the platforms; Windows judged by Linux when None.
        portables: also look for files that Windows leaves out and could build.
    """
    options = options or Options()
    revision = Revision(packages(snapshot, options, reading.of_a_table), options)
    views = {where: View(package, revision) for where, package in revision.packages.items()}
    tables = options.share(lambda where: views[where].parity(), [*views], PackageParity)
    tables = [table for table in tables if table.symbols]
    read = {path: file.facts for view in views.values() for path, file in view.package.files.items()}
    total = sum((table.score for table in tables), Score())
    return Parity(
        snapshot.rev,
        total,
        tuple(tables),
        tuple(sorted(reading.unreadable(snapshot, read))),
        options,
        suppress.stale(views, options.policy),
        tuple(f for f in portable(revision.packages, options) if f.functions) if portables else (),
    )
