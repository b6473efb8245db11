"""Upscaling of images of any size, tile by tile, without seams."""

import itertools
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from typing import NamedTuple

import numpy as np

from srgan.util import parallel
from srgan.util.rows import Window


class Span(NamedTuple):
    """One tile along one axis, in lr pixels: read `outer`, keep `inner`."""

    outer: slice
    inner: slice


class TileLayout(NamedTuple):
    """How an image is cut.

    Attributes:
        height: Of the image, in lr pixels.
        width: Likewise.
        halo: Context on each side of a tile that its result may depend on.
        size: Height and width of what is read for one tile, halo included.
    """

    height: int
    width: int
    halo: int
    size: tuple[int, int]

    @property
    def rows(self) -> list[Span]:
        return spans(self.height, self.size[0], self.halo)

    @property
    def columns(self) -> list[Span]:
        return spans(self.width, self.size[1], self.halo)

    @property
    def tiles(self) -> int:
        return _count(self.height, self.size[0], self.halo) * _count(
            self.width, self.size[1], self.halo
        )

    @property
    def area(self) -> int:
        """Pixels of a tile."""
        return min(self.size[0], self.height) * min(self.size[1], self.width)

    @property
    def work(self) -> int:
        """Pixels of all tiles together."""
        return self.tiles * self.area


def spans(length: int, size: int, halo: int) -> list[Span]:
    """Cuts `range(length)` into tiles of equal size, with context on either side.

    All are read with one size, so that an engine sees one shape: the last one is moved inwards, and
    keeps less. Tiles at the ends need no context beyond the image, and keep more.

    Args:
        length: Of the image along this axis.
        size: What is read for a tile; more than `2 * halo`, if it is less than `length`.
        halo: Context.

    Example:
        >>> [(outer.start, outer.stop) for outer, _ in spans(length=100, size=50, halo=5)]
        [(0, 50), (40, 90), (50, 100)]
        >>> [(inner.start, inner.stop) for _, inner in spans(length=100, size=50, halo=5)]
        [(0, 45), (45, 85), (85, 100)]

    Raises:
        ValueError: If `size` leaves nothing to keep.
    """
    if length <= size:
        return [Span(slice(0, length), slice(0, length))]
    if size <= 2 * halo:
        raise ValueError(f"Tiles of {size} pixels keep nothing beside a halo of {halo} a side.")
    found, kept = [], 0
    while kept < length:
        start = min(max(kept - halo, 0), length - size)
        stop = start + size
        end = stop if stop == length else stop - halo
        found.append(Span(slice(start, stop), slice(kept, end)))
        kept = end
    return found


def _count(length: int, size: int, halo: int) -> int:
    """How many tiles `spans` returns."""
    return 1 if length <= size else -(-(length - 2 * halo) // (size - 2 * halo))


def plan(
    height: int,
    width: int,
    halo: int,
    area: int,
    workers: int = 1,
    step: int = 1,
    rows: float = math.inf,
) -> TileLayout:
    """Finds the cut that is done first by `workers` that each run one tile at a time.

    Args:
        height: Of the image, in pixels; a multiple of `step`.
        width: Likewise.
        halo: Context on each side, a multiple of `step`.
        area: Pixels that one tile may read, at most. If none would keep anything then, the smallest
            tiles that are sensible are taken.
        workers: How many run at once.
        step: Where tiles may begin.
        rows: That one tile may read, at most: those of a whole row of tiles wait to be written.
    """
    least = -(-(2 * halo + 8) // step) * step  # a tile that keeps less is hardly worth it
    best, found = (math.inf, math.inf), (min(least, height), min(least, width))
    previous = math.inf
    for down in itertools.count(1):
        tall = _share(height, down, halo, step)
        overlapping = (height + 2 * halo * (down - 1)) * width  # at least, with so many tiles
        if down > 1 and (tall < least or previous <= least or overlapping > best[0] * workers):
            break
        previous = tall
        if tall > rows:
            continue
        limit = area // tall
        if limit < min(least, width):
            continue
        first = 1 if width <= limit else -(-(width - 2 * halo) // (limit - 2 * halo))
        for across in range(first, first + workers):
            wide = _share(width, across, halo, step)
            if across > 1 and wide < least:
                break
            time = (-(-down * across // workers) * tall * wide, tall * wide)
            if tall * wide <= area and time < best:
                best, found = time, (tall, wide)
    return TileLayout(height, width, halo, found)


def _share(length: int, count: int, halo: int, step: int) -> int:
    """What each of `count` tiles of equal size reads of `length` pixels."""
    share = -(-(length + 2 * halo * (count - 1)) // count)
    return -(-share // step) * step


def upscale(
    run: Callable[[np.ndarray], np.ndarray],
    bands: Iterable[np.ndarray],
    cut: TileLayout,
    scale: int,
    pool: Executor | None = None,
    progress: Callable[[], None] | None = None,
    part: slice = slice(None),
) -> Generator[np.ndarray, None, None]:
    """Upscales an image that comes in rows, to rows, in memory that is bounded by the tiles.

    The result equals `run` of the whole image if no pixel of it depends on lr pixels farther than
    the halo away. That holds at the image's border too, where convolutions pad with zeros: a tile
    ends where the image does, or a halo beyond what it keeps.

    Args:
        run: Maps `(height, width, channels)` to `(scale * height, scale * width, channels)`.
        bands: All rows of the image from the top, some at a time; from where `part` begins.
        cut: Where it is cut.
        scale: Upscaling factor.
        pool: Runs the tiles; by default this thread, one after the other.
        progress: Called after each tile.
        part: Of the rows of tiles; by default all.

    Yields:
        `(n, scale * width, channels)`: all rows, those of one row of tiles at a time.
    """
    rows, columns = cut.rows[part], cut.columns
    held = Window(bands, rows[0].outer.start)

    def jobs() -> Iterator[tuple[np.ndarray]]:
        for y in rows:
            strip = held.take(y.outer)
            for x in columns:
                yield (strip[:, x.outer],)

    band = np.empty(0)
    # Closed here, whatever ends this: it waits for the tiles that run, and else would do so
    # wherever an exception's frames are freed, as in the event loop of a service.
    with closing(
        parallel.in_order(run, jobs(), pool) if pool else _one_by_one(run, jobs())
    ) as results:
        for (y, x), sr in zip(itertools.product(rows, columns), results, strict=True):
            kept = sr[_inside(y, scale), _inside(x, scale)]
            if x.inner.start == 0:
                band = np.empty((len(kept), scale * cut.width, kept.shape[2]), kept.dtype)
            band[:, _times(x.inner, scale)] = kept
            if progress:
                progress()
            if x.inner.stop == cut.width:
                yield band
                band = np.empty(0)  # whoever took it may let go of it


def _one_by_one(
    run: Callable[[np.ndarray], np.ndarray], jobs: Iterable[tuple[np.ndarray]]
) -> Generator[np.ndarray, None, None]:
    for job in jobs:
        yield run(*job)


def _times(pixels: slice, scale: int) -> slice:
    return slice(pixels.start * scale, pixels.stop * scale)


def _inside(span: Span, scale: int) -> slice:
    """Where `inner` lies in what became of `outer`."""
    first = span.outer.start
    return _times(slice(span.inner.start - first, span.inner.stop - first), scale)
