"""Interpolation ends at the two models, its middle is between them; nothing else is accepted."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from srgan.models import interpolation, loading


@pytest.fixture
def pair(make_model, tmp_path):
    """A PSNR model, and a GAN model beside it that names it."""
    (tmp_path / "soft.onnx").write_bytes(make_model(gain=0.5).read_bytes())
    (tmp_path / "sharp.onnx").write_bytes(make_model(gain=2.0, psnr_model="soft").read_bytes())
    return tmp_path / "soft.onnx", tmp_path / "sharp.onnx"


@pytest.fixture
def lr():
    return np.random.default_rng(0).random((9, 13, 3), dtype=np.float32)


def weights(file):
    graph = onnx.load_model_from_string(file).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def test_the_ends_are_exactly_the_two_models(pair, lr):
    for realism, file in zip((0, 1), pair, strict=True):
        expected = loading.load(file).upscale(lr)
        found = loading.load(pair[1], realism=realism).upscale(lr)
        np.testing.assert_array_equal(found, expected)


def test_weights_are_interpolated_linearly(pair):
    soft, sharp = (file.read_bytes() for file in pair)
    between = weights(interpolation.interpolate(soft, sharp, 0.25))
    for name, weight in between.items():
        expected = 0.75 * weights(soft)[name].astype(float) + 0.25 * weights(sharp)[name]
        np.testing.assert_array_equal(weight, expected.astype(np.float16))
        assert weight.dtype == np.float16


def test_the_rest_is_that_of_the_gan_model(pair):
    model = loading.load(pair[1], realism=0.5)
    assert model.metadata.name == "tiny @ 0.5"
    assert model.metadata.psnr_model == "soft"


def test_the_result_lies_between(pair, lr):
    soft, middle, sharp = (loading.load(pair[1], realism=r).upscale(lr) for r in (0, 0.5, 1))
    assert np.abs(middle - soft).mean() < np.abs(sharp - soft).mean()
    assert np.abs(middle - sharp).mean() < np.abs(sharp - soft).mean()


@pytest.mark.parametrize("realism", [-0.1, 1.1, float("nan")])
def test_realism_outside_its_range_is_refused(pair, realism):
    with pytest.raises(ValueError, match=r"must be from 0 .* to 1"):
        loading.load(pair[1], realism=realism)


def test_a_model_without_psnr_model_says_so(pair):
    with pytest.raises(ValueError, match=r"tiny does not name the PSNR model"):
        loading.load(pair[0], realism=0.5)


def test_a_missing_psnr_model_is_named(pair):
    pair[0].unlink()
    with pytest.raises(FileNotFoundError, match="There is no model 'soft'"):
        loading.load(pair[1], realism=0.5)


def change_weight(model):
    tensor = model.graph.initializer[0]
    smaller = numpy_helper.to_array(tensor)[:4]
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(smaller), tensor.name))


def change_name(model):
    model.graph.initializer[0].name = "another"


def change_node(model):
    model.graph.node[4].attribute[0].f = 0.3


def add_weight(model):
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "more"))


@pytest.mark.parametrize("change", [change_weight, change_name, change_node, add_weight])
def test_another_network_is_refused(pair, change):
    other = onnx.load(pair[0])
    change(other)
    with pytest.raises(ValueError, match="different networks"):
        interpolation.interpolate(other.SerializeToString(), pair[1].read_bytes(), 0.5)


def test_factors_that_are_no_weights_must_be_equal(pair):
    files = []
    for path, number in zip(pair, (2, 3), strict=True):
        model = onnx.load(path)
        model.graph.initializer.append(numpy_helper.from_array(np.array([number]), "sizes"))
        files.append(model.SerializeToString())
    with pytest.raises(ValueError, match="sizes differs"):
        interpolation.interpolate(*files, 0.5)
    kept = weights(interpolation.interpolate(files[1], files[1], 0.5))
    np.testing.assert_array_equal(kept["sizes"], [3])


def test_what_is_no_onnx_file_is_refused(pair):
    with pytest.raises(ValueError, match="not an ONNX file"):
        interpolation.interpolate(b"\xff no model", pair[1].read_bytes(), 0.5)
