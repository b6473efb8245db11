"""Opening a picture file with care for hostile ones."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyvips

from srgan.io import pillow, png, samples, xmp
from srgan.io.contents import Contents
from srgan.io.formats import MAX_FRAMES, MAX_PIXELS, TooLarge, UnsupportedImage, decoding, describe
from srgan.io.kinds import Kind
from srgan.io.looking import Seen, look, not_read
from srgan.io.tiff import Page

_MAX_METADATA = 2**22  # bytes of EXIF, XMP and so on, each; libvips takes twice as much EXIF
_METADATA = {
    "exif-data": "EXIF",
    "xmp-data": "XMP",
    "iptc-data": "IPTC",
    "icc-profile-data": "a colour profile",
}


class Opened(NamedTuple):
    """A picture file that was opened.

    Attributes:
        image: Its pixels, not decoded yet, with what it says of itself.
        pictures: How many frames or pages there are; `image` may be fewer of them.
        left_out: What it has that no result gets, each for people.
        texts: Of PNG.
        following: The page of another form that comes after those in `image`, if there is one.
        kept: What must live as long as `image` does.
    """

    image: pyvips.Image
    pictures: int
    left_out: tuple[str, ...]
    texts: tuple[png.Text, ...] = ()
    following: int | None = None
    kept: object = None


def open_image(
    source: str | os.PathLike[str] | bytes,
    max_pixels: int = MAX_PIXELS,
    all_frames: bool = False,
    max_frames: int = MAX_FRAMES,
    page: int = 0,
    seen: Seen | None = None,
) -> Opened:
    """Opens a picture, decoding nothing yet; rows are then to be read from top to bottom.

    Frames of one size lie below each other; libvips calls the height of one "page-height". What
    comes as float has 16 bits here, and is decoded once to see that it is in range. A profile that
    is not one of such colours is left out; colours that are given by numbers get a profile.

    Args:
        source: A file, recognised by its content, or what is in one.
        max_pixels: In all frames together.
        all_frames: Of an animation or a document, and not the first alone.
        max_frames: In one file, if all are read.
        page: Of a TIFF file, thumbnails not counted: begin there.
        seen: What `look` returned of it, so that it is not looked at again.

    Raises:
        UnsupportedImage: If it is not a picture, or one too large.
        OSError: If there is no such file, or it may not be read.
    """
    name = describe(source)
    kind, found = seen or look(source)
    with decoding(source):
        most = max_frames if all_frames else 0
        opened = _Opening(source, kind, found, max_pixels, most, page)
        image = opened.image()
        _check_metadata(image, name)
        data = samples.field(image, "xmp-data", b"")
        said = xmp.summarise(data) if data else xmp.Summary(True, 0, ())
        turned = said.orientation if opened.may_be_turned_by_xmp else 0
        frames = samples.field(image, "page-height", image.height) < image.height
        if (turned or samples.field(image, "orientation", 1)) > (1 if frames else 2):
            image = opened.image(access="random")  # a large one waits on the disk
        image = image.copy()
        if turned:
            image.set_type(pyvips.GValue.gint_type, "orientation", turned)
        if not said.is_kept:
            image.remove("xmp-data")
    samples.check(image, name)
    if image.format == "float" and image.interpretation != "lab":
        _check_floats(opened, source, name)
    if found.exif and page == 0:
        samples.set_blob(image, "exif-data", found.exif)
    if len(samples.field(image, "exif-data", b"")) < 8:
        image.remove("exif-data")
    samples.set_profile(image, found)
    left_out = [*found.left_out, *said.left_out]
    if said.has_regions and samples.field(image, "orientation", 1) > 1:
        left_out.append("the places of faces, which were those before it was turned")
    return Opened(
        image,
        opened.pictures,
        tuple(dict.fromkeys(left_out)),
        found.texts,
        opened.following,
        opened.kept,
    )


def count_pictures(source: str | os.PathLike[str] | bytes) -> tuple[Kind, int]:
    """Returns the format of a picture file, and how many frames or pages a result can have of it.

    Raises:
        UnsupportedImage, OSError: As `open_image` does.
    """
    kind, found = look(source)
    if kind.loader not in ("gif", "webp"):
        return kind, max(len(found.delays), len(found.pages), 1)
    with decoding(source):
        return kind, _Opening(source, kind, found, MAX_PIXELS, 0).pictures


def size(source: str | os.PathLike[str] | bytes) -> tuple[int, int]:
    """Returns the width and the height of a picture file, as they are stored.

    Raises:
        UnsupportedImage, OSError: As `open_image` does.
    """
    image = open_image(source).image
    return image.width, image.height


def _alike(pages: Sequence[Page]) -> int:
    """How many pages from the first on are of its form, with no thumbnails between them."""
    first = pages[0]
    return next(
        (
            count
            for count, page in enumerate(pages)
            if page != Page(first.place + count, first.form)
        ),
        len(pages),
    )


class _Opening:
    """One file, and how it is opened, once or again.

    Args:
        source: The file, or what is in it.
        kind: Its format.
        found: What is in it.
        max_pixels: That it may claim, in all frames together.
        max_frames: Open all that are alike, if there are no more; by 0, the first alone.
        page: Of TIFF, the first to be opened.

    Attributes:
        pictures: As `Opened` has them.
        following: Likewise.
        kept: Likewise.
        may_be_turned_by_xmp: Nothing that counts more than XMP says how to turn it.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        kind: Kind,
        found: Contents,
        max_pixels: int,
        max_frames: int,
        page: int = 0,
    ) -> None:
        self._source, self._kind, self._found = source, kind, found
        self._options: dict[str, Any] = {}
        self._frames: pillow.Frames | None = None
        self.kept: object = None
        animated, pages = len(found.delays) > 1, found.pages[page:]
        if pages:
            self._options["page"] = pages[0].place
        self._header = None if kind.loader == "pillow" else self._load()
        self.pictures = max(len(found.delays), len(found.pages), 1)
        if self._header and not pages and not animated:
            self.pictures = samples.field(self._header, "n-pages", 1)
        if not self._header or (animated and max_frames):
            self._frames = pillow.frames(source, kind.name, animated)
            self.pictures = max(self.pictures, self._frames.number)
        if self.pictures > max_frames > 0:
            raise TooLarge(
                f"{describe(source)} has {self.pictures:,} frames; expected at most "
                f"{max_frames:,}. Allow more with --max-frames, or cut it into parts."
            )
        count = _alike(pages) if pages else -1
        several = self.pictures > 1 and kind.loader in ("gif", "webp", "tiff")
        if max_frames and several and count != 1:
            self._options["n"] = count
            try:
                self._header = self._load()
            except pyvips.Error:  # pages that only seem alike
                count = self._options["n"] = 1
        following = page + count
        self.following = following if pages and following < len(found.pages) else None
        is_turned = self._header and self._header.get_typeof("orientation")
        self.may_be_turned_by_xmp = kind.loader not in ("heif", "tiff") and not is_turned
        self._unread = self._header
        self._check_size(max_pixels)
        self._check_decoder()

    def image(self, access: str = "sequential") -> pyvips.Image:
        """Its pixels, and what it says of itself."""
        if not self._frames:
            unread, self._unread = self._unread, None
            return unread if unread and access == "sequential" else self._load(access)
        image, self.kept = self._frames.image(access)
        image = image.copy()
        if self._frames.resolution[0] > 0:
            across, down = self._frames.resolution
            image = image.copy(xres=across, yres=down)
        if self._header:
            image = _with_fields(image, self._header)
        if self._frames.number > 1:
            image.set_type(pyvips.GValue.gint_type, "page-height", self._frames.height)
            delays = (*self._found.delays, *[100] * self._frames.number)[: self._frames.number]
            image.set_type(pyvips.GValue.array_int_type, "delay", list(delays))
            image.set_type(pyvips.GValue.gint_type, "loop", self._found.loop)
        return image

    def _load(self, access: str = "sequential") -> pyvips.Image:
        if isinstance(self._source, bytes):
            opened = pyvips.Source.new_from_memory(self._source)
        else:
            path: Any = os.fsencode(self._source)  # not all names are texts
            opened = pyvips.Source.new_from_file(path)
        load = getattr(pyvips.Image, f"{self._kind.loader}load_source")
        return load(opened, access=access, fail_on="error", **self._options)

    def _check_decoder(self) -> None:
        """Raises unless this build of libvips can decode what it can open."""
        if self._kind.name != "HEIC" or not self._header:
            return
        if samples.field(self._header, "heif-compression", "") == "av1":
            return
        try:
            self._load().crop(0, 0, 1, 1).avg()
        except pyvips.Error as error:
            raise not_read(describe(self._source), self._kind) from error

    def _check_size(self, max_pixels: int) -> None:
        if self._frames:
            width, height = self._frames.width, self._frames.height * self._frames.number
        elif self._header:
            width, height = self._header.width, self._header.height
        else:
            return
        if width * height > max_pixels:
            raise TooLarge(
                f"{describe(self._source)} claims {width}x{height} pixels; expected at most "
                f"{max_pixels:,} in all. Allow more with --max-megapixels, or cut it into parts."
            )


def _with_fields(image: pyvips.Image, other: pyvips.Image) -> pyvips.Image:
    """An image with what another one says of the file that both come from."""
    image = image.copy(xres=other.xres, yres=other.yres)
    known = image.get_fields()
    for name in other.get_fields():
        if name not in known:
            image.set_type(other.get_typeof(name), name, other.get(name))
    return image


def _check_metadata(image: pyvips.Image, name: str) -> None:
    for key, kind in _METADATA.items():
        if (size := len(samples.field(image, key, b""))) > _MAX_METADATA:
            raise UnsupportedImage(
                f"{name} has {size / 1e6:,.1f} megabytes of {kind}; expected at most "
                f"{_MAX_METADATA / 1e6:.1f}. Remove it, for example with exiftool."
            )


def _check_floats(opened: _Opening, source: str | os.PathLike[str] | bytes, name: str) -> None:
    with decoding(source):
        again = opened.image()
        is_number: Any = again == again  # NaN equals nothing; libvips compares pixels
        fault = "" if is_number.min() else "NaN"
        if not fault and (average := opened.image().avg()) > 1:
            fault = f"{average:.3g} on average"
    if fault:
        raise UnsupportedImage(
            f"{name} has float samples of {fault}; expected them from 0 to 1. Replace what is "
            "NaN, divide by the largest, or convert it to 16 bits."
        )
