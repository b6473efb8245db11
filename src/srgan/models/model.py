"""A super-resolution model that is ready to run: arrays in, arrays out, of any size.

Its graph maps "lr", `(batch, height, width, 3)` float32 RGB in [0, 1], to "sr",
`(batch, scale * height, scale * width, 3)`.
"""

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial

import numpy as np

from srgan.io import images
from srgan.models import alpha, engines, tiling
from srgan.models.metadata import Metadata
from srgan.models.requirements import NO_REQUIREMENTS, SizeRequirements
from srgan.numeric import clipping, projection
from srgan.util import parallel
from srgan.util.counting import counter

PIXEL_BYTES = 8192.0  # for a model of which nothing is known
DEAR = 1.3
"""Times the pixels of a picture that its tiles should have, at most, where they overlap widely."""

MUCH = 2.5 * 2**30
"""Bytes that tiles take to that end; more only so that they do not have twice as many."""

_LARGEST = 1e6  # of the values that are taken for colours


class Model:
    """A super-resolution model, ready to run; `model(lr)` is `model.upscale(lr)`.

    Args:
        engine: Runs its graph.
        metadata: What it says about itself.
        pixel_bytes: What the engine needs for a pixel of a tile; less than that needs what
            follows.
        requirements: What sizes its network takes.
        specification: What was found out about a model of another project, in words, or "".
        parameters: How many weights it has; 0 if that is not known.
        realism: The point of network interpolation that it was opened at, if any.
        self_ensemble: Whether it averages eight orientations.
        calls: For how many tiles at once the engine was opened.
    """

    def __init__(
        self,
        engine: engines.Engine,
        metadata: Metadata,
        pixel_bytes: float = PIXEL_BYTES,
        requirements: SizeRequirements = NO_REQUIREMENTS,
        specification: str = "",
        parameters: int = 0,
        realism: float | None = None,
        self_ensemble: bool = False,
        calls: int = 1,
    ):
        self._engine = engine
        self.metadata = metadata
        self.requirements = requirements
        self.specification = specification
        self.parameters = parameters
        self.realism = realism
        self.self_ensemble = self_ensemble
        self.calls = calls
        self._turn = threading.BoundedSemaphore(calls)  # of several pictures, too
        self.pixel_bytes = max(pixel_bytes, 5 * 3 * 4 * metadata.scale**2)  # copies of the result
        self._most = sys.maxsize  # pixels of a tile; less once memory was short

    @property
    def scale(self) -> int:
        """The factor from lr to sr."""
        return self.metadata.scale

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """Returns `upscale(lr)`."""
        return self.upscale(lr)

    def __repr__(self) -> str:
        size = f"{self.parameters / 1e6:.2f} M parameters"
        licence = " ".join(self.metadata.licence.split())
        licence = licence if len(licence) <= 40 else f"{licence[:39]}…"
        return f"<srgan.Model {self.metadata.name}: x{self.metadata.scale}, {size}, {licence}>"

    def upscale(
        self,
        lr: np.ndarray,
        tile: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        dtype: images.Sample = np.float32,
    ) -> np.ndarray:
        """Upscales an image of any size, without seams between the tiles.

        Args:
            lr: `(height, width, channels)`, float in [0, 1], uint8 or uint16. The channels are RGB,
                or one for grey, and one more for alpha, as `alpha.upscale` takes them.
            tile: Side of the tiles, in lr pixels; by default as memory allows. Larger ones are
                faster, and need more memory.
            progress: Called as `progress(done, total)` after each tile.
            dtype: `np.uint8` or `np.uint16` for a rounded result, in less memory.

        Returns:
            `(scale * height, scale * width, channels)`, float32 in [0, 1] or of `dtype`.

        Raises:
            ValueError: If `lr` is not such an image, or the model returns values that are not
                finite.
            MemoryError: If there is not even enough for the smallest tiles.
        """
        _check(lr)
        height, width, count = lr.shape
        cut = self.plan(height, width, count, tile)
        tell = counter(progress, cut.tiles)
        scale = self.metadata.scale
        sr = np.empty((scale * height, scale * width, count), dtype)
        top = 0
        for band in self.upscale_rows([lr], height, width, cut, dtype, tell):
            sr[top : top + len(band)] = band
            top += len(band)
        return sr

    def reach(self, count: int = 3) -> int:
        """Returns how far from it, in lr pixels, an output pixel may depend on the input.

        Args:
            count: Of channels; see `upscale`.
        """
        reach = self.metadata.receptive_field
        reach += projection.reach(self.metadata.consistency_rounds)
        reach += clipping.REACH if self.metadata.consistency_rounds else 0
        return reach + (alpha.REACH if count in (2, 4) else 0)

    def plan(
        self,
        height: int,
        width: int,
        count: int = 3,
        tile: int | None = None,
        memory: float | None = None,
        workers: int | None = None,
        halo: int | None = None,
    ) -> tiling.TileLayout:
        """Returns how an image will be cut.

        Args:
            height: Of the image, in lr pixels.
            width: Likewise.
            count: Of channels; see `upscale`.
            tile: Side of what a tile keeps, in lr pixels.
            memory: If there is no `tile`: bytes that the tiles that run at once may need; by
                default as `parallel.tile_memory` says, or, where these would be mostly halo, up to
                half of what is left.
            workers: How many cores there are for this image; by default all. With fewer, it is cut
                into fewer tiles, with less overlap.
            halo: Context on each side, in lr pixels, if not all that an output pixel may depend
                on; with less, tiles may show seams.
        """
        need = self.requirements
        height, width = need.padded(height, width)
        if halo is None:
            halo = self.reach(count)
        halo = need.round_up(halo)  # tiles begin where the network's own, coarser grids do
        if need.fixed:
            return tiling.TileLayout(height, width, halo, need.fixed)
        if need.whole:
            return tiling.TileLayout(height, width, 0, (height, width))
        if tile is not None:
            if tile < 1:
                raise ValueError(f"A tile keeps at least 1 pixel; got {tile=}.")
            side = max(need.round_up(tile) + 2 * halo, need.minimum)
            return tiling.TileLayout(height, width, halo, (side, side))
        # A row of tiles waits to be written, and the next one is made.
        waiting = 2 * self.metadata.scale**2 * width * count
        rows = max(parallel.available_memory() / 3 / waiting, 4 * halo)
        most = memory or 0.0
        if memory is None:
            memory = parallel.tile_memory()
            # Tiles of what looks far, one at a time, would be mostly halo.
            most = memory if self.calls > 1 else parallel.available_memory() / 2
        while True:
            area = min(int(memory / self.calls / self.pixel_bytes), self._most)
            at_once = min(workers or self.calls, self.calls)
            cut = tiling.plan(height, width, halo, area, at_once, need.multiple, rows)
            enough = DEAR if memory < MUCH else 2.0
            if memory >= most or cut.work <= enough * height * width:
                return cut
            memory = min(1.2 * memory, most)

    def upscale_rows(
        self,
        bands: Iterable[np.ndarray],
        height: int,
        width: int,
        cut: tiling.TileLayout,
        dtype: images.Sample = np.uint8,
        progress: Callable[[], None] | None = None,
        strain: clipping.Strain | None = None,
        part: slice = slice(None),
    ) -> Generator[np.ndarray, None, None]:
        """Upscales an image that comes as rows, to rows: see `tiling.upscale`.

        Args:
            bands: All rows of an image as `upscale` takes it, some at a time; of a part, those that
                its tiles read.
            height: Of the image.
            width: Likewise.
            cut: What `plan` returned for it.
            dtype: Of the result.
            progress: Called after each tile.
            strain: Learns how much of the image the result cannot keep.
            part: Of the rows of tiles; by default all.
        """
        scale = self.metadata.scale
        spans = cut.rows[part]
        run = partial(self._upscale, halo=cut.halo, dtype=dtype, strain=strain)
        below = max(spans[-1].outer.stop - height, 0)
        padded = _padded(bands, below, cut.width - width)
        left = scale * (height - spans[0].inner.start)
        pool = parallel.SharedPool() if self.calls > 1 else None
        enlarged = tiling.upscale(run, padded, cut, scale, pool, progress, part)
        with closing(enlarged):  # as `tiling.upscale` says why
            for band in enlarged:
                count = len(band)
                if left > 0:
                    yield band[:left, : scale * width]
                left -= count
                del band  # before the next one is made

    def _upscale(
        self, lr: np.ndarray, halo: int, dtype: images.Sample, strain: clipping.Strain | None
    ) -> np.ndarray:
        """Upscales a tile; in parts, which become ever smaller, while memory is short."""
        height, width = lr.shape[:2]
        divisible, step = self.requirements.divisible, self.requirements.multiple
        run = partial(self._whole, dtype=dtype, strain=strain)
        while True:
            area, most = height * width, self._most
            try:
                if not divisible or area <= most:
                    return run(lr)
                # Always cut from the tile, not from its parts, whose halos would be cut as well.
                cut = tiling.plan(height, width, halo, most, step=step)
                if (area := cut.area) <= most:
                    return np.concatenate(list(tiling.upscale(run, [lr], cut, self.metadata.scale)))
            except MemoryError:
                if not divisible:
                    raise
                self._most = min(self._most, area // 2)
                parallel.return_memory()
            else:
                raise MemoryError(
                    f"There is not enough memory for {area} pixels at a time, which is the least "
                    "possible; close other programs, or take a smaller model"
                )

    def _whole(
        self, lr: np.ndarray, dtype: images.Sample, strain: clipping.Strain | None
    ) -> np.ndarray:
        run = partial(self._rgb, strain=strain)
        with self._turn:
            return images.from_float(alpha.upscale(run, images.to_float(lr)), dtype)

    def _rgb(self, lr: np.ndarray, strain: clipping.Strain | None = None) -> np.ndarray:
        batch = self._engine.run(lr[None])
        sr = batch[0] if batch.ndim == 4 and len(batch) == 1 else batch
        scale = self.metadata.scale
        expected = (lr.shape[0] * scale, lr.shape[1] * scale, 3)
        # What is larger would become infinite in the arithmetic to come. NaN compares as false.
        if sr.shape != expected or not (sr.min() > -_LARGEST and sr.max() < _LARGEST):
            found = f"shape {sr.shape}"
            if sr.shape == expected:
                found = "values that are not finite, or beyond all colours,"
            raise ValueError(
                f"The model {self.metadata.name} returned {found} for a {lr.shape} image; expected "
                f"finite values of shape {expected}. Its file is damaged: export it again."
            )
        if not self.metadata.consistency_rounds:
            return sr
        sr = projection.project(sr, lr, self.metadata.consistency_rounds)
        return clipping.clip(sr, scale, strain)


def _padded(bands: Iterable[np.ndarray], below: int, right: int) -> Iterator[np.ndarray]:
    """Rows, enlarged by repeated edges."""
    band = np.empty(0)
    for band in bands:
        yield np.pad(band, [(0, 0), (0, right), (0, 0)], mode="edge") if right else band
    if below:
        last = np.pad(band[-1:], [(0, 0), (0, right), (0, 0)], mode="edge")
        yield last.repeat(below, axis=0)


def _check(lr: np.ndarray) -> None:
    if lr.ndim != 3 or lr.shape[2] not in (1, 2, 3, 4) or not lr.size:
        raise ValueError(
            f"lr must be one image (height, width, channels) with 1 to 4 channels; "
            f"got shape {lr.shape}."
        )
    if lr.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(lr.dtype, np.floating):
        raise ValueError(f"lr must be float in [0, 1], uint8 or uint16; got {lr.dtype}.")
    if not (lr.min() >= 0 and lr.max() <= 1):
        raise ValueError(
            f"lr must be in [0, 1] if it is float; got {lr.min():g} to {lr.max():g}. "
            "Divide 8-bit values by 255, or pass them as uint8."
        )
