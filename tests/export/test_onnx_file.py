"""Exported files are run by the real engines and compared with Keras; nothing is mocked but them.

The random weights are as large as trained ones, so that a wrong slope or order would show.
"""

import hashlib
import json
import os
import subprocess
import sys

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from keras import layers
from onnx import numpy_helper

from srgan.export.onnx_file import read_generator, read_weights, write_onnx
from srgan.export.onnx_graph import translate
from srgan.models import engines, loading
from srgan.models.metadata import Metadata
from srgan.networks.efficient import span, srvggnet
from srgan.networks.generators import residual, rrdbnet, srresnet
from srgan.networks.graph import receptive_field
from srgan.networks.layers import PixelShuffle

NETWORKS = {
    "residual": lambda: residual(4, filters=8, blocks=2),
    "residual_plain": lambda: residual(4, filters=8, blocks=2, hr_filters=0),
    "srresnet": lambda: srresnet(4, filters=8, blocks=2),
    "srresnet_relu": lambda: srresnet(2, 8, 2, normalisation=False, activation="relu"),
    "srresnet_leaky": lambda: srresnet(3, 8, 2, normalisation=False, activation="leaky_relu"),
    "rrdbnet": lambda: rrdbnet(4, filters=8, blocks=1, growth=4),
    "srvggnet": lambda: srvggnet(3, filters=8, blocks=2),
    "span": lambda: span(4, filters=8),
    "span_plain": lambda: span(2, filters=8, centred=False),
}


def metadata(generator, **changes):
    scale = generator(np.zeros((1, 1, 1, 3), np.float32)).shape[1]
    values = {
        "name": "tiny",
        "scale": scale,
        "receptive_field": receptive_field(generator),
        "consistency_rounds": 8,
        "training_data": "none: random weights",
        "licence": "CC0",
        "scores": "",
        "config_hash": "0",
    }
    return Metadata(**(values | changes))


def photo(height=9, width=7, batch=2):
    return np.random.default_rng(1).random((batch, height, width, 3), np.float32)


def of_one(layer, channels=3):
    """A network of one layer."""
    lr = keras.Input((None, None, 3), name="lr")
    x = lr if channels == 3 else layers.Conv2D(channels, 1, padding="same", name="widen")(lr)
    x = layer(x)
    if x.shape[-1] != 3:
        x = layers.Conv2D(3, 1, padding="same", name="narrow")(x)
    return keras.Model(lr, x, name="one")


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")  # in Keras
@pytest.mark.parametrize("name", NETWORKS)
def test_eager_graph_training_saved_and_exported_networks_agree(name, randomise, tmp_path):
    # TensorFlow 2.21 fuses an addition and a LeakyReLU wrongly, in graphs only.
    network, lr = randomise(NETWORKS[name]()), photo()
    expected = network(lr, training=False).numpy()
    assert np.std(expected) > 0.1
    results = {"graph": tf.function(network)(lr, training=False)}
    if not any(isinstance(layer, layers.BatchNormalization) for layer in network.layers):
        results["training"] = tf.function(network)(lr, training=True)
    network.save(tmp_path / "generator.keras")
    results["saved"] = keras.saving.load_model(tmp_path / "generator.keras")(lr)
    write_onnx(network, tmp_path / "generator.onnx", metadata(network), half=False)
    for kind in ("onnxruntime", "openvino"):
        results[kind] = engines.open_engine(tmp_path / "generator.onnx", kind).run(lr)
    for way, sr in results.items():
        np.testing.assert_allclose(sr, expected, atol=1e-4, err_msg=way)


def test_a_network_that_tensorflow_computes_wrongly_in_graphs_is_not_exported(randomise, tmp_path):
    lr = keras.Input((None, None, 3), name="lr")
    x = layers.Conv2D(8, 3, padding="same")(lr)
    x = layers.Add()([x, layers.Conv2D(8, 3, padding="same")(x)])
    x = layers.LeakyReLU(0.1)(x)
    network = randomise(keras.Model(lr, layers.Conv2D(3, 3, padding="same")(x)))
    if np.allclose(network(photo()), tf.function(network)(photo()), atol=1e-3):
        pytest.skip("TensorFlow computes it rightly here: without oneDNN, or fixed")
    with pytest.raises(RuntimeError, match="grey levels"):
        write_onnx(network, tmp_path / "x.onnx", metadata(network))


@pytest.mark.long
@pytest.mark.slow  # imports TensorFlow once more
def test_both_hold_with_one_dnn_which_is_the_default_on_other_processors():
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            __file__,
            "-k",
            "agree and (residual or leaky) or wrongly_in_graphs",
        ],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory, randomise):
    """A network, its file in half precision, and the certificate."""
    network = randomise(residual(4, filters=8, blocks=2))
    tail = network.get_layer("tail").kernel
    tail.assign(0.3 * tail)  # a trained network adds detail of such a size
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    return network, path, write_onnx(network, path, metadata(network))


def test_the_file_is_a_model_of_the_inference_half(exported):
    network, path, _ = exported
    model = loading.load(path)
    assert model.metadata == metadata(network)
    assert model.upscale(photo()[0]).shape == (36, 28, 3)


def test_the_file_is_valid_and_as_its_docstring_says(exported):
    model = onnx.load(exported[1])
    onnx.checker.check_model(model, full_check=True)
    assert (model.producer_name, model.ir_version) == ("srgan", 8)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    for value, name in ((model.graph.input, "lr"), (model.graph.output, "sr")):
        shape = value[0].type.tensor_type.shape.dim
        assert (len(value), value[0].name, shape[3].dim_value) == (1, name, 3)
        assert all(side.dim_param for side in shape[:3])
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("Transpose") == 2
    assert (operators[0], operators[-1]) == ("Transpose", "Transpose")


def test_weights_keep_their_names_and_kernels_are_rounded_to_half(exported):
    network, path, _ = exported
    stored = {x.name: numpy_helper.to_array(x) for x in onnx.load(path).graph.initializer}
    kernel, bias = (weight.numpy() for weight in network.get_layer("head").weights)
    assert stored["head/kernel"].dtype == np.float16
    expected = kernel.transpose(3, 2, 0, 1).astype(np.float16)
    np.testing.assert_array_equal(stored["head/kernel"], expected)
    np.testing.assert_array_equal(stored["head/bias"], bias)


def test_the_certificate_tells_the_largest_difference_between_keras_and_the_file(exported):
    network, path, certificate = exported
    engine = engines.open_engine(path)
    differences = [
        255 * np.abs(engine.run(photo(h, w)) - network(photo(h, w)).numpy()).max()
        for h, w in certificate.sizes
    ]
    assert 0.2 < max(differences) / certificate.max_difference < 5  # on other images
    assert 0 < certificate.mean_difference < certificate.max_difference < 0.5
    assert 60 < certificate.psnr < 100
    assert {height % 2 for height, _ in certificate.sizes} == {0, 1}
    assert set(certificate.versions) == {"keras", "tensorflow", "onnxruntime"}
    assert certificate.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_certificate_travels_with_the_file(exported):
    _, path, certificate = exported
    figures = json.loads(engines.open_engine(path).metadata["srgan.certificate"])
    assert figures["max_difference"] == certificate.max_difference
    assert figures["psnr"] == certificate.psnr
    assert figures["versions"] == certificate.versions


def test_half_precision_halves_the_file_and_costs_less_than_half_a_grey_level(randomise, tmp_path):
    network = randomise(srresnet(2, filters=32, blocks=1))
    sizes, differences = [], []
    for half in (True, False):
        certificate = write_onnx(network, tmp_path / "x.onnx", metadata(network), half)
        sizes.append((tmp_path / "x.onnx").stat().st_size)
        differences.append(certificate.max_difference)
    assert sizes[0] / sizes[1] == pytest.approx(0.5, abs=0.05)
    assert 0.01 < differences[0] < 0.5
    assert differences[1] < 0.01


def test_the_same_generator_gives_the_same_graph(exported, tmp_path):
    network, path, _ = exported
    write_onnx(network, tmp_path / "again.onnx", metadata(network))
    assert onnx.load(tmp_path / "again.onnx").graph == onnx.load(path).graph


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(5, (2, 5), dilation_rate=(3, 1), padding="same", activation="relu"),
        layers.Conv2D(4, 3, groups=2, padding="same", activation="leaky_relu", use_bias=False),
        layers.LeakyReLU(0.05),
        layers.Activation("leaky_relu"),
        layers.Activation("linear"),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_options_that_no_generator_uses_are_translated_too(layer, randomise, tmp_path):
    network = randomise(of_one(layer, channels=4))
    certificate = write_onnx(network, tmp_path / "x.onnx", metadata(network), half=False)
    assert certificate.max_difference < 1e-3
    assert np.std(network(photo())) > 0.05


def test_enlarging_and_adding_are_translated(tmp_path):
    lr = keras.Input((None, None, 3), name="lr")
    enlarged = [layers.UpSampling2D(3)(x) for x in (lr, layers.ReLU()(lr), lr)]
    network = keras.Model(lr, layers.Add()(enlarged))
    certificate = write_onnx(network, tmp_path / "x.onnx", metadata(network))
    assert certificate.psnr == 100  # equal


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(3, 3, strides=2, padding="same", name="culprit"),
        layers.Conv2D(3, 3, padding="valid", name="culprit"),
        layers.Conv2D(3, 3, padding="same", activation="gelu", name="culprit"),
        layers.Activation("tanh", name="culprit"),
        layers.ReLU(max_value=6, name="culprit"),
        layers.BatchNormalization(scale=False, name="culprit"),
        layers.UpSampling2D(interpolation="bicubic", name="culprit"),
        layers.MaxPooling2D(name="culprit"),
        layers.Lambda(lambda x: 2 * x, name="culprit"),
    ],
)
def test_a_layer_without_translation_is_named_and_nothing_is_left(layer, exported, tmp_path):
    network = of_one(layer)
    with pytest.raises(ValueError, match="'culprit'"):
        write_onnx(network, tmp_path / "x.onnx", metadata(exported[0]))
    assert not list(tmp_path.iterdir())


class Deceptive(layers.LeakyReLU):
    """Claims a slope of 0.2, and uses 0.3."""

    def call(self, x):
        return keras.activations.leaky_relu(x, 0.3)


def test_a_file_that_differs_is_not_put_in_place(randomise, tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"older")
    network = randomise(of_one(Deceptive(0.2), channels=4))
    with pytest.raises(RuntimeError, match=r"'one' by up to [\d.]+ grey levels, where 0.5"):
        write_onnx(network, path, metadata(network))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"older"]


@pytest.mark.parametrize("value", [np.nan, 1e6])
def test_weights_that_are_not_finite_in_half_precision_are_found(value, randomise, tmp_path):
    network = randomise(of_one(layers.Conv2D(3, 1, padding="same")))
    network.layers[1].kernel.assign(np.full((1, 1, 3, 3), value))
    with pytest.raises(RuntimeError, match=r"by up to (nan|inf) grey levels"):
        write_onnx(network, tmp_path / "x.onnx", metadata(network))
    assert not list(tmp_path.iterdir())


def test_metadata_that_contradict_the_generator_are_refused(tmp_path):
    network = residual(2, 4, 1)
    with pytest.raises(ValueError, match="receptive_field=5 is less than the generator's 6"):
        write_onnx(network, tmp_path / "x.onnx", metadata(network, receptive_field=5))
    with pytest.raises(ValueError, match=r"gives \(5, 48, 64, 3\).*metadata.scale being 3"):
        write_onnx(network, tmp_path / "x.onnx", metadata(network, scale=3))
    assert not list(tmp_path.iterdir())


def test_a_network_of_mixed_precision_is_compared_in_float32(randomise, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = randomise(residual(2, 8, 2))
        information = metadata(network)
        certificate = write_onnx(network, tmp_path / "x.onnx", information, half=False)
    finally:
        keras.config.set_dtype_policy("float32")
    assert certificate.max_difference < 0.01
    engine = engines.open_engine(tmp_path / "x.onnx")
    assert 255 * np.abs(engine.run(photo()) - network(photo()).numpy()).max() > 0.1


def test_openvino_stands_in_for_onnx_runtime(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    network, _, first = exported
    certificate = write_onnx(network, tmp_path / "x.onnx", metadata(network))
    assert set(certificate.versions) == {"keras", "tensorflow", "openvino"}
    assert certificate.max_difference == pytest.approx(first.max_difference, rel=0.1)


def test_the_file_is_as_readable_as_any_other(exported):
    _, path, _ = exported
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_weights_come_back_exactly(randomise, tmp_path):
    network = randomise(srresnet(4, 8, 1))
    write_onnx(network, tmp_path / "x.onnx", metadata(network), half=False)
    fresh = srresnet(4, 8, 1)
    read_weights(tmp_path / "x.onnx", fresh)
    for found, expected in zip(fresh.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_weights_come_back_rounded_from_half_precision(exported):
    network, path, _ = exported
    fresh = residual(4, filters=8, blocks=2)
    read_weights(path, fresh)
    for found, expected in zip(fresh.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2**-11, atol=2**-24)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: residual(4, 4, 2),
            r"'residual_x4' \(8 filters, 2 blocks\), and the generator is 'residual_x4' \(4 "
            r"filters, 2 blocks\): the weight 'head/kernel' is \(8, 3, 3, 3\) in the file",
        ),
        (lambda: residual(4, 8, 3), "2 blocks.*3 blocks.*the file has no weight 'block3_conv1/k"),
        (lambda: residual(4, 8, 1), "the generator has no weight 'block2_conv1/kernel'"),
        (
            lambda: residual(3, 8, 2),
            r"'enlarge/kernel' is \(256, 8, 3, 3\) in the file, not \(144, ",
        ),
        (lambda: residual(4, 8, 2, 0), r"'tail/kernel' is \(3, 16, 3, 3\) in the file, not \(48, "),
        (lambda: srresnet(4, 8, 2), "generator is 'srresnet_x4'.*'head/kernel'"),
    ],
)
def test_weights_of_another_network_are_refused_and_change_nothing(exported, build, message):
    network = build()
    before = network.get_weights()
    with pytest.raises(ValueError, match=message):
        read_weights(exported[1], network)
    for found, expected in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("old", "new"), [(4, 2), (8, 2), (2, 4), (3, 6)])
@pytest.mark.parametrize("hr_filters", [0, 16])
def test_a_compact_begins_with_the_picture_of_another_scale(
    old, new, hr_filters, randomise, tmp_path
):
    network, lr = randomise(residual(old, 8, 2, 0)), photo()
    write_onnx(network, tmp_path / "x.onnx", metadata(network), half=False)
    other = randomise(residual(new, 8, 2, hr_filters))
    read_weights(tmp_path / "x.onnx", other)
    sr = network(lr).numpy()
    batch, height, width, _ = sr.shape
    if new < old:
        factor = old // new
        blocks = sr.reshape(batch, height // factor, factor, width // factor, factor, 3)
        expected = blocks.mean((2, 4))
    else:
        expected = sr.repeat(new // old, 1).repeat(new // old, 2)
    np.testing.assert_allclose(other(lr), expected, atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [(4, 2), (2, 4)])
def test_a_compact_begins_with_the_hr_features_of_another_scale(old, new, randomise, tmp_path):
    network, lr = randomise(residual(old, 8, 2)), photo()
    write_onnx(network, tmp_path / "x.onnx", metadata(network), half=False)
    other = residual(new, 8, 2)
    read_weights(tmp_path / "x.onnx", other)
    before, after = (
        keras.Model(x.input, PixelShuffle(scale)(x.get_layer("enlarge").output))(lr).numpy()
        for x, scale in ((network, old), (other, new))
    )
    batch, height, width, channels = after.shape
    if new < old:
        before = before.reshape(batch, height, 2, width, 2, channels).mean((2, 4))
    else:
        before = before.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(after, before, atol=1e-5)
    kernels = [x.get_layer("tail").kernel.numpy() for x in (network, other)]
    np.testing.assert_array_equal(*kernels)


def test_weights_for_another_activation_are_refused(randomise, tmp_path):
    network = randomise(srresnet(2, 4, 1, False, "relu"))
    write_onnx(network, tmp_path / "x.onnx", metadata(network))
    with pytest.raises(ValueError, match="'head_activation/Relu', not 'head_activation/LeakyRelu'"):
        read_weights(tmp_path / "x.onnx", srresnet(2, 4, 1, False, "leaky_relu"))


def test_a_file_that_is_not_onnx_is_named(tmp_path):
    path = tmp_path / "photo.onnx"
    path.write_bytes(b"\xff\xd8\xff\xe0 a photo")
    with pytest.raises(ValueError, match=r"photo\.onnx is not an ONNX file"):
        read_weights(path, residual(2, 4, 1))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no weight 'head/kernel'"):
        read_weights(path, residual(2, 4, 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_generator_is_rebuilt_from_its_file(name, randomise, tmp_path):
    network, lr = randomise(NETWORKS[name]()), photo()
    write_onnx(network, tmp_path / "x.onnx", metadata(network), half=False)
    rebuilt = read_generator(tmp_path / "x.onnx")
    assert rebuilt.name == network.name
    np.testing.assert_array_equal(rebuilt(lr), network(lr))


def test_another_network_is_not_rebuilt(randomise, tmp_path):
    network = randomise(of_one(layers.ReLU()))
    write_onnx(network, tmp_path / "x.onnx", metadata(network))
    with pytest.raises(
        ValueError, match="holds the network 'one'; expected a residual, srresnet, rrd"
    ):
        read_generator(tmp_path / "x.onnx")


def test_a_layer_that_no_generator_has_is_named(tmp_path, tiny_model):
    model = onnx.load(tiny_model)
    model.graph.node[-2].name, model.graph.node[-2].op_type = "bounded", "Tanh"
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(ValueError, match=r"'tiny' with the layer 'bounded' \(Tanh\); expected"):
        read_generator(tmp_path / "x.onnx")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_that_computes_in_half_precision_takes_and_gives_float32(name, randomise, tmp_path):
    network, path = randomise(NETWORKS[name]()), tmp_path / "x.onnx"
    model = translate(network, metadata(network), np.float16, np.float16)
    onnx.checker.check_model(model, full_check=True)
    floats = [x.name for x in model.graph.initializer if x.data_type == onnx.TensorProto.FLOAT]
    assert all(name.endswith("/scales") for name in floats)  # which Resize wants so
    onnx.save(model, path)
    sr = engines.open_engine(path).run(photo())
    assert sr.dtype == np.float32
    expected = network(photo()).numpy()
    assert 1e-7 < np.abs(sr - expected).mean() / max(1, expected.std()) < 5e-3
