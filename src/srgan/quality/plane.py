"""The perception-distortion plane as a drawing for papers: LPIPS against PSNR."""

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

from srgan.quality.measures import MEASURES
from srgan.quality.methods import ORIGINAL
from srgan.quality.results import Evaluation
from srgan.quality.summary import Summary

_WIDTH, _HEIGHT = 420, 320  # of a panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 34, 48  # margins around its axes
_LETTER, _LINE = 6.4, 14  # pixels of a text of 12 pixels, about
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Those of Okabe and Ito, which are told apart without red or green."""


class Point(NamedTuple):
    """A method, or a run, and its place in the plane.

    Attributes:
        name: Beside the point.
        curve: Points of one curve have one colour, and are joined by a line.
        psnr: dB.
        lpips: Its LPIPS.
    """

    name: str
    curve: str
    psnr: float
    lpips: float


class Panel(NamedTuple):
    """A plane with a title."""

    title: str
    points: Sequence[Point]


class _Axis(NamedTuple):
    low: float
    high: float
    begin: float  # in pixels
    end: float

    def at(self, value: float) -> float:
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self) -> tuple[list[float], int]:
        """Round values, four to eight, and the digits that they need."""
        power = 10 ** math.floor(math.log10((self.high - self.low) / 4))
        step = next(f * power for f in (5, 2, 1) if f * power <= (self.high - self.low) / 4)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [k * step for k in range(first, last + 1)], max(0, -math.floor(math.log10(step)))


def draw(found: Evaluation) -> str:
    """Returns the plane of each dataset, side by side, as the text of an SVG file.

    Each point is a method: farther right it is closer to HR pixel by pixel, farther down it looks
    more like it, as on the page of a report. A line joins the settings of one model.

    Raises:
        ValueError: If no dataset has HR images, without which there is neither measure.
    """
    panels = [
        Panel(f"{summary.dataset}, n = {summary.photos['psnr']}", points)
        for summary in found.summaries.values()
        if (points := _points(found, summary))
    ]
    if not panels:
        raise ValueError(
            "There is no PSNR and LPIPS to draw; they need HR images of at least 31x31 pixels."
        )
    return drawing(panels, found.protocol)


def drawing(panels: Sequence[Panel], protocol: str) -> str:
    """Returns planes side by side, as the text of an SVG file.

    Args:
        panels: At least one, with a point each.
        protocol: Of PSNR.
    """
    curves = list(dict.fromkeys(point.curve for panel in panels for point in panel.points))
    colours = {curve: _COLOURS[k % len(_COLOURS)] for k, curve in enumerate(curves)}
    width = _WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" '
        f'viewBox="0 0 {width} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f"<title>LPIPS against PSNR, protocol {html.escape(protocol)}</title>",
        f'<rect width="{width}" height="{_HEIGHT}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * _WIDTH} 0)">')
        parts += _panel(panel, protocol, colours)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _points(found: Evaluation, summary: Summary) -> list[Point]:
    means = {name: scores for name, scores in summary.means.items() if name != ORIGINAL}
    return [
        Point(method.name, method.curve, scores.psnr, scores.lpips)
        for method in found.methods
        if (scores := means[method.name])
        and not math.isnan(scores.psnr)
        and not math.isnan(scores.lpips)
    ]


def _panel(panel: Panel, protocol: str, colours: dict[str, str]) -> list[str]:
    points = panel.points
    x = _Axis(*_room([p.psnr for p in points]), _LEFT, _WIDTH - _RIGHT)
    y = _Axis(*_room([p.lpips for p in points]), _HEIGHT - _BOTTOM, _TOP)
    middle, centre = (y.begin + y.end) / 2, (x.begin + x.end) / 2
    parts = [
        _text(centre, 18, panel.title, "middle", ' font-weight="bold"'),
        _text(centre, _HEIGHT - 8, f"PSNR (dB, {protocol}) \N{RIGHTWARDS ARROW}", "middle"),
        _text(x.end - 6, y.begin - 8, "better \N{SOUTH EAST ARROW}", "end", ' fill="#777"'),
        f'<g transform="translate(14 {middle:g}) rotate(-90)">'
        + _text(0, 0, "\N{LEFTWARDS ARROW} LPIPS (less is better)", "middle")
        + "</g>",
    ]
    for value, digits in ((v, x.ticks()[1]) for v in x.ticks()[0]):
        parts.append(_line(x.at(value), y.end, x.at(value), y.begin, "#e2e2e2"))
        parts.append(_text(x.at(value), y.begin + 18, f"{value:.{digits}f}", "middle"))
    for value, digits in ((v, y.ticks()[1]) for v in y.ticks()[0]):
        parts.append(_line(x.begin, y.at(value), x.end, y.at(value), "#e2e2e2"))
        parts.append(_text(x.begin - 8, y.at(value) + 4, f"{value:.{digits}f}", "end"))
    parts.append(
        f'<rect x="{x.begin}" y="{y.end}" width="{x.end - x.begin}" height="{y.begin - y.end}" '
        'fill="none" stroke="#777"/>'
    )
    for curve, colour in colours.items():
        own = [point for point in points if point.curve == curve]
        if len(own) > 1:
            path = " ".join(f"{x.at(p.psnr):.1f},{y.at(p.lpips):.1f}" for p in own)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
    places = [(x.at(point.psnr), y.at(point.lpips)) for point in points]
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in places]
    taken.append((x.end - 60, y.begin - 22, x.end, y.begin))  # the hint
    for point, (px, py) in zip(points, places, strict=True):
        text = (
            f"{point.name}: PSNR {MEASURES['psnr'].format(point.psnr)} dB, "
            f"LPIPS {MEASURES['lpips'].format(point.lpips)}"
        )
        parts.append(
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4.5" fill="{colours[point.curve]}">'
            f"<title>{html.escape(text)}</title></circle>"
        )
        box = _free(px, py, len(point.name) * _LETTER, taken, x, y)
        taken.append(box)
        parts.append(_text(box[0], box[3] - 3, point.name, "start"))
    return parts


def _room(values: Sequence[float]) -> tuple[float, float]:
    """The range of values, with room around them."""
    margin = (max(values) - min(values)) * 0.15 or abs(values[0]) * 0.05 or 1.0
    return min(values) - margin, max(values) + margin


def _free(
    px: float, py: float, width: float, taken: Sequence[tuple[float, ...]], x: _Axis, y: _Axis
) -> tuple[float, float, float, float]:
    """The box of a label beside a point, where it covers least."""

    def cost(box: tuple[float, ...]) -> float:
        left, top, right, bottom = box
        over = sum(
            max(0, min(right, r) - max(left, a)) * max(0, min(bottom, b) - max(top, t))
            for a, t, r, b in taken
        )
        outside = max(0, x.begin - left) + max(0, right - x.end)
        outside += max(0, y.end - top) + max(0, bottom - y.begin)
        return over + 100 * outside + abs((top + bottom) / 2 - py)

    lefts = (px + 8, px - 8 - width, px - width / 2)
    tops = [py - _LINE / 2 + step for step in (0, -14, 14, -22, 22, -36, 36)]
    boxes = [(left, top, left + width, top + _LINE) for left in lefts for top in tops]
    return min(boxes, key=cost)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{html.escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
