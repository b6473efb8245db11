"""What a photo carries besides pixels: EXIF, XMP, IPTC and the resolution, fitted to a new size."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyvips

from srgan.io import xmp

SHOWN = ("icc-profile-data", "delay", "loop")  # the fields without which it looks different
CARRIED = (*SHOWN, "exif-", "xmp-data", "iptc-data", "resolution-unit")
_DIMENSIONS = {  # the tags of EXIF that repeat the size
    "PixelXDimension": 1,
    "PixelYDimension": 0,
    "ImageWidth": 1,
    "ImageLength": 0,
}
_PLACES = ("SubjectArea", "SubjectLocation")  # in pixels of the old picture, before it was turned
_THUMBNAILS, _PHOTOSHOP_RESOLUTION, _IPTC = (0x409, 0x40C), 0x3ED, 0x404


def is_carried(name: str, metadata: bool) -> bool:
    """Whether a field of a picture is carried over.

    Args:
        name: Of the field.
        metadata: All that is true of the result; else only what is needed to show it.
    """
    if name.startswith("exif-ifd1") or name.endswith(_PLACES):  # ifd1 is of the thumbnail
        return False
    return name.startswith(CARRIED if metadata else SHOWN)


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


def fix_field(
    name: str, value: Any, size: tuple[int, int], old: tuple[int, int], turned: bool, bare: bool
) -> Any:
    """The value of a field with the new size, and without what is no longer true.

    Args:
        name: Of the field.
        value: Its value.
        size: Height and width of a frame of the result.
        old: Those of the picture.
        turned: The picture was turned.
        bare: IPTC stands for itself, and not among the resources of Photoshop.
    """
    if name == "xmp-data" and isinstance(value, bytes):
        return xmp.fix(value, *size, (size[0] / old[0], size[1] / old[1]), turned)
    if name == "iptc-data" and isinstance(value, bytes):
        return _iptc(value, bare)
    axis = _DIMENSIONS.get(name.rpartition("-")[2]) if name.startswith("exif-ifd") else None
    if axis is None:
        return value
    side = size[axis]
    return f"{side} ({side}, Long, 1 components, 4 bytes)"  # as libvips has it


def _iptc(value: bytes, bare: bool) -> bytes:
    """IPTC as TIFF has it, or among Photoshop's resources as JPEG has it, without thumbnails."""
    head = b"Photoshop 3.0\0"
    if not value.startswith(head):
        return value if bare else head + _resource(_IPTC, b"", value)
    resources = list(_resources(value[len(head) :]))
    if bare:
        return next((content for kind, _, content in resources if kind == _IPTC), b"")
    gone = (*_THUMBNAILS, _PHOTOSHOP_RESOLUTION)
    return head + b"".join(_resource(*one) for one in resources if one[0] not in gone)


def _resources(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Photoshop's resources: number, name and content of each."""
    place = 0
    while data[place : place + 4] == b"8BIM" and len(data) >= place + 12:
        named = data[place + 6] + 1
        at = place + 6 + named + named % 2
        size = int.from_bytes(data[at : at + 4])
        kind = int.from_bytes(data[place + 4 : place + 6])
        if at + 4 + size > len(data):
            return
        yield kind, data[place + 7 : place + 6 + named], data[at + 4 : at + 4 + size]
        place = at + 4 + size + size % 2


def _resource(kind: int, name: bytes, content: bytes) -> bytes:
    named = bytes([len(name)]) + name
    return b"".join(
        (
            struct.pack(">4sH", b"8BIM", kind),
            named + bytes(len(named) % 2),
            struct.pack(">I", len(content)),
            content + bytes(len(content) % 2),
        )
    )


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
