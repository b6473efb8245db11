"""Writes an ncnn network as an ONNX graph, layer by layer."""

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from srgan.convert.facts import NetworkFacts
from srgan.convert.ncnn import Layer

OPSET, IR_VERSION = 17, 8  # what current runtimes all read
_MODES = {1: "nearest", 2: "linear", 3: "cubic"}  # of Interp


class _Blob(NamedTuple):
    """A tensor: its name in ONNX, its channels, and its pixels for one of lr."""

    name: str
    channels: int
    ratio: Fraction


def to_onnx(layers: Sequence[Layer]) -> tuple[onnx.ModelProto, NetworkFacts]:
    """Returns a network's graph, and what it is.

    Its input "lr" is `(batch, height, width, 3)` float32 RGB in [0, 1], as of srgan's own models,
    and its output "sr" likewise. Weights that are float16 stay so, and are computed with in
    float32.

    Raises:
        ValueError: If a layer is of another kind, or they do not fit together.
    """
    graph = _Graph()
    names = Counter(layer.name for layer in layers)
    for layer in layers:
        if names[layer.name] > 1:
            raise ValueError(f"Several layers have the name {layer.name!r}.")
        try:
            graph.add_layer(layer)
        except KeyError as error:
            raise ValueError(f"Layer {layer.name!r} takes {error}, which no layer gives.") from None
    sr = graph.output()
    model = helper.make_model(
        graph.finished(sr),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="srgan",
    )
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"Its layers do not fit together ({reason}).") from None
    return model, _facts(layers, int(sr.ratio))


class _Graph:
    """Nodes and constants, collected in order."""

    def __init__(self) -> None:
        self._nodes = [helper.make_node("Transpose", ["lr"], ["lr/first"], perm=[0, 3, 1, 2])]
        self._constants: list[onnx.TensorProto] = []
        self._blobs: dict[str, _Blob] = {}
        self._unused: dict[str, None] = {}  # in order
        self._kinds: dict[str, Callable[[Layer, list[_Blob]], _Blob]] = {
            "Convolution": self._convolution,
            "PReLU": self._prelu,
            "ReLU": self._relu,
            "Concat": self._concat,
            "Eltwise": self._eltwise,
            "BinaryOp": self._binary,
            "Interp": self._interp,
            "PixelShuffle": self._pixel_shuffle,
            "Split": lambda _, inputs: inputs[0],
            "Noop": lambda _, inputs: inputs[0],
            "Dropout": lambda _, inputs: inputs[0],
        }

    def add_layer(self, layer: Layer) -> None:
        inputs = [self._blobs[name] for name in layer.inputs]
        for name in layer.inputs:
            if name not in self._unused:
                raise ValueError(
                    f"Layer {layer.name!r} takes {name!r} for the second time, which ncnn can only "
                    "do behind a Split."
                )
            del self._unused[name]
        if layer.kind == "Input" and not self._blobs and len(layer.outputs) == 1:
            found = _Blob("lr/first", 3, Fraction(1))
        elif layer.kind in self._kinds and inputs:
            found = self._kinds[layer.kind](layer, inputs)
        else:
            raise ValueError(
                f"Layer {layer.name!r} is of the kind {layer.kind}; expected those of RRDBNet and "
                f"SRVGGNetCompact with one input: {', '.join(self._kinds)}."
            )
        for name in layer.outputs:
            self._blobs[name] = found
            self._unused[name] = None

    def output(self) -> _Blob:
        """What the last layer gives.

        Raises:
            ValueError: If that is no picture.
        """
        found = [self._blobs[name] for name in self._unused]
        if len(found) != 1:
            raise ValueError(f"It gives {len(found)} results; expected one picture.")
        (sr,) = found
        if sr.channels != 3 or sr.ratio not in range(1, 17):
            raise ValueError(
                f"It makes {sr.channels} channels, {sr.ratio} times as large; expected 3, and a "
                "whole factor from 1 to 16."
            )
        return sr

    def finished(self, sr: _Blob) -> onnx.GraphProto:
        nodes = [*self._nodes, helper.make_node("Transpose", [sr.name], ["sr"], perm=[0, 2, 3, 1])]
        lr, large = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *sides, 3])
            for name, sides in (("lr", ("height", "width")), ("sr", ("sr_height", "sr_width")))
        )
        return helper.make_graph(nodes, "ncnn", [lr], [large], self._constants)

    def _add(self, operator: str, name: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{name}/{operator}"
        self._nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def _constant(self, name: str, values: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _convolution(self, layer: Layer, inputs: list[_Blob]) -> _Blob:
        (x,), name = inputs, layer.name
        count, wide = layer.integer(0), layer.integer(1)
        tall = layer.integer(11, wide)
        dilations = [layer.integer(12, layer.integer(2, 1)), layer.integer(2, 1)]
        strides = [layer.integer(13, layer.integer(3, 1)), layer.integer(3, 1)]
        left = layer.integer(4)
        top, right = layer.integer(14, left), layer.integer(15, left)
        pads = [top, left, layer.integer(16, top), right]
        kept = all(
            a + b == (side - 1) * dilation
            for a, b, side, dilation in zip(pads, pads[2:], (tall, wide), dilations, strict=False)
        )
        if strides != [1, 1] or not kept or min(pads) < 0 or layer.integer(8):
            raise ValueError(f"Convolution {name!r} changes the size, or is of int8.")
        kernel, *bias = layer.weights
        if kernel.size != count * x.channels * tall * wide:
            raise ValueError(
                f"Convolution {name!r} has {kernel.size} weights for {count} channels of "
                f"{x.channels}, {wide}x{tall} each; expected {count * x.channels * tall * wide}."
            )
        weights = self._constant(f"{name}/kernel", kernel.reshape(count, x.channels, tall, wide))
        if kernel.dtype == np.float16:
            weights = self._add("Cast", name, [weights], to=TensorProto.FLOAT)
        biases = [self._constant(f"{name}/bias", values) for values in bias]
        found = self._add(
            "Conv",
            name,
            [x.name, weights, *biases],
            kernel_shape=[tall, wide],
            pads=pads,
            dilations=dilations,
        )
        return _Blob(self._activated(layer, found), count, x.ratio)

    def _activated(self, layer: Layer, x: str) -> str:
        kind, numbers = layer.integer(9), layer.parameters.get(10, [])
        if kind == 0:
            return x
        if kind == 1:
            return self._add("Relu", layer.name, [x])
        if kind == 2 and isinstance(numbers, list) and len(numbers) == 1:
            return self._add("LeakyRelu", layer.name, [x], alpha=numbers[0])
        raise ValueError(f"Convolution {layer.name!r} ends in an activation of the kind {kind}.")

    def _prelu(self, layer: Layer, inputs: list[_Blob]) -> _Blob:
        (x,), (slopes,) = inputs, layer.weights
        if slopes.size not in (1, x.channels):
            raise ValueError(f"PReLU {layer.name!r} has {slopes.size} slopes for {x.channels}.")
        name = self._constant(f"{layer.name}/slopes", slopes.reshape(-1, 1, 1))
        return x._replace(name=self._add("PRelu", layer.name, [x.name, name]))

    def _relu(self, layer: Layer, inputs: list[_Blob]) -> _Blob:
        (x,), slope = inputs, layer.parameters.get(0, 0.0)
        if isinstance(slope, list):
            raise ValueError(f"ReLU {layer.name!r} has several slopes.")
        return x._replace(name=self._add("LeakyRelu", layer.name, [x.name], alpha=slope))

    def _concat(self, layer: Layer, inputs: list[_Blob]) -> _Blob:
        if layer.integer(0) != 0 or len({blob.ratio for blob in inputs}) != 1:
            raise ValueError(f"Concat {layer.name!r} joins something else than channels.")
        found = self._add("Concat", layer.name, [blob.name for blob in inputs], axis=1)
        return _Blob(found, sum(blob.channels for blob in inputs), inputs[0].ratio)

    def _eltwise(self, layer: Layer, inputs: list[_Blob]) -> _Blob:
        factors = layer.parameters.get(1)
        factors = factors if isinstance(factors, list) else [1.0] * len(inputs)
        if layer.integer(0) != 1 or len(factors) != len(inputs):
            raise ValueError(f"Eltwise {layer.name!r} is no weighted sum of its inputs.")
        terms = [
            blob.name if factor == 1 else self._scaled(f"{layer.name}/{i}", blob.name, factor)
            for i, (blob, factor) in enumerate(zip(inputs, factors, strict=True))
        ]
        self._check_alike(layer, inputs)
        return inputs[0]._replace(name=self._add("Sum", layer.name, terms))

    def _binary(self, layer: Layer, inputs: list[_Blob]) -> _Blob:
        operator = {0: "Add", 2: "Mul"}.get(layer.integer(0))
        if operator == "Mul" and len(inputs) == 1 and layer.integer(1):
            factor = layer.parameters.get(2, 0.0)
            if not isinstance(factor, list):
                name = self._scaled(layer.name, inputs[0].name, factor)
                return inputs[0]._replace(name=name)
        if operator != "Add" or len(inputs) != 2:
            raise ValueError(f"BinaryOp {layer.name!r} is neither a sum nor times a number.")
        self._check_alike(layer, inputs)
        names = [blob.name for blob in inputs]
        return inputs[0]._replace(name=self._add("Add", layer.name, names))

    def _scaled(self, name: str, x: str, factor: float) -> str:
        return self._add(
            "Mul", name, [x, self._constant(f"{name}/factor", np.array(factor, np.float32))]
        )

    def _check_alike(self, layer: Layer, inputs: list[_Blob]) -> None:
        if len({(blob.channels, blob.ratio) for blob in inputs}) != 1:
            raise ValueError(f"{layer.kind} {layer.name!r} adds what has not the same size.")

    def _interp(self, layer: Layer, inputs: list[_Blob]) -> _Blob:
        (x,), mode = inputs, _MODES.get(layer.integer(0))
        factor, wide = (layer.parameters.get(key, 1.0) for key in (1, 2))
        if mode is None or factor != wide or any(layer.integer(key) for key in (3, 4, 5, 6)):
            raise ValueError(f"Interp {layer.name!r} does not resize by one factor.")
        if isinstance(factor, list) or not 1 / 16 <= factor <= 16:
            raise ValueError(f"Interp {layer.name!r} resizes by {factor}; expected 1/16 to 16.")
        factors = np.array([1, 1, factor, factor], np.float32)
        scales = self._constant(f"{layer.name}/scales", factors)
        options: dict[str, Any] = {"coordinate_transformation_mode": "half_pixel"}
        if mode == "nearest":
            options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        elif mode == "cubic":
            options["cubic_coeff_a"] = -0.75
        found = self._add("Resize", layer.name, [x.name, "", scales], mode=mode, **options)
        return _Blob(found, x.channels, x.ratio * Fraction(factor).limit_denominator(64))

    def _pixel_shuffle(self, layer: Layer, inputs: list[_Blob]) -> _Blob:
        (x,), block = inputs, layer.integer(0, 1)
        if not 1 <= block <= 16 or x.channels % block**2 or layer.integer(1):
            raise ValueError(f"PixelShuffle {layer.name!r} by {block} of {x.channels} channels.")
        found = self._add("DepthToSpace", layer.name, [x.name], blocksize=block, mode="CRD")
        return _Blob(found, x.channels // block**2, x.ratio * block)


def _facts(layers: Sequence[Layer], scale: int) -> NetworkFacts:
    kinds = [layer.kind for layer in layers]
    convolutions = [layer for layer in layers if layer.kind == "Convolution"]
    weights = [values for layer in layers for values in layer.weights]
    half = any(values.dtype == np.float16 for values in weights)
    channels = f"{convolutions[0].integer(0)} channels" if convolutions else "no convolution"
    if kinds.count("Concat") >= 12 and kinds.count("Concat") % 12 == 0:  # 3 dense blocks with 4
        blocks = kinds.count("Concat") // 12
        architecture, size = "RRDBNet", f"{channels}, {blocks} block{'s' if blocks > 1 else ''}"
    elif "PReLU" in kinds and kinds[-1] in ("BinaryOp", "Interp") and "PixelShuffle" in kinds:
        architecture = "SRVGGNetCompact"
        size = f"{channels}, {len(convolutions) - 2} convolutions inside"
    else:
        architecture, size = "network of ncnn", f"{channels}, {len(convolutions)} convolutions"
    return NetworkFacts(
        architecture=architecture,
        scale=scale,
        described=size,
        precision="float16" if half else "float32",
        parameters=sum(values.size for values in weights),
    )
