"""Reading is checked against Pillow and tifffile, writing by reading back and by real faults."""

import os
import signal
import struct
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

from srgan.io import formats, images, stream
from srgan.io.find import find_images
from srgan.io.formats import UnsupportedImage


@pytest.fixture
def photo():
    """A small image, smooth enough for JPEG."""
    y, x = np.mgrid[0:24, 0:32]
    return np.stack([8 * x, 10 * y, 4 * (x + y)], axis=-1).astype(np.uint8)


# Reading


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_read_matches_pillow(tmp_path, photo, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(photo).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(images.read_uint8(path), photo)
    np.testing.assert_allclose(images.read(path), photo / 255, atol=1e-7)


def test_read_decodes_jpeg_as_pillow_does(tmp_path, photo):
    path = tmp_path / "a.jpg"
    Image.fromarray(photo).save(path, quality=95)
    expected = np.asarray(Image.open(path)).astype(int)
    assert np.abs(images.read_uint8(path) - expected).max() <= 1


def test_read_gives_float32_in_the_unit_range(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    image = images.read(str(tmp_path / "a.png"))
    assert image.dtype == np.float32
    assert 0 <= image.min() < image.max() <= 1


def test_read_decodes_the_benchmark_images_as_pillow_does(shared_data):
    for path in sorted(shared_data.glob("benchmarks/Set14/**/*.png")):
        with Image.open(path) as expected:
            np.testing.assert_array_equal(images.read_uint8(path), expected.convert("RGB"))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_read_keeps_16_bits(tmp_path, suffix):
    deep = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, deep, photometric="rgb")
    else:
        pyvips.Image.new_from_array(deep).copy(interpretation="rgb16").write_to_file(path)
    np.testing.assert_allclose(images.read(path), deep / 65535, atol=1e-7)
    np.testing.assert_array_equal(images.read_uint8(path), np.floor(deep / 257 + 0.5))


def test_read_repeats_grey_in_three_channels(tmp_path, photo):
    Image.fromarray(photo[..., 0]).save(tmp_path / "8.png")
    Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save(tmp_path / "16.png")
    for name in ("8.png", "16.png"):
        image = images.read_uint8(tmp_path / name)
        np.testing.assert_array_equal(image, np.repeat(photo[..., :1], 3, axis=2))


def test_read_expands_a_palette_and_single_bits(tmp_path, photo):
    palette = Image.fromarray(photo).convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save(tmp_path / "palette.png")
    bits = Image.fromarray(photo).convert("1")
    bits.save(tmp_path / "bits.png")
    for name, expected in (("palette.png", palette), ("bits.png", bits)):
        np.testing.assert_array_equal(images.read_uint8(tmp_path / name), expected.convert("RGB"))


def test_read_lays_transparency_on_white(tmp_path):
    pixels = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [0, 0, 0, 128]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = images.read_uint8(tmp_path / "a.png").astype(int)
    np.testing.assert_array_equal(image[0, :2], [[200, 100, 0], [255, 255, 255]])
    np.testing.assert_allclose(image[0, 2], 127, atol=1)


def test_read_lays_transparency_on_white_in_grey_and_in_16_bits(tmp_path):
    Image.fromarray(np.array([[[9, 0], [9, 255]]], np.uint8)).save(tmp_path / "grey.png")
    deep = np.array([[[999, 999, 999, 0], [999, 999, 999, 65535]]], np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "grey.png")[0, :, 0], [255, 9])
    np.testing.assert_allclose(images.read(tmp_path / "deep.tif")[0, :, 0], [1, 999 / 65535])


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, "a"), (2, "a[:, ::-1]"), (3, "a[::-1, ::-1]"), (6, "a[::-1].swapaxes(0, 1)")],
)
def test_read_turns_photos_upright(tmp_path, photo, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(photo).save(tmp_path / "a.png", exif=exif)
    expected = eval(upright, {"a": photo})
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "a.png"), expected)


def test_read_converts_a_wide_gamut_to_srgb(tmp_path):
    p3 = np.array([[[128, 128, 128], [100, 200, 100], [200, 120, 100]]], np.uint8)
    pyvips.Image.new_from_array(p3).write_to_file(tmp_path / "a.png", profile="p3")
    # Both have sRGB's curve, and the primaries of Display P3 in linear sRGB are these columns.
    matrix = [[1.2249, -0.2249, 0], [-0.0421, 1.0421, 0], [-0.0196, -0.0786, 1.0983]]
    linear = np.where(p3 / 255 <= 0.04045, p3 / 255 / 12.92, ((p3 / 255 + 0.055) / 1.055) ** 2.4)
    srgb = 255 * (1.055 * (linear @ np.transpose(matrix)) ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(images.read_uint8(tmp_path / "a.png"), srgb, atol=1.5)


def test_read_leaves_srgb_with_a_profile_as_it_is(tmp_path, photo):
    pyvips.Image.new_from_array(photo).write_to_file(tmp_path / "a.png", profile="srgb")
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "a.png"), photo)


def test_read_converts_cmyk(tmp_path):
    cmyk = np.zeros((16, 32, 4), np.uint8)
    cmyk[:, :16] = 0, 255, 255, 0  # red ink; the rest is paper
    Image.frombytes("CMYK", (32, 16), cmyk.tobytes()).save(tmp_path / "a.jpg", quality=95)
    image = images.read(tmp_path / "a.jpg")
    assert image.shape == (16, 32, 3)
    assert image[4, 4, 0] > 0.8 > 0.4 > image[4, 4, 1:].max()
    assert image[4, 28].min() > 0.97


def test_read_sees_a_file_that_was_replaced(tmp_path, photo):
    path = tmp_path / "a.png"
    images.write(path, photo)
    images.read(path)
    images.write(path, 255 - photo, overwrite=True)
    np.testing.assert_array_equal(images.read_uint8(path), 255 - photo)


def test_read_leaves_nothing_in_the_cache_of_libvips(tmp_path, photo):
    images.write(tmp_path / "a.png", photo)
    images.read(tmp_path / "a.png")
    assert pyvips.cache_get_size() == 0


def test_read_takes_brackets_in_a_name_for_what_they_are(tmp_path, photo):
    path = tmp_path / "a.png[page=2]"
    Image.fromarray(photo).save(path, format="PNG")
    np.testing.assert_array_equal(images.read_uint8(path), photo)


def test_read_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png does not exist; expected a PNG, JPEG"):
        images.read(tmp_path / "gone.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_read_refuses_a_file_cut_short(tmp_path, photo, suffix, part):
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(np.tile(photo, (8, 8, 1))).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(UnsupportedImage, match=r"cut\.\w+ is damaged .* Copy it again") as error:
        images.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "empty"), (b"hello", "not an image"), (b"<svg width='9' height='9'/>", "not an image")],
)
def test_read_refuses_what_is_no_image(tmp_path, content, found):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnsupportedImage, match=rf"a\.png is {found}.*; expected a PNG"):
        images.read(tmp_path / "a.png")


def test_read_refuses_a_folder(tmp_path):
    with pytest.raises(UnsupportedImage, match="is a folder; expected one PNG"):
        images.read(tmp_path)


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (np.zeros((9, 9, 3), np.uint32), "3 channels of uint "),
        (np.zeros((9, 9, 5), np.uint8), "5 ch"),
    ],
)
def test_read_refuses_rare_samples(tmp_path, pixels, found):
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    with pytest.raises(UnsupportedImage, match=rf"a\.tif has {found}.*; expected grey"):
        images.read(tmp_path / "a.tif")


def test_read_refuses_a_bomb_before_it_is_decoded(tmp_path):
    def chunk(kind, body):
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))
    (tmp_path / "bomb.png").write_bytes(data + chunk(b"IEND", b""))
    with pytest.raises(UnsupportedImage, match=r"claims 60000x60000 pixels; expected at most"):
        images.read(tmp_path / "bomb.png")


# Writing


@pytest.mark.parametrize("suffix", formats.FORMATS)
def test_write_is_read_back(tmp_path, photo, suffix):
    path = tmp_path / f"a{suffix.upper()}"
    images.write(path, photo)
    with Image.open(path) as written:
        assert written.format == {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, written.format)
    error = np.abs(images.read_uint8(path).astype(int) - photo)
    is_lossless = suffix in (".png", ".tif", ".tiff")
    assert error.max() == 0 if is_lossless else error.mean() < (6 if suffix == ".gif" else 3)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_write_rounds_floats_half_up_and_clips(tmp_path):
    image = np.array([[[-0.5, 0.5 / 255, 1.5]]], np.float64)
    images.write(tmp_path / "a.png", image)
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "a.png"), [[[0, 1, 255]]])


def test_write_takes_views(tmp_path, photo):
    for view in (photo[::2, ::-1], photo.swapaxes(0, 1), photo[..., ::-1]):
        images.write(tmp_path / "a.png", view, overwrite=True)
        np.testing.assert_array_equal(images.read_uint8(tmp_path / "a.png"), view)


def test_written_files_have_the_usual_permissions(tmp_path, photo):
    images.write(tmp_path / "a.png", photo)
    (tmp_path / "b").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_write_keeps_an_existing_file_unless_told(tmp_path, photo):
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"a\.png exists already.*overwrite"):
        images.write(path, photo)
    assert path.read_bytes() == b"precious"
    images.write(path, photo, overwrite=True)
    np.testing.assert_array_equal(images.read_uint8(path), photo)


def test_write_refuses_unknown_suffixes(tmp_path, photo):
    with pytest.raises(UnsupportedImage, match=r"a\.bmp: the suffix '\.bmp'.*Use one of \.png"):
        images.write(tmp_path / "a.bmp", photo)


def test_write_refuses_a_missing_folder(tmp_path, photo):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*gone\. Create it"):
        images.write(tmp_path / "gone" / "a.png", photo)


def test_write_refuses_a_file_as_folder(tmp_path, photo):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"file is a file, not a folder"):
        images.write(tmp_path / "file" / "a.png", photo)


def test_write_refuses_a_folder_as_file(tmp_path, photo):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        images.write(tmp_path / "a.png", photo, overwrite=True)


def test_write_refuses_a_read_only_folder(read_only, photo):
    with pytest.raises(PermissionError, match=r"folder .* is not writable"):
        images.write(read_only / "a.png", photo)


def test_check_destination_knows_how_large_a_format_can_be(tmp_path):
    formats.check_destination(tmp_path / "a.webp", height=16_383, width=16_383)
    with pytest.raises(UnsupportedImage, match=r"at most 16383 pixels .* 16384x9. Use \.png"):
        formats.check_destination(tmp_path / "a.webp", height=9, width=16_384)
    with pytest.raises(UnsupportedImage, match="at most 65500"):
        formats.check_destination(tmp_path / "a.jpg", height=65_501)


@pytest.mark.parametrize(("suffix", "longest"), [(".webp", 16_383), (".jpg", 65_500)])
def test_write_manages_the_longest_side_it_allows(tmp_path, suffix, longest):
    images.write(tmp_path / f"a{suffix}", np.zeros((1, longest, 3), np.uint8))


def test_a_full_disk_leaves_what_was_there(full_disk):
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    path = full_disk / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(OSError, match=r"nothing was written to: .*a\.png"):
        images.write(path, noise, overwrite=True)
    assert [p.name for p in full_disk.iterdir()] == ["a.png"]
    assert path.read_bytes() == b"precious"


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process there")
def test_an_interrupt_leaves_nothing_behind(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), dtype=np.uint8)

    def interrupt_the_writing():
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(FileNotFoundError):  # renamed in between
                if any(path.stat().st_size for path in tmp_path.iterdir()):
                    break
        os.kill(os.getpid(), signal.SIGINT)

    def write():
        images.write(tmp_path / "a.jpg", noise)
        thread.join()  # were the writing faster, the signal would come here

    # Whoever starts the tests in the background may have told them not to hear Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt_the_writing)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            write()
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join()
    assert {p.name for p in tmp_path.iterdir()} <= {"a.jpg"}


@pytest.mark.parametrize("shape", [(4,), (4, 4, 5), (0, 4, 3), (1, 4, 4, 3)])
def test_write_names_a_wrong_shape(tmp_path, shape):
    with pytest.raises(ValueError, match=r"1 to 4 channels; got \("):
        images.write(tmp_path / "a.png", np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_write_takes_what_models_return_and_png_keeps_it(tmp_path, channels, dtype):
    rng = np.random.default_rng(0)
    image = rng.integers(0, np.iinfo(dtype).max + 1, (5, 7, channels)).astype(dtype)
    images.write(tmp_path / "a.png", image)
    (rows,) = stream.Picture(tmp_path / "a.png", into=".png").rows()
    np.testing.assert_array_equal(rows, image)
    if channels == 1:
        images.write(tmp_path / "b.png", image[:, :, 0])
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_write_makes_8_bits_of_16_and_colors_of_grey_where_a_format_has_no_more(tmp_path):
    grey = np.full((20, 20, 1), 0x8080, np.uint16)
    for name in ("a.webp", "a.jpg"):
        images.write(tmp_path / name, grey)
        assert np.abs(images.read_uint8(tmp_path / name).astype(int) - 128).max() <= 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [(200.0, "got 200 to 200"), (np.inf, "not finite"), (-3.0, "got -3 to -3")],
)
def test_write_refuses_floats_that_are_no_colours(tmp_path, value, expected):
    with pytest.raises(ValueError, match=expected):
        images.write(tmp_path / "a.png", np.full((4, 4, 3), value))
    with pytest.raises(ValueError, match="uint8, uint16 or float"):
        images.write(tmp_path / "a.png", np.zeros((4, 4, 3), np.int32))
    assert not (tmp_path / "a.png").exists()


def test_write_refuses_transparency_where_there_is_none(tmp_path):
    with pytest.raises(formats.UnsupportedImage, match=r"\.jpg files have no transparency"):
        images.write(tmp_path / "a.jpg", np.zeros((4, 4, 4), np.uint8))
    assert not (tmp_path / "a.jpg").exists()


def test_read_keeps_transparency_if_asked(tmp_path):
    image = np.zeros((4, 4, 4), np.uint8)
    image[..., 0], image[..., 3] = 200, 51
    images.write(tmp_path / "a.png", image)
    np.testing.assert_allclose(images.read(tmp_path / "a.png", alpha=True), image / 255, atol=1e-7)
    shown = images.read(tmp_path / "a.png")  # on white
    np.testing.assert_allclose(255 * shown[0, 0], [244, 204, 204], atol=0.6)
    images.write(tmp_path / "b.png", image[..., :3])
    assert images.read(tmp_path / "b.png", alpha=True).shape == (4, 4, 3)


# Values and folders


def test_to_uint8_undoes_read():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(images.to_uint8(values / np.float32(255)), values)
    assert images.to_uint8(values) is values


def test_to_uint8_refuses_nan_and_integers():
    with pytest.raises(ValueError, match="NaN"):
        images.to_uint8(np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match="got int64"):
        images.to_uint8(np.array([1]))


def test_webp_pictures_are_without_loss_unless_a_quality_is_given(photo, tmp_path):
    sizes = []
    for quality in (None, 95, 50):
        encoded = images.encode_webp(photo, quality)
        (tmp_path / "photo.webp").write_bytes(encoded)
        decoded = images.read_uint8(tmp_path / "photo.webp").astype(int)
        assert np.abs(decoded - photo).max() <= (0 if quality is None else 40)
        sizes.append(len(encoded))
    assert sizes[2] < sizes[1]


def test_webp_pictures_may_be_grey_and_parts_of_others(photo, tmp_path):
    part = photo[3:17, 5:20, 1]
    (tmp_path / "part.webp").write_bytes(images.encode_webp(part))
    decoded = images.read_uint8(tmp_path / "part.webp")
    np.testing.assert_array_equal(decoded, np.repeat(part[..., None], 3, axis=2))


def test_find_lists_images_below_a_folder_without_hidden_ones(tmp_path):
    for name in ("b.PNG", "sub/a.jpeg", "a.txt", ".hidden.png", ".git/c.png", "c.tiff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert find_images(tmp_path) == [tmp_path / name for name in ("b.PNG", "c.tiff", "sub/a.jpeg")]


def test_find_looks_into_a_folder_that_lies_in_a_hidden_one(tmp_path):
    folder = tmp_path / ".cache" / "photos"
    folder.mkdir(parents=True)
    (folder / "a.png").touch()
    assert find_images(folder) == [folder / "a.png"]


def test_find_needs_a_folder():
    with pytest.raises(NotADirectoryError, match="nowhere is not a folder"):
        find_images(Path("nowhere"))
