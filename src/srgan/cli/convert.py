"""`srgan convert`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from srgan.cli import messages
from srgan.cli.options import AsJson, Overwrite


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A .safetensors, .pth or .pt file, or the .param or .bin of an ncnn model.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The .onnx file to write; or a folder, which gets certificate and card, too.",
        ),
    ],
    licence: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The model's licence, as its author names it. [unknown]"),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            metavar="JSON",
            help="The card of OpenModelDB that names licence, author and tags; by default the one "
            "beside FILE.",
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="The processor time that PyTorch may take, in minutes.")
    ] = 30,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make an ONNX file of a model of another project.

    Files of PyTorch and safetensors need spandrel and PyTorch, which are not needed to use the
    result: pip install "srgan[convert]". Nothing in a file is executed. The result is compared
    with PyTorch, or ncnn, on photos in a process of its own: at least 60 dB, or nothing is left.
    """
    from srgan.cli import progress
    from srgan.convert import deliver

    with progress.bar(deliver.STEPS) as show:
        done = 0

        def tell(step: str) -> None:
            nonlocal done
            show(done, step)
            done += 1

        made = deliver.convert(source, output, licence, card, minutes, overwrite, tell)
    if as_json:
        report = {
            "path": str(made.path),
            "facts": made.facts.model_dump(),
            "metadata": made.metadata.model_dump(),
            "certificate": made.certificate.model_dump() if made.certificate else None,
            "notes": made.notes,
        }
        print(json.dumps(report))
        return
    for note in made.notes:
        messages.notice(f"{note}.")
    metadata = made.metadata
    print(f"{made.path}: x{metadata.scale}, {metadata.architecture}")
    if made.certificate:
        photos = made.certificate.measured.photos
        print(
            f"{photos.psnr:.1f} dB from {made.certificate.source} on photos, at most "
            f"{photos.max_difference:.4f} grey levels"
        )
    print(f"author: {metadata.author}; licence: {metadata.licence}")
