"""The service at twice its capacity: what it refuses, how long the others wait, what that costs.

    pip install locust
    python benchmarks/load.py --minutes 10

Each minute begins with some seconds in which `upscale_file` alone enlarges the same picture, as
many at once as the service does; that is its capacity. Then Locust asks the service twice as often.
Of each minute, the pictures a second of both are compared, and the memory of the service is read.
The exit code is 1 if any answer was neither a picture nor a 429 or 503, if memory grew by more than
a tenth after the first minute, or if the service made less than nine tenths of what the engine
alone made in the same minute (the median of all). Needs Linux.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srgan.io import images
from srgan.models import loading
from srgan.models.model import Model
from srgan.numeric import resize
from srgan.upscaling import pipeline
from srgan.util import resources

CONCURRENCY = 2
ALONE = 10.0  # seconds of each minute
SHARE, GROWTH = 0.9, 1.1


@contextmanager
def serving(model: str) -> Iterator[str]:
    command = [sys.executable, "-m", "srgan", "serve", "--port", "0", "--model", model]
    with subprocess.Popen(
        [*command, "--concurrency", str(CONCURRENCY)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as service:
        try:
            assert service.stdout
            yield service.stdout.readline().strip()
        finally:
            service.terminate()


def memory(address: str) -> float:
    """MiB that the service takes, as it says."""
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("process_resident_memory_bytes "):
                return float(line.split()[1]) / 2**20
    raise ValueError("The service tells nothing of its memory.")


def alone(model: Model, data: bytes, folder: Path, seconds: float) -> float:
    """Pictures a second without a service, so many at once as it takes."""
    began, counts = time.perf_counter(), Counter[int]()

    def run(number: int) -> None:
        while time.perf_counter() - began < seconds:
            pipeline.upscale_file(data, folder / f"{number}.png", model, overwrite=True)
            counts[number] += 1

    threads = [threading.Thread(target=run, args=[number]) for number in range(CONCURRENCY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts.total() / (time.perf_counter() - began)


def load(address: str, picture: Path, rate: float, clients: int, seconds: float) -> dict[str, Any]:
    """Statistics of Locust, by what came of the requests."""
    command = [
        *(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("load_clients.py"))),
        *("--headless", "--json", "--only-summary", "--loglevel", "ERROR", "--host", address),
        *("-u", str(clients), "-r", str(clients), "-t", f"{seconds:.0f}s", "--stop-timeout", "30"),
    ]
    environment = os.environ | {
        **{"LOAD_PICTURE": str(picture), "LOAD_RATE": str(rate), "LOAD_CLIENTS": str(clients)},
    }
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return {entry["name"]: entry for entry in json.loads(done.stdout)}


def quantile(times: Counter[float], share: float) -> float:
    """The time, in milliseconds, within which a share of the answers came."""
    left = share * times.total()
    for milliseconds in sorted(times):
        left -= times[milliseconds]
        if left <= 0:
            return milliseconds
    return float("nan")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="srgan-x4")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--clients", type=int, default=80)
    parser.add_argument("--size", default="112x72", help="of the picture, at most 448x288")
    options = parser.parse_args()

    width, height = map(int, options.size.split("x"))
    hr = images.read_uint8(resources.PHOTOS / "cat.webp")
    lr = resize.downscale(hr, 4)[:height, :width] if width <= 112 else hr[:height, :width]
    model = loading.load(options.model)
    times, counts, failed = Counter[float](), Counter[str](), 0
    shares, sizes = [], []
    with tempfile.TemporaryDirectory() as folder, serving(options.model) as address:
        picture = Path(folder) / "lr.png"
        images.write(picture, lr)
        data = picture.read_bytes()
        alone(model, data, Path(folder), 2)  # warm
        for minute in range(options.minutes):
            capacity = alone(model, data, Path(folder), ALONE)
            found = load(address, picture, 2 * capacity, options.clients, 60 - ALONE)
            accepted = found["accepted"]
            made = accepted["num_requests"] - accepted["num_failures"]
            seconds = accepted["last_request_timestamp"] - accepted["start_time"]
            shares.append(made / seconds / capacity)
            sizes.append(memory(address))
            failed += accepted["num_failures"]
            counts.update({name: entry["num_requests"] for name, entry in found.items()})
            for milliseconds, count in accepted["response_times"].items():
                times[float(milliseconds)] += count
            print(
                f"minute {minute + 1}: alone {capacity:.2f}/s, service {made / seconds:.2f}/s, "
                f"{shares[-1]:.2f} of it, {sizes[-1]:.0f} MiB",
                flush=True,
            )
    share = statistics.median(shares)
    print(f"requests: {dict(counts)}, failed: {failed}")
    print(f"accepted: half within {quantile(times, 0.5) / 1000:.2f} s", end="")
    print(f", 99 % within {quantile(times, 0.99) / 1000:.2f} s")
    print(f"share of the engine alone: {share:.2f} ({min(shares):.2f}-{max(shares):.2f})")
    print(f"memory: {min(sizes):.0f} to {max(sizes):.0f} MiB")
    broken = failed or share < SHARE or max(sizes[1:], default=0) > GROWTH * sizes[0]
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
