"""Picture files as rows, from top to bottom: of any size, and with all that a photo carries.

No more than some rows are in memory at a time, where the format allows it: not if a JPEG is
progressive or a PNG interlaced, nor in WebP and AVIF. Grey stays grey, 16 bits stay 16 bits,
transparency and frames stay, and so do the colour profile (pixels are not converted, but from CMYK
and other spaces that few formats hold), EXIF, XMP, IPTC and the resolution.
"""

import os
import queue
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from srgan import files, formats

_BANDS = 64  # rows read at a time
_CHUNK = 2**20  # bytes that are given to the encoder at a time
_SHOWN = ("icc-profile-data", "delay", "loop")  # the fields without which it looks different
_CARRIED = (*_SHOWN, "exif-", "xmp-data", "iptc-data", "resolution-unit")
_DIMENSIONS = {  # the tags of EXIF and XMP that repeat the size
    "PixelXDimension": 1,
    "PixelYDimension": 0,
    "ImageWidth": 1,
    "ImageLength": 0,
}


class Picture:
    """An opened picture file, upright.

    Args:
        source: A file, or what is in one.
        most_pixels: Refuse pictures that claim more.
        into: Suffix of the file that it becomes, which decides what of it is read: all frames or
            the first, and transparency, or what it shows on white.
        srgb: Convert colours to sRGB, for programs that ignore profiles.

    Attributes:
        height: Of one frame.
        width: Of all frames.
        frames: How many there are; all lie below each other.
        channels: 1 for grey, 3 for RGB, and one more with alpha, which comes last.
        dtype: uint8 or uint16.

    Raises:
        UnsupportedImage, OSError: As `formats.open_image` says.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        most_pixels: int = formats.MOST_PIXELS,
        into: str = ".tif",
        srgb: bool = False,
    ):
        self._source = source
        held = formats.FORMATS[into]
        image = formats.open_image(source, most_pixels, all_frames=held.frames)
        with formats.decoding(source):
            self._image = _prepare(image, held, srgb)
        height = self._image.height
        self.height = formats.field(self._image, "page-height", height) if held.frames else height
        self.width = self._image.width
        self.frames = self._image.height // self.height
        self.channels = self._image.bands
        self.dtype = np.dtype(np.uint16 if self._image.format == "ushort" else np.uint8)

    def rows(self) -> Iterator[np.ndarray]:
        """Yields all rows, some at a time, once: `(n, width, channels)`.

        Raises:
            UnsupportedImage: If the file is damaged or cut short.
        """
        with formats.decoding(self._source):
            # One region for all: each evaluation of its own would begin to read at the top.
            region = pyvips.Region.new(self._image)
            for top in range(0, self._image.height, _BANDS):
                count = min(_BANDS, self._image.height - top)
                band = np.frombuffer(region.fetch(0, top, self.width, count), self.dtype)
                yield band.reshape(count, self.width, self.channels)

    def dress(self, image: pyvips.Image, height: int, metadata: bool) -> pyvips.Image:
        """Returns what was made of this picture with all that it carried, mended where needed.

        Args:
            image: The enlarged pixels.
            height: Of one frame.
            metadata: Carry all; else only what is needed to show it.
        """
        kept = _CARRIED if metadata else _SHOWN
        image = image.copy(xres=self._image.xres, yres=self._image.yres)
        for name in self._image.get_fields():
            if name.startswith(kept):
                value = _mend(name, self._image.get(name), height, image.width)
                image.set_type(self._image.get_typeof(name), name, value)
        if self.frames > 1:
            image.set_type(pyvips.GValue.gint_type, "page-height", height)
        return image


def natural_suffix(path: Path) -> str:
    """Returns the suffix of a format that keeps all of a picture: .png, if it has one frame."""
    if path.suffix.lower() not in (".gif", ".webp", ".tif", ".tiff"):
        return ".png"
    try:
        image = formats.open_image(path, all_frames=True)
    except (OSError, ValueError):
        return ".png"  # what is wrong with it will be said when it is upscaled
    if formats.field(image, "page-height", image.height) == image.height:
        return ".png"
    return ".tif" if path.suffix.lower().startswith(".tif") else ".webp"


def write(
    path: str | os.PathLike[str],
    bands: Iterable[np.ndarray],
    height: int,
    width: int,
    like: Picture | None = None,
    overwrite: bool = False,
    metadata: bool = True,
) -> None:
    """Writes a picture file from rows as they come, whole or not at all.

    Args:
        path: The suffix chooses the format.
        bands: All rows, `(n, width, channels)` uint8 or uint16; channels as `Picture` has them.
        height: Of one frame; there are as many as `like` has.
        width: Of all frames.
        like: The picture that the rows were made of, and whose metadata are carried over.
        overwrite: Replace an existing file.
        metadata: Carry over more than the colour profile and the timing of frames.

    Raises:
        UnsupportedImage, OSError: As `formats.check_destination` says, or if the disk is full.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    formats.check_destination(path, overwrite, height, width)
    total = height * like.frames if like else height
    with files.replacing(path) as partial:

        def save(image: pyvips.Image) -> None:
            image = like.dress(image, height, metadata) if like else image
            formats.save(image, partial, suffix, keep="all")  # what there is has been chosen

        _encode(_uncompressed_png(bands, total, width), save)


def _prepare(image: pyvips.Image, held: formats.Format, srgb: bool) -> pyvips.Image:
    """Upright, in a colour space and with samples that the output can have."""
    image = image.autorot()
    keeps = image.interpretation in ("srgb", "rgb", "rgb16", "b-w", "grey16")
    if srgb or image.format == "float" or not keeps:
        grey = image.bands - image.hasalpha() == 1
        image = formats.to_srgb(image)
        if grey:
            image = image.colourspace("b-w" if image.format == "uchar" else "grey16")
    if image.hasalpha() and not held.alpha:
        image = image.flatten(background=[255 if image.format == "uchar" else 65535])
    return image


def _mend(name: str, value: Any, height: int, width: int) -> Any:
    """The value of a field, with the new size, and without an orientation that was applied."""
    if name == "xmp-data" and isinstance(value, bytes):
        for tag, axis in _DIMENSIONS.items():
            value = _in_xmp(tag, (height, width)[axis], value)
        return _in_xmp("Orientation", 1, value)
    axis = _DIMENSIONS.get(name.rpartition("-")[2]) if name.startswith("exif-ifd") else None
    if axis is None:
        return value
    side = (height, width)[axis]
    return f"{side} ({side}, Long, 1 components, 4 bytes)"  # as libvips has it


def _in_xmp(tag: str, number: int, xmp: bytes) -> bytes:
    """Sets a number, which stands in an attribute or in an element."""
    pattern = rf"""(\b(?:tiff|exif):{tag}(?:\s*=\s*["']|>))\d+""".encode()
    return re.sub(pattern, rb"\g<1>%d" % number, xmp)


def _encode(chunks: Iterator[bytes], save: Callable[[pyvips.Image], None]) -> None:
    """Gives `save` the picture whose file comes in chunks, while they come.

    It runs in a thread of its own, and pulls; whatever makes the chunks runs in this one.
    """
    waiting: queue.Queue[bytes] = queue.Queue(2)
    part = memoryview(b"")
    ended = False

    def read(size: int) -> bytes:
        nonlocal part, ended
        if not part and not ended:
            part = memoryview(waiting.get())
            ended = not part
        taken, part = part[:size], part[size:]
        return taken.tobytes()

    def run() -> None:
        source = pyvips.SourceCustom()
        source.on_read(read)
        save(pyvips.Image.new_from_source(source, "", access="sequential", fail_on="error"))

    def give(chunk: bytes) -> None:
        while not saving.done():
            try:
                return waiting.put(chunk, timeout=0.1)
            except queue.Full:
                continue

    with ThreadPoolExecutor(1) as thread:
        saving = thread.submit(run)
        try:
            for chunk in chunks:
                give(chunk)
                if saving.done():  # the disk is full, for example
                    break
        finally:
            give(b"")  # the end, or what is taken for a file cut short
        saving.result()


def _uncompressed_png(bands: Iterable[np.ndarray], height: int, width: int) -> Iterator[bytes]:
    """A PNG file with the pixels as they are: what libvips takes row by row from a callback."""
    packer, begun = zlib.compressobj(0), False
    for band in bands:
        if not begun:
            yield b"\x89PNG\r\n\x1a\n"
            bits, colour = 8 * band.itemsize, {1: 0, 2: 4, 3: 2, 4: 6}[band.shape[2]]
            header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
            yield _png_chunk(b"IHDR", header)
            begun = True
        count = max(_CHUNK // band[0].nbytes, 1)
        for top in range(0, len(band), count):
            rows = band[top : top + count]
            rows = rows.astype(rows.dtype.newbyteorder(">"), copy=False).reshape(len(rows), -1)
            lines = np.zeros((len(rows), 1 + rows.shape[1] * rows.itemsize), np.uint8)
            lines[:, 1:] = np.ascontiguousarray(rows).view(np.uint8)  # after the filter: none
            yield _png_chunk(b"IDAT", packer.compress(lines.data))
    yield _png_chunk(b"IDAT", packer.flush())
    yield _png_chunk(b"IEND", b"")


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)))
