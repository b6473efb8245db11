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
    profile: Annotated[
        Path | None,
        typer.Option(
            metavar="TOML",
            help="The file that gets what degraded these pictures, to train with.",
        ),
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
    configuration alone. With --profile, the photos are pictures that are degraded already, whose
    blur, noise and JPEG become that table.
    """
    from srgan.cli import progress
    from srgan.io import images
    from srgan.train import config_file, degraded_sets
    from srgan.train.config import Config
    from srgan.util import files

    if sum(target is not None for target in (output, preview, profile)) != 1:
        raise ValueError(
            "Name one of -o, a folder for a test set, --preview, a sheet to look at, and "
            "--profile, a file for what degraded these pictures."
        )
    if profile:
        if config:
            raise ValueError("--config has no effect on --profile: leave out one of them.")
        _profile(photos, profile, overwrite, as_json)
        return
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


def _profile(pictures: Path, target: Path, overwrite: bool, as_json: bool) -> None:
    from srgan.cli import messages, progress
    from srgan.train import profile
    from srgan.util import files

    files.check_destination(target, overwrite)
    with progress.bar(1) as show:
        found = profile.estimate(pictures, lambda done, total: show(done / total, ""))
    keys = found.settings.model_dump(include=set(profile.KEYS), mode="json")
    lines = [f"{key} = {json.dumps(keys[key])}" for key in profile.KEYS]
    about = f"# What degraded {found.pictures} pictures, by srgan degrade --profile."
    # Results of a model that removes degradation do not scale down to the picture.
    text = "\n".join([about, "projection = 0", "", "[degradation]", *lines, ""])
    files.write_bytes(target, text.encode())
    if as_json:
        told = {"profile": str(target), "pictures": found.pictures, "left_out": found.left_out}
        print(json.dumps(told | {"unseen": found.unseen} | keys))
        return
    print("\n".join(lines))
    for key in found.unseen:
        other = "noise" if key == "blur" else "JPEG"
        messages.notice(f"{key} is the default: {other} hides what there may be in these pictures.")
    messages.notice(f"{target} is for srgan train --config, and srgan degrade --config.")
