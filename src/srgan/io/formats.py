"""The file formats of pictures: opening a file with care, its colours, and what each can hold."""

import ctypes
import errno
import io
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import pyvips

from srgan.io import tiff
from srgan.util import files

# What libvips and GLib remark of damaged files goes nowhere, since all that matters is raised. Not
# to a function in Python, as pyvips has it: garbage is collected there, and if that makes libvips
# remark something else, GLib ends the process. So it is a function in C that does nothing, whoever
# calls it.
_REMARKS = 8 | 16 | 32 | 64 | 128  # from critical ones to those for developers
_nothing = pyvips.ffi.cast(
    "GLogFunc", ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p).value
)
for _domain in (b"VIPS", b"GLib-GObject"):
    pyvips.glib_lib.g_log_set_handler(_domain, _REMARKS, _nothing, pyvips.ffi.NULL)

# libvips remembers what it decoded, by address: each file is read once here, so that a cache
# would only hold memory.
pyvips.cache_set_max(0)

MAX_PIXELS = 2**28  # beyond any camera; a small hostile file could claim enough to fill a disk
LONGEST = 10_000_000  # rows, or pixels of one: of libvips

_MAX_EXIF = 2**23  # bytes that libvips takes

_Value = TypeVar("_Value")

_EXPECTED = "PNG, JPEG, WebP, TIFF, AVIF or GIF"
# By the first bytes. libvips may know more formats, with less safe decoders; it is not asked.
_LOADERS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
_LOADERS |= dict.fromkeys(tiff.SIGNATURES, "tiff")
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


class UnsupportedImage(ValueError):  # noqa: N818 - it says what the image is
    """An image that cannot be read, or cannot be written as asked; the message says which."""


class Format(NamedTuple):
    """What files of one format can hold, and how they are written.

    Attributes:
        options: Of libvips' writer. Lossy formats are written with a quality that hides it.
        bits: Of a sample, at most.
        alpha: Whether pixels can be transparent.
        grey: Whether there can be one channel, with a profile of its own.
        profile: Whether there can be a colour profile.
        frames: Whether there can be several pictures.
        longest: Pixels a side, at most.
    """

    options: Mapping[str, Any]
    bits: int = 8
    alpha: bool = True
    grey: bool = True
    profile: bool = True
    frames: bool = False
    longest: int = LONGEST


# The Paeth predictor makes photos 40 % smaller; levels beyond 3 save 1 % in twice the time.
_PNG = Format({"compression": 3, "filter": "paeth"}, bits=16)
_JPEG = Format({"Q": 95}, alpha=False, longest=65_500)
_TIFF = Format({"compression": "deflate", "predictor": "horizontal"}, bits=16, frames=True)
FORMATS = {
    ".png": _PNG,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": Format({"Q": 95}, grey=False, frames=True, longest=16_383),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".avif": Format(
        {"Q": 85, "effort": 2, "compression": "av1", "bitdepth": 8}, grey=False, longest=16_384
    ),
    ".gif": Format({}, grey=False, profile=False, frames=True, longest=65_535),
}
TIFF = (".tif", ".tiff")
READ_ONLY = (".heic", ".heif")  # where this build of libvips has the decoder
SUFFIXES = (*FORMATS, *READ_ONLY)


def open_image(
    source: str | os.PathLike[str] | bytes,
    max_pixels: int = MAX_PIXELS,
    all_frames: bool = False,
) -> pyvips.Image:
    """Opens a picture, decoding nothing yet; rows are then to be read from top to bottom.

    Frames of one size lie below each other; libvips calls the height of one "page-height". What
    comes as float has 16 bits here, and is decoded once to see that it is in range. A profile that
    is not one of such colours is left out.

    Args:
        source: A file, recognised by its content, or what is in one.
        max_pixels: In all frames together.
        all_frames: Of an animation or a document, and not the first alone.

    Raises:
        UnsupportedImage: If it is not a picture, or one too large.
        OSError: If there is no such file, or it may not be read.
    """
    name = describe(source)
    exif: Any = b""
    with _file(source) as file:
        start = file.read(12)
        loader = next((_LOADERS[magic] for magic in _LOADERS if start.startswith(magic)), "")
        loader = "heif" if start[4:8] == b"ftyp" else loader  # AVIF, HEIC
        if not loader or (loader == "webp" and start[8:] != b"WEBP"):
            raise UnsupportedImage(
                f"{name} is {'not an image in a known format' if start else 'empty'}; expected a "
                f"{_EXPECTED} file, whatever its name. Convert it, or copy it again from where it "
                "came."
            )
        if loader == "tiff":
            if problem := tiff.problem(file):
                raise UnsupportedImage(f"{name} {problem}")
            exif = tiff.read_exif(file)
    with decoding(source):
        image = _open(source, loader)
        if all_frames and field(image, "n-pages", 1) > 1 and loader != "heif":
            with suppress(pyvips.Error):  # of several sizes: a pyramid, or with thumbnails
                image = _open(source, loader, n=-1)
        if field(image, "orientation", 1) > 2:
            # To be turned; a large one waits on the disk.
            frames = field(image, "page-height", image.height) < image.height
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
    if not 8 <= len(field(image, "exif-data", b"")) <= _MAX_EXIF:
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


def describe(source: str | os.PathLike[str] | bytes) -> str:
    """Returns what to call a source of `open_image` in messages."""
    return "The input" if isinstance(source, bytes) else str(source)


@contextmanager
def decoding(source: str | os.PathLike[str] | bytes) -> Iterator[None]:
    """Turns errors of libvips inside the block into `UnsupportedImage`."""
    try:
        yield
    except pyvips.Error as error:
        raise UnsupportedImage(
            f"{describe(source)} is damaged or cut short, or of a rare kind ({_reason(error)}); "
            f"expected a complete {_EXPECTED} file. Copy it again from where it came, or convert "
            "it."
        ) from error


@contextmanager
def _file(source: str | os.PathLike[str] | bytes) -> Iterator[BinaryIO]:
    """The bytes of a source."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    path = Path(source)
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "not a file"
        raise UnsupportedImage(f"{path} is {kind}; expected one {_EXPECTED} file.")
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist; expected a {_EXPECTED} file. Check the name and the folder."
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


def check_destination(
    path: str | os.PathLike[str], overwrite: bool = False, height: int = 1, width: int = 1
) -> None:
    """Raises what writing would raise, before the work of making a `height` x `width` image.

    Raises:
        UnsupportedImage: If no format has this suffix, or the format has no room for the image.
        FileExistsError: If the file exists, unless `overwrite`.
        FileNotFoundError, PermissionError, IsADirectoryError: If there is no way to write there.
    """
    path = Path(path)
    check_format(path, height, width)
    files.check_destination(path, overwrite)


def check_format(path: Path, height: int = 1, width: int = 1) -> None:
    """Raises `UnsupportedImage` as `check_destination` does, whatever there is at `path`."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UnsupportedImage(
            f"Cannot write {path}: the suffix {path.suffix!r} names no known format. "
            f"Use one of {', '.join(FORMATS)}."
        )
    longest = FORMATS[suffix].longest
    if max(height, width) > longest:
        raise UnsupportedImage(
            f"Cannot write {path}: {suffix} files have at most {longest} pixels a side, "
            f"and the image is {width}x{height}. Use .png or .tif."
        )


def save(image: pyvips.Image, path: Path, suffix: str, keep: str = "none") -> None:
    """Writes a picture, row by row where the format allows it, in the format of `suffix`.

    Args:
        image: Of what the format can hold.
        path: The file, replaced if it exists; its name may have any suffix.
        suffix: One of `FORMATS`.
        keep: What of `image` but its pixels: "none" or "all".

    Raises:
        OSError: If the disk is full, or something else is in the way.
    """
    options = dict(FORMATS[suffix].options)
    if suffix in TIFF:  # a plain TIFF addresses 4 GiB
        samples = image.width * image.height * image.bands
        options["bigtiff"] = samples * (2 if image.format == "ushort" else 1) >= 2**31
    saver = {".jpg": "jpeg", ".tif": "tiff", ".avif": "heif"}.get(suffix, suffix[1:])
    write = getattr(image, f"{saver}save")
    try:
        # In a thread of its own, since libvips calls back, and a Ctrl-C that came there would be
        # lost; the other threads do not hear it.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(write, os.fsencode(path), keep=keep, **options).result()
    except pyvips.Error as error:
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            if os.strerror(code) in str(error):
                raise OSError(code, os.strerror(code), str(path)) from error
        raise OSError(f"Cannot write {path}: {_reason(error)}.") from error


def _reason(error: pyvips.Error) -> str:
    return str(error).strip().splitlines()[-1].strip()
