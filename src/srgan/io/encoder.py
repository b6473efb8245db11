"""Writes a picture file from rows as they come, in bounded memory."""

import itertools
import queue
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pyvips

_CHUNK = 2**20  # bytes that are given to the encoder at a time


def encode(
    bands: Iterable[np.ndarray], height: int, width: int, save: Callable[[pyvips.Image], None]
) -> None:
    """Gives `save` a picture whose rows come some at a time, while they come.

    `save` runs in a thread of its own, and pulls; whatever makes the rows runs in this one.

    Args:
        bands: All rows, `(n, width, channels)` uint8 or uint16.
        height: Of the picture.
        width: Likewise.
        save: Writes it.
    """
    chunks = _as_png(bands, height, width)
    waiting: queue.Queue[bytes] = queue.Queue(2)
    part = memoryview(b"")
    ended = False

    def read(size: int) -> bytes:
        nonlocal part, ended
        if not part and not ended:
            part = memoryview(waiting.get())
            ended = not part
        taken, part = part[:size], part[size:]
        return taken.tobytes()

    def run() -> None:
        source = pyvips.SourceCustom()
        source.on_read(read)
        save(pyvips.Image.new_from_source(source, "", access="sequential", fail_on="error"))

    def give(chunk: bytes) -> None:
        while not saving[0].done():
            try:
                return waiting.put(chunk, timeout=0.1)
            except queue.Full:
                continue

    with ThreadPoolExecutor(1) as thread:
        saving = [thread.submit(run)]
        try:
            for chunk in chunks:
                give(chunk)
                if saving[0].done():  # the disk is full, for example
                    break
        finally:
            give(b"")  # the end, or what is taken for a file cut short
        # Not kept: its error knows this frame, and the file would stay open until both are found.
        saving.pop().result()


def _as_png(bands: Iterable[np.ndarray], height: int, width: int) -> Iterator[bytes]:
    bands = iter(bands)
    held = list(itertools.islice(bands, 1))
    if held:
        channels, dtype = held[0].shape[2], held[0].dtype
        yield from uncompressed_png(_all(held, bands), height, width, channels, dtype)


def _all(held: list[np.ndarray], bands: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield held.pop()  # nothing here keeps it: it may be a large part of what memory there is
    yield from bands


def uncompressed_png(
    bands: Iterable[np.ndarray], height: int, width: int, channels: int, dtype: npt.DTypeLike
) -> Iterator[bytes]:
    """A PNG file with the pixels as they are: what libvips takes row by row from a callback.

    It begins before the first band is asked for.
    """
    packer = zlib.compressobj(0)
    yield b"\x89PNG\r\n\x1a\n"
    bits, colour = 8 * np.dtype(dtype).itemsize, {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    yield _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    yield _png_chunk(b"IDAT", packer.compress(b""))
    for band in bands:
        count = max(_CHUNK // band[0].nbytes, 1)
        for top in range(0, len(band), count):
            rows = band[top : top + count]
            rows = rows.astype(rows.dtype.newbyteorder(">"), copy=False).reshape(len(rows), -1)
            lines = np.zeros((len(rows), 1 + rows.shape[1] * rows.itemsize), np.uint8)
            lines[:, 1:] = np.ascontiguousarray(rows).view(np.uint8)  # after the filter: none
            yield _png_chunk(b"IDAT", packer.compress(lines.data))
            del rows, lines
        del band  # before the next one is made
    yield _png_chunk(b"IDAT", packer.flush())
    yield _png_chunk(b"IEND", b"")


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)))
