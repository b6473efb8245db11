"""Writing files whole or not at all, and not where they must not go."""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PARTIAL = ".partial"  # the suffix of files that are not finished


def check_destination(path: Path, overwrite: bool = False) -> None:
    """Raises what would go wrong with writing a file, before the work of making it.

    Raises:
        FileExistsError: If the file exists, unless `overwrite`.
        OSError: Of the fitting kind, if there is no way to write there.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise NotADirectoryError(f"Cannot write {path}: {path.parent} is a file, not a folder.")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write {path}: there is no folder {path.parent}. Create it first."
        )
    if path.is_dir():
        raise IsADirectoryError(f"Cannot write {path}: it is a folder. Name a file in it.")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already. Choose another name, or have it overwritten (--overwrite)."
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(
            f"Cannot write {path}: the folder {path.parent} is not writable. "
            "Choose another folder, or change its permissions."
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Writes a file, or replaces it, in one step: a kill leaves the old file or the new one.

    Yields the path of a file to be written in the block, which becomes `path` if nothing is raised.

    Raises:
        OSError: If there is no way to write there, or no space; nothing is left behind.
    """
    with partial(path) as unfinished:
        try:
            yield unfinished
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            if error.filename and not str(error.filename).endswith(_PARTIAL):
                raise  # it has to do with another file
            said = str(error.strerror or error).replace(str(unfinished), str(path)).rstrip(".")
            reason = f"{said}; nothing was written to"
            raise OSError(error.errno, reason, str(path)) from error


@contextmanager
def partial(path: Path) -> Iterator[Path]:
    """Yields the path of a file for a part of the work on `path`, which the block removes."""
    # Hidden, so that no search for files takes it for one; beside the target, so that the last
    # step is one rename.
    unfinished = path.with_name(f".{secrets.token_hex(8)}{_PARTIAL}")
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives errors of the system in the block, which may not say so, the name of a file."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise


def remove_partial(folder: Path) -> None:
    """Removes what a kill during `replacing` left in a folder."""
    for path in folder.glob(".*.partial*"):
        if re.fullmatch(r"\.[0-9a-f]{16}\.partial(\..+)?", path.name):  # GDAL adds to the name
            path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file as `replacing` does."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def sha256(path: Path) -> str:
    """Returns the hash of a file's contents, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
