"""Each measure rises on images made to have its fault, by a known amount, and on no others."""

import numpy as np
import pytest
from skimage import data

from srgan.numeric import resize
from srgan.quality import artifacts

SCALE = 4


@pytest.fixture(scope="module")
def photo():
    return resize.crop_to_multiple(data.astronaut()[10:250, 150:400], SCALE)


@pytest.fixture(scope="module")
def pair(photo):
    """A photo and its bicubic x4 reconstruction."""
    return photo, resize.upscale(resize.downscale(photo, SCALE), SCALE)


def constant(value, height=32, width=32):
    return np.full((height, width, 3), value, np.uint8)


def grey(plane):
    """A grey image of a plane in 0..255."""
    rounded = np.floor(np.clip(plane, 0, 255) + 0.5).astype(np.uint8)
    return np.repeat(rounded[..., None], 3, axis=2)


def step(height=64, width=64, dark=60, bright=200):
    plane = np.full((height, width), float(dark))
    plane[:, width // 2 :] = bright
    return plane


def low_pass(plane, limit):
    """An ideal low-pass filter, with all the ringing that it brings; cycles a pixel."""
    height, width = plane.shape
    mirrored = np.block([[plane, plane[:, ::-1]], [plane[::-1], plane[::-1, ::-1]]])
    rows, columns = np.fft.fftfreq(2 * height)[:, None], np.fft.fftfreq(2 * width)[None]
    below = (np.abs(rows) < limit) & (np.abs(columns) < limit)
    return np.fft.ifft2(np.fft.fft2(mirrored) * below).real[:height, :width]


def faults(hr, sr):
    """All measures of `sr` that are 0 where nothing is wrong."""
    lr = resize.downscale(hr, SCALE)
    return {
        "ringing": artifacts.ringing(hr, sr, SCALE),
        "echo": artifacts.echo(hr, sr, SCALE),
        "aliasing": np.nan_to_num(artifacts.aliasing(hr, sr, SCALE)),
        "checkerboard": artifacts.checkerboard(sr, SCALE),
        "colour_drift": artifacts.colour_drift(lr, sr),
    }


def assert_only(fault, hr, sr, least, rest):
    """Asserts that one measure is at least `least`, and every other within its limit."""
    found = faults(hr, sr)
    assert found.pop(fault) >= least
    assert {name: value for name, value in found.items() if abs(value) > rest[name]} == {}


LIMITS = {
    "ringing": 0.02,
    "echo": 0.05,
    "aliasing": 0.05,
    "checkerboard": 0.15,
    "colour_drift": 0.1,
}


# sharpness


def test_sharpness_of_half_the_contrast_is_a_quarter(photo):
    half = (photo // 4 * 2).astype(np.uint8)  # exact in integers
    full = (photo // 4 * 4).astype(np.uint8)
    assert artifacts.sharpness(full, half) == pytest.approx(0.25)


def test_sharpness_of_a_ramp_is_computed_by_hand():
    # Steps of 2 levels against steps of 6: (2 / 6)^2.
    ramp = np.arange(0, 60, 2.0)[None].repeat(8, axis=0)
    assert artifacts.sharpness(grey(3 * ramp), grey(ramp)) == pytest.approx(1 / 9)


def test_bicubic_is_softer_than_the_original_and_a_ringing_free_copy_equal(pair):
    hr, bicubic = pair
    assert artifacts.sharpness(hr, bicubic) < 0.7
    assert artifacts.sharpness(hr, hr) == 1
    assert artifacts.sharpness(bicubic, hr) == pytest.approx(1 / artifacts.sharpness(hr, bicubic))


def test_sharpness_against_a_flat_image_is_unknown():
    assert np.isnan(artifacts.sharpness(constant(3), constant(3)))


# ringing


def test_a_ringing_kernel_raises_ringing_and_nothing_else():
    hr = step()
    rest = LIMITS | {"echo": 5.0}  # beyond the first overshoot, ringing is an echo
    assert_only("ringing", grey(hr), grey(low_pass(hr, 0.125)), least=1.0, rest=rest)


def test_dots_beside_an_edge_raise_echo_and_nothing_else():
    hr, sr = step(), step()
    sr[::10, 28] += 40  # where both sides of the edge are near, so that nothing overshoots
    rest = LIMITS | {"checkerboard": artifacts.checkerboard(grey(hr), SCALE) + 0.15}
    assert_only("echo", grey(hr), grey(sr), least=0.1, rest=rest)


def test_a_line_of_echo_is_measured_by_hand():
    hr, sr = step(), step()
    sr[:, 27] += 20  # the fifth column from the edge: within 3 pixels, hr is plain
    echoes = artifacts.echoes(grey(hr), grey(sr), SCALE)
    np.testing.assert_allclose(echoes, np.where(sr != hr, 219 / 255 * 20, 0))
    # Columns 16 to 28 and 35 to 48 are plain, and at most 16 pixels from column 32, the edge.
    assert artifacts.echo(grey(hr), grey(sr), SCALE) == pytest.approx(219 / 255 * 20 / 27)


def test_texture_far_from_edges_and_softness_have_no_echo():
    rng = np.random.default_rng(0)
    noise = 100 + rng.normal(0, 8, (64, 64))
    assert artifacts.echo(grey(noise), grey(rng.permuted(noise)), SCALE) == 0
    soft = resize.upscale(resize.downscale(grey(step()), 2), 2)
    assert artifacts.echo(grey(step()), soft, SCALE) < 0.3


def test_a_line_of_overshoot_is_measured_by_hand():
    hr, sr = step(), step()
    sr[:, 33] += 20  # one column beside the edge
    luma_step = 219 / 255 * 20
    np.testing.assert_allclose(
        artifacts.overshoot(grey(hr), grey(sr), SCALE), np.where(sr != hr, luma_step, 0)
    )
    # Near the edge between columns 31 and 32 are those from 32 - 8 to 32 + 8.
    assert artifacts.ringing(grey(hr), grey(sr), SCALE) == pytest.approx(luma_step / 17)


def test_undershoot_counts_as_overshoot_does():
    hr, bright, dark = step(), step(), step()
    bright[:, 34] += 12
    dark[:, 29] -= 12
    assert artifacts.ringing(grey(hr), grey(bright), SCALE) == pytest.approx(
        artifacts.ringing(grey(hr), grey(dark), SCALE)
    )


def test_a_soft_edge_does_not_ring():
    soft = step()
    soft[:, 28:36] = np.linspace(60, 200, 8)
    assert artifacts.ringing(grey(step()), grey(soft), SCALE) == 0


def test_other_textures_do_not_ring():
    rng = np.random.default_rng(0)
    hr, sr = rng.integers(50, 200, (2, 64, 64, 3), dtype=np.uint8)
    assert artifacts.ringing(hr, sr, SCALE) < 0.5


def test_far_from_strong_edges_nothing_is_ringing():
    hr, sr = step(), step()
    sr[:, 50:] += 20
    assert artifacts.ringing(grey(hr), grey(sr), SCALE) == 0
    assert artifacts.ringing(constant(9), constant(200), SCALE) == 0


# aliasing


def stripes(frequency, amplitude=15, side=128):
    phase = 2 * np.pi * frequency * (np.arange(side) + 0.5)
    return 128 + amplitude * np.cos(phase)[None].repeat(side, axis=0)


# 0.3125 cycles a pixel are 1.25 a sample at every 4th: they look like 0.25, or 0.0625 a pixel. The
# samples lie in the middle of 4 pixels, where the two stripes have opposite signs.
FINE, FALSE = stripes(0.3125), stripes(0.0625, amplitude=-15)


def left_out(plane):
    """Every 4th pixel (between the middle ones), interpolated ideally: all detail folds."""
    height, width = (side // SCALE for side in plane.shape)
    small = plane.reshape(height, SCALE, width, SCALE)[:, 1:3, :, 1:3].mean(axis=(1, 3))
    return low_pass(np.kron(small, np.ones((SCALE, SCALE))), 0.125)


def test_stripes_that_return_at_the_wrong_frequency_are_aliasing_and_nothing_else():
    assert_only("aliasing", grey(FINE), grey(FALSE), least=0.95, rest=LIMITS)


def test_half_of_the_false_stripes_are_half_of_the_aliasing():
    half = 128 + (FALSE - 128) / 2
    for sr, expected in ((FINE, 0), (half, 0.5), (FALSE, 1), (FINE + FALSE - 128, 1)):
        assert artifacts.aliasing(grey(FINE), grey(sr), SCALE) == pytest.approx(expected, abs=0.04)


def test_stripes_of_the_opposite_phase_are_not_what_folds():
    other = stripes(0.0625)
    assert artifacts.aliasing(grey(FINE), grey(other), SCALE) < 0


def test_leaving_detail_out_is_no_aliasing(photo):
    y = photo.mean(axis=2)
    soft = low_pass(y, 0.125)
    assert abs(artifacts.aliasing(grey(y), grey(soft), SCALE)) < 0.05


def test_scaling_down_without_a_filter_is_aliasing(photo):
    y = photo.mean(axis=2)
    assert artifacts.aliasing(grey(y), grey(left_out(y)), SCALE) > 0.3


def test_aliasing_of_a_flat_image_is_unknown():
    assert np.isnan(artifacts.aliasing(constant(50), constant(50), SCALE))


def test_aliasing_needs_multiples_of_the_scale():
    with pytest.raises(ValueError, match="multiples of it; got 32x30"):
        artifacts.aliasing(constant(0, 30), constant(0, 30), SCALE)


# checkerboard


def tile_pattern(amplitude, side=64):
    """A fixed pattern of period 4 with a mean of zero."""
    block = np.array([[1, -1, 1, -1], [-1, 1, -1, 1]] * 2)
    return amplitude * np.tile(block, (side // SCALE, side // SCALE))


def test_a_checkerboard_raises_checkerboard_and_nothing_else():
    hr = np.full((64, 64), 120.0)
    assert_only("checkerboard", grey(hr), grey(hr + tile_pattern(3)), least=2, rest=LIMITS)


def test_the_checkerboard_is_the_amplitude_of_the_pattern_by_hand():
    # The blur takes exp(-w^2) of the frequency w = pi along both axes, which is nothing.
    sr = grey(120 + tile_pattern(3.0))
    assert artifacts.checkerboard(sr, SCALE) == pytest.approx(3 * 219 / 255, rel=0.001)


def test_a_faint_checkerboard_is_found_in_a_texture_where_grid_sees_none(photo):
    y = photo.mean(axis=2)
    patterned = y + np.tile(tile_pattern(1.0, 4), (y.shape[0] // 4, y.shape[1] // 4))
    before, after = grey(y), grey(patterned)
    assert artifacts.checkerboard(after, SCALE) > artifacts.checkerboard(before, SCALE) + 0.6
    assert abs(artifacts.grid(after, SCALE) - artifacts.grid(before, SCALE)) < 0.03


def test_noise_has_no_checkerboard():
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    assert artifacts.checkerboard(noise, SCALE) < 0.5


# colour drift


def test_a_tint_raises_colour_drift_and_nothing_else(photo):
    tinted = photo.clip(0, 240)
    hr = tinted.copy()
    tinted[..., 2] += 7
    assert_only("colour_drift", hr, tinted, least=6.9, rest=LIMITS)
    assert artifacts.colour_drift(hr, tinted) == pytest.approx(7)


def test_bicubic_has_no_colour_drift(pair):
    hr, bicubic = pair
    assert artifacts.colour_drift(resize.downscale(hr, SCALE), bicubic) < 0.1


# grid


def test_grid_of_one_bright_phase_is_high_and_of_noise_low():
    pattern = constant(100, 80, 80)
    pattern[::4, ::4] = 140
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    assert artifacts.grid(pattern, 4) > 1
    assert artifacts.grid(noise, 4) < 0.05


def test_grid_of_a_column_pattern_is_computed_by_hand():
    # One column in four is brighter. In Fourier space, a Gaussian of sigma 1 keeps exp(-w^2 / 2)
    # of the frequency w, and the detail is what it takes away at w = pi/2 and at w = pi.
    pattern = constant(100, 64, 64)
    pattern[:, ::4] += 40
    half, nyquist = 1 - np.exp(-(np.pi**2) / 8), 1 - np.exp(-(np.pi**2) / 2)
    detail = np.array([2 * half + nyquist, -nyquist, -2 * half + nyquist, -nyquist])
    expected = np.std(detail**2) / np.mean(detail**2)
    assert artifacts.grid(pattern, 4) == pytest.approx(expected, rel=0.01)


def test_grid_does_not_depend_on_where_the_pattern_starts(pair):
    sr = pair[1]
    shifted = np.roll(sr, (1, 2), axis=(0, 1))
    assert artifacts.grid(shifted, 4) == pytest.approx(artifacts.grid(sr, 4), rel=0.02)


def test_a_flat_image_has_no_grid_not_even_with_pixels_that_are_one_level_off():
    flat = constant(77)
    assert np.isnan(artifacts.grid(flat, 4))
    rng = np.random.default_rng(0)
    flat[rng.random(flat.shape[:2]) < 0.01] += 1
    assert np.isnan(artifacts.grid(flat, 4))


def test_an_image_of_rounding_noise_has_a_grid():
    noise = np.random.default_rng(0).integers(76, 79, constant(77).shape, np.uint8)
    assert artifacts.grid(noise, 4) < 0.5


def test_grid_refuses_images_without_an_inside():
    with pytest.raises(ValueError, match="GRID at scale=4 needs 20x20 pixels; got 40x19"):
        artifacts.grid(constant(0, 19, 40), 4)


# all


@pytest.mark.parametrize(
    "measure",
    [
        artifacts.sharpness,
        lambda hr, sr: artifacts.overshoot(hr, sr, SCALE),
        lambda hr, sr: artifacts.ringing(hr, sr, SCALE),
        lambda hr, sr: artifacts.aliasing(hr, sr, SCALE),
    ],
)
def test_images_of_different_sizes_are_refused(measure):
    with pytest.raises(ValueError, match="must be of one size; got 32x32 and 32x40"):
        measure(constant(0), constant(0, height=40))


@pytest.mark.parametrize(
    "measure",
    [
        lambda image: artifacts.sharpness(image, image),
        lambda image: artifacts.ringing(image, image, SCALE),
        lambda image: artifacts.aliasing(image, image, SCALE),
        lambda image: artifacts.grid(image, SCALE),
        lambda image: artifacts.checkerboard(image, SCALE),
        lambda image: artifacts.colour_drift(image, image),
    ],
)
def test_floats_are_measured_as_the_bytes_that_they_become(measure):
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    floats = (image / 255).astype(np.float32)
    assert measure(floats) == measure(image)
