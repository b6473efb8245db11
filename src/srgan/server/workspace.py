"""The folders of a running service: for results that are on their way, and for jobs."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from srgan.util import locks

_PREFIX = "srgan-serve-"
_LOCK = "lock"


@contextmanager
def workspace() -> Iterator[Path]:
    """Makes a folder among the temporary ones, and removes it after the block.

    Those that services of the same user left there when they were killed are removed, too. A lock,
    which the system releases with the process, tells them from those in use.

    Raises:
        OSError: If there is no room for a folder.
    """
    with ExitStack() as stack:
        _sweep(Path(tempfile.gettempdir()))
        folder = None
        while not folder:
            folder = _claim(stack)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Makes a folder that survives, and keeps it from other services in the block.

    Raises:
        ValueError: If it cannot be made, or written to, or another service has it.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locks.exclusive(folder / _LOCK))
        except BlockingIOError as error:
            raise ValueError(
                f"Another service has its jobs in {folder}. End it, or choose another --state."
            ) from error
        except OSError as error:
            raise ValueError(
                f"Jobs cannot be kept in {folder}: {error.strerror or error}. Choose a folder as "
                "--state that this user may write to, or that can be made."
            ) from error
        yield


def _claim(stack: ExitStack) -> Path | None:
    """A new folder, locked; or None if another service just swept it, before it was locked."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with suppress(FileNotFoundError, BlockingIOError):
        stack.enter_context(locks.exclusive(folder / _LOCK))
        return folder if (folder / _LOCK).exists() else None
    return None


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # in use, or just removed by another
            if not folder.is_symlink() and _is_ours(folder):
                if not (folder / _LOCK).is_file():
                    folder.rmdir()  # killed before it was locked; somebody else's is not empty
                    continue
                with locks.exclusive(folder / _LOCK):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
