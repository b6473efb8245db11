"""Clients of the service, and the service as a program of its own."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import numpy as np
import pytest

from srgan.io import images


class Client:
    """What tests do to a service on a port."""

    def __init__(self, port):
        self.port = port

    def begin(self, path="/v1/upscale", data=None, headers=None, **query):
        """Sends a request, and returns the connection without waiting for the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        address = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        connection.request("GET" if data is None else "POST", address, data, headers or {})
        return connection

    def ask(self, path="/v1/upscale", data=None, headers=None, **query):
        """Returns the status, the headers and the body of an answer."""
        with contextlib.closing(self.begin(path, data, headers, **query)) as connection:
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def send(self, data=b""):
        """Sends bytes, and returns the socket."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(data)
        return connection

    def jobs(self):
        return json.loads(self.ask("/health")[2])["jobs"]

    def is_running(self, job):
        status, _, body = self.ask(f"/v1/jobs/{job}")
        return status == 200 and json.loads(body)["state"] == "running"

    @staticmethod
    def until(condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.02)


class Watchdog:
    """Asks /health all the time, in a block.

    Attributes:
        worst: Seconds of the slowest answer, beyond those that the machine itself took to wake a
            thread that does nothing else.
    """

    def __init__(self, port):
        self._client, self._end = Client(port), threading.Event()
        self._answers, self._lags = [], []
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._end.set()
        self._thread.join()

    def _watch(self):
        while not self._end.is_set():
            began = time.perf_counter()
            assert self._client.ask("/health")[0] == 200
            between = time.perf_counter()
            time.sleep(0.01)
            self._answers.append(between - began)
            self._lags.append(time.perf_counter() - between - 0.01)

    @property
    def worst(self):
        assert len(self._answers) > 10
        return max(self._answers) - max(self._lags)


@pytest.fixture(scope="session")
def connect():
    """Makes a client for a port."""
    return Client


@pytest.fixture(scope="session")
def watching():
    """Makes a watchdog for a port."""
    return Watchdog


@pytest.fixture
def program(tmp_path):
    """Runs `srgan serve` in a block, with its temporary files in tmp_path; gets process and port.

    Args of the returned function:
        arguments: Of the command.
    """

    @contextlib.contextmanager
    def run(*arguments):
        command = [sys.executable, "-m", "srgan", "serve", "--port", "0", *map(str, arguments)]
        environment = os.environ | {"TMPDIR": str(tmp_path)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as service:
            try:
                yield service, urllib.parse.urlsplit(service.stdout.readline().strip()).port
            finally:
                service.kill()

    return run


@pytest.fixture(scope="session")
def png(tmp_path_factory):
    """Makes a PNG file of noise, from its height and width."""

    def make(height, width):
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        file = tmp_path_factory.mktemp("png") / "a.png"
        images.write(file, noise)
        return file.read_bytes()

    return make
