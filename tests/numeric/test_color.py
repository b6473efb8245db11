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
    with pytest.raises(ValueError, match="must be of one size; got 9x8 and 8x9"):
        color.as_pair(image, image.swapaxes(0, 1))
    with pytest.raises(ValueError, match="needs 9x9 pixels; got 9x8"):
        color.as_pair(image, image, minimum=9)


def test_floats_become_what_a_file_of_8_bits_holds():
    floats = np.array([0, 0.4999, 0.5001, 254.5, 255]).reshape(1, 5, 1).repeat(3, axis=2) / 255
    assert color.as_image(floats)[0, :, 0].tolist() == [0, 0, 1, 255, 255]
    uint8 = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(color.as_image((uint8 / 255).astype(np.float32)), uint8)


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, np.nan])
def test_floats_beyond_their_range_are_refused(value):
    with pytest.raises(ValueError, match=r"float images in \[0, 1\]; got"):
        color.as_image(np.full((4, 4, 3), value))
