"""Discriminators: networks that map images to logits, high for real photos.

Every builder returns a functional `keras.Model` with
input  `(batch, height, width, 3)`, float32 RGB in [0, 1], rescaled to [-1, 1] inside, and
output `(batch, 1)`, float32 logits: their sigmoid is the probability that the image is real.
"""

import keras
from keras import layers


def vgg_style(patch: int | None = 96, filters: int = 64, normalisation: bool = True) -> keras.Model:
    """The SRGAN paper's discriminator (Ledig et al. 2017, fig. 4), without its final sigmoid.

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
            x = layers.BatchNormalization(name=f"normalisation{i + 1}")(x)
        x = layers.LeakyReLU(0.2, name=f"activation{i + 1}")(x)
    if patch is None:
        x = layers.GlobalAveragePooling2D(name="pooling")(x)
    else:
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(1024, kernel_initializer="he_normal", name="dense")(x)
        x = layers.LeakyReLU(0.2, name="dense_activation")(x)
    logits = layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="vgg_style")
