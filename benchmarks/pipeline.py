"""Compares the rate of the data pipeline on one core with that of training the shipped generator.

    python benchmarks/pipeline.py PHOTOS

Needs `pip install srgan[train]`. Batches are those of the recipe residual-x4's first stage; the
decoding, done once a data set, is timed apart.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from srgan.train import batches, data
    from srgan.train.recipes import RESIDUAL_X4

    stage = RESIDUAL_X4.pretrain
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        lr_patch = stage.hr_patch // RESIDUAL_X4.scale
        photos = data.prepare(arguments.photos, Path(cache), RESIDUAL_X4.scale, minimum=lr_patch)
        decoding = time.perf_counter() - began
        pixels = sum(pair.hr.size // 3 for pair in photos)
        print(f"decoding: {pixels / 1e6 / decoding:.1f} megapixels/s ({decoding:.1f} s, once)")

        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        times = []
        for k in range(arguments.batches):
            began = time.perf_counter()
            patch, draws = stage.hr_patch, stage.crop_candidates
            made = batches.batch(photos, k, 0, stage.batch_size, patch, draws)
            times.append(time.perf_counter() - began)
        os.sched_setaffinity(0, cores)
        making = float(np.median(times))
        print(f"batches: {1 / making:.0f} a second on one core ({1e3 * making:.2f} ms, median)")

    training = training_time(RESIDUAL_X4, made, arguments.steps)
    print(f"training: {1 / training:.2f} steps a second on {len(cores)} cores")
    print(f"ratio: {training / making:.0f}")


def training_time(settings, batch, steps: int) -> float:
    """Median seconds of a step of pretraining."""
    import tensorflow as tf

    from srgan.train import build, precision
    from srgan.train.pretraining import Pretraining

    precision.choose(settings.precision)
    stage = Pretraining(build.generator(settings.generator, settings.scale), settings.pretrain)
    step = tf.function(stage.train_step)
    tensors = tuple(map(tf.constant, batch))
    step(tensors)
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        step(tensors)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


if __name__ == "__main__":
    main()
