"""Clients of the service, of which some keep no promises; for `resilience.py`."""

import http.client
import json
import random
import socket
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

from srgan.io import images

PHOTOS = Path(images.__file__).parents[1] / "photos"


class Load:
    """Clients of all kinds; each method is one request, and returns what came of it."""

    def __init__(self, port: int, seed: int) -> None:
        self._port, self._rng = port, random.Random(seed)
        self._pictures = pictures()

    def _open(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)

    def _post(self, connection: http.client.HTTPConnection, data: bytes, **query: Any) -> None:
        connection.request("POST", f"/v1/upscale?{urllib.parse.urlencode(query)}", data)

    def _raw(self, data: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=120)
        connection.sendall(data)
        return connection

    def upscale(self) -> str:
        data, side = self._rng.choice(self._pictures[:-1])
        kind = self._rng.choice(("png", "jpeg", "webp"))
        with closing(self._open()) as connection:
            self._post(connection, data, format=kind)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status == 200:
            size = images_size(body)
            return "200" if size == (4 * side, 4 * side) else f"wrong: {size} of {side}"
        if answer.status == 503:
            time.sleep(self._rng.random())
        return str(answer.status)

    def hang_up(self) -> str:
        data, _ = self._rng.choice(self._pictures)
        with closing(self._open()) as connection:
            self._post(connection, data)
            time.sleep(self._rng.random())
        return "gone"

    def cancel(self) -> str:
        job = f"job-{self._rng.getrandbits(60)}"
        with closing(self._open()) as connection:
            self._post(connection, self._pictures[-1][0], job=job)
            end = time.monotonic() + 10
            time.sleep(self._rng.random())
            while time.monotonic() < end and self._state(job) == "waiting":
                time.sleep(0.1)
        return "gone"

    def _state(self, job: str) -> str:
        with closing(self._open()) as connection:
            connection.request("GET", f"/v1/jobs/{job}")
            return json.loads(connection.getresponse().read()).get("state", "none")

    def stall(self) -> str:
        head = b"POST /v1/upscale HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
        return self._until_closed(head + bytes(50_000))

    def silence(self) -> str:
        return self._until_closed(self._rng.choice((b"", b"GET /hea", b"GET / HTTP/1.1\r\nHost")))

    def _until_closed(self, data: bytes) -> str:
        with closing(self._raw(data)) as connection, suppress(ConnectionError):
            first = connection.recv(65536)
            while connection.recv(65536):
                pass
            return first[9:12].decode() or "closed"
        return "closed"

    def deaf(self) -> str:
        data, _ = self._pictures[-1]
        head = (
            f"POST /v1/upscale HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        with closing(self._raw(head.encode() + data)):
            time.sleep(5 * self._rng.random())
        return "gone"

    def damaged(self) -> str:
        data, _ = self._rng.choice(self._pictures)
        data = self._rng.choice((data[: len(data) // 2], self._rng.randbytes(5000), b""))
        with closing(self._open()) as connection:
            self._post(connection, data)
            return str(connection.getresponse().status)


EXPECTED = {  # what may come of each kind of request
    "upscale": {"200", "503"},
    "hang_up": {"gone"},
    "cancel": {"gone"},
    "stall": {"408", "503", "closed"},
    "silence": {"closed", "400"},
    "deaf": {"gone"},
    "damaged": {"422", "503"},
}
HOSTILE = [kind for kind in EXPECTED if kind != "upscale"]


def pictures() -> list[tuple[bytes, int]]:
    """Squares of photos as PNG, with their sides; the last one takes some seconds."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for side, name in ((24, "cat"), (32, "cat"), (48, "cat"), (280, "cat")):
            photo = images.read_uint8(PHOTOS / f"{name}.webp")[:side, :side]
            file = Path(folder) / "lr.png"
            images.write(file, np.ascontiguousarray(photo), overwrite=True)
            found.append((file.read_bytes(), side))
    return found


def images_size(data: bytes) -> tuple[int, int]:
    import pyvips

    image = pyvips.Image.new_from_buffer(data, "")
    return image.width, image.height


def run_load(port: int, kinds: list[str], until: float, seed: int, results: Any) -> None:
    """Runs one client a kind, each in a thread, until a time; puts counts of what came of it."""
    counts: Counter[str] = Counter()

    def run(number: int, kind: str) -> None:
        load = Load(port, seed + number)
        while time.time() < until:
            try:
                outcome = getattr(load, kind)()
            except (OSError, http.client.HTTPException) as error:
                outcome = type(error).__name__
            counts[f"{kind}: {outcome}"] += 1

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(kinds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(until + 130 - time.time(), 0))
    results.put(dict(counts))
