"""Analysis as SARIF 2.1.0, which code scanning and editors read."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from analyzer.model import Accepted, Analysis, Finding, Level
from analyzer.names import in_words_of, platform_name
from analyzer.rules.pages import Page, page_of
from bot.docs import PAGES
from bot.text import visible

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
"""The address of the schema, as GitHub's documentation names it."""

FINGERPRINT = "winparity/v1"
"""The name of our fingerprint: made of rule, package and symbol, so it survives edits elsewhere in the file."""

ROOT = "%SRCROOT%"
"""What paths are relative to: the repository's root."""

# Every bracket that might begin a link.
_LINK = re.compile(r"\[(?=.*\]\()")
_LEVELS = {Level.REGRESSION: "error", Level.WARNING: "warning", Level.IMPROVEMENT: "none", Level.NOTE: "note"}


def sarif(analysis: Analysis) -> dict[str, Any]:
    """``diff --format sarif``: one run. An improvement is informational; what was accepted is suppressed."""
    rules = {rule: number for number, rule in enumerate(PAGES)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(analysis)},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
                "automationDetails": {"id": f"winparity/{analysis.options.target.goos}/"},
                "invocations": [_invocation(analysis)],
                "results": [_result(finding, analysis, rules) for finding in analysis.findings],
                "properties": {"base": analysis.base, "head": analysis.head, "verdict": analysis.verdict},
            }
        ],
    }


def _driver(analysis: Analysis) -> dict[str, Any]:
    pages = {rule: page_of(in_words_of(analysis.options, page)) for rule, page in PAGES.items()}
    return {
        "name": "winparity",
        "semanticVersion": version("winparity"),
        "rules": [_rule(rule, page) for rule, page in pages.items()],
    }


def _rule(rule: str, page: Page) -> dict[str, Any]:
    return {
        "id": rule,
        "name": "".join(word.capitalize() for word in rule.split("-")),
        "shortDescription": {"text": page.summary},
        "fullDescription": {"text": page.sections.get("What it finds", page.summary)},
        "help": {
            "text": "\n\n".join(f"{title}: {words}" for title, words in page.sections.items()),
            "markdown": "\n\n".join(f"**{title}**\n\n{words}" for title, words in page.sections.items()),
        },
    }


def _invocation(analysis: Analysis) -> dict[str, Any]:
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [
            {
                "level": "warning",
                "message": {"text": _words(f"could not read {entry.path}: {entry.reason}")},
                "locations": [{"physicalLocation": {"artifactLocation": _artifact(entry.path)}}],
            }
            for entry in analysis.unreadable
        ],
    }


def _result(finding: Finding, analysis: Analysis, rules: Mapping[str, int]) -> dict[str, Any]:
    improved = finding.level is Level.IMPROVEMENT
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.get(finding.rule, -1),
        "kind": "informational" if improved else "fail",
        "level": _LEVELS[finding.level],
        "message": {"text": _words(finding.message)},
        "locations": [_location(finding)],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {
            "side": finding.side,
            "package": finding.package,
            "stub": finding.stub.value if finding.stub else None,
            "gap": finding.gap,
            "silent": finding.silent,
            "impact": [*finding.impact],
        },
    }
    if finding.counterpart is not None:
        other = finding.counterpart
        name = platform_name(analysis.options.reference)
        result["relatedLocations"] = [
            {"id": 1, **_physical(other.path, other.line), "message": {"text": f"What {name} has."}}
        ]
    if finding.accepted is not None:
        result["suppressions"] = [_suppression(finding.accepted)]
    return result


def _location(finding: Finding) -> dict[str, Any]:
    logical = [{"fullyQualifiedName": finding.symbol, "kind": "function"}] if finding.symbol else []
    return {
        **_physical(finding.path, finding.line, finding.end_line),
        **({"logicalLocations": logical} if logical else {}),
    }


def _physical(path: str, line: int, end: int = 0) -> dict[str, Any]:
    region = {"startLine": line, **({"endLine": end} if end else {})}
    return {"physicalLocation": {"artifactLocation": _artifact(path), "region": region}}


def _artifact(path: str) -> dict[str, str]:
    return {"uri": quote(path, safe="/"), "uriBaseId": ROOT}


def _suppression(by: Accepted) -> dict[str, Any]:
    return {
        "kind": "inSource" if by.in_source else "external",
        "status": "accepted",
        "justification": _words(f"{by.reason} ({by.issue})" if by.issue else by.reason),
        **({"location": _physical(by.place.path, by.place.line)} if by.place else {}),
    }


def _words(text: str) -> str:
    """Plain text of unknown origin. ``[text](target)`` would be a link in it (SARIF 2.1.0, 3.11.6), so it is escaped."""
    return _LINK.sub(r"\\[", visible(text))
