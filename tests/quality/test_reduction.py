"""The way that LR images were made is told from the images."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from srgan.io import images
from srgan.numeric import resize
from srgan.quality import reduction

SCALE = 4


@pytest.fixture(scope="module")
def hr():
    return np.ascontiguousarray(data.astronaut()[100:292, 120:328])


def by_pillow(hr, way):
    return np.asarray(Image.fromarray(hr).resize((hr.shape[1] // 4, hr.shape[0] // 4), way))


def by_opencv(hr, way):
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
    size = hr.shape[1] // 4, hr.shape[0] // 4
    return cv2.resize(hr, size, interpolation=getattr(cv2, f"INTER_{way}"))


def in_floats(hr):
    return images.to_uint8(np.clip(resize.downscale(hr / 255, SCALE), 0, 1))


def noisy(hr):
    noise = np.random.default_rng(0).normal(0, 6, (hr.shape[0] // 4, hr.shape[1] // 4, 3))
    return np.clip(resize.downscale(hr, SCALE) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda hr: resize.downscale(hr, SCALE), reduction.MATLAB),
        (in_floats, "nearly MATLAB's bicubic, rounded otherwise"),
        (lambda hr: by_pillow(hr, Image.Resampling.BICUBIC), "Pillow's bicubic"),
        (lambda hr: by_pillow(hr, Image.Resampling.LANCZOS), "Pillow's Lanczos"),
        (lambda hr: by_pillow(hr, Image.Resampling.HAMMING), "Pillow's Hamming"),
        (
            lambda hr: by_pillow(hr, Image.Resampling.NEAREST),
            "every 4th pixel, without a filter, as Pillow's nearest",
        ),
        (lambda hr: by_opencv(hr, "AREA"), "a box filter (the mean of each block)"),
        (lambda hr: by_opencv(hr, "NEAREST"), "every 4th pixel, without a filter"),
        (lambda hr: by_opencv(hr, "LINEAR"), "bilinear without a filter, as OpenCV's"),
        (lambda hr: by_opencv(hr, "CUBIC"), "bicubic without a filter, as OpenCV's"),
        (lambda hr: by_opencv(hr, "LANCZOS4"), "Lanczos without a filter, as OpenCV's"),
        (
            lambda hr: images.to_uint8(hr.reshape(48, 4, 52, 4, 3).mean(axis=(1, 3)) / 255),
            "a box filter (the mean of each block)",
        ),
        (lambda hr: hr[::4, ::4], "every 4th pixel, without a filter"),
        (
            lambda hr: hr[1::4, 1::4],
            "every 4th pixel, without a filter, from row 1 and column 1 on",
        ),
        (
            lambda hr: hr[::4, 3::4],
            "every 4th pixel, without a filter, from row 0 and column 3 on",
        ),
        (
            lambda hr: resize.downscale(np.roll(hr, (1, -2), (0, 1)), SCALE),
            "MATLAB's bicubic, shifted by -2 pixels of HR to the right and 1 down",
        ),
        (noisy, reduction.UNKNOWN),
        (lambda hr: 255 - resize.downscale(hr, SCALE), reduction.UNKNOWN),
    ],
)
def test_ways_to_scale_down_are_told_apart(hr, make, expected):
    assert reduction.name(hr, make(hr), SCALE) == expected


@pytest.mark.parametrize("scale", [2, 3])
def test_pixels_are_taken_at_other_scales_too(hr, scale):
    ordinal = {2: "2nd", 3: "3rd"}[scale]
    hr = resize.crop_to_multiple(hr, scale)
    assert reduction.name(hr, hr[0::scale, 1::scale], scale) == (
        f"every {ordinal} pixel, without a filter, from row 0 and column 1 on"
    )


def test_edges_that_newer_matlabs_mirror_are_still_matlabs(hr):
    lr = resize.downscale(hr, SCALE)
    padded = resize.downscale(np.pad(hr, [(8, 8), (8, 8), (0, 0)], mode="symmetric"), SCALE)
    mirrored = padded[2:-2, 2:-2]
    assert np.mean(mirrored != lr) > 0.02  # in a picture so small
    assert reduction.name(hr, mirrored, SCALE) == reduction.MATLAB


def test_pictures_too_small_for_a_shift_are_told_by_the_rest():
    hr = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
    assert reduction.name(hr, resize.downscale(hr, SCALE), SCALE) == reduction.MATLAB
    assert reduction.name(hr, hr[5:9, 5:10], SCALE) == reduction.UNKNOWN
