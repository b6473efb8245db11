"""A result promises nothing that is not in it, and what it lacks is said."""

import io
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image

from srgan.io import xmp
from srgan.io.metadata import fix_field
from srgan.io.stream import Picture, write_rows

SPACES = {
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
    "GImage": "http://ns.google.com/photos/1.0/image/",
    "GAudio": "http://ns.google.com/photos/1.0/audio/",
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
    "HDRGainMap": "http://ns.apple.com/HDRGainMap/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "dcterms": "http://purl.org/dc/terms/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "mwg": "http://www.metadataworkinggroup.com/schemas/regions/",
}
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


@pytest.fixture
def photo():
    y, x = np.mgrid[0:24, 0:32]
    return np.stack([8 * x, 10 * y, 4 * (x + y)], axis=-1).astype(np.uint8)


def packet(attributes="", elements=""):
    spaces = " ".join(f'xmlns:{name}="{space}"' for name, space in SPACES.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" {spaces} {attributes}><dc:title>It is mine</dc:title>'
        f"{elements}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def jpeg(image, *segments, **options):
    """A JPEG file with segments at its beginning, each with its marker's number."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95, **options)
    data = file.getvalue()
    made = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments
    )
    return data[:2] + made + data[2:]


def enlarged(data, destination):
    """Writes a picture with each pixel repeated, and returns its XMP."""
    picture = Picture(data, into=destination.suffix)
    bands = (band.repeat(2, axis=0).repeat(2, axis=1) for band in picture.rows())
    write_rows(destination, bands, 2 * picture.height, 2 * picture.width, picture)
    image = pyvips.Image.new_from_file(str(destination))
    return image.get("xmp-data") if image.get_typeof("xmp-data") else b""


DIRECTORY = (
    '<Container:Directory><rdf:Seq><rdf:li><Container:Item Item:Semantic="Primary"/></rdf:li>'
    '<rdf:li><Container:Item Item:Semantic="{}" Item:Length="467"/></rdf:li></rdf:Seq>'
    "</Container:Directory>"
)
PROMISES = {
    "Ultra HDR": ('hdrgm:Version="1.0"', DIRECTORY.format("GainMap"), xmp.GAIN_MAP),
    "Apple": ('HDRGainMap:HDRGainMapVersion="65536"', "", xmp.GAIN_MAP),
    "motion": ('GCamera:MotionPhoto="1"', DIRECTORY.format("MotionPhoto"), xmp.VIDEO),
    "micro video": ('GCamera:MicroVideo="1" GCamera:MicroVideoOffset="99"', "", xmp.VIDEO),
    "depth": ('GDepth:Format="RangeInverse" GDepth:Mime="image/png"', "", xmp.DEPTH),
    "image": ("", "<GImage:Mime>image/jpeg</GImage:Mime>", "its second picture"),
    "audio": ('GAudio:Mime="audio/mp4"', "", "its sound"),
    "extended": ('xmpNote:HasExtendedXMP="00"', "", "XMP in other parts of the file"),
    "signed": ('dcterms:provenance="self#jumbf=c2pa/x"', "", xmp.C2PA),
}


@pytest.mark.parametrize("name", PROMISES)
@pytest.mark.parametrize("into", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_xmp_promises_nothing_that_is_left_out(tmp_path, photo, name, into):
    attributes, elements, lost = PROMISES[name]
    data = jpeg(photo, xmp=packet(attributes, elements))
    assert Picture(data, into=into).notes == (f"left out: {lost}",)
    found = enlarged(data, tmp_path / f"large{into}")
    gone = SPACES.keys() - {"dc", "tiff", "exif", "stDim", "GPano", "dcterms", "mwg"}
    texts = [*(SPACES[space] for space in gone), "provenance", "Semantic"]
    assert not [text for text in texts if text.encode() in found]
    assert b"<dc:title>It is mine</dc:title>" in found
    ElementTree.fromstring(found)


def test_a_prefix_is_only_a_name(tmp_path, photo):
    data = packet('hdrgm:Version="1.0"').replace(b"hdrgm", b"any")
    found = enlarged(jpeg(photo, xmp=data), tmp_path / "large.jpg")
    assert b"any:" not in found


def test_sizes_in_xmp_are_the_new_ones(tmp_path, photo):
    attributes = (
        'GPano:FullPanoWidthPixels="64" GPano:FullPanoHeightPixels="32" '
        'GPano:CroppedAreaLeftPixels="16" GPano:CroppedAreaTopPixels="4" '
        'GPano:PoseHeadingDegrees="90" tiff:ImageWidth="32" exif:PixelYDimension="24" '
        'stDim:w="9" stDim:h="8" stDim:unit="inch"'
    )
    regions = (
        '<mwg:Regions rdf:parseType="Resource"><mwg:AppliedToDimensions stDim:w="32" stDim:h="24" '
        'stDim:unit="pixel"/></mwg:Regions>'
    )
    data = packet(attributes, regions)
    found = enlarged(jpeg(photo, xmp=data), tmp_path / "large.jpg")
    for text in (
        'FullPanoWidthPixels="128"',
        'FullPanoHeightPixels="64"',
        'CroppedAreaLeftPixels="32"',
        'CroppedAreaTopPixels="8"',
        'PoseHeadingDegrees="90"',
        'ImageWidth="64"',
        'PixelYDimension="48"',
        'stDim:w="64"',
        'stDim:h="48"',
        'stDim:w="9"',
    ):
        assert text.encode() in found


def test_no_xmp_is_kept_that_cannot_be_read(tmp_path, photo):
    entities = b'<!DOCTYPE a [<!ENTITY b "cccc">]><a>&b;</a>'
    nested = b"<a>" * 9000 + b"</a>" * 9000
    many = b"<a>" + b"<b/>" * 30_000 + b"</a>"
    for data in (b"<a><b></a>", b"<tiff:x/>", entities, nested, entities.decode().encode("utf-16")):
        source = jpeg(photo, xmp=data)
        assert Picture(source).notes == ("left out: its XMP, which is damaged or too long",)
        assert enlarged(source, tmp_path / f"{zlib.crc32(data)}.jpg") == b""
    assert not xmp.summarise(many).is_kept


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["attribute", "element"])
def test_an_orientation_in_xmp_alone_is_applied(tmp_path, photo, orientation, form):
    said = {
        "attribute": packet(f'tiff:Orientation="{orientation}"'),
        "element": packet("", f"<tiff:Orientation>{orientation}</tiff:Orientation>"),
    }[form]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    files = [io.BytesIO(), io.BytesIO()]
    Image.fromarray(photo).save(files[0], "PNG", exif=exif)
    Image.fromarray(photo).save(files[1], "WEBP", lossless=True, xmp=said)
    expected, found = (np.concatenate(list(Picture(f.getvalue()).rows())) for f in files)
    np.testing.assert_array_equal(found, expected)
    corrected = enlarged(files[1].getvalue(), tmp_path / "large.png")
    assert xmp.summarise(corrected).orientation == 1


def test_exif_counts_more_than_xmp(photo):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    data = jpeg(photo, xmp=packet('tiff:Orientation="6"'), exif=exif)
    assert (Picture(data).height, Picture(data).width) == (24, 32)
    # In AVIF, the file itself says how to turn it.
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "AVIF", xmp=packet('tiff:Orientation="6"'))
    assert Picture(file.getvalue()).height == 24


def test_what_is_appended_or_signed_is_named(photo):
    signed = (0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa")
    gain_map = (0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0")
    assert Picture(jpeg(photo, signed)).notes == (f"left out: {xmp.C2PA}",)
    assert Picture(jpeg(photo, gain_map)).notes == (f"left out: {xmp.GAIN_MAP}",)
    both = f"left out: {xmp.C2PA}, {xmp.GAIN_MAP}"
    assert Picture(jpeg(photo, signed, gain_map)).notes == (both,)
    assert "what a phone appended" in Picture(jpeg(photo) + b"video SEFT").notes[0]
    assert Picture(jpeg(photo)).notes == ()
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    png = file.getvalue()
    chunk = struct.pack(">I", 4) + b"caBXjumb" + struct.pack(">I", zlib.crc32(b"caBXjumb"))
    assert Picture(png[:33] + chunk + png[33:]).notes == (f"left out: {xmp.C2PA}",)


def test_places_in_exif_that_no_longer_fit_are_left_out(tmp_path, photo):
    exif = Image.Exif()
    own = exif.get_ifd(ExifTags.IFD.Exif)
    area, location = 37396, 41492
    own[area] = (16, 12, 4, 4)
    own[location] = (16, 12)
    own[ExifTags.Base.ExposureTime] = (1, 250)
    for into in (".jpg", ".png", ".tif"):
        enlarged(jpeg(photo, exif=exif), tmp_path / f"large{into}")
        with Image.open(tmp_path / f"large{into}") as large:
            found = large.getexif().get_ifd(ExifTags.IFD.Exif)
        assert not {area, location} & found.keys()
        assert tuple(found[ExifTags.Base.ExposureTime]) == (1, 250)


def test_photoshops_thumbnail_is_left_out_and_its_rights_are_kept(tmp_path, photo):
    def resource(kind, body):
        return b"8BIM" + struct.pack(">H", kind) + b"\0\0" + struct.pack(">I", len(body)) + body

    parts = [resource(0x40C, b"old picture."), resource(0x404, b"\x1c\x02\x05\0\4Mine\0")]
    rights = resource(0x40A, b"\1\0")
    data = jpeg(photo, (0xED, b"Photoshop 3.0\0" + parts[0] + parts[1] + rights))
    enlarged(data, tmp_path / "large.jpg")
    written = (tmp_path / "large.jpg").read_bytes()
    assert b"old picture" not in written
    assert parts[1] + rights in written


@pytest.mark.parametrize("bare", [True, False])
def test_damaged_resources_of_photoshop_end_where_they_are_damaged(bare):
    head = b"Photoshop 3.0\0"
    for rest in (b"", b"8BIM", b"8BIM\4\4\0\0\xff\xff\xff\xff", b"8BIM\4\4\xff" + bytes(9)):
        found = fix_field("iptc-data", head + rest, (2, 2), (1, 1), False, bare)
        assert found == (b"" if bare else head)


def test_texts_of_png_stay_in_png(tmp_path, photo):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Title", "My holiday")
    info.add_text("parameters", "a prompt, steps: 20")
    info.add_itxt("Description", "Größe 写真")
    info.add_text("Comment", "long " * 99, zip=True)
    info.add_text("Author", "Øyvind")
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG", pnginfo=info)
    enlarged(file.getvalue(), tmp_path / "large.png")
    with Image.open(tmp_path / "large.png") as large:
        assert large.info["Title"] == "My holiday"  # before the pixels were read
        assert large.text["parameters"] == "a prompt, steps: 20"
        assert large.text["Description"] == "Größe 写真"
        assert large.text["Comment"] == "long " * 99
        assert large.text["Author"] == "Øyvind"
        np.testing.assert_array_equal(np.asarray(large)[::2, ::2], photo)
    expected = ("left out: its texts (Title, parameters, Description, Comment, Author)",)
    assert Picture(file.getvalue(), into=".jpg").notes == expected


@pytest.mark.parametrize(
    ("into", "image", "note"),
    [
        (".jpg", np.zeros((4, 4, 4), np.uint8), "its transparent parts lie on white: .jpg"),
        (".webp", np.zeros((4, 4, 3), np.uint16), "its samples are rounded to 8 bits: .webp"),
    ],
)
def test_what_a_format_cannot_hold_is_said(tmp_path, into, image, note):
    pyvips.Image.new_from_array(
        image, interpretation="rgb16" if image.dtype == np.uint16 else "srgb"
    ).pngsave(str(tmp_path / "a.png"))
    assert Picture(tmp_path / "a.png", into=into).notes[0].startswith(note)
    assert Picture(tmp_path / "a.png", into=".png").notes == ()


def test_places_of_faces_are_kept_unless_the_picture_is_turned(tmp_path, photo):
    regions = '<mwg:Regions rdf:parseType="Resource"><mwg:RegionList/></mwg:Regions>'
    for orientation, kept in ((1, True), (6, False)):
        data = jpeg(photo, xmp=packet(f'tiff:Orientation="{orientation}"', regions))
        found = enlarged(data, tmp_path / f"{orientation}.jpg")
        assert (b"RegionList" in found) == kept
        assert bool(Picture(data).notes) != kept
