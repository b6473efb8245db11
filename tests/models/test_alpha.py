"""Grey and transparent pictures: what cannot be seen changes nothing, and edges have no fringe."""

from functools import cache

import numpy as np
import pytest

from srgan.models import alpha, catalogue, loading
from srgan.numeric import resize

SIZE = 40


@pytest.fixture(scope="module", params=catalogue.shipped())
def shipped(request):
    return loading.load(request.param)


def disc(colour, around, edge=1.0):
    """A disc of one colour on clear ground of another, float RGBA; its edge as wide as `edge`."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    alpha = np.clip((SIZE / 3 - np.hypot(y, x)) / edge + 0.5, 0, 1)[..., None]
    image = np.where(alpha > 0, np.array(colour, float), np.array(around, float))
    return np.concatenate([image, alpha], axis=-1).astype(np.float32)


def over(image, background):
    """What is seen on a background, 8 bits."""
    alpha = image[..., -1:].astype(float) / 255
    return image[..., :-1] * alpha + 255 * np.array(background, float) * (1 - alpha)


@cache
def grain(model, colour):
    """How far a plain picture becomes from plain, in grey levels; transparency has no part in it.

    In the middle, since a picture's edges are not plain.
    """
    plain = model.upscale(np.full((80, 80, 3), colour, np.float32), dtype=np.uint8)
    middle = slice(len(plain) // 2 - 20, len(plain) // 2 + 20)
    return np.abs(plain[middle, middle] - 255.0 * np.array(colour)).max()


@pytest.mark.parametrize("colour", [(1, 1, 1), (1, 0, 0), (0, 0.5, 1), (1, 0.5, 0.25)])
def test_plain_colours_stay_plain(shipped, colour):
    assert grain(shipped, colour) <= 2


@pytest.mark.parametrize(
    ("colour", "edge"), [((1, 1, 1), 1.0), ((1, 0, 0), 4.0), ((0, 0.5, 1), 0.01)]
)
def test_a_disc_on_its_own_colour_cannot_be_seen(shipped, colour, edge):
    sr = shipped.upscale(disc(colour, (0, 0, 0), edge), dtype=np.uint8)
    seen = np.abs(over(sr, colour) - 255 * np.array(colour)).max()
    assert seen <= grain(shipped, colour) + 0.5


def test_there_is_no_dark_line_on_any_background(shipped):
    colour = (1, 0.5, 0.25)
    sr = shipped.upscale(disc(colour, (0, 0, 0)), dtype=np.uint8)
    slack = max(grain(shipped, colour), 2)
    for background in ((0, 0, 0), (1, 1, 1), (0, 1, 0), (0.5, 0.5, 0.5)):
        seen, ends = over(sr, background), 255 * np.array([colour, background], float)
        assert (seen >= ends.min(axis=0) - slack).all(), background
        assert (seen <= ends.max(axis=0) + slack).all(), background


def test_hidden_colours_change_nothing_that_is_seen(shipped):
    one, other = (disc((0.8, 0.6, 0.4), around) for around in ((0, 0, 0), (0, 1, 0)))
    one, other = (shipped.upscale(image, dtype=np.uint8) for image in (one, other))
    np.testing.assert_array_equal(one, other)


def test_opaque_and_clear_stay_exactly_so(shipped):
    sr = shipped.upscale(disc((1, 1, 1), (0, 0, 0)))[..., 3]
    y, x = np.mgrid[: len(sr), : len(sr)] - (len(sr) - 1) / 2
    distance = np.hypot(y, x) * SIZE / len(sr)
    assert (sr[distance < SIZE / 3 - 8] == 1).all()
    assert (sr[distance > SIZE / 3 + 8] == 0).all()


def test_an_opaque_picture_is_that_of_three_channels(shipped):
    image = np.random.default_rng(0).random((20, 24, 3), dtype=np.float32)
    opaque = np.concatenate([image, np.ones((20, 24, 1), np.float32)], axis=-1)
    sr = shipped.upscale(opaque)
    np.testing.assert_allclose(sr[..., :3], shipped.upscale(image), atol=1e-6)
    assert (sr[..., 3] == 1).all()


def test_grey_is_what_three_equal_channels_become(shipped):
    grey = disc((0.7, 0.7, 0.7), (0.3, 0.3, 0.3))[..., :1]
    rgb = shipped.upscale(grey.repeat(3, axis=2))
    inside = ((rgb > 0) & (rgb < 1)).all(axis=2)  # one is clipped alone, the other together
    assert inside.mean() > 0.99
    expected = rgb.mean(axis=2, keepdims=True)
    np.testing.assert_allclose(shipped.upscale(grey)[inside], expected[inside], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_tiles_leave_no_seams(shipped, count):
    rng = np.random.default_rng(0)
    image = rng.random((50, 61, count), dtype=np.float32)
    if count != 1:
        image[..., -1] = np.clip(3 * image[..., -1] - 1, 0, 1)
        image[10:40, 10:40, -1] = 0
    whole = shipped.upscale(image, tile=1000)
    np.testing.assert_allclose(shipped.upscale(image, tile=16), whole, atol=1e-5)


def test_a_clear_picture_is_clear():
    lr = np.zeros((5, 6, 4), np.float32)
    sr = alpha.upscale(lambda x: resize.upscale(x, 2), lr)
    assert sr.shape == (10, 12, 4)
    assert not sr[..., 3].any()
    assert np.isfinite(sr).all()
