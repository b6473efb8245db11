"""What libvips leaves out of TIFF files: EXIF, IPTC, and a look at them before they are opened.

A TIFF file is a chain of directories of entries, one for a picture. Some entries of the first are
what EXIF says of a picture as such, and two name the directories with the rest of EXIF. What other
formats hold as EXIF is such a file too, without pixels.
"""

import io
import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # two byte orders, and a big variant of each

_PREFIX = b"Exif\0\0"  # of EXIF outside TIFF
_MAX_DIRECTORIES = 10_000  # each costs libtiff more than the one before; from 65536 on, it hangs
_MAX_ENTRIES = 4096
_MAX_BYTES = 60_000  # of EXIF; JPEG has room for 64 KiB
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 18: 8}  # of the big variant
_RATIONAL = (5, 10)  # two numbers each
_COMPRESSION, _COLOURS, _EXIF, _GPS, _INTEROPERABILITY = 259, 262, 34665, 34853, 40965
# Title, camera, program, time, author, rights and rating; some in Windows' entries too.
_DESCRIPTIVE = frozenset({270, 271, 272, 305, 306, 315, 18246, *range(40091, 40096), 33432})
_IPTC, _DIMENSIONS = 33723, {40962: 256, 40963: 257}  # EXIF's tags of width and height, and TIFF's
_YCBCR, _ICC_LAB, _JPEG = 6, 9, (6, 7)
_NEW_SUBFILE, _SUBFILE, _SUBIFDS, _DNG, _MP_ENTRIES = 254, 255, 330, 50706, 0xB002
_FORM = (256, 257, 258, _COLOURS, 277, 339)  # width, height, bits, colours, channels, kind
_ASKED = {*_FORM, _COMPRESSION, _NEW_SUBFILE, _SUBFILE, _SUBIFDS, _DNG}


class _Layout(NamedTuple):
    """How numbers are written: the order of bytes, and the formats of counts and places."""

    order: str
    number: str
    place: str

    def pack(self, form: str, *numbers: int | bytes) -> bytes:
        return struct.pack(self.order + form, *numbers)

    def size(self, form: str) -> int:
        return struct.calcsize(self.order + form)


class _Entry(NamedTuple):
    kind: int
    number: int
    value: bytes  # little-endian


_Directory = dict[int, _Entry]


class _File:
    """A TIFF file; nothing that it says is believed.

    Raises:
        ValueError: By all methods, if it is cut short, or says what cannot be.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._length = file.seek(0, io.SEEK_END)
        file.seek(0)
        start = self._at(0, 4)
        big = b"+" in start
        self.layout = _Layout("<" if start[:1] == b"I" else ">", "HQ"[big], "IQ"[big])
        self.first_at = 8 if big else 4
        self.first = self._number(self.first_at, self.layout.place)

    def places(self) -> list[int]:
        """Of all directories, as far as they go on, and about as many as allowed."""
        seen, place = {}, self.first
        while place and place not in seen and len(seen) <= _MAX_DIRECTORIES:
            try:
                following = self._number(self._end(place)[1], self.layout.place)
            except ValueError:
                break
            seen[place] = None
            place = following
        return list(seen)

    def entries(self, place: int) -> tuple[dict[int, bytes], int]:
        """The entries of a directory as they are, and the place of the next one."""
        begin, end = self._end(place)
        size = self.layout.size(f"HH2{self.layout.place}")
        if end - begin > _MAX_ENTRIES * size:
            raise ValueError("It has too many entries.")
        table = self._at(begin, end - begin)
        parts = (table[k : k + size] for k in range(0, len(table), size))
        found = {struct.unpack_from(f"{self.layout.order}H", part)[0]: part for part in parts}
        return found, self._number(end, self.layout.place)

    def directory(self, place: int, tags: Collection[int] = ()) -> _Directory:
        """The entries of a directory, all or some of them, but for long ones."""
        order, _, form = self.layout
        found = {}
        for tag, entry in self.entries(place)[0].items():
            if tags and tag not in tags:
                continue
            _, kind, count = struct.unpack_from(f"{order}HH{form}", entry)
            size = _SIZES.get(kind, 0) * count
            if not 0 < size <= _MAX_BYTES:
                continue
            value = entry[-self.layout.size(form) :]
            if size > len(value):
                value = self._at(struct.unpack(order + form, value)[0], size)
            found[tag] = _Entry(kind, count, _swapped(value[:size], kind, order))
        return found

    def exif(self) -> tuple[_Directory, dict[int, _Directory]]:
        """What EXIF has in the first directory, and its own directories by their tags."""
        first, own = self.directory(self.first), {}
        for tag in (_EXIF, _GPS):
            if tag in first:
                own[tag] = self.directory(int.from_bytes(first[tag].value, "little"))
                own[tag].pop(_INTEROPERABILITY, None)  # which names one more
        return {tag: entry for tag, entry in first.items() if tag in _DESCRIPTIVE}, own

    def _end(self, place: int) -> tuple[int, int]:
        """Where the entries of a directory begin and end."""
        begin = place + self.layout.size(self.layout.number)
        count = self._number(place, self.layout.number)
        return begin, begin + count * self.layout.size(f"HH2{self.layout.place}")

    def _number(self, place: int, form: str) -> int:
        form = self.layout.order + form
        return struct.unpack(form, self._at(place, struct.calcsize(form)))[0]

    def _at(self, place: int, size: int) -> bytes:
        # Compared first: a file system may refuse to seek to a place that a file only claims.
        if place + size > self._length:
            raise ValueError("It is cut short.")
        self._file.seek(place)
        return self._file.read(size)


class Page(NamedTuple):
    """A picture of a TIFF file: its place among all, and what tells it from those of other form."""

    place: int
    form: tuple[bytes, ...]


def look(file: BinaryIO) -> tuple[str, tuple[Page, ...]]:
    """Returns why libvips should not open a TIFF file, or "", and its pages.

    Thumbnails, masks, and the lower levels of pyramids are no pages.
    """
    try:
        tiff = _File(file)
        places = tiff.places()
        first = tiff.directory(tiff.first, _ASKED)
    except ValueError:
        return "", ()  # libvips will say it better
    if len(places) > _MAX_DIRECTORIES:
        return f"has more than {_MAX_DIRECTORIES:,} pages; expected fewer. Split it.", ()
    pages = []
    for index, place in enumerate(places):
        try:
            entries = tiff.directory(place, _ASKED)
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


def kinds_of_pictures(index: bytes) -> list[int]:
    """Returns what a Multi-Picture Format index, which is such a file, says of each picture.

    Raises:
        ValueError: If it is damaged.
    """
    tiff = _File(io.BytesIO(index))
    entries = tiff.directory(tiff.first).get(_MP_ENTRIES)
    table = entries.value if entries else b""
    order = "little" if tiff.layout.order == "<" else "big"
    return [int.from_bytes(table[at : at + 4], order) for at in range(0, len(table) - 15, 16)]


def _value(entries: _Directory, tag: int) -> int:
    return int.from_bytes(entries[tag].value, "little") if tag in entries else 0


def read_exif(file: BinaryIO) -> bytes:
    """Returns the EXIF of a TIFF file in the form of other formats, or b"" if there is none."""
    try:
        first, own = _File(file).exif()
    except ValueError:
        return b""
    data, place = _written(_Layout("<", "H", "I"), 8, first, own)
    is_useful = (first or own) and len(data) <= _MAX_BYTES
    return _PREFIX + struct.pack("<4sI", SIGNATURES[0], place) + data if is_useful else b""


def add(path: Path, exif: bytes, iptc: bytes) -> None:
    """Adds EXIF, in the form of other formats, and IPTC to a finished TIFF file.

    The file gets a new first directory at its end; the old one stays, unused.

    Raises:
        ValueError: If `exif` is damaged.
        OSError: If the disk is full.
    """
    first, own = _File(io.BytesIO(exif.removeprefix(_PREFIX))).exif() if exif else ({}, {})
    if iptc:
        first[_IPTC] = _Entry(7, len(iptc), iptc)
    with path.open("rb+") as file:
        tiff = _File(file)
        entries, following = tiff.entries(tiff.first)
        first = {tag: entry for tag, entry in first.items() if tag not in entries}
        size = tiff.directory(tiff.first)
        for tag, same in _DIMENSIONS.items():
            if tag in own.get(_EXIF, {}):
                own[_EXIF][tag] = size[same]
        end = file.seek(0, io.SEEK_END)
        end += file.write(bytes(end % 2))
        data, place = _written(tiff.layout, end, first, own, entries, following)
        file.write(data)
        file.seek(tiff.first_at)
        file.write(tiff.layout.pack(tiff.layout.place, place))


def _written(
    layout: _Layout,
    place: int,
    first: _Directory,
    own: dict[int, _Directory],
    others: dict[int, bytes] | None = None,
    following: int = 0,
) -> tuple[bytes, int]:
    """The bytes of directories from a place on, and where the first of them is."""
    data, first = b"", dict(first)
    for tag, directory in own.items():
        kind, form = (4, "<I") if layout.place == "I" else (16, "<Q")
        first[tag] = _Entry(kind, 1, struct.pack(form, place + len(data)))
        data += _table(layout, place + len(data), directory)
    return data + _table(layout, place + len(data), first, others, following), place + len(data)


def _table(
    layout: _Layout,
    place: int,
    directory: _Directory,
    others: dict[int, bytes] | None = None,
    following: int = 0,
) -> bytes:
    """The bytes of a directory, and after it those of its values that are not short."""
    lines, values = dict(others or {}), b""
    count, room = len(lines) + len(directory), layout.size(layout.place)
    values_at = (
        place + layout.size(layout.number) + count * layout.size(f"HH2{layout.place}") + room
    )
    for tag, (kind, number, value) in directory.items():
        value = _swapped(value, kind, layout.order)
        if len(value) > room:
            value, values = (
                layout.pack(layout.place, values_at + len(values)),
                values + value + bytes(len(value) % 2),
            )
        lines[tag] = layout.pack(f"HH{layout.place}", tag, kind, number) + value.ljust(room, b"\0")
    table = b"".join(lines[tag] for tag in sorted(lines))
    return b"".join(
        (layout.pack(layout.number, count), table, layout.pack(layout.place, following), values)
    )


def _swapped(value: bytes, kind: int, order: str) -> bytes:
    """Numbers of a kind from little-endian to an order of bytes, or back."""
    unit = 4 if kind in _RATIONAL else _SIZES[kind]
    return np.frombuffer(value, f"{order}u{unit}").astype(f"<u{unit}").tobytes()
