"""Starts a command in several processes of this machine that train together."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

_LAUNCHED = "SRGAN_LAUNCHED"  # set for a worker whose standard input ends with the launcher


def launch(arguments: Sequence[str], count: int) -> int:
    """Runs a command once for each worker; returns the first exit code that is not 0.

    They are told of each other by TF_CONFIG. If there are GPUs, worker k has the k-th of them.
    Ctrl-C and SIGTERM are passed on to all. The others notice when one ends, and all do when this
    process ends, even by SIGKILL.

    Args:
        arguments: Of the command, as `cli.main` takes them.
        count: How many workers.

    Raises:
        ValueError: If there are some GPUs, and fewer than workers.
    """
    devices = _gpus()
    if devices and len(devices) < count:
        raise ValueError(
            f"--workers {count} needs a GPU for each, and there are {len(devices)}; expected at "
            f"most {len(devices)}, or CUDA_VISIBLE_DEVICES= for none."
        )
    addresses = _addresses(count)
    reader, writer = os.pipe()  # workers do not inherit the writing end
    running = []
    for index in range(count):
        place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = os.environ | {"TF_CONFIG": json.dumps(place), _LAUNCHED: "1"}
        if devices:
            environment["CUDA_VISIBLE_DEVICES"] = devices[index]
        command = [sys.executable, "-m", "srgan", *arguments]
        running.append(subprocess.Popen(command, env=environment, stdin=reader, process_group=0))

    def pass_on(number: int, frame: object) -> None:
        for process in running:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        codes = [process.wait() for process in running]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
    return next((abs(code) for code in codes if code), 0)


def end_with_launcher() -> None:
    """Has a worker that `launch` began end as by SIGTERM when its launcher is gone."""
    if os.environ.pop(_LAUNCHED, None):
        threading.Thread(target=_await_end, name="srgan-launcher", daemon=True).start()


def _await_end() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is written: this returns when the other end is gone
    os.kill(os.getpid(), signal.SIGTERM)


def _gpus() -> list[str]:
    """The numbers of those that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [one for one in chosen.split(",") if one]
    try:
        command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []


def _addresses(count: int) -> list[str]:
    """Ports of this machine that are free now."""
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in opened]
    for one in opened:
        one.close()
    return [f"127.0.0.1:{port}" for port in ports]
