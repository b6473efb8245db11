"""`srgan train` and `srgan recipes`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli import messages
from srgan.cli.options import AsJson
from srgan.util import frameworks

if TYPE_CHECKING:
    from srgan.train.config import Config


def train(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the run, made.", show_default=False)
    ],
    recipe: Annotated[str | None, typer.Option(help="See: srgan recipes. [compact-x4]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file in place of a recipe.")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Folder of photos that judge; else some are held back.")
    ] = None,
    lr_photos: Annotated[
        Path | None, typer.Option(help="Folder of small versions; else they are made.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Start from a shipped model, a model.onnx or best.npz."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run.")] = False,
    vgg_weights: Annotated[
        Path | None, typer.Option(help="ImageNet weights; else SRGAN_VGG_WEIGHTS, or downloaded.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for decoded photos; else in the run's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on your photos.

    Everything goes into the folder of the run: configuration, logs, samples, checkpoints, and in
    the end model.onnx, for `srgan upscale --model`. Ctrl-C ends a run cleanly.
    """
    settings = _settings(recipe, config, output if resume else None)
    frameworks.import_tensorflow()
    from srgan.cli import progress
    from srgan.train import run

    with progress.training(as_json) as report:
        try:
            result = run.train(
                photos,
                output,
                settings,
                validation=validation,
                lr_photos=lr_photos,
                init=init,
                cache=cache,
                vgg_weights=vgg_weights,
                resume=resume,
                progress=report,
            )
        except run.Interrupted as interruption:
            messages.fail(f"{interruption} Go on with the same command and --resume.")
            sys.exit(130)
    print(json.dumps({"model": str(result)}) if as_json else result)


def _settings(recipe: str | None, config: Path | None, run: Path | None) -> "Config":
    """The configuration of a new run, or of the one in the folder `run`."""
    from srgan.train import config as configs

    if recipe and config:
        raise ValueError(
            "--recipe and --config exclude each other; a recipe can be saved as a file:"
            f" srgan recipes {recipe} > run.toml"
        )
    if config:
        return configs.read(config)
    if run and not recipe and (run / "config.toml").exists():
        return configs.read(run / "config.toml")
    return _recipe(recipe or "compact-x4")


def _recipe(name: str) -> "Config":
    from srgan.train.recipes import RECIPES

    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name!r}; expected {' or '.join(RECIPES)}.")
    return RECIPES[name]


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one as TOML.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the training recipes, or print one.

    A printed one is a file to change, and to train with: srgan train --config.
    """
    from srgan.train.recipes import RECIPES

    if as_json:
        chosen = {name: _recipe(name)} if name else RECIPES
        print(json.dumps({key: config.model_dump(mode="json") for key, config in chosen.items()}))
    elif name:
        import tomli_w

        print(tomli_w.dumps(_recipe(name).model_dump(mode="json")), end="")
    else:
        for key, config in RECIPES.items():
            generator = config.generator
            print(
                f"{key:12} x{config.scale}, {generator.architecture} of {generator.blocks} blocks "
                f"x {generator.filters} filters, {config.pretrain.steps:,} steps, then "
                f"{config.adversarial.steps:,} adversarial ones"
            )
