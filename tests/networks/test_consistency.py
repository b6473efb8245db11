"""The layer is held against `projection.project`, and both against a plain loop."""

from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

from srgan.networks.consistency import Projection
from srgan.numeric import projection, resize

SCALES = (2, 3, 4, 8)


def pair(scale, height, width, batch=2):
    """Noise that has nothing to do with one another: the most that there is to correct."""
    rng = np.random.default_rng(0)
    sr = rng.random((batch, scale * height, scale * width, 3), np.float32)
    return sr, rng.random((batch, height, width, 3), np.float32)


def distance(sr, lr, scale):
    """Root mean square of what scaling `sr` down gives too much or too little."""
    made = [resize.downscale(image.astype(np.float64), scale) for image in np.asarray(sr)]
    return np.sqrt(np.mean((made - lr.astype(np.float64)) ** 2))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(9, 7), (16, 16), (1, 5), (1, 1)])
@pytest.mark.parametrize("rounds", [1, 8])
def test_the_layer_equals_numpy_s_projection(scale, size, rounds):
    sr, lr = pair(scale, *size)
    expected = [projection.project(*images, rounds) for images in zip(sr, lr, strict=True)]
    found = Projection(scale, rounds)([sr, lr])
    assert found.shape == sr.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_both_equal_the_definition(scale):
    sr, lr = pair(scale, 7, 5, batch=1)
    expected = sr[0].astype(np.float64)
    for step in projection.steps(3):
        seen = resize.downscale(expected, scale)
        expected = expected + step * resize.upscale(lr[0].astype(np.float64) - seen, scale)
    np.testing.assert_allclose(projection.project(sr[0], lr[0], 3), expected, atol=1e-5)
    np.testing.assert_allclose(Projection(scale, 3)([sr, lr])[0], expected, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_every_round_brings_the_downscale_nearer_to_lr(scale):
    sr, lr = pair(scale, 9, 11)
    distances = [distance(Projection(scale, rounds)([sr, lr]), lr, scale) for rounds in range(9)]
    assert all(later < earlier for earlier, later in pairwise(distances))
    assert distances[4] < 0.05 * distances[0]


def test_of_a_smooth_photo_hardly_anything_is_left_after_four_rounds():
    y, x, channel = np.mgrid[:24, :20, :3].astype(np.float32)
    lr = (0.5 + 0.4 * np.sin(0.3 * y + 0.2 * x + channel))[None]
    sr = lr.repeat(4, 1).repeat(4, 2) + np.float32(0.05)
    assert distance(sr, lr, 4) > 0.05
    assert distance(Projection(4)([sr, lr]), lr, 4) < 1e-3


@pytest.mark.parametrize("scale", SCALES)
def test_a_consistent_image_is_left_as_it_is(scale):
    sr, _ = pair(scale, 6, 7)
    lr = np.stack([resize.downscale(image, scale) for image in sr])
    np.testing.assert_allclose(Projection(scale)([sr, lr]), sr, atol=1e-5)


def test_no_rounds_return_sr():
    sr, lr = pair(2, 3, 4)
    np.testing.assert_array_equal(Projection(2, rounds=0)([sr, lr]), sr)


def test_a_constant_difference_goes_in_one_round():
    # Both kernels sum to one, at the edges too.
    lr = np.full((1, 3, 5, 3), 0.75, np.float32)
    sr = np.full((1, 12, 20, 3), 0.25, np.float32)
    np.testing.assert_allclose(Projection(4, rounds=1)([sr, lr]), 0.75, atol=1e-6)


def test_channels_do_not_mix():
    lr = np.zeros((1, 4, 4, 3), np.float32)
    sr = np.zeros((1, 8, 8, 3), np.float32)
    lr[..., 1] = 1
    np.testing.assert_array_equal(Projection(2)([sr, lr]).numpy()[..., [0, 2]], 0)


def test_gradients_are_those_of_the_linear_map():
    # Of L = <u, project(sr)>, the gradient g satisfies <g, d> = <u, project(sr + d) - project(sr)>.
    sr, lr = pair(3, 5, 4, batch=1)
    rng = np.random.default_rng(1)
    upstream, step = (rng.normal(size=sr.shape).astype(np.float32) for _ in range(2))
    layer, variable = Projection(3, 4), tf.Variable(sr)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(upstream * layer([variable, lr]))
    gradient = tape.gradient(loss, variable).numpy()
    expected = np.sum(upstream * (layer([sr + step, lr]) - layer([sr, lr])))
    assert np.sum(gradient * step) == pytest.approx(expected, rel=1e-3)


def test_graphs_of_any_size_agree_with_eager_execution():
    layer = Projection(4)
    signature = [tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, None, None, 3))]
    graph = tf.function(lambda sr, lr: layer([sr, lr]), input_signature=signature)
    for size in ((9, 7), (1, 5)):
        sr, lr = pair(4, *size)
        np.testing.assert_allclose(graph(sr, lr), layer([sr, lr]), atol=1e-6)


def test_it_computes_in_float32_whatever_the_policy():
    sr, lr = pair(2, 5, 4)
    expected = Projection(2)([sr, lr])
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = Projection(2)([sr, lr])
    finally:
        keras.config.set_dtype_policy("float32")
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, expected)


def test_its_configuration_gives_the_same_layer():
    sr, lr = pair(3, 5, 4)
    layer = Projection(3, rounds=2)
    again = Projection.from_config(layer.get_config())
    np.testing.assert_array_equal(again([sr, lr]), layer([sr, lr]))
