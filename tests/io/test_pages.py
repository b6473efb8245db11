"""Documents and animations keep all of their pages and frames, or it is said which they lose."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageSequence

from srgan.io import contents, formats, images, tiff
from srgan.io.stream import Picture, open_pages
from srgan.io.suffixes import natural_suffix
from srgan.models import loading
from srgan.upscaling import pipeline
from srgan.upscaling.options import UpscaleOptions


@pytest.fixture
def page():
    """A page with a shade of its own."""

    def make(height, width, shade=100, dtype=np.uint8):
        return np.full((height, width, 3), shade * (np.iinfo(dtype).max // 255), dtype)

    return make


@pytest.fixture
def document(tmp_path, page):
    """Pages of three forms, with thumbnails."""
    path = tmp_path / "document.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(page(4, 6, 1), photometric="rgb", subfiletype=1)
        writer.write(page(16, 24, 40), photometric="rgb")
        writer.write(page(16, 24, 80), photometric="rgb")
        writer.write(page(4, 6, 2), photometric="rgb", subfiletype=1)
        writer.write(page(12, 24, 120), photometric="rgb", compression="zlib", rowsperstrip=5)
        writer.write(page(16, 24, 160, np.uint16), photometric="rgb", tile=(16, 16))
        writer.write(page(16, 24)[..., 0], photometric="minisblack")
    return path


def upscaled(source, destination, model, **options):
    job = pipeline.prepare(source, destination, model, UpscaleOptions(**options))
    seen = []
    job.run(lambda *now: seen.append(now))
    assert seen[-1] == (job.tiles, job.tiles)
    return job


def test_a_thumbnail_that_comes_first_is_not_the_photo(tmp_path, page):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(page(8, 12, 1), photometric="rgb", subfiletype=1)
        writer.write(page(32, 48, 200), photometric="rgb")
    for into in (".png", ".tif"):
        picture = Picture(tmp_path / "a.tif", into=into)
        assert (picture.height, picture.width, picture.frames) == (32, 48, 1)
        assert picture.notes == ()
        assert next(picture.rows())[0, 0, 0] == 200
    assert natural_suffix(tmp_path / "a.tif") == ".png"


def test_pages_of_any_form_are_carried_over(tmp_path, document, tiny_model):
    job = upscaled(document, tmp_path / "large.tif", tiny_model)
    assert (job.frames, job.height, job.width, job.notes) == (5, 32, 48, ())
    model = loading.load(tiny_model)
    with tifffile.TiffFile(document) as before, tifffile.TiffFile(tmp_path / "large.tif") as after:
        pages = [page for page in before.pages if not page.is_reduced]
        assert len(pages) == len(after.pages) == 5
        for one, other in zip(pages, after.pages, strict=True):
            assert one.dtype == other.dtype
            lr = one.asarray()
            expected = model.upscale(lr[..., None] if lr.ndim == 2 else lr)
            expected = images.from_float(expected, lr.dtype.type).squeeze()
            np.testing.assert_allclose(other.asarray(), expected * 1.0, atol=1)
    assert natural_suffix(document) == ".tif"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["document.tif", "large.tif"]


def test_pages_keep_what_each_of_them_carries(tmp_path, page, tiny_model):
    exif = Image.Exif()
    exif[271] = "maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    info = dict(exif.items()) | {0x8769: exif.get_ifd(0x8769)}
    pages = [Image.fromarray(page(16, 24)), Image.fromarray(page(24, 16))]
    pages[0].save(
        tmp_path / "a.tif", save_all=True, append_images=pages[1:], dpi=(300, 300), tiffinfo=info
    )
    upscaled(tmp_path / "a.tif", tmp_path / "large.tif", tiny_model)
    with Image.open(tmp_path / "large.tif") as large:
        assert large.getexif()[271] == "maker"
        assert large.getexif().get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
        sizes = [frame.size for frame in ImageSequence.Iterator(large)]
        assert large.info["dpi"] == (300, 300)
    assert sizes == [(48, 32), (32, 48)]


@pytest.mark.parametrize("into", [".png", ".jpg", ".webp", ".gif"])
def test_pages_that_a_result_cannot_hold_are_counted(document, into):
    (picture,) = open_pages(document, 10_000, into, srgb=False)
    left = 3 if formats.FORMATS[into].frames else 4
    assert picture.frames == 5 - left
    assert picture.notes[0].startswith(f"{left} of its 5 pictures are left out")


def test_pages_are_limited_together(document):
    most = 2 * 16 * 24 + 12 * 24 + 16 * 24
    with pytest.raises(formats.UnsupportedImage, match="claims 24x16 pixels; expected at most"):
        open_pages(document, most, ".tif", srgb=False)
    assert len(open_pages(document, most + 16 * 24, ".tif", srgb=False)) == 4


def test_too_many_changes_of_size_are_refused(document, monkeypatch):
    monkeypatch.setattr("srgan.io.stream._MAX_STEPS", 10)
    with pytest.raises(formats.UnsupportedImage, match="5 pages, whose size changes more than 2"):
        open_pages(document, 10_000, ".tif", srgb=False)


def test_a_file_with_nothing_but_previews_is_a_cameras(tmp_path, page):
    with tifffile.TiffWriter(tmp_path / "raw.nef") as writer:
        writer.write(page(8, 12), photometric="rgb", subfiletype=1, subifds=1)
        writer.write(page(32, 48), photometric="rgb")
    with pytest.raises(formats.UnsupportedImage, match="is a camera's raw file"):
        Picture(tmp_path / "raw.nef")


def test_big_and_small_tiff_files_are_joined_with_their_own_kind(tmp_path, page):
    for big in (False, True):
        paths = [tmp_path / f"{name}{big}.tif" for name in "ab"]
        for number, path in enumerate(paths):
            tifffile.imwrite(path, page(40, 8, 50 + number), bigtiff=big, rowsperstrip=1)
        tiff.append(paths[0], paths[1])
        tiff.append(paths[0], paths[1])
        with tifffile.TiffFile(paths[0]) as joined:
            assert joined.is_bigtiff == big
            assert [one.asarray()[0, 0, 0] for one in joined.pages] == [50, 51, 51]
            assert all((one.asarray() == one.asarray()[0, 0, 0]).all() for one in joined.pages)


# Animations


@pytest.fixture
def frames():
    made = [Image.new("RGBA", (16, 12), (0, 0, 0, 0)) for _ in range(3)]
    made[0].paste((255, 0, 0, 255), (0, 0, 8, 12))
    made[1].paste((0, 255, 0, 255), (4, 4, 8, 8))
    made[2].paste((0, 0, 255, 255), (10, 2, 14, 9))
    return made


@pytest.mark.parametrize("disposal", [0, 1, 2])
@pytest.mark.parametrize("blend", [0, 1])
def test_frames_of_apng_are_composed(tmp_path, frames, disposal, blend):
    path = tmp_path / "a.png"
    options = {"duration": [100, 50, 1000], "loop": 3, "disposal": disposal, "blend": blend}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    picture = Picture(path, into=".webp")
    assert (picture.frames, picture.height, picture.width) == (3, 12, 16)
    found = np.concatenate(list(picture.rows())).reshape(3, 12, 16, 4)
    with Image.open(path) as expected:
        for frame, composed in zip(found, ImageSequence.Iterator(expected), strict=True):
            np.testing.assert_array_equal(frame, composed.convert("RGBA"))


@pytest.mark.parametrize("kind", ["png", "avif"])
def test_animations_are_carried_over_with_their_timing(tmp_path, frames, kind, tiny_model):
    delays = [100, 50, 1000]
    rgb = [frame.convert("RGB") for frame in frames]
    path = tmp_path / f"a.{kind}"
    rgb[0].save(path, save_all=True, append_images=rgb[1:], duration=delays, loop=2)
    assert natural_suffix(path) == ".webp"
    job = upscaled(path, tmp_path / "large.webp", tiny_model)
    assert (job.frames, job.notes) == (3, ())
    with Image.open(tmp_path / "large.webp") as large:
        assert (large.n_frames, large.size) == (3, (32, 24))
        found = [one.info["duration"] for one in ImageSequence.Iterator(large) if one.load()]
        assert found == delays
        if kind == "png":
            assert large.info["loop"] == 2


def test_a_still_picture_before_an_apng_is_not_a_frame(tmp_path, frames):
    path = tmp_path / "a.png"
    rest = {"save_all": True, "append_images": frames[1:]}
    frames[0].save(path, default_image=True, **rest)
    picture = Picture(path, into=".webp")
    assert picture.frames == 2
    np.testing.assert_array_equal(next(picture.rows())[5, 5], [0, 255, 0, 255])
    assert Picture(path, into=".png").frames == 1


@pytest.mark.parametrize("kind", ["png", "avif", "gif", "webp", "tiff"])
@pytest.mark.parametrize("into", [".png", ".jpg", ".avif"])
def test_frames_that_a_result_cannot_hold_are_counted(tmp_path, frames, kind, into):
    path = tmp_path / "a"
    rgb = [frame.convert("RGB") for frame in frames]
    rgb[0].save(path, kind, save_all=True, append_images=rgb[1:])
    expected = f"2 of its 3 pictures are left out: {into} files hold one, and .webp, .tif and .gif"
    assert Picture(path, into=into).notes[0].startswith(expected)
    assert Picture(path, into=".webp").notes == ()


def test_a_damaged_frame_is_named(tmp_path, frames):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    made = [Image.fromarray(one) for one in noise]
    made[0].save(file, "PNG", save_all=True, append_images=made[1:])
    data = file.getvalue()
    picture = Picture(data[: data.rindex(b"fdAT") + 100], into=".webp")
    with pytest.raises(formats.UnsupportedImage, match="is damaged or cut short"):
        list(picture.rows())


def test_pictures_beside_the_first_of_a_jpeg_are_counted(tmp_path, page):
    first, second = io.BytesIO(), io.BytesIO()
    Image.fromarray(page(16, 24)).save(
        first, "MPO", save_all=True, append_images=[Image.fromarray(page(16, 24, 9))]
    )
    assert Picture(first.getvalue()).notes == ("left out: further pictures",)
    # A preview of the picture itself is no loss.
    data = first.getvalue()
    kinds = struct.pack("<I", 0), struct.pack("<I", 0x010001)
    at = data.index(b"MPF\0") + 4
    table = data.index(struct.pack("<HH", 0xB002, 7), at)
    place = at + struct.unpack_from("<I", data, table + 8)[0] + 16
    assert data[place : place + 4] == kinds[0]
    second.write(data[:place] + kinds[1] + data[place + 4 :])
    assert Picture(second.getvalue()).notes == ()


def test_an_animation_that_claims_too_many_frames_is_refused(frames):
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    data = file.getvalue()
    at = data.index(b"acTL") + 4
    for claimed in (10_001, 10**9):
        body = struct.pack(">II", claimed, 0)
        made = data[:at] + body + struct.pack(">I", zlib.crc32(b"acTL" + body)) + data[at + 12 :]
        with pytest.raises(formats.UnsupportedImage, match=f"has {claimed:,} frames; expected"):
            Picture(made, into=".webp")
        assert Picture(made, into=".png").frames == 1


def test_directories_that_overlap_cost_no_time():
    """Each of 5,000 directories claims the 4,000 entries after it, most of them the same."""
    count, size = 4000, 12
    entry = struct.pack("<HHII", 254, 4, 1, 0)
    # A directory is a count, its entries, and the place of the next; entries are 12 bytes, so
    # that each may begin where an entry of the one before does.
    places = [8 + size * k for k in range(5000)]
    data = bytearray(b"II*\0" + struct.pack("<I", places[0]) + entry * (count + 5100))
    for place, following in zip(places, [*places[1:], 0], strict=True):
        struct.pack_into("<H", data, place, count)
        struct.pack_into("<I", data, place + 2 + size * count, following)
    began = time.monotonic()
    with pytest.raises(formats.UnsupportedImage, match="has more than 524,288 entries; expected"):
        Picture(bytes(data))
    assert time.monotonic() - began < 5


# What AVIF and HEIC files hold beside a picture


def box(kind, *parts, start=b""):
    body = start + b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


@pytest.mark.parametrize(
    ("boxes", "lost"),
    [
        ([box(b"auxC", start=bytes(4) + b"urn:com:apple:photo:2020:aux:hdrgainmap\0")], "gain map"),
        ([box(b"auxC", start=bytes(4) + b"urn:mpeg:hevc:2015:auxid:2\0")], "depth map"),
        ([box(b"auxC", start=bytes(4) + b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")], ""),
    ],
)
def test_auxiliary_pictures_are_named(boxes, lost):
    meta = box(b"meta", box(b"iprp", box(b"ipco", *boxes)), start=bytes(4))
    found = contents.of_heif(io.BytesIO(box(b"ftyp", start=b"heic") + meta))
    assert [text for text in found.left_out if lost in text] == list(found.left_out)
    assert bool(found.left_out) == bool(lost)


def test_a_gain_map_that_is_an_item_is_named():
    item = box(b"infe", start=b"\2\0\0\0\0\1\0\0tmap\0")
    meta = box(b"meta", box(b"iinf", item, start=bytes(4) + b"\0\1"), start=bytes(4))
    assert contents.of_heif(io.BytesIO(meta)).left_out == ("its HDR gain map",)


def test_boxes_that_name_themselves_or_nothing_have_an_end():
    endless = [
        struct.pack(">I4s", 8, b"free") * 30_000,
        b"\0\0\0\0meta",
        b"\0\0\0\1meta" + bytes(8),
    ]
    for data in (*endless, b"\0\0\0\x07meta", b"\xff\xff\xff\xffmeta"):
        assert contents.of_heif(io.BytesIO(data)) == contents.Contents()
