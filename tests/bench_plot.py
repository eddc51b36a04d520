"""A plain SVG of lines or dots: nothing that we depend on draws without a browser."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT, EDGE = 420, 280, 50
COLOURS = ("#1f6feb", "#8b949e", "#bf8700")


@dataclass(frozen=True)
class Panel:
    """One plot: series of points by name; x as it is named, y in seconds."""

    title: str
    across: str
    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    dots: bool = False


def svg(panels: Sequence[Panel]) -> str:
    """The panels beside each other."""
    drawn = "".join(f'<g transform="translate({n * WIDTH},0)">{_panel(panel)}</g>' for n, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="#fff"/>{drawn}</svg>\n'
    )


def _panel(panel: Panel) -> str:
    points = [point for series in panel.series.values() for point in series]
    right, top = max(x for x, _ in points) or 1, max(y for _, y in points) or 1
    wide, high = WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE
    parts = [
        f'<text x="{EDGE}" y="20" font-size="13">{escape(panel.title)}</text>',
        f'<path d="M{EDGE},{EDGE}V{EDGE + high}H{EDGE + wide}" fill="none" stroke="#333"/>',
        f'<text x="{EDGE + wide}" y="{HEIGHT - 15}" text-anchor="end">{escape(panel.across)}, up to {right:g}</text>',
        f'<text x="{EDGE - 4}" y="{EDGE + 4}" text-anchor="end">{top:.2g} s</text>',
        f'<text x="{EDGE - 4}" y="{EDGE + high}" text-anchor="end">0</text>',
    ]
    for number, (name, series) in enumerate(panel.series.items()):
        colour = COLOURS[number % len(COLOURS)]
        at = [(EDGE + wide * x / right, EDGE + high * (1 - y / top)) for x, y in series]
        if not panel.dots:
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]
        parts.append(f'<text x="{EDGE + 10}" y="{EDGE + 14 * number}" fill="{colour}">{escape(name)}</text>')
    return "".join(parts)
