"""Training: photos and a configuration in, a folder with a trained model out.

    from srgan.train import Config, train

    train("photos", "run", Config())

`config` is what may be chosen, `recipes` the named choices, `run` the way from photos to a model.
`Pretraining` and `Adversarial` are its stages, Keras models to `compile` and `fit` alone. `join`
finds the other processes of a training on several GPUs or machines.
Imports Keras, when `train` is first used. May be imported by the command line alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srgan.networks.workers import join
    from srgan.train.adversarial import Adversarial
    from srgan.train.config import Config
    from srgan.train.pretraining import Pretraining
    from srgan.train.recipes import RECIPES
    from srgan.train.run import Interrupted, train

__all__ = ["RECIPES", "Adversarial", "Config", "Interrupted", "Pretraining", "join", "train"]

_HOMES = {
    "Adversarial": "train.adversarial",
    "Config": "train.config",
    "Interrupted": "train.run",
    "Pretraining": "train.pretraining",
    "RECIPES": "train.recipes",
    "join": "networks.workers",
    "train": "train.run",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'srgan.train' has no attribute {name!r}")
    if name not in ("Config", "RECIPES"):
        from srgan.util import frameworks

        frameworks.import_tensorflow()
    return getattr(import_module(f"srgan.{_HOMES[name]}"), name)
