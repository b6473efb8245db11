"""Tells how often `--model auto` takes the model for degraded pictures, and whether that was right.

    python benchmarks/choice.py KODAK24 --every 4
    python benchmarks/choice.py SCREENSHOTS --kinds clean jpeg-95 jpeg-75 jpeg-45 --as-they-are

Photos are scaled down to LR, degraded, and looked at. Of every n-th, both models make a result,
whose LPIPS says which one fits. Screenshots are taken as they are; they have no truth.
"""

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from srgan.io import images
from srgan.io.find import find_images
from srgan.models import loading
from srgan.numeric import resize
from srgan.quality import metrics
from srgan.upscaling import choice

KINDS = (
    "clean",
    *(f"jpeg-{quality}" for quality in (97, 95, 92, 90, 75, 60, 40)),
    *(f"webp-{quality}" for quality in (90, 80, 70, 50, 30)),
    *(f"noise-{deviation}" for deviation in (1, 2, 3, 5, 10)),
    *(f"blur-{radius}" for radius in (0.4, 0.8, 1.2)),
)
_CHANCE = np.random.default_rng(0)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    parser.add_argument("--every", type=int, default=0, help="judge every n-th; 0: none")
    parser.add_argument("--as-they-are", action="store_true", help="do not scale down to LR")
    arguments = parser.parse_args()
    photos = [images.read_uint8(path) for path in find_images(arguments.photos)]
    photos = [resize.crop_to_multiple(photo, 4) for photo in photos]
    judged = photos[:: arguments.every] if arguments.every else []
    judging = " LPIPS, clean model | LPIPS, photo model | better |" if judged else ""
    print(f"| photos | photo model taken | of |{judging}")
    print("|---|---|---|" + 3 * "---|" * bool(judged))
    for kind in arguments.kinds:
        degrade = degradation(kind)
        small = photos if arguments.as_they_are else [resize.downscale(hr, 4) for hr in photos]
        taken = sum(bool(choice.describe(degrade(lr))) for lr in small)
        found = f" {judge(judged, degrade)} |" if judged else ""
        print(f"| {kind} | {taken} | {len(small)} |{found}", flush=True)


def degradation(kind: str) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what a kind, as "jpeg-75", does to a picture."""
    name, _, amount = kind.partition("-")

    def compress(rgb: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, name.upper(), quality=int(amount))
        return np.asarray(Image.open(file).convert("RGB"))

    def noise(rgb: np.ndarray) -> np.ndarray:
        noisy = rgb + _CHANCE.normal(0, float(amount), rgb.shape)
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)

    def blur(rgb: np.ndarray) -> np.ndarray:
        blurred = Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(float(amount)))
        return np.asarray(blurred)

    kinds = {"clean": np.asarray, "noise": noise, "blur": blur}
    return kinds.get(name, compress)


def judge(photos: Sequence[np.ndarray], degrade: Callable[[np.ndarray], np.ndarray]) -> str:
    """Mean LPIPS of both models, and on how many photos that for degraded ones is better."""
    found = []
    for name in ("srgan-x4", choice.DEGRADED):
        model = loading.load(name)
        results = [model.upscale(degrade(resize.downscale(hr, 4))) for hr in photos]
        pairs = zip(photos, results, strict=True)
        found.append([metrics.lpips(images.to_float(hr), sr) for hr, sr in pairs])
    clean, photo = np.array(found)
    return f"{clean.mean():.3f} | {photo.mean():.3f} | {np.sum(photo < clean)} of {len(photos)}"


if __name__ == "__main__":
    main()
