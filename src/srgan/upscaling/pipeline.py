"""From picture file to picture file."""

import os
import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srgan.io import formats, stream, suffixes
from srgan.models.model import Model
from srgan.upscaling import choice, geo
from srgan.upscaling.choice import AUTO, Choice, Models
from srgan.upscaling.documents import DocumentJob
from srgan.upscaling.geo import GeoJob
from srgan.upscaling.jobs import UpscaleJob
from srgan.upscaling.options import DEFAULTS, SAME, UpscaleOptions
from srgan.util import parallel
from srgan.util.counting import Progress

if TYPE_CHECKING:
    from srgan.io.geotiff import Bands, GeoTiff


def prepare(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: Model | Models | str | os.PathLike[str] | None = None,
    options: UpscaleOptions = DEFAULTS,
    overwrite: bool = False,
    workers: int | None = None,
) -> UpscaleJob:
    """Opens a picture file, and plans its upscaling: `upscale_file` up to the first tile.

    Args:
        source: A file of a format that is read (see `io.kinds`), or what is in one.
        destination: Its suffix chooses the format; see `formats.FORMATS`.
        model: A shipped model's name, the path of an ONNX file, or, for many files, what
            `srgan.load` returned, or `choice.Models`. By default, the shipped one that fits the
            picture: see `choice.choose`.
        options: What is asked for. Up to the model's scale, what it makes is scaled down by
            `resize.bicubic`; beyond, it is run twice.
        overwrite: Replace an existing `destination`.
        workers: How many cores there are for this picture; by default all. Fewer, if others are
            upscaled at the same time: small ones are then not cut.

    Raises:
        UnsupportedImage: If `source` is not a picture, or `destination` cannot hold the result.
        OSError: If `source` or the model is missing.
        ValueError: If the model's file is not a model, or is damaged; if the result would be larger
            than two passes of the model make it; or if `options` ask for a realism or a
            self-ensemble that a `model` which is open already does not have.
    """
    destination = Path(destination)
    suffix = destination.suffix.lower()
    formats.check_format(destination)
    if options.pyramid and suffix not in formats.TIFF:
        raise ValueError(
            f"Only .tif files hold a pyramid; got {destination}. Name one (-o x.tif), or choose "
            "that format (--format tiff)."
        )
    wanted = options.format and UpscaleOptions.parse(format=suffix_for(source, options)).format
    if wanted and UpscaleOptions.parse(format=suffix).format != wanted:
        raise ValueError(f"{destination} does not have the suffix of a {wanted} file.")
    pictures, file = _open(source, suffix, options)
    if isinstance(model, Model):
        chosen = Choice(model.metadata.name, "")
    else:
        models = model if isinstance(model, Models) else Models(model or AUTO, options)
        model, chosen = models.open_for(source)
    for name in ("realism", "self_ensemble"):
        if (asked := getattr(options, name)) and asked != getattr(model, name):
            raise ValueError(
                f"options.{name}={asked}, but the model was opened with "
                f"{getattr(model, name)}. Open it by srgan.load(..., {name}={asked})."
            )
    sample = cache(partial(choice.middle, source, options))
    jobs = [
        UpscaleJob(one, destination, model, options, overwrite, workers, chosen, sample)
        for one in pictures
    ]
    for job in jobs:
        formats.check_format(destination, job.height, job.width)
    if file:
        return GeoJob(jobs, file, overwrite)
    job = DocumentJob(jobs, overwrite) if len(jobs) > 1 else jobs[0]
    if options.pyramid and job.frames > 1:
        raise ValueError(
            f"{formats.describe(source)} has {job.frames} pages, and a pyramid holds one picture. "
            "Upscale it without --pyramid."
        )
    return job


def _open(
    source: str | os.PathLike[str] | bytes, suffix: str, options: UpscaleOptions
) -> "tuple[Sequence[stream.Picture | Bands], GeoTiff | None]":
    """What is to be upscaled of a file, and the GeoTIFF that it belongs to, if it is one."""
    if geo.is_kept(source, suffix, options):
        from srgan.io.geotiff import GeoTiff

        file = GeoTiff(source, options.max_pixels)
        return file.pictures, file
    most = options.max_pixels, suffix, options.srgb, options.max_frames
    return stream.open_pages(source, *most), None


def upscale_file(
    source: str | os.PathLike[str] | bytes,
    destination: str | os.PathLike[str],
    model: Model | Models | str | os.PathLike[str] | None = None,
    options: UpscaleOptions = DEFAULTS,
    overwrite: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> tuple[str, ...]:
    """Upscales a picture file, and writes the result whole or not at all.

    Rows are read, upscaled and written as they come, so that pictures may be larger than memory.
    What a photo carries is carried over; see `stream`.

    Args:
        source: A file of a format that is read (see `io.kinds`), or what is in one.
        destination: Its suffix chooses the format; see `formats.FORMATS`.
        model: As `prepare` takes it.
        options: What is asked for.
        overwrite: Replace an existing `destination`.
        progress: As `UpscaleJob.run` takes it.
        workers: As `prepare` takes it.

    Returns:
        What one should know of the result, in sentences; see `UpscaleJob.notes`.

    Raises:
        UnsupportedImage, OSError, ValueError: As `prepare` says; also if the folder of
            `destination` is missing, `destination` exists, or the disk is full.
        MemoryError: If there is not even enough for the smallest tiles.
    """
    formats.check_destination(destination, overwrite)
    job = prepare(source, destination, model, options, overwrite, workers)
    job.run(progress)
    return job.notes


def suffix_for(source: str | os.PathLike[str] | bytes, options: UpscaleOptions) -> str:
    """Returns the suffix of what a picture becomes, where no file's name says it."""
    if options.format == SAME:
        return suffixes.same_suffix(source)
    return options.suffix or suffixes.natural_suffix(source)


def speed(model: Model) -> float:
    """Returns how many pixels of tiles this machine upscales in a second, from a short trial."""
    cut = model.plan(128, 128)
    tile = np.full((min(cut.size[0], 128), min(cut.size[1], 128), 3), 0.5, np.float32)
    calls = model.calls
    seconds = []
    for _ in range(2):  # the first time, an engine sets itself up
        began = time.perf_counter()
        for _ in parallel.in_order(model.upscale, [(tile,)] * calls):
            pass
        seconds.append(time.perf_counter() - began)
    return calls * tile.shape[0] * tile.shape[1] / min(seconds)
