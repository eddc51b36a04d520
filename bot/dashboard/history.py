"""`winparity history`: parity over many revisions, measured on both cores, and as a person or a program reads it."""

import json
import mmap
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.console import Console

from analyzer.model import Options, Score
from analyzer.names import platform_name
from bot.cores import on_two_cores
from bot.dashboard import charts
from bot.dashboard.measure import Measure
from bot.dashboard.parts import releases
from bot.dashboard.records import About, Point
from bot.dashboard.revisions import Revisions
from bot.git import SourceError
from bot.ids import Sha
from bot.markdown import visible
from bot.output import SCHEMA, score_json
from bot.terminal import text

MIN_REVISIONS = 4
"""Revisions from which on a second core pays."""

BAR, LINE = 20, 60
"""Characters of a bar, and of the line over all revisions."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"
Tell = Callable[[int, int], None]


class Measured(Struct, frozen=True):
    """What came of a revision: its point, or why there is none."""

    about: About
    point: Point | None = None
    trouble: str = ""


def measure_all(
    source: Revisions, revisions: Sequence[About], options: Options, folder: Path | None, tell: Tell
) -> list[Measured]:
    """Measure revisions, in the order in which they are given. One that cannot be read keeps no other from it.

    Args:
        source: the repository.
        revisions: which.
        options: the platforms, and what reads files.
        folder: where is kept what was measured, so that another run goes on from there; None for nowhere.
        tell: is told how many are done, and of how many.
    """
    measure = Measure(folder, common=False)
    found = {about.rev: Measured(about, measure.point(about, options)) for about in revisions}
    left = [about for about in revisions if found[about.rev].point is None]
    known = len(revisions) - len(left)
    tell(known, len(revisions))
    with mmap.mmap(-1, len(left) or 1) as done:  # both processes see what the other one has done

        def one(at: int) -> Measured:
            measured = _measured(source, measure, left[at], options)
            done[at] = 1
            tell(known + sum(done[:]), len(revisions))
            return measured

        found |= {one.about.rev: one for one in on_two_cores(one, range(len(left)), Measured, MIN_REVISIONS)}
    return [found[about.rev] for about in revisions]


def _measured(source: Revisions, measure: Measure, about: About, options: Options) -> Measured:
    try:
        return Measured(about, measure(source.snapshot(Sha(about.rev)), about, options).point)
    except SourceError as error:
        return Measured(about, trouble=str(error))


def shown(found: Sequence[Measured], options: Options, form: str, name: str) -> str:
    """What is written to a file.

    Args:
        found: in any order.
        options: the platforms.
        form: ``json``, ``svg`` or ``html``.
        name: of the repository; "" for none.
    """
    if form == "json":
        return json.dumps(history_json(found, options)) + "\n"
    points = [one.point for one in found if one.point is not None]
    return (history_svg if form == "svg" else history_html)(points, options, name)


def history_json(found: Sequence[Measured], options: Options) -> dict[str, Any]:
    """For programs."""
    return {
        "schema": SCHEMA,
        "target": options.target.goos,
        "reference": options.reference.goos,
        "points": [point_json(one.point) for one in found if one.point is not None],
        "unreadable": [
            {"rev": one.about.rev, "name": one.about.name, "reason": one.trouble} for one in found if one.trouble
        ],
    }


def point_json(point: Point) -> dict[str, Any]:
    """One revision."""
    return {
        "rev": point.rev,
        "name": point.name,
        "kind": point.kind,
        "time": point.time,
        "score": score_json(point.score),
        "gaps": point.gaps,
        "packages": point.packages,
        "unreadable": point.unreadable,
    }


def show_history(points: Sequence[Point], options: Options, console: Console) -> None:
    """A line over all revisions, and for each that differs from the one before it a row. Releases are told by version.

    Those that declare nothing separately have no share.
    """
    target = platform_name(options.target)
    for title, some in (("releases", releases(points)), ("the branch", [p for p in points if p.kind != "release"])):
        if not some:
            continue
        line = [p.score.percent for p in some if p.score.counted]
        change = f"  {line[0]:.1f} % → {line[-1]:.1f} %\n{_sparkline(line)}" if line else ""
        console.print(f"[bold]{target} parity, {title}[/]{change}", highlight=False)
        _show_rows(some, console)
        console.print()
    console.print(
        "[dim]percent: implemented, and half of partial, of what the platforms declare separately; "
        "gaps: stubs that somebody can miss[/]",
        highlight=False,
    )


def _show_rows(points: Sequence[Point], console: Console) -> None:
    width = max(len(_named(point)) for point in points)
    head = f"{'':{width}}  {'':10}  {'':{BAR}}  {'':7}  {'done':>6}{'part':>6}{'stub':>6}{'none':>6}{'gaps':>6}"
    console.print(f"[dim]{head}[/]", highlight=False, soft_wrap=True)
    before: Point | None = None
    same = 0
    for point in [*points, None]:
        if point is not None and before is not None and _counts(point) == _counts(before):
            same += 1
            continue
        if same:
            console.print(f"[dim]{'':{width}}  … {same} more, the same[/]", highlight=False)
        if point is not None:
            console.print(_row(point, before, width), highlight=False, soft_wrap=True)
        before, same = point, 0


def _row(point: Point, before: Point | None, width: int) -> str:
    percent = point.score.percent
    style = ""
    if before is not None and point.score.counted and before.score.counted and percent != before.score.percent:
        style = "green" if percent > before.score.percent else "red"
    shown = f"{percent:5.1f} %" if point.score.counted else f"{'–':>7}"
    counts = "".join(f"{count or '·':>6}" for count in _counts(point))
    row = (
        f"{text(_named(point)):{width}}  [dim]{_day(point)}[/]  [dim]{_bar(percent if point.score.counted else 0)}[/]  "
    )
    return row + (f"[{style}]{shown}[/]" if style else shown) + f"  {counts}"


def _counts(point: Point) -> tuple[int, ...]:
    score: Score = point.score
    return score.implemented, score.partial, score.stub, score.missing, point.gaps


def _named(point: Point) -> str:
    return visible(point.name) or point.rev[:12]


def _day(point: Point) -> str:
    return f"{datetime.fromtimestamp(point.time, UTC):%Y-%m-%d}"


def _bar(percent: float) -> str:
    eighths = round(percent * BAR * 8 / 100)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()).ljust(BAR, "░")


def _sparkline(values: Sequence[float]) -> str:
    """So many of the values as a line has room for, each as a height between the lowest and the highest."""
    count = min(len(values), LINE)
    chosen = [values[at * len(values) // count] for at in range(count - 1)] + [values[-1]]
    low, high = min(values), max(values)
    steps = (round((value - low) / (high - low) * 7) if high > low else 3 for value in chosen)
    return f"{high:5.1f} % {''.join(_HEIGHTS[step] for step in steps)} {low:.1f} %"


def history_svg(points: Sequence[Point], options: Options, name: str) -> str:
    """A picture for a file of its own.

    Args:
        points: in any order.
        options: the platforms.
        name: of the repository; "" for none.
    """
    return charts.history(points, name=name, target=options.target.goos, standalone=True) + "\n"


def history_html(points: Sequence[Point], options: Options, name: str) -> str:
    """A page that needs nothing else: the picture, and all numbers below it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - no other form needs it
    from markupsafe import Markup  # noqa: PLC0415 - likewise

    environment = Environment(
        loader=PackageLoader("bot.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    rows = [
        (_named(point), _day(point), f"{point.score.percent:.1f}", _counts(point))
        for point in sorted(points, key=lambda point: (-point.time, point.rev))
    ]
    return environment.get_template("history.html").render(
        target=platform_name(options.target),
        name=visible(name),
        picture=Markup(history_svg(points, options, name)),  # noqa: S704 - it is our own, and its words are escaped
        rows=rows,
    )


def chosen(source: Revisions, wanted: Sequence[str]) -> list[About]:
    """Revisions by name, in the order given; each commit once.

    Raises:
        SourceError: one of them is no commit here.
    """
    names = source.names()
    found: dict[str, About] = {}
    for word in wanted:
        commit = source.resolve(word)
        named = names.get(commit)
        found.setdefault(commit, source.about(commit, named or word, "release" if named else "push"))
    return [*found.values()]
