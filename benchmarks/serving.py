"""What the service adds to upscaling a file, and what it does under several clients at once.

python benchmarks/serving.py [--model srgan-x4] [--rounds 15]
"""

import argparse
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from srgan.io import images
from srgan.models import loading
from srgan.numeric import resize
from srgan.upscaling import pipeline

PHOTOS = Path(images.__file__).parent / "photos"


@contextmanager
def serving(model: str, *options: str) -> Iterator[int]:
    """Runs `srgan serve`; yields its port."""
    command = [sys.executable, "-m", "srgan", "serve", "--port", "0", "--model", model, *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as service:
        try:
            assert service.stdout
            port = urllib.parse.urlsplit(service.stdout.readline().strip()).port
            assert port
            yield port
        finally:
            service.terminate()


def post(port: int, data: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/v1/upscale", data)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    connection.close()
    return body


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="srgan-x4")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, serving(options.model) as port:
        model, out = loading.load(options.model), Path(folder) / "sr.png"
        hr = images.read_uint8(PHOTOS / "cat.webp")
        for name, image in (("112x72", resize.downscale(hr, 4)), ("448x288", hr)):
            images.write(Path(folder) / f"{name}.png", image)
            data = (Path(folder) / f"{name}.png").read_bytes()
            post(port, data)
            direct, served, ratios = [], [], []
            for _ in range(options.rounds):
                began = time.perf_counter()
                pipeline.upscale_file(data, out, model, overwrite=True)
                between = time.perf_counter()
                post(port, data)
                direct.append(between - began)
                served.append(time.perf_counter() - between)
                ratios.append(served[-1] / direct[-1])
            print(f"{name}: file {spread(direct)} s, service {spread(served)} s")
            print(f"{name}: ratio {spread(ratios)}")
            for clients in (1, 2, 8):
                with ThreadPoolExecutor(clients) as pool:
                    began = time.perf_counter()
                    list(pool.map(lambda _, data=data: post(port, data), range(options.rounds)))
                    rate = options.rounds / (time.perf_counter() - began)
                print(f"{name}, {clients} clients: {rate:.3g} pictures/s")


if __name__ == "__main__":
    main()
