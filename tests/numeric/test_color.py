"""Lumas by hand; the blur against scikit-image."""

import numpy as np
import pytest
from skimage import data, filters

from srgan.numeric import color


def test_luma_of_the_primaries_is_that_of_bt601():
    primaries = 255 * np.eye(3, dtype=np.uint8)[None]
    expected = [[16 + 65.481, 16 + 128.553, 16 + 24.966]]
    np.testing.assert_allclose(color.luma(primaries), expected)


def test_planes_are_the_luma_or_the_three_channels():
    image = data.astronaut()[:20, :30]
    (y,) = color.planes(image, "y")
    np.testing.assert_array_equal(y, color.luma(image))
    channels = color.planes(image, "rgb")
    np.testing.assert_array_equal(np.stack(channels, axis=-1), image)
    assert channels[0].dtype == np.float64  # so that a difference does not wrap around


def test_blur_matches_skimage_inside():
    plane = np.random.default_rng(0).random((30, 41))
    blurred = color.blur(plane, color.gaussian(radius=4, sigma=1.0))
    expected = filters.gaussian(plane, sigma=1.0, truncate=4.0)[4:-4, 4:-4]
    np.testing.assert_allclose(blurred, expected, atol=1e-12)


def test_sizes_and_types_are_named_when_they_do_not_fit():
    image = np.zeros((8, 9, 3), np.uint8)
    with pytest.raises(ValueError, match="must be of one size; got 8x9 and 9x8"):
        color.check_pair(image, image.swapaxes(0, 1))
    with pytest.raises(ValueError, match="needs 9x9 pixels; got 8x9"):
        color.check_pair(image, image, minimum=9)
