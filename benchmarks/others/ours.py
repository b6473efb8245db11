"""Upscales a folder of images with a model of this project, timed as the others here are.

    python ours.py LR_FOLDER OUT_FOLDER [--model srgan-x4]

As many pictures at once as there are cores, like `srgan upscale FOLDER`; the other programs take
all cores for each picture. Decoding and encoding are not timed; the projection and the overlap of
tiles are. The folder is begun anew until two seconds are over.
"""

import argparse
import resource
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.models import loading
from srgan.util import parallel

SECONDS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--model", default="srgan-x4", help="name or ONNX file")
    parser.add_argument("--engine", choices=("onnxruntime", "openvino"), default="onnxruntime")
    arguments = parser.parse_args()
    model = loading.load(arguments.model, arguments.engine)
    arguments.destination.mkdir(parents=True, exist_ok=True)

    def upscale(lr: np.ndarray) -> np.ndarray:
        height, width, _ = lr.shape
        cut = model.plan(height, width, workers=1)
        return np.concatenate(list(model.upscale_rows([lr], height, width, cut)))

    paths = sorted(arguments.source.glob("*.png"))
    pictures = [(images.read_uint8(path),) for path in paths]
    began = time.perf_counter()

    def jobs() -> Iterator[tuple[np.ndarray]]:
        while time.perf_counter() - began < SECONDS:
            yield from pictures

    results: deque[np.ndarray] = deque(maxlen=len(pictures))
    megapixels = 0.0
    for sr in parallel.in_order(upscale, jobs()):
        results.append(sr)
        megapixels += sr.shape[0] * sr.shape[1] / 1e6
    seconds = time.perf_counter() - began
    for path, sr in zip(paths, results, strict=True):
        images.write(arguments.destination / path.name, sr, overwrite=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{megapixels / seconds:.4f} SR megapixels/s, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
