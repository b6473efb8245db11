"""The projection is held against its definition."""

import numpy as np
import pytest
from skimage import data as photos

from srgan import images, projection, resize


def test_a_projected_image_scales_down_to_lr_nearly():
    hr = photos.chelsea()[:160, :160]
    lr = resize.downscale(hr, 4)
    sr = resize.upscale(lr, 4)
    projected = projection.project(sr / 255, lr / 255, rounds=8)
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
    for _ in range(5):
        expected = expected + resize.upscale(lr - resize.downscale(expected, scale), scale)
    np.testing.assert_allclose(projection.project(sr, lr, rounds=5), expected, atol=2e-6)


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
