"""NIQE: how natural a picture looks, without a reference, as the authors' MATLAB code has it."""

import math
from functools import cache

import numpy as np

from srgan.numeric.color import TooSmallError, as_image, size
from srgan.quality import scene_statistics
from srgan.util import resources

BLOCK = 96  # pixels a side
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
    inside = image[border : border + height, border : border + width]
    return of_luma(scene_statistics.grey(inside))


def of_luma(luma: np.ndarray) -> float:
    """Returns NIQE of a luma in whole grey levels, `(height, width)`, of two blocks or more.

    Papers that take that of YCbCr in place of MATLAB's `rgb2gray` can be followed by this.
    """
    rows, columns = (side // BLOCK for side in luma.shape)
    plane = luma[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    half = scene_statistics.half(plane)
    features = np.concatenate([_features(plane, BLOCK), _features(half, BLOCK // 2)], axis=1)
    known = features[np.isfinite(features).all(axis=1)]  # a flat block has no distribution
    if len(known) < 2:
        return math.nan
    pristine, covariance = _pristine()
    distance = pristine - np.nanmean(features, axis=0)
    pooled = (covariance + np.cov(known, rowvar=False)) / 2
    inverse = np.linalg.pinv(pooled, rcond=len(pooled) * np.finfo(float).eps)
    return float(np.sqrt(distance @ inverse @ distance))


def _features(plane: np.ndarray, side: int) -> np.ndarray:
    """18 parameters of each block of `side` pixels."""
    normalised = scene_statistics.normalised(plane, beyond="edge")
    rows, columns = (length // side for length in plane.shape)
    blocks = normalised.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
    number = len(blocks)
    of_each = scene_statistics.fit(blocks.reshape(number, -1))
    found = [of_each.shape, of_each.width * (of_each.left + of_each.right) / 2]
    for neighbour in _NEIGHBOURS:
        products = blocks * np.roll(blocks, neighbour, axis=(1, 2))
        shape, left, right, width, mean = scene_statistics.fit(products.reshape(number, -1))
        found += [shape, mean, width * left, width * right]
    return np.stack(found, axis=1)


@cache
def _pristine() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the parameters of pristine photos."""
    with np.load(resources.WEIGHTS / "niqe.npz") as file:
        return file["mean"], file["covariance"]
