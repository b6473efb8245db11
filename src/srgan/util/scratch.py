"""Temporary folders that go with a block, and, if the process is killed, when another one looks.

A lock, which the system releases with its process, tells those in use from those left behind.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from srgan.util import locks

_LOCK = "lock"


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """Makes a folder among the temporary ones, and removes it after the block.

    Args:
        prefix: Of its name, by which `sweep` knows it.

    Raises:
        OSError: If there is no room for it.
    """
    with ExitStack() as stack:
        made = None
        while not made:
            made = _claim(prefix, stack)
        yield made


def sweep(prefix: str) -> None:
    """Removes the folders that processes of the same user left when they were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # in use, or just removed by another
            if not left.is_symlink() and _is_ours(left):
                if not (left / _LOCK).is_file():
                    left.rmdir()  # killed before it was locked; somebody else's is not empty
                    continue
                with locks.exclusive(left / _LOCK):
                    shutil.rmtree(left, ignore_errors=True)


def _claim(prefix: str, stack: ExitStack) -> Path | None:
    """A new folder, locked; or None if another process just swept it, before it was locked."""
    made = Path(tempfile.mkdtemp(prefix=prefix))
    stack.callback(shutil.rmtree, made, ignore_errors=True)  # when the lock is released
    with suppress(FileNotFoundError, BlockingIOError):
        stack.enter_context(locks.exclusive(made / _LOCK))
        return made if (made / _LOCK).exists() else None
    return None


def _is_ours(left: Path) -> bool:
    return not hasattr(os, "getuid") or left.stat().st_uid == os.getuid()
