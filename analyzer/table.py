"""The table of one revision: what Windows has of each package, and the score."""

from analyzer import reading, suppress
from analyzer.model import Options, Parity, Score, Snapshot
from analyzer.parity import Revision, View
from analyzer.symbols import packages


def scan(snapshot: Snapshot, options: Options | None = None) -> Parity:
    """The Windows support of one revision, package by package."""
    options = options or Options()
    revision = Revision(packages(snapshot, options, reading.of_a_table), options)
    views = {where: View(package, revision) for where, package in revision.packages.items()}
    tables = [view.parity() for view in views.values()]
    tables = [table for table in tables if table.symbols]
    total = sum((table.score for table in tables), Score())
    return Parity(
        snapshot.rev,
        total,
        tuple(tables),
        reading.unreadable(reading.of_a_table, options.reader, snapshot),
        options,
        suppress.stale(views, options.policy),
    )
