"""The same network in less memory, and how much memory one needs, found in its ONNX graph."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

# Engines compute these in place.
_ACTIVATIONS = frozenset({"Clip", "LeakyRelu", "Relu", "Sigmoid", "Tanh"})


def memory(model: "onnx.ModelProto", side: int = 64) -> float | None:
    """Returns the bytes for a pixel of lr that are in use at once, at most, while it runs.

    Those of all results that are still needed by an operation to come, activations being computed
    in place; or None if the shapes cannot be inferred.

    Args:
        model: The network.
        side: Of the square picture to reckon with, where the model leaves the size open.
    """
    import onnx

    try:
        model = onnx.shape_inference.infer_shapes(with_size(model, side))
    except (
        onnx.shape_inference.InferenceError,
        onnx.checker.ValidationError,
    ):  # operations that onnx does not know
        return None
    graph = model.graph
    sizes = {
        value.name: _bytes(value) for value in (*graph.value_info, *graph.input, *graph.output)
    }
    last = {name: index for index, node in enumerate(graph.node) for name in node.input}
    last |= {value.name: len(graph.node) for value in graph.output}
    alive, most = {value.name for value in graph.input}, 0
    for index, node in enumerate(graph.node):
        if not alive.intersection(node.input):
            continue  # made of constants
        if node.op_type in _ACTIVATIONS and last.get(node.input[0]) == index:
            alive.discard(node.input[0])
        alive.update(node.output)
        needed = [sizes.get(name) for name in alive]
        if None in needed:
            return None
        most = max(most, sum(filter(None, needed)))
        alive = {name for name in alive if last.get(name, -1) > index}
    initialised = {tensor.name for tensor in graph.initializer}
    picture = next((value for value in graph.input if value.name not in initialised), None)
    if picture is None:
        return None
    shape = [dimension.dim_value for dimension in picture.type.tensor_type.shape.dim]
    if len(shape) != 4 or not all(shape):
        return None
    return most * min(shape[1], shape[-1]) / math.prod(shape)


def fuse(model: "onnx.ModelProto") -> None:
    """Puts the convolution before the pixel shuffle that it follows, where that saves memory.

    Many channels, which the shuffle copies to sr size for a convolution that makes a picture of
    them, are then never held twice: the shipped models for x4 need 1.3 KB for a pixel of lr in
    place of 2.0, and their tiles overlap less. The new kernel V computes all phases (i, j) of the
    result at once, from all phases (p, q) of what was shuffled:

        V[(i, j, o), (p, q, c), a, b] = W[o, c, block a + p - i, block b + q - j],

    a and b from -1 to 1, W's places counted from its middle, and 0 beyond its ends. Results differ
    by rounding. It is done where V has at most a tenth of the network's weights, and so about of
    its arithmetic.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    used = [name for node in graph.node for name in node.input]
    used += [value.name for value in graph.output]
    weights = _float_weights(graph)
    most = sum(math.prod(tensor.dims) for tensor in graph.initializer) / 10
    for conv in graph.node:
        shuffle = made.get(conv.input[0]) if conv.op_type == "Conv" else None
        if shuffle is None or shuffle.op_type != "DepthToSpace" or used.count(conv.input[0]) > 1:
            continue
        options = {entry.name: helper.get_attribute_value(entry) for entry in shuffle.attribute}
        block, mode = options["blocksize"], options.get("mode", b"DCR")
        tensors = [weights[name] for name in conv.input[1:] if name in weights]
        if len(tensors) != len(conv.input) - 1 or not _is_plain(conv, tensors[0].dims, block):
            continue
        results, channels = tensors[0].dims[:2]
        if results >= channels or 9 * results * channels * block**4 > most:
            continue
        arrays = [numpy_helper.to_array(tensor).astype(np.float32) for tensor in tensors]
        arrays[0] = _of_all_phases(arrays[0], block, mode == b"DCR")
        arrays[1:] = [
            np.tile(a, block**2) if mode == b"DCR" else a.repeat(block**2) for a in arrays[1:]
        ]
        result = conv.output[0]
        names = [f"{result}/phases/{part}" for part in ("kernel", "bias")[: len(arrays)]]
        graph.initializer.extend(map(numpy_helper.from_array, arrays, names))
        first, second = (
            helper.make_node(
                "Conv", [shuffle.input[0], *names], [f"{result}/phases"], pads=[1] * 4
            ),
            helper.make_node(
                "DepthToSpace", [f"{result}/phases"], [result], blocksize=block, mode=mode
            ),
        )
        shuffle.CopyFrom(first)
        conv.CopyFrom(second)


def _float_weights(graph: "onnx.GraphProto") -> dict[str, "onnx.TensorProto"]:
    """The weights that are float32, or stored as float16 and cast to it, by their last name."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    weights = {name: tensor for name, tensor in tensors.items() if tensor.data_type == 1}
    for node in graph.node:
        if node.op_type == "Cast" and node.attribute[0].i == 1 and node.input[0] in tensors:
            weights[node.output[0]] = tensors[node.input[0]]
    return weights


def _is_plain(conv: Any, dims: Sequence[int], block: int) -> bool:
    """Whether a convolution gives as many pixels as it takes, and reaches into the next block."""
    attributes = {entry.name: list(entry.ints) or entry.i for entry in conv.attribute}
    size = dims[-1]
    return (
        len(dims) == 4
        and dims[2] == size
        and size % 2 == 1
        and size // 2 <= block
        and attributes.get("pads", [0]) == [size // 2] * 4
        and attributes.get("group", 1) == 1
        and {1}.issuperset(attributes.get("strides", [1]) + attributes.get("dilations", [1]))
        and "auto_pad" not in attributes
    )


def _of_all_phases(kernel: np.ndarray, block: int, channels_last: bool) -> np.ndarray:
    """The kernel V of `fuse`, for phases in the order of DepthToSpace's mode DCR or CRD."""
    results, channels, size, _ = kernel.shape
    phases = np.zeros((block, block, results, block, block, channels, 3, 3), np.float32)
    for i, j in np.ndindex(block, block):
        for y, x in np.ndindex(size, size):
            (a, p), (b, q) = (divmod(n - size // 2, block) for n in (i + y, j + x))
            phases[i, j, :, p, q, :, a + 1, b + 1] = kernel[:, :, y, x]
    if not channels_last:
        phases = phases.transpose(2, 0, 1, 5, 3, 4, 6, 7)
    return phases.reshape(block**2 * results, block**2 * channels, 3, 3)


def with_size(model: "onnx.ModelProto", side: int) -> "onnx.ModelProto":
    """Returns a copy whose input is one square picture, where it leaves the size open."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        dimensions = value.type.tensor_type.shape.dim
        for axis, dimension in enumerate(dimensions):
            if not dimension.dim_value:
                dimension.dim_value = 1 if axis == 0 else side
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    return copy


def _bytes(value: "onnx.ValueInfoProto") -> int | None:
    """The size of a tensor, if it is known."""
    sides = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
    width = {1: 4, 10: 2, 11: 8}.get(value.type.tensor_type.elem_type, 4)  # float32, 16, 64
    return math.prod(sides) * width if sides and all(sides) else None
