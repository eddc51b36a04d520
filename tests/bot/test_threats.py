"""docs/security.md: every threat in it names the tests that prove what stops it, and they exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
_WORDS = re.compile(r"`[^`]+`")


def _threats() -> list[tuple[str, str, str]]:
    """Threat, what stops it, and its tests: the rows of all tables with three columns."""
    rows = [line.strip("|").split(" | ") for line in DOCUMENT.splitlines() if line.startswith("| ")]
    cells = [(row[0].strip(), row[1].strip(), row[2].strip()) for row in rows if len(row) == 3]
    return [row for row in cells if row[0] not in {"threat", "---"}]


@cache
def _tests(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests/bot" / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_table_is_read() -> None:
    assert len(_threats()) > 50
    assert DOCUMENT.count("\n| threat | what stops it | proven by |\n| --- | --- | --- |\n") == DOCUMENT.count(
        "| threat"
    )


@pytest.mark.parametrize(("threat", "stopped", "proof"), _threats(), ids=lambda text: text[:60])
def test_every_threat_is_stopped_and_that_is_proven(threat: str, stopped: str, proof: str) -> None:
    found = _TEST.findall(proof)
    assert threat
    assert stopped
    assert found, "no test is named"
    assert len(found) == len(_WORDS.findall(proof)), "what is named is no test"
    assert [f"{file}::{name}" for file, name in found if name not in _tests(file)] == []


def test_every_test_of_security_proves_a_line() -> None:
    named = {name for _, name in _TEST.findall(DOCUMENT)}
    ours = {name for name in _tests("test_security.py") if name.startswith("test_")}
    assert ours - named == set()


@pytest.mark.parametrize("file", sorted(path.name for path in ROOT.glob("requirements*.txt")))
def test_every_requirement_is_locked_by_its_hash(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert [line[:60] for line in lines if not re.match(r"[\w.\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []
