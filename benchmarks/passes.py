"""Compares ways to enlarge eight times with a model that enlarges four times.

    python benchmarks/passes.py FOLDER_OF_HR --model srgan-x4 srgan-psnr-x4

Either bicubic does the rest, or the model runs on its own result, which is scaled down. Photos are
cropped to multiples of eight; LR images are made by MATLAB's bicubic; protocol y-crop8.
"""

import argparse
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.io.find import find_images
from srgan.models import loading
from srgan.numeric import resize
from srgan.quality import metrics

SCALE = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", nargs="+", default=["srgan-x4", "srgan-psnr-x4"])
    arguments = parser.parse_args()
    scores: dict[str, list[tuple[float, float]]] = {}
    for path in find_images(arguments.photos):
        hr = resize.crop_to_multiple(images.read_uint8(path), SCALE)
        lr = resize.downscale(hr, SCALE)
        results = {"bicubic": resize.bicubic(lr, *hr.shape[:2])}
        for name in arguments.model:
            model = loading.load(name)
            once = model.upscale(lr)
            for way, large in (
                ("once, bicubic up", once),
                ("twice, bicubic down", model.upscale(once)),
            ):
                sr = images.to_uint8(resize.bicubic(large, *hr.shape[:2]))
                results[f"`{model.metadata.name}` {way}"] = sr
        for name, sr in results.items():
            psnr = metrics.psnr(hr, sr, border=SCALE)
            scores.setdefault(name, []).append((psnr, metrics.lpips(hr, sr)))
    for name, values in scores.items():
        psnr, lpips = np.mean(values, axis=0)
        print(f"| {name} | {psnr:.2f} | {lpips:.4f} |")


if __name__ == "__main__":
    main()
