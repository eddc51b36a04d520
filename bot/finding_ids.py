"""What a finding is called in a command: `/winparity accept ID reason`."""

import hashlib
from collections.abc import Iterable

from analyzer.model import Finding

SHORTEST = 7
"""Hexadecimal digits that an id has at least, as git has it for commits."""


def finding_id(finding: Finding) -> str:
    """All 64 digits of a finding's id. It is as stable as the fingerprint: it survives edits elsewhere."""
    return id_of(finding.fingerprint)


def id_of(fingerprint: str) -> str:
    """The id of the findings with a fingerprint."""
    return hashlib.sha256(fingerprint.encode()).hexdigest()


def short_ids(findings: Iterable[Finding]) -> dict[str, str]:
    """By fingerprint: the beginning of the id that names no other of these findings. All have one length."""
    ids = {finding.fingerprint: finding_id(finding) for finding in findings}
    length = next(n for n in range(SHORTEST, 65) if len({known[:n] for known in ids.values()}) == len(ids))
    return {fingerprint: known[:length] for fingerprint, known in ids.items()}
