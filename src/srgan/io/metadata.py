"""What a photo carries besides pixels: EXIF, XMP, IPTC and the resolution, fitted to a new size."""

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyvips

SHOWN = ("icc-profile-data", "delay", "loop")  # the fields without which it looks different
CARRIED = (*SHOWN, "exif-", "xmp-data", "iptc-data", "resolution-unit")
_DIMENSIONS = {  # the tags of EXIF and XMP that repeat the size
    "PixelXDimension": 1,
    "PixelYDimension": 0,
    "ImageWidth": 1,
    "ImageLength": 0,
}


def set_fields(image: pyvips.Image, fields: Mapping[str, tuple[int, Any]]) -> None:
    """Sets fields, given with their types, and no others."""
    for name, (kind, value) in fields.items():
        image.set_type(kind, name, value)
    for name in image.get_fields():  # "exif-data" brings back what was left out of it
        if name.startswith(("exif-", "jpeg-thumbnail", "orientation")) and name not in fields:
            image.remove(name)


def exif_of(image: pyvips.Image) -> bytes:
    """The EXIF that a picture will be written with, or b"" if it carries none."""
    if not image.get_typeof("exif-data"):
        return b""
    names = (name for name in image.get_fields() if name.startswith("exif-"))
    dot = pyvips.Image.black(1, 1).copy(xres=image.xres, yres=image.yres)
    set_fields(dot, {name: (image.get_typeof(name), image.get(name)) for name in names})
    _, _, rest = dot.write_to_buffer(".jpg", keep="exif").partition(b"\xff\xe1")
    return rest[2 : int.from_bytes(rest[:2])]


def fix_field(name: str, value: Any, height: int, width: int, bare: bool) -> Any:
    """The value of a field with the new size, and without what is no longer true.

    Args:
        name: Of the field.
        value: Its value.
        height: Of a frame.
        width: Likewise.
        bare: IPTC stands for itself, and not among the resources of Photoshop.
    """
    if name == "xmp-data" and isinstance(value, bytes):
        for tag, axis in _DIMENSIONS.items():
            value = _in_xmp(tag, (height, width)[axis], value)
        before, _, after = value.partition(b"<xmp:Thumbnails>")
        value = before + after.partition(b"</xmp:Thumbnails>")[2] if after else value
        return _in_xmp("Orientation", 1, value)
    if name == "iptc-data" and isinstance(value, bytes):
        return _iptc(value, bare)
    axis = _DIMENSIONS.get(name.rpartition("-")[2]) if name.startswith("exif-ifd") else None
    if axis is None:
        return value
    side = (height, width)[axis]
    return f"{side} ({side}, Long, 1 components, 4 bytes)"  # as libvips has it


def _in_xmp(tag: str, number: int, xmp: bytes) -> bytes:
    """Sets a number, which stands in an attribute or in an element."""
    pattern = rf"""(\b(?:tiff|exif):{tag}(?:\s*=\s*["']|>))\d+""".encode()
    return re.sub(pattern, rb"\g<1>%d" % number, xmp)


def _iptc(value: bytes, bare: bool) -> bytes:
    """IPTC as TIFF has it, or in a resource as JPEG has it."""
    head, key = b"Photoshop 3.0\0", b"8BIM\x04\x04"
    if value.startswith(head) != bare:
        return value
    if not bare:
        return b"".join((head, key, b"\0\0", struct.pack(">I", len(value)), value))
    _, _, rest = value.partition(key)
    named = (int.from_bytes(rest[:1]) + 2) // 2 * 2  # the resource's name, with its length
    size = int.from_bytes(rest[named : named + 4])
    return rest[named + 4 :][:size]


def fix_exif_of_frames(path: Path, height: int, total: int) -> None:
    """Sets the height in a WebP file's EXIF, which is that of all frames together by libvips."""
    tag = 40963
    with path.open("rb+") as file:
        place = file.seek(12)
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"EXIF":
                exif = file.read(size)
                for form, kind, number in (("HHIH", 3, total % 2**16), ("HHII", 4, total)):
                    for order in "<>":
                        wrong = struct.pack(order + form, tag, kind, 1, number)
                        right = struct.pack(order + form, tag, kind, 1, height)
                        exif = exif.replace(wrong, right)
                file.seek(place + len(head))
                file.write(exif)
                return
            place = file.seek(place + len(head) + size + size % 2)
