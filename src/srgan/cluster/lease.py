"""One batch at a time for a destination.

On this machine's file systems, a lock, which the system releases with the process. Stores of
objects have none: there, each batch writes a sign of life every few seconds, and *then* looks for
those of others. Of two that begin at once, at least one sees the other, since such stores list what
was written before; ages are told by the clock of the store alone.
"""

import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from srgan.cluster.places import Place
from srgan.util import locks

_BEAT = 10.0  # seconds between two signs of life
_DEAD = 60.0  # seconds without one


@contextmanager
def hold(folder: Place) -> Iterator[None]:
    """Holds a destination in the block.

    Args:
        folder: Of the batch, in its destination.

    Raises:
        BlockingIOError: If another batch holds it.
    """
    if not (local := folder.local):
        with _leased(folder):
            yield
        return
    local.mkdir(parents=True, exist_ok=True)
    try:
        with locks.exclusive(local / "lock"):
            yield
    except BlockingIOError:
        raise BlockingIOError(_said(folder, "", "Wait until it ends")) from None


@contextmanager
def _leased(folder: Place) -> Iterator[None]:
    own = folder / f"lease-{secrets.token_hex(8)}.json"
    text = json.dumps({"host": socket.gethostname(), "process": os.getpid()}).encode()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(_BEAT):
            with suppress(OSError):  # which the batch itself meets soon enough
                own.write(text)

    own.write(text)
    try:
        _check(folder, own)
        thread = threading.Thread(target=beat, name="srgan-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
    finally:
        own.remove()


def _check(folder: Place, own: Place) -> None:
    """Raises BlockingIOError if another is alive; removes what dead ones left."""
    found = {i.base_name: i for i in folder.children() if i.base_name.startswith("lease-")}
    now = found[own.path.rpartition("/")[2]].mtime
    for name, info in found.items():
        other = folder / name
        if other.path == own.path:
            continue
        age = (now - info.mtime).total_seconds()
        holder = _holder(other)
        if age > _DEAD or _is_dead(holder):
            other.remove()
            continue
        who = f" ({holder['host']}, process {holder['process']})" if holder else ""
        left = f"Wait until it ends, or, if it was killed, for {max(_DEAD - age, 1):.0f} seconds"
        raise BlockingIOError(_said(folder, who, left))


def _holder(lease: Place) -> dict[str, Any]:
    try:
        return json.loads(lease.read())
    except (OSError, ValueError):  # just removed, or by another version
        return {}


def _is_dead(holder: dict[str, Any]) -> bool:
    """Whether it was a process of this machine, and is no more."""
    if holder.get("host") != socket.gethostname() or os.name == "nt":
        return False
    try:
        os.kill(holder["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _said(folder: Place, who: str, advice: str) -> str:
    destination = folder.uri.rpartition("/")[0]
    return f"Another batch{who} writes to {destination}. {advice}, or choose another destination."
