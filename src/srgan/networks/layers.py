"""Layers that Keras does not have."""

import keras
import tensorflow as tf
from keras import layers, ops

from srgan.networks import workers


@keras.saving.register_keras_serializable("srgan")
class PixelShuffle(layers.Layer):
    """Sub-pixel convolution's rearrangement (Shi et al. 2016, eq. 4), channel-last.

    out[y*scale + i, x*scale + j, c] = in[y, x, (i*scale + j) * channels + c]: the order of
    TensorFlow's depth_to_space and of ONNX' DepthToSpace in DCR mode.

    Args:
        scale: Factor of enlargement; the input's channels must be a multiple of its square.
    """

    def __init__(self, scale: int, **layer_options) -> None:
        super().__init__(**layer_options)
        self.scale = scale

    def call(self, x):
        return tf.nn.depth_to_space(x, self.scale)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (
            batch,
            height and height * self.scale,
            width and width * self.scale,
            channels // self.scale**2,
        )

    def get_config(self):
        return super().get_config() | {"scale": self.scale}


@keras.saving.register_keras_serializable("srgan")
class PixelNormalization(layers.Layer):
    """Divides the channels of each pixel by their root mean square (Karras et al. 2018, 4.2).

    Unlike Keras' UnitNormalization, it has a gradient, and one of that, at pixels that are 0.

    Args:
        epsilon: Added to the mean square.
    """

    def __init__(self, epsilon: float = 1e-3, **layer_options) -> None:
        super().__init__(**layer_options)
        self.epsilon = epsilon

    def call(self, x):
        return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + self.epsilon)

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon}


@keras.saving.register_keras_serializable("srgan")
class BatchNormalization(layers.BatchNormalization):
    """Keras' layer, with the statistics of the whole batch where several workers share it."""

    def _moments(self, inputs, mask):
        if workers.count() == 1:
            return super()._moments(inputs, mask)
        axes = self._reduction_axes
        mean, square = workers.mean(ops.mean(inputs, axes), ops.mean(ops.square(inputs), axes))
        return mean, square - ops.square(mean)
