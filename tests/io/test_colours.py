"""Colours that a file gives by numbers become a profile that says the same, or are refused."""

import io
import struct
import zlib

import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image, ImageCms

from srgan.io import formats, images, profiles
from srgan.io.stream import Picture, write_rows

P3, REC_2020, SRGB = 12, 9, 1
PQ, HLG = 16, 18


@pytest.fixture
def photo():
    y, x = np.mgrid[0:24, 0:32]
    return np.stack([8 * x, 10 * y, 4 * (x + y)], axis=-1).astype(np.uint8)


def png_with(image, *chunks):
    """A PNG file with chunks before its pixels."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    data, made = file.getvalue(), b""
    for name, body in chunks:
        made += struct.pack(">I", len(body)) + name + body
        made += struct.pack(">I", zlib.crc32(name + body))
    return data[:33] + made + data[33:]


def gamma(value):
    return b"gAMA", struct.pack(">I", round(1e5 / value))


def primaries(*places):
    red_green_blue, white = places[:6], places[6:]
    return b"cHRM", struct.pack(">8I", *(round(1e5 * p) for p in (*white, *red_green_blue)))


def embedded(data):
    return Picture(data)._opened.image


def profile_of(data):
    image = embedded(data)
    return image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else b""


def by_little_cms(image, profile):
    return np.asarray(
        ImageCms.profileToProfile(
            Image.fromarray(image),
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    ).astype(int)


def linear(srgb):
    x = np.asarray(srgb, float) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def encoded(light):
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_a_profile_made_of_numbers_is_that_of_the_library():
    """Display P3 has a profile in libvips; the rounding of its numbers differs."""
    random = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    theirs = (
        pyvips.Image.black(1, 1, bands=3)
        .copy(interpretation="srgb")
        .icc_transform("p3")
        .get("icc-profile-data")
    )
    ours = profiles.profile(profiles.from_codes(P3, 13))
    difference = np.abs(by_little_cms(random, ours) - by_little_cms(random, theirs))
    assert difference.max() <= 5  # next to black, where the curve is steep
    assert difference.mean() < 0.1
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(ours))).strip() == (
        "Display P3"
    )


def test_the_profile_of_srgb_changes_nothing():
    random = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    made = profiles.profile(profiles.from_codes(SRGB, 13))
    np.testing.assert_allclose(by_little_cms(random, made), random, atol=1)


def test_colours_of_other_primaries_have_the_values_of_their_matrices():
    """Rec. 2020 to sRGB, by the matrix of ITU-R BT.2087."""
    matrix = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    samples = np.array([[[120, 130, 140], [200, 190, 180], [90, 100, 90]]], np.uint8)
    expected = encoded(linear(samples) @ np.array(matrix).T)
    data = png_with(samples, (b"cICP", bytes([REC_2020, 13, 0, 1])))
    path = images.to_uint8(images.to_float(pixels_of(data)))
    np.testing.assert_allclose(path, expected, atol=1.5)


def pixels_of(data):
    picture = Picture(data, srgb=True)
    return np.concatenate(list(picture.rows()))


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("value", [1.0, 1.8])
def test_gama_is_honoured(photo, value, grey):
    image = photo[..., 0] if grey else photo
    expected = encoded((image / 255.0) ** value)
    data = png_with(image, gamma(value))
    found = pixels_of(data)
    np.testing.assert_allclose(found[..., 0] if grey else found, expected, atol=1.5)
    assert Picture(data).channels == (1 if grey else 3)


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(2.2)],
        [gamma(2.2), primaries(0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.329)],
        [(b"sRGB", b"\0"), gamma(1.0)],  # which counts less
        [gamma(1.0), (b"sRGB", b"\0")],
        [(b"cICP", bytes([SRGB, 13, 0, 1])), gamma(1.0)],
        [(b"gAMA", bytes(4))],
        [(b"gAMA", b"\xff" * 4)],
        [(b"cHRM", bytes(32))],
        [(b"cHRM", b"\xff" * 32)],
        [primaries(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)],  # all one colour
    ],
    ids=range(10),
)
def test_srgb_and_what_cannot_be_get_no_profile(photo, chunks):
    assert profile_of(png_with(photo, *chunks)) == b""


def test_own_primaries_are_honoured(photo):
    adobe = profiles.ADOBE_RGB
    data = png_with(photo, gamma(2.19921875), primaries(*adobe.primaries))
    assert b"\0o\0w\0n" in profile_of(data)  # "own primaries"
    expected = by_little_cms(photo, profiles.profile(adobe))
    np.testing.assert_allclose(pixels_of(data), expected, atol=4)


def test_a_profile_counts_more_than_gama_and_less_than_cicp(photo):
    file = io.BytesIO()
    own = profiles.profile(profiles.ADOBE_RGB)
    Image.fromarray(photo).save(file, "PNG", icc_profile=own)
    data = file.getvalue()
    for chunk, expected in (
        (gamma(1.0), own),
        (
            (b"cICP", bytes([P3, 13, 0, 1])),
            profiles.profile(profiles.from_codes(P3, 13)),
        ),
    ):
        inserted = png_with(photo, chunk)[33:][: 12 + len(chunk[1])]
        assert profile_of(data[:33] + inserted + data[33:]) == expected


@pytest.mark.parametrize("into", [".png", ".jpg", ".tif", ".webp", ".avif", ".gif"])
def test_results_look_as_the_picture_does(tmp_path, photo, into):
    data = png_with(photo, (b"cICP", bytes([P3, 13, 0, 1])))
    picture = Picture(data, into=into)
    path = tmp_path / f"a{into}"
    write_rows(path, picture.rows(), 24, 32, picture)
    with Image.open(path) as written:
        shown = np.asarray(written.convert("RGB"))
        profile = written.info.get("icc_profile")
    assert bool(profile) == (into != ".gif")
    shown = by_little_cms(shown, profile) if profile else shown.astype(int)
    expected = by_little_cms(photo, profiles.profile(profiles.from_codes(P3, 13)))
    assert np.abs(shown - expected).mean() < (20 if into == ".gif" else 4)


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_hdr_is_refused_by_name(photo, transfer, name):
    with pytest.raises(formats.UnsupportedImage, match=rf"has HDR colours \({name}\)"):
        Picture(png_with(photo, (b"cICP", bytes([REC_2020, transfer, 0, 1]))))
    with pytest.raises(formats.UnsupportedImage, match=rf"has HDR colours \({name}\)"):
        Picture(avif(photo, REC_2020, transfer))


def avif(image, colours, transfer, **options):
    """An AVIF file with other codes in its nclx box."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "AVIF", quality=95, subsampling="4:4:4", **options)
    data = file.getvalue()
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", colours, transfer) + data[at + 4 :]


def test_nclx_is_honoured(photo):
    expected = by_little_cms(photo, profiles.profile(profiles.from_codes(P3, 13)))
    assert np.abs(pixels_of(avif(photo, P3, 13)) - expected).mean() < 3
    for srgb in ((SRGB, 13), (SRGB, 1), (2, 2)):
        assert profile_of(avif(photo, *srgb)) == b""


def test_a_camera_that_says_adobe_rgb_in_exif_is_believed(photo):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = 0xFFFF
    exif.get_ifd(ExifTags.IFD.Exif)[40965] = {1: "R03"}
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", exif=exif, quality=95)
    assert profile_of(file.getvalue()) == profiles.profile(profiles.ADOBE_RGB)


# BMP and JPEG 2000


def bmp(image, header, after=b""):
    """A BMP file of 24 bits with a header of version 4 or 5."""
    height, width = image.shape[:2]
    rows = image[::-1, :, ::-1].tobytes()  # 32 pixels wide: no filling
    place = 14 + len(header)
    start = b"BM" + struct.pack("<IHHI", place + len(rows) + len(after), 0, 0, place)
    basic = struct.pack("<IiiHHIIiiII", len(header), width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return start + basic + header[40:] + rows + after


def header(size, space, at=0, body=b""):
    made = bytearray(size)
    made[56:60] = space
    made[at : at + len(body)] = body
    return bytes(made)


def test_bmp_is_read_with_its_profile(photo):
    own = profiles.profile(profiles.ADOBE_RGB)
    place = 124 + photo.size
    data = bmp(photo, header(124, b"DEBM", 112, struct.pack("<II", place, len(own))), own)
    assert profile_of(data) == own
    np.testing.assert_array_equal(np.concatenate(list(Picture(data).rows())), photo)
    for wrong in ((place, 2**31), (2**31, 9), (0, 0)):
        data = bmp(photo, header(124, b"DEBM", 112, struct.pack("<II", *wrong)), own[:20])
        assert profile_of(data) == b""


def test_bmp_is_read_with_its_gamma(photo):
    # The columns of sRGB's matrix, and a gamma of 1.
    xyz = (0.4124, 0.2126, 0.0193, 0.3576, 0.7152, 0.1192, 0.1805, 0.0722, 0.9505)
    body = struct.pack("<9i", *(round(n * 2**30) for n in xyz)) + struct.pack("<3I", *3 * [65536])
    data = bmp(photo, header(108, bytes(4), 60, body))
    np.testing.assert_allclose(pixels_of(data), encoded(photo / 255), atol=2)
    for kind in (b"BGRs", bytes(4)):  # sRGB, and nothing but zeros
        assert profile_of(bmp(photo, header(108, kind))) == b""


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_is_read_as_pillow_does(photo, mode):
    file = io.BytesIO()
    Image.fromarray(photo).convert(mode).save(file, "BMP", dpi=(300, 150))
    picture = Picture(file.getvalue())
    found = np.concatenate(list(picture.rows()))
    expected = np.asarray(Image.fromarray(photo).convert(mode).convert("RGB"))
    np.testing.assert_array_equal(np.broadcast_to(found, expected.shape), expected)
    assert picture.channels == (1 if mode in "1L" else 3)
    assert (embedded(file.getvalue()).xres, embedded(file.getvalue()).yres) == pytest.approx(
        (11.811, 5.906), abs=0.01
    )


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_jpeg_2000_is_read_with_its_channels(photo, mode):
    image = Image.fromarray(photo).convert(mode)
    for options in ({}, {"no_jp2": True}):
        file = io.BytesIO()
        image.save(file, "JPEG2000", **options)
        found = np.concatenate(list(Picture(file.getvalue()).rows()))
        np.testing.assert_array_equal(found.squeeze(), np.asarray(image))


def test_jpeg_2000_is_read_with_its_profile_and_says_what_depth_it_loses(photo):
    own = profiles.profile(profiles.ADOBE_RGB)
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG2000")
    data = file.getvalue()
    at = data.index(b"colr") - 4
    size = struct.unpack_from(">I", data, at)[0]
    made = struct.pack(">I", 11 + len(own)) + b"colr\2\0\0" + own
    whole = data.index(b"jp2h") - 4
    grown = struct.unpack_from(">I", data, whole)[0] + len(made) - size
    data = data[:whole] + struct.pack(">I", grown) + data[whole + 4 : at] + made + data[at + size :]
    assert profile_of(data) == own
    assert Picture(data).notes == ()
    deep = Image.fromarray(photo[..., 0].astype(np.uint16) * 257)
    file = io.BytesIO()
    deep.save(file, "JPEG2000")
    assert Picture(file.getvalue()).dtype == np.uint16


@pytest.mark.parametrize("kind", ["BMP", "JPEG2000"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_what_is_cut_short_is_said(photo, kind, part):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, kind)
    data = file.getvalue()
    with pytest.raises(formats.UnsupportedImage, match="is damaged or cut short"):
        list(Picture(data[: round(part * len(data))]).rows())


def test_a_huge_bmp_is_refused_before_it_is_decoded():
    data = b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, 2**15, 2**15, 1, 24, *6 * [0])
    with pytest.raises(formats.UnsupportedImage, match="claims 32768x32768 pixels"):
        Picture(data + bytes(100))
