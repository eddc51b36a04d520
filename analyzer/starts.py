"""The programs of a revision, and what runs when one starts: main, and the ``init`` of all that it imports."""

from collections.abc import Iterator

from analyzer.calls import Calls
from analyzer.entries import Entry, Root


def find(calls: Calls) -> Iterator[Root]:
    """What runs when a program starts, of all programs."""
    programs: dict[str, str] = {}
    for where in mains(calls):
        yield Root(Entry("start", program(where)), where, "main")
        for inner in (where, *calls.imported_by(where)):
            programs.setdefault(inner, program(where))
    for where, name in calls.functions:
        if name.startswith("init ") and where in programs:
            yield Root(Entry("start", programs[where]), where, name)


def mains(calls: Calls) -> list[str]:
    """The packages that are programs which the target builds, and no help for tests."""
    return sorted(where for where, name in calls.functions if name == "main" and _is_program(calls, where))


def program(where: str) -> str:
    """The name of the program that a package is."""
    return where.rpartition("/")[2]


def _is_program(calls: Calls, where: str) -> bool:
    files = [f for f in calls.packages[where].files.values() if f.on_target and not f.is_test]
    return any(f.facts.package == "main" for f in files) and not any(f.helps_tests for f in files)
