"""Bicubic resizing as MATLAB's `imresize` does it.

Super-resolution papers define the lr image as MATLAB's bicubic downscale of the hr image. Other
libraries' "bicubic" differs in the kernel (a = -0.75), the antialiasing or the rounding, by enough
to move scores by tenths of a decibel. Images are `(height, width, channels)`.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np


def bicubic(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes an image with MATLAB's antialiased bicubic kernel (Keys 1981, a = -0.5).

    Each output sample is sum_k w_k x_k with w_k = h(u - k) / sum_k h(u - k); h is the cubic
    kernel, stretched by 1/scale when shrinking. Rows are resized before columns, and edge
    pixels are replicated.

    Args:
        image: `(height, width, channels)`; its dtype decides the arithmetic. Integers are rounded
            half up and clipped after each of the two passes, as MATLAB does and as the published
            lr files have it; floats are neither rounded nor clipped.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        `(height, width, channels)`, same dtype.

    Raises:
        ValueError: If `image` is not three-dimensional, or any size is below one.

    Example:
        >>> ramp = np.arange(0, 80, 10, dtype=np.uint8)[None, :, None]
        >>> bicubic(ramp, 1, 4).ravel()
        array([ 5, 25, 45, 65], dtype=uint8)
    """
    if image.ndim != 3 or min(*image.shape, height, width) < 1:
        raise ValueError(
            f"bicubic resizes a (height, width, channels) image to at least 1x1; "
            f"got shape {image.shape} and the size {width}x{height}."
        )
    resized = _apply(image, taps_of(image.shape[0], height))
    return _apply(resized.swapaxes(0, 1), taps_of(image.shape[1], width)).swapaxes(0, 1)


def bicubic_rows(
    bands: Iterable[np.ndarray], source: int, height: int, width: int
) -> Iterator[np.ndarray]:
    """Resizes an image that comes as rows, to rows, as `bicubic` does.

    Args:
        bands: All rows from the top, some at a time; `(n, width, channels)`, float32.
        source: How many rows that are.
        height: Rows of the result.
        width: Columns of the result.

    Yields:
        `(n, width, channels)`, float32.
    """
    taps = taps_of(source, height)
    # Row i of the result needs no source row below this one, and later ones none above that one.
    below = np.maximum.accumulate(taps.indices.max(axis=1))
    above = np.minimum.accumulate(taps.indices.min(axis=1)[::-1])[::-1]
    held, top, done = np.empty(0), 0, 0
    for band in bands:
        columns = taps_of(band.shape[1], width)
        narrow = _apply(band.swapaxes(0, 1), columns).swapaxes(0, 1)
        held = np.concatenate([held, narrow]) if held.size else narrow
        ready = int(np.searchsorted(below, top + len(held)))
        if ready > done:
            now = Taps(taps.indices[done:ready] - top, taps.weights[done:ready])
            yield _apply(held, now)
            done = ready
            used = (above[done] if done < height else top + len(held)) - top
            held, top = held[used:], top + used


def downscale(hr: np.ndarray, scale: int) -> np.ndarray:
    """Returns the lr image of `hr`: `bicubic` by 1/`scale`.

    Raises:
        ValueError: If a side of `hr` is no multiple of `scale`; see `crop_to_multiple`.
    """
    height, width = hr.shape[:2]
    if height % scale or width % scale:
        raise ValueError(
            f"The sides of hr must be multiples of scale={scale}; got {width}x{height}. "
            "Crop it with crop_to_multiple first."
        )
    return bicubic(hr, height // scale, width // scale)


def upscale(lr: np.ndarray, scale: int) -> np.ndarray:
    """Returns `lr` enlarged `scale` times by `bicubic`."""
    return bicubic(lr, lr.shape[0] * scale, lr.shape[1] * scale)


def crop_to_multiple(hr: np.ndarray, scale: int) -> np.ndarray:
    """Returns `hr` without the rows and columns (below, right) that exceed a multiple of `scale`.

    Raises:
        ValueError: If a side is shorter than `scale`.
    """
    height, width = hr.shape[:2]
    if min(height, width) < scale:
        raise ValueError(f"A {width}x{height} image has no {scale}x{scale} block to downscale.")
    return hr[: height - height % scale, : width - width % scale]


class Taps(NamedTuple):
    """A linear map along one axis: output i is the sum over k of weights[i, k] x[indices[i, k]]."""

    indices: np.ndarray  # (length of the output, taps)
    weights: np.ndarray  # same shape, float64; rows sum to one


@lru_cache(maxsize=64)
def taps_of(source: int, target: int) -> Taps:
    """The bicubic map from `source` to `target` samples (`contributions` in imresize.m)."""
    scale = target / source
    shrink = min(scale, 1.0)  # the kernel is stretched against aliasing only when shrinking
    support = 4 / shrink
    centre = (np.arange(target) + 0.5) / scale - 0.5
    first = np.floor(centre - support / 2).astype(int)
    indices = first[:, None] + np.arange(int(np.ceil(support)) + 2)
    weights = _cubic(shrink * (centre[:, None] - indices))
    weights /= weights.sum(axis=1, keepdims=True)
    used = np.any(weights != 0, axis=0)
    return Taps(np.clip(indices[:, used], 0, source - 1), weights[:, used])


def _cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


_IN_CACHE = 2**18  # bytes; of the processor's second level there are mostly more


def _apply(image: np.ndarray, taps: Taps) -> np.ndarray:
    """Applies `taps` along the first axis; integers are rounded half up, as MATLAB rounds."""
    image = np.ascontiguousarray(image)
    exact = image.dtype in (np.uint8, np.uint16)
    # A sum of 8-bit values times the dyadic weights of x2, x4 and x8 is exact in float64, so
    # that ties round as MATLAB's do.
    weights = taps.weights.astype(np.float64 if exact else image.dtype)
    total = np.zeros((len(weights), *image.shape[1:]), weights.dtype)
    rows = max(_IN_CACHE // max(total[0].nbytes, 1), 1)
    for top in range(0, len(total), rows):  # some rows at a time, which stay in the cache
        part = slice(top, top + rows)
        for k in range(weights.shape[1]):
            product = weights[part, k, None, None] * image[taps.indices[part, k]]
            total[part] += product
    if exact:
        return np.clip(np.floor(total + 0.5), 0, np.iinfo(image.dtype).max).astype(image.dtype)
    return total
