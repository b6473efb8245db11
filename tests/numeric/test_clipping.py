"""Clipping keeps the brightness of areas, is local, and changes nothing that fits."""

import numpy as np
import pytest
from skimage import data as photos

import srgan
from srgan.numeric import clipping, resize


def board(dark: float, light: float, size: int = 40) -> np.ndarray:
    """A checkerboard of single pixels, `(size, size, 3)`."""
    y, x = np.mgrid[:size, :size]
    grey = np.where((y + x) % 2, light, dark).astype(np.float32)
    return grey[..., None].repeat(3, axis=2)


def test_what_fits_into_the_range_is_not_changed():
    sr = np.random.default_rng(0).random((24, 32, 3), np.float32)
    np.testing.assert_array_equal(clipping.clip(sr, 4), sr)


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.5), (-0.5, 0.5)])
def test_a_half_that_does_not_fit_is_given_to_the_other_half(low, high):
    # Stripes of one pixel: their mean, 1 or 0, is all that is kept, so that nothing else is left.
    sr = np.full((16, 16, 1), low, np.float32)
    sr[:, ::2] = high
    clipped = clipping.clip(sr, 4)
    assert clipped.mean() == pytest.approx((low + high) / 2, abs=1 / 255)


def test_a_quarter_too_light_is_spread_evenly_over_the_room_around():
    sr = np.full((32, 32, 1), 0.5, np.float32)
    sr[::2, ::2] = 1.3  # a quarter loses 0.3, so that an area loses 0.075 less what is not worth it
    clipped = clipping.clip(sr, 4)
    share = (0.3 / 4 - 0.5 / 255) / (1 - (0.25 + 0.75 * 0.5))
    np.testing.assert_allclose(clipped[::2, 1::2], 0.5 + 0.5 * share, atol=1e-6)
    np.testing.assert_array_equal(clipped[::2, ::2], 1)


def test_a_pixel_has_influence_no_farther_than_the_reach():
    sr = np.random.default_rng(0).normal(0.5, 0.4, (80, 80, 3)).astype(np.float32)
    changed = sr.copy()
    changed[40:44, 40:44] += 3
    differs = (clipping.clip(sr, 4) != clipping.clip(changed, 4)).any(axis=2)
    rows, columns = np.nonzero(differs)
    blocks = np.concatenate([rows, columns]) // 4 - 10
    assert np.abs(blocks).max() == clipping.REACH


def test_strained_pixels_are_counted():
    strain = clipping.Strain()
    sr = np.full((16, 16, 3), 0.5, np.float32)
    sr[:4, :8] = 1.1  # two of 16 blocks
    clipping.clip(sr, 4, strain)
    assert (strain.pixels, strain.strained, strain.share) == (16, 2, 0.125)


@pytest.mark.parametrize(("dark", "light"), [(190, 255), (0, 64), (64, 192), (0, 255)])
def test_a_one_pixel_pattern_keeps_its_brightness(dark, light):
    lr = board(dark / 255, light / 255)
    sr = srgan.load("srgan-psnr-x4").upscale(lr)
    inside = resize.downscale(sr, 4)[8:-8, 8:-8]
    assert 255 * inside.mean() == pytest.approx((dark + light) / 2, abs=2)


def test_a_photo_comes_back_at_least_as_well_as_with_a_plain_clip():
    lr = resize.downscale(photos.chelsea()[:240, :240], 4) / np.float32(255)
    model = srgan.load("srgan-psnr-x4")
    assert srgan.psnr(lr, resize.downscale(model.upscale(lr), 4)) > 70
