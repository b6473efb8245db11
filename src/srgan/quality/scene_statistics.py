"""Statistics of natural scenes, which NIQE and BRISQUE share: Mittal, Moorthy and Bovik 2012."""

import math
from functools import cache
from typing import Literal, NamedTuple

import numpy as np

from srgan.numeric import resize
from srgan.numeric.color import blur, gaussian, levels

_GREY = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])  # of rgb2gray


def grey(image: np.ndarray) -> np.ndarray:
    """Returns MATLAB's `rgb2gray` of an RGB image of integers, in whole grey levels of 8 bits."""
    return np.floor(levels(image) @ _GREY + 0.5)


def half(plane: np.ndarray) -> np.ndarray:
    """Returns MATLAB's `imresize(plane, 0.5)`, which mirrors the picture; sides are even."""
    padded = np.pad(plane, 8, mode="symmetric")[:, :, None]
    return resize.bicubic(padded, *(side // 2 for side in padded.shape[:2]))[4:-4, 4:-4, 0]


def normalised(plane: np.ndarray, beyond: Literal["edge", "constant"]) -> np.ndarray:
    """Returns a luma with local means of zero and deviations of one, by a Gaussian window.

    Args:
        plane: `(height, width)`, in grey levels.
        beyond: What the window sees beyond the edges: the outermost pixels, or zeros.
    """
    window, padded = gaussian(radius=3, sigma=7 / 6), np.pad(plane, 3, mode=beyond)
    mean = blur(padded, window)
    deviation = np.sqrt(np.abs(blur(padded**2, window) - mean**2))
    return (plane - mean) / (deviation + 1)


class Fit(NamedTuple):
    """Asymmetric generalised Gaussians, one for each row of values; NaN for those of one value.

    Attributes:
        shape: The exponent: 2 for a Gaussian, 1 for a Laplacian.
        left, right: Deviations below and above zero.
        width: The scale parameter of a deviation of one.
        mean: In grey levels of the values.
    """

    shape: np.ndarray
    left: np.ndarray
    right: np.ndarray
    width: np.ndarray
    mean: np.ndarray


def fit(values: np.ndarray) -> Fit:
    """Fits by moments (Lasmar, Stitou and Berthoumieu 2009), with the shape from a table.

    Args:
        values: `(number, values)`.
    """
    table = _table()
    with np.errstate(invalid="ignore", divide="ignore"):  # flat ones become NaN
        left, right = (
            np.sqrt((values**2).sum(axis=1, where=side) / side.sum(axis=1))
            for side in (values < 0, values > 0)
        )
        skew = left / right
        ratio = np.abs(values).mean(axis=1) ** 2 / (values**2).mean(axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    middles = (table.ratio[1:] + table.ratio[:-1]) / 2
    known = np.isfinite(ratio)
    nearest = np.where(known, np.searchsorted(middles, ratio), 0)
    left, right = np.where(known, left, np.nan), np.where(known, right, np.nan)
    width = table.width[nearest]
    mean = (right - left) * width * table.mean[nearest]
    return Fit(table.shape[nearest], left, right, width, mean)


class _Table(NamedTuple):
    shape: np.ndarray
    ratio: np.ndarray  # squared mean of the magnitude over the mean square
    width: np.ndarray
    mean: np.ndarray  # of the magnitude, for a width of one


@cache
def _table() -> _Table:
    """What follows from each shape of a generalised Gaussian."""
    shape = np.arange(0.2, 10.001, 0.001)
    first, second, third = (np.array([math.gamma(k / x) for x in shape]) for k in (1, 2, 3))
    ratio, width = second**2 / (first * third), np.sqrt(first / third)
    return _Table(shape, ratio, width, second / first)


def shape_of(ratio: float) -> float:
    """Returns the shape of a symmetric one by its squared mean magnitude over its mean square."""
    table = _table()
    return float(table.shape[np.abs(1 / table.ratio - 1 / ratio).argmin()])
