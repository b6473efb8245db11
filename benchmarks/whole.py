"""Times upscaling from file to file beside its network alone, as in docs/benchmarks.md.

    python benchmarks/whole.py PHOTO... --model srgan-x4

What is upscaled: one picture of a megapixel, put together from the photos, and a folder of pictures
of 200x150 cut from it. The network alone runs on the same pixels, whole tiles of the same size
without overlap, on every core at once. The rest of the path is decoding, overlap, projection,
rounding and encoding. Each round does both, one after the other. Also: how busy the cores are, and
the time from the start of the program to its first tile.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from srgan.io import images
from srgan.models import catalogue, engines, loading
from srgan.models.model import Model
from srgan.upscaling import batch, pipeline
from srgan.upscaling.options import DEFAULTS
from srgan.util import parallel

SIDE = 1024
SMALL = (150, 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--model", default="srgan-x4", help="name or ONNX file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", type=int, default=24, help="pictures in the folder")
    arguments = parser.parse_args()
    picture = collage([images.read_uint8(path) for path in arguments.photos])
    model = loading.load(arguments.model)
    calls = parallel.available_cores()
    engine = engines.open_engine(catalogue.path(arguments.model), calls=calls)
    print("| | network alone, s | file to file, s | ratio (range) | cores busy |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "large").mkdir()
        images.write(folder / "large" / "photo.png", picture)
        (folder / "small").mkdir()
        corners = np.random.default_rng(0).integers(0, SIDE - max(SMALL), (arguments.small, 2))
        for number, (y, x) in enumerate(corners):
            part = picture[y : y + SMALL[0], x : x + SMALL[1]]
            images.write(folder / "small" / f"{number:03}.jpg", part)
        for name in ("large", "small"):
            row(name, folder / name, model, engine, arguments.rounds)
        first_tile(folder / "large" / "photo.png", arguments.model)


def row(name: str, folder: Path, model: Model, engine, rounds: int) -> None:
    out = folder.with_name(f"{folder.name}-out")
    plan = batch.plan([folder], out)
    cores, tiles = parallel.available_cores(), []
    for path in plan.sources.values():
        cut = pipeline.prepare(path, out / "a.png", model, workers=plan.workers).cuts[0]
        # As many as leave no core idle at the end, and no fewer pixels.
        tiles += [cut.size] * (-(-cut.height * cut.width // (cut.area * cores)) * cores)
    total = cut.height * cut.width * len(plan.sources)
    alone, whole, busy = [], [], []
    for _ in range(rounds):
        jobs = [(np.full((1, *size, 3), 0.5, np.float32),) for size in tiles]
        read = sum(height * width for height, width in tiles)
        began = time.perf_counter()
        for _ in parallel.in_order(engine.run, jobs):
            pass
        alone.append((time.perf_counter() - began) * total / read)
        began, cpu = time.perf_counter(), time.process_time()
        out.mkdir()
        for result in batch.run(plan, model, DEFAULTS, {}):
            if result.error:
                raise result.error
        whole.append(time.perf_counter() - began)
        busy.append((time.process_time() - cpu) / whole[-1] / cores)
        shutil.rmtree(out)
    ratios = np.divide(whole, alone)
    print(
        f"| {name}, {total / 1e6:.2f} megapixels | {np.median(alone):.2f} | {np.median(whole):.2f} "
        f"| {np.median(ratios):.2f} ({ratios.min():.2f}-{ratios.max():.2f}) "
        f"| {100 * np.median(busy):.0f} % |"
    )


def collage(photos: list[np.ndarray]) -> np.ndarray:
    """A picture of `SIDE` pixels a side, tiled with the photos."""
    height, width = (min(side) for side in zip(*(photo.shape[:2] for photo in photos), strict=True))
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    places = [(y, x) for y in range(0, SIDE, height) for x in range(0, SIDE, width)]
    for number, (y, x) in enumerate(places):
        part = photos[number % len(photos)][: min(height, SIDE - y), : min(width, SIDE - x)]
        canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    return canvas


def first_tile(photo: Path, model: str) -> None:
    """Prints how long a new process needs until its first tile is begun."""
    code = (
        "import os, sys, time; from srgan import cli; from srgan.models import engines\n"
        "run = engines._OnnxRuntime.run\n"
        "def first(*given): os.write(1, b'%f\\n' % time.time()); os._exit(0)\n"
        "engines._OnnxRuntime.run = first\n"
        "cli.main(sys.argv[1:])"
    )
    times = []
    for _ in range(7):
        arguments = ["upscale", photo, "-o", photo.with_name("new.png"), "--model", model]
        began = time.time()
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
        )
        times.append(float(done.stdout.split()[0]) - began)
    print(f"\nStart to first tile: {np.median(times):.2f} s ({min(times):.2f}-{max(times):.2f})")


if __name__ == "__main__":
    main()
