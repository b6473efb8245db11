"""Where a worker may write: trouble there has nothing to do with the picture in its hands."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from srgan.util import scratch

_PREFIX = "srgan-batch-"  # of temporary folders
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Unwritable(OSError):
    """This worker cannot write, which others may."""

    @classmethod
    def of(cls, error: OSError) -> "Unwritable":
        return cls(error.errno, error.strerror, error.filename)


def is_full(error: BaseException) -> bool:
    """Whether an error is about the room that is left, whatever was to be written."""
    return isinstance(error, OSError) and error.errno in _FULL


@contextmanager
def temporary(name: str) -> Iterator[Path]:
    """Yields the path of a file in a temporary folder, which goes with the block.

    Raises:
        Unwritable: If there is no such folder.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch.folder(_PREFIX))
        except OSError as error:
            where = os.path.dirname(error.filename) if error.filename else "any folder"
            raise Unwritable(
                f"Temporary files cannot be kept in {where} ({error.strerror}). Make room there, "
                "or set TMPDIR to another place"
            ) from error
        yield folder / name


def sweep() -> None:
    """Removes what killed processes left where `temporary` has its folders."""
    with suppress(OSError):  # none: who needs one will say so
        scratch.sweep(_PREFIX)


def staying(error: OSError, worker: str = "") -> OSError:
    """Returns an error that says, too, where it was, and that what was done is not lost."""
    where = f", on the worker {worker}" if worker else ""
    advice = "what was done stays, and the same command goes on with the rest"
    if error.errno:
        said = f"{os.strerror(error.errno)}{where}; {advice}"
        return OSError(error.errno, said, error.filename)
    return OSError(f"{str(error).rstrip('.')}{where}; {advice}.")
