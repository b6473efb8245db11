"""Opening a picture file with care for hostile ones, and its colours."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pyvips

from srgan.io import tiff
from srgan.io.formats import (
    EXPECTED,
    LOADERS,
    MAX_FRAMES,
    MAX_PIXELS,
    UnsupportedImage,
    decoding,
    describe,
)

_MAX_METADATA = 2**22  # bytes of EXIF, XMP and so on, each; libvips takes twice as much EXIF
_METADATA = {
    "exif-data": "EXIF",
    "xmp-data": "XMP",
    "iptc-data": "IPTC",
    "icc-profile-data": "a colour profile",
}

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


def open_image(
    source: str | os.PathLike[str] | bytes,
    max_pixels: int = MAX_PIXELS,
    all_frames: bool = False,
    max_frames: int = MAX_FRAMES,
) -> pyvips.Image:
    """Opens a picture, decoding nothing yet; rows are then to be read from top to bottom.

    Frames of one size lie below each other; libvips calls the height of one "page-height". What
    comes as float has 16 bits here, and is decoded once to see that it is in range. A profile that
    is not one of such colours is left out.

    Args:
        source: A file, recognised by its content, or what is in one.
        max_pixels: In all frames together.
        all_frames: Of an animation or a document, and not the first alone.
        max_frames: In one file, if all are read.

    Raises:
        UnsupportedImage: If it is not a picture, or one too large.
        OSError: If there is no such file, or it may not be read.
    """
    name = describe(source)
    exif: Any = b""
    with _file(source) as file:
        start = file.read(12)
        loader = next((LOADERS[magic] for magic in LOADERS if start.startswith(magic)), "")
        loader = "heif" if start[4:8] == b"ftyp" else loader  # AVIF, HEIC
        if not loader or (loader == "webp" and start[8:] != b"WEBP"):
            raise UnsupportedImage(
                f"{name} is {'not an image in a known format' if start else 'empty'}; expected a "
                f"{EXPECTED} file, whatever its name. Convert it, or copy it again from where it "
                "came."
            )
        if loader == "tiff":
            if problem := tiff.problem(file):
                raise UnsupportedImage(f"{name} {problem}")
            exif = tiff.read_exif(file)
    with decoding(source):
        image = _open(source, loader)
        _check_metadata(name, image)
        if all_frames and (count := field(image, "n-pages", 1)) > 1 and loader != "heif":
            if count > max_frames:
                raise UnsupportedImage(
                    f"{name} has {count:,} frames; expected at most {max_frames:,}. Allow more "
                    "with --max-frames, or cut it into parts."
                )
            with suppress(pyvips.Error):  # of several sizes: a pyramid, or with thumbnails
                image = _open(source, loader, n=-1)
        frames = field(image, "page-height", image.height) < image.height
        if field(image, "orientation", 1) > (1 if frames else 2):
            # To be turned; a large one waits on the disk.
            options = {"n": -1} if frames else {}
            image = _open(source, loader, access="random", **options)
    colours, profile = _COLOURS.get(str(image.interpretation), (0, b""))
    known = ("short",) if image.interpretation == "labs" else ("uchar", "ushort", "float")
    if image.format not in known or image.bands - colours not in (0, 1):
        raise UnsupportedImage(
            f"{name} has {image.bands} channels of {image.format} samples, {image.interpretation}; "
            "expected grey, RGB or CMYK of 8 or 16 bits, or float. Convert it."
        )
    if image.width * image.height > max_pixels:
        raise UnsupportedImage(
            f"{name} claims {image.width}x{image.height} pixels; expected at most "
            f"{max_pixels:,} in all. Allow more with --max-megapixels, or cut it into parts."
        )
    if image.format == "float" and image.interpretation != "lab":
        with decoding(source):
            again = _open(source, loader)
            is_number: Any = again == again  # NaN equals nothing; libvips compares pixels
            fault = "" if is_number.min() else "NaN"
            if not fault and (average := _open(source, loader).avg()) > 1:
                fault = f"{average:.3g} on average"
        if fault:
            raise UnsupportedImage(
                f"{name} has float samples of {fault}; expected them from 0 to 1. Replace what is "
                "NaN, divide by the largest, or convert it to 16 bits."
            )
    image = image.copy()
    if exif:
        image.set_type(pyvips.GValue.blob_type, "exif-data", exif)
    if len(field(image, "exif-data", b"")) < 8:
        image.remove("exif-data")
    if field(image, "icc-profile-data", b"")[16:20] != profile:
        image.remove("icc-profile-data")
    return image


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


def _check_metadata(name: str, image: pyvips.Image) -> None:
    for key, kind in _METADATA.items():
        if (size := len(field(image, key, b""))) > _MAX_METADATA:
            raise UnsupportedImage(
                f"{name} has {size / 1e6:,.1f} megabytes of {kind}; expected at most "
                f"{_MAX_METADATA / 1e6:.1f}. Remove it, for example with exiftool."
            )


@contextmanager
def _file(source: str | os.PathLike[str] | bytes) -> Iterator[BinaryIO]:
    """The bytes of a source."""
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
    with file:
        yield file


def _open(source: str | os.PathLike[str] | bytes, loader: str, **options: Any) -> pyvips.Image:
    if isinstance(source, bytes):
        opened = pyvips.Source.new_from_memory(source)
    else:
        path: Any = os.fsencode(source)  # not all names are texts
        opened = pyvips.Source.new_from_file(path)
    load = getattr(pyvips.Image, f"{loader}load_source")
    return load(opened, **{"access": "sequential", "fail_on": "error"} | options)
