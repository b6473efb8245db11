"""Breaks small runs in the ways that `srgan diagnose` knows, and tells what it finds in each.

    python benchmarks/broken.py -o broken

A run is broken by its configuration, its data or its photos, as a user would break it. Three runs
are healthy; second stages start from the first of them. What was trained before is kept, so that it
may be stopped. The exit code is 1 if a fault is missed, or a healthy run accused.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from srgan.io import images
from srgan.train import config, diagnose, train

HEALTHY = config.Config(
    validate_every=20,
    precision="float32",
    generator=config.Residual(filters=16, blocks=1, hr_filters=0),
    pretrain=config.Pretrain(
        steps=400, batch_size=4, hr_patch=48, warmup=10, ema=0.95, learning_rate=4e-3
    ),
    adversarial=config.Adversarial(
        steps=120,
        batch_size=4,
        hr_patch=64,
        window=48,
        taps={"conv1_2": 1.0},
        discriminator_filters=8,
        discriminator_steps=20,
        discriminator_learning_rate=2e-3,
        ramp=20,
        ema=0.95,
    ),
)


class Broken(NamedTuple):
    """A run, and what is wrong with it."""

    fault: str  # "" if nothing
    stage: str
    changes: dict[str, Any]  # to the table of the stage
    scene: str = "photos"
    more: Mapping[str, Any] = MappingProxyType({})  # to the configuration
    arguments: Callable[[], dict[str, Any]] = dict  # of `train`


def slow_batches() -> dict[str, Any]:
    def batches(start: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for k in range(start, 10_000):
            time.sleep(0.3)
            hr = np.random.default_rng(k).random((4, 64, 64, 3), np.float32)
            yield hr.reshape(4, 16, 4, 16, 4, 3).mean((2, 4)), hr

    return {"dataset": batches}


def pull_to_red() -> dict[str, Any]:
    """A term that a user may write, and that is wrong."""
    return {"losses": {"warmth": (lambda hr, sr: ops.mean(sr[..., 2] - sr[..., 0]), 5.0)}}


_CONSTANT = {"schedule": "step", "milestones": (399,), "warmup": 0}
RUNS = {
    "healthy-psnr": Broken("", "pretrain", {}),
    "healthy-gan": Broken("", "adversarial", {}),
    "healthy-relativistic": Broken(
        "",
        "adversarial",
        {"adversarial": "relativistic", "discriminator_learning_rate": 4e-4},
    ),
    "rate": Broken("learning rate too high", "pretrain", {"learning_rate": 3.0}),
    "asleep": Broken("discriminator asleep", "adversarial", {"discriminator_learning_rate": 1e-9}),
    "won": Broken(
        "discriminator too strong",
        "adversarial",
        {"discriminator_learning_rate": 5e-3, "learning_rate": 1e-6}
        | {"discriminator_steps": 200, "discriminator_filters": 32},
        "single",
    ),
    "overfitting": Broken(
        "overfitting",
        "pretrain",
        {"steps": 800, "crop_candidates": 1},
        "single",
        more={"generator": config.Residual(filters=48, blocks=4, hr_filters=0).model_dump()},
    ),
    "starved": Broken("starved of data", "pretrain", {"steps": 120}, arguments=slow_batches),
    "checkerboard": Broken(
        "grid artifact",
        "adversarial",
        {"grid_weight": 0.0, "pixel_weight": 0.0, "chroma_weight": 0.0, "perceptual_weight": 0.0},
    ),
    "drift": Broken(
        "colours drift",
        "adversarial",
        {"pixel_weight": 1.0, "chroma_weight": 0.0},
        more={"projection": 0},
        arguments=pull_to_red,
    ),
    "plateau": Broken("plateau", "pretrain", _CONSTANT | {"learning_rate": 2e-3}, "flat"),
    "collapse": Broken(
        "collapse",
        "adversarial",
        {"learning_rate": 0.03, "pixel_weight": 0.0, "chroma_weight": 0.0},
        more={"projection": 0},
    ),
}


def draw(folder: Path) -> None:
    """Crops of the photos of scikit-image; one alone; and drawings with nothing more to learn."""
    from skimage import data

    photos = data.astronaut(), data.chelsea(), data.coffee()
    for number, photo in enumerate(photos):
        for j in range(3):
            crop = photo[80 * j : 80 * j + 128, 100 : 228 + 8 * number]
            images.write(folder / f"photos/{number}{j}.png", crop, overwrite=True)
    images.write(folder / "single/0.png", photos[0][:96, 100:196], overwrite=True)
    for number in range(4):
        ramp = np.linspace(40, 80 + 40 * number, 128)[:, None, None] + np.zeros((1, 128, 3))
        images.write(folder / f"flat/{number}.png", ramp.astype(np.uint8), overwrite=True)
    for number, photo in enumerate(photos[1:]):
        images.write(folder / f"validation/{number}.png", photo[-160:, -160:], overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--vgg-weights", type=Path, help="of VGG16")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=[*RUNS])
    arguments = parser.parse_args()
    for name in ("photos", "single", "flat", "validation"):
        (arguments.output / name).mkdir(parents=True, exist_ok=True)
    draw(arguments.output)
    wrong = 0
    for name in arguments.only:
        broken = RUNS[name]
        folder = arguments.output / name
        began = time.monotonic()
        prepare(name, arguments)
        found = [finding.name for finding in diagnose.diagnose(folder).findings]
        is_right = broken.fault in found if broken.fault else not found
        wrong += not is_right
        print(
            f"{name:22} {broken.fault or 'healthy':26} {', '.join(found) or 'nothing':60}",
            f"{time.monotonic() - began:4.0f} s",
            "" if is_right else "WRONG",
            flush=True,
        )
    sys.exit(bool(wrong))


def prepare(name: str, arguments: argparse.Namespace) -> None:
    """Trains what was not trained to its end before, and first what it starts from."""
    ended = arguments.output / f"{name}.ended"
    if not ended.exists():
        if RUNS[name].stage == "adversarial":
            prepare("healthy-psnr", arguments)
        shutil.rmtree(arguments.output / name, ignore_errors=True)
        learn(RUNS[name], arguments.output / name, arguments)
        ended.touch()


def learn(broken: Broken, folder: Path, arguments: argparse.Namespace) -> None:
    other = {"pretrain": "adversarial", "adversarial": "pretrain"}[broken.stage]
    settings = HEALTHY.model_dump() | dict(broken.more)
    settings[broken.stage] |= broken.changes
    settings[other] |= {"steps": 0, "warmup": 0}
    init = arguments.output / "healthy-psnr/model.onnx" if other == "pretrain" else None
    validation = arguments.output / ("flat" if broken.scene == "flat" else "validation")
    try:
        train(
            arguments.output / broken.scene,
            folder,
            config.Config.model_validate(settings),
            validation=validation,
            init=init,
            vgg_weights=arguments.vgg_weights,
            **broken.arguments(),
        )
    except FloatingPointError as error:  # one that diverges has its logs nevertheless
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
