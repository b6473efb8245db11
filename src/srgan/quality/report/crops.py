"""Where each method did best and worst: small squares, scored one by one."""

import heapq
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from srgan.numeric import color
from srgan.quality import artifacts, ciede2000, measures, metrics
from srgan.quality.report.pictures import Region

SIDE = 96  # hr pixels, or less, to be a multiple of the scale
COUNT = 4  # worst and best crops shown of each method and measure
FLAT = 6  # grey levels of deviation below which a square of hr, mostly sky, says nothing of methods

SEVERE = {
    "sharpness": 0.97,
    "grid": 0.50,
    "checkerboard": 1.0,  # a grey level, below which nothing is seen: 0.22 were found
    "overshoot": 0.20,
    "echoes": 0.033,
    "aliasing": 0.20,
    "colour_drift": 2.5,  # about 1 in CIEDE2000, which is just noticeable; 0.32 were found
}
"""Artefacts, and how far from HR the worst square of a photo is in each by the method that is
worst in it.

Means over Kodak's 24 photos, of bicubic and four shipped models, enlarged four times
(`python benchmarks/artifacts.py KODAK24`). What another method is worst in is told in these units.
"""

MEASURES = {
    key: measures.MEASURES[key]
    for key in ("psnr", "ssim", "lpips", "delta_e", "sharpness", "grid", "checkerboard")
} | {
    "overshoot": measures.OVERSHOOT,
    "echoes": measures.ECHOES,
    "aliasing": measures.MEASURES["aliasing"],
    "colour_drift": measures.MEASURES["colour_drift"],
}


class Value(NamedTuple):
    """What a square has by one measure, and what hr itself has there; NaN if that is no matter."""

    value: float
    hr: float = math.nan


class Crop(NamedTuple):
    """One square of one result."""

    case: int
    method: int
    measure: str
    region: Region
    value: float
    hr: float

    @property
    def lack(self) -> float:
        """How far it is from what would be best, or from what hr has: less is better."""
        lack = MEASURES[self.measure].lack
        return lack(self.value) - (0.0 if math.isnan(self.hr) else lack(self.hr))


def score(
    hr: np.ndarray, sr: np.ndarray, scale: int, overshoot: np.ndarray, pool: Executor
) -> list[tuple[Region, dict[str, Value]]]:
    """Scores the squares of a grid without overlap, so that it costs what scoring sr once does.

    Args:
        hr: Reference, `(height, width, 3)`, uint8, sides multiples of `scale`.
        sr: Image to score, likewise.
        scale: Factor by which sr was enlarged.
        overshoot: Map of them, `(height, width)`.
        pool: Where the squares are scored.

    Returns:
        Squares of `SIDE`, or less in smaller images, that are not `FLAT`, with a value for each of
        `MEASURES`; NaN where the square is too small for the measure.
    """
    echoes = artifacts.echoes(hr, sr, scale)

    def one(region: Region) -> dict[str, Value]:
        pair = region.of(hr), region.of(sr)
        side = min(region.height, region.width)
        found = {
            "psnr": Value(metrics.psnr(*pair)),
            "delta_e": Value(ciede2000.delta_e(*pair)),
            "sharpness": Value(artifacts.sharpness(*pair)),
            "overshoot": Value(float(region.of(overshoot).mean())),
            "echoes": Value(float(region.of(echoes).mean())),
            "aliasing": Value(artifacts.aliasing(*pair, scale)),
            "colour_drift": Value(artifacts.colour_drift(*pair)),
        }
        if side >= 11:
            found["ssim"] = Value(metrics.ssim(*pair))
        if side >= metrics.LPIPS_MINIMUM:
            found["lpips"] = Value(metrics.lpips(*pair))
        if side >= 16 + scale:
            for key, measure in _OF_ONE.items():
                found[key] = Value(*(measure(image, scale) for image in reversed(pair)))
        return {key: value for key, value in found.items() if not math.isnan(value.value)}

    most = SIDE // scale * scale
    height, width = (min(most, side) for side in hr.shape[:2])
    brightness = color.luma(hr)
    grid = [
        region
        for top in range(0, hr.shape[0] - height + 1, height)
        for left in range(0, hr.shape[1] - width + 1, width)
        if (region := Region(top, left, height, width)).of(brightness).std() >= FLAT
    ]
    return list(zip(grid, pool.map(one, grid), strict=True))


def extremes(
    case: int, method: int, scored: Sequence[tuple[Region, Mapping[str, Value]]]
) -> list[Crop]:
    """Returns the worst and the best square by each measure: all that one result can show."""
    found = []
    for measure in MEASURES:
        crops = [
            Crop(case, method, measure, region, *values[measure])
            for region, values in scored
            if measure in values
        ]
        if crops:
            found += [max(crops, key=_lack), min(crops, key=_lack)]
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
    for group in groups.values():
        worst: dict[int, Crop] = {}
        best: dict[int, Crop] = {}
        for crop in sorted(group, key=_lack):
            worst[crop.case] = crop
            best.setdefault(crop.case, crop)
        chosen += [("worst", crop) for crop in heapq.nlargest(COUNT, worst.values(), key=_lack)]
        chosen += [("best", crop) for crop in heapq.nsmallest(COUNT, best.values(), key=_lack)]
    return chosen


def worst_artifacts(chosen: Sequence[tuple[str, Crop]]) -> dict[int, str]:
    """Returns the artefact in which each method is worst beside HR, in units of `SEVERE`.

    Args:
        chosen: Crops, as `choose` returns them.
    """
    lacks: dict[int, dict[str, list[float]]] = {}
    for kind, crop in chosen:
        if kind == "worst" and crop.measure in SEVERE:
            lacks.setdefault(crop.method, {}).setdefault(crop.measure, []).append(crop.lack)
    return {
        method: max(found, key=lambda key: sum(found[key]) / len(found[key]) / SEVERE[key])
        for method, found in lacks.items()
    }


_OF_ONE = {"grid": artifacts.grid, "checkerboard": artifacts.checkerboard}
"""Measures of one image alone, of which hr may have something, too."""


def _lack(crop: Crop) -> float:
    return crop.lack
