"""Plots of what runs have logged, as parts of HTML pages that need no other file."""

import html
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from srgan.quality.measures import MEASURES

_WIDTH, _HEIGHT = 280, 120
_LEFT, _TOP, _RIGHT, _BELOW = 64, 8, 6, 20  # margins, for the numbers of both axes
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888")
"""Those of Okabe and Ito, which are told apart without red or green."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76em; margin: 2em auto; padding: 0 1em;
  color-scheme: light dark }
.plots { display: grid; grid-template-columns: repeat(auto-fill, 350px); gap: 1.5em 1em }
figure { margin: 0; padding: 0.3em }
figure:target, figure.marked { outline: 2px solid #d55e00 }
figcaption { font-size: 13px; line-height: 1.35 } figcaption span { color: #777 }
figure svg { display: block } figure svg text { font-size: 11px; fill: #777 }
polyline { fill: none; stroke-width: 1.5 } path { fill: none; stroke: #8886 }
line { stroke: #888; stroke-dasharray: 4 3 }
table { border-collapse: collapse } th, td { padding: 0 1em 0 0; text-align: right }
th:first-child, td:first-child { text-align: left }
dt { font-weight: 600 } dd { margin: 0 0 1em }
"""


class Line(NamedTuple):
    """What was logged at some steps."""

    steps: np.ndarray
    values: np.ndarray  # NaN where nothing was


def page(title: str, parts: list[str]) -> str:
    """Returns parts of HTML as a page."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{text(title)}</title>'
        f"<style>{_STYLE}</style><h1>{text(title)}</h1>{''.join(parts)}</html>"
    )


def group(figures: Iterable[str]) -> str:
    """Returns plots side by side; nothing if none shows anything."""
    drawn = "".join(figures)
    return f'<div class="plots">{drawn}</div>' if drawn else ""


def plot(
    name: str,
    lines: Mapping[str, Line],
    *,
    meaning: str = "",
    level: float | None = None,
    logarithmic: bool = False,
    anchor: str = "",
    is_marked: bool = False,
    is_named: bool = False,
) -> str:
    """Returns lines over their steps as a figure; nothing if no value can be drawn.

    Args:
        name: What is drawn.
        lines: By the names of runs, or whatever differs.
        meaning: A sentence for the caption.
        level: A value that is worth a line of its own, as that of chance.
        logarithmic: Whether values are drawn by their order of magnitude, and those above 0 alone.
        anchor: What a link to the figure names.
        is_marked: Whether it is outlined.
        is_named: Whether the caption has the names of the lines in their colours.
    """
    shown = {}
    for run, line in lines.items():
        usable = np.isfinite(line.values) & ((line.values > 0) | (not logarithmic))
        if usable.any():
            shown[run] = Line(line.steps[usable], line.values[usable])
    if not shown:
        return ""
    values = np.concatenate([line.values for line in shown.values()])
    steps = np.concatenate([line.steps for line in shown.values()])
    seen = values if level is None else np.append(values, level)
    low, high = float(seen.min()), float(seen.max())
    first, last = float(steps.min()), float(steps.max())
    scale = np.log if logarithmic else np.asarray

    def across(steps: np.ndarray) -> np.ndarray:
        return _WIDTH * (steps - first) / max(last - first, 1)

    def down(values: np.ndarray) -> np.ndarray:
        span = float(scale(high) - scale(low)) or math.inf
        return _HEIGHT - _HEIGHT * (scale(values) - scale(low)) / span

    drawn = [f'<path d="M0,0V{_HEIGHT}H{_WIDTH}"/>']
    for x, y, at, label in (
        (-4, 4, "end", f"{high:.4g}"),
        (-4, _HEIGHT, "end", f"{low:.4g}"),
        (0, _HEIGHT + 14, "start", f"step {first:,.0f}"),
        (_WIDTH, _HEIGHT + 14, "end", f"{last:,.0f}"),
    ):
        drawn.append(f'<text x="{x}" y="{y}" text-anchor="{at}">{label}</text>')
    if level is not None:
        y = float(down(np.array(level)))
        drawn.append(f'<line x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for number, run in enumerate(lines):
        if run not in shown:
            continue
        x, y = across(shown[run].steps), down(shown[run].values)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        colour, title = COLOURS[number % len(COLOURS)], f"<title>{text(run)}</title>"
        if len(x) == 1:  # a line of one point would not be seen
            shape = f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="3" fill="{colour}"'
        else:
            shape = f'<polyline points="{points}" stroke="{colour}"'
        drawn.append(f"{shape}>{title}</{shape[1 : shape.index(' ')]}>")
    box = f"{-_LEFT} {-_TOP} {_LEFT + _WIDTH + _RIGHT} {_TOP + _HEIGHT + _BELOW}"
    width, height = box.split()[2:]
    now = f", now {values[-1]:.4g}" if len(lines) == 1 else ""
    said = f"<br><span>{text(meaning)}</span>" if meaning else ""
    place = f' id="{text(anchor)}"' if anchor else ""
    mark = ' class="marked"' if is_marked else ""
    names = f"<br>{legend(lines)}" if is_named else ""
    return (
        f"<figure{place}{mark}>"
        f'<svg viewBox="{box}" width="{width}" height="{height}" role="img" '
        f'aria-label="{text(name)}">{"".join(drawn)}</svg>'
        f"<figcaption><b>{text(name)}</b>{now}{said}{names}</figcaption></figure>"
    )


def legend(names: Iterable[str]) -> str:
    """Returns names in the colours of their lines."""
    return "".join(
        f'<b style="color: {COLOURS[number % len(COLOURS)]}">{text(name)}</b> &ensp; '
        for number, name in enumerate(names)
    )


def measured(name: str) -> str:
    """Returns what a column of a validation tells, in a sentence."""
    if name == "rank":
        return "What chooses the best weights: those where it is highest."
    return MEASURES[name].meaning if name in MEASURES else ""


def text(words: str) -> str:
    """Returns words as HTML."""
    return html.escape(words)
