"""Generators as ONNX graphs.

Keras layers are translated one by one, so that a graph has the names of the network: weight
`head/kernel` of Keras is initialiser `head/kernel`. Arithmetic is float32, unless float16 is asked
for.
"""

from typing import Any

import keras
import numpy as np
import onnx
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from srgan.models.metadata import Metadata
from srgan.networks.graph import KNOWN, follow, is_operation, receptive_field
from srgan.networks.layers import PixelShuffle
from srgan.util import versions

_OPSET = 17  # of 2022, with IR version 8: all that is needed, and read by every engine since
_IR_VERSION = 8

# Axes of a weight by its dimensions: kernels are (height, width, in, out) in Keras, slopes
# (1, 1, channels).
_TO_ONNX = {1: (0,), 3: (2, 0, 1), 4: (3, 2, 0, 1)}
FROM_ONNX = {1: (0,), 3: (1, 2, 0), 4: (2, 3, 1, 0)}


def translate(
    generator: keras.Model,
    metadata: Metadata,
    stored: type = np.float32,
    computed: type = np.float32,
) -> onnx.ModelProto:
    """Returns a generator as an ONNX model, with its metadata; see `export.write_onnx`.

    Args:
        generator: As for `export.write_onnx`.
        metadata: What the model says about itself.
        stored: What kernels are stored as: `np.float32` or `np.float16`.
        computed: What they are computed with, likewise; input and output are float32 in any case.

    Raises:
        ValueError: If a layer has no translation, or `metadata` contradicts the generator.
    """
    graph = graph_of(generator, stored, computed)
    needed = receptive_field(generator)
    if metadata.receptive_field < needed:
        raise ValueError(
            f"metadata.receptive_field={metadata.receptive_field} is less than the generator's "
            f"{needed}: tiles would show seams."
        )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="srgan",
        producer_version=versions.of("srgan"),
    )
    helper.set_model_props(model, metadata.to_props())
    return model


def graph_of(
    generator: keras.Model, stored: type = np.float32, computed: type = np.float32
) -> onnx.GraphProto:
    """Returns the graph of a generator; see `translate`."""
    graph = _Graph(stored, computed)
    x = graph.add("Transpose", "lr", ["lr"], perm=(0, 3, 1, 2))
    if computed is np.float16:
        x = graph.add("Cast", "lr", [x], to=TensorProto.FLOAT16)
    x = follow(generator, x, graph.visit)
    if graph.unknown:
        raise ValueError(
            f"The generator {generator.name!r} cannot be written as ONNX: layer "
            f"{'; layer '.join(graph.unknown)}. Known are {KNOWN}."
        )
    if computed is np.float16:
        x = graph.add("Cast", "sr", [x], to=TensorProto.FLOAT)
    graph.nodes.append(
        helper.make_node("Transpose", [x], ["sr"], "sr/Transpose", perm=(0, 2, 3, 1))
    )
    images = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (
            ("lr", ["batch", "height", "width", 3]),
            ("sr", ["batch", "sr_height", "sr_width", 3]),
        )
    ]
    return helper.make_graph(
        graph.nodes, generator.name, images[:1], images[1:], graph.initialisers
    )


class _Graph:
    """Nodes and initialisers, collected in order; a value is handled by its name."""

    def __init__(self, stored: type, computed: type) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self.unknown: list[str] = []
        self._stored, self._computed = stored, computed
        self._owners: dict[str, Any] = {}  # of names; models in a model may share those of layers

    def visit(self, layer: Any, inputs: list) -> str:
        """Adds what computes a Keras layer; notes one that has no translation."""
        try:
            return self._translate(layer, inputs)
        except ValueError as error:
            self.unknown.append(str(error))
            return inputs[0]

    def _translate(self, layer: Any, inputs: list) -> str:
        """Adds what computes a Keras layer, channels first; returns its output."""
        name = layer.name
        match layer:
            case layers.Conv2D(padding="same", strides=(1, 1)):
                pairs = zip(layer.kernel_size, layer.dilation_rate, strict=True)
                pads = [(size - 1) * dilation for size, dilation in pairs]
                x = self.add(
                    "Conv",
                    name,
                    inputs + self._weights(layer),
                    pads=[pad // 2 for pad in pads] + [pad - pad // 2 for pad in pads],
                    dilations=layer.dilation_rate,
                    group=layer.groups,
                )
                return self._activate(layer, x)
            case layers.BatchNormalization(axis=-1 | 3, center=True, scale=True):
                inputs = inputs + self._weights(layer)
                return self.add("BatchNormalization", name, inputs, epsilon=layer.epsilon)
            case layers.PReLU(shared_axes=[1, 2]):
                return self.add("PRelu", name, inputs + self._weights(layer))
            case layers.ReLU(max_value=None, negative_slope=0, threshold=0):
                return self.add("Relu", name, inputs)
            case layers.LeakyReLU():
                return self.add("LeakyRelu", name, inputs, alpha=layer.negative_slope)
            case layers.Activation():
                return self._activate(layer, inputs[0])
            case layers.Add():
                return self.add("Sum" if len(inputs) > 2 else "Add", name, inputs)
            case layers.Multiply() if len(inputs) == 2:
                return self.add("Mul", name, inputs)
            case layers.Concatenate(axis=-1 | 3):
                return self.add("Concat", name, inputs, axis=1)
            case PixelShuffle():
                return self.add("DepthToSpace", name, inputs, blocksize=layer.scale, mode="DCR")
            case layers.UpSampling2D(interpolation="nearest"):
                factors = np.array((1, 1, *layer.size), np.float32)
                scales = self._constant(f"{name}/scales", factors, np.float32)
                return self.add(
                    "Resize",
                    name,
                    [*inputs, "", scales],
                    mode="nearest",
                    coordinate_transformation_mode="asymmetric",
                    nearest_mode="floor",
                )
            case layers.Rescaling():
                x = inputs[0]
                if np.any(np.not_equal(layer.scale, 1)):
                    scale = self._constant(f"{name}/scale", np.reshape(layer.scale, (-1, 1, 1)))
                    x = self.add("Mul", name, [x, scale])
                if not np.any(layer.offset):
                    return x
                offset = self._constant(f"{name}/offset", np.reshape(layer.offset, (-1, 1, 1)))
                return self.add("Add", name, [x, offset])
            case _ if is_operation(layer, "Add", "Multiply"):
                operator = "Add" if is_operation(layer, "Add") else "Mul"
                return self.add(operator, name, [self._operand(name, value) for value in inputs])
        raise ValueError(f"{name!r} ({type(layer).__name__}) has no translation")

    def _operand(self, name: str, value: Any) -> str:
        return value if isinstance(value, str) else self._constant(f"{name}/number", value)

    def add(self, operator: str, name: str, inputs: list[str], **attributes) -> str:
        output = self._own(f"{name}/{operator}", object())
        self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def _activate(self, layer: Any, x: str) -> str:
        if layer.activation is keras.activations.linear:
            return x
        if layer.activation is keras.activations.relu:
            return self.add("Relu", layer.name, [x])
        if layer.activation is keras.activations.leaky_relu:
            return self.add("LeakyRelu", layer.name, [x], alpha=0.2)
        if layer.activation is keras.activations.sigmoid:
            return self.add("Sigmoid", layer.name, [x])
        if layer.activation is keras.activations.silu:
            return self.add("Mul", layer.name, [x, self.add("Sigmoid", layer.name, [x])])
        raise ValueError(
            f"{layer.name!r} has the activation {getattr(layer.activation, '__name__', '?')}"
        )

    def _weights(self, layer: Any) -> list[str]:
        values = []
        for weight in layer.weights:
            array = np.asarray(weight).transpose(_TO_ONNX[len(weight.shape)])
            name = self._own(f"{layer.name}/{weight.name}", weight)
            if array.ndim == 4 and self._stored is not self._computed:
                self._keep(name, array, self._stored)
                values.append(self.add("Cast", name, [name], to=TensorProto.FLOAT))
            else:
                values.append(self._keep(name, array))
        return values

    def _constant(self, name: str, array: Any, dtype: type | None = None) -> str:
        return self._keep(self._own(name, object()), array, dtype)

    def _keep(self, name: str, array: Any, dtype: type | None = None) -> str:
        with np.errstate(over="ignore"):  # the comparison will find it
            rounded = np.asarray(array, dtype or self._computed)
        if all(tensor.name != name for tensor in self.initialisers):  # of a layer used before
            self.initialisers.append(numpy_helper.from_array(rounded, name))
        return name

    def _own(self, name: str, owner: Any) -> str:
        """A name that nothing but its owner has."""
        number, own = 1, name
        while self._owners.setdefault(own, owner) is not owner:
            number += 1
            own = f"{name}_{number}"
        return own
