"""What is done with a picture, in a thread, when it is its turn."""

import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fastapi import HTTPException

from srgan.io import images, kinds, stream
from srgan.server.catalogue import Catalogue
from srgan.server.queue import Ticket
from srgan.server.requests import (
    LARGEST_PREVIEW,
    ErrorMapRequest,
    JobRequest,
    Limits,
    PreviewRequest,
    UpscaleRequest,
    options_of,
)
from srgan.server.transfer import Result, said
from srgan.upscaling import choice, error_map, pipeline
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

    def preview(self, asked: PreviewRequest, data: bytes, folder: Path, _ticket: Ticket) -> Result:
        """Enlarges the middle of a picture, or shows it as it is; raises as `upscale`.

        The result is a PNG of 8 bits in sRGB, without alpha, so that every browser shows it.
        """
        options = UpscaleOptions.parse(
            realism=None if asked.realism is None else round(asked.realism, 2),
            scale=asked.scale,
            max_megapixels=self._limits.megapixels,
        )
        picture = stream.Picture(data, options.max_pixels, ".png", srgb=True)
        size = {"Srgan-Size": f"{picture.width}x{picture.height}"}
        picture.close()
        side = min(asked.side, LARGEST_PREVIEW) if asked.enlarge else asked.side
        square = choice.middle(data, options, side)
        path = folder / "preview.png"
        if not asked.enlarge:
            images.write(path, square, overwrite=True)
            return Result(path, path.stat().st_size, size)
        model, chosen = self._catalogue.open_for(asked.model, options, data)
        sr = model.upscale(square, dtype=np.uint8)
        images.write(path, sr, overwrite=True)
        self._count(chosen.model, sr.shape[0] * sr.shape[1])
        return Result(path, path.stat().st_size, said(chosen.model, chosen.notes) | size)

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
        if pixels > 1e6 * self._limits.megapixels:
            share = math.floor(100 * math.sqrt(1e6 * self._limits.megapixels / pixels))
            raise HTTPException(
                413,
                f"The model would make {pixels / 1e6:,.1f} megapixels of this picture; expected "
                f"at most {self._limits.megapixels:g}. Send it at {share} % of its width and "
                "height, or ask for a model that enlarges less.",
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
