"""The cases and the table of bodies are Go that builds: what no compiler takes proves nothing."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.analyzer.bodies import FOLDER, files
from tests.analyzer.cases import CASES
from tests.analyzer.gotool import VET, go, need_go, write

pytestmark = pytest.mark.slow

# What imports its own packages, or brings vendored ones, has to be a module of its own.
MODULE = re.compile(r'"(example\.com/harbor(?:/v\d+)?)(?:/|"$)', re.MULTILINE)


@pytest.fixture(autouse=True)
def _go() -> None:
    need_go()


def _modules(folder: Path, trees: Iterable[tuple[str, Mapping[str, str]]]) -> Iterator[Path]:
    """Write the trees: one module for all of them, and one for each that imports itself."""
    write(folder, {"go.mod": "module example.com/cases\n\ngo 1.24\n"})
    yield folder
    for name, tree in trees:
        write(folder / name, tree)
        if found := next(filter(None, map(MODULE.search, tree.values())), None):
            write(folder / name, {"go.mod": f"module {found[1]}\n\ngo 1.24\n"})
            yield folder / name


def test_every_case_builds_on_linux_before_and_after(tmp_path: Path) -> None:
    # On Windows some cases do not build, and that is what they show.
    trees = [(f"{case.name}/{side}", getattr(case, side)) for case in CASES for side in ("base", "head")]
    own = [(name, tree) for name, tree in trees if not any("vendor/" in path for path in tree)]
    for module in list(_modules(tmp_path, own)):
        go(*VET, folder=module, GOOS="linux", CGO_ENABLED="0")


@pytest.mark.parametrize("goos", ["linux", "windows"])
def test_the_table_of_bodies_builds_on_both_platforms(tmp_path: Path, goos: str) -> None:
    for module in list(_modules(tmp_path, ((path.stem, files(path.stem)) for path in FOLDER.glob("*.txtar")))):
        go(*VET, folder=module, GOOS=goos, CGO_ENABLED="0")
