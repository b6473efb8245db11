"""Times the steps of training on a processor, with and without TensorFlow's oneDNN kernels.

    python benchmarks/training.py --vgg-weights VGG16

Every measurement is a process of its own, and they take turns; data are random, and sizes those of
the recipe `compact-x4`. Without weights of VGG16, the pretraining alone is timed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 3
STEPS = 8
WARM_UP = 3  # steps that are not counted: the first one traces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vgg-weights", type=Path)
    parser.add_argument("--child", choices=("pretrain", "adversarial"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child, arguments.vgg_weights)))
        return
    for stage in ("pretrain", "adversarial") if arguments.vgg_weights else ("pretrain",):
        times: dict[str, list[float]] = {"0": [], "1": []}
        for _ in range(ROUNDS):
            for setting, found in times.items():
                command = [sys.executable, __file__, f"--child={stage}"]
                if arguments.vgg_weights:
                    command += [f"--vgg-weights={arguments.vgg_weights}"]
                environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": setting}
                output = subprocess.check_output(
                    command, env=environment, stderr=subprocess.DEVNULL, text=True
                )
                found += json.loads(output.splitlines()[-1])
        for setting, found in times.items():
            low, middle, high = statistics.quantiles(found, n=4)
            kernels = "oneDNN" if setting == "1" else "Eigen"
            print(f"| {stage} | {kernels} | {middle:.2f} s ({low:.2f}-{high:.2f}) |")
        ratio = statistics.median(times["0"]) / statistics.median(times["1"])
        print(f"{stage}: {ratio:.2f} times as fast with oneDNN")


def measure(name: str, vgg_weights: Path | None) -> list[float]:
    """Returns the seconds of each step of a stage."""
    import keras
    import tensorflow as tf

    from srgan.train import config, generators
    from srgan.train.discriminators import vgg_style
    from srgan.train.features import vgg
    from srgan.train.training import Adversarial, Pretraining

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.at = []

        def on_train_batch_end(self, batch, logs=None):
            self.at.append(time.perf_counter())

    settings = config.Config()
    generator = generators.compact(4, settings.generator.filters, settings.generator.blocks)
    if name == "pretrain":
        schedule = settings.pretrain
        stage = Pretraining(generator, schedule)
    else:
        schedule = settings.adversarial.model_copy(update={"discriminator_steps": 0})
        stage = Adversarial(
            generator,
            vgg_style(None, schedule.discriminator_filters),
            vgg(schedule.vgg, list(schedule.taps), schedule.before_activation, vgg_weights),
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
