"""Times the steps of training on a processor: TensorFlow's own kernels, oneDNN's, and bfloat16.

    python benchmarks/training.py --vgg-weights VGG16
    python benchmarks/training.py --vgg-weights VGG16 --torch PYTHON --photos PHOTOS

With a Python that has PyTorch, a minimal loop of the same stage takes turns with the last of these,
in bfloat16, as it is and compiled (see others/torch_training.py); the multiplications and additions
of that loop over the time of a step are also said in parts of what a product of matrices reaches.
With photos, real batches are made beside the steps, too: what a step takes longer then is what data
cost.

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
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

STAGES = ("pretrain", "adversarial")
TORCH = str(Path(__file__).parent / "others" / "torch_training.py")
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
    parser.add_argument("--torch", metavar="PYTHON", help="one that has PyTorch")
    parser.add_argument("--photos", type=Path, help="to make real batches of")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stage", choices=STAGES, help="one of them alone")
    parser.add_argument("--child", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="float32", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(
            json.dumps(
                measure(
                    arguments.child, arguments.precision, arguments.vgg_weights, arguments.photos
                )
            )
        )
        return
    stages = [arguments.stage] if arguments.stage else STAGES
    for stage in stages if arguments.vgg_weights else STAGES[:1]:
        ways = commands(stage, arguments)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, (command, onednn) in ways.items():
                times[name] += run(command, onednn)
        first = statistics.median(times[next(iter(ways))])
        for name, found in times.items():
            if found:
                low, middle, high = statistics.quantiles(found, n=4)
                seconds = f"{middle:.3f} s ({low:.3f}-{high:.3f})"
                print(f"| {stage} | {name} | {seconds} | {first / middle:.2f} |", flush=True)
        if arguments.torch:
            counted = run([arguments.torch, TORCH, stage, "--count"], "1")
            rate = counted["flops"] / statistics.median(times[WAYS[-1].name])
            print(
                f"{stage}: {counted['flops'] / 1e9:.0f} GFLOP a step, {rate / 1e12:.2f} TFLOP/s of "
                f"{counted['peak'] / 1e12:.2f} of a product of matrices: "
                f"{rate / counted['peak']:.0%}",
                flush=True,
            )


def commands(stage: str, arguments: argparse.Namespace) -> dict[str, tuple[list[str], str]]:
    """What computes a stage, by name, with what TF_ENABLE_ONEDNN_OPTS is then."""
    found = {}
    for way in WAYS[-1:] if arguments.torch else WAYS:
        command = [sys.executable, __file__, f"--child={stage}", f"--precision={way.precision}"]
        if arguments.vgg_weights:
            command += [f"--vgg-weights={arguments.vgg_weights}"]
        found[way.name] = command, way.onednn
        if arguments.photos:
            found[f"{way.name}, photos"] = [*command, f"--photos={arguments.photos}"], way.onednn
    if arguments.torch:
        found["PyTorch"] = [arguments.torch, TORCH, stage], "1"
        found["PyTorch, compiled"] = [arguments.torch, TORCH, stage, "--compile"], "1"
    return found


def run(command: list[str], onednn: str) -> Any:
    """What a command prints, at its end, as JSON."""
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": onednn}
    output = subprocess.check_output(command, env=environment, stderr=subprocess.DEVNULL, text=True)
    return json.loads(output.splitlines()[-1])


def measure(name: str, wanted: str, vgg_weights: Path | None, photos: Path | None) -> list[float]:
    """Returns the seconds of each step of a stage; none if "auto" means float32 here."""
    import keras
    import tensorflow as tf

    from srgan.networks.features import vgg
    from srgan.train import build, config, data, precision, streams
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
    count = WARM_UP + STEPS
    pairs = tf.data.Dataset.from_tensors((lr, hr)).repeat(count)
    stage.compile()
    clock = Clock()
    with tempfile.TemporaryDirectory() as cache:
        if photos:
            least = schedule.hr_patch // settings.scale
            found = data.prepare(photos, Path(cache), settings.scale, minimum=least)
            stream = streams.PhotoStream(found, None, schedule, 0, settings)
            pairs = stream.dataset(0, count)
        stage.fit(pairs, steps_per_epoch=count, verbose=0, callbacks=[clock])
    seconds = [after - before for before, after in zip(clock.at, clock.at[1:], strict=False)]
    return seconds[WARM_UP - 1 :]


if __name__ == "__main__":
    main()
