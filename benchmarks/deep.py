"""Measures a deep network of another project on one picture, as in docs/guides/community-models.md.

    python benchmarks/deep.py PHOTO --model realesrgan-x4plus.onnx

The network's own time is that of a quarter of the picture, as one tile, times four: as one tile,
all of it needs more than 10 GiB. Processor time of all cores is compared; beside much other work,
trust the share of pixels that tiles have in common. `srgan upscale` runs in a process of its own
(Linux).
"""

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.models import engines, loading
from srgan.upscaling import pipeline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path, help="larger than what is taken of its middle")
    parser.add_argument("--model", type=Path, required=True, help="ONNX file")
    parser.add_argument("--megapixels", type=float, default=1.0)
    arguments = parser.parse_args()
    photo = images.read_uint8(arguments.photo)
    side = 2 * round(math.sqrt(1e6 * arguments.megapixels) / 2)
    top, left = ((length - side) // 2 for length in photo.shape[:2])
    photo = photo[top : top + side, left : left + side]
    alone = network_alone(arguments.model, photo[: side // 2, : side // 2])
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "photo.png"), Path(folder, "large.png")
        images.write(source, photo)
        job = pipeline.prepare(source, result, loading.load(arguments.model))
        command = ["-m", "srgan", "upscale", source, "-o", result, "--model", arguments.model]
        began = time.perf_counter()
        subprocess.run([sys.executable, *map(str, command)], check=True)
        seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = used.ru_utime + used.ru_stime
    print(
        f"{side}x{side}: network alone {4 * alone:.0f} s of processor time, file to file "
        f"{whole:.0f} s ({whole / alone / 4:.2f} times), in {seconds:.0f} s; peak "
        f"{used.ru_maxrss / 1024:,.0f} MiB; tiles overlap by {job.cuts[0].halo} pixels and have "
        f"{job.work / side**2:.2f} times the picture's"
    )


def network_alone(model: Path, photo: np.ndarray) -> float:
    """Processor seconds of all cores, for a picture as one tile."""
    engine = engines.open_engine(model)
    lr = images.to_float(photo)[None]
    engine.run(lr[:, :64, :64])  # the first time, an engine sets itself up
    began = time.process_time()
    engine.run(lr)
    return time.process_time() - began


if __name__ == "__main__":
    main()
