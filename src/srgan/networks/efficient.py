"""Generators that the field made for speed, in the form in which they are used.

As in `generators.py`: functional models of lr images to sr images, which are not clipped.
"""

import keras
from keras import layers
from keras.initializers import Constant

from srgan.networks.layers import PixelShuffle

SPAN_BLOCKS = 6
_MEAN = (0.4488, 0.4371, 0.4040)  # of the photos of DIV2K


def srvggnet(scale: int = 4, filters: int = 64, blocks: int = 16) -> keras.Model:
    """SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021), which the field calls Compact.

    sr = repeat(lr) + shuffle(conv(trunk(prelu(conv(lr))))), the trunk being `blocks` times
    prelu(conv(x)), and `repeat` nearest-neighbour upscaling. 621,424 parameters at the defaults.

    Args:
        scale: Factor from lr to sr.
        filters: Channels of the trunk.
        blocks: Convolutions of the trunk.
    """
    lr = keras.Input((None, None, 3), name="lr")
    x = lr
    for name in ("head", *(f"block{i}_conv" for i in range(1, blocks + 1))):
        x = layers.Conv2D(filters, 3, padding="same", name=name)(x)
        slope = Constant(0.25)
        x = layers.PReLU(slope, shared_axes=[1, 2], name=f"{name}_activation")(x)
    x = layers.Conv2D(3 * scale**2, 3, padding="same", dtype="float32", name="tail")(x)
    detail = PixelShuffle(scale, dtype="float32", name="detail")(x)
    enlarged = layers.UpSampling2D(scale, interpolation="nearest", dtype="float32", name="nearest")
    sr = layers.Add(dtype="float32", name="sr")([enlarged(lr), detail])
    return keras.Model(lr, sr, name=f"srvggnet_x{scale}")


def span(scale: int = 4, filters: int = 48, centred: bool = True) -> keras.Model:
    """SPAN (Wan et al. 2024): attention without parameters, after re-parameterisation.

    sr = shuffle(conv(conv1([h, conv(b6), b1, a6]))), where h = conv(lr), b1 to b6 are what the
    blocks make, one of the other, and a6 is what the last makes after its first activation. A block
    of x is (y + x) (sigmoid(y) - 1/2), y = conv(silu(conv(silu(conv(x))))). 425,904 parameters at
    the defaults.

    Args:
        scale: Factor from lr to sr.
        filters: Channels of the blocks.
        centred: Whether lr is first brought to 255 (lr - mean), as in the paper.
    """

    def convolution(x, name: str, channels: int = filters, side: int = 3, **options):
        return layers.Conv2D(channels, side, padding="same", name=name, **options)(x)

    lr = keras.Input((None, None, 3), name="lr")
    x = lr
    if centred:
        offset = [-255.0 * mean for mean in _MEAN]
        x = layers.Rescaling(255.0, offset=offset, dtype="float32", name="centre")(x)
    x = first = seen = convolution(x, "head")
    made = []
    for i in range(1, SPAN_BLOCKS + 1):
        h = convolution(x, f"block{i}_conv1")
        h = seen = layers.Activation("silu", name=f"block{i}_activation1")(h)
        h = convolution(h, f"block{i}_conv2")
        h = layers.Activation("silu", name=f"block{i}_activation2")(h)
        h = convolution(h, f"block{i}_conv3")
        attention = layers.Activation("sigmoid", name=f"block{i}_attention")(h)
        attention = layers.Rescaling(1.0, offset=-0.5, name=f"block{i}_centre")(attention)
        h = layers.Add(name=f"block{i}_add")([h, x])
        x = layers.Multiply(name=f"block{i}_multiply")([h, attention])
        made.append(x)
    x = convolution(x, "trunk")
    x = layers.Concatenate(name="concat")([first, x, made[0], seen])
    x = convolution(x, "merge", side=1)
    x = convolution(x, "tail", 3 * scale**2, dtype="float32")
    sr = PixelShuffle(scale, dtype="float32", name="sr")(x)
    return keras.Model(lr, sr, name=f"span_x{scale}")
