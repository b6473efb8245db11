"""The service at twice its capacity: what it refuses, how long the others wait, what that costs.

    pip install locust
    python benchmarks/load.py --minutes 10

In each minute, `upscale_file` alone enlarges the same picture for some seconds, before and after
the service does, and as many at once; that is its capacity. Between, Locust asks the service twice
as often. Of each minute, the pictures a second of both are compared, which swings on a machine with
other work, and the processor time for a picture, which does not; and the memory of the service is
read. The exit code is 1 if any answer was neither a picture nor a 429 or 503, if memory grew by
more than a tenth after the first minute, or if the service made less than nine tenths of what the
engine alone made in the same minute (the median of all). Needs Linux.
"""

import argparse
import json
import os
import re
import resource
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

from srgan import server
from srgan.io import images
from srgan.models import loading
from srgan.models.model import Model
from srgan.numeric import resize
from srgan.upscaling import pipeline
from srgan.util import parallel, resources

CONCURRENCY = server.DEFAULT_LIMITS.concurrency
ALONE = 5.0  # seconds, twice in each minute
SHARE, GROWTH = 0.9, 1.1
MEASURED = ("srgan_megapixels_total", "process_cpu_seconds_total")


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


def told(address: str, metric: str) -> float:
    """The sum of a metric of the service, over its labels."""
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if re.match(rf"{metric}[ {{]", line))


def alone(model: Model, data: bytes, folder: Path) -> tuple[float, float]:
    """Pictures a second without a service, so many at once as it takes; and core seconds each."""
    began, spent, counts = time.perf_counter(), time.process_time(), Counter[int]()

    def run(number: int) -> None:
        while time.perf_counter() - began < ALONE:
            pipeline.upscale_file(data, folder / f"{number}.png", model, overwrite=True)
            counts[number] += 1

    threads = [threading.Thread(target=run, args=[number]) for number in range(CONCURRENCY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = counts.total()
    return made / (time.perf_counter() - began), (time.process_time() - spent) / made


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


def core_seconds(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


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
    shares, costs, sizes, asking = [], [], [], []
    with tempfile.TemporaryDirectory() as folder, serving(options.model) as address:
        picture = Path(folder) / "lr.png"
        images.write(picture, lr)
        data = picture.read_bytes()
        megapixels = lr.shape[0] * lr.shape[1] * model.scale**2 / 1e6
        capacity, spent = alone(model, data, Path(folder))
        for minute in range(options.minutes):
            before = [told(address, name) for name in MEASURED]
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            found = load(address, picture, 2 * capacity, options.clients, 60 - 2 * ALONE)
            asking.append(core_seconds(resource.getrusage(resource.RUSAGE_CHILDREN)))
            asking[-1] -= core_seconds(children)
            after = [told(address, name) for name in MEASURED]
            earlier = capacity, spent
            capacity, spent = alone(model, data, Path(folder))
            accepted = found["accepted"]
            made = (after[0] - before[0]) / megapixels
            cost = (after[1] - before[1]) / made
            rate = accepted["num_requests"] / (
                accepted["last_request_timestamp"] - accepted["start_time"]
            )
            of_engine = (earlier[0] + capacity) / 2, (earlier[1] + spent) / 2
            shares.append(rate / of_engine[0])
            costs.append(cost / of_engine[1])
            sizes.append(told(address, "process_resident_memory_bytes") / 2**20)
            failed += accepted["num_failures"]
            counts.update({name: entry["num_requests"] for name, entry in found.items()})
            for milliseconds, count in accepted["response_times"].items():
                times[float(milliseconds)] += count
            print(
                f"minute {minute + 1}: alone {of_engine[0]:.2f}/s, {of_engine[1]:.3f} core seconds "
                f"each; service {rate:.2f}/s, {cost:.3f}; {shares[-1]:.2f} of the pictures, "
                f"{costs[-1]:.2f} of the time; {sizes[-1]:.0f} MiB",
                flush=True,
            )
    share = statistics.median(shares)
    print(f"requests: {dict(counts)}, failed: {failed}")
    print(f"accepted: half within {quantile(times, 0.5) / 1000:.2f} s", end="")
    print(f", 99 % within {quantile(times, 0.99) / 1000:.2f} s")
    print(f"share of the engine alone: {share:.2f} ({min(shares):.2f}-{max(shares):.2f})")
    print(f"processor time for a picture, of the engine's: {statistics.median(costs):.2f}", end="")
    print(f" ({min(costs):.2f}-{max(costs):.2f})")
    asked = statistics.median(asking) / (60 - 2 * ALONE) / parallel.available_cores()
    print(f"Locust, on the same cores: {asked:.3f} of them ({min(asking):.1f}-{max(asking):.1f} s)")
    print(f"memory: {min(sizes):.0f} to {max(sizes):.0f} MiB")
    broken = failed or share < SHARE or max(sizes[1:], default=0) > GROWTH * sizes[0]
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
