"""Upscales one picture to a gigapixel or more, and measures peak memory and time.

    python benchmarks/gigapixel.py PHOTO --side 8192 --model srgan-fast-x4
    python benchmarks/gigapixel.py PHOTO --side 8192 --batch

The picture is a mosaic of the photo, saved as tiled, pyramidal BigTIFF; its result is one, too. The
run is a process of its own (Linux); with --batch, workers of Ray upscale strips of the picture, and
each of these processes is measured, but for Ray's own. Windows of the result are then compared with
what the model makes of the same places alone, whole and in memory.
"""

import argparse
import contextlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyvips

import srgan

_WINDOW = 96  # pixels a side, of the picture
_LAYOUT = {"tile": True, "pyramid": True, "bigtiff": True, "compression": "deflate"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--side", type=int, default=8192, help="of the picture, in pixels")
    parser.add_argument("--model", default="srgan-fast-x4", help="name or ONNX file")
    parser.add_argument("--windows", type=int, default=16, help="that are compared")
    parser.add_argument("--batch", action="store_true", help="by srgan batch, in strips")
    parser.add_argument("--folder", type=Path, help="for the two files, which are removed")
    arguments = parser.parse_args()
    side = arguments.side
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        source, result = Path(folder, "lr", "picture.tif"), Path(folder, "sr", "picture.tif")
        source.parent.mkdir()
        result.parent.mkdir()
        tile = pyvips.Image.new_from_file(str(arguments.photo))
        mosaic = tile.replicate(-(-side // tile.width), -(-side // tile.height))
        mosaic.crop(0, 0, side, side).tiffsave(str(source), **_LAYOUT)
        if arguments.batch:
            what = ["batch", source.parent, result.parent, "--format", "tiff"]
        else:
            what = ["upscale", source, "-o", result]
        command = ["-m", "srgan", *what, "--model", arguments.model]
        command += ["--pyramid", "--max-megapixels", f"{side**2 / 1e6 + 1}"]
        began = time.perf_counter()
        with watched() as peaks:
            subprocess.run([sys.executable, *map(str, command)], check=True)
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        most, total = differences(source, result, arguments.model, arguments.windows)
        found = pyvips.Image.new_from_file(str(result))
        print(
            f"{side}x{side} -> {found.width}x{found.height}, "
            f"{found.width * found.height / 1e9:.2f} gigapixels in {found.get('n-pages')} levels "
            f"({result.stat().st_size / 2**20:,.0f} MiB): {seconds:,.0f} s "
            f"({used.ru_utime + used.ru_stime:,.0f} of processors), "
            f"peak {used.ru_maxrss / 1024:,.0f} MiB; {arguments.windows} windows differ by at most "
            f"{most} of 255, in {total} values"
        )
        for name, peak in peaks.items():
            print(f"{name}: peak {peak:,.0f} MiB")


@contextlib.contextmanager
def watched() -> Iterator[dict[str, float]]:
    """The peak memory of each worker of Ray in the block, in MiB, once the block has ended."""
    peaks: dict[str, float] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    name = (process / "cmdline").read_bytes().split(b"\0")[0].decode()
                    if name.startswith(("ray::Worker", "ray::Joiner")):
                        lines = (process / "status").read_text().splitlines()
                        peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
                        peaks[f"{name.split('.')[0]} {process.name}"] = int(peak) / 1024

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def differences(source: Path, result: Path, name: str, windows: int) -> tuple[int, int]:
    """Of windows, all over the picture: the largest difference, and in how many values there is."""
    model = srgan.load(name)
    lr, sr = (pyvips.Image.new_from_file(str(path)) for path in (source, result))
    halo, scale = model.plan(lr.height, lr.width).halo, model.scale
    rng = np.random.default_rng(0)
    most = total = 0
    for _ in range(windows):
        left, top = (
            int(rng.integers(halo, side - _WINDOW - halo)) for side in (lr.width, lr.height)
        )
        size = _WINDOW + 2 * halo
        context = lr.crop(left - halo, top - halo, size, size).numpy()
        alone = model.upscale(context, dtype=np.uint8)[scale * halo :, scale * halo :]
        area = (scale * left, scale * top, scale * _WINDOW, scale * _WINDOW)
        found = sr.crop(*area).numpy().astype(int)
        difference = np.abs(found - alone[: scale * _WINDOW, : scale * _WINDOW])
        most, total = max(most, int(difference.max())), total + int((difference > 0).sum())
    return most, total


if __name__ == "__main__":
    main()
