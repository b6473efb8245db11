"""Generators are checked by hand sums, a plain numpy implementation, and probes of their reach."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from srgan.networks.efficient import span, srvggnet
from srgan.networks.generators import residual, rrdbnet, srresnet, widen
from srgan.networks.graph import follow, receptive_field
from srgan.networks.layers import PixelShuffle

NETWORKS = {
    "residual": lambda: residual(4, filters=8, blocks=2),
    "residual_x2": lambda: residual(2, filters=8, blocks=2),
    "residual_plain": lambda: residual(4, filters=8, blocks=2, hr_filters=0),
    "srresnet": lambda: srresnet(4, filters=8, blocks=2),
    "srresnet_x3": lambda: srresnet(3, filters=8, blocks=1),
    "srresnet_relu": lambda: srresnet(2, 8, 2, normalisation=False, activation="relu"),
    "srresnet_leaky": lambda: srresnet(2, 8, 2, normalisation=False, activation="leaky_relu"),
    "srresnet_prelu": lambda: srresnet(8, 8, 1, normalisation=False),
    "rrdbnet": lambda: rrdbnet(4, filters=6, blocks=2, growth=4),
    "srvggnet": lambda: srvggnet(3, filters=8, blocks=2),
    "span": lambda: span(4, filters=8),
}
STAGES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


@pytest.fixture(params=NETWORKS)
def network(request, randomise):
    return randomise(NETWORKS[request.param]())


def photo(height=9, width=7, batch=2):
    return np.random.default_rng(1).random((batch, height, width, 3), np.float32)


# A plain implementation, of one image.


def convolve(x, weights, name):
    """Cross-correlation with zeros around the image."""
    kernel, bias = weights[f"{name}/kernel"], weights.get(f"{name}/bias", 0)
    pad = len(kernel) // 2
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    y = np.zeros((*x.shape[:2], kernel.shape[3]))
    for i in range(len(kernel)):
        for j in range(len(kernel)):
            y += padded[i : i + x.shape[0], j : j + x.shape[1]] @ kernel[i, j]
    return y + bias


def normalise(x, weights, name):
    gamma, beta, mean, variance = (
        weights[f"{name}_normalisation/{key}"]
        for key in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta


def shuffle(x, scale):
    channels = x.shape[2] // scale**2
    y = np.empty((x.shape[0] * scale, x.shape[1] * scale, channels))
    for i in range(scale):
        for j in range(scale):
            first = (i * scale + j) * channels
            y[i::scale, j::scale] = x[:, :, first : first + channels]
    return y


def residual_by_hand(lr, weights, scale, blocks):
    x = shallow = convolve(lr, weights, "head")
    for i in range(1, blocks + 1):
        h = convolve(x, weights, f"block{i}_conv1")
        h = np.where(h > 0, h, 0.2 * h)
        x = x + convolve(h, weights, f"block{i}_conv2")
    x = shallow + convolve(x, weights, "trunk")
    if "enlarge/kernel" in weights:
        h = shuffle(convolve(x, weights, "enlarge"), scale)
        detail = convolve(np.where(h > 0, h, 0.2 * h), weights, "tail")
    else:
        detail = shuffle(convolve(x, weights, "tail"), scale)
    return lr.repeat(scale, 0).repeat(scale, 1) + detail


def srresnet_by_hand(lr, weights, scale, blocks, normalisation, slope):
    def activate(x, name):
        return np.where(x > 0, x, weights.get(f"{name}/alpha", slope) * x)

    def convolution(x, name):
        x = convolve(x, weights, name)
        return normalise(x, weights, name) if normalisation else x

    x = shallow = activate(convolve(lr, weights, "head"), "head_activation")
    for i in range(1, blocks + 1):
        h = activate(convolution(x, f"block{i}_conv1"), f"block{i}_activation")
        x = x + convolution(h, f"block{i}_conv2")
    x = shallow + convolution(x, "trunk")
    for i, factor in enumerate(STAGES[scale], start=1):
        x = shuffle(convolve(x, weights, f"stage{i}_conv"), factor)
        x = activate(x, f"stage{i}_activation")
    return convolve(x, weights, "tail")


def rrdbnet_by_hand(lr, weights, scale, blocks):
    def activate(x):
        return np.where(x > 0, x, 0.2 * x)

    def dense(x, name):
        features = [x]
        for i in range(1, 5):
            h = convolve(np.concatenate(features, axis=2), weights, f"{name}_conv{i}")
            features.append(activate(h))
        return x + 0.2 * convolve(np.concatenate(features, axis=2), weights, f"{name}_conv5")

    x = shallow = convolve(lr, weights, "head")
    for i in range(1, blocks + 1):
        h = x
        for j in (1, 2, 3):
            h = dense(h, f"block{i}_dense{j}")
        x = x + 0.2 * h
    x = shallow + convolve(x, weights, "trunk")
    for i in range(1, len(STAGES[scale]) + 1):
        x = activate(convolve(x.repeat(2, 0).repeat(2, 1), weights, f"stage{i}_conv"))
    return convolve(activate(convolve(x, weights, "last")), weights, "tail")


def arrays(network):
    return {
        f"{layer.name}/{weight.name}": weight.numpy().astype(np.float64)
        for layer in network.layers
        for weight in layer.weights
    }


@pytest.mark.parametrize(
    ("scale", "blocks", "hr_filters"), [(2, 2, 0), (3, 1, 0), (4, 2, 0), (2, 2, 5), (4, 1, 16)]
)
def test_compact_equals_a_plain_implementation(randomise, scale, blocks, hr_filters):
    network, lr = randomise(residual(scale, 8, blocks, hr_filters)), photo()
    expected = [residual_by_hand(image, arrays(network), scale, blocks) for image in lr]
    np.testing.assert_allclose(network(lr), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "blocks", "normalisation", "activation", "slope"),
    [
        (4, 2, True, "prelu", None),
        (3, 1, True, "leaky_relu", 0.2),
        (2, 2, False, "relu", 0.0),
        (8, 1, False, "prelu", None),
    ],
)
def test_srresnet_equals_a_plain_implementation(
    randomise, scale, blocks, normalisation, activation, slope
):
    network, lr = randomise(srresnet(scale, 8, blocks, normalisation, activation)), photo()
    weights = arrays(network)
    expected = [
        srresnet_by_hand(image, weights, scale, blocks, normalisation, slope) for image in lr
    ]
    np.testing.assert_allclose(network(lr), expected, atol=1e-5)


@pytest.mark.parametrize(("scale", "blocks"), [(2, 2), (4, 1), (8, 1)])
def test_rrdbnet_equals_a_plain_implementation(randomise, scale, blocks):
    network, lr = randomise(rrdbnet(scale, 6, blocks, growth=4)), photo()
    expected = [rrdbnet_by_hand(image, arrays(network), scale, blocks) for image in lr]
    np.testing.assert_allclose(network(lr), expected, atol=1e-5)


def test_compact_has_the_parameters_of_its_equation():
    before = 27 * 64 + 64 + (2 * 16 + 1) * (576 * 64 + 64)  # the head, and 33 convolutions
    at_hr_size = 9 * 16 * 3 + 3
    assert at_hr_size == 435
    assert residual().count_params() == before + 576 * 256 + 256 + at_hr_size == 1_368_563
    assert residual(hr_filters=0).count_params() == before + 576 * 48 + 48 == 1_248_112


def test_srresnet_has_the_parameters_of_the_paper_s_figure():
    head = 81 * 3 * 64 + 64 + 64  # kernel, bias, slopes
    block = 2 * (9 * 64 * 64 + 4 * 64) + 64  # two convolutions with statistics, slopes
    trunk = 9 * 64 * 64 + 4 * 64
    stage = 9 * 64 * 256 + 256 + 64
    tail = 81 * 64 * 3 + 3
    assert srresnet().count_params() == head + 16 * block + trunk + 2 * stage + tail == 1_552_771


@pytest.mark.slow
def test_rrdbnet_has_the_parameters_of_esrgan():
    # 64 to 32 channels, then 96, 128 and 160 to 32, and 192 to 64, with biases.
    dense = 9 * (64 + 96 + 128 + 160) * 32 + 4 * 32 + 9 * 192 * 64 + 64
    wide = 9 * 64 * 64 + 64  # after the blocks, after each doubling, and before the last
    head, tail = 27 * 64 + 64, 9 * 64 * 3 + 3
    assert rrdbnet().count_params() == head + 23 * 3 * dense + 4 * wide + tail == 16_697_987


def test_srresnet_without_normalisation_has_biases_instead():
    network = srresnet(2, filters=4, blocks=1, normalisation=False, activation="relu")
    head, tail = 81 * 3 * 4 + 4, 81 * 4 * 3 + 3
    assert network.count_params() == head + 3 * (36 * 4 + 4) + (36 * 16 + 16) + tail
    assert not [x for x in network.layers if isinstance(x, layers.BatchNormalization)]


def test_compact_keeps_the_order_of_its_weights():
    # Checkpoints store them by number.
    before = ["head", "block1_conv1", "block1_conv2", "trunk"]
    for hr_filters, convolutions in ((0, [*before, "tail"]), (4, [*before, "enlarge", "tail"])):
        network = residual(2, 4, 1, hr_filters)
        names = [f"{x.name}/{w.name}" for x in network.layers for w in x.weights]
        assert names == [f"{x}/{w}" for x in convolutions for w in ("kernel", "bias")]


def test_prelu_has_one_slope_a_channel_from_a_quarter():
    alpha = srresnet(2, 4, 1).get_layer("head_activation").alpha
    np.testing.assert_array_equal(alpha, np.full((1, 1, 4), 0.25))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_output_is_scale_times_as_large(scale, size):
    networks = [residual(scale, 4, 1), srresnet(scale, 4, 1)]
    for network in networks if scale == 3 else [*networks, rrdbnet(scale, 4, 1, 4)]:
        sr = network(photo(*size))
        assert sr.shape == (2, scale * size[0], scale * size[1], 3)
        assert network.output_shape == (None, None, None, 3)


def test_untrained_compact_nearly_repeats_pixels():
    keras.utils.set_random_seed(0)
    lr = photo()
    for hr_filters in (0, 16):
        sr = residual(2, 8, 1, hr_filters)(lr)
        assert np.abs(sr - lr.repeat(2, 1).repeat(2, 2)).mean() < 0.1


@pytest.mark.parametrize(("scale", "hr_filters"), [(2, 6), (4, 16)])
def test_a_wider_compact_begins_as_the_plain_one(randomise, scale, hr_filters):
    plain, wide = randomise(residual(scale, 8, 2, 0)), randomise(residual(scale, 8, 2, hr_filters))
    lr = photo()
    widen(plain, wide)
    np.testing.assert_allclose(wide(lr), plain(lr), atol=1e-5)


def test_a_compact_too_narrow_for_the_plain_one_is_told_the_least(randomise):
    wide = residual(2, 8, 2, 5)
    before = wide.get_weights()
    with pytest.raises(ValueError, match=r"hr_filters=5 cannot hold .* at least 6"):
        widen(randomise(residual(2, 8, 2, 0)), wide)
    for found, expected in zip(wide.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_untrained_srresnet_of_many_blocks_stays_in_bounds_without_normalisation():
    sr = srresnet(2, 8, 12, normalisation=False)(photo())
    assert np.abs(sr).max() < 3


@pytest.mark.parametrize("build", [residual, srresnet, rrdbnet])
def test_mixed_precision_ends_in_float32(build):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build(2, 4, 1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert network.get_layer("trunk").compute_dtype == "bfloat16"
    assert network.get_layer("tail").compute_dtype == "float32"
    assert network(photo()).dtype == "float32"


def test_networks_have_no_lambda_layers(network):
    assert not [x for x in network.layers if isinstance(x, layers.Lambda)]


def test_an_addition_is_followed_by_no_leaky_relu_but_of_slope_a_fifth(network):
    for layer in network.layers:
        if isinstance(layer, layers.LeakyReLU):
            assert layer.negative_slope == 0.2


def test_an_unknown_scale_or_activation_is_named():
    with pytest.raises(ValueError, match="by 2, 3, 4 or 8; got scale=5"):
        srresnet(5)
    with pytest.raises(ValueError, match="by 2, 4 or 8; got scale=3"):
        rrdbnet(3)
    with pytest.raises(ValueError, match="got 'gelu'"):
        srresnet(2, 4, 1, activation="gelu")


def test_pixel_shuffle_fills_blocks_row_by_row():
    x = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
    np.testing.assert_array_equal(PixelShuffle(2)(x)[0, :, :, 0], [[0, 1], [2, 3]])
    rng = np.random.default_rng(0)
    x = rng.random((1, 3, 5, 27), np.float32)
    np.testing.assert_array_equal(PixelShuffle(3)(x)[0], shuffle(x[0], 3).astype(np.float32))


def test_receptive_field_is_the_sum_of_the_kernels_reaches():
    assert receptive_field(residual(4, 4, blocks=8, hr_filters=0)) == 1 + 2 * 8 + 1 + 1
    assert receptive_field(residual(4, 4, blocks=8)) == 1 + 2 * 8 + 1 + 1 + 1
    # The 9x9 tail sees 4 pixels of the x4 image: pixels -4..0 of it are pixels -2..0 of the x2
    # image. One convolution there makes that -3, which is lr pixel -2; another one makes it -3.
    assert receptive_field(srresnet(4, 4, blocks=3)) == 4 + 2 * 3 + 1 + 3
    # Three convolutions at x4 reach to pixel -3, which is pixel -2 at x2; one there makes it -3,
    # which is lr pixel -2.
    assert receptive_field(rrdbnet(4, 4, blocks=2, growth=2)) == 1 + 2 * 15 + 1 + 2


@pytest.mark.parametrize(
    "build",
    [
        lambda: residual(2, 4, 2, hr_filters=0),
        lambda: residual(3, 4, 1, hr_filters=0),
        lambda: residual(2, 4, 2),
        lambda: residual(3, 4, 1, hr_filters=4),
        lambda: srresnet(2, 4, 1),
        lambda: srresnet(3, 4, 1),
        lambda: srresnet(4, 4, 2, normalisation=False),
        lambda: srresnet(8, 4, 1, activation="leaky_relu"),
        lambda: rrdbnet(4, 4, 1, growth=2),
    ],
)
def test_receptive_field_is_what_gradients_reach(randomise, build):
    network = randomise(build())
    claimed = receptive_field(network)
    middle = claimed + 2
    lr = tf.constant(photo(2 * middle + 1, 2 * middle + 1, batch=1))
    with tf.GradientTape() as tape:
        tape.watch(lr)
        sr = network(lr)
        scale = sr.shape[1] // lr.shape[1]
        pixels = slice(scale * middle, scale * (middle + 1))  # those of one lr pixel
        block = sr[:, pixels, pixels]
        loss = tf.reduce_sum(block * np.random.default_rng(2).random(block.shape, np.float32))
    seen = np.argwhere(tape.gradient(loss, lr).numpy()[0].any(axis=2))
    assert np.abs(seen - middle).max() == claimed


def test_receptive_field_of_an_even_kernel_is_its_longer_side():
    lr = keras.Input((None, None, 3))
    network = keras.Model(lr, layers.Conv2D(3, 4, padding="same", dilation_rate=2)(lr))
    assert receptive_field(network) == 3  # taps at -3, -1, 1 and 3
    lr = keras.Input((None, None, 3))
    assert receptive_field(keras.Model(lr, layers.Conv2D(3, 4, padding="same")(lr))) == 2


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(3, 3, padding="valid", name="culprit"),
        layers.Conv2D(3, 3, strides=2, padding="same", name="culprit"),
        layers.UpSampling2D(interpolation="bilinear", name="culprit"),
        layers.AveragePooling2D(2, name="culprit"),
        layers.GroupNormalization(1, name="culprit"),
    ],
)
def test_a_layer_of_unknown_reach_is_named(layer):
    lr = keras.Input((None, None, 3))
    with pytest.raises(ValueError, match="'culprit'"):
        receptive_field(keras.Model(lr, layer(lr)))


def test_follow_visits_layers_in_the_order_of_the_data():
    network = residual(2, 4, 1)
    visited = []
    result = follow(network, "lr", lambda layer, inputs: visited.append(layer.name) or layer.name)
    assert result == "sr"
    assert visited.index("head") < visited.index("block1_conv1") < visited.index("trunk")


def test_layers_used_twice_and_models_inside_are_followed():
    lr = keras.Input((None, None, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    twice = keras.Model(lr, layers.ReLU(name="after")(shared(shared(lr))))
    assert receptive_field(twice) == 2
    inner = residual(2, 4, 1)
    nested = keras.Model(lr, inner(layers.ReLU()(lr)))
    assert receptive_field(nested) == receptive_field(inner)


class Own(keras.Model):
    """A subclassed generator."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first = layers.Conv2D(12, 5, padding="same")
        self.enlarge = PixelShuffle(2)

    def call(self, lr):
        return self.enlarge(0.5 * self.first(lr) + 0.1)


def test_a_subclassed_model_is_followed_as_often_as_one_likes():
    network = Own()
    assert [receptive_field(network) for _ in range(2)] == [2, 2]


def test_a_layer_that_computes_as_in_training_is_named():
    lr = keras.Input((None, None, 3))
    normal = layers.BatchNormalization(name="culprit")(lr, training=True)
    with pytest.raises(ValueError, match="'culprit' is called with training=True"):
        receptive_field(keras.Model(lr, normal))
