"""The consistency projection as a layer of fixed convolutions; `projection.project` explains it."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from srgan.numeric import projection, resize


@keras.saving.register_keras_serializable("srgan")
class Projection(layers.Layer):
    """Maps `[sr, lr]` to the sr image moved towards those whose bicubic downscale is lr.

    Equal to `srgan.projection.project`. Float32, whatever the dtype policy: consistency is about
    differences below a grey level.

    Args:
        scale: Factor from lr to sr.
        rounds: Repetitions of sr <- sr + s_k U(lr - D(sr)).
    """

    def __init__(self, scale: int, rounds: int = 4, **layer_options) -> None:
        super().__init__(**{"dtype": "float32"} | layer_options)
        self.scale = scale
        self.rounds = rounds
        self._down, self._up = _kernels(scale)

    def call(self, inputs):
        sr, lr = (ops.cast(image, "float32") for image in inputs)
        if not self.rounds:
            return sr
        residual = move = correction = lr - self._downscale(sr)
        for step in projection.steps(self.rounds)[1:]:
            residual = residual - self._downscale(self._upscale(move))
            move = step * residual
            correction = correction + move
        return sr + self._upscale(correction)

    def _downscale(self, image):
        pad = (len(self._down) - self.scale) // 2
        return tf.nn.conv2d(_replicate(image, pad), self._down, self.scale, "VALID")

    def _upscale(self, image):
        pad = (len(self._up) - 1) // 2
        phases = tf.nn.conv2d(_replicate(image, pad), self._up, 1, "VALID")
        return tf.nn.depth_to_space(phases, self.scale)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return super().get_config() | {"scale": self.scale, "rounds": self.rounds}


def _kernels(scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernels of D (stride `scale`) and of U (before depth_to_space): `resize`'s, far from edges.

    D's is symmetric about an lr pixel; U's has a phase for each pixel that an lr pixel becomes.
    """
    middle, length = 6, 13  # lr pixels
    indices, weights = (of[middle] for of in resize.taps_of(length * scale, length))
    down = np.zeros(np.ptp(indices) + 1)
    down[indices - indices.min()] = weights
    taps = resize.taps_of(length, length * scale)
    up = np.zeros((5, scale))  # weight of the lr pixel at offset -2..2
    for phase in range(scale):
        row = middle * scale + phase
        np.add.at(up[:, phase], taps.indices[row] - middle + 2, taps.weights[row])

    channels = np.eye(3)
    down = np.einsum("i,j,cd->ijcd", down, down, channels)
    up = np.einsum("ip,jq,cd->ijcpqd", up, up, channels).reshape(5, 5, 3, 3 * scale**2)
    return down.astype(np.float32), up.astype(np.float32)


def _replicate(image, pad: int):
    """Repeats the edge pixels `pad` times on every side (tf.pad has no such mode)."""
    for axis in (1, 2):
        first = tf.gather(image, [0] * pad, axis=axis)
        last = tf.gather(image, tf.fill([pad], tf.shape(image)[axis] - 1), axis=axis)
        image = tf.concat([first, image, last], axis)
    return image
