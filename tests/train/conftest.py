"""What the tests of training share: weights as large as trained ones, photos, a tiny run."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from skimage import data as photos

from srgan import images
from srgan.train import config


@pytest.fixture(scope="session")
def randomise() -> Callable[[keras.Model], keras.Model]:
    """Sets every weight of a network from a fixed seed, and returns the network.

    Kernels keep the variance of what they are given, and no vector is at its neutral value: of
    fresh weights, zero biases and tiny kernels would hide a wrong slope or a wrong order.
    """

    def set_weights(network: keras.Model) -> keras.Model:
        rng = np.random.default_rng(0)
        for layer in network.layers:
            for weight in layer.weights:
                shape = tuple(weight.shape)
                if weight.name == "kernel":
                    value = rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape)
                elif weight.name in ("gamma", "moving_variance"):
                    value = rng.uniform(0.5, 1.5, shape)
                elif weight.name == "alpha":
                    value = rng.uniform(0.05, 0.5, shape)
                else:
                    value = rng.normal(0, 0.1, shape)
                weight.assign(value)
        return network

    return set_weights


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory):
    """Nine crops of real photos."""
    root = tmp_path_factory.mktemp("photos")
    for i, photo in enumerate((photos.astronaut(), photos.chelsea(), photos.coffee())):
        for j in range(3):
            crop = photo[80 * j : 80 * j + 96, 100 : 196 + 8 * i]
            images.write(root / f"{i}{j}.png", crop)
    return root


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory):
    """The first two convolutions of a VGG16, with random weights: features, if not ImageNet's."""
    rng = np.random.default_rng(0)
    file = tmp_path_factory.mktemp("vgg") / "vgg16.npz"
    arrays = {}
    for i, channels in ((1, 3), (2, 64)):
        arrays[f"block1_conv{i}/kernel"] = rng.normal(0, 0.1, (3, 3, channels, 64))
        arrays[f"block1_conv{i}/bias"] = rng.normal(0, 0.1, 64)
    np.savez(file, **{name: array.astype(np.float32) for name, array in arrays.items()})
    return file


@pytest.fixture
def tiny():
    """Every part of a run, in a few steps."""
    return config.Config(
        validate_every=2,
        precision="float32",
        generator=config.Generator(filters=16, blocks=1),
        pretrain=config.Pretrain(steps=4, batch_size=2, hr_patch=32, warmup=1),
        adversarial=config.Adversarial(
            steps=3,
            batch_size=2,
            hr_patch=64,
            window=48,
            taps={"conv1_2": 1.0},
            grid_weight=1.0,
            discriminator_filters=4,
            discriminator_steps=1,
            ramp=2,
        ),
    )
