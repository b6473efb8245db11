"""TIFF files as such: directories of entries, read with care for hostile files, and written.

A TIFF file is a chain of directories of entries, one for a picture.
"""

import io
import struct
from collections.abc import Collection
from typing import BinaryIO, NamedTuple

import numpy as np

MAX_DIRECTORIES = 10_000  # each costs libtiff more than the one before; from 65536 on, it hangs
MAX_BYTES = 60_000  # of EXIF; JPEG has room for 64 KiB

MAX_ENTRIES = 2**19  # of all directories; they may overlap, so that few bytes claim many
_MAX_ENTRIES = 4096  # of one
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 18: 8}  # of the big variant
_RATIONAL = (5, 10)  # two numbers each


class Layout(NamedTuple):
    """How numbers are written: the order of bytes, and the formats of counts and places."""

    order: str
    number: str
    place: str

    def pack(self, form: str, *numbers: int | bytes) -> bytes:
        return struct.pack(self.order + form, *numbers)

    def size(self, form: str) -> int:
        return struct.calcsize(self.order + form)


class Entry(NamedTuple):
    """What a directory says of one thing: the type of its values, how many, and their bytes."""

    kind: int
    number: int
    value: bytes  # little-endian


Directory = dict[int, Entry]


class TooManyEntriesError(ValueError):
    """What was read of a file are more entries than pages would need."""


class TiffFile:
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
        self.layout = Layout("<" if start[:1] == b"I" else ">", "HQ"[big], "IQ"[big])
        self.first_at = 8 if big else 4
        self._left = MAX_ENTRIES
        self.first = self._number(self.first_at, self.layout.place)

    def places(self) -> list[int]:
        """Of all directories, as far as they go on, and about as many as allowed."""
        seen, place = {}, self.first
        while place and place not in seen and len(seen) <= MAX_DIRECTORIES:
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
        self._left -= (end - begin) // size
        if self._left < 0:
            raise TooManyEntriesError
        table = self._at(begin, end - begin)
        parts = (table[k : k + size] for k in range(0, len(table), size))
        found = {struct.unpack_from(f"{self.layout.order}H", part)[0]: part for part in parts}
        return found, self._number(end, self.layout.place)

    def directory(
        self, place: int, tags: Collection[int] = (), longest: int = MAX_BYTES
    ) -> Directory:
        """The entries of a directory, all or some of them, but for long ones."""
        order, _, form = self.layout
        found = {}
        for tag, entry in self.entries(place)[0].items():
            if tags and tag not in tags:
                continue
            _, kind, count = struct.unpack_from(f"{order}HH{form}", entry)
            size = _SIZES.get(kind, 0) * count
            if not 0 < size <= longest:
                continue
            value = entry[-self.layout.size(form) :]
            if size > len(value):
                value = self._at(struct.unpack(order + form, value)[0], size)
            found[tag] = Entry(kind, count, _swapped(value[:size], kind, order))
        return found

    def _end(self, place: int) -> tuple[int, int]:
        """Where the entries of a directory begin and end."""
        begin = place + self.layout.size(self.layout.number)
        count = self._number(place, self.layout.number)
        return begin, begin + count * self.layout.size(f"HH2{self.layout.place}")

    def link_after(self, place: int) -> int:
        """Where it is said where the directory after the one at a place is."""
        return self._end(place)[1]

    def _number(self, place: int, form: str) -> int:
        form = self.layout.order + form
        return struct.unpack(form, self._at(place, struct.calcsize(form)))[0]

    def _at(self, place: int, size: int) -> bytes:
        # Compared first: a file system may refuse to seek to a place that a file only claims.
        if place + size > self._length:
            raise ValueError("It is cut short.")
        self._file.seek(place)
        return self._file.read(size)


def written(
    layout: Layout,
    place: int,
    first: Directory,
    own: dict[int, Directory],
    others: dict[int, bytes] | None = None,
    following: int = 0,
) -> tuple[bytes, int]:
    """Returns the bytes of directories from a place on, and where the first of them is.

    Args:
        layout: Of the file.
        place: Where the bytes go.
        first: The entries of a picture.
        own: Directories that entries of it name, by their tags.
        others: More entries of it, as they are in the file.
        following: Where the directory after it is.
    """
    data, first = b"", dict(first)
    for tag, directory in own.items():
        kind, form = (4, "<I") if layout.place == "I" else (16, "<Q")
        first[tag] = Entry(kind, 1, struct.pack(form, place + len(data)))
        data += _table(layout, place + len(data), directory)
    return data + _table(layout, place + len(data), first, others, following), place + len(data)


def _table(
    layout: Layout,
    place: int,
    directory: Directory,
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
