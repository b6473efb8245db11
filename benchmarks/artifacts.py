"""Tells how bad the worst square of a photo is in each artefact: where `crops.SEVERE` is from.

python benchmarks/artifacts.py KODAK24
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.io.find import find_images
from srgan.models import loading
from srgan.numeric import resize
from srgan.quality import artifacts
from srgan.quality.report import crops

SCALE = 4
MODELS = ("srgan-x4", "srgan-psnr-x4", "srgan-fast-x4", "srgan-fast-psnr-x4")


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo")
    arguments = parser.parse_args()
    ways = {"bicubic": lambda lr: resize.upscale(lr, SCALE)}
    ways |= {name: loading.load(name).upscale for name in MODELS}
    lacks = {name: {key: [] for key in crops.SEVERE} for name in ways}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path in find_images(arguments.photos)[:: arguments.every]:
            hr = resize.crop_to_multiple(images.read_uint8(path), SCALE)
            lr = resize.downscale(hr, SCALE)
            for name, upscale in ways.items():
                sr = images.to_uint8(upscale(lr))
                overshoot = artifacts.overshoot(hr, sr, SCALE)
                squares = crops.score(hr, sr, SCALE, overshoot, pool)
                for key in crops.SEVERE:
                    found = [c for c in crops.extremes(0, 0, squares) if c.measure == key]
                    lacks[name][key] += [max(crop.lack for crop in found)] if found else []
    print(f"| worst square of a photo, mean | {' | '.join(crops.SEVERE)} |")
    print("|---|" + "---|" * len(crops.SEVERE))
    for name, found in lacks.items():
        print(f"| {name} | {' | '.join(f'{np.mean(x):.3f}' for x in found.values())} |")


if __name__ == "__main__":
    main()
