"""Writing files whole or not at all, and not where they must not go."""

import os
import secrets
from pathlib import Path


def check_destination(path: Path, overwrite: bool = False) -> None:
    """Raises what would go wrong with writing a file, before the work of making it.

    Raises:
        FileExistsError: If the file exists, unless `overwrite`.
        FileNotFoundError, PermissionError, IsADirectoryError: If there is no way to write there.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write {path}: there is no folder {path.parent}. Create it first."
        )
    if path.is_dir():
        raise IsADirectoryError(f"Cannot write {path}: it is a folder. Name a file in it.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already. Choose another name, or ask to overwrite.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(
            f"Cannot write {path}: the folder {path.parent} is not writable. "
            "Choose another folder, or change its permissions."
        )


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
