"""GeoTIFF, written like the one that it was made of. Needs rasterio."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.errors import RasterioError

from srgan.io.geotiff import RGB, ROWS, Bands, GeoTiff, nearest, reason_of, window_of
from srgan.util import files
from srgan.util.rows import Cutter

_LEAST_SPACE = 2**20  # bytes: a disk with less is taken for full
_COG = {"compress": "DEFLATE", "predictor": "YES", "bigtiff": "IF_SAFER"}


def write(
    path: Path,
    file: GeoTiff,
    parts: Iterable[tuple[Bands, Iterator[np.ndarray]]],
    height: int,
    width: int,
    pyramid: bool = False,
) -> None:
    """Writes a GeoTIFF like another one, enlarged, whole or not at all.

    Args:
        path: Replaced if it exists.
        file: What it was made of. The places of its pixels, its coordinate system, nodata, masks,
            descriptions, units and tags are carried over.
        parts: Each of `file.pictures` with its rows, `(n, width, channels)` float32 in [0, 1].
        height: Of the result.
        width: Likewise.
        pyramid: Cloud-optimised, with overviews.

    Raises:
        OSError: If the disk is full, or something else is in the way.
    """
    with files.replacing(path) as partial, files.partial(path) as plain:
        target = plain if pyramid else partial
        try:
            with file.open() as opened, _writing(path):
                with rasterio.open(target, "w", **_profile(file, opened, height, width)) as made:
                    _describe(made, file, opened)
                    for bands, rows in parts:
                        for top, block in _blocks(rows, height):
                            samples = bands.samples(block, top, height, opened)
                            made.write(samples, bands.numbers, window=window_of(top, block.shape))
                    _write_masks(made, file, opened)
                if pyramid:
                    rasterio.shutil.copy(target, partial, driver="COG", **_COG)
        finally:
            for left in path.parent.glob(f"{partial.name}.*"):  # overviews that were not finished
                left.unlink()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns errors of GDAL in the block into those of a system."""
    try:
        yield
    except RasterioError as error:
        # GDAL names the call that failed, and not why.
        if shutil.disk_usage(path.parent).free < _LEAST_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise OSError(f"Cannot write {path}: {reason_of(error)}.") from error


def _profile(file: GeoTiff, opened: Any, height: int, width: int) -> dict[str, Any]:
    """How a GeoTIFF is made that is like another one, enlarged."""
    across, down = file.width / width, file.height / height
    found: dict[str, Any] = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": file.bands,
        "dtype": file.dtype,
        "nodata": opened.nodata,
        "tiled": True,
        "blockxsize": ROWS,
        "blockysize": ROWS,
        "interleave": "band",  # pictures are written one after the other
        "compress": "deflate",
        "predictor": 3 if file.dtype.kind == "f" else 2,
        "bigtiff": "IF_SAFER",
        "photometric": "RGB" if file.colours[:3] == RGB else "MINISBLACK",
        "alpha": "UNSPECIFIED" if file.alpha else "NO",
    }
    points, crs = opened.gcps
    if points:
        for point in points:
            point.row, point.col = point.row / down, point.col / across
        found |= {"gcps": points, "crs": crs}
    elif opened.crs or not opened.transform.is_identity:
        transform = opened.transform @ opened.transform.scale(across, down)
        found |= {"crs": opened.crs, "transform": transform}
    if rpcs := opened.rpcs:
        rpcs.line_off, rpcs.samp_off = (
            (offset + 0.5) / factor - 0.5
            for offset, factor in ((rpcs.line_off, down), (rpcs.samp_off, across))
        )
        rpcs.line_scale, rpcs.samp_scale = rpcs.line_scale / down, rpcs.samp_scale / across
        found["rpcs"] = rpcs
    return found


def _describe(made: Any, file: GeoTiff, opened: Any) -> None:
    """Carries over what the bands are, and what is said of them and is still true."""
    made.colorinterp = file.colours
    made.update_tags(**opened.tags())
    made.descriptions, made.units = opened.descriptions, opened.units
    made.scales, made.offsets = opened.scales, opened.offsets
    for band in range(1, file.bands + 1):
        tags = opened.tags(band)
        made.update_tags(band, **{k: v for k, v in tags.items() if "STATISTICS" not in k})


def _write_masks(made: Any, file: GeoTiff, opened: Any) -> None:
    """Transparency and the mask, whose pixels become blocks."""
    if not (file.alpha or file.has_mask):
        return
    columns = nearest(np.arange(made.width), made.width, file.width)
    for top in range(0, made.height, ROWS):
        rows = np.arange(top, min(top + ROWS, made.height))
        source = nearest(rows, made.height, file.height)
        window = window_of(source[0], (source[-1] + 1 - source[0], file.width))
        place = window_of(top, (len(rows), made.width))
        if file.alpha:
            alpha = opened.read(file.alpha, window=window)
            made.write(alpha[source - source[0]][:, columns], file.alpha, window=place)
        else:
            mask = opened.dataset_mask(window=window)
            made.write_mask(mask[source - source[0]][:, columns], window=place)


def _blocks(rows: Iterator[np.ndarray], height: int) -> Iterator[tuple[int, np.ndarray]]:
    """Rows as whole rows of tiles, so that none is written twice."""
    cutter = Cutter(rows)
    for top in range(0, height, ROWS):
        yield top, np.concatenate(list(cutter.take(min(ROWS, height - top))))
