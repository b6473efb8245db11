"""Locks on files, which the system releases when their process ends, however it ends."""

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_logger = logging.getLogger(__name__)


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Holds a lock in the block. The file is made, and stays: what is locked is not its name.

    Raises:
        BlockingIOError: If another holds the lock.
        OSError: If the file cannot be made.
    """
    with file.open("ab") as stream:
        try:
            _lock(stream)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
                raise BlockingIOError(f"{file} is locked by another process.") from None
            # Some network file systems have no locks, and are still good enough to work on.
            _logger.warning("%s cannot be locked (%s).", file, error.strerror)
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: BinaryIO) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(stream: BinaryIO) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
