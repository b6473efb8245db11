"""`srgan upscale`."""

import errno
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from srgan.cli import messages
from srgan.cli.options import AsJson, Overwrite


def upscale(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN", help="Photos, folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="File or folder.")],
    model: Annotated[str, typer.Option(help="A shipped model, or an ONNX file.")] = "srgan-x4",
    engine: Annotated[
        Literal["onnxruntime", "openvino"], typer.Option(help="What runs the model.")
    ] = "onnxruntime",
    realism: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Between the PSNR model (0) and the GAN model (1)."),
    ] = None,
    tile: Annotated[
        int, typer.Option(min=16, help="Side of the tiles in pixels: smaller needs less memory.")
    ] = 256,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Upscale photos.

    IN are PNG, JPEG, WebP or TIFF files, or folders of them. OUT is a file if there is one input
    file, and otherwise a folder, which gets a PNG file for every photo, in the same subfolders.
    """
    from srgan import batch, images, inference, models, progress

    plan = batch.plan(inputs, output, overwrite)
    loaded = models.load(model, engine, realism)
    if loaded.facts:
        print(f"{loaded.metadata.name}: {loaded.facts.described}", file=sys.stderr)
    for destination in plan:
        destination.parent.mkdir(parents=True, exist_ok=True)
        images.check_destination(destination, overwrite)

    done: list[dict] = []
    failed: list[dict] = []
    with progress.bar(len(plan)) as show:
        for number, (destination, source) in enumerate(plan.items()):

            def tiles(done: int, total: int, number=number, name=source.name) -> None:
                show(number + done / total, name)

            began = time.perf_counter()
            try:
                inference.upscale_file(source, destination, loaded, overwrite, tile, tiles)
            except (ValueError, OSError, MemoryError) as error:
                if len(plan) == 1:
                    raise
                failed.append({"input": str(source), "error": messages.explain(error)})
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    break
                continue
            seconds = round(time.perf_counter() - began, 3)
            done.append({"input": str(source), "output": str(destination), "seconds": seconds})
            if not as_json:
                print(destination, flush=True)
    if as_json:
        print(json.dumps({"model": loaded.metadata.name, "done": done, "failed": failed}))
    for file in failed:
        messages.fail(file["error"])
    if failed:
        messages.fail(f"{len(plan) - len(done)} of {len(plan)} photos were not upscaled.")
        raise typer.Exit(1)
