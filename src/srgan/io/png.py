"""The chunks of PNG files, and the texts among them, which libvips would not keep as they are."""

import io
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from srgan.util import files

_MAX_CHUNKS = 100_000
_MAX_TEXT = 2**20  # bytes, of all texts of a file
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# XMP is carried over by itself; the others are EXIF and such by old programs, with the old sizes.
_NO_TEXTS = (b"XML:com.adobe.xmp", b"Raw profile type ")
_HEADER = 33  # bytes before the second chunk

Text = tuple[bytes, bytes]
"""A kind of text chunk, and what is in it."""


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The chunks of a PNG file, each with its size, and the file at its content."""
    place = 8
    for _ in range(_MAX_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        size, name = struct.unpack(">I4s", head)
        yield name, size
        place += 12 + size


def texts(file: BinaryIO) -> Iterator[Text]:
    """The texts of a PNG file, as far as they are not too long."""
    left = _MAX_TEXT
    for name, size in chunks(file):
        if name not in _TEXTS or size > left:
            continue
        body = file.read(size)
        if len(body) == size and not body.startswith(_NO_TEXTS):
            left -= size
            yield name, body


def keyword(text: Text) -> str:
    """What a text is about, as "Title"."""
    word = text[1].partition(b"\0")[0][:79].decode("latin-1")
    return "".join(letter if letter.isprintable() else "?" for letter in word)


def add(path: Path, added: Iterable[Text]) -> None:
    """Adds texts to a finished PNG file, before its pixels, where all programs look.

    Raises:
        OSError: If the disk is full.
    """
    made = io.BytesIO()
    for name, body in added:
        checksum = zlib.crc32(body, zlib.crc32(name))
        made.write(struct.pack(">I4s", len(body), name) + body + struct.pack(">I", checksum))
    with files.partial(path) as copy:
        with path.open("rb") as source, copy.open("wb") as file:
            file.write(source.read(_HEADER) + made.getvalue())
            shutil.copyfileobj(source, file, 2**20)
        copy.replace(path)
