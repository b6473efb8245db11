"""Times the inference engines side by side on one model, as in docs/benchmarks.md.

    python benchmarks/engines.py --model srgan-x4

Each round runs every engine on the same lr image, on each core at once, as upscaling does, so that
drift of the machine's speed hits them alike. Prints medians with their range, peak memory of a
process that does nothing else (on Linux), numpy's rate of matrix multiplication for scale, and how
far the engines' results lie apart.
"""

import argparse
import math
import multiprocessing
import platform
import time
from pathlib import Path

import numpy as np
import onnx

from srgan.models import catalogue, engines, fuse, loading
from srgan.util import parallel

KINDS: tuple[engines.Kind, ...] = ("onnxruntime", "openvino")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="srgan-x4", help="name or ONNX file")
    parser.add_argument("--size", type=int, default=256, help="side of the lr image")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()

    scale = loading.load(arguments.model).metadata.scale
    path = catalogue.path(arguments.model)
    calls = parallel.available_cores()
    opened = {kind: open_lighter(path, kind) for kind in KINDS}
    lr = np.random.default_rng(0).random((1, arguments.size, arguments.size, 3), np.float32)
    results = {kind: engine.run(lr) for kind, engine in opened.items()}  # warm
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(arguments.rounds):
        for kind, engine in opened.items():
            began = time.perf_counter()
            for _ in parallel.in_order(engine.run, [(lr,)] * calls):
                pass
            seconds[kind].append((time.perf_counter() - began) / calls)

    peak = matrix_multiply_peak()
    operations = 2 * multiplications(path) * arguments.size**2
    megapixels = (scale * arguments.size) ** 2 / 1e6
    print(f"{platform.processor() or platform.machine()}, {parallel.available_cores()} cores")
    print(f"numpy's matrix multiply: {peak / 1e9:.0f} GFLOP/s\n")
    print("| engine | median ms (range) | SR megapixels/s | GFLOP/s | load ms | peak MiB |")
    print("|---|---|---|---|---|---|")
    for kind, times in seconds.items():
        median = float(np.median(times))
        load, memory = _alone(kind, path, arguments.size)
        print(
            f"| {kind} | {1e3 * median:.0f} ({1e3 * min(times):.0f}-{1e3 * max(times):.0f}) "
            f"| {megapixels / median:.2f} | {operations / median / 1e9:.0f} | {1e3 * load:.0f} "
            f"| {memory:.0f} |"
        )
    ratios = np.divide(*(seconds[kind] for kind in KINDS))
    print(f"\n{KINDS[0]} / {KINDS[1]}, pair by pair: median {np.median(ratios):.2f}")
    print(f"Largest difference: {255 * np.ptp(np.stack(list(results.values())), axis=0).max():.1e}")


def open_lighter(path: Path, kind: engines.Kind) -> engines.Engine:
    """Opens a model as `models.load` does."""
    network = onnx.load(path)
    fuse.fuse(network)
    data = network.SerializeToString()
    return engines.open_engine(path, kind, parallel.available_cores(), data=data)


def multiplications(path: Path) -> int:
    """For a pixel of lr, if all convolutions work at its size: as many as kernels have weights."""
    initialisers = onnx.load(path).graph.initializer
    return sum(math.prod(tensor.dims) for tensor in initialisers if len(tensor.dims) == 4)


def matrix_multiply_peak(size: int = 3000) -> float:
    """Floating-point operations a second of a float32 matrix product: the machine's yardstick."""
    a = np.random.default_rng(0).random((size, size), np.float32)
    a @ a
    times = []
    for _ in range(5):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * size**3 / float(np.median(times))


def _alone(kind: engines.Kind, path: Path, size: int) -> tuple[float, float]:
    """Seconds to load and peak MiB of a fresh process that runs one image."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measure, (kind, path, size))


def _measure(kind: engines.Kind, path: Path, size: int) -> tuple[float, float]:
    began = time.perf_counter()
    engine, calls = open_lighter(path, kind), parallel.available_cores()
    load = time.perf_counter() - began
    for _ in parallel.in_order(engine.run, [(np.zeros((1, size, size, 3), np.float32),)] * calls):
        pass
    # Not getrusage, whose peak a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    kibibytes = status.partition("VmHWM:")[2].split()[0]
    return load, int(kibibytes) / 1024


if __name__ == "__main__":
    main()
