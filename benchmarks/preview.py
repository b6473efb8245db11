"""How long the page waits for the preview of a phone's photo, for each choice that it offers.

    python benchmarks/preview.py [--rounds 7]

The photo has 12 megapixels, and is a bundled one, enlarged, with noise, as JPEG. The page asks
twice: for the middle of it, and for what a model makes of that. Beside the time, that of the
processor is given, which other work on the machine changes little.
"""

import argparse
import http.client
import io
import os
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyvips

from srgan.util import resources

WIDTH, HEIGHT = 4000, 3000
SIDE = 128  # as the page asks
CHOICES = {
    "": "Find out for each picture",
    "srgan-photo-x4": "Photo, from a phone or the web",
    "srgan-x4": "Clean picture",
    "srgan-x2": "Clean picture, 2 times",
    "srgan-fast-x4": "Clean picture, fast",
}


def photo() -> bytes:
    """A JPEG file of 12 megapixels."""
    small = pyvips.Image.new_from_file(str(resources.PHOTOS / "coffee.webp"))
    large = small.thumbnail_image(WIDTH, height=HEIGHT, size="force")[0:3]
    noise = np.random.default_rng(0).normal(0, 4, (HEIGHT, WIDTH, 3)).astype(np.float32)
    noisy = large + pyvips.Image.new_from_array(noise)
    return noisy.cast("uchar").copy(interpretation="srgb").jpegsave_buffer(Q=90)


@contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """Runs `srgan serve` with all models; yields its port and its process."""
    command = [sys.executable, "-m", "srgan", "serve", "--port", "0"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True) as service:
        try:
            assert service.stdout
            port = urllib.parse.urlsplit(service.stdout.readline().strip()).port
            assert port
            while ask(port, "GET", "/readyz") != 200:
                time.sleep(0.2)
            yield port, service.pid
        finally:
            service.terminate()


def ask(port: int, method: str, path: str, data: bytes | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, io.BytesIO(data) if data else None)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def processor_time(process: int) -> float:
    """Seconds that a process has computed, its threads together."""
    with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    data = photo()
    walls: dict[str, list[float]] = {name: [] for name in CHOICES}
    processor: dict[str, list[float]] = {name: [] for name in CHOICES}
    with serving() as (port, process):
        for _ in range(rounds):
            for name in CHOICES:
                began, used = time.perf_counter(), processor_time(process)
                for query in ({"enlarge": "false"}, {"model": name}):
                    wanted = urllib.parse.urlencode({"side": SIDE, **query})
                    status = ask(port, "POST", f"/v1/preview?{wanted}", data)
                    assert status == 200, status
                walls[name].append(time.perf_counter() - began)
                processor[name].append(processor_time(process) - used)
    print(f"A JPEG file of {len(data) / 1e6:.1f} MB.\n")
    print("| choice | seconds until it is there | of the processor |\n| --- | --- | --- |")
    for name, words in CHOICES.items():
        print(f"| {words} | {spread(walls[name])} | {spread(processor[name])} |")


if __name__ == "__main__":
    main()
