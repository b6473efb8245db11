"""How far a network looks around a pixel, found in its ONNX graph."""

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import onnx


class GlobalOperation(ValueError):  # noqa: N818 - it says what was found
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
        Greater HardSigmoid HardSwish Identity LeakyRelu Less Log Max Mean Min Mish Mod Mul Neg Pad
        Pow PRelu Reciprocal Relu Round Selu Sigmoid Sign Softplus Softsign Split Sqrt Squeeze Sub
        Sum Tanh ThresholdedRelu Transpose Unsqueeze Where
        """,
    )
)
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
    from onnx import numpy_helper

    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    reaches: dict[str, _Reach] = {}
    for value in graph.input:
        if value.name not in constants:
            reaches[value.name] = _Reach(Fraction(1), Fraction(0))
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[node.output[0]] = numpy_helper.to_array(attribute.t)
            continue
        inputs = [reaches[name] for name in node.input if name in reaches]
        if not inputs or node.op_type in _SIZES:
            continue  # made of constants, or of the picture's size
        reach = _through(node, inputs, constants)
        for name in node.output:
            reaches[name] = reach
    found = [reaches[value.name] for value in graph.output if value.name in reaches]
    if not found:
        raise GlobalOperation("The output does not depend on the input in a way that is known.")
    return math.ceil(max(reach.pixels for reach in found))


def _through(node: Any, inputs: list[_Reach], constants: dict[str, Any]) -> _Reach:
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
        weight = constants.get(node.input[1])
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
        return _resized(node, attributes, constants, _Reach(ratio, pixels))
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


def _resized(
    node: Any, attributes: dict[str, Any], constants: dict[str, Any], reach: _Reach
) -> _Reach:
    scales = [
        constants[name]
        for name in node.input[1:]
        if name in constants and constants[name].size == 4 and constants[name].dtype.kind == "f"
    ]
    if "scales" in attributes:
        scales = [attributes["scales"].floats]
    if not scales:
        raise _global(node)
    factor = Fraction(float(max(scales[-1]))).limit_denominator(64)
    mode = attributes["mode"].s.decode() if "mode" in attributes else "nearest"
    support = {"nearest": 1, "linear": 1, "cubic": 2}.get(mode, 2)
    return _Reach(reach.ratio * factor, reach.pixels + Fraction(support) / reach.ratio)


def _global(node: Any) -> GlobalOperation:
    name = f" ({node.name})" if node.name else ""
    return GlobalOperation(
        f"its operation {node.op_type}{name} may mix all pixels of the picture, so that tiles "
        "would not fit together"
    )
