"""Many files at once: which photo becomes which file."""

from collections.abc import Sequence
from pathlib import Path

from srgan import images


def plan(inputs: Sequence[Path], output: Path, overwrite: bool = False) -> dict[Path, Path]:
    """Returns the source of every file to make, having found what would go wrong.

    Args:
        inputs: Image files, and folders of them.
        output: A file, if there is one input file; otherwise a folder, in which every photo
            becomes a PNG file of the same name, in the same subfolders. One input file goes to a
            folder too if `output` is one, or has no suffix.
        overwrite: Whether files may be replaced.

    Raises:
        FileNotFoundError: If an input does not exist.
        FileExistsError: If a file exists, unless `overwrite`.
        ValueError: If a folder has no images, two photos would become one file, or a photo would
            be overwritten by itself or another.
    """
    into_folder = len(inputs) > 1 or inputs[0].is_dir() or output.is_dir() or not output.suffix
    if into_folder and output.is_file():
        raise ValueError(f"{output} is a file; expected a folder for the results, which is made.")
    sources: dict[Path, Path] = {}
    for given in inputs:
        for source, name in _photos(given, output):
            destination = output / name.with_suffix(".png") if into_folder else output
            other = sources.setdefault(destination, source)
            if not other.samefile(source):
                raise ValueError(
                    f"{other} and {source} would both become {destination}. Rename one of them, "
                    "or upscale them into two folders."
                )
    photos = {source.resolve() for source in sources.values()}
    for destination in sources:
        if destination.resolve() in photos:
            raise ValueError(f"{destination} is one of the photos. Choose another place for it.")
    taken = [destination for destination in sources if destination.exists()]
    if taken and not overwrite:
        more = f" (and {len(taken) - 1} more)" if taken[1:] else ""
        raise FileExistsError(
            f"{taken[0]}{more} exists already. Choose another place, or replace with --overwrite."
        )
    return sources


def _photos(given: Path, output: Path) -> list[tuple[Path, Path]]:
    """The photos of one input, each with its path in the output folder."""
    if not given.exists():
        raise FileNotFoundError(f"There is no file or folder {given}. Check the name.")
    if not given.is_dir():
        return [(given, Path(given.name))]
    found = images.find(given)
    results = output.resolve()
    if given.resolve() in results.parents:  # what an earlier run left there are no photos
        found = [path for path in found if results not in path.resolve().parents]
    if not found:
        raise ValueError(f"There are no images in {given}; expected {', '.join(images.SUFFIXES)}.")
    return [(path, path.relative_to(given)) for path in found]
