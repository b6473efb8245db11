"""What kind of file it is, and what is in it, before a decoder sees it."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from srgan.io import tiff
from srgan.io.contents import BY_KIND, Contents
from srgan.io.formats import UnsupportedImage, describe
from srgan.io.kinds import EXPECTED, HEAD, Kind, recognise
from srgan.util import downloads, files


class Seen(NamedTuple):
    """The format of a picture file, and what is in it beside pixels."""

    kind: Kind
    found: Contents


def look(source: str | os.PathLike[str] | bytes) -> Seen:
    """Looks at a picture file without opening it.

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
                f"{EXPECTED} file, whatever its name. "
                f"{downloads.advice(head) or 'Convert it, or copy it again from where it came.'}"
            )
        if not kind.loader:
            raise not_read(name, kind)
        found = BY_KIND[kind.name](file)
    if found.fault:
        raise UnsupportedImage(f"{name} {found.fault}")
    if found.hdr:
        raise UnsupportedImage(
            f"{name} has HDR colours ({found.hdr}), brighter than sRGB can be; expected those "
            "of ordinary pictures. Convert it to sRGB or Display P3 with a program that maps its "
            "tones."
        )
    return Seen(kind, found)


def is_geotiff(source: str | os.PathLike[str] | bytes) -> bool:
    """Returns whether a picture file is a GeoTIFF, which `geotiff` reads.

    Raises:
        UnsupportedImage, OSError: As `look` does, if there is no file.
    """
    with open_bytes(source) as file:
        kind = recognise(file.read(HEAD))
        return kind is not None and kind.name == "TIFF" and tiff.is_georeferenced(file)


def not_read(name: str, kind: Kind) -> UnsupportedImage:
    """Returns what is to be raised for a file of a kind that is not read here."""
    return UnsupportedImage(
        f"{name} is a {kind.name} file, which is not read here; expected a {EXPECTED} file. "
        f"{kind.advice}"
    )


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
