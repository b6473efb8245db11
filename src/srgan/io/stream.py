"""Picture files as rows, from top to bottom: of any size, and with all that a photo carries.

No more than some rows are in memory at a time, where the format allows it: not if a JPEG is
progressive or a PNG interlaced, nor in WebP and AVIF. Grey stays grey, 16 bits stay 16 bits,
transparency and frames stay, and so do the colour profile (pixels are not converted, but from CMYK
and other spaces that few formats hold), EXIF, XMP, IPTC and the resolution.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyvips

from srgan.io import formats, opening, tiff
from srgan.io.encoder import encode
from srgan.io.metadata import CARRIED, SHOWN, exif_of, fix_exif_of_frames, fix_field, set_fields
from srgan.util import files

_BANDS = 64  # rows read at a time


class Picture:
    """An opened picture file, upright.

    Args:
        source: A file, or what is in one.
        max_pixels: Refuse pictures that claim more.
        into: Suffix of the file that it becomes, which decides what of it is read: all frames or
            the first, and transparency, or what it shows on white.
        srgb: Convert colours to sRGB, for programs that ignore profiles.
        max_frames: Refuse pictures that have more.

    Attributes:
        height: Of one frame.
        width: Of all frames.
        frames: How many there are; all lie below each other.
        channels: 1 for grey, 3 for RGB, and one more with alpha, which comes last.
        dtype: uint8 or uint16.

    Raises:
        UnsupportedImage, OSError: As `opening.open_image` says.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        max_pixels: int = formats.MAX_PIXELS,
        into: str = ".tif",
        srgb: bool = False,
        max_frames: int = formats.MAX_FRAMES,
    ):
        self._source = source
        self._bare = into in formats.TIFF
        held = formats.FORMATS[into]
        image = opening.open_image(source, max_pixels, held.frames, max_frames)
        height = opening.field(image, "page-height", image.height) if held.frames else image.height
        self.frames = image.height // height
        with formats.decoding(source):
            self._turned = None
            if self.frames > 1 and opening.field(image, "orientation", 1) > 1:
                self._turned = _without_fields(_prepare(image, held, srgb))
                image = image.crop(0, 0, image.width, height)
            self._image = _prepare(image.autorot(), held, srgb)
        turned = self._turned is not None or self.frames == 1
        self.height = self._image.height if turned else height
        self.width = self._image.width
        self.channels = self._image.bands
        self.dtype = np.dtype(np.uint16 if self._image.format == "ushort" else np.uint8)

    def rows(self) -> Iterator[np.ndarray]:
        """Yields all rows, some at a time, once: `(n, width, channels)`.

        Raises:
            UnsupportedImage: If the file is damaged or cut short.
        """
        with formats.decoding(self._source):
            for image in self._upright():
                # One region for all: each evaluation of its own would begin to read at the top.
                region = pyvips.Region.new(image)
                for top in range(0, image.height, _BANDS):
                    count = min(_BANDS, image.height - top)
                    band = np.frombuffer(region.fetch(0, top, self.width, count), self.dtype)
                    yield band.reshape(count, self.width, self.channels)

    def _upright(self) -> Iterator[pyvips.Image]:
        """All frames at once, or, if they have to be turned, one after the other."""
        if self._turned is None:
            yield self._image
            return
        height = self._turned.height // self.frames
        for top in range(0, self._turned.height, height):
            yield self._turned.crop(0, top, self._turned.width, height).autorot()

    def with_metadata(self, image: pyvips.Image, height: int, metadata: bool) -> pyvips.Image:
        """Returns what was made of this picture with all that it carried, with its sizes corrected.

        Args:
            image: The enlarged pixels.
            height: Of one frame.
            metadata: Carry all; else only what is needed to show it.
        """
        kept = CARRIED if metadata else SHOWN
        xres, yres = self._resolution()
        image, fields = image.copy(xres=xres, yres=yres), {}
        for name in self._image.get_fields():
            if name.startswith(kept) and not name.startswith("exif-ifd1"):  # of the thumbnail
                value = fix_field(name, self._image.get(name), height, image.width, self._bare)
                fields[name] = self._image.get_typeof(name), value
        if self.frames > 1:
            fields["page-height"] = pyvips.GValue.gint_type, height
        set_fields(image, fields)
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
        image = opening.open_image(path, all_frames=True)
    except (OSError, ValueError):
        return ".png"  # what is wrong with it will be said when it is upscaled
    if opening.field(image, "page-height", image.height) == image.height:
        return ".png"
    return ".tif" if path.suffix.lower().startswith(".tif") else ".webp"


def write_rows(
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
            image = like.with_metadata(image, height, metadata) if like else image
            exif, iptc = exif_of(image), opening.field(image, "iptc-data", b"")
            if suffix in formats.TIFF:
                image.remove("iptc-data")  # libvips would write a quarter of it
            formats.save(image, partial, suffix, keep="all")  # what there is has been chosen
            if suffix in formats.TIFF and (exif or iptc):
                tiff.add(partial, exif, iptc)
            if suffix == ".webp" and total != height:
                fix_exif_of_frames(partial, height, total)

        encode(bands, total, width, save)


def _prepare(image: pyvips.Image, held: formats.Format, srgb: bool) -> pyvips.Image:
    """In a colour space and with samples that the output can have."""
    grey = image.bands - image.hasalpha() == 1
    lost = image.get_typeof("icc-profile-data") and not (held.profile and (held.grey or not grey))
    if srgb or lost or image.interpretation in ("cmyk", "lab", "labs"):
        image = opening.to_srgb(image)
        if grey:
            image = image.colourspace("b-w" if image.format == "uchar" else "grey16").copy()
            image.remove("icc-profile-data")  # which is of three colours
    image = opening.integers(image)
    if image.hasalpha() and not held.alpha:
        image = image.flatten(background=[255 if image.format == "uchar" else 65535])
    return image


def _without_fields(image: pyvips.Image) -> pyvips.Image:
    """The pixels, and how to turn them; each of many frames would copy all that the file says."""
    image = image.copy()
    for name in image.get_fields():
        if name != "orientation":
            image.remove(name)
    return image
