"""Bicubic resizing as MATLAB's `imresize` does it, and the consistency projection built on it.

Super-resolution papers define the lr image as MATLAB's bicubic downscale of the hr image. Other
libraries' "bicubic" differs in the kernel (a = -0.75), the antialiasing or the rounding, by enough
to move scores by tenths of a decibel. Images are `(height, width, channels)`.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided


def bicubic(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes an image with MATLAB's antialiased bicubic kernel (Keys 1981, a = -0.5).

    Each output sample is sum_k w_k x_k with w_k = h(u - k) / sum_k h(u - k); h is the cubic
    kernel, stretched by 1/scale when shrinking. Rows are resized before columns, and edge
    pixels are replicated.

    Args:
        image: `(height, width, channels)`; its dtype decides the arithmetic. uint8 is rounded
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
            f"got shape {image.shape} and the size {height}x{width}."
        )
    resized = _apply(image, _taps(image.shape[0], height))
    return _apply(resized.swapaxes(0, 1), _taps(image.shape[1], width)).swapaxes(0, 1)


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
    taps = _taps(source, height)
    # Row i of the result needs no source row below this one, and later ones none above that one.
    below = np.maximum.accumulate(taps.indices.max(axis=1))
    above = np.minimum.accumulate(taps.indices.min(axis=1)[::-1])[::-1]
    held, top, done = np.empty(0), 0, 0
    for band in bands:
        columns = _taps(band.shape[1], width)
        narrow = _apply(band.swapaxes(0, 1), columns).swapaxes(0, 1)
        held = np.concatenate([held, narrow]) if held.size else narrow
        ready = int(np.searchsorted(below, top + len(held)))
        if ready > done:
            now = _Taps(taps.indices[done:ready] - top, taps.weights[done:ready])
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
            f"The sides of hr must be multiples of scale={scale}; got {height}x{width}. "
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
        raise ValueError(f"A {height}x{width} image has no {scale}x{scale} block to downscale.")
    return hr[: height - height % scale, : width - width % scale]


def project(sr: np.ndarray, lr: np.ndarray, rounds: int = 8) -> np.ndarray:
    """Moves `sr` towards the images whose bicubic downscale is exactly `lr` (back-projection).

    Repeats sr <- sr + U(lr - D(sr)), with D and U the bicubic down- and upscale (Irani and Peleg
    1991). All of it is linear, so that the residual can be followed at lr size:
    r <- r - D(U(r)), and sr + U(r_0 + r_1 + ...) is the same result with two passes over the
    large image instead of two a round.

    Args:
        sr: Upscaled image `(scale * height, scale * width, channels)`, float, any range.
        lr: The image it came from, `(height, width, channels)`, float, same range.
        rounds: Repetitions; coarse structure converges first, and 0 returns
            `sr`. Inverting D exactly instead would amplify the rounding error of an 8-bit lr.

    Returns:
        Same shape as `sr`, float32, not clipped.

    Raises:
        ValueError: If the sides of `sr` are not one integer multiple of those of `lr`.
    """
    scale = sr.shape[0] // lr.shape[0]
    if sr.shape != (lr.shape[0] * scale, lr.shape[1] * scale, lr.shape[2]):
        raise ValueError(
            f"The sides of sr must be one integer multiple of those of lr; "
            f"got {sr.shape} and {lr.shape}."
        )
    if rounds == 0:
        return sr
    (rows_down, rows_round, rows_up), (columns_down, columns_round, columns_up) = (
        _projection(length, scale) for length in lr.shape[:2]
    )
    # In float64: the order in which a product sums depends on where an image begins, and with it
    # the rounding; so that of a tile and that of the whole would differ too often in float32.
    # Small images have their channels between rows and columns: as one matrix or another, their
    # rows or their columns are then resized by a product with one.
    residual = _turned(lr) - _columns(_turned(_rows(rows_down, sr)), columns_down)
    correction = residual.copy()
    for _ in range(rounds - 1):
        residual -= _columns(_rows(rows_round, residual), columns_round)
        correction += residual
    return _rows(rows_up, _turned(_columns(correction, columns_up)), sr)


def _turned(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.swapaxes(1, 2), np.float64)


class _Taps(NamedTuple):
    """A linear map along one axis: output i is the sum over k of weights[i, k] x[indices[i, k]]."""

    indices: np.ndarray  # (length of the output, taps)
    weights: np.ndarray  # same shape, float64; rows sum to one


@lru_cache(maxsize=64)
def _taps(source: int, target: int) -> _Taps:
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
    return _Taps(np.clip(indices[:, used], 0, source - 1), weights[:, used])


@lru_cache(maxsize=64)
def _round_trip(length: int, scale: int) -> _Taps:
    """The map D(U(x)) along one axis of `length` lr samples, as one short filter a sample."""
    up, down = _taps(length, length * scale), _taps(length * scale, length)
    sources = up.indices[down.indices]  # (length, taps of down, taps of up)
    products = down.weights[:, :, None] * up.weights[down.indices]
    offsets = sources - np.arange(length)[:, None, None]
    reach = int(np.abs(offsets).max())
    weights = np.zeros((length, 2 * reach + 1))
    rows = np.broadcast_to(np.arange(length)[:, None, None], offsets.shape)
    np.add.at(weights, (rows, offsets + reach), products)
    indices = np.arange(length)[:, None] + np.arange(-reach, reach + 1)
    return _Taps(np.clip(indices, 0, length - 1), weights)


class _Band(NamedTuple):
    """Part of a matrix that is zero far from its diagonal: a block that is repeated along it.

    Attributes:
        matrix: The block, `(rows, columns)`.
        row: Where the first one begins.
        column: Likewise.
        step: Columns from one to the next.
        repeats: How many there are.
    """

    matrix: np.ndarray
    row: int
    column: int
    step: int
    repeats: int


_SPAN = 32  # of the longer side of a block: more multiplies zeros, less multiplies little at a time

# Of multiplications in one product: more, and OpenBLAS would share it among threads of its own,
# which are as many as all cores, while each core has a tile to upscale already.
_PRODUCT = 2**18
_SCRATCH = 2**17  # of samples that are copied at a time, to stay in the cache


@lru_cache(maxsize=64)
def _projection(length: int, scale: int) -> tuple[list[_Band], list[_Band], list[_Band]]:
    """What the projection does along an axis of `length` lr samples: D, D(U()) and U."""
    down, up = _taps(length * scale, length), _taps(length, length * scale)
    rows = max(_SPAN // scale, 1)
    return _bands(down, rows), _bands(_round_trip(length, scale), _SPAN), _bands(up, _SPAN)


def _bands(taps: _Taps, rows: int) -> list[_Band]:
    bands: list[_Band] = []
    for row in range(0, len(taps.indices), rows):
        indices, weights = taps.indices[row : row + rows], taps.weights[row : row + rows]
        column = int(indices.min())
        matrix = np.zeros((len(indices), indices.max() + 1 - column))
        np.add.at(matrix, (np.arange(len(indices))[:, None], indices - column), weights)
        last = bands[-1] if bands else None
        step = column - last.column - last.step * (last.repeats - 1) if last else 0
        if last and np.array_equal(matrix, last.matrix) and last.step in (step, 0):
            bands[-1] = last._replace(step=step, repeats=last.repeats + 1)
        else:
            bands.append(_Band(matrix, row, column, 0, 1))
    return bands


def _rows(bands: list[_Band], image: np.ndarray, addend: np.ndarray | None = None) -> np.ndarray:
    """The product of a banded matrix and `(height, ...)`, float64; plus `addend`, float32."""
    flat = image.reshape(len(image), -1)
    result = np.empty((_end(bands), flat.shape[1]), np.float64 if addend is None else np.float32)
    most = _PRODUCT // max(band.matrix.size for band in bands)
    size = max(min(most, _SCRATCH // max(len(flat), len(result))), 1)
    for left in range(0, flat.shape[1], size):
        part = np.ascontiguousarray(flat[:, left : left + size], np.float64)
        length, width = part.strides[0], part.shape[1]
        product = np.empty((len(result), width))
        for matrix, row, column, step, repeats in bands:
            rows, columns = matrix.shape
            seen = as_strided(
                part[column:],
                (repeats, columns, width),
                (step * length, length, 8),
                writeable=False,
            )
            made = product[row : row + repeats * rows].reshape(repeats, rows, width)
            np.matmul(matrix, seen, out=made)
        if addend is not None:
            product += addend.reshape(len(product), -1)[:, left : left + size]
        result[:, left : left + size] = product
    return result.reshape(-1, *image.shape[1:])


def _columns(image: np.ndarray, bands: list[_Band]) -> np.ndarray:
    """The product of `(height, channels, width)` and a banded matrix, transposed; float64."""
    height, channels, width = image.shape
    flat = image.reshape(-1, width)
    product = np.empty((len(flat), _end(bands)))
    for matrix, row, column, step, repeats in bands:
        rows, columns = matrix.shape
        seen = as_strided(
            flat[:, column:],
            (repeats, len(flat), columns),
            (step * 8, width * 8, 8),
            writeable=False,
        )
        made = product[:, row : row + repeats * rows].reshape(-1, repeats, rows).swapaxes(0, 1)
        size = max(_PRODUCT // matrix.size, 1)
        for top in range(0, len(flat), size):
            part = slice(top, top + size)
            np.matmul(seen[:, part], matrix.T, out=made[:, part])
    return product.reshape(height, channels, -1)


def _end(bands: list[_Band]) -> int:
    last = bands[-1]
    return last.row + last.repeats * len(last.matrix)


def _cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


_IN_CACHE = 2**18  # bytes; of the processor's second level there are mostly more


def _apply(image: np.ndarray, taps: _Taps) -> np.ndarray:
    """Applies `taps` along the first axis; uint8 is rounded half up, as MATLAB rounds."""
    image = np.ascontiguousarray(image)
    exact = image.dtype == np.uint8
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
        return np.clip(np.floor(total + 0.5), 0, 255).astype(np.uint8)
    return total
