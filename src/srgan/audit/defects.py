"""What makes a photo a bad teacher, measured: blocks, repeated pixels, impulses, bars."""

from typing import NamedTuple

import cv2
import numpy as np

BLOCK = 8  # side of a JPEG block
_CAPPED = 16  # grey levels; a larger step is an edge of the picture, not of a block
# Excess over the period: 0.95 or more for repeated pixels, 0.42 or more after JPEG of quality 90,
# and at most 0.09 in 215 photos.
_REPEATED = 0.3

_FAR = 64  # grey levels, between a sample and its surroundings
_ALIKE = 8  # grey levels, in which JPEG leaves one colour or tone
_TONES_APART = 64  # grey levels
_THINNEST = 0.02  # of a side: scanners leave four dark columns at the edge of a photo
_SPECKS = 0.02  # of a bar's line: a logo, a subtitle
_BEYOND = 0.5  # of the line that a bar ends at: the picture is of another colour there


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


def repeated(luma: np.ndarray) -> tuple[int, float] | None:
    """Returns by which factor, 2 to 4, a photo was enlarged by repeated pixels, and the excess.

    Blocks of strong JPEG are flat, so that their borders are a grid of half and a quarter of the
    period too; but every second step of that is missing, as it is not where pixels are repeated.

    Args:
        luma: `(height, width)` uint8, at least 32 pixels a side.
    """
    for factor in (4, 3, 2):
        excess = grid(luma, factor).excess
        if excess > _REPEATED * factor and grid(luma, 2 * factor).excess < excess:
            return factor, excess
    return None


def impulses(image: np.ndarray) -> float:
    """Returns the share of samples that salt-and-pepper noise took the place of, about.

    A sample counts that is nearly 0 or 255, and far from the median of its 3x3 surroundings. There
    have to be both: lights in the dark are salt alone, and hairs on white pepper alone.

    Args:
        image: `(height, width, 3)` uint8.
    """
    far = cv2.absdiff(image, cv2.medianBlur(image, 3)) >= _FAR
    shares = [np.mean(far & (image >= 255 - _ALIKE)), np.mean(far & (image <= _ALIKE))]
    return float(2 * min(shares))


def tones(luma: np.ndarray) -> float:
    """Returns the share of pixels that have one of the two most frequent tones, about.

    Nearly 1 in one-bit art, and in printed pages. The two are far apart: near each other, they are
    a dark or foggy photo.

    Args:
        luma: `(height, width)` uint8.
    """
    counts = np.bincount(luma.ravel(), minlength=256)
    near = np.convolve(counts, np.ones(2 * _ALIKE + 1, int), mode="same")
    first = int(near.argmax())
    apart = np.abs(np.arange(256) - first) > _TONES_APART
    return float((near[first] + near[apart].max()) / luma.size)


class Bars(NamedTuple):
    """Rows and columns of one colour along the edges of a picture."""

    top: int
    bottom: int
    left: int
    right: int


def bars(luma: np.ndarray) -> Bars:
    """Returns the bars round a picture, as films have them: see `Bars`.

    A bar ends at a straight border: the next line but one differs from it in half of its length.
    So a wall or a sky at the edge of a photo is none. Opposite a bar, one of its colour may end as
    it likes: a scan is seldom quite level.

    Args:
        luma: `(height, width)` uint8.
    """
    found: list[int] = []
    for one, other in ((luma, luma[::-1]), (luma.T, luma.T[::-1])):
        sides = [_bar(one), _bar(other)]
        alike = abs(sides[0].colour - sides[1].colour) <= _ALIKE
        straight = [bar.straight for bar in sides]
        found += [b.thick if b.straight or (alike and any(straight)) else 0 for b in sides]
    return Bars(*found)


class _Bar(NamedTuple):
    thick: int  # lines of one colour; 0 if too few for a bar
    colour: float
    straight: bool  # how it ends


def _bar(lines: np.ndarray) -> _Bar:
    """The first lines, as far as they are of one colour."""
    colour = float(np.median(lines[0]))
    other = np.mean(np.abs(lines[: len(lines) // 2] - colour) > _ALIKE, axis=1)
    thick = int(np.argmax(other > _SPECKS))
    straight = thick + 1 < len(other) and other[thick + 1] > _BEYOND
    return _Bar(thick if thick >= _THINNEST * len(lines) else 0, colour, bool(straight))


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
