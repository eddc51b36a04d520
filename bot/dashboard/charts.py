"""Pictures: parity over time with the releases marked, and the badge. Values in, SVG out."""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from itertools import pairwise
from xml.etree import ElementTree as ET

import pygal
from pygal.style import Style

from analyzer.model import Platform, Score
from analyzer.names import platform_name
from bot.dashboard.parts import EARLY
from bot.dashboard.records import Point

# The hook by which pygal finds plugins, of which there are none here, is of a kind that Python warns of at each import.
sys.meta_path[:] = [hook for hook in sys.meta_path if type(hook).__module__ != pygal.__name__]

WIDTH, HEIGHT = 760, 280
MAX_MARKED = 60
"""Releases that are marked: more cannot be told apart."""

MAX_YEARS = 10
"""Labels of the axis of time."""

# Pixels that a character of a label takes, and those between two labels.
_CHARACTER, _GAP = 6.6, 10.0
_MONTH = 30 * 86_400
_RIGHT = 16
# Pixels by which a name may stand higher than it would without the line.
_RISE = 10.0
# Pixels between the places on the line that are looked at for room.
_STEP = 5.0
# Points of percent that the axis shows at least.
_LEAST = 20
_SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = re.compile(r"[\d.]+")
_LONG = re.compile(r"(\d+\.\d)\d+")
_VERSION = re.compile(r"^(?P<before>\D*)(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?")
# Widths of Verdana at 11 pixels, in which badges are drawn; of characters that are not here, the widest's.
_NARROW, _WIDTHS = "fijlrtI.,:; '|", {"%": 11.8, " ": 3.9}
# From which share on which colour; white text on each has a contrast of 4.5 at least.
_COLOURS = ((80.0, "#2a7d46"), (50.0, "#8a6500"), (0.0, "#b0392b"))
_UNKNOWN = "#5f6772"


def marked(points: Iterable[Point], most: int = MAX_MARKED) -> list[Point]:
    """The releases that stand for all of them, the oldest first.

    Pre-releases stand for none. When there are too many, only the first of each minor version does, then the first of each
    major one.
    """
    known = [(point, match) for point in points if point.kind == "release" and (match := _VERSION.match(point.name))]
    found = [(point, match) for point, match in known if not EARLY.search(point.name)] or known
    chosen = [point for point, _ in found]
    for parts in (("before", "major", "minor"), ("before", "major")):
        if len(chosen) > most:
            first: dict[tuple[str | None, ...], Point] = {}
            for point, match in sorted(found, key=lambda one: one[0].time):
                first.setdefault(tuple(match[part] for part in parts), point)
            chosen = [*first.values()]
    return sorted(chosen, key=lambda point: (point.time, point.rev))[-most:]


def history(
    points: Sequence[Point],
    *,
    name: str = "",
    target: str = "windows",
    standalone: bool = False,
    most: int = MAX_MARKED,
) -> str:
    """Parity over time. "" when there is nothing to draw.

    The line goes through the default branch, a month or a push a point; where there are no such points, through the
    releases, which are marked in any case. Where nothing is declared separately there is no share to draw.

    Args:
        points: in any order.
        name: of the repository.
        target: the GOOS that is judged.
        standalone: for a file of its own, with its style in it; else the page has the style.
        most: releases that are marked.
    """
    points = [point for point in points if point.score.counted]
    releases = marked(points, most)
    branch = sorted((point for point in points if point.kind != "release"), key=lambda point: (point.time, point.rev))
    line = branch if len(branch) > 1 else releases
    if not line:
        return ""
    shown = [*line, *releases]
    low, high = _bounds([point.score.percent for point in shown])
    begin, end = min(point.time for point in shown), max(point.time for point in shown)
    chart = pygal.XY(
        width=WIDTH,
        height=HEIGHT,
        margin=4,
        margin_right=_RIGHT,
        spacing=4,
        show_legend=False,
        title=_titled(name, target) if standalone else None,
        style=Style(label_font_size=13, title_font_size=16),
        css=[],
        js=[],
        no_prefix=True,
        truncate_label=-1,
        range=(low, high),
        xrange=(begin - _MONTH, end + _MONTH),
        y_labels=[
            {"value": value, "label": f"{value}%"} for value in range(low, high + 1, 10 if high - low < 60 else 20)
        ],
        x_labels=[{"value": when, "label": str(year)} for year, when in _years(begin, end)],
        x_value_formatter=_day,
    )
    chart.add("Parity", [(point.time, point.score.percent) for point in line], show_dots=False)
    chart.add(
        "Release",
        [{"value": (point.time, point.score.percent), "label": point.name} for point in releases],
        stroke=False,
        dots_size=3.5,
        formatter=lambda value: f"{value[1]}%",
    )
    tree = chart.render_tree()
    _clean(tree)
    _name(tree, _titled(name, target), _told(line))
    _label(tree, releases)
    if standalone:
        tree.attrib |= {"width": str(WIDTH), "height": str(HEIGHT)}
        style = ET.Element("style")
        style.text = _style()
        tree.insert(2, style)
    return ET.tostring(tree, encoding="unicode")


def _bounds(values: Sequence[float]) -> tuple[int, int]:
    """The axis: whole tens with room around the values, so that a small change looks small."""
    low, high = int((min(values) - 2) // 10 * 10), int(-(-(max(values) + 4) // 10) * 10)
    low, high = max(0, low), min(100, high)
    return (low, high) if high - low > _LEAST else (max(0, high - _LEAST - 10), high)


def _years(begin: int, end: int) -> list[tuple[int, int]]:
    """The years that begin within some time, or the day it begins on when none does; at most `MAX_YEARS`."""
    first, last = (datetime.fromtimestamp(when, UTC).year for when in (begin, end))
    every = [(year, int(datetime(year, 1, 1, tzinfo=UTC).timestamp())) for year in range(first, last + 1)]
    within = [(year, when) for year, when in every if begin - _MONTH <= when <= end + _MONTH]
    step = -(-len(within) // MAX_YEARS) or 1
    return within[::step] or [(first, begin)]


def _day(when: float) -> str:
    day = datetime.fromtimestamp(when, UTC)
    return f"{day.day} {day:%b %Y}"


def _titled(name: str, target: str) -> str:
    words = f"{platform_name(Platform(target))} parity over time"
    return f"{words}: {name}" if name else words


def _told(line: Sequence[Point]) -> str:
    """What the line shows, in words."""
    first, last = line[0], line[-1]
    least, best = (choose(line, key=lambda point: point.score.percent) for choose in (min, max))
    return (
        f"From {first.score.percent}% on {_day(first.time)} to {last.score.percent}% on {_day(last.time)}; "
        f"lowest {least.score.percent}% on {_day(least.time)}, highest {best.score.percent}% on {_day(best.time)}."
    )


def _clean(tree: ET.Element) -> None:
    """Take out what a strict policy forbids, what names us and the day, and digits that nobody sees."""
    for parent in [*tree.iter()]:
        for child in [*parent]:
            if not isinstance(child.tag, str) or child.tag.removeprefix(_SVG) in {"defs", "style", "script", "title"}:
                parent.remove(child)
    for node in tree.iter():
        if node.attrib.pop("style", None):
            node.set("opacity", "0")
        for name in [name for name, value in node.attrib.items() if not value]:
            del node.attrib[name]
        for name, value in node.attrib.items():
            if name not in {"viewBox", "class"}:
                node.set(name, _LONG.sub(r"\1", value))
        if node.text:
            node.text = (
                _LONG.sub(r"\1", node.text) if node.get("class", "")[:2] in {"x ", "y ", "x", "y"} else node.text
            )
        node.tail = None


def _name(tree: ET.Element, title: str, words: str) -> None:
    """What the picture is, for who does not see it."""
    for place, (tag, text) in enumerate((("title", title), ("desc", words))):
        node = ET.Element(tag, {"id": f"chart-{tag}"})
        node.text = text
        tree.insert(place, node)
    tree.attrib |= {"role": "img", "aria-labelledby": "chart-title chart-desc"}


def _label(tree: ET.Element, releases: Sequence[Point]) -> None:
    """Print the names of releases, the newest first, as far as there is room for them; and say which labels can go."""
    dots = [group for group in _nodes(tree, "g") if group.get("class") == "dots"]
    line, free = _drawn(tree), _width_of(tree)
    for number, (group, point) in enumerate(reversed([*zip(dots, releases, strict=True)])):
        circle = next(child for child in group if child.tag.removeprefix(_SVG) == "circle")
        day = ET.SubElement(group, "desc", {"class": "x_label"})
        day.text = _day(point.time)
        x, half = float(circle.get("cx", "0")), len(point.name) * _CHARACTER / 2
        if number == 0:
            x = min(x, free - half)
        if x + half > free or x < half:
            continue
        # Above the dot, or below it where the line comes down to it and the name would stand on that.
        cy = float(circle.get("cy", "0"))
        beside = [cy, *(at for on, at in line if x - half < on < x + half)]
        y = min(beside) - 9 if cy - min(beside) < _RISE else max(beside) + 19
        where = {"class": f"release{' sparse' * (number > 0)}", "x": f"{x:.1f}", "y": f"{y:.1f}"}
        ET.SubElement(group, "text", where).text = point.name
        free = x - half - _GAP
    for axis in _nodes(tree, "g"):
        if axis.get("class", "").startswith("axis x"):
            for number, guides in enumerate(reversed([*axis])):
                if number % 3:
                    guides.set("class", "guides sparse")


def _drawn(tree: ET.Element) -> list[tuple[float, float]]:
    """Places all along the line, none far from the next."""
    path = next((p for p in _nodes(tree, "path") if "reactive" in p.get("class", "")), None)
    known = [float(number) for number in _NUMBER.findall(path.get("d", ""))] if path is not None else []
    places = [*zip(known[::2], known[1::2], strict=True)]
    found = []
    for (x, y), (to_x, to_y) in pairwise(places):
        steps = int((to_x - x) // _STEP) + 1
        found += [(x + (to_x - x) * n / steps, y + (to_y - y) * n / steps) for n in range(steps)]
    return found


def _width_of(tree: ET.Element) -> float:
    """Pixels that the plot is wide, with what is right of it."""
    plot = next(group for group in _nodes(tree, "g") if group.get("class") == "plot")
    return float(plot[0].get("width", "0")) + _RIGHT


def _nodes(tree: ET.Element, tag: str) -> list[ET.Element]:
    return [node for node in tree.iter() if isinstance(node.tag, str) and node.tag.removeprefix(_SVG) == tag]


@cache
def _style() -> str:
    return files("bot.dashboard").joinpath("static/chart.css").read_text(encoding="utf-8")


def badge(score: Score | None, target: str = "windows") -> str:
    """The badge of a repository: how much of what its platforms declare separately the target has.

    Args:
        score: of all packages; None when it is not known yet.
        target: the GOOS that is judged.
    """
    left = f"{platform_name(Platform(target))} parity"
    right = "unknown" if score is None else f"{score.percent:g}%"
    colour = _UNKNOWN if score is None else next(colour for least, colour in _COLOURS if score.percent >= least)
    widths = [round(_width(text)) + 10 for text in (left, right)]
    total, said = sum(widths), escape(f"{left}: {right}")
    texts = "".join(
        f'<text x="{10 * middle:g}" y="140" transform="scale(.1)" textLength="{10 * (width - 10)}">{escape(text)}</text>'
        for text, width, middle in (
            (left, widths[0], widths[0] / 2),
            (right, widths[1], widths[0] + widths[1] / 2),
        )
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{said}">'
        f'<title>{said}</title><clipPath id="r"><rect width="{total}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{widths[0]}" height="20" fill="#444c56"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="20" fill="{colour}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="110">'
        f"{texts}</g></svg>"
    )


def _width(text: str) -> float:
    return sum(_WIDTHS.get(c, 4.4 if c in _NARROW else 10.0 if c in "mwMW" else 7.2) for c in text)
