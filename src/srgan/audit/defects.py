"""What makes a photo a bad teacher, measured: JPEG blocks, repeated pixels, missing detail."""

from typing import NamedTuple

import cv2
import numpy as np

from srgan.numeric import resize

BLOCK = 8  # side of a JPEG block
_CAPPED = 16  # grey levels; a larger step is an edge of the picture, not of a block
_TILE = 256  # side of what is looked at for detail
_MARGIN = 8  # pixels, where a resized tile has seen replicated ones
SHRINKING = (1.5, 2, 3, 4)


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


def detail(luma: np.ndarray) -> float:
    """Returns how much of a photo's detail is fine: 0.5 in sharp photos, near 0 in soft ones.

    With L_f the root mean square of x - U_f D_f x, which scaling down by f and up again loses,
    it is L_1.5 / L_4. Natural images have about equal energy in every octave of frequencies
    (Field 1987), so that sharp ones differ little; an enlarged or blurred one has nothing above
    some frequency. It is measured on the sharpest part of the photo, that of the largest mean
    |Laplacian|, so that a photo with a blurred background counts as sharp.

    Args:
        luma: `(height, width)` uint8, at least 64 pixels a side.
    """
    return _fine_share(_sharpest(luma).astype(np.float32))


def sharp_at(luma: np.ndarray, least: float) -> float:
    """Returns by how much a soft photo has to be scaled down for `detail` to be `least`.

    The smallest sufficient of 1.5, 2, 3 and 4, or 4.
    """
    tile = _sharpest(luma).astype(np.float32)
    for factor in SHRINKING:
        height, width = (round(side / factor) for side in tile.shape)
        if min(height, width) < 4 * _MARGIN:
            return factor
        if _fine_share(resize.bicubic(tile[:, :, None], height, width)[:, :, 0]) >= least:
            return factor
    return SHRINKING[-1]


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


def _sharpest(luma: np.ndarray) -> np.ndarray:
    """The tile of `luma` with the largest mean |Laplacian|."""
    height, width = (min(_TILE, side) for side in luma.shape)
    laplacian = cv2.Laplacian(luma, cv2.CV_16S)
    sums = cv2.integral(np.abs(laplacian).astype(np.float32))
    inside = sums[height:, width:] - sums[height:, :-width] - sums[:-height, width:]
    inside += sums[:-height, :-width]
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    return luma[y : y + height, x : x + width]


def _fine_share(tile: np.ndarray) -> float:
    coarse = _lost(tile, SHRINKING[-1])
    return _lost(tile, SHRINKING[0]) / coarse if coarse else 0.0


def _lost(tile: np.ndarray, factor: float) -> float:
    """Root mean square, in grey levels, of what scaling down by `factor` and up again loses."""
    height, width = tile.shape
    small = resize.bicubic(tile[:, :, None], round(height / factor), round(width / factor))
    lost = (tile - resize.bicubic(small, height, width)[:, :, 0])[
        _MARGIN:-_MARGIN, _MARGIN:-_MARGIN
    ]
    return float(np.sqrt(np.mean(lost**2)))
