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
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from srgan import files, formats, tiff

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
        self._bare = into in formats.TIFF
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
        xres, yres = self._resolution()
        image, fields = image.copy(xres=xres, yres=yres), {}
        for name in self._image.get_fields():
            if name.startswith(kept) and not name.startswith("exif-ifd1"):  # of the thumbnail
                value = _mend(name, self._image.get(name), height, image.width, self._bare)
                fields[name] = self._image.get_typeof(name), value
        if self.frames > 1:
            fields["page-height"] = pyvips.GValue.gint_type, height
        _put(image, fields)
        return image

    def _resolution(self) -> tuple[float, float]:
        """Pixels a mm, in a range that libvips takes; its word for an unknown one is 1."""
        known = self._image.xres, self._image.yres
        if known == (1, 1) or not all(1e-3 < value < 1e5 for value in known):
            return 72 / 25.4, 72 / 25.4
        return known


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
    if total > formats.LONGEST:
        raise formats.UnsupportedImage(
            f"Cannot write {path}: its frames have {total:,} rows together; expected at most "
            f"{formats.LONGEST:,}. Cut it into parts."
        )
    with files.replacing(path) as partial:

        def save(image: pyvips.Image) -> None:
            image = like.dress(image, height, metadata) if like else image
            exif, iptc = _exif(image), formats.field(image, "iptc-data", b"")
            if suffix in formats.TIFF:
                image.remove("iptc-data")  # libvips would write a quarter of it
            formats.save(image, partial, suffix, keep="all")  # what there is has been chosen
            if suffix in formats.TIFF and (exif or iptc):
                tiff.add(partial, exif, iptc)
            if suffix == ".webp" and total != height:
                _mend_exif_of_frames(partial, height, total)

        _encode(_uncompressed_png(bands, total, width), save)


def _prepare(image: pyvips.Image, held: formats.Format, srgb: bool) -> pyvips.Image:
    """Upright, in a colour space and with samples that the output can have."""
    image = _upright(image)
    grey = image.bands - image.hasalpha() == 1
    lost = image.get_typeof("icc-profile-data") and not (held.profile and (held.grey or not grey))
    if srgb or lost or image.interpretation in ("cmyk", "lab", "labs"):
        image = formats.to_srgb(image)
        if grey:
            image = image.colourspace("b-w" if image.format == "uchar" else "grey16").copy()
            image.remove("icc-profile-data")  # which is of three colours
    image = formats.integers(image)
    if image.hasalpha() and not held.alpha:
        image = image.flatten(background=[255 if image.format == "uchar" else 65535])
    return image


def _upright(image: pyvips.Image) -> pyvips.Image:
    """Each frame turned as the orientation says."""
    if formats.field(image, "orientation", 1) == 1:
        return image
    height = formats.field(image, "page-height", image.height)
    tops = range(0, image.height, height)
    frames = [image.crop(0, top, image.width, height).autorot() for top in tops]
    image = pyvips.Image.arrayjoin(frames, across=1).copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
    return image


def _put(image: pyvips.Image, fields: Mapping[str, tuple[int, Any]]) -> None:
    """Sets fields, given with their types, and no others."""
    for name, (kind, value) in fields.items():
        image.set_type(kind, name, value)
    for name in image.get_fields():  # "exif-data" brings back what was left out of it
        if name.startswith(("exif-", "jpeg-thumbnail", "orientation")) and name not in fields:
            image.remove(name)


def _exif(image: pyvips.Image) -> bytes:
    """The EXIF that a picture will be written with, or b"" if it carries none."""
    if not image.get_typeof("exif-data"):
        return b""
    names = (name for name in image.get_fields() if name.startswith("exif-"))
    dot = pyvips.Image.black(1, 1).copy(xres=image.xres, yres=image.yres)
    _put(dot, {name: (image.get_typeof(name), image.get(name)) for name in names})
    _, _, rest = dot.write_to_buffer(".jpg", keep="exif").partition(b"\xff\xe1")
    return rest[2 : int.from_bytes(rest[:2])]


def _mend(name: str, value: Any, height: int, width: int, bare: bool) -> Any:
    """The value of a field with the new size, and without what is no longer true.

    Args:
        name: Of the field.
        value: Its value.
        height: Of a frame.
        width: Likewise.
        bare: IPTC stands for itself, and not among the resources of Photoshop.
    """
    if name == "xmp-data" and isinstance(value, bytes):
        for tag, axis in _DIMENSIONS.items():
            value = _in_xmp(tag, (height, width)[axis], value)
        before, _, after = value.partition(b"<xmp:Thumbnails>")
        value = before + after.partition(b"</xmp:Thumbnails>")[2] if after else value
        return _in_xmp("Orientation", 1, value)
    if name == "iptc-data" and isinstance(value, bytes):
        return _iptc(value, bare)
    axis = _DIMENSIONS.get(name.rpartition("-")[2]) if name.startswith("exif-ifd") else None
    if axis is None:
        return value
    side = (height, width)[axis]
    return f"{side} ({side}, Long, 1 components, 4 bytes)"  # as libvips has it


def _in_xmp(tag: str, number: int, xmp: bytes) -> bytes:
    """Sets a number, which stands in an attribute or in an element."""
    pattern = rf"""(\b(?:tiff|exif):{tag}(?:\s*=\s*["']|>))\d+""".encode()
    return re.sub(pattern, rb"\g<1>%d" % number, xmp)


def _iptc(value: bytes, bare: bool) -> bytes:
    """IPTC as TIFF has it, or in a resource as JPEG has it."""
    head, key = b"Photoshop 3.0\0", b"8BIM\x04\x04"
    if value.startswith(head) != bare:
        return value
    if not bare:
        return b"".join((head, key, b"\0\0", struct.pack(">I", len(value)), value))
    _, _, rest = value.partition(key)
    named = (int.from_bytes(rest[:1]) + 2) // 2 * 2  # the resource's name, with its length
    size = int.from_bytes(rest[named : named + 4])
    return rest[named + 4 :][:size]


def _mend_exif_of_frames(path: Path, height: int, total: int) -> None:
    """Sets the height in a WebP file's EXIF, which is that of all frames together by libvips."""
    tag = 40963
    with path.open("rb+") as file:
        place = file.seek(12)
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"EXIF":
                exif = file.read(size)
                for form, kind, number in (("HHIH", 3, total % 2**16), ("HHII", 4, total)):
                    for order in "<>":
                        wrong = struct.pack(order + form, tag, kind, 1, number)
                        right = struct.pack(order + form, tag, kind, 1, height)
                        exif = exif.replace(wrong, right)
                file.seek(place + len(head))
                file.write(exif)
                return
            place = file.seek(place + len(head) + size + size % 2)


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
        while not saving[0].done():
            try:
                return waiting.put(chunk, timeout=0.1)
            except queue.Full:
                continue

    with ThreadPoolExecutor(1) as thread:
        saving = [thread.submit(run)]
        try:
            for chunk in chunks:
                give(chunk)
                if saving[0].done():  # the disk is full, for example
                    break
        finally:
            give(b"")  # the end, or what is taken for a file cut short
        # Not kept: its error knows this frame, and the file would stay open until both are found.
        saving.pop().result()


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
