"""GeoTIFF, read: pictures whose pixels have places and units. Needs rasterio.

Bands that the file calls red, green and blue are one colour picture; each other band is a grey one.
8 bits stand for 0 to 255. Samples of other types are taken between the smallest and the largest
valid one of their picture, which become 0 and 1, and the result has values in the same range.

Pixels without data (a nodata value, a mask, transparency, NaN) are filled from valid ones around,
so that the network does not see an edge there; in the result, they are without data again, each as
scale x scale pixels. No valid sample becomes the nodata value.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import rasterio
import rasterio.fill
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from srgan.io import formats

_REACH = 64  # pixels that are filled around valid ones; what is farther gets their middle value
ROWS = 256  # read or written at a time, and those of a tile of the result
_TYPES = ("uint8", "int8", "uint16", "int16", "float32")
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
# No file beside a picture is written, and GDAL's cache takes no more than this.
SETTINGS = {"GDAL_PAM_ENABLED": "NO", "GDAL_CACHEMAX": 256, "GDAL_TIFF_INTERNAL_MASK": "YES"}


class GeoTiff:
    """An opened GeoTIFF.

    Args:
        source: A file, or what is in one.
        max_pixels: Refuse pictures that claim more.

    Attributes:
        height: In pixels.
        width: Likewise.
        dtype: Of its samples.
        bands: How many bands there are.
        pictures: What the bands are for the network: the colours, and each other band.

    Raises:
        UnsupportedImage: If it cannot be read, or its samples mean something that cannot be
            enlarged.
    """

    def __init__(
        self, source: str | os.PathLike[str] | bytes, max_pixels: int = formats.MAX_PIXELS
    ) -> None:
        self._source, self.name = source, formats.describe(source)
        with self.open() as opened:
            self.height, self.width, self.bands = opened.height, opened.width, opened.count
            self.dtype = np.dtype(opened.dtypes[0])
            self._check(opened, max_pixels)
            self.nodata = opened.nodatavals
            self.colours = opened.colorinterp
            self.has_mask = MaskFlags.per_dataset in opened.mask_flag_enums[0]
            whole = all(MaskFlags.all_valid in flags for flags in opened.mask_flag_enums)
            self.is_whole = whole and self.dtype.kind != "f"
        rgb = tuple(self.colours.index(one) + 1 for one in RGB if one in self.colours)
        rgb = rgb if len(rgb) == 3 else ()
        alpha = [index + 1 for index, one in enumerate(self.colours) if one == ColorInterp.alpha]
        self.alpha = alpha[0] if alpha else 0
        others = [k + 1 for k in range(self.bands) if k + 1 not in (*rgb, self.alpha)]
        groups = [rgb] * bool(rgb) + [(band,) for band in others]
        self.pictures = [Bands(self, group) for group in groups]
        if not groups:
            raise formats.UnsupportedImage(
                f"{self.name} has nothing but transparency; expected colours or measurements."
            )

    def _check(self, opened: Any, max_pixels: int) -> None:
        if self.height * self.width > max_pixels:
            raise formats.TooLarge(
                f"{self.name} claims {self.width}x{self.height} pixels; expected at most "
                f"{max_pixels:,} in all. Allow more with --max-megapixels, or cut it into parts."
            )
        if ColorInterp.palette in opened.colorinterp:
            raise formats.UnsupportedImage(
                f"{self.name} has a palette, between whose numbers there is nothing; expected "
                "colours or measurements. Expand it first: gdal_translate -expand rgb."
            )
        if len(set(opened.dtypes)) > 1 or opened.dtypes[0] not in _TYPES:
            raise formats.UnsupportedImage(
                f"{self.name} has {', '.join(sorted(set(opened.dtypes)))} samples; expected one of "
                f"{', '.join(_TYPES)}. Convert it: gdal_translate -ot Float32."
            )

    @contextmanager
    def open(self) -> Iterator[Any]:
        """Opens it for the block, which has one thread; its errors are `UnsupportedImage`."""
        with ExitStack() as stack:
            stack.enter_context(rasterio.Env(**SETTINGS))
            try:
                source = self._source
                if isinstance(source, bytes):
                    source = stack.enter_context(rasterio.MemoryFile(source)).name
                yield stack.enter_context(rasterio.open(source, driver="GTiff"))
            except RasterioError as error:
                raise formats.UnsupportedImage(
                    f"{self.name} is damaged or cut short, or of a rare kind "
                    f"({reason_of(error)}); expected a complete GeoTIFF. Copy it again from where "
                    "it came, or convert it."
                ) from error


class Bands:
    """Bands of a GeoTIFF that are one picture; has what `stream.Picture` has.

    Attributes:
        height: In pixels.
        width: Likewise.
        channels: 3 for colours, or 1.
        numbers: Of the bands in the file, from 1 on.
    """

    frames = 1
    dtype = np.dtype(np.float32)
    notes = ()

    def __init__(self, file: GeoTiff, numbers: tuple[int, ...]) -> None:
        self.file, self.numbers = file, numbers
        self.height, self.width, self.channels = file.height, file.width, len(numbers)
        self._lock = threading.Lock()

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def close(self) -> None:
        """Nothing is open."""

    def rows(self) -> Iterator[np.ndarray]:
        """Yields all rows, some at a time: `(n, width, channels)` float32 in [0, 1], filled.

        Raises:
            UnsupportedImage: If the file is damaged or cut short.
        """
        low, high = self.limits
        margin = 0 if self.file.is_whole else _REACH
        with self.file.open() as opened:
            for top in range(0, self.height, ROWS):
                count = min(ROWS, self.height - top)
                first = max(top - margin, 0)
                last = min(top + count + margin, self.height)
                values, valid = self._read(opened, first, last)
                values = (values.astype(np.float32) - low) / np.float32(high - low)
                for channel, known in zip(values, valid, strict=True):
                    if not known.all():
                        channel[:] = _filled(channel, known)
                yield np.moveaxis(values[:, top - first :][:, :count], 0, 2)

    def samples(self, sr: np.ndarray, top: int, height: int, opened: Any) -> np.ndarray:
        """Returns rows of the result as the file's samples, those without data included.

        Args:
            sr: `(n, width, channels)` float32 in [0, 1].
            top: The first of them.
            height: Of the result.
            opened: What `GeoTiff.open` yields.

        Returns:
            `(channels, n, width)`.
        """
        low, high = self.limits
        values = np.moveaxis(sr, 2, 0) * np.float32(high - low) + low
        dtype = self.file.dtype
        if dtype.kind != "f":
            values = np.floor(values + 0.5)
        values = np.clip(values, low, high).astype(dtype)
        rows = nearest(np.arange(top, top + len(sr)), height, self.height)
        columns = nearest(np.arange(sr.shape[1]), sr.shape[1], self.width)
        _, valid = self._read(opened, rows[0], rows[-1] + 1)
        for channel, known, number in zip(values, valid, self.numbers, strict=True):
            nodata = self.file.nodata[number - 1]
            if nodata is not None and not np.isnan(nodata):
                channel[channel == nodata] = _beside(nodata, float(high), dtype)
            missing = ~known[rows - rows[0]][:, columns]
            if dtype.kind == "f" or nodata is not None:
                channel[missing] = np.nan if nodata is None else nodata
            elif missing.any():
                channel[missing] = 0  # which the mask, or transparency, hides
        return values

    @cached_property
    def _limits(self) -> tuple[np.float32, np.float32]:
        least, most = np.float32(np.inf), np.float32(-np.inf)
        with self.file.open() as opened:
            for top in range(0, self.height, ROWS):
                values, valid = self._read(opened, top, min(top + ROWS, self.height))
                if valid.any():
                    least = min(least, np.float32(values[valid].min()))
                    most = max(most, np.float32(values[valid].max()))
        if least > most:
            return np.float32(0), np.float32(1)  # nowhere is there data
        return least, most if most > least else np.nextafter(least, np.float32(np.inf))

    @property
    def limits(self) -> tuple[np.float32, np.float32]:
        """The values that 0 and 1 stand for."""
        if self.file.dtype == np.uint8:
            return np.float32(0), np.float32(255)
        with self._lock:  # what reads and what writes are two threads
            return self._limits

    def _read(self, opened: Any, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows as they are, and which samples are valid: both `(channels, n, width)`."""
        window = window_of(first, (last - first, self.width))
        values = opened.read(self.numbers, window=window)
        if self.file.is_whole:
            return values, np.ones(values.shape, bool)
        valid = opened.read_masks(self.numbers, window=window) > 0
        return values, valid & np.isfinite(values)


def _filled(channel: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Unknown values from known ones around, as GDAL interpolates them; 0.5 far from any."""
    channel = np.where(known, channel, np.float32(0.5)).astype(np.float32)
    if not known.any():
        return channel
    filled = rasterio.fill.fillnodata(channel, known.astype(np.uint8), max_search_distance=_REACH)
    return np.clip(filled, 0, 1)


def nearest(places: np.ndarray, length: int, source: int) -> np.ndarray:
    """Returns which pixels of `source` lie below those of a result of `length`."""
    return np.minimum(((places + 0.5) * source / length).astype(int), source - 1)


def _beside(nodata: float, high: float, dtype: np.dtype) -> Any:
    """The value next to nodata, within the range of what is valid."""
    value = np.asarray(nodata, dtype)
    up = nodata < high
    if dtype.kind == "f":
        return np.nextafter(value, np.asarray(np.inf if up else -np.inf, dtype))
    return value + 1 if up else value - 1


def window_of(top: int, shape: tuple[int, ...]) -> Any:
    """Returns rows of a file, by the first of them and their `(height, width)`."""
    return Window(0, top, shape[1], shape[0])


def reason_of(error: BaseException) -> str:
    """Returns what GDAL says, not what rasterio says of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().splitlines()[-1].rstrip(".")
