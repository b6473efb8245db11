"""Fits the map of what was invented to the errors of GAN models, and writes that into their files.

    python tools/calibrate.py KODAK24 src/srgan/weights/srgan-x4.onnx ...

A training does so by itself, on its photos for validation; shipped models have the constants of
all 24. Needs `pip install srgan[train]`.
"""

import argparse
import os
from pathlib import Path

from srgan.io import images
from srgan.io.find import find_images
from srgan.models import loading
from srgan.numeric import resize


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("models", type=Path, nargs="+", help="ONNX files, beside their PSNR models")
    arguments = parser.parse_args()

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from srgan.train import result
    from srgan.train.pairs import Pair

    for file in arguments.models:
        scale = loading.load(file).metadata.scale
        hrs = (
            resize.crop_to_multiple(images.read_uint8(path), scale)
            for path in find_images(arguments.photos)
        )
        pairs = (Pair(lr=resize.downscale(hr, scale), hr=hr) for hr in hrs)
        print(file.stem, *(f"{value:.3f}" for value in result.calibrate(file, pairs)), flush=True)


if __name__ == "__main__":
    main()
