"""The cases and the table of bodies are Go that builds: what no compiler takes proves nothing."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.analyzer.bodies import FOLDER, files
from tests.analyzer.cases import CASES
from tests.analyzer.gotool import NoGoError, go, go_command

pytestmark = pytest.mark.slow

# What imports its own packages, or brings vendored ones, has to be a module of its own.
MODULE = "example.com/harbor"

# The type checker and one quick check of vet: the others judge style.
VET = ("vet", "-nilfunc", "./...")


@pytest.fixture(autouse=True)
def _go() -> None:
    try:
        go_command()
    except NoGoError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


def _write(folder: Path, tree: Mapping[str, str]) -> None:
    for path, source in tree.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(source, encoding="utf-8")


def _modules(folder: Path, trees: Iterable[tuple[str, Mapping[str, str]]]) -> Iterator[Path]:
    """Write the trees: one module for all of them, and one for each that imports itself."""
    _write(folder, {"go.mod": "module example.com/cases\n\ngo 1.24\n"})
    yield folder
    for name, tree in trees:
        _write(folder / name, tree)
        if any(f'"{MODULE}/' in source for source in tree.values()):
            _write(folder / name, {"go.mod": f"module {MODULE}\n\ngo 1.24\n"})
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
