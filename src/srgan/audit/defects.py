"""What makes a photo a bad teacher, measured: JPEG blocks and repeated pixels."""

from typing import NamedTuple

import cv2
import numpy as np

BLOCK = 8  # side of a JPEG block
_CAPPED = 16  # grey levels; a larger step is an edge of the picture, not of a block


class Grid(NamedTuple):
    """Steps between pixels that are larger at every so many pixels than on both sides of there.

    Attributes:
        excess: How much larger than at the next best offset, in units of the photo's mean step, in
            the direction where it is less.
        certainty: Of it, in standard errors.
        down, right: Rows and columns before the first border.
    """

    excess: float
    certainty: float
    down: int
    right: int


def grid(luma: np.ndarray, period: int, cap: int = 255) -> Grid:
    """Returns the grid of period `period` that is strongest in a photo.

    With s_i the mean of |x_(i+1) - x_i| along a whole border, e_i = s_i - (s_(i-1) + s_(i+1)) / 2
    is averaged over the i of equal remainder by the period, and the largest of these averages is
    compared with the second largest: the blocking term of Wang, Sheikh and Bovik 2002
    ("No-reference perceptual quality assessment of JPEG compressed images") at all offsets, and
    made local, since a photo is not equally rough everywhere.

    Args:
        luma: `(height, width)` uint8, at least four periods a side.
        period: Pixels.
        cap: Steps count at most so many grey levels.
    """
    down, right = _steps(luma, period, cap), _steps(luma.T, period, cap)
    return Grid(min(down[0], right[0]), min(down[1], right[1]), down[2], right[2])


def blocking(luma: np.ndarray) -> Grid:
    """Returns the grid of JPEG's blocks; see `grid`."""
    return grid(luma, BLOCK, _CAPPED)


def _steps(luma: np.ndarray, period: int, cap: int) -> tuple[float, float, int]:
    """Excess, certainty and rows before the first border of the strongest grid along axis 0."""
    steps = np.minimum(cv2.absdiff(luma[1:], luma[:-1]), cap).mean(axis=1, dtype=np.float64)
    local = steps[1:-1] - (steps[:-2] + steps[2:]) / 2
    places = local[: len(local) // period * period].reshape(-1, period)
    means = places.mean(axis=0)
    second, strongest = np.argsort(means)[-2:]
    # A grid of half the period, such as enlarging leaves, has two strongest places.
    excess = means[strongest] - max(means[second], 0.0)
    error = places[:, strongest].std(ddof=1) / np.sqrt(len(places))
    return (
        float(excess / max(steps.mean(), 1e-3)),
        float(excess / max(error, 1e-6)),
        int(strongest + 2) % period,  # local[i] is about the step from row i + 1 to row i + 2
    )
