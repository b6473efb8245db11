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

from srgan.io import formats, opening, png, samples, tiff
from srgan.io.encoder import encode
from srgan.io.looking import Seen, look
from srgan.io.metadata import exif_of, fix_exif_of_frames, fix_field, is_carried, set_fields
from srgan.io.suffixes import with_frames
from srgan.util import files

_BANDS = 64  # rows read at a time
# Pages of a TIFF file times changes of their size: after each, libtiff counts all pages again.
_MAX_STEPS = 250_000


class Picture:
    """An opened picture file, upright.

    Args:
        source: A file, or what is in one.
        max_pixels: Refuse pictures that claim more.
        into: Suffix of the file that it becomes, which decides what of it is read: all frames or
            the first, and transparency, or what it shows on white.
        srgb: Convert colours to sRGB, for programs that ignore profiles.
        max_frames: Refuse pictures that have more.
        page: Of TIFF, where to begin.
        seen: What `opening.look` returned of it, so that it is not looked at again.

    Attributes:
        height: Of one frame.
        width: Of all frames.
        frames: How many there are; all lie below each other.
        channels: 1 for grey, 3 for RGB, and one more with alpha, which comes last.
        dtype: uint8 or uint16.
        notes: What of the file the result will lack, in sentences.
        texts: Of PNG, which only PNG holds.
        following: The page of another form that comes after these, if there is one.

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
        page: int = 0,
        seen: Seen | None = None,
    ):
        self._source = source
        self._bare = into in formats.TIFF
        held = formats.FORMATS[into]
        self._opened = opening.open_image(source, max_pixels, held.frames, max_frames, page, seen)
        image = self._opened.image
        height = samples.field(image, "page-height", image.height) if held.frames else image.height
        self.frames = image.height // height
        with formats.decoding(source):
            self._turned = None
            if self.frames > 1 and samples.field(image, "orientation", 1) > 1:
                self._turned = _without_fields(_prepare(image, held, srgb))
                image = image.crop(0, 0, image.width, height)
            self._image = _prepare(image.autorot(), held, srgb)
        turned = self._turned is not None or self.frames == 1
        self.height = self._image.height if turned else height
        self.width = self._image.width
        self.channels = self._image.bands
        self.dtype = np.dtype(np.uint16 if self._image.format == "ushort" else np.uint8)
        self.texts = self._opened.texts
        self.following = self._opened.following if self._bare else None
        self.notes = tuple(self._notes(into, held, page))

    @property
    def pixels(self) -> int:
        """Of all frames."""
        return self.frames * self.height * self.width

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

    def close(self) -> None:
        """Lets go of the file; only what is known of the picture is left."""
        del self._image, self._opened, self._turned

    def with_metadata(self, image: pyvips.Image, height: int, metadata: bool) -> pyvips.Image:
        """Returns what was made of this picture with all that it carried, with its sizes corrected.

        Args:
            image: The enlarged pixels.
            height: Of one frame.
            metadata: Carry all; else only what is needed to show it.
        """
        xres, yres = self._resolution()
        image, fields = image.copy(xres=xres, yres=yres), {}
        size, old = (height, image.width), (self.height, self.width)
        turned = samples.field(self._opened.image, "orientation", 1) > 1
        for name in self._image.get_fields():
            if is_carried(name, metadata):
                value = fix_field(name, self._image.get(name), size, old, turned, self._bare)
                if value != b"":
                    fields[name] = self._image.get_typeof(name), value
        if self.frames > 1:
            fields["page-height"] = pyvips.GValue.gint_type, height
        set_fields(image, fields)
        return image

    def _notes(self, into: str, held: formats.Format, page: int) -> Iterator[str]:
        """What of the file the result will lack."""
        missing = self._opened.pictures - self.frames
        if missing and self.following is None and not page:
            differ = self._opened.following is not None
            held_ones = "those like the first in size and samples" if held.frames else "one"
            why = f"{into} files hold {held_ones}, and {'.tif' if differ else with_frames()} all"
            yield f"{missing} of its {self._opened.pictures} pictures are left out: {why}"
        left_out = list(self._opened.left_out)
        if self.texts and into != ".png":
            left_out.append(f"its texts ({', '.join(map(png.keyword, self.texts))})")
        if left_out:
            yield f"left out: {', '.join(left_out)}"
        if self._opened.image.hasalpha() and not held.alpha:
            yield f"its transparent parts lie on white: {into} files have no transparency"
        if self.dtype == np.uint16 and held.bits < 16:
            yield f"its samples are rounded to 8 bits: {into} files are written with 8"

    def _resolution(self) -> tuple[float, float]:
        """Pixels a mm, in a range that libvips takes; its word for an unknown one is 1."""
        known = self._image.xres, self._image.yres
        if known == (1, 1) or not all(1e-3 < value < 1e5 for value in known):
            return 72 / 25.4, 72 / 25.4
        return known


def open_pages(
    source: str | os.PathLike[str] | bytes,
    max_pixels: int = formats.MAX_PIXELS,
    into: str = ".tif",
    srgb: bool = False,
    max_frames: int = formats.MAX_FRAMES,
) -> list[Picture]:
    """Opens a file for a result that holds all of its pages, in whatever sizes they are.

    Args:
        source: As `Picture` takes it, and so are the others.
        max_pixels: In all pages together.
        into: Likewise.
        srgb: Likewise.
        max_frames: Likewise.

    Returns:
        One picture, or, of TIFF that becomes TIFF, one for each run of pages of one form.

    Raises:
        UnsupportedImage, OSError: As `Picture` says.
    """
    seen = look(source)
    pages = len(seen.found.pages)
    pictures = [Picture(source, max_pixels, into, srgb, max_frames, 0, seen)]
    total = pictures[0].pixels
    while (page := pictures[-1].following) is not None:
        if len(pictures) * pages > _MAX_STEPS:
            raise formats.UnsupportedImage(
                f"{formats.describe(source)} has {pages:,} pages, whose size changes more than "
                f"{len(pictures) - 1:,} times; expected fewer. Split it."
            )
        pictures.append(Picture(source, max_pixels - total, into, srgb, max_frames, page, seen))
        total += pictures[-1].pixels
    return pictures


def write_rows(
    path: str | os.PathLike[str],
    bands: Iterable[np.ndarray],
    height: int,
    width: int,
    like: Picture | None = None,
    overwrite: bool = False,
    metadata: bool = True,
    pyramid: bool = False,
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
        pyramid: Of TIFF of one frame: in tiles, with smaller copies.

    Raises:
        UnsupportedImage, OSError: As `formats.check_destination` says, or if the disk is full.
    """
    path = Path(path)
    formats.check_destination(path, overwrite, height, width)
    with files.replacing(path) as partial:
        suffix = path.suffix.lower()
        save_rows(partial, suffix, bands, height, width, like, metadata, pyramid=pyramid)


def save_rows(
    path: Path,
    suffix: str,
    bands: Iterable[np.ndarray],
    height: int,
    width: int,
    like: Picture | None = None,
    metadata: bool = True,
    big: bool = False,
    pyramid: bool = False,
) -> None:
    """Writes a file as `write_rows` does, but in place, whatever it is called.

    Args:
        path: The file.
        suffix: Of its format.
        bands: As `write_rows` takes them, and so are the others.
        height: Likewise.
        width: Likewise.
        like: Likewise.
        metadata: Likewise.
        big: For TIFF, in the variant for more than 4 GiB.
        pyramid: As `write_rows` takes it.

    Raises:
        UnsupportedImage, OSError: As `write_rows` says.
    """
    total = height * like.frames if like else height
    if total > formats.LONGEST:
        raise formats.UnsupportedImage(
            f"Cannot write {path}: its frames have {total:,} rows together; expected at most "
            f"{formats.LONGEST:,}. Cut it into parts."
        )

    def save(image: pyvips.Image) -> None:
        image = like.with_metadata(image, height, metadata) if like else image
        exif, iptc = exif_of(image), samples.field(image, "iptc-data", b"")
        if suffix in formats.TIFF:
            image.remove("iptc-data")  # libvips would write a quarter of it
        # What there is to keep has been chosen.
        formats.save(image, path, suffix, keep="all", big=big, pyramid=pyramid)
        if suffix in formats.TIFF and (exif or iptc):
            tiff.add(path, exif, iptc)
        if suffix == ".png" and like and like.texts and metadata:
            png.add(path, like.texts)
        if suffix == ".webp" and total != height:
            fix_exif_of_frames(path, height, total)

    encode(bands, total, width, save)


def _prepare(image: pyvips.Image, held: formats.Format, srgb: bool) -> pyvips.Image:
    """In a colour space and with samples that the output can have."""
    grey = image.bands - image.hasalpha() == 1
    lost = image.get_typeof("icc-profile-data") and not (held.profile and (held.grey or not grey))
    if srgb or lost or image.interpretation in ("cmyk", "lab", "labs"):
        image = samples.to_srgb(image)
        if grey:
            image = image.colourspace("b-w" if image.format == "uchar" else "grey16").copy()
            image.remove("icc-profile-data")  # which is of three colours
    image = samples.integers(image)
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
