"""What a branch lost and has not got back, as values: in the store, in the issue's hidden first line, in what is told."""

import base64
import binascii
import hashlib
import re
import zlib
from typing import Literal

import msgspec

from analyzer.model import Analysis, Finding
from bot.ids import Sha

MAX_OPEN = 50
"""Regressions of one branch that are followed up; a push that loses more is told by these."""

MAX_RESOLVED = 25
"""Of those that are no longer found, as many as the issue still lists."""

MAX_MUTED = 500
"""Fingerprints that a person closed an issue on."""

MAX_PATH, MAX_WORDS = 4_096, 1_000
"""Characters of a path and of a message that are kept."""

MAX_FINDINGS = 50
"""Findings that the history keeps of one push."""

MAX_STATE = 12_000
"""Bytes in the issue's first line; beyond, only the store has it."""

_MAX_UNPACKED = 4 * 1024 * 1024
_MARKER = re.compile(r"<!-- winparity alert ([0-9a-f]{16})(?: ([A-Za-z0-9+/=]+))? -->")

Speaks = Literal["issue", "webhooks", "never"]
"""Whom a regression is told: an issue and the operator's receivers, only these, or nobody."""


class Regression(msgspec.Struct, frozen=True, omit_defaults=True):
    """A regression, and between which commits of the branch it came.

    Attributes:
        rule: with ``package``, ``symbol``, ``path``, ``line``, ``end_line``, ``side``, ``message``: as in a finding.
        fingerprint: the finding's.
        before: the branch's tip that did not have it yet.
        after: the tip at which it was found.
        pulls: the pull requests that were merged between.
        commits: how many commits lie between; 0 when that is not known.
        rewritten: the branch does not lead from ``before`` to ``after``.
    """

    rule: str
    package: str
    symbol: str
    path: str
    line: int
    end_line: int
    side: Literal["base", "head"]
    message: str
    fingerprint: str
    before: Sha
    after: Sha
    pulls: tuple[int, ...] = ()
    commits: int = 0
    rewritten: bool = False

    @classmethod
    def of(cls, finding: Finding, before: Sha, after: Sha) -> "Regression":
        """What is to be known of a finding."""
        return cls(
            finding.rule,
            finding.package[:MAX_PATH],
            (finding.symbol or "")[:MAX_WORDS],
            finding.path[:MAX_PATH],
            finding.line,
            finding.end_line,
            finding.side,
            finding.message[:MAX_WORDS],
            finding.fingerprint[: 2 * MAX_PATH],
            before,
            after,
        )


class Resolved(msgspec.Struct, frozen=True, omit_defaults=True):
    """A regression that is no longer found.

    Attributes:
        what: which.
        at: the tip without it.
        accepted: the project accepts it now, in the source or in its settings.
        pulls: the pull requests that were merged meanwhile.
    """

    what: Regression
    at: Sha
    accepted: bool = False
    pulls: tuple[int, ...] = ()


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a branch.

    Attributes:
        tip: the commit that was looked at last; "" before the first.
        first: the commit from which on the branch is known.
        target: the GOOS that is judged.
        speaks: whom a regression is told.
        issue: the number of our open issue; 0 when there is none.
        open: what is lost.
        resolved: what the issue listed before.
        muted: fingerprints of what a person closed an issue on.
        opened: what nobody was told yet.
        closed: what nobody was told yet to be resolved.
        pending: issue and receivers are not known to be up to date.
        refused: why GitHub would not let us write an issue, the last time.
    """

    tip: str = ""
    first: str = ""
    target: str = "windows"
    speaks: Speaks = "issue"
    issue: int = 0
    open: tuple[Regression, ...] = ()
    resolved: tuple[Resolved, ...] = ()
    muted: tuple[str, ...] = ()
    opened: tuple[Regression, ...] = ()
    closed: tuple[Resolved, ...] = ()
    pending: bool = False
    refused: str = ""


class _Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of the state that an issue shows."""

    open: tuple[Regression, ...] = ()
    resolved: tuple[Resolved, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """One push in a branch's history.

    Attributes:
        sha: the tip.
        before: what it was compared with.
        time: in seconds since the epoch.
        verdict: as ``winparity diff`` has it.
        complete: everything that matters could be read.
        counts: of the findings, by level.
        findings: those above a note, worst first, at most `MAX_FINDINGS`.
    """

    sha: Sha
    before: Sha
    time: int
    verdict: str
    complete: bool
    counts: dict[str, int]
    findings: tuple[dict[str, str | int], ...]

    @classmethod
    def of(cls, analysis: Analysis, time: int) -> "Entry":
        """What is worth keeping of a comparison."""
        counts: dict[str, int] = {}
        for finding in analysis.findings:
            counts[finding.level.value] = counts.get(finding.level.value, 0) + 1
        told = [f for f in analysis.findings if f.level.value != "note"][:MAX_FINDINGS]
        return cls(
            Sha(analysis.head),
            Sha(analysis.base),
            time,
            analysis.verdict,
            analysis.complete,
            counts,
            tuple(_kept(finding) for finding in told),
        )


def _kept(finding: Finding) -> dict[str, str | int]:
    return {
        "rule": finding.rule,
        "level": finding.level.value,
        "path": finding.path[:MAX_PATH],
        "line": finding.line,
        "side": finding.side,
        "symbol": (finding.symbol or "")[:MAX_WORDS],
        "message": finding.message[:MAX_WORDS],
    }


def _hook(kind: type, text: str) -> object:
    return kind(text)


_ENCODER = msgspec.json.Encoder(enc_hook=str)
_STATE = msgspec.json.Decoder(State, dec_hook=_hook)
_SHOWN = msgspec.json.Decoder(_Shown, dec_hook=_hook)


def encode(value: State | Entry) -> bytes:
    """As the store keeps it."""
    return _ENCODER.encode(value)


def decode(stored: bytes | None) -> State | None:
    """The state that was encoded; None when there is none, or one of another version."""
    try:
        return _STATE.decode(stored) if stored else None
    except msgspec.DecodeError:
        return None


def mark(branch: str, state: State) -> str:
    """The issue's first line: whose it is, and what it shows, so that a store that was lost can be filled from it."""
    shown = _ENCODER.encode(_Shown(state.open, state.resolved))
    packed = base64.b64encode(zlib.compress(shown, 9)).decode()
    rest = f" {packed}" if len(packed) <= MAX_STATE else ""
    return f"<!-- winparity alert {_name(branch)}{rest} -->"


def is_marked(branch: str, body: str) -> bool:
    """Whether an issue's body begins as that of a branch does."""
    found = _MARKER.match(body)
    return found is not None and found[1] == _name(branch)


def recovered(body: str) -> State:
    """What an issue shows; nothing when it does not say. People can edit it, so it is not believed to be whole."""
    found = _MARKER.match(body)
    if found is None or not found[2]:
        return State()
    try:
        shown = _SHOWN.decode(zlib.decompressobj().decompress(base64.b64decode(found[2]), _MAX_UNPACKED))
    except (binascii.Error, zlib.error, msgspec.DecodeError, ValueError):
        return State()
    return State(open=shown.open[:MAX_OPEN], resolved=shown.resolved[:MAX_RESOLVED])


def _name(branch: str) -> str:
    return hashlib.sha256(branch.encode()).hexdigest()[:16]
