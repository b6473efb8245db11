"""Whether the service keeps its promises beside clients that keep none, and after it was killed.

    python benchmarks/resilience.py answers --minutes 2
    python benchmarks/resilience.py kills --kills 100
    python benchmarks/resilience.py soak --minutes 60

`answers` and `soak` run twice as many clients as the service takes pictures at once, and these:
some hang up, send half a picture or nothing at all, send damaged files, cancel what they asked for,
or do not read what came of it. Meanwhile /health is asked, whose worst answer is printed, beside
that of a server which does nothing else on the same machine. Of `soak`, the memory in the second
and in the last tenth of the time is compared. `kills` ends the service by SIGKILL at
random moments, starts it again, and looks for what is left. The exit code is 1 if a promise was
broken. Needs Linux.
"""

import argparse
import http.client
import http.server
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from clients import EXPECTED, HOSTILE, pictures, run_load

MODEL = "srgan-fast-x4"
PLACES = 18  # of the service, by default: in work and waiting
OURS = "srgan-*"  # ONNX Runtime leaves a file ".ses" among the temporary ones
PROMISED = 0.25  # seconds for an answer of /health
GROWTH = 1.1  # of memory, at most


class Service(NamedTuple):
    """A running service."""

    process: subprocess.Popen[str]
    port: int


def start(*arguments: str, folder: str | None = None) -> Service:
    command = [sys.executable, "-m", "srgan", "serve", "--port", "0", "--model", MODEL, *arguments]
    environment = os.environ | ({"TMPDIR": folder} if folder else {})
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert process.stdout
    port = urllib.parse.urlsplit(process.stdout.readline().strip()).port
    assert port, "the service did not start"
    return Service(process, port)


@contextmanager
def serving(*arguments: str) -> Iterator[Service]:
    service = start(*arguments)
    try:
        yield service
    finally:
        service.process.terminate()
        service.process.wait(60)


class _Idle(http.server.BaseHTTPRequestHandler):
    """Answers as /health does, of a server that does nothing else."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ok", "jobs": 0}')

    def log_message(self, *arguments: Any) -> None:
        pass


def idle_server(ports: Any) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Idle) as server:
        ports.put(server.server_port)
        server.serve_forever()


def probe(port: int, until: float, watch: Callable[[], None]) -> tuple[list[float], list[float]]:
    """Asks /health again and again, and an idle server as often; the seconds of their answers."""
    context = multiprocessing.get_context("spawn")
    ports = context.Queue()
    idle = context.Process(target=idle_server, args=(ports,), daemon=True)
    idle.start()
    idle_port = ports.get(timeout=60)
    answers, others = [], []
    while time.time() < until:
        answers.append(_seconds(port))
        others.append(_seconds(idle_port))
        time.sleep(0.05)
        watch()
    idle.terminate()
    return answers, others


def _seconds(port: int) -> float:
    began = time.perf_counter()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", "/health")
        assert connection.getresponse().read()
    return time.perf_counter() - began


def resident(pid: int) -> float:
    """The memory of a process, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def soak(minutes: float, seed: int, compares: bool) -> bool:
    """Runs all clients; whether every promise was kept."""
    kinds = ["upscale"] * (2 * PLACES) + HOSTILE * 3
    memory: list[float] = []
    with serving("--body-timeout", "5", "--header-timeout", "5") as service:
        until = time.time() + 60 * minutes
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        load = context.Process(
            target=run_load, args=(service.port, kinds, until, seed, results), daemon=True
        )
        load.start()

        answers, others = probe(
            service.port, until, lambda: memory.append(resident(service.process.pid))
        )
        counts = results.get(timeout=200)
        load.join()
        idle = _jobs_when_idle(service.port)
    broken = _report(counts)
    print(f"/health: {len(answers):,} answers, worst {1000 * max(answers):.0f} ms, ", end="")
    print(f"99.9 % within {1000 * float(np.quantile(answers, 0.999)):.0f} ms; ", end="")
    print(f"of an idle server {1000 * max(others):.0f} ms")
    print(f"jobs left in the end: {idle}")
    kept = not broken and not idle and max(answers) < PROMISED + max(others)
    if compares:
        tenths = [statistics.median(part) for part in np.array_split(memory, 10)]
        print("memory in each tenth of the time:", *(f"{size:.0f}" for size in tenths), "MiB")
        kept = kept and tenths[-1] < GROWTH * tenths[1]
    print("every promise was kept" if kept else "a promise was broken")
    return kept


def _jobs_when_idle(port: int) -> int:
    """How many jobs there are when all clients are gone, after some seconds to finish."""
    jobs = 0
    for _ in range(60):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", "/health")
            if not (jobs := json.loads(connection.getresponse().read())["jobs"]):
                break
        time.sleep(0.5)
    return jobs


def _report(counts: dict[str, int]) -> bool:
    """Prints what came of the requests; returns whether something should not have."""
    wrong = []
    for key in sorted(counts):
        kind, _, outcome = key.partition(": ")
        fits = outcome in EXPECTED[kind]
        print(f"{kind:>10}: {outcome:<20} {counts[key]:>8,}{'' if fits else '  unexpected'}")
        wrong += [] if fits else [key]
    return bool(wrong)


def kill_at_random(kills: int, seed: int) -> bool:
    """Kills the service again and again; whether it always came back with nothing left over."""
    rng = random.Random(seed)
    recovered = 0
    with tempfile.TemporaryDirectory() as folder:
        data, _ = pictures()[0]
        service = start(folder=folder)
        expected = _answer(service.port, data)
        for number in range(kills):
            until = time.time() + 5
            context = multiprocessing.get_context("spawn")  # others do not go with threads
            load = context.Process(
                target=run_load,
                args=(service.port, ["upscale", "upscale", "cancel", "stall"], until, number, None),
                daemon=True,
            )
            load.start()
            time.sleep(0.5 + 2 * rng.random())  # the clients take about as long to begin
            service.process.kill()
            service.process.wait()
            load.kill()
            load.join()
            service = start(folder=folder)
            same = _answer(service.port, data) == expected
            left = _left(Path(folder))
            recovered += same and not left
            if not same or left:
                print(f"kill {number}: the answer is {'' if same else 'not '}the same; left {left}")
        service.process.terminate()
        code = service.process.wait(60)
        left = [path.name for path in Path(folder).glob(OURS)]
    print(f"{recovered} of {kills} recovered; after SIGTERM, code {code} and {len(left)} left")
    return recovered == kills and not code and not left


def _answer(port: int, data: bytes) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", "/v1/upscale", data)
        return connection.getresponse().read()


def _left(folder: Path) -> list[str]:
    """What there is beside the empty folder of the service that runs, when it is idle."""
    left: list[str] = []
    for _ in range(50):
        folders = list(folder.glob(OURS))
        left = [f"{found.name}/{path.name}" for found in folders for path in found.iterdir()]
        if len(folders) == len(left) == 1:  # with its lock
            return []
        time.sleep(0.1)
    return left


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("answers", "kills", "soak"))
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.what == "kills":
        return not kill_at_random(options.kills, options.seed)
    return not soak(options.minutes, options.seed, options.what == "soak")


if __name__ == "__main__":
    sys.exit(main())
