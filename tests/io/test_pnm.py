"""PPM, PGM and PBM are read with all the bits they have, or a word about those left out."""

import numpy as np
import pytest

from srgan.io import formats, images, opening


@pytest.fixture
def written(tmp_path):
    def write(name, header, samples):
        path = tmp_path / name
        path.write_bytes(header + samples.tobytes())
        return path

    return write


def test_ppm_is_read_exactly(written):
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    path = written("photo.ppm", b"P6\n# by a scanner\n7 5\n255\n", rgb)
    np.testing.assert_array_equal(images.read_uint8(path), rgb)
    assert opening.open_image(path).left_out == ()


def test_pgm_keeps_16_bits(written):
    grey = np.array([[0, 1, 300], [40_000, 65_534, 65_535]], ">u2")
    found = images.read(written("photo.pgm", b"P5 3 2 65535\n", grey))
    np.testing.assert_allclose(found[..., 0] * 65535, grey, atol=0.01)


@pytest.mark.parametrize("largest", [65_535, 1023])
def test_ppm_keeps_16_bits(written, largest):
    rgb = np.random.default_rng(0).integers(0, largest + 1, (150, 7, 3)).astype(">u2")
    path = written("photo.ppm", b"P6\n7 150\n%d\n" % largest, rgb)
    assert opening.open_image(path).left_out == ()
    np.testing.assert_allclose(images.read(path) * 65535, rgb * (65535 / largest), atol=0.51)


def test_what_ppm_as_text_has_beyond_8_bits_is_said_to_be_left_out(tmp_path):
    (tmp_path / "photo.ppm").write_text("P3\n1 1\n65535\n0 32768 65535\n")
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "photo.ppm"), [[[0, 128, 255]]])
    left_out = opening.open_image(tmp_path / "photo.ppm").left_out
    assert left_out == ("what its samples have beyond 8 bits",)


def test_pbm_and_plain_texts_are_read(written, tmp_path):
    bits = written("page.pbm", b"P4\n8 1\n", np.array([0b01010101], np.uint8))
    np.testing.assert_array_equal(images.read_uint8(bits)[0, :, 0], [255, 0] * 4)
    (tmp_path / "plain.pgm").write_text("P2\n3 1\n255\n0 100 255\n")
    np.testing.assert_array_equal(images.read_uint8(tmp_path / "plain.pgm")[0, :, 0], [0, 100, 255])


@pytest.mark.parametrize("largest", [255, 65_535])
def test_a_ppm_cut_short_is_refused(written, largest):
    path = written("photo.ppm", b"P6\n7 5\n%d\n" % largest, np.zeros(20, np.uint8))
    with pytest.raises(formats.UnsupportedImage, match="damaged or cut short"):
        images.read(path)
