"""From picture file to picture file."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srgan.io import formats, images, stream
from srgan.models import loading, tiling
from srgan.models.model import Model
from srgan.numeric import resize
from srgan.upscaling.size import OF_MODEL, Size, default_model
from srgan.util import parallel

_PASSES = 2  # of a model, one on the result of the other
_BETWEEN = np.uint16  # what is kept of a sample between two steps


class Job(NamedTuple):
    """What `upscale_file` will do: known before the first tile.

    Attributes:
        height: Of the result; of one frame, if there are several.
        width: Of the result.
        frames: How many there are.
        cuts: How each pass of the model cuts a frame.
        memory: Bytes that it needs, about, beside the program and its model.
        work: Pixels that the model will see, those of overlaps included.
    """

    height: int
    width: int
    frames: int
    cuts: list[tiling.Plan]
    memory: float
    work: int

    @property
    def tiles(self) -> int:
        return self.frames * sum(cut.tiles for cut in self.cuts)


def upscale_file(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: Model | str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    tile: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    size: Size = OF_MODEL,
    metadata: bool = True,
    srgb: bool = False,
    most_pixels: int = formats.MOST_PIXELS,
    workers: int | None = None,
) -> None:
    """Upscales a picture file, and writes the result whole or not at all.

    Rows are read, upscaled and written as they come, so that pictures may be larger than memory.
    What a photo carries is carried over; see `pictures`.

    Args:
        source: A PNG, JPEG, WebP, TIFF, AVIF or GIF file, or what is in one.
        destination: Its suffix chooses the format; see `formats.FORMATS`.
        model: A shipped model's name, the path of an ONNX file, or, for many files, what
            `models.load` returned; by default `default_model(size)`.
        overwrite: Replace an existing `destination`.
        tile: Side of the tiles, in pixels of `source`; by default as memory allows.
        progress: Called as `progress(done, total)` after each tile. What it raises ends the work
            after the tiles that run.
        size: Of the result, if not that of the model. Up to the model's scale, what it makes is
            scaled down by `resize.bicubic`; beyond, it is run twice.
        metadata: Carry over EXIF, XMP and IPTC; the colour profile always is.
        srgb: Convert colours to sRGB, for programs that ignore profiles.
        most_pixels: Refuse pictures that claim more.
        workers: How many cores there are for this picture; by default all. Fewer, if others are
            upscaled at the same time: small ones are then not cut.

    Raises:
        UnsupportedImage: If `source` is not a picture, or `destination` cannot hold the result.
        OSError: If `source`, the model or the folder of `destination` is missing, `destination`
            exists, or the disk is full.
        ValueError: If the model's file is not a model, or is damaged.
        MemoryError: If there is not even enough for the smallest tiles.
    """
    destination = Path(destination)
    formats.check_destination(destination, overwrite)
    suffix = destination.suffix.lower()
    picture = stream.Picture(source, most_pixels, suffix, srgb)
    if not isinstance(model, Model):
        model = loading.load(model or default_model(size))
    job = plan(picture, model, size, tile, workers)
    formats.check_destination(destination, overwrite, job.height, job.width)
    done = itertools.count(1)

    def tell() -> None:
        if progress:
            progress(next(done), job.tiles)

    held = formats.FORMATS[suffix].bits
    dtype = np.uint16 if picture.dtype == np.uint16 and held == 16 else np.uint8
    bands = _frames(picture, model, job, dtype, tell)
    stream.write(destination, bands, job.height, job.width, picture, overwrite, metadata)


def plan(
    picture: stream.Picture,
    model: Model,
    size: Size = OF_MODEL,
    tile: int | None = None,
    workers: int | None = None,
) -> Job:
    """Returns what `upscale_file` will do with a picture.

    Raises:
        ValueError: If the result would be larger than two passes of the model make it.
    """
    scale = model.metadata.scale
    height, width = size.of(picture.height, picture.width, scale)
    factor = max(height / picture.height, width / picture.width)
    passes = sum(factor > scale**done for done in range(_PASSES + 1)) if scale > 1 else 1
    if passes > _PASSES:
        raise ValueError(
            f"The result would have {factor:.4g} times as many pixels a side as the picture's "
            f"{picture.width}x{picture.height}; {model.metadata.name} makes at most "
            f"{scale**_PASSES} times as many, in two passes. Ask for less."
        )
    cuts, tiles, bands = [], 0.0, 0.0
    for index in range(passes):
        tall, wide = (scale**index * side for side in (picture.height, picture.width))
        cut = model.plan(tall, wide, picture.channels, tile, workers=workers)
        at_once = min(cut.tiles, parallel.available_cores())
        tiles = max(tiles, at_once * cut.area * model.pixel_bytes)  # those of all passes share
        # What is read for a row of tiles, and what came of two while the first is written.
        samples = (1 + 2 * scale**2) * min(cut.size[0], cut.height) * cut.width * picture.channels
        is_last = index + 1 == passes and size == OF_MODEL
        bands += samples * (picture.dtype.itemsize if is_last else np.dtype(_BETWEEN).itemsize)
        cuts.append(cut)
    work = picture.frames * sum(cut.work for cut in cuts)
    return Job(height, width, picture.frames, cuts, tiles + bands, work)


def speed(model: Model) -> float:
    """Returns how many pixels of tiles this machine upscales in a second, from a short trial."""
    cut = model.plan(128, 128)
    tile = np.full((min(cut.size[0], 128), min(cut.size[1], 128), 3), 0.5, np.float32)
    calls = parallel.available_cores()
    seconds = []
    for _ in range(2):  # the first time, an engine sets itself up
        began = time.perf_counter()
        for _ in parallel.in_order(model.upscale, [(tile,)] * calls):
            pass
        seconds.append(time.perf_counter() - began)
    return calls * tile.shape[0] * tile.shape[1] / min(seconds)


def _frames(
    picture: stream.Picture,
    model: Model,
    job: Job,
    dtype: images.Sample,
    tell: Callable[[], None],
) -> Iterator[np.ndarray]:
    """The rows of the result, one frame after the other."""
    rows = _Cutter(parallel.ahead(picture.rows()))
    for _ in range(picture.frames):
        bands = rows.take(picture.height)
        height, width = picture.height, picture.width
        exact = (job.height, job.width) == tuple(
            model.metadata.scale ** len(job.cuts) * side for side in (height, width)
        )
        for index, cut in enumerate(job.cuts):
            kept = dtype if exact and index + 1 == len(job.cuts) else _BETWEEN
            bands = model.upscale_rows(bands, height, width, cut, kept, tell)
            height, width = (side * model.metadata.scale for side in (height, width))
        if not exact:
            bands = resize.bicubic_rows(map(images.to_float, bands), height, job.height, job.width)
            bands = (images.from_float(band, dtype) for band in bands)
        yield from bands


class _Cutter:
    """Cuts rows that come in bands where frames end."""

    def __init__(self, bands: Iterator[np.ndarray]):
        self._bands = bands
        self._left = np.empty(0)

    def take(self, count: int) -> Iterator[np.ndarray]:
        """The next `count` rows."""
        while count:
            band = self._left if len(self._left) else next(self._bands)
            part, self._left = band[:count], band[count:]
            count -= len(part)  # before it is given away, and nothing more may be asked for
            yield part
