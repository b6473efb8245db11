"""Community models in Keras make what PyTorch makes of a picture, to rounding."""

import json
from pathlib import Path

import numpy as np
import pytest

from srgan import cli
from srgan.export import onnx_file
from srgan.models.state_dict import read_state_dict
from srgan.train import build, community, config, config_file
from srgan.train.recipes import RECIPES

FOLDER = Path(__file__).parent / "community"
RRDB = config.RrdbNet(filters=4, blocks=2, growth=3)
FILES = {
    "esrgan.pth": ("esrgan", 4, RRDB),
    "realsr.pth": ("esrgan", 4, RRDB),
    "real_esrgan.pth": ("esrgan", 4, RRDB),
    "esrgan_x2.pth": ("esrgan_x2", 2, RRDB),
    "compact.safetensors": ("compact", 4, config.SrVggNet(filters=5, blocks=3)),
    "span.pth": ("span", 2, config.Span(filters=6)),
    "span_plain.safetensors": ("span_plain", 3, config.Span(filters=6, centred=False)),
}


@pytest.fixture(scope="module")
def expected():
    with np.load(FOLDER / "expected.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", FILES)
def test_the_network_in_keras_makes_what_pytorch_makes(name, expected):
    key, scale, generator = FILES[name]
    found = community.read(FOLDER / name)
    assert (found.generator, found.scale) == (generator, scale)
    network = build.generator(found.generator, found.scale)
    build.load_weights(FOLDER / name, network)
    sr = network(expected["lr"]).numpy()
    assert np.std(expected[key]) > 0.1
    np.testing.assert_allclose(sr, expected[key], rtol=0, atol=1e-4 * np.ptp(expected[key]))


@pytest.fixture
def changed(tmp_path):
    """Writes a community model's weights anew, changed; returns the file."""

    def write(name, **changes):
        state = {**read_state_dict(FOLDER / name), **changes}
        state = {key: np.asarray(value) for key, value in state.items() if value is not None}
        safetensors = tmp_path / "changed.safetensors"
        header, data = {}, b""
        for key, array in state.items():
            block = array.astype("<f4").tobytes()
            spans = [len(data), len(data) + len(block)]
            header[key] = {"dtype": "F32", "shape": array.shape, "data_offsets": spans}
            data += block
        text = json.dumps(header).encode()
        safetensors.write_bytes(len(text).to_bytes(8, "little") + text + data)
        return safetensors

    return write


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("esrgan.pth", {"model.0.weight": np.ones((4, 12, 3, 3))}, "pixel-unshuffle.*convert"),
        ("esrgan.pth", {"model.0.weight": np.ones((4, 1, 3, 3))}, "have 1 channels; expected 3"),
        ("esrgan.pth", {"model.0.weight": np.ones(4)}, "has weights of shapes"),
        ("esrgan.pth", {"model.1.sub.0.RDB1.conv1.0.weight": 1}, "has weights of shapes"),
        ("esrgan.pth", {"model.8.bias": None}, "lacks the weight 'conv_hr.bias'"),
        ("esrgan.pth", {"model.1.sub.0.RDB1.conv1x1.weight": np.ones(1)}, r"ESRGAN\+"),
        ("esrgan.pth", {"attention.weight": np.ones(1)}, "such as 'attention.weight'"),
        ("compact.safetensors", {"body.8.bias": np.ones(9)}, "9 channels; expected 12, 27"),
        ("compact.safetensors", {"body.3.weight": None}, "lacks the weight 'body.3.weight'"),
        ("compact.safetensors", {"body.1.weight": None}, "lacks the weight 'body.1.weight'"),
        ("span.pth", {"conv_1.conv.0.weight": np.ones(1)}, "has weights of shapes"),
        ("span.pth", {"conv_cat.weight": None}, "none of the networks .* its weights are conv_1."),
    ],
)
def test_what_cannot_be_trained_on_is_said(name, changes, message, changed):
    path = changed(name, **changes)
    with pytest.raises(ValueError, match=message) as raised:
        community.read(path)
    assert str(path) in str(raised.value)


def test_the_branches_are_taken_for_the_kernel_that_training_leaves_behind(changed, expected):
    older = changed("span.pth", **{"conv_2.eval_conv.weight": np.ones((6, 6, 3, 3))})
    network = build.generator(config.Span(filters=6), 2)
    build.load_weights(older, network)
    sr = network(expected["lr"]).numpy()
    np.testing.assert_allclose(sr, expected["span"], atol=1e-4 * np.ptp(sr))


def test_a_recipe_takes_the_network_of_the_model_and_keeps_the_rest():
    found = community.read(FOLDER / "span.pth")
    settings = community.adopt(RECIPES["own-x4"], found)
    assert (settings.generator, settings.scale) == (config.Span(filters=6), 2)
    assert settings.pretrain == RECIPES["own-x4"].pretrain


def test_a_network_that_was_chosen_is_not_replaced():
    found = community.read(FOLDER / "span.pth")
    with pytest.raises(ValueError, match="scale is 4 in the configuration, and 2 in the model"):
        community.adopt(RECIPES["own-x4"], found, {"scale"})
    assert community.adopt(config.Config(scale=2), found, {"scale"}).scale == 2


def test_weights_of_another_network_name_the_layer():
    network = build.generator(config.SrVggNet(filters=5, blocks=4), 4)
    with pytest.raises(ValueError, match=r"'block4_conv' has weights of no in the file"):
        build.load_weights(FOLDER / "compact.safetensors", network)


def test_a_network_that_was_chosen_may_be_the_first_blocks_of_the_model():
    found = community.read(FOLDER / "esrgan.pth")
    smaller = RRDB.model_copy(update={"blocks": 1})
    settings = community.adopt(config.Config(generator=smaller), found, {"generator"})
    assert settings.generator == smaller
    for other in ({"blocks": 3}, {"blocks": 1, "filters": 8}):
        chosen = config.Config(generator=RRDB.model_copy(update=other))
        with pytest.raises(ValueError, match="Leave generator out of the configuration"):
            community.adopt(chosen, found, {"generator"})
    network = build.generator(smaller, 4)
    build.load_weights(FOLDER / "esrgan.pth", network)
    for layer in ("head", "block1_dense3_conv5", "trunk", "stage2_conv", "tail"):
        np.testing.assert_array_equal(
            network.get_layer(layer).get_weights()[0], found.weights[layer][0]
        )


def test_a_training_goes_on_from_a_community_model(photo_folder, tmp_path, capsys):
    settings = tmp_path / "run.toml"
    settings.write_text(
        'precision = "float32"\nprojection = 0\n'
        "[pretrain]\nsteps = 1\nwarmup = 0\nbatch_size = 2\nhr_patch = 32\nlearning_rate = 1e-9\n"
        "[adversarial]\nsteps = 0\n"
    )
    start, run = FOLDER / "compact.safetensors", tmp_path / "run"
    arguments = ["train", photo_folder, "-o", run, "--config", settings, "--init", start]
    assert cli.main([str(argument) for argument in arguments]) == 0
    assert "x4, srvggnet of 3 blocks x 5 filters" in capsys.readouterr().err
    assert config_file.read(run / "config.toml").generator == FILES["compact.safetensors"][2]
    generator = onnx_file.read_generator(run / "model.onnx")
    lr = np.random.default_rng(0).random((1, 8, 9, 3), np.float32)
    network = build.generator(config.SrVggNet(filters=5, blocks=3), 4)
    build.load_weights(start, network)
    np.testing.assert_allclose(generator(lr), network(lr), atol=5e-3)  # halves, and one step
