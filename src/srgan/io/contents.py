"""What a picture file holds that its loader does not tell, found before it is opened.

One function a format, each of which reads no more than it must, and believes nothing.
"""

import io
import re
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from srgan.io import boxes, png, tiff
from srgan.io.profiles import Colours, from_codes, from_gamma, hdr
from srgan.io.xmp import C2PA, DEPTH, GAIN_MAP

_MAX_PARTS = 100_000  # segments of a file that are looked at
_MAX_PROFILE = 2**24  # bytes
_MAX_NUMBER = 2**31 - 1  # of libvips' numbers
_LARGEST_CHUNK = 32  # of PNG, of those that are read


class Contents(NamedTuple):
    """What there is in a file.

    Attributes:
        pages: Of TIFF; thumbnails are none.
        delays: Milliseconds of each frame of an animation that libvips does not know.
        loop: How often that is shown; 0 for ever.
        colours: What its numbers mean, if it says so without a profile.
        hdr: The name of a curve that is brighter than a page, as "PQ".
        profile: An ICC profile that the loader does not give.
        exif: Likewise.
        fault: Why it should not be opened.
        left_out: What it has that no result gets, each for people.
        texts: Of PNG, which only PNG holds.
    """

    pages: tuple[tiff.Page, ...] = ()
    delays: tuple[int, ...] = ()
    loop: int = 0
    colours: Colours | None = None
    hdr: str = ""
    profile: bytes = b""
    exif: bytes = b""
    fault: str = ""
    left_out: tuple[str, ...] = ()
    texts: tuple[png.Text, ...] = ()


def of_png(file: BinaryIO) -> Contents:
    """gAMA, cHRM and cICP; the frames of an APNG; what is signed."""
    gamma, primaries, codes, loop = None, None, None, 0
    delays, left_out, frames, has_profile = [], [], 0, False
    for name, size in png.chunks(file):
        body = file.read(size) if size <= _LARGEST_CHUNK else b""
        if name == b"gAMA" and len(body) == 4:
            gamma = int.from_bytes(body)
        elif name == b"cHRM" and len(body) == 32:
            wx, wy, *rgb = (number / 1e5 for number in struct.unpack(">8I", body))
            primaries = (*rgb, wx, wy)
        elif name == b"cICP" and len(body) == 4:
            codes = body
        elif name == b"iCCP":
            has_profile = True
        elif name == b"sRGB":
            gamma = primaries = None
            codes = codes or bytes((1, 13, 0, 1))
        elif name == b"acTL" and len(body) == 8:
            frames, loop = struct.unpack(">II", body)
        elif name == b"fcTL" and len(body) == 26 and len(delays) < frames:
            count, unit = struct.unpack_from(">HH", body, 20)
            delays.append(round(1000 * count / (unit or 100)))
        elif name == b"caBX":
            left_out.append(C2PA)
        elif name == b"IDAT" and frames < 2:
            break
    found = Contents(
        delays=tuple(delays),
        loop=min(loop, _MAX_NUMBER),
        left_out=tuple(left_out),
        texts=tuple(png.texts(file)),
    )
    if codes and codes[:2] != b"\1\x0d":
        return found._replace(colours=from_codes(codes[0], codes[1]), hdr=hdr(codes[1]))
    if codes or has_profile or (gamma is None and primaries is None):
        return found
    gamma = 1e5 / gamma if gamma else gamma
    return found._replace(colours=from_gamma(gamma, primaries))


def of_jpeg(file: BinaryIO) -> Contents:
    """Further pictures, parts of XMP elsewhere, and what is signed; see CIPA DC-007 for the former.

    What its XMP says of them is a matter of `xmp`.
    """
    left_out, place = {}, 2
    for _ in range(_MAX_PARTS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xDA, 0xD9):  # the pixels begin
            break
        if head[1] == 0xFF:  # filling
            place += 1
            continue
        size = int.from_bytes(head[2:])
        start = file.read(max(size - 2, 0)) if head[1] in (0xE2, 0xEB) else b""
        if head[1] == 0xE2 and start.startswith(b"MPF\0"):
            left_out |= dict.fromkeys(_further_pictures(start[4:]))
        elif head[1] == 0xE2 and start.startswith(b"urn:iso:std:iso:ts:21496:-1\0"):
            left_out[GAIN_MAP] = None
        elif head[1] == 0xEB and b"c2pa" in start:
            left_out[C2PA] = None
        place += 2 + size
    file.seek(max(file.seek(0, io.SEEK_END) - 4, 0))
    if file.read(4) == b"SEFT":  # Samsung's trailer: a video, or the sound of a picture
        left_out["what a phone appended (a video, or sound)"] = None
    if GAIN_MAP in left_out:
        left_out.pop(_FURTHER, None)  # which it is
    return Contents(left_out=tuple(left_out))


_FURTHER = "further pictures"


def _further_pictures(index: bytes) -> Iterator[str]:
    """What a Multi-Picture Format index names beside the picture itself, and previews of it."""
    try:
        kinds = tiff.kinds_of_pictures(index)
    except ValueError:
        return
    for kind in kinds[1:]:
        if kind >> 16 & 0xFF != 1:  # a preview
            yield _FURTHER


def of_heif(file: BinaryIO) -> Contents:
    """The colours of AVIF by nclx, its sequences, and what hangs on its picture."""
    found = boxes.heif(file)
    left_out = tuple(
        text
        for sign, text in {
            b"hdrgainmap": GAIN_MAP,
            b"tmap": GAIN_MAP,
            b"aux:depth": DEPTH,
            b"auxid:2": DEPTH,
            b"portraiteffectsmatte": "its mattes",
            b"c2pa": C2PA,
        }.items()
        if sign in found.texts
    )
    codes = found.nclx
    colours = from_codes(*codes) if codes else None
    return Contents(
        delays=found.delays,
        colours=None if found.has_profile else colours,
        hdr=hdr(codes[1]) if codes else "",
        left_out=tuple(dict.fromkeys(left_out)),
    )


def of_jpeg2000(file: BinaryIO) -> Contents:
    """Its profile, and that of its deeper samples 8 bits are read."""
    profile, bits = boxes.jpeg2000(file)
    left_out = (f"what its samples have beyond 8 bits of their {bits}",) if bits > 8 else ()
    return Contents(profile=profile, left_out=left_out)


def of_pnm(file: BinaryIO) -> Contents:
    """That of deeper samples in colour, written as text, 8 bits are read."""
    file.seek(0)
    words = re.sub(rb"#[^\r\n]*", b"", file.read(1024)).split()
    colour, largest = words[:1] == [b"P3"], words[3:4]
    deep = colour and largest and largest[0].isdigit() and int(largest[0]) > 255
    return Contents(left_out=("what its samples have beyond 8 bits",) if deep else ())


def of_bmp(file: BinaryIO) -> Contents:
    """The colours of version 4, and the profile of version 5."""
    file.seek(14)
    head = file.read(124)
    size = int.from_bytes(head[:4], "little")
    space = head[56:60]
    if size == len(head) == 124 and space == b"DEBM":
        place, length = struct.unpack_from("<II", head, 112)
        file.seek(14 + place)
        return Contents(profile=file.read(min(length, _MAX_PROFILE)))
    if size < 108 or len(head) < 108 or space != bytes(4):
        return Contents()
    # Fixed point: XYZ of red, green and blue with 30 bits behind the point, gammas with 16.
    xyz = [[n / 2**30 for n in struct.unpack_from("<3i", head, at)] for at in (60, 72, 84)]
    gamma = sum(struct.unpack_from("<3I", head, 96)) / 3 / 65536
    xyz.append([sum(column) for column in zip(*xyz, strict=True)])
    if not gamma or not all(sum(one) > 1e-6 for one in xyz):
        return Contents()
    places = tuple(part / sum(one) for one in xyz for part in one[:2])
    return Contents(colours=from_gamma(gamma, places))


def of_tiff(file: BinaryIO) -> Contents:
    """Which of its pages are pictures, and its EXIF."""
    fault, pages = tiff.look(file)
    left_out = ("its georeference and nodata",) if tiff.is_georeferenced(file) else ()
    exif = b"" if fault else tiff.read_exif(file)
    return Contents(fault=fault, pages=pages, exif=exif, left_out=left_out)


BY_KIND: dict[str, Callable[[BinaryIO], Contents]] = {
    "PNG": of_png,
    "JPEG": of_jpeg,
    "TIFF": of_tiff,
    "AVIF": of_heif,
    "HEIC": of_heif,
    "BMP": of_bmp,
    "JPEG 2000": of_jpeg2000,
    "PNM": of_pnm,
    "WebP": lambda file: Contents(),
    "GIF": lambda file: Contents(),
}
