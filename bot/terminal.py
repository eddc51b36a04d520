"""What a person reads in a terminal: findings in groups with their source, and the table of a scan."""

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from analyzer.model import Advice, Analysis, Finding, Level, Parity, Place, Score, Status, Unreadable
from analyzer.names import platform_name
from bot.affected import reach_of
from bot.excerpt import Sources, show_excerpt
from bot.markdown import visible

MARKS = {Level.REGRESSION: "✗", Level.WARNING: "!", Level.IMPROVEMENT: "✓", Level.NOTE: "·"}
"""What stands before a finding."""

MAX_FUNCTIONS = 5
"""Names of functions that are shown of a file."""

_FUNCTIONS = {"func", "method"}
_STYLES = {Level.REGRESSION: "bold red", Level.WARNING: "yellow", Level.IMPROVEMENT: "green", Level.NOTE: "dim"}
_TITLES = {
    Level.REGRESSION: "regressions",
    Level.WARNING: "warnings",
    Level.IMPROVEMENT: "improvements",
    Level.NOTE: "notes",
}
# A finding about a whole file, a guard or a test is best seen where it stands; of what is only context, the place is enough.
_SHOWN = frozenset({Level.REGRESSION, Level.WARNING, Level.IMPROVEMENT})
# How lines of a patch look.
_DIFF = {"+": "green", "-": "red", "@": "cyan"}
# A counterpart has a line and no end: this many lines of it are shown.
_COUNTERPART_LINES = 4


def show_analysis(
    analysis: Analysis, console: Console, sources: Sources | None = None, *, patches: bool = False
) -> None:
    """``diff --format terminal``: findings by level, what could not be read, and one line that sums up.

    Args:
        analysis: what was found.
        console: where it is shown.
        sources: the source, for excerpts; without it there are none.
        patches: show what to add for what is missing.
    """
    for level in Level:
        found = [finding for finding in analysis.findings if finding.level is level]
        if not found:
            continue
        console.print(f"[{_STYLES[level]}]{_TITLES[level]}[/] ({len(found)})", highlight=False)
        for finding in found:
            _show_finding(finding, analysis, console, sources)
            if patches and finding.advice is not None:
                _show_advice(finding.advice, console)
        console.print()
    _show_unreadable(analysis.unreadable, console)
    if analysis.unreadable:
        console.print()
    _show_sum(analysis, console)


def _show_finding(finding: Finding, analysis: Analysis, console: Console, sources: Sources | None) -> None:
    style = _STYLES[finding.level]
    where = f"{finding.path}:{finding.line}" + (" (base)" if finding.side == "base" else "")
    console.print(f"[{style}]{MARKS[finding.level]} {finding.rule}[/]  {text(where)}", highlight=False, soft_wrap=True)
    console.print(Padding(text(finding.message), (0, 0, 0, 4), expand=False), highlight=False)
    if (reach := reach_of(finding)) is not None:
        affected = f"{reach.words} {', '.join(reach.names)}{reach.rest}."
        console.print(Padding(text(affected), (0, 0, 0, 4), expand=False), highlight=False, style="cyan")
    if sources is None or finding.level not in _SHOWN:
        return
    here = Place(finding.path, finding.line)
    show_excerpt(console, sources(finding.side, finding.path), here, finding.end_line)
    other = finding.counterpart
    if other is not None and other != here:
        source = sources("head", other.path) or sources("base", other.path)
        name = platform_name(analysis.options.reference)
        console.print(f"    [dim]{name}:[/] {text(f'{other.path}:{other.line}')}", highlight=False, soft_wrap=True)
        show_excerpt(console, source, other, other.line + _COUNTERPART_LINES - 1)


def _show_advice(advice: Advice, console: Console) -> None:
    """A patch, from its first column on, so that it can be copied; or why there is none."""
    if advice.reason:
        console.print(f"    [dim]no patch:[/] {text(advice.reason)}", highlight=False, soft_wrap=True)
    for line in advice.patch.split("\n")[:-1]:
        shown = "\t".join(map(text, line.split("\t")))
        console.print(shown, style=_DIFF.get(line[:1], ""), highlight=False, soft_wrap=True)


def _show_sum(analysis: Analysis, console: Console) -> None:
    target = platform_name(analysis.options.target)
    counts = {level: sum(f.level is level for f in analysis.findings) for level in Level}
    said = ", ".join(f"{n} {level.value}{'s' * (n != 1)}" for level, n in counts.items() if n) or "nothing changes"
    console.print(f"[bold]{analysis.verdict}[/] for {target}: {said}", highlight=False)
    before, after = analysis.base_score, analysis.head_score
    console.print(
        f"{target} parity of the changed packages: {before.percent} % → {after.percent} %"
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
        table.add_row(text(package.dir), *_cells(package.score))
    table.add_section()
    table.add_row("all packages", *_cells(parity.score), style="bold")
    console.print(table)
    _show_alone(parity, console)
    _show_portable(parity, console)
    for finding in parity.accepting:
        where = text(f"{finding.path}:{finding.line}")
        console.print(f"[yellow]! {finding.rule}[/]  {where}: {text(finding.message)}", highlight=False, soft_wrap=True)
    _show_unreadable(parity.unreadable, console)


def _show_alone(parity: Parity, console: Console) -> None:
    """What only the target has, and nothing is counted of: in some repositories that is most."""
    own = {p.dir: [s for s in p.symbols if s.kind in _FUNCTIONS and s.linux is None] for p in parity.packages}
    own = {where: symbols for where, symbols in own.items() if symbols}
    if own:
        stubs = sum(symbol.status is Status.STUB for symbols in own.values() for symbol in symbols)
        total = sum(map(len, own.values()))
        target = platform_name(parity.options.target)
        console.print(
            f"{target} alone has {total} functions, {stubs} of them stubs, in {len(own)} packages", style="dim"
        )


def _show_portable(parity: Parity, console: Console) -> None:
    """Files that the target leaves out and could build."""
    target = platform_name(parity.options.target)
    if parity.portable:
        console.print(f"\n[bold]these could build on {target}[/]: nothing in them is another platform's own")
    for file in parity.portable:
        names = ", ".join(file.functions[:MAX_FUNCTIONS]) + ", …" * (len(file.functions) > MAX_FUNCTIONS)
        console.print(f"  {text(file.path)}: {text(names)}", highlight=False, soft_wrap=True)


def _show_unreadable(entries: tuple[Unreadable, ...], console: Console) -> None:
    for entry in entries:
        console.print(
            f"[yellow]? unreadable[/]  {text(entry.path)}: {text(entry.reason)}", highlight=False, soft_wrap=True
        )


def _cells(score: Score) -> tuple[str, ...]:
    counts = (score.implemented, score.partial, score.stub, score.missing)
    return (f"{score.percent:.1f} %", *(str(n) if n else "·" for n in counts))


def text(words: str) -> str:
    """A text of unknown origin for rich: no markup of its own, and no control characters."""
    return escape(visible(words))
