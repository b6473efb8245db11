"""Many files at once: which photo becomes which file, several at a time, and where to go on."""

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from srgan.io import formats, kinds, stream
from srgan.io.find import find_images
from srgan.models.model import Model
from srgan.upscaling import pipeline
from srgan.upscaling.manifest import Manifest
from srgan.upscaling.options import UpscaleOptions
from srgan.util import files, parallel

_NAMES = ("stem", "ext", "model")  # what a pattern of names may hold, in braces


class _Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The rest is given up, as asked."""


class BatchPlan(NamedTuple):
    """What is to be done.

    Attributes:
        sources: Of every file to make.
        skipped: Files that are there already.
        folder: Of the results, if they go into one.
        unreadable: What is wrong with folders that had to be left out.
    """

    sources: dict[Path, Path]
    skipped: list[Path]
    folder: Path | None
    unreadable: tuple[OSError, ...] = ()

    @property
    def workers(self) -> int:
        """Cores for each photo, if as many photos are done at once as there are cores."""
        return max(parallel.available_cores() // max(len(self.sources), 1), 1)


class FileResult(NamedTuple):
    """What became of one photo; `error` is None if all went well."""

    source: Path
    destination: Path
    seconds: float
    error: Exception | None


def plan(
    inputs: Sequence[Path],
    output: Path,
    overwrite: bool = False,
    skip_existing: bool = False,
    name: str = "",
    model: str = "",
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    is_folder: bool = False,
    suffix: str = "",
) -> BatchPlan:
    """Returns the source of every file to make, having found what would go wrong.

    Args:
        inputs: Image files, and folders of them.
        output: A file, if there is one input file; otherwise a folder, which gets a file for every
            photo, in the same subfolders. One input file goes to a folder too if `output` is one,
            or has no suffix.
        overwrite: Whether files may be replaced.
        skip_existing: Leave out photos whose file is there.
        name: Pattern of the names in the folder, as "{stem}-{model}.{ext}", where "ext" is the
            photo's; by default its stem with .png, or .webp or .tif for several frames.
        model: Name for the pattern.
        include: Of the photos in folders, take those whose name or path in the folder fits one
            of these patterns, as "*.jpg"; by default all.
        exclude: And leave out those that fit one of these.
        is_folder: Whether `output` is meant as a folder, whatever it looks like.
        suffix: Of the files in the folder, where `name` does not say; by default that of a format
            that holds all of the photo.

    Raises:
        FileNotFoundError: If an input does not exist.
        FileExistsError: If a file exists, unless `overwrite` or `skip_existing`.
        UnsupportedImage: If the suffix of a file to make names no format.
        ValueError: If a folder has no images, two photos would become one file, a photo would
            be overwritten by itself or another, or `name` is no such pattern.
    """
    into_folder = is_folder or len(inputs) > 1 or inputs[0].is_dir()
    into_folder = into_folder or output.is_dir() or not output.suffix
    if into_folder and output.is_file():
        raise ValueError(f"{output} is a file; expected a folder for the results, which is made.")
    _check_pattern(name)
    sources: dict[Path, Path] = {}
    unreadable: list[OSError] = []
    for given in inputs:
        for source, place in _photos(given, output, include, exclude, unreadable):
            destination = (
                output / _named(place, source, name, model, suffix) if into_folder else output
            )
            other = sources.setdefault(destination, source)
            if not other.samefile(source):
                raise ValueError(
                    f"{other} and {source} would both become {destination}. Rename one of them, "
                    'upscale them into two folders, or use --name "{stem}-{ext}.png".'
                )
    for destination in sources:
        formats.check_format(destination)
    photos = {source.resolve() for source in sources.values()}
    for destination in sources:
        if destination.resolve() in photos:
            raise ValueError(f"{destination} is one of the photos. Choose another place for it.")
    taken = [destination for destination in sources if destination.exists()]
    if taken and not overwrite and not skip_existing:
        more = f" (and {len(taken) - 1} more)" if taken[1:] else ""
        raise FileExistsError(
            f"{taken[0]}{more} exists already. Choose another place, replace with --overwrite, "
            "or leave out with --skip-existing."
        )
    skipped = taken if skip_existing else []
    left = {d: source for d, source in sources.items() if d not in skipped}
    return BatchPlan(left, skipped, output if into_folder else None, tuple(unreadable))


def run(
    plan: BatchPlan,
    model: Model,
    options: UpscaleOptions,
    settings: Mapping[str, object],
    overwrite: bool = False,
    progress: Callable[[float, Path], None] | None = None,
) -> Generator[FileResult, None, None]:
    """Upscales the photos of a plan, several at a time, and yields each result when it is there.

    What was done is noted in a manifest in the folder of the results. If the disk is full, the
    rest is given up. If the caller stops asking, the tiles that run are finished, and no file is
    left half-written.

    Args:
        plan: What to do.
        model: What upscales.
        options: What is asked of each result.
        settings: What the results depend on: see `settings_of`.
        overwrite: Replace files that exist.
        progress: Called as `progress(files, source)`, where a part of a file counts as that part.
    """
    stop, lock, shares = threading.Event(), threading.Lock(), dict.fromkeys(plan.sources, 0.0)
    manifest = Manifest(plan.folder, settings) if plan.folder else None

    def work(destination: Path, source: Path) -> FileResult:
        def tell(done: int, total: int) -> None:
            if stop.is_set():
                raise _Stopped(f"{source} was given up before its end.")
            with lock:
                shares[destination] = done / total
                if progress:
                    progress(sum(shares.values()), source)

        began = time.perf_counter()
        try:
            if stop.is_set():
                raise _Stopped(f"{source} was not begun, since the disk is full.")
            if manifest:
                manifest.note(source, destination, done=False)
            pipeline.upscale_file(
                source, destination, model, options, overwrite, tell, plan.workers
            )
            if manifest:
                manifest.note(source, destination, done=True)
        except (ValueError, OSError, MemoryError, _Stopped) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                stop.set()
            return FileResult(source, destination, time.perf_counter() - began, error)
        return FileResult(source, destination, time.perf_counter() - began, None)

    # One more than cores: what is decoded and encoded fills the gaps.
    with ThreadPoolExecutor(parallel.available_cores() + 1) as pool:
        running = [pool.submit(work, *item) for item in plan.sources.items()]
        try:
            for future in as_completed(running):
                yield future.result()
        except BaseException:  # Ctrl-C too
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def resume(plan: BatchPlan, settings: Mapping[str, object]) -> BatchPlan:
    """Leaves out what an earlier run has done, according to its manifest.

    A photo is done again if it was changed since, if it was done with other settings, or if it was
    begun and not ended; what that left behind is removed.

    Args:
        plan: With `overwrite`.
        settings: What the results depend on.

    Raises:
        FileExistsError: If a file is there that no earlier run has made.
    """
    manifest = Manifest(plan.folder, settings) if plan.folder else None
    done = []
    for destination, source in plan.sources.items():
        if not destination.exists():
            continue
        if manifest and manifest.is_done(source, destination):
            done.append(destination)
        elif manifest is None:
            raise FileExistsError(
                f"{destination} exists already, and --resume goes on with folders alone. Choose "
                "another place, or replace with --overwrite."
            )
        elif not manifest.knows(destination):
            raise FileExistsError(
                f"{destination} exists already, and no earlier run has made it. Choose another "
                "place, or replace with --overwrite."
            )
    for folder in {destination.parent for destination in plan.sources}:
        files.remove_partial(folder)
    left = {d: source for d, source in plan.sources.items() if d not in done}
    return plan._replace(sources=left, skipped=plan.skipped + done)


def _check_pattern(name: str) -> None:
    unknown = [key for key in re.findall(r"{(.*?)}", name) if key not in _NAMES]
    if unknown or "/" in name or os.sep in name:
        wrong = f"{{{unknown[0]}}}" if unknown else "a folder"
        raise ValueError(
            f"The names {name!r} hold {wrong}; expected a file name with "
            f"{', '.join(f'{{{key}}}' for key in _NAMES)}."
        )


def _named(place: Path, source: Path, name: str, model: str, suffix: str) -> Path:
    if not name:
        return place.with_suffix(suffix or stream.natural_suffix(source))
    values = {"stem": place.stem, "ext": place.suffix[1:].lower(), "model": model}
    return place.with_name(re.sub(r"{(.*?)}", lambda match: values[match[1]], name))


def _photos(
    given: Path,
    output: Path,
    include: Sequence[str],
    exclude: Sequence[str],
    unreadable: list[OSError],
) -> list[tuple[Path, Path]]:
    """The photos of one input, each with its path in the output folder."""
    if not given.exists():
        raise FileNotFoundError(f"There is no file or folder {given}. Check the name.")
    if not given.is_dir():
        return [(given, Path(given.name))]
    # What an earlier run left in the folder of the results are no photos.
    results, folder = output.resolve(), given.resolve()
    found = find_images(given, unreadable.append)
    if folder in results.parents:
        found = [path for path in found if results not in path.resolve().parents]
    elif folder == results:
        manifest = Manifest(given, {})
        found = [path for path in found if not manifest.knows(path)]
    if not found and unreadable:
        raise unreadable[0]
    if not found:
        raise ValueError(f"There are no images in {given}; expected {', '.join(kinds.SUFFIXES)}.")

    def fits(place: Path, patterns: Sequence[str]) -> bool:
        return any(fnmatch(text, p) for p in patterns for text in (place.name, place.as_posix()))

    places = [path.relative_to(given) for path in found]
    places = [place for place in places if not include or fits(place, include)]
    places = [place for place in places if not fits(place, exclude)]
    if not places:
        raise ValueError(f"None of the {len(found)} images in {given} fits the patterns.")
    return [(given / place, place) for place in places]
