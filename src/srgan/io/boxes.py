"""The boxes of ISO base media files (AVIF, HEIC) and of JPEG 2000: what decoders do not tell."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_MAX_BOXES = 20_000
_MAX_BYTES = 2**22  # of a box that is read; a table of 10,000 frames has much less
_MAX_FRAMES = 2**20
_LONGEST = 2**24 - 1  # milliseconds of a frame: of WebP


class Heif(NamedTuple):
    """What the boxes of an AVIF or HEIC file say.

    Attributes:
        nclx: Codes of the primaries and the transfer curve, if there are any.
        has_profile: Whether there is an ICC profile, which says more.
        delays: Milliseconds of each frame, if it is a sequence of several.
        texts: Names of items and of auxiliary pictures, one behind the other.
    """

    nclx: tuple[int, int] | None
    has_profile: bool
    delays: tuple[int, ...]
    texts: bytes


def heif(file: BinaryIO) -> Heif:
    """Reads the boxes of an AVIF or HEIC file."""
    walk = _Walk(file)
    nclx: tuple[int, int] | None = None
    has_profile, texts = False, b""
    for kind, content in walk.below((b"meta", b"iprp", b"ipco"), (b"colr", b"auxC")):
        if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 8 and not nclx:
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            nclx = primaries, transfer
        has_profile |= kind == b"colr" and content[:4] in (b"prof", b"rICC")
        if kind == b"auxC":
            texts += content[:200]
    for _, content in walk.below((b"meta", b"iinf"), (b"infe",), skip={b"iinf": 6}):
        texts += content[:200]
    for _, content in walk.below((), (b"uuid",)):
        texts += b"c2pa" if content[:16] == _C2PA else b""
    return Heif(nclx, has_profile, _delays(walk), texts)


_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def _delays(walk: "_Walk") -> tuple[int, ...]:
    """Milliseconds of the frames of the first track."""
    track, media = (b"moov", b"trak", b"mdia"), (b"minf", b"stbl")
    clock = next((c for _, c in walk.below(track, (b"mdhd",))), b"")
    table = next((c for _, c in walk.below(track + media, (b"stts",))), b"")
    at = 20 if clock[:1] == b"\1" else 12
    unit = int.from_bytes(clock[at : at + 4]) or 1000
    delays: list[int] = []
    for place in range(8, len(table) - 7, 8):
        count, length = struct.unpack_from(">II", table, place)
        delays += [min(round(1000 * length / unit), _LONGEST)] * min(
            count, _MAX_FRAMES - len(delays)
        )
    return tuple(delays) if len(delays) > 1 else ()


def jpeg2000(file: BinaryIO) -> tuple[bytes, int]:
    """Returns the ICC profile of a JPEG 2000 file, or b"", and the bits of a sample."""
    walk, profile, start = _Walk(file), b"", 0
    if not walk.begins(b"\xff\x4f"):  # a code stream without boxes
        for _, content in walk.below((b"jp2h",), (b"colr",)):
            if content[:1] == b"\2" and not profile:
                profile = content[3:]
        start = next((place for kind, place, _ in walk.top() if kind == b"jp2c"), 0)
    bits = walk.bytes_at(start + 42, 1)  # the first component's, after its sizes
    return profile, (bits[0] & 0x7F) + 1 if bits else 8


class _Walk:
    """Boxes of a file, of which no more than some are looked at."""

    def __init__(self, file: BinaryIO):
        self._file, self._left = file, _MAX_BOXES
        self._end = file.seek(0, io.SEEK_END)

    def begins(self, start: bytes) -> bool:
        return self.bytes_at(0, len(start)) == start

    def bytes_at(self, place: int, size: int) -> bytes:
        if place + size > self._end:
            return b""
        self._file.seek(place)
        return self._file.read(size)

    def top(self) -> Iterator[tuple[bytes, int, int]]:
        """The outermost boxes: kind, and where the content begins and ends."""
        return self._in(0, self._end)

    def below(
        self,
        path: tuple[bytes, ...],
        kinds: tuple[bytes, ...],
        skip: dict[bytes, int] | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """The contents of boxes of some kinds in boxes of a path of kinds."""
        yield from self._below(path, kinds, 0, self._end, {b"meta": 4} | (skip or {}))

    def _below(
        self,
        path: tuple[bytes, ...],
        kinds: tuple[bytes, ...],
        begin: int,
        end: int,
        skip: dict[bytes, int],
    ) -> Iterator[tuple[bytes, bytes]]:
        for kind, start, stop in self._in(begin, end):
            if path and kind == path[0]:
                yield from self._below(path[1:], kinds, start + skip.get(kind, 0), stop, skip)
            elif not path and kind in kinds:
                yield kind, self.bytes_at(start, min(stop - start, _MAX_BYTES))

    def _in(self, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        while self._left and len(head := self.bytes_at(begin, 8)) == 8:
            self._left -= 1
            size, kind = struct.unpack(">I4s", head)
            start = begin + 8
            if size == 1:
                size, start = int.from_bytes(self.bytes_at(start, 8)), start + 8
            stop = begin + size if size else end
            if not start <= stop <= end:
                return
            yield kind, start, stop
            begin = stop
