"""NIQE agrees with its authors' code, and says which picture looks less natural."""

import numpy as np
import pytest
from skimage import data

from srgan.io import images
from srgan.numeric import color, resize
from srgan.quality import niqe


def blurred(image):
    height, width = image.shape[:2]
    return resize.bicubic(resize.bicubic(image, height // 3, width // 3), height, width)


@pytest.mark.parametrize(
    ("name", "expected"), [("astronaut", 3.0666), ("coffee", 4.0585), ("chelsea", 2.5721)]
)
def test_niqe_equals_that_of_an_independent_port(name, expected):
    # The translation of the authors' MATLAB code in the package animesisr-basicsr 1.0.3.
    assert niqe.niqe(getattr(data, name)()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
def test_niqe_equals_that_of_the_authors_code(shared_data):
    # MATLAB R2021a has 5.72957338 for the luma of YCbCr, says the documentation of BasicSR. What
    # is flat has rounding errors for structure, which differ by 2e-4 between implementations.
    baboon = images.read_uint8(shared_data / "benchmarks" / "Set14" / "HR" / "baboon.png")
    assert niqe.of_luma(np.round(color.luma(baboon))) == pytest.approx(5.72957338, abs=5e-4)


def test_blur_noise_and_blocks_are_less_natural():
    photo = data.astronaut()
    noise = np.random.default_rng(0).normal(0, 20, photo.shape)
    noisy = np.clip(photo + noise, 0, 255).astype(np.uint8)
    worse = [blurred(photo), noisy, photo // 64 * 64]
    assert min(map(niqe.niqe, worse)) > niqe.niqe(photo) + 0.5


def test_the_border_is_left_out():
    photo = data.astronaut()
    framed = np.pad(photo, [(4, 4), (4, 4), (0, 0)])
    assert niqe.niqe(framed, border=4) == niqe.niqe(photo)


def test_only_whole_blocks_count():
    photo = data.astronaut()
    assert niqe.niqe(photo[:200, :300]) == niqe.niqe(photo[:192, :288])


def test_flat_pictures_have_no_niqe():
    assert np.isnan(niqe.niqe(np.full((192, 192, 3), 90, np.uint8)))


def test_flat_blocks_do_not_count():
    photo = data.astronaut()[:192, :192]
    assert np.isfinite(niqe.niqe(np.pad(photo, [(0, 0), (0, 192), (0, 0)])))


def test_a_picture_of_one_block_is_too_small():
    with pytest.raises(ValueError, match=r"two blocks of 96x96 pixels; got 191x191"):
        niqe.niqe(np.zeros((191, 191, 3), np.uint8))
