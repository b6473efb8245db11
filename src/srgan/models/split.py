"""Deep networks in two parts: the long one at the size of lr, and its end, in bands of rows.

What a network like ESRGAN's makes at the size of sr, 64 channels for three colours, takes most of
its memory, but looks only a few pixels far. Computed a band of rows at a time, it leaves memory for
tiles of the long part that are five times as large, and so overlap less.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from srgan.models import engines, fuse
from srgan.models.receptive_field import receptive_field

if TYPE_CHECKING:
    import onnx

_SIDE = 64  # of the picture with which sizes are found out
_NEAR = 8  # pixels that the second part may look far
_WORTH = 2.0  # times the memory of the first part that the second one needs, to be cut off
_BAND_BYTES = 2**29
_KEPT = 1.2  # times what is in use at once, that an engine keeps


class Parts(NamedTuple):
    """A network in two parts, of which the second takes what the first one makes.

    Attributes:
        first: ONNX file of what makes features, `(1, channels, height, width)`.
        second: ONNX file of what makes a picture of them.
        axis: Of the rows of this picture: 2 if its channels come first, or 1.
        reach: Pixels of the features to each side that a pixel of the picture may depend on.
        band: Pixels of the features that the second part should get at once.
        pixel_bytes: What the first part needs for a pixel of lr.
    """

    first: bytes
    second: bytes
    axis: int
    reach: int
    band: int
    pixel_bytes: float


def parts(data: bytes) -> Parts | None:
    """Returns the parts of a network that takes any size, or None where that would save little.

    Args:
        data: An ONNX file. If its graph is malformed, an engine says what is wrong with the whole.
    """
    try:
        return _parts(data)
    except (LookupError, TypeError, ValueError, ZeroDivisionError):
        return None


def _parts(data: bytes) -> Parts | None:
    import onnx

    model = onnx.load_model_from_string(data)
    initialised = {tensor.name for tensor in model.graph.initializer}
    pictures = [value for value in model.graph.input if value.name not in initialised]
    if len(pictures) != 1 or len(model.graph.output) != 1 or model.functions:
        return None
    if not _is_open(pictures[0]):
        return None
    kinds = _kinds(model)
    shapes = {
        name: tuple(side.dim_value for side in kind.shape.dim) for name, kind in kinds.items()
    }
    cut = _last_at_size_of_lr(model.graph, pictures[0].name, shapes)
    made = shapes.get(model.graph.output[0].name, ())
    if cut is None or len(made) != 4 or not {made[1], made[3]} & {1, 3}:
        return None
    between = onnx.helper.make_tensor_value_info(
        cut, kinds[cut].elem_type, [None, shapes[cut][1], None, None]
    )
    first = _part(model, pictures[0], between)
    second = _part(model, between, model.graph.output[0])
    if first is None or second is None:
        return None
    reach = receptive_field(second)  # raises ValueError if that is the whole picture
    before, after = fuse.memory(first, _SIDE), fuse.memory(second, _SIDE)
    if reach > _NEAR or before is None or after is None or after < _WORTH * before:
        return None
    return Parts(
        first.SerializeToString(),
        second.SerializeToString(),
        2 if made[1] in (1, 3) else 1,
        reach,
        int(_BAND_BYTES / after),
        _KEPT * before,
    )


class Split:
    """Runs the two parts of a network.

    Args:
        found: The parts.
        open_part: Opens one of them.
    """

    def __init__(self, found: Parts, open_part: Callable[[bytes], engines.Engine]) -> None:
        self._first, self._second = open_part(found.first), open_part(found.second)
        self._found = found
        self.metadata: Mapping[str, str] = self._first.metadata

    def run(self, images: np.ndarray) -> np.ndarray:
        """Maps what the network takes to what it makes."""
        features = self._first.run(images)
        height, width = features.shape[2:]
        reach = self._found.reach
        rows = max(self._found.band // width - 2 * reach, 1)
        sr = None  # its rows first
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            start, stop = max(top - reach, 0), min(bottom + reach, height)
            band = self._second.run(np.ascontiguousarray(features[:, :, start:stop]))
            band = np.moveaxis(band, self._found.axis, 0)
            factor = len(band) // (stop - start)
            if sr is None:
                sr = np.empty((factor * height, *band.shape[1:]), band.dtype)
            sr[factor * top : factor * bottom] = band[
                factor * (top - start) : factor * (bottom - start)
            ]
        assert sr is not None  # a picture has rows
        return np.moveaxis(sr, 0, self._found.axis)


def _is_open(picture: "onnx.ValueInfoProto") -> bool:
    """Whether it may be of any height and width."""
    sides = [dimension.dim_value for dimension in picture.type.tensor_type.shape.dim]
    if len(sides) != 4 or not {sides[1], sides[3]} & {1, 3}:
        return False
    return not any(sides[2:] if sides[1] in (1, 3) else sides[1:3])


def _kinds(model: "onnx.ModelProto") -> "dict[str, onnx.TypeProto.Tensor]":
    """Types and shapes of what is made of a square picture; nothing if they cannot be found out."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(fuse.with_size(model, _SIDE)).graph
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
        return {}
    return {value.name: value.type.tensor_type for value in (*graph.value_info, *graph.output)}


def _last_at_size_of_lr(
    graph: "onnx.GraphProto", picture: str, shapes: Mapping[str, tuple[int, ...]]
) -> str | None:
    """The last tensor of at most the picture's size through which all goes that comes of it."""
    last = {name: index for index, node in enumerate(graph.node) for name in node.input}
    alive, found = {picture}, None
    for index, node in enumerate(graph.node):
        if alive.isdisjoint(node.input):
            continue
        alive = {name for name in alive.union(node.output) if last.get(name, -1) > index}
        if len(alive) == 1:
            (name,) = alive
            shape = shapes.get(name, ())
            if len(shape) == 4 and all(shape) and max(shape[2:]) <= _SIDE:
                found = name
    return found


def _part(
    model: "onnx.ModelProto", given: "onnx.ValueInfoProto", wanted: "onnx.ValueInfoProto"
) -> "onnx.ModelProto | None":
    """What makes one tensor of another, or None if it needs the picture beside it."""
    from onnx import helper

    needed, nodes = {wanted.name}, []
    for node in reversed(model.graph.node):
        if given.name not in node.output and not needed.isdisjoint(node.output):
            nodes.append(node)
            needed.update(node.input)
    constants = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    known = {tensor.name for tensor in constants} | {name for node in nodes for name in node.output}
    if not needed <= known | {given.name, ""}:
        return None
    graph = helper.make_graph(nodes[::-1], "part", [given], [wanted], constants)
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    part.metadata_props.extend(model.metadata_props)
    return part
