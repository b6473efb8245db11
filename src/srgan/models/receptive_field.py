"""How far a network looks around a pixel, found in its ONNX graph."""

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from srgan.models.known_values import KnownValues

if TYPE_CHECKING:
    import onnx


class GlobalOperation(ValueError):
    """A network in which any pixel may depend on any other; the message names the operation."""


class _Reach(NamedTuple):
    """Of a tensor: how fine it is, and how far away is what it depends on."""

    ratio: Fraction  # its pixels for one of lr
    pixels: Fraction  # in lr pixels


# Each output pixel depends on the same pixel of the inputs alone.
_POINTWISE = frozenset(
    re.findall(
        r"\w+",
        """
        Abs Add BatchNormalization Cast Ceil Clip Concat Div Dropout Elu Equal Erf Exp Floor Gelu
        Greater HardSigmoid HardSwish Identity LeakyRelu Less Log Max Mean Min Mish Mod Mul Neg
        Pow PRelu Reciprocal Relu Round Selu Sigmoid Sign Softplus Softsign Split Sqrt Squeeze Sub
        Sum Tanh ThresholdedRelu Transpose Unsqueeze Where
        """,
    )
)
_MAX_FACTOR = 64  # of a resizing; no picture is enlarged so much at once
# What is computed from constants and sizes alone, and not from the picture.
_SIZES = frozenset({"Constant", "ConstantOfShape", "Range", "Shape", "Size"})


def receptive_field(model: "onnx.ModelProto") -> int:
    """Returns how many lr pixels to each side an output pixel may depend on.

    Follows the graph from its input: a convolution of size k, dilation d and stride s on a tensor
    of r pixels for one of lr reaches (k - 1) d / r farther (half of that is enough where the
    padding is symmetric, which is not assumed), and leaves r / s; a pixel shuffle by b leaves
    r b; operations on single pixels change nothing. The result is an upper bound.

    Raises:
        GlobalOperation: If there is an operation that mixes all pixels, or an unknown one.
    """
    graph, known = model.graph, KnownValues(model)
    reaches: dict[str, _Reach] = {}
    for value in graph.input:
        if known.get(value.name) is None:
            reaches[value.name] = _Reach(Fraction(1), Fraction(0))
    for node in graph.node:
        inputs = [reaches[name] for name in node.input if name in reaches]
        if not inputs or node.op_type in _SIZES:
            known.learn(node)  # made of constants, or of the picture's size
            continue
        reach = _through(node, inputs, known)
        for name in node.output:
            reaches[name] = reach
    found = [reaches[value.name] for value in graph.output if value.name in reaches]
    if not found:
        raise GlobalOperation("The output does not depend on the input in a way that is known.")
    return math.ceil(max(reach.pixels for reach in found))


def _through(node: Any, inputs: list[_Reach], known: KnownValues) -> _Reach:
    """What lies behind a node."""
    attributes = {attribute.name: attribute for attribute in node.attribute}

    def numbers(name: str, default: int, count: int = 2) -> list[int]:
        return list(attributes[name].ints) if name in attributes else [default] * count

    ratio = max(reach.ratio for reach in inputs)
    pixels = max(reach.pixels for reach in inputs)
    kind = node.op_type
    if kind in _POINTWISE:
        return _Reach(ratio, pixels)
    if kind in ("Conv", "ConvTranspose"):
        weight = known.get(node.input[1])
        sizes = list(weight.shape[2:]) if weight is not None else numbers("kernel_shape", 0)
        spans = [
            (size - 1) * dilation
            for size, dilation in zip(sizes, numbers("dilations", 1, len(sizes)), strict=True)
        ]
        stride = max(numbers("strides", 1, len(sizes)))
        if not sizes or len(set(numbers("strides", 1, len(sizes)))) > 1:
            raise _global(node)
        if kind == "Conv":
            return _Reach(ratio / stride, pixels + _side(node, attributes, spans) / ratio)
        return _Reach(ratio * stride, pixels + Fraction(max(spans), stride) / ratio)
    if kind in ("MaxPool", "AveragePool"):
        spans = [size - 1 for size in numbers("kernel_shape", 1)]
        stride = max(numbers("strides", 1))
        return _Reach(ratio / stride, pixels + max(spans) / ratio)
    if kind == "DepthToSpace":
        return _Reach(ratio * attributes["blocksize"].i, pixels)
    if kind == "SpaceToDepth":
        block = attributes["blocksize"].i
        return _Reach(ratio / block, pixels + Fraction(block - 1) / ratio)
    if kind in ("Resize", "Upsample"):
        return _resized(node, attributes, known, _Reach(ratio, pixels))
    if kind == "Pad":
        # Of a mirrored edge, a pixel sees as far as was added; zeros come with no pixel.
        # Amounts that the picture's size decides fill it up to a multiple, at its ends alone.
        found = known.get(node.input[1]) if len(node.input) > 1 else numbers("pads", 0, 8)
        added = 0 if found is None else int(max(found, default=0))
        return _Reach(ratio, pixels + Fraction(max(added, 0)) / ratio)
    if kind in ("Slice", "Gather"):
        return _part(node, known, _Reach(ratio, pixels))
    raise _global(node)


def _side(node: Any, attributes: dict[str, Any], spans: list[int]) -> Fraction:
    """How far a convolution reaches to its farther side, in pixels of its input."""
    pads = list(attributes["pads"].ints) if "pads" in attributes else []
    if not pads:
        return Fraction(max(spans))
    begins, ends = pads[: len(spans)], pads[len(spans) :]
    return Fraction(
        max(max(b, span - b, e) for b, e, span in zip(begins, ends, spans, strict=True))
    )


def _resized(node: Any, attributes: dict[str, Any], known: KnownValues, reach: _Reach) -> _Reach:
    found = [known.get(name) for name in node.input[1:] if name]
    scales = [array for array in found if array is not None and array.size == 4]
    if "scales" in attributes:
        scales = [np.array(attributes["scales"].floats)]
    if not scales:
        raise _global(node)
    scale = scales[-1]
    before = known.shape(node.input[0])
    if scale.dtype.kind == "i":  # sizes
        if before is None:
            raise _global(node)
        scale = scale / np.array(before)
    if not np.isfinite(scale).all() or scale.min() <= 0 or scale.max() > _MAX_FACTOR:
        raise _global(node)
    if before is not None:
        known.enlarged(node, tuple(int(side) for side in np.floor(np.array(before) * scale + 1e-6)))
    factor = Fraction(float(max(scale))).limit_denominator(64)
    mode = attributes["mode"].s.decode() if "mode" in attributes else "nearest"
    support = {"nearest": 1, "linear": 1, "cubic": 2}.get(mode, 2)
    return _Reach(reach.ratio * factor, reach.pixels + Fraction(support) / reach.ratio)


def _part(node: Any, known: KnownValues, reach: _Reach) -> _Reach:
    """A part of the channels, or of the picture from a known place on."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Gather":
        axis = attributes["axis"].i if "axis" in attributes else 0
        if axis in (1, -3) and known.get(node.input[1]) is not None:
            return reach
        raise _global(node)
    starts, _, axes, steps = (
        known.get(name) if name else None for name in (*node.input[1:], "", "", "", "")[:4]
    )
    if starts is None or (axes is None and len(starts) > 1):
        raise _global(node)
    axes = range(len(starts)) if axes is None else axes
    steps = np.ones(len(starts)) if steps is None else steps
    moved = 0
    for start, axis, step in zip(starts, axes, steps, strict=True):
        if axis in (0, 1, -4, -3):
            continue  # channels, also if they are turned round
        if start < 0 or step != 1:
            raise _global(node)
        moved = max(moved, int(start))
    return _Reach(reach.ratio, reach.pixels + Fraction(moved) / reach.ratio)


def _global(node: Any) -> GlobalOperation:
    name = f" ({node.name})" if node.name else ""
    return GlobalOperation(
        f"its operation {node.op_type}{name} may mix all pixels of the picture, so that tiles "
        "would not fit together"
    )
