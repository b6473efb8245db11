"""What libvips leaves out of TIFF files: EXIF, IPTC, pages of several sizes, and a look before.

Some entries of the first directory are what EXIF says of a picture as such, and two name the
directories with the rest of EXIF. What other formats hold as EXIF is such a file too, without
pixels.
"""

import io
import shutil
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from srgan.io.tiff_file import (
    MAX_BYTES,
    MAX_DIRECTORIES,
    MAX_ENTRIES,
    Directory,
    Entry,
    Layout,
    TiffFile,
    TooManyEntriesError,
    written,
)

_PREFIX = b"Exif\0\0"  # of EXIF outside TIFF
_COMPRESSION, _COLOURS, _EXIF, _GPS, _INTEROPERABILITY = 259, 262, 34665, 34853, 40965
# Title, camera, program, time, author, rights and rating; some in Windows' entries too.
_DESCRIPTIVE = frozenset({270, 271, 272, 305, 306, 315, 18246, *range(40091, 40096), 33432})
_OWN, _OFFSETS = (_EXIF, _GPS), (273, 324)  # of strips and tiles
_MAX_VALUE = 2**30  # of a file of our own: the places of all strips, a profile
_IPTC, _DIMENSIONS = 33723, {40962: 256, 40963: 257}  # EXIF's tags of width and height, and TIFF's
_YCBCR, _ICC_LAB, _JPEG = 6, 9, (6, 7)
_NEW_SUBFILE, _SUBFILE, _SUBIFDS, _DNG, _MP_ENTRIES = 254, 255, 330, 50706, 0xB002
_GEO = (33550, 33922, 34264, 34735, 42113, 50844)  # places of pixels, keys, nodata, RPC
_FORM = (256, 257, 258, _COLOURS, 277, 339)  # width, height, bits, colours, channels, kind
_ASKED = {*_FORM, _COMPRESSION, _NEW_SUBFILE, _SUBFILE, _SUBIFDS, _DNG}


class Page(NamedTuple):
    """A picture of a TIFF file: its place among all, and what tells it from those of other form."""

    place: int
    form: tuple[bytes, ...]


def look(file: BinaryIO) -> tuple[str, tuple[Page, ...]]:
    """Returns why libvips should not open a TIFF file, or "", and its pages.

    Thumbnails, masks, and the lower levels of pyramids are no pages.
    """
    try:
        tiff = TiffFile(file)
        places = tiff.places()
        first = tiff.directory(tiff.first, _ASKED)
    except ValueError:
        return "", ()  # libvips will say it better
    if len(places) > MAX_DIRECTORIES:
        return f"has more than {MAX_DIRECTORIES:,} pages; expected fewer. Split it.", ()
    pages = []
    for index, place in enumerate(places):
        try:
            entries = tiff.directory(place, _ASKED)
        except TooManyEntriesError:
            return f"has more than {MAX_ENTRIES:,} entries; expected fewer. Split it.", ()
        except ValueError:
            break
        if not _value(entries, _NEW_SUBFILE) & 0b101 and _value(entries, _SUBFILE) != 2:
            form = tuple(entries[tag].value if tag in entries else b"" for tag in _FORM)
            pages.append(Page(index, form))
    if _DNG in first or (not pages and _SUBIFDS in first):
        return "is a camera's raw file; expected a finished picture. Develop it to TIFF first.", ()
    shown = tiff.directory(places[pages[0].place], _ASKED) if pages else first
    colours = _value(shown, _COLOURS)
    if colours == _ICC_LAB or (colours == _YCBCR and _value(shown, _COMPRESSION) not in _JPEG):
        kind = "ICC Lab" if colours == _ICC_LAB else "YCbCr"
        return f"has {kind} samples; expected grey, RGB, CMYK or CIE Lab. Convert it.", ()
    return "", tuple(pages)


def is_georeferenced(file: BinaryIO) -> bool:
    """Returns whether a TIFF file says where its pixels lie on the earth, or which have no data."""
    try:
        tiff = TiffFile(file)
        return any(tag in tiff.entries(tiff.first)[0] for tag in _GEO)
    except ValueError:
        return False


def kinds_of_pictures(index: bytes) -> list[int]:
    """Returns what a Multi-Picture Format index, which is such a file, says of each picture.

    Raises:
        ValueError: If it is damaged.
    """
    tiff = TiffFile(io.BytesIO(index))
    entries = tiff.directory(tiff.first).get(_MP_ENTRIES)
    table = entries.value if entries else b""
    order = "little" if tiff.layout.order == "<" else "big"
    return [int.from_bytes(table[at : at + 4], order) for at in range(0, len(table) - 15, 16)]


def _value(entries: Directory, tag: int) -> int:
    return int.from_bytes(entries[tag].value, "little") if tag in entries else 0


def read_exif(file: BinaryIO) -> bytes:
    """Returns the EXIF of a TIFF file in the form of other formats, or b"" if there is none."""
    try:
        first, own = _exif(TiffFile(file))
    except ValueError:
        return b""
    data, place = written(Layout("<", "H", "I"), 8, first, own)
    is_useful = (first or own) and len(data) <= MAX_BYTES
    return _PREFIX + struct.pack("<4sI", b"II*\0", place) + data if is_useful else b""


def add(path: Path, exif: bytes, iptc: bytes) -> None:
    """Adds EXIF, in the form of other formats, and IPTC to a finished TIFF file.

    The file gets a new first directory at its end; the old one stays, unused.

    Raises:
        ValueError: If `exif` is damaged.
        OSError: If the disk is full.
    """
    first, own = _exif(TiffFile(io.BytesIO(exif.removeprefix(_PREFIX)))) if exif else ({}, {})
    if iptc:
        first[_IPTC] = Entry(7, len(iptc), iptc)
    with path.open("rb+") as file:
        tiff = TiffFile(file)
        entries, following = tiff.entries(tiff.first)
        first = {tag: entry for tag, entry in first.items() if tag not in entries}
        size = tiff.directory(tiff.first)
        for tag, same in _DIMENSIONS.items():
            if tag in own.get(_EXIF, {}):
                own[_EXIF][tag] = size[same]
        end = file.seek(0, io.SEEK_END)
        end += file.write(bytes(end % 2))
        data, place = written(tiff.layout, end, first, own, entries, following)
        file.write(data)
        file.seek(tiff.first_at)
        file.write(tiff.layout.pack(tiff.layout.place, place))


def append(path: Path, other: Path) -> None:
    """Adds the pages of a finished TIFF file to another one of the same layout.

    Raises:
        OSError: If the disk is full.
    """
    with path.open("rb+") as file, other.open("rb") as added:
        tiff, more = TiffFile(file), TiffFile(added)
        link = tiff.link_after(tiff.places()[-1])
        base = file.seek(0, io.SEEK_END)
        base += file.write(bytes(base % 2))
        added.seek(0)
        shutil.copyfileobj(added, file)
        for place in more.places():
            entries = more.directory(place, longest=_MAX_VALUE)
            own = {tag: more.directory(_value(entries, tag)) for tag in _OWN if tag in entries}
            for tag in own:
                del entries[tag]
            for tag in _OFFSETS:
                if tag in entries:
                    entries[tag] = _moved(entries[tag], base, tiff.layout)
            end = file.seek(0, io.SEEK_END)
            end += file.write(bytes(end % 2))
            data, at = written(tiff.layout, end, entries, own)
            file.write(data)
            file.seek(link)
            file.write(tiff.layout.pack(tiff.layout.place, at))
            link = at + tiff.layout.size(tiff.layout.number)
            link += (len(entries) + len(own)) * tiff.layout.size(f"HH2{tiff.layout.place}")


def _moved(entry: Entry, base: int, layout: Layout) -> Entry:
    """Places in a file that is now part of another one, where it begins at `base`."""
    places = np.frombuffer(entry.value, f"<u{len(entry.value) // entry.number}").astype(np.uint64)
    kind, form = (4, "<u4") if layout.place == "I" else (16, "<u8")
    return Entry(kind, entry.number, (places + np.uint64(base)).astype(form).tobytes())


def _exif(tiff: TiffFile) -> tuple[Directory, dict[int, Directory]]:
    """What EXIF has in the first directory, and its own directories by their tags."""
    first, own = tiff.directory(tiff.first), {}
    for tag in _OWN:
        if tag in first:
            own[tag] = tiff.directory(_value(first, tag))
            own[tag].pop(_INTEROPERABILITY, None)  # which names one more
    return {tag: entry for tag, entry in first.items() if tag in _DESCRIPTIVE}, own
