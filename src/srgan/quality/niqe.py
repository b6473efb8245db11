"""NIQE: how natural a picture looks, without a reference, as the authors' MATLAB code has it."""

import math
from functools import cache

import numpy as np

from srgan.numeric import resize
from srgan.numeric.color import TooSmallError, as_image, blur, gaussian, levels, size
from srgan.util import resources

BLOCK = 96  # pixels a side
_GREY = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])  # of rgb2gray
_NEIGHBOURS = (0, 1), (1, 0), (1, 1), (1, -1)


def niqe(image: np.ndarray, border: int = 0) -> float:
    """Natural Image Quality Evaluator (Mittal, Soundararajan and Bovik 2013).

    The luma is made locally of zero mean and unit deviation, at full and half size. In blocks of
    96x96 pixels, generalised Gaussians are fitted to it and to the products of neighbours; what
    results is the distance of these 36 parameters from those of 125 pristine photos. Equals the
    authors' software release to 1e-4.

    Args:
        image: `(height, width, 3)`, RGB, two blocks or more.
        border: Pixels to leave out at each edge.

    Returns:
        Lower is better; sharp photos have 2 to 5. `nan` if fewer than two blocks have structure.

    Raises:
        ValueError: If the image is not RGB, or too small.
    """
    image = as_image(image)
    height, width = (side - 2 * border for side in image.shape[:2])
    if (height // BLOCK) * (width // BLOCK) < 2:
        raise TooSmallError(
            f"NIQE needs two blocks of {BLOCK}x{BLOCK} pixels; got {size(image)} with "
            f"border={border}. Score a larger image."
        )
    inside = levels(image)[border : border + height, border : border + width]
    return of_luma(np.floor(inside @ _GREY + 0.5))


def of_luma(luma: np.ndarray) -> float:
    """Returns NIQE of a luma in whole grey levels, `(height, width)`, of two blocks or more.

    Papers that take that of YCbCr in place of MATLAB's `rgb2gray` can be followed by this.
    """
    rows, columns = (side // BLOCK for side in luma.shape)
    plane = luma[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    features = np.concatenate(
        [_features(plane, BLOCK), _features(_half(plane), BLOCK // 2)], axis=1
    )
    known = features[np.isfinite(features).all(axis=1)]  # a flat block has no distribution
    if len(known) < 2:
        return math.nan
    pristine, covariance = _pristine()
    distance = pristine - np.nanmean(features, axis=0)
    pooled = (covariance + np.cov(known, rowvar=False)) / 2
    inverse = np.linalg.pinv(pooled, rcond=len(pooled) * np.finfo(float).eps)
    return float(np.sqrt(distance @ inverse @ distance))


def _half(plane: np.ndarray) -> np.ndarray:
    """MATLAB's `imresize(plane, 0.5)`, which mirrors the picture at its edges."""
    padded = np.pad(plane, 8, mode="symmetric")[:, :, None]
    return resize.bicubic(padded, *(side // 2 for side in padded.shape[:2]))[4:-4, 4:-4, 0]


def _features(plane: np.ndarray, side: int) -> np.ndarray:
    """18 parameters of each block of `side` pixels."""
    window, padded = gaussian(radius=3, sigma=7 / 6), np.pad(plane, 3, mode="edge")
    mean = blur(padded, window)
    deviation = np.sqrt(np.abs(blur(padded**2, window) - mean**2))
    normalised = (plane - mean) / (deviation + 1)
    rows, columns = (length // side for length in plane.shape)
    blocks = normalised.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
    found = []
    for neighbour in (None, *_NEIGHBOURS):
        values = blocks if neighbour is None else blocks * np.roll(blocks, neighbour, axis=(1, 2))
        shape, left, right, mean = _fit(values)
        found += [shape, (left + right) / 2] if neighbour is None else [shape, mean, left, right]
    return np.stack(found, axis=1)


def _fit(blocks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Shape, both widths and mean of the asymmetric generalised Gaussian of each block.

    By moments (Lasmar, Stitou and Berthoumieu 2009), with the shape from a table.
    """
    values = blocks.reshape(len(blocks), -1)
    table = _table()
    with np.errstate(invalid="ignore", divide="ignore"):  # flat blocks become NaN
        left, right = (
            np.sqrt((values**2).sum(axis=1, where=side) / side.sum(axis=1))
            for side in (values < 0, values > 0)
        )
        skew = left / right
        ratio = np.abs(values).mean(axis=1) ** 2 / (values**2).mean(axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    middles = (table["ratio"][1:] + table["ratio"][:-1]) / 2
    nearest = np.searchsorted(middles, ratio)
    nearest[~np.isfinite(ratio)] = 0
    left, right = (
        np.where(np.isfinite(ratio), x * table["width"][nearest], np.nan) for x in (left, right)
    )
    return table["shape"][nearest], left, right, (right - left) * table["mean"][nearest]


@cache
def _table() -> dict[str, np.ndarray]:
    """What follows from each shape of a generalised Gaussian."""
    shape = np.arange(0.2, 10.001, 0.001)
    first, second, third = (np.array([math.gamma(k / x) for x in shape]) for k in (1, 2, 3))
    ratio, width = second**2 / (first * third), np.sqrt(first / third)
    return {"shape": shape, "ratio": ratio, "width": width, "mean": second / first}


@cache
def _pristine() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the parameters of pristine photos."""
    with np.load(resources.WEIGHTS / "niqe.npz") as file:
        return file["mean"], file["covariance"]
