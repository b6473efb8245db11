"""The page of a diagnosis: what was found, and each column of the logs as a plot."""

import html
import math

import numpy as np

from srgan.train.diagnose import Diagnosis

_WIDTH, _HEIGHT = 300, 120
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76em; margin: 2em auto; padding: 0 1em;
  color-scheme: light dark }
figure { display: inline-block; margin: 0 1em 1em 0 }
figcaption { font-size: 13px }
polyline { fill: none; stroke: #0072b2; stroke-width: 1.5 }
dt { font-weight: 600 } dd { margin: 0 0 1em }
"""


def page(name: str, found: Diagnosis) -> str:
    """Returns the page as HTML, which needs no other file."""
    items = [
        f"<dt>{_text(f.stage)}: {_text(f.name)}</dt><dd>{_text(f.seen)}. {_text(f.advice)}</dd>"
        for f in found.findings
    ]
    parts = [f"<dl>{''.join(items)}</dl>" if items else "<p>Nothing is wrong.</p>"]
    for logs in found.logs:
        for title, columns in (("log", logs.log), ("validation", logs.validation)):
            parts.append(f"<h2>{_text(logs.stage)}: {title}</h2>")
            steps = columns.get("step", np.array([]))
            parts += [_plot(key, steps, values) for key, values in columns.items() if key != "step"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_text(name)}</title>'
        f"<style>{_STYLE}</style><h1>{_text(name)}</h1>{''.join(parts)}</html>"
    )


def _plot(name: str, steps: np.ndarray, values: np.ndarray) -> str:
    there = np.isfinite(values)
    steps, values = steps[there], values[there]
    if not len(values):
        return ""
    low, high, last = float(values.min()), float(values.max()), float(steps[-1])
    x = _WIDTH * (steps - steps[0]) / max(last - float(steps[0]), 1)
    y = _HEIGHT - _HEIGHT * (values - low) / ((high - low) or math.inf)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        f'<figure><svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{_text(name)}">'
        f'<polyline points="{points}"/></svg><figcaption>{_text(name)}: {low:.4g} to {high:.4g}, '
        f"now {values[-1]:.4g} at step {last:.0f}</figcaption></figure>"
    )


def _text(text: str) -> str:
    return html.escape(text)
