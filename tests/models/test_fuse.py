"""Receptive fields by hand, against perturbed pixels, and of shipped models; and less memory."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from srgan.models import catalogue, fuse, loading
from srgan.models.receptive_field import GlobalOperation, receptive_field


def network(*nodes, weights=(), height="h", width="w"):
    """A graph from "lr" to "sr", channels first; weights are (name, array)."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("lr", TensorProto.FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info("sr", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def convolution(source, target, name, **attributes):
    return helper.make_node("Conv", [source, name], [target], name=name, **attributes)


def kernel(name, size, channels=3):
    rng = np.random.default_rng(0)
    return name, rng.random((channels, 3, size, size), dtype=np.float32)


def changed(model, side=33):
    """How far from the middle pixel's place the output changes with it, in lr pixels."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.random.default_rng(1).random((1, 3, side, side), dtype=np.float32)
    before = session.run(None, {"lr": x})[0]
    x[:, :, side // 2, side // 2] += 1
    after = session.run(None, {"lr": x})[0]
    rows, columns = np.nonzero(np.abs(after - before).max(axis=(0, 1)) > 1e-6)
    scale = before.shape[2] / side
    places = np.concatenate([rows, columns]) // scale - side // 2
    return int(np.abs(places).max())


def test_convolutions_add_up():
    model = network(
        convolution("lr", "a", "first", pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        convolution("b", "sr", "second", pads=[1, 1, 1, 1]),
        weights=[kernel("first", 5), kernel("second", 3)],
    )
    assert receptive_field(model) == 3 == changed(model)


def test_dilation_widens():
    model = network(
        convolution("lr", "sr", "wide", pads=[3, 3, 3, 3], dilations=[3, 3]),
        weights=[kernel("wide", 3)],
    )
    assert receptive_field(model) == 3 == changed(model)


def test_of_two_ways_the_longer_counts():
    model = network(
        convolution("lr", "a", "near", pads=[1, 1, 1, 1]),
        convolution("lr", "b", "far", pads=[3, 3, 3, 3]),
        helper.make_node("Add", ["a", "b"], ["sr"]),
        weights=[kernel("near", 3), kernel("far", 7)],
    )
    assert receptive_field(model) == 3 == changed(model)


def test_after_a_pixel_shuffle_a_convolution_reaches_less_far():
    model = network(
        convolution("lr", "a", "first", pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["a"], ["b"], blocksize=2),
        convolution("b", "sr", "second", pads=[1, 1, 1, 1]),
        weights=[kernel("first", 3, 12), kernel("second", 3)],
    )
    assert receptive_field(model) == 2 == changed(model)  # 1, and a half


def test_after_a_stride_a_convolution_reaches_farther():
    model = network(
        convolution("lr", "a", "first", pads=[1, 1, 1, 1], strides=[2, 2]),
        convolution("a", "b", "second", pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["b", "", "scales"], ["sr"], mode="nearest"),
        weights=[
            kernel("first", 3),
            kernel("second", 3),
            ("scales", np.array([1, 1, 2, 2], np.float32)),
        ],
    )
    assert receptive_field(model) >= changed(model, side=32)
    assert receptive_field(model) == 1 + 2 + 2


def test_without_padding_the_whole_kernel_lies_to_one_side():
    model = network(convolution("lr", "sr", "valid"), weights=[kernel("valid", 5)])
    assert receptive_field(model) == 4


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("GlobalAveragePool", {}),
        ("ReduceMean", {"axes": [2, 3]}),
        ("InstanceNormalization", {}),
        ("Softmax", {}),
    ],
)
def test_what_mixes_all_pixels_is_named(kind, attributes):
    model = network(helper.make_node(kind, ["lr"], ["sr"], name="mixer", **attributes))
    with pytest.raises(GlobalOperation, match=rf"{kind} \(mixer\) may mix all pixels"):
        receptive_field(model)


def test_a_size_taken_from_the_picture_does_not_count():
    model = network(
        helper.make_node("Shape", ["lr"], ["shape"]),
        helper.make_node("Cast", ["shape"], ["floats"], to=TensorProto.FLOAT),
        convolution("lr", "sr", "near", pads=[1, 1, 1, 1]),
        weights=[kernel("near", 3)],
    )
    assert receptive_field(model) == 1


@pytest.mark.parametrize("name", catalogue.shipped())
def test_it_is_what_the_shipped_models_say(name):
    found = receptive_field(onnx.load(catalogue.path(name)))
    assert found == loading.load(name).metadata.receptive_field


def test_memory_counts_what_is_still_needed():
    nodes = [
        convolution("lr", "a", "k1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        convolution("b", "c", "k2", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["a", "c"], ["sr"]),
    ]
    model = network(*nodes, weights=[kernel("k1", 3), kernel("k2", 3)])
    # a, c and sr at the end, as a, b and c before: three times 3 float32 a pixel.
    assert fuse.memory(model) == 3 * 3 * 4


def test_memory_follows_a_pixel_shuffle():
    nodes = [
        convolution("lr", "a", "k", pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["a"], ["sr"], blocksize=2),
    ]
    model = network(*nodes, weights=[kernel("k", 3, channels=12)])
    assert fuse.memory(model) == 2 * 12 * 4


def test_memory_is_unknown_where_shapes_are():
    nodes = [helper.make_node("Mystery", ["lr"], ["sr"], domain="nobody")]
    assert fuse.memory(network(*nodes)) is None


def shuffling(block=2, mode="DCR", size=3, results=3, bias=True, width=13, **attributes):
    """Two convolutions, a pixel shuffle of 4 channels, and a convolution to `results` of them."""
    rng = np.random.default_rng(3)
    shapes = {"first": (8, 3, 3, 3), "second": (4 * block**2, 8, width, width)}
    shapes |= {"last": (results, 4, size, size)} | ({"bias": (results,)} if bias else {})
    convolutions = [
        convolution("lr", "a", "first", pads=[1] * 4),
        convolution("a", "b", "second", pads=[width // 2] * 4),
    ]
    attributes = {"pads": [size // 2] * 4} | attributes
    return network(
        *convolutions,
        helper.make_node("DepthToSpace", ["b"], ["c"], blocksize=block, mode=mode),
        helper.make_node("Conv", ["c", "last", *["bias"] * bias], ["sr"], **attributes),
        weights=[(name, rng.standard_normal(shape, np.float32)) for name, shape in shapes.items()],
    )


def operations(model):
    return [node.op_type for node in model.graph.node]


def computed(model):
    x = np.random.default_rng(1).random((1, 3, 7, 10), dtype=np.float32)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"lr": x})[0]


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize(
    ("block", "size", "bias"),
    [(2, 3, True), (2, 5, False), (3, 3, True), (3, 7, True), (2, 1, True)],
)
def test_a_lighter_network_computes_the_same_in_less_memory(mode, block, size, bias):
    model = shuffling(block, mode, size, bias=bias, width=19)
    before, memory = computed(model), fuse.memory(model)
    fuse.fuse(model)
    assert operations(model) == ["Conv", "Conv", "Conv", "DepthToSpace"]
    np.testing.assert_allclose(computed(model), before, rtol=1e-5, atol=1e-4 * np.abs(before).max())
    assert fuse.memory(model) < memory


@pytest.mark.parametrize(
    "options",
    [
        {"size": 7},  # reaches beyond the next block
        {"results": 4},  # saves nothing
        {"width": 3},  # costs more than a tenth
        {"pads": [0] * 4},
        {"dilations": [2, 2], "pads": [2] * 4},
        {"strides": [2, 2]},
    ],
)
def test_a_network_that_would_not_be_the_same_or_lighter_stays(options):
    model = shuffling(**options)
    before = model.SerializeToString()
    fuse.fuse(model)
    assert model.SerializeToString() == before


def test_what_else_is_made_of_a_shuffle_keeps_it():
    model = shuffling(results=1)
    model.graph.node[-1].output[0] = "d"
    model.graph.node.append(helper.make_node("Add", ["c", "d"], ["sr"]))
    fuse.fuse(model)
    assert operations(model) == ["Conv", "Conv", "DepthToSpace", "Conv", "Add"]


def test_the_default_model_is_opened_lighter():
    network = onnx.load(catalogue.path("srgan-x4"))
    assert fuse.memory(network) == 2060
    assert loading.load("srgan-x4").pixel_bytes < 1600
    lr = np.random.default_rng(0).random((20, 31, 3), dtype=np.float32)
    session = onnxruntime.InferenceSession(catalogue.path("srgan-x4"))
    sr = loading.load("srgan-x4")._engine.run(lr[None])
    np.testing.assert_allclose(sr, session.run(None, {"lr": lr[None]})[0], atol=1e-5)


def doubled(*nodes, weights=()):
    """An enlargement whose factors or sizes are what the nodes make."""
    return network(
        convolution("lr", "a", "near", pads=[1, 1, 1, 1]),
        *nodes,
        convolution("b", "sr", "after", pads=[1, 1, 1, 1]),
        weights=[kernel("near", 3), kernel("after", 3), *weights],
    )


def test_factors_that_come_through_casts_are_known():
    model = doubled(
        helper.make_node("Cast", ["whole"], ["scales"], to=TensorProto.FLOAT),
        helper.make_node("Resize", ["a", "", "scales"], ["b"], mode="nearest"),
        weights=[("whole", np.array([1, 1, 2, 2]))],
    )
    assert receptive_field(model) == 3 >= changed(model)


def test_sizes_that_follow_from_the_pictures_are_known():
    sizes = [
        helper.make_node("Shape", ["a"], ["shape"]),
        helper.make_node("Slice", ["shape", "two", "four"], ["sides"]),
        helper.make_node("Slice", ["shape", "none", "two"], ["rest"]),
        helper.make_node("Mul", ["sides", "two"], ["larger"]),
        helper.make_node("Concat", ["rest", "larger"], ["sizes"], axis=0),
        helper.make_node("Resize", ["a", "", "", "sizes"], ["b"], mode="nearest"),
    ]
    numbers = [("none", np.array([0])), ("two", np.array([2])), ("four", np.array([4]))]
    model = doubled(*sizes, weights=numbers)
    assert receptive_field(model) == 3 >= changed(model)


def test_factors_that_the_pictures_values_decide_are_not_known():
    model = doubled(
        helper.make_node("ReduceMax", ["lr"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "ones"], ["scales"]),
        helper.make_node("Resize", ["a", "", "scales"], ["b"], mode="nearest"),
        weights=[("ones", np.ones(4, np.float32))],
    )
    with pytest.raises(GlobalOperation, match="ReduceMax"):
        receptive_field(model)


def test_padding_and_cropping_in_the_graph_count_as_far_as_they_move():
    model = network(
        helper.make_node("Pad", ["lr", "pads"], ["a"], mode="reflect"),
        convolution("a", "b", "near", pads=[1, 1, 1, 1]),
        helper.make_node("Slice", ["b", "starts", "ends", "axes"], ["sr"]),
        weights=[
            kernel("near", 3),
            ("pads", np.array([0, 0, 2, 2, 0, 0, 3, 3])),
            ("starts", np.array([2, 2])),
            ("ends", np.array([-3, -3])),
            ("axes", np.array([2, 3])),
        ],
    )
    assert receptive_field(model) == 3 + 1 + 2 >= changed(model)


@pytest.mark.parametrize("how", ["Slice", "Gather"])
def test_turned_channels_are_no_other_pixels(how):
    if how == "Slice":
        numbers = {"starts": [2], "ends": [-4], "axes": [1], "steps": [-1]}
        turn = helper.make_node("Slice", ["lr", *numbers], ["a"])
    else:
        numbers = {"order": [2, 1, 0]}
        turn = helper.make_node("Gather", ["lr", "order"], ["a"], axis=1)
    model = network(
        turn,
        convolution("a", "sr", "near", pads=[1, 1, 1, 1]),
        weights=[kernel("near", 3), *((name, np.array(x)) for name, x in numbers.items())],
    )
    assert receptive_field(model) == 1 == changed(model)


def test_a_picture_that_is_turned_round_is_global():
    numbers = {"starts": [-1], "ends": [-999], "axes": [3], "steps": [-1]}
    model = network(
        helper.make_node("Slice", ["lr", *numbers], ["sr"], name="mirror"),
        weights=[(name, np.array(x)) for name, x in numbers.items()],
    )
    with pytest.raises(GlobalOperation, match=r"Slice \(mirror\)"):
        receptive_field(model)
