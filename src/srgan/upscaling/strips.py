"""Large pictures in strips, which are upscaled anywhere, and joined to exactly the same file.

    job = prepare("map.tif", "map_x4.tif", "srgan-x4")
    upscaled = (upscale(strip, model) for strip in split(job))  # here, or on other machines
    join(job, upscaled)

A strip carries its rows and all that they depend on, so that who upscales it needs the model, and
neither the file nor its neighbours. Only what is read and not yet written is in memory: who hands
strips out takes few at a time.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from srgan.io import images
from srgan.models import tiling
from srgan.models.model import Model
from srgan.numeric import clipping
from srgan.upscaling.jobs import UpscaleJob
from srgan.util import parallel
from srgan.util.rows import Cutter, Window


class Pass(NamedTuple):
    """What one pass of the model makes of a strip.

    Attributes:
        cut: How the whole picture is cut into tiles.
        part: The rows of tiles that are made.
        rows: What is kept of their result, in its rows, counted from the picture's top.
        height: Of the picture, before this pass.
        width: Likewise.
        dtype: Of the result.
    """

    cut: tiling.TileLayout
    part: slice
    rows: slice
    height: int
    width: int
    dtype: images.Sample


class Strip(NamedTuple):
    """Rows of a picture with their context, and what becomes of them; can be pickled.

    Attributes:
        lr: `(n, width, channels)`: the rows of the picture that the result depends on.
        passes: Of the model, one on the result of the other; none if it only gets smaller.
        tiles: How many there are, in all passes: the work, since all have about one size.
    """

    lr: np.ndarray
    passes: tuple[Pass, ...]
    tiles: int


class UpscaledStrip(NamedTuple):
    """What became of a strip; can be pickled.

    Attributes:
        sr: `(n, width, channels)`: rows of the model's result, without context.
        pixels: As `clipping.Strain` counts them.
        strained: Likewise.
    """

    sr: np.ndarray
    pixels: int
    strained: int


def count(job: UpscaleJob, tile_rows: int = 1) -> int:
    """Returns how many strips `split` yields, those that only get smaller left out."""
    return sum(p.frames * -(-len(p.cuts[-1].rows) // tile_rows) for p in job.parts if p.cuts)


def split(job: UpscaleJob, tile_rows: int = 1) -> Iterator[Strip]:
    """Reads a picture, once and from the top, and yields its strips as they are asked for.

    Strips are whole rows of tiles of the job's own cut, so that each value is computed as
    `UpscaleJob.run` does, and is the same to the last bit. All frames and pages come one after the
    other.

    Args:
        job: A picture of any size, not run yet.
        tile_rows: How many rows of tiles a strip has. Their height is that of `UpscaleOptions.tile`
            or what memory allows.

    Raises:
        UnsupportedImage: If the picture is damaged.
    """
    for part in job.parts:
        rows = Cutter(parallel.ahead(part.picture.rows()))
        for _ in range(part.frames):
            bands = rows.take(part.picture.height)
            if not part.cuts:
                yield from (Strip(band, (), 0) for band in bands)
                continue
            window = Window(bands)
            for first in range(0, len(part.cuts[-1].rows), tile_rows):
                passes, needed = _passes(part, slice(first, first + tile_rows))
                tiles = sum(len(one.cut.columns) * len(one.cut.rows[one.part]) for one in passes)
                yield Strip(window.take(needed), passes, tiles)


def upscale(strip: Strip, model: Model) -> UpscaledStrip:
    """Upscales a strip with the model of its job.

    Raises:
        MemoryError: If there is not even enough for the smallest tiles.
    """
    strain = clipping.Strain()
    rows = strip.lr
    for index, (cut, part, kept, height, width, dtype) in enumerate(strip.passes):
        told = strain if index == 0 else None
        bands = model.upscale_rows([rows], height, width, cut, dtype, strain=told, part=part)
        top = model.scale * cut.rows[part][0].inner.start
        # The pass before keeps what this one reads, which begins where its tiles do.
        rows = np.concatenate(list(bands))[kept.start - top : kept.stop - top]
    return UpscaledStrip(rows, strain.pixels, strain.strained)


def join(job: UpscaleJob, upscaled: Iterable[UpscaledStrip]) -> None:
    """Writes the result of a job whole or not at all, from its strips in their order.

    Raises:
        UnsupportedImage, OSError: As `UpscaleJob.run` does.
    """

    def rows() -> Iterator[np.ndarray]:
        for strip in upscaled:
            job.strain.add(strip.pixels, strip.strained)
            yield strip.sr

    job.write(rows())


def _passes(job: UpscaleJob, part: slice) -> tuple[tuple[Pass, ...], slice]:
    """What has to be done for rows of tiles of the last pass, and what of the picture they read."""
    scale, passes = job.model.scale, []
    spans = job.cuts[-1].rows[part]
    kept = slice(scale * spans[0].inner.start, scale * spans[-1].inner.stop)
    needed = slice(0, 0)
    for index in reversed(range(len(job.cuts))):
        height, width = (scale**index * side for side in (job.picture.height, job.picture.width))
        cut = job.cuts[index]
        inside = [
            number
            for number, span in enumerate(cut.rows)
            if scale * span.inner.start < kept.stop and scale * span.inner.stop > kept.start
        ]
        part = slice(inside[0], inside[-1] + 1)
        kept = slice(kept.start, min(kept.stop, scale * height))  # tiles may end beyond it
        passes.insert(0, Pass(cut, part, kept, height, width, job.dtypes[index]))
        spans = cut.rows[part]
        needed = slice(spans[0].outer.start, min(spans[-1].outer.stop, height))
        kept = needed
    return tuple(passes), needed
