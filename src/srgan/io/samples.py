"""What the samples of opened pictures mean: colour spaces, profiles, depth."""

from typing import Any, TypeVar

import pyvips

from srgan.io.contents import Contents
from srgan.io.formats import UnsupportedImage
from srgan.io.profiles import ADOBE_RGB, is_whole, profile

_Value = TypeVar("_Value")
_COLOURS = {  # of the pictures that are read: how many channels, and what a profile calls them
    "b-w": (1, b"GRAY"),
    "grey16": (1, b"GRAY"),
    "srgb": (3, b"RGB "),
    "rgb": (3, b"RGB "),
    "rgb16": (3, b"RGB "),
    "scrgb": (3, b"RGB "),
    "cmyk": (4, b"CMYK"),
    "lab": (3, b"Lab "),
    "labs": (3, b"Lab "),
}


def check(image: pyvips.Image, name: str) -> None:
    """Raises `UnsupportedImage` unless the samples of a picture called `name` can be read."""
    colours, _ = _COLOURS.get(str(image.interpretation), (0, b""))
    known = ("short",) if image.interpretation == "labs" else ("uchar", "ushort", "float")
    if image.format not in known or image.bands - colours not in (0, 1):
        raise UnsupportedImage(
            f"{name} has {image.bands} channels of {image.format} samples, {image.interpretation}; "
            "expected grey, RGB or CMYK of 8 or 16 bits, or float. Convert it."
        )


def set_profile(image: pyvips.Image, found: Contents) -> None:
    """Leaves out a profile of other colours, and makes one of what is said without."""
    channels, space = _COLOURS.get(str(image.interpretation), (0, b""))
    if is_whole(found.profile):
        set_blob(image, "icc-profile-data", found.profile)
    if field(image, "icc-profile-data", b"")[16:20] != space:
        image.remove("icc-profile-data")
    colours = found.colours
    interoperability = field(image, "exif-ifd4-InteroperabilityIndex", "")
    if interoperability.startswith("R03") and not image.get_typeof("icc-profile-data"):
        colours = ADOBE_RGB
    if colours and not colours.is_srgb and space in (b"GRAY", b"RGB "):
        set_blob(image, "icc-profile-data", profile(colours, grey=channels == 1))


def set_blob(image: pyvips.Image, name: str, value: Any) -> None:
    """Sets bytes that a picture says of itself."""
    image.set_type(pyvips.GValue.blob_type, name, value)


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """Returns an opened picture in sRGB, of 8 bits if it has 8, else of 16; alpha stays.

    Float samples are in the colours of their profile, or linear light if there is none.
    """
    depth = 8 if image.format == "uchar" else 16
    if image.interpretation in ("lab", "labs"):
        return image.colourspace("rgb16")
    if image.get_typeof("icc-profile-data") or image.interpretation == "cmyk":
        return integers(image).icc_transform(
            "srgb", embedded=True, black_point_compensation=True, depth=depth
        )
    return integers(image).colourspace("srgb" if depth == 8 else "rgb16")


def integers(image: pyvips.Image) -> pyvips.Image:
    """Returns an opened picture with samples of 16 bits if they are float, else as it is."""
    if image.format != "float":
        return image
    grey = image.bands - image.hasalpha() == 1
    kind = "grey16" if grey else "rgb16"
    if image.get_typeof("icc-profile-data"):
        return (65535 * image + 0.5).cast("ushort").copy(interpretation=kind)
    if grey:
        image = image[0].bandjoin([image[0], *image.bandsplit()])
    image = image.copy(interpretation="scrgb").colourspace("rgb16")
    return image[2:].copy(interpretation=kind) if grey else image


def field(image: pyvips.Image, name: str, default: _Value) -> _Value:
    """Returns what an opened picture says of itself, or `default`."""
    value = image.get(name) if image.get_typeof(name) else default
    return value if isinstance(value, type(default)) else default
