"""`srgan upscale`: from the command line to `upscaling`.

What may be asked of a result is in `upscaling.options`, and becomes options here by itself.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli import estimates, messages, pipes
from srgan.cli.options import AsJson, Engine, Overwrite, Precision, takes_upscale_options
from srgan.upscaling.options import UpscaleOptions
from srgan.util.counting import Progress

if TYPE_CHECKING:
    from srgan.models.model import Model
    from srgan.upscaling.batch import BatchPlan, FileResult
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
        list[Path], typer.Argument(metavar="IN", help="Photos, folders of them, or - for stdin.")
    ],
    place: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUT", help="The file or folder to write, or - for stdout."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="A shipped model, or an ONNX file. [srgan-x4, or up to --scale 2, srgan-x2]"
        ),
    ] = None,
    engine: Engine = "onnxruntime",
    precision: Precision = "float32",
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
            help='The names of files in folders, as "{stem}-{model}.jpg"; {ext} is the photo\'s.'
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

    IN are PNG, JPEG, WebP, TIFF, AVIF or GIF files, or folders of them. OUT is a file if there is
    one input file, and otherwise a folder, which gets a PNG file for every photo, in the same
    subfolders. What a photo carries is carried over: colour profile, EXIF, 16 bits, transparency,
    frames.

    Exit code 1: some photos could not be upscaled; they are listed.
    """
    from srgan.models import catalogue, loading
    from srgan.upscaling import batch, manifest

    output = Path(place)
    options = _with_size(options, fit)
    model = model or options.default_model
    plan = batch.BatchPlan({}, [], None)
    is_piped = pipes.PIPE in (*inputs, output)
    named = output
    if is_piped:
        if resume or skip_existing:
            raise ValueError("--resume and --skip-existing are for files and folders, not pipes.")
        named = pipes.check_pipe(inputs, output, options.suffix or ".png", as_json, dry_run)
    else:
        plan = batch.plan(
            inputs,
            output,
            overwrite or resume,
            skip_existing,
            name,
            Path(model).stem,
            include or (),
            exclude or (),
            is_folder=place.endswith(("/", os.sep)),  # which a path forgets
            suffix=options.suffix,
        )
    loaded = loading.load(model, engine, options.realism, options.self_ensemble, precision)
    # Once it is known that the file is not too large.
    settings = manifest.settings_of(catalogue.fingerprint(model), precision, options)
    if resume and not overwrite:
        plan = batch.resume(plan, settings)
    if loaded.specification:
        print(f"{loaded.metadata.name}: {loaded.specification}", file=sys.stderr)
    if error_map:
        if not is_piped and len(plan.sources) + len(plan.skipped) != 1:
            raise ValueError("--error-map draws one photo; name one.")
        files = (*inputs, *plan.sources, *plan.sources.values(), output)
        if error_map.resolve() in (file.resolve() for file in files):
            raise ValueError(f"The map cannot go to {error_map}, which is the photo's.")
    source = pipes.read_stdin() if inputs == [pipes.PIPE] else [*plan.sources.values(), *inputs][0]
    replace = overwrite or resume
    map_job = None
    if error_map:
        map_job = _prepare_map(source, error_map, model, engine, precision, options, replace)
    if dry_run:
        sources = {named: source} if is_piped else plan.sources
        all_well = estimates.show(sources, plan, loaded, options, as_json)
        _finish(plan, failed=not all_well)
        return
    if error_map and map_job:  # first, since it needs more
        _draw_map(map_job, error_map, options)
    if is_piped:
        _through_pipe(source, output, named, loaded, options, replace, as_json)
    else:
        _run(plan, loaded, options, settings, replace, as_json)


def _through_pipe(
    source: Path | bytes,
    output: Path,
    named: Path,
    model: "Model",
    options: UpscaleOptions,
    overwrite: bool,
    as_json: bool,
) -> None:
    from srgan.upscaling import pipeline

    def work(photo: Path | bytes, destination: Path, progress: Progress) -> None:
        pipeline.upscale_file(photo, destination, model, options, overwrite, progress)

    pipes.send(source, output, named, work, as_json)


def _run(
    plan: "BatchPlan",
    model: "Model",
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
    with progress.bar(len(plan.sources)) as show:

        def tell(done: float, source: Path) -> None:
            show(done, source.name)

        for result in batch.run(plan, model, options, settings, overwrite, tell):
            if result.error:
                if len(plan.sources) + len(plan.skipped) == 1:
                    raise result.error
                failed.append(result)
            if as_json:
                print(json.dumps(_line(result)), flush=True)
            elif not result.error:
                print(result.destination, flush=True)
    if as_json:
        done = len(plan.sources) - len(failed)
        summary = {"done": done, "failed": len(failed), "skipped": len(plan.skipped)}
        print(json.dumps({"model": model.metadata.name} | summary))
    for result in failed:
        messages.fail(messages.about(result.source, result.error or Exception()))
    if failed:
        messages.fail(f"{len(failed)} of {len(plan.sources)} photos were not upscaled.")
    _finish(plan, bool(failed))


def _finish(plan: "BatchPlan", failed: bool) -> None:
    """Names the folders that were left out; exit code 1 if there are any, or photos that failed."""
    for error in plan.unreadable:
        messages.fail(f"A folder was left out: {messages.explain(error)}")
    if failed or plan.unreadable:
        raise typer.Exit(1)


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


def _line(result: "FileResult") -> dict[str, object]:
    line: dict[str, object] = {"input": str(result.source), "seconds": round(result.seconds, 3)}
    if result.error:
        return line | {"error": messages.explain(result.error)}
    return line | {"output": str(result.destination)}


def _with_size(options: UpscaleOptions, fit: tuple[int, int] | None) -> UpscaleOptions:
    """The options, with what --fit asks for; only one kind of size may be given."""
    given = [options.scale, options.width or options.height, fit, options.megapixels]
    if sum(asked is not None for asked in given) > 1:
        raise ValueError("--scale, --width/--height, --fit and --megapixels exclude each other.")
    if not fit:
        return options
    return UpscaleOptions.parse(**options.model_dump() | {"width": fit[0], "height": fit[1]})
