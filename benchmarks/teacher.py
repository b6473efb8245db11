"""What a teacher costs, and how far it drifts in colour before and after that is corrected.

    python benchmarks/teacher.py KODAK24 --model x4plus.onnx --config run.toml

Of every photo, the middle 128x128 LR pixels are degraded as the training does it. Colours are
compared with those of the HR image after a Gaussian of eight LR pixels, in grey levels.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pyvips

from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import resize
from srgan.quality import metrics
from srgan.train import config, config_file, degradations, teaching

_SIDE = 128  # lr pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of HR images")
    parser.add_argument("--model", required=True, help="the teacher")
    parser.add_argument("--config", type=Path, help="of the training; else its default ranges")
    parser.add_argument("--count", type=int, default=8, help="how many of them")
    arguments = parser.parse_args()

    settings = config_file.read(arguments.config) if arguments.config else config.Config()
    scale = settings.scale
    teacher = teaching.load(arguments.model, scale, settings.teacher.precision)
    seconds, rows = [], {"bicubic": [], "teacher": [], "held": []}
    for path in find_images(arguments.photos)[: arguments.count]:
        hr = resize.crop_to_multiple(images.read_uint8(path), scale)
        top, left = (max(side - scale * _SIDE, 0) // 2 for side in hr.shape[:2])
        hr = hr[top : top + scale * _SIDE, left : left + scale * _SIDE]
        lr = degradations.degrade(hr, scale, settings.degradation, path.name)
        began = time.perf_counter()
        taught = teacher.upscale(lr, dtype=np.uint8)
        seconds.append(time.perf_counter() - began)
        held = teaching.hold_color(taught, lr, scale)
        bicubic = resize.upscale(lr, scale)
        for name, sr in (("bicubic", bicubic), ("teacher", taught), ("held", held)):
            scores = metrics.score(hr, lr, sr, scale)
            colour = drift(resize.downscale(hr, scale), resize.downscale(sr, scale))
            rows[name].append((scores.psnr, scores.lpips, colour))
    print(f"{np.median(seconds):.1f} s for {_SIDE}x{_SIDE} LR pixels, one crop at a time (median)")
    for name, values in rows.items():
        psnr, lpips, colour = np.mean(values, axis=0)
        print(f"{name:8} PSNR {psnr:.2f} dB  LPIPS {lpips:.4f}  colours off by {colour:.2f} levels")


def drift(hr: np.ndarray, sr: np.ndarray) -> float:
    """Mean absolute difference of local colours."""
    difference = pyvips.Image.new_from_array(sr.astype(np.float32) - hr)
    return float(np.abs(difference.gaussblur(8, precision="float").numpy()).mean())


if __name__ == "__main__":
    main()
