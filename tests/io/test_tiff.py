"""EXIF in TIFF files of every layout, read and written against Pillow and tifffile."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from srgan.io import formats, images, tiff

PHOTO = np.arange(12 * 8 * 3, dtype=np.uint8).reshape(12, 8, 3)
IPTC = b"\x1c\x02\x05\x00\x05Title"


def made_exif(order="<"):
    """EXIF of one text, one fraction and one place, each in the directory where it belongs."""

    def table(place, *entries):
        at, lines, values = place + 2 + 12 * len(entries) + 4, b"", b""
        for tag, kind, number, value in entries:
            if len(value) > 4:
                lines += struct.pack(f"{order}HHII", tag, kind, number, at + len(values))
                values += value
            else:
                lines += struct.pack(f"{order}HHI", tag, kind, number) + value.ljust(4, b"\0")
        return struct.pack(f"{order}H", len(entries)) + lines + bytes(4) + values

    fraction = struct.pack(f"{order}2I", 1, 250)
    own = table(8, (33434, 5, 1, fraction), (40962, 3, 1, struct.pack(f"{order}H", 3)))
    places = table(8 + len(own), (1, 2, 2, b"N\0"))
    pointers = [struct.pack(f"{order}I", at) for at in (8, 8 + len(own))]
    first = table(
        8 + len(own) + len(places),
        (271, 2, 6, b"Maker\0"),
        (34665, 4, 1, pointers[0]),
        (34853, 4, 1, pointers[1]),
    )
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return head + struct.pack(f"{order}I", 8 + len(own) + len(places)) + own + places + first


def assert_described(exif):
    assert exif[271] == "Maker"
    assert exif.get_ifd(34665)[33434] == 1 / 250
    assert exif.get_ifd(34853)[1] == "N"


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_read_in_either_order_of_bytes(order):
    found = tiff.read_exif(io.BytesIO(made_exif(order)))
    exif = Image.Exif()
    exif.load(found)
    assert_described(exif)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("pages", [1, 2])
def test_exif_and_iptc_are_added_to_any_tiff(tmp_path, order, big, pages):
    path = tmp_path / "a.tif"
    image = np.stack([PHOTO] * pages)
    tifffile.imwrite(path, image, photometric="rgb", bigtiff=big, byteorder=order, metadata=None)
    tiff.add(path, b"Exif\0\0" + made_exif(">"), IPTC)
    if order == "<" or not big:  # which Pillow cannot read
        with Image.open(path) as opened:
            assert_described(opened.getexif())
            assert opened.n_frames == pages
    with tifffile.TiffFile(path) as opened:
        tags = opened.pages[0].tags
        assert tags[271].value == "Maker"
        # The width is that of this picture.
        assert tags[34665].value == {"ExposureTime": (1, 250), "PixelXDimension": 8}
        assert tags[34853].value == {"GPSLatitudeRef": "N"}
        np.testing.assert_array_equal(opened.asarray().reshape(image.shape), image)
        assert tags[33723].value == IPTC
        assert [tag.code for tag in tags] == sorted(tag.code for tag in tags)
    with path.open("rb") as file:
        again = Image.Exif()
        again.load(tiff.read_exif(file))
    assert_described(again)


def test_what_the_file_says_of_itself_stays(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PHOTO, photometric="rgb", description="its own", metadata=None)
    tiff.add(path, b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\x04\0\0\0new\0\0\0\0\0", b"")
    with tifffile.TiffFile(path) as opened:
        assert opened.pages[0].description == "its own"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II+\0\x08\0\0\0" + b"\xff" * 8,
        b"II*\0\x08\0\0\0\xff\xff",
        b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\xff\xff\xff\xff\x08\0\0\0\0\0\0\0",  # too long
        b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\xff\xff\xff\x7f\0\0\0\0",  # nowhere
    ],
)
def test_damaged_files_have_no_exif(data):
    assert tiff.read_exif(io.BytesIO(data)) == b""
    assert tiff.look(io.BytesIO(data))[0] == ""


def test_a_directory_that_names_itself_has_an_end():
    entry = struct.pack("<HHII", 34665, 4, 1, 8)
    data = b"II*\0\x08\0\0\0\x01\0" + entry + struct.pack("<I", 8)
    assert len(tiff.read_exif(io.BytesIO(data))) < 100
    assert tiff.look(io.BytesIO(data))[0] == ""


@pytest.mark.parametrize("place", [100, 2**40, 2**62, 2**63 + 5])
def test_a_directory_beyond_the_file_is_said_with_its_name(tmp_path, place):
    path = tmp_path / "far.tif"
    path.write_bytes(struct.pack("<2sHHHQ", b"II", 43, 8, 0, place))  # BigTIFF
    with pytest.raises(formats.UnsupportedImage, match=r"far\.tif is damaged or cut short"):
        images.read(path)
