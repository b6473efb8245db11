"""What is done with a picture, in a thread, when it is its turn."""

import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fastapi import HTTPException

from srgan.io import formats, images, kinds, opening, samples
from srgan.server.catalogue import Catalogue
from srgan.server.queue import Ticket
from srgan.server.requests import (
    ErrorMapRequest,
    JobRequest,
    Limits,
    UpscaleRequest,
    options_of,
)
from srgan.server.transfer import Result, said
from srgan.upscaling import error_map, pipeline
from srgan.upscaling.options import SAME, SUFFIXES, UpscaleOptions

_WARM = 32  # pixels a side


class Worker:
    """Does what requests and jobs ask for.

    Args:
        catalogue: The models.
        limits: What one may cost.
        count: Called with a model's name and the pixels that it made.
    """

    def __init__(
        self, catalogue: Catalogue, limits: Limits, count: Callable[[str, int], None]
    ) -> None:
        self._catalogue, self._limits, self._count = catalogue, limits, count

    def warm(self) -> None:
        """Runs each model once: the first time, an engine sets itself up."""
        for name in self._catalogue.described:
            self._catalogue.open(name).upscale(np.full((_WARM, _WARM, 3), 0.5, np.float32))

    def check(self, asked: UpscaleRequest | JobRequest | ErrorMapRequest) -> None:
        """Raises a ValueError if what is asked for is wrong whatever the picture is."""
        self._catalogue.file(asked.model)
        if isinstance(asked, UpscaleRequest | JobRequest):
            options_of(asked, self._limits)

    def upscale(
        self, asked: UpscaleRequest | JobRequest, data: bytes, folder: Path, ticket: Ticket
    ) -> Result:
        """Enlarges a picture.

        Raises:
            ValueError: If it is no picture, or what is asked for does not fit it.
            HTTPException: If the result would be too large.
            OSError: If there is no way to write it.
            MemoryError: If there is not enough.
            Gone: If nobody wants it any more.
        """
        kind = asked.format or "png"
        if kind == SAME:
            kind = kinds.written_as(data[: kinds.HEAD]).name.lower()
        options = options_of(asked, self._limits)
        path = folder / f"enlarged{SUFFIXES[kind]}"
        model, chosen = self._catalogue.open_for(asked.model, options, data)
        job = pipeline.prepare(data, path, model, options, overwrite=True)
        self.check_size(job.pixels)
        job.run(ticket.progress)
        self._count(chosen.model, job.pixels)
        return Result(path, path.stat().st_size, said(chosen.model, (*chosen.notes, *job.notes)))

    def draw_map(
        self, asked: ErrorMapRequest | JobRequest, data: bytes, folder: Path, ticket: Ticket
    ) -> Result:
        """Draws the error map of a picture; raises as `upscale`."""
        path = folder / "error-map.png"
        path.unlink(missing_ok=True)
        with self._catalogue.lacking():
            job = error_map.prepare(
                data,
                path,
                self._catalogue.file(asked.model),
                max_pixels=round(1e6 * self._limits.megapixels),
                engine=self._catalogue.engine,
                precision=self._catalogue.precision,
            )
        self.check_size(job.pixels)
        job.run(self._limits.tile, ticket.progress)
        self._count(Path(self._catalogue.file(asked.model)).stem, job.pixels)
        return Result(path, path.stat().st_size, {})

    def show(self, asked: ErrorMapRequest, data: bytes, folder: Path, ticket: Ticket) -> Result:
        """Turns a picture into what browsers show: PNG in sRGB, of 8 bits, upright, one frame.

        Raises:
            UnsupportedImage: If it is no picture, or a damaged or too large one.
            OSError: If there is no way to write it.
        """
        path = folder / "picture.png"
        opened = opening.open_image(data, round(1e6 * self._limits.megapixels))
        with formats.decoding("The picture"):
            pixels = samples.to_srgb(opened.image.autorot()).numpy()
        images.write(path, images.to_uint8(pixels))
        return Result(path, path.stat().st_size, {})

    def upscale_array(self, name: str, lr: np.ndarray, ticket: Ticket) -> np.ndarray:
        """Enlarges an image `(height, width, 3)` in [0, 1]; raises as `upscale`."""
        model = self._catalogue.open(name, UpscaleOptions(tile=self._limits.tile))
        pixels = lr.shape[0] * lr.shape[1] * model.metadata.scale**2
        self.check_size(pixels)
        sr = model.upscale(lr, tile=self._limits.tile, progress=ticket.progress)
        self._count(name, pixels)
        return sr

    def check_size(self, pixels: int) -> None:
        """Raises an HTTPException if a model would make more pixels than are allowed."""
        most = 1e6 * self._limits.megapixels
        if pixels > most:
            raise HTTPException(
                413,
                f"The model would make {pixels / 1e6:,.1f} megapixels of this picture; expected at "
                f"most {self._limits.megapixels:g}. Send one whose sides are at most "
                f"{math.floor(100 * math.sqrt(most / pixels))} % as long.",
            )


def in_folder(root: Path, work: Callable[[Path], Result], ticket: Ticket) -> Result:
    """Does work in a new folder, which is gone if there is no result, or nobody wants it."""
    folder = Path(tempfile.mkdtemp(dir=root))
    try:
        result = work(folder)
        ticket.finish()
        return result
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
