"""Opening a picture file with care for hostile ones, and its colours."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import pyvips

from srgan.io import pillow, xmp
from srgan.io.contents import BY_KIND, Contents
from srgan.io.formats import MAX_PIXELS, UnsupportedImage, decoding, describe
from srgan.io.kinds import EXPECTED, HEAD, Kind, recognise
from srgan.io.profiles import ADOBE_RGB, profile
from srgan.util import files

_MAX_EXIF = 2**23  # bytes that libvips takes

_Value = TypeVar("_Value")
_COLOURS = {  # of the pictures that are read: how many channels, and what a profile calls them
    "b-w": (1, b"GRAY"),
    "grey16": (1, b"GRAY"),
    "srgb": (3, b"RGB "),
    "rgb": (3, b"RGB "),
    "rgb16": (3, b"RGB "),
    "scrgb": (3, b"RGB "),
    "cmyk": (4, b"CMYK"),
    "lab": (3, b"Lab "),
    "labs": (3, b"Lab "),
}


class Opened(NamedTuple):
    """A picture file that was opened.

    Attributes:
        image: Its pixels, not decoded yet, with what it says of itself.
        pictures: How many frames or pages there are; `image` may be fewer of them.
        left_out: What it has that no result gets, each for people.
        kept: What must live as long as `image` does.
    """

    image: pyvips.Image
    pictures: int
    left_out: tuple[str, ...]
    kept: object = None


def open_image(
    source: str | os.PathLike[str] | bytes,
    max_pixels: int = MAX_PIXELS,
    all_frames: bool = False,
) -> Opened:
    """Opens a picture, decoding nothing yet; rows are then to be read from top to bottom.

    Frames of one size lie below each other; libvips calls the height of one "page-height". What
    comes as float has 16 bits here, and is decoded once to see that it is in range. A profile that
    is not one of such colours is left out; colours that are given by numbers get a profile.

    Args:
        source: A file, recognised by its content, or what is in one.
        max_pixels: In all frames together.
        all_frames: Of an animation or a document, and not the first alone.

    Raises:
        UnsupportedImage: If it is not a picture, or one too large.
        OSError: If there is no such file, or it may not be read.
    """
    name = describe(source)
    kind, found = look(source)
    with decoding(source):
        opened = _Opening(source, kind, found, max_pixels, all_frames)
        image = opened.image()
        data = field(image, "xmp-data", b"")
        said = xmp.summarise(data) if data else xmp.Summary(True, 0, ())
        turned = said.orientation if opened.may_be_turned_by_xmp else 0
        if (turned or field(image, "orientation", 1)) > 2:
            image = opened.image(access="random")  # a large one waits on the disk
        image = image.copy()
        if turned:
            image.set_type(pyvips.GValue.gint_type, "orientation", turned)
        if not said.is_kept:
            image.remove("xmp-data")
    _check_samples(image, name)
    if image.format == "float" and image.interpretation != "lab":
        _check_floats(opened, source, name)
    if found.exif:
        _set_blob(image, "exif-data", found.exif)
    if not 8 <= len(field(image, "exif-data", b"")) <= _MAX_EXIF:
        image.remove("exif-data")
    _set_profile(image, found)
    left_out = tuple(dict.fromkeys((*found.left_out, *said.left_out)))
    return Opened(image, opened.pictures, left_out, opened.kept)


def look(source: str | os.PathLike[str] | bytes) -> tuple[Kind, Contents]:
    """Returns the format of a picture file, and what is in it beside pixels.

    Raises:
        UnsupportedImage: If it is not a picture, or one that is not read.
        OSError: If there is no such file, or it may not be read.
    """
    name = describe(source)
    with open_bytes(source) as file:
        head = file.read(HEAD)
        kind = recognise(head)
        if kind is None:
            raise UnsupportedImage(
                f"{name} is {'not an image in a known format' if head else 'empty'}; expected a "
                f"{EXPECTED} file, whatever its name. Convert it, or copy it again from where it "
                "came."
            )
        if not kind.loader:
            raise _not_read(name, kind)
        found = BY_KIND[kind.name](file)
    if found.fault:
        raise UnsupportedImage(f"{name} {found.fault}")
    if found.hdr:
        raise UnsupportedImage(
            f"{name} has HDR colours ({found.hdr}), brighter than sRGB can be; expected others. "
            "Convert it to sRGB or Display P3 with a program that maps its tones."
        )
    return kind, found


def count_pictures(source: str | os.PathLike[str] | bytes) -> tuple[Kind, int]:
    """Returns the format of a picture file, and how many frames or pages it has.

    Raises:
        UnsupportedImage, OSError: As `open_image` does.
    """
    kind, found = look(source)
    with decoding(source):
        return kind, _Opening(source, kind, found, MAX_PIXELS, False).pictures


class _Opening:
    """One file, and how it is opened, once or again.

    Args:
        source: The file, or what is in it.
        kind: Its format.
        found: What is in it.
        max_pixels: That it may claim, in all frames together.
        all_frames: Open them all, if they are alike.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        kind: Kind,
        found: Contents,
        max_pixels: int,
        all_frames: bool,
    ) -> None:
        self._source, self._kind, self._found = source, kind, found
        self._options: dict[str, Any] = {}
        self._frames: pillow.Frames | None = None
        self.kept: object = None
        animated, pages = len(found.delays) > 1, found.pages
        if pages:
            self._options["page"] = pages[0].place
        self._header = None if kind.loader == "pillow" else self._load()
        self.pictures = max(len(found.delays), len(pages), 1)
        if self._header and not pages and not animated:
            self.pictures = field(self._header, "n-pages", 1)
        if not self._header or (animated and all_frames):
            self._frames = pillow.frames(source, kind.name, animated)
        elif all_frames and kind.loader in ("gif", "webp", "tiff"):
            alike = [page.place for page in pages if page.form == pages[0].form]
            if not pages or alike == list(range(alike[0], alike[-1] + 1)):
                self._options["n"] = len(pages and alike) or -1
                with suppress(pyvips.Error):  # pages that only seem alike
                    self._header = self._load()
        if self._header and field(self._header, "page-height", 0) == 0:
            self._options.pop("n", None)
        self._check_size(max_pixels)
        self._check_decoder()

    @property
    def may_be_turned_by_xmp(self) -> bool:
        """Whether nothing that counts more than XMP says how to turn it."""
        is_said = self._header and self._header.get_typeof("orientation")
        return self._kind.loader not in ("heif", "tiff") and not is_said

    def image(self, access: str = "sequential") -> pyvips.Image:
        """Its pixels, and what it says of itself."""
        if not self._frames:
            return self._load(access)
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
        if field(self._header, "heif-compression", "") == "av1":
            return
        try:
            self._load().crop(0, 0, 1, 1).avg()
        except pyvips.Error as error:
            raise _not_read(describe(self._source), self._kind) from error

    def _check_size(self, max_pixels: int) -> None:
        if self._frames:
            width, height = self._frames.width, self._frames.height * self._frames.number
        elif self._header:
            width, height = self._header.width, self._header.height
        else:
            return
        if width * height > max_pixels:
            raise UnsupportedImage(
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


def _not_read(name: str, kind: Kind) -> UnsupportedImage:
    return UnsupportedImage(
        f"{name} is a {kind.name} file, which is not read here; expected a {EXPECTED} file. "
        f"{kind.advice}"
    )


def _check_samples(image: pyvips.Image, name: str) -> None:
    colours, _ = _COLOURS.get(str(image.interpretation), (0, b""))
    known = ("short",) if image.interpretation == "labs" else ("uchar", "ushort", "float")
    if image.format not in known or image.bands - colours not in (0, 1):
        raise UnsupportedImage(
            f"{name} has {image.bands} channels of {image.format} samples, {image.interpretation}; "
            "expected grey, RGB or CMYK of 8 or 16 bits, or float. Convert it."
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


def _set_profile(image: pyvips.Image, found: Contents) -> None:
    """Leaves out a profile of other colours, and makes one of what is said without."""
    channels, space = _COLOURS[str(image.interpretation)]
    if found.profile:
        _set_blob(image, "icc-profile-data", found.profile)
    if field(image, "icc-profile-data", b"")[16:20] != space:
        image.remove("icc-profile-data")
    colours = found.colours
    interoperability = field(image, "exif-ifd4-InteroperabilityIndex", "")
    if interoperability.startswith("R03") and not image.get_typeof("icc-profile-data"):
        colours = ADOBE_RGB
    if colours and not colours.is_srgb and space in (b"GRAY", b"RGB "):
        _set_blob(image, "icc-profile-data", profile(colours, grey=channels == 1))


def _set_blob(image: pyvips.Image, name: str, value: Any) -> None:
    image.set_type(pyvips.GValue.blob_type, name, value)


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """Returns an opened picture in sRGB, of 8 bits if it has 8, else of 16; alpha stays.

    Float samples are in the colours of their profile, or linear light if there is none.
    """
    depth = 8 if image.format == "uchar" else 16
    if image.interpretation in ("lab", "labs"):
        return image.colourspace("rgb16")
    if image.get_typeof("icc-profile-data") or image.interpretation == "cmyk":
        return integers(image).icc_transform(
            "srgb", embedded=True, black_point_compensation=True, depth=depth
        )
    return integers(image).colourspace("srgb" if depth == 8 else "rgb16")


def integers(image: pyvips.Image) -> pyvips.Image:
    """Returns an opened picture with samples of 16 bits if they are float, else as it is."""
    if image.format != "float":
        return image
    grey = image.bands - image.hasalpha() == 1
    kind = "grey16" if grey else "rgb16"
    if image.get_typeof("icc-profile-data"):
        return (65535 * image + 0.5).cast("ushort").copy(interpretation=kind)
    if grey:
        image = image[0].bandjoin([image[0], *image.bandsplit()])
    image = image.copy(interpretation="scrgb").colourspace("rgb16")
    return image[2:].copy(interpretation=kind) if grey else image


def field(image: pyvips.Image, name: str, default: _Value) -> _Value:
    """Returns what an opened picture says of itself, or `default`."""
    value = image.get(name) if image.get_typeof(name) else default
    return value if isinstance(value, type(default)) else default


@contextmanager
def open_bytes(source: str | os.PathLike[str] | bytes) -> Iterator[BinaryIO]:
    """Yields what is in a source of `open_image`, to be read in the block.

    Raises:
        UnsupportedImage: If it is no file.
        OSError: If there is no such file, or it may not be read.
    """
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    path = Path(source)
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "not a file"
        raise UnsupportedImage(f"{path} is {kind}; expected one {EXPECTED} file.")
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist; expected a {EXPECTED} file. Check the name and the folder."
        ) from error
    with files.naming(path), file:
        yield file
