"""Writing files whole or not at all."""

import os
import secrets
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Writes a file, or replaces it, in one step: a kill leaves the old file or the new one.

    Raises:
        OSError: If there is no way to write there, or no space; nothing is left behind.
    """
    # Hidden, so that no search for files takes it for one; beside the target, so that the last
    # step is one rename.
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        reason = f"{error.strerror}; nothing was written to"
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)
