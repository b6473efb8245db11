"""Where each method did best and worst: small squares, scored one by one."""

import heapq
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from srgan.numeric import color
from srgan.quality import artifacts, measures, metrics
from srgan.quality.report.pictures import Region

SIDE = 96  # hr pixels
COUNT = 4  # worst and best crops shown of each method and measure
FLAT = 6  # grey levels of deviation below which a square of hr, mostly sky, says nothing of methods
MEASURES = {key: measures.MEASURES[key] for key in ("psnr", "ssim", "lpips", "grid")} | {
    "overshoot": measures.OVERSHOOT,
    "echoes": measures.ECHOES,
}


class Crop(NamedTuple):
    """One square of one result."""

    case: int
    method: int
    measure: str
    region: Region
    value: float


def score(
    hr: np.ndarray, sr: np.ndarray, scale: int, overshoot: np.ndarray, pool: Executor
) -> list[tuple[Region, dict[str, float]]]:
    """Scores the squares of a grid without overlap, so that it costs what scoring sr once does.

    Args:
        hr: Reference, `(height, width, 3)`, uint8.
        sr: Image to score, likewise.
        scale: Factor by which sr was enlarged.
        overshoot: Map of them, `(height, width)`.
        pool: Where the squares are scored.

    Returns:
        Squares of `SIDE`, or less in smaller images, that are not `FLAT`, with a value for each of
        `MEASURES`; NaN where the square is too small for the measure.
    """
    echoes = artifacts.echoes(hr, sr, scale)

    def one(region: Region) -> dict[str, float]:
        pair = region.of(hr), region.of(sr)
        side = min(region.height, region.width)
        return {
            "psnr": metrics.psnr(*pair),
            "ssim": metrics.ssim(*pair) if side >= 11 else math.nan,
            "lpips": metrics.lpips(*pair) if side >= metrics.LPIPS_MINIMUM else math.nan,
            "grid": artifacts.grid(pair[1], scale) if side >= 16 + scale else math.nan,
            "overshoot": float(region.of(overshoot).mean()),
            "echoes": float(region.of(echoes).mean()),
        }

    height, width = (min(SIDE, side) for side in hr.shape[:2])
    brightness = color.luma(hr)
    grid = [
        region
        for top in range(0, hr.shape[0] - height + 1, height)
        for left in range(0, hr.shape[1] - width + 1, width)
        if (region := Region(top, left, height, width)).of(brightness).std() >= FLAT
    ]
    return list(zip(grid, pool.map(one, grid), strict=True))


def extremes(
    case: int, method: int, scored: Sequence[tuple[Region, dict[str, float]]]
) -> list[Crop]:
    """Returns the lowest and the highest square by each measure: all that one result can show."""
    found = []
    for measure in MEASURES:
        crops = [
            Crop(case, method, measure, region, values[measure])
            for region, values in scored
            if not math.isnan(values[measure])
        ]
        if crops:
            found += [min(crops, key=_value), max(crops, key=_value)]
    return found


def choose(crops: Sequence[Crop]) -> list[tuple[str, Crop]]:
    """Returns ("worst" or "best", crop), `COUNT` of each a method and measure, of that many cases.

    Args:
        crops: Of each case, those of `extremes`.
    """
    groups: dict[tuple[int, str], list[Crop]] = {}
    for crop in crops:
        groups.setdefault((crop.method, crop.measure), []).append(crop)
    chosen = []
    for (_, measure), group in groups.items():
        high: dict[int, Crop] = {}
        low: dict[int, Crop] = {}
        for crop in sorted(group, key=_value):
            high[crop.case] = crop
            low.setdefault(crop.case, crop)
        highest = heapq.nlargest(COUNT, high.values(), key=_value)
        lowest = heapq.nsmallest(COUNT, low.values(), key=_value)
        worst, best = (
            (lowest, highest) if MEASURES[measure].better == "higher" else (highest, lowest)
        )
        chosen += [("worst", crop) for crop in worst] + [("best", crop) for crop in best]
    return chosen


def _value(crop: Crop) -> float:
    return crop.value
