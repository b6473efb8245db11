"""Times the steps of training on a processor: TensorFlow's own kernels, oneDNN's, and bfloat16.

    python benchmarks/training.py --vgg-weights VGG16

Bfloat16 is left out where `precision = "auto"` does not choose it, since it is emulated there.
Every measurement is a process of its own, and they take turns; data are random, and sizes those of
the recipe `residual-x4`. Without weights of VGG16, the pretraining alone is timed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROUNDS = 3
STEPS = 8
WARM_UP = 3  # steps that are not counted: the first one traces


class Way(NamedTuple):
    """A way to compute a step."""

    name: str
    onednn: str  # TF_ENABLE_ONEDNN_OPTS
    precision: str


WAYS = (
    Way("own kernels", "0", "float32"),
    Way("oneDNN", "1", "float32"),
    Way("oneDNN, bfloat16", "1", "auto"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vgg-weights", type=Path)
    parser.add_argument("--child", choices=("pretrain", "adversarial"), help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="float32", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child, arguments.precision, arguments.vgg_weights)))
        return
    for stage in ("pretrain", "adversarial") if arguments.vgg_weights else ("pretrain",):
        times: dict[Way, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, found in times.items():
                command = [sys.executable, __file__, f"--child={stage}"]
                command += [f"--precision={way.precision}"]
                if arguments.vgg_weights:
                    command += [f"--vgg-weights={arguments.vgg_weights}"]
                environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": way.onednn}
                output = subprocess.check_output(
                    command, env=environment, stderr=subprocess.DEVNULL, text=True
                )
                found += json.loads(output.splitlines()[-1])
        own = statistics.median(times[WAYS[0]])
        for way, found in times.items():
            if found:
                low, middle, high = statistics.quantiles(found, n=4)
                seconds = f"{middle:.2f} s ({low:.2f}-{high:.2f})"
                print(f"| {stage} | {way.name} | {seconds} | {own / middle:.2f} |")


def measure(name: str, wanted: str, vgg_weights: Path | None) -> list[float]:
    """Returns the seconds of each step of a stage; none if "auto" means float32 here."""
    import keras
    import tensorflow as tf

    from srgan.networks.features import vgg
    from srgan.train import build, config, precision
    from srgan.train.adversarial import Adversarial
    from srgan.train.pretraining import Pretraining

    if precision.choose(wanted) != "bfloat16" and wanted == "auto":
        return []

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.at = []

        def on_train_batch_end(self, batch, logs=None):
            self.at.append(time.perf_counter())

    settings = config.Config()
    generator = build.generator(settings.generator, settings.scale)
    if name == "pretrain":
        schedule = settings.pretrain
        stage = Pretraining(generator, schedule)
    else:
        schedule = settings.adversarial.model_copy(update={"discriminator_steps": 0})
        taps = list(schedule.taps)
        features = vgg(schedule.vgg, taps, schedule.before_activation, vgg_weights)
        stage = Adversarial(
            generator,
            build.discriminator(schedule, features),
            features,
            schedule,
            settings.scale,
            settings.projection,
        )
    hr = tf.random.uniform((schedule.batch_size, schedule.hr_patch, schedule.hr_patch, 3))
    lr = tf.nn.avg_pool2d(hr, settings.scale, settings.scale, "VALID")
    stage.compile()
    clock = Clock()
    pairs = tf.data.Dataset.from_tensors((lr, hr)).repeat(WARM_UP + STEPS)
    stage.fit(pairs, verbose=0, callbacks=[clock])
    seconds = [after - before for before, after in zip(clock.at, clock.at[1:], strict=False)]
    return seconds[WARM_UP - 1 :]


if __name__ == "__main__":
    main()
