"""A small measure over our own code: each kind of mutant is caught, or stays silent, in the sample and in the cases."""

from collections.abc import Iterator

import pytest

from analyzer import analyze
from analyzer.model import Analysis, Snapshot
from bot.demo.sample import sample
from tests import mutants
from tests.analyzer.cases import CASES, snapshot
from tests.mutation.code import Folder, folders, with_changes
from tests.mutation.edit import Kind
from tests.mutation.kinds import kinds

MOST = 4
# Places for the kinds that neither the sample nor a case has one for.
PLACES = """\
package spool

import (
	"os"
	"runtime"
)

// Path is where a job waits.
func Path(name string) string {
	folder := "/var/spool"
	if runtime.GOOS == "windows" {
		return os.TempDir() + name
	} else {
		return folder + name
	}
}

// Enter lets jobs wait.
func Enter(names []string) error {
	suffix := ".job"
	for _, name := range names {
		if err := os.WriteFile(name+suffix, nil, 0o600); err != nil {
			return err
		}
		os.Remove(name)
	}
	return Settle(names[0])
}
"""
SETTLES = """\
package spool

import "os"

// Settle ends the waiting.
func Settle(name string) error {
	os.Remove(name + ".%s")
	return os.WriteFile(name, nil, 0o600)
}
"""
VENDORED = """\
package spool

import "os"

// Clear removes what waits.
func Clear(name string) error {
	return os.Remove(name)
}
"""
UNUSED = "package spool\n\n// Size is how many may wait.\nconst Size = 4\n"
USES = """\
package queue

import "example.org/spool"

// End removes a job.
func End(name string) error {
	return spool.Clear(name)
}
"""


def _places() -> dict[str, str]:
    own = {f"spool/settle_{system}.go": SETTLES % system for system in ("linux", "windows")}
    return {"spool/spool.go": PLACES, **own}


def _vendored() -> Folder:
    theirs = {f"vendor/example.org/spool/{name}.go": text for name, text in (("spool", VENDORED), ("size", UNUSED))}
    held = with_changes({}, {path: text.encode() for path, text in theirs.items()})
    [folder] = folders(Snapshot("0" * 40, held))
    return folder.with_users(snapshot({"queue/queue.go": USES}).files)


def _folders() -> Iterator[Folder]:
    yield from folders(snapshot({**sample("base"), **_places()}))
    yield _vendored()
    for case in CASES:
        # What a case shows to be judged wrongly still, a mutant of it may show too.
        # And what does not compile before it is edited has nothing that an edit could newly take away.
        if not case.todo and case.name != "implementation-lost/never-compiled":
            yield from folders(snapshot({f"{case.name}/{path}": text for path, text in case.base.items()}))


FOLDERS = list(_folders())


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_a_mutant_is_seen_as_what_it_is(kind: Kind) -> None:
    count = mutants.measure(kind, FOLDERS, most=MOST, seed=1)
    assert count.made
    assert count.broken == []
    assert [miss.diff for miss in count.misses] == []


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind.rules], ids=lambda kind: kind.name)
def test_an_analyzer_that_says_nothing_catches_nothing(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*snapshots: object, **around: object) -> Analysis:
        empty = snapshot({})
        del snapshots, around
        return analyze(empty, empty)

    monkeypatch.setattr(mutants, "analyze", nothing)
    assert mutants.measure(kind, FOLDERS, most=1, seed=1).good == 0


def test_the_same_seed_makes_the_same_mutants() -> None:
    kind = next(kind for kind in kinds() if kind.name == "guard refuses")
    one, two = (mutants.measure(kind, FOLDERS, most=MOST, seed=7) for _ in range(2))
    assert one == two
    assert mutants.measure(kind, FOLDERS, most=1, seed=8).made == 1


def test_the_table_says_how_many_were_made_and_seen() -> None:
    counts = [mutants.Count("test skipped", 10, 9, 9), mutants.Count("crlf", 3, 3)]
    lines = list(mutants.table(counts))
    assert lines[1].split() == ["test", "skipped", "10", "9", "90.0%", "9"]
    assert not mutants.good_enough(counts)
    assert mutants.good_enough([mutants.Count("test skipped", 100, 99), mutants.Count("crlf", 200, 199)])
