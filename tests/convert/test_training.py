"""Networks of ncnn in Keras compute what they compute in NumPy, and can be trained on."""

import numpy as np
import pytest

from srgan.train import build, community, config


def compare(path, compute, generator, scale):
    found = community.read(path)
    assert (found.generator, found.scale) == (generator, scale)
    network = build.generator(found.generator, found.scale)
    build.load_weights(path, network)
    lr = np.random.default_rng(1).random((9, 13, 3), np.float32)
    expected = compute(lr.transpose(2, 0, 1)).transpose(1, 2, 0)
    np.testing.assert_allclose(network(lr[None])[0], expected, atol=1e-5)


@pytest.mark.parametrize("half", [False, True])
def test_a_compact_network_computes_the_same(make_compact, half):
    compare(*make_compact(half, channels=5), config.SrVggNet(filters=5, blocks=2), 2)


def test_an_rrdbnet_computes_the_same(make_rrdbnet):
    compare(*make_rrdbnet(), config.RrdbNet(filters=4, blocks=1, growth=3), 4)


def test_its_weights_are_those_of_its_other_file(make_compact):
    path, _ = make_compact()
    assert community.weights_of(path) == path.with_suffix(".bin")
    path.with_suffix(".bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"half of an ncnn model: there is no net\.bin"):
        community.weights_of(path)


def test_another_network_is_refused(tmp_path):
    path = tmp_path / "net.param"
    layer = "Convolution c 1 1 data out 0=3 1=3 4=1 5=1 6=81"
    path.write_text(f"7767517\n2 2\nInput in 0 1 data\n{layer}\n")
    path.with_suffix(".bin").write_bytes(bytes(4 * (1 + 81 + 3)))
    with pytest.raises(ValueError, match="holds none of the networks that can be trained on"):
        community.read(path)
