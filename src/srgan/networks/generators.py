"""Generators: networks that map an lr image to an sr image.

Every builder returns a functional `keras.Model` with
input  `(batch, height, width, 3)`, float32 RGB in [0, 1], any height and width, and
output `(batch, scale*height, scale*width, 3)`, float32, *not* clipped to [0, 1].

An addition is never followed by a LeakyReLU with a slope other than 0.2: inside `tf.function`,
TensorFlow 2.21 on a CPU fuses convolution, bias, addition and LeakyReLU into one kernel that
computes a slope of 0.2 whatever was asked for.
"""

from typing import Any, Literal

import keras
import numpy as np
from keras import layers
from keras.initializers import Constant, VarianceScaling

from srgan.networks.layers import BatchNormalization, PixelShuffle

Activation = Literal["prelu", "relu", "leaky_relu"]


def residual(
    scale: int = 4, filters: int = 64, blocks: int = 16, hr_filters: int = 16
) -> keras.Model:
    """A small residual network without normalisation, computed nearly wholly at lr size.

    sr = upsample(lr) + conv(shuffle(leaky_relu(conv(h + trunk(h))))), h = conv(lr), where a block
    of the trunk is x + conv(leaky_relu(conv(x))) (EDSR, Lim et al. 2017, without its x0.1) and
    `upsample` repeats pixels, so that only the detail has to be learned. Of 1,368,563 parameters at
    the defaults, 435 work at hr size: that is what makes it fast. Without `hr_filters` none does,
    sr = upsample(lr) + shuffle(conv(h + trunk(h))), of 1,248,112 parameters.

    Args:
        scale: Factor from lr to sr.
        filters: Channels of the trunk.
        blocks: Residual blocks.
        hr_filters: Channels at hr size; 0 leaves that convolution out.
    """
    lr = keras.Input((None, None, 3), name="lr")
    x = shallow = layers.Conv2D(filters, 3, padding="same", name="head")(lr)
    for i in range(1, blocks + 1):
        h = layers.Conv2D(filters, 3, padding="same", name=f"block{i}_conv1")(x)
        h = layers.LeakyReLU(0.2, name=f"block{i}_activation")(h)
        h = layers.Conv2D(
            filters,
            3,
            padding="same",
            kernel_initializer=_small(),  # blocks start near the identity
            name=f"block{i}_conv2",
        )(h)
        x = layers.Add(name=f"block{i}_add")([x, h])
    x = layers.Conv2D(filters, 3, padding="same", name="trunk")(x)
    x = layers.Add(name="skip")([shallow, x])
    if hr_filters:
        x = layers.Conv2D(hr_filters * scale**2, 3, padding="same", name="enlarge")(x)
        x = layers.LeakyReLU(0.2, name="enlarge_activation")(x)
        x = PixelShuffle(scale, name="enlarge_shuffle")(x)
    detail = layers.Conv2D(
        3 if hr_filters else 3 * scale**2,
        3,
        padding="same",
        kernel_initializer=_small(),  # training starts from `upsample`
        dtype="float32",
        name="tail",
    )(x)
    if not hr_filters:
        detail = PixelShuffle(scale, dtype="float32", name="detail")(detail)
    enlarged = layers.UpSampling2D(scale, interpolation="nearest", dtype="float32", name="nearest")
    sr = layers.Add(dtype="float32", name="sr")([enlarged(lr), detail])
    return keras.Model(lr, sr, name=f"residual_x{scale}")


def widen(plain: keras.Model, generator: keras.Model) -> None:
    """Gives a `residual` with `hr_filters` the function of one without, to train on from there.

    Six of its channels at hr size hold the detail and its negative, of which the last convolution
    makes x = (leaky_relu(x) - leaky_relu(-x)) / 1.2; it ignores the others, which stay random.

    Args:
        plain: A `residual` without `hr_filters`.
        generator: One with at least six, else the same; its weights are set.

    Raises:
        ValueError: If `generator` has fewer than six.
    """
    tail, enlarge = generator.get_layer("tail"), generator.get_layer("enlarge")
    _, _, hr_filters, colours = tail.kernel.shape
    if hr_filters < 2 * colours:
        raise ValueError(
            f"hr_filters={hr_filters} cannot hold what a network without them makes; "
            f"expected at least {2 * colours}."
        )
    for layer in plain.layers:
        if layer.weights and layer.name != "tail":
            generator.get_layer(layer.name).set_weights(layer.get_weights())
    both = []
    for weight, detail in zip(
        enlarge.get_weights(), plain.get_layer("tail").get_weights(), strict=True
    ):
        detail = detail.reshape(*detail.shape[:-1], -1, colours)  # (..., phases, colours)
        weight = weight.reshape(*weight.shape[:-1], -1, hr_filters)
        weight[..., : 2 * colours] = np.concatenate([detail, -detail], axis=-1)
        both.append(weight.reshape(*weight.shape[:-2], -1))
    enlarge.set_weights(both)
    kernel, bias = (np.zeros(weight.shape, np.float32) for weight in tail.weights)
    kernel[1, 1, : 2 * colours] = np.concatenate([np.eye(colours), -np.eye(colours)]) / 1.2
    tail.set_weights([kernel, bias])


def srresnet(
    scale: int = 4,
    filters: int = 64,
    blocks: int = 16,
    normalisation: bool = True,
    activation: Activation = "prelu",
) -> keras.Model:
    """The SRGAN paper's generator, SRResNet (Ledig et al. 2017, fig. 4).

    sr = conv9(stages(h + trunk(h))), h = prelu(conv9(lr)), where a block of the trunk is
    x + bn(conv(prelu(bn(conv(x))))), and a stage is prelu(shuffle(conv(x))): one each for a factor
    of 2, or a single one for x3. 1,552,771 parameters at the defaults.

    Where the paper is silent: PReLU has one slope a channel, from 0.25 (He et al. 2015);
    convolutions that are normalised have no bias; sr is in [0, 1], as lr is, not in [-1, 1].

    Args:
        scale: Factor from lr to sr: 2, 3, 4 or 8.
        filters: Channels of the trunk and of the enlarged features.
        blocks: Residual blocks.
        normalisation: Batch normalisation, as in the paper. Its statistics differ between training
            and use, which is a known cause of artefacts. Off, blocks start near the identity.
        activation: "prelu" is the paper's; "leaky_relu" has a slope of 0.2.

    Raises:
        ValueError: If there is no such `scale` or `activation`.
    """
    stages = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}.get(scale)
    if stages is None:
        raise ValueError(f"srresnet upscales by 2, 3, 4 or 8; got scale={scale}.")

    def convolution(x, name: str, initializer: Any = "glorot_uniform"):
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=not normalisation,
            kernel_initializer=initializer,
            name=name,
        )(x)
        if normalisation:
            x = BatchNormalization(name=f"{name}_normalisation")(x)
        return x

    lr = keras.Input((None, None, 3), name="lr")
    x = layers.Conv2D(filters, 9, padding="same", name="head")(lr)
    x = shallow = _activation(activation, "head_activation")(x)
    for i in range(1, blocks + 1):
        h = convolution(x, f"block{i}_conv1")
        h = _activation(activation, f"block{i}_activation")(h)
        h = convolution(h, f"block{i}_conv2", "glorot_uniform" if normalisation else _small())
        x = layers.Add(name=f"block{i}_add")([x, h])
    x = convolution(x, "trunk")
    x = layers.Add(name="skip")([shallow, x])
    for i, factor in enumerate(stages, start=1):
        x = layers.Conv2D(filters * factor**2, 3, padding="same", name=f"stage{i}_conv")(x)
        x = PixelShuffle(factor, name=f"stage{i}_shuffle")(x)
        x = _activation(activation, f"stage{i}_activation")(x)
    sr = layers.Conv2D(3, 9, padding="same", dtype="float32", name="tail")(x)
    return keras.Model(lr, sr, name=f"srresnet_x{scale}")


def rrdbnet(scale: int = 4, filters: int = 64, blocks: int = 23, growth: int = 32) -> keras.Model:
    """ESRGAN's generator (Wang et al. 2018, section 3.1, fig. 4): residuals in residuals.

    sr = conv(act(conv(doublings(h + conv(trunk(h)))))), h = conv(lr). A block of the trunk is
    x + 0.2 dense(dense(dense(x))), where `dense` is x + 0.2 conv(all): four convolutions of
    `growth` channels, each fed with x and the results of those before it, and a fifth that is fed
    with all. A doubling is act(conv(x)) after each pixel was repeated 2 x 2 times; act is a
    LeakyReLU. 16,697,987 parameters at the defaults.

    Args:
        scale: Factor from lr to sr: 2, 4 or 8.
        filters: Channels of the trunk and of the enlarged features.
        blocks: Residual-in-residual dense blocks.
        growth: Channels that a convolution inside a dense block adds.

    Raises:
        ValueError: If there is no such `scale`.
    """
    if scale not in (2, 4, 8):
        raise ValueError(f"rrdbnet upscales by 2, 4 or 8; got scale={scale}.")

    def convolution(x, name: str, channels: int = filters, **options):
        return layers.Conv2D(channels, 3, padding="same", name=name, **options)(x)

    def activate(x, name: str):
        return layers.LeakyReLU(0.2, name=f"{name}_activation")(x)

    def add_scaled(x, h, name: str):
        h = layers.Rescaling(0.2, name=f"{name}_scaling")(h)  # the paper's beta
        return layers.Add(name=f"{name}_add")([x, h])

    def dense(x, name: str):
        features = x
        for i in range(1, 5):
            h = convolution(features, f"{name}_conv{i}", growth, kernel_initializer=_small())
            h = activate(h, f"{name}_conv{i}")
            features = layers.Concatenate(name=f"{name}_concat{i}")([features, h])
        h = convolution(features, f"{name}_conv5", kernel_initializer=_small())
        return add_scaled(x, h, name)

    lr = keras.Input((None, None, 3), name="lr")
    x = shallow = convolution(lr, "head")
    for i in range(1, blocks + 1):
        h = x
        for j in range(1, 4):
            h = dense(h, f"block{i}_dense{j}")
        x = add_scaled(x, h, f"block{i}")
    x = layers.Add(name="skip")([shallow, convolution(x, "trunk")])
    for i in range(1, scale.bit_length()):
        x = layers.UpSampling2D(2, interpolation="nearest", name=f"stage{i}_nearest")(x)
        x = activate(convolution(x, f"stage{i}_conv"), f"stage{i}")
    x = activate(convolution(x, "last"), "last")
    sr = convolution(x, "tail", 3, dtype="float32")
    return keras.Model(lr, sr, name=f"rrdbnet_x{scale}")


def _small() -> Any:
    return VarianceScaling(0.02)


def _activation(kind: Activation, name: str) -> layers.Layer:
    match kind:
        case "prelu":
            slope: Any = Constant(0.25)
            return layers.PReLU(slope, shared_axes=[1, 2], name=name)
        case "relu":
            return layers.ReLU(name=name)
        case "leaky_relu":
            return layers.LeakyReLU(0.2, name=name)
    raise ValueError(f"activation must be 'prelu', 'relu' or 'leaky_relu'; got {kind!r}.")
