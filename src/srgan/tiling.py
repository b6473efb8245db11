"""Upscaling of images of any size, tile by tile, without seams."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Span(NamedTuple):
    """One tile along one axis, in lr pixels: read `outer`, keep `inner`."""

    outer: slice
    inner: slice


def spans(length: int, tile: int, halo: int) -> list[Span]:
    """Cuts `range(length)` into tiles with `halo` pixels of context on either side.

    All are read with the same size, `tile + 2 * halo`, or `length` where that is less, so that
    an engine sees one shape: the last one is moved inwards, and keeps less. Tiles at the ends
    need no context beyond the image, and keep more.

    Example:
        >>> [(outer.start, outer.stop) for outer, _ in spans(length=100, tile=40, halo=5)]
        [(0, 50), (40, 90), (50, 100)]
        >>> [(inner.start, inner.stop) for _, inner in spans(length=100, tile=40, halo=5)]
        [(0, 45), (45, 85), (85, 100)]
    """
    size = min(tile + 2 * halo, length)
    found, kept = [], 0
    while kept < length:
        start = min(max(kept - halo, 0), length - size)
        stop = start + size
        end = stop if stop == length else stop - halo
        found.append(Span(slice(start, stop), slice(kept, end)))
        kept = end
    return found


def upscale_tiled(
    run: Callable[[np.ndarray], np.ndarray],
    lr: np.ndarray,
    scale: int,
    halo: int,
    tile: int | tuple[int, int] = 256,
    progress: Callable[[int, int], None] | None = None,
    dtype: type[np.generic] = np.float32,
) -> np.ndarray:
    """Upscales one image, in memory that is bounded by the tile, next to the result.

    The result equals `run(lr)` if no pixel of it depends on lr pixels farther than `halo` away.
    That holds at the image's border too, where convolutions pad with zeros: a tile ends where
    the image does, or `halo` pixels beyond what it keeps.

    Args:
        run: Maps `(height, width, channels)` to `(scale * height, scale * width, channels)`.
        lr: The image, `(height, width, channels)`.
        scale: Upscaling factor.
        halo: Context on each side of a tile, in lr pixels.
        tile: Side of what a tile keeps, in lr pixels, or its height and width.
        progress: Called as `progress(done, total)` after each tile.
        dtype: Of the result; what `run` returns.

    Returns:
        `(scale * height, scale * width, channels)`.

    Raises:
        ValueError: If `tile` is below one, or `halo` below zero.
    """
    down, across = (tile, tile) if isinstance(tile, int) else tile
    if min(down, across) < 1 or halo < 0:
        raise ValueError(f"A tile keeps at least 1 pixel, with a halo >= 0; got {tile=}, {halo=}.")
    height, width, channels = lr.shape
    sr = np.empty((scale * height, scale * width, channels), dtype)
    tiles = [(y, x) for y in spans(height, down, halo) for x in spans(width, across, halo)]
    for done, (y, x) in enumerate(tiles, start=1):
        patch = run(lr[y.outer, x.outer])
        kept = patch[_inside(y, scale), _inside(x, scale)]
        sr[_times(y.inner, scale), _times(x.inner, scale)] = kept
        if progress:
            progress(done, len(tiles))
    return sr


def _times(pixels: slice, scale: int) -> slice:
    return slice(pixels.start * scale, pixels.stop * scale)


def _inside(span: Span, scale: int) -> slice:
    """Where `inner` lies in what became of `outer`."""
    first = span.outer.start
    return _times(slice(span.inner.start - first, span.inner.stop - first), scale)
