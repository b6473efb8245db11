"""From picture file to picture file."""

import itertools
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srgan import engines, formats, images, invention, models, parallel, pictures, resize, tiling

_PASSES = 2  # of a model, one on the result of the other
_MAP_ROWS = 128  # of a map, drawn at a time
_BETWEEN = np.uint16  # what is kept of a sample between two steps


class Size(NamedTuple):
    """How large a result is to be; of several wishes, the smallest counts.

    Attributes:
        scale: Times each side of the picture.
        width: Pixels, at most.
        height: Pixels, at most.
        megapixels: Millions of pixels, about.
    """

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    megapixels: float | None = None

    def of(self, height: int, width: int, scale: int) -> tuple[int, int]:
        """Returns height and width of what a picture becomes; its proportions are kept.

        Args:
            height: Of the picture.
            width: Likewise.
            scale: What is meant if there is no wish.

        Raises:
            ValueError: If a wish is not above zero.
        """
        for name, wish in self._asdict().items():
            if wish is not None and not 0 < wish < math.inf:
                raise ValueError(f"{name}={wish} must be above 0, and finite.")
        factors = [
            self.scale,
            self.width and self.width / width,
            self.height and self.height / height,
            self.megapixels and math.sqrt(1e6 * self.megapixels / (height * width)),
        ]
        factor = min((factor for factor in factors if factor), default=scale)
        return max(round(height * factor), 1), max(round(width * factor), 1)


OF_MODEL = Size()


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


def default_model(size: Size = OF_MODEL) -> str:
    """Returns the name of the shipped model that is made for a size."""
    return "srgan-x2" if size.scale and size.scale <= 2 else "srgan-x4"


def upscale_file(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: models.Model | str | os.PathLike[str] | None = None,
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
    picture = pictures.Picture(source, most_pixels, suffix, srgb)
    if not isinstance(model, models.Model):
        model = models.load(model or default_model(size))
    job = plan(picture, model, size, tile, workers)
    formats.check_destination(destination, overwrite, job.height, job.width)
    done = itertools.count(1)

    def tell() -> None:
        if progress:
            progress(next(done), job.tiles)

    held = formats.FORMATS[suffix].bits
    dtype = np.uint16 if picture.dtype == np.uint16 and held == 16 else np.uint8
    bands = _frames(picture, model, job, dtype, tell)
    pictures.write(destination, bands, job.height, job.width, picture, overwrite, metadata)


def map_file(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = "srgan-x4",
    overwrite: bool = False,
    tile: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    most_pixels: int = formats.MOST_PIXELS,
    engine: engines.Kind = "onnxruntime",
    precision: engines.Precision = "float32",
) -> None:
    """Draws where a GAN model invents what a picture does not determine: see `invention`.

    Args:
        source: As `upscale_file` takes it.
        destination: Where the map goes: its suffix chooses the format. It is as large as what the
            model makes of the picture, and has a legend below.
        model: Name or path of a GAN model that names its PSNR model.
        overwrite: Replace an existing `destination`.
        tile: Side of the tiles, in pixels of `source`; by default as memory allows.
        progress: Called as `progress(done, total)` after each tile.
        most_pixels: Refuse pictures that claim more.
        engine: What runs the models; see `engines.open_engine`.
        precision: Of the arithmetic.

    Raises:
        ValueError: If the model names no PSNR model, or has no calibration.
        UnsupportedImage, OSError: As `upscale_file` does.
    """
    destination = Path(destination)
    formats.check_destination(destination, overwrite)
    # Transparent pixels are judged by what they show on white.
    picture = pictures.Picture(source, most_pixels, into=".jpg")
    gan = models.load(model, engine, precision=precision)
    psnr_model = models.psnr_path(models.path(model), gan.metadata)
    scale, calibration = gan.metadata.scale, gan.metadata.calibration
    if calibration is None:
        reason = "it does not say how far it errs, as models of `srgan train` do"
        if not gan.metadata.consistency_rounds:
            reason = "its results do not give lr back, as those of models for spoilt photos"
        raise ValueError(f"{gan.metadata.name} has no map of what was invented: {reason}.")
    psnr = models.load(psnr_model, engine, precision=precision)
    height, width = picture.height, picture.width
    cut = gan.plan(height, width, picture.channels, tile)
    legend = invention.legend(scale * width)
    done = itertools.count(1)

    def tell() -> None:
        if progress:
            progress(next(done), 2 * cut.tiles)

    def draw(pair: np.ndarray) -> np.ndarray:
        sr, psnr_sr = np.split(pair, 2, axis=2)
        return invention.draw(invention.expected_error(sr, psnr_sr, calibration))

    enlarged = [
        one.upscale_rows(rows, height, width, cut, progress=tell)
        for one, rows in zip((gan, psnr), itertools.tee(picture.rows()), strict=True)
    ]
    pairs = (np.concatenate(pair, axis=2) for pair in zip(*enlarged, strict=True))
    strip = tiling.Plan(scale * height, scale * width, invention.REACH, (_MAP_ROWS, scale * width))
    bands = tiling.upscale(draw, pairs, strip, scale=1, pool=parallel.shared_pool())
    pictures.write(
        destination,
        itertools.chain(bands, [legend]),
        scale * height + len(legend),
        scale * width,
        overwrite=overwrite,
    )


def plan(
    picture: pictures.Picture,
    model: models.Model,
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


def speed(model: models.Model) -> float:
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
    picture: pictures.Picture,
    model: models.Model,
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
