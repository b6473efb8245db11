"""From picture file to picture file."""

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from srgan.io import formats, images, stream
from srgan.models import loading, tiling
from srgan.models.model import Model
from srgan.numeric import resize
from srgan.upscaling.options import DEFAULTS, UpscaleOptions
from srgan.util import parallel
from srgan.util.counting import Progress, counter

_PASSES = 2  # of a model, one on the result of the other
_BETWEEN = np.uint16  # what is kept of a sample between two steps


class UpscaleJob:
    """A picture that was opened, and how it will be upscaled: known before the first tile.

    Attributes:
        picture: As it was opened; it can be read once.
        destination: The file to be written.
        height: Of the result; of one frame, if there are several.
        width: Of the result.
        frames: How many there are.
        cuts: How each pass of the model cuts a frame.
        memory: Bytes that it needs, about, beside the program and its model.
        work: Pixels that the model will see, those of overlaps included.
    """

    def __init__(
        self,
        picture: stream.Picture,
        destination: Path,
        model: Model,
        options: UpscaleOptions,
        overwrite: bool,
        workers: int | None,
    ) -> None:
        self.picture, self.destination = picture, destination
        self._model, self._options, self._overwrite = model, options, overwrite
        self.frames = picture.frames
        scale = model.metadata.scale
        self.height, self.width = options.output_size(picture.height, picture.width, scale)
        self.cuts: list[tiling.TileLayout] = []
        passes, tiles, bands = self._passes(), 0.0, 0.0
        for index in range(passes):
            tall, wide = (scale**index * side for side in (picture.height, picture.width))
            cut = model.plan(
                tall,
                wide,
                picture.channels,
                options.tile,
                workers=workers,
                halo=options.halo,
            )
            running = min(cut.tiles, parallel.available_cores())
            tiles = max(tiles, running * cut.area * model.pixel_bytes)  # those of all passes share
            # What is read for a row of tiles, and what came of two while the first is written.
            rows = (1 + 2 * scale**2) * min(cut.size[0], cut.height)
            is_last = index + 1 == passes and not options.has_size
            sample = picture.dtype.itemsize if is_last else np.dtype(_BETWEEN).itemsize
            bands += rows * cut.width * picture.channels * sample
            self.cuts.append(cut)
        self.memory = round(tiles + bands)
        self.work = picture.frames * sum(cut.work for cut in self.cuts)

    def __repr__(self) -> str:
        size = f"{self.picture.width}x{self.picture.height} -> {self.width}x{self.height}"
        return f"<srgan.UpscaleJob {size}, {self.tiles} tiles, {self.memory / 2**20:,.0f} MiB>"

    @property
    def tiles(self) -> int:
        """How many tiles there are, in all frames and passes."""
        return self.frames * sum(cut.tiles for cut in self.cuts)

    @property
    def pixels(self) -> int:
        """How many pixels the model makes, in all passes."""
        factors = (self._model.metadata.scale ** (2 * n) for n in range(1, len(self.cuts) + 1))
        return sum(factors) * self.frames * self.picture.height * self.picture.width

    def run(self, progress: Progress | None = None) -> None:
        """Upscales the picture, and writes the result whole or not at all.

        Args:
            progress: Called as `progress(done, total)` after each tile. What it raises ends the
                work after the tiles that run.

        Raises:
            UnsupportedImage: If the picture is damaged.
            OSError: If there is no way to write the result, or the disk is full.
            MemoryError: If there is not even enough for the smallest tiles.
        """
        held = formats.FORMATS[self.destination.suffix.lower()].bits
        dtype = np.uint16 if self.picture.dtype == np.uint16 and held == 16 else np.uint8
        # Closed here, so that nobody else waits for the tiles that run when this fails.
        with closing(self._rows(dtype, counter(progress, self.tiles))) as rows:
            stream.write_rows(
                self.destination,
                rows,
                self.height,
                self.width,
                self.picture,
                self._overwrite,
                not self._options.strip_metadata,
            )

    def _passes(self) -> int:
        """How often the model is run, on the result of the time before."""
        picture, metadata = self.picture, self._model.metadata
        factor = max(self.height / picture.height, self.width / picture.width)
        if metadata.scale == 1:
            return 1
        passes = sum(factor > metadata.scale**done for done in range(_PASSES + 1))
        if passes > _PASSES:
            raise ValueError(
                f"The result would have {factor:.4g} times as many pixels a side as the picture's "
                f"{picture.width}x{picture.height}; {metadata.name} makes at most "
                f"{metadata.scale**_PASSES} times as many, in two passes. Ask for less."
            )
        return passes

    def _rows(
        self, dtype: images.Sample, tell: Callable[[], None]
    ) -> Generator[np.ndarray, None, None]:
        """The rows of the result, one frame after the other."""
        scale = self._model.metadata.scale
        rows = _Cutter(parallel.ahead(self.picture.rows()))
        for _ in range(self.frames):
            height, width = self.picture.height, self.picture.width
            bands = rows.take(height)
            whole = scale ** len(self.cuts)
            exact = (self.height, self.width) == (whole * height, whole * width)
            for index, cut in enumerate(self.cuts):
                kept = dtype if exact and index + 1 == len(self.cuts) else _BETWEEN
                bands = self._model.upscale_rows(bands, height, width, cut, kept, tell)
                height, width = scale * height, scale * width
            if not exact:
                floats = map(images.to_float, bands)
                bands = resize.bicubic_rows(floats, height, self.height, self.width)
                bands = (images.from_float(band, dtype) for band in bands)
            yield from bands


def prepare(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: Model | str | os.PathLike[str] | None = None,
    options: UpscaleOptions = DEFAULTS,
    overwrite: bool = False,
    workers: int | None = None,
) -> UpscaleJob:
    """Opens a picture file, and plans its upscaling: `upscale_file` up to the first tile.

    Args:
        source: A PNG, JPEG, WebP, TIFF, AVIF or GIF file, or what is in one.
        destination: Its suffix chooses the format; see `formats.FORMATS`.
        model: A shipped model's name, the path of an ONNX file, or, for many files, what
            `srgan.load` returned; by default `options.default_model`.
        options: What is asked for. Up to the model's scale, what it makes is scaled down by
            `resize.bicubic`; beyond, it is run twice.
        overwrite: Replace an existing `destination`.
        workers: How many cores there are for this picture; by default all. Fewer, if others are
            upscaled at the same time: small ones are then not cut.

    Raises:
        UnsupportedImage: If `source` is not a picture, or `destination` cannot hold the result.
        OSError: If `source` or the model is missing.
        ValueError: If the model's file is not a model, or is damaged; if the result would be larger
            than two passes of the model make it; or if `options` ask for a realism or a
            self-ensemble that a `model` which is open already does not have.
    """
    destination = Path(destination)
    suffix = destination.suffix.lower()
    formats.check_format(destination)
    if options.format and UpscaleOptions.parse(format=suffix).format != options.format:
        raise ValueError(f"{destination} does not have the suffix of a {options.format} file.")
    picture = stream.Picture(source, options.max_pixels, suffix, options.srgb, options.max_frames)
    if not isinstance(model, Model):
        name = model or options.default_model
        model = loading.load(name, realism=options.realism, self_ensemble=options.self_ensemble)
    for name in ("realism", "self_ensemble"):
        if (asked := getattr(options, name)) and asked != getattr(model, name):
            raise ValueError(
                f"options.{name}={asked}, but the model was opened with "
                f"{getattr(model, name)}. Open it by srgan.load(..., {name}={asked})."
            )
    job = UpscaleJob(picture, destination, model, options, overwrite, workers)
    formats.check_format(destination, job.height, job.width)
    return job


def upscale_file(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: Model | str | os.PathLike[str] | None = None,
    options: UpscaleOptions = DEFAULTS,
    overwrite: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> None:
    """Upscales a picture file, and writes the result whole or not at all.

    Rows are read, upscaled and written as they come, so that pictures may be larger than memory.
    What a photo carries is carried over; see `stream`.

    Args:
        source: A PNG, JPEG, WebP, TIFF, AVIF or GIF file, or what is in one.
        destination: Its suffix chooses the format; see `formats.FORMATS`.
        model: As `prepare` takes it.
        options: What is asked for.
        overwrite: Replace an existing `destination`.
        progress: As `UpscaleJob.run` takes it.
        workers: As `prepare` takes it.

    Raises:
        UnsupportedImage, OSError, ValueError: As `prepare` says; also if the folder of
            `destination` is missing, `destination` exists, or the disk is full.
        MemoryError: If there is not even enough for the smallest tiles.
    """
    formats.check_destination(destination, overwrite)
    prepare(source, destination, model, options, overwrite, workers).run(progress)


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
