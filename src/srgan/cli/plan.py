"""`srgan plan`."""

import json
import math
import shlex
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli import messages, train
from srgan.cli.options import AsJson
from srgan.util import frameworks

if TYPE_CHECKING:
    from srgan.train.plan import Plan


def plan(
    photos: Annotated[
        Path, typer.Argument(help="The folder of photos to train on.", show_default=False)
    ],
    recipe: train.Recipe = None,
    config: train.ConfigFile = None,
    changes: train.Changes = None,
    lr_photos: Annotated[
        Path | None, typer.Option(help="The folder of LR images; else they are made.")
    ] = None,
    init: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model that training starts from.")
    ] = None,
    vgg_weights: train.VggWeights = None,
    max_hours: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="H", help="The schedule is shortened to this time."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure what a training will take, before it begins.

    Everything that could fail later is checked. Then a few steps of both stages are computed, on
    some of the photos, and memory, time and room are printed. Nothing is kept.
    """
    from srgan.train import config_file

    settings = config_file.override(train.settings_of(recipe, config, None), changes or ())
    frameworks.import_tensorflow()
    from srgan.train import plan as planning

    settings = train.adopted(settings, init, config)
    found = planning.make(
        photos,
        settings,
        lr_photos=lr_photos,
        init=init,
        vgg_weights=vgg_weights,
        max_hours=max_hours,
    )
    for name in found.unreadable:
        messages.notice(f"{name} cannot be read, and will be left out.")
    if as_json:
        table = found._asdict() | {"seconds": found.seconds}
        table["settings"] = found.settings.model_dump(mode="json")
        table["stages"] = [stage._asdict() for stage in found.stages]
        print(json.dumps(table))
        return
    _print(found)
    if found.changes:
        words = [f"--set {shlex.quote(change)}" for change in found.changes]
        print(f"\nFor {max_hours:g} hours, add to srgan train:\n  {' '.join(words)}")


def _print(found: "Plan") -> None:
    print(
        f"{found.photos:,} photos of {found.megapixels:,.1f} megapixels, computed in "
        f"{found.computed_in}"
    )
    for stage in found.stages:
        parts = {
            "data, beside the step": stage.data_seconds,
            "generator": stage.generator_seconds,
            "features": stage.features_seconds,
            "discriminator": stage.discriminator_seconds,
        }
        print(f"\n{stage.name}: {stage.steps:,} steps, {_span(stage.seconds)}")
        print(f"  {'a step':24} {stage.step_seconds:8.3f} s")
        for name, seconds in parts.items():
            if seconds:
                print(f"    {name:22} {seconds:8.3f} s")
        print(f"  {'a validation':24} {stage.validation_seconds:8.3f} s")
        print(f"  {'a checkpoint':24} {stage.checkpoint_bytes / 2**20:8.1f} MiB")
    print(f"\n{'photos are decoded in':26} {_span(found.decode_seconds)}")
    if found.teacher_seconds:
        print(f"{'the teacher looks for':26} {_span(found.teacher_seconds)}")
    print(f"{'in all':26} {_span(found.seconds)}")
    for name, size in (
        ("memory", found.memory_bytes),
        ("decoded photos", found.cache_bytes),
        ("checkpoints and models", found.disk_bytes),
    ):
        if size:
            print(f"{name:26} {size / 2**20:,.0f} MiB")


def _span(seconds: float) -> str:
    return str(timedelta(seconds=math.ceil(seconds)))
