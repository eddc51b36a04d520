"""Analysis to the JSON that other programs rely on."""

import json
from typing import Any

import msgspec

from analyzer.model import Analysis, Finding, Parity, Place, Score, Unreadable

SCHEMA = 1
"""The version of the JSON (contract): it changes when a field changes its meaning."""


def analysis_json(analysis: Analysis) -> dict[str, Any]:
    """``diff --format json``."""
    return {
        "schema": SCHEMA,
        "base": analysis.base,
        "head": analysis.head,
        "verdict": analysis.verdict,
        "complete": analysis.complete,
        "unreadable": _unreadable(analysis.unreadable),
        "score": {"base": score_json(analysis.base_score), "head": score_json(analysis.head_score)},
        "findings": [_finding(finding) for finding in analysis.findings],
    }


def parity_json(parity: Parity) -> dict[str, Any]:
    """``scan --format json``."""
    return {
        "schema": SCHEMA,
        "rev": parity.rev,
        "score": score_json(parity.score),
        "packages": [
            {
                "dir": package.dir,
                "score": score_json(package.score),
                "symbols": [
                    {
                        "name": symbol.name,
                        "kind": symbol.kind,
                        "status": symbol.status.value,
                        "stub": symbol.stub.value if symbol.stub else None,
                        "gap": symbol.gap,
                        "windows": _place(symbol.windows),
                        "linux": _place(symbol.linux),
                    }
                    for symbol in package.symbols
                ],
            }
            for package in parity.packages
        ],
    }


def json_line(told: Any) -> bytes:
    """What is told as JSON on one line. Of a large repository it is megabytes, which the standard library takes long for."""
    try:
        return msgspec.json.encode(told, enc_hook=str)
    except UnicodeEncodeError:  # a name of bytes that are no text
        return json.dumps(told).encode()


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": finding.level.value,
        "path": finding.path,
        "line": finding.line,
        "end_line": finding.end_line,
        "side": finding.side,
        "symbol": finding.symbol,
        "stub": finding.stub.value if finding.stub else None,
        "gap": finding.gap,
        "silent": finding.silent,
        "counterpart": _place(finding.counterpart),
        "message": finding.message,
        "impact": list(finding.impact),
        "fingerprint": finding.fingerprint,
    }


def score_json(score: Score) -> dict[str, Any]:
    """A score, with its percent."""
    return {
        "implemented": score.implemented,
        "partial": score.partial,
        "stub": score.stub,
        "missing": score.missing,
        "percent": score.percent,
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    return {"path": place.path, "line": place.line} if place else None


def _unreadable(entries: tuple[Unreadable, ...]) -> list[dict[str, str]]:
    return [{"path": entry.path, "reason": entry.reason} for entry in entries]
