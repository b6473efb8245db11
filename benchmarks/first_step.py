"""Processor time of a training before its first step of each stage, and where it goes.

    python benchmarks/first_step.py --recipe esrgan-paper-x4 --vgg-weights vgg16.npz

Processor time, not seconds: it hardly changes when other programs run. Batches have two crops, so
that the step itself counts for little.
"""

import argparse
import contextlib
import cProfile
import pstats
import tempfile
import time
from pathlib import Path

from srgan.io import images
from srgan.train import config, diagnose, recipes, train
from srgan.train.callbacks import Progress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="esrgan-paper-x4", choices=recipes.RECIPES)
    parser.add_argument("--vgg-weights", type=Path, help="of VGG16")
    parser.add_argument("--profile", type=int, default=0, help="functions to be listed")
    parser.add_argument("--stage", choices=diagnose.STAGES, help="one of them alone")
    arguments = parser.parse_args()
    recipe = recipes.RECIPES[arguments.recipe]
    short = {"warmup": 0, "batch_size": 2, "hr_patch": 96}
    seeing = {"window": 96, "discriminator_steps": 0, "vgg": "vgg16", "taps": {"conv3_3": 1.0}}
    both = {
        "pretrain": recipe.pretrain.model_copy(update=short),
        "adversarial": recipe.adversarial.model_copy(update=short | seeing),
    }
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        draw(photos)
        for stage in [arguments.stage] if arguments.stage else diagnose.STAGES:
            alone = {name: it.model_copy(update={"steps": 0}) for name, it in both.items()}
            settings = recipe.model_copy(update=alone | {stage: both[stage]})
            profile = cProfile.Profile()
            if arguments.profile:
                profile.enable()
            seconds = measure(settings, photos, Path(folder) / stage, arguments.vgg_weights)
            profile.disable()
            print(f"{stage}: its first step is done after {seconds:.1f} s of processor time")
            if arguments.profile:
                pstats.Stats(profile).sort_stats("cumtime").print_stats(arguments.profile)


class Begun(Exception):
    """The first step is done."""


def draw(folder: Path) -> None:
    """Crops of the photos of scikit-image."""
    from skimage import data

    for number, photo in enumerate((data.astronaut(), data.chelsea(), data.coffee())):
        for j in range(3):
            images.write(folder / f"{number}{j}.png", photo[80 * j : 80 * j + 128, 100:228])


def measure(settings: config.Config, photos: Path, run: Path, vgg: Path | None) -> float:
    """Processor seconds of a training until its first step is done."""
    began = time.process_time()

    def report(progress: Progress) -> None:
        if progress.stage in diagnose.STAGES:
            raise Begun

    with contextlib.suppress(Begun):
        train(photos, run, settings, vgg_weights=vgg, progress=report)
    return time.process_time() - began


if __name__ == "__main__":
    main()
