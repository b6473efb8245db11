"""Measures peak memory and time of upscaling one huge picture, as in docs/guides/enlarge.md.

    python benchmarks/memory.py PHOTO... --megapixels 20 --suffix .tif

The picture is a mosaic of the photos, saved as JPEG; each run is a process of its own (Linux).
"""

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyvips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--megapixels", type=float, default=20)
    parser.add_argument("--model", default="srgan-x4", help="name or ONNX file")
    parser.add_argument("--suffix", default=".tif", help="of the result: .tif or .png")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo, large = Path(folder, "photo.jpg"), Path(folder, f"large{arguments.suffix}")
        tiles = [pyvips.Image.new_from_file(str(path)) for path in arguments.photos]
        width = round(math.sqrt(1e6 * arguments.megapixels * 1.5))
        height = round(1e6 * arguments.megapixels / width)
        across = max(min(tile.width for tile in tiles), 1)
        columns = -(-width // across)
        rows = -(-height // min(tile.height for tile in tiles))
        mosaic = pyvips.Image.arrayjoin(
            [tiles[k % len(tiles)] for k in range(columns * rows)], across=columns
        )
        mosaic.crop(0, 0, width, height).jpegsave(str(photo), Q=92)
        command = ["-m", "srgan", "upscale", photo, "-o", large, "--model", arguments.model]
        began = time.perf_counter()
        subprocess.run([sys.executable, *map(str, command)], check=True)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        result = pyvips.Image.new_from_file(str(large))
        print(
            f"{width}x{height} -> {result.width}x{result.height} {arguments.suffix} "
            f"({large.stat().st_size / 2**20:,.0f} MiB): {seconds:.0f} s, peak {peak:,.0f} MiB"
        )


if __name__ == "__main__":
    main()
