"""Upscales a folder of images with a model of this project, timed as the others here are.

    python ours.py LR_FOLDER OUT_FOLDER [--model srgan-x4]

Decoding and encoding are not timed; the projection and the overlap of tiles are.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from srgan import images, models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--model", default="srgan-x4", help="name or ONNX file")
    parser.add_argument("--engine", choices=("onnxruntime", "openvino"), default="onnxruntime")
    arguments = parser.parse_args()
    model = models.load(arguments.model, arguments.engine)
    arguments.destination.mkdir(parents=True, exist_ok=True)
    seconds = megapixels = 0.0
    for path in sorted(arguments.source.glob("*.png")):
        lr = images.read_uint8(path)
        began = time.perf_counter()
        sr = model.upscale(lr, dtype=np.uint8)
        seconds += time.perf_counter() - began
        megapixels += sr.shape[0] * sr.shape[1] / 1e6
        images.write(arguments.destination / path.name, sr, overwrite=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{megapixels / seconds:.4f} SR megapixels/s, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
