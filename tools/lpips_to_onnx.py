"""Writes LPIPS v0.1 (AlexNet) as the ONNX file that `srgan.lpips` runs.

    python tools/lpips_to_onnx.py lpips_alex.npz src/srgan/weights/lpips-alex.onnx

The npz holds the weights of https://github.com/richzhang/PerceptualSimilarity as arrays:
`conv1/kernel` (height, width, in, out) and `conv1/bias` to conv5, and `lin1` to `lin5`, the
learned weight of each channel. The same npz gives the same bytes.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LICENCE = """\
LPIPS v0.1, AlexNet (Zhang et al. 2018, https://arxiv.org/abs/1801.03924).
Weights: https://github.com/richzhang/PerceptualSimilarity, BSD-2-Clause,
Copyright (c) 2018, Richard Zhang, Phillip Isola, Alexei A. Efros, Eli Shechtman, Oliver Wang.
AlexNet: https://github.com/pytorch/vision, BSD-3-Clause, Copyright (c) Soumith Chintala 2016.
Kernels of conv2 to conv5 rounded to float16. The full notice is in README.md beside this file.
"""
SHIFT = np.array([-0.030, -0.088, -0.188])  # ImageNet's statistics, for images in [-1, 1]
SCALE = np.array([0.458, 0.448, 0.450])
STRIDES = (4, 1, 1, 1, 1)
PADDINGS = (2, 2, 1, 1, 1)


def build(arrays: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Returns LPIPS as an ONNX model.

    Input "images": `(2, height, width, 3)`, float32 RGB in [0, 1], the two images to compare.
    Output "distance": a float32 scalar.
    """
    graph = _Graph()
    x = graph.add("Transpose", "images", perm=(0, 3, 1, 2))
    # ((2x - 1) - shift) / scale, as one multiplication and one addition.
    x = graph.add("Mul", x, graph.constant("gain", (2 / SCALE)[:, None, None]))
    x = graph.add("Add", x, graph.constant("offset", (-(1 + SHIFT) / SCALE)[:, None, None]))
    distances = []
    channels = graph.constant("channels", [1], np.int64)
    for i, (stride, padding) in enumerate(zip(STRIDES, PADDINGS, strict=True), start=1):
        if i in (2, 3):
            x = graph.add("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2))
        # The first layer stays in float32: its rounding would be most of the error.
        stored = graph.constant if i == 1 else graph.half
        kernel = stored(f"conv{i}.kernel", arrays[f"conv{i}/kernel"].transpose(3, 2, 0, 1))
        bias = graph.constant(f"conv{i}.bias", arrays[f"conv{i}/bias"])
        x = graph.add("Conv", x, kernel, bias, strides=[stride] * 2, pads=[padding] * 4)
        x = graph.add("Relu", x)
        norm = graph.add("ReduceSum", graph.add("Mul", x, x), channels, keepdims=1)
        norm = graph.add("Add", graph.add("Sqrt", norm), graph.constant(f"epsilon{i}", 1e-10))
        hr, sr = graph.split(graph.add("Div", x, norm))
        difference = graph.add("Sub", hr, sr)
        weights = graph.constant(f"lin{i}", arrays[f"lin{i}"][:, None, None])
        weighted = graph.add("Mul", graph.add("Mul", difference, difference), weights)
        summed = graph.add("ReduceSum", weighted, channels, keepdims=0)
        distances.append(graph.add("ReduceMean", summed, keepdims=0))
    graph.add("Sum", *distances, output="distance")

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "lpips_alex",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [2, "height", "width", 3])],
            [helper.make_tensor_value_info("distance", TensorProto.FLOAT, [])],
            graph.initialisers,
            doc_string=LICENCE,
        ),
        doc_string=LICENCE,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="srgan",
    )
    helper.set_model_props(model, {"licence": LICENCE})
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and initialisers, collected in order; values are handled by their names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes) -> str:
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def split(self, x: str) -> list[str]:
        """Takes a batch of two apart."""
        outputs = [f"{x}_hr", f"{x}_sr"]
        self.nodes.append(helper.make_node("Split", [x], outputs, axis=0))
        return outputs

    def constant(self, name: str, value, dtype: type = np.float32) -> str:
        self.initialisers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def half(self, name: str, value: np.ndarray) -> str:
        """A constant stored in float16, to halve the file, and used in float32."""
        return self.add("Cast", self.constant(name, value, np.float16), to=TensorProto.FLOAT)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description="Writes LPIPS v0.1 (AlexNet) as ONNX.")
    parser.add_argument("npz", type=Path, help="the weights as arrays")
    parser.add_argument("out", type=Path, help="the ONNX file to write")
    arguments = parser.parse_args()
    with np.load(arguments.npz, allow_pickle=False) as arrays:
        model = build(dict(arrays))
    arguments.out.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
