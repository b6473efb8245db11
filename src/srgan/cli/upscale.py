"""`srgan upscale`: from the command line to `upscaling`.

What may be asked of a result is in `upscaling.options`, and becomes options here by itself.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli import estimates, messages, pipes, results
from srgan.cli.options import (
    AsJson,
    Engine,
    ModelChannels,
    ModelRange,
    Overwrite,
    Precision,
    takes_upscale_options,
)
from srgan.io.kinds import EXPECTED
from srgan.upscaling.options import UpscaleOptions
from srgan.util.counting import Progress

if TYPE_CHECKING:
    from srgan.upscaling.batch import BatchPlan, FileResult
    from srgan.upscaling.choice import Models
    from srgan.upscaling.error_map import ErrorMapJob


def _box(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ValueError("expected width x height, as 1920x1080.")
    return int(width), int(height)


@takes_upscale_options
def upscale(
    *,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN",
            help=f"Photos ({EXPECTED}), folders of them, or - for stdin.",
        ),
    ],
    place: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The file or folder to write, or - for stdout. [of photo.jpg, photo_x4.png]",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="A shipped model, an ONNX file, or auto: srgan-photo-x4 for pictures with JPEG "
            "artifacts, noise or blur, and else srgan-x4, or up to --scale 2, srgan-x2."
        ),
    ] = "auto",
    engine: Engine = "onnxruntime",
    precision: Precision = "float32",
    model_range: ModelRange = None,
    model_channels: ModelChannels = None,
    options: UpscaleOptions,
    fit: Annotated[
        tuple | None,
        typer.Option(
            parser=_box, metavar="WxH", help="The result is as large as fits into this box."
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            help='The names of files in folders, as "{stem}-{model}.jpg"; {ext} is the photo\'s. '
            "Without a suffix, it gets that of --format, or one that keeps all frames."
        ),
    ] = "",
    include: Annotated[
        list[str] | None,
        typer.Option(help='Of folders, only these are taken: "*.jpg". Repeatable.'),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help='Of folders, these are left out: "drafts/*". Repeatable.'),
    ] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Photos whose result exists are left out.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="An earlier run of the folder goes on where it stopped."),
    ] = False,
    overwrite: Overwrite = False,
    error_map: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For one photo, the expected error of the GAN model is drawn into this file.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Nothing is written; sizes, time and memory are printed."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Upscale photos.

    OUT is a file if there is one input file, and otherwise a folder, which gets a file for every
    photo, in the same subfolders: PNG, or what keeps all frames. Without OUT, photo_x4.png is
    written beside photo.jpg. What a photo carries is carried over: colour profile, EXIF, 16 bits,
    transparency, frames. What the result lacks is said.

    Of several sizes that are asked for, the smallest counts.

    Exit code 1: some photos could not be upscaled; they are listed.
    """
    from srgan.models.adapted import Values
    from srgan.upscaling import batch, manifest, pipeline
    from srgan.upscaling.choice import AUTO, Models

    output = Path(place) if place else None
    options = _with_size(options, fit)
    if error_map and model == AUTO:  # which srgan-photo-x4 does not have
        model = options.default_model
    values = Values(model_range, model_range, model_channels)
    models = Models(model, options, engine, precision, values)
    plan = batch.BatchPlan({}, [], None)
    is_piped = pipes.PIPE in (*inputs, output)
    if is_piped:
        if resume or skip_existing:
            raise ValueError("--resume and --skip-existing are for files and folders, not pipes.")
        if not output:
            raise ValueError("What comes from stdin has no name; name a file, as -o photo_x4.png.")
        pipes.check_pipe(inputs, output, as_json, dry_run)
    else:
        if not output and not name:
            name = _name_beside(options, models)
        plan = batch.plan(
            inputs,
            output,
            overwrite or resume,
            skip_existing,
            name,
            models.label_for,
            include or (),
            exclude or (),
            is_folder=bool(place) and place.endswith(("/", os.sep)),  # which a path forgets
            options=options,
        )
    loaded = models.default
    # Once it is known that the file is not too large.
    settings = manifest.settings_of(models.fingerprint, precision, options)
    if resume and not overwrite:
        plan = batch.resume(plan, settings)
    if loaded.specification:
        print(f"{loaded.metadata.name}: {loaded.specification}", file=sys.stderr)
    if error_map:
        _check_map(error_map, inputs, output, plan, is_piped)
    source = pipes.read_stdin() if inputs == [pipes.PIPE] else [*plan.sources.values(), *inputs][0]
    named = output or Path()
    if output == pipes.PIPE:
        named = Path(f"stdout{pipeline.suffix_for(source, options)}")
    replace = overwrite or resume
    map_job = None
    if error_map:
        map_job = _prepare_map(source, error_map, model, engine, precision, options, replace)
    if dry_run:
        sources = {named: source} if is_piped else plan.sources
        all_well = estimates.show(sources, plan, models, options, as_json)
        results.finish(plan, as_json, failed=not all_well)
        return
    if error_map and map_job:  # first, since it needs more
        _draw_map(map_job, error_map, options)
    if output and is_piped:
        _through_pipe(source, output, named, models, options, replace, as_json)
    else:
        _run(plan, models, options, settings, replace, as_json)


def _through_pipe(
    source: Path | bytes,
    output: Path,
    named: Path,
    models: "Models",
    options: UpscaleOptions,
    overwrite: bool,
    as_json: bool,
) -> None:
    from srgan.upscaling import pipeline

    def work(photo: Path | bytes, destination: Path, progress: Progress) -> tuple[str, ...]:
        return pipeline.upscale_file(photo, destination, models, options, overwrite, progress)

    pipes.send(source, output, named, work, as_json)


def _run(
    plan: "BatchPlan",
    models: "Models",
    options: UpscaleOptions,
    settings: dict[str, object],
    overwrite: bool,
    as_json: bool,
) -> None:
    from srgan.cli import progress
    from srgan.io import formats
    from srgan.upscaling import batch

    for destination in plan.sources:
        destination.parent.mkdir(parents=True, exist_ok=True)
        formats.check_destination(destination, overwrite)
    if not as_json:
        for destination in plan.skipped:
            print(f"{destination}: there already", file=sys.stderr)
    failed: list[FileResult] = []
    done: list[FileResult] = []
    with progress.bar(len(plan.sources)) as show:

        def tell(done: float, source: Path) -> None:
            show(done, source.name)

        for result in batch.run(plan, models, options, settings, overwrite, tell):
            if result.error:
                if len(plan.sources) + len(plan.skipped) == 1:
                    raise result.error
                failed.append(result)
            done.append(result)
            if as_json:
                print(json.dumps(results.line(result)), flush=True)
            elif not result.error:
                print(result.destination, flush=True)
    if as_json:
        summary = {
            "done": len(done) - len(failed),
            "failed": len(failed),
            "skipped": len(plan.skipped),
        }
        print(json.dumps({"model": models.label} | summary | results.left_out(plan)))
    else:
        results.tell(done)  # below the bar
    for result in failed:
        messages.fail(messages.about(result.source, result.error or Exception()))
    if failed:
        count = messages.counted(len(plan.sources), "photo")
        messages.fail(f"{len(failed)} of {count} could not be upscaled.")
    results.finish(plan, as_json, bool(failed))


def _check_map(
    error_map: Path, inputs: list[Path], output: Path | None, plan: "BatchPlan", is_piped: bool
) -> None:
    """Raises unless there is one photo, and another place for its map."""
    if not is_piped and len(plan.sources) + len(plan.skipped) != 1:
        raise ValueError("--error-map draws one photo; name one.")
    files = (*inputs, *plan.sources, *plan.sources.values(), *filter(None, [output]))
    if error_map.resolve() in (file.resolve() for file in files):
        raise ValueError(f"The map cannot go to {error_map}, which is the photo's.")


def _prepare_map(
    source: Path | bytes,
    destination: Path,
    model: str,
    engine: Engine,
    precision: Precision,
    options: UpscaleOptions,
    overwrite: bool,
) -> "ErrorMapJob":
    from srgan.upscaling import error_map

    return error_map.prepare(
        source, destination, model, overwrite, options.max_pixels, engine, precision
    )


def _draw_map(job: "ErrorMapJob", destination: Path, options: UpscaleOptions) -> None:
    from srgan.cli import progress

    with progress.bar(1) as show:
        job.run(options.tile, lambda done, total: show(done / total, "map"))
    print(destination, file=sys.stderr)


def _with_size(options: UpscaleOptions, fit: tuple[int, int] | None) -> UpscaleOptions:
    """The options, with what --fit asks for."""
    if not fit:
        return options
    box = {"width": min(fit[0], options.width or fit[0])}
    box |= {"height": min(fit[1], options.height or fit[1])}
    return UpscaleOptions.parse(**options.model_dump() | box)


def _name_beside(options: UpscaleOptions, models: "Models") -> str:
    """The pattern of a result's name beside its photo, by the factor, where that is known."""
    if options.has_size and not options.scale:
        return "{stem}_large"
    return f"{{stem}}_x{options.scale or models.default.scale:g}"
