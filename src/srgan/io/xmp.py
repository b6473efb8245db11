"""XMP: what it says of a picture's sizes, and of things that are not carried over.

XMP is XML. What is not well-formed, or too large to be a description, is not kept.
"""

from collections.abc import Iterator
from typing import NamedTuple
from xml.dom import XMLNS_NAMESPACE, minidom
from xml.parsers.expat import ExpatError

_MAX_BYTES = 2**22
_MAX_PARTS = 20_000  # elements, and attributes
_ADOBE, _GOOGLE = "http://ns.adobe.com/", "http://ns.google.com/photos/1.0/"
_TIFF, _EXIF, _XMP = f"{_ADOBE}tiff/1.0/", f"{_ADOBE}exif/1.0/", f"{_ADOBE}xap/1.0/"
_AREA, _PANORAMA = f"{_ADOBE}xap/1.0/sType/Dimensions#", f"{_GOOGLE}panorama/"
_REGIONS = (  # places of faces, relative to the picture as it was before it was turned
    "http://www.metadataworkinggroup.com/schemas/regions/",
    "http://ns.microsoft.com/photo/1.2/",
)
GAIN_MAP, DEPTH, VIDEO = "its HDR gain map", "its depth map", "its video"
C2PA = "a signed record of its origin (C2PA), which would not fit the result"
_LEFT_OUT = {  # namespaces of what is elsewhere in the file, and what that is
    f"{_ADOBE}hdr-gain-map/1.0/": GAIN_MAP,
    "http://ns.apple.com/HDRGainMap/1.0/": GAIN_MAP,
    "http://ns.apple.com/pixeldatainfo/1.0/": "",
    f"{_GOOGLE}camera/": "",
    f"{_GOOGLE}container/": "",
    f"{_GOOGLE}container/item/": "",
    f"{_GOOGLE}depthmap/": DEPTH,
    f"{_GOOGLE}image/": "its second picture",
    f"{_GOOGLE}audio/": "its sound",
    f"{_ADOBE}xmp/note/": "XMP in other parts of the file",
    **dict.fromkeys(
        (
            f"http://ns.google.com/photos/dd/1.0/{name}/"
            for name in ("device", "container", "item", "profile", "depthmap", "image", "camera")
        ),
        DEPTH,
    ),
}
_SEMANTICS = {"GainMap": GAIN_MAP, "MotionPhoto": VIDEO, "Depth": DEPTH}
_NAMED = {  # single properties, likewise
    (_XMP, "Thumbnails"): "",
    (_TIFF, "YCbCrSubSampling"): "",
    ("http://purl.org/dc/terms/", "provenance"): C2PA,
    (_EXIF, "SubjectArea"): "",
    (_EXIF, "SubjectLocation"): "",
}
_SIZES = {  # the properties that repeat the size: 0 the height, 1 the width
    (_EXIF, "PixelYDimension"): 0,
    (_EXIF, "PixelXDimension"): 1,
    (_TIFF, "ImageLength"): 0,
    (_TIFF, "ImageWidth"): 1,
    (_AREA, "h"): 0,
    (_AREA, "w"): 1,
}


class Summary(NamedTuple):
    """What XMP says.

    Attributes:
        is_kept: It can be read, and so be kept.
        orientation: As EXIF's, from 1 to 8; 0 if it does not say.
        left_out: What it promises and no result gets, each for people.
        has_regions: It says where faces are.
    """

    is_kept: bool
    orientation: int
    left_out: tuple[str, ...]
    has_regions: bool = False


def summarise(data: bytes) -> Summary:
    """Returns what matters of XMP."""
    document = _parsed(data)
    if document is None:
        return Summary(False, 0, ("its XMP, which is damaged or too long",))
    orientation, left_out, has_regions = 0, {}, False
    for part in _properties(document):
        name = part.namespaceURI or "", part.localName or ""
        has_regions |= name[0] in _REGIONS
        if name == (_TIFF, "Orientation"):
            text = _text(part)
            orientation = int(text) if text in ("1", "2", "3", "4", "5", "6", "7", "8") else 0
        elif part.localName == "Semantic":
            left_out[_SEMANTICS.get(_text(part), "")] = None
        elif part.localName in ("MotionPhoto", "MicroVideo") and _text(part) == "1":
            left_out[VIDEO] = None
        elif name in _NAMED or part.namespaceURI in _LEFT_OUT:
            left_out[_NAMED.get(name) or _LEFT_OUT.get(name[0], "")] = None
    return Summary(True, orientation, tuple(text for text in left_out if text), has_regions)


def fix(data: bytes, height: int, width: int, factors: tuple[float, float], turned: bool) -> bytes:
    """Returns XMP with the new size, and without what is no longer true.

    Args:
        data: What `summarise` would keep.
        height: Of the result.
        width: Likewise.
        factors: By which height and width grew.
        turned: The picture was turned.
    """
    document = _parsed(data)
    if document is None:
        return b""
    for part in list(_properties(document)):
        name = part.namespaceURI or "", part.localName or ""
        space = name[0]
        if space == XMLNS_NAMESPACE and isinstance(part, minidom.Attr):
            space = part.value  # which it declares
        if space in _LEFT_OUT or name in _NAMED or (turned and space in _REGIONS):
            _remove(part)
        elif name in _SIZES and (name[0] != _AREA or _is_applied(part)):
            _set(document, part, (height, width)[_SIZES[name]])
        elif name == (_TIFF, "Orientation"):
            _set(document, part, 1)
        elif part.namespaceURI == _PANORAMA and (part.localName or "").endswith("Pixels"):
            is_across = "Width" in part.localName or "Left" in part.localName
            number = _text(part)
            if number.isdecimal() and len(number) < 9:
                _set(document, part, round(int(number) * factors[is_across]))
    return b"".join(child.toxml().encode() for child in document.childNodes)


Property = minidom.Attr | minidom.Element


def _parsed(data: bytes) -> minidom.Document | None:
    plain = data.replace(b"\0", b"")  # so that UTF-16 is looked at too
    is_short = len(data) <= _MAX_BYTES and max(map(plain.count, (b"<", b"="))) <= _MAX_PARTS
    if not is_short or b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        return None
    try:
        document = minidom.parseString(data.strip(b"\0 \t\r\n"))
        document.toxml()
    except (ExpatError, ValueError, LookupError, RecursionError, AttributeError):
        return None
    return document


def _properties(document: minidom.Document) -> Iterator[Property]:
    """All attributes and elements, the outer ones first."""
    for element in document.getElementsByTagName("*"):
        yield element
        yield from list(element.attributes.values())


def _text(part: Property) -> str:
    if isinstance(part, minidom.Attr):
        return part.value.strip()
    children = part.childNodes
    return "".join(child.data for child in children if isinstance(child, minidom.Text)).strip()


def _is_applied(part: Property) -> bool:
    """Whether a dimension is that of the picture, for which the places of faces are given."""
    owner = part.ownerElement if isinstance(part, minidom.Attr) else part.parentNode
    around = [owner, owner.parentNode if owner else None]
    return any(one and one.localName == "AppliedToDimensions" for one in around)


def _set(document: minidom.Document, part: Property, number: int) -> None:
    if isinstance(part, minidom.Attr):
        part.value = str(number)
    elif _text(part).isdecimal():
        while part.firstChild:
            part.removeChild(part.firstChild)
        part.appendChild(document.createTextNode(str(number)))


def _remove(part: Property) -> None:
    if isinstance(part, minidom.Attr):
        if part.ownerElement:
            part.ownerElement.removeAttributeNode(part)
    elif part.parentNode:
        part.parentNode.removeChild(part)
