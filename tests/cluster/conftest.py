"""Pictures, an S3 server, and a Ray cluster."""

import http.client
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from srgan.io import images

# Ray reads these when it is imported, and a cluster that others reach must have a token.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", os.urandom(32).hex())
pytest.importorskip("ray", reason="needs srgan[ray]")


def draw(path, seed, height=24, width=32):
    """Writes a picture that differs from those of other seeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write(path, np.random.default_rng(seed).random((height, width, 3)))
    return path


@pytest.fixture
def photos(tmp_path):
    """A folder of six pictures, three of them in a folder inside."""
    folder = tmp_path / "photos"
    for seed in range(6):
        draw(folder / ("inside" if seed % 2 else "") / f"photo{seed}.png", seed)
    return folder


@pytest.fixture(scope="session")
def s3_server():
    """The address of a server that speaks S3."""
    server = pytest.importorskip("moto.server", reason="needs moto").ThreadedMotoServer(
        "127.0.0.1", 0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """The address of a new bucket, and the environment that reaches it."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    name = f"photos-{os.urandom(4).hex()}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"


class Way:
    """A way to a server that may be closed: it passes on requests, or refuses them.

    Args:
        server: Its address.
        bucket: An address there.
    """

    def __init__(self, server: str, bucket: str) -> None:
        self.bucket, self._server = bucket, server.removeprefix("http://")
        self._left, self._status, self._methods, self._part = 0.0, None, (), ""
        way = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                way._answer(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

            def log_message(self, format, *args) -> None:
                pass

        self._listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._listening.daemon_threads = True
        threading.Thread(target=self._listening.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._listening.server_port}"

    def refuse(self, status=None, times=math.inf, methods=("GET", "HEAD"), part="") -> None:
        """Refuses so many of the requests for what has this in its path.

        Args:
            status: Of the answer; None for none, as where the network is gone. Amazon's own library
                tries that again for six seconds, and so does it 503; 403 comes through at once.
        """
        self._left, self._status, self._methods, self._part = times, status, methods, part

    def close(self) -> None:
        self._listening.shutdown()
        self._listening.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        sent = _body(request)
        if self._left > 0 and request.command in self._methods and self._part in request.path:
            self._left -= 1
            if self._status:
                request.send_response(self._status)
                request.send_header("Content-Length", "0")
                request.end_headers()
            request.close_connection = True
            return
        server = http.client.HTTPConnection(self._server)
        ours = ("transfer-encoding", "expect", "content-length")
        headers = {name: text for name, text in request.headers.items() if name.lower() not in ours}
        server.request(request.command, request.path, sent, headers)
        answer = server.getresponse()
        said = answer.read()
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                request.send_header(name, value)
        if "Content-Length" not in answer.headers:
            request.send_header("Content-Length", str(len(said)))
        request.end_headers()
        request.wfile.write(said)
        server.close()


def _body(request: BaseHTTPRequestHandler) -> bytes | None:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0)) or None
    pieces = []
    while size := int(request.rfile.readline().partition(b";")[0], 16):
        pieces.append(request.rfile.read(size))
        request.rfile.readline()
    while request.rfile.readline().strip():  # what comes after the last one
        continue
    return b"".join(pieces)


@pytest.fixture
def unsteady(bucket, s3_server, monkeypatch):
    """A new bucket, to which the way may be closed."""
    way = Way(s3_server, bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", way.address)
    yield way
    way.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture
def unused_port():
    return free_port()


class Cluster:
    """A Ray cluster of one machine, in processes of its own.

    Args:
        folder: Where Ray keeps its files.
        environment: Of its processes, beside that of this one.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        for left in reversed(range(3)):  # Ray gives up soon where the machine is busy
            if not (said := self._start(environment)):
                return
            if not left:
                pytest.fail(f"Ray does not start: {said}")

    def _start(self, environment: dict[str, str]) -> str:
        """Returns what Ray says if it does not start."""
        folder, port = self.folder, free_port()
        self.address = f"127.0.0.1:{port}"
        self.client = f"ray://127.0.0.1:{free_port()}"
        self._log = folder.with_suffix(".log")
        self._process = self._ray(
            environment,
            *("--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"),
            f"--ray-client-server-port={self.client.rpartition(':')[2]}",
        )
        self._others: list[subprocess.Popen] = []
        deadline = time.monotonic() + 180
        waiting = [port, int(self.client.rpartition(":")[2])]
        while waiting:
            try:
                socket.create_connection(("127.0.0.1", waiting[0])).close()
                del waiting[0]
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = self._log.read_text(errors="replace")
                    self.end()
                    return said or "nothing"
                time.sleep(0.2)
        return ""

    def _ray(self, environment: dict[str, str], *options: str) -> subprocess.Popen:
        """Starts a machine of the cluster."""
        with self._log.open("ab") as said:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "from ray.scripts.scripts import main; main()",
                    *("start", "--block", "--num-cpus=2", "--node-ip-address=127.0.0.1"),
                    *("--object-store-memory=80000000", *options),
                ],
                env=os.environ
                | {
                    "RAY_USAGE_STATS_ENABLED": "0",
                    "RAY_agent_register_timeout_ms": "180000",  # the machine may be busy
                }
                | environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def join(self, **environment: str) -> None:
        """Has another machine join, as it were: more of Ray's processes on this one."""
        self._others.append(self._ray(environment, f"--address={self.address}"))

    def end(self) -> None:
        """Kills all of its processes."""
        for pid in self.processes():
            os.kill(pid, 9)
        for process in (self._process, *self._others):
            process.kill()
            process.wait()
        self._log.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[int]:
        """Those that this began."""
        sessions = [process.pid for process in (self._process, *self._others)]  # which they lead
        return [pid for pid in processes() if _session(pid) in sessions and pid != os.getpid()]


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


@pytest.fixture
def new_cluster():
    """Starts Ray clusters that may be killed."""
    started = []

    def start():
        started.append(Cluster(Path(f"/tmp/ray-{os.urandom(4).hex()}")))
        return started[-1]

    yield start
    for cluster in started:
        cluster.end()


@pytest.fixture(scope="session")
def cluster():
    """A Ray cluster that all tests share: that of RAY_ADDRESS, or else a new one."""
    if address := os.environ.get("RAY_ADDRESS"):
        yield SimpleNamespace(address=address, client=os.environ.get("RAY_CLIENT_ADDRESS"))
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("kills processes as Linux names them")
    folder = Path(f"/tmp/ray-{os.urandom(4).hex()}")  # paths of sockets are short
    running = Cluster(folder)
    yield running
    running.end()
