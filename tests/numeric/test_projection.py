"""The projection is held against its definition."""

import numpy as np
import pytest
from skimage import data as photos

from srgan.io import images
from srgan.numeric import projection, resize


def test_a_projected_image_scales_down_to_lr_nearly():
    hr = photos.chelsea()[:160, :160]
    lr = resize.downscale(hr, 4)
    sr = resize.upscale(lr, 4)
    projected = projection.project(sr / 255, lr / 255)
    rounded = images.to_uint8(projected)

    def rms(image):
        return np.sqrt(np.mean((resize.downscale(image, 4) - lr.astype(float)) ** 2))

    assert rms(sr) > 2
    assert rms(rounded) < 0.25  # grey levels: that is 60 dB


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(6, 9, 4), (1, 40, 4), (37, 83, 4), (33, 35, 3), (20, 64, 8)]
)
def test_projection_follows_its_definition(height, width, scale):
    rng = np.random.default_rng(0)
    sr, lr = rng.random((height * scale, width * scale, 3)), rng.random((height, width, 3))
    expected = sr
    for step in projection.steps(5):
        missing = lr - resize.downscale(expected, scale)
        expected = expected + step * resize.upscale(missing, scale)
    np.testing.assert_allclose(projection.project(sr, lr, rounds=5), expected, atol=2e-6)


def test_the_steps_are_those_of_chebyshev_s_polynomial():
    # Of degree 2, by hand: the larger root is 1, the smaller makes |p| at 0.22 its minimum's.
    longest = 1 / (0.22 + 0.78 * (1 - np.sqrt(0.5)) / (1 + np.sqrt(0.5)))
    assert projection.steps(2) == pytest.approx([1, longest])
    assert projection.steps(1) == [1]
    assert projection.steps(0) == []


@pytest.mark.parametrize(
    ("rounds", "left"), [(1, 0.78), (2, 1 / 3.4), (4, 1 / 27.3), (8, 1 / 1656)]
)
def test_no_steps_from_one_leave_less_of_the_worst_error(rounds, left):
    errors = np.linspace(0.22, 1, 20001)
    kept = np.prod([1 - step * errors for step in projection.steps(rounds)], axis=0)
    assert np.abs(kept).max() == pytest.approx(left, rel=0.01)
    assert kept[-1] == pytest.approx(0, abs=1e-12)
    # Equal extremes of changing sign, one more than the roots below 1, prove that it is the least.
    extremes = kept[np.flatnonzero(np.diff(np.sign(np.diff(kept)))) + 1]
    signs = (-1) ** np.arange(rounds)
    np.testing.assert_allclose([kept[0], *extremes], left * signs, rtol=0.01)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 40])
def test_down_after_up_multiplies_by_what_the_steps_expect(scale, length):
    columns = [
        resize.downscale(resize.upscale(column.reshape(-1, 1, 1), scale), scale)[:, 0, 0]
        for column in np.eye(length)
    ]
    eigenvalues = np.linalg.eigvals(columns)
    assert np.abs(eigenvalues.imag).max() < 1e-12
    assert eigenvalues.real.min() > 0.22**0.5
    assert eigenvalues.real.max() == pytest.approx(1)


def test_the_most_rounds_are_not_yet_unstable():
    rng = np.random.default_rng(0)
    lr = rng.random((40, 30, 3))
    projected = projection.project(rng.random((160, 120, 3)), lr, projection.MAX_ROUNDS)
    assert np.abs(resize.downscale(projected.astype(np.float64), 4) - lr).max() < 1e-4


@pytest.mark.parametrize("rounds", [-1, 17])
def test_rounds_that_would_be_unstable_or_are_none_at_all_are_refused(rounds):
    with pytest.raises(ValueError, match=rf"0 to 16 rounds; got {rounds}"):
        projection.project(np.zeros((4, 4, 3)), np.zeros((1, 1, 3)), rounds)


def test_no_rounds_of_projection_change_nothing():
    sr = np.random.default_rng(0).random((8, 8, 3))
    assert projection.project(sr, np.zeros((2, 2, 3)), rounds=0) is sr


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("rounds", [1, 2, 4, 8, 16])
def test_the_halo_covers_the_projection(scale, rounds):
    # All of the projection is linear: what one lr pixel's worth of error (the rim of a tile)
    # does farther away than the halo bounds what tiling can change.
    reach = projection.reach(rounds)
    size = 2 * reach + 5
    centre = size // 2
    lr = np.zeros((size, size, 1), np.float32)
    sr = np.zeros((size * scale, size * scale, 1), np.float32)
    sr[centre * scale : (centre + 1) * scale, centre * scale : (centre + 1) * scale] = 1
    lr[centre, centre] = 1
    distance = np.abs(np.indices((size * scale, size * scale)) // scale - centre).max(axis=0)
    for far in (projection.project(sr, 0 * lr, rounds), projection.project(0 * sr, lr, rounds)):
        assert np.abs(far[distance > reach]).sum() < 1e-6


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"one integer multiple .* \(8, 9, 3\) and \(2, 2, 3\)"):
        projection.project(np.zeros((8, 9, 3)), np.zeros((2, 2, 3)))
