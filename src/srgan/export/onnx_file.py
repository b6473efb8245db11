"""Generators as ONNX files, and back: what training leaves, and what inference runs."""

import dataclasses
import hashlib
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
from onnx import helper, numpy_helper

from srgan.export.onnx_graph import FROM_ONNX, graph_of, translate
from srgan.models import engines
from srgan.models.metadata import Metadata
from srgan.networks.efficient import span, srvggnet
from srgan.networks.generators import Activation, residual, rrdbnet, srresnet, widen
from srgan.util import files, versions
from srgan.verification.certificate import figures_of

_LIMIT = 0.5  # grey levels: a larger difference is more than rounding
_OPERATORS = {  # that generators are made of
    *("Transpose", "Cast", "Conv", "BatchNormalization", "PRelu", "Relu", "LeakyRelu"),
    *("Add", "Sum", "Mul", "Sigmoid", "Concat", "DepthToSpace", "Resize"),
}
_SIZES = ((24, 32), (33, 17), (1, 5))  # of the images that Keras and the file are compared on


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How closely a file does what the Keras model does, measured before it was put in place.

    Attributes:
        max_difference: Largest difference, in grey levels (1/255).
        mean_difference: Mean of the absolute differences, in grey levels.
        psnr: Of the file's output against Keras', in dB; 100 if they are equal.
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
) -> Comparison:
    """Writes a generator as an ONNX file, after comparing the two.

    The file's input "lr" and output "sr" are those of the generator, float32, for any batch and
    size. The comparison, but for the hash, is also in its metadata, as `srgan.certificate`.

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
    return Comparison(**figures, sha256=digest)


def write_metadata(path: Path, metadata: Metadata) -> None:
    """Changes what a file of `write_onnx` says about itself; its network and certificate stay."""
    model = onnx.load(path, load_external_data=False)
    props = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, props | metadata.to_props())
    files.write_bytes(path, model.SerializeToString(deterministic=True))


def read_generator(path: Path) -> keras.Model:
    """Returns the generator that a file of `write_onnx` was made from, found in its graph.

    Raises:
        ValueError: If the file holds another network than those of `generators.py`.
    """
    generator = _rebuild(path, _read(path))
    read_weights(path, generator)
    return generator


def _rebuild(path: Path, graph: onnx.GraphProto) -> keras.Model:
    """The generator of a graph, untrained."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    operators = {node.op_type for node in graph.node}
    architecture, _, digit = graph.name.rpartition("_x")
    filters, blocks = _size(graph)
    scale = int(digit) if re.fullmatch("[1-9]", digit) else 0
    match scale and architecture:
        case "residual":
            hr_filters = shapes.get("enlarge/kernel", (0,))[0] // scale**2
            return residual(scale, filters, blocks, hr_filters)
        case "rrdbnet":
            growth = shapes.get("block1_dense1_conv1/kernel", (1,))[0]
            return rrdbnet(scale, filters, blocks, growth)
        case "srresnet":
            activation: Activation = "relu"
            if "Relu" not in operators:
                activation = "prelu" if "PRelu" in operators else "leaky_relu"
            normalisation = "BatchNormalization" in operators
            return srresnet(scale, filters, blocks, normalisation, activation)
        case "srvggnet":
            return srvggnet(scale, filters, blocks)
        case "span":
            return span(scale, filters, "centre/scale" in shapes)
    strange = [node for node in graph.node if node.op_type not in _OPERATORS]
    what = f" with the layer {strange[0].name!r} ({strange[0].op_type})" if strange else ""
    raise ValueError(
        f"{path} holds the network {graph.name!r}{what}; expected a residual, srresnet, rrdbnet, "
        "srvggnet or span of srgan: only those can be rebuilt in Keras, and exported."
    )


def read_weights(path: Path, generator: keras.Model) -> None:
    """Sets all weights of a generator from a file of `write_onnx`, or none.

    A `residual` takes more, as a beginning for training. With `hr_filters`, it takes the weights of
    one without: see `generators.widen`. And it takes those of another scale, if one scale divides
    the other: what enlarges makes the mean of the pixels that each covers at the larger scale, or
    repeats them. Without `hr_filters`, that is so of the pixels of sr, too.

    Raises:
        ValueError: If the file holds another network; the first weight that does not fit is named.
    """
    found, needed = _read(path), graph_of(generator)
    if needed.name.startswith("residual") and _has_hr_filters(needed) > _has_hr_filters(found):
        scale, (filters, blocks) = int(needed.name.rpartition("_x")[2]), _size(needed)
        plain = residual(scale, filters, blocks, hr_filters=0)
        read_weights(path, plain)
        widen(plain, generator)
        return
    _rescale(found, needed.name)
    if reason := _misfit(found, needed):
        others = " Models of other projects are taken as .pth, .safetensors or .param files."
        known = re.match(r"(residual|srresnet|rrdbnet|srvggnet|span)_x\d", found.name)
        raise ValueError(
            f"{path} holds {_describe(found)}, and the generator is {_describe(needed)}: {reason}."
            + ("" if known else others)
        )
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in found.initializer}
    for layer in generator.layers:
        for weight in layer.weights:
            array = arrays[f"{layer.name}/{weight.name}"].astype(np.float32)
            weight.assign(array.transpose(FROM_ONNX[array.ndim]))


def _read(path: Path) -> onnx.GraphProto:
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except DecodeError as error:
        raise ValueError(f"{path} is not an ONNX file; expected one that srgan wrote.") from error
    graph.name = re.sub(r"^compact_x", "residual_x", graph.name)  # its name before version 0.3
    return graph


def _rescale(graph: onnx.GraphProto, name: str) -> None:
    """Makes a residual network enlarge by the scale in `name`, if one divides the other."""
    before, after = (re.fullmatch(r"residual_x(\d)", text) for text in (graph.name, name))
    if not (before and after):
        return
    old, new = int(before[1]), int(after[1])
    if max(old, new) % min(old, new):
        return
    layer = "enlarge" if _has_hr_filters(graph) else "tail"
    for tensor in graph.initializer:
        if tensor.name in (f"{layer}/kernel", f"{layer}/bias") and tensor.dims[0] % old**2 == 0:
            array = numpy_helper.to_array(tensor)
            rest = (len(array) // old**2, *array.shape[1:])
            if new < old:
                factor = old // new
                phases = array.reshape(new, factor, new, factor, *rest).mean((1, 3), np.float32)
            else:
                phases = array.reshape(old, old, *rest)
                phases = phases.repeat(new // old, 0).repeat(new // old, 1)
            phases = phases.astype(array.dtype).reshape(-1, *rest[1:])
            tensor.CopyFrom(numpy_helper.from_array(phases, tensor.name))


def _has_hr_filters(graph: onnx.GraphProto) -> bool:
    return any(tensor.name == "enlarge/kernel" for tensor in graph.initializer)


def _compare(generator: keras.Model, path: Path, scale: int) -> dict[str, Any]:
    """Returns what a `Comparison` says, except for the hash.

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
    figures = figures_of(255 * np.concatenate(differences))
    if not figures.max_difference <= _LIMIT:  # also if it is not a number
        raise RuntimeError(
            f"The ONNX file differs from the generator {generator.name!r} by up to "
            f"{figures.max_difference:.3g} grey levels, where {_LIMIT} are allowed; nothing was "
            "written. With half=False, its weights are not rounded."
        )
    used = {name: versions.of(name) for name in ("keras", "tensorflow", kind)}
    return figures.model_dump() | {"sizes": _SIZES, "versions": used}


def _float32(generator: keras.Model) -> keras.Model:
    """A copy that computes in float32, as the file does, whatever the dtype policy."""

    def clone(node: Any) -> Any:
        # Of + and the like there is no layer, and no dtype.
        dtype = {"dtype": "float32"} if isinstance(node, keras.Layer) else {}
        return node.__class__.from_config(node.get_config() | dtype)

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # for the layers that a subclassed model makes itself
    try:
        followed = hasattr(generator, "_nodes_by_depth")
        how: Any = {"clone_function": clone, "recursive": True} if followed else {}
        copy: Any = keras.models.clone_model(generator, **how)
        copy(np.zeros((1, 16, 16, 3), np.float32))
    finally:
        keras.config.set_dtype_policy(before)
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
