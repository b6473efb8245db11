"""Runs side by side as a page, and as points of the perception-distortion plane."""

from collections.abc import Sequence
from pathlib import Path

from srgan.quality import plane
from srgan.train import csv_log, plots
from srgan.train.comparison import Row
from srgan.train.diagnose import STAGES

_SHOWN = ("psnr", "lpips", "grid", "rank")
_HEADS = {"best_step": "best at", "psnr": "PSNR", "lpips": "LPIPS", "grid": "GRID"}
_DIGITS = {"psnr": 2, "lpips": 4, "grid": 3}
_PROTOCOL = "validation"


def page(rows: Sequence[Row], runs: Sequence[Path]) -> str:
    """Returns a table of runs, their plane, and what each validation scored, as HTML.

    Args:
        rows: As `comparison.compare` makes them.
        runs: The folders, of different names.
    """
    text = plots.text
    heads = "".join(f"<th>{_HEADS.get(name, name)}" for name in Row._fields)
    body = "".join(
        "<tr>" + "".join(f"<td>{text(_written(*cell))}" for cell in row._asdict().items())
        for row in rows
    )
    parts = [f"<table><tr>{heads}{body}</table>", drawing(rows)]
    parts.append(f"<h2>Validations</h2><p>{plots.legend(run.name for run in runs)}</p>")
    for stage in STAGES:
        logs = {run.name: csv_log.columns(run / stage / "validation.csv") for run in runs}
        drawn = plots.group(
            plots.plot(
                _HEADS.get(name, name),
                {
                    run: plots.Line(found["step"], found[name])
                    for run, found in logs.items()
                    if name in found
                },
                meaning=plots.measured(name),
            )
            for name in _SHOWN
        )
        if drawn:
            parts += [f"<h3>{stage}</h3>", drawn]
    return plots.page("Runs", parts)


def drawing(rows: Sequence[Row]) -> str:
    """Returns the perception-distortion plane of the last stages of runs, as the text of an SVG.

    A line joins those that no other run exceeds in both PSNR and LPIPS: the Pareto front. Of a
    sweep, points have the values of its key, and the title has the key.
    """
    last = {row.run: row for row in rows}.values()  # of a run, the later stage
    front = [row.run for row in last if not any(_exceeds(other, row) for other in last)]
    key = _swept([row.run for row in last])
    points = [
        plane.Point(
            row.run.removeprefix(key),
            "front" if row.run in front else row.run,
            row.psnr,
            row.lpips,
        )
        for row in sorted(last, key=lambda row: row.psnr)
    ]
    title = f"{key.rstrip('=')}: Pareto front" if key else "Runs, and their Pareto front"
    return plane.drawing([plane.Panel(title, points)], _PROTOCOL)


def _swept(names: Sequence[str]) -> str:
    """What the names of all runs begin with, up to and with "=", if they are of one sweep."""
    keys = {"".join(name.partition("=")[:2]) for name in names}
    return keys.pop() if len(keys) == 1 and all("=" in name for name in names) else ""


def _written(name: str, value: str | int | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.{_DIGITS[name]}f}"


def _exceeds(one: Row, other: Row) -> bool:
    """Whether a run is nowhere worse than another, and somewhere better."""
    no_worse = one.psnr >= other.psnr and one.lpips <= other.lpips
    return no_worse and (one.psnr, one.lpips) != (other.psnr, other.lpips)
