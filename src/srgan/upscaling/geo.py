"""GeoTIFF: whether it is read as such, and a job for its bands."""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srgan.io import formats, looking
from srgan.upscaling.documents import DocumentJob
from srgan.upscaling.jobs import UpscaleJob
from srgan.upscaling.options import UpscaleOptions
from srgan.util import files
from srgan.util.rows import Cutter

if TYPE_CHECKING:
    from srgan.io.geotiff import GeoTiff


def is_kept(source: str | os.PathLike[str] | bytes, suffix: str, options: UpscaleOptions) -> bool:
    """Returns whether a picture file is a GeoTIFF, and is to become one.

    Args:
        source: As `pipeline.prepare` takes it.
        suffix: Of the result.
        options: What is asked for: without metadata, it is a picture as any other.

    Raises:
        ValueError: If what reads it is missing.
        UnsupportedImage, OSError: If there is no such file.
    """
    if suffix not in formats.TIFF or options.strip_metadata or not looking.is_geotiff(source):
        return False
    if importlib.util.find_spec("rasterio") is None:
        raise ValueError(
            f"{formats.describe(source)} is a GeoTIFF, and keeping its georeference needs "
            'rasterio, which is missing. Run: pip install "srgan[geo]". To leave the georeference '
            "out, ask for --strip-metadata."
        )
    return True


class GeoJob(DocumentJob):
    """A GeoTIFF: a job for its colours, and one for each other band.

    Args:
        parts: The jobs, of `file.pictures`.
        file: The GeoTIFF.
        overwrite: Replace the destination if it exists.
    """

    def __init__(self, parts: Sequence[UpscaleJob], file: "GeoTiff", overwrite: bool) -> None:
        super().__init__(parts, overwrite)
        self.frames, self._file = 1, file

    def write(self, bands: Iterator[np.ndarray]) -> None:
        from srgan.io import geotiff_writer

        files.check_destination(Path(self.destination), self.overwrite)
        rows = Cutter(bands)
        parts = (
            (picture, part.sized(rows.take(part.enlarged_rows)))
            for picture, part in zip(self._file.pictures, self.parts, strict=True)
        )
        size = self.height, self.width
        geotiff_writer.write(self.destination, self._file, parts, *size, self.options.pyramid)
