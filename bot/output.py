"""Analysis to text: the JSON of the contract, and what a person reads in a terminal."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from analyzer.model import Analysis, Finding, Level, Parity, Place, Score, Unreadable
from bot.report import visible

SCHEMA = 1
"""The version of the JSON (contract): it changes when a field changes its meaning."""

MARKS = {Level.REGRESSION: "✗", Level.WARNING: "!", Level.IMPROVEMENT: "✓", Level.NOTE: "·"}
_STYLES = {Level.REGRESSION: "bold red", Level.WARNING: "yellow", Level.IMPROVEMENT: "green", Level.NOTE: "dim"}


def analysis_json(analysis: Analysis) -> dict[str, Any]:
    """``diff --format json``."""
    return {
        "schema": SCHEMA,
        "base": analysis.base,
        "head": analysis.head,
        "verdict": analysis.verdict,
        "complete": analysis.complete,
        "unreadable": _unreadable(analysis.unreadable),
        "score": {"base": _score(analysis.base_score), "head": _score(analysis.head_score)},
        "findings": [_finding(finding) for finding in analysis.findings],
    }


def parity_json(parity: Parity) -> dict[str, Any]:
    """``scan --format json``."""
    return {
        "schema": SCHEMA,
        "rev": parity.rev,
        "score": _score(parity.score),
        "packages": [
            {
                "dir": package.dir,
                "score": _score(package.score),
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


def _score(score: Score) -> dict[str, Any]:
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


def show_analysis(analysis: Analysis, console: Console) -> None:
    """``diff --format terminal``: the findings, what could not be read, and one line that sums up."""
    for finding in analysis.findings:
        style = _STYLES[finding.level]
        where = f"{finding.path}:{finding.line}" + (" (base)" if finding.side == "base" else "")
        console.print(
            f"[{style}]{MARKS[finding.level]} {finding.rule}[/]  {_text(where)}", highlight=False, soft_wrap=True
        )
        console.print(Padding(_text(finding.message), (0, 0, 0, 4)), highlight=False)
    for entry in analysis.unreadable:
        console.print(
            f"[yellow]? unreadable[/]  {_text(entry.path)}: {_text(entry.reason)}", highlight=False, soft_wrap=True
        )
    if analysis.findings or analysis.unreadable:
        console.print()
    counts = {level: sum(f.level is level for f in analysis.findings) for level in Level}
    said = ", ".join(f"{n} {level.value}{'s' * (n != 1)}" for level, n in counts.items() if n) or "nothing changes"
    console.print(f"[bold]{analysis.verdict}[/] for Windows: {said}", highlight=False)
    before, after = analysis.base_score, analysis.head_score
    console.print(
        f"Windows parity of the changed packages: {before.percent} % → {after.percent} %"
        f" ({after.implemented} implemented, {after.partial} partial, {after.stub} stubs, {after.missing} missing)",
        highlight=False,
        style="dim",
    )


def show_parity(parity: Parity, console: Console) -> None:
    """``scan --format terminal``: a line for each package that the platforms do not share wholly, worst first."""
    table = Table("package", "parity", "implemented", "partial", "stub", "missing", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    counted = [p for p in parity.packages if p.score.counted]
    for package in sorted(counted, key=lambda p: (p.score.percent, p.dir)):
        table.add_row(_text(package.dir), *_cells(package.score))
    table.add_section()
    table.add_row("all packages", *_cells(parity.score), style="bold")
    console.print(table)
    for entry in parity.unreadable:
        console.print(
            f"[yellow]? unreadable[/]  {_text(entry.path)}: {_text(entry.reason)}", highlight=False, soft_wrap=True
        )


def _cells(score: Score) -> tuple[str, ...]:
    counts = (score.implemented, score.partial, score.stub, score.missing)
    return (f"{score.percent:.1f} %", *(str(n) if n else "·" for n in counts))


def _text(text: str) -> str:
    return escape(visible(text))
