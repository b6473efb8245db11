"""`srgan upscale`."""

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli import estimates, messages, pipes
from srgan.cli.options import AsJson, Engine, Overwrite, Precision, Tile

if TYPE_CHECKING:
    from srgan.models.model import Model
    from srgan.upscaling.batch import Plan, Result
    from srgan.upscaling.size import Size


def _box(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ValueError("expected width x height, as 1920x1080.")
    return int(width), int(height)


def upscale(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN", help="Photos, folders of them, or - for stdin.")
    ],
    place: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="File, folder, or - for stdout.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="A shipped model, or an ONNX file. [srgan-x4, or up to --scale 2, srgan-x2]"
        ),
    ] = None,
    engine: Engine = "onnxruntime",
    precision: Precision = "float32",
    realism: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Between the PSNR model (0) and the GAN model (1)."),
    ] = None,
    self_ensemble: Annotated[
        bool, typer.Option("--self-ensemble", help="A little better, in eight times the time.")
    ] = False,
    scale: Annotated[
        float | None, typer.Option(help="Times each side. [that of the model]")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Pixels, of the result.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels, of the result.")] = None,
    fit: Annotated[
        tuple | None,
        typer.Option(parser=_box, metavar="WxH", help="As large as fits into this box."),
    ] = None,
    megapixels: Annotated[float | None, typer.Option(help="Of the result, about.")] = None,
    tile: Tile = None,
    name: Annotated[
        str, typer.Option(help='In folders: as "{stem}-{model}.jpg"; {ext} is the photo\'s.')
    ] = "",
    include: Annotated[
        list[str] | None, typer.Option(help='Of folders, only these: "*.jpg". Repeatable.')
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help='Of folders, not these: "drafts/*". Repeatable.')
    ] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out what is there already.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a folder, after Ctrl-C or worse.")
    ] = False,
    overwrite: Overwrite = False,
    strip: Annotated[bool, typer.Option("--strip", help="Leave out EXIF, XMP and IPTC.")] = False,
    srgb: Annotated[
        bool, typer.Option("--srgb", help="Convert colours to sRGB instead of keeping the profile.")
    ] = False,
    max_megapixels: Annotated[
        float, typer.Option(min=0, max=1e9, help="Refuse photos that claim more.")
    ] = 268.0,
    hallucination_map: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw what a GAN model invented, for one photo."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and what it needs.")
    ] = False,
    output_format: Annotated[str, typer.Option("--format", help="Of what goes to stdout.")] = "png",
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
    from srgan.upscaling import batch, error_map, pipeline
    from srgan.upscaling.size import default_model

    output = Path(place)
    size = _size(scale, width, height, fit, megapixels)
    model = model or default_model(size)
    plan = batch.Plan({}, [], None)
    name_of_model = Path(model).stem
    is_piped = pipes.PIPE in (*inputs, output)
    named = output
    if is_piped:
        if resume or skip_existing:
            raise ValueError("--resume and --skip-existing are for files and folders, not pipes.")
        named = pipes.check(inputs, output, output_format, as_json, dry_run)
    else:
        plan = batch.plan(
            inputs,
            output,
            overwrite or resume,
            skip_existing,
            name,
            name_of_model,
            include or (),
            exclude or (),
            is_folder=place.endswith(("/", os.sep)),  # which a path forgets
        )
    loaded = loading.load(model, engine, realism, self_ensemble, precision)
    settings = {
        "model": catalogue.fingerprint(model),  # once it is known not to be too large
        "realism": realism,
        "self_ensemble": self_ensemble,
        "precision": precision,
        "size": list(size),
        "metadata": not strip,
        "srgb": srgb,
    }
    if resume and not overwrite:
        plan = batch.resume(plan, settings)
    if loaded.facts:
        print(f"{loaded.metadata.name}: {loaded.facts.described}", file=sys.stderr)
    work = partial(
        pipeline.upscale_file,
        model=loaded,
        overwrite=overwrite or resume,
        tile=tile,
        size=size,
        metadata=not strip,
        srgb=srgb,
        most_pixels=int(1e6 * max_megapixels),
    )
    if hallucination_map:
        if not is_piped and len(plan.sources) + len(plan.skipped) != 1:
            raise ValueError("--hallucination-map draws one photo; name one.")
        files = (*inputs, *plan.sources, *plan.sources.values(), output)
        if hallucination_map.resolve() in (file.resolve() for file in files):
            raise ValueError(f"The map cannot go to {hallucination_map}, which is the photo's.")
    source = pipes.read_stdin() if inputs == [pipes.PIPE] else [*plan.sources.values(), *inputs][0]
    if dry_run:
        sources = {named: source} if is_piped else plan.sources
        all_well = estimates.show(sources, plan, loaded, work, as_json)
        _finish(plan, failed=not all_well)
        return
    if hallucination_map:  # first, since it needs more, and says so before the work
        draw = partial(error_map.map_file, model=model, engine=engine, precision=precision)
        _map(hallucination_map, work, source, draw)
    if is_piped:
        pipes.send(source, output, named, work, as_json)
    else:
        _run(plan, work, settings, loaded, as_json)


def _run(plan: "Plan", work: partial, settings: dict, loaded: "Model", as_json: bool) -> None:
    from srgan.cli import progress
    from srgan.io import formats
    from srgan.upscaling import batch

    for destination in plan.sources:
        destination.parent.mkdir(parents=True, exist_ok=True)
        formats.check_destination(destination, work.keywords["overwrite"])
    if not as_json:
        for destination in plan.skipped:
            print(f"{destination}: there already", file=sys.stderr)
    failed: list[Result] = []
    with progress.bar(len(plan.sources)) as show:

        def tell(done: float, source: Path) -> None:
            show(done, source.name)

        for result in batch.run(plan, work, tell, settings):
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
        print(json.dumps({"model": loaded.metadata.name} | summary))
    for result in failed:
        messages.fail(messages.about(result.source, result.error or Exception()))
    if failed:
        messages.fail(f"{len(failed)} of {len(plan.sources)} photos were not upscaled.")
    _finish(plan, bool(failed))


def _finish(plan: "Plan", failed: bool) -> None:
    """Names the folders that were left out; exit code 1 if there are any, or photos that failed."""
    for error in plan.unreadable:
        messages.fail(f"A folder was left out: {messages.explain(error)}")
    if failed or plan.unreadable:
        raise typer.Exit(1)


def _map(destination: Path, work: partial, source: Path | bytes, draw: partial) -> None:
    from srgan.cli import progress

    same = {name: work.keywords[name] for name in ("overwrite", "tile", "most_pixels")}
    with progress.bar(1) as show:
        draw(source, destination, progress=lambda done, total: show(done / total, "map"), **same)
    print(destination, file=sys.stderr)


def _line(result: "Result") -> dict[str, object]:
    line: dict[str, object] = {"input": str(result.source), "seconds": round(result.seconds, 3)}
    if result.error:
        return line | {"error": messages.explain(result.error)}
    return line | {"output": str(result.destination)}


def _size(
    scale: float | None,
    width: int | None,
    height: int | None,
    fit: tuple[int, int] | None,
    megapixels: float | None,
) -> "Size":
    from srgan.upscaling.size import Size

    given = [scale, width or height, fit, megapixels]
    if sum(wish is not None for wish in given) > 1:
        raise ValueError("--scale, --width/--height, --fit and --megapixels exclude each other.")
    if fit:
        width, height = fit
    return Size(scale, width, height, megapixels)
