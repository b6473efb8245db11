"""The map is computed by hand where that is easy, looks no farther than it says, and is legible."""

import numpy as np
import pytest
from skimage import color, data

from srgan.io import images
from srgan.io.find import find_images
from srgan.io.text import LETTER_WIDTH, draw_text
from srgan.models import loading, tiling
from srgan.models.metadata import Calibration
from srgan.numeric import projection, resize
from srgan.quality import uncertainty
from srgan.upscaling import error_map

A, B, BASE = CALIBRATION = Calibration(1.6, 0.2, 0.4)


@pytest.fixture
def pair():
    """Two random results, uint8."""
    rng = np.random.default_rng(0)
    return tuple(rng.integers(0, 256, (41, 57, 3), dtype=np.uint8) for _ in range(2))


def grey(level, height=32, width=32):
    return np.full((height, width, 3), level, np.uint8)


def expected_error(sr, psnr_sr):
    return uncertainty.expected_error(sr, psnr_sr, CALIBRATION)


def test_where_nothing_is_to_be_seen_only_the_base_error_is_left():
    np.testing.assert_allclose(expected_error(grey(100), grey(100)), BASE, rtol=1e-6)


def test_a_disagreement_counts_by_its_size_averaged_over_the_channels():
    sr = grey(100)
    sr[..., 1] += 12
    np.testing.assert_allclose(expected_error(sr, grey(100)), 4 * A + BASE, rtol=1e-5)


def test_contrast_is_the_slope_along_both_axes():
    y, x = np.mgrid[:40, :40]
    ramp = np.repeat((2 * x + 3 * y)[..., None], 3, axis=2).astype(np.uint8)
    _, contrast = uncertainty.cues(ramp, ramp)
    inside = slice(uncertainty.REACH, -uncertainty.REACH)
    np.testing.assert_allclose(contrast[inside, inside], 5, rtol=1e-5)


def test_equal_models_leave_what_contrast_lets_expect(pair):
    disagreement, contrast = uncertainty.cues(pair[0], pair[0])
    assert not disagreement.any()
    np.testing.assert_allclose(expected_error(pair[0], pair[0]), B * contrast + BASE, rtol=1e-6)


def test_the_mean_over_a_window_matches_numpy(pair):
    plane = pair[0][..., 0].astype(np.float32)
    found = uncertainty.window_mean(plane)
    half = uncertainty.WINDOW // 2
    assert found.shape == plane.shape
    assert found[20, 30] == pytest.approx(
        plane[20 - half : 21 + half, 30 - half : 31 + half].mean(), rel=1e-5
    )
    corner = np.pad(plane, half, mode="edge")[: uncertainty.WINDOW, : uncertainty.WINDOW]
    assert found[0, 0] == pytest.approx(corner.mean(), rel=1e-5)


def test_invented_texture_lights_up_there_and_nowhere_else():
    psnr_sr = data.astronaut()[:96, :96]
    sr = psnr_sr.copy()
    texture = np.random.default_rng(0).choice([-20, 20], (24, 24, 1))
    patch = slice(40, 64)
    sr[patch, patch] = np.clip(sr[patch, patch].astype(int) + texture, 0, 255)
    before, after = (expected_error(x, psnr_sr) for x in (psnr_sr, sr))
    rise = after - before
    assert rise[48:56, 48:56].min() > 10 * A
    far = np.ones_like(rise, bool)
    near = slice(40 - uncertainty.REACH, 64 + uncertainty.REACH)
    far[near, near] = False
    assert not rise[far].any()


def test_a_difference_carries_exactly_as_far_as_stated(pair):
    changed = pair[1].copy()
    changed[20, 20] = 255 - changed[20, 20]
    seen = expected_error(pair[0], changed) != expected_error(*pair)
    rows, columns = np.nonzero(seen)
    reach = uncertainty.REACH
    assert (rows.min(), rows.max()) == (20 - reach, 20 + reach)
    assert (columns.min(), columns.max()) == (20 - reach, 20 + reach)


def test_a_part_gives_the_values_of_the_whole_away_from_its_cuts(pair):
    whole = expected_error(*pair)
    part = expected_error(*(image[7:35, 11:50] for image in pair))
    inside = slice(uncertainty.REACH, -uncertainty.REACH)
    np.testing.assert_allclose(part[inside, inside], whole[7:35, 11:50][inside, inside], rtol=1e-5)


def test_a_picture_that_comes_in_rows_is_drawn_in_rows(pair):
    whole = error_map.draw(expected_error(*pair))
    both = np.concatenate(pair, axis=2)
    bands = (both[top : top + 6] for top in range(0, 41, 6))
    cut = tiling.TileLayout(41, 57, uncertainty.REACH, (20, 30))

    def run(part):
        return error_map.draw(expected_error(part[:, :, :3], part[:, :, 3:]))

    drawn = np.concatenate(list(tiling.upscale(run, bands, cut, scale=1)))
    np.testing.assert_allclose(drawn.astype(int), whole, atol=3)  # one step of the colours


def test_all_kinds_of_samples_are_in_the_same_units(pair):
    expected = expected_error(*pair)
    assert expected.dtype == np.float32
    for kind in ([image.astype(np.uint16) * 257 for image in pair], [i / 255 for i in pair]):
        np.testing.assert_allclose(expected_error(*kind), expected, rtol=1e-5)
        np.testing.assert_allclose(expected_error(kind[0], pair[1]), expected, rtol=1e-5)


def test_grey_images_have_the_map_of_the_same_in_rgb(pair):
    single = [image[:, :, :1] for image in pair]
    tripled = [image.repeat(3, axis=2) for image in single]
    expected = expected_error(*tripled)
    np.testing.assert_allclose(expected_error(*single), expected, rtol=1e-5)


def test_mirroring_and_turning_the_images_does_so_with_the_map(pair):
    expected = expected_error(*pair)
    mirrored = expected_error(*(image[:, ::-1] for image in pair))
    turned = expected_error(*(np.rot90(image) for image in pair))
    np.testing.assert_allclose(mirrored, expected[:, ::-1], rtol=1e-5)
    np.testing.assert_allclose(turned, np.rot90(expected), rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (5, 4)])
def test_images_smaller_than_the_window_have_a_map(size):
    error = expected_error(grey(10, *size), grey(16, *size))
    np.testing.assert_allclose(error, np.full(size, 6 * A + BASE), rtol=1e-5)


def test_disagreement_of_consistent_results_is_unseen_by_the_downscale():
    hr = data.astronaut()[:128, :128].astype(np.float32) / 255
    lr = resize.downscale(hr, 4)
    smooth = projection.project(resize.upscale(lr, 4), lr, rounds=8)
    disagreement = hr - smooth
    seen = resize.downscale(disagreement, 4)
    assert np.abs(seen).mean() < 0.01 * np.abs(disagreement).mean()


@pytest.mark.parametrize(
    ("sr", "psnr_sr", "message"),
    [
        (grey(0), grey(0, 30), "RGB or grey images .* of one size; got .*30, 32, 3"),
        (grey(0)[..., 0], grey(0)[..., 0], "must be RGB or grey"),
        (grey(0)[..., :2], grey(0)[..., :2], "must be RGB or grey"),
        (grey(0, 0), grey(0, 0), "must be RGB or grey"),
        (np.full((9, 9, 3), np.nan, np.float32), grey(0, 9, 9), "not finite"),
        (grey(0, 9, 9), np.full((9, 9, 3), np.inf, np.float32), "not finite"),
    ],
)
def test_what_is_no_pair_of_results_is_refused(sr, psnr_sr, message):
    with pytest.raises(ValueError, match=message):
        expected_error(sr, psnr_sr)


def test_pictures_go_from_black_to_the_last_colour_and_stay_there():
    error = np.array([[0, error_map.PEAK, 1000]], np.float32)
    picture = error_map.draw(error)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, [[[0, 0, 4], [252, 255, 164], [252, 255, 164]]])


def test_colours_get_lighter_in_about_equal_steps():
    error = np.linspace(0, error_map.PEAK, 33, dtype=np.float32)[None]
    lightness = color.rgb2lab(error_map.draw(error))[0, :, 0]
    steps = np.diff(lightness)
    assert steps.min() > 0
    np.testing.assert_allclose(lightness, np.linspace(*lightness[[0, -1]], 33), atol=6)


@pytest.mark.parametrize("width", [1, 40, 448, 1601, 4000])
def test_legends_are_as_wide_as_asked_and_show_all_colours(width):
    strip = error_map.legend(width)
    assert strip.shape[1:] == (width, 3)
    assert strip.dtype == np.uint8
    assert strip.shape[0] == 34 * max(1, width // 800)
    np.testing.assert_array_equal(strip[0, 0], [0, 0, 4])
    if width > 1:
        np.testing.assert_allclose(strip[0, -1], [252, 255, 164], atol=8)


def test_legends_say_the_unit():
    strip = error_map.legend(448)
    text = "0" + "32 grey levels of expected error".rjust(448 // LETTER_WIDTH - 1)
    np.testing.assert_array_equal(strip[-22:], draw_text(text, 448))


def test_a_fit_finds_what_made_the_errors_and_minds_small_ones_as_much_as_large_ones():
    rng = np.random.default_rng(0)
    disagreement, contrast = rng.exponential(6, (2, 20_000))
    exact = 1.5 * disagreement + 0.3 * contrast + 0.5
    noisy = exact * rng.uniform(0.5, 1.5, exact.shape)
    np.testing.assert_allclose(uncertainty.fit(disagreement, contrast, exact), (1.5, 0.3, 0.5))
    np.testing.assert_allclose(
        uncertainty.fit(disagreement, contrast, noisy), (1.5, 0.3, 0.5), atol=0.02
    )


def test_a_calibration_is_fitted_to_the_windows_of_photos():
    hr = data.astronaut()[:200, :200]
    psnr_sr = images.to_uint8(resize.upscale(resize.downscale(hr / 255, 4), 4))
    detail = hr.astype(int) - psnr_sr
    sr = np.clip(hr + detail // 2, 0, 255).astype(np.uint8)  # half as much again of what is there
    fitted = uncertainty.calibrate([(hr, sr, psnr_sr), (hr, sr, psnr_sr)])
    middles = uncertainty.windows(200, 200, border=4)
    error = uncertainty.window_mean(np.abs(sr.astype(np.float32) - hr).mean(axis=2))
    planes = [plane[middles].ravel() for plane in (*uncertainty.cues(sr, psnr_sr), error)]
    np.testing.assert_allclose(fitted, uncertainty.fit(*planes), rtol=1e-6)
    assert fitted.disagreement == pytest.approx(1 / 3, abs=0.03)  # the detail of both, halved


def test_real_errors_follow_the_map_on_photos(shared_data):
    gan, psnr = loading.load("srgan-x4"), loading.load("srgan-psnr-x4")
    hr = images.read_uint8(find_images(shared_data / "validation" / "Kodak24")[18])
    lr = resize.downscale(hr, 4)
    sr, psnr_sr = (model.upscale(lr, dtype=np.uint8) for model in (gan, psnr))
    found = uncertainty.window_mean(np.abs(sr.astype(np.float32) - hr).mean(axis=2))
    expected = uncertainty.expected_error(sr, psnr_sr, gan.metadata.calibration)
    windows = np.s_[4::9, 4::9]
    ranks = [np.argsort(np.argsort(plane[windows].ravel())) for plane in (expected, found)]
    assert np.corrcoef(*ranks)[0, 1] > 0.8
    assert 0.5 < expected.mean() / found.mean() < 2
