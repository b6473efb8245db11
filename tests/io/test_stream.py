"""What a picture file holds is read as Pillow, tifffile and littleCMS do, and is carried over."""

import gc
import io
import os
import shutil
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import (
    ExifTags,
    Image,
    ImageCms,
    ImageOps,
    ImageSequence,
    IptcImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)
from skimage import color

from srgan.io import formats, images
from srgan.io.stream import Picture, write_rows
from srgan.io.suffixes import natural_suffix

METADATA = [".jpg", ".png", ".webp", ".tif", ".avif"]  # the formats that hold EXIF
IPTC = b"\x1c\x02\x05\x00\x05Title\x1c\x02\x78\x00\x07Caption"


@pytest.fixture
def photo():
    """A small image, smooth enough for JPEG."""
    y, x = np.mgrid[0:24, 0:32]
    return np.stack([8 * x, 10 * y, 4 * (x + y)], axis=-1).astype(np.uint8)


def enlarge(source, destination, **options):
    """Writes a picture with each pixel repeated."""
    metadata = options.pop("metadata", True)
    picture = Picture(source, into=destination.suffix, **options)
    bands = (band.repeat(2, axis=0).repeat(2, axis=1) for band in picture.rows())
    write_rows(
        destination, bands, 2 * picture.height, 2 * picture.width, picture, metadata=metadata
    )
    return destination


def pixels(source, **options):
    return np.concatenate(list(Picture(source, **options).rows()))


def made_exif(orientation=1):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Copyright] = "Someone"
    exif[ExifTags.Base.Orientation] = orientation
    own = exif.get_ifd(ExifTags.IFD.Exif)
    own[ExifTags.Base.ExposureTime] = (1, 250)
    own[ExifTags.Base.DateTimeOriginal] = "2020:01:02 03:04:05"
    own[ExifTags.Base.ExifImageWidth] = 32
    own[ExifTags.Base.ExifImageHeight] = 24
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (50.0, 1.0, 2.5)
    return exif


def profile(name):
    """One of the profiles that come with libvips."""
    return (
        pyvips.Image.black(1, 1, bands=3)
        .copy(interpretation="srgb")
        .icc_transform(name)
        .get("icc-profile-data")
    )


def grey_profile(gamma):
    """The smallest profile of a grey with this gamma."""

    def fixed(*numbers):
        return struct.pack(f">{len(numbers)}i", *(round(65536 * number) for number in numbers))

    white = fixed(0.9642, 1, 0.8249)
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(78)
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(256 * gamma), 0)
    tags = {b"desc": name + bytes(-len(name) % 4), b"wtpt": b"XYZ \0\0\0\0" + white}
    tags |= {b"kTRC": curve, b"cprt": b"text\0\0\0\0CC0\0"}
    table, body = struct.pack(">I", len(tags)), b""
    for key, value in tags.items():
        table += key + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value
    head = struct.pack(
        ">I4xI4s4s4s", 132 + 12 * len(tags) + len(body), 0x02400000, b"mntr", b"GRAY", b"XYZ "
    )
    return head + bytes(12) + b"acsp" + bytes(28) + white + bytes(48) + table + body


def colour_managed(image, embedded):
    """What littleCMS makes of an image in sRGB, as programs show it."""
    return np.asarray(
        ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(embedded)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    ).astype(int)


# Reading


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif"])
def test_every_orientation_is_applied_once(tmp_path, photo, suffix, orientation):
    source = tmp_path / f"a{suffix}"
    options = {".webp": {"lossless": True}, ".avif": {"subsampling": "4:4:4"}}.get(suffix, {})
    Image.fromarray(photo).save(source, exif=made_exif(orientation), **options)
    with Image.open(source) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    np.testing.assert_allclose(pixels(source), expected * 1.0, atol=2 if suffix == ".avif" else 0)
    for into in METADATA:
        with Image.open(enlarge(source, tmp_path / f"large{into}")) as large:
            assert large.getexif().get(ExifTags.Base.Orientation, 1) == 1
            assert large.size == (2 * expected.shape[1], 2 * expected.shape[0])


@pytest.mark.parametrize("orientation", [2, 3, 6])
def test_every_page_is_turned_by_itself(tmp_path, photo, orientation):
    pages = np.stack([photo, 255 - photo, photo // 2])
    tags = [(274, 3, 1, orientation, False)]
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb", extratags=tags)
    picture = Picture(tmp_path / "a.tif")
    turned = {2: pages[:, :, ::-1], 3: pages[:, ::-1, ::-1], 6: pages[:, ::-1].swapaxes(1, 2)}
    expected = turned[orientation]
    assert (picture.frames, picture.height, picture.width) == expected.shape[:3]
    found = np.concatenate(list(picture.rows())).reshape(expected.shape)
    np.testing.assert_array_equal(found, expected)


def turned_frames(count):
    """An animation of pixels, all of which have to be turned."""
    dots = np.arange(3 * count, dtype=np.uint8).reshape(count, 1, 3)
    image = pyvips.Image.new_from_array(dots).copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", 1)
    image.set_type(pyvips.GValue.array_int_type, "delay", [100] * count)
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    return image.webpsave_buffer(lossless=True, effort=0)


def test_the_time_to_open_does_not_grow_with_the_square_of_the_frames():
    data = turned_frames(5000)
    began = time.thread_time()
    picture = Picture(data)
    assert time.thread_time() - began < 0.6  # with the square it would be 2 s
    assert picture.frames == 5000
    assert sum(map(len, picture.rows())) == 5000


def test_more_frames_than_allowed_are_refused():
    data = turned_frames(20)
    with pytest.raises(formats.UnsupportedImage, match=r"has 20 frames; expected at most 19\."):
        Picture(data, max_frames=19)
    assert Picture(data, max_frames=20).frames == 20
    assert Picture(data, max_frames=19, into=".png").frames == 1  # the others are not read


def test_metadata_longer_than_those_of_any_photo_are_refused():
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "x" * 5_000_000, zip=True)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=text)
    with pytest.raises(
        formats.UnsupportedImage, match=r"5\.0 megabytes of XMP; expected at most 4\.2"
    ):
        Picture(file.getvalue())


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_any_depth_are_expanded(tmp_path, photo, bits):
    image = Image.fromarray(photo).quantize(2**bits)
    image.save(tmp_path / "a.png", bits=bits)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), image.convert("RGB"))
    image.save(tmp_path / "clear.png", bits=bits, transparency=0)
    with Image.open(tmp_path / "clear.png") as clear:
        np.testing.assert_array_equal(pixels(tmp_path / "clear.png"), clear.convert("RGBA"))


def test_single_bits_are_grey(tmp_path, photo):
    bits = Image.fromarray(photo).convert("1")
    for name in ("a.png", "a.tif"):
        bits.save(tmp_path / name)
        np.testing.assert_array_equal(pixels(tmp_path / name)[..., 0], bits.convert("L"))


def test_interlaced_png_and_progressive_jpeg_are_read(tmp_path, photo):
    pyvips.Image.new_from_array(photo).pngsave(str(tmp_path / "a.png"), interlace=True)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), photo)
    Image.fromarray(photo).save(tmp_path / "a.jpg", progressive=True, quality=95)
    with Image.open(tmp_path / "a.jpg") as expected:
        np.testing.assert_allclose(pixels(tmp_path / "a.jpg"), np.asarray(expected, int), atol=1)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (16, 16)},
        {"bigtiff": True, "byteorder": ">"},
        {"compression": "zlib", "predictor": True, "rowsperstrip": 5},
        {"planarconfig": "separate"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_of_any_build_is_read(tmp_path, photo, options, dtype):
    image = photo.astype(dtype) * dtype(np.iinfo(dtype).max // 255)
    stored = np.moveaxis(image, -1, 0) if "planarconfig" in options else image
    tifffile.imwrite(tmp_path / "a.tif", np.ascontiguousarray(stored), photometric="rgb", **options)
    assert Picture(tmp_path / "a.tif").dtype == dtype
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), image)


@pytest.mark.parametrize("kind", ["minisblack", "miniswhite"])
def test_grey_tiff_stays_grey_with_all_its_bits(tmp_path, kind):
    deep = np.arange(0, 65536, 1117, dtype=np.uint16).reshape(1, -1)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric=kind)
    expected = 65535 - deep if kind == "miniswhite" else deep
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif")[..., 0], expected)


def test_float_tiff_is_linear_light(tmp_path):
    light = np.linspace(-0.1, 1.1, 90, dtype=np.float32).reshape(5, 6, 3)
    x = light.clip(0, 1)
    expected = 65535 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    tifffile.imwrite(tmp_path / "rgb.tif", light, photometric="rgb")
    tifffile.imwrite(tmp_path / "grey.tif", light[..., 1], photometric="minisblack")
    np.testing.assert_allclose(pixels(tmp_path / "rgb.tif"), expected, atol=30)
    np.testing.assert_allclose(pixels(tmp_path / "grey.tif"), expected[..., 1:2], atol=30)
    assert images.read(tmp_path / "grey.tif").max() == 1


def test_floats_that_are_no_colours_are_refused(tmp_path, photo):
    light = photo / np.float32(255)
    light[3, 4] = np.nan
    bright = photo.astype(np.float32)
    for samples, fault in ((bright, f"{photo.mean():.3g} on average"), (light, "NaN")):
        tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb")
        for read in (images.read, Picture):
            with pytest.raises(formats.UnsupportedImage, match=f"float samples of {fault};"):
                read(tmp_path / "a.tif")


def test_float_tiff_with_a_profile_is_in_its_colours(tmp_path, photo):
    tags = [(34675, 7, len(profile("p3")), profile("p3"), True)]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, photo / np.float32(255), photometric="rgb", extratags=tags)
    np.testing.assert_allclose(pixels(path), photo * 257.0, atol=1)
    with Image.open(enlarge(path, tmp_path / "large.png")) as large:
        assert large.info["icc_profile"] == profile("p3")


def test_lab_is_converted(tmp_path, photo):
    lab = color.rgb2lab(photo)
    deep = np.round(lab * [655.35, 256, 256]).astype(np.int32).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="cielab")
    np.testing.assert_allclose(pixels(tmp_path / "a.tif") / 257, photo, atol=1)
    np.testing.assert_allclose(images.read(tmp_path / "a.tif") * 255, photo, atol=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_associated_alpha_is_divided_out(tmp_path, photo, dtype):
    most = np.iinfo(dtype).max
    alpha = np.full((24, 32, 1), most // 2, dtype)
    colours = photo.astype(dtype) * (most // 255)
    stored = np.concatenate([colours * 0.5, alpha], axis=-1).astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_allclose(pixels(path)[..., :3], colours, atol=0.01 * most)
    np.testing.assert_array_equal(pixels(path)[..., 3:], alpha)


def test_a_pyramid_is_its_largest_picture(tmp_path, photo):
    for name, options in (("pages.tif", {}), ("below.tif", {"subifds": 1})):
        with tifffile.TiffWriter(tmp_path / name) as tiff:
            tiff.write(photo, photometric="rgb", tile=(16, 16), **options)
            tiff.write(photo[::2, ::2], photometric="rgb", tile=(16, 16), subfiletype=1)
        assert Picture(tmp_path / name).frames == 1
        np.testing.assert_array_equal(pixels(tmp_path / name), photo)


def test_all_pages_are_read_if_the_result_can_hold_them(tmp_path, photo):
    pages = np.stack([photo, 255 - photo])
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
    enlarge(tmp_path / "a.tif", tmp_path / "large.tif")
    found = tifffile.imread(tmp_path / "large.tif")
    np.testing.assert_array_equal(found, pages.repeat(2, axis=1).repeat(2, axis=2))
    with Image.open(enlarge(tmp_path / "a.tif", tmp_path / "large.png")) as large:
        np.testing.assert_array_equal(np.asarray(large)[::2, ::2], photo)


@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("bits", [8, 10])
def test_avif_is_read_with_its_depth_and_alpha(tmp_path, photo, bits, alpha):
    image = np.dstack([photo, photo[..., 0]]) if alpha else photo
    stored = pyvips.Image.new_from_array(image.astype(np.uint16) * 257 if bits > 8 else image)
    stored = stored.copy(interpretation="srgb" if bits == 8 else "rgb16")
    stored.heifsave(str(tmp_path / "a.avif"), bitdepth=bits, lossless=True, compression="av1")
    found = pixels(tmp_path / "a.avif")
    assert found.dtype == (np.uint8 if bits == 8 else np.uint16)
    np.testing.assert_allclose(found / (1 if bits == 8 else 257), image, atol=4)


def test_heic_without_a_decoder_is_named(tmp_path, photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "AVIF")
    data = file.getvalue().replace(b"av01", b"hvc1").replace(b"ftypavif", b"ftypheic")
    with pytest.raises(formats.UnsupportedImage, match=r"of a rare kind \(heif: .* or convert it"):
        Picture(data)


def test_photos_of_the_real_world_are_read_as_pillow_does(shared_data):
    for path in sorted((shared_data / "realworld").rglob("*.png")):
        with Image.open(path) as expected:
            np.testing.assert_array_equal(pixels(path), expected)


# Frames


@pytest.fixture
def frames():
    """Parts that come one after the other on a clear ground."""
    made = [Image.new("RGBA", (16, 12), (0, 0, 0, 0)) for _ in range(3)]
    made[0].paste((255, 0, 0, 255), (0, 0, 8, 12))
    made[1].paste((0, 255, 0, 255), (4, 4, 8, 8))
    made[2].paste((0, 0, 255, 255), (10, 2, 14, 9))
    return made


def timing(path):
    with Image.open(path) as image:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(image) if frame.load()]


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_partial_frames_are_composed(tmp_path, frames, disposal):
    path = tmp_path / "a.gif"
    options = {"duration": [100, 50, 1000], "loop": 3, "disposal": disposal}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    picture = Picture(path)
    assert (picture.frames, picture.height, picture.width) == (3, 12, 16)
    found = np.concatenate(list(picture.rows())).reshape(3, 12, 16, 4)
    with Image.open(path) as expected:
        for frame, composed in zip(found, ImageSequence.Iterator(expected), strict=True):
            composed = np.asarray(composed.convert("RGBA"))
            np.testing.assert_array_equal(frame[..., 3], composed[..., 3])
            seen = composed[..., 3] > 0
            np.testing.assert_array_equal(frame[seen], composed[seen])


@pytest.mark.parametrize("into", [".gif", ".webp"])
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_timing_is_carried_over(tmp_path, frames, suffix, into):
    path = tmp_path / f"a{suffix}"
    delays = [100, 50, 1000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=delays, loop=0)
    large = enlarge(path, tmp_path / f"large{into}")
    assert timing(large) == delays
    with Image.open(large) as image:
        assert (image.size, image.info["loop"]) == ((32, 24), 0)


@pytest.mark.parametrize("into", [".png", ".jpg", ".avif"])
def test_the_first_frame_stands_for_all_where_there_is_one(tmp_path, frames, into):
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with Image.open(enlarge(tmp_path / "a.gif", tmp_path / f"large{into}")) as large:
        assert getattr(large, "n_frames", 1) == 1
        shown = np.asarray(large.convert("RGB")).astype(int)
    np.testing.assert_allclose(shown[12, 4], [255, 0, 0], atol=6)


def test_the_natural_format_holds_all_frames(tmp_path, photo, frames):
    for suffix, natural in ((".gif", ".webp"), (".webp", ".webp"), (".tif", ".tif")):
        path = tmp_path / f"a{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        assert natural_suffix(path) == natural
        Image.fromarray(photo).save(path)
        assert natural_suffix(path) == ".png"
    (tmp_path / "bad.gif").write_bytes(b"GIF89a")
    assert natural_suffix(tmp_path / "bad.gif") == ".png"


# What is carried over


def assert_described(path, height, width):
    with Image.open(path) as image:
        exif = image.getexif()
        own, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
        assert exif[ExifTags.Base.Make] == "Maker"
        assert exif[ExifTags.Base.Copyright] == "Someone"
        assert tuple(own[ExifTags.Base.ExposureTime]) == (1, 250)
        assert own[ExifTags.Base.DateTimeOriginal] == "2020:01:02 03:04:05"
        assert own[ExifTags.Base.ExifImageWidth] == width == image.width
        assert own[ExifTags.Base.ExifImageHeight] == height == image.height
        assert place[ExifTags.GPS.GPSLatitudeRef] == "N"
        assert place[ExifTags.GPS.GPSLatitude] == (50.0, 1.0, 2.5)
        assert not exif.get_ifd(ExifTags.IFD.IFD1)  # the thumbnail


@pytest.mark.parametrize("into", METADATA)
@pytest.mark.parametrize("suffix", METADATA)
def test_exif_is_carried_over_with_the_new_size(tmp_path, photo, suffix, into):
    exif = made_exif(6)
    options = {"exif": exif}
    if suffix == ".tif":  # where Pillow wants it so
        info = TiffImagePlugin.ImageFileDirectory_v2()
        for tag, value in (*exif.items(), *((tag, exif.get_ifd(tag)) for tag in (34665, 34853))):
            info[tag] = value
        options = {"tiffinfo": info}
    Image.fromarray(photo).save(tmp_path / f"a{suffix}", **options)
    large = enlarge(tmp_path / f"a{suffix}", tmp_path / f"large{into}")
    assert_described(large, 64, 48)
    assert pixels(large).shape == (64, 48, 3)


@pytest.mark.parametrize("exif", [None, Image.Exif(), made_exif()])
def test_the_height_in_exif_is_that_of_one_frame(tmp_path, exif):
    frames = [Image.new("RGB", (16, 12), (90 * k, 0, 0)) for k in range(3)]
    options = {} if exif is None else {"exif": exif}
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], **options)
    with Image.open(enlarge(tmp_path / "a.webp", tmp_path / "large.webp")) as image:
        assert (image.n_frames, image.size) == (3, (32, 24))
        own = image.getexif().get_ifd(ExifTags.IFD.Exif)
    assert (own[ExifTags.Base.ExifImageWidth], own[ExifTags.Base.ExifImageHeight]) == (32, 24)


def test_texts_and_bytes_in_exif_survive(tmp_path, photo):
    exif = made_exif()
    exif[ExifTags.Base.ImageDescription] = "A text (with 3 commas, say, or 5 bytes)"
    own = exif.get_ifd(ExifTags.IFD.Exif)
    own[ExifTags.Base.UserComment] = b"UNICODE\0h\0e\0l\0l\0o\0"
    own[ExifTags.Base.MakerNote] = bytes(range(256))
    data = exif.tobytes().replace(b"Someone", "© Øyvin".encode()[:7])
    Image.fromarray(photo).save(tmp_path / "a.jpg", exif=data)
    for into in METADATA:
        large = enlarge(tmp_path / "a.jpg", tmp_path / f"large{into}")
        with Image.open(large) as image:
            found = image.getexif()
            parts = found.get_ifd(ExifTags.IFD.Exif)
        assert found[ExifTags.Base.ImageDescription] == exif[ExifTags.Base.ImageDescription]
        for tag in (ExifTags.Base.UserComment, ExifTags.Base.MakerNote):
            assert parts[tag] == own[tag]
        assert "© Øyvin".encode()[:7] in large.read_bytes()


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Ex", b"Exif\0\0II*\0\xff\xff\xff\xff", bytes(99)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_damaged_exif_does_not_keep_a_photo_from_being_written(tmp_path, photo, suffix, exif):
    Image.fromarray(photo).save(tmp_path / f"a{suffix}", exif=exif)
    for into in METADATA:
        large = enlarge(tmp_path / f"a{suffix}", tmp_path / f"large{into}")
        assert pixels(large).shape == (48, 64, 3)


@pytest.mark.parametrize("into", METADATA)
def test_exif_of_a_long_comment_keeps_no_photo_from_being_written(tmp_path, photo, into):
    exif = made_exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + 100_000 * b"a"
    Image.fromarray(photo).save(tmp_path / "a.png", exif=exif)
    with Image.open(enlarge(tmp_path / "a.png", tmp_path / f"large{into}")) as large:
        assert large.getexif()[ExifTags.Base.Make] == "Maker"  # which comes before


def test_a_thumbnail_of_the_old_picture_is_dropped(tmp_path, photo):
    file = io.BytesIO()
    Image.fromarray(photo[::2, ::2]).save(file, "JPEG")
    thumbnail = file.getvalue()
    first = struct.pack("<HHHI2HI", 1, 274, 3, 1, 1, 0, 26)  # upright; the next begins at 26
    second = struct.pack("<HHHI2H", 3, 259, 3, 1, 6, 0)  # JPEG
    second += struct.pack("<HHII", 513, 4, 1, 68) + struct.pack("<HHII", 514, 4, 1, len(thumbnail))
    exif = b"Exif\0\0II*\0\x08\0\0\0" + first + second + bytes(4) + thumbnail
    source = tmp_path / "a.jpg"
    Image.fromarray(photo).save(source, exif=exif)
    assert pyvips.Image.new_from_file(str(source)).get("jpeg-thumbnail-data") == thumbnail
    for into in METADATA:
        assert thumbnail[100:] not in enlarge(source, tmp_path / f"large{into}").read_bytes()


@pytest.mark.parametrize("into", METADATA)
def test_stripping_keeps_the_profile_alone(tmp_path, photo, into):
    source = tmp_path / "a.jpg"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret</x:xmpmeta>"
    Image.fromarray(photo).save(source, exif=made_exif(), xmp=xmp, icc_profile=profile("p3"))
    large = enlarge(source, tmp_path / f"large{into}", metadata=False)
    with Image.open(large) as image:
        assert image.info["icc_profile"] == profile("p3")
    for secret in (b"Maker", b"Someone", b"2020:01", b"secret"):
        assert secret in source.read_bytes()
        assert secret not in large.read_bytes()


@pytest.mark.parametrize("into", METADATA)
def test_xmp_is_carried_over_and_corrected(tmp_path, photo, into):
    spaces = " ".join(
        f'xmlns:{name}="{space}"'
        for name, space in {
            "x": "adobe:ns:meta/",
            "tiff": "http://ns.adobe.com/tiff/1.0/",
            "exif": "http://ns.adobe.com/exif/1.0/",
            "xmp": "http://ns.adobe.com/xap/1.0/",
            "dc": "http://purl.org/dc/elements/1.1/",
        }.items()
    )
    before = (
        f'<x:xmpmeta {spaces} tiff:Orientation="6" exif:PixelXDimension = "32">'
        "<tiff:ImageWidth>32</tiff:ImageWidth><tiff:ImageLength>24</tiff:ImageLength>"
        "<xmp:Thumbnails>\n32 old</xmp:Thumbnails><dc:title>32 days</dc:title></x:xmpmeta>"
    )
    # It was turned: what was 24 high is 24 wide.
    after = (
        f'<x:xmpmeta {spaces} tiff:Orientation="1" exif:PixelXDimension="48">'
        "<tiff:ImageWidth>48</tiff:ImageWidth><tiff:ImageLength>64</tiff:ImageLength>"
        "<dc:title>32 days</dc:title></x:xmpmeta>"
    )
    Image.fromarray(photo).save(tmp_path / "a.jpg", xmp=before.encode())
    large = enlarge(tmp_path / "a.jpg", tmp_path / f"large{into}")
    found = pyvips.Image.new_from_file(str(large)).get("xmp-data").decode()
    assert ElementTree.canonicalize(found) == ElementTree.canonicalize(after)


def test_hostile_xmp_takes_no_longer_than_other(tmp_path, photo):
    for xmp in (b"<xmp:Thumbnails>" * 200_000, b"tiff:ImageWidth" + b" " * 3_000_000):
        tags = [(700, 1, len(xmp), xmp, True)]
        tifffile.imwrite(tmp_path / "a.tif", photo, photometric="rgb", extratags=tags)
        began = time.monotonic()
        enlarge(tmp_path / "a.tif", tmp_path / f"{len(xmp)}.tif")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("into", [".jpg", ".tif"])
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_iptc_is_carried_over(tmp_path, photo, suffix, into):
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        tags = [(33723, 7, len(IPTC), IPTC, True)]
        tifffile.imwrite(path, photo, photometric="rgb", extratags=tags)
    else:
        block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(IPTC)) + IPTC
        Image.fromarray(photo).save(path)
        data = path.read_bytes()
        marker = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
        path.write_bytes(data[:2] + marker + data[2:])
    with Image.open(enlarge(path, tmp_path / f"large{into}")) as large:
        found = IptcImagePlugin.getiptcinfo(large)
    assert found == {(2, 5): b"Title", (2, 120): b"Caption"}


@pytest.mark.parametrize("into", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_resolution_is_carried_over(tmp_path, photo, suffix, into):
    Image.fromarray(photo).save(tmp_path / f"a{suffix}", dpi=(300, 150))
    with Image.open(enlarge(tmp_path / f"a{suffix}", tmp_path / f"large{into}")) as large:
        exif = large.getexif()  # Pillow gives one number for both if they come from there
        found = (exif[282], exif[283]) if into == ".jpg" else large.info["dpi"]
    assert found == pytest.approx((300, 150), abs=0.02)


def test_a_resolution_that_is_not_known_becomes_the_usual_one(tmp_path, photo):
    tifffile.imwrite(tmp_path / "huge.tif", photo, photometric="rgb", resolution=(2**31, 2**31))
    Image.fromarray(photo).save(tmp_path / "none.png")
    for name in ("huge.tif", "none.png"):
        with Image.open(enlarge(tmp_path / name, tmp_path / f"large-{name}.jpg")) as large:
            assert large.info["dpi"] == pytest.approx((72, 72), abs=0.02)


# Colours


@pytest.mark.parametrize("into", METADATA)
def test_a_profile_is_kept_and_the_pixels_are_not_converted(tmp_path, photo, into):
    Image.fromarray(photo).save(tmp_path / "a.png", icc_profile=profile("p3"))
    with Image.open(enlarge(tmp_path / "a.png", tmp_path / f"large{into}")) as large:
        assert large.info["icc_profile"] == profile("p3")
        shown = np.asarray(large)[::2, ::2].astype(int)
    assert np.abs(shown - photo).mean() < 2.5


def test_a_wide_gamut_is_converted_if_asked_for(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png", icc_profile=profile("p3"))
    expected = colour_managed(Image.fromarray(photo), profile("p3"))
    for found in (pixels(tmp_path / "a.png", srgb=True), images.read_uint8(tmp_path / "a.png")):
        np.testing.assert_allclose(found, expected, atol=1)


def test_a_wide_gamut_is_converted_for_gif_which_has_no_profiles(tmp_path):
    colours = np.zeros((4, 4, 3), np.uint8) + np.array([60, 200, 90], np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=profile("p3"))
    expected = colour_managed(Image.fromarray(colours), profile("p3"))
    with Image.open(enlarge(tmp_path / "a.png", tmp_path / "large.gif")) as large:
        np.testing.assert_allclose(np.asarray(large.convert("RGB"))[0, 0], expected[0, 0], atol=1)


@pytest.mark.parametrize("into", [".jpg", ".png", ".tif", ".webp", ".avif", ".gif"])
def test_grey_looks_the_same_whether_or_not_its_profile_can_be_kept(tmp_path, into):
    grey = np.full((4, 4), 100, np.uint8)
    embedded = grey_profile(1.0)
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=embedded)
    expected = colour_managed(Image.fromarray(grey), embedded)
    assert expected[0, 0, 0] > 150
    with Image.open(enlarge(tmp_path / "a.png", tmp_path / f"large{into}")) as large:
        if into in (".jpg", ".png", ".tif"):
            assert (large.mode, large.info["icc_profile"]) == ("L", embedded)
            shown = colour_managed(large, large.info["icc_profile"])
        else:
            assert large.info.get("icc_profile", b"")[16:20] != b"GRAY"
            shown = np.asarray(large.convert("RGB")).astype(int)
    np.testing.assert_allclose(shown[:4, :4], expected, atol=2)
    assert Picture(tmp_path / "a.png", into=into, srgb=True).channels == 1


def test_a_profile_of_other_colours_is_left_out(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.jpg", icc_profile=grey_profile(1.0))
    Image.fromarray(photo[..., 0]).save(tmp_path / "grey.jpg", icc_profile=profile("p3"))
    Image.fromarray(photo).save(tmp_path / "no.jpg", icc_profile=b"no profile" * 50)
    for name in ("a.jpg", "grey.jpg", "no.jpg"):
        with Image.open(tmp_path / name) as expected:
            found = images.read_uint8(tmp_path / name).astype(int)
            np.testing.assert_allclose(found, expected.convert("RGB"), atol=1)
        with Image.open(enlarge(tmp_path / name, tmp_path / f"{name}.png")) as large:
            assert "icc_profile" not in large.info


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_converted_by_its_profile(tmp_path, photo, suffix):
    cmyk = Image.fromarray(photo).convert("CMYK")
    cmyk.save(
        tmp_path / f"a{suffix}",
        icc_profile=profile("cmyk"),
        **({"quality": 100} if suffix == ".jpg" else {}),
    )
    with Image.open(tmp_path / f"a{suffix}") as stored:
        expected = colour_managed(stored, profile("cmyk"))
    np.testing.assert_allclose(pixels(tmp_path / f"a{suffix}"), expected, atol=1)
    np.testing.assert_allclose(images.read_uint8(tmp_path / f"a{suffix}"), expected, atol=1)
    with Image.open(enlarge(tmp_path / f"a{suffix}", tmp_path / "large.png")) as large:
        assert large.mode == "RGB"
        assert large.info.get("icc_profile", b"RGB" * 9)[16:20] != b"CMYK"


def test_cmyk_without_a_profile_is_that_of_common_printing(tmp_path, photo):
    cmyk = Image.fromarray(photo).convert("CMYK")
    cmyk.save(tmp_path / "a.tif")
    np.testing.assert_allclose(
        pixels(tmp_path / "a.tif"), colour_managed(cmyk, profile("cmyk")), atol=1
    )


# Alpha, depth and names


def test_grey_with_alpha_keeps_both(tmp_path, photo):
    image = np.stack([photo[..., 0], photo[..., 1]], axis=-1)
    Image.fromarray(image, "LA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), image)
    for into in (".png", ".tif"):
        large = enlarge(tmp_path / "a.png", tmp_path / f"large{into}")
        np.testing.assert_array_equal(pixels(large)[::2, ::2], image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_lies_on_white_where_there_is_none(tmp_path, photo, dtype):
    most = np.iinfo(dtype).max
    image = np.dstack([photo, photo[..., 0]]).astype(dtype) * (most // 255)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", extrasamples=["unassalpha"])
    alpha = image[..., 3:] / most
    expected = image[..., :3] * alpha + most * (1 - alpha)
    np.testing.assert_allclose(pixels(tmp_path / "a.tif", into=".jpg"), expected, atol=most / 255)


def test_names_are_taken_for_what_they_are(tmp_path, photo):
    for name in ("a[n=-1].png", "Größe 写真.png", "two\nlines.png", "%s {0}.png", b"\xff\xfe.png"):
        source = tmp_path / os.fsdecode(name)
        try:
            Image.fromarray(photo).save(tmp_path / "plain.png")
            os.replace(tmp_path / "plain.png", source)
        except OSError:
            continue  # a name that this file system does not allow
        folder = tmp_path / f"{source.stem}[page=2]"
        folder.mkdir()
        large = enlarge(source, folder / source.name)
        np.testing.assert_array_equal(pixels(large)[::2, ::2], photo)


# Sizes and threads


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (65, 2)])
@pytest.mark.parametrize("into", formats.FORMATS)
def test_any_shape_is_written(tmp_path, shape, into):
    Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(tmp_path / "a.png")
    large = enlarge(tmp_path / "a.png", tmp_path / f"large{into}")
    assert pixels(large).shape[:2] == (2 * shape[0], 2 * shape[1])


def test_frames_that_no_file_can_hold_together_are_refused_before_the_work(tmp_path):
    frames = [Image.new("L", (1, 900), shade) for shade in range(100)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    picture = Picture(tmp_path / "a.gif")
    assert picture.frames == 100
    with pytest.raises(formats.UnsupportedImage, match="100,100,000 rows together; expected at"):
        write_rows(tmp_path / "large.tif", iter(()), 1_001_000, 1000, picture)


@pytest.mark.parametrize("into", [".png", ".tif", ".webp"])
def test_a_full_disk_gets_its_space_back_at_once(full_disk, into):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    free = shutil.disk_usage(full_disk).free
    gc.disable()
    try:
        with pytest.raises(OSError, match="nothing was written to"):
            write_rows(full_disk / f"a{into}", iter([noise]), 400, 400)
        assert shutil.disk_usage(full_disk).free == free
    finally:
        gc.enable()


def test_several_files_are_read_and_written_at_once(tmp_path, photo):
    good = io.BytesIO()
    Image.fromarray(np.tile(photo, (8, 8, 1))).save(good, "PNG")
    cut = good.getvalue()[:2000]

    def work(number):
        path = tmp_path / f"{number}{list(formats.FORMATS)[number % 4]}"
        try:
            enlarge(cut if number % 3 == 0 else good.getvalue(), path)
        except formats.UnsupportedImage as error:
            return "is damaged or cut short" in str(error) and not path.exists()
        return pixels(path).shape == (384, 512, 3)

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(60)))
