"""The kinds of picture files: the one place where they are named. Imports nothing heavy."""

import re
from pathlib import PurePath
from typing import NamedTuple


class Kind(NamedTuple):
    """A file format.

    Attributes:
        name: As people call it; options take it in small letters.
        suffixes: Of its files, the usual one first.
        signature: What its files begin with, as a regular expression.
        loader: What reads it: a loader of libvips, or "pillow".
        written: Whether `srgan` writes it.
        advice: What to do about files of it, where they are not read.
    """

    name: str
    suffixes: tuple[str, ...]
    signature: bytes
    loader: str = ""
    written: bool = False
    advice: str = ""


_CONVERT = "Convert it to PNG, or to JPEG, with the program that showed it to you, or by: "
KINDS = (
    Kind("PNG", (".png",), rb"\x89PNG", "png", True),
    Kind("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), rb"\xff\xd8\xff", "jpeg", True),
    Kind("WebP", (".webp",), rb"RIFF.{4}WEBP", "webp", True),
    Kind("TIFF", (".tif", ".tiff"), rb"II[*+]\0|MM\0[*+]", "tiff", True),
    Kind("AVIF", (".avif",), rb".{4}ftyp.{0,52}?avi[fs]", "heif", True),
    Kind("GIF", (".gif",), rb"GIF8", "gif", True),
    # The size of the second header tells it from text that begins with BM.
    Kind("BMP", (".bmp", ".dib"), rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", "pillow"),
    Kind(
        "JPEG 2000",
        (".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
        rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        "pillow",
    ),
    Kind("PNM", (".ppm", ".pgm", ".pbm", ".pnm"), rb"P[1-6][ \t\r\n]", "pillow"),
    # By libvips, where it was built with the decoder; the usual builds were not.
    Kind(
        "HEIC",
        (".heic", ".heif", ".hif"),
        rb".{4}ftyp(hei|hev|mif1|msf1)",
        "heif",
        advice=_CONVERT + "heif-convert photo.heic photo.png",
    ),
    Kind(
        "JPEG XL",
        (".jxl",),
        rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
        advice=_CONVERT + "djxl photo.jxl photo.png",
    ),
)
WRITTEN = tuple(kind for kind in KINDS if kind.written)
HEAD = 64  # bytes from the beginning that tell the kind
SUFFIXES = tuple(suffix for kind in KINDS for suffix in kind.suffixes)
"""Of files that are taken for pictures."""


def recognise(head: bytes) -> Kind | None:
    """Returns the kind of a file by its first `HEAD` bytes, or None if it is none of these."""
    return next((kind for kind in KINDS if re.match(kind.signature, head, re.DOTALL)), None)


def written_as(head: bytes) -> Kind:
    """Returns the kind in which a file stays what it is, as far as it is written; else PNG."""
    kind = recognise(head)
    return kind if kind and kind.written else KINDS[0]


def by_suffix(path: PurePath) -> Kind | None:
    """Returns the kind that a file's name promises, or None."""
    return next((kind for kind in KINDS if path.suffix.lower() in kind.suffixes), None)


def listed(kinds: tuple[Kind, ...]) -> str:
    """Returns their names, as "PNG, JPEG or TIFF"."""
    names = [kind.name for kind in kinds]
    return f"{', '.join(names[:-1])} or {names[-1]}"


EXPECTED = listed(tuple(kind for kind in KINDS if not kind.advice))
"""What is read, for messages and help."""
