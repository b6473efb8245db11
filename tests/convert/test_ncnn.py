"""Networks of ncnn compute in ONNX what they compute in NumPy; damaged files are refused."""

import struct

import numpy as np
import pytest

from srgan.convert import ncnn, ncnn_graph
from srgan.models import engines
from srgan.models.receptive_field import receptive_field


def run(path, lr, tmp_path):
    """What the ONNX file of a network makes of `(3, height, width)`."""
    model, facts = ncnn_graph.to_onnx(ncnn.read(path))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    engine = engines.open_engine(tmp_path / "net.onnx")
    sr = engine.run(lr.transpose(1, 2, 0)[None])
    return sr[0].transpose(2, 0, 1), facts, model


@pytest.fixture
def lr():
    return np.random.default_rng(1).random((3, 9, 13)).astype(np.float32)


@pytest.mark.parametrize("half", [False, True])
def test_a_compact_network_computes_the_same(make_compact, lr, tmp_path, half):
    path, compute = make_compact(half, channels=5)  # an odd number of float16 is padded
    sr, facts, model = run(path, lr, tmp_path)
    np.testing.assert_allclose(sr, compute(lr), atol=1e-5)
    assert facts.architecture == "SRVGGNetCompact"
    assert facts.described == "5 channels, 2 convolutions inside"
    assert (facts.scale, facts.precision) == (2, "float16" if half else "float32")
    assert receptive_field(model) == 4


@pytest.mark.parametrize("half", [False, True])
def test_an_rrdbnet_computes_the_same(make_rrdbnet, lr, tmp_path, half):
    path, compute = make_rrdbnet(half)
    sr, facts, _ = run(path, lr, tmp_path)
    np.testing.assert_allclose(sr, compute(lr), atol=1e-5)
    assert facts.architecture == "RRDBNet"
    assert facts.described == "4 channels, 1 block"
    assert facts.scale == 4


def test_either_file_names_the_network(make_compact):
    path, _ = make_compact()
    assert len(ncnn.read(path)) == len(ncnn.read(path.with_suffix(".bin")))


def refused(path, match):
    with pytest.raises((ValueError, FileNotFoundError), match=match) as caught:
        ncnn_graph.to_onnx(ncnn.read(path))
    assert "\n" not in str(caught.value)


def test_half_a_network_is_refused(make_compact):
    path, _ = make_compact()
    path.with_suffix(".bin").unlink()
    refused(path, "no net.bin beside it")


def test_each_byte_has_to_have_a_meaning(make_compact):
    path, _ = make_compact()
    weights = path.with_suffix(".bin")
    data = weights.read_bytes()
    for length in range(0, len(data), 97):
        weights.write_bytes(data[:length])
        refused(path, "net.bin does not hold the weights of net.param")
    weights.write_bytes(data + b"\0\0\0\0")
    refused(path, "4 bytes are left over")


def test_int8_and_nan_are_refused(make_compact):
    path, _ = make_compact()
    weights = path.with_suffix(".bin")
    data = weights.read_bytes()
    weights.write_bytes(struct.pack("<I", 0x000D4B38) + data[4:])
    refused(path, "int8")
    weights.write_bytes(data[:4] + struct.pack("<f", np.nan) + data[8:])
    refused(path, "not numbers")


@pytest.mark.parametrize(
    ("before", "after", "match"),
    [
        ("7767517\n", "7767518\n", "does not begin with"),
        ("7767517\n", "", "does not begin with"),
        (" 99\n", " x\n", "does not say"),
        ("\n12 ", "\n13 ", "says that it has 13 layers, and has 12"),
        ("PixelShuffle", "Softmax", "of the kind Softmax"),
        ("0=12 1=3 4=1", "0=12 1=3 4=1 3=2", "changes the size"),
        ("0=12 1=3 4=1", "0=11 1=3 4=1", "Convolution|does not hold"),
        ("0=12 1=3 4=1", "0=-12 1=3 4=1", "does not hold"),
        ("0=12 1=3 4=1", "0=1e30 1=3 4=1", "damaged"),
        ("0=12 1=3 4=1", "0=nan 1=3 4=1", "damaged"),
        ("0=12 1=3 4=1", "0=12 -23301=9,1", "damaged"),
        ("6=648", "6=649", "does not hold|weights for"),
        ("6=648", "6=9007199254740000", "too early"),
        ("PixelShuffle pixelshuffle8 1 1", "PixelShuffle pixelshuffle8 1 7", "damaged"),
        ("PixelShuffle pixelshuffle8 1 1 c3", "PixelShuffle pixelshuffle8 1 1 nowhere", "nowhere"),
        ("PReLU prelu2", "PReLU convolution1", "Several layers have the name 'convolution1'"),
        ("1 1 data_0 near", "1 1 data_1 near", "for the second time"),
        ("large 0=2", "large 0=3", "PixelShuffle|has not the same size"),
        ("1=2.000000e+00 2=2.000000e+00", "1=2.0 2=3.0", "one factor"),
        ("1=2.000000e+00 2=2.000000e+00", "1=3.0 2=3.0", "not the same size"),
        ("1=2.000000e+00 2=2.000000e+00", "1=1e9 2=1e9", "expected 1/16 to 16"),
        ("out 0=0", "out 0=3", "neither a sum"),
        ("BinaryOp binaryop10 2 1 large near out 0=0\n", "Noop n 1 1 large out\n", "2 results"),
    ],
)
def test_layers_that_are_damaged_or_unknown_are_refused(make_compact, before, after, match):
    path, _ = make_compact()
    text = path.read_text()
    changed = text.replace(before, after, 1)
    assert changed != text
    path.write_text(changed)
    refused(path, match)


def test_the_binary_form_is_named(make_compact):
    path, _ = make_compact()
    path.write_bytes(struct.pack("<I", 7767517) + bytes(100))
    refused(path, "binary form")


def test_an_activation_of_another_kind_is_refused(make_rrdbnet):
    path, _ = make_rrdbnet()
    path.write_text(path.read_text().replace("9=2", "9=6", 1))
    refused(path, "activation of the kind 6")
