"""Finding the image files in a folder."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from srgan.io.kinds import SUFFIXES


def find_images(
    folder: str | os.PathLike[str],
    unreadable: Callable[[OSError], object] | None = None,
    others: Callable[[Path], object] | None = None,
) -> list[Path]:
    """Returns the image files below `folder`, by suffix, sorted, leaving out hidden ones.

    Args:
        folder: Where to look.
        unreadable: Called with what is wrong with a folder inside that cannot be read, or with a
            link to a picture that is not there, which is then left out; by default it is raised.
        others: Called with each file that is taken for no picture.

    Raises:
        NotADirectoryError: If `folder` is not a folder.
        OSError: If a folder inside may not be read, or a picture is a link to nothing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder. Name an existing folder of images.")

    def fail(error: OSError) -> None:
        raise error

    found = []
    for root, folders, names in os.walk(folder, onerror=unreadable or fail):
        folders[:] = (name for name in folders if not name.startswith("."))
        for path in sorted(Path(root, name) for name in names if not name.startswith(".")):
            is_image, is_file = path.suffix.lower() in SUFFIXES, path.is_file()
            if is_image and is_file:
                found.append(path)
            elif is_image and path.is_symlink() and not path.exists():
                reason = "This is a link to a file that is not there"
                (unreadable or fail)(FileNotFoundError(errno.ENOENT, reason, str(path)))
            elif others:
                others(path)
    return sorted(found)
