"""Many files at once: which photo becomes which file, several at a time, and where to go on."""

import errno
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from srgan.io import formats
from srgan.models.model import Model
from srgan.upscaling import pipeline
from srgan.upscaling.choice import Choice, Models
from srgan.upscaling.inputs import Inputs, check_pattern, is_readable, named
from srgan.upscaling.manifest import Manifest
from srgan.upscaling.options import DEFAULTS, UpscaleOptions
from srgan.util import files, parallel


class _Stopped(Exception):
    """The rest is given up, as asked."""


class BatchPlan(NamedTuple):
    """What is to be done.

    Attributes:
        sources: Of every file to make.
        skipped: Files that are there already.
        folder: Of the results, if they go into one.
        unreadable: What is wrong with folders and links that had to be left out.
        others: Files in the folders that are taken for no pictures.
        earlier: Results of earlier runs in the folders, which are not enlarged again.
    """

    sources: dict[Path, Path]
    skipped: list[Path]
    folder: Path | None
    unreadable: tuple[OSError, ...] = ()
    others: tuple[Path, ...] = ()
    earlier: tuple[Path, ...] = ()

    @property
    def workers(self) -> int:
        """Cores for each photo, if as many photos are done at once as there are cores."""
        return max(parallel.available_cores() // max(len(self.sources), 1), 1)


class FileResult(NamedTuple):
    """What became of one photo.

    Attributes:
        source: The photo.
        destination: The file that was to be made.
        seconds: That it took.
        error: What went wrong, or None.
        notes: What one should know of the result; see `UpscaleJob.notes`.
        choice: The model, and why it was taken; None if that was not seen.
    """

    source: Path
    destination: Path
    seconds: float
    error: Exception | None
    notes: tuple[str, ...] = ()
    choice: Choice | None = None


def plan(
    inputs: Sequence[Path],
    output: Path | None,
    overwrite: bool = False,
    skip_existing: bool = False,
    name: str = "",
    model_of: Callable[[Path], str] = lambda _: "",
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    is_folder: bool = False,
    options: UpscaleOptions = DEFAULTS,
) -> BatchPlan:
    """Returns the source of every file to make, having found what would go wrong.

    Args:
        inputs: Image files, and folders of them.
        output: A file, if there is one input file; otherwise a folder, which gets a file for every
            photo, in the same subfolders. One input file goes to a folder too if `output` is one,
            or has no suffix. None for files beside the input files, which have to get a `name`.
        overwrite: Whether files may be replaced.
        skip_existing: Leave out photos whose file is there.
        name: Pattern of the names in the folder, as "{stem}-{model}.{ext}", where "ext" is the
            photo's; by default its stem. Without a suffix, it gets that of `options.format`, or
            else one that keeps all of the photo: .png, or .webp or .tif for several frames.
        model_of: Tells the name of a photo's model, if the pattern holds it.
        include: Of the photos in folders, take those whose name or path in the folder fits one
            of these patterns, as "*.jpg"; by default all.
        exclude: And leave out those that fit one of these.
        is_folder: Whether `output` is meant as a folder, whatever it looks like.
        options: What is asked of each result.

    Raises:
        FileNotFoundError: If an input does not exist.
        FileExistsError: If a file exists, unless `overwrite` or `skip_existing`.
        UnsupportedImage: If the suffix of a file to make names no format.
        ValueError: If a folder has no images, two photos would become one file, a photo would
            be overwritten by itself or another, or `name` is no such pattern.
    """
    check_pattern(name)
    several = len(inputs) > 1 or inputs[0].is_dir()
    into_folder = output and (is_folder or several or output.is_dir() or not output.suffix)
    if output and into_folder and output.is_file():
        raise ValueError(f"{output} is a file; expected a folder for the results, which is made.")
    is_file = output and output.suffix.lower() in formats.FORMATS and not output.is_dir()
    if is_file and several and not is_folder:
        raise ValueError(f"Several photos do not fit into {output}. Name a folder, as {output}/.")
    sources: dict[Path, Path] = {}
    found = Inputs(output, include, exclude)
    for given in inputs:
        for source, place in found.photos(given):
            if output and not into_folder:
                destination = output
            else:
                result = named(place, source, name, model_of, options)
                destination = output / result if output else given.with_name(result.name)
            other = sources.setdefault(destination, source)
            if other.samefile(source):
                continue
            failing = next((path for path in (source, other) if not is_readable(path)), None)
            if not failing:
                raise ValueError(
                    f"{other} and {source} would both become {destination}. Rename one of them, "
                    'upscale them into two folders, or use --name "{stem}-{ext}".'
                )
            # It will be said why, and nothing be made of it, wherever it would go.
            sources[destination] = other if failing is source else source
            beside = f"{destination.stem}-{failing.suffix[1:].lower()}{destination.suffix}"
            sources[destination.with_name(beside)] = failing
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
    return BatchPlan(
        left,
        skipped,
        output if into_folder else None,
        tuple(found.unreadable),
        tuple(found.others),
        tuple(found.earlier),
    )


def run(
    plan: BatchPlan,
    model: Model | Models,
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
            formats.check_destination(destination, overwrite)
            job = pipeline.prepare(source, destination, model, options, overwrite, plan.workers)
            job.run(tell)
            if manifest:
                manifest.note(source, destination, done=True)
        except (ValueError, OSError, MemoryError, _Stopped) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                stop.set()
            return FileResult(source, destination, time.perf_counter() - began, error)
        seconds = time.perf_counter() - began
        return FileResult(source, destination, seconds, None, job.notes, job.choice)

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
