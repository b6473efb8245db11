"""A Ray cluster: one that is there, or one of this machine alone, while a block lasts."""

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from srgan.util import parallel

_SECONDS = 5.0  # that an address may take to answer


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connects to a cluster in the block.

    Args:
        address: As ray://host:10001, host:6379 or auto; None for what RAY_ADDRESS names, as in a
            Ray job, and else a cluster of its own.

    Raises:
        ConnectionError: If there is no cluster.
        ValueError: If it runs other versions of Ray or Python, or takes no such command line.
    """
    if re.search("[\ud800-\udfff]", "".join(sys.orig_argv)):
        raise ValueError(
            "The command holds a name that is not UTF-8, and Ray keeps the command as a text. Go "
            'into that folder and name it ".", or name it by a link (ln -s).'
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # whose change is announced
    import ray

    address = address or os.environ.get("RAY_ADDRESS")
    terminate = signal.getsignal(signal.SIGTERM)
    quiet = {"log_to_driver": False, "logging_level": "error"}
    try:
        if address:
            _check(address)
            try:
                ray.init(address, **quiet)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise _explained(address, error) from error
        else:
            try:
                _start(quiet)
            except SystemExit as error:  # what Ray makes of SIGTERM while its processes start
                if error.code == signal.SIGTERM and callable(terminate):
                    terminate(signal.SIGTERM, None)
                raise
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminate)  # Ray's own ends the process without a word
        yield
    finally:
        with suppress(ConnectionError):  # it may be gone
            ray.shutdown()


def _start(quiet: dict[str, Any]) -> None:
    """Starts a cluster of this machine alone."""
    import ray

    os.environ.setdefault("RAY_agent_register_timeout_ms", "180000")  # of a busy machine
    try:
        ray.init(num_cpus=parallel.available_cores(), include_dashboard=False, **quiet)
    except Exception as error:  # Ray raises it bare where its processes take too long
        if type(error) is not Exception:
            raise
        raise RuntimeError(
            f"Ray does not start on this machine: {error} Is it busy, or short of memory? Try "
            "again, or name a cluster that is there: --cluster ADDRESS."
        ) from error


def _check(address: str) -> None:
    """Raises ConnectionError unless something answers there; Ray itself tries for minutes."""
    if address == "auto":
        return
    match = re.fullmatch(r"(?:ray://)?\[?([^\[\]/]+?)\]?:(\d+)", address)
    if not match:
        raise ValueError(
            f"{address} is no address of a Ray cluster; expected auto, ray://host:10001 or "
            "host:6379."
        )
    try:
        socket.create_connection((match[1], int(match[2])), _SECONDS).close()
    except OSError as error:
        raise _explained(address, error) from error


def _explained(address: str, error: Exception) -> Exception:
    text = " ".join(str(error).split())
    if re.search("AuthToken|Unauthenticated", f"{error.__cause__} {text}"):
        return PermissionError(
            f"The cluster at {address} wants its token. Set RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN to what the cluster was started with."
        )
    if "ersion mismatch" in text:
        return ValueError(
            f"The cluster at {address} runs other versions: {text} Install the same on "
            "all machines."
        )
    return ConnectionError(
        f"There is no Ray cluster at {address}: {text.rstrip('.')}. Start one by "
        "ray start --head, name another, or leave out --cluster to use this machine."
    )
