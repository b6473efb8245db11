"""Bicubic is MATLAB's: by hand, against the published lr files, and by its invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data as photos

from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import resize


def row(*values, dtype=np.float64):
    return np.array(values, dtype)[None, :, None]


def test_doubling_an_impulse_gives_the_cubic_kernel():
    # Keys' kernel, a = -0.5, at the distances 0.25, 0.75, 1.25 and 1.75.
    near = [1.5 * x**3 - 2.5 * x**2 + 1 for x in (0.25, 0.75)]
    far = [-0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 for x in (1.25, 1.75)]
    expected = [0, far[1], far[0], near[1], near[0], near[0], near[1], far[0], far[1], 0]
    sr = resize.bicubic(row(0, 0, 0, 1, 0, 0, 0), 1, 14)
    np.testing.assert_allclose(sr.ravel()[2:12], expected, atol=1e-15)


def test_halving_weighs_eight_pixels():
    # The kernel stretched twice, at the distances 0.5, 1.5, 2.5 and 3.5 of the middle pixels.
    x = np.array([0.25, 0.75, 1.25, 1.75])
    weights = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
    weights = np.concatenate([weights[::-1], weights]) / 2
    assert weights.sum() == 1
    hr = np.random.default_rng(0).random(16)
    lr = resize.bicubic(row(*hr), 1, 8)
    assert lr[0, 3, 0] == pytest.approx(weights @ hr[3:11])


def test_the_edge_is_replicated():
    hr = row(8, 4, 0, 0)
    padded = row(*[8] * 8, 8, 4, 0, 0, *[0] * 8)
    expected = resize.bicubic(padded, 1, 10)[:, 4:6]
    np.testing.assert_allclose(resize.bicubic(hr, 1, 2), expected)


def test_uint8_is_rounded_half_up_after_each_of_the_passes():
    # A column of 0 and 1 halves to 0.5 in the first pass, which becomes 1; the second pass then
    # sees only ones. Rounding once, at the end, gives the same mean of 0.5 in floats.
    hr = np.array([[0, 0], [1, 1]], np.uint8)[:, :, None]
    np.testing.assert_array_equal(resize.bicubic(hr, 1, 1), [[[1]]])
    assert resize.bicubic(hr.astype(np.float64), 1, 1).item() == pytest.approx(0.5)
    dark = np.array([[0, 1], [0, 0]], np.uint8)[:, :, None]
    # First pass: (0, 0.5) becomes (0, 1); second: 0.5 becomes 1. The mean is a quarter.
    np.testing.assert_array_equal(resize.bicubic(dark, 1, 1), [[[1]]])


def test_uint8_is_clipped_where_the_kernel_overshoots():
    step = row(0, 0, 0, 255, 255, 255, dtype=np.uint8)
    sr = resize.upscale(step.repeat(6, axis=0), 4)
    assert sr.min() == 0
    assert sr.max() == 255
    exact = resize.upscale(step.repeat(6, axis=0).astype(np.float64), 4)
    assert exact.min() < -5
    assert exact.max() > 260


@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_the_published_lr_files_come_out_bit_for_bit(shared_data, name):
    folder = shared_data / "benchmarks" / name
    published = find_images(folder / "LR_bicubic_x4")
    assert len(published) in (5, 14)
    for path in published:
        stem = path.stem.removesuffix("x4")
        source = next(p for p in find_images(folder / "HR") if p.stem == stem)
        hr = resize.crop_to_multiple(images.read_uint8(source), 4)
        np.testing.assert_array_equal(resize.downscale(hr, 4), images.read_uint8(path), stem)


@given(height=st.integers(1, 30), width=st.integers(1, 30), to=st.tuples(*[st.integers(1, 60)] * 2))
def test_a_flat_image_stays_flat_at_any_size(height, width, to):
    flat = np.full((height, width, 2), 0.3)
    np.testing.assert_allclose(resize.bicubic(flat, *to), np.full((*to, 2), 0.3))
    flat = np.full((height, width, 2), 77, np.uint8)
    np.testing.assert_array_equal(resize.bicubic(flat, *to), np.full((*to, 2), 77))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_mirrored_and_turned_images_are_resized_likewise(scale):
    hr = photos.astronaut()[: 12 * scale, : 15 * scale] / 255
    lr = resize.downscale(hr, scale)
    np.testing.assert_allclose(resize.downscale(hr[::-1, ::-1], scale), lr[::-1, ::-1])
    turned = resize.downscale(hr.swapaxes(0, 1), scale).swapaxes(0, 1)
    np.testing.assert_allclose(turned, lr)


def test_channels_do_not_mix():
    hr = photos.astronaut()[:32, :32]
    lr = resize.downscale(hr, 4)
    for channel in range(3):
        alone = resize.downscale(hr[:, :, channel : channel + 1], 4)
        np.testing.assert_array_equal(alone[:, :, 0], lr[:, :, channel])


def test_the_dtype_is_kept():
    for dtype in (np.uint8, np.float32, np.float64):
        assert resize.upscale(np.ones((3, 3, 1), dtype), 2).dtype == dtype


def test_cropping_takes_away_below_and_right():
    image = np.arange(7 * 6).reshape(7, 6, 1)
    np.testing.assert_array_equal(resize.crop_to_multiple(image, 4), image[:4, :4])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resize.bicubic(np.zeros((4, 4)), 2, 2), r"got shape \(4, 4\)"),
        (lambda: resize.bicubic(np.zeros((4, 4, 3)), 0, 2), "the size 2x0"),
        (lambda: resize.downscale(np.zeros((9, 8, 3)), 4), "multiples of scale=4; got 8x9"),
        (lambda: resize.crop_to_multiple(np.zeros((3, 8, 3)), 4), "8x3 image has no 4x4"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@settings(max_examples=60)
@given(
    source=st.integers(1, 60),
    height=st.integers(1, 60),
    width=st.integers(1, 20),
    n=st.integers(1, 70),
)
def test_rows_are_resized_as_the_whole_is(source, height, width, n):
    image = np.random.default_rng(0).random((source, 11, 3), dtype=np.float32)
    bands = (image[top : top + n] for top in range(0, source, n))
    rows = np.concatenate(list(resize.bicubic_rows(bands, source, height, width)))
    np.testing.assert_allclose(rows, resize.bicubic(image, height, width), atol=1e-5)


def test_rows_are_resized_as_soon_as_what_they_need_is_there():
    image = np.zeros((100, 4, 1), np.float32)
    read = []
    bands = (read.append(top) or image[top : top + 1] for top in range(100))
    rows = resize.bicubic_rows(bands, 100, 50, 2)
    assert len(next(rows)) == 1
    assert len(read) == 5  # of the 8 that weigh in, 3 lie above the image
