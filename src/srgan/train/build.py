"""From a configuration to untrained networks, and from files to their weights."""

import os
from pathlib import Path
from typing import cast

import keras

from srgan.export import onnx_file
from srgan.models import catalogue
from srgan.networks import discriminators, efficient, generators
from srgan.train import checkpoints, community, config, own


def generator(settings: config.Generator, scale: int) -> keras.Model:
    """Returns the untrained generator of a configuration."""
    match settings:
        case config.Residual():
            return generators.residual(
                scale, settings.filters, settings.blocks, settings.hr_filters
            )
        case config.SrResNet():
            return generators.srresnet(
                scale,
                settings.filters,
                settings.blocks,
                settings.normalisation,
                settings.activation,
            )
        case config.RrdbNet():
            return generators.rrdbnet(scale, settings.filters, settings.blocks, settings.growth)
        case config.SrVggNet():
            return efficient.srvggnet(scale, settings.filters, settings.blocks)
        case config.Span():
            return efficient.span(scale, settings.filters, settings.centred)


def discriminator(settings: config.Adversarial, features: keras.Model | None) -> keras.Model:
    """Returns the untrained discriminator of a configuration; `features` if it looks at those."""
    filters, normalised = settings.discriminator_filters, settings.discriminator_normalised
    match settings.discriminator_head:
        case "features":
            return discriminators.feature_heads(cast(keras.Model, features), filters, normalised)
        case "dense":
            return discriminators.vgg_style(settings.window, filters, normalised)
        case "pooled":
            return discriminators.vgg_style(None, filters, normalised)
        case "unet":
            return discriminators.unet(filters)


def load_weights(model: str | os.PathLike[str], network: keras.Model) -> None:
    """Sets a generator's weights from a model.

    Args:
        model: Name of a shipped one, `model.onnx`, `model.keras` or `best.npz` of a run, or file of
            a community model: see `community`.
        network: The generator.

    Raises:
        FileNotFoundError: If there is no such model.
        ValueError: If it is another network.
    """
    if Path(model).suffix == ".npz":
        checkpoints.restore(Path(model), checkpoints.named(network.weights))
    elif Path(model).suffix == ".keras":
        _take_weights(Path(model), network)
    elif community.is_community(model):
        community.load(model, network)
    else:
        onnx_file.read_weights(catalogue.path(model), network)


def _take_weights(path: Path, network: keras.Model) -> None:
    found = own.load(path)
    theirs, ours = ([tuple(w.shape) for w in model.weights] for model in (found, network))
    if theirs != ours:
        raise ValueError(
            f"{path} holds {found.name!r}, of {len(theirs)} weights, and the generator is "
            f"{network.name!r}, of {len(ours)}: their shapes differ. Take it as the generator "
            "itself: srgan train --generator, or train(generator=...)."
        )
    network.set_weights(found.get_weights())
