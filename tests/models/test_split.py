"""A deep network in two parts computes the same, in the memory of its longer one."""

from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from srgan.models import engines, loading, split

CHANNELS = 16


def network(*more, last="large", size=(None, None), first=True, wide=CHANNELS):
    """Two convolutions at the size of lr, an enlargement to x4 and two convolutions there.

    Args:
        more: Nodes before the last convolution, from "large" to `last`.
        last: What the last convolution takes.
        size: Height and width.
        first: Whether channels come first.
        wide: Channels before the last convolution.
    """
    rng = np.random.default_rng(0)

    def weight(name, out, into, side=3):
        values = rng.normal(0, 0.004, (out, into, side, side)).astype(np.float32)
        for channel in range(3 if name != "body" else 0):
            values[channel, channel, side // 2, side // 2] += 1  # what comes out is a picture
        return numpy_helper.from_array(values, name)

    def conv(source, name, target):
        return helper.make_node("Conv", [source, name], [target], pads=[1] * 4)

    weights = [
        weight("head", CHANNELS, 3),
        weight("body", CHANNELS, CHANNELS),
        weight("high", CHANNELS, CHANNELS),
        weight("tail", 3, wide),
        numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "factors"),
    ]
    start = [] if first else [helper.make_node("Transpose", ["lr"], ["picture"], perm=[0, 3, 1, 2])]
    end = [] if first else [helper.make_node("Transpose", ["made"], ["sr"], perm=[0, 2, 3, 1])]
    nodes = [
        *start,
        conv("lr" if first else "picture", "head", "shallow"),
        conv("shallow", "body", "deep"),
        helper.make_node("Add", ["shallow", "deep"], ["features"]),
        helper.make_node("Resize", ["features", "", "factors"], ["wide"], mode="nearest"),
        conv("wide", "high", "high_out"),
        helper.make_node("LeakyRelu", ["high_out"], ["large"], alpha=0.2),
        *more,
        conv(last, "tail", "sr" if first else "made"),
        *end,
    ]
    shape = [None, 3, *size] if first else [None, *size, 3]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("lr", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("sr", TensorProto.FLOAT, None)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def opens(data, kind="onnxruntime"):
    return engines.open_engine("made.onnx", kind, 1, "float32", data)


@pytest.mark.parametrize("kind", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("first", [True, False])
def test_in_bands_a_network_makes_the_same(first, kind):
    data = network(first=first).SerializeToString()
    found = split.parts(data)
    # At most a pixel by the two convolutions, which see a pixel of sr, and one by the enlargement.
    assert found.reach == 2
    lr = np.random.default_rng(1).random((1, 3, 23, 17), np.float32)
    lr = lr if first else np.ascontiguousarray(lr.transpose(0, 2, 3, 1))
    whole = opens(data, kind).run(lr)
    for band in (1, 17 * 5, 17 * 8, 17 * 100):  # pixels: one row at a time to all at once
        in_bands = split.Split(found._replace(band=band), partial(opens, kind=kind))
        np.testing.assert_allclose(in_bands.run(lr), whole, atol=1e-6)


def test_several_pictures_at_once_are_cut_too():
    data = network().SerializeToString()
    in_bands = split.Split(split.parts(data)._replace(band=17 * 8), opens)
    lr = np.random.default_rng(1).random((3, 3, 23, 17), np.float32)
    made = np.concatenate([in_bands.run(one[None]) for one in lr])
    np.testing.assert_allclose(in_bands.run(lr), made, atol=1e-6)


def test_a_network_that_computes_in_float16_does_so_in_parts():
    model = network()
    for tensor in model.graph.initializer:
        if tensor.name != "factors":
            array = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    data = model.SerializeToString()
    lr = np.random.default_rng(1).random((1, 3, 23, 17)).astype(np.float16)
    in_bands = split.Split(split.parts(data)._replace(band=17 * 8), opens).run(lr)
    assert in_bands.dtype == np.float16
    np.testing.assert_allclose(in_bands, opens(data).run(lr), atol=2e-3)


def test_a_pixel_takes_what_the_long_part_needs():
    found = split.parts(network().SerializeToString())
    # Of two features and their sum, in float32.
    assert found.pixel_bytes == pytest.approx(1.2 * 4 * 3 * CHANNELS)
    # Input and output of the convolution at the size of sr.
    assert found.band == int(2**29 / (4 * 16 * 2 * CHANNELS))


@pytest.mark.parametrize(
    "model",
    [
        network(size=(32, 32)),  # of one size
        network(
            helper.make_node("GlobalAveragePool", ["large"], ["mean"]),
            helper.make_node("Mul", ["large", "mean"], ["weighted"]),
            last="weighted",
        ),
        network(  # what is added at the end comes of the picture itself
            helper.make_node("Resize", ["lr", "", "factors"], ["enlarged"], mode="nearest"),
            helper.make_node("Concat", ["large", "enlarged"], ["both"], axis=1),
            last="both",
            wide=CHANNELS + 3,
        ),
    ],
)
def test_what_cannot_be_cut_stays_whole(model):
    assert split.parts(model.SerializeToString()) is None


def test_a_deep_model_is_opened_in_parts(tmp_path, monkeypatch):
    onnx.save(network(), tmp_path / "deep.onnx")
    near = loading.load(tmp_path / "deep.onnx")
    monkeypatch.setattr(loading, "_FAR", 1)
    far = loading.load(tmp_path / "deep.onnx")
    assert far.pixel_bytes < near.pixel_bytes / 2
    lr = np.random.default_rng(1).random((40, 30, 3), np.float32)
    np.testing.assert_allclose(far.upscale(lr), near.upscale(lr), atol=1e-6)
