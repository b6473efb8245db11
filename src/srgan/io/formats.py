"""The file formats of pictures: how each is recognised, what it can hold, how it is written."""

import ctypes
import errno
import os
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyvips

from srgan.io import kinds
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
MAX_FRAMES = 10_000  # beyond any animation; see `tiff` on pages
LONGEST = 10_000_000  # rows, or pixels of one: of libvips


class UnsupportedImage(ValueError):
    """An image that cannot be read, or cannot be written as asked; the message says which."""


class TooLarge(UnsupportedImage):
    """An image with more pixels or frames than are allowed."""


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
_HELD = {
    "PNG": Format({"compression": 3, "filter": "paeth"}, bits=16),
    "JPEG": Format({"Q": 95}, alpha=False, longest=65_500),
    "WebP": Format({"Q": 95}, grey=False, frames=True, longest=16_383),
    "TIFF": Format({"compression": "deflate", "predictor": "horizontal"}, bits=16, frames=True),
    "AVIF": Format(
        {"Q": 85, "effort": 2, "compression": "av1", "bitdepth": 8}, grey=False, longest=16_384
    ),
    "GIF": Format({}, grey=False, profile=False, frames=True, longest=65_535),
}
FORMATS = {suffix: _HELD[kind.name] for kind in kinds.WRITTEN for suffix in kind.suffixes}
TIFF = (".tif", ".tiff")
TILE = 512  # pixels a side, of pyramids: GDAL's choice, too


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
            f"expected a complete {kinds.EXPECTED} file. Copy it again from where it came, or "
            "convert it."
        ) from error


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


def save(
    image: pyvips.Image,
    path: Path,
    suffix: str,
    keep: str = "none",
    big: bool = False,
    pyramid: bool = False,
) -> None:
    """Writes a picture, row by row where the format allows it, in the format of `suffix`.

    Args:
        image: Of what the format can hold.
        path: The file, replaced if it exists; its name may have any suffix.
        suffix: One of `FORMATS`.
        keep: What of `image` but its pixels: "none" or "all".
        big: TIFF gets the variant for more than 4 GiB, also if this picture does not need it.
        pyramid: TIFF gets tiles, and smaller copies of the picture.

    Raises:
        OSError: If the disk is full, or something else is in the way.
    """
    options = dict(FORMATS[suffix].options)
    if suffix in TIFF:  # a plain TIFF addresses 4 GiB
        samples = image.width * image.height * image.bands
        options["bigtiff"] = big or samples * (2 if image.format == "ushort" else 1) >= 2**31
    if pyramid:
        options |= {"pyramid": True, "tile": True, "tile_width": TILE, "tile_height": TILE}
    kind = next(kind for kind in kinds.WRITTEN if suffix in kind.suffixes)
    write = getattr(image, f"{kind.loader}save")
    try:
        # In a thread of its own, since libvips calls back, and a Ctrl-C that came there would be
        # lost; the other threads do not hear it.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(write, os.fsencode(path), keep=keep, **options).result()
    except pyvips.Error as error:
        # What the frames of the error know would keep the file open, and its space taken, until
        # garbage is collected.
        traceback.clear_frames(error.__traceback__)
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            if os.strerror(code) in str(error):
                raise OSError(code, os.strerror(code), str(path)) from error
        raise OSError(f"Cannot write {path}: {_reason(error)}.") from error


def _reason(error: pyvips.Error) -> str:
    return str(error).strip().splitlines()[-1].strip()
