"""Whether small pictures are done faster in batches, or by several processes that share a queue.

    python benchmarks/sharing.py batches [--model srgan-x4] [--rounds 9]
    python benchmarks/sharing.py processes [--model srgan-x4] [--rounds 9]

`batches` runs pictures of one size as the service does, one at a time in each of two threads, and
as batches of two, four and eight in the same threads. `processes` asks one service that works on
two pictures at once, and two services that each work on one, with the clients shared among them
evenly: what a queue that several processes share can reach at best. Each round does all of it; what
is told is the median of the ratios within a round, and their range. Above 1, the new way is faster.
"""

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from serving import post, serving

from srgan.io import images
from srgan.models import catalogue, engines
from srgan.numeric import resize
from srgan.util import resources

PICTURES = 16  # in a round
THREADS = 2
BATCHES = (2, 4, 8)
SIZES = ((32, 32), (72, 112))  # height and width


def photo(height: int, width: int) -> np.ndarray:
    hr = images.read_uint8(resources.PHOTOS / "cat.webp")
    return resize.bicubic(hr, height, width)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def measure_batches(model: str, rounds: int) -> None:
    heads = [f"in batches of {size}" for size in BATCHES]
    print(f"| picture | {' | '.join(heads)} |\n|{' --- |' * (1 + len(BATCHES))}")
    engine = engines.open_engine(catalogue.path(model), calls=THREADS)
    with ThreadPoolExecutor(THREADS) as pool:

        def run(lr: np.ndarray, size: int) -> None:
            batch = np.repeat(lr[None], size, axis=0)
            list(pool.map(engine.run, [batch] * (PICTURES // size)))

        for height, width in SIZES:
            lr = images.to_float(photo(height, width))
            ratios: dict[int, list[float]] = {size: [] for size in BATCHES}
            run(lr, 1)
            for _ in range(rounds):
                alone = seconds(lambda lr=lr: run(lr, 1))
                for size in BATCHES:
                    ratios[size].append(alone / seconds(lambda lr=lr, size=size: run(lr, size)))
            cells = [spread(found) for found in ratios.values()]
            print(f"| {width}x{height} | {' | '.join(cells)} |")


def measure_processes(model: str, rounds: int) -> None:
    print("| picture | two processes |\n| --- | --- |")
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        one = stack.enter_context(serving(model, "--concurrency", "2"))
        two = [stack.enter_context(serving(model, "--concurrency", "1")) for _ in range(2)]

        def ask(ports: list[int], data: bytes) -> None:
            list(pool.map(lambda i: post(ports[i % len(ports)], data), range(PICTURES)))

        for height, width in SIZES:
            data = images.encode_webp(photo(height, width))
            ratios = []
            ask([one, *two], data)
            for _ in range(rounds):
                alone = seconds(lambda data=data: ask([one], data))
                ratios.append(alone / seconds(lambda data=data: ask(two, data)))
            print(f"| {width}x{height} | {spread(ratios)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("batches", "processes"))
    parser.add_argument("--model", default="srgan-x4")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    measure = measure_batches if options.what == "batches" else measure_processes
    measure(options.model, options.rounds)


if __name__ == "__main__":
    main()
