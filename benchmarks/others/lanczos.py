"""Enlarges a folder of images x4 with Pillow's Lanczos filter.

pip install pillow && python lanczos.py LR_FOLDER OUT_FOLDER
"""

import argparse
import resource
import time
from pathlib import Path

from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("destination", type=Path)
    arguments = parser.parse_args()
    arguments.destination.mkdir(parents=True, exist_ok=True)
    seconds = megapixels = 0.0
    for path in sorted(arguments.source.glob("*.png")):
        lr = Image.open(path).convert("RGB")
        began = time.perf_counter()
        sr = lr.resize((4 * lr.width, 4 * lr.height), Image.Resampling.LANCZOS)
        seconds += time.perf_counter() - began
        megapixels += sr.width * sr.height / 1e6
        sr.save(arguments.destination / path.name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{megapixels / seconds:.4f} SR megapixels/s, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
