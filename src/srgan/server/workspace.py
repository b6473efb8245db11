"""The folders of a running service: for results that are on their way, and for jobs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from srgan.util import locks, scratch

_PREFIX = "srgan-serve-"
_LOCK = "lock"


@contextmanager
def workspace() -> Iterator[Path]:
    """Makes a folder among the temporary ones, and removes it after the block.

    Those that services of the same user left there when they were killed are removed, too.

    Raises:
        OSError: If there is no room for a folder.
    """
    scratch.sweep(_PREFIX)
    with scratch.folder(_PREFIX) as folder:
        yield folder


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
