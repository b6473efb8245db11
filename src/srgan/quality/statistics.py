"""How sure a mean difference is: intervals that hold for few photos, and a correction for many.

What is asked of an interval of 95 % is that it holds the true mean 19 times of 20. The percentile
bootstrap of 5 photos does so 17 times of 20; see `intervals` for what is taken instead.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

FEWEST = 5  # photos for an interval: of fewer, nothing tells how their differences are spread
SKEWNESS_KNOWN = 10  # photos, from which on the bootstrap is asked, too
CONFIDENCE = 0.95

_RESAMPLES = 4_999  # of the bootstrap


class Intervals(NamedTuple):
    """What the differences of some photos say of the means over all such photos."""

    mean: np.ndarray  # each `(comparisons,)`
    low: np.ndarray  # of the 95 % interval; NaN of fewer than `FEWEST` photos, as are the rest
    high: np.ndarray
    p: np.ndarray  # how likely a mean so far from 0 comes by chance, by Student's t


def intervals(differences: np.ndarray) -> Intervals:
    """Returns the means of paired differences with their 95 % intervals.

    Student's t, which is exact for normal differences. Of `SKEWNESS_KNOWN` photos and more, at each
    end the farther of that and the studentised bootstrap (Efron and Tibshirani 1993, section 12.5),
    which follows the skewness of the differences. Each alone then holds the mean too seldom, the
    first of skewed differences, the second of those with some far from the rest. Fewer photos do
    not tell how skewed they are: the ends of the bootstrap are then anywhere.

    Args:
        differences: `(photos, comparisons)`, finite; at least one photo.

    Example:
        >>> found = intervals(np.array([[1.0], [1.2], [0.8], [1.1], [0.9]]))
        >>> found.mean.round(2), found.low.round(2), found.high.round(2)
        (array([1.]), array([0.8]), array([1.2]))
        >>> intervals(np.array([[1.0], [2.0]])).low
        array([nan])
    """
    photos = len(differences)
    mean = differences.mean(axis=0)
    if photos < FEWEST:
        unknown = np.full_like(mean, math.nan)
        return Intervals(mean, unknown, unknown, unknown)
    error = differences.std(axis=0, ddof=1) / math.sqrt(photos)
    error = np.where(error <= 1e-12 * np.abs(mean), 0, error)  # all alike, but for rounding
    reach = t_quantile(1 - (1 - CONFIDENCE) / 2, photos - 1)
    below, above = -reach, reach
    if photos >= SKEWNESS_KNOWN:
        below, above = _studentised(differences - mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(mean == 0, 1.0, t_tails(mean / error, photos - 1))
    return Intervals(
        mean, mean - np.maximum(reach, above) * error, mean - np.minimum(-reach, below) * error, p
    )


def holm(p: Sequence[float]) -> list[float]:
    """Returns p values corrected for their number (Holm 1979); NaN stays, and is not counted.

    Calling every one below 0.05 a difference errs at all in at most 5 % of evaluations, however
    many comparisons there are and however they depend on each other.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    corrected = [math.nan] * len(p)
    known = sorted((value, place) for place, value in enumerate(p) if not math.isnan(value))
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * value))
        corrected[place] = highest
    return corrected


def t_tails(t: np.ndarray, freedom: int) -> np.ndarray:
    """Returns how likely |t| is exceeded: Student's distribution of whole degrees of freedom.

    Closed forms 26.7.3 and 26.7.4 of Abramowitz and Stegun (1964).
    """
    angle = np.arctan(np.abs(t) / math.sqrt(freedom))
    cosine = np.cos(angle)
    odd = freedom % 2
    term, total = (cosine if odd else np.ones_like(cosine)), np.zeros_like(cosine)
    for k in range(3 if odd else 2, freedom + 1, 2):
        total = total + term
        term = term * cosine**2 * (k - 1) / k
    inside = np.sin(angle) * total
    if odd:
        inside = (angle + inside) * 2 / math.pi
    return np.maximum(1 - inside, 0)


@cache
def t_quantile(share: float, freedom: int) -> float:
    """Returns what Student's t stays below with probability `share`, above 0.5."""
    low, high = 0.0, 1e6
    for _ in range(100):
        middle = (low + high) / 2
        above = t_tails(np.array(middle), freedom) > 2 * (1 - share)
        low, high = (middle, high) if above else (low, middle)
    return low


def _studentised(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The quantiles of the mean of a resample over its standard error, 0 where there are none.

    A resample of equal photos has no standard error. If there are so many that the quantile is one
    of them, the bootstrap says nothing.
    """
    photos = len(centred)
    counts = _counts(photos)
    offsets = counts @ centred / photos
    variances = (counts @ centred**2 / photos - offsets**2) / (photos - 1)
    variances[variances <= 1e-20 * np.max(centred**2, axis=0)] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = offsets / np.sqrt(variances)
    scores[np.isnan(scores)] = 0
    tail = round((1 - CONFIDENCE) / 2 * (_RESAMPLES + 1))
    scores.partition((tail - 1, _RESAMPLES - tail), axis=0)
    ends = scores[[tail - 1, _RESAMPLES - tail]]
    below, above = np.where(np.isfinite(ends), ends, 0)
    return below, above


@cache
def _counts(photos: int) -> np.ndarray:
    """How often each photo is drawn in each of the bootstrap's samples."""
    drawn = np.random.default_rng(0).multinomial(photos, np.full(photos, 1 / photos), _RESAMPLES)
    return drawn.astype(np.float64)
