"""Discriminators: networks that map images, or features of them, to logits, high for real photos.

Every builder returns a functional `keras.Model` whose output `(batch, logits)` is float32: the
sigmoid of a logit is the probability that the image is real.
"""

import re

import keras
from keras import layers

from srgan.networks.layers import BatchNormalization, PixelNormalization


def vgg_style(patch: int | None = 96, filters: int = 64, normalisation: bool = True) -> keras.Model:
    """The SRGAN paper's discriminator (Ledig et al. 2017, fig. 4), without its final sigmoid.

    Input: `(batch, height, width, 3)`, float32 RGB in [0, 1], rescaled to [-1, 1] inside; there is
    one logit an image.

    Eight 3x3 convolutions, of `filters` to 8 * `filters` channels; every second one halves the
    image. Weights start as He et al. 2015 propose: from Keras' default (Glorot) the network
    stays at chance for hundreds of steps.

    Args:
        patch: Side of the images in pixels, which the paper's head (a hidden layer of 1024 units)
            fixes. None replaces that head by global average pooling: any size of image, and
            1.2 M parameters in place of 23.6 M when `filters` is 32.
        filters: Channels of the first convolution.
        normalisation: Batch normalisation after every convolution but the first. It mixes the
            images of a batch; gradient penalties need it off.
    """
    image = keras.Input((patch, patch, 3), name="image")
    x = layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="rescaling")(image)
    for i in range(8):
        normalised = normalisation and i > 0
        x = layers.Conv2D(
            filters * 2 ** (i // 2),
            3,
            strides=1 + i % 2,
            padding="same",
            use_bias=not normalised,  # the normalisation has one
            kernel_initializer="he_normal",
            name=f"conv{i + 1}",
        )(x)
        if normalised:
            x = BatchNormalization(name=f"normalisation{i + 1}")(x)
        x = layers.LeakyReLU(0.2, name=f"activation{i + 1}")(x)
    if patch is None:
        x = layers.GlobalAveragePooling2D(name="pooling")(x)
    else:
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(1024, kernel_initializer="he_normal", name="dense")(x)
        x = layers.LeakyReLU(0.2, name="dense_activation")(x)
    logits = layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="vgg_style")


def unet(filters: int = 64) -> keras.Model:
    """Real-ESRGAN's U-Net with spectral normalisation (Wang et al. 2021, section 3.4, fig. 6).

    A logit for each pixel, from what lies around it at four sizes: 3x3 convolution of `filters`;
    three 4x4 ones of stride two, up to 8 * `filters`; three times bilinear doubling and a 3x3
    convolution, to which what the image was at that size is added; three 3x3 convolutions.
    LeakyReLU follows all but the last. 4,376,897 parameters at the defaults.

    Between the first convolution and the last, kernels are divided by their largest singular value
    (Miyato et al. 2018) at each step, by Keras' `SpectralNormalization`: it keeps what it divided,
    where PyTorch keeps the undivided kernel beside.

    Input: `(batch, height, width, 3)`, float32 RGB in [0, 1], sides multiples of 8.

    Args:
        filters: Channels of the first convolution.
    """

    def convolution(x, name: str, channels: int, side: int = 3, strides: int = 1):
        layer = layers.Conv2D(
            channels,
            side,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_kernel",
        )
        x = layers.SpectralNormalization(layer, name=name)(x)
        return layers.LeakyReLU(0.2, name=f"{name}_activation")(x)

    image = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(filters, 3, padding="same", name="head")(image)
    x = layers.LeakyReLU(0.2, name="head_activation")(x)
    sizes = [x]
    for i in range(1, 4):
        x = convolution(x, f"down{i}", filters * 2**i, side=4, strides=2)
        sizes.append(x)
    for i in range(2, -1, -1):
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"double{i}")(x)
        x = convolution(x, f"up{i}", filters * 2**i)
        x = layers.Add(name=f"skip{i}")([x, sizes[i]])
    for i in (1, 2):
        x = convolution(x, f"last{i}", filters)
    logits = layers.Conv2D(1, 3, padding="same", dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="unet")


def feature_heads(
    features: keras.Model, filters: int = 64, normalisation: bool = True
) -> keras.Model:
    """Small networks that judge what a frozen network sees (projected GAN, Sauer et al. 2021).

    Knowing textures before its first step, it needs fewer of them than one that begins with pixels.
    There is a head for every layer, without the paper's mixing of layers: features are
    divided by their root mean square at every pixel, so that no layer outweighs another; a 1x1
    convolution, LeakyReLU; normalised 3x3 convolutions of stride two, LeakyReLU, down to one
    position for 8x8 pixels of the image (one of stride one where there are no more); a logit for
    each position.

    Input: the dict that `features` returns; the logits of all layers and positions are one vector.

    Args:
        features: As `features.vgg` makes it; not part of the network that is returned.
        filters: Channels of the heads.
        normalisation: As of `vgg_style`.
    """
    inputs, logits = {}, []
    for name, output in features.output.items():
        channels = output.shape[-1]
        inputs[name] = x = keras.Input((None, None, channels), name=name)
        x = PixelNormalization(dtype="float32", name=f"{name}_direction")(x)
        x = layers.Conv2D(filters, 1, kernel_initializer="he_normal", name=f"{name}_head")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_activation")(x)
        block = int(re.findall(r"\d", name)[0])  # a block of VGG is half as large as the one before
        halvings = max(4 - block, 0)
        for i in range(1, max(halvings, 1) + 1):
            x = layers.Conv2D(
                filters,
                3,
                strides=2 if halvings else 1,
                padding="same",
                use_bias=not normalisation,
                kernel_initializer="he_normal",
                name=f"{name}_conv{i}",
            )(x)
            if normalisation:
                x = BatchNormalization(name=f"{name}_normalisation{i}")(x)
            x = layers.LeakyReLU(0.2, name=f"{name}_activation{i}")(x)
        x = layers.Conv2D(1, 1, dtype="float32", name=f"{name}_logits")(x)
        logits.append(layers.Reshape((-1,), dtype="float32", name=f"{name}_flat")(x))
    if len(logits) > 1:
        logits = [layers.Concatenate(dtype="float32", name="logits")(logits)]
    return keras.Model(inputs, logits[0], name="feature_heads")
