"""Workers meet before TensorFlow connects them.

TensorFlow waits for missing workers without a word, even for ever, and Ctrl-C does not reach Python
meanwhile. So they first meet here, at the first one's address; TensorFlow takes it over then.
"""

import errno
import logging
import select
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress

_log = logging.getLogger(__name__)
_GREETING = "srgan worker "
_REMIND = 15.0  # seconds of waiting until it is said, and between reminders at least
_FREED = 30.0  # seconds that a port may still be held by a worker that is just ending
_ANSWER = 5.0  # seconds that a worker has to connect, to greet, or to close


class _Wait:
    """Time that passes while others are missing."""

    def __init__(self, seconds: float, remind: float = _REMIND) -> None:
        self.began, self.seconds = time.monotonic(), seconds
        self.remind, self.next = remind, remind

    def over(self) -> float:
        return time.monotonic() - self.began

    def check(self, missing: str) -> None:
        """Says from time to time who is missing; raises TimeoutError when it took too long."""
        passed = self.over()
        if passed > self.seconds:
            raise TimeoutError(
                f"{missing} did not come within {self.seconds:g} seconds. Each worker has to be "
                "started, and all need the same addresses in TF_CONFIG; look at the messages of "
                "the one that is missing."
            )
        if passed > self.next:
            self.next = max(2 * self.next, passed)
            _log.warning("Waiting for %s, at most %d seconds more.", missing, self.seconds - passed)


def meet(
    addresses: Sequence[str], rank: int, seconds: float = 600, remind: float = _REMIND
) -> None:
    """Returns when all workers are here.

    Args:
        addresses: Of all workers, `host:port`; they meet at that of the first one.
        rank: The number of this one.
        seconds: How long to wait for the others.
        remind: Seconds until it is first said who is missing.

    Raises:
        TimeoutError: If some did not come.
        OSError: If this is the first worker, and its port is in use.
    """
    wait = _Wait(seconds, remind)
    if rank == 0:
        _receive(addresses, wait)
    else:
        _visit(addresses[0], rank, wait)


def _receive(addresses: Sequence[str], wait: _Wait) -> None:
    """Waits for all others, and tells them to go on."""
    here: dict[int, socket.socket] = {}
    with ExitStack() as opened, opened.enter_context(_listen(_split(addresses[0])[1])) as server:
        server.settimeout(0.2)
        while missing := [rank for rank in range(1, len(addresses)) if rank not in here]:
            wait.check(_names(missing, addresses))
            with suppress(TimeoutError):
                guest = opened.enter_context(server.accept()[0])
                rank = _greeted(guest)
                if 0 < rank < len(addresses):
                    here[rank] = guest
                else:
                    guest.close()
            here = {rank: guest for rank, guest in here.items() if not _gone(guest)}
            if len(here) == len(addresses) - 1:  # one may be ending just now
                here = {rank: guest for rank, guest in here.items() if _answers(guest)}
        for guest in here.values():
            with suppress(OSError):
                guest.sendall(b"go")
        for guest in here.values():  # they close first, so that the port is free at once
            with suppress(OSError):
                guest.settimeout(_ANSWER)
                guest.recv(1)


def _visit(address: str, rank: int, wait: _Wait) -> None:
    """Greets the first worker until it says that all are here."""
    while not _admitted(address, rank, wait):
        wait.check(_names([0], [address]))
        time.sleep(0.2)


def _admitted(address: str, rank: int, wait: _Wait) -> bool:
    """Whether the first worker was there, and stayed until all were."""
    try:
        host = socket.create_connection(_split(address), _ANSWER)
    except OSError:
        return False
    with host:
        try:
            host.sendall(f"{_GREETING}{rank}\n".encode())
            while True:
                while not select.select([host], [], [], 0.2)[0]:
                    wait.check("the other workers")
                if (said := host.recv(2)) != b"?":
                    return said == b"go"
                host.sendall(b"!")
        except ConnectionError:
            return False


def _listen(port: int) -> socket.socket:
    """A server at a port of this machine."""
    wait = _Wait(_FREED)
    while True:
        try:
            return socket.create_server(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or wait.over() > wait.seconds:
                raise OSError(
                    f"Port {port}, at which TF_CONFIG lets the workers meet, cannot be used: "
                    f"{error.strerror}. Expected one that is free on the machine of worker 0."
                ) from error
            time.sleep(0.2)


def _greeted(guest: socket.socket) -> int:
    """The number of the worker that has connected; 0 if it is none."""
    guest.settimeout(_ANSWER)
    with suppress(OSError, ValueError):
        said = guest.recv(64).decode()
        if said.startswith(_GREETING):
            return int(said.removeprefix(_GREETING))
    return 0


def _answers(guest: socket.socket) -> bool:
    """Whether a worker is still here; one that is not has to come again."""
    guest.settimeout(_ANSWER)
    with suppress(OSError):
        guest.sendall(b"?")
        if guest.recv(1) == b"!":
            return True
    guest.close()
    return False


def _gone(guest: socket.socket) -> bool:
    """Whether a worker that was here has ended."""
    guest.setblocking(False)
    try:
        return not guest.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _names(ranks: Sequence[int], addresses: Sequence[str]) -> str:
    return " and ".join(f"worker {rank} ({addresses[rank]})" for rank in ranks)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
