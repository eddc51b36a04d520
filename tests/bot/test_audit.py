"""The dependency audit: what is found fails, and what was not looked at never looks like a pass."""

from typing import Any

import pytest

from tests.audit import verdict

FINE = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
SKIPPED = {"name": "yarl", "skip_reason": "Dependency not found on PyPI and could not be audited: yarl (1.25.1)"}
VULNERABLE = {"name": "saq", "version": "0.1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2"]}]}


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ([FINE], 0, ["audited 1 packages: 0 vulnerabilities"]),
        ([FINE, VULNERABLE], 1, ["saq 0.1: PYSEC-1, mended in 0.2", "audited 2 packages: 1 vulnerabilities"]),
        ([SKIPPED, SKIPPED], 0, ["NOT AUDITED: 2 of 2 packages", "audited 0 packages"]),
        ([FINE, SKIPPED], 0, ["NOT AUDITED: 1 of 2 packages", "audited 1 packages"]),
        ([VULNERABLE, SKIPPED], 1, ["PYSEC-1", "NOT AUDITED: 1 of 2 packages", "audited 1 packages"]),
        ([], 0, ["NOT AUDITED"]),
        (None, 0, ["NOT AUDITED: no route to host"]),
    ],
)
def test_what_an_audit_came_to(found: list[Any] | None, code: int, words: list[str]) -> None:
    told = verdict(None if found is None else {"dependencies": found}, "no route to host")
    assert told[0] == code
    assert [word for word in words if word not in "\n".join(told[1])] == []
    assert ("NOT AUDITED" in "\n".join(told[1])) == any("NOT" in word for word in words)
