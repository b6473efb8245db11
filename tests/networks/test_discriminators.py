"""The discriminators are checked by hand sums, shapes, and eager against graph execution."""

from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

from srgan.networks.discriminators import feature_heads, unet, vgg_style
from srgan.train import losses


def images(side, batch=2):
    return np.random.default_rng(0).random((batch, side, side, 3), np.float32)


def test_the_paper_s_network_has_the_parameters_of_its_figure():
    channels = [3, 64, 64, 128, 128, 256, 256, 512, 512]
    kernels = sum(9 * a * b for a, b in pairwise(channels))
    # A bias for the first convolution; scale, offset, mean and variance for the others.
    convolutions = kernels + 64 + 4 * sum(channels[2:])
    dense = 6 * 6 * 512 * 1024 + 1024 + 1024 + 1
    assert vgg_style().count_params() == convolutions + dense == 23_567_361


def test_without_normalisation_every_convolution_has_a_bias():
    channels = [3, 8, 8, 16, 16, 32, 32, 64, 64]
    kernels = sum(9 * a * b for a, b in pairwise(channels))
    model = vgg_style(patch=None, filters=8, normalisation=False)
    assert model.count_params() == kernels + sum(channels[1:]) + 64 + 1
    assert not [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]


def test_convolutions_alternate_between_strides_of_one_and_two():
    convolutions = [x for x in vgg_style().layers if isinstance(x, keras.layers.Conv2D)]
    assert [x.strides[0] for x in convolutions] == [1, 2] * 4
    assert [x.filters for x in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]


def test_the_paper_s_head_gives_one_logit_an_image_of_its_patch():
    assert vgg_style(patch=32, filters=4)(images(32)).shape == (2, 1)
    with pytest.raises(ValueError, match="expected shape"):
        vgg_style(patch=32, filters=4)(images(48))


@pytest.mark.parametrize("side", [1, 17, 64])
def test_the_pooled_head_takes_images_of_any_size(side):
    logits = vgg_style(patch=None, filters=4)(images(side))
    assert logits.shape == (2, 1)
    assert np.isfinite(logits).all()


def test_logits_are_float32_under_the_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = vgg_style(patch=None, filters=4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("conv2").compute_dtype == "bfloat16"
    assert model(images(16)).dtype == "float32"


def convolve(x, kernel, stride):
    """3x3 convolution of `(height, width, channels)`, padded as TensorFlow's "same"."""
    total = [max(3 - stride if n % stride == 0 else 3 - n % stride, 0) for n in x.shape[:2]]
    padded = np.pad(x, (*((n // 2, n - n // 2) for n in total), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return np.einsum("yxcij,ijco->yxo", windows[::stride, ::stride], kernel)


def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


def test_the_paper_s_network_equals_its_figure_in_numpy():
    model = vgg_style(patch=20, filters=2)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        kernel = rng.standard_normal(weight.shape) / np.sqrt(np.prod(weight.shape[:-1]))
        positive = rng.uniform(0.5, 1.5, weight.shape)  # as variances must be
        weight.assign(kernel if weight.name == "kernel" else positive)
    weights = {weight.path: weight.numpy() for weight in model.weights}
    image = images(20)[0]

    x = 2.0 * image - 1
    for i, stride in enumerate([1, 2] * 4, start=1):
        x = convolve(x, weights[f"conv{i}/kernel"], stride)
        if i == 1:
            x = x + weights["conv1/bias"]
        else:
            scale, offset, mean, variance = (
                weights[f"normalisation{i}/{name}"]
                for name in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            x = scale * (x - mean) / np.sqrt(variance + 1e-3) + offset
        x = leaky_relu(x)
    x = leaky_relu(x.ravel() @ weights["dense/kernel"] + weights["dense/bias"])
    logit = x @ weights["logits/kernel"] + weights["logits/bias"]
    np.testing.assert_allclose(model(image[None])[0], logit, rtol=1e-4)


def test_mid_grey_reaches_the_network_as_zero():
    model = vgg_style(patch=None, filters=4, normalisation=False)
    grey = np.full((1, 16, 16, 3), 0.5, np.float32)
    assert model(grey) == 0  # biases start at zero


@pytest.mark.parametrize("normalisation", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_eager_and_graph_execution_agree(normalisation, training):
    # TensorFlow 2.21 fuses some layers before a LeakyReLU wrongly, in graphs only.
    model = vgg_style(patch=None, filters=8, normalisation=normalisation)
    x = images(32)
    eager = model(x, training=training)
    graph = tf.function(model)(x, training=training)
    np.testing.assert_allclose(eager, graph, atol=1e-5)


def test_a_saved_network_loads_without_custom_objects(tmp_path):
    model = vgg_style(patch=None, filters=4)
    model.save(tmp_path / "discriminator.keras")
    loaded = keras.saving.load_model(tmp_path / "discriminator.keras")
    np.testing.assert_array_equal(model(images(16)), loaded(images(16)))


def seeing(channels):
    """A frozen network with features of these layers, only for their names and sizes."""
    image = keras.Input((None, None, 3))
    outputs = {name: keras.layers.Conv2D(n, 1)(image) for name, n in channels.items()}
    return keras.Model(image, outputs)


def test_there_is_a_logit_for_every_8x8_pixels_and_layer_or_position_of_deeper_layers():
    sizes = {"conv2_2": 128, "conv3_3": 256, "block4_conv4": 512, "conv5_3": 512}
    heads = feature_heads(seeing(sizes), filters=8)
    sides = (48, 24, 12, 6)  # of the features of an image of 96
    x = {
        name: np.ones((2, side, side, n), np.float32)
        for side, (name, n) in zip(sides, sizes.items(), strict=True)
    }
    assert heads(x).shape == (2, 3 * 12 * 12 + 6 * 6)
    assert heads(x).dtype == "float32"
    first = sum(n * 8 + 8 for n in sizes.values())
    blocks = (2 + 1 + 1 + 1) * (9 * 8 * 8 + 4 * 8)
    assert heads.count_params() == first + blocks + 4 * (8 + 1)


def test_heads_see_the_directions_of_features_alone():
    heads = feature_heads(seeing({"conv3_1": 5}), filters=8)
    x = np.random.default_rng(0).random((2, 16, 16, 5), np.float32)
    lengths = np.random.default_rng(1).uniform(0.1, 10, (2, 16, 16, 1))
    logits = heads({"conv3_1": 100 * x})  # as large as VGG's
    np.testing.assert_allclose(logits, heads({"conv3_1": 100 * lengths * x}), atol=1e-4)
    assert np.isfinite(heads({"conv3_1": 0 * x})).all()


def test_the_penalty_of_heads_can_be_learned_from_where_features_are_zero():
    heads = feature_heads(seeing({"conv3_1": 5}), filters=8, normalisation=False)
    x = np.random.default_rng(0).random((2, 16, 16, 5), np.float32)
    x[:, 3:9] = 0
    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(heads, {"conv3_1": tf.constant(x)})
    assert 0 < float(penalty) < 1e4
    for gradient in tape.gradient(penalty, heads.trainable_weights):
        assert gradient is None or np.isfinite(gradient).all()


def test_a_head_equals_its_description_in_numpy(randomise):
    heads = randomise(feature_heads(seeing({"conv3_1": 5}), filters=4))
    x = np.random.default_rng(0).random((6, 8, 5), np.float32)
    weights = {weight.path.removeprefix("conv3_1_"): weight.numpy() for weight in heads.weights}

    y = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-3)
    y = leaky_relu(y @ weights["head/kernel"][0, 0] + weights["head/bias"])
    y = convolve(y, weights["conv1/kernel"], stride=2)
    scale, offset, mean, variance = (
        weights[f"normalisation1/{name}"]
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    y = leaky_relu(scale * (y - mean) / np.sqrt(variance + 1e-3) + offset)
    y = y @ weights["logits/kernel"][0, 0] + weights["logits/bias"]
    np.testing.assert_allclose(heads({"conv3_1": x[None]})[0], y.ravel(), rtol=1e-4, atol=1e-5)


def test_the_u_net_judges_every_pixel_and_is_that_of_real_esrgan():
    network = unet()
    trained = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    assert trained == 4_376_897
    small = unet(4)
    logits = small(np.random.default_rng(0).random((2, 24, 16, 3), np.float32), training=False)
    assert logits.shape == (2, 24, 16, 1)


def test_the_kernels_of_the_u_net_come_to_a_largest_singular_value_of_one():
    keras.utils.set_random_seed(0)
    network = unet(4)
    images = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    for _ in range(100):
        network(images, training=True)
    for name in ("down1", "up0", "last2"):
        kernel = np.asarray(network.get_layer(name).kernel)
        largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        assert largest == pytest.approx(1, abs=0.02)
