"""The consistency projection: what makes a result, scaled down, give its input back.

It is built on MATLAB's bicubic, D down and U up, which is a matrix along each axis.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from srgan.numeric import resize

MAX_ROUNDS = 16  # of `project`: with more, errors of rounding would grow from step to step
_SMALLEST = 0.22  # eigenvalue of D(U()), at any scale and size; the largest is 1


def project(sr: np.ndarray, lr: np.ndarray, rounds: int = 4) -> np.ndarray:
    """Moves `sr` towards the images whose bicubic downscale is exactly `lr` (back-projection).

    Repeats sr <- sr + s_k U(lr - D(sr)), with D and U the bicubic down- and upscale (Irani and
    Peleg 1991) and the lengths s_k of `steps`. All of it is linear, so that the residual can be
    followed at lr size: r <- r - s_k D(U(r)), and sr + U(s_1 r_1 + s_2 r_2 + ...) is the same
    result with two passes over the large image instead of two a round.

    Args:
        sr: Upscaled image `(scale * height, scale * width, channels)`, float, any range.
        lr: The image it came from, `(height, width, channels)`, float, same range.
        rounds: Repetitions, at most `MAX_ROUNDS`; 0 returns `sr`.

    Returns:
        Same shape as `sr`, float32, not clipped.

    Raises:
        ValueError: If the sides of `sr` are not one integer multiple of those of `lr`, or there
            are too many rounds.
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
        _operators(length, scale) for length in lr.shape[:2]
    )
    # The order in which a product sums depends on where an image begins, and with it the rounding;
    # in float32, that of a tile and that of the whole would differ too often for samples of the
    # size of colours, so that D is in float64. The residual is small, and its rounding with it.
    # Small images have their channels between rows and columns: as one matrix or another, their
    # rows or their columns are then resized by a product with one.
    down = _columns(_turned(_rows(rows_down, sr)), columns_down)
    residual = (_turned(lr) - down).astype(np.float32)
    move, correction = residual, residual.copy()  # the first step is 1
    for step in steps(rounds)[1:]:
        residual = residual - _columns(_rows(rows_round, move), columns_round)
        move = step * residual
        correction += move
    return _rows(rows_up, _turned(_columns(correction, columns_up)), sr)


def steps(rounds: int) -> list[float]:
    """Returns the lengths of the steps of `project`, from the shortest, 1, to the longest.

    After them, an error that D(U()) multiplies by e is multiplied by p(e) = (1 - s_1 e)
    (1 - s_2 e)..., where e is 0.22 to 1: 1 for plain colours, least for detail of a single lr
    pixel. Of all steps with s_1 = 1, which leaves nothing of an error in plain colours, those of
    Chebyshev's polynomial (Richardson's iteration: Young 1954) make the largest |p| least: four
    leave 1/27 of it, where four of length 1 leave up to 1/2.7, and eight up to 1/7.3.

    Raises:
        ValueError: If there are more rounds than `MAX_ROUNDS`, or fewer than none.
    """
    if not 0 <= rounds <= MAX_ROUNDS:
        raise ValueError(f"The projection has 0 to {MAX_ROUNDS} rounds; got {rounds}.")
    roots = np.cos((2 * np.arange(rounds) + 1) * np.pi / (2 * rounds))
    spread = (1 - _SMALLEST) / (1 + roots[:1])  # moves the largest of -1..1 to 1, and -1 to 0.22
    return (1 / (_SMALLEST + spread * (1 + roots))).tolist()


def reach(rounds: int) -> int:
    """Returns how far `project` carries a difference, in lr pixels.

    A round can carry it by 4, but what arrives shrinks much faster: beyond the distance returned,
    all that is there together is less than 1e-6 of the difference.
    """
    return min(4 * rounds, 8 + rounds)


def _turned(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.swapaxes(1, 2))


def _round_trip(length: int, scale: int) -> resize.Taps:
    """The map D(U(x)) along one axis of `length` lr samples, as one short filter a sample."""
    up, down = resize.taps_of(length, length * scale), resize.taps_of(length * scale, length)
    sources = up.indices[down.indices]  # (length, taps of down, taps of up)
    products = down.weights[:, :, None] * up.weights[down.indices]
    offsets = sources - np.arange(length)[:, None, None]
    farthest = int(np.abs(offsets).max())
    weights = np.zeros((length, 2 * farthest + 1))
    rows = np.broadcast_to(np.arange(length)[:, None, None], offsets.shape)
    np.add.at(weights, (rows, offsets + farthest), products)
    indices = np.arange(length)[:, None] + np.arange(-farthest, farthest + 1)
    return resize.Taps(np.clip(indices, 0, length - 1), weights)


class _Block(NamedTuple):
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


_SPAN = 16  # of the longer side of a block: more multiplies zeros, less multiplies little at a time

# Of multiplications in one product: more, and OpenBLAS would share it among threads of its own,
# which are as many as all cores, while each core has a tile to upscale already.
_PRODUCT = 2**18
_SCRATCH = 2**17  # of samples that are copied at a time, to stay in the cache


@lru_cache(maxsize=64)
def _operators(length: int, scale: int) -> tuple[list[_Block], list[_Block], list[_Block]]:
    """What the projection does along an axis of `length` lr samples: D, D(U()) and U."""
    down, up = resize.taps_of(length * scale, length), resize.taps_of(length, length * scale)
    rows = max(_SPAN // scale, 1)
    return (
        _blocks(down, rows, np.float64),
        _blocks(_round_trip(length, scale), _SPAN, np.float32),
        _blocks(up, _SPAN, np.float32),
    )


def _blocks(taps: resize.Taps, rows: int, dtype: type) -> list[_Block]:
    blocks: list[_Block] = []
    for row in range(0, len(taps.indices), rows):
        indices, weights = taps.indices[row : row + rows], taps.weights[row : row + rows]
        column = int(indices.min())
        matrix = np.zeros((len(indices), indices.max() + 1 - column))
        np.add.at(matrix, (np.arange(len(indices))[:, None], indices - column), weights)
        matrix = matrix.astype(dtype)
        last = blocks[-1] if blocks else None
        step = column - last.column - last.step * (last.repeats - 1) if last else 0
        if last and np.array_equal(matrix, last.matrix) and last.step in (step, 0):
            blocks[-1] = last._replace(step=step, repeats=last.repeats + 1)
        else:
            blocks.append(_Block(matrix, row, column, 0, 1))
    return blocks


def _rows(blocks: list[_Block], image: np.ndarray, addend: np.ndarray | None = None) -> np.ndarray:
    """The product of a banded matrix and `(height, ...)`, in the dtype of the former."""
    flat, dtype = image.reshape(len(image), -1), blocks[0].matrix.dtype
    result = np.empty((_end(blocks), flat.shape[1]), dtype)
    most = _PRODUCT // max(block.matrix.size for block in blocks)
    size = max(min(most, _SCRATCH // max(len(flat), len(result))), 1)
    for left in range(0, flat.shape[1], size):
        part = np.ascontiguousarray(flat[:, left : left + size], dtype)
        into = result[:, left : left + size]
        line, sample = part.strides
        for matrix, row, column, step, repeats in blocks:
            rows, columns = matrix.shape
            shape, strides = (repeats, columns, part.shape[1]), (step * line, line, sample)
            seen = np.ndarray(shape, dtype, part, column * line, strides)
            block = into[row : row + repeats * rows].reshape(repeats, rows, -1)
            np.matmul(matrix, seen, out=block)
        if addend is not None:
            into += addend.reshape(len(into), -1)[:, left : left + size]
    return result.reshape(-1, *image.shape[1:])


def _columns(image: np.ndarray, blocks: list[_Block]) -> np.ndarray:
    """The product of `(height, channels, width)` and a banded matrix, transposed; likewise."""
    height, channels, width = image.shape
    flat = np.ascontiguousarray(image, blocks[0].matrix.dtype).reshape(-1, width)
    result = np.empty((len(flat), _end(blocks)), flat.dtype)
    line, sample = flat.strides
    for matrix, row, column, step, repeats in blocks:
        rows, columns = matrix.shape
        shape, strides = (repeats, len(flat), columns), (step * sample, line, sample)
        seen = np.ndarray(shape, flat.dtype, flat, column * sample, strides)
        into = result[:, row : row + repeats * rows].reshape(-1, repeats, rows).swapaxes(0, 1)
        size = max(_PRODUCT // matrix.size, 1)
        for top in range(0, len(flat), size):
            part = slice(top, top + size)
            np.matmul(seen[:, part], matrix.T, out=into[:, part])
    return result.reshape(height, channels, -1)


def _end(blocks: list[_Block]) -> int:
    last = blocks[-1]
    return last.row + last.repeats * len(last.matrix)
