"""Pictures degraded twice over: each stage against a reference, and the same ones every time."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.special
from skimage import data as photos

from srgan.numeric import resize
from srgan.quality import metrics
from srgan.train import degradations, second_order
from srgan.train.config import Degradation

PHOTO = photos.chelsea()[:240, :320]
NOTHING = Degradation(
    versions=1,
    clean=0.0,
    order=2,
    blur=(0, 0),
    noise=(0, 0),
    quality=(100, 100),
    resize=(1, 1),
    ringing=0.0,
    screens=0.0,
)


def degraded(name, hr=PHOTO, scale=4, **changes):
    return degradations.degrade(hr, scale, NOTHING.model_copy(update=changes), name)


def drawn(stage, image, count, *arguments):
    """What a stage makes of an image with each of some seeds."""
    return [stage(image, np.random.default_rng(seed), *arguments) for seed in range(count)]


def test_a_version_depends_on_its_name_alone():
    ranges = dict.fromkeys(("blur", "noise", "quality", "resize", "ringing", "screens"))
    changes = {name: getattr(Degradation(), name) for name in ranges}
    first, again, other = (degraded(name, **changes) for name in ("a 0", "a 0", "a 1"))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_where_little_is_drawn_lr_is_the_downscale_and_not_shifted(scale):
    hr = resize.crop_to_multiple(PHOTO, scale)
    lr = resize.downscale(hr, scale)
    for i in range(6):
        version = degraded(f"{i}", hr, scale)
        assert version.shape == lr.shape
        shifted = [np.roll(lr, shift, axis=axis) for axis in (0, 1) for shift in (-1, 1)]
        assert metrics.psnr(lr, version) > 28
        assert metrics.psnr(lr, version) > 3 + max(metrics.psnr(s, version) for s in shifted)


def test_the_smallest_photo_is_no_exception():
    changes = {"blur": (2, 2), "noise": (8, 8), "resize": (0.1, 0.3), "ringing": 1.0}
    for i in range(5):
        assert degraded(f"{i}", PHOTO[:4, :4], **changes).shape == (1, 1, 3)


def test_convolving_is_the_sum_over_neighbours_with_replicated_edges():
    kernel = second_order.gaussian(2.0, 0.7, 0.4)
    expected = scipy.ndimage.convolve(PHOTO.astype(float), kernel[..., None], mode="nearest")
    found = second_order.convolve(PHOTO, kernel)
    assert np.abs(found - expected).max() <= 0.501


def test_a_gaussian_has_its_deviations_along_its_axes():
    kernel = second_order.gaussian(3.0, 1.5, np.pi / 6)
    assert kernel.sum() == pytest.approx(1)
    y, x = np.indices(kernel.shape) - len(kernel) // 2
    along, across = (np.cos(a) * x + np.sin(a) * y for a in (np.pi / 6, np.pi / 6 + np.pi / 2))
    assert np.sqrt((kernel * along**2).sum()) == pytest.approx(3.0, rel=0.03)
    assert np.sqrt((kernel * across**2).sum()) == pytest.approx(1.5, rel=0.03)


def test_a_generalised_kernel_is_the_papers():
    kernel = second_order.gaussian(2.0, 2.0, 0.0, power=3.0)
    middle = len(kernel) // 2
    assert kernel[middle, middle + 2] / kernel[middle, middle] == pytest.approx(np.exp(-0.5))
    assert kernel[middle, middle + 4] / kernel[middle, middle] == pytest.approx(np.exp(-32))
    plateau = second_order.gaussian(2.0, 2.0, 0.0, power=2.0, plateau=True)
    assert plateau[middle, middle + 4] / plateau[middle, middle] == pytest.approx(1 / 17)


@pytest.mark.parametrize("cutoff", [np.pi / 3, 2.0, np.pi])
def test_a_sinc_kernel_is_that_of_a_circle_of_frequencies(cutoff):
    kernel = second_order.sinc(cutoff)
    radius = np.hypot(*(np.indices(kernel.shape) - 10))
    radius[10, 10] = 1e-9
    expected = cutoff * scipy.special.j1(cutoff * radius) / (2 * np.pi * radius)
    np.testing.assert_allclose(kernel, expected / expected.sum(), atol=1e-9)


def test_noise_has_its_deviation_and_that_of_light_grows_with_it():
    settings = NOTHING.model_copy(update={"noise": (6, 6)})
    image = np.full((80, 160, 3), 128, np.uint8)
    image[:, 80:] = 32
    kinds = []
    for noisy in drawn(second_order.noisy, image, 60, settings):
        error = noisy.astype(float) - image
        assert error[:, :80].std() == pytest.approx(6, rel=0.06)
        assert error.mean() == pytest.approx(0, abs=0.3)
        of_light = error[:, 80:].std() < 4.5
        assert error[:, 80:].std() == pytest.approx(3 if of_light else 6, rel=0.06)
        kinds.append((of_light, bool((error == error[..., :1]).all())))
    assert np.mean(kinds, axis=0) == pytest.approx([0.5, 0.4], abs=0.15)


def test_sizes_fill_their_range():
    settings = NOTHING.model_copy(update={"resize": (0.5, 2.0)})
    found = drawn(second_order.scaled, PHOTO[:60, :80], 100, settings, 60, 80)
    factors = np.array([image.shape[0] / 60 for image in found])
    assert all(
        image.shape[1] == pytest.approx(80 * f, abs=1)
        for image, f in zip(found, factors, strict=True)
    )
    assert 0.5 <= factors.min() < 0.55
    assert 1.8 < factors.max() <= 2.0
    shares = np.mean(factors > 1), np.mean(factors < 1)
    assert shares == pytest.approx((0.2, 0.7), abs=0.1)


def test_compression_costs_more_the_lower_its_quality_and_is_of_two_kinds():
    def scores(quality):
        settings = NOTHING.model_copy(update={"quality": (quality, quality)})
        found = drawn(second_order.compress, PHOTO, 30, settings)
        return {round(float(metrics.psnr(PHOTO, image)), 6) for image in found}

    worse, better = scores(30), scores(90)
    assert len(worse) == len(better) == 2  # JPEG and WebP
    assert max(worse) + 3 < min(better)


def test_a_screen_capture_is_not_compressed_at_its_own_size():
    def scores(screens):
        versions = [degraded(f"{i}", quality=(5, 5), screens=screens) for i in range(8)]
        lr = resize.downscale(PHOTO, 4)
        return [metrics.psnr(lr, version) for version in versions]

    assert min(scores(1.0)) > 3 + max(scores(0.0))


def test_ringing_overshoots_at_outlines():
    hr = np.full((128, 128, 3), 80, np.uint8)
    hr[:, 64:] = 170

    def overshoot(ringing):
        return np.mean([np.ptp(degraded(f"{i}", hr, ringing=ringing)) for i in range(8)]) - 90

    assert overshoot(1.0) > overshoot(0.0) + 8


@pytest.mark.parametrize("change", [{"resize": (0.4, 1.0)}, {"ringing": 0.4}, {"screens": 0.0}])
def test_what_only_two_passes_have_is_refused_for_one(change):
    with pytest.raises(ValueError, match="has no effect with order = 1; set order to 2"):
        Degradation(**change)
