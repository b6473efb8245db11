"""Trains on pairs that are made on the way: photos that a dark scene has made noisy.

python examples/own_data.py PHOTOS RUN

After Ctrl-C, the same with --resume goes on.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from srgan.cli import progress
from srgan.io import find, images
from srgan.numeric import resize
from srgan.train import Interrupted, config, train

SCALE, PATCH, BATCH = 4, 64, 8


class DarkScenes:
    """Batches `(lr, hr)`, each a function of its number: so a stopped run goes on exactly."""

    def __init__(self, folder: Path) -> None:
        photos = [images.read_uint8(path) for path in find.find_images(folder)]
        self.photos = [photo for photo in photos if min(photo.shape[:2]) >= PATCH]

    def __call__(self, step: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Returns the batches from a step on."""
        while True:
            yield self.batch(step)
            step += 1

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(step)
        hr = np.stack([self.crop(rng) for _ in range(BATCH)]).astype(np.float32) / 255
        lr = np.stack([resize.downscale(image, SCALE) for image in hr])
        exposure = rng.uniform(0.3, 1.0, (BATCH, 1, 1, 1))
        photons = rng.poisson(400 * exposure * lr.clip(0, 1))
        return (photons / (400 * exposure)).astype(np.float32).clip(0, 1), hr

    def crop(self, rng: np.random.Generator) -> np.ndarray:
        photo = self.photos[rng.integers(len(self.photos))]
        y, x = (rng.integers(side - PATCH + 1) for side in photo.shape[:2])
        return photo[y : y + PATCH, x : x + PATCH]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--resume", action="store_true", help="go on with the run")
    arguments = parser.parse_args()
    settings = config.Config(
        projection=0,  # noise is not to be reproduced
        generator=config.Residual(filters=24, blocks=2),
        validate_every=max(arguments.steps // 10, 1),
        pretrain=config.Pretrain(steps=arguments.steps, warmup=0),
        adversarial=config.Adversarial(steps=0),
    )
    try:
        with progress.training(as_json=False) as report:  # as srgan train shows it
            model = train(
                None,
                arguments.run,
                settings,
                dataset=DarkScenes(arguments.photos),
                validation=arguments.photos,  # better: photos that it is not trained on
                resume=arguments.resume,
                progress=report,
            )
    except Interrupted as stop:
        raise SystemExit(f"{stop} The same with --resume goes on.") from None
    print(model)


if __name__ == "__main__":
    main()
