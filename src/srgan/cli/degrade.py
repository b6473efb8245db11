"""`srgan degrade`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from srgan.cli.options import AsJson, Overwrite


def degrade(
    photos: Annotated[
        Path, typer.Argument(help="A photo, or a folder of photos.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder that gets HR/ and LR/, a test set."),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="SHEET", help="The picture that gets sixteen versions of the photo."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of a training; else its default ranges.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Degrade photos as a training with a table [degradation] does.

    Look at a sheet of one photo before you train, or make a test set to measure models on with
    `srgan evaluate --data`. Each photo gets one version there, which depends on its name and the
    configuration alone.
    """
    from srgan.cli import progress
    from srgan.io import images
    from srgan.train import config_file, degraded_sets
    from srgan.train.config import Config
    from srgan.util import files

    if (output is None) == (preview is None):
        raise ValueError(
            "Name either -o, a folder for a test set, or --preview, a sheet to look at."
        )
    settings = config_file.read(config) if config else Config()
    if preview:
        if photos.is_dir():
            raise ValueError(f"{photos} is a folder; --preview shows versions of one photo.")
        files.check_destination(preview, overwrite)
        images.write(preview, degraded_sets.sheet(photos, settings), overwrite=overwrite)
        found = {"preview": str(preview)}
    else:
        assert output
        with progress.bar(1) as show:
            count = degraded_sets.write(
                photos, output, settings, overwrite, lambda done, total: show(done / total, "")
            )
        found = {"output": str(output), "photos": count}
    print(json.dumps(found) if as_json else preview or output)
