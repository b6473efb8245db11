"""Degraded LR images: each step against a reference, and the same ones every time."""

import io

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from skimage import data as photos

from srgan.numeric import resize
from srgan.quality import metrics
from srgan.train import degradations
from srgan.train.config import Degradation

PHOTO = photos.chelsea()[:240, :320]
NOTHING = Degradation(versions=1, clean=0.0, blur=(0, 0), noise=(0, 0), quality=(100, 100))


def degraded(hr=PHOTO, scale=4, name="cat.png 0", **changes):
    return degradations.degrade(hr, scale, NOTHING.model_copy(update=changes), name)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_a_clean_version_is_the_downscale(scale):
    hr = resize.crop_to_multiple(PHOTO, scale)
    np.testing.assert_array_equal(degraded(hr, scale, clean=1.0), resize.downscale(hr, scale))


def test_where_nothing_is_drawn_only_the_best_jpeg_is_left():
    assert metrics.psnr(resize.downscale(PHOTO, 4), degraded()) > 45


@pytest.mark.parametrize("sigma", [0.5, 1.0])
def test_blur_is_a_gaussian_of_lr_pixels_before_the_downscale(sigma):
    blurred = scipy.ndimage.gaussian_filter(
        PHOTO.astype(float), (4 * sigma, 4 * sigma, 0), mode="nearest"
    )
    expected = resize.downscale(np.rint(blurred).astype(np.uint8), 4)
    lr = degraded(blur=(sigma, sigma))
    assert metrics.psnr(expected, lr) > 45
    assert metrics.psnr(resize.downscale(PHOTO, 4), lr) < 40  # so that it was blurred at all


def test_noise_has_the_standard_deviation_asked_for():
    grey = np.full((400, 400, 3), 128, np.uint8)
    lr = degraded(grey, noise=(6, 6)).astype(float)
    assert lr.mean() == pytest.approx(128, abs=0.3)
    assert lr.std(axis=(0, 1)) == pytest.approx([6, 6, 6], rel=0.06)
    assert degraded(np.full((40, 40, 3), 255, np.uint8), noise=(6, 6)).max() == 255  # no overflow


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_is_that_of_other_programs(quality):
    file = io.BytesIO()
    small = PIL.Image.fromarray(resize.downscale(PHOTO, 4))
    small.save(file, "jpeg", quality=quality, subsampling=0 if quality >= 90 else 2)
    expected = np.asarray(PIL.Image.open(file))
    assert metrics.psnr(expected, degraded(quality=(quality, quality))) > 45


def test_random_levels_fill_their_range():
    grey = np.full((64, 64, 3), 128, np.uint8)
    found = [degraded(grey, name=f"grey.png {i}", noise=(2, 8)).std() for i in range(60)]
    assert 1.5 < min(found) < 3
    assert 7 < max(found) < 8.5


def test_a_share_of_the_versions_stays_clean():
    hr = PHOTO[:64, :64]
    lr = resize.downscale(hr, 4)
    versions = [degraded(hr, name=f"{i}", clean=0.3, noise=(5, 5)) for i in range(200)]
    assert np.mean([np.array_equal(lr, version) for version in versions]) == pytest.approx(
        0.3, abs=0.1
    )


def test_a_version_depends_on_its_name_alone():
    ranges = {"blur": (0, 0.7), "noise": (0, 8), "quality": (30, 95)}
    first, again, other = (degraded(name=name, **ranges) for name in ("a 0", "a 0", "a 1"))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_smallest_photo_is_no_exception():
    assert degraded(PHOTO[:4, :4], blur=(0.7, 0.7), noise=(8, 8)).shape == (1, 1, 3)
