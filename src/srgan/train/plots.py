"""Plots of what runs have logged, as parts of HTML pages that need no other file."""

import html
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

_WIDTH, _HEIGHT = 300, 120
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888")
"""Those of Okabe and Ito, which are told apart without red or green."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76em; margin: 2em auto; padding: 0 1em;
  color-scheme: light dark }
figure { display: inline-block; margin: 0 1em 1em 0 }
figcaption { font-size: 13px }
figure svg { display: block; overflow: visible; border: solid #8886; border-width: 0 0 1px 1px }
polyline { fill: none; stroke-width: 1.5 }
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


def plot(name: str, lines: Mapping[str, Line]) -> str:
    """Returns lines over their steps, by the names of runs; nothing if no value is finite."""
    finite = {run: np.isfinite(line.values) for run, line in lines.items()}
    shown = {
        run: Line(line.steps[finite[run]], line.values[finite[run]])
        for run, line in lines.items()
        if finite[run].any()
    }
    if not shown:
        return ""
    values, steps = (np.concatenate([line[i] for line in shown.values()]) for i in (1, 0))
    low, high = float(values.min()), float(values.max())
    first, last = float(steps.min()), float(steps.max())
    drawn = []
    for number, run in enumerate(lines):
        if run not in shown:
            continue
        x = _WIDTH * (shown[run].steps - first) / max(last - first, 1)
        y = _HEIGHT - _HEIGHT * (shown[run].values - low) / ((high - low) or math.inf)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        colour, title = COLOURS[number % len(COLOURS)], f"<title>{text(run)}</title>"
        if len(x) == 1:  # a line of one point would not be seen
            shape = f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="3" fill="{colour}"'
        else:
            shape = f'<polyline points="{points}" stroke="{colour}"'
        drawn.append(f"{shape}>{title}</{shape[1 : shape.index(' ')]}>")
    now = f", steps {first:,.0f} to {last:,.0f}"
    if len(lines) == 1:
        (line,) = shown.values()
        now = f", now {line.values[-1]:.4g} at step {last:.0f}"
    return (
        f'<figure><svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{text(name)}">'
        f"{''.join(drawn)}</svg><figcaption>{text(name)}: {low:.4g} to {high:.4g}{now}"
        "</figcaption></figure>"
    )


def text(words: str) -> str:
    """Returns words as HTML."""
    return html.escape(words)
