"""The graph of a generator: following it, and how far it looks around a pixel."""

import re
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from srgan.networks.layers import PixelShuffle

KNOWN = (
    "Conv2D (padding='same', without strides), PixelShuffle, UpSampling2D (nearest), Add, "
    "Multiply, Concatenate (of channels), BatchNormalization, PReLU (shared_axes=[1, 2]), ReLU, "
    "LeakyReLU, Activation (linear, relu, leaky_relu, sigmoid or silu), Rescaling; "
    "+, * and models of these"
)
"""What can be followed, and written as ONNX, in words."""


def receptive_field(generator: keras.Model) -> int:
    """Returns how far, in lr pixels, the farthest lr pixel is that an output pixel depends on.

    Read off the graph, exactly. With that much context on every side, a tile is computed as the
    whole image is.

    Raises:
        ValueError: If a layer is none of `KNOWN`; it is named.
    """
    low_high = follow(generator, [(0, 0)], _reach)
    return max(max(-low, high) for low, high in low_high)


def follow(
    generator: keras.Model, value: Any, visit: Callable[[Any, list], Any], channels: int = 3
) -> Any:
    """Passes a value through the graph of a generator, in place of the lr image.

    Models inside it are followed, too, and layers that are used more than once are visited so.

    Args:
        generator: With one input and one output; a subclassed one is made of layers and `keras.ops`
            alone.
        value: What stands for the input.
        visit: Maps a layer and the values of its inputs to the value of its output. An operation of
            `keras.ops` comes with the numbers among its arguments, too.
        channels: Of the input.

    Returns:
        The value of the output.

    Raises:
        ValueError: If the generator has no graph, or a layer computes as in training; it is named.
    """
    network = _functional(generator, channels)
    values = {id(network.inputs[0]): value}
    nodes = network._nodes_by_depth
    for node in (node for depth in sorted(nodes, reverse=True) for node in nodes[depth]):
        layer = node.operation
        if isinstance(layer, layers.InputLayer):
            continue
        if node.arguments.kwargs.get("training"):
            raise ValueError(
                f"Layer {layer.name!r} is called with training=True, so that it computes with the "
                "statistics of a batch, which a finished model has not. Leave training out."
            )
        given = node.arguments.keras_tensors
        if not isinstance(layer, layers.Layer):
            given = tf.nest.flatten(node.arguments.args)
        inputs = [values.get(id(x), x) for x in given]
        if isinstance(layer, keras.Model):
            result = follow(layer, inputs[0], visit, given[0].shape[-1])
        elif is_operation(layer, "ConvertToTensor"):  # which a Sequential adds for itself
            result = inputs[0]
        else:
            result = visit(layer, inputs)
        values[id(node.outputs[0])] = result
    return values[id(network.outputs[0])]


def is_operation(layer: Any, *names: str) -> bool:
    """Whether something in a graph is one of these operations of `keras.ops`."""
    return not isinstance(layer, layers.Layer) and type(layer).__name__ in names


def reason(error: Exception) -> str:
    """Returns the line of a message that says why.

    Keras sets it in bold, after a line that says where, and before the arguments. TensorFlow says
    before and after it in which operation.
    """
    bold = re.search(r"\x1b\[1m(.*?)\x1b\[0m", str(error), re.DOTALL)
    said = bold[1] if bold else str(error)
    return re.sub(r"{{.*?}} | \[Op:.*", "", said.strip().partition("\n")[0]).strip(". ")


def _functional(generator: Any, channels: int) -> Any:
    """A generator as a functional model of the same layers."""
    if hasattr(generator, "_nodes_by_depth"):
        return generator
    lr = keras.Input((None, None, channels), name="lr")
    try:
        return keras.Model(lr, generator.call(lr), name=generator.name)
    except Exception as error:  # whatever its own code raises without numbers
        raise ValueError(
            f"The generator {generator.name!r} cannot be followed from layer to layer "
            f"({reason(error)}). "
            "Its call may use layers and keras.ops alone, and take a size from no tensor."
        ) from error


def _reach(layer: Any, inputs: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """How far back the pixels of a layer's output depend on lr, given that of its inputs.

    Entry p is (low, high) of phase p: pixel y*factor + p, where factor is the number of phases,
    depends on the lr pixels y + low to y + high.
    """
    before = next(entry for entry in inputs if isinstance(entry, list))  # and not a number
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
            return _union(inputs)
        case (
            layers.Activation()
            | layers.BatchNormalization()
            | layers.LeakyReLU()
            | layers.PReLU()
            | layers.ReLU()
            | layers.Rescaling()
        ):
            return before
        case _ if is_operation(layer, "Add", "Multiply"):
            return _union([entry for entry in inputs if isinstance(entry, list)])
        case _:
            raise ValueError(
                f"The receptive field of layer {layer.name!r} ({type(layer).__name__}) is unknown; "
                "expected convolutions without strides, padded 'same', and layers that keep or "
                "enlarge the image."
            )


def _union(inputs: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    return [
        (min(low for low, _ in phase), max(high for _, high in phase))
        for phase in zip(*inputs, strict=True)
    ]
