"""Generators as ONNX files, and back: what training leaves, and what inference runs.

Keras layers are translated one by one, so that a file has the names of the network: weight
`head/kernel` of Keras is initialiser `head/kernel`. Arithmetic is float32, unless float16 is asked
for.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
from google.protobuf.message import DecodeError
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from srgan import engines
from srgan.models import Metadata
from srgan.train.generators import (
    Activation,
    PixelShuffle,
    compact,
    follow,
    receptive_field,
    rrdbnet,
    srresnet,
)

_OPSET = 17  # of 2022, with IR version 8: all that is needed, and read by every engine since
_IR_VERSION = 8
_LIMIT = 0.5  # grey levels: a larger difference is more than rounding
_OPERATORS = {  # that generators are made of
    *("Transpose", "Cast", "Conv", "BatchNormalization", "PRelu", "Relu", "LeakyRelu"),
    *("Add", "Sum", "Mul", "Concat", "DepthToSpace", "Resize"),
}
_SIZES = ((24, 32), (33, 17), (1, 5))  # of the images that Keras and the file are compared on


@dataclasses.dataclass(frozen=True)
class Certificate:
    """How closely a file does what the Keras model does, measured before it was put in place.

    Attributes:
        max_difference: Largest difference, in grey levels (1/255).
        mean_difference: Mean of the absolute differences, in grey levels.
        psnr: Of the file's output against Keras', in dB; 200 if they are equal.
        sizes: Height and width of the lr images; waves, noise, edges, black and white of each.
        versions: Of what computed the two.
        sha256: Of the file.
    """

    max_difference: float
    mean_difference: float
    psnr: float
    sizes: tuple[tuple[int, int], ...]
    versions: Mapping[str, str]
    sha256: str


def write_onnx(
    generator: keras.Model, path: Path, metadata: Metadata, half: bool = True
) -> Certificate:
    """Writes a generator as an ONNX file, after comparing the two.

    The file's input "lr" and output "sr" are those of the generator, float32, for any batch and
    size. The certificate, but for the hash, is also in its metadata, as `srgan.certificate`.

    Args:
        generator: Functional model of the layers used in `generators.py`, `Activation` and
            `Rescaling`.
        path: The file, replaced if it exists: whole or not at all.
        metadata: What the file says about itself.
        half: Store convolution kernels as float16, for half the size. They are computed with in
            float32; biases and other vectors are stored so, too.

    Raises:
        RuntimeError: If the file computes something else than the generator.
        ValueError: If a layer has no translation, or `metadata` contradicts the generator.
    """
    model = translate(generator, metadata, np.float16 if half else np.float32)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        _save(model, part)
        onnx.checker.check_model(part, full_check=True)
        figures = _compare(generator, part, metadata.scale)
        entry = model.metadata_props.add()
        entry.key, entry.value = "srgan.certificate", json.dumps(figures)
        _save(model, part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        part.replace(path)
    return Certificate(**figures, sha256=digest)


def translate(
    generator: keras.Model,
    metadata: Metadata,
    stored: type = np.float32,
    computed: type = np.float32,
) -> onnx.ModelProto:
    """Returns a generator as an ONNX model, with its metadata; see `write_onnx`.

    Args:
        generator: As for `write_onnx`.
        metadata: What the model says about itself.
        stored: What kernels are stored as: `np.float32` or `np.float16`.
        computed: What they are computed with, likewise; input and output are float32 in any case.

    Raises:
        ValueError: If a layer has no translation, or `metadata` contradicts the generator.
    """
    needed = receptive_field(generator)
    if metadata.receptive_field < needed:
        raise ValueError(
            f"metadata.receptive_field={metadata.receptive_field} is less than the generator's "
            f"{needed}: tiles would show seams."
        )
    model = helper.make_model(
        _graph(generator, stored, computed),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="srgan",
        producer_version=_version("srgan"),
    )
    helper.set_model_props(model, metadata.to_props())
    return model


def read_generator(path: Path) -> keras.Model:
    """Returns the generator that a file of `write_onnx` was made from, found in its graph.

    Raises:
        ValueError: If the file holds another network than those of `generators.py`.
    """
    graph = _read(path)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    operators = {node.op_type for node in graph.node}
    architecture, _, scale = graph.name.rpartition("_x")
    filters, blocks = _size(graph)
    if architecture not in ("compact", "srresnet", "rrdbnet") or not scale.isdecimal():
        strange = [node for node in graph.node if node.op_type not in _OPERATORS]
        what = f" with the layer {strange[0].name!r} ({strange[0].op_type})" if strange else ""
        raise ValueError(
            f"{path} holds the network {graph.name!r}{what}; expected a compact, srresnet or "
            "rrdbnet of srgan: only those can be rebuilt in Keras, and exported."
        )
    if architecture == "compact":
        generator = compact(int(scale), filters, blocks)
    elif architecture == "rrdbnet":
        growth = shapes.get("block1_dense1_conv1/kernel", (1,))[0]
        generator = rrdbnet(int(scale), filters, blocks, growth)
    else:
        activation: Activation = "relu"
        if "Relu" not in operators:
            activation = "prelu" if "PRelu" in operators else "leaky_relu"
        normalisation = "BatchNormalization" in operators
        generator = srresnet(int(scale), filters, blocks, normalisation, activation)
    read_weights(path, generator)
    return generator


def read_weights(path: Path, generator: keras.Model) -> None:
    """Sets all weights of a generator from a file of `write_onnx`, or none.

    Raises:
        ValueError: If the file holds another network; the first weight that does not fit is named.
    """
    found, needed = _read(path), _graph(generator)
    if reason := _misfit(found, needed):
        raise ValueError(
            f"{path} holds {_describe(found)}, and the generator is {_describe(needed)}: {reason}."
        )
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in found.initializer}
    for layer in generator.layers:
        for weight in layer.weights:
            array = arrays[f"{layer.name}/{weight.name}"].astype(np.float32)
            weight.assign(array.transpose(_FROM_ONNX[array.ndim]))


# Axes of a weight by its dimensions: kernels are (height, width, in, out) in Keras, slopes
# (1, 1, channels).
_TO_ONNX = {1: (0,), 3: (2, 0, 1), 4: (3, 2, 0, 1)}
_FROM_ONNX = {1: (0,), 3: (1, 2, 0), 4: (2, 3, 1, 0)}


def _read(path: Path) -> onnx.GraphProto:
    try:
        return onnx.load(path, load_external_data=False).graph
    except DecodeError as error:
        raise ValueError(f"{path} is not an ONNX file; expected one that srgan wrote.") from error


def _graph(
    generator: keras.Model, stored: type = np.float32, computed: type = np.float32
) -> onnx.GraphProto:
    graph = _Graph(stored, computed)
    x = graph.add("Transpose", "lr", ["lr"], perm=(0, 3, 1, 2))
    if computed is np.float16:
        x = graph.add("Cast", "lr", [x], to=TensorProto.FLOAT16)
    x = follow(generator, x, graph.translate)
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
        self._stored, self._computed = stored, computed

    def translate(self, layer: Any, inputs: list[str]) -> str:
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
                scale = self._constant(f"{name}/scale", np.reshape(layer.scale, (-1, 1, 1)))
                x = self.add("Mul", name, [*inputs, scale])
                if not np.any(layer.offset):
                    return x
                offset = self._constant(f"{name}/offset", np.reshape(layer.offset, (-1, 1, 1)))
                return self.add("Add", name, [x, offset])
        raise ValueError(
            f"Layer {name!r} ({type(layer).__name__}) has no translation to ONNX here, at least "
            "not with its options; expected those that generators.py uses."
        )

    def add(self, operator: str, name: str, inputs: list[str], **attributes) -> str:
        output = f"{name}/{operator}"
        self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def _activate(self, layer: Any, x: str) -> str:
        if layer.activation is keras.activations.linear:
            return x
        if layer.activation is keras.activations.relu:
            return self.add("Relu", layer.name, [x])
        if layer.activation is keras.activations.leaky_relu:
            return self.add("LeakyRelu", layer.name, [x], alpha=0.2)
        raise ValueError(
            f"Layer {layer.name!r} has the activation {layer.activation.__name__}; expected "
            "linear, relu or leaky_relu."
        )

    def _weights(self, layer: Any) -> list[str]:
        values = []
        for weight in layer.weights:
            array = np.asarray(weight).transpose(_TO_ONNX[len(weight.shape)])
            name = f"{layer.name}/{weight.name}"
            if array.ndim == 4 and self._stored is not self._computed:
                self._constant(name, array, self._stored)
                values.append(self.add("Cast", name, [name], to=TensorProto.FLOAT))
            else:
                values.append(self._constant(name, array))
        return values

    def _constant(self, name: str, array: np.ndarray, dtype: type | None = None) -> str:
        with np.errstate(over="ignore"):  # the comparison will find it
            rounded = np.asarray(array, dtype or self._computed)
        self.initialisers.append(numpy_helper.from_array(rounded, name))
        return name


def _compare(generator: keras.Model, path: Path, scale: int) -> dict[str, Any]:
    """Returns what a `Certificate` says, except for the hash.

    Keras runs in a graph, as in training: an operation that TensorFlow fuses wrongly is found.
    """
    try:
        kind = "onnxruntime"
        engine = engines.open_engine(path, kind)
    except ModuleNotFoundError:
        kind = "openvino"
        engine = engines.open_engine(path, kind)
    reference = _float32(generator)
    signature = tf.TensorSpec((None, None, None, 3))
    run = tf.function(lambda lr: reference(lr, training=False), input_signature=[signature])

    differences = []
    for height, width in _SIZES:
        lr = _probes(height, width)
        expected, found = run(tf.constant(lr)).numpy(), engine.run(lr)
        shape = (len(lr), scale * height, scale * width, 3)
        if not shape == expected.shape == found.shape:
            raise ValueError(
                f"An lr batch of shape {lr.shape} gives {expected.shape} in Keras and "
                f"{found.shape} in the file; expected {shape}, metadata.scale being {scale}."
            )
        differences.append((found.astype(np.float64) - expected).ravel())
    error = 255 * np.concatenate(differences)
    worst = float(np.max(np.abs(error)))
    if not worst <= _LIMIT:  # also if it is not a number
        raise RuntimeError(
            f"The ONNX file differs from the generator {generator.name!r} by up to {worst:.3g} "
            f"grey levels, where {_LIMIT} are allowed; nothing was written. With half=False, its "
            "weights are not rounded."
        )
    noise = max(float(np.mean(error**2)), 255**2 * 1e-20)
    return {
        "max_difference": worst,
        "mean_difference": float(np.mean(np.abs(error))),
        "psnr": float(10 * np.log10(255**2 / noise)),
        "sizes": _SIZES,
        "versions": {name: _version(name) for name in ("keras", "tensorflow", kind)},
    }


def _float32(generator: keras.Model) -> keras.Model:
    """A copy that computes in float32, as the file does, whatever the dtype policy."""

    def clone(layer: Any) -> keras.Layer:
        return layer.__class__.from_config(layer.get_config() | {"dtype": "float32"})

    copy: Any = keras.models.clone_model(generator, clone_function=clone)
    copy.set_weights(generator.get_weights())
    return copy


def _probes(height: int, width: int) -> np.ndarray:
    """Five images: waves, noise, edges, black and white."""
    y, x, channel = np.mgrid[:height, :width, :3]
    waves = 0.5 + 0.5 * np.sin(0.2 * y + 0.3 * x + channel)
    noise = np.random.default_rng(0).random((height, width, 3))
    edges = (y // 5 + x // 3 + channel) % 2
    return np.stack([waves, noise, edges, 0 * waves, 0 * waves + 1]).astype(np.float32)


def _misfit(found: onnx.GraphProto, needed: onnx.GraphProto) -> str | None:
    """Says what the file's network has that the generator has not, or the other way round."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in found.initializer}
    for tensor in needed.initializer:
        shape = shapes.pop(tensor.name, None)
        if shape is None:
            return f"the file has no weight {tensor.name!r}"
        if shape != tuple(tensor.dims):
            return f"the weight {tensor.name!r} is {shape} in the file, not {tuple(tensor.dims)}"
    if shapes:
        return f"the generator has no weight {next(iter(shapes))!r}"
    for theirs, ours in zip(_operations(found), _operations(needed), strict=False):
        if theirs != ours:
            return f"the file has the operation {theirs!r}, not {ours!r}"
    return None


def _operations(graph: onnx.GraphProto) -> list[str]:
    return [node.name for node in graph.node if node.op_type != "Cast"]


def _describe(graph: onnx.GraphProto) -> str:
    filters, blocks = _size(graph)
    return f"{graph.name!r} ({filters or '?'} filters, {blocks} blocks)"


def _size(graph: onnx.GraphProto) -> tuple[int, int]:
    """Filters, 0 if they are not known, and residual blocks of a generator."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    blocks = {found[0] for name in shapes if (found := re.match(r"block\d+_", name))}
    return shapes.get("head/kernel", (0,))[0], len(blocks)


def _save(model: onnx.ModelProto, path: Path) -> None:
    with path.open("wb") as file:
        file.write(model.SerializeToString(deterministic=True))
        file.flush()
        os.fsync(file.fileno())


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # run from its source
        return "unknown"
