"""Finding the image files in a folder."""

import os
from collections.abc import Callable
from pathlib import Path

from srgan.io.kinds import SUFFIXES


def find_images(
    folder: str | os.PathLike[str], unreadable: Callable[[OSError], object] | None = None
) -> list[Path]:
    """Returns the image files below `folder`, by suffix, sorted, leaving out hidden ones.

    Args:
        folder: Where to look.
        unreadable: Called with what is wrong with a folder inside that cannot be read, which is
            then left out; by default it is raised.

    Raises:
        NotADirectoryError: If `folder` is not a folder.
        PermissionError: If a folder inside may not be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder. Name an existing folder of images.")

    def fail(error: OSError) -> None:
        raise error

    found = []
    for root, folders, names in os.walk(folder, onerror=unreadable or fail):
        folders[:] = (name for name in folders if not name.startswith("."))
        found += (Path(root, name) for name in names if not name.startswith("."))
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES and path.is_file())
