"""The patches that findings come with: applied by git, they are what a person would write, and Go builds them."""

import re
import subprocess
from pathlib import Path

import pytest

from analyzer.model import Advice
from tests.analyzer.cases import Case, analysis, read
from tests.analyzer.gotool import go, goroot

FOLDER = Path(__file__).parents[1] / "advice"
MODULE = "module example.com/harbor\n\ngo 1.24\n"
_REASON = re.compile(r"^no patch: (.+)$", re.MULTILINE)


CASES = [read(path) for path in sorted(FOLDER.glob("*.txtar"))]
PATCHED = [case for case in CASES if not _REASON.search(case.prose)]
by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.stem)
with_a_patch = pytest.mark.parametrize("case", PATCHED, ids=lambda case: case.path.stem)


def _advice(case: Case) -> list[Advice]:
    return [f.advice for f in analysis(case.base, case.head).findings if f.advice is not None]


def _patched(case: Case, folder: Path) -> None:
    """Write head, and apply every patch to it."""
    for path, source in {**case.head, "go.mod": MODULE}.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(source, encoding="utf-8")
    for advice in _advice(case):
        if advice.patch:
            subprocess.run(
                ["git", "apply", "-"],
                cwd=folder,
                input=advice.patch.encode(),
                check=True,
                capture_output=True,
                env={"GIT_CEILING_DIRECTORIES": str(folder.parent), "PATH": "/usr/bin:/bin:/usr/local/bin"},
            )


@by_name
def test_what_is_advised_is_what_a_person_would_write(case: Case, tmp_path: Path) -> None:
    wanted = {n.removeprefix("patched/"): text for n, text in case.files.items() if n.startswith("patched/")}
    reasons = [advice.reason for advice in _advice(case) if advice.reason]
    assert reasons == _REASON.findall(case.prose)
    _patched(case, tmp_path)
    found = {str(p.relative_to(tmp_path)): p.read_text(encoding="utf-8") for p in tmp_path.rglob("*.go")}
    assert {path: text for path, text in found.items() if case.head.get(path) != text} == wanted


@pytest.mark.slow
@with_a_patch
def test_with_the_patch_go_builds_it(case: Case, tmp_path: Path) -> None:
    _patched(case, tmp_path)
    for goos in ("windows", "linux", "darwin"):
        if goos != "darwin" or "!linux" in "".join(case.files.values()):
            go("vet", "./...", folder=tmp_path, GOOS=goos, CGO_ENABLED="0")
    done = subprocess.run(
        [goroot() / "bin" / "gofmt", "-l", *(a.path for a in _advice(case))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
