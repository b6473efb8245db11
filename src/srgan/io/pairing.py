"""Which files belong together: photos, their LR images, and what programs made of those."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from srgan.io.find import find_images


def names(folder: Path) -> dict[str, Path]:
    """Returns the image files below `folder` by their names: relative paths without suffix.

    Raises:
        NotADirectoryError: If `folder` is not a folder.
        ValueError: If two files have one name.
    """
    found: dict[str, Path] = {}
    for path in find_images(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise ValueError(f"{found[name]} and {path} have one name. Move one of them elsewhere.")
        found[name] = path
    return found


def match(wanted: Iterable[str], folder: Path) -> dict[str, Path]:
    """Returns the file in `folder` for each name, as far as there is one.

    That is the file of the same name, or else the only one that adds something to it, as programs
    do: `baby` is found as `babyx4.png`, `baby_out.png` or `baby-SRGAN.webp`.

    Raises:
        NotADirectoryError: If `folder` is not a folder.
        ValueError: If two files have one name.
    """
    found, wanted = names(folder), list(wanted)
    matches = {name: found.pop(name) for name in wanted if name in found}
    for name in wanted:
        longer = re.compile(re.escape(name) + r"([^0-9A-Za-z]|x\d)[^/]*")
        candidates = [other for other in found if longer.fullmatch(other)]
        if name not in matches and len(candidates) == 1:
            matches[name] = found[candidates[0]]
    return matches


def partners(
    paths: Sequence[Path], folder: Path, other: Path
) -> tuple[list[Path | None], list[Path]]:
    """Returns the file in the folder `other` of each of `paths`, and the files left over there.

    Args:
        paths: Files below `folder`.
        folder: What their names are relative to.
        other: Where `match` looks.

    Raises:
        NotADirectoryError: If `other` is not a folder.
        ValueError: If two files in it have one name.
    """
    wanted = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    matches = match(wanted, other)
    left_over = sorted(set(find_images(other)) - set(matches.values()))
    return [matches.get(name) for name in wanted], left_over
