"""The graph of a generator: following it, and how far it looks around a pixel."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from srgan.networks.layers import PixelShuffle


def receptive_field(generator: keras.Model) -> int:
    """Returns how far, in lr pixels, the farthest lr pixel is that an output pixel depends on.

    Read off the graph, exactly. With that much context on every side, a tile is computed as the
    whole image is.

    Raises:
        ValueError: If a layer is none of those of this module, `Activation` or `Rescaling`, or a
            convolution has strides or another padding than "same"; it is named.
    """
    low_high = follow(generator, [(0, 0)], _reach)
    return max(max(-low, high) for low, high in low_high)


def follow(generator: keras.Model, value: Any, visit: Callable[[Any, list], Any]) -> Any:
    """Passes a value through the graph of a functional model, in place of the lr image.

    Args:
        generator: With one input and one output.
        value: What stands for the input.
        visit: Maps a layer and the values of its inputs to the value of its output.

    Returns:
        The value of the output.

    Raises:
        ValueError: If a layer is a model, or used more than once; it is named.
    """
    values = {id(generator.inputs[0]): value}
    for layer in generator.operations:
        if isinstance(layer, layers.InputLayer):
            continue
        try:
            inputs = [values[id(x)] for x in tf.nest.flatten(layer.input)]
        except KeyError:
            raise ValueError(
                f"Layer {layer.name!r} is a model, or it or its input is used more than once; "
                "expected one layer for every step."
            ) from None
        values[id(layer.output)] = visit(layer, inputs)
    return values[id(generator.outputs[0])]


def _reach(layer: Any, inputs: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """How far back the pixels of a layer's output depend on lr, given that of its inputs.

    Entry p is (low, high) of phase p: pixel y*factor + p, where factor is the number of phases,
    depends on the lr pixels y + low to y + high.
    """
    before = inputs[0]
    factor = len(before)
    match layer:
        case layers.Conv2D(padding="same", strides=(1, 1)):
            pairs = zip(layer.kernel_size, layer.dilation_rate, strict=True)
            taps = max((size - 1) * dilation for size, dilation in pairs)
            first, last = -(taps // 2), taps - taps // 2
            after = []
            for p in range(factor):
                seen = [divmod(p + k, factor) for k in range(first, last + 1)]
                low = min(pixel + before[phase][0] for pixel, phase in seen)
                high = max(pixel + before[phase][1] for pixel, phase in seen)
                after.append((low, high))
            return after
        case PixelShuffle(scale=scale):
            return [entry for entry in before for _ in range(scale)]
        case layers.UpSampling2D(size=(scale, _), interpolation="nearest"):
            return [entry for entry in before for _ in range(scale)]
        case layers.Add() | layers.Multiply() | layers.Concatenate(axis=-1 | 3):
            return [
                (min(low for low, _ in phase), max(high for _, high in phase))
                for phase in zip(*inputs, strict=True)
            ]
        case (
            layers.Activation()
            | layers.BatchNormalization()
            | layers.LeakyReLU()
            | layers.PReLU()
            | layers.ReLU()
            | layers.Rescaling()
        ):
            return before
        case _:
            raise ValueError(
                f"The receptive field of layer {layer.name!r} ({type(layer).__name__}) is unknown; "
                "expected convolutions without strides, padded 'same', and layers that keep or "
                "enlarge the image."
            )
