"""Trains a generator of one's own: a subclassed Keras model, which ends as an ONNX file like any.

python examples/own_generator.py PHOTOS RUN

After Ctrl-C, the same with --resume goes on.
"""

import argparse

import keras
from keras import layers

from srgan.cli import progress
from srgan.networks.layers import PixelShuffle
from srgan.train import Interrupted, config, train


@keras.saving.register_keras_serializable("examples")
class Dilated(keras.Model):
    """Convolutions that look ever farther, and add detail to repeated pixels.

    Layers, + and * are enough here; what cannot be written as ONNX is named before the first step.
    """

    def __init__(self, scale: int = 4, filters: int = 24, **options) -> None:
        super().__init__(**options)
        self.scale, self.filters = scale, filters
        self.trunk = [
            layers.Conv2D(filters, 3, padding="same", dilation_rate=rate, activation="relu")
            for rate in (1, 2, 4)
        ]
        self.tail = layers.Conv2D(3 * scale**2, 3, padding="same", kernel_initializer="zeros")
        self.shuffle = PixelShuffle(scale)
        self.enlarge = layers.UpSampling2D(scale, interpolation="nearest")

    def call(self, lr):
        x = lr
        for layer in self.trunk:
            x = layer(x)
        return self.enlarge(lr) + self.shuffle(self.tail(x))

    def get_config(self):
        """What `__init__` takes: the moving average of the weights is kept in a copy."""
        return super().get_config() | {"scale": self.scale, "filters": self.filters}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos")
    parser.add_argument("run")
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--resume", action="store_true", help="go on with the run")
    arguments = parser.parse_args()
    settings = config.Config(
        validate_every=max(arguments.steps // 10, 1),
        pretrain=config.Pretrain(steps=arguments.steps, hr_patch=64, warmup=0),
        adversarial=config.Adversarial(steps=0),
    )
    keras.utils.set_random_seed(settings.seed)  # of the first weights
    photos, run, resume = arguments.photos, arguments.run, arguments.resume
    try:
        with progress.training(as_json=False) as report:  # as srgan train shows it
            model = train(
                photos, run, settings, generator=Dilated(), resume=resume, progress=report
            )
    except Interrupted as stop:
        raise SystemExit(f"{stop} The same with --resume goes on.") from None
    print(model)


if __name__ == "__main__":
    main()
