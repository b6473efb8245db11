"""Runs side by side as a page, and as points of the perception-distortion plane."""

from collections.abc import Sequence
from pathlib import Path

from srgan.quality import plane
from srgan.train import csv_log, plots
from srgan.train.comparison import Row
from srgan.train.diagnose import STAGES

_SHOWN = ("psnr", "lpips", "grid", "rank")
_PROTOCOL = "validation"


def page(rows: Sequence[Row], runs: Sequence[Path]) -> str:
    """Returns a table of runs, their plane, and what each validation scored, as HTML.

    Args:
        rows: As `comparison.compare` makes them.
        runs: The folders, of different names.
    """
    text = plots.text
    heads = "".join(f"<th>{head}" for head in Row._fields)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{value:.4f}" if isinstance(value, float) else f"<td>{text(str(value))}"
            for value in row
        )
        for row in rows
    )
    parts = [f"<table><tr>{heads}{body}</table>", drawing(rows)]
    colours = zip(runs, plots.COLOURS * len(runs), strict=False)
    parts.append(
        "<p>"
        + "".join(f'<b style="color: {c}">{text(run.name)}</b> &ensp; ' for run, c in colours)
        + "</p>"
    )
    for stage in STAGES:
        logs = {run.name: csv_log.columns(run / stage / "validation.csv") for run in runs}
        parts.append(f"<h2>{stage}</h2>")
        for name in _SHOWN:
            lines = {
                run: plots.Line(found["step"], found[name])
                for run, found in logs.items()
                if name in found
            }
            parts.append(plots.plot(name, lines))
    return plots.page("Runs", parts)


def drawing(rows: Sequence[Row]) -> str:
    """Returns the perception-distortion plane of the last stages of runs, as the text of an SVG.

    A line joins those that no other run exceeds in both PSNR and LPIPS: the Pareto front.
    """
    last = {row.run: row for row in rows}.values()  # of a run, the later stage
    front = [row.run for row in last if not any(_exceeds(other, row) for other in last)]
    points = [
        plane.Point(row.run, "front" if row.run in front else row.run, row.psnr, row.lpips)
        for row in sorted(last, key=lambda row: row.psnr)
    ]
    return plane.drawing([plane.Panel("Runs, and their Pareto front", points)], _PROTOCOL)


def _exceeds(one: Row, other: Row) -> bool:
    """Whether a run is nowhere worse than another, and somewhere better."""
    no_worse = one.psnr >= other.psnr and one.lpips <= other.lpips
    return no_worse and (one.psnr, one.lpips) != (other.psnr, other.lpips)
